"""Scripts of tests/hostile in a job with a real broker: the job goes on, stops or is ended, as their first lines say, and no record is lost."""
import json
import os
import re

import pytest

from support.agent import ROOT, run_job, write_job

JOB = """\
name: {name}
source: {{kafka: k, topic: {name}}}
stages:
  - {{name: hostile, kind: lua, file: {script}, when_error: {rule}}}
target: {{maxcompute: m, table: {name}, create: if_missing, columns: [{{name: value, type: string, from: __value__}}]}}
dirty: {{directory: dirty}}
failover: {{max: {restarts}, window: 30m}}
runtime: {{workers: {workers}, flush_interval: 500ms, lua: {{memory_max: 8MiB, instructions_max: 1000000}}}}
"""
BUDGET = "more than 1000000 instructions for one batch"


def run(broker, endpoint, folder, name, script, workers=1, rule="dirty", restarts=0, arguments=(), env=None):
    broker.create_topic(name, 1)
    broker.produce(name, [b"value %d" % i for i in range(20)], partitions=1)
    job = JOB.format(name=name, script=ROOT / "tests/hostile" / f"{script}.lua", workers=workers, rule=rule, restarts=restarts)
    path = write_job(folder, broker.address, endpoint.url, job)
    return run_job(path, *arguments, env=env)


def dirty(folder):
    return [json.loads(line) for f in (folder / "dirty").glob("*.ndjson") for line in f.read_text().splitlines()]


@pytest.mark.parametrize("script,workers,text", [("loop_rows", 1, r"loop_rows\.lua:\d+: " + BUDGET), ("memory_tables", 1, "out of its memory limit of 8 MiB"),
                                                 ("escape_os", 1, "attempt to call a nil value"), ("error_table", 1, "error without a text"),
                                                 ("pattern_catastrophe", 0, r"pattern_catastrophe\.lua:\d+: " + BUDGET),
                                                 ("pattern_catastrophe_gsub", 1, r"pattern_catastrophe_gsub\.lua:\d+: " + BUDGET)])
def test_the_job_goes_on(broker, endpoint, tmp_path, name, script, workers, text):
    status, stderr = run(broker, endpoint, tmp_path, name, script, workers=workers, arguments=["--records", "20"])
    assert status == 0, stderr
    assert "read=20 written=0 filtered=0 dirty=20" in stderr, stderr
    rows = dirty(tmp_path)
    assert [r["offset"] for r in rows] == list(range(20)) and {r["stage"] for r in rows} == {"hostile"}
    assert all(re.search(text, r["reason"]) for r in rows), rows
    assert [r["value"] for r in rows] == ["value %d" % i for i in range(20)]


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("script,rule,text", [("loop_rows", "stop", r"stage hostile: partition 0 offset \d+: loop_rows\.lua:\d+: " + BUDGET),
                                              ("column_arena_texts", "dirty", r"stage hostile: column_arena_texts\.lua:\d+: the batch needs more memory than a batch may use")])
def test_the_job_stops(broker, endpoint, tmp_path, name, workers, script, rule, text):
    status, stderr = run(broker, endpoint, tmp_path, name, script, workers=workers, rule=rule, restarts=3)
    assert status == 1, stderr
    assert re.search(r"the job failed: partition 0 offsets \d+\.\.\d+: (?:%s)" % text, stderr), stderr
    assert endpoint.rows(name) == [] and dirty(tmp_path) == []


def test_the_watch_over_workers(broker, endpoint, tmp_path, name):
    """A file that nobody writes to keeps the worker in a call of the system, where no budget ends. One restart, then the budget of restarts is spent."""
    os.mkfifo(tmp_path / "pipe.lua")
    (tmp_path / "waiting.lua").write_text("local name = 'pipe' return {process = function(batch) if batch:count() > 0 then require(name) end end}")
    status, stderr = run(broker, endpoint, tmp_path, name, tmp_path / "waiting", restarts=1, env={"LUADUCT_STUCK_MS": "1500"})
    assert status == 1, stderr
    assert stderr.count("the job failed: stage hostile has not come back for 1 s and cannot be stopped from outside") == 2, stderr
    assert endpoint.rows(name) == [] and dirty(tmp_path) == []


def test_check_finds_it(broker, endpoint, tmp_path, name):
    """What a script does without any row is found before the job runs."""
    for script, text in (("loop_always", BUDGET), ("loop_body", BUDGET), ("loop_open", BUDGET), ("pattern_catastrophe_body", BUDGET)):
        status, stderr = run(broker, endpoint, tmp_path / script, "%s_%s" % (name, script), script)
        assert status == 2 and re.search(r"stage hostile: %s\.lua:\d+: %s" % (script, text), stderr), stderr
