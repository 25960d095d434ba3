"""Torture of exactly-once delivery: a real broker, the local endpoint with faults that change at every start, three agent processes of one
job, a producer of numbered records that goes on all the time; and somebody who kills, stops, wakes and restarts all of them.

Every decision comes from the seed: what happens as number N, to whom, and how long it is waited after it depends on the seed and N alone
(when it meets the others does not, of course). At the end the faults stop, everything is read, and truth.py judges: each number exactly
once, dirty rows exactly those expected, the ledger exact.

Torture(folder, Plan(...)).run() returns a Report, or raises Failure. As a program: scripts/torture."""
import collections
import os
import pathlib
import random
import re
import signal
import threading
import time

from confluent_kafka import Producer

from support.agent import RUNNING, Endpoint, Process, write_job
from support.broker import Broker, stable_port
from support.proxy import Proxy
from torture import truth

SESSION_MS = 2000
GROUP, TOPIC, TABLE, DIRTY_TOPIC = "luaduct-torture", "torture", "p.torture", "torture-dirty"

# The steps of src/pipeline/steps.h, with how often one is reached in the life of a process that goes on for some seconds: at most at this
# count it is stopped there.
STEPS = {
    "anchor_sent": 1, "anchor_stored": 1, "block_acked": 12, "sealed": 4, "dirty_durable": 4, "prepare_sent": 4, "prepare_stored": 4,
    "commit_sent": 10, "committed_one": 10, "committed_all": 3, "finish_sent": 3, "finish_stored": 2, "dropped": 1, "released": 1,
    "roll_begun": 1, "roll_committed": 1, "roll_sent": 1, "roll_stored": 1,
}
# Anchors are stored once in the life of a group, before the torture begins; the step tests have them.
STEPS_ONCE = {"anchor_sent", "anchor_stored"}

JOB = """\
name: torture
source: {{kafka: k, topic: torture, start: {{at: committed, otherwise: earliest}}}}
delivery: exactly_once
stages:
  - name: parse
    kind: json
    columns:
      - {{name: n, path: $.n, type: bigint, required: true}}
      - {{name: part, path: $.part, type: string, required: true}}
      - {{name: skip, path: $.skip, type: bigint}}
  - {{name: keep, kind: lua, file: keep.lua}}
target:
  maxcompute: m
  table: torture
  create: if_missing
  quota_share: unlimited
  partitions_open_max: {open_max}
  columns:
    - {{name: n, type: bigint}}
    - {{name: kp, type: bigint, from: __partition__}}
    - {{name: ko, type: bigint, from: __offset__}}
  partition:
    - {{name: part, kind: field, from: part}}
runtime: {{workers: {workers}, flush_interval: {flush}, batch_rows: {batch_rows}}}
dirty: {{kafka: {{topic: torture-dirty}}}}
failover: {{max: 100, window: 1m}}
log: {{level: debug}}
"""
# A time-out of requests that is shorter than some stops of the broker, and a revoke that an epoch has 4 s for.
PROPERTIES = """max.poll.interval.ms: 12000
              socket.timeout.ms: 3000
              metadata.max.age.ms: 5000"""
KEEP = """\
local stage = {}
function stage.process(batch)
  batch:keep(batch.skip:is_null())
end
return stage
"""


