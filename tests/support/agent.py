"""luaduct's own processes in tests: the local endpoint, and jobs that run against it."""
import os
import pathlib
import re
import signal
import subprocess
import textwrap
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
ACCESS_ID, ACCESS_KEY = "test-id", "test-key-0123456789"


def binary():
    return os.environ.get("LUADUCT", str(ROOT / "build-test" / "luaduct"))


RUNNING = []  # every process that a test started; the fixture `no_process_is_left` ends those that a failed test left behind


class Started:
    """A process, with its output in files of `_files`."""

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for f in self._files:
            f.close()


class Process(Started):
    """A luaduct process with its output in files."""

    def __init__(self, folder, *arguments, env=None):
        self.folder = pathlib.Path(folder)
        self.out, self.err = self.folder / "stdout", self.folder / "stderr"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._files = [open(self.out, "ab"), open(self.err, "ab")]
        self.process = subprocess.Popen([binary(), *map(str, arguments)], stdout=self._files[0], stderr=self._files[1], stdin=subprocess.DEVNULL,
                                        env={**os.environ, **(env or {})})
        RUNNING.append(self)

    def stderr(self):
        return self.err.read_text(errors="replace")

    def wait(self, timeout=120):
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("still running after %d s:\n%s" % (timeout, self.stderr()[-4000:]))
        finally:
            if self.process.poll() is not None:
                for f in self._files:
                    f.close()

    def terminate(self, timeout=60):
        self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def wait_for(self, condition, timeout=60, what="the condition"):
        """condition() is asked until it is true; the process ending early is a failure with its output."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if condition():
                return
            assert self.process.poll() is None, "ended with %s while waiting for %s:\n%s" % (self.process.returncode, what, self.stderr()[-4000:])
            time.sleep(0.05)
        raise AssertionError("%s did not come within %d s:\n%s" % (what, timeout, self.stderr()[-4000:]))


class Endpoint(Process):
    """`luaduct local`. Its port stays the same over restarts."""

    def __init__(self, folder, port=0, faults=None, discard=False, data=True, project="p", extra=()):
        self.project = project
        arguments = ["local", "--listen", f"127.0.0.1:{port}", "--project", project, "--access-id", ACCESS_ID, "--access-key", ACCESS_KEY]
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if data:
            arguments += ["--data", folder / "rows.db"]
        if discard:
            arguments += ["--discard"]
        if faults is not None:
            (folder / "faults").write_text(textwrap.dedent(faults))
            arguments += ["--faults", folder / "faults"]
        (folder / "stdout").unlink(missing_ok=True)
        super().__init__(folder, *arguments, *extra)
        self.wait_for(lambda: b"listening on" in self.out.read_bytes(), 20, "the endpoint's first line")
        self.url = re.search(r"https?://\S+", self.out.read_text()).group()
        self.port = int(re.search(r":(\d+)/", self.url).group(1))

    def odps(self):
        from odps import ODPS
        return ODPS(ACCESS_ID, ACCESS_KEY, self.project, endpoint=self.url)

    def rows(self, table):
        """All rows of a table through PyODPS' download session, as dictionaries; partition values included."""
        t = self.odps().get_table(table)
        found = []
        specs = [p.partition_spec for p in t.partitions] if t.table_schema.partitions else [None]
        for spec in specs:
            with t.open_reader(partition=str(spec) if spec else None) as reader:
                names = [c.name for c in t.table_schema.simple_columns]
                for record in reader:
                    row = {n: record[n] for n in names}
                    if spec:
                        row["_partition"] = "/".join("%s=%s" % (k, v) for k, v in spec.kv.items())
                    found.append(row)
        return found


def write_job(folder, broker, endpoint_url, job, time_zone="Asia/Shanghai", properties="", access_key=ACCESS_KEY, region=None, session_ms=6000,
              heartbeat_ms=500, cluster=""):
    """Writes job.yaml and datasources.yaml into the folder and returns the job's path. `job` is YAML text; properties and cluster (further
    settings of the Kafka cluster) are one line each."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "datasources.yaml").write_text(textwrap.dedent(f"""\
        kafka:
          k:
            brokers: {broker}
            {cluster or '# nothing more'}
            properties:
              session.timeout.ms: {session_ms}
              heartbeat.interval.ms: {heartbeat_ms}
              reconnect.backoff.max.ms: 500
              {properties or 'metadata.max.age.ms: 5000'}
        maxcompute:
          m:
            endpoint: {endpoint_url}
            project: p
            access_id: {ACCESS_ID}
            access_key: {access_key}
            {'time_zone: ' + time_zone if time_zone else '# no zone'}
            {'region: ' + region if region else '# no region: V1 signatures'}
        """))
    path = folder / "job.yaml"
    path.write_text(textwrap.dedent(job))
    return path


def run_job(path, *arguments, timeout=120, env=None):
    """Runs a job to its end and returns (exit status, standard error)."""
    process = Process(pathlib.Path(path).parent / "run", "run", path, *arguments, env=env)
    status = process.wait(timeout)
    return status, process.stderr()
