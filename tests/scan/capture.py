#!/usr/bin/env python3
"""Makes the captures of the cases in this folder, with real tools between two network namespaces.

    sudo ./capture.py CASE...      writes CASE/input.pcap; read the difference in what is expected
                                   afterwards: UPDATE=1 cargo test -p shield --test scan

Ours is 10.2.0.10 (and 2001:db8:2::10), outside are 203.0.113.9 and .20 (and 2001:db8:9::9). Both
sides serve HTTP on 80, TLS on 443 and DNS on 53, and take connections on 22, 25, 110, 143 and 993.
Needs root, iproute2, tcpdump, curl, nmap, openssl.
"""

import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OURS, OUTSIDE, BYSTANDER = "10.2.0.10", "203.0.113.9", "203.0.113.20"
OURS6, OUTSIDE6 = "2001:db8:2::10", "2001:db8:9::9"
HERE = os.path.dirname(os.path.abspath(__file__))


def connect_scan(net):
    net.outside("curl", "-s", "--interface", BYSTANDER, f"http://{OURS}/index.html")
    ports = "20-25,53,80,110,143,443,993,3306,8080"
    net.outside("nmap", "-sT", "-n", "-Pn", "-T4", "-p", ports, OURS)
    net.outside("curl", "-s", "--interface", BYSTANDER, f"http://{OURS}/index.html")


def syn_scan(net):
    net.outside("nmap", "-sS", "-n", "-Pn", "-T4", "-p", "1-40", OURS)


def listed_url(net):
    agent = ["curl", "-s", "-A", "probe/1.0"]
    net.outside(*agent, "-H", "Host: www.victim.example", f"http://{OURS}/cgi-bin/%75pload.php?cmd=%7eid")
    net.outside(*agent, "-H", "Host: www.victim.example", f"http://{OURS}/index.html")


def listed_name(net):
    net.ours("dig", "name", "c2.evil.example")
    net.ours("curl", "-s", "-H", "Host: c2.evil.example", f"http://{OUTSIDE}/beacon")
    net.ours("tls", "c2.evil.example")
    net.ours("tls", "www.good.example")


def listed_address_v6(net):
    net.outside("curl", "-s", f"http://[{OURS6}]/index.html")


def hostile_request(net):
    request = b"GET /\xff\xfe\"},{\"a\":\"\\ HTTP/1.1\r\nHost: \xc3\x28\x01.evil.example\r\nUser-Agent: \x7f\"\r\n\r\n"
    net.outside("raw", request.hex())


CASES = {
    "connect-scan": connect_scan,
    "syn-scan": syn_scan,
    "listed-url": listed_url,
    "listed-name": listed_name,
    "listed-address-v6": listed_address_v6,
    "hostile-request": hostile_request,
}


