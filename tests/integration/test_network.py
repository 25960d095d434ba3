"""The way to the service: certificates, proxies, clocks, and keys that are read. Each trouble is named with what to look at."""
import pytest

from support import jobs, keys
from support.agent import ACCESS_ID, ACCESS_KEY, Endpoint, Process, run_job, write_job
from support.certificates import Authority
from support.http_proxy import HttpProxy

from test_cli import command

KEY = (f"access_id: {ACCESS_ID}", f"access_key: {ACCESS_KEY}")


def check(tmp_path, broker, name, url, *lines, env=None):
    path = keys.use(write_job(tmp_path, broker.address, url, jobs.numbers(name, name)), *lines)
    return command(tmp_path, "check", path, "--connect", env=env)


def run(tmp_path, broker, name, url, *lines, env=None):
    """Brings a hundred records to the table."""
    if name not in broker.admin().list_topics(timeout=20).topics:
        broker.create_topic(name)
    broker.produce(name, [b'{"n": %d}' % n for n in range(100)])
    path = keys.use(write_job(tmp_path, broker.address, url, jobs.numbers(name, name, flush="100ms")), *lines)
    return run_job(path, "--records", 100, env=env)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "own")


def test_a_certificate_of_an_own_authority(broker, tmp_path, name, authority):
    target = Endpoint(tmp_path / "endpoint", extra=authority.server())
    status, stderr = run(tmp_path, broker, name, target.url, *KEY, f"ca_file: {authority.certificate}")
    assert status == 0, stderr
    assert target.terminate() == 0
    target = Endpoint(tmp_path / "endpoint", port=target.port)
    assert len(target.rows(name)) == 100
    assert target.terminate() == 0


@pytest.mark.parametrize("case, said", [
    ("unknown", "name its CA's certificate in ca_file of the data source"),
    ("other", "its CA is not among the certificates of ca_file: "),
    ("name", "it is made out to another host; check the endpoint of the data source"),
    ("expired", "it has to be renewed on the other side"),
])
def test_a_certificate_that_is_not_accepted(broker, tmp_path, name, authority, case, said):
    server = {"name": lambda: authority.server(names="DNS:service.example"), "expired": lambda: authority.server(days=-1)}
    target = Endpoint(tmp_path / "endpoint", extra=server.get(case, authority.server)())
    other = Authority(tmp_path / "other", "other").certificate if case == "other" else authority.certificate
    lines = () if case == "unknown" else (f"ca_file: {other}",)
    broker.create_topic(name)
    status, _, stderr = check(tmp_path, broker, name, target.url, *KEY, *lines)
    assert status == 1 and "control endpoint 127.0.0.1" in stderr and "the certificate of the other side is not accepted" in stderr, stderr
    assert said in stderr, stderr
    assert target.terminate() == 0


def test_a_ca_file_without_certificates_is_found_by_check(tmp_path):
    (tmp_path / "ca.pem").write_text("hello\n")
    path = keys.use(write_job(tmp_path, "127.0.0.1:9", "http://127.0.0.1:9/api", jobs.numbers("j", "t")), *KEY, "ca_file: ca.pem")
    status, _, stderr = command(tmp_path, "check", path)
    assert status == 2 and "datasources.yaml:" in stderr and "is no list of certificates in PEM form" in stderr and "^" in stderr, stderr


PASSWORD = "proxy-password-77"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_with_user_and_password(broker, tmp_path, name, authority, scheme):
    name += scheme
    proxy = HttpProxy("someone", PASSWORD)
    target = Endpoint(tmp_path / "endpoint", extra=authority.server() if scheme == "https" else ())
    status, stderr = run(tmp_path, broker, name, target.url, *KEY, f"ca_file: {authority.certificate}",
                         f'proxy: "http://someone:{PASSWORD}@127.0.0.1:{proxy.port}"')
    assert status == 0, stderr
    methods = {method for method, _, _ in proxy.requests}
    assert methods == ({"CONNECT"} if scheme == "https" else {"GET", "POST", "PUT"}), "everything goes through the proxy"
    for method, where, headers in proxy.requests:
        assert str(target.port) in where
        if method == "CONNECT":  # what is for the service is not for the proxy
            assert "authorization" not in headers and "x-odps-user-agent" not in headers
    assert PASSWORD not in stderr
    proxy.close()
    assert target.terminate() == 0


def test_a_proxy_of_the_environment(broker, tmp_path, name):
    proxy = HttpProxy("someone", PASSWORD)
    target = Endpoint(tmp_path / "endpoint")
    broker.create_topic(name)
    status, out, stderr = check(tmp_path, broker, name, target.url, *KEY, env={"http_proxy": f"http://someone:{PASSWORD}@127.0.0.1:{proxy.port}"})
    assert status == 0 and proxy.requests, out + stderr
    proxy.close()
    assert target.terminate() == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("refuse, said", [(None, "the proxy asks for a user and a password, or does not take these (407)"),
                                          (403, "403")])
