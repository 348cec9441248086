#!/usr/bin/env python3
"""Trains a pack: `train.py TASK (baseline|research) --data DIR [--out DIR]`.

TASK is web-attack, phishing-url or dga-domain; DIR is the folder of detection data. A baseline is
trained on what may ship, research on everything. Writes OUT/TASK-KIND.swpack, signed by a key that
is made for it and thrown away, and its public half beside it; models/README.md says more.
"""
import argparse
import datetime
import importlib
import json
import pathlib
import shutil
import subprocess
import zlib

import numpy as np

from benign import measure as benign
from common import data, fit, onnx_file, table

HERE = pathlib.Path(__file__).resolve().parent
EXTRACTORS = {"web-attack": "http-field@1", "phishing-url": "url@1", "dga-domain": "domain@1"}
RATES = (1e-4, 1e-3, 1e-2)
# harmless windows that are alike count as so many at most
ALIKE_MAX = 30


def labelled(made):
    rows, label, source, weight = zip(*made)
    return list(rows), np.array(label), np.array(source), np.array(weight, np.float32)


def usable(features, label, weight, group, first=None):
    """Rows of the table to train on: of an attack that has several windows only the one that looks
    worst to a first model, or has most signs in it, since the others are as harmless as they look;
    and of harmless windows that are alike one that counts for them all."""
    bad = label[features.subject] == 1
    chance = np.random.default_rng(0)
    likeness = features.ids @ chance.random(features.ids.shape[1]) + features.x @ chance.random(features.x.shape[1])
    _, alike, count = np.unique(likeness[~bad], return_index=True, return_counts=True)
    harmless = np.zeros(len(bad), np.float32)
    harmless[np.flatnonzero(~bad)[alike]] = np.minimum(count, ALIKE_MAX)
    # what harmless rows hold as well is no sign of an attack
    bad &= ~np.isin(likeness, likeness[~bad])
    if first is not None:
        rank = first.decide(features)
    else:
        rank = features.x[:, 0] * features.x[:, 5] if features.x.shape[1] > 5 else features.x[:, 0]
    order = np.lexsort((-rank, ~bad, features.subject))
    front = np.ones(len(order), bool)
    front[1:] = features.subject[order][1:] != features.subject[order][:-1]
    best = np.zeros(len(order), bool)
    best[order[front]] = True
    keep = (bad & best) | (harmless > 0)
    subject = features.subject[keep]
    return features.take(keep), label[subject], weight[subject] * np.where(harmless[keep] > 0, harmless[keep], 1), group[subject]


def train(rows, features, label, source, weight, parent):
    """`parent`: the index of the row that each was made of, its own where it was not made."""
    own = np.array([zlib.crc32(rows.group(row).encode("utf-8", "replace")) for row in features.rows[: parent.max() + 1]])
    group = own[parent]
    original = parent == np.arange(len(parent))
    noisy = np.isin(source, list(getattr(rows, "NOISY", ())))
    first = None
    if noisy.any():
        clean = features.take((original & ~noisy)[features.subject])
        first = fit.fit(*usable(clean, label, weight, group), rounds=80)
        agreed = table.highest(features, first.decide(features), len(label)) > 0
        dropped = noisy & (label == 1) & ~agreed[parent]
        print(f"{dropped[original].sum()} rows of {(noisy & original).sum()} are left out")
        features = features.take(~dropped[features.subject])
    return fit.fit(*usable(features, label, weight, group, first), ignored=getattr(rows, "IGNORED", ()), rounds=getattr(rows, "ROUNDS", 200))


def wilson(hits, count, z=1.96):
    share, scale = hits / count, 1 + z * z / count
    half = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (share + z * z / (2 * count) - half) / scale, (share + z * z / (2 * count) + half) / scale


def measure(stack, features, label):
    """Thresholds and results on rows that were held out."""
    odds = table.highest(features, stack.decide(features), len(label))
    score = 1 / (1 + np.exp(-odds))
    good, bad = score[label == 0], score[label == 1]
    thresholds, results = [], []
    for rate in RATES:
        share, threshold = fit.recall(bad, good, rate)
        if share is None:
            continue
        low, high = wilson(share * len(bad), len(bad))
        thresholds.append({"fpr": rate, "threshold": round(threshold, 6), "set": "development rows"})
        results.append({"set": "development rows, a random split: field performance is lower", "rows": len(label), "metric": f"recall at fpr {rate:g}", "value": round(share, 4), "low": round(low, 4), "high": round(high, 4)})
        print(f"recall at {rate:g}: {share:.4f} (threshold {threshold:.6f})")
    return thresholds, results


