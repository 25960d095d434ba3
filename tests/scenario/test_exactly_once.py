"""Exactly once, shown on a real broker: every named step of an epoch's life (src/pipeline/steps.h), killed or stopped there; a short
torture; lost OffsetCommits. tests/support/exact.py and tests/torture/truth.py judge each: every number once, the ledger exact."""
import concurrent.futures
import itertools
import os
import re
import signal

import pytest

from support.agent import ROOT, RUNNING, Endpoint
from support.broker import Broker, stable_port
from support.exact import Job, wait_stopped
from support.proxy import Proxy
from torture.torture import STEPS, Plan, Torture

ANSWERS = ("ok", "conflict", "5xx")

# For each step and each answer of the endpoint to a second commit: what is done to the process at the step, and who goes on: the same
# owner (the only process of the job: started again, or woken when its session is over), or another one, who is at work when a stopped
# process is woken. test_the_table_has_every_pair says that any two of step, way, owner and answer meet.
TABLE = """
    step            ok           conflict     5xx
    anchor_sent     kill same    stop other   kill other
    anchor_stored   stop same    kill other   stop other
    block_acked     kill other   stop same    kill same
    sealed          stop other   kill same    stop same
    dirty_durable   kill same    stop other   kill other
    prepare_sent    stop same    kill other   stop other
    prepare_stored  kill other   stop same    stop other
    commit_sent     stop other   kill same    stop same
    committed_one   kill same    stop other   kill other
    committed_all   stop same    kill other   stop other
    finish_sent     kill other   stop same    stop other
    finish_stored   stop other   kill same    stop same
    dropped         kill same    stop other   kill other
    released        stop same    kill other   stop other
    roll_begun      kill other   stop same    stop other
    roll_committed  stop other   kill same    stop same
    roll_sent       kill same    stop other   kill other
    roll_stored     stop same    kill other   stop other
"""


def cases():
    lines = [line.split() for line in TABLE.strip().splitlines()[1:]]
    return [(line[0], line[1 + 2 * i], line[2 + 2 * i], answer) for line in lines for i, answer in enumerate(ANSWERS)]


