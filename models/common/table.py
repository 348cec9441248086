"""Features as `shieldwall features` writes them into a folder."""
import json
import pathlib
import subprocess

import numpy as np
import scipy.sparse as sp

IDS = 1 << 17


class Table:
    """Rows of features: x (float), ids (sparse, binary), subject (which row of the input)."""

    def __init__(self, x, ids, subject):
        self.x, self.ids, self.subject = x, ids, subject

    def take(self, mask):
        return Table(self.x[mask], self.ids[mask], self.subject[mask])


def extract(shieldwall, extractor, rows, folder):
    """Runs the extractor over rows (dicts with the keys that it reads)."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lines = folder / "rows.jsonl"
    with lines.open("w") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
    subprocess.run([shieldwall, "features", "--extractor", extractor, "--rows", lines, "--out", f"{folder}/"], check=True)
    head = json.loads((folder / "columns.json").read_text())
    width, ids_max = len(head["columns"]), head["ids_max"]
    x = np.fromfile(folder / "numbers.f32", dtype="<f4").reshape(-1, width)
    ids = np.fromfile(folder / "ids.i32", dtype="<i4").reshape(-1, ids_max)
    subject = np.fromfile(folder / "subjects.i32", dtype="<i4")
    there = ids > 0
    starts = np.concatenate([[0], np.cumsum(there.sum(1))])
    sparse = sp.csr_matrix((np.ones(starts[-1], np.float32), ids[there], starts), shape=(len(ids), IDS))
    return Table(x, sparse, subject), head["columns"]


def highest(table, scores, count):
    """The highest score of each subject."""
    best = np.full(count, -np.inf)
    np.maximum.at(best, table.subject, scores)
    return best
