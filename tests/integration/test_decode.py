"""source.decode, each kind once from a real broker into a table: PyODPS reads the rows, dirty rows keep the original bytes, the counts add up."""
import base64
import json
from decimal import Decimal

import pytest

from support.agent import run_job, write_job

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
        value = line["value"]
        assert (base64.b64decode(value["base64"]) if isinstance(value, dict) else value.encode()) == records[offset]
