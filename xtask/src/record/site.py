"""A web site that is open to SQL injection on purpose, for recordings in a network namespace.

Usage: site.py ADDRESS (of a documentation range; it refuses any other)
"""

import http.server
import ipaddress
import socketserver
import sqlite3
import sys
import threading
import urllib.parse

DOCUMENTATION = [
    ipaddress.ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
]
SILENT_PORTS = (21, 22, 25, 443, 3306, 8080)
PAGES = {
    "/": "<h1>Alpha</h1><p><a href='/item?id=1'>things</a> <a href='/about'>about</a></p>",
    "/about": "<h1>About</h1><p>We sell things that do not exist.</p>",
    "/style.css": "body { font-family: sans-serif }",
}


def database():
    db = sqlite3.connect(":memory:")
    db.execute("create table items (id integer, name text, price integer)")
    db.execute("create table users (name text, password text)")
    db.executemany("insert into items values (?, ?, ?)", [(1, "hammer", 12), (2, "saw", 15), (3, "nails", 3)])
    db.executemany("insert into users values (?, ?)", [("ada", "correct horse"), ("bob", "battery staple")])
    return db


class Site(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        status, body = self.answer(url.path, urllib.parse.parse_qs(url.query))
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def answer(self, path, query):
        if path != "/item":
            return (200, PAGES[path]) if path in PAGES else (404, "<p>There is nothing here.</p>")
        try:
            # The hole: what the client says becomes part of the statement.
            rows = database().execute("select name, price from items where id = " + query["id"][0]).fetchall()
        except (KeyError, sqlite3.Error):
            return 500, "<p>That did not work.</p>"
        return 200, "<ul>" + "".join(f"<li>{name}: {price}</li>" for name, price in rows) + "</ul>"

    def log_message(self, *_):
        pass


class Silent(socketserver.BaseRequestHandler):
    """A service that says nothing until the peer goes."""

    def handle(self):
        self.request.settimeout(30)
        try:
            while self.request.recv(1024):
                pass
        except OSError:
            pass


def main():
    address = ipaddress.ip_address(sys.argv[1])
    if not any(address in network for network in DOCUMENTATION):
        sys.exit(f"{address} is not of a documentation range")
    for port in SILENT_PORTS:
        server = socketserver.ThreadingTCPServer((str(address), port), Silent)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    http.server.ThreadingHTTPServer((str(address), 80), Site).serve_forever()


if __name__ == "__main__":
    main()