class Plan:
    """How much, and from which seed."""

    def __init__(self, seed, kills=50, minutes=60.0, agents=3, rate=300, pace=1.0):
        self.seed, self.kills, self.minutes, self.agents, self.rate, self.pace = seed, kills, minutes, agents, rate, pace
        r = self.random("job")
        self.kafka_partitions, self.table_partitions = r.choice([4, 6, 8]), r.choice([1, 4, 6])
        self.settings = {"workers": r.choice([0, 1, 2]), "flush": r.choice(["100ms", "300ms", "800ms"]), "batch_rows": r.choice([16, 128, 1024]),
                         "open_max": r.choice([2, 20])}

    def random(self, *what):
        return random.Random("/".join(map(str, (self.seed, *what))))

    # What happens, with its weight.
    EVENTS = {
        "kill_agent": 34, "kill_child": 14, "kill_all_agents": 2, "stop_agent": 10, "stop_agent_short": 4, "stop_all_agents": 1, "end_agent": 8,
        "kill_endpoint": 7, "end_endpoint": 2, "freeze_endpoint": 2, "kill_broker": 1, "end_broker": 1, "freeze_broker": 2, "lose_commit": 16, "quiet": 12,
    }

    def event(self, number):
        """(name, whom, seconds that it lasts, seconds until the next one)."""
        r = self.random("event", number)
        name = r.choices(list(self.EVENTS), list(self.EVENTS.values()))[0]
        whom = r.randrange(self.agents)
        lasts = r.uniform(0, 1)
        pause = min(r.expovariate(1 / 0.9), 4.0) * self.pace
        if name == "quiet":
            pause += 2 + 3 * lasts
        return name, whom, lasts, pause

    def start(self, number):
        """How the agent process of this number is started: with its parent or without, with what in LUADUCT_STEP, after what pause."""
        r = self.random("start", number)
        pause = r.uniform(0, 1.2) * self.pace
        parent = r.random() < 0.4
        name = r.choice([name for name in STEPS if name not in STEPS_ONCE])
        step = "%s:%d:%s" % (name, r.randint(1, STEPS[name]), "stop" if r.random() < 0.25 else "kill")
        return parent, None if parent else step, pause

    def faults(self, number):
        """The script of the endpoint's start of this number."""
        r = self.random("faults", number)
        every = lambda low, high: r.randint(low, high)  # noqa: E731
        rules = [
            f"put_block every {every(4, 9)} before status={r.choice([500, 502, 503])}",
            f"put_block every {every(4, 9)} before status=429 retry_after=1",
            f"put_block every {every(3, 9)} after cut",
            f"put_block every {every(3, 9)} before cut",
            f"put_block every {every(3, 7)} after twice={r.choice(['10ms', '500ms', '2s'])}",
            f"put_block every {every(5, 9)} before delay={r.choice(['100ms', '1s', '3s'])}",
            f"create_upload every {every(4, 9)} before status={r.choice([429, 500, 503])}",
            f"create_upload every {every(4, 9)} after cut",
            f"list_blocks every {every(3, 9)} before {r.choice(['cut', 'status=500', 'status=503'])}",
            f"commit every {every(2, 6)} before {r.choice(['cut', 'status=500', 'status=503', 'status=429 retry_after=1'])}",
            f"commit every {every(2, 6)} after {r.choice(['cut', 'status=500', 'status=503', 'status=504'])}",
            f"commit every {every(2, 6)} after {r.choice(['cut', 'hang=1s'])}",
            f"commit every {every(2, 6)} before delay={r.choice(['100ms', '1s', '3s'])}",
            f"commit every {every(2, 6)} after twice={r.choice(['10ms', '1s', '3s'])}",
            f"commit every {every(3, 6)} before closing={r.choice(['300ms', '1s', '2s'])}",
            f"commit every {every(3, 6)} before slow={r.choice(['200ms', '1s'])}",
            f"any every {every(11, 19)} before {r.choice(['cut', 'status=500', 'status=503'])}",
        ]
        r.shuffle(rules)
        return "\n".join(rules[:r.randint(2, 6)] + ["second_commit " + r.choice(["ok", "conflict", "5xx"])]) + "\n"


class Failure(Exception):
    """The torture has found something."""


class Slot:
    """The place of one agent; processes in it come and go."""

    def __init__(self, index):
        self.index = index
        self.process = None
        self.step = None       # where it stops or kills itself (LUADUCT_STEP)
        self.parent = False
        self.start_at = None   # when the next process is started
        self.wake_at = None    # when a stopped process is woken
        self.stopped = None    # its pid
        self.ending_at = None  # since when it is asked to end


