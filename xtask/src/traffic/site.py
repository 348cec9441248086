"""Serves bytes to be captured: GET /random/N and /text/N give N bytes, PUT takes any.

ADDRESS PORT [CERTIFICATE]: with a certificate over TLS.
"""

import http.server
import os
import ssl
import sys

RANDOM = os.urandom(1 << 20)
TEXT = ("The quick brown fox jumps over the lazy dog. " * 30000).encode()[: 1 << 20]


class Site(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        _, kind, size = self.path.split("?")[0].split("/")
        left = int(size)
        source = RANDOM if kind == "random" else TEXT
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream" if kind == "random" else "text/plain")
        self.send_header("Content-Length", str(left))
        self.end_headers()
        while left > 0:
            self.wfile.write(source[: min(left, len(source))])
            left -= min(left, len(source))

    def do_PUT(self):
        left = int(self.headers["Content-Length"])
        while left > 0:
            left -= len(self.rfile.read(min(left, 1 << 20)))
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Site)
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
