"""Every type of the first release: PyODPS creates the table, luaduct fills it from a real broker, PyODPS reads exactly the expected rows."""
import datetime
import json
import re
from decimal import Decimal

from support.agent import Process, run_job, write_job

TABLE = """tiny tinyint, small smallint, middle int, big bigint, single float, real double, price decimal(20,4), name string, code varchar(8),
kind char(3), data binary, ok boolean, day date, at datetime, moment timestamp, local timestamp_ntz, doc json"""

JOB = """\
name: {name}
source: {{kafka: k, topic: {name}}}
stages:
  - name: parse
    kind: json
    columns:
      - {{name: tiny, path: $.tiny, type: bigint}}
      - {{name: small, path: $.small, type: bigint}}
      - {{name: middle, path: $.middle, type: bigint}}
      - {{name: big, path: $.big, type: bigint}}
      - {{name: single, path: $.single, type: double}}
      - {{name: real, path: $.real, type: double}}
      - {{name: price, path: $.price, type: "decimal(20,4)"}}
      - {{name: name, path: $.name, type: string}}
      - {{name: code, path: $.code, type: string}}
      - {{name: kind, path: $.kind, type: string}}
      - {{name: data, path: $.data, type: binary}}
      - {{name: ok, path: $.ok, type: boolean}}
      - {{name: day, path: $.day, type: date}}
      - {{name: at, path: $.at, type: datetime}}
      - {{name: moment, path: $.moment, type: timestamp}}
      - {{name: local, path: $.local, type: timestamp_ntz}}
      - {{name: doc, path: $.doc, type: json}}
target:
  maxcompute: m
  table: {name}
runtime: {{workers: 1, flush_interval: 500ms}}
"""

# PyODPS reads timestamps into nanoseconds of 64 bits, so years beyond 2262 are for the unit tests.
GOOD = [
    {"tiny": 127, "small": -32768, "middle": 2147483647, "big": 9223372036854775807, "single": 1.5, "real": -1e300, "price": "1234567890123456.7891",
     "name": "张三 \U0001f600 \"quoted\"", "code": "abc", "kind": "xyz", "data": "AP8Q", "ok": True, "day": "2024-02-29",
     "at": "2024-01-31 23:59:59.123", "moment": "2024-01-31 23:59:59.123456789", "local": "1969-12-31 23:59:59.5", "doc": {"a": [1, None, "x"]}},
    {"tiny": -128, "small": 32767, "middle": -2147483648, "big": -9223372036854775807, "single": -0.25, "real": 0.1, "price": -0.0001,
     "name": "", "code": "八个字符的文本呀", "kind": "", "data": "", "ok": False, "day": "0001-01-01", "at": "1970-01-01T00:00:00Z",
     "moment": "1970-01-01T00:00:00+08:00", "local": "2261-12-31 23:59:59", "doc": "text"},
    {},
]
BAD = [
    ({"tiny": 128}, "tiny"), ({"small": 40000}, "small"), ({"middle": 2147483648}, "middle"), ({"big": -9223372036854775808}, "big"),
    ({"big": 1.5}, "big"), ({"price": "1.23456"}, "price"), ({"price": "12345678901234567.0"}, "price"), ({"code": "九个字符的文本呀呀"}, "code"),
    ({"day": "2023-02-29"}, "day"), ({"ok": "yes"}, "ok"), ({"single": 1e300}, "single"), ({"at": "2024-01-31 25:00:00"}, "at"),
    ({"data": "not base64!"}, "data"), ({"real": "1.5"}, "real"),
]


def test_all_types(broker, endpoint, tmp_path, name):
    odps = endpoint.odps()
    odps.create_table(name, TABLE)
    broker.create_topic(name, 1)
    values = [json.dumps(r, ensure_ascii=False).encode() for r in GOOD] + [json.dumps(r).encode() for r, _ in BAD]
    broker.produce(name, values, partitions=1)
    path = write_job(tmp_path, broker.address, endpoint.url, JOB.format(name=name))
    status, stderr = run_job(path, "--records", len(values))
    assert status == 0, stderr
    rows = endpoint.rows(name)
    assert len(rows) == len(GOOD)
    first, second, third = rows
    assert [first[k] for k in ("tiny", "small", "middle", "big", "single", "real")] == [127, -32768, 2147483647, 9223372036854775807, 1.5, -1e300]
    assert first["price"] == Decimal("1234567890123456.7891") and first["name"] == GOOD[0]["name"] and first["code"] == "abc"
    assert first["kind"].rstrip() == "xyz" and first["data"] == b"\x00\xff\x10" and first["ok"] is True
    assert first["day"] == datetime.date(2024, 2, 29)
    shanghai = datetime.timezone(datetime.timedelta(hours=8))
    assert first["at"].astimezone(shanghai).replace(tzinfo=None) == datetime.datetime(2024, 1, 31, 23, 59, 59, 123000)
    moment = first["moment"]
    assert moment.nanosecond == 789 and moment.microsecond == 123456
    assert moment.timestamp() // 1 == datetime.datetime(2024, 1, 31, 23, 59, 59, tzinfo=shanghai).timestamp()
    assert str(first["local"]).startswith("1969-12-31 23:59:59.5")
    doc = first["doc"]
    assert (json.loads(doc) if isinstance(doc, str) else doc) == {"a": [1, None, "x"]}
    assert [second[k] for k in ("tiny", "small", "middle", "big", "single", "real")] == [-128, 32767, -2147483648, -9223372036854775807, -0.25, 0.1]
    assert second["price"] == Decimal("-0.0001") and second["name"] == "" and second["code"] == "八个字符的文本呀" and second["data"] == b""
    assert second["day"] == datetime.date(1, 1, 1) and second["at"].timestamp() == 0
    assert second["moment"].timestamp() == -8 * 3600
    assert all(v is None for k, v in third.items())
    dirty = [json.loads(line) for f in (tmp_path / "dirty").glob("*.ndjson") for line in f.read_text().splitlines()]
    dirty.sort(key=lambda line: line["offset"])
    assert [(line["column"], line["value"]) for line in dirty] == [(column, json.dumps(r)) for r, column in BAD]


