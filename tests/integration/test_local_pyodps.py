"""The official client as judge of `luaduct local`: what PyODPS 0.13.2 does through it must come out as with the service.

Run: pytest tests/integration/test_local_pyodps.py, with pyodps==0.13.2 installed and LUADUCT naming the binary (default: build/luaduct).
"""
import datetime
import decimal
import json
import os
import re
import sqlite3
import subprocess
import threading
import time

import pytest

odps_module = pytest.importorskip("odps")
from odps import ODPS, errors, options  # noqa: E402
from requests.exceptions import ConnectionError as NoAnswer  # noqa: E402
from odps.accounts import StsAccount  # noqa: E402
from odps.models import TableSchema  # noqa: E402
from odps.tunnel import CompressOption, TableTunnel  # noqa: E402
from odps.tunnel.retry import NoRetryPolicy, TunnelRetryHandler  # noqa: E402

from support.certificates import Authority  # noqa: E402

options.sql.use_odps2_extension = True
options.local_timezone = False  # DATETIME values are UTC on both sides

BINARY = os.environ.get("LUADUCT", os.path.join(os.path.dirname(__file__), "..", "..", "build", "luaduct"))
ACCESS_ID, ACCESS_KEY = "test-id", "test-key"


class Endpoint:
    def __init__(self, folder, *arguments):
        self.database = str(folder / "local.db")
        command = [BINARY, "local", "--listen", "127.0.0.1:0", "--data", self.database, "--project", "p,other",
                   "--access-id", ACCESS_ID, *arguments]
        environment = dict(os.environ, LUADUCT_LOCAL_ACCESS_KEY=ACCESS_KEY)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        line = self.process.stdout.readline()
        self.url = re.fullmatch(r"listening on (https?://127\.0\.0\.1:\d+/api)\n", line).group(1)

    def client(self, access_id=ACCESS_ID, access_key=ACCESS_KEY):
        return ODPS(access_id, access_key, "p", endpoint=self.url)

    def stop(self):
        self.process.terminate()
        assert self.process.wait(30) == 0

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.stop = lambda: None


@pytest.fixture
def start(tmp_path):
    """Starts endpoints with arguments; all end cleanly when the test is over."""
    started = []

    def start_one(*arguments):
        started.append(Endpoint(tmp_path, *arguments))
        return started[-1]

    yield start_one
    for endpoint in started:
        endpoint.stop()


@pytest.fixture
def endpoint(start):
    return start()


def upload(odps, table, rows, partition=None, compress=None, blocks=1, commit=True, **arguments):
    tunnel = TableTunnel(odps)
    session = tunnel.create_upload_session(table, partition_spec=partition, compress_option=compress, **arguments)
    for block in range(blocks):
        with session.open_record_writer(block, compress=compress is not None) as writer:
            for row in rows[block::blocks]:
                writer.write(session.new_record(row))
    if commit:
        session.commit(list(range(blocks)))
    return session


def download(odps, table, partition=None, compress=None, columns=None, **arguments):
    tunnel = TableTunnel(odps)
    session = tunnel.create_download_session(table, partition_spec=partition, compress_option=compress, **arguments)
    with session.open_record_reader(0, session.count, compress=compress is not None, columns=columns) as reader:
        return session.count, [list(record.values) for record in reader]


def test_projects_and_tables_exist_or_not(endpoint):
    odps = endpoint.client()
    assert odps.exist_project("p") and odps.exist_project("other") and not odps.exist_project("missing")
    assert odps.get_project("p").owner == "local"
    assert not odps.exist_table("t")
    odps.create_table("t", "a bigint, b string")
    assert odps.exist_table("t") and odps.exist_table("T")
    assert [table.name for table in odps.list_tables()] == ["t"]
    with pytest.raises(errors.ODPSError):
        odps.create_table("t", "a bigint")
    odps.create_table("t", "a bigint", if_not_exists=True)
    odps.delete_table("t")
    assert not odps.exist_table("t")
    odps.delete_table("t", if_exists=True)


def test_wrong_credentials_are_refused(endpoint):
    for access_id, access_key in (("other-id", ACCESS_KEY), (ACCESS_ID, "other-key")):
        with pytest.raises(errors.ODPSError):
            endpoint.client(access_id, access_key).exist_table("t")


