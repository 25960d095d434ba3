"""luaduct infer: from a sample file to a job that takes its records."""
import json
import re

import pytest

from support.agent import Process


def infer(folder, *arguments):
    infer.runs += 1
    process = Process(folder / f".run{infer.runs}", "infer", *arguments)
    return process.wait(60), process.out.read_text(), process.stderr()


infer.runs = 0


def sample(path, *values, topic=None):
    lines = [json.dumps({"luaduct_sample": 1, "topic": topic})] if topic else []
    path.write_text("\n".join(lines + [json.dumps(v if isinstance(v, dict) and "value" in v else {"value": json.dumps(v)}) for v in values]) + "\n")
    return path


JOB = """\
name: j
time_zone: Asia/Shanghai
source: {kafka: k, topic: t%s}
stages:
  - name: parse
    kind: json
%s
target: {maxcompute: m, table: t, create: if_missing}
"""


def test_pasted_into_a_job(tmp_path):
    """What is printed goes below the kind of a stage as it is; the job then takes every record of the sample."""
    records = [{"id": n, "amount": f"{n}.50", "at": "2024-01-31 08:00:00", "user": {"name": "Ada", "tags": ["a"] * (n % 3)}, "mixed": n if n % 2 else "x",
                "odd name": True if n % 5 else None} for n in range(1, 31)]
    path = sample(tmp_path / "s.sample", *records, topic="t")
    job = tmp_path / "job.yaml"
    job.write_text(JOB % ("", "    columns: [{name: x, path: $.x, type: json}]"))
    status, out, err = infer(tmp_path, path, "--job", job)
    assert status == 0 and err == "", err
    job.write_text(JOB % ("", "    from: __value__"))  # as a person would begin: check points here, and infer takes the job as it is
    (tmp_path / "datasources.yaml").write_text("kafka: {k: {brokers: b:1}}\nmaxcompute: {m: {endpoint: http://e/api, project: p, access_id: i, access_key: k}}\n")
    check = Process(tmp_path / ".check", "check", job)
    assert check.wait(60) == 2 and "`luaduct infer` proposes them from a sample" in check.stderr(), check.stderr()
    assert infer(tmp_path, path, "--job", job) == (0, out, "")
    for line, comment in [("{name: id, path: $.id, type: bigint}", "always there, required: true would hold; e.g. 1"),
                          ('{name: amount, path: $.amount, type: "decimal(18,2)"}', 'decimals as texts; .*e.g. "1.50"'),
                          ("{name: at, path: $.at, type: datetime}", ""), ("{name: user_name, path: $.user.name, type: string}", ""),
                          ("{name: user_tags, path: $.user.tags, type: json}", "0 to 2 elements"),
                          ("{name: mixed, path: $.mixed, type: json}", "of different kinds: 15 texts, 15 numbers"),
                          ("{name: odd_name, path: \"$['odd name']\", type: boolean}", "6 null")]:
        assert re.search(rf"^      - {re.escape(line)} +# .*{comment}", out, re.M), (line, out)
    job.write_text(JOB % ("", out))
    rows = "\n".join(f"      - {{value: {json.dumps(json.dumps(r))}}}" for r in records)
    (tmp_path / "job.test.yaml").write_text(f"cases:\n  - name: the sample\n    input:\n{rows}\n    expect_filtered: 0\n    expect_dirty: []\n")
    process = Process(tmp_path / ".test", "test", job)
    assert process.wait(60) == 0 and "1 case: 1 passed" in process.out.read_text(), process.out.read_text() + process.stderr()