def test_source_fields_and_null_values(broker, endpoint, tmp_path, name):
    odps = endpoint.odps()
    odps.create_table(name, ("k string, v string, h string, p bigint, o bigint, t timestamp", "ds string"))
    broker.create_topic(name, 2)
    stamp = 1_700_000_000_123
    broker.produce(name, [b"a", None, b"\xff\xfe", b"d"], partitions=2, keys=[b"k0", None, b"k2", b""],
                   headers=[[("a", b"1"), ("a", b"2"), ("n", None)], [], [], []], timestamps=[stamp + i for i in range(4)])
    path = write_job(tmp_path, broker.address, endpoint.url, f"""\
        name: {name}
        source: {{kafka: k, topic: {name}}}
        target:
          maxcompute: m
          table: {name}
          mapping: {{k: __key__, v: __value__, h: __headers__, p: __partition__, o: __offset__, t: __timestamp__}}
          partition:
            - {{name: ds, kind: time, format: yyyyMMdd}}
        runtime: {{workers: 0, flush_interval: 500ms}}
        """)
    status, stderr = run_job(path, "--records", 4)
    assert status == 0, stderr
    rows = sorted(endpoint.rows(name), key=lambda r: (r["p"], r["o"]))
    assert [(r["k"], r["v"], r["p"], r["o"]) for r in rows] == [("k0", "a", 0, 0), (None, None, 1, 0), ("", "d", 1, 1)]
    assert json.loads(rows[0]["h"]) == [["a", "1"], ["a", "2"], ["n", None]]
    assert rows[0]["_partition"] == "ds=20231115" and rows[0]["t"].timestamp() == stamp / 1000
    dirty = [json.loads(line) for f in (tmp_path / "dirty").glob("*.ndjson") for line in f.read_text().splitlines()]
    assert len(dirty) == 1 and dirty[0]["column"] == "v" and "UTF-8" in dirty[0]["reason"] and dirty[0]["value"] == {"base64": "//4="}


def test_what_pyodps_writes_the_decoder_reads(endpoint, name):
    """The endpoint decodes with luaduct's own decoder: what PyODPS writes comes back as it was."""
    odps = endpoint.odps()
    table = odps.create_table(name, ("n bigint, s string, d decimal(10,2)", "part string"))
    rows = [[i, "文本%d" % i if i % 3 else None, Decimal(i) / 4] for i in range(1000)]
    with table.open_writer(partition="part=a", create_partition=True) as writer:
        writer.write(rows)
    found = endpoint.rows(name)
    assert [[r["n"], r["s"], r["d"]] for r in found] == rows


