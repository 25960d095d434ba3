"""The machine's limits: a full disk, no descriptor left. A clear sentence, nothing lost, no spinning, and on it goes when there is room."""
import contextlib
import json
import os
import re
import resource
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

from support import jobs
from support.agent import Endpoint, Process, binary, run_job, write_job
from test_failures import committed, verify

# The leak check at the end of a sanitized process opens files itself, and waits for ever when there is no descriptor for it.
NO_LEAK_CHECK = {"ASAN_OPTIONS": "detect_leaks=0"}


def limit_descriptors(process, count):
    """Only the soft limit, which can be raised again."""
    _, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (hard if count is None else count, hard))


def descriptors_used(process):
    """The first number that is free, below which all are used: the limit at which nothing can be opened."""
    used = {int(f) for f in os.listdir("/proc/%d/fd" % process.pid)}
    return min(set(range(len(used) + 1)) - used)


def status_of(url):
    try:
        return urllib.request.urlopen(url, timeout=60).status
    except urllib.error.HTTPError as error:
        return error.code


def test_an_endpoint_without_descriptors_waits_and_says_so(tmp_path):
    endpoint = Endpoint(tmp_path / "endpoint")
    limit_descriptors(endpoint.process, descriptors_used(endpoint.process))
    # A descriptor is taken when the wait for a connection begins; when that had begun, the next wait finds none.
    address = urllib.parse.urlsplit(endpoint.url)
    with socket.create_connection((address.hostname, address.port)) as first:
        first.sendall(b"GET /projects/p HTTP/1.1\r\nHost: here\r\n\r\n")
        endpoint.wait_for(lambda: "cannot be accepted" in endpoint.stderr(), what="the warning")
        limit_descriptors(endpoint.process, None)
    assert status_of(endpoint.url + "/projects/p") == 400, "connections are accepted again"
    assert "too many open files in this process; raise its limit (ulimit -n" in endpoint.stderr()
    assert endpoint.stderr().count("\n") < 10
    assert endpoint.terminate() == 0


