"""Rows for the model of web attacks: (row, label, source, weight)."""
import random

from common import data

from . import attacks, benign

# What a list calls an attack is prose or an ordinary path now and then: such rows stay only where a
# model that never saw the list agrees.
NOISY = {"PATT", "PATT-md", "fuzzdb", "fwaf", "grananqvist"}
SYNTHETIC_ATTACKS, SYNTHETIC_BENIGN = 45_000, 100_000
# of the attacks that were tuned against another model
ADVERSARIAL = 12_000


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


def held(folder):
    """Rows to measure on."""
    for row in data.rows(folder / "fields-dev.jsonl.zst"):
        yield {"payload": row["payload"]}, row["label"], row["source"], 1.0


def group(row):
    """Rows that belong together."""
    return row["payload"][:24]
