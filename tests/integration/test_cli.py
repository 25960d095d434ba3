"""Bad input: each ends in one clear sentence that names what, where, and what to do; exit 2 for files, 1 at run time; no secret is shown."""
import json
import pathlib
import re
import textwrap

import pytest

from support import jobs
from support.agent import ACCESS_KEY, Endpoint, Process, run_job, write_job


def command(tmp_path, *arguments, env=None):
    process = Process(tmp_path / "out", *arguments, env=env)
    status = process.wait(60)
    return status, process.out.read_text(), process.stderr()


@pytest.mark.parametrize("arguments, said", [
    (["rnu"], 'did you mean "run"? `luaduct help` lists them'),
    (["xyzzy"], "not a command; `luaduct help` lists them"),
    (["run", "x.yaml", "--firts"], 'did you mean "--first"? `luaduct run --help` tells the options'),
    (["run", "x.yaml", "--until"], "--until wants a value behind it: --until WHERE"),
    (["run", "x.yaml", "--xyzzy"], '"--xyzzy" is not understood; `luaduct run --help` tells the options'),
    (["preview", "x.yaml", "--stge", "a"], 'did you mean "--stage"? `luaduct preview --help` tells the options'),
    (["run", "x.yaml", "y.yaml"], '"y.yaml" is not understood behind what is named already'),
    (["test", "--coverage-mni", "5"], 'did you mean "--coverage-min"?'),
    (["test", "--coverage-min"], "wants a value behind it: --coverage-min PERCENT"),
    (["epoch", "resolve", "x.yaml", "--as"], "wants a value behind it: --as committed|lost"),
    (["sample", "x.yaml", "--output"], "wants a value behind it: --output FILE|-"),
    (["dirty"], "list, show or export?"),
    (["dirty", "lst"], 'did you mean "list"?'),
    (["dirty", "list", "x.yaml", "--resaon", "x"], 'did you mean "--reason"?'),
    (["demo", "--rows", "many"], '--rows does not take "many"'),
    (["demo", "--rows"], "wants a value behind it: --rows N"),
    (["local", "--lisen"], "`luaduct local --help` tells the options"),
    (["local", "extra"], "`luaduct local --help` tells the options"),
    (["help", "preveiw"], 'did you mean "preview"?'),
    (["run"], "which job?"),
    (["run", "/nowhere/job.yaml"], "/nowhere/job.yaml"),
    (["check", "--conect", "x.yaml"], "--conect"),
    (["help", "konfig"], "config"),
    (["check"], "usage: luaduct check"),
    (["local", "--listen", "0.0.0.0:0"], "loopback"),
])
def test_command_line(tmp_path, arguments, said):
    status, _, stderr = command(tmp_path, *arguments)
    assert status == 2 and said in stderr and len(stderr.splitlines()) <= 12, stderr


def test_version_and_help(tmp_path):
    status, out, _ = command(tmp_path, "version")
    assert status == 0 and out.startswith("luaduct ")
    status, out, _ = command(tmp_path, "help")
    assert status == 0 and "luaduct run" in out
    status, out, _ = command(tmp_path, "help", "config")
    assert status == 0 and "flush_interval" in out and "access_key" in out
    for name in ["run", "preview", "local"]:
        status, out, _ = command(tmp_path / name, "help", name)
        assert status == 0 and out == command(tmp_path / f"{name}2", name, "--help")[1] and out.startswith(f"usage: luaduct {name}")
    status, out, _ = command(tmp_path / "self", "help", "--help")
    assert status == 0 and "luaduct run" in out
    status, out, _ = command(tmp_path / "types", "help", "types")  # output is appended to a folder's file
    assert status == 0 and out == (pathlib.Path(__file__).parents[2] / "config/conversion.md").read_text()


def test_a_wrong_librdkafka_property_is_found_by_check(tmp_path):
    path = write_job(tmp_path, "127.0.0.1:9", "http://127.0.0.1:9/api", jobs.numbers("j", "t"), properties="security.protocl: ssl")
    status, _, stderr = command(tmp_path, "check", path)
    assert status == 2 and "datasources.yaml:" in stderr and "security.protocl" in stderr and "^" in stderr, stderr


