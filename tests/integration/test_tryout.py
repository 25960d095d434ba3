"""columns, preview, simulate and plan as a person types them: what they print, what they refuse and how, and their exit statuses."""
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import textwrap

import pytest
import yaml

from support.agent import Process, binary, write_job

JOB = """\
name: j
source: {kafka: k, topic: orders}
time_zone: Asia/Shanghai
stages:
  - name: parse
    kind: json
    expand: $.lines
    columns:
      - {name: id, path: $.id, type: bigint, required: true}
      - {name: city, path: $.city, type: string}
      - {name: amount, path: "@.amount", type: "decimal(10,2)"}
      - {name: at, path: $.at, type: timestamp}
  - {name: own, kind: lua, file: own.lua}
target:
  maxcompute: m
  table: t
  create: if_missing
  columns:
    - {name: id, type: bigint}
    - {name: city, type: string}
    - {name: amount, type: "decimal(10,2)"}
    - {name: at, type: datetime}
    - {name: grade, type: string, from: level}
  partition: [{name: ds, kind: time, from: at, format: yyyyMMdd}]
dirty: {directory: dirty, max: unlimited}
log: {file: job.log}
"""
LUA = """\
local stage = {}
function stage.process(batch)
  batch:add("level", "string")
  batch:drop(batch.city:eq("nowhere"))
  for row in batch:rows() do
    if row.city == "bad" then row:dirty("no such city") end
    if row.city == "broken" then error("oops") end
    if row.city == "sh" then row.city = "\\u{4e0a}\\u{6d77}" end
    row.level = row.id > 2 and "high" or "low"
  end
  print("seen " .. batch:count())
end
return stage
"""


def record(id, city, *amounts, at="2024-01-31T23:30:00Z", **more):
    return {"value": json.dumps({"id": id, "city": city, "at": at, "lines": [{"amount": a} for a in amounts]}), **more}


SAMPLE = [record(1, "sh", "1.50", "2.00", partition=0, offset=7), record(2, None, "3"), record(3, "", "4"), record(4, "nowhere", "5"),
          record(5, "bad", "6"), record(6, "broken", "7"), record(7, "NULL", "1.234", "8"), {"value": "no json"}]


class Desk:
    """A folder with a job, its Lua and a sample, on a machine without any service."""

    def __init__(self, folder):
        self.folder = folder
        self.path = self.job(JOB)
        (folder / "own.lua").write_text(LUA)
        self.sample = self.write_sample(SAMPLE, topic="orders")

    def job(self, text):
        self.path = write_job(self.folder, "127.0.0.1:9", "http://127.0.0.1:9/api", text, time_zone=None)
        return self.path

    def write_sample(self, records, **header):
        path = self.folder / "s.sample"
        path.write_text("".join(json.dumps(r) + "\n" for r in [{"luaduct_sample": 1, **header}, *records]))
        return path

    def run(self, command, *arguments, env=None):
        process = Process(self.folder / "command", command, self.path, *arguments, env=env)
        status, out, err = process.wait(60), process.out.read_text(), process.stderr()
        for file in (process.out, process.err):
            file.unlink()
        return status, out, err

    def lines(self, *arguments):
        _status, out, _err = self.run(*arguments, "--json")
        return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def cells(line):
    return re.split(r"  +", line.strip())


# --- simulate ---


def test_simulate_shows_rows_dirty_rows_and_counts(desk):
    status, out, err = desk.run("simulate", "--sample", desk.sample)
    assert status == 1, err
    text = out.splitlines()
    assert text[0] == "partition ds=20240201: 5 rows"  # in the job's zone
    assert [cells(line) for line in text[1:8]] == [
        ["#", "id", "city", "amount", "at", "grade"], ["BIGINT", "STRING", "DECIMAL(10,2)", "DATETIME", "STRING"],
        ["1", "1", "\u4e0a\u6d77", "1.50", "2024-02-01 07:30:00", "low"], ["2", "1", "\u4e0a\u6d77", "2.00", "2024-02-01 07:30:00", "low"],
        ["3", "2", "NULL", "3.00", "2024-02-01 07:30:00", "low"], ["4", "3", '""', "4.00", "2024-02-01 07:30:00", "high"],
        ["5", "7", '"NULL"', "8.00", "2024-02-01 07:30:00", "high"]]
    assert "4 dirty rows" in out and re.search(r"0/11 +own +no such city", out) and re.search(r"0/12 +own +.*own\.lua:7: oops", out)
    assert re.search(r"0/14 +parse +__value__ +not JSON", out) and re.search(r"0/13 +parse +amount", out)
    assert re.search(r"^own +lua +8 +5 +1 +2 +0 +\d", out, re.M) and re.search(r"^mapping +target +5 +5 +0 +0 +0 +-$", out, re.M)
    assert "read 8 + expanded 2 = written 5 + filtered 1 + dirty 4; nothing was written to any end" in out
    assert "seen " in err, "what Lua prints is shown"
    assert not (desk.folder / "dirty").exists() and not (desk.folder / "job.log").exists()
    assert "\x1b" not in out, "no colours off a terminal"


