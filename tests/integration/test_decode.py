"""source.decode, each kind once from a real broker into a table: PyODPS reads the rows, dirty rows keep the original bytes, the counts add up."""
import base64
import json
import subprocess
from decimal import Decimal

import pytest

from support.agent import binary, run_job, write_job

JOB = """\
name: {name}
source: {{kafka: k, topic: {name}, decode: {decode}}}
stages: {stages}
target:
  maxcompute: m
  table: {name}
  create: if_missing
  columns: [{{name: id, type: bigint}}, {{name: city, type: string}}, {{name: amount, type: "decimal(10,2)"}}]
dirty: {{directory: dirty}}
runtime: {{workers: {workers}, flush_interval: 500ms}}
"""
COLUMNS = '[{name: id, path: $.id, type: bigint, required: true}, {name: city, path: $.city, type: string}, {name: amount, path: $.amount, type: "decimal(10,2)"}]'
PARSE = "[{name: parse, kind: json, columns: %s}]" % COLUMNS
ROWS = [(1, "上海", Decimal("1.50")), (2, "北京", None), (3, "", Decimal("-0.01"))]


def text(row):
    return json.dumps({"id": row[0], "city": row[1], "amount": row[2] and str(row[2])}, ensure_ascii=False)


KINDS = {
    # kind: decode, stages, records, counts (read, written, filtered, dirty, expanded), dirty rows (offset, index, stage, column, part of the reason)
    "text": ("{kind: text, charset: gbk}", PARSE, [text(r).encode("gbk") for r in ROWS] + [b'{"id": 4, "city": "\xc9"}'], (4, 3, 0, 1, 0),
             [(3, 0, "decode", "__value__", "is no gbk text: byte 20 of 22 (c9 22 7d)")]),
    "json_lines": ("{kind: json_lines}", PARSE, ["\n".join(map(text, ROWS[:2])).encode() + b"\r\n", b"", text(ROWS[2]).encode() + b"\n{broken\n"], (3, 3, 1, 1, 2),
                   [(2, 1, "parse", "__value__", "not JSON")]),
    "csv": ('{kind: csv, delimiter: "|@|", columns: [{name: id, type: bigint}, {name: city}, {name: amount, type: "decimal(10,2)"}]}', "[]",
            ['1|@|上海|@|1.50\n2|@|"北京"|@|\\N\n'.encode(), b'3|@|""|@|-0.01\nx|@|y|@|0\n5|@|short', b""], (3, 3, 1, 2, 3),
            [(1, 1, "decode", "id", '"x" is not a bigint'), (1, 2, "decode", "__value__", "the number of fields is not that of the columns: 2 instead of 3")]),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("workers", [0, 2])
def test_decode(broker, endpoint, tmp_path, name, kind, workers):
    decode, stages, records, counts, dirty = KINDS[kind]
    broker.create_topic(name, 1)
    broker.produce(name, records, partitions=1)
    path = write_job(tmp_path, broker.address, endpoint.url, JOB.format(name=name, decode=decode, stages=stages, workers=workers))
    status, stderr = run_job(path, "--records", len(records))
    assert status == 0, stderr
    assert sorted((r["id"], r["city"], r["amount"]) for r in endpoint.rows(name)) == ROWS
    assert "everything read is committed read=%d written=%d filtered=%d dirty=%d expanded=%d" % counts in stderr, stderr
    lines = [json.loads(line) for f in (tmp_path / "dirty").glob("*.ndjson") for line in f.read_text().splitlines()]
    lines.sort(key=lambda line: (line["offset"], line["index"]))
    assert len(lines) == len(dirty), lines
    for line, (offset, index, stage, column, reason) in zip(lines, dirty):
        assert (line["offset"], line["index"], line["stage"], line["column"]) == (offset, index, stage, column)
        assert reason in line["reason"], line
        if "record_at" in line:
            holder, = [other for other in lines if (other["offset"], other["index"]) == (offset, line["record_at"])]
            assert "key" not in line and "value" not in line
            line = holder
        value = line["value"]
        assert (base64.b64decode(value["base64"]) if isinstance(value, dict) else value.encode()) == records[offset]


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
@pytest.mark.parametrize("kind", ["json_lines", "expand"])
def test_a_large_record_of_bad_rows(broker, endpoint, tmp_path, name, kind, delivery):
    """A record of 1 MB becomes 10,000 rows, all of them dirty, under the smallest memory ceiling: as many copies of it would be 10 GB."""
    name += kind[:1] + delivery[:1]
    bad = json.dumps({"id": "x", "pad": "p" * 76})
    record = ("\n".join([bad] * 10_000) if kind == "json_lines" else '{"list":[%s]}' % ",".join([bad] * 10_000)).encode()
    stages = PARSE if kind == "json_lines" else PARSE.replace("kind: json,", "kind: json, expand: '$.list',").replace("path: $", "path: '@").replace(", type", "', type")
    broker.create_topic(name, 1)
    broker.produce(name, [record] * 3, partitions=1)
    job = JOB.format(name=name, decode="{kind: json_lines}" if kind == "json_lines" else "{kind: raw}", stages=stages, workers=1)
    job = job.replace("flush_interval: 500ms", "flush_interval: 500ms, memory_max: 64MiB, lua: {memory_max: 8MiB}")
    path = write_job(tmp_path, broker.address, endpoint.url, job + "delivery: %s\n" % delivery)
    status, stderr = run_job(path, "--records", 3, *(["--first"] if delivery == "exactly_once" else []))
    assert status == 0, stderr
    assert "everything read is committed read=3 written=0 filtered=0 dirty=30000 expanded=29997" in stderr, stderr
    lines = [json.loads(line) for f in (tmp_path / "dirty").glob("*.ndjson") for line in f.read_text().splitlines()]
    assert sorted((line["offset"], line["index"]) for line in lines) == [(offset, index) for offset in range(3) for index in range(10_000)]
    assert [(line["offset"], line["value"] == record.decode()) for line in lines if "value" in line] == [(0, True), (1, True), (2, True)]
    assert {line["record_at"] for line in lines if "value" not in line} == {0}
    shown = subprocess.run([binary(), "dirty", "show", path, "0/1/9999"], capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0 and "with row 0/1/0" in shown.stdout, shown
