"""Rows for the model of web attacks: (row, label, source, weight)."""
import json
import random

from common import data

from . import attacks, benign, harden

# What a list calls an attack is prose or an ordinary path now and then: such rows stay only where a
# model that never saw the list agrees.
NOISY = {"PATT", "PATT-md", "fuzzdb", "fwaf", "grananqvist"}
SYNTHETIC_ATTACKS, SYNTHETIC_BENIGN = 45_000, 100_000
# of the attacks that were tuned against another model
ADVERSARIAL = 12_000
# Columns that trees do not look at: how long the whole value is, which padding decides.
IGNORED = (1,)
ROUNDS = 300
# of an application
RECORDED_MAX = 4_000


def gather(folder, ships):
    """Rows to train on; `ships(source)` says whether a source is taken."""
    for row in data.rows(folder / "fields-train.jsonl.zst"):
        if ships(row["source"]):
            yield {"payload": row["payload"]}, row["label"], row["source"], 0.5 if row["source"] == "fwaf" else 1.0
    hardening = [row for row in data.rows(folder / "sqli-modsec-train.jsonl.zst") if ships(row["source"])]
    for row in random.Random(0).sample(hardening, min(ADVERSARIAL, len(hardening))):
        yield {"payload": row["payload"]}, row["label"], row["source"], 1.0
    for made, count, label in ((attacks, SYNTHETIC_ATTACKS, 1), (benign, SYNTHETIC_BENIGN, 0)):
        for value in dict.fromkeys(value for _, value in made.values(count, label + 1)):
            if value.strip():
                yield {"payload": value}, label, "made", 1.0


def recorded(folder):
    """Requests of applications that are there to train with."""
    for file in sorted(folder.glob("*.jsonl")):
        rows = [row for row in map(json.loads, file.open()) if row["part"] == 0]
        for row in random.Random(2).sample(rows, min(RECORDED_MAX, len(rows))):
            yield {key: row[key] for key in ("method", "uri", "headers", "body")}, 0, "recorded", 1.0


def held(folder):
    """Rows to measure on."""
    for row in data.rows(folder / "fields-dev.jsonl.zst"):
        yield {"payload": row["payload"]}, row["label"], row["source"], 1.0


def group(row):
    """Rows that belong together."""
    return row["payload"][:24] if "payload" in row else row["uri"]
