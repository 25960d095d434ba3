"""What simulate shows is what a run writes: a sample out of the real topic, the rows that `luaduct simulate` shows, and those that
`luaduct run` then writes, read back by PyODPS. And nothing goes over the network but reads, without --connect nothing at all."""
import datetime
import json
import random
import socket
import threading

import pytest

from support.agent import Process, run_job, write_job
from support.http_proxy import HttpProxy

PARTITIONS = 3
JOB = """\
name: {name}
source: {{kafka: k, topic: {name}, start: {{at: committed, otherwise: earliest}}}}
delivery: {delivery}
stages:
  - name: parse
    kind: json
    columns:
      - {{name: id, path: $.id, type: bigint, required: true}}
      - {{name: user, path: $.user, type: string}}
      - {{name: amount, path: $.amount, type: "decimal(10,2)"}}
      - {{name: ratio, path: $.ratio, type: double}}
      - {{name: ok, path: $.ok, type: boolean}}
      - {{name: at, path: $.at, type: bigint, required: true}}
      - {{name: day, path: $.day, type: date}}
      - {{name: city, path: $.city, type: string}}
      - {{name: tags, path: $.tags, type: json}}
  - {{name: own, kind: lua, file: own.lua}}
target:
  maxcompute: m
  table: {name}
  create: if_missing
  quota_share: unlimited
  columns:
    - {{name: id, type: bigint}}
    - {{name: user, type: string}}
    - {{name: amount, type: "decimal(10,2)"}}
    - {{name: ratio, type: double}}
    - {{name: ok, type: boolean}}
    - {{name: at, type: datetime}}
    - {{name: day, type: date}}
    - {{name: tags, type: array<string>}}
    - {{name: level, type: varchar(8)}}
    - {{name: small, type: tinyint, from: id}}
  partition:
    - {{name: ds, kind: time, from: at, format: yyyyMMdd, zone: Asia/Shanghai}}
    - {{name: city, kind: field, from: city}}
dirty: {{directory: dirty, max: unlimited}}
metrics: {{listen: "{listen}"}}
log: {{file: {log}}}
runtime: {{workers: 2, batch_rows: 50, flush_interval: 5s, lua: {{memory_max: 16MiB}}}}
"""
LUA = """\
local stage = {}
function stage.process(batch)
  batch:drop(batch.user:eq("skip"))
  batch:add("level", "string")
  for row in batch:rows() do
    if row.user == "refuse" then row:dirty("refused") end
    if row.user == "fail" then error("cannot have " .. row.id) end
    row.level = row.ok and "good" or row.user
  end
end
return stage
"""


def values(count):
    chance = random.Random(5)
    for i in range(count):
        record = {"id": i % 300 - 128, "user": chance.choice(["\u738b\u5c0f\u660e", "alice", "", None, "skip", "refuse", "fail", "NULL", "nine chars"]),
                  "amount": "%d.%02d" % (chance.randrange(10000), chance.randrange(100)), "ratio": chance.choice([0.1, 1 / 3, -2.5e300, None]),
                  "ok": chance.choice([True, False, None]), "at": 1_700_000_000_000 + chance.randrange(3 * 86_400_000),
                  "day": chance.choice(["2024-02-29", None]), "city": chance.choice(["sh", "bj", "", None, "a/b"]),
                  "tags": chance.choice([[], ["x", "\u4e2d"], None, ["a", None], "none"])}
        if chance.random() < 0.05:
            record["amount"] = "1.234"
        yield b"no json" if chance.random() < 0.03 else None if chance.random() < 0.02 else json.dumps(record, ensure_ascii=False).encode()


