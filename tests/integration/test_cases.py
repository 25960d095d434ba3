"""luaduct test: what it says of cases that pass and that fail, of mistakes in their files, and of lines that ran."""
import json
import pathlib
import re
import shutil
import textwrap
import xml.etree.ElementTree

import pytest

from support.agent import ROOT, Process

EXAMPLES = ROOT / "scripts" / "examples"


class Case:
    def __init__(self, folder):
        self.folder, self.runs = folder, 0

    def write(self, name, text):
        (self.folder / name).write_text(textwrap.dedent(text))
        return self.folder / name

    def run(self, *arguments, env=None):
        self.runs += 1
        process = Process(self.folder / f".run{self.runs}", "test", *arguments, env=env)
        status = process.wait(60)
        return status, process.out.read_text(), process.stderr()


@pytest.fixture
def case(tmp_path):
    return Case(tmp_path)


@pytest.fixture
def orders(case):
    """The demo's job, without a file of data sources: a test needs none."""
    text = (ROOT / "config" / "orders.yaml").read_text().replace("../scripts/examples/", "")
    case.write("orders.yaml", text)
    shutil.copy(EXAMPLES / "level_by_amount.lua", case.folder)
    return case


def test_the_examples_pass_and_are_covered(case):
    status, out, err = case.run(EXAMPLES, "--coverage")
    assert status == 0 and re.search(r"^\d+ cases: (\d+) passed, 0 failed$", out, re.M), out + err
    stages = {p.stem for p in EXAMPLES.glob("*.lua")}
    assert stages | {"orders"} == {re.sub(r"\.test$", "", p.stem) for p in EXAMPLES.glob("*.test.yaml")}, "each example has cases"
    covered = {name: float(percent) for name, percent in re.findall(r"/(\w+)\.lua .* ([\d.]+)%", out)}
    assert covered.keys() == stages and min(covered.values()) >= 90, out
    page = (EXAMPLES / "README.md").read_text()
    assert not {name for name in stages if f"[{name}.lua]({name}.lua)" not in page}, "each example is in the table of README.md"


def test_the_lines_to_paste(case):
    """The comment on top of each example has lines for a job, and they are right."""
    fields = {"id": "bigint", "name": "string", "user": "string", "phone": "string", "email": "string", "city": "string", "currency": "string",
              "customer_id": "string", "flag": "boolean", "amount": "decimal(10,2)"}
    columns = "".join(f"      - {{name: {name}, path: $.{name}, type: '{kind}'}}\n" for name, kind in fields.items())
    for example in EXAMPLES.glob("*.lua"):
        lines = example.read_text().split("\n--\n")[1].replace("--   ", "  ") + "\n"
        lines = re.sub(r"^( *file: )", rf"\1{EXAMPLES}/", lines, flags=re.M)
        rules = lines.lstrip().startswith("partition:")
        job = case.write("job.yaml", "name: j\ntime_zone: UTC\nsource: {kafka: example, topic: t}\n"
                         f"datasources: {EXAMPLES}/datasources.yaml\n"
                         f"stages:\n  - name: parse\n    kind: json\n    columns:\n{columns}{'' if rules else lines}"
                         f"target:\n  maxcompute: example\n  table: t\n  create: if_missing\n{lines if rules else ''}")
        case.runs += 1
        process = Process(case.folder / f".run{case.runs}", "check", job)
        assert process.wait(60) == 0, f"{example.name}: {process.out.read_text()}{process.stderr()}\n{job.read_text()}"


def test_the_example_job(case):
    """What its README tells to type, with what it says comes out."""
    def luaduct(*arguments):
        case.runs += 1
        process = Process(case.folder / f".run{case.runs}", *arguments, env={"PATH": "/"})
        return process.wait(60), process.out.read_text(), process.stderr()

    job, sample = EXAMPLES / "orders.yaml", EXAMPLES / "orders.sample.ndjson"
    status, out, err = luaduct("check", job)
    assert status == 0, out + err
    status, out, err = luaduct("simulate", job, "--sample", sample)
    assert status == 1 and "read 11 + expanded 0 = written 4 + filtered 2 + dirty 5" in out, out + err
    status, out, err = luaduct("simulate", job, "--sample", sample, "--allow-dirty")
    assert status == 0 and "partition day=20240131: 1 row" in out, out + err
    for stage in re.findall(r"^  - name: (\w+)", job.read_text(), re.M):
        status, out, err = luaduct("preview", job, "--sample", sample, "--stage", stage)
        assert status == 0 and f"stage {stage}: " in out, out + err
    status, out, err = luaduct("columns", job)
    assert status == 0 and '- {name: amount_cny, type: "DECIMAL(18,2)"}' in out, out + err
    status, out, err = luaduct("infer", sample)
    assert status == 0 and "path: $.customer.phone" in out, out + err