class Net:
    """Two namespaces and the wire between them."""

    def __init__(self):
        self.names = [f"swcap-{os.getpid()}-{side}" for side in ("ours", "outside")]
        self.children = []

    def __enter__(self):
        ours, outside = self.names
        for name in self.names:
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "link", "add", "w0", "netns", ours, "type", "veth", "peer", "name", "w0", "netns", outside)
        for name, addresses in [(ours, [OURS + "/32", OURS6 + "/128"]),
                                (outside, [OUTSIDE + "/32", BYSTANDER + "/32", OUTSIDE6 + "/128"])]:
            for address in addresses:
                extra = ["nodad"] if ":" in address else []
                run("ip", "-n", name, "addr", "add", address, "dev", "w0", *extra)
            run("ip", "-n", name, "link", "set", "w0", "up")
        run("ip", "-n", ours, "route", "add", "203.0.113.0/24", "dev", "w0", "src", OURS)
        run("ip", "-n", ours, "-6", "route", "add", "2001:db8:9::/64", "dev", "w0", "src", OURS6)
        run("ip", "-n", outside, "route", "add", "10.2.0.0/24", "dev", "w0", "src", OUTSIDE)
        run("ip", "-n", outside, "-6", "route", "add", "2001:db8:2::/64", "dev", "w0", "src", OUTSIDE6)
        for name in self.names:
            self.children.append(self.start(name, sys.executable, __file__, "serve"))
        for name in self.names:
            self.wait_for_services(name)
        return self

    def wait_for_services(self, name):
        listening = ["ip", "netns", "exec", name, "ss", "-Hlun", "sport", "=", ":53"]
        while not subprocess.run(listening, capture_output=True).stdout:
            time.sleep(0.1)

    def __exit__(self, *_):
        for child in self.children:
            child.terminate()
            child.wait()
        for name in self.names:
            run("ip", "netns", "del", name)

    def start(self, name, *command):
        return subprocess.Popen(["ip", "netns", "exec", name, *command])

    def ours(self, *command):
        self.call(self.names[0], command)

    def outside(self, *command):
        self.call(self.names[1], command)

    def call(self, name, command):
        if command[0] in ("dig", "tls", "raw"):
            command = [sys.executable, __file__, *command]
        subprocess.run(["ip", "netns", "exec", name, *command], stdout=subprocess.DEVNULL, timeout=60)

    def record(self, path, scenario):
        tcpdump = self.start(self.names[0], "tcpdump", "-q", "-U", "--immediate-mode", "-s", "2048", "-n",
                             "-i", "w0", "-w", path, "ip or (ip6 and tcp)")
        time.sleep(1)
        scenario(self)
        time.sleep(0.5)
        tcpdump.terminate()
        tcpdump.wait()


def run(*command, quiet=False):
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL if quiet else None)


def serve():
    """The services of one side."""
    class Page(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", "3")
            self.end_headers()
            self.wfile.write(b"ok\n")

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6

    web = Server(("::", 80), Page)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = f"{folder}/key", f"{folder}/certificate"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-subj", "/CN=test", "-keyout", key, "-out", certificate, "-days", "1", quiet=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    secure = Server(("::", 443), Page)
    secure.socket = context.wrap_socket(secure.socket, server_side=True)
    threading.Thread(target=secure.serve_forever, daemon=True).start()
    others = []
    for port in (22, 25, 110, 143, 993):
        others.append(Server(("::", port), Page))
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind(("0.0.0.0", 53))
    while True:
        query, client = names.recvfrom(512)
        answer = query[:2] + b"\x81\x80\x00\x01\x00\x02\x00\x00\x00\x00" + query[12:]
        alias = b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x07\x04edge\xc0\x0f"
        address = b"\xc0" + bytes([len(answer) + 12]) + b"\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04"
        names.sendto(answer + alias + address + socket.inet_aton("203.0.113.80"), client)


def dig(kind, name):
    """One DNS question to the outside."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + labels + b"\x00\x00\x01\x00\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(2)
        asker.sendto(query, (OUTSIDE, 53))
        asker.recv(512)


def tls(name):
    """One TLS handshake with the outside."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection((OUTSIDE, 443), 5) as plain:
        with context.wrap_socket(plain, server_hostname=name) as secure:
            secure.sendall(b"GET / HTTP/1.0\r\n\r\n")
            secure.recv(100)


def raw(request):
    """One request, byte for byte."""
    with socket.create_connection((OURS, 80), 5) as connection:
        connection.sendall(bytes.fromhex(request))
        connection.settimeout(2)
        connection.recv(1000)


def main(names):
    for name in names or CASES:
        folder = os.path.join(HERE, name)
        os.makedirs(folder, exist_ok=True)
        with Net() as net, tempfile.TemporaryDirectory() as scratch:
            path = os.path.join(scratch, "input.pcap")
            net.record(path, CASES[name])
            with open(path, "rb") as made, open(os.path.join(folder, "input.pcap"), "wb") as kept:
                kept.write(made.read())


if __name__ == "__main__":
    helpers = {"serve": serve, "dig": dig, "tls": tls, "raw": raw}
    if len(sys.argv) > 1 and sys.argv[1] in helpers:
        helpers[sys.argv[1]](*sys.argv[2:])
    else:
        main(sys.argv[1:])
