"""A small shop: pages, a search over SQLite as a careless author writes it, a login form."""
import html, sqlite3, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PAGES = {"/", "/login", "/about", "/terms", "/contact"} | {f"/page/{n}" for n in range(200)}

LOG = open(sys.argv[2], "a", buffering=1) if len(sys.argv) > 2 else None

class Site(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, text):
        if LOG:
            LOG.write(f"{self.client_address[0]} {self.command} {self.path}\n")
        body = f"<html><body>{text}</body></html>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        at = urlsplit(self.path)
        if at.path == "/item":
            return self.item(parse_qs(at.query).get("id", [""])[0])
        if at.path in PAGES:
            return self.answer(200, "welcome")
        self.answer(404, "not found")

    def item(self, number):
        store = sqlite3.connect(":memory:")
        store.execute("create table items (id integer, name text)")
        store.executemany("insert into items values (?, ?)", [(n, f"item {n}") for n in range(200)])
        try:
            rows = store.execute(f"select name from items where id = {number}").fetchall()
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            return self.answer(500, html.escape(f"SQLite error: {error}"))
        self.answer(200, html.escape(str(rows)))

    def do_POST(self):
        form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        fields = parse_qs(form)
        if self.path == "/login" and fields.get("password") == ["correct horse"]:
            self.send_response(303)
            self.send_header("Location", "/")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.answer(200 if self.path == "/login" else 404, "login failed")

    def log_message(self, *_):
        pass

ThreadingHTTPServer.daemon_threads = True
# Python's own 5 are used up by a burst of anybody
ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Site).serve_forever()
