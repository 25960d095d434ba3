"""`luaduct epoch show`, `epoch resolve` and `reset` against a real broker and the local endpoint: records are written by hand."""
import json
import os
import pty
import re
import subprocess
import time

import pytest

from support import jobs
from support.agent import Endpoint, Process, binary, run_job, write_job

FAULTS = "list_blocks #1-2 before expire\n"  # the first two sessions that are asked about are expired, unless they are closed


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def encode(text):
    return "".join(c if re.match(r"[A-Za-z0-9._~-]", c) else "".join("%%%02X" % b for b in c.encode()) for c in str(text))


def seal(text):
    return "%s crc=%08x" % (text, crc32c(text.encode()))


def record(name, ledger=(0, 0, 0, 0, 0), epoch=None, counts=(0, 0, 0, 0, 0), covers=(), sessions=(), table=None, job=None, topic="", table_id="",
           version=2):
    """A record as position.h describes it; covers: (partition, base, next); sessions: (spec, id, blocks, rows)."""
    text = "luaduct/%d job=%s cluster= topic=%s table=%s tableid=%s ledger=%s" % (
        version, encode(job or name), encode(topic), encode("p." + (table or name)), table_id, ",".join(map(str, ledger)))
    if epoch:
        text += " epoch=%s by=%s at=%d counts=%s" % (epoch, encode("host-a:4711"), (time.time() - 200) * 1000, ",".join(map(str, counts)))
        text += " offsets=" + ",".join("%d:%d+%d" % (p, base, end - base) for p, base, end in covers)
        text += " sessions=" + ";".join("0~%s!0~%s!%d!%d" % (encode(spec), encode(sid), blocks, rows) for spec, sid, blocks, rows in sessions)
    return seal(text)


class Case:
    """One job with a topic of two partitions and 10 records in each, a table, and a group whose offsets the test writes."""

    def __init__(self, broker, tmp_path, name, endpoint, columns="n bigint", job=None, records=20):
        self.broker, self.folder, self.name, self.endpoint = broker, tmp_path, name, endpoint
        self.group = "luaduct-" + name
        broker.create_topic(name, 2)
        if records:
            broker.produce(name, [b'{"n": %d, "part": "a"}' % i for i in range(records)], 2, timestamps=[1_700_000_000_000 + 1000 * i for i in range(records)])
        self.table = endpoint.odps().create_table(name, (columns, "part string"))
        self.path = write_job(tmp_path, broker.address, endpoint.url, job or jobs.numbers(name, name))

    def session(self, spec, rows, commit=False):
        """An upload session with one block; (spec, id, blocks, rows)."""
        from odps.tunnel import TableTunnel
        self.table.create_partition(spec, if_not_exists=True)
        session = TableTunnel(self.endpoint.odps()).create_upload_session(self.name, partition_spec=spec)
        with session.open_record_writer(0) as writer:
            for n in range(rows):
                line = session.new_record()
                line["n"] = n
                writer.write(line)
        if commit:
            session._complete_upload()  # commit() would ask for the block list first, and meet the faults script
        return spec, session.id, 1, rows

    def store(self, texts):
        """texts: {partition: (offset, metadata)}"""
        self.broker.commit(self.group, self.name, texts)

    def prepare(self, sessions, epoch="E1", **more):
        """An epoch over records 4 to 9 of both partitions, behind a ledger of 4 records each."""
        rows = sum(s[3] for s in sessions)
        text = record(self.name, (4, 3, 1, 0, 0), epoch, (6, 6, 0, 0, 0) if rows else (0,) * 5, [(0, 4, 10), (1, 4, 10)], sessions, **more)
        self.store({0: (4, text), 1: (4, text)})
        return text

    def stored(self):
        return self.broker.committed(self.group, self.name, 2)

    def run(self, *arguments):
        process = Process(self.folder / "command", *arguments)
        status, out, err = process.wait(90), process.out.read_text(), process.stderr()
        for file in (process.out, process.err):
            file.unlink()
        return status, out, err

    def show(self, *more):
        return self.run("epoch", "show", self.path, *more)

    def resolve(self, *more):
        return self.run("epoch", "resolve", self.path, *more)

    def reset(self, *more):
        return self.run("reset", self.path, *more)


