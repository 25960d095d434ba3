"""New code while records flow, from a real broker with exactly_once: nothing is lost or doubled, whatever the code does. The judge is that of
test_exactly_once.py, and PyODPS reads the table back. LUADUCT_RELOADS=1000 makes the long run of it."""
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import urllib.request

import pytest

from support.agent import binary
from support.broker import free_port
from support.exact import Job

RELOADS = int(os.environ.get("LUADUCT_RELOADS", "30"))
KEEP = "batch:keep(batch.skip:is_null())"
GOOD = "-- %d\nlocal rows = 0\nreturn {process = function(batch) " + KEEP + " rows = rows + batch:count() end,\n" \
       "  open = function(ctx) rows = ctx.saved or 0 end, save = function() return rows end}\n"
BROKEN = {
    "syntax": ("return {process = function(batch", "keep.lua:1"),
    "field": ("return {process = function(batch) batch:keep(batch.skipp:is_null()) end}", 'did you mean "skip"'),
    "error": ("return {process = function(batch) if batch:count() > 0 then error('\\27[31mbroken') end end}", r"\x1b[31mbroken"),
    "endless": ("return {process = function(batch) while batch:count() > 0 do end end}", "is there an endless loop"),
    "memory": ("return {process = function(batch) local t = {} while batch:count() > 0 do t[#t + 1] = ('x'):rep(1000000) .. #t end end}",
               "memory limit"),
    "dirty": ("return {process = function(batch) for row in batch:rows() do row:dirty('no') end end}", "would become dirty"),
}
# pipe.lua is a pipe that nobody writes to; a computed name is read where it is required.
HANGING = "-- %d\nlocal name = 'pipe' return {process = function(batch) if batch:count() > 0 then require(name) end end}"
LATE_DIRTY = """local rows = 0
return {process = function(batch)
  rows = rows + batch:count()
  for row in batch:rows() do
    if rows > 8000 then row:dirty("late") end
  end
end}
"""
TEN_THOUSANDTH = """local rows = 0
return {process = function(batch)
  %s
  for row in batch:rows() do
    rows = rows + 1
    if rows == 10000 then error("the 10,000th row") end
  end
end}
""" % KEEP


class Reloaded:
    """A job of two workers under load, and its counters."""

    def __init__(self, job, port, env=None):
        self.job, self.port, self.env = job, port, env or {}
        self.stop = threading.Event()
        self.loader = threading.Thread(target=self.load)
        self.folder = job.folder / "one"

    def load(self):
        while not self.stop.is_set():
            self.job.produce(1000)
            self.stop.wait(0.02 if RELOADS < 100 else 0.1)

    def __enter__(self):
        self.job.produce(1000)
        with pytest.MonkeyPatch.context() as patch:
            for key, value in self.env.items():
                patch.setenv(key, value)
            self.process = self.job.start(arguments=())  # under the parent, which passes signals on
        self.process.wait_for(lambda: self.counter("processed_records_total") > 0, what="the first records")
        self.loader.start()
        return self

    def __exit__(self, *_why):
        self.stop.set()
        if self.loader.is_alive():
            self.loader.join()

    def counter(self, name, label=r"[^}]*"):
        try:
            page = urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5).read().decode()
        except OSError:
            return -1.0
        found = re.search(r"^luaduct_%s\{%s\} (\S+)$" % (name, label), page, re.M)
        return float(found.group(1)) if found else -1.0

    def waits(self, stop, found):
        """What the longest waits of batches for a worker were, in ms, until `stop` is set."""
        while not stop.wait(0.25):
            found.append(1000 * self.counter("batch_wait_seconds"))

    def results(self, result):
        return self.counter("reloads_total", r'[^}]*result="%s"' % result)

    def version(self):
        page = urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5).read().decode()
        return re.search(r'^luaduct_code_version\{.*version="([0-9a-f]{12})"\} 1$', page, re.M).group(1)

    def write(self, text, name="keep.lua"):
        """As an editor does it."""
        (self.folder / "new").write_text(text)
        os.replace(self.folder / "new", self.folder / name)

    def reload(self, *arguments):
        done = subprocess.run([binary(), "reload", self.folder / "job.yaml", *arguments], capture_output=True, text=True, timeout=150)
        return done.returncode, done.stdout + done.stderr

    def end(self):
        self.stop.set()
        self.loader.join()
        self.job.wait_all_read(self.process, 120)
        assert self.process.terminate() == 0
        self.job.verify()
        return sorted(row["n"] for row in self.job.endpoint.rows(self.job.table))


@pytest.fixture
def reloaded(broker, endpoint, tmp_path, name, request):
    port = free_port()
    more = f"metrics: {{listen: '127.0.0.1:{port}'}}\n{getattr(request, 'param', 'reload: {watch: false}')}"
    with Job(tmp_path, broker, endpoint, name, session_ms=6000, more=more) as job:
        job.text = job.text.replace("workers: 1", "workers: 2")
        with Reloaded(job, port) as reloaded:
            yield reloaded


