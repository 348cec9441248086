#!/usr/bin/env python3
"""Measures the detectors of behaviour: `report.py (dga|tunnel|beacon|flow) --data DIR`.

DIR is the folder of detection data. Nothing is trained: rows go to `shieldwall score` and captures
to `shieldwall scan`, and what comes back is counted. Same seed, same figures.
"""
import argparse
import collections
import csv
import io
import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def unpacked(path):
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-dc", str(path)], stdout=subprocess.PIPE, check=True).stdout
    return path.read_bytes()


def table(path):
    return csv.DictReader(io.StringIO(unpacked(path).decode("utf-8", "replace")))


def score(options, task, rows):
    """Answers to rows, which may be many: they go through a file."""
    with tempfile.TemporaryFile("w+") as asked:
        for row in rows:
            asked.write(json.dumps(row) + "\n")
        asked.seek(0)
        done = subprocess.Popen([options.shieldwall, "score", task], stdin=asked, stdout=subprocess.PIPE)
        for line in done.stdout:
            yield json.loads(line)
        done.wait()


def upper(hits, count):
    """Upper end of the 95 % interval (Wilson)."""
    z, share = 1.96, hits / count
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (share + z * z / (2 * count) + half) / (1 + z * z / count)


def median(numbers):
    ordered = sorted(numbers)
    return ordered[len(ordered) // 2] if ordered else math.inf


# --- generated names ---------------------------------------------------------------------------

MISSING = 0.02


def infected(chance, names, benign, mix, answers):
    """A client that asks for one name of a family after `mix` others."""
    asked = []
    for name in chance.sample(names, min(60, len(names))):
        for other in chance.sample(benign, mix):
            asked.append({"name": other, **({} if answers == "unseen" else {"missing": chance.random() < MISSING})})
        asked.append({"name": name, **({} if answers == "unseen" else {"missing": answers == "missing"})})
    return {"names": asked}


def harmless(chance, benign, missing):
    return {"names": [{"name": name, **({} if missing is None else {"missing": chance.random() < missing})} for name in chance.choices(benign, k=500)]}


def dga(options):
    families, benign = collections.defaultdict(list), collections.defaultdict(list)
    for row in table(options.data / "dga-domain/train.csv.zst"):
        (families[row["family"]] if row["label"] == "1" else benign[row["source"]]).append(row["domain"])
    chance, mixed_with = random.Random(1), benign["zer0h"]
    for answers in ("missing", "unseen", "exist") if options.clients else ():
        for mix in (4, 1):
            shares, late = {}, {}
            for family, names in sorted(families.items()):
                rows = [infected(chance, names, mixed_with, mix, answers) for _ in range(options.clients)]
                took = [math.ceil(found["at"] / (mix + 1)) if found["at"] else math.inf for found in score(options, "dga-client", rows)]
                shares[family], late[family] = sum(one <= 20 for one in took) / len(took), median(took)
            reached = sum(share >= 0.95 for share in shares.values())
            print(f"answers {answers}, 1 in {mix + 1}: {reached} of {len(shares)} families found in 20 names by 95 % of clients; mean {sum(shares.values()) / len(shares):.3f}", flush=True)
            for family in sorted(shares, key=shares.get)[: options.worst]:
                print(f"    {family:14} {shares[family]:.2f}, median {late[family]}")
    for source, names in sorted(benign.items()):
        if len(names) < 10_000:
            continue
        for missing in (None, 0.0, 0.02, 0.05):
            count = options.benign if missing in (None, MISSING) else max(1, options.benign // 5)
            rows = (harmless(chance, names, missing) for _ in range(count))
            false = sum(one["at"] is not None for one in score(options, "dga-client", rows))
            said = "answers unseen" if missing is None else f"{missing:.0%} do not exist"
            print(f"harmless, {source}, {said}: {false} of {count} clients of 500 names, upper end {1e4 * upper(false, count):.1f} in 10,000", flush=True)


# --- tunnels -----------------------------------------------------------------------------------


def windows(options):
    """The windows of the set, whose numbers are near those of dns-window@1."""
    for row in table(options.data / "dns-tunnel/train-windows.csv.zst"):
        value = {key: float(row[key]) for key in ("nq", "rate", "uniq_sub", "mean_sub", "max_sub", "mean_labels", "ent_mean")}
        each = value["mean_sub"] * value["ent_mean"] / 8
        yield row, {"dns-window@1": {"queries": value["nq"], "seconds": min(60.0, value["nq"] / max(value["rate"], 1e-3)), "distinct": value["uniq_sub"], "length_mean": value["mean_sub"], "length_max": value["max_sub"], "labels_mean": value["mean_labels"], "entropy_mean": value["ent_mean"], "name_bytes": each, "upstream_bytes": each * value["nq"] * value["uniq_sub"]}}


SUFFIXES = ("co.uk", "com.br", "com.cn", "com.au", "co.jp", "co.in", "co.kr", "com.tr", "com.tw", "com.mx", "com.ar", "co.za", "co.id", "gov.uk", "ac.uk", "edu.cn", "gov.cn", "or.jp", "ne.jp", "net.cn", "org.uk", "com.vn", "com.hk", "com.sg")


def tunnel(options):
    given = list(windows(options))
    answers = list(score(options, "dns-tunnel", (row for _, row in given)))
    tally = collections.defaultdict(list)
    for (row, numbers), answer in zip(given, answers):
        judged = numbers["dns-window@1"]["queries"] * numbers["dns-window@1"]["distinct"] >= 8
        name = row["source"] if row["label"] == "1" else "harmless below a public suffix" if row["base"] in SUFFIXES else "harmless"
        tally[name].append(answer["score"] if judged else 0.0)
    for name, scores in sorted(tally.items()):
        told = sum(one >= 0.9 for one in scores)
        print(f"windows, {name}: {told} of {len(scores)} at 0.9 or more (highest {max(scores):.3f}), upper end {upper(told, len(scores)):.4f}")
    for path in sorted((options.data / "dns-tunnel/pcap").glob("*.zst")):
        with tempfile.NamedTemporaryFile(suffix=".pcap") as capture:
            capture.write(unpacked(path))
            capture.flush()
            records = scan(options, capture.name)
        asked = [r for r in records if r["event_type"] == "dns" and r["dns"]["type"] == "request"]
        told = [r for r in records if r["event_type"] == "alert" and r["alert"]["signature_id"] == 9400002]
        print(f"{path.name}: {len(asked)} queries, {len(told)} alerts")
        for alert in told:
            measured = {r["buffer"]: r.get("matched", r.get("matched_hex")) for r in alert["shieldwall"]["reasons"]}
            print(f"    {measured['dns.query']} {alert['shieldwall']['reasons'][0]['what']}, score {measured['score']}, {measured['bytes_sent']} bytes sent so far, first packet {alert['shieldwall']['first_packet']}, told {alert['timestamp']}")
    made_tunnels(options)


ALPHABETS = {"base32": "abcdefghijklmnopqrstuvwxyz234567", "hex": "0123456789abcdef", "base64url": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"}


def made_tunnels(options):
    """Encodings, lengths and rates of tunnels, with harmless names below the same base between them."""
    chance = random.Random(2)
    for alphabet, letters in ALPHABETS.items():
        for length in (8, 16, 30, 60, 180):
            rows = []
            for _ in range(200):
                gap, at, queries = chance.choice((0.05, 0.5, 3.0)), 0.0, []
                for _ in range(64):
                    at += gap
                    text = "".join(chance.choice(letters) for _ in range(length))
                    labels = ".".join(text[start:start + 60] for start in range(0, length, 60))
                    queries.append({"t": at, "name": f"{labels}.t.example" if chance.random() > 0.2 else "www.t.example"})
                rows.append({"queries": queries})
            told = sum(one["score"] >= 0.9 for one in score(options, "dns-tunnel", rows))
            print(f"made, {alphabet}, {length} characters a name, a fifth harmless: {told} of {len(rows)} windows")


# --- beacons -----------------------------------------------------------------------------------


def made_beacon(chance, jitter, law):
    """64 contacts of period 10 s to an hour, 5 % of the beats missed."""
    period, size, at, contacts = 10 ** chance.uniform(1, 3.56), chance.randint(100, 2000), chance.uniform(0, 1000), []
    while len(contacts) < 64:
        at += period * (1 + chance.uniform(-jitter, jitter)) if law == "uniform" else chance.expovariate(1 / period)
        if chance.random() > 0.05:
            contacts.append({"t": at, "bytes": size + chance.randint(0, 50) + (chance.randint(0, 5000) if chance.random() < 0.1 else 0)})
    return {"contacts": contacts}


def made_browsing(chance):
    """A person: visits of a site, some clicks each with heavy-tailed thinking between them."""
    at, contacts = chance.uniform(0, 1000), []
    for _ in range(chance.randint(3, 30)):
        at += chance.lognormvariate(math.log(chance.choice((300, 1200, 4000))), 1.5)
        for _ in range(1 + int(chance.paretovariate(1.1))):
            at += chance.lognormvariate(math.log(20), 1.2)
            contacts.append({"t": at, "bytes": int(chance.lognormvariate(math.log(900), 1.0))})
            if len(contacts) >= 400:
                return {"contacts": contacts}
    return {"contacts": contacts}


SESSION_S = 1.0


def c2_contacts(path):
    """Contacts of a framework's packets: SYNs, and data of the client after a second of silence.
    The captures stand one after the other: a gap of 0 begins the next."""
    runs, at = [[]], 0.0
    quiet = 0.0
    for row in table(path):
        gap = float(row["time_since_last"])
        if gap == 0.0 and row["is_SYN"] == "1" and row["is_ACK"] == "0" and runs[-1]:
            runs.append([])
        at += max(gap, 0.0)
        quiet += max(gap, 0.0)
        to_server = row["src_ip"] == "0"
        begins = row["is_SYN"] == "1" and row["is_ACK"] == "0" or (row["is_PSH"] == "1" and quiet >= SESSION_S)
        if to_server and begins:
            runs[-1].append({"t": at, "bytes": 0})
        if to_server and runs[-1]:
            runs[-1][-1]["bytes"] += int(row["frame.len"])
        quiet = 0.0
    return [run for run in runs if len(run) >= 20]


def conn(path):
    """Lines of a conn.log of Zeek, in the order of their time."""
    lines = unpacked(path).decode("utf-8", "replace").splitlines()
    fields, rows = None, []
    for line in lines:
        if line.startswith("#fields"):
            fields = line.split("\t")[1:]
        elif line.startswith("{"):
            rows.append(json.loads(line))
        elif line and not line.startswith("#") and fields:
            values = line.split("\t")
            row = dict(zip([name for field in fields for name in field.split()], [value for piece in values for value in ([piece] if "   " not in piece else piece.split())]))
            rows.append(row)
    for row in rows:
        for key in ("ts", "duration"):
            row[key] = float(row[key]) if row.get(key) not in (None, "-", "") else None
        for key in ("id.orig_p", "id.resp_p", "orig_bytes", "resp_bytes", "orig_pkts", "resp_pkts"):
            row[key] = int(row[key]) if row.get(key) not in (None, "-", "") else 0
    return sorted(rows, key=lambda row: row["ts"])


def beacon(options):
    chance = random.Random(3)
    browsing = [one for one in (made_browsing(chance) for _ in range(20_000))]
    answers = list(score(options, "beacon", browsing))
    judged = [a["score"] for a in answers if a["features"]["contacts"] >= 20 and a["features"]["seconds"] >= 60]
    told = sum(one >= options.beacon_min for one in judged)
    print(f"made browsing: {told} of {len(judged)} pairs with 20 contacts, upper end {upper(told, len(judged)):.5f}; threshold at 1e-3 would be {sorted(judged)[-max(1, len(judged) // 1000)]:.3f}")
    for law, jitters in (("uniform", (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)), ("exponential", (1.0,))):
        for jitter in jitters:
            found = [a["score"] for a in score(options, "beacon", (made_beacon(chance, jitter, law) for _ in range(500)))]
            print(f"made beacons, {law} jitter {jitter:.0%}: {sum(one >= options.beacon_min for one in found)} of {len(found)}, median score {median(found):.3f}")
    for path in sorted((options.data / "beacon/c2-frameworks").glob("*.zst")):
        runs = c2_contacts(path)
        for run, answer in zip(runs, score(options, "beacon", ({"contacts": run} for run in runs))):
            f = answer["features"]
            print(f"{path.name.split('_')[0]}: {len(run)} contacts in {f['seconds']:.0f} s, gap {f['gap_median']:.1f} s, deviation {f['gap_deviation']:.2f}, skew {f['gap_skew']:.2f}, score {answer['score']:.3f}")
    for path in sorted((options.data / "flow").rglob("*conn.log*.zst")):
        pairs = collections.defaultdict(list)
        labels = {}
        for row in conn(path):
            if row["proto"] != "tcp":
                continue
            key = row["id.orig_h"], row["id.resp_h"], row["id.resp_p"]
            pairs[key].append({"t": row["ts"], "bytes": row["orig_bytes"]})
            labels[key] = row.get("label", "-")
        long = {key: contacts for key, contacts in pairs.items() if len(contacts) >= 20}
        answers = score(options, "beacon", ({"contacts": contacts} for contacts in long.values()))
        found = [(key, a) for key, a in zip(long, answers) if a["features"]["contacts"] >= 20 and a["features"]["seconds"] >= 60]
        print(f"{path.parent.name}/{path.name}: {len(pairs)} pairs, {len(found)} judged, {sum(a['score'] >= options.beacon_min for _, a in found)} told")
        for (src, dst, port), a in sorted(found, key=lambda one: -one[1]["score"])[:6]:
            f = a["features"]
            print(f"    {a['score']:.3f} {src} -> {dst}:{port} label {labels[src, dst, port]}: {f['contacts']:.0f} contacts, gap {f['gap_median']:.1f} s, deviation {f['gap_deviation']:.2f}")


# --- flows -------------------------------------------------------------------------------------


def scan(options, path):
    done = subprocess.run([options.shieldwall, "scan", str(path), "--eve", "-"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return [json.loads(line) for line in done.stdout.decode("utf-8", "replace").splitlines()]


def flow(options):
    for path in sorted((options.data / "flow").rglob("*conn.log*.zst")):
        rows = [row for row in conn(path) if row["proto"] in ("tcp", "udp")]
        answers = list(score(options, "flow", rows))
        told, label, failed = collections.defaultdict(set), collections.defaultdict(collections.Counter), collections.defaultdict(set)
        for row, answer in zip(rows, answers):
            src = row["id.orig_h"]
            label[src][row.get("label", "-")] += 1
            told[src] |= {verdict["detector"] for verdict in answer.get("verdicts", [])}
            if row["conn_state"] in ("S0", "REJ"):
                failed[src].add((row["id.resp_h"], row["id.resp_p"]))
        print(f"{path.parent.name}/{path.name}: {len(rows)} connections")
        sources = collections.defaultdict(list)
        for src, seen in label.items():
            sources[seen.most_common(1)[0][0]].append(src)
        for name, of in sorted(sources.items()):
            said = collections.Counter(detector for src in of for detector in told[src])
            wide = [src for src in of if len(failed[src]) >= 4]
            print(f"    {len(of)} sources labelled {name}: {sum(bool(told[src]) for src in of)} told {dict(said)}; {len(wide)} failed at 4 services or more, of these {sum(bool(told[src]) for src in wide)} told")
    for path in sorted((options.data / "flow/slips").glob("*.pcap")):
        alerts = collections.Counter()
        for record in scan(options, path):
            if record["event_type"] == "alert":
                alerts[record["alert"]["signature"], record["src_ip"], record["shieldwall"]["evidence"]] += 1
        print(f"{path.name}: {dict(alerts)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("dga", "tunnel", "beacon", "flow"))
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--shieldwall", default=str(HERE / "../../target/release/shieldwall"))
    parser.add_argument("--clients", type=int, default=300, help="infected clients of a family")
    parser.add_argument("--benign", type=int, default=10_000, help="harmless clients of a source")
    parser.add_argument("--worst", type=int, default=6)
    parser.add_argument("--beacon-min", type=float, default=0.65)
    options = parser.parse_args()
    {"dga": dga, "tunnel": tunnel, "beacon": beacon, "flow": flow}[options.what](options)


if __name__ == "__main__":
    sys.exit(main())
