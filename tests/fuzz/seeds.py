#!/usr/bin/env python3
"""Writes the seeds of all harnesses into a folder, a folder each: the cases that stand below, and the streams and schemas of
tests/vectors/vectors.json. Kept as a script because seeds are easier to read and to mend as text. usage: seeds.py FOLDER"""
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
S = "\x1e"

JSON_STAGE = [
    ("$.id:i!;$.user:s;$.amount:d;$.flag:b", '{"id":1,"user":"a","amount":"1.50","flag":true}', '{"id":2,"user":"\\u4e0a","amount":7,"flag":false}'),
    ("$.a:s;$.a.b:i;$.a.c:f=1.5;R", '{"a":{"b":1,"c":null,"d":[1]},"e":{}}', '{"a":"x","a":{}}', "[1]", "nonsense", ""),
    ("$.o.a:i;$.o.p.q:s;R", '{"o":{}}', '{"o":{"a":1}}', '{"o":{"p":{}}}', '{"o":{"a":1,"p":{"q":"\\u0800\\u07ff\\u0080"}},"z":2}', '{"o":[]}'),
    ("$.s:s", '{"s":"\\u0800\\u07ff\\u0080\\uffff\\u007f"}'),
    ("E$.l;R;$.id:i;@.x:s;@:j", '{"id":1,"l":[{"x":"a"},{"x":2},3]}', '{"l":[]}', '{"l":null}', '{"l":{}}', "{}"),
    ("N;$.a[0]:f;$.a[*].b:j;$['odd name']:s!", '{"a":[1.5,{"b":"x"}],"odd name":"y"}', '{"a":{}}'),
    ("$.d:D;$.t:t;$.z:z;$.n:n;$.y:y;$.e:e", '{"d":"2024-02-29","t":"2024-01-31T23:59:59.123Z","z":"2024-01-31 23:59:59.123456789+08:00",'
     '"n":"2024-01-31 23:59","y":"AQID","e":12345678901234567890.123456789012345678}', '{"y":"QQ==","e":"1e5"}'),
    ("$[0]:j;$[1].x:i", '[{"a":1e999},{"x":18446744073709551616}]', '[1,{"x":-9223372036854775808}]'),
    ("E$;@[1]:s;R", '[[1,"a"],[2,"b"]]', "[]"),
    ("$.a name that is longer than sixteen bytes:s", '{"a name that is longer than sixteen bytes":"\\ud83d\\ude00 \\"\\\\\\/\\b\\f\\n\\r\\t"}'),
    ("$['a name that is longer than sixteen bytes']:s;$.t:j", '{"a name that is longer than sixteen bytes":"\\ud83d\\ude00 \\"\\\\\\/\\b\\f\\n\\r\\t","t":'
     + "[" * 70 + "]" * 70 + "}"),
]

EPOCH = [
    "luaduct/2 job=job%20a cluster=cluster topic=topic table=p.s.t tableid=id-1 ledger=10,7,3,0,0",
    "luaduct/2 job=job%20a cluster=cluster topic=topic table=p.s.t tableid=id-1 ledger=10,7,3,0,0 epoch=e-1 by=h:1 at=1700000000000 counts=1,1,0,0,0 "
    "offsets=0:5+3,1:7+-2 sessions=0~dt%3D1!0~2024abc!1!100;4~2!5~def!2!7",
    "luaduct/1 job=job%20a cluster=cluster topic=topic table=p.s.t read=10 written=7 filtered=3 dirty=0 expanded=0",
    "luaduct/3 job=job%20a",
    "luaduct/2 job=b cluster=cluster topic=topic table=p.s.t tableid=id-1 ledger=10,7,3,0,0",
    "luaduct/2 ledger=0,0,0,0,0 epoch= by= at=0 counts=0,0,0,0,0 offsets=2147483647:9223372036854775807+0 sessions=",
]

SCHEMA = '"columns":[{"name":"k","type":"bigint"},{"name":"v","type":"struct<a:bigint,b:array<string>>","nullable":false}]'
PARTS = '"partitionKeys":[{"name":"dt","type":"string"}]'
TABLE = f'T200\n<?xml version="1.0"?><Table><TableId>i 1</TableId><Schema format="Json"><![CDATA[{{{SCHEMA},{PARTS}}}]]></Schema></Table>'
NO_TABLE = "T404\n<Error><Code>NoSuchTable</Code><Message>none</Message></Error>"
INSTANCE = "I201 http://h/api/projects/p/instances/i1\n"


