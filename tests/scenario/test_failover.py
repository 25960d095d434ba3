"""The small parent of `luaduct run`: what may heal is restarted within a budget, what cannot is not, and signals reach the job once."""
import os
import pathlib
import pty
import re
import signal
import time

import pytest

from support import jobs
from support.agent import Process, binary, write_job

from test_failures import committed, produce, start, verify


def child(process):
    """The pid of the job's process, or None while there is none."""
    try:
        found = pathlib.Path(f"/proc/{process.process.pid}/task/{process.process.pid}/children").read_text().split()
    except FileNotFoundError:
        return None
    return int(found[0]) if found else None


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def kill_child(process, number=signal.SIGKILL):
    """Kills the job's process, and returns how many restarts were told before."""
    process.wait_for(lambda: child(process), what="the job's process")
    told = process.stderr().count("is restarted in")
    os.kill(child(process), number)
    return told


def test_a_killed_job_is_restarted(broker, endpoint, tmp_path, name):
    broker.create_topic(name)
    produce(broker, name, 0, 5000)
    path, process = start(tmp_path, broker, endpoint.url, name, flush="200ms")
    process.wait_for(lambda: committed(broker, "luaduct-" + name, name) == 5000, what="the first part")
    first = child(process)
    told = kill_child(process)
    produce(broker, name, 5000, 5000)
    process.wait_for(lambda: process.stderr().count("is restarted in") > told, what="the line about the restart")
    assert "killed by signal 9" in process.stderr() and "restart 1 of at most 3 within 30m" in process.stderr(), process.stderr()
    process.wait_for(lambda: committed(broker, "luaduct-" + name, name) == 10000, timeout=90, what="the second part")
    assert child(process) != first
    assert process.terminate() == 0, process.stderr()
    print("duplicates after a kill:", verify(endpoint, name, 10000))


def test_a_crashed_job_is_restarted(broker, endpoint, tmp_path, name):
    """A sanitizer turns SIGSEGV into an exit status of its own; SIGABRT it leaves alone."""
    broker.create_topic(name)
    path, process = start(tmp_path, broker, endpoint.url, name, flush="200ms")
    process.wait_for(lambda: "partitions assigned" in process.stderr(), what="the partitions")
    kill_child(process, signal.SIGABRT)
    process.wait_for(lambda: process.stderr().count("job runs") == 2, what="the second start")
    assert "killed by signal 6" in process.stderr()
    assert process.terminate() == 0, process.stderr()


def test_the_job_dies_with_its_parent_and_a_new_run_goes_on(broker, endpoint, tmp_path, name):
    broker.create_topic(name)
    produce(broker, name, 0, 5000)
    path, process = start(tmp_path, broker, endpoint.url, name, flush="200ms")
    process.wait_for(lambda: committed(broker, "luaduct-" + name, name) == 5000, what="the first part")
    pid = child(process)
    process.kill()
    deadline = time.monotonic() + 10
    while alive(pid):
        assert time.monotonic() < deadline, "the job outlives its parent"
        time.sleep(0.02)
    produce(broker, name, 5000, 5000)
    process = Process(tmp_path / "again", "run", path)
    process.wait_for(lambda: committed(broker, "luaduct-" + name, name) == 10000, timeout=90, what="the second part")
    assert process.terminate() == 0, process.stderr()
    verify(endpoint, name, 10000)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["term", "int"])
def test_a_signal_to_the_parent_drains(broker, endpoint, tmp_path, name, number):
    name += str(int(number))
    broker.create_topic(name)
    produce(broker, name, 0, 3000)
    path, process = start(tmp_path, broker, endpoint.url, name, flush="60s")
    process.wait_for(lambda: all(m for _, m in broker.committed("luaduct-" + name, name).values()), what="the anchors")
    pid = child(process)
    process.process.send_signal(number)
    assert process.wait(60) == 0, process.stderr()
    assert not alive(pid)
    assert "second signal" not in process.stderr() and "is restarted" not in process.stderr()
    assert committed(broker, "luaduct-" + name, name) == len(endpoint.rows(name))


