"""Things go wrong on purpose: nothing is lost. Duplicates are allowed with at_least_once, and counted here."""
import collections
import json
import time
import zlib

import pytest

from support import jobs
from support.agent import Endpoint, Process, run_job, write_job

COUNT = 30_000


def produce(broker, topic, first, count):
    broker.produce(topic, [json.dumps({"n": n, "part": "p%d" % (n % 3)}).encode() for n in range(first, first + count)])


def verify(endpoint, table, count):
    """Every number at least once; returns how many came twice."""
    seen = collections.Counter(row["n"] for row in endpoint.rows(table))
    missing = [n for n in range(count) if n not in seen]
    assert not missing, "%d lost, first %s" % (len(missing), missing[:5])
    assert len(seen) == count
    return sum(seen.values()) - count


def committed(broker, group, topic):
    return sum(max(0, offset) for offset, _ in broker.committed(group, topic).values())


def start(tmp_path, broker, endpoint_url, name, **options):
    path = write_job(tmp_path, broker.address, endpoint_url, jobs.numbers(name, name, **options))
    return path, Process(tmp_path / "run", "run", path)


def test_terminate_drains_and_the_next_run_goes_on(broker, endpoint, tmp_path, name):
    broker.create_topic(name)
    produce(broker, name, 0, COUNT)
    path, process = start(tmp_path, broker, endpoint.url, name, flush="60s")
    process.wait_for(lambda: "partitions assigned" in process.stderr(), what="the partitions")
    process.wait_for(lambda: all(m for _, m in broker.committed("luaduct-" + name, name).values()), what="the anchors")
    assert process.terminate() == 0, process.stderr()
    read = committed(broker, "luaduct-" + name, name)
    assert read == len(endpoint.rows(name)), "what was read is written and committed"
    for offset, metadata in broker.committed("luaduct-" + name, name).values():
        assert metadata.startswith("luaduct/2 job=" + name), "the idle record stands beside offset %d" % offset
    produce(broker, name, COUNT, 1000)
    status, stderr = run_job(path, "--records", COUNT + 1000 - read)
    assert status == 0, stderr
    assert verify(endpoint, name, COUNT + 1000) == 0


def test_second_signal_ends_at_once(broker, tmp_path, name):
    """The endpoint is gone, so draining cannot end; the second signal does, and nothing is lost."""
    target = Endpoint(tmp_path / "endpoint")
    broker.create_topic(name)
    produce(broker, name, 0, 1000)
    path, process = start(tmp_path, broker, target.url, name, flush="200ms")
    process.wait_for(lambda: committed(broker, "luaduct-" + name, name) == 1000, what="the first thousand")
    target.kill()
    produce(broker, name, 1000, 1000)
    process.wait_for(lambda: "does not answer" in process.stderr(), what="the warning about the endpoint")
    process.process.terminate()
    process.wait_for(lambda: "draining" in process.stderr(), what="draining")
    process.process.terminate()
    assert process.wait(10) == 1
    target = Endpoint(tmp_path / "endpoint", port=target.port)
    status, stderr = run_job(path, "--records", 1000)
    assert status == 0, stderr
    verify(target, name, 2000)
    assert target.terminate() == 0


def test_kill_in_the_middle(broker, endpoint, tmp_path, name):
    broker.create_topic(name)
    produce(broker, name, 0, COUNT)
    path, process = start(tmp_path, broker, endpoint.url, name, flush="100ms", more="")
    for _ in range(4):
        before = committed(broker, "luaduct-" + name, name)
        process.wait_for(lambda: committed(broker, "luaduct-" + name, name) > before or before >= COUNT, what="some progress")
        process.kill()
        produce(broker, name, COUNT + _ * 1000, 1000)
        process = Process(tmp_path / "run", "run", path)
    total = COUNT + 4000
    process.wait_for(lambda: committed(broker, "luaduct-" + name, name) == total, timeout=90, what="the end of the topic")
    assert process.terminate() == 0, process.stderr()
    print("duplicates after four kills:", verify(endpoint, name, total))


def test_endpoint_stopped_and_started(broker, tmp_path, name):
    target = Endpoint(tmp_path / "endpoint")
    broker.create_topic(name)
    produce(broker, name, 0, 5000)
    path, process = start(tmp_path, broker, target.url, name, flush="200ms")
    process.wait_for(lambda: committed(broker, "luaduct-" + name, name) == 5000, what="the first part")
    target.kill()
    produce(broker, name, 5000, 5000)
    time.sleep(1.5)
    target = Endpoint(tmp_path / "endpoint", port=target.port)
    process.wait_for(lambda: committed(broker, "luaduct-" + name, name) == 10000, timeout=90, what="the second part")
    assert process.terminate() == 0, process.stderr()
    print("duplicates after the endpoint's stop:", verify(target, name, 10000))
    assert target.terminate() == 0