def test_simulate_shows_what_was_asked_for(desk):
    assert desk.run("simulate", "--sample", desk.sample, "--allow-dirty")[0] == 0
    status, out, _err = desk.run("simulate", "--sample", desk.sample, "--rows", 2)
    assert status == 1 and "... and 3 more; --rows N shows more" in out
    _status, out, _err = desk.run("simulate", "--sample", desk.sample, "--partition", "ds=20240201")
    assert "partition ds=20240201: 5 rows" in out
    status, out, err = desk.run("simulate", "--sample", desk.sample, "--partition", "ds=1")
    assert status == 2 and "no row goes to partition ds=1; there is for instance ds=20240201" in err
    rows = desk.lines("simulate", "--sample", desk.sample)
    assert [r["values"]["id"] for r in rows if r["kind"] == "row"] == [1, 1, 2, 3, 7]
    assert rows[0]["values"] == {"id": 1, "city": "\u4e0a\u6d77", "amount": "1.50", "at": "2024-01-31T23:30:00Z", "grade": "low"}
    assert [(r["offset"], r["index"]) for r in rows if r["kind"] == "dirty"] == [(11, 0), (12, 0), (13, 0), (14, 0)]


def test_simulate_counts_the_reasons_of_many(desk):
    desk.write_sample([record(1, "bad", "1.50")] * 4 + [record(1, "x", "a lot")] * 2)
    status, out, err = desk.run("simulate", "--sample", desk.sample)
    assert status == 1 and "6 dirty rows" in out, err
    assert re.search(r"^         4  own: no such city\n         2  parse \(amount\): not a number\n", out, re.M), out


def test_simulate_clean_sample(desk):
    desk.write_sample(SAMPLE[:3])
    status, out, err = desk.run("simulate", "--sample", desk.sample)
    assert status == 0 and "dirty rows" not in out and "read 3 + expanded 1 = written 4 + filtered 0 + dirty 0" in out, err


def test_simulate_says_where_the_job_would_stop(desk):
    desk.job(JOB.replace("file: own.lua", "file: own.lua, when_error: stop"))
    status, out, err = desk.run("simulate", "--sample", desk.sample)
    assert status == 1 and re.search("the job would stop here: .*stage own: .*offset 12: own.lua:7: oops", err), err
    assert [line["kind"] for line in desk.lines("simulate", "--sample", desk.sample)][-1] == "error"
    desk.job(JOB.replace("max: unlimited", "max: 3"))
    status, out, err = desk.run("simulate", "--sample", desk.sample, "--allow-dirty")
    assert "4 dirty rows" in out and "the job would stop: it has more dirty rows than dirty.max, 3, allows" in err
    assert status == 1, "a job that would stop is never fine"


@pytest.mark.parametrize("command", [["simulate"], ["preview", "--stage", "own"]])
def test_an_error_that_quotes_a_record_drives_no_terminal(desk, command):
    desk.job(JOB.replace("file: own.lua", "file: own.lua, when_error: stop"))
    (desk.folder / "own.lua").write_text("return {process = function(batch) batch:add('level', 'string') for row in batch:rows() do error(row.city) end end}")
    desk.write_sample([record(1, "\x1b]0;title\x07", "1.50")])
    status, out, err = desk.run(command[0], "--sample", desk.sample, *command[1:])
    assert status == 1 and "\x1b" not in out + err, out + err
    assert re.search(r"the job would stop here: .*own\.lua:1: \\x1b\]0;title\\x07", err), err