def test_the_demos_job(case):
    status, out, err = case.run(ROOT / "config" / "orders.yaml", env={"PATH": "/"})
    assert status == 0 and "config/orders.test.yaml" in out and "config/../scripts/examples/level_by_amount.test.yaml" in out, out + err


def test_the_example_of_the_help_page(orders):
    process = Process(orders.folder / ".help", "help", "test")
    assert process.wait(30) == 0
    page = process.out.read_text()
    begin = page.index("  cases:\n")
    orders.write("orders.test.yaml", page[begin:page.index("\n\n", begin)])
    status, out, err = orders.run(orders.folder / "orders.yaml")
    assert status == 0 and "1 case: 1 passed, 0 failed" in out, out + err


def test_differences(orders):
    orders.write("orders.test.yaml", """\
        cases:
          - name: all wrong
            input:
              - {value: {id: 1, user: u, phone: "1", email: "", ts: 1700000000000, amount: "900.00", city: c, flag: true}}
              - {value: {id: 2, user: u, phone: "1", email: "", ts: 1700000000000, amount: "50.00", city: c, flag: true}}
              - {value: {id: x, user: u, phone: "1", email: "", ts: 1700000000000, amount: "50.00", city: c, flag: true}}
            expect:
              - {ID: 1, email: null, level: silver, amount: "900.01", partition: {day: "16", year: "2023"}}
              - {id: 7}
            expect_filtered: 0
            expect_dirty:
              - {stage: level}
          - name: more rows than expected
            input: [{value: {id: 1, user: u, phone: "1", email: "", ts: 1700000000000, amount: "900.00", city: c, flag: true}}]
            expect: []
          - name: fields after a stage
            until: parse
            input: [{value: {id: 1, user: u, phone: "1", email: "", ts: 1700000000000, amount: "5.00", city: c, flag: false}, key: k}]
            expect: [{id: 1, amount: 5, flag: false, __key__: k, __offset__: 0}]
        """)
    status, out, err = orders.run(orders.folder / "orders.yaml")
    assert status == 1 and "3 cases: 1 passed, 2 failed" in out, out + err
    file = str(orders.folder / "orders.test.yaml")
    for column, place, expected, got in [("email", "8:24", "NULL", '""'), ("level", "8:37", '"silver"', '"gold"'), ("amount", "8:53", "900.01", "900.00"),
                                         ("partition", "8:74", "day=16,year=2023", "year=2023,month=11,day=15")]:
        assert re.search(rf"row 1, {column}  \({re.escape(file)}:{place}\)\n +expected  {re.escape(expected)}\n +got       {re.escape(got)}\n", out), out
    assert re.search(r'row 2  \(.*:9:9\)\n +expected  \{"id":7\}\n +got       no row', out), out
    assert re.search(r"expected  0 filtered\n +got       1 filtered", out), out
    assert re.search(r"expected  a dirty row, stage level\n +got       no such dirty row", out), out
    assert "got       dirty row of input 3, stage parse, column id:" in out, out
    assert re.search(r"row 1  \(.*\)\n +expected  no row\n +got       \{id: 1, user: \"u\", .*level: \"gold\"", out), out
    assert "ok    fields after a stage" in out and err == "", err

    status, out, err = orders.run(orders.folder / "orders.yaml", "--json", "--junit", orders.folder / "junit.xml")
    found = json.loads(out)
    assert status == 1 and found["passed"] == 1 and found["failed"] == 2
    first = found["cases"][0]
    assert first["name"] == "all wrong" and first["line"] == 2 and not first["passed"]
    assert {"row": 1, "column": "level", "expected": '"silver"', "got": '"gold"', "line": 8, "at": 37} in first["differences"]
    suites = xml.etree.ElementTree.parse(orders.folder / "junit.xml").getroot()
    assert suites.attrib == {"tests": "3", "failures": "2"}
    assert [(c.get("name"), len(c.findall("failure"))) for c in suites.iter("testcase")] == [("all wrong", 1), ("more rows than expected", 1), ("fields after a stage", 0)]
    assert 'expected  "silver"' in suites.find(".//failure").text

    status, out, err = orders.run(orders.folder / "orders.yaml", "--case", "fields after a stage")
    assert status == 0 and "1 case: 1 passed" in out, out + err
    status, out, err = orders.run(orders.folder / "orders.yaml", "--case", "fields")
    assert status == 2 and 'no case is called "fields"' in err


