"""Benign values of the kinds that look odd: what trackers, editors, clients and people send.

Each function returns one value as an application would read it, before any encoding.
"""
import base64
import json
import random
import string
import urllib.parse
import uuid

R = random.Random(0)
WORDS = ("the of and to in is you that it he was for on are with as his they at be this from have or by one had not but what all were when we there can an your which their said if do will each about how up out them then she many some so these would "
         "other into has more her two like him see time could no make than first been its who now people my made over did down only way find use may water long little very after words called just where most know get through back much before go good new write our used me man too any day same right look think also around another came come work three "
         "word must because does part even place well such here take why things help put years different away again off went old number great tell men say small every found still between name should home big give air line set own under read last never us left end along while might next sound below saw something thought both few those always show large often together asked house world going want "
         "school important until form food keep children feet land side without boy once animal life enough took four head above kind began almost live page got earth need far hand high year mother light country father let night picture being study second soon story since white ever paper hard near sentence better best across during today however sure knew try told young sun thing whole hear example heard several change answer room sea against top turned "
         "select from where update order group table column database drop delete insert join union having limit script alert image style class function return null true false user system shell exec file path root admin password login session cookie token server client java python php ruby node windows linux apache mysql oracle release version download install error warning review price cart checkout shipping address street city state country phone email "
         "summer winter coffee garden travel hotel flight music video game sport news politics market stock energy health doctor family recipe chicken pasta salad wine beer kitchen bathroom furniture lamp shirt shoes jacket dress watch camera laptop phone tablet battery cable charger screen keyboard mouse printer").split()
NAMES = "O'Brien O'Neil D'Angelo L'Oréal McDonald's Müller José François Søren Zoë Łukasz Smith Johnson Williams Brown Jones García Nguyễn Ivanov Tanaka Chen Kim".split()


def pick(*options):
    return R.choice(options)


def words(low=1, high=8):
    return " ".join(R.choice(WORDS) for _ in range(R.randint(low, high)))


def token(low=6, high=32, alphabet=string.ascii_letters + string.digits):
    return "".join(R.choice(alphabet) for _ in range(R.randint(low, high)))


def host():
    return f"{pick('', 'www.', 'cdn.', 'static.', 'ads.', 'api.', 'm.')}{R.choice(WORDS)}{pick('', R.choice(WORDS), '-' + R.choice(WORDS))}.{pick('com', 'net', 'org', 'io', 'de', 'co.uk', 'fr', 'jp')}"


def path():
    return "/" + "/".join(pick(R.choice(WORDS), R.choice(WORDS) + "-" + R.choice(WORDS), str(R.randint(1, 99999)), token(4, 12)) for _ in range(R.randint(1, 5))) + pick("", "/", ".html", ".php", ".js", ".css", ".png", ".jpg", ".aspx", ".min.js", ".json", ".svg")


def url():
    q = pick("", "", "?" + "&".join(f"{R.choice(WORDS)}={pick(token(), R.randint(0, 999), urllib.parse.quote(words(1, 3)))}" for _ in range(R.randint(1, 5))))
    return pick("http://", "https://", "https://", "//") + host() + path() + q + pick("", "", "", "#" + R.choice(WORDS), "#!/" + R.choice(WORDS))


def sentence():
    text = words(4, 30).capitalize()
    extra = pick("", "", ".", "!", "?", "...", ", isn't it?", " - and it's great!", " (see above).", " :-)", " ;)", " <3", f" & {words(1, 2)}", f"; {words(2, 5)}", f' "{words(1, 3)}"', f" '{words(1, 2)}'", f" #{R.choice(WORDS)}", f" @{R.choice(WORDS)}", f" {R.randint(1, 99)}%", f" ${R.randint(1, 999)}.99", f" 1/{R.randint(2, 9)}", f" {url()}", f" (or {words(1, 3)})", f" don't {words(1, 3)}", f" = {R.randint(1, 99)}", f" -- {words(1, 2)}")
    return text + extra


