"""The Kafka source against a real broker: what becomes of commits, leaving and joining again, lost positions, topics that change under a job,
and bounded runs."""
import pathlib
import re
import signal
import struct
import subprocess
import time

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import NewPartitions

from support import jobs
from support.agent import RUNNING, Started, binary, run_job, write_job
from support.broker import Broker

from test_failures import produce, verify

QUICK = ["session.timeout.ms=2000", "heartbeat.interval.ms=300", "topic.metadata.refresh.interval.ms=1000", "reconnect.backoff.max.ms=500"]
REFUSED = (22, 25, 69)  # ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, GROUP_ID_NOT_FOUND


class Driver(Started):
    """tests/support/source_driver.c"""

    def __init__(self, folder, broker, topic, delivery="exactly_once", first="yes", extra=(), group=None):
        folder.mkdir(parents=True, exist_ok=True)
        self.group = group or "g-" + topic
        self.out, self.err = folder / "stdout", folder / "stderr"
        self._files = [open(self.out, "wb"), open(self.err, "wb")]
        self.process = subprocess.Popen([pathlib.Path(binary()).parent / "tests" / "source_driver", broker.address, topic, self.group, delivery,
                                         first, *extra, *QUICK], stdin=subprocess.PIPE, stdout=self._files[0], stderr=self._files[1])
        RUNNING.append(self)

    def lines(self, kind):
        text = self.out.read_text(errors="replace")
        return [line for line in text[:text.rfind("\n") + 1].splitlines() if line.split(" ")[0] == kind]

    def partitions(self, kind):
        """All that were told, in order: (partition, offset, committed, note)."""
        found = []
        for line in self.lines(kind):
            for part in line.split(" ", 1)[1].split(","):
                fields = part.split(" ")
                found.append((int(fields[0]), int(fields[1]), fields[2] == "1", fields[3] if len(fields) > 3 else ""))
        return found

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def wait_for(self, condition, what, timeout=60):
        deadline = time.monotonic() + timeout
        while not condition():
            assert self.process.poll() is None, "ended with %s: %s" % (self.process.returncode, self.err.read_text()[-3000:])
            assert time.monotonic() < deadline, "%s did not come:\n%s\n%s" % (what, self.out.read_text()[-3000:], self.err.read_text()[-3000:])
            time.sleep(0.03)

    def commit(self, note):
        before = len(self.lines("committed"))
        self.say("commit " + note)
        self.wait_for(lambda: len(self.lines("committed")) > before, "the answer to " + note)
        return self.lines("committed")[-1].split(" ")[1]

    def assigned(self, count=4, times=1):
        self.wait_for(lambda: len(self.partitions("assign")) >= count * times, "the partitions")
        return self.partitions("assign")

    def anchored(self, note, count=4):
        """Has its partitions and has stored a commit."""
        self.assigned(count)
        assert self.commit(note) == "stored"
        return self

    def error(self):
        """The first error that is told, as soon as there is one."""
        self.wait_for(lambda: self.lines("error"), "the error")
        return self.lines("error")[0]

    def quit(self):
        self.say("quit")
        assert self.process.wait(30) == 0, self.err.read_text()[-3000:]
        RUNNING.remove(self)
        self.kill()


@pytest.fixture
def driver(broker, tmp_path, name):
    made = []

    def make(*arguments, **options):
        made.append(Driver(tmp_path / ("driver%d" % len(made)), broker, name, *arguments, **options))
        return made[-1]
    return make


def members(broker, group):
    return [m.member_id for m in broker.admin().describe_consumer_groups([group])[group].result(20).members]


def wait_until(condition, what, timeout=60):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def raw_commit(broker, group, topic, member, generation, note):
    """An OffsetCommit (version 2) as a copy that was on its way for long; the error code for partition 0."""
    text = broker._text
    body = text(group) + struct.pack(">i", generation) + text(member) + struct.pack(">qi", -1, 1) + text(topic)
    answer = broker._ask(8, 2, body + struct.pack(">iiq", 1, 0, 0) + text(note))
    return struct.unpack(">h", answer[-2:])[0]