def session(state, blocks="", letter="G200"):
    return f'{letter}\n{{"UploadID":"u 1","Status":"{state}","Schema":{{{SCHEMA},{PARTS}}},"UploadedBlockList":[{blocks}]}}'


def ended(state, more=""):
    return f"I200\n<Instance><Status>Terminated</Status><Tasks><Task><Status>{state}</Status>{more}</Task></Tasks></Instance>"


ONE, BOTH = '{"BlockID":0}', '{"BlockID":0},{"BlockID":1}'
NO_PARTITION = 'U404\n{"Code":"NoSuchPartition","Message":"none"}'
NEW = session("normal", letter="U201")
SERVICE = [
    ("", TABLE, NEW, "P200\n", session("normal", ONE), "C200\n", session("closed", ONE)),
    ("", TABLE, NEW, "P429\n", "P200\n", session("normal", ONE), "C500\n", session("closing", ONE), session("closed", ONE)),
    ("c", NO_TABLE, INSTANCE, ended("Success"), TABLE, NO_PARTITION, INSTANCE, ended("Running"), ended("Success"), NEW, "P200\n", session("normal", ONE),
     session("closed", ONE, "C200")),
    ("c", NO_TABLE, INSTANCE, ended("Failed"), ended("Failed", '<Result Transform="Base64"><![CDATA[T0RQUy0wMTMwMTMxOiBubw==]]></Result>')),
    ("a", TABLE, session("normal", ONE), "C409\n{\"Code\":\"StatusConflict\",\"Message\":\"m\"}", session("normal", ONE), "C0\n", session("closed", ONE)),
    ("q4", TABLE, session("normal", ONE)),
    ("q", TABLE, "G404\n{\"Code\":\"NoSuchUpload\",\"Message\":\"m\"}"),
    ("m", TABLE, NEW, "P200\n", session("normal", BOTH), "C400\n", session("closed", BOTH)),
    ("d", TABLE, "D200\nh:80", NEW, "P0\n", "P200\n", session("normal", ONE), "C0\n", session("expired", ONE)),
    ("", TABLE, NEW, "P200\n", session("normal", ONE), TABLE.replace("i 1", "i 2")),
    ("", "401\n<Error><Code>InvalidAccessKeyId</Code><Message>ODPS-0410051: no &lt;key&gt; &#x41;</Message><RequestId>r</RequestId></Error>"),
    ("", "200\n<Table><Schema><![CDATA[{\"isVirtualView\":true}]]></Schema></Table>"),
]

# A record of the harness's table, and one of NULLs; the checksums (0) and the count are put right by the harness.
END = "\x80\xc0\xff\x7f\0"
ROWS = ("\x08\x02\x12\x01a\x1a\x041.50\x22\x02\x02\x2a\x02\x00\x02\x01\x32\x01\x00\x01k\x01\x00\x02\x3a\x00\x02\x00\x01y" + END + END +
        "\xf0\xff\xff\x7f\0\xf8\xff\xff\x7f\0")

