#!/usr/bin/env python3
"""What exactly once costs: job `columns` from a real broker to `local --discard`, both ways of delivery in turn.

usage: delivery.py [RECORDS [PAIRS [FLUSH]]]       default 1000000 5 30s; needs build/luaduct, and what `scripts/setup test` installs
Prints CPU per record of all agent threads (start-up and the group's joining included), wall time and peak memory of each run, and the ratio
of each pair. Nothing is asserted: on a shared machine only the ratios mean something.
"""
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
os.environ.setdefault("LUADUCT", str(ROOT / "build" / "luaduct"))

from support import jobs, orders  # noqa: E402
from support.agent import Endpoint, binary, write_job  # noqa: E402
from support.broker import Broker  # noqa: E402


def run(path, records, first, log):
    command = [binary(), "run", str(path), "--records", str(records)] + (["--first"] if first else [])
    began = time.monotonic()
    with open(log, "ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, pathlib.Path(log).read_text()[-3000:]
    return {"cpu_us": (usage.ru_utime + usage.ru_stime) * 1e6 / records, "wall_s": time.monotonic() - began, "peak_mib": usage.ru_maxrss / 1024}


def main():
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    pairs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    flush = sys.argv[3] if len(sys.argv) > 3 else "30s"
    with tempfile.TemporaryDirectory(prefix="luaduct-bench-") as folder:
        folder = pathlib.Path(folder)
        broker = Broker(folder / "broker").start()
        endpoint = Endpoint(folder / "endpoint", discard=True, data=False)
        try:
            broker.create_topic("orders", 4)
            broker.produce("orders", (t.encode() for t in orders.records(records)), 4)
            figures = {"at_least_once": [], "exactly_once": []}
            for pair in range(pairs):
                for delivery, found in figures.items():
                    name = f"{delivery}_{pair}"
                    job = jobs.columns(name, "orders", workers=1, flush=flush, more=f"delivery: {delivery}")
                    path = write_job(folder / name, broker.address, endpoint.url, job)
                    found.append(run(path, records, delivery == "exactly_once", folder / name / "log"))
                    print("%-14s cpu %.3f us/record  wall %.2f s  peak %.0f MiB" % (delivery, *found[-1].values()), flush=True)
            ratios = [b["cpu_us"] / a["cpu_us"] for a, b in zip(figures["at_least_once"], figures["exactly_once"])]
            print("CPU exactly_once / at_least_once: min %.3f median %.3f max %.3f" % (min(ratios), statistics.median(ratios), max(ratios)))
        finally:
            endpoint.kill()
            broker.wipe()


if __name__ == "__main__":
    main()
