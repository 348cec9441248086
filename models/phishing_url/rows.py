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
# what routers, cameras, printers, panels and monitors are asked for
DEVICES = ("/ /index.html /index.htm /index.asp /index.cgi /login.htm /login.asp /login.cgi /login.lp /login.html /logon.htm /cgi-bin/luci /cgi-bin/luci/admin/status /webfig/ /winbox /status.html /status.asp /status.cgi /home.asp "
           "/home.htm /main.htm /menu.html /setup.cgi /apply.cgi /userRpm/StatusRpm.htm /goform/login /HNAP1/ /fritz.box /data.lua /view/index.shtml /video.mjpg /snapshot.jpg /image.jpg /axis-cgi/mjpg/video.cgi /ISAPI/System/status "
           "/doc/page/login.asp /onvif/device_service /hp/device/this.LCDispatcher /general/status.html /web/guest/en/websys/webArch/mainFrame.cgi /ipp/print /eSCL/ScannerCapabilities /api/v1/status /api/states /api/config "
           "/api/health /metrics /targets /graph?g0.expr=up /dashboards /d/abc/overview?orgId=1 /admin/ /admin/index.php /admin/login.php /admin/dashboard /phpmyadmin/ /phpmyadmin/index.php /cockpit/login /ui/ /ui/login "
           "/#v1:0:18:4 /redfish/v1/ /restgui/start.html /cgi/login.cgi /cgi/url_redirect.cgi?url_name=mainmenu /sws/index.html /wp-admin/ /owa/ /portal/login /login?next=%2F /static/js/main.js /static/css/app.css /assets/index.js "
           "/images/logo.png /favicon.ico /robots.txt /jenkins/login?from=%2F /job/build/lastBuild/console /nagios/ /zabbix/index.php /cacti/graph_view.php /munin/ /ganglia/ /transmission/web/ /web/index.html /library/sections "
           "/rutorrent/ /nextcloud/index.php/login /owncloud/ /dav/ /files/ /upload.php /download/firmware.bin /update/firmware.zip /setup.exe /pub/debian/dists/stable/Release /ubuntu/pool/main/b/bash/bash.deb "
           "/connecttest.txt /generate_204 /v2/_catalog /v1/kv/app?recurse /_cat/indices?v /_search?q=error /solr/admin/ping /app/kibana /api/v4/projects /user/login /git/info/refs?service=git-upload-pack /svn/trunk/").split()
ADDRESSES = 6_000
PER_DOMAIN_MAX = 6


def host(url):
    return url.split("://", 1)[-1].split("/")[0].split("?")[0]


def path(url):
    rest = url.split("://", 1)[-1]
    return rest[rest.find("/"):] if "/" in rest else ""


def domain(url):
    return ".".join(host(url).split(".")[-2:])


def address(chance):
    """Where somebody's own devices are, and any server that has no name."""
    low, high = chance.randint(0, 255), chance.randint(1, 254)
    own = chance.choice((f"192.168.{chance.choice((0, 1, 2, 8, 10, 88, 100, 178, low))}", f"10.{chance.choice((0, 1, 10, low))}.{low}", f"172.{chance.randint(16, 31)}.{low}", f"100.{chance.randint(64, 127)}.{low}", "127.0.0"))
    one = f"{own}.{high}" if chance.random() < 0.5 else f"{chance.randint(1, 223)}.{chance.randint(0, 255)}.{low}.{high}"
    return one + chance.choice(("", "", "", "", ":80", ":81", ":443", ":3000", ":5000", ":8000", ":8006", ":8080", ":8080", ":8081", ":8123", ":8443", ":8888", ":9000", ":9090", ":9200", f":{chance.randint(1024, 65535)}"))


def long(chance):
    """What players and updaters ask a network of caches for: names of files, and a signature."""
    token = lambda low, high: "".join(chance.choice("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") for _ in range(chance.randint(low, high)))
    name = chance.choice(("range/0-65535", f"{token(8, 20)}.mp4", f"video/{token(10, 40)}.ts", f"data/{chance.getrandbits(64):016x}/{token(4, 9)}.cab", f"filestreamingservice/files/{token(30, 40)}", f"{chance.randint(1, 10**6)}/d", ""))
    query = chance.choice(("", f"?o={token(60, 240)}", f"?vkey={chance.getrandbits(256):064X}&level=0", f"?host=cdn.example&t={chance.randint(10**9, 2 * 10**9)}&s={chance.getrandbits(128):032x}", f"?key={token(20, 80)}&ip={chance.randint(1, 223)}.0.2.1&expire={chance.randint(10**9, 2 * 10**9)}"))
    return f"/{name}{query}"


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
    rows += [(f"{chance.choice(('http', 'https'))}://{address(chance)}{chance.choice((page, lambda: chance.choice(DEVICES), lambda: long(chance)))()}", 0, "made") for _ in range(ADDRESSES)]
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