def test_a_proxy_that_refuses(broker, tmp_path, name, authority, scheme, refuse, said):
    """At once, and not after a series of attempts: what it says does not change."""
    name += scheme + str(refuse)
    proxy = HttpProxy("someone", "another-password", refuse) if refuse is None else HttpProxy(refuse=refuse)
    broker.create_topic(name)
    status, out, stderr = check(tmp_path, broker, name, f"{scheme}://127.0.0.1:9/api", *KEY,
                                f'proxy: "http://someone:{PASSWORD}@127.0.0.1:{proxy.port}"')
    assert status == 1 and said in stderr and len(proxy.requests) == 1, stderr
    assert PASSWORD not in out + stderr
    proxy.close()


@pytest.mark.parametrize("clock, said", [("20m", "20 minutes behind the service's; set it"), ("-3h", "3 hours ahead of the service's; set it")])
def test_a_clock_that_is_off_is_named(broker, tmp_path, name, clock, said):
    name += clock.strip("-")
    target = Endpoint(tmp_path / "endpoint", extra=["--clock", clock])
    broker.create_topic(name)
    for region in ((), ("region: cn-hangzhou",)):
        status, out, stderr = check(tmp_path, broker, name, target.url, *KEY, *region)
        assert status == 1 and "RequestTimeTooSkewed" in stderr and "the clock of this machine is " + said in stderr, stderr
        assert "access_key" not in stderr, stderr
    status, stderr = run(tmp_path, broker, name, target.url, *KEY)
    assert status == 1 and "the clock of this machine is " + said in stderr and "is restarted" not in stderr, stderr
    assert target.terminate() == 0


@pytest.mark.parametrize("clock, warns", [("2m", False), ("8m", True), ("-8m", True)])
def test_check_warns_of_a_clock_that_is_going_wrong(broker, tmp_path, name, clock, warns):
    target = Endpoint(tmp_path / "endpoint", extra=["--clock", clock])
    name += clock.strip("-")
    broker.create_topic(name)
    status, out, stderr = check(tmp_path, broker, name, target.url, *KEY)
    assert status == 0, stderr
    assert ("target: warning: the clock of this machine is" in out) == warns, out
    assert target.terminate() == 0


def test_a_token_that_is_written_down(broker, tmp_path, name):
    target = Endpoint(tmp_path / "endpoint", extra=["--token", "token-of-x-0123456789"])
    status, stderr = run(tmp_path, broker, name, target.url, *KEY, "security_token: ${env:TOKEN}", env={"TOKEN": "token-of-x-0123456789"})
    assert status == 0, stderr
    assert not keys.secrets_in(stderr)
    status, _, stderr = check(tmp_path, broker, name, target.url, *KEY, "security_token: token-of-y-0123456789")
    assert status == 1 and "check access_id and access_key of the data source, and whether its security_token has ended" in stderr, stderr
    assert not keys.secrets_in(stderr)
    assert target.terminate() == 0


@pytest.mark.parametrize("lines, said", [
    (("credentials: {file: key.json}",), 'the file key.json: "AccessKeySecret" is missing'),
    (("credentials: {file: missing.json}",), "missing.json cannot be read"),
    (("credentials: {file: good.json}", "access_id: x"), "access_id: credentials are set as well; leave one of them out"),
    (("credentials: {file: good.json, command: [x]}",), 'say one of "file" and "command"'),
    (("credentials: {interval: 5m}",), 'say one of "file" and "command"'),
    (("credentials: {command: get-key --now}",), "must be a list: [program, argument]"),
    (("credentials: {file: good.json, timeout: 1h}",), "timeout"),
    (("access_id: x",), '"access_key" is missing: the access key\'s secret; or set credentials'),
    ((), '"access_id" is missing'),
    (("sts_token: x", *KEY), 'use "security_token"'),
])
def test_mistakes_about_keys_are_found_by_check(tmp_path, lines, said):
    (tmp_path / "key.json").write_text('{"AccessKeyId": "x"}')
    keys.write(tmp_path / "good.json", keys.key("a"))
    path = keys.use(write_job(tmp_path, "127.0.0.1:9", "http://127.0.0.1:9/api", jobs.numbers("j", "t")), *lines)
    status, _, stderr = command(tmp_path, "check", path)
    assert status == 2 and said in stderr.replace(str(tmp_path) + "/", "") and "datasources.yaml:" in stderr and "^" in stderr, stderr
    assert not keys.secrets_in(stderr)


def test_a_command_that_gives_no_key(broker, tmp_path, name):
    broker.create_topic(name)
    script = tmp_path / "get-key"
    script.write_text("#!/bin/sh\necho $1 is no role >&2; exit 3\n")
    script.chmod(0o755)
    status, out, stderr = check(tmp_path, broker, name, "http://127.0.0.1:9/api", "credentials: {command: [./get-key, admin]}")
    assert status == 1 and f"credentials of the data source: the command {script} ended with status 3: admin is no role" in stderr, stderr
