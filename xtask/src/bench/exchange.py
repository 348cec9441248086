"""Measures TAXII 2.1 servers over HTTP on loopback, all by the same client.

    exchange.py hub BINARY OBJECTS [POSTGRES_URL SERVER_PID]
    exchange.py medallion OBJECTS
    exchange.py opentaxii OBJECTS

Starts the server, adds OBJECTS indicators in envelopes of 100, and reads pages of 100 at the start and at the
end. Posts are timed as they are added, or behind them where these are too few for the clock of processes. Prints figures: a name and a number a line. Processor time is the server's, from /proc; times are the
client's. The hub is asked over TLS with a client certificate, the others over plain HTTP with Basic, which is what
they offer.
"""

import http.client
import json
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from base64 import b64encode
from pathlib import Path

TAXII = "application/taxii+json;version=2.1"
POST = 100
# Pages that are timed, at most, and seconds after which no more are.
PAGES, SECONDS = 2000, 20
# Posts that are timed, at least, unless these seconds are over: processor time is counted in hundredths.
POSTS = 200


def main():
    kind, *rest = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="bench-", dir=".") as folder:
        server = {"hub": Hub, "medallion": Medallion, "opentaxii": OpenTaxii}[kind](Path(folder).resolve(), rest)
        try:
            measure(server, int(server.objects))
        finally:
            server.stop()


def measure(server, objects):
    posts = Run(server)
    for first in range(0, objects, POST):
        posts.post(first)
    if len(posts.times) >= POSTS:
        posts.say_posts()
    last = server.last_page(objects)
    for name, path in [("first", server.page()), ("last", last)]:
        pages = Run(server)
        while len(pages.times) < PAGES and pages.elapsed() < SECONDS:
            got = pages.take(lambda: server.get(path))
        count = len(json.loads(got)["objects"])
        if count != POST:
            raise SystemExit(f"a page of {count}")
        print(f"page_{name}_per_cpu_s {len(pages.times) / pages.cpu():.2f}")
        pages.say(f"page_{name}")
    if len(posts.times) < POSTS:
        posts = Run(server)
        while len(posts.times) < POSTS and posts.elapsed() < SECONDS:
            posts.post(objects + len(posts.times) * POST)
        posts.say_posts()


class Run:
    """Requests that are timed."""

    def __init__(self, server):
        self.server, self.times = server, []
        self.begun, self.cpu_begun = time.monotonic(), server.cpu()

    def take(self, act):
        at = time.monotonic()
        got = act()
        self.times.append(time.monotonic() - at)
        return got

    def post(self, first):
        body = json.dumps({"objects": [indicator(n) for n in range(first, first + POST)]}).encode()
        self.take(lambda: self.server.post(body))

    def say_posts(self):
        print(f"post_objects_per_cpu_s {len(self.times) * POST / self.cpu():.0f}")
        self.say("post")

    def elapsed(self):
        return time.monotonic() - self.begun

    def cpu(self):
        return max(self.server.cpu() - self.cpu_begun, 0.005)

    def say(self, name):
        times = sorted(self.times)
        print(f"{name}_per_s {len(times) / self.elapsed():.1f}")
        print(f"{name}_p50_ms {statistics.median(times) * 1e3:.3f}")
        print(f"{name}_p99_ms {times[(len(times) - 1) * 99 // 100] * 1e3:.3f}", flush=True)


def indicator(n):
    a, b, c = n // 65536 % 256, n // 256 % 256, n % 256
    moment = "2026-01-02T03:04:05.000Z"
    return {
        "type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.uuid5(uuid.NAMESPACE_OID, str(n))}",
        "created_by_ref": "identity--a463ffb3-1bd9-4d94-b02d-74e4f1658283", "created": moment, "modified": moment,
        "name": "Scanner seen by sensors of the sector",
        "description": "Probed TCP services of several members within an hour, none of them offered.",
        "indicator_types": ["malicious-activity"], "pattern": f"[ipv4-addr:value = '10.{a}.{b}.{c}']",
        "pattern_type": "stix", "valid_from": moment, "confidence": 80, "labels": ["scan"],
    }