def test_mistakes_in_files(orders):
    """Every key and name that is misspelt, with its place, in one go."""
    orders.write("orders.test.yaml", """\
        nwo: x
        cases:
          - name: a
            inptu: []
            input:
              - {vlaue: 1}
            from: parse
            expect:
              - {lvel: gold}
              - 5
            expect_dirty:
              - {stag: parse, input: x}
          - name: A
            rows: []
          - name: c
            input: [{value: x, partition: -1}]
            expect: {id: 1}
        """)
    status, out, err = orders.run(orders.folder / "orders.yaml")
    for place, said in [("1:1", 'unknown key "nwo"; did you mean "now"?'), ("4:5", 'did you mean "input"?'), ("6:10", 'did you mean "value"?'),
                        ("7:11", 'from: goes with "rows"'), ("10:9", "row 2 must be a map"), ("12:10", 'did you mean "stage"?'),
                        ("12:30", '"x" is not a whole number'), ("13:5", "nothing is expected"), ("13:5", "into which stage do the rows go?"),
                        ("13:11", '"A" is taken already, on line 3'), ("16:35", "-1 is below the minimum 0"), ("17:13", "must be a list of rows")]:
        assert re.search(rf"orders\.test\.yaml:{place}: .*{re.escape(said)}", err), (place, said, err)
    assert status == 2 and out == ""

    orders.write("orders.test.yaml", "cases: [{name: a, input: [{amount: 1}], expect: []}]\n")
    status, out, err = orders.run(orders.folder / "orders.yaml")
    assert status == 2 and re.search('unknown key "amount" in .*; what a record holds stands under "value"; fields .* "rows"', err), err

    orders.write("orders.test.yaml", """\
        now: soon
        cases: [{name: a, input: [], expect: []}]
        """)
    status, out, err = orders.run(orders.folder / "orders.yaml")
    assert status == 2 and 'orders.test.yaml:1:6: now: "soon" is no time' in err, err

    orders.write("orders.test.yaml", """\
        cases:
          - name: names of the job
            input:
              - {value: {a: 1}, timestamp: yesterday, headers: 5}
            until: prase
            expect: []
          - name: names of the table
            input: [{value: {a: 1}}]
            expect:
              - {lvel: gold, partition: {yaer: 1}}
            expect_dirty: [{stage: prse}]
          - name: fields of a stage
            from: level
            rows: [{amont: 1}, {amount: 0.001, flag: maybe}]
            expect: []
          - name: values of a stage
            from: level
            rows: [{amount: 0.001, flag: maybe}]
            expect: []
        """)
    status, out, err = orders.run(orders.folder / "orders.yaml")
    for place, said in [("4:36", "timestamp: "), ("4:56", "list of [name, value]"), ("5:12", 'no stage "prase"; did you mean "parse"?'),
                        ("10:10", 'the table has no column "lvel"; did you mean "level"?'), ("10:34", 'no partition column "yaer"'),
                        ("11:20", 'did you mean "parse"?'), ("14:13", 'did you mean "amount"?'), ("18:21", "more digits after the point"),
                        ("18:34", "not a boolean")]:
        assert re.search(rf"orders\.test\.yaml:{place}: .*{re.escape(said)}", err), (place, said, err)
    assert status == 2 and out == ""


