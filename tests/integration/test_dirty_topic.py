"""Dirty rows that go to a Kafka topic of a real broker, and `luaduct dirty` over both kinds of store."""
import collections
import json
import os
import subprocess
import time

import pytest
from confluent_kafka import Consumer, TopicPartition

from support import jobs, orders
from support.agent import Process, binary, run_job, write_job

COUNT = 8_000
PARTITIONS = 4


def damaged():
    """Texts, and where their broken ones stand in the topic."""
    texts = list(orders.records(COUNT, seed=11, broken_permille=40))
    return texts, {(i % PARTITIONS, i // PARTITIONS, 0) for i, text in enumerate(texts) if orders.parse(text) is None}


def job_of(name, flush="500ms"):
    text = jobs.columns(name, name, flush=flush)
    assert "dirty: {directory: dirty}" in text
    return text.replace("dirty: {directory: dirty}", "dirty: {kafka: {topic: %s-dirty}}" % name)


def messages(broker, topic, partitions):
    """All (key, value) of a topic."""
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "reader-" + topic, "enable.auto.commit": False, "auto.offset.reset": "earliest"})
    found = []
    for partition in range(partitions):
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=20)
        if low == high:
            continue
        consumer.assign([TopicPartition(topic, partition, low)])
        deadline = time.monotonic() + 30
        while True:
            assert time.monotonic() < deadline
            message = consumer.poll(1)
            if message is None:
                continue
            assert not message.error(), message.error()
            found.append((message.key().decode(), json.loads(message.value())))
            if message.offset() + 1 >= high:
                break
    consumer.close()
    return found