def applications(options, stack, thresholds, work):
    """False alarms on applications that were held out, at thresholds that were set on other rows."""
    recorded = benign.rows(options.recorded, 1)
    features, _ = table.extract(options.shieldwall, EXTRACTORS[options.task], [{key: row[key] for key in benign.KEYS} for row in recorded], work / "applications")
    score = 1 / (1 + np.exp(-table.highest(features, stack.decide(features), len(recorded))))
    results = []
    for rate, threshold in thresholds.items():
        print(f"at the threshold for {rate:g}, {threshold}:")
        lines = benign.table(recorded, score, threshold)
        benign.show(lines)
        results += [{"set": f"recorded sessions, held out: {name}", "rows": sessions, "metric": f"sessions with a false alarm at the threshold for {rate:g}", "value": round(bad / sessions, 6), "low": 0.0, "high": round(bound, 6)} for name, _, _, sessions, bad, bound in lines]
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=EXTRACTORS)
    parser.add_argument("kind", choices=("baseline", "research"))
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "../target/models")
    parser.add_argument("--recorded", type=pathlib.Path, help="what models/benign/record.py wrote, for web-attack")
    parser.add_argument("--shieldwall", default=str(HERE / "../target/release/shieldwall"))
    options = parser.parse_args()
    rows = importlib.import_module(f"{options.task.replace('-', '_')}.rows")
    name = f"{options.task}-{options.kind}"
    work = options.out / name
    shutil.rmtree(work, ignore_errors=True)
    ships = data.Ships(options.data, options.task, options.kind == "baseline")
    folder = options.data / options.task

    gathered = list(rows.gather(folder, ships))
    if options.recorded:
        gathered += rows.recorded(options.recorded)
    given, label, source, weight = labelled(gathered)
    parent = np.arange(len(given))
    if hasattr(rows, "harden"):
        work.mkdir(parents=True)
        more = rows.harden.more(given, label, options.shieldwall, work)
        given += [row for row, _ in more]
        parent = np.concatenate([parent, [at for _, at in more]])
        label, source, weight = label[parent], source[parent], weight[parent]
    features, columns = table.extract(options.shieldwall, EXTRACTORS[options.task], given, work / "train")
    features.rows = given
    print(f"{name}: {len(label)} rows, {label.sum()} bad")
    stack = train(rows, features, label, source, weight, parent)
    held, truth, _, _ = labelled(rows.held(folder))
    seen, _ = table.extract(options.shieldwall, EXTRACTORS[options.task], held, work / "held")
    thresholds, results = measure(stack, seen, truth)
    if options.recorded:
        results += applications(options, stack, {one["fpr"]: one["threshold"] for one in thresholds}, work)

    pack = work / "pack"
    (pack / "models").mkdir(parents=True)
    onnx_file.write(stack, len(columns), int(json.loads((work / "train/columns.json").read_text())["ids_max"]), pack / "models/model.onnx")
    today = datetime.datetime.now(datetime.UTC)
    stamp = "%Y-%m-%dT00:00:00.000Z"
    manifest = {
        "name": name, "version": "0.1.0", "sequence": 1, "publisher": "Shieldwall", "licence": "Apache-2.0", "created": today.strftime(stamp), "expires": (today + datetime.timedelta(days=730)).strftime(stamp),
        "description": f"{options.task}, trained on {'what may ship' if ships.baseline else 'everything: not to be passed on'}", "capabilities": ["tag", "alert"], "scope": [options.task],
        "limits": {"memory_bytes_max": 16_000_000, "p99_us_max": 1000, "features_max": len(columns) + 512}, "min_engine": "0.1.0", "responsibility": "the Shieldwall project: open an issue",
        "models": [{
            "task": options.task, "file": "models/model.onnx", "extractor": EXTRACTORS[options.task], "inputs": [{"name": "x", "groups": ["numbers"]}, {"name": "ids", "groups": ["ids"]}], "output": "score", "aggregate": "max", "thresholds": thresholds,
            "training": {"date": today.strftime(stamp), "sources": [{"name": one, "licence": ships.licence.get(one, "unknown"), "rows": int((source == one).sum())} for one in sorted(set(source))], "results": results},
        }],
    }
    (pack / "pack.json").write_text(json.dumps(manifest, indent=1))
    sign(options.shieldwall, pack, options.out / f"{name}.swpack", work)


def sign(shieldwall, folder, file, work):
    run = lambda *arguments: subprocess.run([shieldwall, "pack", *map(str, arguments)], check=True)
    key = work / "publisher.pem"
    run("keygen", "--out", key)
    run("build", folder, "--out", file)
    run("sign", file, "--key", key)
    shutil.move(f"{key}.pub", file.with_suffix(".pub"))
    key.unlink()


if __name__ == "__main__":
    main()
