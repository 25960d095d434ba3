"""The jobs `columns` and `five` from a real broker into the endpoint equal the reference: counts, sums per partition, digest of all rows."""
import collections
import json
import re
from decimal import Decimal

import pytest

from support import jobs, orders
from support.agent import run_job, write_job

COUNT = 20_000
JOBS = {"columns": (jobs.columns, orders.columns), "five": (jobs.five, orders.five)}


def run(broker, endpoint, tmp_path, name, texts, workers, job="columns"):
    broker.create_topic(name)
    broker.produce(name, [t.encode() for t in texts])
    path = write_job(tmp_path, broker.address, endpoint.url, JOBS[job][0](name, name, workers))
    status, stderr = run_job(path, "--records", len(texts))
    assert status == 0, stderr
    return stderr


def check(endpoint, tmp_path, name, texts, stderr, job="columns"):
    expected = JOBS[job][1](texts)
    counts = re.search(r"stopped; everything read is committed read=(\d+) written=(\d+) filtered=(\d+) dirty=(\d+)", stderr)
    assert counts, stderr
    assert [int(g) for g in counts.groups()] == [expected[k] for k in ("read", "written", "filtered", "dirty")]
    rows = endpoint.rows(name)
    partitions = collections.defaultdict(lambda: [0, 0, Decimal(0)])
    for row in rows:
        p = partitions[row["_partition"]]
        p[0], p[1], p[2] = p[0] + 1, p[1] + row["id"], p[2] + row["amount"]
        row["amount"] = str(row["amount"])
        if "event_time" in row:
            row["event_time"] = row["event_time"].value // 1_000_000
    assert dict(partitions) == expected["partitions"]
    assert orders.digest_of(rows) == expected["digest"]
    lines = [json.loads(line) for f in (tmp_path / "dirty").glob("*.ndjson") for line in f.read_text().splitlines()]
    assert len(lines) == expected["dirty"]
    assert len({(line["partition"], line["offset"], line["index"]) for line in lines}) == len(lines)
    for line in lines:
        assert line["stage"] == "parse" and line["reason"] and orders.parse(line["value"]) is None


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_plain(broker, endpoint, tmp_path, name, workers, job):
    name = f"{name}_{job}_{workers}"
    texts = list(orders.records(COUNT))
    check(endpoint, tmp_path, name, texts, run(broker, endpoint, tmp_path, name, texts, workers, job), job)


@pytest.mark.parametrize("job", JOBS)
def test_damaged_and_shuffled(broker, endpoint, tmp_path, name, job):
    name = f"{name}_{job}"
    texts = list(orders.records(COUNT, seed=7, broken_permille=30, shuffle=True))
    stderr = run(broker, endpoint, tmp_path, name, texts, 1, job)
    check(endpoint, tmp_path, name, texts, stderr, job)


def test_thirty_days_of_partitions(broker, endpoint, tmp_path, name):
    texts = list(orders.records(3000, seed=3, hours=720))
    stderr = run(broker, endpoint, tmp_path, name, texts, 1)
    check(endpoint, tmp_path, name, texts, stderr)