@pytest.fixture
def case(broker, endpoint, tmp_path, name):
    return Case(broker, tmp_path, name, endpoint)


@pytest.fixture
def expiring(broker, tmp_path, name):
    endpoint = Endpoint(tmp_path / "endpoint", faults=FAULTS)
    yield Case(broker, tmp_path, name, endpoint)
    endpoint.kill()


def cells(out, first):
    """The row of a printed table that begins with `first`."""
    return next(line.split() for line in out.splitlines() if line.split()[:1] == [str(first)])


# --- show ---

def test_show_a_job_that_never_ran(case):
    status, out, err = case.show()
    assert status == 0, err
    assert "group %s: none, 0 members" % case.group in out and "nothing is prepared" in out
    assert cells(out, 0) == ["0", "-", "10", "-", "-", "-", "-", "-", "-", "nothing"]


def test_show_after_a_run(case):
    status, stderr = run_job(case.path, "--records", 20)
    assert status == 0, stderr
    status, out, err = case.show()
    assert status == 0, err
    assert cells(out, 1) == ["1", "10", "10", "0", "10", "10", "0", "0", "0", "idle"]
    assert "ledger: read 20 + expanded 0 = written 20 + filtered 0 + dirty 0" in out
    told = json.loads(case.show("--json")[1])
    assert told["total"] == {"read": 20, "written": 20, "filtered": 0, "dirty": 0, "expanded": 0} and told["balances"] and told["epochs"] == []
    assert [p["record"] for p in told["partitions"]] == ["idle", "idle"] and told["table_id"]


def test_show_prepared_and_nothing_to_decide(case):
    """Sessions that are open: show says so, and resolve leaves them to a start of the job."""
    text = case.prepare([case.session("part=a", 7), case.session("part=b", 5)])
    status, out, err = case.show()
    assert status == 0, err
    assert "prepared by host-a:4711" in out and "3 min ago" in out and "Asia/Shanghai" in out
    assert out.count("NORMAL, 1 of 1 blocks listed") == 2 and out.count("carries the record") == 2
    assert cells(out, "part=b")[2:4] == ["1", "5"]
    told = json.loads(case.show("--json")[1])
    assert [e["epoch"] for e in told["epochs"]] == ["E1"]
    assert [(s["rows"], s["state"], s["blocks_listed"]) for s in told["epochs"][0]["sessions"]] == [(7, "NORMAL", 1), (5, "NORMAL", 1)]
    status, out, err = case.resolve("--as", "lost", "--yes", "--force")
    assert status == 1 and "2 sessions are still open" in err and "start the job" in err
    assert case.stored() == {0: (4, text), 1: (4, text)}


def test_show_one_partition_has_moved_on(case):
    session = case.session("part=a", 12, commit=True)
    text = record(case.name, (4, 4, 0, 0, 0), "E1", (6, 6, 0, 0, 0), [(0, 4, 10), (1, 4, 10)], [session])
    case.store({0: (4, text), 1: (10, record(case.name, (10, 10, 0, 0, 0)))})
    status, out, err = case.show()
    assert status == 0, err
    assert "has moved on to 10" in out and "carries the record" in out and "CLOSED: its rows are in the table" in out
    status, out, err = case.resolve("--as", "committed", "--yes")
    assert status == 0 and "who finished the epoch there had seen all its sessions closed" in out, err
    assert {p: o for p, (o, _) in case.stored().items()} == {0: 10, 1: 10}


