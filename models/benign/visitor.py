"""Somebody with a browser: asks for pages and what belongs to them, follows links, fills in forms."""
import json
import re
import time
import urllib.parse

import bs4
import requests

BROWSERS = [
    {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Accept-Language": "en-US,en;q=0.5", "Accept-Encoding": "gzip, deflate, br, zstd"},
    {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36", "Accept-Language": "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7", "Accept-Encoding": "gzip, deflate, br",
     "sec-ch-ua": '"Google Chrome";v="131", "Chromium";v="131", "Not_A Brand";v="24"', "sec-ch-ua-mobile": "?0", "sec-ch-ua-platform": '"Windows"'},
    {"User-Agent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15", "Accept-Language": "fr-FR,fr;q=0.9", "Accept-Encoding": "gzip, deflate"},
    {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1", "Accept-Language": "en-GB,en;q=0.9", "Accept-Encoding": "gzip, deflate"},
]
PAGE = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
ASSETS_MAX, WAIT = 6, 20
# who follows these ends the session, or the application
LEAVES = re.compile(r"log-?out|sign-?out|shutdown|delete|remove|drop|uninstall|reset|truncate|deactivate|trash|disable", re.I)


class Visitor:
    """A session; `record` is called with each request as it was sent."""

    def __init__(self, base, texts, record):
        self.base, self.texts, self.record, self.chance = base, texts, record, texts.chance
        self.web = requests.Session()
        self.web.trust_env = False
        self.web.headers.clear()
        self.browser = self.chance.choice(BROWSERS)
        self.page, self.url = None, base + "/"

    def send(self, method, url, mode="navigate", **more):
        accept = {"navigate": PAGE, "cors": "application/json, text/plain, */*", "no-cors": "*/*"}[mode]
        headers = {"Host": urllib.parse.urlsplit(self.base).netloc, **self.browser, "Accept": accept, "Referer": self.url}
        if method != "GET":
            headers["Origin"] = self.base
        if "Macintosh" not in self.browser["User-Agent"]:
            headers |= {"Sec-Fetch-Dest": "document" if mode == "navigate" else "empty", "Sec-Fetch-Mode": mode, "Sec-Fetch-Site": "same-origin"}
        headers |= more.pop("headers", {})
        sent = self.web.prepare_request(requests.Request(method, urllib.parse.urljoin(self.url, url), headers=headers, **more))
        self.note(sent)
        answer = self.web.send(sent, allow_redirects=False, timeout=WAIT)
        for _ in range(6):
            there = answer.headers.get("location")
            if answer.status_code not in (301, 302, 303, 307, 308) or not there:
                break
            sent = self.web.prepare_request(requests.Request("GET", urllib.parse.urljoin(answer.url, there), headers=headers))
            if not sent.url.startswith(self.base):
                break
            self.note(sent)
            answer = self.web.send(sent, allow_redirects=False, timeout=WAIT)
        return answer

    def note(self, sent):
        body = sent.body or b""
        body = body if isinstance(body, str) else body.decode("utf-8", "replace")
        self.record({"method": sent.method, "uri": sent.path_url, "headers": dict(sent.headers), "body": body})

    def api(self, method, url, **more):
        """A call of a page's script."""
        return self.send(method, url, "cors", **more)

    def go(self, url):
        """A page, and what belongs to it."""
        return self.arrive(self.send("GET", url))

    def arrive(self, answer):
        self.url = answer.url
        self.page = bs4.BeautifulSoup(answer.text, "html.parser") if "html" in answer.headers.get("content-type", "") else None
        if self.page:
            parts = {one.get("src") or one.get("href") for one in self.page.select("img[src], script[src], link[rel=stylesheet][href]")}
            inside = sorted(part for part in parts if part and urllib.parse.urljoin(self.url, part).startswith(self.base))
            for part in self.chance.sample(inside, min(len(inside), ASSETS_MAX)):
                if self.chance.random() < 0.3:
                    self.send("GET", part, "no-cors")
        return answer

    def links(self):
        if not self.page:
            return []
        all_of_them = {urllib.parse.urljoin(self.url, one["href"]).split("#")[0] for one in self.page.select("a[href]")}
        return sorted(one for one in all_of_them if one.startswith(self.base) and one != self.url and not LEAVES.search(one))

    def wander(self):
        """Follows a link, or starts anew where there is none."""
        links = self.links()
        return self.go(self.chance.choice(links) if links else self.base + "/")

    def forms(self):
        return [] if not self.page else [form for form in self.page.select("form") if not LEAVES.search(form.get("action") or "")]

    def fill(self, form=None, press=None, **given):
        """Fills in a form and sends it; what is `given` is typed as it is."""
        forms = self.forms() if form is None else self.page.select(form)
        if not forms:
            return None
        form = self.chance.choice(forms) if press is None and not given else next((one for one in forms if all(one.find(attrs={"name": name}) for name in given)), forms[0])
        pairs, files = [], []
        for field in form.select("input[name], textarea[name], select[name]"):
            name, kind = field["name"], field.get("type", "text").lower()
            value = given.get(name)
            if field.name == "select":
                options = [one.get("value", one.text) for one in field.select("option")]
                now = field.select("option[selected]")
                value = value or (now[0].get("value", now[0].text) if now else self.chance.choice(options) if options else "")
            elif kind in ("submit", "button", "image", "reset"):
                continue
            elif kind in ("checkbox", "radio"):
                if name not in given and not field.has_attr("checked"):
                    continue
                value = value or field.get("value", "on")
            elif kind == "file":
                if self.chance.random() < 0.5:
                    files.append((name, (self.texts.phrase(1, 3) + ".txt", self.texts.body().encode(), "text/plain")))
                continue
            elif kind == "hidden":
                value = value if value is not None else field.get("value", "")
            elif value is None:
                old = field.text if field.name == "textarea" else field.get("value", "")
                typed = self.texts.body() if field.name == "textarea" else self.texts.line(name)
                value = old if old and self.chance.random() < 0.5 else typed
            pairs.append((name, value))
        buttons = [one for one in form.select("input[type=submit][name], button[name]") if not LEAVES.search(f"{one.get('name')} {one.get('value')}")]
        if buttons:
            button = next((one for one in buttons if one["name"] == press), buttons[0])
            pairs.append((button["name"], button.get("value", "")))
        target = urllib.parse.urljoin(self.url, form.get("action") or self.url)
        if not target.startswith(self.base):
            return None
        if form.get("method", "get").lower() == "get":
            return self.arrive(self.send("GET", target.split("?")[0] + "?" + urllib.parse.urlencode(pairs)))
        if "multipart" in form.get("enctype", ""):
            parts = [(name, (None, value)) for name, value in pairs] + files
            return self.arrive(self.send("POST", target, files=parts))
        return self.arrive(self.send("POST", target, data=pairs))

    def stroll(self, steps):
        """What most people do: read, search, write a little."""
        for _ in range(steps):
            if self.forms() and self.chance.random() < 0.35:
                self.fill()
            else:
                self.wander()


def ready(url, seconds=90):
    """Waits until a server answers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            requests.get(url, timeout=2)
            return
        except requests.RequestException:
            time.sleep(0.3)
    raise TimeoutError(f"{url} does not answer")


def as_json(value):
    return {"data": json.dumps(value), "headers": {"Content-Type": "application/json"}}