def delete_offsets(broker, group, topic, partitions):
    text = broker._text
    body = text(group) + struct.pack(">i", 1) + text(topic) + struct.pack(">i", len(partitions))
    answer = broker._ask(47, 0, body + b"".join(struct.pack(">i", p) for p in partitions))
    assert struct.unpack_from(">h", answer, 4)[0] == 0 and struct.unpack(">h", answer[-2:])[0] == 0, answer


def make_anew(broker, topic):
    broker.delete_topic(topic)
    wait_until(lambda: topic not in broker.admin().list_topics(timeout=10).topics, "the topic stays")
    broker.create_topic(topic)


def stop_past_the_session(broker, driver):
    """Stopped until the group has put it out."""
    driver.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: not members(broker, driver.group), "the group keeps its member")


def test_rejoin_is_another_member(broker, driver, name):
    """A copy of an earlier commit, with the earlier member id and generation, is stored before the rejoin and refused after it."""
    broker.create_topic(name)
    one = driver().anchored("first")
    member, = members(broker, one.group)
    generation = next(g for g in range(1, 50) if raw_commit(broker, one.group, name, member, g, "copy") == 0)
    assert broker.committed(one.group, name)[0][1] == "copy"
    assert one.commit("second") == "stored"
    one.say("rejoin")
    assert {p: note for p, _, _, note in one.assigned(times=2)[4:]} == {p: "second" for p in range(4)}
    assert sorted(p for p, *_ in one.partitions("lost")) == [0, 1, 2, 3] and not one.lines("revoke")
    assert raw_commit(broker, one.group, name, member, generation, "late") in REFUSED
    again, = members(broker, one.group)
    assert again != member
    assert {note for _, note in broker.committed(one.group, name).values()} == {"second"}
    assert one.commit("third") == "stored"
    # With a commit under way: it is answered inside, and nothing is told of it.
    one.say("commit fourth\nrejoin")
    assert {note for _, _, _, note in one.assigned(times=3)[8:]} == {"fourth"}
    assert len(one.lines("committed")) == 3
    one.quit()


def test_rejoin_while_another_member_is_there(broker, driver, name):
    """The other one takes over what is left, and gives it back as the group wants; each keeps its share in the end."""
    broker.create_topic(name)
    one = driver().anchored("first")
    two = driver("exactly_once", "no")
    two.assigned(2)
    one.say("rejoin")
    one.wait_for(lambda: len(one.partitions("assign")) > 4 and len(members(broker, one.group)) == 2, "a new share")
    assert all(note == "first" for _, _, _, note in one.partitions("assign")[4:])
    assert not one.lines("error") and not two.lines("error")
    two.quit()
    one.quit()


def test_commit_is_refused_after_a_stop_past_the_session(broker, driver, name):
    broker.create_topic(name)
    one = driver().anchored("kept")
    stop_past_the_session(broker, one)
    one.say("force stale")  # the first thing that it does when it wakes
    one.process.send_signal(signal.SIGCONT)
    one.wait_for(lambda: len(one.lines("committed")) == 2, "the answer")
    assert one.lines("committed")[1].split(" ")[1] == "refused", one.lines("committed")
    assert {note for _, _, _, note in one.assigned(times=2)[4:]} == {"kept"}
    assert {note for _, note in broker.committed(one.group, name).values()} == {"kept"}
    one.quit()


def test_first(broker, driver, name):
    broker.create_topic(name)
    one = driver("exactly_once", "no")
    error = one.error()
    assert error.startswith("error fatal") and "luaduct run --first" in error
    one.quit()
    one = driver("exactly_once", "yes").anchored("anchor")
    one.quit()
    one = driver("exactly_once", "yes")
    error = one.error()
    assert error.startswith("error config") and "leave --first out" in error
    one.quit()
    for first in "allowed", "no":
        one = driver("exactly_once", first)
        assert all(stored for _, _, stored, _ in one.assigned())
        one.quit()
    # Two processes of a first run at the same time: the second finds the anchors of the first.
    assert not one.lines("error")


