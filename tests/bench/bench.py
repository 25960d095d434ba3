#!/usr/bin/env python3
"""The bench suite: the jobs `columns` and `five`, held against the parts of their work that nobody can leave out. Prints Markdown.

usage: bench.py [roofline|replay|broker|scaling|all] [--job columns|five] [--records N] [--runs N]         (scripts/bench builds and calls it)

roofline   the parts by hand (roofline.c) and their sum R: CPU time and instructions a record
replay     the whole agent from memory to a sink that forgets, runs taken in turn with the roofline's
broker     a filled topic of a real Kafka to `luaduct local --discard`: CPU of all the agent's threads, of the broker and of the endpoint, wall time, the
           rate in slices of 100 ms, and peak memory
scaling    replay with 0, 1, 2 workers and 1, 30, 365 table partitions

Times are CPU times, from runs in turn; on a shared machine they wander by tens of percent, so read minima and ratios. Instructions are
counted by callgrind, which knows no AVX-512: of deflate it counts the AVX2 code. Nothing is asserted here (test_replay.py holds the gates).
"""
import argparse
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LUADUCT_BUILD", ROOT / "build"))
PROGRAMS = BUILD / "tests" / "bench"
PARTS = {"receive": "receive, CRC, LZ4, walk the record batch", "json": "one pass over the JSON", "encode": "encode and CRC",
         "deflate": "deflate by isa-l level 1", "put": "HTTP PUT"}
WITHOUT_ENDS = ("json", "encode", "deflate")  # what replay does too: it has no broker and no endpoint
DAYS = {1: 0, 30: 720, 365: 8760}  # table partitions: hours that the records are spread over


def output_of(command, **more):
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, **more)
    if result.returncode:
        raise RuntimeError(" ".join(map(str, command)) + "\n" + result.stderr)
    return result.stdout, result.stderr


def pairs(line):
    return {key: float(value) if "." in value else int(value) for key, value in (pair.split("=") for pair in line.split() if "=" in pair)}


def replay(records, rounds, *options, job="columns", tool=()):
    """What the program says, and what the tool around it says."""
    stdout, stderr = output_of([*tool, PROGRAMS / "replay", ROOT / "tests" / "bench" / f"{job}.yaml", records, rounds, *options])
    return pairs(stdout), stderr


def replay_instructions(*options, job="columns", records=4000, rounds=(1, 3)):
    """Per record, as a difference of two numbers of rounds, so that the start does not count."""
    counts = []
    for n in rounds:
        with tempfile.TemporaryDirectory() as folder:
            _, stderr = replay(records, n, *options, job=job, tool=["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"])
        counts.append(int(re.search(r"Collected : (\d+)", stderr).group(1)))
    return (counts[1] - counts[0]) / ((rounds[1] - rounds[0]) * records)


def map_instructions(rounds=(4, 12)):
    """Per row of batch:map, within the stage."""
    counts = []
    for n in rounds:
        with tempfile.TemporaryDirectory() as folder:
            _, stderr = output_of(["valgrind", "--tool=callgrind", "--toggle-collect=script_process", f"--callgrind-out-file={folder}/out",
                                   PROGRAMS / "map", ROOT / "tests" / "bench" / "map.lua", n])
        counts.append(int(re.search(r"Collected : (\d+)", stderr).group(1)))
    return (counts[1] - counts[0]) / ((rounds[1] - rounds[0]) * 1000)


def instructions_within(function, *options, job="columns", records=4000, rounds=3):
    """Per record, within a function and what it calls."""
    with tempfile.TemporaryDirectory() as folder:
        _, stderr = replay(records, rounds, *options, job=job,
                           tool=["valgrind", "--tool=callgrind", f"--toggle-collect={function}", f"--callgrind-out-file={folder}/out"])
    return int(re.search(r"Collected : (\d+)", stderr).group(1)) / (rounds * records)


def roofline(records, rounds, job="columns", tool=(), **more):
    """{part: {"min_ns": …, "median_ns": …, "max_ns": …}}, and the same for "sum"; the first line under "all"."""
    stdout, _ = output_of([*tool, PROGRAMS / "roofline", records, rounds, f"job={job}"], **more)
    lines = stdout.splitlines()
    return {"all": pairs(lines[0]), **{line.split()[0]: pairs(line) for line in lines[1:]}}