class Report:
    def __init__(self):
        self.counts = collections.Counter()
        self.steps = collections.Counter()
        self.failures = collections.Counter()  # reasons of processes that ended as "may heal", and of restarts by the parent
        self.records = 0
        self.seconds = 0.0

    def kills(self):
        return self.counts["kills of agents by a signal"] + self.counts["kills of children by a signal"] + self.counts["kills at a step"]

    def text(self):
        lines = ["%-44s %d" % item for item in sorted(self.counts.items())]
        lines += ["step %-39s %d" % item for item in sorted(self.steps.items())]
        lines += ["healed: %s  (%d times)" % item for item in self.failures.most_common(30)]
        return "\n".join(lines + ["records %d, seconds %.0f, kills of agent processes %d" % (self.records, self.seconds, self.kills())])


class Load(threading.Thread):
    """Produces numbered records, until it is told to end; a broker that is away makes it wait."""

    def __init__(self, plan, address):
        super().__init__(daemon=True)
        self.plan, self.number = plan, 0
        self.over = threading.Event()
        self.failures = []
        self.producer = Producer({"bootstrap.servers": address, "enable.idempotence": True, "linger.ms": 5, "message.timeout.ms": 0,
                                  "reconnect.backoff.max.ms": 500, "queue.buffering.max.messages": 200000, "log_level": 0})

    def _delivered(self, error, _message):
        if error:
            self.failures.append(str(error))

    def run(self):
        r = self.plan.random("load")
        while not self.over.wait(0.05):
            for _ in range(max(1, round(self.plan.rate * 0.05 * r.uniform(0, 2)))):
                try:
                    self.producer.produce(TOPIC, truth.value_of(self.number, self.plan.table_partitions),
                                          partition=r.randrange(self.plan.kafka_partitions), on_delivery=self._delivered)
                except BufferError:
                    break
                self.number += 1
            self.producer.poll(0)
        self.producer.flush(60)


