"""What must be in the table, in the ledger and in the dirty store after all that happened, held against what is there.

The truth is the topic itself, read from its first record: what a producer was told about a record is not needed. Everything is compared
by Kafka partition and offset, which are columns of the table. When something is wrong, the history of the group's OffsetCommits (which the
broker keeps in __consumer_offsets) says which epochs covered the offset, and the endpoint's books say what became of their sessions."""
import json
import pathlib
import re
import sqlite3
import struct
import urllib.parse

from confluent_kafka import Consumer, TopicPartition

DIRTY, FILTERED, ROW = "dirty", "filtered", "row"


def kind_of(number):
    """What the record of this number is meant to become."""
    return DIRTY if number % 50 == 7 else FILTERED if number % 20 == 3 else ROW


def value_of(number, table_partitions):
    kind = kind_of(number)
    record = {"n": "x%d" % number if kind == DIRTY else number, "part": "p%d" % (number % table_partitions)}
    if kind == FILTERED:
        record["skip"] = 1
    return json.dumps(record).encode()


def read_topic(address, topic, partitions, max_seconds=120):
    """{partition: [(offset, key, value), ...]} of the whole topic, without a group."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "truth", "enable.auto.commit": False, "enable.partition.eof": False,
                         "auto.offset.reset": "earliest", "fetch.wait.max.ms": 50, "log_level": 0})
    try:
        ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), 30) for p in range(partitions)}
        consumer.assign([TopicPartition(topic, p, low) for p, (low, _high) in ends.items()])
        found = {p: [] for p in ends}
        at = {p: low for p, (low, _high) in ends.items()}
        idle = 0
        while any(at[p] < high for p, (_low, high) in ends.items()):
            messages = consumer.consume(5000, 1.0)
            idle = 0 if messages else idle + 1
            assert idle < max_seconds, "the topic %s cannot be read to its end: %s of %s" % (topic, at, ends)
            for message in messages:
                assert not message.error(), message.error()
                found[message.partition()].append((message.offset(), message.key(), message.value()))
                at[message.partition()] = message.offset() + 1
        return found
    finally:
        consumer.close()


class Position:
    """A record beside a committed offset (src/pipeline/position.h)."""

    def __init__(self, offset, text):
        self.offset, self.text = offset, text
        self.fields = dict(word.split("=", 1) for word in text.split(" ") if "=" in word)
        self.prepared = "epoch" in self.fields
        names = ("read", "written", "filtered", "dirty", "expanded")
        self.ledger = dict(zip(names, map(int, self.fields["ledger"].split(",")))) if "ledger" in self.fields else None
        self.covers = {}
        for item in self.fields.get("offsets", "").split(","):
            if found := re.fullmatch(r"(\d+):(\d+)\+(\d+)", item):
                partition, base, count = map(int, found.groups())
                self.covers[partition] = (base, base + count)
        self.sessions = []  # (partition value, session id, blocks, rows)
        spec = name = ""
        for item in filter(None, self.fields.get("sessions", "").split(";")):
            first, second, blocks, rows = item.split("!")
            spec, name = self._front(spec, first), self._front(name, second)
            self.sessions.append((spec, name, int(blocks), int(rows)))

    @staticmethod
    def _front(before, text):
        """Values are front-coded: so many bytes of the one before, and the rest."""
        shared, rest = text.split("~", 1)
        return before[:int(shared)] + urllib.parse.unquote(rest)


class Expected:
    """Per Kafka partition, by offset: the number and what must have become of it."""

    def __init__(self, address, topic, partitions):
        self.topic = topic
        self.records = {}
        for partition, messages in read_topic(address, topic, partitions).items():
            self.records[partition] = {offset: self._meant(value) for offset, _key, value in messages}

    @staticmethod
    def _meant(value):
        record = json.loads(value)
        number = int(str(record["n"]).lstrip("x"))
        return number, DIRTY if isinstance(record["n"], str) else FILTERED if record.get("skip") else ROW, record["part"]

    def count(self, kind=None):
        return sum(1 for records in self.records.values() for _n, k, _p in records.values() if kind in (None, k))

    def counts(self, partition):
        found = {ROW: 0, FILTERED: 0, DIRTY: 0}
        for _number, kind, _part in self.records[partition].values():
            found[kind] += 1
        return found

    def next_offset(self, partition):
        return max(self.records[partition], default=-1) + 1


def table_rows(database, table):
    """(n, kp, ko, partition) of every row, from the endpoint's file."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30) as connection:
        return connection.execute(f'SELECT n, kp, ko, _partition FROM "{table}"').fetchall()


def check_table(expected, rows):
    """Sentences about what is wrong, each with the (partition, offset) that it is about."""
    wrong = []
    seen = {partition: {} for partition in expected.records}
    for number, partition, offset, spec in rows:
        meant = expected.records.get(partition, {}).get(offset)
        if not meant:
            wrong.append(("number %s of Kafka partition %s offset %s is in the table, but not in the topic" % (number, partition, offset), None))
            continue
        seen[partition][offset] = seen[partition].get(offset, 0) + 1
        if (number, ROW, "part=" + meant[2]) != (meant[0], meant[1], spec):
            wrong.append(("Kafka partition %d offset %d: the table has number %s in %s, the topic %s" % (partition, offset, number, spec, meant),
                          (partition, offset)))
    for partition, records in expected.records.items():
        for offset, (number, kind, part) in records.items():
            times = seen[partition].get(offset, 0)
            if times != (kind == ROW):
                wrong.append(("number %d (%s, table partition %s), Kafka partition %d offset %d, is %s" % (
                    number, kind, part, partition, offset, "missing" if times == 0 else "there %d times" % times), (partition, offset)))
    return wrong