def test_show_foreign_damaged_and_newer_records(case):
    good = record(case.name, (4, 4, 0, 0, 0))
    case.store({0: (4, good.replace("ledger=4", "ledger=5")), 1: (5, "kept by something else")})
    out = case.show()[1]
    assert out.count("not stored by luaduct, or damaged") == 2
    case.store({0: (4, record(case.name, (4, 4, 0, 0, 0), job="other")), 1: (5, record(case.name, version=9))})
    status, out, err = case.show()
    assert status == 0 and "belongs to another job (other" in out and "stored by another release of luaduct" in out, err
    assert cells(out, "total")[1:] == ["11", "0", "0", "0", "0", "0"], "foreign rows are not in the sum"
    status, out, err = case.resolve()
    assert status == 1 and "another release" in err
    for partition, said in ((0, "another job"), (1, "another release")):
        status, out, err = case.reset("--to", "%d:0" % partition, "--yes", "--force")
        assert status == 1 and said in err and "partition %d" % partition in err, err


def test_show_a_foreign_epoch(case):
    case.prepare([("part=a", "2024abc", 1, 12)], table="elsewhere")
    status, out, err = case.show()
    assert status == 0, err
    assert "not this job's" in out and "p.elsewhere" in out and "not asked: of another job" in out
    status, out, err = case.resolve("--as", "lost", "--yes")
    assert status == 1 and "not this job's" in err


def test_a_ledger_that_does_not_balance(case):
    case.store({0: (4, record(case.name, (4, 2, 1, 0, 0)))})
    out = case.show()[1]
    assert "IT DOES NOT BALANCE" in out
    assert json.loads(case.show("--json")[1])["balances"] is False


# --- resolve ---

def test_resolve_nothing(case):
    status, out, err = case.resolve("--as", "lost", "--yes")
    assert status == 0 and "nothing to resolve" in out, err


def test_resolve_expired_as_committed(expiring):
    case = expiring
    case.prepare([case.session("part=a", 7), case.session("part=b", 5)])
    status, out, err = case.resolve("--as", "committed", "--yes")
    assert status == 0, err
    assert out.count("EXPIRED: whether its rows are in the table is not known") == 2
    assert "part=b: 0, of which 5 would be this session's" in out and "maps no columns to __partition__ and __offset__" in out
    assert "Kafka partition 1: 4 -> 10" in out and "12 rows whose outcome is not known are NOT" in out
    stored = case.stored()
    assert [o for o, _ in stored.values()] == [10, 10]
    for _, text in stored.values():
        assert " ledger=10,9,1,0,0 crc=" in text and "epoch=" not in text and re.search(r" topic=[^ ]+ .* tableid=\d+ ", text)
    told = json.loads(case.show("--json")[1])
    assert told["total"]["read"] == 20 and told["total"]["written"] == 18 and told["balances"] and told["epochs"] == []


def test_resolve_expired_as_lost(expiring):
    case = expiring
    case.prepare([case.session("part=a", 12)])
    status, out, err = case.resolve("--as", "lost", "--yes")
    assert status == 0, err
    for offset, text in case.stored().values():
        assert offset == 4 and " ledger=4,3,1,0,0 crc=" in text and "epoch=" not in text
    status, stderr = run_job(case.path, "--records", 12)
    assert status == 0, stderr
    assert len(case.endpoint.rows(case.name)) == 12


def test_resolve_needs_to_be_told(expiring):
    case = expiring
    text = case.prepare([case.session("part=a", 12)])
    status, out, err = case.resolve()
    assert status == 2 and "--as committed" in err and "EXPIRED" in out
    status, out, err = case.resolve("--as", "lost")
    assert status == 2 and "--yes" in err and "nothing was changed" in err
    status, out, err = case.resolve("--as", "found")
    assert status == 2 and "committed or lost" in err
    status, out, err = case.resolve("--as", "lost", "--yes", "--epoch", "E2")
    assert status == 2 and 'did you mean "E1"?' in err
    assert case.stored() == {0: (4, text), 1: (4, text)}


