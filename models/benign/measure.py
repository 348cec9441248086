#!/usr/bin/env python3
"""False alarms on recorded sessions: `measure.py --recorded DIR --threshold T [--score COMMAND] [--part 0|1]`.

T is frozen: it was set before, on other rows. By application: requests and sessions with a false alarm,
and the exact upper bound (Clopper and Pearson, 95 %, one-sided) of such sessions in a million.
"""
import argparse
import collections
import json
import pathlib
import shlex
import subprocess

from scipy.stats import beta

KEYS = ("method", "uri", "headers", "body")


def rows(folder, part):
    """Recorded requests of one part: with source and session."""
    read = (json.loads(line) for file in sorted(pathlib.Path(folder).glob("*.jsonl")) for line in file.open())
    return [row for row in read if row["part"] == part]


def upper(hits, count):
    return float(beta.ppf(0.95, hits + 1, count - hits)) if hits < count else 1.0


def table(recorded, score, threshold):
    """(application, requests, of them alarms, sessions, of them with an alarm, upper bound of their share)"""
    requests, alarms, sessions, bad = collections.Counter(), collections.Counter(), collections.defaultdict(set), collections.defaultdict(set)
    for row, one in zip(recorded, score):
        for name in (row["source"], "all"):
            session = (row["source"], row["session"])
            requests[name] += 1
            sessions[name].add(session)
            if one >= threshold:
                alarms[name] += 1
                bad[name].add(session)
    order = sorted(requests, key=lambda name: (name == "all", name))
    return [(name, requests[name], alarms[name], len(sessions[name]), len(bad[name]), upper(len(bad[name]), len(sessions[name]))) for name in order]


def show(lines):
    print("| application | requests | alarms | sessions | with an alarm | at most, in a million sessions |\n|---|---|---|---|---|---|")
    for name, *numbers, bound in lines:
        print(f"| {name} | " + " | ".join(map(str, numbers)) + f" | {bound * 1e6:,.0f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recorded", type=pathlib.Path, required=True)
    parser.add_argument("--threshold", type=float, required=True)
    parser.add_argument("--score", default="target/release/shieldwall score")
    parser.add_argument("--part", type=int, default=1)
    options = parser.parse_args()
    recorded = rows(options.recorded, options.part)
    asked = "".join(json.dumps({key: row[key] for key in KEYS}) + "\n" for row in recorded)
    told = subprocess.run([*shlex.split(options.score), "web-attack"], input=asked.encode("utf-8", "surrogatepass"), stdout=subprocess.PIPE).stdout
    show(table(recorded, [json.loads(line)["score"] or 0.0 for line in told.decode().splitlines()], options.threshold))


if __name__ == "__main__":
    main()