def test_a_sample_of_another_topic_is_refused(desk):
    desk.write_sample(SAMPLE, topic="other")
    for command in (["simulate"], ["preview", "--stage", "own"]):
        status, out, err = desk.run(*command, "--sample", desk.sample)
        assert status == 2 and not out and "is a sample of topic other, and the job reads topic orders" in err and "--any-topic" in err
        status, out, _err = desk.run(*command, "--sample", desk.sample, "--any-topic")
        assert status < 2 and out


def test_no_secret_and_no_data_source_is_needed(desk):
    """As on a machine that runs tests; check and plan are about the ends as well, and want them."""
    sources = desk.folder / "datasources.yaml"
    sources.write_text(re.sub("access_key: .*", "access_key: ${env:NO_SUCH_VARIABLE}", sources.read_text()))
    commands = {"columns": 0, "simulate": 1, "preview": 0}
    more = {"columns": [], "simulate": ["--sample", desk.sample], "preview": ["--stage", "own", "--sample", desk.sample]}
    for command, expected in commands.items():
        status, out, err = desk.run(command, *more[command])
        assert status == expected and out and "NO_SUCH_VARIABLE" not in err, err
    for arguments in (["plan"], ["simulate", "--sample", desk.sample, "--connect"], ["check"]):
        status, out, err = desk.run(*arguments)
        assert status == 2 and "NO_SUCH_VARIABLE is not set" in err, err
    sources.unlink()
    for command, expected in commands.items():
        status, out, err = desk.run(command, *more[command])
        assert status == expected and out, err


def test_plan_names_fields_that_nothing_is_made_of(desk):
    desk.job(JOB.replace("    - {name: at, type: datetime}\n", "").replace("    - {name: city, type: string}\n", ""))
    status, out, _err = desk.run("plan")
    assert status == 0 and "  fields that no column takes: city\n" in out, out


def test_a_table_that_the_job_does_not_make(desk):
    job = JOB.replace("create: if_missing", "create: never")
    desk.job(job)
    assert "written 5" in desk.run("simulate", "--sample", desk.sample)[1], "the columns are listed, with types"
    status, out, _err = desk.run("plan")
    assert status == 0 and "it has to exist" in out and re.search(r"^  grade +STRING +level", out, re.M) and "CREATE TABLE" not in out, out
    desk.job(re.sub(r"  columns:\n    - \{name: id, type: bigint\}\n(    - .*\n)*", "", job))
    status, _out, err = desk.run("simulate", "--sample", desk.sample)
    assert status == 2 and "create: never" in err and "--connect" in err and "luaduct columns" in err, err
    status, out, _err = desk.run("plan")
    assert status == 0 and "it has to exist" in out and "--connect reads them" in out
    status, _out, err = desk.run("simulate", "--sample", desk.sample, "--connect")
    assert status == 1 and "target: " in err and "127.0.0.1" in err, err


# --- mistakes ---


@pytest.mark.parametrize("command", ["simulate", "preview", "columns", "plan"])
def test_mistakes_come_all_at_once_as_check_tells_them(desk, command):
    desk.job(JOB.replace("type: bigint, required", "type: bigin, required").replace("expand:", "expend:"))
    (desk.folder / "own.lua").write_text("local stage = {}\nfunction stage.process(batch)\n  x = = 1\nend\nreturn stage\n")
    (desk.folder / "s.sample").write_text('{"valu": "x"}\n')
    more = {"simulate": ["--sample", desk.sample], "preview": ["--stage", "own", "--sample", desk.sample]}.get(command, [])
    status, out, err = desk.run(command, *more)
    assert status == 2 and not out
    told = desk.run("check")[2]
    for said in ['did you mean "bigint"?', 'did you mean "expand"?']:
        assert said in err and said in told, err
    if more:
        assert 's.sample:1:' in err and 'did you mean "value"?' in err, err
    desk.job(JOB)
    status, _out, err = desk.run(command, *more)
    assert status == 2 and "own.lua:3" in err, err