@pytest.mark.parametrize("command", ["local", "check", "run"])
def test_few_descriptors_at_the_start(broker, endpoint, tmp_path, name, command):
    """From the first number with which the process can load its libraries at all."""
    broker.create_topic(name)
    broker.produce(name, [b'{"n": 1}'])
    job = write_job(tmp_path, broker.address, endpoint.url, jobs.numbers(name, name))
    arguments = {"local": ["--listen", "127.0.0.1:0"], "check": [str(job)], "run": [str(job), "--records", "1", "--no-restart"]}[command]
    refused = 0
    for count in {"local": (4, 5, 8), "check": (4, 6), "run": (4, 5, 6, 8, 9, 12, 16)}[command]:
        process = subprocess.Popen([binary(), command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   env={**os.environ, **NO_LEAK_CHECK}, preexec_fn=lambda: resource.setrlimit(
                                       resource.RLIMIT_NOFILE, (count, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
        try:
            said, _ = process.communicate(timeout=3)
        except subprocess.TimeoutExpired:
            process.kill()  # `local` listens; a job tries again
            said, _ = process.communicate()
        print(count, process.returncode, said)
        assert process.returncode in (0, 1, 2, 75, -9), said
        assert said.count("\n") < 100, said
        if process.returncode != 0 and process.returncode != -9:
            refused += 1
            assert re.search(r"ulimit -n|[Tt]oo many open files", said), said
    assert refused or command == "check"


def test_descriptors_that_run_out_while_a_job_runs(broker, tmp_path, name):
    target = Endpoint(tmp_path / "endpoint")
    broker.create_topic(name)
    path = write_job(tmp_path, broker.address, target.url, jobs.numbers(name, name, flush="200ms"))
    process = Process(tmp_path / "run", "run", path, "--no-restart")
    broker.produce(name, [json.dumps({"n": n}).encode() for n in range(100)])
    process.wait_for(lambda: committed(broker, "luaduct-" + name, name) == 100, what="the first hundred")
    limit_descriptors(process.process, descriptors_used(process.process))
    broker.produce(name, [json.dumps({"n": n}).encode() for n in range(100, 200)])
    process.wait_for(lambda: re.search("ulimit -n|[Tt]oo many open files", process.stderr()), what="the warning")
    lines = process.stderr().count("\n")
    assert lines < 60, process.stderr()
    limit_descriptors(process.process, None)
    process.wait_for(lambda: committed(broker, "luaduct-" + name, name) == 200, what="the second hundred")
    assert process.terminate() == 0, process.stderr()
    assert verify(target, name, 200) == 0
    assert target.terminate() == 0


@contextlib.contextmanager
def small_disk(folder, size):
    """A file system of its own, in a mount namespace that a sleeping process holds. Gives a way to run commands in it."""
    folder.mkdir()
    own_users = [] if os.geteuid() == 0 else ["--map-root-user"]
    holder = subprocess.Popen(["unshare", "--mount", *own_users, "sh", "-c",
                               "mount -t tmpfs -o size=%s none %s && echo ready && exec sleep 1000" % (size, folder)], stdout=subprocess.PIPE)
    enter = ["nsenter", "--target", str(holder.pid), "--mount", *(["--user", "--preserve-credentials"] if own_users else []), "--"]
    try:
        assert holder.stdout.readline() == b"ready\n", "a mount namespace of one's own is needed"
        yield enter
    finally:
        holder.kill()
        holder.wait()


def number(line):
    """Which record a dirty row is: they went round the four partitions."""
    row = json.loads(line)
    return row["offset"] * 4 + row["partition"]


def test_a_full_disk_under_the_dirty_store_loses_nothing(broker, endpoint, tmp_path, name, monkeypatch):
    count = 1500
    real = binary()
    broker.create_topic(name)
    broker.produce(name, [b'{"n": "%0200d"}' % n if n % 3 == 0 else b'{"n": %d}' % n for n in range(count)])
    path = write_job(tmp_path, broker.address, endpoint.url,
                     jobs.numbers(name, name, flush="100ms", more="delivery: exactly_once\ndirty: {directory: %s, max: unlimited}" % (tmp_path / "small")))
    with small_disk(tmp_path / "small", "128k") as enter:
        wrapper = tmp_path / "inside"
        wrapper.write_text("#!/bin/sh\nexec %s %s \"$@\"\n" % (" ".join(enter), real))
        wrapper.chmod(0o755)
        monkeypatch.setenv("LUADUCT", str(wrapper))
        status, said = run_job(path, "--first", "--records", count)
        assert status == 1, said
        assert re.search(r"%s/dirty-\S+: dirty rows cannot be written: no space left on the disk; make room there, or name another folder" %
                         re.escape(str(tmp_path / "small")), said), said
        assert "restart" not in said, "a full disk does not heal by itself"
        before = committed(broker, "luaduct-" + name, name)
        durable = {number(line) for line in subprocess.run([wrapper, "dirty", "export", path], check=True, capture_output=True).stdout.splitlines()}
        passed = {n for n in range(count) if n // 4 < broker.committed("luaduct-" + name, name)[n % 4][0]}
        assert before < count and durable >= {n for n in passed if n % 3 == 0}, "offsets stay before rows that are not kept"
        subprocess.run([*enter, "mount", "-o", "remount,size=20m", "none", str(tmp_path / "small")], check=True)
        status, said = run_job(path, "--records", count - before)
        assert status == 0, said
        assert committed(broker, "luaduct-" + name, name) == count
        assert sorted(row["n"] for row in endpoint.rows(name)) == [n for n in range(count) if n % 3]
        kept = [number(line) for line in subprocess.run([wrapper, "dirty", "export", path], check=True, capture_output=True).stdout.splitlines()]
        assert sorted(kept) == [n for n in range(count) if n % 3 == 0], "each once"