def test_broker_stopped_and_started(endpoint, tmp_path, name):
    from support.broker import Broker
    own = Broker(tmp_path / "broker").start()
    try:
        own.create_topic(name)
        produce(own, name, 0, 5000)
        path, process = start(tmp_path, own, endpoint.url, name, flush="200ms")
        process.wait_for(lambda: committed(own, "luaduct-" + name, name) == 5000, what="the first part")
        own.stop()
        time.sleep(1)
        own.start()
        produce(own, name, 5000, 5000)
        process.wait_for(lambda: committed(own, "luaduct-" + name, name) == 10000, timeout=90, what="the second part")
        assert process.terminate() == 0, process.stderr()
        print("duplicates after the broker's stop:", verify(endpoint, name, 10000))
    finally:
        own.wipe()


@pytest.mark.parametrize("faults", [
    "put_block #1-8 before status=503",
    "put_block every 3 after cut",
    "commit every 2 after status=500",
    "commit every 2 after cut",
    "create_upload #1-3 before status=429 retry_after=1\nput_block #2-4 before status=429",
    "any every 7 before status=500",
], ids=["blocks_503", "blocks_answer_lost", "commit_500_after", "commit_answer_lost", "throttled", "storm"])
def test_service_faults(broker, tmp_path, name, faults):
    name += format(zlib.crc32(faults.encode()) & 0xFFF, "x")
    target = Endpoint(tmp_path / "endpoint", faults=faults)
    broker.create_topic(name)
    produce(broker, name, 0, 6000)
    path, process = start(tmp_path, broker, target.url, name, flush="200ms", more="")
    process.wait_for(lambda: committed(broker, "luaduct-" + name, name) == 6000, timeout=110, what="all records")
    assert process.terminate() == 0, process.stderr()
    assert target.terminate() == 0
    target = Endpoint(tmp_path / "endpoint")  # a well-behaved one over the same rows
    assert verify(target, name, 6000) == 0, "block ids and session states keep retries from doubling rows"
    assert target.terminate() == 0


def test_two_processes_share_the_partitions(broker, endpoint, tmp_path, name):
    broker.create_topic(name)
    produce(broker, name, 0, 10000)
    path, one = start(tmp_path, broker, endpoint.url, name, flush="200ms")
    one.wait_for(lambda: "job runs" in one.stderr(), what="the first one")
    two = Process(tmp_path / "run2", "run", path)
    two.wait_for(lambda: "partitions assigned" in two.stderr(), what="the second one's partitions")
    produce(broker, name, 10000, 10000)
    two.wait_for(lambda: committed(broker, "luaduct-" + name, name) == 20000, timeout=90, what="all records")
    assert one.terminate() == 0, one.stderr()
    assert two.terminate() == 0, two.stderr()
    print("duplicates with a rebalance:", verify(endpoint, name, 20000))


def test_a_damaged_record_batch(broker, endpoint, tmp_path, name):
    """A byte that changed on the broker's disk: the job ends, and neither that batch nor what is behind it is written or committed."""
    broker.create_topic(name, 1)
    for first in (0, 10, 20):
        broker.produce(name, (b'{"n":%d}' % n for n in range(first, first + 10)), 1)
    log = broker.folder / "log" / f"{name}-0" / "00000000000000000000.log"
    data, at = log.read_bytes(), 0
    while int.from_bytes(data[at:at + 8], "big") != 10:  # record batches: first offset, length, and so on
        at += 12 + int.from_bytes(data[at + 8:at + 12], "big")
    end = at + 12 + int.from_bytes(data[at + 8:at + 12], "big")
    with open(log, "r+b") as f:
        f.seek(end - 1)
        f.write(bytes([data[end - 1] ^ 1]))
    path = write_job(tmp_path, broker.address, endpoint.url, jobs.numbers(name, name))
    status, stderr = run_job(path, "--no-restart")
    assert status == 1, stderr
    assert "the record batch at offset 10 of partition 0 of topic %s is damaged" % name in stderr, stderr
    assert committed(broker, "luaduct-" + name, name) <= 10
    assert {row["n"] for row in endpoint.rows(name)} <= set(range(10))