def test_a_broken_script(case):
    case.write("s.lua", "local stage = {}\nfunction stage.process(batch)\n  x = = 1\nend\nreturn stage\n")
    case.write("s.test.yaml", "cases: [{name: a, rows: [{id: 1}], expect: [{id: 1}]}, {name: b, rows: [{id: 1}], expect: [{id: 1}]}]\n")
    status, out, err = case.run(case.folder / "s.lua")
    assert status == 2 and err.count("s.lua:3:") == 1, err
    case.write("s.lua", "local stage = {}\nfunction stage.process(batch)\n  batch:keep(batch.idd:gt(0))\nend\nreturn stage\n")
    status, out, err = case.run(case.folder / "s.lua")
    assert status == 2 and re.search(r's\.test\.yaml:1:9: stage stage: s\.lua:3: .*did you mean "id"', err), err
    case.write("r.test.yaml", "stage: {kind: lua, file: s.lua}\ncases: [{name: a, input: [{value: x}], expect: []}]\n")
    status, out, err = case.run(case.folder / "r.test.yaml")
    assert status == 2 and re.search(r's\.lua:3: there is no field or method "idd"', err) and "r.test.yaml:1:" in err, err
    case.write("s.lua", "local stage = {}\nfunction stage.process(batch)\n  for row in batch:rows() do error('no ' .. row.id) end\nend\nreturn stage\n")
    status, out, err = case.run(case.folder / "s.lua")
    assert status == 1 and "got       dirty row of input 1, stage stage: s.lua:3: no 1" in out and "2 cases: 0 passed, 2 failed" in out, out + err
    case.write("s.lua", "return {process = function(batch) for row in batch:rows() do error('\\27]0;title\\7') end end}")
    status, out, err = case.run(case.folder / "s.lua")
    assert status == 1 and "\x1b" not in out + err and "s.lua:1: \\x1b]0;title\\x07" in out, "a terminal is not driven by what fails"


def test_stages_of_every_kind(case):
    """Nothing depends on which kinds there are."""
    case.write("parse.test.yaml", """\
        stage: {kind: json, expand: $.l, rest: others, columns: [{name: id, path: $.id, type: bigint}, {name: x, path: "@.x", type: "decimal(10,2)"}]}
        cases:
          - name: elements
            input: [{value: {id: 1, l: [{x: 1.5}, {x: null}], k: [1, {b: "2.50", a: null}]}}, {value: "{"}]
            expect:
              - {id: 1, x: 1.50, others: {k: [1.0, {a: null, b: "2.50"}]}}
              - {id: 1, x: null, others: '{"k":[1,{"a":null,"b":"2.50"}]}'}
            expect_dirty: [{input: 2}]
          - name: none
            input: [{value: {l: []}}]
            expect: []
            expect_filtered: 1
        """)
    case.write("kind.test.yaml", "stage: {kind: jsn}\ncases: [{name: a, input: [], expect: []}]\n")
    status, out, err = case.run(case.folder / "parse.test.yaml")
    assert status == 0, out + err
    status, out, err = case.run(case.folder / "kind.test.yaml")
    assert status == 2 and 'kind.test.yaml:1:15' in err and 'did you mean "json"?' in err, err


