"""Rows for the model of phishing URLs: (row, label, source, weight).

Most lists of benign URLs are of front pages and most phishing URLs have a path, so that the path
alone would decide. Benign hosts are therefore also seen with paths, sign-in pages above all, and
phishing hosts also without.
"""
import random

from common import data

PAGES = ("/login /signin /sign-in /account /accounts/login /user/login /users/sign_in /auth /auth/login /login.php /login.html /login.aspx /account/login /my-account /password/reset /forgot-password /settings/security "
         "/secure/login /verify /support /help /contact /download /customer/account /en/login /us/en /session/new /account/password /profile /settings/account /2fa /security /update /checkout /cart /payment /invoice /bank "
         "/online-banking /personal /wallet /index.html /index.php /home /about /about-us /products /services /news /search?q=test /?lang=en /en/ /de/ /blog /faq /docs /legal/privacy /terms").split()
PER_DOMAIN_MAX = 6


def host(url):
    return url.split("://", 1)[-1].split("/")[0].split("?")[0]


def path(url):
    rest = url.split("://", 1)[-1]
    return rest[rest.find("/"):] if "/" in rest else ""


def domain(url):
    return ".".join(host(url).split(".")[-2:])


def capped(urls):
    seen = {}
    for url in urls:
        seen[domain(url)] = seen.get(domain(url), 0) + 1
        if seen[domain(url)] <= PER_DOMAIN_MAX:
            yield url


def gather(folder, ships):
    """Rows to train on."""
    chance = random.Random(5)
    listed = [row for name in ("train.csv.zst", "phishing-database-mit.csv.zst") for row in data.rows(folder / name)]
    # the snapshot of 2026-08 would tell a model of the later months what it is measured on
    listed = [row for row in listed if ships(row["source"]) and (ships.baseline or not row["source"].startswith("phishing-database"))]
    debian = list(capped(data.debian_homepages(chance)))
    benign = [(row["url"], row["source"]) for row in listed if row["label"] == 0] + [(url, "debian") for url in debian]
    bad = [(row["url"], row["source"]) for row in listed if row["label"] == 1]
    paths = [one for one in (path(url) for url, _ in benign) if len(one) > 1]
    hosts = sorted({host(url) for url, _ in benign})
    if not ships.baseline:
        hosts += sorted(row["domain"] for row in data.rows(folder.parent / "dga-domain" / "train.csv.zst") if row["label"] == 0)
    chance.shuffle(hosts)

    def page():
        return chance.choice(PAGES) if chance.random() < 0.45 else chance.choice(paths)

    rows = [(url, 0, source) for url, source in benign] + [(url, 1, source) for url, source in bad]
    rows += [(f"https://{one}{page()}", 0, "made") for one in hosts[:70_000]]
    rows += [(f"http://{one}/", 0, "made") for one in hosts[-25_000:]]
    bare = chance.sample(bad, min(len(bad), 45_000)) if not ships.baseline else []
    rows += [(f"http://{host(url)}/", 1, source) for url, source in bare]
    chance.shuffle(rows)
    for url, label, source in rows:
        yield {"url": url}, label, source, 1.0


def held(folder):
    """Rows to measure on."""
    for row in data.rows(folder / "dev.csv.zst"):
        yield {"url": row["url"]}, row["label"], row["source"], 1.0


def group(row):
    """Rows that belong together."""
    return domain(row["url"])