def dirty(*arguments, status=0):
    done = subprocess.run([binary(), "dirty", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


def listed(path, *arguments):
    rows = [json.loads(line) for line in dirty("list", path, "--json", *arguments).splitlines()]
    places = [(row["partition"], row["offset"], row["index"]) for row in rows]
    assert len(set(places)) == len(places), "a row is listed twice"
    return set(places)


def produce(broker, name, texts, first, count):
    broker.produce(name, [text.encode() for text in texts[first:first + count]])


def committed(broker, name):
    return sum(max(0, offset) for offset, _ in broker.committed("luaduct-" + name, name).values())


def test_rows_go_to_the_topic(broker, endpoint, tmp_path, name):
    texts, broken = damaged()
    assert len(broken) > 100
    broker.create_topic(name)
    broker.create_topic(name + "-dirty", 2)
    broker.produce(name, [t.encode() for t in texts])
    path = write_job(tmp_path, broker.address, endpoint.url, job_of(name))
    status, stderr = run_job(path, "--records", COUNT)
    assert status == 0, stderr
    assert f"in the topic {name}-dirty of cluster k" in stderr
    found = messages(broker, name + "-dirty", 2)
    assert len(found) == len(broken)
    ids = set()
    for key, row in found:
        topic_id, *place = key.rsplit("/", 3)
        ids.add(topic_id)
        assert [int(p) for p in place] == [row["partition"], row["offset"], row["index"]]
        assert topic_id == row["topic_id"] and row["job"] == name and row["topic"] == name and orders.parse(row["value"]) is None
        assert row["value"] == texts[row["offset"] * PARTITIONS + row["partition"]]
    assert len(ids) == 1
    assert {(row["partition"], row["offset"], row["index"]) for _, row in found} == broken
    assert listed(path) == broken
    assert not (tmp_path / "dirty").exists()
    # The commands over it.
    table = dirty("list", path)
    assert f"\n{len(broken)} dirty rows in the topic {name}-dirty of cluster k; the newest 100 are shown" in table
    assert len([line for line in table.splitlines() if line.startswith("20")]) == 100
    counts = collections.Counter(row["reason"].split(":")[0].split('"')[0].strip() for _, row in found)
    reason, most = counts.most_common(1)[0]
    assert reason in table and str(most) in table
    partition, offset, _ = sorted(broken)[0]
    shown = dirty("show", path, f"{partition}/{offset}")
    assert f"partition {partition}, offset {offset}, row 0 of topic {name}" in shown and "reason" in shown
    assert "no dirty row of that record" in dirty("show", path, f"{partition}/{COUNT}", status=1)
    assert len(dirty("export", path).splitlines()) == len(broken)
    assert listed(path, "--last", 7) < broken
    assert "comes with a later release" in dirty("retry", path, status=2)
    check = subprocess.run([binary(), "check", path, "--connect"], capture_output=True, text=True, timeout=60)
    assert check.returncode == 0 and f"dirty rows: topic {name}-dirty is there" in check.stdout, check.stderr


def test_nothing_is_lost_by_kills_and_each_row_is_listed_once(broker, endpoint, tmp_path, name):
    texts, broken = damaged()
    broker.create_topic(name)
    broker.create_topic(name + "-dirty", 3)
    path = write_job(tmp_path, broker.address, endpoint.url, job_of(name, flush="100ms"))
    steps = ["sealed", "finish_sent", "committed_all", "dirty_durable"]  # before rows are acknowledged, and after it
    part = COUNT // len(steps)
    for turn, step in enumerate(steps):
        produce(broker, name, texts, turn * part, part)
        process = Process(tmp_path / step, "run", path, "--no-restart", env={"LUADUCT_STEP": step + ":1:kill"})
        assert process.wait(60) == -9, process.stderr()
    process = Process(tmp_path / "last", "run", path)
    process.wait_for(lambda: committed(broker, name) == COUNT, timeout=90, what="the rest")
    assert process.terminate() == 0, process.stderr()
    found = messages(broker, name + "-dirty", 3)
    assert {(row["partition"], row["offset"], row["index"]) for _, row in found} == broken
    assert len(found) > len(broken), "rows that were durable before a kill were read again"
    assert listed(path) == broken


def test_rows_read_again_are_listed_once(broker, endpoint, tmp_path, name):
    """The same records by the same job in another group: each row is in the topic twice."""
    texts, broken = damaged()
    broker.create_topic(name)
    broker.create_topic(name + "-dirty", 2)
    broker.produce(name, [t.encode() for t in texts])
    for group in ("one", "two"):
        text = job_of(name).replace(f"  topic: {name}\n", f"  topic: {name}\n  group: {name}-{group}\n")
        path = write_job(tmp_path, broker.address, endpoint.url, text)
        status, stderr = run_job(path, "--records", COUNT)
        assert status == 0, stderr
    assert len(messages(broker, name + "-dirty", 2)) == 2 * len(broken)
    assert listed(path) == broken
    assert f"\n{len(broken)} more lines are of rows that were read again; each row counts once" in dirty("list", path)
    newest = max(row["time"] for _, row in messages(broker, name + "-dirty", 2))
    assert newest in dirty("export", path)


@pytest.mark.parametrize("flaw", ["too large", "missing"])
def test_what_cannot_heal_stops_the_job(broker, endpoint, tmp_path, name, flaw):
    broker.create_topic(name)
    if flaw == "too large":
        broker.create_topic(name + "-dirty", 1, max_message_bytes=70_000)
    text = jobs.numbers(name, name, flush="100ms", more="dirty: {kafka: {topic: %s-dirty}}" % name)
    path = write_job(tmp_path, broker.address, endpoint.url, text)
    process = Process(tmp_path / "run", "run", path)
    broker.produce(name, [b'{"n": "small"}', json.dumps({"n": os.urandom(100_000).hex()}).encode()])
    # One row an epoch: the failure is told at the next one at the latest.
    for i in range(20):
        if process.process.poll() is not None:
            break
        broker.produce(name, [b'{"n": "small"}'])
        time.sleep(0.2)
    assert process.wait(60) == 1, process.stderr()
    said = f"more than the topic {name}-dirty takes in one message; raise max.message.bytes" if flaw == "too large" \
        else f"the topic {name}-dirty of dirty rows does not exist on cluster k"
    assert said in process.stderr(), process.stderr()
    assert "is restarted" not in process.stderr()


def test_files_are_listed_alike(broker, endpoint, tmp_path, name):
    texts, broken = damaged()
    broker.create_topic(name)
    broker.produce(name, [t.encode() for t in texts])
    path = write_job(tmp_path, broker.address, endpoint.url, jobs.columns(name, name))
    status, stderr = run_job(path, "--records", COUNT)
    assert status == 0, stderr
    assert listed(path) == broken
    assert f"\n{len(broken)} dirty rows in the folder {tmp_path}/dirty" in dirty("list", path)
