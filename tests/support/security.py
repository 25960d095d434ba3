"""What a Kafka broker with log-ins needs: certificates, signed tokens and the server that gives them out, a Kerberos realm. All on loopback,
each in a folder of its own, made by the system's openssl and MIT Kerberos."""
import base64
import http.server
import json
import os
import pathlib
import subprocess
import threading
import time
import urllib.parse

from .agent import Started
from .broker import free_port

DATABASE = """[ca]
default_ca = ca
[ca]
database = {folder}/index
new_certs_dir = {folder}
unique_subject = no
rand_serial = yes
default_md = sha256
policy = policy
copy_extensions = copy
[policy]
commonName = supplied
[req]
distinguished_name = name
[name]
"""
REALM = "TEST.LUADUCT"


def run(*command, env=None, text=None):
    """The output; a failure shows it all."""
    done = subprocess.run(list(map(str, command)), env={**os.environ, **(env or {})}, input=text, capture_output=True)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


class Authority:
    """A certificate authority; .certificate is the path of its own."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        (self.folder / "index").touch()
        (self.folder / "index.attr").write_text("unique_subject = no\n")
        self.conf = self.folder / "conf"
        self.conf.write_text(DATABASE.format(folder=self.folder))
        self.certificate, self.key = self.folder / "ca.pem", self.folder / "ca.key"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 3, "-keyout", self.key, "-out",
            self.certificate, "-subj", "/CN=" + self.folder.name, "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-config", self.conf, "-addext",
            "basicConstraints=critical,CA:TRUE")

    def issue(self, name, hosts=(), expired=False):
        """The paths of a certificate for CN=name and of its key (both PEM). hosts: DNS names it is for."""
        key, request, certificate = (self.folder / (name + ending) for ending in (".key", ".csr", ".pem"))
        extension = ["-addext", "subjectAltName=" + ",".join("DNS:" + host for host in hosts)] if hosts else []
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request, "-subj",
            "/CN=" + name, "-config", self.conf, *extension)
        dates = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"] if expired else ["-days", 2]
        run("openssl", "ca", "-batch", "-notext", "-config", self.conf, "-cert", self.certificate, "-keyfile", self.key, "-in", request, "-out",
            certificate, *dates)
        return certificate, key

    def keystore(self, name, **options):
        """One file with key and certificates, as Kafka's PEM stores are."""
        certificate, key = self.issue(name, **options)
        store = self.folder / (name + ".store")
        store.write_text(key.read_text() + certificate.read_text() + self.certificate.read_text())
        return store


class Tokens:
    """Signs tokens (JWT, RS256), and serves the public key at /keys and tokens for client "job" at /token, as OAuth 2 (RFC 6749, 4.4) says."""

    def __init__(self, folder, secret):
        self.folder, self.secret, self.given = pathlib.Path(folder), secret, 0
        self.folder.mkdir(parents=True)
        self.key = self.folder / "key.pem"
        run("openssl", "genrsa", "-out", self.key, 2048)
        modulus = run("openssl", "rsa", "-in", self.key, "-noout", "-modulus").decode().split("=")[1]
        keys = {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one", "e": "AQAB", "n": self._text(bytes.fromhex(modulus.strip()))}]}
        tokens = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_arguments):
                pass

            def _answer(self, status, value):
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                self._answer(200, keys)

            def do_POST(self):
                body = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                wanted = "Basic " + base64.b64encode(b"job:" + tokens.secret.encode()).decode()
                if self.headers["Authorization"] != wanted or body["grant_type"] != ["client_credentials"]:
                    self._answer(401, {"error": "invalid_client"})
                    return
                tokens.given += 1
                self._answer(200, {"access_token": tokens.sign(), "token_type": "Bearer", "expires_in": 300})

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def _text(value):
        return base64.urlsafe_b64encode(value).decode().rstrip("=")

    def sign(self, subject="job", life=300):
        now = int(time.time())
        claims = {"sub": subject, "aud": "kafka", "iss": "tests", "iat": now - 5, "exp": now + life, "scope": "kafka"}
        head = self._text(json.dumps({"alg": "RS256", "kid": "one"}).encode()) + "." + self._text(json.dumps(claims).encode())
        return head + "." + self._text(run("openssl", "dgst", "-sha256", "-sign", self.key, text=head.encode()))

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Realm(Started):
    """A Kerberos realm with its KDC; .conf is the krb5.conf."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        port = free_port()
        self.conf = self.folder / "krb5.conf"
        self.conf.write_text(f"""[libdefaults]
 default_realm = {REALM}
 dns_lookup_realm = false
 dns_lookup_kdc = false
 dns_canonicalize_hostname = false
 rdns = false
 udp_preference_limit = 1
[realms]
 {REALM} = {{
  kdc = 127.0.0.1:{port}
 }}
""")
        (self.folder / "kdc.conf").write_text(f"""[kdcdefaults]
 kdc_listen = 127.0.0.1:{port}
 kdc_tcp_listen = 127.0.0.1:{port}
[realms]
 {REALM} = {{
  database_name = {self.folder}/principal
  key_stash_file = {self.folder}/stash
  acl_file = {self.folder}/acl
  max_life = 10h
 }}
""")
        self.env = {"KRB5_CONFIG": str(self.conf), "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf"), "KRB5CCNAME": f"FILE:{self.folder}/tickets"}
        run("/usr/sbin/kdb5_util", "create", "-s", "-r", REALM, "-P", "master", env=self.env)
        self._files = [open(self.folder / "log", "ab")]
        self.process = subprocess.Popen(["/usr/sbin/krb5kdc", "-n", "-r", REALM], env={**os.environ, **self.env}, stdout=self._files[0],
                                        stderr=self._files[0], stdin=subprocess.DEVNULL)

    def keytab(self, principal):
        path = self.folder / (principal.replace("/", "_") + ".keytab")
        run("/usr/sbin/kadmin.local", "-r", REALM, "-q", f"addprinc -randkey {principal}@{REALM}", env=self.env)
        run("/usr/sbin/kadmin.local", "-r", REALM, "-q", f"ktadd -k {path} {principal}@{REALM}", env=self.env)
        return path
