"""The same rows, written otherwise: what an attacker does to an attack, done to harmless rows as well,
so that neither encodings nor places nor padding are evidence of anything.
"""
import json
import random
import subprocess
import urllib.parse

from . import benign

# Measured with, and not trained against (docs/redteam.md); of padding none is: `padded` has texts of its own.
HELD_OUT = ("percent_u", "url_encode_4", "overlong_utf8", "base64_json", "space_comment_word", "place_cookie", "place_json_deep", "hex_sql", "tautology_shuffle", "homoglyph")
SIZES = (("before", "after", "both"), ("700", "4k", "64k", "128k"))
PADDING = tuple(f"pad_{side}_{size}" for side in SIZES[0] for size in SIZES[1]) + ("pad_signs_before_4k", "pad_signs_both_4k", "pad_beside_4k", "pad_beside_64k")
MUTATED, PADDED = 60_000, 30_000


def more(given, label, shieldwall, work):
    """(row, index of the row it was made of), as many harmless as malicious."""
    chance = random.Random(3)
    return mutated(drawn(label, MUTATED, chance), given, label, shieldwall, work) + padded(drawn(label, PADDED, chance), given, chance)


def drawn(label, count, chance):
    kinds = [[at for at, one in enumerate(label) if one == kind] for kind in (0, 1)]
    return [at for kind in kinds for at in chance.sample(kind, min(len(kind), count // 2))]


def mutated(chosen, given, label, shieldwall, work):
    lines = work / "to-mutate.jsonl"
    lines.write_text("".join(json.dumps(given[at] | {"label": int(label[at]), "source": str(at)}) + "\n" for at in chosen))
    without = [word for name in HELD_OUT + PADDING for word in ("--without", name)]
    told = subprocess.run([shieldwall, "redteam", "mutate", "web-attack", lines, "--depth", "3", *without], stdout=subprocess.PIPE, check=True).stdout.decode()
    made = (json.loads(line) for line in told.split("\n") if line)
    return [({key: row[key] for key in ("method", "uri", "headers", "body", "payload") if key in row}, int(row["source"])) for row in made]


def padded(chosen, given, chance):
    """Values among other harmless ones, in every place of a request."""
    texts = [value for _, value in benign.values(40_000, 77)]

    def filler():
        plain = chance.random() < 0.6
        wanted, text = chance.choice((20, 60, 150, 300, 600)), ""
        while len(text) < wanted:
            text += " " + benign.words(3, 12) if plain else chance.choice((" ", " ", "\n", ". ", ", ", "; ")) + chance.choice(texts)
        return text.strip()

    made = []
    for at in chosen:
        payload = given[at].get("payload")
        if payload is None:
            continue
        before, after = chance.choice(((True, False), (False, True), (False, True), (True, True)))
        around = chance.choice((("", " "), ("", " "), (" ", " "), ("/*", "*/"), (" ", " #"), ("", "\n")))
        text = (filler() + around[0] if before else "") + payload + (around[1] + filler() if after else "")
        made.append((placed(text, chance), at))
    return made


def placed(text, chance):
    place = chance.randrange(4)
    if place == 0:
        return {"payload": text}
    if place == 1:
        return {"method": "POST", "uri": "/", "headers": {"Content-Type": "application/x-www-form-urlencoded"}, "body": f"note={urllib.parse.quote_plus(text)}&id=7"}
    if place == 2:
        return {"method": "POST", "uri": "/", "headers": {"Content-Type": "application/json"}, "body": json.dumps({"id": 7, "text": text})}
    return {"method": "POST", "uri": "/", "headers": {"Content-Type": "multipart/form-data; boundary=xyz"}, "body": f'--xyz\r\nContent-Disposition: form-data; name="text"\r\n\r\n{text}\r\n--xyz--\r\n'}