@pytest.mark.parametrize("what", ["group", "offsets"])
def test_positions_vanish_while_the_job_runs(broker, driver, name, what):
    broker.create_topic(name)
    produce(broker, name, 0, 40)
    for delivery in "at_least_once", "exactly_once":
        group = "g-%s-%s" % (name, delivery)
        one = driver(delivery, "yes", group=group)
        assert all(offset == 10 for _, offset, _, _ in one.assigned()), "the first run starts at the end"
        assert one.commit("kept") == "stored"
        stop_past_the_session(broker, one)
        if what == "group":
            for future in broker.admin().delete_consumer_groups([group]).values():
                future.result(20)
        else:
            delete_offsets(broker, group, name, [2])
        one.process.send_signal(signal.SIGCONT)
        if delivery == "exactly_once":
            error = one.error()
            assert error.startswith("error fatal source: while the job ran"), error
            assert len(one.partitions("assign")) == 4
        else:
            again = {p: offset for p, offset, _, _ in one.assigned(times=2)[4:]}
            assert again == ({p: 0 for p in range(4)} if what == "group" else {0: 10, 1: 10, 2: 0, 3: 10})
            assert "lost committed positions" in one.err.read_text()
        one.quit()


def test_topic_is_made_anew_while_the_job_runs(broker, driver, name):
    broker.create_topic(name)
    produce(broker, name, 0, 40)
    one = driver().anchored("kept")
    one.process.send_signal(signal.SIGSTOP)  # so that it sees the new topic only
    make_anew(broker, name)
    produce(broker, name, 0, 400)
    one.process.send_signal(signal.SIGCONT)
    error = one.error()
    assert error.startswith("error fatal"), error
    assert "made anew while the job ran" in error or "lost its committed positions" in error
    one.quit()


def test_topic_is_made_anew_between_runs(broker, driver, name):
    """The brokers forget the group's positions together with the topic."""
    broker.create_topic(name)
    one = driver().anchored("kept")
    one.quit()
    make_anew(broker, name)
    one = driver("exactly_once", "no")
    one.wait_for(lambda: one.lines("error") or one.lines("assign"), "the error")
    assert one.lines("error") and "no committed position" in one.lines("error")[0]
    one.quit()


def test_topic_is_deleted_while_the_job_runs(broker, driver, name):
    broker.create_topic(name)
    one = driver()
    one.assigned()
    broker.delete_topic(name)
    error = one.error()
    assert error.startswith("error fatal") and "does not exist" in error
    one.quit()


def test_partitions_are_added(broker, driver, name):
    """New ones are read from their first record, although the job started at the end."""
    broker.create_topic(name, 2)
    broker.produce(name, [b"old"] * 10, 2)
    one = driver().anchored("anchor", 2)
    one.process.send_signal(signal.SIGSTOP)
    for future in broker.admin().create_partitions([NewPartitions(name, 4)]).values():
        future.result(20)
    wait_until(lambda: len(broker.admin().list_topics(name, timeout=10).topics[name].partitions) == 4, "the partitions")
    broker.produce(name, [b"new"] * 40, 4)
    one.process.send_signal(signal.SIGCONT)
    one.wait_for(lambda: len(one.lines("record")) >= 40, "the records")
    starts = {p: (offset, stored) for p, offset, stored, _ in one.partitions("assign")}
    assert starts[2] == (0, False) and starts[3] == (0, False)
    assert all(line.endswith(" new") for line in one.lines("record"))
    one.quit()


def transactions(broker, topic):
    """Per partition: 10 records, the end of their transaction, 5 that are taken back, and the end of that one. Returns the time between."""
    producer = Producer({"bootstrap.servers": broker.address, "transactional.id": "t-" + topic})
    producer.init_transactions(30)
    for count, value, end in (10, b"kept", producer.commit_transaction), (5, b"taken back", producer.abort_transaction):
        producer.begin_transaction()
        for i in range(count * 4):
            producer.produce(topic, value, partition=i % 4, timestamp=1700000000000 + (0 if count == 10 and i < 20 else 1000))
        producer.flush(30)
        end(30)


