"""Every parameter of a run has an effect that can be seen: in threads, in the rows, in the counters, or at the endpoint. The ceiling of
memory is tests/scenario/test_memory.py's business, failover test_failover.py's, and the limits of Lua those of the sandbox's tests."""
import json
import os
import re
import subprocess
import urllib.request

import pytest

from support import jobs
from support.agent import Endpoint, Process, binary, run_job, write_job
from support.broker import free_port

COUNT = 20_000


@pytest.fixture(scope="module")
def topic(broker):
    broker.create_topic("runtime")
    broker.produce("runtime", [json.dumps({"n": n, "part": "p%d" % (n % 3)}).encode() for n in range(COUNT)])
    return "runtime"


class Run:
    """A job without an end, and its counters."""

    def __init__(self, tmp_path, broker, url, topic, name, runtime):
        self.port = free_port()
        text = jobs.numbers(name, topic, more=f"metrics: {{listen: '127.0.0.1:{self.port}'}}")
        text = re.sub(r"runtime: .*", "runtime: {%s}" % runtime, text)
        self.path = write_job(tmp_path / name, broker.address, url, text)
        self.process = Process(tmp_path / name / "run", "run", self.path, "--no-restart")
        self.pid = self.process.process.pid

    def counter(self, name):
        try:
            page = urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5).read().decode()
        except OSError:
            return -1.0
        return float(re.search(r"^luaduct_%s\{[^}]*\} (\S+)$" % name, page, re.M).group(1))

    def wait(self, name, value):
        self.process.wait_for(lambda: self.counter(name) >= value, what=f"{name} {value}")


def start(tmp_path, broker, endpoint, topic, name, runtime):
    return Run(tmp_path, broker, endpoint.url, topic, name, runtime)


def threads(pid):
    names = [open(f"/proc/{pid}/task/{task}/comm").read().strip() for task in os.listdir(f"/proc/{pid}/task")]
    return sorted(n for n in names if n.startswith("worker"))


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_workers_are_threads(broker, endpoint, tmp_path, topic, name, workers):
    run = start(tmp_path, broker, endpoint, topic, f"{name}_{workers}", f"workers: {workers}, flush_interval: 100ms")
    run.wait("written_rows_total", COUNT)
    assert threads(run.pid) == ["worker %d" % (i + 1) for i in range(workers)]
    assert run.process.terminate() == 0


@pytest.mark.parametrize("rows", [1, 100, 2048])
def test_batch_rows(broker, endpoint, tmp_path, topic, name, rows):
    name = f"{name}_{rows}"
    text = jobs.numbers(name, topic).replace("target:", "  - {name: size, kind: lua, file: size.lua}\ntarget:", 1)
    text = text.replace("flush_interval", f"batch_rows: {rows}, flush_interval").replace("{name: n, type: bigint}",
                                                                                         "{name: n, type: bigint}\n    - {name: size, type: bigint}")
    path = write_job(tmp_path, broker.address, endpoint.url, text)
    (tmp_path / "size.lua").write_text("return {process = function(batch)\n  local count = batch:count()\n"
                                       "  batch:map({'n'}, {'size bigint'}, function() return count end)\nend}\n")
    status, stderr = run_job(path, "--records", COUNT)
    assert status == 0, stderr
    sizes = {row["size"] for row in endpoint.rows(name)}
    assert max(sizes) <= rows
    assert max(sizes) == rows or rows == 2048


def test_flush_interval(broker, endpoint, tmp_path, topic, name):
    seldom = start(tmp_path, broker, endpoint, topic, name + "_seldom", "flush_interval: 1000s")
    seldom.wait("processed_records_total", COUNT)
    often = start(tmp_path, broker, endpoint, topic, name + "_often", "flush_interval: 100ms")
    often.wait("written_rows_total", COUNT)
    assert "runtime.flush_interval: below 5s" in often.process.stderr()
    assert seldom.counter("written_rows_total") == 0 and seldom.counter("epochs_total") == 0
    assert seldom.process.terminate() == 0 and often.process.terminate() == 0
    assert len(endpoint.rows(name + "_seldom")) == COUNT