def test_all_mistakes_at_once(tmp_path):
    path = write_job(tmp_path, "127.0.0.1:9", "http://127.0.0.1:9/api", textwrap.dedent("""\
        name: wrong
        source: {kafka: k, topic: t, strat: earliest}
        stages:
          - name: parse
            kind: jsn
          - name: other
            kind: lua
            file: missing.lua
        target:
          maxcompute: nobody
          table: t
        runtime: {flush_interval: 90ms, workers: many}
        """))
    status, _, stderr = command(tmp_path, "check", path)
    assert status == 2
    for said in ['did you mean "start"?', 'did you mean "json"?', "nobody", "90ms", "many", "job.yaml:2:", "job.yaml:5:", "^"]:
        assert said in stderr, stderr


def test_stages_are_looked_at_although_something_else_is_wrong(tmp_path):
    """Up to the first one that is wrong itself: what comes behind may need what that one makes."""
    path = write_job(tmp_path, "127.0.0.1:9", "http://127.0.0.1:9/api", textwrap.dedent("""\
        name: wrong
        source: {kafka: k, topic: t}
        stages:
          - {name: parse, kind: json, columns: [{name: id, path: $.id, type: bigint}]}
          - {name: f, kind: filter, condition: idd = 1 and uper(__key__) = 'a'}
          - {name: g, kind: filter, conditon: id = 1}
          - {name: h, kind: filter, condition: idd = 1}
        target: {maxcompute: m, table: t, create: if_missing}
        runtime: {flush_interval: 90ms}
        """))
    status, _, stderr = command(tmp_path, "check", path)
    places = re.findall(r"job\.yaml:(\d+:\d+): ", stderr)
    assert status == 2 and places == ["5:40", "5:52", "6:29", "9:27"], stderr  # and not that a condition is missing
    for said in ['no field "idd" here; did you mean "id"?', 'did you mean "upper"?', 'did you mean "condition"?', "90ms"]:
        assert said in stderr, stderr
    # Fields come from the source: with a mistake in it nothing is known of them.
    path = pathlib.Path(path)
    path.write_text(path.read_text().replace("topic: t}", "topic: t, feilds: [__key__]}"))
    status, _, stderr = command(tmp_path / "source", "check", str(path))
    assert status == 2 and '"idd"' not in stderr and 'did you mean "fields"?' in stderr, stderr


@pytest.mark.parametrize("body, said", [
    ("local stage = {}\nfunction stage.process(batch)\n  x = = 1\nend\nreturn stage\n", "stage.lua:3"),
    ("return 5\n", "table"),
    ("local stage = {}\nfunction stage.proces(batch) end\nreturn stage\n", "process"),
    ("local stage = {}\nfunction stage.process(batch)\n  batch:keep(batch.__vale__:is_null())\nend\nreturn stage\n", "__value__"),
])
def test_lua_mistakes_are_found_by_check(tmp_path, body, said):
    (tmp_path / "stage.lua").write_text(body)
    path = write_job(tmp_path, "127.0.0.1:9", "http://127.0.0.1:9/api", """\
        name: j
        source: {kafka: k, topic: t}
        stages:
          - {name: s, kind: lua, file: stage.lua}
        target: {maxcompute: m, table: t}
        """)
    status, _, stderr = command(tmp_path, "check", path)
    assert status == 2 and said in stderr and "stage.lua" in stderr, stderr


REPLACE = """\
name: {name}
time_zone: Asia/Shanghai
source: {{kafka: k, topic: {name}, start: {{at: committed, otherwise: earliest}}}}
stages:
  - name: parse
    kind: json
    columns:
      - {{name: n, path: $.n, type: bigint}}
      - {{name: text, path: $.text, type: string}}
      - {{name: mark, path: $.mark, type: string}}
  - name: tidy
    kind: replace
{more}    rules:
{rules}
target:
  maxcompute: m
  table: {name}
  create: if_missing
  partition: [{{name: ds, kind: time, format: yyyyMMdd}}]
"""


def replace_job(name, *rules, more=""):
    return REPLACE.format(name=name, rules="\n".join("      - " + rule for rule in rules), more=more)


def test_mistakes_in_replace_are_found_by_check(tmp_path):
    rules = ["{field: text, find: 区, with: District}",
             r"{field: text, find: '(\d+', with: 'x', regex: true}",
             r"{field: text, find: '(\d+)', with: 'ab$2', regex: true}",
             r"{field: text, find: '(\d+)', with: '${day}', regex: true}",
             "{field: text, find: '', with: x}",
             r"{field: text, find: '\d', with: '\ud800'}"]
    path = write_job(tmp_path, "127.0.0.1:9", "http://127.0.0.1:9/api", replace_job("j", *rules))
    status, _, stderr = command(tmp_path / "1", "check", path)
    assert status == 2
    for said in [r"job.yaml:15:33: stage tidy: rules[2].find: character 4 of the pattern: missing closing parenthesis",
                 r"job.yaml:16:47: stage tidy: rules[3].with: character 3: there is no group 2; the pattern has 1",
                 r'job.yaml:17:45: stage tidy: rules[4].with: character 1: the pattern has no group, or more than one, with the name "day"',
                 r"job.yaml:18:29: stage tidy: rules[5].find: there is nothing to find",
                 r"job.yaml:19:30: stage tidy: rules[6].find: character 1: \d is no escape",
                 r"job.yaml:19:42: stage tidy: rules[6].with: character 1: \ud800 is half of a pair"]:
        assert said in stderr, stderr