def sts(endpoint, access_id=ACCESS_ID, access_key=ACCESS_KEY, token="the-token-0123"):
    return ODPS(account=StsAccount(access_id, access_key, token), project="p", endpoint=endpoint.url)


def test_a_security_token_is_checked(start):
    """Control plane and tunnel; with --token a key alone is not enough, and without it a token is one too many."""
    endpoint = start("--token", "the-token-0123")
    odps = sts(endpoint)
    odps.create_table("t", "a bigint")
    upload(odps, "t", [[1], [2]])
    assert download(odps, "t") == (2, [[1], [2]])
    for wrong in (sts(endpoint, token="another-token"), sts(endpoint, token=""), sts(endpoint, access_key="other-key"), endpoint.client()):
        with pytest.raises(errors.ODPSError):
            wrong.exist_table("t")
    with pytest.raises(errors.ODPSError):
        sts(start()).exist_table("t")


def test_a_token_has_an_end(start, tmp_path):
    """The endpoint reads its keys again: PyODPS' own name for a token that has run out, and the next one is let in."""
    keys = tmp_path / "keys.json"

    def write(*found):
        (tmp_path / "new").write_text(json.dumps([{"AccessKeyId": i, "AccessKeySecret": ACCESS_KEY, "SecurityToken": t, "Expiration": e}
                                                  for i, t, e in found]))
        os.replace(tmp_path / "new", keys)

    write(("a", "token-a", "2999-01-01T00:00:00Z"))
    endpoint = start("--credentials", str(keys))
    assert not sts(endpoint, "a", token="token-a").exist_table("t")
    write(("a", "token-a", "2024-01-01T00:00:00Z"), ("b", "token-b", "2999-01-01T00:00:00Z"))
    with pytest.raises(errors.AuthenticationRequestExpired):
        sts(endpoint, "a", token="token-a").exist_table("t")
    sts(endpoint, "b", token="token-b").create_table("t", "a bigint")
    keys.write_text("[")  # broken while somebody writes it: what was known stays
    assert sts(endpoint, "b", token="token-b").exist_table("t")


def test_https(start, tmp_path, monkeypatch):
    authority = Authority(tmp_path / "authority", "own")
    endpoint = start(*authority.server())
    assert endpoint.url.startswith("https://")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.certificate))
    odps = endpoint.client()
    odps.create_table("t", "a bigint")
    upload(odps, "t", [[1], [2]], blocks=2)
    assert sorted(download(odps, "t")[1]) == [[1], [2]]
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(Authority(tmp_path / "other", "other").certificate))
    with pytest.raises(NoAnswer):
        endpoint.client().exist_table("t")


def test_tls_files_that_do_not_fit_are_refused(tmp_path):
    one, two = (Authority(tmp_path / n, n).server() for n in ("one", "two"))
    for arguments, said in [([*one[:3], two[3]], "does not belong to the certificate"), (one[:2], "one of the two files is missing"),
                            ([*one[:2], "--tls-key", one[1]], "has no private key")]:
        done = subprocess.run([BINARY, "local", *arguments], capture_output=True, text=True, timeout=30)
        assert done.returncode == 2 and said in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr


COLUMNS = [
    ("c_tinyint", "tinyint", [-128, 127]), ("c_smallint", "smallint", [-32768, 32767]), ("c_int", "int", [-2**31, 2**31 - 1]),
    ("c_bigint", "bigint", [-2**63 + 1, 2**63 - 1]), ("c_float", "float", [0.5, -1.25]), ("c_double", "double", [1e300, -0.1]),
    ("c_decimal", "decimal(20,4)", [decimal.Decimal("1234567890123456.7891"), decimal.Decimal("-0.0001")]),
    ("c_string", "string", ["", "\u8ba2\u5355 \U0001f600 'x' \"y\""]), ("c_varchar", "varchar(5)", ["\u4f60\u597d", "abcde"]),
    ("c_char", "char(3)", ["abc", "xyz"]), ("c_binary", "binary", [b"\x00\xff", b""]), ("c_boolean", "boolean", [True, False]),
    ("c_date", "date", [datetime.date(1, 1, 1), datetime.date(9999, 12, 31)]),
    ("c_datetime", "datetime", [datetime.datetime(2024, 1, 2, 3, 4, 5, 678000), datetime.datetime(1969, 12, 31, 23, 59, 59)]),
    ("c_timestamp", "timestamp", ["2024-01-02 03:04:05.123456", "1970-01-01 00:00:00"]),
    ("c_timestamp_ntz", "timestamp_ntz", ["2024-01-02 03:04:05.123456", "1970-01-01 00:00:00"]),
    ("c_json", "json", [{"a": [1, None, "\u4e2d"]}, [1, 2]]), ("c_array", "array<string>", [["a", None], []]),
    ("c_map", "map<string,bigint>", [{"k": 1}, {}]),
]


