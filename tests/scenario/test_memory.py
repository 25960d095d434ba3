"""The memory ceiling is kept with a dead endpoint and a full topic, and when the endpoint is back and the job catches up, in both modes: the
peak of the job's process stays below runtime.memory_max and a fixed part, the one that `check` counts. In a build with sanitizers the
peak says nothing and is not looked at; scripts/test bench has one without."""
import json
import os
import pathlib
import re

import pytest

from support.agent import Endpoint, Process, binary, write_job
from torture import truth

MEMORY_MAX = 96 << 20
FIXED = 24 << 20  # program and libraries, threads: budget.c
RECORDS, PAD = 150_000, 1500

JOB = """\
name: {name}
source: {{kafka: k, topic: {name}, start: {{at: committed, otherwise: earliest}}}}
delivery: {delivery}
stages:
  - name: parse
    kind: json
    columns:
      - {{name: n, path: $.n, type: bigint, required: true}}
      - {{name: part, path: $.part, type: string, required: true}}
      - {{name: pad, path: $.pad, type: string, required: true}}
target:
  maxcompute: m
  table: {name}
  create: if_missing
  quota_share: unlimited
  columns:
    - {{name: n, type: bigint}}
    - {{name: kp, type: bigint, from: __partition__}}
    - {{name: ko, type: bigint, from: __offset__}}
    - {{name: pad, type: string}}
  partition:
    - {{name: part, kind: field, from: part}}
runtime: {{workers: 2, flush_interval: 1s, memory_max: 96MiB, flush_bytes: 1MiB, lua: {{memory_max: 8MiB}}}}
"""


def sanitized():
    return b"__asan_init" in pathlib.Path(binary()).read_bytes()


def peak(pid):
    """Of the process' memory so far, in bytes."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) << 10


def records(count):
    for n in range(count):
        yield json.dumps({"n": n, "part": "p%d" % (n % 3), "pad": os.urandom(PAD // 2).hex()}).encode()


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_dead_endpoint_and_full_topic(broker, tmp_path, name, delivery):
    name += delivery[:2]
    target = Endpoint(tmp_path / "endpoint")
    broker.create_topic(name, 4)
    path = write_job(tmp_path, broker.address, target.url, JOB.format(name=name, delivery=delivery))
    process = Process(tmp_path / "run", "run", path, "--no-restart", *(["--first"] if delivery == "exactly_once" else []))
    process.wait_for(lambda: all(text for _offset, text in broker.committed("luaduct-" + name, name).values()), what="the anchors")
    target.kill()
    count = RECORDS // (10 if sanitized() else 1)
    broker.produce(name, records(count))
    held_back = peak(process.process.pid)
    if not sanitized():
        process.wait_for(lambda: "the source is held back" in process.stderr(), what="the line about the ceiling")
        steady = 0
        while steady < 3:  # seconds without growth; the topic has more than twice of what fits
            last, held_back = held_back, peak(process.process.pid)
            steady = steady + 1 if held_back == last else 0
            with pytest.raises(AssertionError):
                process.wait_for(lambda: False, timeout=1)
    target = Endpoint(tmp_path / "endpoint", port=target.port)
    ends = {p: truth.next_end(broker.address, name, p) for p in range(4)}
    process.wait_for(lambda: all(entry[0] == ends[p] for p, entry in broker.committed("luaduct-" + name, name).items()), 240, "all records")
    at_the_end = peak(process.process.pid)
    assert process.terminate() == 0, process.stderr()[-3000:]
    assert target.terminate() == 0
    rows = truth.table_rows(tmp_path / "endpoint" / "rows.db", "p." + name)
    assert sorted(n for n, *_ in rows) == list(range(count)), "each number once: nobody was killed"
    print("%s: peak with a dead endpoint %.1f MiB, at the end %.1f MiB" % (delivery, held_back / (1 << 20), at_the_end / (1 << 20)))
    if not sanitized():
        assert held_back <= MEMORY_MAX + FIXED
        assert at_the_end <= MEMORY_MAX + FIXED