def quoted_question():
    """Searches in which words of languages stand."""
    return pick(f"how to {words(1, 3)} in {pick('sql', 'php', 'javascript', 'bash', 'java', 'python', 'c++', 'c#')}", f"select {R.choice(WORDS)} from the {words(1, 3)}", f"union of {words(1, 3)}", f"{words(1, 2)} or {words(1, 2)}", f"drop {words(1, 2)}, table for {R.randint(1, 9)}", f"\"{words(2, 4)}\" site:{host()}", f"{words(1, 2)} -{R.choice(WORDS)}", f"{words(1, 2)} AND {words(1, 2)}", f"{words(1, 2)} OR ({words(1, 3)})", f"where is {words(1, 3)}?", f"what's {words(1, 3)}", f"{R.choice(NAMES)} {words(1, 2)}", f"update your {words(1, 2)} set", f"insert {words(1, 2)} into {words(1, 2)}", f"order by {words(1, 2)}", f"delete from {words(1, 2)} list", f"{R.randint(1, 20)} + {R.randint(1, 20)} = {R.randint(1, 40)}", f"{words(1, 2)}; {words(1, 2)}", f"cat {words(1, 2)}", f"ping {words(1, 1)}", f"script for {words(1, 3)}", f"alert: {words(1, 3)}", f"exec {words(1, 3)}", f"rock & roll {words(1, 2)}", f"{words(1, 2)} <{words(1, 1)}>", f"c:\\{R.choice(WORDS)}\\{R.choice(WORDS)}", f"{words(1, 2)} | {words(1, 2)}", f"sleep ({words(1, 2)})", f"{R.choice(WORDS)}(s)", f"between {R.randint(1, 9)} and {R.randint(10, 99)}", f"{words(1, 2)} is null", f"{words(1, 2)} like {words(1, 2)}", f"shell {words(1, 2)}", f"{words(1, 2)} {R.randint(1, 9)}'{R.randint(1, 11)}\"")


def leaf():
    return pick(R.randint(0, 10**R.randint(1, 13)), R.random(), True, False, None, words(1, 4), token(), url(), str(uuid.UUID(int=R.getrandbits(128))), "", f"{R.randint(2000, 2030)}-{R.randint(10, 12)}-{R.randint(10, 28)}T{R.randint(10, 23)}:{R.randint(10, 59)}:{R.randint(10, 59)}Z")


def structure(depth=2):
    if depth == 0 or R.random() < 0.3:
        return leaf()
    if R.random() < 0.3:
        return [structure(depth - 1) for _ in range(R.randint(0, 4))]
    return {R.choice(WORDS) + pick("", "Id", "_id", "Name", "Type"): structure(depth - 1) for _ in range(R.randint(1, 6))}


def as_json():
    return json.dumps(structure(R.randint(1, 3)), separators=pick((",", ":"), (", ", ": ")))


