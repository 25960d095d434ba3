"""Small exactly-once jobs for tests: numbered records with dirty and filtered ones among them, and the judge of tests/torture."""
import pathlib
import time

from torture import truth

from .agent import RUNNING, Process, write_job

JOB = """\
name: {name}
source: {{kafka: k, topic: {topic}, group: {group}, start: {{at: committed, otherwise: earliest}}}}
delivery: {delivery}
stages:
  - name: parse
    kind: json
    columns:
      - {{name: n, path: $.n, type: bigint, required: true}}
      - {{name: part, path: $.part, type: string, required: true}}
      - {{name: skip, path: $.skip, type: bigint}}
  - {{name: keep, kind: lua, file: keep.lua}}
target:
  maxcompute: m
  table: {table}
  create: if_missing
  quota_share: unlimited
  columns:
    - {{name: n, type: bigint}}
    - {{name: kp, type: bigint, from: __partition__}}
    - {{name: ko, type: bigint, from: __offset__}}
  partition:
    - {{name: part, kind: field, from: part}}
runtime: {{workers: 1, flush_interval: {flush}}}
failover: {{max: 100, window: 1m}}
log: {{level: debug}}
{more}
"""
KEEP = "return {process = function(batch) batch:keep(batch.skip:is_null()) end}\n"
PROPERTIES = """max.poll.interval.ms: 12000
              socket.timeout.ms: 5000
              topic.metadata.refresh.interval.ms: 1000
              metadata.max.age.ms: 5000"""


class Job:
    """One job on a topic of its own; its processes are started in folders of their own, as on machines of their own. A context manager:
    no process outlives it."""

    def __init__(self, folder, broker, endpoint, name, partitions=2, table_partitions=3, address=None, group=None, table=None, topic=None, flush="200ms",
                 delivery="exactly_once", session_ms=1000, more="", properties=PROPERTIES):
        self.folder, self.broker, self.endpoint, self.name = pathlib.Path(folder), broker, endpoint, name
        self.partitions, self.table_partitions = partitions, table_partitions
        self.topic, self.table, self.group = topic or name, table or name, group or "luaduct-" + name
        self.address = address or broker.address
        self.text = JOB.format(name=name, topic=self.topic, group=self.group, table=self.table, flush=flush, delivery=delivery, more=more)
        self.session_ms, self.properties, self.cluster = session_ms, properties, ""
        self.dirty_topic = None  # of two partitions, when `more` names one
        self.numbers = 0
        self.processes = []
        if not topic:
            broker.create_topic(name, partitions)

    def __enter__(self):
        return self

    def __exit__(self, *_why):
        for process in self.processes:
            process.kill()

    def produce(self, count, partitions=None):
        self.broker.produce(self.topic, [truth.value_of(n, self.table_partitions) for n in range(self.numbers, self.numbers + count)],
                            partitions=partitions or self.partitions)
        self.numbers += count

    def start(self, machine="one", steps="", first=None, arguments=("--no-restart",)):
        """first: whether the job never ran; by default it is seen from the stored positions. What a process sent as its last may still be on its
        way: when nothing is stored yet and nobody runs, the group's session ends first, behind which the group takes nothing of that process."""
        path = write_job(self.folder / machine, self.address, self.endpoint.url, self.text, session_ms=self.session_ms, heartbeat_ms=200,
                         properties=self.properties, cluster=self.cluster)
        (self.folder / machine / "keep.lua").write_text(KEEP)
        if first is None and not self.anchored() and self.processes and all(p.process.poll() is not None or stopped(p) for p in self.processes):
            self.wait_members(0)
        if first is None:
            first = not self.anchored()
        process = Process(self.folder / machine / ("run%d" % len(self.processes)), "run", path, *arguments, *(["--first"] if first else []),
                          env={"LUADUCT_STEP": steps})
        RUNNING.remove(process)
        self.processes.append(process)
        return process

    def anchored(self):
        """Whether a position of the job is stored."""
        return any(text for _offset, text in self.committed().values())

    def committed(self):
        return self.broker.committed(self.group, self.topic, self.partitions)

    def ends(self):
        return {p: truth.next_end(self.broker.address, self.topic, p) for p in range(self.partitions)}

    def all_read(self, ends):
        found = {p: truth.Position(*entry) for p, entry in self.committed().items()}
        return all(p in found and found[p].offset == ends[p] and found[p].ledger and not found[p].prepared for p in ends)

    def wait_all_read(self, process, timeout=60):
        ends = self.ends()
        process.wait_for(lambda: self.all_read(ends), timeout, "all records: %s of %s" % (self.committed(), ends))

    def wait_members(self, count, timeout=30):
        """Until the group has so many members."""
        deadline = time.monotonic() + timeout
        while self.broker.members(self.group) != count:
            assert time.monotonic() < deadline, "group %s does not come to %d members" % (self.group, count)
            time.sleep(0.1)

    def wrong(self):
        """What is wrong with table, ledger and dirty rows, as sentences with the history of the offsets; empty: nothing."""
        database = self.endpoint.folder / "rows.db"
        expected = truth.Expected(self.broker.address, self.topic, self.partitions)
        dirty = [row for folder in self.folder.glob("*/dirty") for row in truth.dirty_of_files(folder)]
        if self.dirty_topic:
            dirty += truth.dirty_of_topic(self.broker.address, self.dirty_topic, 2)
        wrong = (truth.check_table(expected, truth.table_rows(database, self.endpoint.project + "." + self.table))
                 + truth.check_ledger(expected, self.committed()) + truth.check_dirty(expected, dirty))
        if not wrong:
            return []
        history = truth.group_history(self.broker.address, self.group, self.topic)
        return [text for text, _place in wrong[:30]] + truth.explain([place for _text, place in wrong], history, database)

    def verify(self):
        wrong = self.wrong()
        assert not wrong, "\n".join(wrong)


def stopped(process):
    """Whether the process has stopped itself."""
    try:
        return pathlib.Path(f"/proc/{process.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
    except FileNotFoundError:
        return False


def wait_stopped(process, timeout=60):
    process.wait_for(lambda: stopped(process), timeout, "the stop at a step")