def roofline_instructions(job="columns", records=20480):
    """{part: instructions per record}: what callgrind counts in the parts' functions and below."""
    functions = {"receive": "receive", "json": "json", "encode": "encode", "deflate": "deflate_rows", "put": "put"}
    with tempfile.TemporaryDirectory() as folder:
        roofline(records, 1, job, tool=["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"], env={**os.environ, "LD_BIND_NOW": "1"})
        text, _ = output_of(["callgrind_annotate", "--inclusive=yes", "--threshold=100", f"{folder}/out"])
    found = {}
    for part, function in functions.items():
        match = re.search(r"^ *([\d,]+) \([^)]*\)\s+\S*roofline\.c:%s[. ]" % function, text, re.M)
        found[part] = int(match.group(1).replace(",", "")) / records
    return found


def spread(values, digits=0):
    return "%.*f / %.*f / %.*f" % (digits, min(values), digits, statistics.median(values), digits, max(values))


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")
    print(flush=True)


# --- roofline and replay ---

def print_roofline(runs, instructions):
    rows = [(text, spread([run[part]["min_ns"] for run in runs]), "%.0f" % instructions[part]) for part, text in PARTS.items()]
    rows.append(("**sum R**", "**%s**" % spread([run["sum"]["min_ns"] for run in runs]), "**%.0f**" % sum(instructions.values())))
    rows.append(("of these json, encode, deflate", spread([sum(run[part]["min_ns"] for part in WITHOUT_ENDS) for run in runs]),
                 "%.0f" % sum(instructions[part] for part in WITHOUT_ENDS)))
    print("### The roofline: ns of CPU a record, min / median / max of %d runs\n" % len(runs))
    table(("unavoidable part", "ns", "instructions"), rows)