@pytest.mark.parametrize("rule, said", [
    ("{field: text, fnd: a, with: b}", 'did you mean "find"?'),
    ("{field: txt, find: a, with: b}", 'job.yaml:14:17: stage tidy: rules[1].field: there is no field "txt"; did you mean "text"?'),
    ("{field: n, find: a, with: b}", 'job.yaml:14:17: stage tidy: rules[1].field: field "n": replace: a text is wanted, this one is bigint'),
    ("{field: text, find: a}", '"with" is missing'),
    ("{field: text, find: a, with: b, regex: maybe}", "rules[1].regex"),
])
def test_a_wrong_rule_of_replace_is_found_by_check(tmp_path, rule, said):
    path = write_job(tmp_path, "127.0.0.1:9", "http://127.0.0.1:9/api", replace_job("j", rule))
    status, _, stderr = command(tmp_path, "check", path)
    assert status == 2 and said in stderr and "job.yaml:" in stderr, stderr


def test_replace_writes_what_the_rules_make(broker, endpoint, tmp_path, name):
    broker.create_topic(name, 1)
    texts = ["浦东新区 abc", None, "", "007", "a" * 40 + "!"]
    broker.produce(name, [json.dumps({"n": n, "text": text, "mark": text}).encode() for n, text in enumerate(texts)], partitions=1)
    job = replace_job(name, "{field: text, find: 区, with: ' District'}", "{field: text, find: ABC, with: x}", "{field: text, find: 007, with: ''}",
                      r"{field: mark, find: '^(a+)+$', with: '[$1]', regex: true}")
    status, stderr = run_job(write_job(tmp_path, broker.address, endpoint.url, job), "--records", len(texts))
    assert status == 0, stderr
    assert sorted((r["n"], r["text"]) for r in endpoint.rows(name)) == [(0, "浦东新 District x"), (1, None), (2, ""), (3, "")]
    dirty = [json.loads(line) for f in (tmp_path / "dirty").glob("*.ndjson") for line in f.read_text().splitlines()]
    assert [(d["stage"], d["column"], d["reason"]) for d in dirty] == [
        ("tidy", "mark", "the pattern takes too many steps on this value (match limit)")]


def test_lua_run_time_error_makes_rows_dirty(broker, endpoint, tmp_path, name):
    broker.create_topic(name, 1)
    broker.produce(name, [json.dumps({"n": n}).encode() for n in range(100)], partitions=1)
    (tmp_path / "stage.lua").write_text(textwrap.dedent("""\
        local stage = {}
        function stage.process(batch)
          for row in batch:rows() do
            if row.n % 10 == 7 then error("number " .. row.n .. " is not wanted") end
            row.n = row.n * 2
          end
        end
        return stage
        """))
    job = jobs.numbers(name, name).replace("target:", "  - {name: twice, kind: lua, file: stage.lua}\ntarget:")
    status, stderr = run_job(write_job(tmp_path, broker.address, endpoint.url, job), "--records", 100)
    assert status == 0, stderr
    assert sorted(r["n"] for r in endpoint.rows(name)) == [2 * n for n in range(100) if n % 10 != 7]
    dirty = [json.loads(line) for f in (tmp_path / "dirty").glob("*.ndjson") for line in f.read_text().splitlines()]
    assert len(dirty) == 10 and all("stage.lua:4" in line["reason"] and line["stage"] == "twice" for line in dirty), dirty[:1]


def test_dirty_limit_stops_the_job(broker, endpoint, tmp_path, name):
    broker.create_topic(name, 1)
    broker.produce(name, [b"no json"] * 50, partitions=1)
    job = jobs.numbers(name, name, more="dirty: {max: 10}")
    status, stderr = run_job(write_job(tmp_path, broker.address, endpoint.url, job))
    assert status == 1 and "dirty.max" in stderr and "parse" in stderr, stderr
    assert all(offset <= 0 for offset, _ in broker.committed("luaduct-" + name, name, 1).values())


