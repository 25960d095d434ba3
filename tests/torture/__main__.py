"""scripts/torture: see torture.py."""
import argparse
import pathlib
import random
import shutil
import sys
import tempfile
import textwrap
import time

from torture.torture import STEPS, STEPS_ONCE, Failure, Plan, Torture


def main():
    parser = argparse.ArgumentParser(prog="scripts/torture", description=textwrap.dedent("""\
        Three agents of one exactly-once job, a real broker and a faulty endpoint, and kills without end; then every number must be in the
        table exactly once, and the ledger exact."""))
    parser.add_argument("--kills", type=int, default=1000, help="of agent processes, by a signal or at a step (default 1000)")
    parser.add_argument("--seed", type=int, help="replays the schedule of a run; by default one is drawn and printed")
    parser.add_argument("--minutes", type=float, default=90, help="ends after so many minutes even if there were fewer kills (default 90)")
    parser.add_argument("--rate", type=int, default=300, help="records a second (default 300)")
    parser.add_argument("--pace", type=float, default=1.0, help="factor on the pauses between events (default 1)")
    parser.add_argument("--folder", type=pathlib.Path, help="where logs, broker and table are kept (default: a temporary one)")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    folder = options.folder or pathlib.Path(tempfile.mkdtemp(prefix="torture-"))
    print("seed %d: scripts/torture --seed %d --kills %d; everything is in %s" % (seed, seed, options.kills, folder), flush=True)
    torture = Torture(folder, Plan(seed, options.kills, options.minutes, rate=options.rate, pace=options.pace))
    try:
        report = torture.run()
    except Failure as failure:
        print(torture.report.text())
        print("FAILED with seed %d after %.0f s: %s\nEverything is kept in %s" % (seed, time.monotonic() - torture.began, failure, folder))
        return 1
    except BaseException:
        print("seed %d; everything is kept in %s" % (seed, folder))
        raise
    print(report.text())
    missed = [name for name in STEPS if name not in STEPS_ONCE and not report.steps[name]]
    print("passed with seed %d: nothing lost, nothing twice, the ledger exact" % seed + ("; steps not met: " + ", ".join(missed) if missed else ""))
    if not options.folder:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


sys.exit(main())