REQUESTS = [
    ("", "POST /projects/p/tables/t?uploads\n\n", "PUT /projects/p/tables/t?uploadid={id}&blockid=0\n\n#" + ROWS,
     "GET /projects/p/tables/t?uploadid={id}\n\n", "POST /projects/p/tables/t?uploadid={id}\n\n", "POST /projects/p/tables/t?downloads\n\n",
     "GET /projects/p/tables/t?downloadid={id}&data&rowrange=(0,2)&columns=k,m,v,s\nAccept-Encoding: deflate\n\n",
     "GET /projects/p/tables/t?downloadid={id}&data&rowrange=(1,1)\n\n"),
    ("cq", "4POST /projects/p/tables/q?uploads&partition=dt%3D1&create_partition=true\n\n", "4PUT /projects/p/tables/q?uploadid={id}&blockid=7\n\n#" + ROWS,
     "4GET /projects/p/tables/q?uploadid={id}&getblockid=true\n\n", "4POST /projects/p/tables/q?uploadid={id}&partition=dt='1'\n\n",
     "4POST /projects/p/tables/q?uploadid={id}\n\n"),
    ("", "GET /api/projects/p\n\n", "GET /api/projects/p/tables\n\n", "GET /api/projects/p/tables/t\n\n", "GET /api/projects/p/tables/q?partitions\n\n",
     "GET /api/projects/p/tables/q?partition=dt='1'\n\n", "GET /api/projects/p/tunnel?service\n\n", "GET /api/projects/p/instances\n\n", "HEAD /api/projects/p/tables/t\n\n"),
    ("", "POST /api/projects/p/instances\n\n~drop table if exists t; alter table q add if not exists partition (dt='2') partition (dt=\"3\"); "
     "alter table q drop partition (dt='1'); alter table q add columns (n bigint comment 'c', `o` decimal(38,18));",
     "GET /api/projects/p/instances/{id}?taskstatus\n\n", "GET /api/projects/p/instances/{id}?result\n\n", "GET /api/projects/p/instances/{id}\n\n"),
    ("d", "!GET /api/projects/p\nDate: Tue, 02 Jan 2024 03:04:05 GMT\nAuthorization: ODPS id:x\n\n", "!GET /%zz?%00=%2F&a&b=+\n\n",
     "POST /api/projects/p/instances\n\n<Instance><Job><Tasks><SQL><Name>a&amp;b</Name><Query>set a=b;&#10;-- c\n create table if not exists `x` "
     "(a array<map<string,struct<b:int>>> not null default 1 comment 'it''s') comment \"c\" partitioned by (p string) lifecycle 3;</Query></SQL></Tasks></Job></Instance>"),
    ("", "POST /projects/p/schemas/s/tables/t?uploads\n\n", "POST /projects/p/schemas/default/tables/t?uploads&overwrite=true\n\n",
     "PUT /projects/p/tables/t?uploadid={id}&blockid=19999&block_version=2\nContent-Encoding: deflate\n\nx"),
]

DATA_SOURCES = """kafka:
  prod: {brokers: "k-1:9092,k-2:9092", properties: {security.protocol: sasl_ssl, sasl.mechanism: PLAIN, sasl.password: secret1}}
maxcompute:
  dw:
    endpoint: https://service/api
    project: p
    access_id: ${env:HOME}
    access_key: secret2
    region: r
    time_zone: Asia/Shanghai
"""

JOBS = [
    """name: a
source: {kafka: prod, topic: t, start: {at: "2024-01-31 00:00:00", otherwise: earliest}, group: g, on_gap: fail}
stages:
  - name: parse
    kind: json
    columns: [{name: id, path: $.id, type: bigint, required: true}, {name: d, path: "$.l[0]", type: "decimal(10,2)", default: "1"}]
  - {name: l, kind: lua, file: x.lua, when_error: drop, options: {minimum: 1, token: secret3}}
target:
  maxcompute: dw
  table: t
  create: if_missing
  columns: [{name: id, type: bigint, not_null: true, comment: c}, {name: d, type: "decimal(10,2)", from: d}]
  partition: [{name: y, kind: time, unit: year}, {name: f, kind: field, from: id}, {name: m, kind: time, from: ts, format: yyyyMM, zone: UTC}]
delivery: exactly_once
dirty: {kafka: {topic: dirty}, max: unlimited}
runtime: {workers: 2, batch_rows: 1000, flush_interval: 60s, flush_bytes: 16MiB, memory_max: 256MiB, compression: deflate}
failover: {max: 3, window: 30m}
metrics: {listen: "127.0.0.1:9464"}
log: {level: debug, file: x}
""",
    "name: [1, 2\n",
    "name: a\nname: b\nsource: &x {kafka: *x}\ntarget: !!str y\n<<: z\n",
    "name: \"\\x41\\u4e0a\\\n  b\"\nsource: |\n  text\n\ttab\ntarget: >-\n  folded\n? key\n: value\n",
    "\ufeffname: \u4e0a\nsource:\n  kafka: prd\n  topic: ${env:NO_SUCH}\n  start: 90ms\ntarget: {table: '${file:nothing}', maxcompute: dw}\n# end",
    "- a\n- b\n--- \n...\n",
]

TEXTS = ["d-12.50", "d1e+5", "d0.000000000000000000e18", "d12345678901234567890123456789012345678", "t2024-02-29", "t2024-01-31 23:59:59.123456789+08:00",
         "t0001-01-01T00:00Z", "zAsia/Shanghai", "z-0930", "zEtc/GMT+8", "zEurope/Berlin", "c-1.5e10", "ctrue", "c2024-01-31T23:59:59.5Z", "c2024-01-31 23:59",
         'c{"a":1}', "c NaN", "e%41+b%zz\u4e0a\n\"", "kaaaaaaaaaa", "ydecimal(10,2)", "yTimestamp_NTZ", "x1.5", "x2024-01-31",
         S.join(["rkey", "value", "column", "not a number: \"x\""]), 'r{"partition":1,"offset":2,"index":0,"key":{"base64":"AA=="}}',
         S.join(["qa 'b' \\ \n", "it's", "2024 01"]), "qcreate table t (a bigint comment 'x');"]