def test_ctrl_c_on_a_terminal_reaches_the_job_once(broker, endpoint, tmp_path, name):
    """The terminal signals its whole foreground group; the job is in a group of its own and is told by its parent alone."""
    broker.create_topic(name)
    produce(broker, name, 0, 1000)
    path = write_job(tmp_path, broker.address, endpoint.url, jobs.numbers(name, name, flush="60s"))
    program = binary()
    log = tmp_path / "stderr"
    pid, terminal = pty.fork()
    if pid == 0:
        try:
            os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
            os.execv(program, [program, "run", str(path)])
        finally:
            os._exit(127)
    try:
        deadline = time.monotonic() + 60
        while not all(m for _, m in broker.committed("luaduct-" + name, name).values()) or not log.exists():
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        os.write(terminal, b"\x03")
        while True:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                break
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        pid = 0
    finally:
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0, log.read_text()
    assert "second signal" not in log.read_text()


def test_a_signal_during_the_pause_ends_at_once(broker, endpoint, tmp_path, name):
    broker.create_topic(name)
    path, process = start(tmp_path, broker, endpoint.url, name, flush="200ms")
    for pause in (1, 2, 4):
        process.wait_for(lambda: child(process), what="the job's process")
        kill_child(process)
        process.wait_for(lambda: f"is restarted in {pause} s" in process.stderr(), what=f"the pause of {pause} s")
    began = time.monotonic()
    assert process.terminate(10) == 0, process.stderr()
    assert time.monotonic() - began < 3
    assert "stopped while waiting" in process.stderr()


def test_wrong_credentials_are_not_tried_again(broker, endpoint, tmp_path, name):
    broker.create_topic(name)
    path = write_job(tmp_path, broker.address, endpoint.url, jobs.numbers(name, name), access_key="wrong-secret-0000")
    process = Process(tmp_path / "run", "run", path)
    assert process.wait(60) == 1
    assert process.stderr().count("the job failed") == 1 and "is restarted" not in process.stderr(), process.stderr()


def test_too_many_failures_end_the_run(broker, endpoint, tmp_path, name):
    broker.create_topic(name)
    path, process = start(tmp_path, broker, endpoint.url, name, more="failover: {max: 2, window: 10m}")
    for count in range(3):
        process.wait_for(lambda: child(process) and process.stderr().count("is restarted in") == count, what=f"start {count + 1}")
        kill_child(process)
    assert process.wait(10) == 1
    last = process.stderr().splitlines()[-1]
    assert re.search(r"failed 3 times within 10m and is not restarted any more \(failover.max is 2\); the last reason: .*killed by signal 9", last), last


def test_without_a_parent_a_kill_is_the_end(broker, endpoint, tmp_path, name):
    broker.create_topic(name)
    path = write_job(tmp_path, broker.address, endpoint.url, jobs.numbers(name, name))
    process = Process(tmp_path / "run", "run", path, "--no-restart")
    process.wait_for(lambda: "job runs" in process.stderr(), what="the start")
    assert child(process) is None
    assert process.terminate() == 0, process.stderr()


def test_failover_options_are_checked(tmp_path):
    for more, said in [("failover: {max: 101}", "failover.max"), ("failover: {window: 1s}", "failover.window")]:
        path = write_job(tmp_path, "127.0.0.1:9", "http://127.0.0.1:9/api", jobs.numbers("j", "t", more=more))
        process = Process(tmp_path / said, "run", path)
        assert process.wait(30) == 2 and said in process.stderr(), process.stderr()
    job = jobs.numbers("j", "t").replace("runtime: {", "runtime: {failover: {max: 1}, ")
    process = Process(tmp_path / "runtime", "run", write_job(tmp_path, "127.0.0.1:9", "http://127.0.0.1:9/api", job))
    assert process.wait(30) == 2 and "top level" in process.stderr(), process.stderr()