def figures(values):
    values = sorted(values)
    return "%.0f ms (median), %.0f ms (99 of 100), %.0f ms (most)" % (values[len(values) // 2], values[len(values) * 99 // 100], values[-1])


def test_reloads_under_load(reloaded):
    swaps, before, during, stop = [], [], [], threading.Event()
    threading.Timer(RELOADS / 10, stop.set).start()
    reloaded.waits(stop, before)
    stop.clear()
    watch = threading.Thread(target=reloaded.waits, args=(stop, during))
    watch.start()
    for i in range(RELOADS):
        version = reloaded.version()
        reloaded.write(GOOD % i)
        status, text = reloaded.reload()
        assert status == 0 and version in text and reloaded.version() in text, text
        swaps.append(1000 * reloaded.counter("swap_seconds"))
    stop.set()
    watch.join()
    numbers = reloaded.end()
    assert len(numbers) == len(set(numbers)) and len(set(numbers)) > 0
    assert "taken back" not in reloaded.process.stderr()
    print("\n%d reloads, %d records\na worker stood still for a swap: %s\nthe longest waits of batches for a worker, before: %s; during: %s"
          % (RELOADS, reloaded.job.numbers, figures(swaps), figures(before), figures(during)))


def test_broken_code_under_load(reloaded):
    version = reloaded.version()
    for kind, (code, reason) in BROKEN.items():
        reloaded.write(code)
        status, text = reloaded.reload()
        assert status == 1 and "refused, the code before goes on until a restart: " in text and reason in text, (kind, text)
        assert reloaded.version() == version
    assert reloaded.results("refused") == len(BROKEN)
    assert reloaded.results("accepted") == 0

    # The trial cannot find this one.
    reloaded.write(TEN_THOUSANDTH)
    status, text = reloaded.reload()
    assert status == 0, text
    reloaded.process.wait_for(lambda: reloaded.results("reverted") == 1, what="the way back")
    assert reloaded.version() == version
    assert "the 10,000th row" in reloaded.process.stderr()
    reloaded.end()


def test_dirty_rows_tell_the_code(reloaded):
    """--force takes code with which more rows become dirty; their lines name it."""
    reloaded.write("return {process = function(batch) %s batch:dirty(batch.n:eq(batch.n // 50 * 50), 'every fiftieth') end}" % KEEP)
    status, text = reloaded.reload()
    assert status == 1 and "--force" in text, text
    status, text = reloaded.reload("--force")
    assert status == 0, text
    version = reloaded.version()
    reloaded.process.wait_for(lambda: reloaded.counter("dirty_rows_total") > 100, what="dirty rows")
    lines = [json.loads(line) for file in reloaded.folder.glob("dirty/*.ndjson") for line in file.read_text().splitlines(True) if line.endswith("\n")]
    told = {line["code"] for line in lines if line["reason"].startswith("every fiftieth")}
    assert told == {version}
    assert reloaded.process.terminate() == 0


def test_its_cases_run_first(reloaded):
    """Code that a case beside it does not agree with is refused, with the case and its place."""
    (reloaded.folder / "keep.test.yaml").write_text("fields: {n: bigint, skip: boolean}\ncases:\n  - name: rows to skip\n"
                                                    "    rows: [{n: 1}, {n: 2, skip: true}]\n    expect: [{n: 1}]\n")
    version = reloaded.version()
    reloaded.write("return {process = function(batch) batch:keep(batch.n:gt(0)) end}\n")
    status, text = reloaded.reload()
    assert status == 1 and "refused" in text and 'a test case fails: ' in text and 'keep.test.yaml:5:13: case "rows to skip": expected no row, got {n: 2, skip: true}' in text, text
    assert reloaded.version() == version
    reloaded.write(GOOD % 1)
    status, text = reloaded.reload()
    assert status == 0 and reloaded.version() != version, text
    reloaded.end()


def test_keys_that_need_a_restart(reloaded):
    """Nothing of such a job file is taken, and the answer says which keys they are; signal HUP does as the command."""
    path = reloaded.folder / "job.yaml"
    text = path.read_text()
    version = reloaded.version()
    reloaded.write(GOOD % 1)
    path.write_text(text.replace("flush_interval: 200ms", "flush_interval: 300ms").replace("log: {level: debug}", "log: {level: warn}"))
    status, said = reloaded.reload()
    assert status == 1 and "runtime.flush_interval cannot be changed while the job runs" in said and "log.level" not in said, said
    assert reloaded.version() == version
    path.write_text(text.replace("log: {level: debug}", "log: {level: info}\ndirty: {max: 1000000}"))
    reloaded.process.process.send_signal(signal.SIGHUP)
    reloaded.process.wait_for(lambda: reloaded.results("accepted") == 1, what="the signal's reload")
    status, said = reloaded.reload()
    assert status == 0 and "nothing has changed" in said, said
    reloaded.end()


@pytest.mark.parametrize("reloaded", ["reload: {watch: true, probation: 0s}"], indirect=True)
def test_files_are_watched(reloaded):
    """A stage that requires a file; the file changes, and then the stage, by two writes with a pause in which it is broken."""
    reloaded.write("return function(batch) %s end -- 1\n" % KEEP, "helper.lua")
    reloaded.write("local keep = require('helper')\nreturn {process = function(batch) keep(batch) end}\n")
    reloaded.process.wait_for(lambda: reloaded.results("accepted") == 1, what="the stage")
    first = reloaded.version()
    reloaded.write("return function(batch) %s end -- 2\n" % KEEP, "helper.lua")
    reloaded.process.wait_for(lambda: reloaded.results("accepted") == 2, what="the file that it requires")
    assert reloaded.version() != first
    (reloaded.folder / "helper.lua").unlink()
    reloaded.process.wait_for(lambda: reloaded.results("refused") == 1, what="the missing file")
    reloaded.write("return function(batch) %s end -- 3\n" % KEEP, "helper.lua")
    reloaded.process.wait_for(lambda: reloaded.results("accepted") == 3, what="its return")
    reloaded.end()


def release(reloaded, number):
    """The folder's next contents in a folder of its own, to which the link is switched. The process' output stays where it is."""
    top, new = reloaded.job.folder, reloaded.job.folder / f"release{number}"
    new.mkdir()
    for file in ("job.yaml", "datasources.yaml"):
        shutil.copy(reloaded.folder / file, new)
    (new / "keep.lua").write_text(GOOD % number)
    (new / "run0").symlink_to(top / "release1" / "run0")
    (top / "next").symlink_to(new.name)
    os.replace(top / "next", reloaded.folder)


def test_a_switched_link(broker, endpoint, tmp_path, name):
    """The job is started by a path through a link. When that points to another release, the watch takes it, and the same path finds the
    process."""
    port = free_port()
    (tmp_path / "release1").mkdir()
    (tmp_path / "one").symlink_to("release1")
    more = f"metrics: {{listen: '127.0.0.1:{port}'}}\nreload: {{watch: true, probation: 0s}}"
    with Job(tmp_path, broker, endpoint, name, session_ms=6000, more=more) as job, Reloaded(job, port) as reloaded:
        first = reloaded.version()
        release(reloaded, 2)
        reloaded.process.wait_for(lambda: reloaded.results("accepted") == 1, what="the second release")
        second = reloaded.version()
        release(reloaded, 3)
        status, text = reloaded.reload()
        assert status == 0 and text.count("process ") == 1, text
        assert len({first, second, reloaded.version()}) == 3
        reloaded.end()


def test_a_trial_that_does_not_come_back(broker, endpoint, tmp_path, name):
    """It waits for a file in the system: the job goes on, says so, takes other code, and ends in order when it is asked to. The fourth
    such trial is the last one."""
    port = free_port()
    with Job(tmp_path, broker, endpoint, name, session_ms=6000, more=f"metrics: {{listen: '127.0.0.1:{port}'}}\nreload: {{watch: false}}") as job:
        with Reloaded(job, port, {"LUADUCT_STUCK_MS": "4000"}) as reloaded:
            os.mkfifo(reloaded.folder / "pipe.lua")
            for stuck in range(3):
                reloaded.write(HANGING % (2 * stuck))
                status, said = reloaded.reload()
                assert status == 1 and "does not come back from being tried" in said and "other code is taken as before" in said, said
                reloaded.write(GOOD % (2 * stuck + 1))
                assert reloaded.reload()[0] == 0
                assert (reloaded.results("refused"), reloaded.results("accepted")) == (stuck + 1, stuck + 1)
            written = reloaded.counter("written_rows_total")
            reloaded.process.wait_for(lambda: reloaded.counter("written_rows_total") > written, what="more rows")
            reloaded.write(HANGING % 6)
            reloaded.process.process.send_signal(signal.SIGHUP)
            reloaded.process.wait_for(lambda: "not taken before the job is started again" in reloaded.process.stderr(), what="the last one's line")
            reloaded.end()


def test_a_stuck_trial_is_no_reason_for_a_restart(broker, endpoint, tmp_path, name):
    """What needs a person ends the job, whatever a trial does at that time."""
    port = free_port()
    more = f"metrics: {{listen: '127.0.0.1:{port}'}}\nreload: {{watch: false}}\ndirty: {{max: 20000}}"
    with Job(tmp_path, broker, endpoint, name, session_ms=6000, more=more) as job:
        with Reloaded(job, port, {"LUADUCT_STUCK_MS": "4000"}) as reloaded:
            os.mkfifo(reloaded.folder / "pipe.lua")
            reloaded.write(HANGING % 0)
            assert "does not come back from being tried" in reloaded.reload()[1]
            reloaded.write(LATE_DIRTY)
            status, said = reloaded.reload()
            assert status == 0, said
            assert reloaded.process.wait(90) == 1
            assert "more than dirty.max" in reloaded.process.stderr() and "is restarted" not in reloaded.process.stderr()


def test_no_process(tmp_path):
    (tmp_path / "job.yaml").write_text("name: j\n")
    done = subprocess.run([binary(), "reload", tmp_path / "job.yaml"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "no process of this user runs" in done.stderr
    done = subprocess.run([binary(), "reload", tmp_path / "other.yaml"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and "there is no file" in done.stderr