def test_start_offsets(broker, driver, name):
    """Each process resolves its own partitions and refuses all of the offsets when one is wrong; nothing is anchored then."""
    broker.create_topic(name)
    produce(broker, name, 0, 40)
    for wrong, said in (("0:3,1:11,2:latest,3:0", "partition 1 has no offset 11; its log begins at 0 and ends at 10"),
                        ("0:3", "does not name 3 of the 4 partitions"), ("0:3,1:earliest,2:1,3:2,4:0", "names partition 4")):
        one = driver("exactly_once", "yes", ["start=" + wrong])
        error = one.error()
        assert error.startswith("error config source.start.offsets") and said in error, error
        assert not one.lines("assign")
        one.quit()
    assert {offset for offset, _ in broker.committed("g-" + name, name).values()} == {-1}
    one = driver("exactly_once", "yes", ["start=0:3,1:earliest,2:latest,3:10"])
    assert {p: offset for p, offset, _, _ in one.assigned()} == {0: 3, 1: 0, 2: 10, 3: 10}
    one.wait_for(lambda: len(one.lines("record")) == 17, "the records")
    assert one.commit("there") == "stored"
    two = driver("exactly_once", "no", ["start=0:1000"])  # the group has positions: what start says is not looked at
    two.assigned(2)
    assert all(stored for _, _, stored, _ in two.partitions("assign")) and not two.lines("error")
    two.quit()
    one.quit()


def test_start_some_time_ago(broker, driver, name):
    """Records of two hours, one hour and no time ago; one partition has none that is new enough."""
    broker.create_topic(name)
    now = int(time.time() * 1000)
    broker.produce(name, [b"old"] * 4 + [b"hour"] * 4 + [b"new"] * 3, timestamps=[now - 7200000] * 4 + [now - 3600000] * 4 + [now] * 3)
    for extra, starts in ((["otherwise=30m ago"], [2, 2, 2, 2]), (["otherwise=90m ago"], [1] * 4), (["otherwise=1d ago"], [0] * 4),
                          (["start=0:0,3:1", "otherwise=90m ago"], [0, 1, 1, 1]), (["start=0:0,3:1", "otherwise=10s ago"], [0, 2, 2, 1])):
        one = driver("exactly_once", "yes", extra, group="g-%s-%s" % (name, extra[-1].split("=")[1].replace(" ", "") + str(len(extra))))
        assert {p: offset for p, offset, _, _ in one.assigned()} == dict(enumerate(starts)), extra
        one.quit()


def test_until(broker, driver, name):
    """The ends of transactions and what was taken back are offsets without records: the end is reached all the same."""
    broker.create_topic(name)
    transactions(broker, name)
    for until, counts in (["end", [10] * 4], ["1700000000500", [5] * 4], ["1700000009000", [10] * 4], ["0:7,1:17,3:12", [7, 10, 0, 10]],
                          ["1d ago", [10] * 4], ["0:7,2:latest", [7, 0, 10, 0]]):
        one = driver("exactly_once", "yes", [until], group="g-%s-%s" % (name, until.replace(":", ".").replace(",", "-").replace(" ", ".")))
        one.wait_for(lambda: one.lines("end"), "the end for " + until)
        records = [int(line.split(" ")[1]) for line in one.lines("record")]
        assert [records.count(p) for p in range(4)] == counts, until
        assert len(one.lines("end")) == 1 and not one.lines("error")
        one.quit()
    # What comes later does not count, and an open transaction ends the log.
    producer = Producer({"bootstrap.servers": broker.address, "transactional.id": "u-" + name})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(name, b"open", partition=0)
    producer.flush(30)
    one = driver("exactly_once", "yes", ["end"], group="g-%s-open" % name)
    one.wait_for(lambda: one.lines("end"), "the end")
    assert len(one.lines("record")) == 40
    producer.commit_transaction(30)
    one.quit()