def test_other_fields(tmp_path):
    """Keys, decoded records, and a field that comes out of a stage."""
    path = sample(tmp_path / "s.sample", {"value": "x", "key": '{"k": 1}'}, {"value": "y", "key": None})
    status, out, err = infer(tmp_path, path, "--field", "__key__")
    assert status == 0 and "    from: __key__\n" in out and "path: $.k, type: bigint" in out and "1 of 2 records is null" in out, out + err
    status, out, err = infer(tmp_path, path, "--field", "__kye__")
    assert status == 2 and 'did you mean "__key__"? the fields are: ' in err
    status, out, err = infer(tmp_path, path, "--field", "payload")
    assert status == 2 and re.search('there is no field "payload"; the fields are: .*__key__', err)
    status, out, err = infer(tmp_path, path, "--field", "__offset__")
    assert status == 2 and "is bigint" in err

    job = tmp_path / "job.yaml"
    job.write_text(JOB % (", decode: {kind: json_lines}", "    columns: [{name: payload, path: $.payload, type: string}]"))
    path = sample(tmp_path / "lines.sample", {"value": '{"payload": "{\\"a\\": 1}"}\n{"payload": "{\\"a\\": 2.5}"}'})
    status, out, err = infer(tmp_path, path, "--job", job)
    assert status == 0 and ": 2 records" in out and "path: $.payload, type: string" in out, out + err
    job.write_text(job.read_text().replace("target:", "  - {name: inner, kind: json, from: payload, columns: [{name: x, path: $.x, type: json}]}\ntarget:"))
    status, out, err = infer(tmp_path, path, "--job", job, "--stage", "inner", "--field", "payload")
    assert status == 0 and "    from: payload\n" in out and 'path: $.a, type: "decimal(18,2)"' in out, out + err
    status, out, err = infer(tmp_path, path, "--job", job, "--stage", "iner")
    assert status == 2 and 'did you mean "inner"?' in err


def test_an_error_that_quotes_a_record_drives_no_terminal(tmp_path):
    path = sample(tmp_path / "s.sample", {"value": "\x1b]0;title\x07"}, topic="t")
    (tmp_path / "own.lua").write_text("return {process = function(batch) for row in batch:rows() do error(row.__value__) end end}")
    job = tmp_path / "job.yaml"
    job.write_text((JOB % ("", "    columns: [{name: x, path: $.x, type: json}]")).replace(
        "stages:", "stages:\n  - {name: own, kind: lua, file: own.lua, when_error: stop}"))
    status, out, err = infer(tmp_path, path, "--job", job, "--stage", "parse")
    assert status == 1 and "\x1b" not in out + err and "own.lua:1: \\x1b]0;title\\x07" in err, err


def test_records_that_are_no_objects(tmp_path):
    path = sample(tmp_path / "s.sample", [{"a": 1}, {"a": None}], [])
    status, out, err = infer(tmp_path, path)
    assert status == 0 and "    expand: $\n" in out and '{name: a, path: "@.a", type: bigint}' in out, out + err
    path = sample(tmp_path / "m.sample", {"a": 1}, 5, [1], {"value": "{"}, {"value": None})
    status, out, err = infer(tmp_path, path, "--json")
    found = json.loads(out)
    assert {k: found[k] for k in ("records", "objects", "arrays", "scalars", "not_json", "null")} == \
        {"records": 5, "objects": 1, "arrays": 1, "scalars": 1, "not_json": 1, "null": 1} and len(found["notes"]) == 4
    assert found["columns"][0]["name"] == "a" and found["columns"][0]["type"] == "bigint" and found["columns"][0]["integers"] == 1
    path = sample(tmp_path / "n.sample", {"value": "x"})
    status, out, err = infer(tmp_path, path)
    assert status == 1 and out == "" and "no record of" in err


@pytest.mark.parametrize("arguments, said", [
    ([], "which sample?"),
    (["a", "b"], '"b" is not understood'),
    (["a", "--stage", "x"], "--stage wants --job"),
    (["/nowhere"], "/nowhere: "),
])
def test_command_line(tmp_path, arguments, said):
    status, out, err = infer(tmp_path, *arguments)
    assert status == 2 and said in err and out == "", err


def test_a_sample_of_another_topic(tmp_path):
    path = sample(tmp_path / "s.sample", {"a": 1}, topic="other")
    job = tmp_path / "job.yaml"
    job.write_text(JOB % ("", "    columns: [{name: x, path: $.x, type: json}]"))
    status, out, err = infer(tmp_path, path, "--job", job)
    assert status == 2 and "is a sample of topic other" in err
    path.write_text('{"vlaue": "a"}\n')
    status, out, err = infer(tmp_path, path)
    assert status == 2 and "s.sample:1:2" in err and 'did you mean "value"?' in err