def test_resolve_one_of_two_epochs(expiring):
    case = expiring
    session = case.session("part=a", 6)
    text = record(case.name, (4, 4, 0, 0, 0), "second", (6, 6, 0, 0, 0), [(1, 4, 10)], [session])
    case.store({0: (4, record(case.name, (4, 4, 0, 0, 0), "first", (6, 6, 0, 0, 0), [(0, 4, 10)], [session])), 1: (4, text)})
    status, out, err = case.resolve("--as", "lost", "--yes")
    assert status == 2 and "2 epochs are prepared" in err
    status, out, err = case.resolve("--as", "committed", "--yes", "--epoch", "first")
    assert status == 0, err
    stored = case.stored()
    assert stored[0][0] == 10 and stored[1] == (4, text)


def test_resolve_closed_and_expired(expiring):
    """One session is in the table, of the other it is not known: lost would make the first one's rows come twice."""
    case = expiring
    text = case.prepare([case.session("part=a", 7, commit=True), case.session("part=b", 5)])
    told = json.loads(case.show("--json")[1])
    assert [s["state"] for s in told["epochs"][0]["sessions"]] == ["CLOSED", "EXPIRED"]
    status, out, err = case.resolve("--as", "lost", "--yes")
    assert status == 1 and "7 rows of the epoch are in the table" in err and "--force" in err
    assert case.stored() == {0: (4, text), 1: (4, text)}
    status, out, err = case.resolve("--as", "lost", "--yes", "--force")
    assert status == 0 and "WARNING: 7 rows are in the table for certain" in out, err
    assert [o for o, _ in case.stored().values()] == [4, 4]


def test_resolve_not_found_with_lineage(broker, endpoint, tmp_path, name):
    job = jobs.numbers(name, name).replace("    - {name: n, type: bigint}\n", "    - {name: n, type: bigint}\n"
                                           "    - {name: kp, type: bigint, from: __partition__}\n    - {name: ko, type: bigint, from: __offset__}\n")
    assert "ko" in job
    case = Case(broker, tmp_path, name, endpoint, "n bigint, kp bigint, ko bigint", job)
    case.table.create_partition("part=a", if_not_exists=True)
    case.prepare([("part=a", "20240101never", 1, 12)])
    status, out, err = case.resolve()
    assert status == 2 and "not found (NoSuchUpload)" in out, out
    assert ("SELECT COUNT(*) FROM `p`.`%s` WHERE `part`='a' AND ((`kp` = 0 AND `ko` BETWEEN 4 AND 9) OR (`kp` = 1 AND `ko` BETWEEN 4 AND 9));\n"
            "    12: the rows of this session" % name) in out, out
    assert ("WHERE ((`part`='a')) AND `kp` = 1 AND `ko` BETWEEN 4 AND 9;\n    6: all rows of Kafka partition 1" in out), out


def test_resolve_records_that_do_not_agree(case):
    case.store({0: (5, record(case.name, (4, 4, 0, 0, 0), "E1", (6, 6, 0, 0, 0), [(0, 4, 10)], [("part=a", "x1", 1, 6)]))})
    status, out, err = case.show()
    assert status == 0 and "somebody else wrote" in out, err
    status, out, err = case.resolve("--as", "committed", "--yes")
    assert status == 1 and "do not agree" in err


def exactly_once(tmp_path, broker, name, faults):
    """A job of one table partition that was killed at a step; the endpoint plays `faults`."""
    endpoint = Endpoint(tmp_path / "endpoint", faults=faults)
    return Case(broker, tmp_path, name, endpoint, job=jobs.numbers(name, name, flush="60s", more="delivery: exactly_once"))


def killed_at(case, step):
    process = Process(case.folder / "run", "run", case.path, "--first", "--records", 20, env={"LUADUCT_STEP": step + ":1:kill"})
    assert process.wait() == -9, process.stderr()