@pytest.mark.parametrize("compress", [None, CompressOption()], ids=["raw", "deflate"])
def test_values_of_every_type_come_back(endpoint, compress):
    pandas = pytest.importorskip("pandas")
    odps = endpoint.client()
    table = odps.create_table("types", TableSchema.from_lists([c[0] for c in COLUMNS], [c[1] for c in COLUMNS]))
    assert [str(column.type).lower() for column in table.table_schema.columns] == [c[1] for c in COLUMNS]
    rows = []
    for i in range(2):
        rows.append([pandas.Timestamp(c[2][i]) if c[1].startswith("timestamp") else c[2][i] for c in COLUMNS])
    rows.append([None] * len(COLUMNS))
    upload(odps, "types", rows, compress=compress)
    count, values = download(odps, "types", compress=compress)
    assert count == 3 and values == rows
    count, values = download(odps, "types", columns=["c_string", "c_bigint"])
    by_name = [{"c_string": row[7], "c_bigint": row[3]} for row in rows]
    assert [set(map(str, row)) for row in values] == [set(map(str, row.values())) for row in by_name]


def test_rows_can_be_read_with_any_sqlite_tool(endpoint):
    odps = endpoint.client()
    odps.create_table("readable", ("a bigint, d decimal(10,2), t datetime", "dt string"))
    odps.get_table("readable").create_partition("dt=20240101")
    upload(odps, "readable", [[7, decimal.Decimal("1.5"), datetime.datetime(2024, 1, 2, 3, 4, 5)]], partition="dt=20240101")
    with sqlite3.connect(endpoint.database) as database:
        assert database.execute('SELECT _partition, a, d, t FROM "p.readable"').fetchall() == [
            ("dt=20240101", 7, "1.50", "2024-01-02 03:04:05")]


def test_partitions_are_made_listed_and_dropped(endpoint):
    odps = endpoint.client()
    table = odps.create_table("parts", ("a bigint", "dt string, hh string"))
    for hour in ("00", "01", "02"):
        table.create_partition(f"dt=20240101,hh={hour}")
    table.create_partition("dt=20240101,hh=00", if_not_exists=True)
    with pytest.raises(errors.ODPSError):
        table.create_partition("dt=20240101,hh=00")
    assert table.exist_partition("dt=20240101,hh=01") and not table.exist_partition("dt=20240101,hh=09")
    assert [str(part.partition_spec) for part in table.partitions] == [f"dt='20240101',hh='0{i}'" for i in range(3)]
    assert len(list(table.iterate_partitions("dt=20240101"))) == 3
    upload(odps, "parts", [[1], [2]], partition="dt=20240101,hh=01")
    # PyODPS appends the partition's values to what it has read.
    assert download(odps, "parts", partition="dt=20240101,hh=01") == (2, [[1, "20240101", "01"], [2, "20240101", "01"]])
    assert download(odps, "parts", partition="dt=20240101,hh=00") == (0, [])
    table.delete_partition("dt=20240101,hh=01")
    assert not table.exist_partition("dt=20240101,hh=01")
    with pytest.raises(errors.ODPSError):
        upload(odps, "parts", [[1]], partition="dt=20240101,hh=01")
    upload(odps, "parts", [[3]], partition="dt=20240102,hh=05", create_partition=True)
    assert table.exist_partition("dt=20240102,hh=05")


def test_nothing_is_visible_before_the_commit_and_a_second_commit_doubles_nothing(endpoint):
    odps = endpoint.client()
    odps.create_table("once", "a bigint")
    session = upload(odps, "once", [[i] for i in range(10)], blocks=3, commit=False)
    assert download(odps, "once")[0] == 0
    assert sorted(session.get_block_list()) == [0, 1, 2]
    again = TableTunnel(odps).create_upload_session("once", upload_id=session.id)
    session.commit([0, 1, 2])
    again.reload()
    assert again.status == again.Status.Closed
    again._complete_upload()
    count, rows = download(odps, "once")
    assert count == 10 and sorted(row[0] for row in rows) == list(range(10))
    with pytest.raises(errors.ODPSError):
        with again.open_record_writer(7) as writer:
            writer.write(again.new_record([99]))
    assert download(odps, "once")[0] == 10