@pytest.mark.parametrize("arguments, said", [
    (["simulate"], "--sample FILE is wanted; `luaduct sample"),
    (["simulate", "--sample"], "--sample wants a value behind it: --sample FILE"),
    (["simulate", "--partition"], "--partition wants a value behind it: --partition SPEC"),
    (["simulate", "--sample", "s.sample", "--rows", "-1"], '--rows takes a number from 0 to 1000000, not "-1"'),
    (["simulate", "--stage", "x"], '"--stage" is not understood'),
    (["preview"], "--stage NAME is wanted"),
    (["preview", "--sample", "s.sample"], "--stage NAME is wanted; the job's stages are: parse, own"),
    (["preview", "--stage", "own"], "--sample FILE is wanted"),
    (["preview", "--stage", "own", "--layout", "columns"], '--layout takes blocks or rows, not "columns"'),
    (["preview", "--stage", "own", "--sample", "a", "--rows", "b"], "--sample and --rows do not go together"),
    (["preview", "--stage", "own", "--rows", "/no/such"], "/no/such"),
    (["preview", "--stage", "won", "--sample", "s.sample"], 'no stage "won"; did you mean "own"? its stages are: parse, own'),
    (["columns", "--stage", "parze"], 'did you mean "parse"?'),
    (["columns", "extra"], '"extra" is not understood'),
    (["plan", "--conect"], '"--conect" is not understood; did you mean "--connect"?'),
])
def test_command_lines(desk, arguments, said):
    status, out, err = desk.run(*[str(desk.sample) if a == "s.sample" else a for a in arguments])
    assert status == 2 and said in err and not out, err


@pytest.mark.parametrize("command", ["simulate", "preview", "columns", "plan"])
def test_help(tmp_path, command):
    process = Process(tmp_path, command, "--help")
    assert process.wait() == 0 and process.out.read_text().startswith(f"usage: luaduct {command} JOB.yaml")
    assert "Exit status: " in process.out.read_text() and "--json" in process.out.read_text()
    process = Process(tmp_path / "none", command)
    assert process.wait() == 2 and "which job?" in process.stderr() and "usage:" in process.stderr()
    process = Process(tmp_path / "help", "help")
    assert process.wait() == 0 and f"luaduct {command} JOB.yaml" in process.out.read_text()


# --- preview ---


def blocks(out):
    """The lines of each block, by the name in its heading; a line is what stands in its columns."""
    found = {}
    for line in out.split("\nstage ")[0].splitlines()[1:]:
        if line and line[0] != " ":
            found[line.split("  ")[0]] = block = []
        if line:
            block.append(cells(line))
    return found


AT = "2024-02-01 07:30:00"


def test_preview_shows_before_and_after_side_by_side(desk):
    status, out, err = desk.run("preview", "--stage", "own", "--sample", desk.sample)
    assert status == 0, err
    assert cells(out.splitlines()[0]) == ["record", "before", "after"]
    shown = blocks(out)
    assert list(shown) == ["0/7", "0/7/1", "0/8", "0/9", "0/10", "0/11", "0/12", "0/13/1"]
    assert shown["0/7"] == [["0/7", "1 changed, 1 added, 3 unchanged"], ["~ city", "sh", "\u4e0a\u6d77"], ["+ level", "low"],
                            ["unchanged", f"id=1, at={AT}, amount=1.50"]]
    assert shown["0/9"] == [["0/9", "1 added, 4 unchanged"], ["+ level", "high"], ["unchanged", f'id=3, city="", at={AT}, amount=4.00']]
    assert shown["0/10"] == [["0/10", "filtered"], ["before", f"id=4, city=nowhere, at={AT}, amount=5.00"]]
    assert shown["0/11"] == [["0/11", "dirty: no such city"], ["before", f"id=5, city=bad, at={AT}, amount=6.00"]]
    assert re.fullmatch(r"dirty: .*own\.lua:7: oops", shown["0/12"][0][1])
    assert "__value__" not in out, "the stage does not read it"
    assert "stage own: 8 rows in, 5 out, 1 filtered, 2 dirty; before it 0 filtered and 2 dirty" in out
    after = [line.index(value) for line, value in zip(out.splitlines(), ["after", "", "", "\u4e0a\u6d77", "low"]) if value]
    assert len(set(after)) == 1, "the right side stands in one column"


def test_preview_of_rows_that_become_several(desk):
    shown = blocks(desk.run("preview", "--stage", "parse", "--sample", desk.sample)[1])
    first = shown["0/7"]
    assert first[0] == ["0/7", "became 2 rows"] and first[1][0] == "= __value__" and first[1][1].startswith('{"id": 1, ')
    assert first[2:] == [line for i, amount in ((0, "1.50"), (1, "2.00")) for line in
                         ([f"0/7/{i}", "4 added"], ["+ id", "1"], ["+ city", "sh"], ["+ at", AT], ["+ amount", amount])], first
    assert shown["0/13"][0][1] == "became 2 rows" and ["0/13/1", "4 added"] in shown["0/13"]
    assert shown["0/13"][-1][0] == "0/13/0" and shown["0/13"][-1][1].startswith("dirty: column amount: "), "one of them is dirty"
    assert shown["0/14"][0][1].startswith("dirty: column __value__: not JSON") and shown["0/14"][1] == ["= __value__", "no json"]


