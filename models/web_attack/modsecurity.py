#!/usr/bin/env python3
"""A pack beside ModSecurity with the Core Rule Set of Debian, on the same requests, by source.

  modsecurity.py --score "target/release/shieldwall score --pack P" [--sample N] FILE...

FILEs hold rows with label and source as `score` takes them, .zst or not. An Apache of our own listens on
loopback alone; a request that it answers with 403 is blocked. Printed by source: rows, and the share that
each paranoia level blocks and that the model finds, at the strictest threshold of its own that lets no
more of these harmless rows through than the rules do, and at --threshold.
"""
import argparse
import collections
import concurrent.futures
import http.client
import json
import pathlib
import random
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from common import data

MODULES = {"unique_id": "mod_unique_id", "security2": "mod_security2", "mpm_event": "mod_mpm_event", "authz_core": "mod_authz_core"}
SITE = """ServerRoot {folder}
PidFile {folder}/pid
Listen 127.0.0.1:{port}
ServerName shop.example
ErrorLog {folder}/log
LogLevel crit
DocumentRoot {folder}/root
User nobody
Group nogroup
LimitRequestLine 200000
LimitRequestFieldSize 200000
KeepAliveTimeout 60
MaxKeepAliveRequests 0
HttpProtocolOptions Unsafe
ErrorDocument 404 "-"
ErrorDocument 403 "-"
SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 13107200
SecRequestBodyNoFilesLimit 1310720
SecDataDir {folder}
SecTmpDir {folder}
SecAuditEngine Off
SecRule REQUEST_HEADERS:Content-Type "^(?:application(?:/soap\\+|/)|text/)xml" "id:200000,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "^application/json" "id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
Include /usr/share/modsecurity-crs/owasp-crs.load.lab
"""
BROWSER = {"Host": "shop.example", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Accept": "*/*"}


class Apache:
    def __init__(self, folder, level):
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        (folder / "root").mkdir()
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = one.getsockname()[1]
        site = SITE.format(folder=folder, port=self.port)
        rules = f'Include /etc/modsecurity/crs/crs-setup.conf\nSecAction "id:900000,phase:1,pass,t:none,nolog,setvar:tx.paranoia_level={level},setvar:tx.executing_paranoia_level={level}"\nInclude /usr/share/modsecurity-crs/rules/*.conf\n'
        (folder / "apache.conf").write_text("".join(f"LoadModule {name}_module /usr/lib/apache2/modules/{file}.so\n" for name, file in MODULES.items()) + site.replace("Include /usr/share/modsecurity-crs/owasp-crs.load.lab\n", rules))
        self.process = subprocess.Popen(["apache2", "-f", str(folder / "apache.conf"), "-DFOREGROUND"])
        self.local = threading.local()
        for _ in range(100):
            try:
                self.status({"payload": "a"})
                return
            except OSError:
                time.sleep(0.1)
        raise TimeoutError("apache2 does not start")

    def status(self, row):
        """What it answers to a row; 0 where it closes."""
        if "payload" in row:
            row = {"method": "GET", "uri": "/?q=" + urllib.parse.quote(row["payload"], safe="-_.~"), "headers": {}, "body": ""}
        headers = row.get("headers") or {}
        headers = json.loads(headers) if isinstance(headers, str) else headers
        have = {name.lower() for name in headers}
        headers = {name: value for name, value in BROWSER.items() if name.lower() not in have} | headers
        body = (row.get("body") or "").encode()
        for again in (False, True):
            if not getattr(self.local, "line", None):
                fresh = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
                fresh.connect()
                self.local.line = fresh
            line = self.local.line
            head = f"{row.get('method') or 'GET'} {row['uri']} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items() if name.lower() != "content-length") + (f"Content-Length: {len(body)}\r\n" if body else "") + "\r\n"
            try:
                line.sock.sendall(head.encode("utf-8", "replace") + body)
                answer = http.client.HTTPResponse(line.sock, method="GET")
                answer.begin()
                answer.read()
                if answer.will_close:
                    line.close()
                    self.local.line = None
                return answer.status
            except (http.client.HTTPException, ConnectionError, TimeoutError):
                line.close()
                self.local.line = None
                if again:
                    return 0


def scores(command, rows):
    hidden = ("label", "family", "source", "session", "part")
    asked = "".join(json.dumps({key: value for key, value in row.items() if key not in hidden}) + "\n" for row in rows)
    told = subprocess.run([*shlex.split(command), "web-attack"], input=asked.encode("utf-8", "surrogatepass"), stdout=subprocess.PIPE).stdout
    return [json.loads(line)["score"] or 0.0 for line in told.decode().splitlines()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--score", default="target/release/shieldwall score")
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--sample", type=int, default=4000, help="rows of a file at most")
    parser.add_argument("files", type=pathlib.Path, nargs="+")
    options = parser.parse_args()
    rows = []
    for file in options.files:
        all_rows = list(data.rows(file))
        rows += random.Random(1).sample(all_rows, min(options.sample, len(all_rows)))
    label = [row["label"] for row in rows]
    found = {}
    for level in (1, 2):
        with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(4) as pool:
            apache = Apache(folder, level)
            try:
                answers = list(pool.map(apache.status, rows))
            finally:
                apache.process.terminate()
                apache.process.wait()
        print(f"CRS, paranoia level {level}: answers {dict(collections.Counter(answers).most_common())}")
        found[f"CRS PL{level}"] = [answer == 403 for answer in answers]
    score = scores(options.score, rows)
    good = sorted((one for one, bad in zip(score, label) if not bad), reverse=True)
    for level in (1, 2):
        wrong = sum(hit for hit, bad in zip(found[f"CRS PL{level}"], label) if not bad)
        found[f"pack at FPR of PL{level}"] = [one > good[min(wrong, len(good) - 1)] for one in score]
    if options.threshold is not None:
        found[f"pack at {options.threshold}"] = [one >= options.threshold for one in score]
    print("| source | label | rows | " + " | ".join(found) + " |")
    print("|---|---|---|" + "---|" * len(found))
    groups = collections.defaultdict(list)
    for at, row in enumerate(rows):
        for name in (row["source"], "all"):
            groups[name, row["label"]].append(at)
    for (name, kind), members in sorted(groups.items(), key=lambda one: (one[0][1], one[0][0] == "all", one[0][0])):
        shares = [f"{sum(hits[at] for at in members) / len(members):.4f}" for hits in found.values()]
        print(f"| {name} | {'attack' if kind else 'harmless'} | {len(members)} | " + " | ".join(shares) + " |")


if __name__ == "__main__":
    main()