LUA = ["print(a)\na = batch.id", "a = batch.id\nb = a:gt(2)\nbatch:keep(b)\nbatch:set('x', a * 2)", "for row in batch:rows() do r = row end\nr.id = 1",
       "!\nfor row in batch:rows() do if row.id == 2 then error('two') end row.city = 'x' end", "while true do end",
       "batch:map({'id'}, {'x', 'y'}, function(i) return i * 2, 's' end)\na = batch.x:cast('string')\nbatch:set('x', a .. 'x')"]

DECODE = [
    ("csv;c=sss", 'a,b,c\r\n"d ""e""",,"f\n,g"\n\n', '1,2', '"x"y,z,w\nan unquoted "quote",that is,more than sixteen bytes long', ""),
    ("csv;c=ss;d=||;q=';e=\\;n=NULL;trim", " 'a\\'b' || NULL \n|x||'NULL'\\", "a\\||b||c\t"),
    ("csv;c=sidbt;header;r=2", "c0,c1,c2,c3,c4\n1,2,3.25,true,2024-01-31 00:00:00Z\nx,y,z,w,v", "c0,c1\n1,2"),
    ("csv;c=s;charset=gbk", "\u4e0a"), ("csv;c=ss;charset=utf-8", "\ufeffa,b"),
    ("json_lines", '{"a":1}\n\n  {"b":2} \r\n[]', "\n \n", '{"c":3}'), ("json_lines;r=1;charset=utf-16le", "{\0}\0\n\0"),
    ("text", "\u4e0a and more", "plain"), ("text;charset=shift_jis", "abc\\"), ("text;charset=gb18030", "x"), ("text;charset=utf-32be", "\0\0\0a"),
]

SAMPLES = [
    '{"luaduct_sample":1,"job":"orders","topic":"orders","cluster_id":"c","topic_id":"t","taken":"2024-01-31T00:00:00Z"}\n'
    '{"partition":0,"offset":12,"timestamp":1700000000000,"key":"k","value":"v","headers":[["n","v"],["",null],["b",{"base64":"AA=="}]]}\n',
    '{"value":"a"}\n{"value":null}\n{"value":{"base64":"/w=="},"partition":3}\n\n{"value":"","key":""}\n',
    '\ufeff{"value":"a","offset":5}\r\n{"value":"b","offset":4,"ofset":1}\n{"value":}\n[]\n{"key":"\u4e0a"}\n{"value":1}\n',
]

# A first byte of 3 is a text; the others are choices.
EXPRESSIONS = [b"\x03" + text.encode() for text in [
    "i > 100 and b or not (s like 'a%' escape '!') and c is not true",
    "case when d is null then 'none' else s || '-' || cast(d as string) end",
    "i in (1, 2.5, null) and j not between 1 and i / 2",
    "case i when 1 then date '2024-01-31' when 2 then day end = '2024-01-31'",
    "coalesce(nullif(s, ''), `价`, ${job}) ~ '^[a-z]+(x|y)*$' and ${now} > timestamp '2024-01-31 00:00:00Z'",
    "round(d, -1) + abs(i) // 7 % 3 - greatest(i, j, 0.5) * -1e3",
    "if(\"big one\" > 0, floor(f), ceil(f)) <> 1.50 or nad",
    "concat_ws(s, upper(s), initcap(s), lpad(s, i, 'x')) || replace(translate(s, 'ab', 'c'), s, substr(s, i, j)) || repeat(s, i)",
    "regexp_replace(s, '(a)|(.)', '<$1>') || split_part(s, 'a', i) || coalesce(regexp_extract(s, 'b(.)'), instr(s, 'a', 1, i))",
    "date_format(date_add(date_trunc(day, 'month'), i, 'week'), 'yyyy-MM-dd') || date_diff(day, to_date(s), 'quarter')",
    "to_timestamp(s, 'yyyy-MM-dd HH:mm', 'Europe/Berlin') > from_unixtime(i) or hour(${now}, '+05:30') = weekday(day)",
    "date_convert(s, 'yyyyMMdd', 'd/M/yy') || unix_timestamp(date_sub(to_timestamp(i), j, 'hour')) || epoch_ms(day, 'UTC')",
    "json_get(s, '$.a[0].b', 'decimal(10,2)') || hex(base64(s)) || hash('sm3', s, 'salt') || json_exists(s, '$')",
    "mod(i, j) + trunc(d, 1) + sign(f) + power(i, 0.5) + coalesce(try_cast(s as bigint), sqrt(f)) + lengthb(unhex(s))",
]] + [bytes((i * 37 + j * j * 11 + i * j) % 256 for j in range(200)) for i in range(12)]

