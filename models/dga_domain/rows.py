"""Rows for the model of generated names: (row, label, source, weight)."""
import random

from common import data

from . import generate

PER_FAMILY_MAX = 2500


def gather(folder, ships):
    """Rows to train on."""
    chance = random.Random(9)
    rows, families = [], {}
    for row in data.rows(folder / "train.csv.zst"):
        if not ships(row["source"]):
            continue
        if row["label"] == 0:
            rows.append((row["domain"], 0, row["source"]))
        else:
            families.setdefault(row["family"], []).append((row["domain"], 1, row["source"]))
    for names in families.values():
        rows += chance.sample(names, min(len(names), PER_FAMILY_MAX))
    made = list(generate.names(chance, families=260, each=260 if ships.baseline else 130))
    rows += [(name, 1, "made") for name in (chance.sample(made, min(len(made), 34_000)))]
    hosts = sorted({url.split("://", 1)[-1].split("/")[0].split(":")[0].lower() for url in data.debian_homepages(chance)})
    rows += [(host, 0, "debian") for host in hosts if "." in host]
    rows += [(name, 0, "made") for name in generate.benign(chance, 8_000)]
    chance.shuffle(rows)
    for name, label, source in rows:
        yield {"domain": name}, label, source, 1.0


def held(folder):
    """Rows to measure on."""
    for row in data.rows(folder / "dev.csv.zst"):
        yield {"domain": row["domain"]}, row["label"], row["source"], 1.0


def group(row):
    """Rows that belong together."""
    return row["domain"]