def test_unknown_topic(broker, endpoint, tmp_path, name):
    status, stderr = run_job(write_job(tmp_path, broker.address, endpoint.url, jobs.numbers(name, "no_such_topic")))
    assert status == 1 and "no_such_topic" in stderr and "source.topic" in stderr, stderr


def test_unreachable_broker_is_said_once_and_waited_for(endpoint, tmp_path, name):
    path = write_job(tmp_path, "127.0.0.1:9", endpoint.url, jobs.numbers(name, name))
    process = Process(tmp_path / "run", "run", path)
    process.wait_for(lambda: "127.0.0.1:9" in process.stderr(), what="the warning about the broker")
    assert process.terminate() == 0, process.stderr()
    said = [line for line in process.stderr().splitlines() if " WARN " in line]
    # What librdkafka notices first differs: that all brokers are down, or that nobody answers.
    assert len(said) == 1 and "127.0.0.1:9" in said[0] and "trying again until it works" in said[0], said
    status, _, stderr = command(tmp_path, "check", path, "--connect")
    assert status == 1 and "127.0.0.1:9" in stderr, stderr


def test_start_positions(broker, endpoint, tmp_path, name):
    broker.create_topic(name, 1)
    stamps = [1_700_000_000_000 + 1000 * n for n in range(10)]
    broker.produce(name, [json.dumps({"n": n}).encode() for n in range(10)], partitions=1, timestamps=stamps)
    path = write_job(tmp_path, broker.address, endpoint.url, jobs.numbers(name, name).replace("otherwise: earliest", "otherwise: 2023-11-15 06:13:26 Asia/Shanghai"))
    status, stderr = run_job(path, "--records", 4)
    assert status == 0, stderr
    assert sorted(r["n"] for r in endpoint.rows(name)) == [6, 7, 8, 9]
    # A job that has a position goes on from it, whatever start says; one that never ran starts at the end.
    path = write_job(tmp_path / "latest", broker.address, endpoint.url, jobs.numbers(name + "_l", name).replace("at: committed, otherwise: earliest", "at: latest"))
    process = Process(tmp_path / "latest" / "run", "run", path)
    process.wait_for(lambda: broker.committed("luaduct-" + name + "_l", name, 1)[0][0] == 10, what="the anchor at the end of the topic")
    process.kill()
    broker.produce(name, [b'{"n": 10}'], partitions=1)
    status, stderr = run_job(path, "--records", 1)
    assert status == 0, stderr
    assert [r["n"] for r in endpoint.rows(name + "_l")] == [10], "what came between the anchor and the first read is not lost"


def test_partition_by_lua(broker, endpoint, tmp_path, name):
    broker.create_topic(name, 1)
    broker.produce(name, [json.dumps({"n": n, "part": "x"}).encode() for n in range(10)], partitions=1)
    (tmp_path / "halves.lua").write_text(textwrap.dedent("""\
        local stage = {}
        function stage.partition(batch)
          batch:map({"n"}, {"half string"}, function(n) return n < 5 and "low" or "high" end)
          return batch.half
        end
        return stage
        """))
    job = jobs.numbers(name, name).replace("kind: field, from: part", "kind: lua, file: halves.lua")
    status, stderr = run_job(write_job(tmp_path, broker.address, endpoint.url, job), "--records", 10)
    assert status == 0, stderr
    assert sorted((r["n"], r["_partition"]) for r in endpoint.rows(name)) == [(n, "part=low" if n < 5 else "part=high") for n in range(10)]


PARTITION_FILES = [
    ("return {process = function(batch) end}", r'partition "part": .*halves.lua has no function partition\(batch\)'),
    ("return {partition = function(batch) return batch.nn end}", r'partition "part": halves.lua:1: there is no field "nn"; did you mean "n"'),
    ("return {partition = function(batch) end}", r"partition\(batch\) must give a column for every partition level; value 1 is nil"),
    ("return {partition = function(batch) return batch.n", r"halves.lua:1: .*expected"),
]


