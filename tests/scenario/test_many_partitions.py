"""Many table partitions at once: a backfill over a year in both modes, 200 interleaved tenants, late and far-future rows. What the service
would grant of sessions and blocks is not looked at here (quota_share: unlimited), but for one case that goes by the service's limits."""
import collections
import json
import re
import subprocess

import pytest

from support import jobs, orders
from support.agent import binary, run_job, write_job

DAYS = 365
TENANTS = 200


def counts(stderr):
    return [int(g) for g in re.search(r"stopped; everything read is committed read=(\d+) written=(\d+) filtered=(\d+) dirty=(\d+)", stderr).groups()]


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_backfill_of_a_year(broker, endpoint, tmp_path, name, delivery):
    """In the order of time within each Kafka partition, as a topic that is read from its beginning."""
    table = f"{name}_{delivery}"
    texts = list(orders.records(10_000, seed=5, hours=24 * DAYS))
    broker.create_topic(table)
    broker.produce(table, [t.encode() for t in texts])
    path = write_job(tmp_path, broker.address, endpoint.url, jobs.columns(table, table, flush="2s", more=f"delivery: {delivery}"))
    status, stderr = run_job(path, "--records", len(texts), *(["--first"] if delivery == "exactly_once" else []), timeout=300)
    assert status == 0, stderr
    expected = orders.columns(texts)
    assert counts(stderr) == [expected[k] for k in ("read", "written", "filtered", "dirty")]
    rows = endpoint.rows(table)
    for row in rows:
        row["amount"] = str(row["amount"])
    assert len(expected["partitions"]) >= DAYS
    assert {row["_partition"] for row in rows} == set(expected["partitions"])
    assert orders.digest_of(rows) == expected["digest"]


def tenants(count):
    return [json.dumps({"n": n, "part": "tenant-%03d" % (n * 7919 % TENANTS)}).encode() for n in range(count)]


def verify(endpoint, table, count):
    rows = endpoint.rows(table)
    assert sorted(row["n"] for row in rows) == list(range(count))
    assert len({row["_partition"] for row in rows}) == TENANTS


def test_200_tenants_at_least_once(broker, endpoint, tmp_path, name):
    broker.create_topic(name)
    broker.produce(name, tenants(40_000))
    text = jobs.numbers(name, name, flush="5s").replace("create: if_missing", "create: if_missing\n  partitions_open_max: 200")
    path = write_job(tmp_path, broker.address, endpoint.url, text)
    status, stderr = run_job(path, "--records", 40_000)
    assert status == 0, stderr
    assert "early flush" not in stderr
    verify(endpoint, name, 40_000)


def test_200_tenants_exactly_once(broker, endpoint, tmp_path, name):
    """As many as a record holds; above that check refuses, with the number that fits. More tenants than that come in more flushes."""
    broker.create_topic(name)
    broker.produce(name, tenants(1_500))
    text = jobs.numbers(name, name, flush="1s", more="delivery: exactly_once")
    wished = text.replace("create: if_missing", "create: if_missing\n  partitions_open_max: 200")
    path = write_job(tmp_path, broker.address, endpoint.url, wished)
    done = subprocess.run([binary(), "check", path], capture_output=True, text=True, timeout=60)
    fits = re.search(r"job.yaml:\d+:\d+: .*an epoch can name about (\d+) table partitions .* lower it from 200 to \1", done.stderr)
    assert done.returncode == 2 and fits, done.stderr
    assert run_job(path, "--records", 1_500, "--first")[0] == 2
    path.write_text(wished.replace("partitions_open_max: 200", f"partitions_open_max: {fits.group(1)}"))
    done = subprocess.run([binary(), "check", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    status, stderr = run_job(path, "--records", 1_500, "--first", timeout=300)
    assert status == 0, stderr
    verify(endpoint, name, 1_500)


def test_late_and_far_future_rows(broker, endpoint, tmp_path, name):
    """One row in 50 is decades away, each somewhere else, as a device with a broken clock sends them: they get their partitions, nothing is
    flushed early or late for them, and the rows beside them are where they belong."""
    texts = [json.dumps({"n": n, "part": "19%02d-01-01" % (n // 50 % 15) if n % 100 == 0 else "9%03d-12-31" % (n // 50 % 15) if n % 50 == 0 else "today"})
             for n in range(3_000)]
    broker.create_topic(name)
    broker.produce(name, [t.encode() for t in texts])
    path = write_job(tmp_path, broker.address, endpoint.url, jobs.numbers(name, name, flush="2s"))
    status, stderr = run_job(path, "--records", len(texts))
    assert status == 0, stderr
    assert "early flush" not in stderr and "flushed later" not in stderr
    found = collections.Counter((row["n"], row["_partition"]) for row in endpoint.rows(name))
    wanted = collections.Counter((json.loads(t)["n"], "part=" + json.loads(t)["part"]) for t in texts)
    assert found == wanted


def test_a_far_time_has_its_partition(broker, endpoint, tmp_path, name):
    """Years 1 to 9999 by time; beyond them a row is dirty, and the others go on."""
    texts = list(orders.records(300, seed=8))
    far = {10: -62_135_596_800_000, 20: 253_402_271_999_000, 30: 253_402_300_800_000, 40: -62_167_219_200_000}
    for at, ts in far.items():
        texts[at] = re.sub(r'"ts":\d+', f'"ts":{ts}', re.sub(r'"amount":"[^"]*"', '"amount":"500.00"', texts[at])).replace('"flag":false', '"flag":true')
    broker.create_topic(name)
    broker.produce(name, [t.encode() for t in texts])
    path = write_job(tmp_path, broker.address, endpoint.url, jobs.columns(name, name, flush="1s"))
    status, stderr = run_job(path, "--records", len(texts))
    assert status == 0, stderr
    assert counts(stderr)[3] == 2
    partitions = {row["_partition"] for row in endpoint.rows(name)}
    assert "year=9999/month=12/day=31" in partitions and "year=0001/month=01/day=01" in partitions, partitions