def cut_json():
    text = as_json()
    return text[R.randint(0, len(text) // 2):][: R.randint(10, 200)]


def tracker():
    """Parameters of advertising and measurement."""
    return pick(f"{R.randint(1, 9)}.{R.randint(10**8, 10**10)}.{R.randint(10**9, 2 * 10**9)}", f"GA1.{R.randint(1, 3)}.{R.randint(10**8, 10**10)}.{R.randint(10**9, 2 * 10**9)}", f"{R.randint(300, 3000)}x{R.randint(200, 2000)}", "|".join(pick(words(1, 1), str(R.randint(0, 999)), token(3, 9)) for _ in range(R.randint(2, 9))), ",".join(str(R.randint(0, 9999)) for _ in range(R.randint(2, 20))), ";".join(f"{R.choice(WORDS)}={pick(R.randint(0, 9999), words(1, 1), token(3, 12))}" for _ in range(R.randint(2, 12))), "~".join(token(2, 8) for _ in range(R.randint(2, 10))), "*".join(token(2, 8) for _ in range(R.randint(2, 6))), f"[{','.join(str(R.randint(0, 99)) for _ in range(R.randint(1, 9)))}]", f"{{{','.join(f'{token(1, 4)}:{R.randint(0, 99)}' for _ in range(R.randint(1, 6)))}}}", f"({','.join(token(1, 6) for _ in range(R.randint(1, 5)))})", urllib.parse.quote(url(), safe=""), urllib.parse.quote(urllib.parse.quote(url(), safe=""), safe=""),
                f"utma={R.randint(1, 10**9)}.{R.randint(1, 10**9)}.{R.randint(1, 10**9)};+__utmz={R.randint(1, 10**9)}.{R.randint(1, 10**9)}.1.1.utmcsr=(direct)|utmccn=(direct)|utmcmd=(none);", f"__utma={R.randint(1, 10**9)}.{R.randint(1, 10**9)};+__utmz={R.randint(1, 10**9)}.utmcsr={R.choice(WORDS)}|utmcmd=referral|utmcct={path()}", f"8({R.choice(WORDS)}*{R.choice(WORDS)})(9({R.choice(WORDS)}))", f"${{{R.choice(WORDS).upper()}}}", f"%%{R.choice(WORDS).upper()}%%", f"[{R.choice(WORDS).upper()}]", f"{{{R.choice(WORDS)}}}", f"__{R.choice(WORDS).upper()}__", f"<{R.choice(WORDS)}>", f"{R.choice(WORDS)}=={R.choice(WORDS)}", f"_cbfunc_{R.randint(1, 999)}", f"jQuery{R.randint(10**15, 10**20)}_{R.randint(10**12, 10**13)}", f"window.{R.choice(WORDS)}.callback", f"google_ads_iframe_/{R.randint(1000, 99999)}/{R.choice(WORDS)}_{R.choice(WORDS)}", f"dc_ref={urllib.parse.quote(url(), safe='')}", f"kw={';'.join(R.choice(WORDS) for _ in range(4))};pos={R.choice(WORDS)};tile={R.randint(1, 9)};sz={R.randint(100, 999)}x{R.randint(50, 600)};ord={R.randint(10**9, 10**12)}?")


def opaque():
    return pick(token(), token(16, 64), token(40, 200), str(uuid.UUID(int=R.getrandbits(128))), f"{R.getrandbits(128):032x}", f"{R.getrandbits(256):064x}", base64.b64encode(R.randbytes(R.randint(8, 120))).decode(), base64.urlsafe_b64encode(R.randbytes(R.randint(8, 120))).decode().rstrip("="), base64.b64encode(as_json().encode()).decode(), base64.b64encode(words(2, 12).encode()).decode(),
                ".".join(base64.urlsafe_b64encode(x).decode().rstrip("=") for x in (b'{"alg":"HS256","typ":"JWT"}', json.dumps({"sub": token(), "iat": R.randint(10**9, 2 * 10**9), "name": words(1, 2)}).encode(), R.randbytes(32))), f"s:{token(20, 32)}.{base64.b64encode(R.randbytes(32)).decode()}", f"W/\"{token(6, 30)}\"", f"Bearer {token(20, 60)}", f"Basic {base64.b64encode(f'{words(1, 1)}:{token(6, 12)}'.encode()).decode()}", "-".join(token(2, 10) for _ in range(R.randint(2, 8))), "_".join(token(2, 10) for _ in range(R.randint(2, 8))), ".".join(token(2, 10) for _ in range(R.randint(2, 5))), token(3, 14) + pick("==", "=", "!", "--", "__"), f"data:image/png;base64,{base64.b64encode(R.randbytes(60)).decode()}")


def agent():
    a, b, c, d = (R.randint(1, 130) for _ in range(4))
    system = pick("Windows NT 10.0; Win64; x64", "Windows NT 6.1; WOW64", "X11; Linux x86_64", f"Macintosh; Intel Mac OS X 10_{a % 16}_{b % 8}", f"Linux; Android {a % 15}; {token(2, 4).upper()}-{token(3, 5).upper()} Build/{token(4, 6).upper()}", f"iPhone; CPU iPhone OS {a % 18}_{b % 6} like Mac OS X", "compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0; SLCC2; .NET CLR 2.0.50727; .NET CLR 3.5.30729; Media Center PC 6.0")
    return pick(f"Mozilla/5.0 ({system}) AppleWebKit/{a}.{b} (KHTML, like Gecko) Chrome/{c}.0.{d}.{a} Safari/{a}.{b}", f"Mozilla/5.0 ({system}; rv:{a}.0) Gecko/20100101 Firefox/{a}.0", f"Mozilla/4.0 ({system})", f"Mozilla/5.0 (compatible; {words(1, 1).title()}bot/{a % 5}.{b % 9}; +http://{host()}/bot.html)", f"curl/7.{a}.{b % 9}", f"python-requests/2.{a}.{b % 9}", f"Java/1.8.0_{a}", f"Wget/1.{a}", f"okhttp/{a % 5}.{b % 9}.{c % 9}", f"{words(1, 1).title()}/{a}.{b} CFNetwork/{c}.{d} Darwin/{a}.{b}", f"Apache-HttpClient/4.{a} (Java/1.8.0_{b})", f"Opera/9.80 ({system}; U; en) Presto/2.{a}.{b} Version/{c}.00", f"Feedfetcher-Google; (+http://www.google.com/feedfetcher.html; {a} subscribers; feed-id={R.randint(10**15, 10**18)})")


def accept():
    return pick("text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8", "*/*", "application/json, text/plain, */*", "image/avif,image/webp,image/apng,image/*,*/*;q=0.8", "gzip, deflate, br", "en-US,en;q=0.5", f"de-DE,de;q=0.8,en-US;q=0.{R.randint(1, 9)},en;q=0.3", "text/css,*/*;q=0.1", "application/x-www-form-urlencoded; charset=UTF-8", "application/json;charset=utf-8", "no-cache", "max-age=0", "XMLHttpRequest", "same-origin", "?0", "\"Chromium\";v=\"118\", \"Google Chrome\";v=\"118\", \"Not=A?Brand\";v=\"99\"", f"bytes={R.randint(0, 999)}-", "1", "trailers", "websocket", "utf-8, iso-8859-1;q=0.5", f"{host()}", f"{R.randint(1, 223)}.{R.randint(0, 255)}.{R.randint(0, 255)}.{R.randint(1, 254)}", f"for={R.randint(1, 223)}.0.2.{R.randint(1, 254)};proto=https", f"00-{R.getrandbits(128):032x}-{R.getrandbits(64):016x}-01", f"multipart/form-data; boundary=----WebKitFormBoundary{token(16, 16)}", "text/html; charset=utf-8", "application/xml", "image/png", "keep-alive, Upgrade", "timeout=5, max=100")


def markup():
    """What editors and markdown send."""
    w, v = R.choice(WORDS), R.choice(WORDS)
    if R.random() < 0.4:
        return pick(f"### <a id={pick(chr(34), chr(39))}{w}{pick(chr(34), chr(39))}></a>{words(1, 3)}", f"- <a name=\"{w}\"></a>{words(1, 3)}:", f"<div align=\"{pick('center', 'right', 'left')}\">", f"<div style=\"direction: {pick('rtl', 'ltr')}\" align=\"right\" markdown=\"1\">", f"use `{w}` or `{v}`, see `http://{host()}/{w}/`", f"* [{words(1, 3)}] - {sentence()} ( :{w}: *{words(1, 2)}*)", f"- [{w.title()}] `{v}` - {words(1, 2)}/{words(1, 1)}/{words(1, 1)} {sentence()}",
                    f"{pick('L', 'd', 'l', 'qu', 'n', 's')}'{w} {words(1, 3)} {pick('dell', 'd', 'l')}'{v}", f"<{pick('b', 'i', 'u', 'em', 'strong', 'code', 'pre', 'sub', 'sup')}>{words(1, 3)}</{w}>", f"<span style=\"color: #{R.getrandbits(24):06x}\">{words(1, 3)}</span>", f"\\<{w}\\> {words(1, 3)}", f"<br><br>{sentence()}", f"<table><tr><td>{words(1, 2)}</td></tr></table>", f"- {sentence()} (`{w}.{v}`)", f"`{w}={v}`", f"<!-- {words(1, 4)} -->", f"<kbd>Ctrl</kbd>+<kbd>{w[0].upper()}</kbd>", f"<details><summary>{words(1, 3)}</summary>{sentence()}</details>", f"~~{words(1, 2)}~~ __{words(1, 2)}__ *{words(1, 2)}*", f"![{words(1, 2)}]({path()})")
    return pick(f"<p>{sentence()}</p>", f"<p>{sentence()} <b>{words(1, 3)}</b> <a href=\"{url()}\">{words(1, 3)}</a></p>", f"<div class=\"{R.choice(WORDS)}\">{sentence()}</div>", f"<ul><li>{words(1, 4)}</li><li>{words(1, 4)}</li></ul>", f"# {words(1, 4)}\n\n{sentence()}\n\n- {words(1, 4)}\n- {words(1, 4)}", f"**{words(1, 3)}** [{words(1, 2)}]({url()})", f"```\n{code()}\n```", f"> {sentence()}", f"<img src=\"{url()}\" alt=\"{words(1, 3)}\">", f"[{words(1, 2)}][{R.randint(1, 9)}]", f"| {words(1, 2)} | {words(1, 2)} |\n|---|---|", f"<h2>{words(1, 4)}</h2>", f"{sentence()}<br/>{sentence()}", f"<?xml version=\"1.0\" encoding=\"utf-8\"?><{R.choice(WORDS)}><{R.choice(WORDS)}>{words(1, 3)}</{R.choice(WORDS)}></{R.choice(WORDS)}>", f"<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body><{R.choice(WORDS)}>{words(1, 2)}</{R.choice(WORDS)}></soap:Body></soap:Envelope>", f"<{R.choice(WORDS)} id=\"{R.randint(1, 99)}\">{R.randint(1, 9999)}</{R.choice(WORDS)}>", f"== {words(1, 3)} ==\n{sentence()}\n* {words(1, 4)}", f"{{{{{R.choice(WORDS)}|{words(1, 2)}}}}}", f"[[{words(1, 2)}|{words(1, 2)}]]", f":{R.choice(WORDS)}: {sentence()}")


def code():
    """Code that people paste and configure: no attack, though it looks like its language."""
    v, w, n = R.choice(WORDS), R.choice(WORDS), R.randint(0, 99)
    return pick(f"{v} = {w}[{n}]", f"if ({v} > {n}) {{ {w}++; }}", f"function {v}({w}) {{ return {w} * {n}; }}", f"const {v} = require('{w}')", f"import {v} from '{w}'", f"def {v}({w}):\n    return {n}", f"{v}.{w}({n});", f"for (i = 0; i < {n}; i++)", f".{v} {{ color: #{R.getrandbits(24):06x}; margin: {n}px }}", f"{v}: {w}\n  - {n}", f"<{v} {w}=\"{n}\">", f"SELECT {v} FROM {w}s WHERE id = ?", f"git commit -m \"{words(2, 5)}\"", f"apt install {v}-{w}", f"--{v}={w} --{R.choice(WORDS)}", f"{v}/{w}:{n}.{n % 9}", f"^{v}\\.{w}$", f"[a-z]+{v}*", f"{v} && {w}", f"!{v}", f"{v} ? {w} : {n}", f"$ {v} {w}", f"{v}={w};{R.choice(WORDS)}={n}", f"{v}->{w}", f"{v}::{w}", f"@{v}({w})", f"#include <{v}.h>", f"{v}%{n}", f"{n}%", f"{v}[{w}][{n}]", f"{v}.{w}.{R.choice(WORDS)}", f"query {{ {v}(id: {n}) {{ id name {w} }} }}", f"mutation($input: {v.title()}Input!) {{ {v}(input: $input) {{ {w} }} }}", f"rgba({n}, {n}, {n}, 0.{n % 9})", f"translate({n}px, -{n}%)", f"sum({v}) / count({w})", f"/{v}/{w}/*", f"{v}~{w}", f"$filter={v} eq '{w}' and {R.choice(WORDS)} gt {n}", f"{v}:>{n} AND {w}:\"{words(1, 2)}\"", f"fields=*,{v}.*&expand={w}", f"/Date({R.randint(10**12, 2 * 10**12)})/", f"PT{n}H{n}M", f"{n}:{n}:{n}")


def person():
    first = words(1, 1).title()
    return pick(f"{first} {R.choice(NAMES)}", f"{first.lower()}.{words(1, 1)}@{host()}", f"{first.lower()}+{words(1, 1)}@{host()}", f"+{R.randint(1, 99)} ({R.randint(100, 999)}) {R.randint(100, 999)}-{R.randint(1000, 9999)}", f"{R.randint(1, 999)} {words(1, 2).title()} St., Apt. #{R.randint(1, 99)}", f"{R.choice(NAMES)} & {R.choice(NAMES)}", f"{first}'s {words(1, 2)}", f"{first}, {R.choice(NAMES)} ({words(1, 1)})", f"{R.randint(1, 28)}/{R.randint(1, 12)}/{R.randint(1950, 2026)}", f"{R.uniform(-90, 90):.6f},{R.uniform(-180, 180):.6f}", f"P@ss{token(3, 8)}!{R.randint(1, 99)}", f"{token(4, 10)}{pick('!', '#', '$', '%', '&', '*', '?')}{token(2, 6)}{pick('!', chr(39), '<', ';', '|', '=')}", f"{words(1, 2).title()} GmbH & Co. KG", f"AT&T", f"{first} \"{words(1, 1)}\" {R.choice(NAMES)}", f"{R.randint(1, 9)},{R.randint(100, 999)}.{R.randint(10, 99)} €", f"c/o {first} {R.choice(NAMES)}; {R.randint(10000, 99999)} {words(1, 1).title()}")


def file():
    return pick(f"{words(1, 3).replace(' ', pick('_', '-', ' '))}{pick('', ' (' + str(R.randint(1, 9)) + ')', '-final', ' copy')}.{pick('jpg', 'png', 'pdf', 'docx', 'zip', 'mp4', 'txt', 'csv', 'tar.gz', 'html', 'js')}", path(), f"C:\\Users\\{words(1, 1)}\\Documents\\{words(1, 1)}.docx", f"/home/{words(1, 1)}/{words(1, 1)}", f"./{R.choice(WORDS)}/{R.choice(WORDS)}.js", f"../{R.choice(WORDS)}.css", f"/etc/{R.choice(WORDS)}/config", f"~/{R.choice(WORDS)}", f"{R.choice(WORDS)}/../{R.choice(WORDS)}", f"//{host()}{path()}", f"{path()};jsessionid={token(20, 32)}", f"{path()}/@{R.choice(WORDS)}/{R.randint(1, 99)}", f"{path()}!{R.choice(WORDS)}", f"/wp-content/themes/{R.choice(WORDS)}/style.css", f"/wp-admin/admin-ajax.php", f"/wp-includes/js/jquery/jquery.js", f"/{R.choice(WORDS)}/cgi-bin/{R.choice(WORDS)}.cgi", f"/scripts/{R.choice(WORDS)}.js", f"/admin/{R.choice(WORDS)}/", f"/images/{R.choice(WORDS)}_{R.randint(1, 99)}.gif", f"/{R.randint(2000, 2026)}/{R.randint(1, 12)}/{words(2, 7).replace(' ', '-')}/", f"/favicon.ico", f"/robots.txt", f"/{R.choice(WORDS)}/%E2%80%93{R.choice(WORDS)}", f"/~{R.choice(WORDS)}/{R.choice(WORDS)}.html", f"/blog/tags/{R.choice(WORDS)}?flav=rss20", f"/presentations/{R.choice(WORDS)}-{R.randint(2000, 2026)}/images/{token(5, 12)}.png")


def foreign():
    letters = pick("абвгдежзийклмнопрстуфхцчшщъыьэюя", "あいうえおかきくけこさしすせそ日本語検索", "的一是了我不人在他有这个上们来到时大地为子中", "αβγδεζηθικλμνξοπρστυφχψω", "äöüßéèêàçñåøæ", "ابتثجحخدذرزسشصضطظعغفقكلمنهوي", "אבגדהוזחטיכלמנסעפצקרשת", "ก ข ค ง จ ฉ ช ซ")
    return " ".join("".join(R.choice(letters) for _ in range(R.randint(2, 9))) for _ in range(R.randint(1, 6))) + pick("", "?", "!", " " + words(1, 2), "…", " – " + words(1, 1), " “" + words(1, 1) + "”", " 👍", "。")


KINDS = {"sentence": (sentence, 3), "quoted_question": (quoted_question, 4), "json": (as_json, 2), "cut_json": (cut_json, 1), "tracker": (tracker, 5), "opaque": (opaque, 4), "url": (url, 3), "agent": (agent, 2), "accept": (accept, 2), "markup": (markup, 3), "code": (code, 3), "person": (person, 3), "file": (file, 4), "foreign": (foreign, 1)}


def values(count, seed):
    """So many (kind, value)."""
    R.seed(seed)
    names = [name for name, (_, weight) in KINDS.items() for _ in range(weight)]
    for _ in range(count):
        name = R.choice(names)
        yield name, str(KINDS[name][0]())