NESTED_COLUMNS = {
    "id": "bigint", "code": "varchar(4)", "kind": "char(3)", "tags": "array<string>", "sizes": "map<string,bigint>", "days": "map<int,date>",
    "who": "struct<name:string,age:int,born:date>", "prices": "array<decimal(10,2)>", "ticks": "array<timestamp>",
    "deep": "array<struct<at:datetime,values:map<string,array<double>>,flag:boolean>>", "texts": "array<varchar(2)>",
}
NESTED_JOB = """\
name: {name}
source: {{kafka: k, topic: {name}}}
stages:
  - name: parse
    kind: json
    columns:
      - {{name: id, path: $.id, type: bigint}}
      - {{name: code, path: $.code, type: string}}
      - {{name: kind, path: $.kind, type: string}}
      - {{name: tags, path: "$.tags[*]", type: json}}
{paths}
target:
  maxcompute: m
  table: {name}
  create: if_missing
  columns:
{columns}
runtime: {{workers: 1, flush_interval: 500ms}}
"""
NESTED_GOOD = [
    {"id": 1, "code": "八个字符", "kind": "ab", "tags": ["a", None, "张三"], "sizes": {"s": 1, "m": None, "": -9223372036854775807},
     "days": {"1": "2024-02-29", "-2": "0001-01-01"}, "who": {"AGE": 2147483647, "name": "ann \"x\""}, "prices": [1.5, "-0.01", None],
     "ticks": ["2024-01-01 08:00:00.123456789", "1969-12-31T23:59:59.5Z"], "texts": ["ab", "张三", ""],
     "deep": [{"at": "2024-01-01 08:00:00.5", "values": {"x": [0.1, -1e300], "y": []}, "flag": True}, None, {}]},
    {"id": 2, "tags": [], "sizes": {}, "days": {}, "who": {}, "prices": [], "ticks": [], "texts": [], "deep": []},
    {"id": 3},
]
NESTED_BAD = [
    ({"tags": [1]}, "tags", "for type STRING: 1 at $[0]"), ({"sizes": {"a": 1.5}}, "sizes", "for type BIGINT: 1.5 at $.a"),
    ({"sizes": [1]}, "sizes", "a MAP: an array at $"), ({"days": {"1": "2024-02-29", "01": "2024-02-29"}}, "days", 'map key twice: "01" at $'),
    ({"who": {"name": "a", "nick": "b"}}, "who", 'does not have: "nick" at $'), ({"prices": [0.555]}, "prices", "for type DECIMAL(10,2): 0.555 at $[0]"),
    ({"texts": ["abc"]}, "texts", 'for type VARCHAR(2): "abc" at $[0]'), ({"deep": [{}, {"values": {"x": [1, "y"]}}]}, "deep", 'for type DOUBLE: "y" at $[1].values.x[1]'),
    ({"code": "abcde"}, "code", "more characters"), ({"kind": "abcd"}, "kind", "more characters"), ({"who": {"age": 2147483648}}, "who", "out of the range of INT"),
]


def test_nested_types_into_a_table_that_luaduct_creates(broker, endpoint, tmp_path, name):
    broker.create_topic(name, 1)
    values = [json.dumps(r, ensure_ascii=False).encode() for r in NESTED_GOOD] + [json.dumps(r).encode() for r, _, _ in NESTED_BAD]
    broker.produce(name, values, partitions=1)
    paths = "\n".join("      - {name: %s, path: $.%s, type: json}" % (c, c) for c in list(NESTED_COLUMNS)[4:])
    columns = "\n".join('    - {name: %s, type: "%s"}' % pair for pair in NESTED_COLUMNS.items())
    path = write_job(tmp_path, broker.address, endpoint.url, NESTED_JOB.format(name=name, paths=paths, columns=columns))
    checked = Process(tmp_path / "check", "check", path, "--connect")
    assert checked.wait() == 0, checked.stderr()
    said = checked.out.read_text()
    assert "will be created" in said and "  who STRUCT<name:STRING,age:INT,born:DATE> <- who (json)\n" in said, said
    status, stderr = run_job(path, "--records", len(values))
    assert status == 0, stderr
    schema = endpoint.odps().get_table(name).table_schema
    assert {c.name: re.sub("[ `]", "", str(c.type).lower()) for c in schema.simple_columns} == NESTED_COLUMNS
    rows = sorted(endpoint.rows(name), key=lambda r: r["id"])
    assert len(rows) == 3
    first = rows[0]
    day, utc = datetime.date, datetime.timezone.utc
    assert first["code"] == "八个字符" and first["kind"].rstrip() == "ab" and first["tags"] == ["a", None, "张三"]
    assert dict(first["sizes"]) == {"s": 1, "m": None, "": -9223372036854775807} and dict(first["days"]) == {1: day(2024, 2, 29), -2: day(1, 1, 1)}
    assert tuple(first["who"]) == ("ann \"x\"", 2147483647, None)
    assert first["prices"] == [Decimal("1.50"), Decimal("-0.01"), None] and first["texts"] == ["ab", "张三", ""]
    assert [(t.timestamp() // 1, t.nanosecond) for t in first["ticks"]] == [(datetime.datetime(2024, 1, 1, tzinfo=utc).timestamp(), 789), (-1, 0)]
    deep = [item and tuple(item) for item in first["deep"]]
    assert deep[0][0].timestamp() == datetime.datetime(2024, 1, 1, 0, 0, 0, 500000, utc).timestamp()
    assert {k: list(v) for k, v in deep[0][1].items()} == {"x": [0.1, -1e300], "y": []} and deep[0][2] is True
    assert deep[1:] == [None, (None, None, None)]
    second = rows[1]
    assert all(len(second[c]) == 0 for c in ("tags", "sizes", "days", "prices", "ticks", "texts", "deep")) and tuple(second["who"]) == (None, None, None)
    assert all(v is None for k, v in rows[2].items() if k != "id")
    dirty = [json.loads(line) for f in (tmp_path / "dirty").glob("*.ndjson") for line in f.read_text().splitlines()]
    dirty.sort(key=lambda line: line["offset"])
    assert [line["column"] for line in dirty] == [column for _, column, _ in NESTED_BAD]
    for line, (_, _, reason) in zip(dirty, NESTED_BAD):
        assert reason in line["reason"] and line["stage"] == "mapping", line
    assert "dirty rows by stage and column: mapping (sizes) 2, mapping (who) 2, mapping (code) 1, " in stderr