def test_options_of_a_case(case):
    """Each case may have options of its own, and wrong ones are a thing to be tested."""
    case.write("s.lua", """\
        local stage = {}
        local add
        function stage.open(ctx)
          ctx.known{"add", "fail"}
          add = ctx.options.add
          if math.type(add) ~= "integer" then ctx.complain("add", "a whole number is wanted") end
          if ctx.options.fail then error("cannot open") end
        end
        function stage.process(batch) batch:set("n", batch.id + add) end
        return stage
        """)
    case.write("s.test.yaml", """\
        stage: {options: {add: 1}}
        cases:
          - {name: of the file, rows: [{id: 1}], expect: [{n: 2}]}
          - {name: its own, options: {add: 5}, rows: [{id: 1}], expect: [{n: 6}]}
          - {name: of the file again, rows: [{id: 1}], expect: [{n: 2}]}
          - {name: complains, options: {add: x}, expect_mistake: "add: a whole number"}
          - {name: its place is the file's, options: {add: x}, expect_mistake: "s.test.yaml:7:52"}
          - {name: fails, options: {add: 1, fail: true}, expect_mistake: cannot open}
          - {name: no such option, options: {add: 1, fial: 1}, expect_mistake: 's.test.yaml:9:52: stage stage: fial: the stage has no such option; did you mean "fail"?'}
          - {name: says something else, options: {}, expect_mistake: a number}
          - {name: what stands in the file is not what is said, options: {add: odd}, expect_mistake: odd}
          - {name: shows with rows, options: {add: 1}, rows: [{i: 1}], expect_mistake: there is no field "id"}
          - {name: is right, options: {add: 1}, expect_mistake: a whole number}
        """)
    status, out, err = case.run(case.folder)
    assert status == 1 and "11 cases: 8 passed, 3 failed" in out, out + err
    assert re.search(r"expected  mistake: ... a number ...\n +got       mistake: .*s.test.yaml:10:42: stage stage: add: a whole number is wanted\n", out), out
    assert re.search(r"expected  mistake: ... odd ...\n +got       mistake: .*: a whole number is wanted\n", out), out
    assert re.search(r"expected  mistake: ... a whole number ...\n +got       no mistake\n", out), out

    case.write("s.test.yaml", """\
        cases:
          - {name: options, options: [1], rows: [{id: 1}], expect: [{n: 2}]}
          - {name: both, options: {}, expect_mistake: x, expect: []}
          - {name: neither, options: {}, rows: [{id: 1}]}
        """)
    status, out, err = case.run(case.folder)
    for place, said in [("2:30", 'must be a map of "option: value" lines'), ("3:5", "leave the other expectations out"), ("4:5", "or expect_mistake:")]:
        assert re.search(rf"s\.test\.yaml:{place}: .*{re.escape(said)}", err), (place, said, err)
    case.write("f.test.yaml", "stage: {kind: filter, condition: id > 1}\ncases: [{name: a, options: {}, rows: [{id: 1}], expect: []}]\n")
    status, out, err = case.run(case.folder / "f.test.yaml")
    assert status == 2 and "f.test.yaml:2:28: cases[1].options: goes with one Lua file alone" in err, err


def test_time_state_and_stop(case):
    case.write("s.lua", """\
        local stage = {state = "partition"}
        local seen = 0
        function stage.process(batch)
          batch:map({"id"}, {"n bigint", "at bigint", "day string"}, function(id)
            seen = seen + 1
            if id == 13 then error("thirteen") end
            return seen, os.time(), os.date("!%Y-%m-%d")
          end)
        end
        return stage
        """)
    case.write("s.test.yaml", """\
        now: "2024-01-31T00:00:00Z"
        stage: {when_error: stop}
        fields: {id: bigint}
        cases:
          - {name: counts, rows: [{id: 1}, {id: null}], expect: [{n: 1, at: 1706659200, day: 2024-01-31}, {n: 2}]}
          - {name: from the start again, now: "2025-01-31 08:00:00 +08:00", rows: [{}], expect: [{n: 1, id: null, day: "2025-01-31"}]}
          - {name: stops, rows: [{id: 13}], expect_stop: thirteen}
          - {name: does not stop, rows: [{id: 1}], expect_stop: thirteen}
          - {name: stops though not expected, rows: [{id: 13}], expect: []}
        """)
    status, out, err = case.run(case.folder)
    assert status == 1 and "5 cases: 3 passed, 2 failed" in out, out + err
    assert re.search(r"expected  stops: ... thirteen ...\n +got       goes on", out) and re.search(r"expected  goes on\n +got       stops: .*thirteen", out), out