def test_preview_of_all_fields(desk):
    shown = blocks(desk.run("preview", "--stage", "own", "--sample", desk.sample, "--all-fields")[1])
    assert [line[0] for line in shown["0/7"][1:]] == [f"= __{name}__" for name in ("key", "value", "partition", "headers", "offset", "timestamp")] + [
        "= id", "~ city", "= at", "= amount", "+ level"]
    assert ["= offset".replace("offset", "__offset__"), "7"] in shown["0/7"] and ["= at", AT] in shown["0/7"]
    assert [line[0] for line in shown["0/10"][-4:]] == ["= id", "= city", "= at", "= amount"], "also of a row that is filtered"


def test_preview_of_a_row_that_stays_as_it_is_takes_one_line(desk):
    (desk.folder / "own.lua").write_text("return {process = function(batch) batch:drop(batch.city:eq('nowhere')) end}")
    desk.job(JOB.replace("    - {name: grade, type: string, from: level}\n", ""))
    _status, out, err = desk.run("preview", "--stage", "own", "--sample", desk.sample, "--limit", 3)
    assert out.splitlines()[2:6] == [f"0/7     unchanged: id=1, city=sh, at={AT}, amount=1.50", f"0/7/1   unchanged: id=1, city=sh, at={AT}, amount=2.00",
                                     f"0/8     unchanged: id=2, city=NULL, at={AT}, amount=3.00", ""], out + err


def test_preview_of_types_and_of_what_differs_far_behind(desk):
    job = JOB.replace("    - {name: grade, type: string, from: level}\n", "")
    desk.job(job.replace("target:\n", "  - {name: types, kind: assign, cast: {id: string}, drop: [level]}\ntarget:\n"))
    _status, out, err = desk.run("preview", "--stage", "types", "--sample", desk.sample)
    shown = blocks(out)
    assert shown["0/7"] == [["0/7", "1 changed, 1 removed, 3 unchanged"], ["~ id", "1 (bigint)", "1 (string)"], ["- level", "low"],
                            ["unchanged", f"city=\u4e0a\u6d77, at={AT}, amount=1.50"]], "values that look alike are told apart:\n" + out + err
    desk.job(JOB)
    (desk.folder / "own.lua").write_text("return {process = function(batch) batch:add('level', 'string') for row in batch:rows() do\n"
                                         "row.city = row.city:gsub('secret', '******') end end}")
    rows = desk.folder / "rows"
    rows.write_text(json.dumps({"id": 1, "city": "\u4e2d" * 40 + "secret" + "z" * 40}) + "\n")
    _status, out, err = desk.run("preview", "--stage", "own", "--rows", rows)
    old, new = blocks(out)["row 1"][1][1:]
    assert "secret" in old and "******" in new and old.startswith("\u2026\u4e2d") and new.endswith("z\u2026"), out + err


def test_preview_in_rows(desk):
    command = ["preview", "--layout", "rows", "--sample", desk.sample, "--stage"]
    status, out, err = desk.run(*command, "own")
    assert status == 0, err
    text = out.splitlines()
    assert cells(text[0]) == ["record", "id", "city", "at", "amount", "+level"]
    assert [cells(line)[:6] for line in text[1:10]] == [
        ["0/7", "in", "1", "sh", AT, "1.50"], ["out", "1", "~\u4e0a\u6d77", AT, "1.50", "low"],
        ["0/7/1", "in", "1", "sh", AT, "2.00"], ["out", "1", "~\u4e0a\u6d77", AT, "2.00", "low"],
        ["0/8", "in", "2", "NULL", AT, "3.00"], ["out", "2", "NULL", AT, "3.00", "low"],
        ["0/9", "in", "3", '""', AT, "4.00"], ["out", "3", '""', AT, "4.00", "high"], ["0/10", "in", "4", "nowhere", AT, "5.00"]]
    assert cells(text[10]) == ["filtered"] and cells(text[12]) == ["dirty"]
    assert re.search(r"^0/12 .*own\.lua:7: oops$", out, re.M)
    first = cells(desk.run(*command, "parse", "--limit", 1)[1].splitlines()[0])
    assert first == ["record", "__value__", "+id", "+city", "+at", "+amount"]