class Server:
    """A server process, and one connection to it."""

    collection, headers, tls, keeps_next = "", {}, None, True

    def __init__(self, folder, objects):
        self.folder, self.objects, self.port = folder, objects, free_port()
        self.process, self.connection, self.last_date = None, None, None

    def start(self, command, **more):
        log = open(self.folder / "log", "w")
        self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **more)
        for _ in range(600):
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"{command[0]} does not serve: {(self.folder / 'log').read_text()}")

    def connect(self):
        if self.tls:
            return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, timeout=120)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def request(self, method, path, body=None):
        headers = {"Accept": TAXII, **self.headers}
        if body:
            headers["Content-Type"] = TAXII
        self.connection = self.connection or self.connect()
        try:
            self.connection.request(method, path, body, headers)
            answer = self.connection.getresponse()
            got = answer.read()
        except (http.client.HTTPException, ConnectionError):
            # Servers of HTTP/1.0 end a connection with each answer.
            self.connection = None
            return self.request(method, path, body)
        if answer.status not in (200, 202):
            raise SystemExit(f"{method} {path}: {answer.status} {got[:300]}")
        if answer.will_close:
            self.connection = None
        self.last_date = answer.headers["X-TAXII-Date-Added-Last"]
        return got

    def page(self, limit=100):
        return f"{self.collection}objects/?limit={limit}"

    def get(self, path):
        return self.request("GET", path)

    def post(self, body):
        return self.request("POST", f"{self.collection}objects/", body)

    def last_page(self, objects):
        """The path of the last page, found by following `next`: OBJECTS are a multiple of a page."""
        path, seen = self.page(), 0
        while True:
            got = json.loads(self.get(path))
            seen += len(got["objects"])
            page = self.page(min(self.page_max, objects - seen - POST) or POST)
            path = f"{page}&next={got['next']}"
            if seen >= objects - POST:
                return path if self.keeps_next else f"{self.page()}&added_after={self.last_date}"

    def pids(self):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *children]

    def cpu(self):
        """User and system time of the server's processes, seconds (proc(5))."""
        ticks = 0
        for pid in self.pids():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
                ticks += int(fields[11]) + int(fields[12])
            except FileNotFoundError:
                pass
        return ticks / os.sysconf("SC_CLK_TCK")

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()


class Hub(Server):
    collection, page_max = "/taxii2/api/collections/all/", 1000

    def __init__(self, folder, rest):
        binary, objects, *postgres = rest
        super().__init__(folder, objects)
        self.database = postgres[1] if postgres else None
        store = f"[store]\npostgres = {json.dumps(postgres[0])}\n" if postgres else ""
        config = folder / "hub.toml"
        # Quotas are not what is measured.
        config.write_text(
            f'data = "{folder}/hub"\nlisten = "127.0.0.1:{self.port}"\nnames = ["127.0.0.1"]\n'
            f"[limits]\nrequests_per_s_max = 0\nobjects_per_s_max = 0\nbytes_per_s_max = 0\n{store}"
        )
        self.start([binary, "hub", "run", "--config", config])
        while "listens" not in (folder / "log").read_text():
            time.sleep(0.01)
        invite = [binary, "partner", "invite", "bench", "--data", folder / "hub"]
        invitation = subprocess.run(invite, check=True, capture_output=True, text=True).stdout.strip()
        identity = folder / "identity"
        enrol = [binary, "partner", "enrol", invitation, "--identity", identity]
        subprocess.run(enrol, check=True, capture_output=True)
        self.tls = ssl.create_default_context(cafile=identity / "ca.pem")
        self.tls.load_cert_chain(identity / "cert.pem", identity / "key.pem")

    def pids(self):
        """The hub, and PostgreSQL with its sessions."""
        pids = super().pids()
        if self.database:
            pids += [self.database, *Path(f"/proc/{self.database}/task/{self.database}/children").read_text().split()]
        return pids