@pytest.mark.parametrize("step, faults, decision, state", [
    # Killed with a record, and its session expires before the next start, whose question is the second one: not in the table.
    ("prepare_stored", "list_blocks #2 before expire\n", "lost", "EXPIRED"),
    # Killed with its session committed, which the service forgets: in the table.
    ("committed_all", "list_blocks #2 before forget\n", "committed", "not found (NoSuchUpload)"),
])
def test_resolve_what_a_job_left(broker, tmp_path, name, step, faults, decision, state):
    """From the crash to the last row: the job stops and asks, a person decides by what is in the table, the job goes on."""
    case = exactly_once(tmp_path, broker, name, faults)
    killed_at(case, step)
    status, stderr = run_job(case.path, "--no-restart", "--records", 1)
    assert status == 1 and "`luaduct epoch resolve`" in stderr, stderr
    wait_for_an_empty_group(case)
    status, out, err = case.resolve()
    assert status == 2 and state in out and "part=a: %d, of which 20 would be" % (0 if decision == "lost" else 20) in out, out + err
    status, out, err = case.resolve("--as", decision, "--yes")
    assert status == 0, err
    broker.produce(name, [b'{"n": %d, "part": "a"}' % i for i in range(20, 30)], 2)
    status, stderr = run_job(case.path, "--records", 30 if decision == "lost" else 10)
    assert status == 0, stderr
    assert sorted(row["n"] for row in case.endpoint.rows(name)) == list(range(30))
    wait_for_an_empty_group(case)
    told = json.loads(case.show("--json")[1])
    assert told["total"] == {"read": 30, "written": 30, "filtered": 0, "dirty": 0, "expanded": 0} and told["lag"] == 0
    case.endpoint.kill()


def wait_for_an_empty_group(case):
    """A job that was killed is a member until its session times out."""
    deadline = time.monotonic() + 30
    while json.loads(case.show("--json")[1])["members"]:
        assert time.monotonic() < deadline, "the group still has members"


# --- a person at the terminal ---

