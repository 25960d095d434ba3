#!/usr/bin/env python3
"""A long run at full rate: memory, descriptors and threads have to stay what they are. Job `columns`, exactly once, from a real broker whose topic
is filled all the time and kept short, to `local --discard`.

usage: soak.py [MINUTES]       default 30; needs build/luaduct, and what `scripts/setup test` installs
Prints a line every minute, and at the end the medians of resident memory over the second and the last sixth of the time. Ends with 1 when memory
grew by more than 4 MiB between them, when descriptors or threads did, or when the job's count does not add up.
"""
import os
import pathlib
import re
import statistics
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
os.environ.setdefault("LUADUCT", str(ROOT / "build" / "luaduct"))

from confluent_kafka import Producer  # noqa: E402

from support import jobs, orders  # noqa: E402
from support.agent import Endpoint, Process, write_job  # noqa: E402
from support.broker import Broker, free_port  # noqa: E402

TEXTS, PARTITIONS, AHEAD_MAX, GROWTH_MAX_KIB = 100_000, 4, 1_500_000, 4096
TOPIC = {"retention.bytes": str(256 << 20), "segment.bytes": str(32 << 20), "file.delete.delay.ms": "1000"}


def fill(address, behind, stop):
    """Sends the same records over and over, as long as the job is not too far behind: what it has not read must not be deleted."""
    producer = Producer({"bootstrap.servers": address, "compression.type": "lz4", "linger.ms": 20, "batch.size": 1 << 20, "queue.buffering.max.messages": 1_000_000})
    texts = [t.encode() for t in orders.records(TEXTS, broken_permille=1)]
    sent = 0
    while not stop.is_set():
        if sent - behind() > AHEAD_MAX:
            time.sleep(0.05)
            continue
        for i, text in enumerate(texts):
            while True:
                try:
                    producer.produce("orders", text, partition=i % PARTITIONS)
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.poll(0)
        sent += len(texts)
    producer.flush(60)


def status(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    kib = int(re.search(r"VmRSS:\s+(\d+) kB", text).group(1))
    return {"kib": kib, "threads": int(re.search(r"Threads:\s+(\d+)", text).group(1)), "descriptors": len(os.listdir(f"/proc/{pid}/fd"))}


class Counters:
    def __init__(self, port):
        self.port, self.last = port, {}

    def __call__(self, name):
        try:
            page = urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10).read().decode()
            self.last[name] = float(re.search(r"^luaduct_%s\{[^}]*\} (\S+)$" % name, page, re.M).group(1))
        except OSError:
            pass
        return self.last.get(name, 0.0)


def watch(process, counters, minutes):
    samples, began = [], time.monotonic()
    while time.monotonic() - began < minutes * 60:
        time.sleep(5)
        assert process.process.poll() is None, process.stderr()[-3000:]
        samples.append({"at": time.monotonic() - began, **status(process.process.pid)})
        if len(samples) % 12 == 0:
            print("%5.1f min  %6.1f MiB  %3d threads  %3d descriptors  %12d records  %10d written" % (
                samples[-1]["at"] / 60, samples[-1]["kib"] / 1024, samples[-1]["threads"], samples[-1]["descriptors"],
                counters("processed_records_total"), counters("written_rows_total")), flush=True)
    return samples


def verdict(samples, minutes):
    def part(sixth, what):
        return [s[what] for s in samples if sixth * minutes * 10 <= s["at"] < (sixth + 1) * minutes * 10]

    first, last = statistics.median(part(1, "kib")), statistics.median(part(5, "kib"))
    flat = last - first <= GROWTH_MAX_KIB
    for what in ("threads", "descriptors"):
        flat = flat and statistics.median(part(5, what)) <= statistics.median(part(1, what))
    print("memory: median %.1f MiB in the second sixth, %.1f MiB in the last, peak %.1f MiB: %s" % (
        first / 1024, last / 1024, max(s["kib"] for s in samples) / 1024, "flat" if flat else "IT GREW"))
    return flat


def main():
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 30
    with tempfile.TemporaryDirectory(prefix="luaduct-soak-") as folder:
        folder = pathlib.Path(folder)
        broker = Broker(folder / "broker", properties="log.retention.check.interval.ms=5000").start()
        endpoint = Endpoint(folder / "endpoint", discard=True, data=False)
        stop, port = threading.Event(), free_port()
        counters = Counters(port)
        filler = threading.Thread(target=fill, args=(broker.address, lambda: counters("processed_records_total"), stop))
        process = None
        try:
            broker.create_topic("orders", PARTITIONS, **TOPIC)
            job = jobs.columns("soak", "orders", workers=1, flush="5s", more=f"delivery: exactly_once\nmetrics: {{listen: '127.0.0.1:{port}'}}")
            path = write_job(folder / "job", broker.address, endpoint.url, job)
            filler.start()
            process = Process(folder / "run", "run", path, "--first", "--no-restart")
            flat = watch(process, counters, minutes)
            stop.set()
            filler.join()
            flat = verdict(flat, minutes)
            ended = process.terminate(120)
            line = re.search(r"stopped; .*", process.stderr())
            print("ended with %d: %s" % (ended, line.group() if line else process.stderr()[-2000:]))
            read, written, filtered, dirty = (int(re.search(rf"{w}=(\d+)", line.group()).group(1)) for w in ("read", "written", "filtered", "dirty"))
            return 0 if flat and ended == 0 and read == written + filtered + dirty else 1
        finally:
            stop.set()
            if process:
                process.kill()
            endpoint.kill()
            broker.wipe()


if __name__ == "__main__":
    sys.exit(main())