class Torture:
    def __init__(self, folder, plan, out=None):
        self.folder, self.plan, self.report = pathlib.Path(folder), plan, Report()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = open(self.folder / "events.log", "a", buffering=1)
        self.out = out
        self.began = time.monotonic()
        self.slots = [Slot(i) for i in range(plan.agents)]
        self.starts = self.endpoint_starts = 0
        self.endpoint_port = stable_port()
        self.endpoint = self.endpoint_wake_at = self.endpoint_start_at = None
        self.broker_wake_at = None
        proxy_port = stable_port()
        self.broker = Broker(self.folder / "broker", proxy_port=proxy_port, properties="log.segment.bytes=16777216\n")
        self.proxy = Proxy(proxy_port, self.broker.behind_port)  # the agents' way to the broker
        self.orders = []  # (when, order): OffsetCommits that are to be lost, or have to reach the broker late
        self.job = None

    # --- saying ---

    def say(self, text, *arguments):
        line = "%9.3f %s" % (time.monotonic() - self.began, text % arguments if arguments else text)
        print(line, file=self.log)
        if self.out:
            print(line, file=self.out, flush=True)

    def count(self, what, n=1):
        self.report.counts[what] += n

    # --- the endpoint ---

    def endpoint_start(self, faults=True):
        script = self.plan.faults(self.endpoint_starts) if faults else ""
        self.endpoint_starts += 1
        self.say("endpoint starts (%d) with: %s", self.endpoint_starts, "; ".join(script.split("\n")))
        self.endpoint = Endpoint(self.folder / "endpoint", port=self.endpoint_port, faults=script)
        RUNNING.remove(self.endpoint)

    def endpoint_end(self, kill):
        if self.endpoint_wake_at:
            self.endpoint_wake()
        if not self.endpoint:
            return
        self.say("endpoint is %s", "killed" if kill else "ended")
        self.count("endpoint: kills" if kill else "endpoint: ends")
        if kill:
            self.endpoint.kill()
        else:
            status = self.endpoint.terminate(60)
            if status != 0:
                raise Failure("the endpoint ended with status %d: %s" % (status, self.endpoint.stderr()[-2000:]))
        self.endpoint = None

    def endpoint_wake(self):
        self.endpoint.process.send_signal(signal.SIGCONT)
        self.endpoint_wake_at = None
        self.say("endpoint goes on")

    # --- agents ---

    def agent_start(self, slot, plain=False, first=False):
        number = self.starts
        self.starts += 1
        slot.parent, slot.step, _pause = self.plan.start(number)
        if plain:
            slot.parent, slot.step = True, None
        arguments = ["run", self.job] + ([] if slot.parent else ["--no-restart"]) + (["--first"] if first else [])
        slot.process = Process(self.folder / "agents" / ("%05d-%d" % (number, slot.index)), *arguments, env={"LUADUCT_STEP": slot.step or ""})
        RUNNING.remove(slot.process)
        slot.start_at = slot.wake_at = slot.ending_at = slot.stopped = None
        self.count("agent starts")
        self.say("agent %d starts as %05d pid %d%s%s", slot.index, number, slot.process.process.pid, " under its parent" if slot.parent else "",
                 " to meet " + slot.step if slot.step else "")

    def child(self, slot):
        """The pid of the job's process; None while there is none."""
        pid = slot.process.process.pid
        if not slot.parent:
            return pid
        try:
            found = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return int(found[0]) if found else None

    @staticmethod
    def state_of(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return None

    def again(self, slot):
        """The slot's next process comes after a pause of its own."""
        slot.process.kill()  # closes its files
        slot.process = slot.stopped = slot.wake_at = None
        slot.start_at = time.monotonic() + self.plan.start(self.starts)[2]

    def kill_agent(self, slot):
        if not slot.process:
            return
        self.say("agent %d is killed%s", slot.index, " while it is stopped" if slot.stopped else " while it ends" if slot.ending_at else "")
        self.count("kills of agents by a signal")
        child = self.child(slot)
        slot.process.kill()
        # The child dies with its parent; a stopped one as well. Nobody may be left over.
        deadline = time.monotonic() + 10
        while slot.parent and child and self.state_of(child) not in (None, "Z", "X"):
            if time.monotonic() > deadline:
                raise Failure("the job's process %d outlives its parent" % child)
            time.sleep(0.01)
        self.again(slot)

    def stop(self, slot, seconds):
        pid = self.child(slot) if slot.process and not slot.stopped else None
        if not pid or slot.ending_at:
            return
        self.say("agent %d is stopped for %.1f s", slot.index, seconds)
        self.count("stops of agents past their session" if seconds * 1000 > SESSION_MS else "short stops of agents")
        try:
            os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            return
        slot.stopped, slot.wake_at = pid, time.monotonic() + seconds

    def wake(self, slot):
        self.say("agent %d is woken", slot.index)
        try:
            os.kill(slot.stopped, signal.SIGCONT)
        except ProcessLookupError:
            pass
        slot.stopped = slot.wake_at = None

    # --- what happens ---

    def event(self, number):
        name, whom, lasts, pause = self.plan.event(number)
        slot = self.slots[whom]
        self.say("event %d: %s", number, name)
        if name == "kill_agent":
            self.kill_agent(slot)
        elif name == "kill_child":
            pid = self.child(slot) if slot.process and slot.parent and not slot.ending_at else None
            if pid and pid != slot.stopped:
                self.count("kills of children by a signal")
                self.say("agent %d: its child %d is killed", slot.index, pid)
                os.kill(pid, signal.SIGKILL)
            else:
                self.kill_agent(slot)
        elif name == "kill_all_agents":
            for each in self.slots:
                self.kill_agent(each)
        elif name == "stop_agent":
            self.stop(slot, SESSION_MS / 1000 + 0.5 + 2 * lasts)
        elif name == "stop_agent_short":
            self.stop(slot, 0.2 + 1.2 * lasts)
        elif name == "stop_all_agents":
            for each in self.slots:
                self.stop(each, SESSION_MS / 1000 + 0.5 + 1.5 * lasts)
        elif name == "end_agent":
            if slot.process and not slot.stopped and not slot.ending_at:
                self.say("agent %d is asked to end", slot.index)
                slot.process.process.send_signal(signal.SIGTERM)
                slot.ending_at = time.monotonic()
        elif name in ("kill_endpoint", "end_endpoint") and self.endpoint:
            self.endpoint_end(name == "kill_endpoint")
            self.endpoint_start_at = time.monotonic() + 1.5 * lasts
        elif name == "freeze_endpoint" and self.endpoint and not self.endpoint_wake_at:
            self.count("endpoint: stops and wakes")
            self.endpoint.process.send_signal(signal.SIGSTOP)
            self.endpoint_wake_at = time.monotonic() + 0.5 + 3 * lasts
        elif name == "lose_commit":
            way = ("before", "after", "late")[int(lasts * 3)]
            self.say("the next OffsetCommit is lost: %s", way)
            order = self.proxy.lose(way, GROUP)
            order.delay, order.deadly = 3 * (lasts * 3 % 1) ** 2, lasts * 100 % 1 < 0.5
            self.orders.append((None, order))
        elif name in ("kill_broker", "end_broker"):
            self.broker_restart(name == "kill_broker", lasts)
        elif name == "freeze_broker" and not self.broker_wake_at:
            self.count("broker: stops and wakes")
            self.broker.process.send_signal(signal.SIGSTOP)
            self.broker_wake_at = time.monotonic() + 0.5 + 4 * lasts  # socket.timeout.ms is 3 s: some answers come too late
        self.watch(pause)

    def broker_wake(self):
        self.say("broker goes on")
        self.broker.process.send_signal(signal.SIGCONT)
        self.broker_wake_at = None

    def broker_restart(self, kill, lasts):
        if self.broker_wake_at:
            self.broker_wake()
        self.say("broker is %s", "killed" if kill else "ended")
        self.count("broker: kills" if kill else "broker: ends")
        self.broker.stop(kill=kill)
        self.watch(2 * lasts)
        self.broker.start()
        self.say("broker is back")

    def watch(self, seconds):
        """Lets the time pass, wakes and starts what is due, and looks at what ended."""
        until = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            if self.endpoint_wake_at and now >= self.endpoint_wake_at:
                self.endpoint_wake()
            if self.endpoint_start_at and now >= self.endpoint_start_at:
                self.endpoint_start_at = None
                self.endpoint_start()
            if self.broker_wake_at and now >= self.broker_wake_at:
                self.broker_wake()
            for slot in self.slots:
                self.look(slot, now)
            self.orders = [order for order in (self.late(now, *order) for order in self.orders) if order]
            if self.endpoint and self.endpoint.process.poll() is not None:
                raise Failure("the endpoint ended by itself: %s" % self.endpoint.stderr()[-2000:])
            if now >= until:
                return
            time.sleep(min(0.05, max(0.0, until - now)))

    def late(self, now, due, order):
        """What becomes of a commit that is to be lost; None when it is done with."""
        if not order.met.is_set() or (due and now < due):
            return due, order
        if due is None:
            self.count("OffsetCommits lost: " + order.way)
            self.say("an OffsetCommit was lost: %s", order.way)
            return (now + order.delay, order) if order.way == "late" else None
        try:
            errors = order.send_late()
        except OSError:  # the broker was restarted meanwhile
            return None
        self.say("it reached the broker late, which answered %s", errors)
        self.count("late OffsetCommits refused" if all(errors) else "late OffsetCommits stored")
        if order.deadly:  # nobody may write over what it has stored
            for slot in self.slots:
                self.kill_agent(slot)
        return None

    def look(self, slot, now):
        if not slot.process:
            if slot.start_at and now >= slot.start_at:
                self.agent_start(slot)
            return
        if slot.wake_at and now >= slot.wake_at:
            self.wake(slot)
        status = slot.process.process.poll()
        if status is not None:
            self.ended(slot, status)
        elif slot.step and not slot.stopped and self.state_of(slot.process.process.pid) == "T":  # not by us
            self.step_seen(slot, "stop")
            slot.stopped = slot.process.process.pid
            slot.wake_at = now + SESSION_MS / 1000 + 0.7
        elif slot.ending_at and now - slot.ending_at > 90:
            raise Failure("agent %d does not end (%s)" % (slot.index, slot.process.folder))

    def step_seen(self, slot, way):
        """The process stopped or killed itself."""
        self.say("agent %d %s itself at %s", slot.index, "stopped" if way == "stop" else "killed", slot.step)
        self.count("stops at a step" if way == "stop" else "kills at a step")
        self.report.steps[slot.step.split(":")[0]] += 1

    def reason(self, slot):
        lines = [line for line in slot.process.stderr().splitlines() if "the job failed" in line or " error " in line or "ERROR" in line]
        return re.sub(r"\d+", "N", (lines or slot.process.stderr().splitlines() or ["nothing was said"])[-1][25:])[:300]

    def ended(self, slot, status):
        if status == -signal.SIGKILL and slot.step and slot.step.endswith("kill"):
            self.step_seen(slot, "kill")
        elif slot.ending_at and (status == 0 or (status == -signal.SIGTERM and not slot.process.stderr())):  # hardly started
            self.say("agent %d ended as asked", slot.index)
            self.count("agents ended as asked")
        elif status == 75 or (status == 1 and slot.ending_at and "restarted" in slot.process.stderr()):
            self.say("agent %d ended with status %d: %s", slot.index, status, self.reason(slot))
            self.report.failures[self.reason(slot)] += 1
        else:
            raise Failure("agent %d (%s) ended with status %d: %s" % (slot.index, slot.process.folder, status, slot.process.stderr()[-1500:]))
        self.again(slot)

    # --- the whole ---

    def prepare(self):
        plan = self.plan
        self.say("%d Kafka partitions, %d table partitions, %s", plan.kafka_partitions, plan.table_partitions, plan.settings)
        self.broker.start()
        self.broker.create_topic(TOPIC, plan.kafka_partitions)
        self.broker.create_topic(DIRTY_TOPIC, 2)
        self.endpoint_start(faults=False)
        folder = self.folder / "job"
        self.job = write_job(folder, "127.0.0.1:%d" % self.proxy.port, self.endpoint.url, JOB.format(**plan.settings),
                             session_ms=SESSION_MS, heartbeat_ms=300, properties=PROPERTIES)
        (folder / "keep.lua").write_text(KEEP)
        self.agent_start(self.slots[0], plain=True, first=True)
        self.slots[0].process.wait_for(lambda: all(text for _, text in self.committed().values()) and self.committed(), 60, "the anchors")
        for slot in self.slots[1:]:
            self.agent_start(slot)

    def committed(self):
        return self.broker.committed(GROUP, TOPIC, self.plan.kafka_partitions)

    def run(self):
        load = None
        try:
            self.prepare()
            load = Load(self.plan, self.broker.address)
            load.start()
            number = 0
            while self.report.kills() < self.plan.kills and time.monotonic() - self.began < self.plan.minutes * 60:
                self.event(number)
                number += 1
                if number % 100 == 0:
                    self.say("so far: %d events, %d kills, %d records", number, self.report.kills(), load.number)
                    self.go_on()
            self.calm(load)
            self.verify()
        finally:
            if load:
                load.over.set()
            self.end_all()
        self.report.seconds = time.monotonic() - self.began
        return self.report

    def go_on(self):
        """With all faults of the endpoint, but nobody killed for a while, what is in the topic now is read: nothing is stuck."""
        if self.broker_wake_at:
            self.broker_wake()
        ends, deadline = self.ends(), time.monotonic() + 90
        while not all(offset >= ends[p] for p, (offset, _text) in self.committed().items()):
            if time.monotonic() > deadline:
                raise Failure("the job does not go on: %s of %s" % ({p: offset for p, (offset, _text) in self.committed().items()}, ends))
            self.watch(0.5)

    def ends(self):
        return {p: truth.next_end(self.broker.address, TOPIC, p) for p in range(self.plan.kafka_partitions)}

    def calm(self, load):
        """No faults any more: all is read, and the agents end in good order."""
        self.say("the faults end")
        if self.broker_wake_at:
            self.broker_wake()
        for slot in self.slots:
            if slot.stopped:
                self.wake(slot)
        self.proxy.lose_nothing()
        load.over.set()
        load.join(90)
        if load.is_alive() or load.failures:
            raise Failure("the producer did not get rid of its records: %s" % load.failures[:3])
        self.endpoint_start_at = None
        self.endpoint_end(kill=False)
        self.endpoint_start(faults=False)
        for slot in self.slots:  # those that would still meet a step end first
            if slot.process and slot.step:
                self.kill_agent(slot)
            if not slot.process:
                self.agent_start(slot, plain=True)
        ends, deadline = self.ends(), time.monotonic() + 120
        while True:
            found = {p: truth.Position(*entry) for p, entry in self.committed().items()}
            if all(found[p].offset == ends[p] and not found[p].prepared for p in ends):
                break
            for slot in self.slots:
                if slot.process is None or slot.process.process.poll() is not None:
                    if slot.process and not slot.ending_at:
                        raise Failure("agent %d ended by itself in the calm: %s" % (slot.index, slot.process.stderr()[-1500:]))
                    if slot.process:
                        self.again(slot)
                    self.agent_start(slot, plain=True)
            if time.monotonic() > deadline:
                raise Failure("not everything is read: " + ", ".join("partition %d at %d of %d%s" % (
                    p, found[p].offset, ends[p], " with an epoch" if found[p].prepared else "") for p in ends))
            time.sleep(0.2)
        for slot in self.slots:
            if slot.process.process.poll() is None:
                slot.process.process.send_signal(signal.SIGTERM)
        for slot in self.slots:
            status = slot.process.wait(60)
            if status != 0:
                raise Failure("agent %d ended with status %d in the calm: %s" % (slot.index, status, slot.process.stderr()[-1500:]))

    def verify(self):
        self.say("everything is read and all agents have ended; the books are compared")
        expected = truth.Expected(self.broker.address, TOPIC, self.plan.kafka_partitions)
        self.report.records = expected.count()
        dirty = truth.dirty_of_topic(self.broker.address, DIRTY_TOPIC, 2)
        database = self.folder / "endpoint" / "rows.db"
        wrong = (truth.check_table(expected, truth.table_rows(database, TABLE)) + truth.check_ledger(expected, self.committed())
                 + truth.check_dirty(expected, dirty))
        self.count("dirty rows written", len(dirty))
        self.count("dirty rows expected", expected.count(truth.DIRTY))
        self.read_logs()
        if wrong:
            lines = [text for text, _place in wrong[:40]] + ["... %d in all" % len(wrong)] * (len(wrong) > 40)
            lines += truth.explain([place for _text, place in wrong], truth.group_history(self.broker.address, GROUP, TOPIC), database)
            (self.folder / "wrong.txt").write_text("\n".join(lines + [text for text, _place in wrong]) + "\n")
            raise Failure("\n".join(lines))
        self.say("each of %d records exactly once, the ledger exact", self.report.records)

    def read_logs(self):
        said = {
            "the group is joined anew": "rejoins after an unknown commit", "is rolled forward epoch=": "epochs rolled forward",
            "what was not committed is given up": "drops of epochs", "partitions were lost to the group": "losses of partitions",
            "offsets could not be committed, trying again": "refused commits", "is restarted in": "restarts by a parent",
            "epoch finished number=": "epochs finished by their owner", "partitions are given back before": "late give-backs",
            "AddressSanitizer": "sanitizer reports", "runtime error:": "sanitizer reports",
        }
        for path in sorted((self.folder / "agents").glob("*/stderr")):
            with open(path, errors="replace") as lines:
                for line in lines:
                    for text, name in said.items():
                        if text in line:
                            self.count(name)
                    if "is restarted in" in line:
                        self.report.failures[re.sub(r"\d+", "N", line[25:].strip())[:300]] += 1
        if self.report.counts["sanitizer reports"]:
            raise Failure("a sanitizer has reported something; see the agents' stderr")

    def end_all(self):
        for slot in self.slots:
            if slot.stopped:
                self.wake(slot)
            if slot.process:
                slot.process.kill()
        if self.endpoint:
            self.endpoint.process.send_signal(signal.SIGCONT)
            self.endpoint.kill()
        self.proxy.close()
        if self.broker.process:
            self.broker.process.send_signal(signal.SIGCONT)
            self.broker.stop()