def test_flush_bytes(broker, endpoint, tmp_path, topic, name):
    blocks = {}
    for size in ("64KiB", "16MiB"):
        run = start(tmp_path, broker, endpoint, topic, f"{name}_{size}", f"flush_bytes: {size}, flush_interval: 2s")
        run.wait("written_rows_total", COUNT)
        blocks[size] = run.counter("blocks_total")
        raw = run.counter("encoded_bytes_total")
        assert run.process.terminate() == 0
    assert blocks["64KiB"] >= raw / (64 << 10) > 3
    assert blocks["16MiB"] < blocks["64KiB"]


@pytest.mark.parametrize("uploads", [1, 3])
def test_uploads_in_flight(broker, tmp_path, topic, name, uploads):
    slow = Endpoint(tmp_path / "endpoint", faults="put_block every 1 before slow=300ms\n")
    run = start(tmp_path, broker, slow, topic, name, f"uploads_in_flight: {uploads}, flush_bytes: 64KiB, flush_interval: 100ms")
    seen = []

    def enough():
        seen.append(run.counter("uploads_in_flight"))
        return uploads in seen and run.counter("written_rows_total") == COUNT

    run.process.wait_for(enough, what=f"{uploads} uploads at once, and all rows")
    assert max(seen) == uploads
    assert run.process.terminate() == 0
    slow.terminate()


def test_compression(broker, endpoint, tmp_path, topic, name):
    sent, rows = {}, {}
    for how in ("none", "deflate", "zstd"):
        run = start(tmp_path, broker, endpoint, topic, f"{name}_{how}", f"compression: {how}, flush_interval: 2s")
        run.wait("written_rows_total", COUNT)
        sent[how], raw = run.counter("acknowledged_bytes_total"), run.counter("encoded_bytes_total")
        assert run.process.terminate() == 0
        rows[how] = sorted((row["n"], row["_partition"]) for row in endpoint.rows(f"{name}_{how}"))
    assert sent["none"] >= raw
    assert sent["deflate"] < 0.8 * sent["none"] and sent["zstd"] < 0.8 * sent["none"]
    assert rows["none"] == rows["deflate"] == rows["zstd"] and len(rows["none"]) == COUNT


def test_partitions_open_max(broker, endpoint, tmp_path, topic, name):
    early = {}
    for most in (1, 32):
        text = jobs.numbers(f"{name}_{most}", topic).replace("create: if_missing", f"create: if_missing\n  partitions_open_max: {most}")
        path = write_job(tmp_path / str(most), broker.address, endpoint.url, text)
        status, stderr = run_job(path, "--records", COUNT)
        assert status == 0, stderr
        early[most] = "raise target.partitions_open_max (1)" in stderr
    assert early == {1: True, 32: False}


def check(path):
    done = subprocess.run([binary(), "check", path, "--connect"], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_prefetch(broker, endpoint, tmp_path, topic, name):
    text = jobs.numbers(name, topic).replace("otherwise: earliest}}", "otherwise: earliest}, prefetch: 3MiB, properties: {fetch.max.bytes: 20000000}}")
    path = write_job(tmp_path, broker.address, endpoint.url, text)
    status, output = check(path)
    assert status == 0 and re.search(r"prefetch +3\.0 MiB", output), output
    status, stderr = run_job(path, "--records", COUNT)
    assert status == 0 and re.search(r"fetch.max.bytes is cut .*source.prefetch.* wanted=20000000 used=3145728", stderr), stderr
    path.write_text(text.replace("3MiB", "100MiB"))
    status, output = check(path)
    assert status == 2 and "source.prefetch: may take a quarter of runtime.memory_max at most" in output, output


def test_auto(broker, endpoint, tmp_path, topic, name):
    text = re.sub(r"runtime: .*", "runtime: {auto: true, flush_interval: 1s}", jobs.numbers(name, topic))
    path = write_job(tmp_path, broker.address, endpoint.url, text)
    status, output = check(path)
    line = re.search(r"runtime.auto: (\d+) cores?, [\d.]+ GiB of memory and 4 Kafka partitions: workers (\d+), .*flush_interval 1s\*", output)
    assert status == 0 and line, output
    cores = len(os.sched_getaffinity(0))
    assert int(line.group(1)) <= cores and 1 <= int(line.group(2)) <= max(1, cores - 1)
    status, stderr = run_job(path, "--records", COUNT)
    assert status == 0 and line.group(0) in stderr, stderr
    assert len(endpoint.rows(name)) == COUNT
