"""Keys, tokens and certificates that change while a job runs: it goes on with the new ones, and ends with a clear sentence without."""
import itertools
import json
import os
import pathlib
import sys
import textwrap
import threading
import time

import pytest

from support import jobs, keys
from support.agent import Endpoint, Process, write_job
from support.certificates import Authority

from test_failures import committed, produce, verify


def start(tmp_path, broker, target, name, *lines, more="", arguments=()):
    path = keys.use(write_job(tmp_path, broker.address, target.url, jobs.numbers(name, name, flush="200ms", more=more)), *lines)
    return path, Process(tmp_path / "run", "run", path, *arguments)


class Producer:
    """Sends rows all the time, until it is stopped."""

    def __init__(self, broker, topic):
        self.count, self.stopping = 0, threading.Event()
        self.thread = threading.Thread(target=self._run, args=(broker, topic), daemon=True)
        self.thread.start()

    def _run(self, broker, topic):
        while not self.stopping.wait(0.02):
            produce(broker, topic, self.count, 100)
            self.count += 100

    def stop(self):
        self.stopping.set()
        self.thread.join()
        return self.count


def renewals(process):
    return process.stderr().count("the credentials were read from")


# What stands for the metadata service: each call makes a key that lives for some seconds, and the endpoint lets it in from then on.
MINT = """\
import json, os, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
accepted = json.loads((folder / "accepted.json").read_text())
number = len(accepted)
end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 6))
key = {"AccessKeyId": "STS.m%d" % number, "AccessKeySecret": "secret-of-m%d-0123456789" % number,
       "SecurityToken": "token-of-m%d-0123456789" % number, "Expiration": end}
(folder / "accepted.new").write_text(json.dumps(accepted + [key]))
os.replace(folder / "accepted.new", folder / "accepted.json")
print(json.dumps({"mode": "StsToken", "access_key_id": key["AccessKeyId"], "access_key_secret": key["AccessKeySecret"],
                  "sts_token": key["SecurityToken"], "expiration": end}))
"""


@pytest.mark.parametrize("way", ["file", "command"])
def test_tokens_expire_while_rows_flow(broker, tmp_path, name, way):
    """Nothing is lost and nothing comes twice, and the job is the same process all the time."""
    name += way
    accepted, own = tmp_path / "accepted.json", tmp_path / "key.json"
    keys.write(accepted, [keys.key("a")] if way == "file" else [keys.key("expired", -10)])
    keys.write(own, keys.key("a"))
    (tmp_path / "mint.py").write_text(MINT)
    target = Endpoint(tmp_path / "endpoint", extra=["--credentials", accepted])
    broker.create_topic(name)
    line = "credentials: {file: key.json}" if way == "file" else f'credentials: {{command: ["{sys.executable}", "{tmp_path}/mint.py", "{tmp_path}"]}}'
    path, process = start(tmp_path, broker, target, name, line, more="delivery: exactly_once", arguments=["--first"])
    producer = Producer(broker, name)
    arrived = 0

    def more_rows():
        return committed(broker, "luaduct-" + name, name) > arrived

    for new, old in [("b", "a"), ("c", "b")]:
        process.wait_for(more_rows, what="rows in the table")
        before = renewals(process)
        if way == "file":  # the job may see the new file first, or be refused first
            keys.write(own, keys.key(new))
            keys.write(accepted, [keys.key(old, -1), keys.key(new)])
        process.wait_for(lambda: renewals(process) > before, what="the next key")
        if way == "command":
            ends = time.time() + 6  # by then the key before this one has expired
            process.wait_for(lambda: time.time() > ends, what="the end of the key before")
        arrived = committed(broker, "luaduct-" + name, name)
    process.wait_for(more_rows, what="rows with the last key")
    count = producer.stop()
    process.wait_for(lambda: committed(broker, "luaduct-" + name, name) == count, what="the last row")
    assert process.terminate() == 0, process.stderr()
    assert "is restarted" not in process.stderr() and renewals(process) >= 3
    assert not keys.secrets_in(process.stderr())
    assert target.terminate() == 0
    everything = keys.key("judge")
    keys.write(accepted, {k: everything[k] for k in ("AccessKeyId", "AccessKeySecret")})
    target = Endpoint(tmp_path / "endpoint", port=target.port, extra=["--credentials", accepted])
    assert verify(Judge(target, everything), name, count) == 0
    assert target.terminate() == 0


class Judge:
    """The endpoint's rows, read with a key of its own."""

    def __init__(self, endpoint, key):
        self.endpoint, self.key = endpoint, key

    def odps(self):
        from odps import ODPS
        return ODPS(self.key["AccessKeyId"], self.key["AccessKeySecret"], "p", endpoint=self.endpoint.url)

    def rows(self, table):
        return Endpoint.rows(self, table)


