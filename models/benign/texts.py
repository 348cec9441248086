"""What people type, from this machine: prose and markup of documentation, code, SQL, file names.

Applications that models are trained with draw from other files than those they are measured with.
"""
import functools
import pathlib
import random
import re
import zlib

CODE = ("*.py", "*.php", "*.pl", "*.js", "*.sh", "*.c", "*.h")


@functools.cache
def files(roots, patterns, part, count=300):
    found = sorted(path for root in roots for pattern in patterns for path in pathlib.Path(root).rglob(pattern) if path.is_file())
    mine = [path for path in found if zlib.crc32(str(path).encode()) % 2 == part]
    return random.Random(part).sample(mine, min(count, len(mine)))


class Texts:
    """Texts of one half of the files; `part` is 0 or 1."""

    def __init__(self, part, seed):
        self.chance = random.Random(f"{part} {seed}")
        read = lambda paths: [text for text in (path.read_text(errors="replace")[:200_000] for path in paths) if len(text) > 400]
        self.prose = read(files(("/usr/share/doc", "/usr/share/perl"), ("README*", "*.txt", "*.md", "*.pod", "copyright"), part))
        self.markup = read(files(("/usr/share",), ("*.html",), part))
        self.code = read(files(("/usr/share", "/usr/lib/python3"), CODE, part))
        self.sql = [one.strip() for text in read(files(("/usr/share",), ("*.sql",), part)) for one in text.split(";\n") if 10 < len(one.strip()) < 1500]
        self.words = sorted({word for text in self.prose for word in re.findall(r"[a-z]{3,12}", text)})

    def some(self, texts, low, high):
        """Some lines that follow each other."""
        text = self.chance.choice(texts)
        start = self.chance.randrange(max(1, len(text) - low))
        cut = text[start:start + self.chance.randint(low, high)]
        return cut.split("\n", 1)[-1].strip() or cut

    def phrase(self, low=1, high=5):
        return " ".join(self.chance.choice(self.words) for _ in range(self.chance.randint(low, high)))

    def title(self):
        made = self.phrase(2, 6).capitalize()
        return self.chance.choice([made, made, made + "?", f"How to {made.lower()}", f"{made} & {self.phrase(1, 2)}", f"{made} (draft)", f'"{made}"', f"{self.phrase(1, 1).capitalize()}'s {made}"])

    def query(self):
        """What is looked for."""
        pick = self.chance.choice
        words = self.phrase(1, 4)
        return pick([words, words, words, f'"{words}"', f"{words} or {self.phrase(1, 1)}", f"{words}*", f"{self.phrase(1, 1)}@example.org", f"{self.phrase(1, 1)}.py", f"{words} -{self.phrase(1, 1)}", f"what's {words}?", f"select {words}", f"#{self.chance.randint(1, 9999)}",
                     self.some(self.code, 8, 40)])

    def body(self):
        """What is written into the large field of a page."""
        kind = self.chance.random()
        if kind < 0.4:
            return self.some(self.prose, 80, 3000)
        if kind < 0.55:
            return self.some(self.prose, 40, 300) + "\n\n```\n" + self.some(self.code, 80, 1500) + "\n```\n"
        if kind < 0.7:
            return self.some(self.prose, 40, 300) + "\n\n    " + self.chance.choice(self.sql) + ";\n"
        if kind < 0.85:
            return self.some(self.markup, 80, 2500)
        return self.some(self.code, 80, 4000)

    def line(self, name):
        """A value for a field of this name."""
        pick, number = self.chance.choice, self.chance.randint(1, 9999)
        for key, value in (("mail", f"{self.phrase(1, 1)}@{self.phrase(1, 1)}.example"), ("url", f"https://www.{self.phrase(1, 1)}.example/{self.phrase(1, 1)}?id={number}&lang=en"), ("pass", f"{self.phrase(1, 1)}{pick('!#$%&*;')}{number}"),
                           ("date", "2026-03-14"), ("time", "09:30:00"), ("slug", self.phrase(2, 3).replace(" ", "-")), ("name", self.phrase(1, 2).title()), ("tag", self.phrase(1, 3).replace(" ", ",")), ("search", self.query()), ("q", self.query())):
            if key in name.lower():
                return value
        return pick([self.title(), self.phrase(1, 3), str(number), self.query()])

    def select(self, tables):
        """A query as somebody writes it who looks into a database; `tables`: columns by name."""
        pick = self.chance.choice
        table = pick(sorted(tables))
        a, b = pick(tables[table]), pick(tables[table])
        value = pick([str(self.chance.randint(1, 99)), f"'{self.phrase(1, 2)}'", f"'{self.phrase(1, 1)}%'"])
        order = pick(["", "", f" order by {b}", f" ORDER BY {a} DESC", f" limit {self.chance.randint(1, 100)}"])
        return pick([f"select * from {table}", f"SELECT {a}, {b} FROM {table} WHERE {a} LIKE {value}{order}", f"select count(*) from {table} where {b} = {value} or {a} is null", f"select {a}, count(*) as n from {table} group by {a} having count(*) > 1{order}",
                     f"SELECT t.{a}, u.{b} FROM {table} t LEFT JOIN {table} u ON t.{a} = u.{a}{order}", f"update {table} set {b} = {value} where {a} = {value}", f"insert into {table} ({a}) values ({value})", f"select {a} from {table} union select {b} from {table}{order}",
                     f"-- {self.phrase(2, 5)}\nselect distinct {a}\nfrom {table}\nwhere {b} in (select {b} from {table} where {a} <> {value})", f"explain select {a} from {table} where {b} between 1 and 9 and length({a}) > 3"])