def check_ledger(expected, committed):
    """committed: {partition: (offset, metadata)}."""
    wrong = []
    for partition in expected.records:
        offset, text = committed.get(partition, (-1, ""))
        position, counts = Position(offset, text), expected.counts(partition)
        meant = {"read": sum(counts.values()), "written": counts[ROW], "filtered": counts[FILTERED], "dirty": counts[DIRTY], "expanded": 0}
        if position.prepared or position.ledger is None:
            wrong.append(("Kafka partition %d: the stored record is not idle: %s" % (partition, text), None))
        elif position.ledger != meant:
            wrong.append(("Kafka partition %d: the ledger is %s, the topic has %s" % (partition, position.ledger, meant), None))
        if offset != expected.next_offset(partition):
            wrong.append(("Kafka partition %d: committed is offset %d, the topic ends at %d" % (partition, offset, expected.next_offset(partition)), None))
    return wrong


def dirty_of_files(folder):
    """Every identity (partition, offset, index) that the files of dirty rows hold; the same one may be there more than once."""
    found = []
    for path in pathlib.Path(folder).glob("*.ndjson"):
        lines = path.read_bytes().split(b"\n")
        for line in lines[:-1]:  # what a killed process left without its newline was never durable
            if line:
                row = json.loads(line)
                found.append((row["partition"], row["offset"], row["index"]))
    return found


def dirty_of_topic(address, topic, partitions):
    found = []
    for messages in read_topic(address, topic, partitions).values():
        for _offset, key, value in messages:
            row = json.loads(value)
            assert key.decode().rsplit("/", 3)[1:] == [str(row["partition"]), str(row["offset"]), str(row["index"])], (key, value)
            found.append((row["partition"], row["offset"], row["index"]))
    return found


def check_dirty(expected, identities):
    meant = {(p, o, 0) for p, records in expected.records.items() for o, (_n, kind, _part) in records.items() if kind == DIRTY}
    found = set(identities)
    return [("dirty row %s is %s" % (identity, "missing" if identity in meant else "none of the expected ones"), identity[:2])
            for identity in sorted(meant ^ found)]


# --- the history of the group, for the report of a failure ---

def _text(data, at):
    size = struct.unpack_from(">h", data, at)[0]
    return (data[at + 2:at + 2 + size].decode() if size >= 0 else None), at + 2 + max(size, 0)


def _compact(data, at):
    """A text behind its size plus one, seven bits a byte."""
    size = shift = 0
    while True:
        size |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            break
    return data[at:at + size - 1].decode(), at + size - 1


def group_history(address, group, topic, offsets_partitions=5):
    """Every OffsetCommit of the group that the broker took: [(ms, partition, Position)], in the order of each partition."""
    history = []
    for messages in read_topic(address, "__consumer_offsets", offsets_partitions).values():
        for _offset, key, value in messages:
            if not key or struct.unpack_from(">h", key)[0] > 1 or not value:
                continue
            name, at = _text(key, 2)
            of_topic, at = _text(key, at)
            if name != group or of_topic != topic:
                continue
            partition = struct.unpack_from(">i", key, at)[0]
            version, offset = struct.unpack_from(">hq", value)
            metadata, at = (_compact if version >= 4 else _text)(value, 10 + (4 if version >= 3 else 0))
            history.append((struct.unpack_from(">q", value, at)[0], partition, Position(offset, metadata)))
    return history


def explain(places, history, database, most=5):
    """For each (Kafka partition, offset): the epochs that covered it, what the group's record became, and the books of the sessions."""
    lines = []
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30) as connection:
        for partition, offset in sorted(set(p for p in places if p))[:most]:
            lines.append("Kafka partition %d offset %d:" % (partition, offset))
            last = None
            for ms, number, position in history:
                if number != partition:
                    continue
                base, end = position.covers.get(partition, (0, 0))
                moves = last is not None and last <= offset < position.offset
                if base <= offset < end or moves:
                    lines.append("  stored at %d ms: offset=%d %s" % (ms, position.offset, position.text))
                    for spec, name, blocks, rows in position.sessions:
                        books = connection.execute("SELECT status, created_ms, (SELECT count(*) FROM _blocks WHERE session = id), (SELECT "
                                                   "sum(record_count) FROM _blocks WHERE session = id) FROM _sessions WHERE id = ?", (name,)).fetchone()
                        lines.append("    session %s of %s, %d blocks, %d rows; at the endpoint: state, created, blocks, rows %s" % (
                            name, spec, blocks, rows, books))
                last = position.offset
    return lines


def next_end(address, topic, partition):
    """The offset behind the last record."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "truth", "log_level": 0})
    try:
        return consumer.get_watermark_offsets(TopicPartition(topic, partition), 30)[1]
    finally:
        consumer.close()