def test_a_key_that_is_changed_at_the_service_first(broker, tmp_path, name):
    """The job waits for the file, says so, and goes on; one whose key never worked ends at once."""
    accepted, own = tmp_path / "accepted.json", tmp_path / "key.json"
    keys.write(accepted, [keys.key("a")])
    keys.write(own, keys.key("a"))
    target = Endpoint(tmp_path / "endpoint", extra=["--credentials", accepted])
    broker.create_topic(name)
    produce(broker, name, 0, 1000)
    path, process = start(tmp_path, broker, target, name, "credentials: {file: key.json}")
    process.wait_for(lambda: committed(broker, "luaduct-" + name, name) == 1000, what="the first rows")
    keys.write(accepted, [keys.key("a", -1), keys.key("b")])
    produce(broker, name, 1000, 1000)
    process.wait_for(lambda: f"refuses the credentials of the file {own}, which worked before" in process.stderr(), what="the refusal")
    keys.write(own, keys.key("b"))
    process.wait_for(lambda: committed(broker, "luaduct-" + name, name) == 2000, what="the other rows")
    assert process.terminate() == 0, process.stderr()
    keys.write(own, keys.key("a"))
    process = Process(tmp_path / "again", "run", path)
    assert process.wait(60) == 1
    said = process.stderr()
    assert "AuthenticationRequestExpired" in said and f"the file {own} was read again and gave the same credentials" in said, said
    assert "endpoint 127.0.0.1" in said and said.count("the job failed") == 1 and "is restarted" not in said, said
    assert not keys.secrets_in(said)
    assert target.terminate() == 0


def test_a_failing_command_leaves_the_old_key_in_use(broker, tmp_path, name):
    accepted, script = tmp_path / "accepted.json", tmp_path / "get-key"
    keys.write(accepted, [keys.key("a")])
    script.write_text(textwrap.dedent("""\
        #!/bin/sh
        [ -e "$1/broken" ] && { echo "no role is attached to this machine" >&2; exit 7; }
        cat "$1/printed"
        """))
    script.chmod(0o755)
    (tmp_path / "printed").write_text(json.dumps(keys.key("a", 2)))  # in its own words it ends soon; the endpoint knows better
    target = Endpoint(tmp_path / "endpoint", extra=["--credentials", accepted])
    broker.create_topic(name)
    path, process = start(tmp_path, broker, target, name, f'credentials: {{command: [./get-key, "{tmp_path}"]}}')
    process.wait_for(lambda: renewals(process) == 1, what="the key")
    (tmp_path / "broken").touch()
    process.wait_for(lambda: "could not be read again" in process.stderr(), what="the warning")
    produce(broker, name, 0, 1000)
    process.wait_for(lambda: committed(broker, "luaduct-" + name, name) == 1000, what="the rows")
    said = process.stderr()
    assert "get-key ended with status 7: no role is attached to this machine" in said and "those at hand stay in use, which end at" in said, said
    assert process.terminate() == 0, process.stderr()
    assert not keys.secrets_in(process.stderr())
    assert target.terminate() == 0


def test_certificates_are_replaced_without_a_restart(broker, tmp_path, name):
    """The endpoint gets a certificate of another authority; the job is told by its file."""
    first, second = Authority(tmp_path / "first", "first"), Authority(tmp_path / "second", "second")
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(first.certificate.read_bytes())
    target = Endpoint(tmp_path / "endpoint", extra=first.server())
    assert target.url.startswith("https://")
    broker.create_topic(name)
    produce(broker, name, 0, 1000)
    path, process = start(tmp_path, broker, target, name, "access_id: test-id", "access_key: test-key-0123456789", "ca_file: ca.pem")
    process.wait_for(lambda: committed(broker, "luaduct-" + name, name) == 1000, what="the first rows")
    assert target.terminate() == 0
    trusted.write_bytes(second.certificate.read_bytes())
    target = Endpoint(tmp_path / "endpoint", port=target.port, extra=second.server())
    produce(broker, name, 1000, 1000)
    process.wait_for(lambda: committed(broker, "luaduct-" + name, name) == 2000, what="rows over the other certificate")
    assert "the trusted certificates were read again" in process.stderr() and "is restarted" not in process.stderr()
    assert process.terminate() == 0, process.stderr()
    assert target.terminate() == 0
    target = Endpoint(tmp_path / "endpoint", port=target.port)  # without TLS, for the judge
    assert verify(target, name, 2000) == 0
    assert target.terminate() == 0
