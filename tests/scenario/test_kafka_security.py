"""Log-ins to a real broker: every mechanism carries a job to its end; passwords and certificates are replaced while it runs, nothing is lost
or doubled; and whatever is not let in ends with one sentence that says which end, and what to correct."""
import json
import os
import re
import time

import pytest
from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType, AdminClient, ResourcePatternType, ResourceType,
                                   ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion)

from support import jobs
from support.agent import Process, write_job
from support.broker import Broker
from support.exact import PROPERTIES, Job
from support.security import Authority, Realm, Tokens

JAAS = "org.apache.kafka.common.security"
PASSWORD, SECRET = "a-password-7f31", "a-secret-92c4"
COUNT = 300


class Bed:
    """One broker with a listener a kind of log-in: LOGIN (TLS; PLAIN and SCRAM), TICKET (OAUTHBEARER and GSSAPI), MUTUAL (TLS with a certificate
    of the client) and OLD (TLS with a certificate that has expired)."""

    def __init__(self, folder):
        self.folder = folder
        self.ca, self.other_ca = Authority(folder / "ca"), Authority(folder / "other")
        self.tokens = Tokens(folder / "tokens", SECRET)
        self.realm = Realm(folder / "realm")
        both = self.trusted = folder / "trusted.pem"
        both.write_text(self.ca.certificate.read_text() + self.other_ca.certificate.read_text())
        store, old = self.ca.keystore("broker", hosts=["localhost"]), self.ca.keystore("old", hosts=["localhost"], expired=True)
        keytab = self.realm.keytab("kafka/localhost")
        pem = "".join(f"listener.name.{name}.ssl.keystore.type=PEM\nlistener.name.{name}.ssl.keystore.location={path}\n"
                      f"listener.name.{name}.ssl.truststore.type=PEM\nlistener.name.{name}.ssl.truststore.location={both}\n"
                      for name, path in (("login", store), ("mutual", store), ("old", old)))
        self.broker = Broker(folder / "broker", listeners={"LOGIN": "SASL_SSL", "TICKET": "SASL_PLAINTEXT", "MUTUAL": "SSL", "OLD": "SSL"}, options=[
            f"-Djava.security.krb5.conf={self.realm.conf}", f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={self.tokens.url}/keys"], properties=f"""{pem}
listener.name.mutual.ssl.client.auth=required
listener.name.login.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.login.plain.sasl.jaas.config={JAAS}.plain.PlainLoginModule required user_plain="{PASSWORD}";
listener.name.login.scram-sha-256.sasl.jaas.config={JAAS}.scram.ScramLoginModule required;
listener.name.login.scram-sha-512.sasl.jaas.config={JAAS}.scram.ScramLoginModule required;
listener.name.login.scram-sha-512.connections.max.reauth.ms=2000
listener.name.ticket.oauthbearer.connections.max.reauth.ms=60000
listener.name.ticket.sasl.enabled.mechanisms=OAUTHBEARER,GSSAPI
listener.name.ticket.oauthbearer.sasl.jaas.config={JAAS}.oauthbearer.OAuthBearerLoginModule required;
listener.name.ticket.oauthbearer.sasl.server.callback.handler.class={JAAS}.oauthbearer.OAuthBearerValidatorCallbackHandler
listener.name.ticket.oauthbearer.sasl.oauthbearer.jwks.endpoint.url={self.tokens.url}/keys
listener.name.ticket.oauthbearer.sasl.oauthbearer.expected.audience=kafka
listener.name.ticket.gssapi.sasl.jaas.config=com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true \\
  keyTab="{keytab}" principal="kafka/localhost";
sasl.kerberos.service.name=kafka
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
allow.everyone.if.no.acl.found=true
""").start()
        self.admin = AdminClient({"bootstrap.servers": self.broker.address, "log_level": 0})
        self.scram("scram", PASSWORD, ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)

    def scram(self, user, password, *mechanisms):
        for mechanism in mechanisms:
            change = UserScramCredentialUpsertion(user, ScramCredentialInfo(mechanism, 4096), password.encode())
            self.admin.alter_user_scram_credentials([change])[user].result(20)

    def allow(self, kind, name, user, operation=AclOperation.ALL):
        """From now on nobody else may."""
        binding = AclBinding(kind, name, ResourcePatternType.LITERAL, "User:" + user, "*", operation, AclPermissionType.ALLOW)
        for future in self.admin.create_acls([binding]).values():
            future.result(20)

    def forbid(self, kind, name, user):
        """Takes back what allow gave."""
        binding = AclBindingFilter(kind, name, ResourcePatternType.LITERAL, "User:" + user, None, AclOperation.ANY, AclPermissionType.ANY)
        for future in self.admin.delete_acls([binding]).values():
            assert future.result(20)

    def address(self, listener, host="localhost"):
        return "%s:%d" % (host, self.broker.ports[listener])

    def close(self):
        self.broker.wipe()
        self.realm.kill()
        self.tokens.close()


@pytest.fixture(scope="module")
def bed(tmp_path_factory):
    bed = Bed(tmp_path_factory.mktemp("security"))
    yield bed
    bed.close()


def lines(properties):
    """A map of properties for write_job."""
    return "\n              ".join("%s: %s" % (name, json.dumps(value)) for name, value in properties.items())


def login(bed, mechanism, user, password=PASSWORD, **more):
    return {"security.protocol": "sasl_ssl", "sasl.mechanism": mechanism, "sasl.username": user, "sasl.password": password,
            "ssl.ca.location": str(bed.ca.certificate), **more}


def token_login(**more):
    return {"security.protocol": "sasl_plaintext", "sasl.mechanism": "OAUTHBEARER", **more}


def mutual(bed, pair, ca=None):
    return {"security.protocol": "ssl", "ssl.ca.location": str((ca or bed.ca).certificate), "ssl.certificate.location": str(pair[0]),
            "ssl.key.location": str(pair[1])}


def run(bed, folder, endpoint, name, listener, properties, *arguments, cluster="", env=None, more="", host="localhost", command="run"):
    path = write_job(folder, bed.address(listener, host), endpoint.url, jobs.numbers(name, name, more=more), properties=lines(properties), cluster=cluster)
    process = Process(folder / command, command, path, *arguments, env=env)
    status = process.wait(60)
    return status, process.stderr()


def produce(bed, name):
    bed.broker.create_topic(name)
    bed.broker.produce(name, [json.dumps({"n": n}).encode() for n in range(COUNT)])


MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "certificate", "token file", "token command", "OIDC", "GSSAPI"]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_each_mechanism_carries_a_job(bed, endpoint, tmp_path, name, mechanism):
    env, cluster = None, ""
    listener = "LOGIN"
    if mechanism == "PLAIN":
        properties = login(bed, mechanism, "plain")
    elif mechanism.startswith("SCRAM"):
        properties = login(bed, mechanism, "scram")
    elif mechanism == "certificate":
        listener, properties = "MUTUAL", mutual(bed, bed.ca.issue("job"))
    elif mechanism == "token file":
        (tmp_path / "token").write_text(bed.tokens.sign() + "\n")
        listener, properties, cluster = "TICKET", token_login(), "oauth_token: {file: token}"
    elif mechanism == "token command":
        (tmp_path / "token").write_text(bed.tokens.sign() + "\n")
        listener, properties, cluster = "TICKET", token_login(), "oauth_token: {command: [cat, %s]}" % (tmp_path / "token")
    elif mechanism == "OIDC":
        listener, properties = "TICKET", oidc(bed)
    else:
        listener, env = "TICKET", {**bed.realm.env, "KRB5CCNAME": f"FILE:{tmp_path}/tickets"}
        properties = {"security.protocol": "sasl_plaintext", "sasl.mechanism": "GSSAPI", "sasl.kerberos.service.name": "kafka",
                      "sasl.kerberos.keytab": str(bed.realm.keytab("job")), "sasl.kerberos.principal": "job"}
    produce(bed, name)
    status, stderr = run(bed, tmp_path, endpoint, name, listener, properties, "--until", "end", cluster=cluster, env=env)
    assert status == 0, stderr
    assert sorted(row["n"] for row in endpoint.rows(name)) == list(range(COUNT))
    assert PASSWORD not in stderr and SECRET not in stderr


def oidc(bed, secret=SECRET):
    return token_login(**{"sasl.oauthbearer.method": "oidc", "sasl.oauthbearer.client.id": "job", "sasl.oauthbearer.client.secret": secret,
                          "sasl.oauthbearer.token.endpoint.url": bed.tokens.url + "/token"})


# What is wrong: listener, host, properties, and what the one message says.
FAILURES = {
    "password": ("LOGIN", "localhost", lambda bed: login(bed, "SCRAM-SHA-512", "scram", "wrong-password"),
                 "refuse the log-in: .*Authentication failed.*; correct the sasl properties of the data source"),
    "user": ("LOGIN", "localhost", lambda bed: login(bed, "PLAIN", "nobody"), "refuse the log-in: .*Invalid username or password"),
    "mechanism": ("TICKET", "localhost", lambda bed: {**login(bed, "PLAIN", "plain"), "security.protocol": "sasl_plaintext"},
                  "refuse the log-in: .*[Uu]nsupported"),
    "authority": ("LOGIN", "localhost", lambda bed: {**login(bed, "PLAIN", "plain"), "ssl.ca.location": str(bed.other_ca.certificate)},
                  "certificate of the Kafka brokers localhost:.* is not accepted: .*certificate.*; correct ssl.ca.location"),
    "host name": ("LOGIN", "127.0.0.1", lambda bed: login(bed, "PLAIN", "plain"), "is not accepted: .*mismatch.*; correct the name in brokers"),
    "expired broker": ("OLD", "localhost", lambda bed: {"security.protocol": "ssl", "ssl.ca.location": str(bed.ca.certificate)},
                       "is not accepted: certificate has expired .*CN=old"),
    "expired client": ("MUTUAL", "localhost", lambda bed: mutual(bed, bed.ca.issue("stale", expired=True)),
                       "refuse the certificate that the job shows: .*stale.pem expired at 2020-02-01 00:00:00 UTC"),
    "unknown client": ("MUTUAL", "localhost", lambda bed: mutual(bed, Authority(bed.folder / "nobody").issue("stranger")),
                       "refuse the certificate that the job shows: .*; correct ssl.certificate.location and ssl.key.location"),
    "no certificate": ("MUTUAL", "localhost", lambda bed: {"security.protocol": "ssl", "ssl.ca.location": str(bed.ca.certificate)},
                       "want a certificate of the client: .*; set ssl.certificate.location and ssl.key.location"),
    "token": ("TICKET", "localhost", lambda bed: oidc(bed, "wrong-secret"), "there is no token for the log-in to the Kafka brokers: .*invalid_client"),
}


@pytest.mark.parametrize("what", FAILURES)
def test_who_is_not_let_in_is_told_why_and_ends(bed, endpoint, tmp_path, name, what):
    listener, host, properties, expected = FAILURES[what]
    properties = properties(bed)
    status, stderr = run(bed, tmp_path, endpoint, name, listener, properties, host=host)
    assert status == 1, stderr
    told = [line for line in stderr.splitlines() if re.search(expected, line)]
    assert len(told) == 1, stderr
    assert " WARN" not in stderr and "restart" not in stderr, stderr
    assert not any(secret in stderr for secret in (PASSWORD, SECRET, "wrong-password", "wrong-secret")), stderr


@pytest.mark.parametrize("what", ["topic", "group"])
def test_a_missing_right_is_named(bed, endpoint, tmp_path, name, what):
    produce(bed, name)
    bed.allow(*{"topic": (ResourceType.TOPIC, name), "group": (ResourceType.GROUP, "luaduct-" + name)}[what], "somebody")
    status, stderr = run(bed, tmp_path, endpoint, name, "LOGIN", login(bed, "PLAIN", "plain"))
    assert status == 1, stderr
    expected = {"topic": f"no right to read topic {name}; grant READ and DESCRIBE", "group": f"no right to use group luaduct-{name}; grant READ"}[what]
    assert stderr.count(expected) == 1, stderr


@pytest.mark.parametrize("protocol,listener,expected", [("ssl", "TICKET", "connecting to a PLAINTEXT broker listener"),
                                                        ("plaintext", "OLD", "are `brokers` and security.protocol of the data source right?")])
def test_the_wrong_protocol_is_guessed(bed, endpoint, tmp_path, name, protocol, listener, expected):
    """It looks like a broker that is going down, so it is tried again; what is said gives the hint."""
    path = write_job(tmp_path, bed.address(listener), endpoint.url, jobs.numbers(name, name), properties="security.protocol: " + protocol)
    process = Process(tmp_path / "run", "run", path)
    process.wait_for(lambda: expected in process.stderr(), 30, "the hint")
    assert "trying again until it works" in process.stderr()
    assert process.terminate() == 0, process.stderr()


def replace(path, text):
    """As a careful program does: never half of it."""
    new = path.with_suffix(".new")
    new.write_text(text)
    os.replace(new, path)


def secure_job(bed, endpoint, folder, name, listener, properties, more=""):
    all_properties = PROPERTIES + "\n              " + lines(properties)
    return Job(folder, bed.broker, endpoint, name, address=bed.address(listener), properties=all_properties, more=more)


def test_a_password_is_replaced_under_load(bed, endpoint, tmp_path, name):
    """The broker has the new one first, and wants a new log-in every two seconds (KIP-368)."""
    first, second = "first-password-11d7", "second-password-22e8"
    password = tmp_path / "one" / "password"
    password.parent.mkdir()
    password.write_text(first + "\n")
    bed.scram(name, first, ScramMechanism.SCRAM_SHA_512)
    properties = login(bed, "SCRAM-SHA-512", name, "${file:password}", debug="security")
    with secure_job(bed, endpoint, tmp_path, name, "LOGIN", properties) as job:
        job.produce(2000)
        process = job.start()
        job.wait_all_read(process)
        bed.scram(name, second, ScramMechanism.SCRAM_SHA_512)
        job.produce(2000)
        process.wait_for(lambda: "it is tried for 10 more minutes" in process.stderr(), 30, "the refusal")
        job.produce(2000)
        replace(password, second + "\n")
        process.wait_for(lambda: "the password for the Kafka brokers was read again" in process.stderr(), 30, "the new password")
        job.wait_all_read(process)
        job.produce(2000)
        job.wait_all_read(process)
        assert process.terminate() == 0, process.stderr()
        job.verify()
        assert first not in process.stderr() and second not in process.stderr()


def test_a_token_is_renewed(bed, endpoint, tmp_path, name):
    token = tmp_path / "one" / "token"
    token.parent.mkdir()
    expires = time.time() + 5
    token.write_text(bed.tokens.sign(life=5))
    with secure_job(bed, endpoint, tmp_path, name, "TICKET", token_login()) as job:
        job.cluster = "oauth_token: {file: token}"
        job.produce(1000)
        process = job.start()
        job.wait_all_read(process)
        renewed = bed.tokens.sign(life=600)
        replace(token, renewed)
        time.sleep(max(0, expires + 1 - time.time()))  # the broker ends what was let in by the first one
        job.produce(1000)
        job.wait_all_read(process)
        assert process.terminate() == 0, process.stderr()
        job.verify()
        assert "tried for" not in process.stderr() and renewed not in process.stderr()


def test_a_certificate_is_replaced_under_load(bed, endpoint, tmp_path, name):
    """Another authority's, for another name. Before that come a key that does not fit, and a certificate that the broker does not trust."""
    folder = tmp_path / "one"
    folder.mkdir()
    first, second = bed.ca.issue(name + "-a"), bed.other_ca.issue(name + "-b")
    stranger = Authority(tmp_path / "stranger").issue(name + "-c")

    def show(certificate, key):
        replace(folder / "client.pem", certificate.read_text())
        replace(folder / "client.key", key.read_text())

    show(*first)
    (folder / "ca.pem").write_text(bed.ca.certificate.read_text())
    properties = {"security.protocol": "ssl", "ssl.ca.location": "ca.pem", "ssl.certificate.location": "client.pem", "ssl.key.location": "client.key"}
    more = "dirty: {kafka: {topic: %s-dirty}}" % name
    bed.broker.create_topic(name + "-dirty", 2)
    with secure_job(bed, endpoint, tmp_path, name, "MUTUAL", properties, more) as job:
        job.dirty_topic = name + "-dirty"
        for pair in (first, second):
            bed.allow(ResourceType.TOPIC, name, "CN=" + pair[0].stem)
        job.produce(2000)
        process = job.start()
        job.wait_all_read(process)
        show(first[0], second[1])
        process.wait_for(lambda: "cannot be used, and the old ones stay in use" in process.stderr(), 30, "the key that does not fit")
        job.produce(2000)
        job.wait_all_read(process)
        show(*stranger)
        process.wait_for(lambda: "do not let the job in with the changed certificates" in process.stderr(), 30, "the certificate nobody trusts")
        job.produce(2000)
        show(*second)
        process.wait_for(lambda: "the Kafka client is replaced" in process.stderr(), 30, "the new client")
        process.wait_for(lambda: "the producer for the topic" in process.stderr(), 30, "the new producer of dirty rows")
        job.produce(2000)
        job.wait_all_read(process)
        bed.forbid(ResourceType.TOPIC, name, "CN=" + first[0].stem)
        job.produce(2000)
        job.wait_all_read(process)
        assert process.terminate() == 0, process.stderr()
        job.verify()
        assert "were lost" not in process.stderr() and process.stderr().count("the Kafka client is replaced") == 1


def test_a_refused_certificate_is_replaced(bed, endpoint, tmp_path, name):
    """The broker restarts, and does not trust the old authority any more: nothing can be committed and the group cannot be left."""
    folder = tmp_path / "one"
    folder.mkdir()
    first, second = bed.other_ca.issue(name + "-a"), bed.ca.issue(name + "-b")
    for path, text in (("client.pem", first[0]), ("client.key", first[1]), ("ca.pem", bed.ca.certificate)):
        (folder / path).write_text(text.read_text())
    properties = {"security.protocol": "ssl", "ssl.ca.location": "ca.pem", "ssl.certificate.location": "client.pem", "ssl.key.location": "client.key"}
    with secure_job(bed, endpoint, tmp_path, name, "MUTUAL", properties) as job:
        job.produce(2000)
        process = job.start()
        job.wait_all_read(process)
        bed.broker.stop()
        bed.trusted.write_text(bed.ca.certificate.read_text())
        bed.broker.start()
        job.produce(2000)
        process.wait_for(lambda: "it is tried for 10 more minutes" in process.stderr(), 30, "the refusal")
        for path, text in (("client.pem", second[0]), ("client.key", second[1])):
            replace(folder / path, text.read_text())
        process.wait_for(lambda: "the Kafka client is replaced" in process.stderr(), 30, "the new client")
        job.wait_all_read(process)
        assert process.terminate() == 0, process.stderr()
        job.verify()
