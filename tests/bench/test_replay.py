"""Job `columns` on replay, one core: the counts are the reference's, and instructions per record stay below their bound.

Instructions are counted by callgrind as a difference of two numbers of rounds, so that start-up does not count. Nothing here asserts a time.
"""
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LUADUCT_BUILD", ROOT / "build"))
RECORDS = 4000
# The goal is 5,000 without compression; it was 3,570 when this bound was set, and what is gained is not to be lost unseen.
INSTRUCTIONS_MAX = 3800


def replay(*arguments, tool=()):
    subprocess.run(["ninja", "-C", BUILD, "--quiet", "replay"], check=True)
    result = subprocess.run([*tool, BUILD / "tests/bench/replay", ROOT / "tests/bench/columns.yaml", *map(str, arguments)],
                            capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return dict(pair.split("=") for pair in result.stdout.split()), result.stderr


def instructions(rounds, tmp_path, *options):
    _, stderr = replay(RECORDS, rounds, *options, tool=["valgrind", "--tool=callgrind", f"--callgrind-out-file={tmp_path / 'out'}"])
    return int(re.search(r"Collected : (\d+)", stderr).group(1))


def test_counts_are_the_references():
    result, _ = replay(100_000, 1)
    assert [result[k] for k in ("records", "written", "filtered", "dirty")] == ["100000", "72018", "27982", "0"]
    print("replay of 100,000 records:", result)


def test_instructions_per_record(tmp_path):
    assert shutil.which("valgrind")
    for options, bound in ((["compression=none"], INSTRUCTIONS_MAX), (["compression=deflate"], None)):
        each = (instructions(3, tmp_path, *options) - instructions(1, tmp_path, *options)) / (2 * RECORDS)
        print("instructions per record (%s): %.0f" % (options[0], each))
        assert bound is None or each <= bound


def test_exactly_once_costs_little(tmp_path):
    """The same records with and without the record beside the offsets: one epoch over 36,000 records, where
    a flush interval of 30 s brings millions."""
    each = [instructions(9, tmp_path, "compression=none", "delivery=" + d) / (9 * RECORDS) for d in ("at_least_once", "exactly_once")]
    print("instructions per record, start-up included: at_least_once %.0f, exactly_once %.0f (+%.2f %%)" % (*each, 100 * (each[1] / each[0] - 1)))
    assert each[1] <= 1.05 * each[0]