def test_a_block_that_is_written_again_is_replaced_and_overwrite_replaces_the_table(endpoint):
    odps = endpoint.client()
    odps.create_table("again", "a bigint")
    session = TableTunnel(odps).create_upload_session("again")
    for value in (1, 2):
        with session.open_record_writer(0) as writer:
            writer.write(session.new_record([value]))
    session.commit([0])
    assert download(odps, "again") == (1, [[2]])
    upload(odps, "again", [[3]], overwrite=True)
    assert download(odps, "again") == (1, [[3]])


def test_a_table_that_was_dropped_or_made_anew_refuses_the_commit(endpoint):
    odps = endpoint.client()
    odps.create_table("gone", "a bigint")
    session = upload(odps, "gone", [[1]], commit=False)
    odps.delete_table("gone")
    with pytest.raises(errors.NoSuchTable):
        session._complete_upload()
    odps.create_table("gone", "a bigint")
    with pytest.raises(errors.ODPSError) as refused:
        session._complete_upload()
    assert refused.value.code == "TableModified"


def test_a_table_that_is_made_anew_has_another_id(endpoint):
    odps = endpoint.client()
    ids = set()
    for _ in range(3):
        odps.create_table("anew", "a bigint")
        ids.add(endpoint.client().get_table("anew").table_id)
        odps.delete_table("anew")
    assert len(ids) == 3 and None not in ids


def test_a_partition_knows_its_number_of_records(endpoint):
    odps = endpoint.client()
    odps.create_table("counts", ("a bigint", "dt string")).create_partition("dt=20240101")
    assert endpoint.client().get_table("counts").get_partition("dt=20240101").record_num == 0
    upload(odps, "counts", [[i] for i in range(7)], partition="dt=20240101", blocks=2)
    assert endpoint.client().get_table("counts").get_partition("dt=20240101").record_num == 7


def test_values_that_do_not_fit_are_refused_and_leave_no_block(endpoint):
    odps = endpoint.client()
    odps.execute_sql("CREATE TABLE strict (a BIGINT NOT NULL, b STRING)")
    session = TableTunnel(odps).create_upload_session("strict")
    record = session.new_record()
    record["b"] = "x"
    with pytest.raises(errors.ODPSError):
        with session.open_record_writer(0) as writer:
            writer.write(record)
    session.reload()
    assert list(session.get_block_list()) == []


def test_columns_can_be_added(endpoint):
    odps = endpoint.client()
    odps.create_table("wider", "a bigint")
    session = upload(odps, "wider", [[1]], commit=False)
    odps.execute_sql("ALTER TABLE p.`wider` ADD COLUMNS (`b` STRING COMMENT 'it\\'s')")
    session.commit([0])
    upload(odps, "wider", [[2, "x"]])
    assert download(odps, "wider") == (2, [[1, None], [2, "x"]])
    assert odps.get_table("wider", project="p").table_schema["b"].comment == "it's"


def test_statements_that_are_not_known_fail_as_parse_errors(endpoint):
    with pytest.raises(errors.ParseError) as failed:
        endpoint.client().execute_sql("SELECT 1")
    assert "[1,1]" in str(failed.value)


def test_scripted_faults(start, tmp_path):
    script = tmp_path / "faults.txt"
    script.write_text("# the client retries 5xx; a lost commit must not double rows\n"
                      "create_upload #1 before status=503\ncommit #1 after status=500\n")
    odps = start("--faults", str(script)).client()
    odps.create_table("faulty", "a bigint")
    upload(odps, "faulty", [[1], [2]])
    assert download(odps, "faulty")[0] == 2


@pytest.fixture
def first_answer(monkeypatch):
    """PyODPS repeats what is answered with 429 or 5xx; here the first answer is wanted."""
    monkeypatch.setattr(TunnelRetryHandler, "get_retry_policy", lambda *_: NoRetryPolicy())


def wait_for_status(odps, table, session_id, status):
    deadline = time.monotonic() + 30
    while True:
        session = TableTunnel(odps).create_upload_session(table, upload_id=session_id)
        if session.status == status:
            return session
        assert time.monotonic() < deadline, session.status
        time.sleep(0.01)


