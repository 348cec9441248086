"""Rows of the folder of detection data, and which sources may ship in a pack."""
import csv
import io
import json
import subprocess


def text(path):
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-dc", path], stdout=subprocess.PIPE, check=True).stdout.decode("utf-8", "replace")
    return path.read_text()


def rows(path):
    """Rows with a label that is a number."""
    if ".jsonl" in path.name:
        read = (json.loads(line) for line in text(path).split("\n") if line)
    else:
        read = csv.DictReader(io.StringIO(text(path)))
    for row in read:
        row["label"] = int(row["label"])
        yield row


class Ships:
    """Which sources are taken: all, or for a baseline those whose licence lets the model ship."""

    def __init__(self, folder, task, baseline):
        self.baseline = baseline
        listed = [row for row in csv.DictReader((folder / "sources.csv").open()) if row["task"] == task]
        self.licence = {row["source"]: row["spdx"] for row in listed} | {"made": "Apache-2.0", "recorded": "Apache-2.0: sessions of our own", "debian": "Debian package index: facts"}
        self.ships = {row["source"] for row in listed if row["ship"] == "yes"}

    def __call__(self, source):
        return not self.baseline or source in self.ships


def debian_homepages(chance):
    """Home pages of Debian's packages, from the index that apt keeps."""
    listed = subprocess.run(["apt-cache", "dumpavail"], stdout=subprocess.PIPE, check=True).stdout.decode("utf-8", "replace")
    pages = sorted({line.split(" ", 1)[1].strip() for line in listed.split("\n") if line.startswith("Homepage: http")})
    chance.shuffle(pages)
    return pages
