"""What all Python tests share: one real broker and one endpoint for the whole run, and folders that are kept when a test fails."""
import pathlib
import sys
import zlib

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from support.agent import RUNNING, Endpoint  # noqa: E402
from support.broker import Broker  # noqa: E402


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    broker = Broker(tmp_path_factory.mktemp("broker")).start()
    yield broker
    broker.wipe()


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory):
    endpoint = Endpoint(tmp_path_factory.mktemp("endpoint"))
    RUNNING.remove(endpoint)
    yield endpoint
    assert endpoint.terminate() == 0, endpoint.stderr()[-3000:]


@pytest.fixture
def name(request):
    """A name that no other test uses, for topics and tables."""
    return request.node.name.split("[")[0].replace("test_", "", 1).lower() + "_" + format(zlib.crc32(request.node.nodeid.encode()) & 0xFFFF, "04x")


@pytest.fixture(autouse=True)
def no_process_is_left():
    """Ends what a failed test left running."""
    yield
    while RUNNING:
        RUNNING.pop().kill()