ROWS = [
    '{"boolean":true,"bigint":-1,"double":1e300,"decimal":"9.50","string":"\u4e0a","binary":{"base64":"AA=="},"json":{"a":[1]}}\n'
    '{"date":"2024-02-29","datetime":"2024-01-31 23:59:59.123","timestamp":"2024-01-31T00:00:00Z","timestamp_ntz":"2024-01-31 00:00:00.000000001"}\n',
    '\n{"string":null,"bigint":"12","decimal":1.5,"__value__":{"id":1},"__offset__":7}\r\n{"string":{"a":1.0},"strng":1}\n[1]\n{"bigint":}\n{"bigint":1,"bigint":2}\n',
]

ALL = "a:tinyint,b:smallint,c:int,d:bigint,e:float,f:double,g:decimal(38,18),h:string,i:varchar(10),j:char(2),k:binary,l:boolean,m:date,n:datetime,o:timestamp,p:timestamp_ntz,q:json"
NESTED = [
    ("array<bigint>", "[1,-2,null,9223372036854775807]"), ("array<array<string>>", '[[],["a","\\u4e0a"],null]'), ("map<string,double>", '{"a":1.5,"":-0.0}'),
    ("map<bigint,map<date,string>>", '{"1":{"2024-02-29":"x"},"-2":{}}'), ("map<timestamp,boolean>", '{"2024-01-31 00:00:00Z":true}'),
    (f"struct<{ALL}>", '{"a":-128,"b":1,"c":2,"d":3,"e":0.1,"f":1e300,"g":"1.5","h":"x","i":"y","j":"zz","k":"AQID","l":false,"m":"0001-01-01",'
     '"n":"1969-12-31T23:59:59.999Z","o":"2024-01-31 23:59:59.123456789+08:00","p":"9999-12-31 00:00:00","q":{"x":[1,2.50]}}'),
    (f"array<struct<{ALL}>>", '[{"A":1,"Q":null},{"d":""},{}]'), ("struct<x:array<int>,y:map<string,array<decimal(5,2)>>>", '{"y":{"k":["1.25",3]},"X":[7]}'),
    ("array<int>", "{}"), ("map<string,int>", '{"a":1,"a":2}'), ("struct<a:int>", '{"b":1}'), ("map<string,tinyint>", '{"a name with\\na line":300}'), ("array<json>", '["a",{"b":1}]'),
]