def test_preview_in_json(desk):
    lines = desk.lines("preview", "--stage", "parse", "--sample", desk.sample)
    assert [o["index"] for o in lines[0]["out"]] == [0, 1] and lines[0]["out"][1]["changed"] == ["id", "city", "at", "amount"]
    assert lines[6]["dirty"][0]["column"] == "amount" and len(lines[6]["out"]) == 1 and lines[6]["filtered"] is False


def test_preview_runs_nothing_behind_the_stage(desk):
    (desk.folder / "own.lua").write_text(LUA.replace("  batch:drop", "  if batch:count() > 0 then print('I ran') end\n  batch:drop"))
    assert "I ran" not in desk.run("preview", "--stage", "parse", "--sample", desk.sample)[2]
    assert "I ran" in desk.run("preview", "--stage", "own", "--sample", desk.sample)[2]


def test_preview_of_rows_typed_by_hand(desk):
    rows = desk.folder / "rows"
    rows.write_text('{"id": 1, "city": null}\n{"id": 5, "city": "", "amount": "9.50", "at": "2024-01-01T00:00:00Z"}\n{"id": 6, "city": "bad"}\n')
    lines = desk.lines("preview", "--stage", "own", "--rows", rows)
    assert [line["kind"] for line in lines] == ["row"] * 3 + ["summary"]
    assert lines[0]["in"]["city"] is None and lines[0]["out"][0]["fields"]["level"] == "low" and lines[0]["out"][0]["changed"] == ["level"]
    assert lines[1]["out"][0]["fields"]["city"] == "" and lines[1]["in"]["amount"] == "9.50" and lines[1]["in"]["at"] == "2024-01-01T00:00:00Z"
    assert lines[2]["dirty"] == [{"index": 0, "column": None, "reason": "no such city"}]
    rows.write_text('{"id": "one", "cty": "x"}\n')
    status, out, err = desk.run("preview", "--stage", "own", "--rows", rows)
    assert status == 2 and not out and "rows:1:2: field id (bigint)" in err and 'no field "cty" comes into the stage; did you mean "city"?' in err


def test_preview_that_stops(desk):
    desk.job(JOB.replace("file: own.lua", "file: own.lua, when_error: stop"))
    status, _out, err = desk.run("preview", "--stage", "own", "--sample", desk.sample)
    assert status == 1 and "the job would stop here: stage own: " in err and "own.lua:7" in err


# --- columns and plan ---


def test_columns_can_be_pasted(desk):
    status, out, err = desk.run("columns")
    assert status == 0, err
    listed = yaml.safe_load(out)["columns"]
    assert listed == [{"name": "id", "type": "BIGINT"}, {"name": "city", "type": "STRING"}, {"name": "at", "type": "TIMESTAMP"},
                      {"name": "amount", "type": "DECIMAL(10,2)"}, {"name": "level", "type": "STRING"}]
    assert "# decimal(10,2)" in out and "Not written" not in out
    pasted = textwrap.indent("".join(line + "\n" for line in out.splitlines() if not line.startswith("#")), "  ")
    desk.job(re.sub(r"  columns:\n    - \{name: id, type: bigint\}\n(    - .*\n)*", pasted, JOB))
    assert desk.run("check")[0] == 0
    assert [line["name"] for line in desk.lines("columns", "--stage", "parse") if not line["source"]] == ["id", "city", "at", "amount"]
    desk.job(JOB.replace("    - {name: grade, type: string, from: level}\n", ""))
    assert "# Not written as the job is now: level" in desk.run("columns")[1]


def test_columns_without_a_known_type_and_odd_names(desk):
    (desk.folder / "own.lua").write_text('local stage = {}\nfunction stage.process(batch)\n  batch:add("a b", "bigint")\n  batch:add("yes", "date")\n'
                                         'end\nreturn stage\n')
    desk.job(JOB.replace("    - {name: grade, type: string, from: level}\n", ""))
    status, out, err = desk.run("columns")
    names = [c["name"] for c in yaml.safe_load(out)["columns"]]
    assert status == 0 and names[-2:] == ["a b", "yes"], err