def expect(answer, call, *arguments):
    """The call is answered with the code, or well for None."""
    if answer is None:
        call(*arguments)
    else:
        with pytest.raises(errors.ODPSError) as refused:
            call(*arguments)
        assert refused.value.code == answer


SECOND_COMMITS = [("ok", None), ("conflict", "StatusConflict"), ("5xx", "InternalServerError")]


@pytest.mark.parametrize("name, answer", SECOND_COMMITS)
def test_a_second_commit_is_answered_as_chosen(start, first_answer, name, answer):
    odps = start("--second-commit", name).client()
    odps.create_table("second", "a bigint")
    session = upload(odps, "second", [[1], [2]])
    for _ in range(2):
        expect(answer, session._complete_upload)
    session.reload()
    assert session.status == session.Status.Closed
    assert download(odps, "second")[0] == 2


@pytest.mark.parametrize("name, answer", SECOND_COMMITS)
def test_a_concurrent_commit_is_answered_as_chosen(start, first_answer, tmp_path, name, answer):
    script = tmp_path / "faults.txt"
    script.write_text(f"commit #1 before closing=24h\nsecond_commit {name}\n")
    first = start("--faults", str(script))
    odps = first.client()
    odps.create_table("second", "a bigint")
    session = upload(odps, "second", [[1], [2]], commit=False)

    def commit():
        with pytest.raises(Exception):  # the endpoint dies first
            TableTunnel(first.client()).create_upload_session("second", upload_id=session.id)._complete_upload()

    committer = threading.Thread(target=commit)
    committer.start()
    session = wait_for_status(odps, "second", session.id, session.Status.Closing)
    expect(answer, session._complete_upload)
    with pytest.raises(errors.ODPSError):
        with session.open_record_writer(7) as writer:
            writer.write(session.new_record([99]))
    assert download(odps, "second")[0] == 0
    # Killed half-way, it has committed nothing, and the session can be committed again.
    first.kill()
    committer.join()
    odps = start().client()
    session = wait_for_status(odps, "second", session.id, session.Status.Normal)
    assert download(odps, "second")[0] == 0
    session.commit([0])
    assert download(odps, "second")[0] == 2


def test_a_kill_in_the_middle_of_a_commit_leaves_all_or_nothing(start):
    rows = 20000
    endpoint = start()
    endpoint.client().create_table("torn", "a bigint, b string")
    expected = 0
    for delay_ms in (0, 10, 30, 50, 70, 100):
        odps = endpoint.client()
        session = upload(odps, "torn", [[i, "x" * 50] for i in range(rows)], commit=False)

        def commit(client):
            try:
                TableTunnel(client).create_upload_session("torn", upload_id=session.id)._complete_upload()
            except Exception:  # the endpoint is gone
                pass

        committer = threading.Thread(target=commit, args=(odps,))
        committer.start()
        time.sleep(delay_ms / 1000)
        endpoint.kill()
        committer.join()
        endpoint = start()
        odps = endpoint.client()
        session = TableTunnel(odps).create_upload_session("torn", upload_id=session.id)
        assert session.status in (session.Status.Normal, session.Status.Closed)
        closed = session.status == session.Status.Closed
        assert download(odps, "torn")[0] == expected + (rows if closed else 0)
        with sqlite3.connect(endpoint.database) as database:
            assert database.execute('SELECT count(*) FROM "p.torn"').fetchone()[0] == expected + (rows if closed else 0)
        session.commit([0])
        expected += rows
        assert download(odps, "torn")[0] == expected


STATES = [("unknown", "Unknown", None), ("normal", "Normal", None), ("closing", "Closing", None), ("canceled", "Canceled", "StatusConflict"),
          ("expired", "Expired", "StatusConflict"), ("critical", "Critical", "StatusConflict")]


@pytest.mark.parametrize("state, name, answer", STATES)
def test_a_session_has_the_state_that_a_script_gives_it(start, tmp_path, state, name, answer):
    script = tmp_path / "faults.txt"
    script.write_text(f"list_blocks #1 before state={state}\n")
    odps = start("--faults", str(script)).client()
    odps.create_table("states", "a bigint")
    session = upload(odps, "states", [[1]], commit=False)
    session.reload()
    assert session.status == getattr(session.Status, name)
    expect(answer, session._complete_upload)
    assert download(odps, "states")[0] == (1 if state in ("unknown", "normal") else 0)