KINDS = [
    ("cover;b3;a4", "13800138000", "", "~", "上海市浦东新区", "ab"), ("cover;b1;w#上;k", "e\u0301a\U0001F44D\U0001F3FD", "\r\n"), ("cover;ti;b1", "12345", "-9"),
    ("segments;s2;c3;s0", "abcdefgh", "ab", "上海市浦东新区"), ("segments;c0", "x"), ("replace_chars;p2;l3;wXX", "abcdef", "a", ""), ("replace_chars;p1;l9;R;k", "0000", ""),
    ("hash;omd5;Ss;k", "a", "", "~"), ("hash;osm3;ty", "\x7fx"), ("hash;osha512;N", "上"), ("pseudonym;Kkey", "138-0013-8000", "Ann Lee", "上海A1", "é", "!!"),
    ("interval;i,18,minor;i18,65,adult;ti", "17", "18", "99"), ("interval;i-1.5,2e1,7;e9;vi;tf", "1.25", "x"), ("round;d-2;ti", "149", "150", "-150", "9223372036854775807"),
    ("round;d1;td", "12345", "-5"), ("empty", "a", "", "~"), ("empty;w;k;td", "1"), ("phone", "13800138000", "+86 138-0013-8000", "110", "上"),
    ("email", "ann@example.com", "a@b", "@", "a b@c"), ("id_card", "11010519491231002X", "110105491231002"), ("bank_card", "6222 0212 3456 7890", "1"),
    ("name", "Ann Lee", "王小明", "欧阳·娜娜", "x1"), ("ip", "192.168.1.20", "2001:db8::1", "::ffff:1.2.3.4"), ("mac", "00:1A:2b:3c:4d:5e", "001A.2b3c.4d5e", "001A2b3c4d5e"),
    ("car_plate", "京A12345", "粤B·D1234学"), ("address", "北京市朝阳区建国路8号", "x"), ("gps", "39.90469,116.40717", "-0.005", "x"), ("gps;tf", "39.90469"), ("phone;tD", "19000"),
    ("replace;", "区", "District", "浦东新区", "", "~"), ("replace;", "AbC", "x", "abcabC", "ab", "KſK"), ("replace;C", "aa", "a", "aaaaa"), ("replace;", "\\t", "\\u4e0a\\n", "a\tb"),
    ("replace;x", r"(\d+)-(?<b>\d+)", "$2/$1 ${b}", "12-34, 5-6", "x"), ("replace;xC", "(a*)*b", "", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaac"), ("replace;x", "", "-", "ab"), ("replace;x", r"\b|$", "$0$$|", "上 a"),
]

PATTERNS = [
    ("f", "key = value", r"(%w+)%s*=%s*(%w+)"), ("f3", "a.b.c", "."), ("p2", "a.b.c", ".b"), ("m", 'GET /a?b=1 HTTP/1.1', r"^(%u+) (%S+) HTTP/[%d.]+$"),
    ("m", "say \"it's\"", "([\"'])(.-)%1"), ("m", "f(a(b)c)", "%b()"), ("m", "  a b  ", "^%s*(.-)%s*$"), ("m", "x]-y", "[]%-a-z^]+"), ("m", "a", "(a"), ("m", "a", "[a-%%]"),
    ("g", "a=1, b=2", "(%w+)=(%w+)"), ("g2", "hello", "l*"), ("g", "\xe4\xb8\x8a a", "[\0-\x7f\xc2-\xfd][\x80-\xbf]*"), ("t", "hello world", "(%w+) (%w+)", "%2 %1 %0 %%"),
    ("t1", "abc", "", "-"), ("t", "abc", "^b*", "%1"), ("t", "ab", "()b", "%1"), ("t", "x", "x", "%z"), ("l", "a b ab c", "%w+"), ("c", "a b c 1 2", "%f[%w]()(%w)"),
    ("c", "aab", "a?a-b*$"),
]

TYPES = "tinyint;smallint;int;bigint;float;double;decimal(38,18);string;varchar(10);char(2);binary;boolean;date;datetime;timestamp;timestamp_ntz;json"


def records():
    vectors = json.loads((ROOT / "tests/vectors/vectors.json").read_text())
    for case in vectors["records"] + vectors["invalid_streams"] + vectors["downloads"]:
        if len(case["hex"]) > 3000 or case.get("compression", "none") != "none":
            continue
        yield ";".join(c["type"] for c in case["columns"]).encode() + S.encode() + bytes.fromhex(case["hex"])
    yield (TYPES + S).encode() + bytes.fromhex("f0ffff7f00f8ffff7f00")


def main():
    folder = pathlib.Path(sys.argv[1])
    seeds = {
        "json_stage": [S.join(case).encode() for case in JSON_STAGE],
        "epoch_metadata": [text.encode() for text in EPOCH],
        "service_answers": [S.join(case).encode() for case in SERVICE],
        "local_requests": [S.join(case).encode("latin-1") for case in REQUESTS],
        "job_file": [(job + S + DATA_SOURCES).encode() for job in JOBS],
        "texts": [text.encode() for text in TEXTS],
        "lua_stage": [text.encode() for text in LUA],
        "decode": [S.join(case).encode() for case in DECODE],
        "expression": EXPRESSIONS,
        "sample_file": [text.encode() for text in SAMPLES],
        "nested_convert": [S.join(case).encode() for case in NESTED],
        "kinds": [S.join(case).encode() for case in KINDS],
        "patterns": [S.join(case).encode("latin-1") for case in PATTERNS],
        "rows_file": [text.encode() for text in ROWS],
        "record_decoder": list(records()),
    }
    for name, cases in seeds.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(cases):
            (folder / name / f"{number:02}").write_bytes(data)


if __name__ == "__main__":
    main()