class Medallion(Server):
    """OASIS' reference server, with its store in memory. It takes a `next` but once."""

    collection, page_max = "/api/collections/365fed99-08fa-fdcd-a1b3-fb247eb41d01/", 100
    keeps_next = False
    headers = {"Authorization": "Basic " + b64encode(b"bench:bench").decode()}

    def __init__(self, folder, rest):
        super().__init__(folder, rest[0])
        collection = {
            "id": "365fed99-08fa-fdcd-a1b3-fb247eb41d01", "title": "bench", "can_read": True, "can_write": True,
            "media_types": ["application/stix+json;version=2.1"], "objects": [], "manifest": [],
        }
        root = {
            "information": {"title": "bench", "versions": [TAXII], "max_content_length": 104857600},
            "status": [], "collections": [collection],
        }
        data = {"/discovery": {"title": "bench", "default": "/api/", "api_roots": ["/api/"]}, "api": root}
        (folder / "data.json").write_text(json.dumps(data))
        config = {
            "backend": {
                "module": "medallion.backends.memory_backend", "module_class": "MemoryBackend",
                "filename": str(folder / "data.json"),
            },
            "users": {"bench": "bench"}, "taxii": {"max_page_size": 100},
        }
        (folder / "config.json").write_text(json.dumps(config))
        medallion = Path(sys.executable).with_name("medallion")
        self.start([medallion, "--host", "127.0.0.1", "--port", str(self.port), folder / "config.json"])


class OpenTaxii(Server):
    """OpenTAXII on SQLite behind gunicorn with one worker."""

    page_max = 100

    def __init__(self, folder, rest):
        super().__init__(folder, rest[0])
        database = f"sqlite:///{folder}/data.db"
        config = f"""---
domain: "127.0.0.1:{self.port}"
support_basic_auth: yes
auth_api:
  class: opentaxii.auth.sqldb.SQLDatabaseAPI
  parameters:
    db_connection: "sqlite:///{folder}/auth.db"
    create_tables: yes
    secret: bench
taxii1:
taxii2:
  allow_unauthorized: yes
  public_discovery: true
  default_api_root: "bench"
  max_content_length: 104857600
  persistence_api:
    class: opentaxii.persistence.sqldb.Taxii2SQLDatabaseAPI
    parameters:
      db_connection: "{database}"
      create_tables: yes
"""
        (folder / "opentaxii.yml").write_text(config)
        environment = {**os.environ, "OPENTAXII_CONFIG": str(folder / "opentaxii.yml")}
        scripts = Path(sys.executable).parent
        made = []
        for command in (
            ["opentaxii-add-api-root", "-t", "bench", "--default"],
            ["opentaxii-add-collection", "-r", "ROOT", "-t", "bench", "--public", "--public-write"],
        ):
            command = [made[0] if part == "ROOT" else part for part in command]
            run = subprocess.run([scripts / command[0], *command[1:]], env=environment, capture_output=True, text=True)
            if run.returncode:
                raise SystemExit(run.stderr)
            made.append(self.added(database))
        self.collection = f"/taxii2/{made[0]}/collections/{made[1]}/"
        self.start(
            [scripts / "gunicorn", "opentaxii.http:app", "--bind", f"127.0.0.1:{self.port}", "--workers", "1"],
            env=environment,
        )

    @staticmethod
    def added(database):
        """The identifier that the last command made."""
        import sqlite3

        with sqlite3.connect(database.removeprefix("sqlite:///")) as rows:
            found = rows.execute("SELECT id FROM opentaxii_collection UNION ALL SELECT id FROM opentaxii_api_root")
            return str(uuid.UUID(found.fetchone()[0]))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


if __name__ == "__main__":
    main()
