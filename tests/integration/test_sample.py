"""`luaduct sample` against a real broker: what it takes, from where, when it ends, and that it leaves no trace in Kafka."""
import base64
import json
import os
import re
import signal
import stat

import pytest
from confluent_kafka import Producer

from support import jobs
from support.agent import Process, write_job


class Case:
    """A job whose topic has 3 partitions."""

    def __init__(self, broker, tmp_path, name):
        self.broker, self.folder, self.name = broker, tmp_path, name
        broker.create_topic(name, 3)
        self.path = write_job(tmp_path, broker.address, "http://127.0.0.1:9/api", jobs.numbers(name, name, flush="60s"))
        self.file = tmp_path / (name + ".sample")

    def produce(self, counts):
        """So many records in each partition, numbered from 0."""
        producer = Producer({"bootstrap.servers": self.broker.address})
        for partition, count in enumerate(counts):
            for n in range(count):
                producer.produce(self.name, b"%d" % n, partition=partition, timestamp=1_700_000_000_000 + 1000 * n)
        assert producer.flush(30) == 0

    def start(self, *arguments):
        return Process(self.folder / "command", "sample", self.path, *arguments)

    def run(self, *arguments):
        process = self.start(*arguments)
        status, out, err = process.wait(90), process.out.read_text(), process.stderr()
        for file in (process.out, process.err):
            file.unlink()
        return status, out, err

    def taken(self, file=None):
        """The records of the file by partition, without its first line."""
        return by_partition((file or self.file).read_text())


def by_partition(text):
    header, *records = [json.loads(line) for line in text.splitlines()]
    assert header["luaduct_sample"] == 1
    found = {}
    for record in records:
        found.setdefault(record["partition"], []).append(record)
    for partition in found.values():
        assert [r["offset"] for r in partition] == sorted({r["offset"] for r in partition}), "in order, none twice"
    return found


@pytest.fixture
def case(broker, tmp_path, name):
    return Case(broker, tmp_path, name)


def groups(broker):
    return {g.group_id for g in broker.admin().list_consumer_groups().result(20).valid}


def bytes_of(text):
    return base64.b64decode(text["base64"]) if isinstance(text, dict) else text.encode() if text is not None else None


def test_records_are_whole_and_kafka_keeps_no_trace(case):
    every = bytes(range(256))
    values = [b'{"n": 1}', b"", None, every, "\u4e2d\U0001f600\0".encode(), b"\xed\xa0\x80", b"x" * 500_000]
    keys = [None, b"", b"k", every, b"\xff", "\u4e2d".encode(), b'"']
    headers = [[("n", b"v"), ("n", None)], [("", b"")], [], [("bin", every)], None, [("a\"b", "\u4e2d".encode())], [("x", b"\0")]]
    stamps = [1_700_000_000_000 + n for n in range(7)]
    case.broker.produce(case.name, values, 1, keys, headers, stamps)
    before = groups(case.broker)
    status, out, err = case.run("--records", 7, "--partition", 0)
    assert status == 0, err
    header = json.loads(case.file.read_text().splitlines()[0])
    assert header["job"] == header["topic"] == case.name and header["topic_id"] and header["cluster_id"] and header["taken"].endswith("Z")
    found = case.taken()[0]
    assert [bytes_of(r["value"]) for r in found] == values
    assert [bytes_of(r["key"]) for r in found] == keys
    assert [[(n, bytes_of(v)) for n, v in r.get("headers", [])] for r in found] == [h or [] for h in headers]
    assert [r["timestamp"] for r in found] == stamps and [r["offset"] for r in found] == list(range(7))
    assert stat.S_IMODE(case.file.stat().st_mode) == 0o600
    assert case.file.name + ": 7 records of topic " + case.name in out and "version control" in out
    assert not groups(case.broker) - before, "no group, the job's or another one"
    assert {offset for offset, _ in case.broker.committed("luaduct-" + case.name, case.name, 3).values()} == {-1}


def test_the_group_of_a_job_that_ran_stays_as_it_is(case):
    case.produce([5, 5, 5])
    case.broker.commit("luaduct-" + case.name, case.name, {0: (1, "note"), 1: (2, ""), 2: (5, "")})
    stored = case.broker.committed("luaduct-" + case.name, case.name, 3)
    status, out, err = case.run("--records", 15)
    assert status == 0 and sum(map(len, case.taken().values())) == 15, err
    assert case.broker.committed("luaduct-" + case.name, case.name, 3) == stored and case.broker.members("luaduct-" + case.name) == 0


