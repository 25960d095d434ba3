"""The jobs `columns` and `five` on replay, one core: the counts are the reference's, and instructions per record stay below their bound.

Instructions are counted by callgrind as a difference of two numbers of rounds, so that start-up does not count. Nothing here asserts a time.
"""
import shutil

import pytest
from bench import instructions_within, map_instructions, replay, replay_instructions, roofline

# Measured, and 3 % above: what was gained is not to be lost unseen. `hours` and `spread`: 365 table partitions in every batch.
REPLAY_MAX = {("compression=none",): 2983 * 1.03, ("compression=none", "hours=8760", "spread=1"): 3496 * 1.03}
MAP_MAX = 900  # a bigint and a text in, a text out; 862 when it was measured
FIVE_MAX = 3715 * 1.03
DEFLATE_MAX = 2800  # 1,684 where there is AVX2; another version of isa-l, or a machine without, may take more


@pytest.mark.parametrize("job", ["columns", "five"])
def test_counts_are_the_references(job):
    result, _ = replay(100_000, 1, job=job)
    assert [result[k] for k in ("records", "written", "filtered", "dirty")] == [100_000, 72_018, 27_982, 0]
    print("replay of 100,000 records:", result)


@pytest.mark.parametrize("job", ["columns", "five"])
def test_roofline_does_the_same_work(job):
    """As many rows and bytes of the same records; the program itself compares the first batch byte by byte."""
    parts, (mine, _) = roofline(20_000, 1, job), replay(20_000, 1, job=job)
    assert [parts["all"][k] for k in ("records", "written", "row_bytes")] == [mine[k] for k in ("records", "written", "row_bytes")]
    assert set(parts) == {"all", "receive", "json", "encode", "deflate", "put", "sum"}


@pytest.mark.parametrize("options", REPLAY_MAX, ids=" ".join)
def test_instructions_per_record(options):
    assert shutil.which("valgrind")
    each = replay_instructions(*options)
    print("instructions per record (%s): %.0f" % (" ".join(options), each))
    assert each <= REPLAY_MAX[options]


def test_instructions_of_map():
    each = map_instructions()
    print("instructions per row of a map over two columns: %.0f" % each)
    assert each <= MAP_MAX


def test_instructions_of_five():
    """Without the hash: callgrind knows no SHA instructions and counts what stands in for them."""
    whole, hash = replay_instructions("compression=none", job="five"), instructions_within("kernel_hash", "compression=none", job="five")
    print("instructions per record of job five: %.0f, of them %.0f within the hash" % (whole, hash))
    assert 0 < hash < whole
    assert whole - hash <= FIVE_MAX


def test_instructions_of_deflate():
    each = instructions_within("isal_deflate")
    print("instructions per record within isa-l: %.0f" % each)
    assert 0 < each <= DEFLATE_MAX


def test_exactly_once_costs_little():
    """The same records with and without the record beside the offsets: one epoch over 36,000 records, where
    a flush interval of 30 s brings millions."""
    each = [replay_instructions("compression=none", "delivery=" + d, rounds=(0, 9)) for d in ("at_least_once", "exactly_once")]
    print("instructions per record, the epoch's end included: at_least_once %.0f, exactly_once %.0f (+%.2f %%)" % (*each, 100 * (each[1] / each[0] - 1)))
    assert each[1] <= 1.05 * each[0]