def test_plan(desk):
    status, out, err = desk.run("plan")
    assert status == 0, err
    for said in ["CREATE TABLE IF NOT EXISTS p.`t`", "PARTITIONED BY (`ds` STRING)", "ds <- at as yyyyMMdd in Asia/Shanghai",
                 "a job that never ran begins with the earliest record", "delivery: at_least_once", "memory: at most"]:
        assert said in out, out
    assert re.search(r"^  grade +STRING +level +string +as it is$", out, re.M) and re.search(r"^  at +DATETIME +at +timestamp +converted strictly$", out, re.M)
    lines = desk.lines("plan")
    assert [line["kind"] for line in lines] == ["table"] + ["column"] * 5 + ["partition", "start", "limits"]
    assert lines[0]["exists"] is None and lines[0]["statement"].startswith("CREATE TABLE")
    status, out, err = desk.run("plan", "--connect")
    assert status == 1 and "luaduct plan: " in err and "delivery: at_least_once" in out, err


# --- on a terminal ---


def on_terminal(folder, width, *arguments, env=None):
    pid, fd = pty.fork()
    if pid == 0:
        os.read(0, 1)  # the width is set by then
        os.execve(binary(), [binary(), *map(str, arguments)], {**os.environ, "TERM": "xterm", **(env or {})})
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    settings = termios.tcgetattr(fd)
    settings[3] &= ~termios.ECHO
    termios.tcsetattr(fd, termios.TCSANOW, settings)
    os.write(fd, b"\n")
    text = b""
    try:
        while piece := os.read(fd, 65536):
            text += piece
    except OSError:
        pass
    os.waitpid(pid, 0)
    return text.decode().replace("\r\n", "\n")


def as_wide_as(text):
    return max(len(line) + len(re.findall("[\u4e00-\u9fff]", line)) for line in text.splitlines() if "lua" not in line)


def test_colours_and_width_of_a_terminal(desk):
    command = ["preview", desk.path, "--stage", "own", "--sample", desk.sample]
    coloured = on_terminal(desk.folder, 100, *command)
    assert "\x1b[33m  ~ city\x1b[0m       sh      \x1b[33m\u4e0a\u6d77\x1b[0m" in coloured and "\x1b[32m  + level\x1b[0m" in coloured
    for plain in (on_terminal(desk.folder, 100, *command, "--no-color"), on_terminal(desk.folder, 100, *command, env={"NO_COLOR": "1"}),
                  on_terminal(desk.folder, 100, *command, env={"TERM": "dumb"})):
        assert "\x1b" not in plain and "  ~ city       sh      \u4e0a\u6d77" in plain
    narrow = on_terminal(desk.folder, 44, *command, "--no-color").split("\nstage own: 8")[0].split("record  ")[-1]
    assert as_wide_as(narrow) <= 44 and "\u2026" in narrow and re.search(r"\n    before +id=4, city=nowhere,\n +at=2024-02-01 07:30:00,\n", narrow), narrow


def test_rows_on_a_terminal(desk):
    command = ["preview", desk.path, "--stage", "own", "--sample", desk.sample, "--layout", "rows"]
    coloured = on_terminal(desk.folder, 100, *command)
    assert "\x1b[33m~\u4e0a\u6d77\x1b[0m" in coloured and "\x1b[1m+level\x1b[0m" in coloured
    narrow = on_terminal(desk.folder, 44, *command, "--no-color")
    tables = narrow.split("\nrecord  why")[0]
    assert tables.count("\nrecord") + tables.startswith("record") >= 2, "columns go into groups:\n" + narrow
    assert as_wide_as(tables.split("stage own")[0]) <= 44


def test_the_demo_and_the_examples(tmp_path):
    """The job that people meet first, without any of its services."""
    root = os.path.join(os.path.dirname(__file__), "..", "..")
    env = {**os.environ, "LUADUCT_DEMO_BROKERS": "127.0.0.1:9", "LUADUCT_DEMO_ENDPOINT": "http://127.0.0.1:9/api", "LUADUCT_DEMO_ACCESS_ID": "i",
           "LUADUCT_DEMO_ACCESS_KEY": "kkkkkkkk"}
    value = {"id": 1, "user": "u", "phone": "1", "email": "e", "ts": 1700000000000, "amount": "900.00", "city": "c", "flag": True}
    (tmp_path / "s").write_text(json.dumps({"value": json.dumps(value)}) + "\n")
    job = os.path.join(root, "config", "orders.yaml")
    for arguments in (["simulate", job, "--sample", "s"], ["preview", job, "--stage", "level", "--sample", "s"]):
        done = subprocess.run([binary(), *arguments], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and "gold" in done.stdout, done.stderr