def test_times_as_texts(case):
    """A point in time reads the same wherever it becomes a text: in the job's zone."""
    case.write("shown.lua", """\
        local luaduct = require "luaduct"
        local noon = luaduct.time.from_epoch_ms(1706702400000)
        return {process = function(batch)
          batch:set("joined", "at " .. batch.at)
          batch:set("both", batch.at .. "/" .. noon)
          batch:set("cast", batch.at:cast("string"))
          batch:map({"at"}, {"printed string"}, function(at) return at and tostring(at) end)
        end}
        """)
    cases = """\
        time_zone: Asia/Shanghai
        stage: {options: {}}
        fields: {at: timestamp}
        cases:
          - name: one text
            rows: [{at: "2024-01-31T16:30:00.5Z"}, {at: null}]
            expect:
              - joined: at 2024-02-01 00:30:00.500
                both: 2024-02-01 00:30:00.500/2024-01-31 20:00:00
                cast: 2024-02-01 00:30:00.500
                printed: 2024-02-01 00:30:00.500
              - {joined: null, both: null, cast: null, printed: null}
        """
    case.write("shown.test.yaml", cases)
    status, out, err = case.run(case.folder)
    assert status == 0, out + err
    case.write("shown.test.yaml", cases.replace("        time_zone: Asia/Shanghai\n", ""))
    status, out, err = case.run(case.folder)
    assert status == 2 and "shown.lua:6: bad argument #1 to 'cast' (this takes a time zone, and the job names none" in err, out + err


def test_coverage(case):
    case.write("helper.lua", "local h = {}\nfunction h.used() return 1 end\nfunction h.unused()\n  return 2\nend\nreturn h\n")
    case.write("s.lua", """\
        local helper = require "helper"
        local stage = {}
        function stage.process(batch)
          if batch:count() > 100 then
            helper.unused()
            batch:remove("id")
          end
          helper.used()
        end
        return stage
        """)
    case.write("s.test.yaml", "cases: [{name: a, rows: [{id: 1}], expect: [{id: 1}]}]\n")
    status, out, err = case.run(case.folder, "--coverage")
    assert status == 0 and re.search(r"/s\.lua +9 +7 +77\.8%  5-6\n", out) and re.search(r"/helper\.lua +6 +5 +83\.3%  4\n", out), out + err
    assert re.search(r"^all +15 +12 +80\.0%$", out, re.M), out
    status, out, err = case.run(case.folder, "--coverage-min", "80")
    assert status == 0, err
    status, out, err = case.run(case.folder, "--coverage-min", "80.1%")
    assert status == 1 and "80.0% of the lines were hit, fewer than 80.1%" in err, err
    found = json.loads(case.run(case.folder, "--coverage", "--json")[1])["coverage"]
    assert found["lines"] == 15 and [pathlib.Path(f["file"]).name for f in found["files"]] == ["s.lua", "helper.lua"] and found["files"][0]["not_hit"] == [5, 6]


def test_a_table_that_is_there(orders):
    """create: never: columns come from table:, else the fields of the last stage are compared."""
    job = (orders.folder / "orders.yaml").read_text()
    job = re.sub(r"  create: if_missing\n  columns:.*?(?=  partition:)", "", job, flags=re.S)
    orders.write("orders.yaml", job)
    record = '{value: {id: 300, user: u, phone: "1", email: "", ts: 1700000000000, amount: "900.00", city: c, flag: true}}'
    orders.write("orders.test.yaml", f"""\
        cases:
          - name: fields and partition
            input: [{record}]
            expect: [{{id: 300, flag: true, partition: "year=2023,month=11,day=15"}}]
        """)
    status, out, err = orders.run(orders.folder / "orders.yaml")
    assert status == 0, out + err
    orders.write("orders.test.yaml", f"""\
        table: {{id: tinyint, at: datetime, level: varchar(3)}}
        cases:
          - name: too small
            input: [{record}]
            expect: []
            expect_dirty: [{{stage: mapping, column: id, reason: out of the range of TINYINT}}]
        """)
    status, out, err = orders.run(orders.folder / "orders.yaml")
    assert status == 0, out + err
    orders.write("orders.test.yaml", f"table: {{id: tinint}}\ncases: [{{name: a, input: [{record}], expect: []}}]\n")
    status, out, err = orders.run(orders.folder / "orders.yaml")
    assert status == 2 and "orders.test.yaml:1:13" in err and "TINYINT" in err.upper(), err


