#!/usr/bin/env python3
"""Records benign sessions with real applications: `record.py --out DIR [--sessions N] [--seconds S] [NAME...]`.

Each application is set up in a folder of its own, listens on loopback alone, and is visited. Writes
DIR/NAME.jsonl: a line for each request as it was sent, with label, source (the application), session
and part (0: to train with, 1: held out). models/README.md says what is to be installed.
"""
import argparse
import json
import os
import pathlib
import signal
import socket
import tempfile
import time
import urllib.parse

import apps
from texts import Texts
from visitor import Visitor, ready


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def host(texts):
    """What the application is called in its network: a name, or its address."""
    chance = texts.chance
    word = texts.phrase(1, 1)
    return chance.choice([f"{word}.example", f"www.{word}.example", f"{word}.intern.example", f"{word}:8080", f"192.168.{chance.randint(0, 9)}.{chance.randint(2, 250)}", f"10.0.{chance.randint(0, 9)}.{chance.randint(2, 250)}:8000"])


def named(row, ours, name):
    """The request as it is where the application is not at an address of the loopback."""
    spelled = lambda text: text.replace(ours, name).replace(urllib.parse.quote(ours, safe=""), urllib.parse.quote(name, safe=""))
    return row | {"uri": spelled(row["uri"]), "headers": {key: spelled(value) for key, value in row["headers"].items()}, "body": spelled(row["body"])}


def record(app, out, sessions, seconds):
    port, made, faults, last = free_port(), 0, 0, ""
    base = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix=f"{app.name}-") as folder, (out / f"{app.name}.jsonl").open("w") as file, (out / f"{app.name}.log").open("w") as log:
        folder = pathlib.Path(folder)
        processes = app.start(folder, port, Texts(app.part, app.name), log)
        try:
            ready(base)
            end, rows = time.monotonic() + seconds, 0
            texts = Texts(app.part, app.name)
            while made < sessions and time.monotonic() < end:
                texts.chance.seed(f"{app.name} {made}")
                name = host(texts)

                def note(row, session=made, name=name):
                    nonlocal rows
                    rows += 1
                    file.write(json.dumps(named(row, f"127.0.0.1:{port}", name) | {"label": 0, "source": app.name, "session": session, "part": app.part}) + "\n")

                texts.chance.seed(f"{app.name} {made}")  # once more: a visit does not depend on the name
                try:
                    app.visit(Visitor(base, texts, note))
                except Exception as error:  # an application that fails is as good as one that closes
                    faults, last = faults + 1, repr(error)
                made += 1
        finally:
            for process in processes:
                os.killpg(process.pid, signal.SIGTERM)  # and its workers
            for process in processes:
                process.wait()
    print(f"{app.name}: {rows} requests in {made} sessions, {faults} of them cut short {last[:200]}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--sessions", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for kind in apps.ALL:
        if not options.names or kind.name in options.names:
            try:
                record(kind(), options.out, options.sessions, options.seconds)
            except (OSError, RuntimeError, TimeoutError) as error:
                print(f"{kind.name}: {error}", flush=True)


if __name__ == "__main__":
    main()