def bench_roofline(arguments):
    print_roofline([roofline(arguments.records // 10, 5, arguments.job) for _ in range(arguments.runs)], roofline_instructions(arguments.job))


def bench_replay(arguments):
    # Twenty rounds: what memory costs that is touched for the first time would be a tenth of five.
    job, records, rounds, figures, roofs = arguments.job, 100_000, 20, {}, []
    cases = {"without compression": ["compression=none"], "deflate": [], "deflate, 1 worker": ["workers=1"],
             "deflate, exactly once": ["delivery=exactly_once"]}
    for _ in range(arguments.runs):
        roofs.append(roofline(records, 5, job))
        for name, options in cases.items():
            figures.setdefault(name, []).append(replay(records, rounds, *options, job=job)[0])
    whole = [run["sum"]["min_ns"] for run in roofs]
    inner = [sum(run[part]["min_ns"] for part in WITHOUT_ENDS) for run in roofs]
    print_roofline(roofs, roofline_instructions(job))
    print("### Replay from memory into a sink that forgets: CPU of all threads, min / median / max of %d runs in turn with the roofline's\n" %
          arguments.runs)
    rows = []
    for name, options in cases.items():
        cpu = [run["cpu_ns_per_record"] for run in figures[name]]
        ratios = ["-", "-"] if "compression=none" in options else [
            spread([roof / mine for roof, mine in zip(all_roofs, cpu)], 2) for all_roofs in (whole, inner)]
        rows.append((name, spread(cpu), "%.2f M" % (1e3 / min(cpu)), "%.0f" % replay_instructions(*options, job=job), *ratios,
                     "%.0f" % (max(run["peak_kib"] - run["input_kib"] for run in figures[name]) / 1024)))
    table(("", "ns a record", "records/s and core", "instructions", "R / ns", "(json + encode + deflate) / ns", "peak MiB without the records"), rows)


def bench_scaling(arguments):
    print("### Replay with deflate: CPU ns a record of all threads, and wall ns, minima of %d runs in turn\n" % arguments.runs)
    layouts = [("%d" % days, ["hours=%d" % hours] if hours else []) for days, hours in DAYS.items()]
    layouts.append(("365, all in every batch", ["hours=8760", "spread=1"]))
    found = {}
    for _ in range(arguments.runs):
        for name, options in layouts:
            for workers in (0, 1, 2):
                found.setdefault((name, workers), []).append(replay(100_000, 5, *options, f"workers={workers}", job=arguments.job)[0])
    rows = []
    for name, options in layouts:
        cells = [tuple(min(run[key] for run in found[name, workers]) for key in ("cpu_ns_per_record", "wall_ns_per_record")) for workers in (0, 1, 2)]
        rows.append((name, *("%d (%d)" % cell for cell in cells), "%.0f" % replay_instructions("compression=none", *options, job=arguments.job)))
    table(("table partitions", "0 workers", "1 worker", "2 workers", "instructions without compression"), rows)


# --- broker ---

def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def runnable(pid):
    """Whether a thread runs or waits for a core: on a shared machine a process may stand still through no fault of its own."""
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            if (thread / "stat").read_text().rsplit(") ", 1)[1][0] == "R":
                return True
        except OSError:  # it has ended
            pass
    return False


class Slices(threading.Thread):
    """Asks the agent's own metrics for the records fetched, as often as a slice: where the number stands still, fetching stalled."""

    SLICE = 0.1

    def __init__(self, url, pid):
        super().__init__(daemon=True)
        self.url, self.pid, self.points, self.ended = url, pid, [], threading.Event()

    def run(self):
        while not self.ended.wait(self.SLICE):
            try:
                text = urllib.request.urlopen(self.url, timeout=1).read().decode()
                busy = runnable(self.pid)
            except OSError:
                continue
            self.points.append((time.monotonic(), int(float(re.search(r"^luaduct_fetched_records_total\S* (\S+)$", text, re.M).group(1))), busy))

    def figures(self):
        """Seconds from the first to the last record, the longest time without one, the longest in which no thread even wanted a core, and the rates of
        the slices."""
        steps = list(zip(self.points, self.points[1:]))
        moving = [step for step in steps if step[1][1] > step[0][1]]
        if not moving:
            return 0, 0, 0, []
        inside = [(a, b) for a, b in steps if a[0] >= moving[0][0][0] and b[0] <= moving[-1][1][0]]
        longest = idle_longest = still = idle = 0
        for a, b in inside:
            still, idle = (0, 0) if b[1] > a[1] else (still + b[0] - a[0], 0 if a[2] or b[2] else idle + b[0] - a[0])
            longest, idle_longest = max(longest, still), max(idle_longest, idle)
        return moving[-1][1][0] - moving[0][0][0], longest, idle_longest, [(b[1] - a[1]) / (b[0] - a[0]) for a, b in inside]


def bench_broker(arguments):
    sys.path.insert(0, str(ROOT / "tests"))
    os.environ.setdefault("LUADUCT", str(BUILD / "luaduct"))
    from support import jobs, orders
    from support.agent import Endpoint, Process, binary, write_job
    from support.broker import Broker, free_port

    def run(folder, name, workers, records, delivery="at_least_once"):
        port = free_port()
        job = {"columns": jobs.columns, "five": jobs.five}[arguments.job](name, "orders", workers=workers, flush="30s", more=f'delivery: {delivery}\nmetrics: {{listen: "127.0.0.1:{port}"}}')
        path = write_job(folder / name, broker.address, endpoint.url, job)
        others = [cpu_seconds(broker.process.pid), cpu_seconds(endpoint.process.pid)]
        with open(folder / name / "log", "ab") as log:
            began = time.monotonic()
            command = [binary(), "run", str(path), "--records", str(records)] + (["--first"] if delivery == "exactly_once" else [])
            process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
            slices = Slices(f"http://127.0.0.1:{port}/metrics", process.pid)
            slices.start()
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.monotonic() - began
        slices.ended.set()
        slices.join()
        if os.waitstatus_to_exitcode(status):
            raise RuntimeError((folder / name / "log").read_text()[-3000:])
        others = [(cpu_seconds(pid) - before) * 1e9 / records for pid, before in zip((broker.process.pid, endpoint.process.pid), others)]
        active, longest, idle, rates = slices.figures()
        return {"cpu": (usage.ru_utime + usage.ru_stime) * 1e9, "wall": wall, "peak": usage.ru_maxrss / 1024, "broker": others[0], "endpoint": others[1],
                "active": active, "longest": longest, "idle": idle, "rates": rates}

    def dead_target(folder):
        """Peak MiB when the endpoint goes away while records come, until nothing grows any more."""
        gone = Endpoint(folder / "gone", discard=True, data=False)
        job = jobs.columns("dead", "orders", workers=1, flush="1s", more="  compression: none")  # so that memory fills sooner than the topic ends
        process = Process(folder / "dead", "run", write_job(folder / "dead", broker.address, gone.url, job), "--no-restart")
        process.wait_for(lambda: "partitions assigned" in process.stderr())
        gone.kill()
        process.wait_for(lambda: "the source is held back" in process.stderr())
        peaks = [0]
        while len(peaks) < 5 or peaks[-1] != peaks[-4]:
            time.sleep(1)
            peaks.append(int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{process.process.pid}/status").read_text()).group(1)) / 1024)
        process.kill()
        return peaks[-1]

    records, few = arguments.records, arguments.records // 10
    figures, starts, roofs = {}, {}, []
    cases = {"0 workers": (0, "at_least_once"), "1 worker": (1, "at_least_once"), "2 workers": (2, "at_least_once"),
             "1 worker, exactly once": (1, "exactly_once")}
    with tempfile.TemporaryDirectory(prefix="luaduct-bench-") as folder:
        folder = pathlib.Path(folder)
        broker = Broker(folder / "broker").start()
        endpoint = Endpoint(folder / "endpoint", discard=True, data=False)
        try:
            broker.create_topic("orders", 4)
            broker.produce("orders", (text.encode() for text in orders.records(records)), 4)
            for n in range(arguments.runs):
                roofs.append(roofline(100_000, 5, arguments.job)["sum"]["min_ns"])
                for i, (name, (workers, delivery)) in enumerate(cases.items()):
                    starts.setdefault(name, []).append(run(folder, f"few{n}_{i}", workers, few, delivery)["cpu"])
                    figures.setdefault(name, []).append(run(folder, f"all{n}_{i}", workers, records, delivery))
            print_broker(records, few, figures, starts, roofs, arguments.runs)
            print("With a dead target the process takes %.0f MiB at most, of a runtime.memory_max of 256 MiB.\n" % dead_target(folder), flush=True)
        finally:
            endpoint.kill()
            broker.wipe()


def print_broker(records, few, figures, starts, roofs, count):
    print("### A filled topic of %d records, 4 partitions, LZ4, drained from a real Kafka to `luaduct local --discard`\n" % records)
    print("CPU is that of all the agent's threads, min / median / max of %d runs; \"steady\" is the difference between draining all and a tenth, which leaves "
          "start and joining out. R is %s ns, from runs in turn.\n" % (count, spread(roofs)))
    rows = []
    for name, runs in figures.items():
        whole = [run["cpu"] / records for run in runs]
        steady = [(run["cpu"] - start) / (records - few) for run, start in zip(runs, starts[name])]
        rows.append((name, spread(whole), spread(steady), spread([roof / mine for roof, mine in zip(roofs, steady)], 2),
                     "%.0f" % statistics.median(run["broker"] for run in runs), "%.0f" % statistics.median(run["endpoint"] for run in runs),
                     "%.0f" % (statistics.median(run["wall"] for run in runs) * 1e9 / records), "%.0f" % max(run["peak"] for run in runs)))
    table(("", "ns a record", "steady", "R / steady", "broker's CPU", "endpoint's CPU", "wall", "peak MiB"), rows)
    print("Fetching while the topic is drained, in slices of 100 ms:\n")
    table(("", "seconds with records", "longest without a record", "and without a thread that wanted a core", "thousand records a slice, min / median / max"),
          [(name, spread([run["active"] for run in runs], 2), "%.2f s" % max(run["longest"] for run in runs), "%.2f s" % max(run["idle"] for run in runs),
            spread([rate / 1e4 for run in runs for rate in run["rates"]] or [0])) for name, runs in figures.items()])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", default="all", choices=["roofline", "replay", "broker", "scaling", "all"])
    parser.add_argument("--job", default="columns", choices=["columns", "five"])
    parser.add_argument("--records", type=int, default=2_000_000, help="in the topic of the broker's part")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    parts = {"roofline": bench_roofline, "replay": bench_replay, "broker": bench_broker, "scaling": bench_scaling}
    for name in ("replay", "scaling", "broker") if arguments.part == "all" else (arguments.part,):
        parts[name](arguments)


if __name__ == "__main__":
    main()
