"""A real Apache Kafka (KRaft, one node, loopback) for tests: started in seconds, stopped and started again, killed."""
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import uuid

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

HERE = pathlib.Path(__file__).parent


def cache_dir():
    default = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "luaduct"
    return pathlib.Path(os.environ.get("LUADUCT_CACHE", default))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def stable_port():
    """A free port below the range that outgoing connections take theirs from. Who listens, goes and comes back needs one: meanwhile a
    client that tries again and again could get the port as its own, and would even be connected with itself."""
    first = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.SystemRandom().randrange(first // 2, first)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Broker:
    """proxy_port: a second listener is there, which tells its clients this port, where somebody stands in between (proxy.py); what it
    listens on itself is .behind_port. listeners: {NAME: security protocol} of further ones, at localhost and .ports[NAME], with what they need
    in properties: lines for server.properties. options: for the JVM."""

    def __init__(self, folder, version="4.3.1", proxy_port=None, properties="", listeners=None, options=()):
        self.folder = pathlib.Path(folder)
        self.jars = cache_dir() / f"kafka-{version}"
        self.port, self.controller_port, self.behind_port = stable_port(), stable_port(), stable_port()
        more = f",PROXY://127.0.0.1:{self.behind_port}" if proxy_port else ""
        advertised = f",PROXY://127.0.0.1:{proxy_port}" if proxy_port else ""
        self.ports = {name: stable_port() for name in listeners or {}}
        self.options = options
        more += "".join(f",{name}://127.0.0.1:{port}" for name, port in self.ports.items())
        advertised += "".join(f",{name}://localhost:{port}" for name, port in self.ports.items())
        protocols = "".join(f",{name}:{protocol}" for name, protocol in (listeners or {}).items())
        self.address = f"127.0.0.1:{self.port}"
        self.process = None
        self._admin = None
        self._admin_lock = threading.Lock()  # of two requests at a time one may never be answered
        self.folder.mkdir(parents=True, exist_ok=True)
        self.properties = self.folder / "server.properties"
        self.properties.write_text(f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{self.controller_port}
listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}{more}
advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}{advertised}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXY:PLAINTEXT{protocols}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={self.folder}/log
offsets.topic.num.partitions=5
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
auto.create.topics.enable=false
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=4
{properties}
""")
        self._java("kafka.tools.StorageTool", "format", "-t", self._cluster_id(), "-c", str(self.properties), wait=True)

    @staticmethod
    def _cluster_id():
        import base64
        while True:
            name = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            if not name.startswith("-"):  # the tool would take it for an option
                return name

    def _java(self, main, *arguments, wait=False):
        command = ["java", "-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-XX:-UsePerfData", "-Djava.awt.headless=true",
                   f"-Dlog4j2.configurationFile={HERE / 'kafka' / 'log4j2.xml'}", *self.options, "-cp", f"{self.jars}/*", main, *arguments]
        out = open(self.folder / ("format.log" if wait else "broker.log"), "ab")
        if wait:
            subprocess.run(command, stdout=out, stderr=out, check=True, timeout=60)
            return None
        return subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)

    def start(self):
        log = self.folder / "broker.log"
        seen = log.stat().st_size if log.exists() else 0
        self.process = self._java("kafka.Kafka", str(self.properties))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if b"Kafka Server started" in log.read_bytes()[seen:]:
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError("the broker did not start:\n" + log.read_text(errors="replace")[-3000:])

    def stop(self, kill=False):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def wipe(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def admin(self):
        if not self._admin:  # kept: a client that is collected never answers
            self._admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        return self._admin

    def create_topic(self, name, partitions=4, **config):
        topic = NewTopic(name, partitions, 1, config={k.replace("_", "."): v for k, v in config.items()})
        with self._admin_lock:
            while True:
                try:
                    self.admin().create_topics([topic])[name].result(20)
                    break
                except KafkaException as error:
                    # The first requests of a client may meet its bootstrap connection just when that is given up for the broker's own.
                    if error.args[0].code() != KafkaError._DESTROY:
                        raise
            # The controller has it; the broker learns of it a moment later.
            while self.admin().list_topics(name, 20).topics[name].error:
                time.sleep(0.02)

    def delete_topic(self, name):
        for future in self.admin().delete_topics([name]).values():
            future.result(20)

    def produce(self, topic, values, partitions=4, keys=None, headers=None, timestamps=None):
        """values: an iterable of bytes or None; spread over the partitions in turn."""
        producer = Producer({"bootstrap.servers": self.address, "linger.ms": 20, "compression.type": "lz4", "queue.buffering.max.messages": 500000,
                             "acks": "all"})
        failures = []

        def delivered(error, _message):
            if error:
                failures.append(error)

        for i, value in enumerate(values):
            extra = {}
            if timestamps:
                extra["timestamp"] = timestamps[i]
            if headers:
                extra["headers"] = headers[i]
            while True:
                try:
                    producer.produce(topic, value, key=keys[i] if keys else None, partition=i % partitions, on_delivery=delivered, **extra)
                    break
                except BufferError:
                    producer.poll(0.1)
            if i % 1000 == 0:
                producer.poll(0)
        assert producer.flush(60) == 0 and not failures, failures[:3]

    def committed(self, group, topic, partitions=4):
        """{partition: (offset, metadata)} of the group, by an OffsetFetch of our own: the Python client reads metadata past its end."""
        deadline = time.monotonic() + 30
        while True:
            code, found = self._offset_fetch(group, topic, partitions)
            if code == 0:
                return found
            if code not in (14, 15, 16) or time.monotonic() > deadline:  # the coordinator is loading, absent or elsewhere
                raise RuntimeError("OffsetFetch answered error %d" % code)
            time.sleep(0.1)

    def commit(self, group, topic, texts):
        """Stores {partition: (offset, metadata)} for a group without members, exactly: the Python client adds a zero byte to metadata."""
        self._ask(10, 1, self._text(group) + b"\0")  # FindCoordinator: the first one makes the topic of offsets
        body = self._text(group) + struct.pack(">i", -1) + self._text("") + struct.pack(">qi", -1, 1) + self._text(topic) + struct.pack(">i", len(texts))
        body += b"".join(struct.pack(">iq", partition, offset) + self._text(text) for partition, (offset, text) in texts.items())
        deadline = time.monotonic() + 30
        while True:
            answer = self._ask(8, 2, body)  # OffsetCommit
            codes = {struct.unpack_from(">h", answer, len(answer) - 2 - 6 * i)[0] for i in range(len(texts))}
            if codes == {0}:
                return
            if not codes <= {14, 15, 16} or time.monotonic() > deadline:  # the coordinator is loading, absent or elsewhere
                raise RuntimeError("OffsetCommit answered " + ", ".join(map(str, sorted(codes))))
            time.sleep(0.1)

    def members(self, group):
        """How many members the group has, by a DescribeGroups of our own: the Python client's sometimes never answers."""
        answer = self._ask(15, 0, struct.pack(">i", 1) + self._text(group))
        code, at = struct.unpack_from(">h", answer, 8)[0], 10
        for _ in range(4):  # group, state, kind of protocol, protocol
            at += 2 + struct.unpack_from(">h", answer, at)[0]
        return struct.unpack_from(">i", answer, at)[0] if code == 0 else None

    def _ask(self, api_key, version, body):
        request = struct.pack(">hhi", api_key, version, 1) + self._text("tests") + body
        with socket.create_connection(("127.0.0.1", self.port), 10) as s:
            s.sendall(struct.pack(">i", len(request)) + request)
            with s.makefile("rb") as f:
                return f.read(struct.unpack(">i", f.read(4))[0])

    @staticmethod
    def _text(value):
        return struct.pack(">h", len(value)) + value.encode()

    def _offset_fetch(self, group, topic, partitions):
        self._ask(10, 1, self._text(group) + b"\0")  # FindCoordinator: the first one makes the topic of offsets
        body = self._text(group) + struct.pack(">i", 1) + self._text(topic) + struct.pack(">i", partitions)
        answer = self._ask(9, 5, body + b"".join(struct.pack(">i", p) for p in range(partitions)))  # OffsetFetch
        at = 12  # behind correlation id, throttle time and number of topics
        found = {}
        if struct.unpack_from(">i", answer, 8)[0]:
            at += 2 + struct.unpack_from(">h", answer, at)[0]
            count = struct.unpack_from(">i", answer, at)[0]
            at += 4
            for _ in range(count):
                partition, offset, _epoch, size = struct.unpack_from(">iqih", answer, at)
                at += 18
                found[partition] = (offset, answer[at:at + max(size, 0)].decode())
                at += max(size, 0) + 2
        return struct.unpack_from(">h", answer, at)[0], found