@pytest.mark.parametrize("text, said", PARTITION_FILES, ids=["process", "field", "columns", "syntax"])
def test_partition_files_are_checked(tmp_path, text, said):
    job = jobs.numbers("j", "t").replace("kind: field, from: part", "kind: lua, file: halves.lua")
    path = write_job(tmp_path, "127.0.0.1:9", "http://127.0.0.1:9/api", job)
    (tmp_path / "halves.lua").write_text(text)
    (tmp_path / "one.ndjson").write_text('{"value": "{}"}\n')
    for arguments in (["check", path], ["run", path], ["simulate", path, "--sample", tmp_path / "one.ndjson"]):
        status, _, stderr = command(tmp_path, *arguments)
        assert status == 2 and re.search(said, stderr) and re.search(r"job\.yaml:\d+:\d+: ", stderr), stderr


def test_a_partition_function_that_fails(tmp_path):
    """Its rows are dirty, as those of a stage; what it makes is no column of the table."""
    job = jobs.numbers("j", "t").replace("kind: field, from: part", "kind: lua, file: halves.lua")
    path = write_job(tmp_path, "127.0.0.1:9", "http://127.0.0.1:9/api", job)
    (tmp_path / "halves.lua").write_text("return {partition = function(batch) batch:set('half', 'x')\n"
                                         "if batch:count() > 0 then error('not today') end return batch.half end}")
    (tmp_path / "two.ndjson").write_text("".join('{"value": "{\\"n\\": %d, \\"part\\": \\"p\\"}"}\n' % n for n in range(2)))
    status, out, stderr = command(tmp_path, "simulate", path, "--sample", tmp_path / "two.ndjson", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    dirty = [line["reason"] for line in lines if line["kind"] == "dirty" and line["stage"] == "partition"]
    assert status == 1 and dirty == ["halves.lua:2: not today"] * 2 and lines[-1]["dirty"] == 2, out + stderr
    status, out, _ = command(tmp_path / "plan", "plan", path)
    assert status == 0 and "half" not in out.replace("halves.lua", ""), out


def test_unknown_table(broker, endpoint, tmp_path, name):
    broker.create_topic(name, 1)
    job = jobs.numbers(name, name).replace("create: if_missing", "create: never")
    status, stderr = run_job(write_job(tmp_path, broker.address, endpoint.url, job))
    assert status == 1 and name in stderr and "create: if_missing" in stderr, stderr


def test_wrong_credentials(broker, endpoint, tmp_path, name):
    broker.create_topic(name, 1)
    path = write_job(tmp_path, broker.address, endpoint.url, jobs.numbers(name, name), access_key="wrong-secret-value-1")
    status, stderr = run_job(path)
    assert status == 1 and "access_key" in stderr and "wrong-secret" not in stderr, stderr


def test_signature_v4(broker, tmp_path, name):
    target = Endpoint(tmp_path / "endpoint", extra=["--region", "cn-test"])
    broker.create_topic(name, 1)
    broker.produce(name, [b'{"n": 1}'], partitions=1)
    path = write_job(tmp_path, broker.address, target.url, jobs.numbers(name, name), region="cn-elsewhere")
    status, stderr = run_job(path)
    assert status == 1 and "region" in stderr, stderr
    path = write_job(tmp_path, broker.address, target.url, jobs.numbers(name, name), region="cn-test")
    status, stderr = run_job(path, "--records", 1)
    assert status == 0, stderr
    assert [r["n"] for r in target.rows(name)] == [1]
    assert target.terminate() == 0


def test_secret_is_never_shown(tmp_path):
    path = write_job(tmp_path, "127.0.0.1:9", "http://127.0.0.1:9/api", jobs.numbers("j", "t"), access_key="${env:NO_SUCH_VARIABLE}")
    status, _, stderr = command(tmp_path, "check", path)
    assert status == 2 and "NO_SUCH_VARIABLE" in stderr and "datasources.yaml" in stderr
    path = write_job(tmp_path, "127.0.0.1:9", "http://127.0.0.1:9/api", jobs.numbers("j", "t").replace("n, type: bigint", "n, type: bigit"))
    status, out, stderr = command(tmp_path, "check", path)
    assert status == 2 and ACCESS_KEY not in out + stderr


def test_the_job_of_the_demo_says_who_sets_its_variables(tmp_path):
    status, _, stderr = command(tmp_path, "check", pathlib.Path(__file__).parents[2] / "config/orders.yaml")
    assert status == 2 and "LUADUCT_DEMO_BROKERS is not set; `luaduct demo JOB.yaml` sets it" in stderr, stderr


@pytest.mark.parametrize("ends", [("127.0.0.1:9", "${env:LUADUCT_DEMO_ENDPOINT}"), ("${env:LUADUCT_DEMO_BROKERS}", "http://127.0.0.1:9/api"),
                                  ("${env:LUADUCT_DEMO_BROKERS}", "${env:LUADUCT_DEMO_ENDPOINT}\n    tunnel_endpoint: http://127.0.0.1:9")])
def test_the_demo_touches_no_real_end(tmp_path, ends):
    path = write_job(tmp_path, ends[0], ends[1].replace("\n    ", "\n            "), jobs.numbers("j", "t"))
    status, out, stderr = command(tmp_path, "demo", path, "--rows", 10)
    assert status == 2 and "name other ends than the embedded ones" in stderr and "job runs" not in stderr, stderr


def test_mapping_mistakes(endpoint, broker, tmp_path, name):
    endpoint.odps().create_table(name, "n bigint, other string not null")
    broker.create_topic(name, 1)
    job = jobs.numbers(name, name).replace("create: if_missing", "create: never").replace("  columns:\n    - {name: n, type: bigint}\n", "")
    job = job.replace("  partition:\n    - {name: part, kind: field, from: part}\n", "  mapping: {n: nn}\n")
    status, stderr = run_job(write_job(tmp_path, broker.address, endpoint.url, job))
    assert status == 2 and '"nn"' in stderr and "other" in stderr, stderr


def test_check_connect(broker, endpoint, tmp_path, name):
    broker.create_topic(name, 3)
    path = write_job(tmp_path, broker.address, endpoint.url, jobs.numbers(name, name))
    status, out, stderr = command(tmp_path, "check", path, "--connect")
    assert status == 0 and "3 partitions" in out and "will be created" in out, out + stderr
    assert "memory: at most" in out and "sessions: " in out and "target.quota_share is unlimited" in out
    assert not endpoint.odps().exist_table(name), "check writes nothing"
    path = write_job(tmp_path, broker.address, "http://127.0.0.1:9/api", jobs.numbers(name, name))
    status, out, stderr = command(tmp_path, "check", path, "--connect")
    assert status == 1 and "127.0.0.1:9" in stderr
    path = write_job(tmp_path, "127.0.0.1:9", endpoint.url, jobs.numbers(name, name))
    status, out, stderr = command(tmp_path, "check", path, "--connect")
    assert status == 1 and "source: the brokers do not answer (check `brokers` of the data source and the network)" in stderr, stderr
    assert stderr.splitlines()[-1].startswith("luaduct check: source: "), stderr


def test_check_tells_where_a_job_begins(broker, endpoint, tmp_path, name):
    broker.create_topic(name, 3)
    broker.produce(name, [b'{"n": 1}'] * 30, partitions=3)
    given = "start: {at: committed, otherwise: earliest}"

    def check(start, *more):
        job = jobs.numbers(name, name).replace(given, "start: " + start)
        return command(tmp_path, "check", write_job(tmp_path, broker.address, endpoint.url, job), *more)

    for start, said in (("committed", "begins with the earliest record\n"), ("2024-01-31 00:00:00 Asia/Shanghai", "at 2024-01-31 00:00:00 Asia/Shanghai"), ("90m ago", "90 min before its start (now that is 2"),
                        ("{offsets: {0: 7}, otherwise: 2h ago}", "at the given offsets of 1 partition, in the others 2 h before its start")):
        status, out, stderr = check(start)
        assert status == 0 and said in out, out + stderr
    for start, offsets in (("1d ago", "0:0,1:0,2:0; 30 offsets before"),
                           ("{offsets: {0: 7, 1: latest, 2: earliest}}", "0:7,1:10,2:0; 13 offsets before the end")):
        status, out, stderr = check(start, "--connect")
        assert status == 0 and "has no position, so the job begins" in out and "at offsets " + offsets in out, out + stderr
    status, out, stderr = check("{offsets: {0: 7, 2: 11}}", "--connect")
    assert status == 2 and re.search(r"job\.yaml:\d+:\d+: source\.start\.offsets: partition 2 has no offset 11; its log begins at 0 and ends at 10; "
                                     r"source\.start\.offsets does not name 1 of the 3 partitions", stderr), stderr
    broker.commit("luaduct-" + name, name, {0: (4, ""), 1: (4, "")})
    status, out, stderr = check("{offsets: {0: 7, 2: 11}}", "--connect")
    assert status == 0 and "has positions of 2 of 3 partitions and goes on there; the other is read" in out and "at offsets 0:4,1:4,2:0; 22" in out, out + stderr


def test_check_says_what_the_service_and_the_record_bear(tmp_path):
    job = jobs.numbers("j", "t", flush="1s").replace("quota_share: unlimited", "quota_share: 50\n  partitions_open_max: 200")
    path = write_job(tmp_path, "127.0.0.1:9", "http://127.0.0.1:9/api", job)
    status, out, stderr = command(tmp_path, "check", path)
    assert status == 0 and "the limit is 250" in out, out + stderr
    assert re.search(r"job\.yaml:\d+:\d+: warning: runtime\.flush_interval: 200 table partitions every 1 s ask for up to 60000", stderr), stderr
    path = write_job(tmp_path, "127.0.0.1:9", "http://127.0.0.1:9/api", job + "\ndelivery: exactly_once\n")
    status, out, stderr = command(tmp_path, "check", path)
    line = next(n for n, text in enumerate(pathlib.Path(path).read_text().splitlines(), 1) if "partitions_open_max" in text)
    assert status == 2 and re.search(rf"job\.yaml:{line}:\d+: target\.partitions_open_max: .* lower it from 200 to \d+", stderr), stderr


def test_metrics_page(broker, endpoint, tmp_path, name):
    import urllib.request
    broker.create_topic(name, 1)
    broker.produce(name, [json.dumps({"n": n}).encode() for n in range(100)], partitions=1)
    from support.broker import free_port
    port = free_port()
    job = jobs.numbers(name, name, workers=2, flush="200ms", more=f"metrics: {{listen: '127.0.0.1:{port}'}}")
    job = job.replace("target:\n", "  - {name: count, kind: lua, file: count.lua}\ntarget:\n")
    path = write_job(tmp_path, broker.address, endpoint.url, job)
    (tmp_path / "count.lua").write_text("""
local seen, known, sites = luaduct.counter("seen", "Rows that the script saw."), luaduct.counter("known", {kind = "even"}), nil
local stage = {}
function stage.open() sites = luaduct.lookup{file = "even.csv", key = "n", value = "even boolean"} end
function stage.process(batch)
  seen:add(batch:count())
  batch:set("even", sites:column(batch.n))
  for row in batch:rows() do if row.even then known:add() end end
end
return stage
""")
    (tmp_path / "even.csv").write_text("n,even\n" + "".join(f"{n},true\n" for n in range(0, 100, 2)))
    process = Process(tmp_path / "run", "run", path)

    def page():
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
        except OSError:
            return ""
    process.wait_for(lambda: re.search(r'luaduct_written_rows_total\{job="%s"\} 100\b' % name, page()), what="a hundred written rows on the page")
    text = page()
    for metric in ("luaduct_lag_records", "luaduct_filtered_rows_total", "luaduct_assigned_partitions", "# TYPE luaduct_epochs_total counter"):
        assert metric in text
    # What the script counts, all workers together; the batch of no rows that `check` runs counts nothing.
    for metric in ('seen_total{job="%s",stage="count"} 100\n' % name, 'known_total{job="%s",stage="count",kind="even"} 50\n' % name):
        assert "luaduct_script_" + metric in text
    assert process.terminate() == 0


def test_dirty_rows_as_a_sample(tmp_path):
    """Each record once, in order, as the newest line has it; no other job's, no other topic's; and the job takes it."""
    path = write_job(tmp_path, "127.0.0.1:9", "http://127.0.0.1:9/api", jobs.numbers("j", "t"))
    (tmp_path / "dirty").mkdir()

    def line(offset, value, index=0, minute=0, **more):
        kept = {"time": f"2024-01-31T00:{minute:02}:00.000Z", "job": "j", "topic": "t", "topic_id": "i", "partition": 0, "offset": offset, "index": index,
                "timestamp": 5, "stage": "parse", "column": None, "reason": "odd", "key": None, "value": value}
        return json.dumps({**kept, **more}) + "\n"

    (tmp_path / "dirty" / "dirty-20240131T000000000-1.ndjson").write_text("".join([
        line(7, "seven", key="k", headers=[["h", "1"], ["n", None]]), line(3, "old"), line(3, "new", minute=1), line(5, '{"n": 5}', index=1),
        line(5, '{"n": 5}', index=2), line(4, {"base64": "/3o="}, reason="ODD bytes"), line(1, None, partition=2), line(9, "x", job="other"),
        line(9, "x", topic="other")]))
    sample = tmp_path / "d.sample"
    status, out, err = command(tmp_path / "1", "dirty", "export", path, "--sample", sample)
    assert status == 0 and f"5 records; `luaduct simulate {path} --sample {sample}`" in out and "1 rows are of another topic" in err, out + err
    head, *records = [json.loads(text) for text in sample.read_text().splitlines()]
    assert head == {"luaduct_sample": 1, "job": "j", "topic": "t"} and sample.stat().st_mode & 0o777 == 0o600
    same = {"timestamp": 5, "key": None}
    assert records == [{"partition": 0, "offset": 3, "value": "new", **same}, {"partition": 0, "offset": 4, "value": {"base64": "/3o="}, **same},
                       {"partition": 0, "offset": 5, "value": '{"n": 5}', **same},
                       {"partition": 0, "offset": 7, "value": "seven", "timestamp": 5, "key": "k", "headers": [["h", "1"], ["n", None]]},
                       {"partition": 2, "offset": 1, "value": None, **same}]
    status, out, err = command(tmp_path / "2", "simulate", path, "--sample", sample)
    assert status == 1 and "read 5 + expanded 0 = written 1 + filtered 0 + dirty 4" in out, out + err
    status, out, err = command(tmp_path / "3", "dirty", "export", path, "--sample", sample)
    assert status == 2 and "is there already; --force replaces it" in err, err
    status, out, err = command(tmp_path / "4", "dirty", "export", path, "--sample", sample, "--force", "--reason", "odd b")
    assert status == 0 and "1 record; " in out and len(sample.read_text().splitlines()) == 2, out + err
    status, out, err = command(tmp_path / "5", "dirty", "export", path, "--sample", "-", "--last", 1)
    assert status == 0 and [json.loads(text)["value"] for text in out.splitlines()[1:]] == ["new"], out + err
    status, out, err = command(tmp_path / "6", "dirty", "export", path, "--last", 2)
    assert status == 0 and len(out.splitlines()) == 2, out + err
    (tmp_path / "datasources.yaml").unlink()  # nobody needs the ends and their secrets to look at a folder
    status, out, err = command(tmp_path / "8", "dirty", "show", path, "0/7")
    assert status == 0 and "seven" in out, out + err
    status, out, err = command(tmp_path / "7", "dirty", "list", path, "--sample", "x")
    assert status == 2 and '"--sample" is not understood here; `luaduct dirty --help`' in err, err


def test_help_shows_what_masks_give(tmp_path):
    values = {"phone": "13812345678", "email": "zhang.san@example.com", "id_card": "11010519491231002X", "bank_card": "6222021234567890123",
              "name": "\u738b\u5c0f\u660e", "ip": "10.20.30.40", "mac": "00:1A:2B:3C:4D:5E", "car_plate": "\u4eacA12345",
              "address": "\u4e0a\u6d77\u5e02\u6d66\u4e1c\u65b0\u533a\u4e16\u7eaa\u5927\u9053100\u53f7", "gps": "31.230416,121.473701"}
    columns = "".join(f"      - {{name: {name}, path: $.{name}, type: string}}\n" for name in values)
    rules = "".join(f"      - {{field: {name}, rule: {name}}}\n" for name in values)
    job = tmp_path / "job.yaml"
    job.write_text(f"name: j\nsource: {{kafka: k, topic: t}}\nstages:\n  - name: parse\n    kind: json\n    columns:\n{columns}  - name: hide\n    kind: mask\n"
                   f"    rules:\n{rules}target: {{maxcompute: m, table: t, create: if_missing}}\n")
    (tmp_path / "s.sample").write_text(json.dumps({"value": json.dumps(values)}) + "\n")
    status, out, err = command(tmp_path / "1", "preview", job, "--stage", "hide", "--sample", tmp_path / "s.sample", "--json")
    assert status == 0, err
    fields = json.loads(out.splitlines()[0])["out"][0]["fields"]
    status, out, err = command(tmp_path / "2", "help", "config", "markdown")
    assert status == 0 and "in this order: " + ", ".join(fields[name] for name in values) + "." in out


def test_names_that_are_nobodys_are_warned_of(tmp_path):
    path = write_job(tmp_path, "127.0.0.1:9", "http://127.0.0.1:9/api", jobs.numbers("j", "t").replace(
        "target:", "  - {name: own, kind: lua, file: own.lua}\ntarget:"))
    (tmp_path / "own.lua").write_text("local stage = {}\nfunction stage.process(batch)\n  if bacth:count() == 0 then return end\nend\nreturn stage\n")
    status, _, stderr = command(tmp_path, "check", path)
    assert 'own.lua:3:6: warning: stage own: there is nothing called "bacth" here, so it is nil; did you mean "batch"?\n' in stderr, stderr
    assert "  3 |   if bacth:count() == 0 then return end\n    |      ^^^^^\n" in stderr, stderr