def test_the_table_has_every_pair():
    kinds = (tuple(dict.fromkeys(case[0] for case in cases())), ("kill", "stop"), ("same", "other"), ANSWERS)
    names = re.findall(r"^    X\((\w+), ", (ROOT / "src/pipeline/steps.h").read_text(), re.M)
    assert list(kinds[0]) == names and list(STEPS) == names, "the steps of src/pipeline/steps.h, all of them"
    for a, b in itertools.combinations(range(4), 2):
        missing = set(itertools.product(kinds[a], kinds[b])) - {(case[a], case[b]) for case in cases()}
        assert not missing, missing


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A broker whose second listener is behind a proxy."""
    port = stable_port()
    broker = Broker(tmp_path_factory.mktemp("exactly"), proxy_port=port).start()
    broker.proxy = Proxy(port, broker.behind_port)
    broker.proxied = f"127.0.0.1:{port}"
    broker.admin()  # made before several threads ask for it
    yield broker
    broker.proxy.close()
    broker.wipe()


@pytest.fixture(scope="module")
def endpoints(tmp_path_factory):
    """An endpoint for each answer to a second commit."""
    found = {answer: Endpoint(tmp_path_factory.mktemp("endpoint"), extra=("--second-commit", answer)) for answer in ANSWERS}
    for endpoint in found.values():
        RUNNING.remove(endpoint)
    yield found
    assert [endpoint.terminate() for endpoint in found.values()] == [0, 0, 0]


# --- steps ---

def bring_to_step(job, step, way):
    """A process of the job that has met the step, and whoever else is running; the job has records to read."""
    helpers = []
    if step.startswith("roll_"):  # somebody must have left a record
        left = job.start(steps="committed_one:1:kill")
        assert left.wait(60) == -signal.SIGKILL, left.stderr()[-3000:]
        assert any(" epoch=" in text for _offset, text in job.committed().values()), "an epoch is left prepared"
        process = job.start(steps=f"{step}:1:{way}")
    elif step == "dropped":  # an epoch whose partitions are lost while it is not prepared
        process = job.start(steps=f"block_acked:1:stop,dropped:1:{way}")
        wait_stopped(process)
        job.wait_members(0)
        os.kill(process.process.pid, signal.SIGCONT)
    elif step == "released":  # another one wants some of the partitions
        process = job.start(steps=f"released:1:{way}")
        job.wait_all_read(process)
        helpers.append(job.start("two"))
    else:
        process = job.start(steps=f"{step}:1:{way}")
    if way == "stop":
        wait_stopped(process)
    else:
        assert process.wait(60) == -signal.SIGKILL, "killed by itself at %s, but: %s" % (step, process.stderr()[-3000:])
    return process, helpers


def run_case(folder, broker, endpoint, number, step, way, owner):
    with Job(folder, broker, endpoint, "step%02d" % number) as job:
        job.produce(120)
        process, others = bring_to_step(job, step, way)
        if owner == "same":
            for other in others:  # it was there to make the group deal its partitions anew
                other.kill()
            others = []
            if way == "kill":
                process = job.start()
        elif not others:
            others = [job.start("two")]
        if way == "stop":
            if owner == "other":
                job.wait_all_read(others[0])
            else:
                job.wait_members(0)
            os.kill(process.process.pid, signal.SIGCONT)
        alive = others + ([process] if way == "stop" or owner == "same" else [])
        job.produce(60)
        job.wait_all_read(alive[0])
        for each in alive:
            assert each.terminate() == 0, each.stderr()[-3000:]
        job.verify()


@pytest.fixture(scope="module")
def outcomes(request, own, endpoints, tmp_path_factory):
    """The cases that were asked for, some at a time: each mostly waits for a session to end."""
    wanted = [item.callspec.params["case"] for item in request.session.items if getattr(item, "originalname", "") == "test_every_step"]
    pool = concurrent.futures.ThreadPoolExecutor(6)
    folder = tmp_path_factory.mktemp("steps")
    found = {case: pool.submit(run_case, folder / "-".join(case), own, endpoints[case[3]], cases().index(case), *case[:3]) for case in wanted}
    yield found
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("case", cases(), ids=["-".join(case) for case in cases()])
def test_every_step(outcomes, case):
    outcomes[case].result(300)


# --- lost answers of OffsetCommit ---

# The request's texts tell what it is: a record that is prepared has an epoch; one that finishes an epoch has counts and none.
COMMITS = {
    "anchor": dict(texts=("ledger=0,0,0,0,0",), without=(" epoch=",)),
    "prepare": dict(texts=(" epoch=", "ledger=0,0,0,0,0")),
    "finish": dict(texts=("luaduct/2",), without=("ledger=0,0,0,0,0", " epoch=")),
    "finish_and_prepare": dict(texts=(" epoch=",), without=("ledger=0,0,0,0,0",)),
}


@pytest.mark.parametrize("way", ["before", "after", "late"])
@pytest.mark.parametrize("commit", COMMITS)
def test_lost_commits(own, endpoints, tmp_path, way, commit):
    """Whether it was stored is not known: the process joins its group anew, and goes on from what is stored; a copy that comes late is
    refused."""
    name = f"lost_{commit}_{way}"
    both = commit == "finish_and_prepare"
    with Job(tmp_path, own, endpoints["conflict"], name, partitions=1 if both else 2, address=own.proxied, flush="100ms") as job:
        order = own.proxy.lose(way, job.group, *COMMITS[commit]["texts"], without=COMMITS[commit].get("without", ()))
        process = job.start()
        if both:  # the next epoch is sealed while this one commits
            process.wait_for(lambda: job.produce(20) or order.met.wait(0.1), 60, "a request that finishes one epoch and prepares the next")
        else:
            job.produce(200)
        process.wait_for(order.met.is_set, 60, "the commit")
        process.wait_for(lambda: "the group is joined anew" in process.stderr(), 30, "the rejoin")
        job.produce(100)
        job.wait_all_read(process)
        if way == "late":
            stored = job.committed()
            errors = order.send_late()
            assert errors and all(errors), "the late copy is refused by the group: %s" % errors
            assert job.committed() == stored
        job.produce(50)
        job.wait_all_read(process)
        assert process.terminate() == 0, process.stderr()[-3000:]
        job.verify()


# --- torture, the short form ---

def test_torture(tmp_path):
    """Of the seed's schedule at least 50 kills; `scripts/torture --kills 1000` is the long form."""
    report = Torture(tmp_path, Plan(seed=4, kills=50, minutes=5, pace=0.5)).run()
    print(report.text())
    assert report.kills() >= 50