def test_until_with_two_processes(broker, driver, name):
    """Each ends when its own partitions have; what comes over from the one that has left is not read any further."""
    broker.create_topic(name)
    produce(broker, name, 0, 400)
    one = driver("at_least_once", "allowed", ["end"])
    one.wait_for(lambda: one.lines("end"), "the end")
    two = driver("at_least_once", "allowed", ["0:100,1:100,2:100,3:100"])
    two.wait_for(lambda: len(two.partitions("assign")) >= 2 and one.lines("revoke"), "a share")
    produce(broker, name, 400, 400)
    assert one.commit("done") == "stored"
    one.quit()
    two.wait_for(lambda: len({p for p, *_ in two.partitions("assign")}) == 4 and two.lines("end"), "the end of the second")
    starts = {p: offset for p, offset, _, _ in two.partitions("assign")}
    assert len(two.lines("record")) == sum(100 - offset for offset in starts.values())
    assert all(int(line.split(" ")[2]) < 100 for line in two.lines("record"))
    two.quit()


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_gap(broker, driver, name, delivery):
    broker.create_topic(name)
    one = driver(delivery, "yes").anchored("anchor")
    one.quit()
    produce(broker, name, 0, 400)
    for future in broker.admin().delete_records([TopicPartition(name, 1, 30)]).values():
        future.result(20)
    one = driver(delivery, "no")
    one.wait_for(lambda: one.lines("gap") and len(one.lines("record")) >= 300, "the gap")
    assert one.lines("gap") == ["gap 1 100 0  0 30"]
    assert len(one.lines("record")) == 300 and not one.lines("error")
    one.quit()


def test_short_retention_is_told(tmp_path):
    own = Broker(tmp_path / "broker")
    with open(own.properties, "a") as properties:
        properties.write("offsets.retention.minutes=60\n")
    own.start()
    try:
        own.create_topic("t")
        one = Driver(tmp_path / "driver", own, "t")
        one.wait_for(lambda: "stopped for 60 minutes" in one.err.read_text(), "the warning")
        one.quit()
    finally:
        own.wipe()


def test_run_until_end(broker, endpoint, tmp_path, name):
    broker.create_topic(name)
    produce(broker, name, 0, 10_000)
    path = write_job(tmp_path, broker.address, endpoint.url, jobs.numbers(name, name, flush="60s"))
    status, stderr = run_job(path, "--until", "end")
    assert status == 0 and "finished read=10000 written=10000 filtered=0 dirty=0" in stderr, stderr
    report = (tmp_path / "run" / "stdout").read_text()
    assert re.search(r"^ +2 +0 +2500 +2500 +2500 +0 +0 +0$", report, re.M), report
    assert "all runs, of these partitions: read 10000 + expanded 0 = written 10000 + filtered 0 + dirty 0" in report, report
    produce(broker, name, 10_000, 100)
    status, stderr = run_job(path, "--until", "0:2510,3:2504")
    assert status == 0 and "finished read=14 written=14" in stderr, stderr
    status, stderr = run_job(path, "--until", str(int(time.time() * 1000) + 3_600_000))
    assert status == 2 and "is in the future" in stderr
    status, stderr = run_job(path, "--until", "end", "--no-restart")
    assert status == 0 and "finished read=86 " in stderr, stderr
    assert verify(endpoint, name, 10_100) == 0


def test_run_first_and_until_end_exactly_once(broker, endpoint, tmp_path, name):
    broker.create_topic(name)
    produce(broker, name, 0, 1000)
    path = write_job(tmp_path, broker.address, endpoint.url, jobs.numbers(name, name, flush="60s", more="delivery: exactly_once"))
    status, stderr = run_job(path, "--until", "end")
    assert status == 1 and "luaduct run --first" in stderr, stderr
    status, stderr = run_job(path, "--until", "end", "--first")
    assert status == 0 and "finished read=1000 written=1000" in stderr, stderr
    produce(broker, name, 1000, 100)
    status, stderr = run_job(path, "--until", "end", "--first")
    assert status == 2 and "leave --first out" in stderr, stderr
    status, stderr = run_job(path, "--until", "end")
    assert status == 0 and "finished read=100 written=100" in stderr, stderr
    assert verify(endpoint, name, 1100) == 0
