"""An HTTP proxy that keeps what it was asked: plain requests with a whole URL, and CONNECT for HTTPS; with a user and a password if wanted."""
import base64
import socket
import threading
import urllib.parse


class HttpProxy:
    def __init__(self, user=None, password=None, refuse=None):
        """refuse: the status with which every request is answered."""
        self.expected = user and "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self.refuse = refuse
        self.requests = []  # (method, target, {header: value}); of a connection's first request
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _address = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client:
            head = b""
            while b"\r\n\r\n" not in head:
                piece = client.recv(65536)
                if not piece:
                    return
                head += piece
            lines, rest = head.split(b"\r\n\r\n", 1)
            first, *fields = lines.decode("latin-1").split("\r\n")
            method, target, _version = first.split(" ")
            headers = {name.lower(): value.strip() for name, value in (field.split(":", 1) for field in fields)}
            self.requests.append((method, target, headers))
            if self.expected and headers.get("proxy-authorization") != self.expected:
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"p\"\r\n"
                               b"Content-Length: 0\r\nConnection: close\r\n\r\n")
                return
            if self.refuse:
                client.sendall(b"HTTP/1.1 %d Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % self.refuse)
                return
            self._forward(client, method, target, headers, fields, rest)

    def _forward(self, client, method, target, headers, fields, rest):
        parts = urllib.parse.urlsplit(target if method != "CONNECT" else "//" + target)
        with socket.create_connection((parts.hostname, parts.port), 10) as server:
            server.settimeout(None)
            if method == "CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n")
                server.sendall(rest)
            else:  # one request a connection, so that each is seen
                path = parts.path + ("?" + parts.query if parts.query else "")
                kept = [field for field in fields if not field.lower().startswith(("proxy-", "connection:"))]
                server.sendall("\r\n".join([f"{method} {path} HTTP/1.1", *kept, "Connection: close", "", ""]).encode("latin-1") + rest)
            threading.Thread(target=self._copy, args=(client, server), daemon=True).start()
            self._copy(server, client)

    @staticmethod
    def _copy(source, sink):
        try:
            while piece := source.recv(65536):
                sink.sendall(piece)
        except OSError:
            pass
        for each in (source, sink):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