def at_terminal(case, arguments, meanwhile, answer):
    """Runs a command with a terminal, does something at its question, and answers."""
    master, slave = pty.openpty()
    process = subprocess.Popen([binary(), *map(str, arguments)], stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    os.close(slave)
    out = b""
    try:
        while b'Type "yes"' not in out:
            more = os.read(process.stdout.fileno(), 4096)
            assert more, out
            out += more
        meanwhile()
        os.write(master, answer)
        out += process.stdout.read()
        return process.wait(60), out.decode()
    finally:
        os.close(master)
        process.kill()
        process.wait()
        process.stdout.close()


def test_typed_answers(case):
    status, out = at_terminal(case, ["reset", case.path, "--to", "latest"], lambda: None, b"y\n")
    assert status == 2 and "nothing was changed" in out and all(o < 0 for o, _ in case.stored().values())
    status, out = at_terminal(case, ["reset", case.path, "--to", "latest"], lambda: None, b"yes\n")
    assert status == 0 and "done: 2 positions" in out and all(o == 10 for o, _ in case.stored().values())


def test_something_changes_at_the_question(case):
    """What was shown is no more when the answer comes: nothing is stored."""
    text = case.prepare([case.session("part=a", 12, commit=True)])
    other = record(case.name, (9, 9, 0, 0, 0))
    status, out = at_terminal(case, ["epoch", "resolve", case.path, "--as", "committed"], lambda: case.store({1: (9, other)}), b"yes\n")
    assert status == 1 and "partition 1 has changed meanwhile" in out
    assert case.stored() == {0: (4, text), 1: (9, other)}


def test_a_process_joins_at_the_question(case):
    processes = []

    def join():
        processes.append(Process(case.folder / "run", "run", case.path))
        processes[0].wait_for(lambda: json.loads(case.show("--json")[1])["members"], what="the member")

    status, out = at_terminal(case, ["reset", case.path, "--to", "0:3"], join, b"yes\n")
    assert status == 1 and "a process has joined the group meanwhile" in out
    assert processes[0].terminate() == 0, processes[0].stderr()


# --- reset ---

def test_reset_sets_the_position_of_a_job_that_never_ran(case):
    status, out, err = case.reset("--to", "0:7,1:8", "--yes")
    assert status == 0, err
    assert "7 records before it are not read" in out
    stored = case.stored()
    assert (stored[0][0], stored[1][0]) == (7, 8) and all(" ledger=0,0,0,0,0 crc=" in text for _, text in stored.values())
    status, stderr = run_job(case.path, "--records", 5)
    assert status == 0, stderr
    assert len(case.endpoint.rows(case.name)) == 5


def test_reset_back_and_forward(case):
    status, stderr = run_job(case.path, "--records", 20)
    assert status == 0, stderr
    before = case.stored()
    status, out, err = case.reset("--to", "earliest")
    assert status == 2 and "--yes" in err and "10 offsets are read and written AGAIN" in out and case.stored() == before
    status, out, err = case.reset("--to", "earliest", "--yes")
    assert status == 0 and "The ledger goes on from what it is (read 20, written 20)" in out, err
    assert cells(case.show()[1], 0)[1:6] == ["0", "10", "10", "10", "10"]
    status, out, err = case.reset("--to", "1:3", "--yes")
    assert status == 0 and "3 offsets are NEVER READ" in out, err
    assert [o for o, _ in case.stored().values()] == [0, 3]
    status, out, err = case.reset("--to", "latest", "--yes")
    assert status == 0, err
    assert [o for o, _ in case.stored().values()] == [10, 10]
    assert all(" ledger=10,10,0,0,0 crc=" in text for _, text in case.stored().values())


@pytest.mark.parametrize("to, offsets", [
    ("2023-11-15 06:13:29", [5, 5]),  # 1700000009 in Asia/Shanghai, the job's zone: record 9 is the fifth of partition 1
    ("2023-11-14 22:13:30 UTC", [5, 5]),
    ("1700000011500", [6, 6]),
    ("0:3,1:latest", [3, 10]),
    ("1h ago", [10, 10]),
    ("36500d ago", [0, 0]),
    ("2030-01-01 00:00:00", [10, 10]),
])
def test_reset_to_a_time(case, to, offsets):
    status, out, err = case.reset("--to", to, "--yes")
    assert status == 0, err
    found = [o for o, _ in case.stored().values()]
    assert found == offsets if to != "2023-11-15 06:13:29" else found == [5, 4]


@pytest.mark.parametrize("to, said", [
    ("0:11", "its log begins at 0 and ends at 10"),
    ("7:0", "no partition 7; it has 2"),
    ("0:1,0:2", "names partition 0 twice"),
    ("0:-1", "is negative"),
    ("30 minutes ago", '"30m ago"'),
    ("0:1,", "PARTITION:OFFSET"),
    ("0:99999999999999999999", "PARTITION:OFFSET"),
    ("earlist", 'did you mean "earliest"?'),
    ("committed", "earliest, latest, a time"),
    ("2023-13-99 00:00:00", "2023-13-99"),
])
def test_reset_refuses_wrong_places(case, to, said):
    status, out, err = case.reset("--to", to, "--yes")
    assert status == 2 and said in err and "error" not in err, err
    assert all(o < 0 for o, _ in case.stored().values())


def test_reset_with_a_prepared_epoch(case):
    text = case.prepare([case.session("part=a", 7), case.session("part=b", 5, commit=True)])
    status, out, err = case.reset("--to", "earliest", "--yes")
    assert status == 1 and "epoch E1" in err and "epoch show" in err and case.stored() == {0: (4, text), 1: (4, text)}
    status, out, err = case.reset("--to", "0:0", "--yes", "--force")
    assert status == 1 and "move all partitions that carry the epoch" in err and case.stored() == {0: (4, text), 1: (4, text)}
    status, out, err = case.reset("--to", "earliest", "--yes", "--force")
    assert status == 0, err
    assert "5 are in the table and come twice" in out and "7 are in sessions that nobody will commit" in out
    assert all(o == 0 and " ledger=4,3,1,0,0 crc=" in text for o, text in case.stored().values())


def test_reset_after_topic_and_table_were_made_anew(case):
    case.store({p: (4, record(case.name, (4, 4, 0, 0, 0), topic="oldtopicid", table_id="0815")) for p in (0, 1)})
    assert "made anew" in case.show()[1]
    status, out, err = case.reset("--to", "earliest", "--yes")
    assert status == 0 and "it now belongs to today's" in out, err
    assert cells(case.show()[1], 0)[4:] == ["4", "4", "0", "0", "0", "idle"]
    status, stderr = run_job(case.path, "--records", 20)
    assert status == 0, stderr


def test_reset_over_a_text_of_someone_else(case):
    case.store({0: (4, "kept by something else"), 1: (4, "")})
    status, out, err = case.reset("--to", "earliest", "--yes")
    assert status == 0 and "not stored by luaduct, or is damaged" in out, err
    assert cells(case.show()[1], 0)[-1] == "idle"


# --- what stands in the way ---

def test_a_group_with_members(case):
    process = Process(case.folder / "run", "run", case.path)
    process.wait_for(lambda: sum(max(0, o) for o, _ in case.stored().values()) == 20, what="the records")
    before = case.stored()
    status, out, err = case.show()
    assert status == 0 and "Stable, 1 member: luaduct-%s at 127.0.0.1" % case.name in out, err
    for command in (case.reset("--to", "earliest", "--yes"), case.resolve("--as", "lost", "--yes")):
        assert command[0] == 1 and "luaduct-%s at 127.0.0.1" % case.name in command[2] and "stop the job" in command[2], command
    with pytest.raises(RuntimeError, match="answered 25"):  # UNKNOWN_MEMBER_ID: what keeps a store out when a process joins just then
        case.store({0: (1, "x")})
    assert case.stored() == before
    assert process.terminate() == 0, process.stderr()


def test_the_endpoint_is_down(broker, tmp_path, name):
    endpoint = Endpoint(tmp_path / "endpoint")
    case = Case(broker, tmp_path, name, endpoint)
    text = case.prepare([case.session("part=a", 12)])
    assert endpoint.terminate() == 0
    status, out, err = case.show()
    assert status == 0 and "the service does not answer" in out and "prepared by host-a:4711" in out and out.count("carries the record") == 2, err
    status, out, err = case.resolve("--as", "committed", "--yes")
    assert status == 1 and "nothing can be decided" in err, err
    status, out, err = case.reset("--to", "earliest", "--yes", "--force")
    assert status == 1 and "table's id" in err, err
    assert case.stored() == {0: (4, text), 1: (4, text)}


def test_the_brokers_are_down(tmp_path):
    path = write_job(tmp_path, "127.0.0.1:9", "http://127.0.0.1:9/api", jobs.numbers("j", "t"))
    for arguments in (["epoch", "show"], ["reset", "--to", "earliest"]):
        process = Process(tmp_path / "out", arguments[0], *arguments[1:], path)
        assert process.wait(60) == 1
        assert "127.0.0.1:9" in process.stderr() and "check `brokers`" in process.stderr(), process.stderr()


@pytest.mark.parametrize("arguments, said", [
    (["epoch"], "show or resolve?"),
    (["epoch", "shwo"], 'did you mean "show"?'),
    (["epoch", "show"], "which job?"),
    (["epoch", "resolve"], "which job?"),
    (["reset", "job.yaml"], "--to is missing"),
    (["reset", "job.yaml", "--too", "earliest"], "--too"),
    (["epoch", "show", "/nowhere/job.yaml"], "/nowhere/job.yaml"),
])
def test_command_line(tmp_path, arguments, said):
    process = Process(tmp_path / "out", *arguments)
    assert process.wait(60) == 2 and said in process.stderr(), process.stderr()


def test_a_topic_that_does_not_exist(broker, endpoint, tmp_path, name):
    path = write_job(tmp_path, broker.address, endpoint.url, jobs.numbers(name, name))
    process = Process(tmp_path / "out", "epoch", "show", path)
    assert process.wait(60) == 1 and "does not exist" in process.stderr(), process.stderr()