def test_from_and_spread(case):
    case.produce([100, 3, 10])
    for arguments, expected in ((["--records", 30], {0: (0, 17), 1: (0, 3), 2: (0, 10)}),  # what short partitions do not have comes from the others
                                (["--records", 2], {0: (0, 1), 1: (0, 1)}),
                                (["--records", 10, "--partition", "2,0"], {0: (0, 5), 2: (0, 5)}),
                                (["--records", 10, "--from", "1700000005000"], {0: (5, 5), 2: (5, 5)}),
                                (["--records", 50, "--from", "0:90,1:earliest,2:latest", "--timeout", "0s"], {0: (90, 10), 1: (0, 3)})):
        status, out, err = case.run("--force", *arguments)
        assert status == 0, err
        assert {p: (r[0]["offset"], len(r)) for p, r in case.taken().items()} == expected, arguments
    assert "the topic held no more: 13 of 50 records" in out


def test_an_idle_topic(case):
    status, out, err = case.run("--timeout", "500ms")
    assert status == 1 and "no record came within the time-out; nothing is written" in err
    status, out, err = case.run("--timeout", "0s")
    assert status == 1 and "the topic holds no record" in err
    case.produce([2, 1, 0])
    status, out, err = case.run("--timeout", "1s", "--records", 10)
    assert status == 0 and "no new record came for 1 s, so these 3 of 10 are all" in out, err
    assert {p: len(r) for p, r in case.taken().items()} == {0: 2, 1: 1}
    assert [f for f in os.listdir(case.folder) if "sample" in f] == [case.file.name], "nothing else is left"


def test_a_file_that_is_there(case):
    case.produce([1, 1, 1])
    case.file.write_text("mine")
    status, out, err = case.run("--records", 3)
    assert status == 2 and "is there already; --force replaces it" in err and case.file.read_text() == "mine"
    status, out, err = case.run("--records", 3, "--force")
    assert status == 0 and len(case.taken()) == 3, err
    other = case.folder / "other"
    status, out, err = case.run("--records", 3, "--output", other)
    assert status == 0 and len(case.taken(other)) == 3 and f"`luaduct simulate {case.path} --sample {other}`" in out, err


def test_what_comes_next_for_a_job_without_stages(case):
    case.produce([1, 0, 0])
    case.path.write_text("".join(part for part in re.split(r"(?m)^(?=\S)", case.path.read_text()) if not part.startswith("stages:")))
    status, out, err = case.run("--records", 1)
    assert status == 0 and f"`luaduct infer {case.file} --job {case.path}` proposes the columns" in out, out + err


def test_latest_waits(case):
    case.produce([5, 5, 5])
    process = case.start("--from", "latest", "--records", 4, "--timeout", "60s")
    while process.process.poll() is None:  # it looks for the end of the topic at a moment of its own
        case.produce([1, 1, 1])
    assert process.wait() == 0, process.stderr()
    found = case.taken()
    assert sum(map(len, found.values())) == 4 and min(r["offset"] for p in found.values() for r in p) >= 5


def test_ctrl_c_ends_with_what_is_there(case):
    case.produce([2, 2, 1])
    process = case.start("--timeout", "60s", "--output", "-")
    process.wait_for(lambda: len(process.out.read_bytes().splitlines()) == 6, what="all that is there")
    process.process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0 and "stopped: 5 of 100 records" in process.stderr(), process.stderr()
    assert {p: len(r) for p, r in by_partition(process.out.read_text()).items()} == {0: 2, 1: 2, 2: 1}
    assert not case.file.exists()


def test_transactions(case):
    """What was taken back is not in a sample, and the markers at the end are not waited for."""
    producer = Producer({"bootstrap.servers": case.broker.address, "transactional.id": "t-" + case.name})
    producer.init_transactions(30)
    for value, end in ((b"kept", producer.commit_transaction), (b"taken back", producer.abort_transaction)):
        producer.begin_transaction()
        for partition in range(3):
            producer.produce(case.name, value, partition=partition)
        producer.flush(30)
        end(30)
    status, out, err = case.run("--timeout", "0s")
    assert status == 0 and "3 of 100" in out, err
    assert [[r["value"] for r in p] for p in case.taken().values()] == [["kept"]] * 3


@pytest.mark.parametrize("arguments, said", [
    (["--records", "0"], "--records takes a number from 1 to 1000000"),
    (["--records", "1x"], "--records takes a number"),
    (["--timeout", "10"], "--timeout takes a time such as 10s"),
    (["--timeout", "-1s"], "--timeout takes a time such as 10s"),
    (["--partition", "a"], '"a" is no partition'),
    (["--from", "erliest"], 'did you mean "earliest"?'),
    (["--from", "0:1", "--partition", "0"], "leave --partition out"),
    (["--form", "latest"], 'did you mean "--from"?'),
    (["--from", "0:7"], "partition 0 has no offset 7; its log begins at 0 and ends at 1"),
    (["--from", "3:0"], "has no partition 3; it has 3, from 0"),
    (["--partition", "0,3"], "has no partition 3; it has 3, from 0"),
])
def test_mistakes(case, arguments, said):
    case.produce([1, 1, 1])
    status, out, err = case.run(*arguments)
    assert status == 2 and said in err, err
    assert not [f for f in os.listdir(case.folder) if "sample" in f]
