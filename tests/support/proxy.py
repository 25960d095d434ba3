"""Stands between Kafka clients and a broker, passes everything on, and loses an OffsetCommit when it is told to.

The broker has a second listener that tells clients this proxy's port (Broker(proxy_port=...)). Requests are read frame by frame: four
bytes of size, then the API's key, the version, the correlation id. Three ways to lose one OffsetCommit:
  before   the connection is closed, and the broker never sees the request
  after    the broker has answered; the connection is closed instead of passing the answer on
  late     the connection is closed towards the client; towards the broker it stays, and the request is sent there when send_late is
           called: a copy that was on its way all the time
"""
import socket
import struct
import threading

OFFSET_COMMIT = 8


class Order:
    """One OffsetCommit that is to be lost: the first one that has all of the texts in it."""

    def __init__(self, way, texts, without=()):
        self.way, self.texts, self.without = way, [t.encode() for t in texts], [t.encode() for t in without]
        self.taken = False
        self.met = threading.Event()  # it has happened
        self.frame = self.upstream = self.answer = None

    def fits(self, frame):
        return not self.taken and all(t in frame for t in self.texts) and not any(t in frame for t in self.without)

    def send_late(self):
        """late: the held back request reaches the broker now; its error codes, one a partition."""
        self.upstream.settimeout(20)
        self.upstream.sendall(self.frame)
        answer = read_frame(self.upstream)
        self.upstream.close()
        return commit_errors(self.frame, answer)


def read_exactly(connection, size):
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise ConnectionError("closed")
        data += piece
    return data


def read_frame(connection):
    head = read_exactly(connection, 4)
    return head + read_exactly(connection, struct.unpack(">i", head)[0])


def commit_errors(request, answer):
    """The error codes in the answer to an OffsetCommit of one topic."""
    version = struct.unpack_from(">h", request, 6)[0]
    at = 8  # behind size and correlation id
    if version >= 8:
        at += 1  # no tagged fields in the header
    if version >= 3:
        at += 4  # throttle time
    if version >= 8:  # compact: a number is one byte here, one more than the count
        at += 1
        at += 1 + (answer[at] - 1)
        count, size = answer[at] - 1, 7
        at += 1
    else:
        at += 4
        at += 2 + struct.unpack_from(">h", answer, at)[0]
        count, size = struct.unpack_from(">i", answer, at)[0], 6
        at += 4
    return [struct.unpack_from(">h", answer, at + i * size + 4)[0] for i in range(count)]


class Proxy:
    def __init__(self, port, target_port):
        self.port, self.target_port = port, target_port
        self.lock = threading.Lock()
        self.orders = []
        self.open = set()
        self.listener = socket.create_server(("127.0.0.1", port))
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def lose(self, way, *texts, without=()):
        order = Order(way, texts, without)
        with self.lock:
            self.orders.append(order)
        return order

    def lose_nothing(self):
        with self.lock:
            self.orders = []

    def close(self):
        self.listener.close()
        for each in list(self.open):
            self._shut(each)

    def _accept(self):
        while True:
            try:
                client, _address = self.listener.accept()
            except OSError:
                return
            try:
                broker = socket.create_connection(("127.0.0.1", self.target_port), 10)
            except OSError:
                client.close()
                continue
            broker.settimeout(None)
            swallow = {}  # correlation id: order whose answer is not passed on
            self.open |= {client, broker}
            threading.Thread(target=self._requests, args=(client, broker, swallow), daemon=True).start()
            threading.Thread(target=self._answers, args=(client, broker, swallow), daemon=True).start()

    def _shut(self, *connections):
        for each in connections:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()
            self.open.discard(each)

    def _take(self, frame):
        if struct.unpack_from(">h", frame, 4)[0] != OFFSET_COMMIT:
            return None
        with self.lock:
            for order in self.orders:
                if order.fits(frame):
                    order.taken = True
                    self.orders.remove(order)
                    return order
        return None

    def _requests(self, client, broker, swallow):
        try:
            while True:
                frame = read_frame(client)
                order = self._take(frame)
                if order and order.way == "after":
                    swallow[frame[8:12]] = order
                elif order and order.way == "late":
                    # A connection of its own: what was sent on the other one before is not held up.
                    order.frame, order.upstream = frame, socket.create_connection(("127.0.0.1", self.target_port), 10)
                    order.met.set()
                    break
                elif order:
                    order.met.set()
                    break
                broker.sendall(frame)
        except OSError:
            pass
        self._shut(client, broker)

    def _answers(self, client, broker, swallow):
        try:
            while True:
                frame = read_frame(broker)
                order = swallow.pop(frame[4:8], None)
                if order:
                    order.answer = frame
                    order.met.set()
                    break
                client.sendall(frame)
        except OSError:
            pass
        self._shut(client, broker)