def test_a_sample_file(orders):
    """What `luaduct sample` took, as it is."""
    value = json.dumps({"id": 1, "user": "u", "phone": "1", "email": "", "ts": 1700000000000, "amount": "900.00", "city": "c", "flag": True})
    (orders.folder / "a.sample").write_text("".join(json.dumps({"value": v, "partition": p}) + "\n" for v, p in [(value, 0), (value, 1), ("{", 0), (value, 0)]))
    orders.write("orders.test.yaml", """\
        cases:
          - {name: all but one, sample: a.sample, expect: [{id: 1}, {id: 1}, {id: 1}], expect_dirty: [{input: 3, stage: parse}]}
        """)
    status, out, err = orders.run(orders.folder / "orders.yaml", "--case", "all but one")
    assert status == 0, out + err
    orders.write("orders.test.yaml", "cases:\n- {name: a, sample: b.sample, input: [], expect: []}\n")
    status, out, err = orders.run(orders.folder / "orders.yaml")
    assert status == 2 and "orders.test.yaml:2:21" in err and "b.sample cannot be read" in err and "leave the others out" in err, err
    (orders.folder / "a.sample").write_text('{"vlaue": "a"}\n')
    orders.write("orders.test.yaml", "cases:\n- {name: a, sample: a.sample, expect: []}\n")
    status, out, err = orders.run(orders.folder / "orders.yaml")
    assert status == 2 and "a.sample:1:2" in err and 'did you mean "value"?' in err, err


def test_what_scripts_print(case):
    """Only when asked for, and then line by line, once."""
    case.write("s.lua", "local stage = {}\nfunction stage.process(batch)\n  for row in batch:rows() do print('row', row.id // 2) end\nend\nreturn stage\n")
    rows = ", ".join(f"{{id: {i}}}" for i in range(40))
    case.write("s.test.yaml", f"cases: [{{name: a, rows: [{rows}], expect_filtered: 0}}]\n")
    status, out, err = case.run(case.folder)
    assert status == 0 and err == "", out + err
    status, out, err = case.run("--log", case.folder)
    assert status == 0 and re.findall(r"row \d+", err) == [f"row {i // 2}" for i in range(40)] and "like this" not in err, err


def test_a_job_and_its_lua_file_of_one_name(orders):
    """The file beside both is the job's, and runs once."""
    orders.write("orders.lua", (EXAMPLES / "split_name.lua").read_text().replace('or "name"', 'or "user"'))
    job = orders.folder / "orders.yaml"
    job.write_text(re.sub("      (minimum|silver|gold): .*\n", "", job.read_text()).replace("    options:\n", "")
                   .replace("level_by_amount.lua", "orders.lua").replace("- {name: level,  type: STRING}", "- {name: last_name, type: STRING}"))
    orders.write("orders.test.yaml", """\
        cases:
          - {name: a, input: [{value: {id: 1, user: A B, phone: "1", email: "", ts: 1, amount: "9.00", city: c, flag: true}}], expect: [{last_name: B}]}
        """)
    status, out, err = orders.run(job)
    assert status == 0 and "1 case: 1 passed, 0 failed" in out, out + err


def test_where_files_are_found(orders):
    status, out, err = orders.run(orders.folder / "orders.yaml")
    assert status == 2 and out == "" and "there is no" in err and "orders.test.yaml" in err and "luaduct help test" in err, err
    shutil.copy(EXAMPLES / "level_by_amount.test.yaml", orders.folder)
    status, out, err = orders.run(orders.folder / "orders.yaml")  # the file beside the job's Lua file
    assert status == 0 and re.search(r"^(\d+) cases: \1 passed", out, re.M), out + err
    (orders.folder / "below").mkdir()
    shutil.copy(EXAMPLES / "split_name.lua", orders.folder / "below")
    shutil.copy(EXAMPLES / "split_name.test.yaml", orders.folder / "below")
    (orders.folder / ".hidden").mkdir()
    orders.write(".hidden/x.test.yaml", "no: yaml: this")
    status, out, err = orders.run(orders.folder)
    assert status == 0 and re.search(r"^(\d+) cases: \1 passed", out, re.M) and out.index("below/split_name") < out.index("level_by_amount"), out + err
    empty = orders.folder / "empty"
    empty.mkdir()
    status, out, err = orders.run(empty)
    assert status == 2 and "there is no file *.test.yaml" in err
    status, out, err = orders.run("/nowhere/x.yaml")
    assert status == 2 and "/nowhere/x.yaml" in err
    status, out, err = orders.run("--cover")
    assert status == 2 and 'did you mean "--coverage"?' in err
    status, out, err = orders.run("--coverage-min", "101")
    assert status == 2 and "from 0 to 100" in err