class Deaf:
    """A port that counts who knocks."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.knocks = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                self.listener.accept()[0].close()
            except OSError:
                return
            self.knocks += 1


class Case:
    def __init__(self, broker, endpoint, tmp_path, name, delivery="at_least_once"):
        self.folder, self.name = tmp_path, name
        self.job = JOB.format(name=name, delivery=delivery, listen="127.0.0.1:0", log=tmp_path / "job.log")
        self.write(broker, endpoint.url)
        (tmp_path / "own.lua").write_text(LUA)
        self.sample = tmp_path / (name + ".sample")

    def write(self, broker, url, proxy=None):
        self.path = write_job(self.folder, getattr(broker, "address", broker), url, self.job)
        if proxy:
            sources = self.folder / "datasources.yaml"
            sources.write_text(sources.read_text().replace("    project: p\n", "    project: p\n    proxy: http://127.0.0.1:%d\n" % proxy.port))

    def command(self, *arguments):
        process = Process(self.folder / "command", *arguments)
        status, out, err = process.wait(90), process.out.read_text(), process.stderr()
        for file in (process.out, process.err):
            file.unlink()
        return status, out, err

    def take(self, count):
        status, _out, err = self.command("sample", self.path, "--records", count, "--timeout", "0s")
        assert status == 0, err

    def simulate(self, *arguments):
        """(exit status, objects by kind)"""
        status, out, err = self.command("simulate", self.path, "--sample", self.sample, "--json", *arguments)
        kinds = {"row": [], "dirty": [], "stage": [], "summary": []}
        for line in out.splitlines():
            kinds[json.loads(line)["kind"]].append(json.loads(line))
        return status, kinds, err

    def dirty_written(self):
        lines = [json.loads(line) for f in (self.folder / "dirty").glob("*.ndjson") for line in f.read_text().splitlines()]
        return sorted((r["partition"], r["offset"], r["index"], r["stage"], r["column"], r["reason"]) for r in lines)


def comparable(row):
    return json.dumps(row, sort_keys=True, ensure_ascii=False)


def written(endpoint, table):
    """The rows of the table as simulate prints them."""
    rows = []
    for row in endpoint.rows(table):
        row["amount"] = row["amount"] if row["amount"] is None else str(row["amount"])
        at = row["at"].astimezone(datetime.timezone.utc)
        row["at"] = at.strftime("%Y-%m-%dT%H:%M:%S") + (".%03d" % (at.microsecond // 1000) if at.microsecond else "") + "Z"
        row["day"] = row["day"] and row["day"].isoformat()
        row["partition"] = row.pop("_partition").replace("/", ",", 1)
        rows.append(comparable(row))
    return sorted(rows)


def shown(rows):
    return sorted(comparable({**row["values"], "partition": row["partition"]}) for row in rows)


def only_failed_rows(text):
    """Beside the rows themselves a command says, of some of them, where the script failed."""
    return all(": a row failed: " in line or " more rows failed" in line for line in text.splitlines())


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_the_rows_shown_are_the_rows_written(broker, endpoint, tmp_path, name, delivery):
    name = name + "_" + delivery[0]
    broker.create_topic(name, PARTITIONS)
    texts = list(values(1000))
    broker.produce(name, texts, PARTITIONS)
    case = Case(broker, endpoint, tmp_path, name, delivery)
    case.take(len(texts))
    deaf = Deaf()
    case.write(deaf.address, f"http://{deaf.address}/api")
    status, kinds, err = case.simulate()
    assert status == 1 and only_failed_rows(err), err  # there are dirty rows
    summary, = kinds["summary"]
    assert summary["read"] == len(texts) and summary["written"] == len(kinds["row"]) > 100
    assert summary["read"] + summary["expanded"] == summary["written"] + summary["filtered"] + summary["dirty"]
    assert summary["filtered"] > 20 and summary["dirty"] == len(kinds["dirty"])
    assert {"parse", "own", "mapping", "partition"} == {row["stage"] for row in kinds["dirty"]}, "each kind of dirty row"
    assert any("own.lua:7" in row["reason"] for row in kinds["dirty"])
    assert [(s["name"], s["rows_in"]) for s in kinds["stage"]][0] == ("parse", len(texts))
    for before, after in zip(kinds["stage"], kinds["stage"][1:]):
        assert before["rows_out"] == after["rows_in"] and before["rows_in"] == before["rows_out"] + before["filtered"] + before["dirty"]
    assert kinds["stage"][-1]["rows_out"] == summary["written"]
    assert case.simulate("--allow-dirty")[0] == 0
    for arguments in (["columns"], ["plan"], ["preview", "--stage", "own", "--sample", case.sample], ["simulate", "--sample", case.sample]):
        status, out, err = case.command(arguments[0], case.path, *arguments[1:])
        assert out and status == (arguments[0] == "simulate") and only_failed_rows(err), err
    assert deaf.knocks == 0, "nobody was asked"
    assert not (tmp_path / "dirty").exists() and not (tmp_path / "job.log").exists(), "nothing of the job's own was touched"

    case.write(broker, endpoint.url)
    first = ["--first"] if delivery == "exactly_once" else []
    status, err = run_job(case.path, "--until", "end", "--no-restart", *first)
    assert status == 0, err + (tmp_path / "job.log").read_text()
    assert written(endpoint, name) == shown(kinds["row"])
    assert case.dirty_written() == sorted((r["partition"], r["offset"], r["index"], r["stage"], r["column"], r["reason"]) for r in kinds["dirty"])


def test_with_connect_there_are_only_reads(broker, endpoint, tmp_path, name):
    broker.create_topic(name, PARTITIONS)
    texts = list(values(200))
    broker.produce(name, texts, PARTITIONS)
    case = Case(broker, endpoint, tmp_path, name)
    case.take(len(texts))
    proxy = HttpProxy()
    case.write(broker, endpoint.url, proxy)
    # The table is not there: it would be made, and is not.
    _status, before, err = case.simulate("--connect")
    assert len(before["row"]) > 10 and only_failed_rows(err), err
    status, out, err = case.command("plan", case.path, "--connect")
    assert status == 0 and "it does not exist and is made by" in out and "CREATE TABLE" in out and "0:0,1:0,2:0" in out, out + err
    assert not endpoint.odps().exist_table(name)
    # It is there, with other types: those count.
    endpoint.odps().execute_sql(f"create table {name} (id bigint, user string, `at` string, level string) partitioned by (ds string, city string)",
                                hints={"odps.sql.type.system.odps2": "true"})
    case.job = case.job.replace("    - {name: amount, type: \"decimal(10,2)\"}\n    - {name: ratio, type: double}\n    - {name: ok, type: boolean}\n", "")
    case.job = "\n".join(line for line in case.job.splitlines() if "tinyint" not in line and "array<" not in line and "type: date}" not in line
                         or "path:" in line) + "\n"
    case.write(broker, endpoint.url, proxy)
    _status, after, err = case.simulate("--connect")
    assert "target.columns: at is DATETIME in the job and STRING in the table" in err, err
    assert after["row"] and all(set(row["values"]) == {"id", "user", "at", "level"} and row["values"]["at"].isdigit() for row in after["row"])
    status, out, _err = case.command("plan", case.path, "--connect")
    assert status == 0 and "it exists and is not altered" in out and "CREATE TABLE" not in out, out
    status, err = run_job(case.path, "--until", "end", "--no-restart")
    assert status == 0, err
    asked = [request[:2] for request in proxy.requests]
    run_began = next(i for i, (method, _target) in enumerate(asked) if method != "GET")
    assert run_began >= 4 and all(method == "GET" for method, _ in asked[:run_began]), asked[:run_began + 1]
    rows = sorted(comparable({**{k: row[k] for k in ("id", "user", "at", "level")}, "partition": row["_partition"].replace("/", ",", 1)})
                  for row in endpoint.rows(name))
    assert rows == shown(after["row"])