def test_a_session_that_is_forgotten_is_not_found(start, tmp_path):
    script = tmp_path / "faults.txt"
    script.write_text("commit #1 after forget\n")
    odps = start("--faults", str(script)).client()
    odps.create_table("forgotten", "a bigint")
    session = upload(odps, "forgotten", [[1]])
    for call in (session.reload, session._complete_upload):
        expect("NoSuchUpload", call)
    assert download(odps, "forgotten")[0] == 1


def test_sessions_expire(start):
    odps = start("--session-life", "1s").client()
    odps.create_table("old", "a bigint")
    session = TableTunnel(odps).create_upload_session("old")
    session = wait_for_status(odps, "old", session.id, session.Status.Expired)
    expect("StatusConflict", session._complete_upload)
    with pytest.raises(errors.ODPSError):
        with session.open_record_writer(0) as writer:
            writer.write(session.new_record([1]))
    assert download(odps, "old")[0] == 0


def test_above_the_quotas_the_answer_is_429(start, first_answer):
    odps = start("--quotas", "service,sessions=2/24h,blocks=3/24h,commits=1/24h").client()
    odps.create_table("limited", "a bigint")
    first, second = (TableTunnel(odps).create_upload_session("limited") for _ in range(2))
    expect("RequestQuotaExceeded", TableTunnel(odps).create_upload_session, "limited")

    def write(session, block):
        with session.open_record_writer(block) as writer:
            writer.write(session.new_record([block]))

    for block in range(3):
        write(first, block)
    expect("FlowExceeded", write, first, 3)
    first.commit([0, 1, 2])
    expect("RequestQuotaExceeded", second._complete_upload)
    assert download(odps, "limited")[0] == 3


def test_a_client_that_waits_gets_through_the_quotas(start):
    odps = start("--quotas", "sessions=1/1s,commits=1/1s").client()
    odps.create_table("patient", "a bigint")
    for i in range(3):
        upload(odps, "patient", [[i]])
    assert download(odps, "patient")[0] == 3


def test_delayed_and_doubled_calls_double_nothing(start, tmp_path):
    script = tmp_path / "faults.txt"
    script.write_text("commit #1 before delay=100ms\ncommit #2 after twice=50ms\nput_block #2 before delay=50ms\n"
                      "put_block #4 after twice\ncommit #3 after twice\n")
    odps = start("--faults", str(script)).client()
    odps.create_table("late", "a bigint")
    for i in range(5):
        session = TableTunnel(odps).create_upload_session("late")
        for block in range(2):
            for _ in range(2):  # PyODPS does not repeat a block whose answer is lost
                try:
                    with session.open_record_writer(block) as writer:
                        writer.write(session.new_record([2 * i + block]))
                    break
                except NoAnswer:
                    pass
        session.commit([0, 1])
    assert sorted(row[0] for row in download(odps, "late")[1]) == list(range(10))


def test_discard_counts_rows_and_keeps_none(start):
    odps = start("--discard").client()
    odps.create_table("counted", "a bigint")
    upload(odps, "counted", [[i] for i in range(1000)])
    assert TableTunnel(odps).create_download_session("counted").count == 1000


def test_what_was_stored_survives_a_restart(start):
    first = start()
    odps = first.client()
    odps.create_table("kept", "a bigint")
    session = upload(odps, "kept", [[1]], commit=False)
    first.kill()
    odps = start().client()
    session = TableTunnel(odps).create_upload_session("kept", upload_id=session.id)
    session.commit([0])
    assert download(odps, "kept") == (1, [[1]])


def test_sessions_in_parallel_lose_and_double_nothing(endpoint):
    from concurrent.futures import ThreadPoolExecutor

    odps = endpoint.client()
    table = odps.create_table("busy", ("a bigint", "dt string"))
    for i in range(2):
        table.create_partition(f"dt={i}")

    def one(number):
        upload(endpoint.client(), "busy", [[number * 1000 + i] for i in range(500)], partition=f"dt={number % 2}", blocks=3)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(8)))
    values = [row[0] for part in range(2) for row in download(odps, "busy", partition=f"dt={part}")[1]]
    assert sorted(values) == [number * 1000 + i for number in range(8) for i in range(500)]
