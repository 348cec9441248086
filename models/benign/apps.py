"""The applications: how each is set up and started, and what its visitors do.

Each is a class with `name`, `part` (0: rows to train with, 1: held out), `start(folder, port)`, which
returns the processes, and `visit(visitor)`, a session.
"""
import os
import pathlib
import secrets
import shutil
import sqlite3
import subprocess
import sys

from visitor import as_json, ready

HERE = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(sys.executable).parent
SECRET = "lab-" + secrets.token_hex(8)


def run(*arguments, **more):
    done = subprocess.run([str(one) for one in arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", stdin=subprocess.DEVNULL, **more)
    if done.returncode:
        raise RuntimeError(f"{arguments[0]} {arguments[1]}: {done.stdout[-300:]}")


def serve(*arguments, log, **more):
    env = os.environ | more.pop("env", {})
    return subprocess.Popen([str(one) for one in arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=env, start_new_session=True, **more)


def php(root, port, log, **env):
    return serve("php", "-d", "display_errors=0", "-S", f"127.0.0.1:{port}", "-t", root, log=log, env={"PHP_CLI_SERVER_WORKERS": "3"} | env)


def tables():
    return {"customer": ["id", "name", "email", "city"], "invoice": ["id", "customer_id", "total", "note", "paid"], "article": ["id", "title", "body", "author"]}


def example_database(path, texts):
    with sqlite3.connect(path) as base:
        for table, columns in tables().items():
            base.execute(f"create table {table} ({', '.join(f'{one} integer primary key' if one == 'id' else one for one in columns)})")
            for _ in range(60):
                base.execute(f"insert into {table} ({', '.join(columns[1:])}) values ({', '.join('?' * (len(columns) - 1))})", [texts.phrase(1, 4) for _ in columns[1:]])


class DokuWiki:
    name, part = "dokuwiki", 0

    def start(self, folder, port, texts, log):
        root, conf = folder / "wiki", folder / "conf"
        shutil.copytree("/usr/share/dokuwiki", root, symlinks=False, ignore_dangling_symlinks=True)
        shutil.copytree("/etc/dokuwiki", conf, symlinks=False, ignore_dangling_symlinks=True)
        for one in ("pages", "attic", "media", "media_attic", "meta", "media_meta", "cache", "index", "locks", "tmp"):
            (folder / "data" / one).mkdir(parents=True)
        word = subprocess.run(["php", "-r", f"echo password_hash('{SECRET}', PASSWORD_BCRYPT);"], stdout=subprocess.PIPE, text=True, check=True).stdout
        (conf / "users.auth.php").write_text(f"editor:{word}:Ed Itor:editor@lab.example:admin,user\n")
        (conf / "acl.auth.php").write_text("*\t@ALL\t8\n")
        (conf / "local.php").write_text(f"<?php\n$conf['title']='Lab';$conf['useacl']=1;$conf['superuser']='@admin';$conf['savedir']='{folder}/data';$conf['disableactions']='register';\n")
        preload = root / "inc/preload.php"
        preload.write_text(preload.read_text().replace("<?php", f"<?php\ndefine('DOKU_MAIN_CONF','{conf}/');define('DOKU_CONF','{conf}/');", 1))
        return [php(root, port, log)]

    def visit(self, visitor):
        chance, texts = visitor.chance, visitor.texts
        visitor.go("/doku.php")
        if chance.random() < 0.6:
            visitor.go("/doku.php?id=start&do=login")
            visitor.fill(u="editor", p=SECRET)
        for _ in range(chance.randint(1, 3)):
            page = texts.phrase(1, 2).replace(" ", ":")
            visitor.go(f"/doku.php?id={page}&do=edit")
            visitor.fill(wikitext=texts.body(), summary=texts.phrase(0, 4), press=chance.choice(["do[save]", "do[preview]"]))
            visitor.api("POST", "/lib/exe/ajax.php", data={"call": "qsearch", "q": texts.query()})
            visitor.stroll(2)
        visitor.go("/doku.php?id=start&do=search&q=" + texts.phrase(1, 3).replace(" ", "+"))
        visitor.stroll(chance.randint(2, 5))


class MediaWiki:
    name, part = "mediawiki", 1

    def start(self, folder, port, texts, log):
        (folder / "db").mkdir()
        root = folder / "wiki"
        root.mkdir()
        for one in pathlib.Path("/usr/share/mediawiki").iterdir():
            if one.name not in ("LocalSettings.php", "images", "extensions"):
                (root / one.name).symlink_to(one)
        (root / "images").mkdir()
        (root / "extensions").mkdir()
        run("php", "/usr/share/mediawiki/maintenance/install.php", "--confpath", folder, "--dbtype", "sqlite", "--dbname", "lab", "--dbpath", folder / "db", "--server", f"http://127.0.0.1:{port}", "--scriptpath", "", "--pass", SECRET, "Lab", "Editor")
        settings = folder / "LocalSettings.php"
        settings.write_text(settings.read_text() + "\n$wgEnableUploads=true;$wgMainCacheType=CACHE_ACCEL;$wgJobRunRate=0;$wgResourceLoaderMaxage=['versioned'=>1,'unversioned'=>1];\n")
        return [php(root, port, log, MW_CONFIG_FILE=str(settings))]

    def visit(self, visitor):
        chance, texts = visitor.chance, visitor.texts
        visitor.go("/index.php?title=Main_Page")
        if chance.random() < 0.5:
            visitor.go("/index.php?title=Special:UserLogin&returnto=Main+Page")
            visitor.fill(wpName="Editor", wpPassword=SECRET)
        for _ in range(chance.randint(1, 2)):
            visitor.go(f"/index.php?title={texts.phrase(1, 2).capitalize().replace(' ', '_')}&action=edit")
            visitor.fill(wpTextbox1=texts.body(), wpSummary=texts.phrase(0, 5), press=chance.choice(["wpSave", "wpPreview", "wpDiff"]))
            visitor.api("GET", "/api.php", params={"action": "opensearch", "format": "json", "formatversion": 2, "search": texts.query(), "namespace": 0, "limit": 10})
            visitor.stroll(2)
        visitor.api("POST", "/api.php", data={"action": "parse", "format": "json", "text": texts.body(), "contentmodel": "wikitext", "prop": "text|categories"})
        visitor.stroll(chance.randint(1, 4))


class Database:
    """A MariaDB server of our own."""

    def __init__(self, folder, log):
        self.socket = folder / "my.sock"
        run("mariadb-install-db", "--no-defaults", f"--datadir={folder}/my", "--auth-root-authentication-method=normal", "--user=root")
        self.process = serve("mariadbd", "--no-defaults", f"--datadir={folder}/my", f"--socket={self.socket}", "--skip-networking", "--user=root", f"--pid-file={folder}/my.pid", log=log)
        for _ in range(200):
            if subprocess.run(["mariadb", "--no-defaults", f"--socket={self.socket}", "-uroot", "-e", f"create database if not exists lab; create user if not exists lab@localhost identified by '{SECRET}'; grant all on *.* to lab@localhost"], stderr=subprocess.DEVNULL).returncode == 0:
                return
            __import__("time").sleep(0.2)
        raise TimeoutError("the database does not start")


class WordPress:
    name, part = "wordpress", 1

    def start(self, folder, port, texts, log):
        base = Database(folder, log)
        root = folder / "site"
        shutil.copytree("/usr/share/wordpress", root, symlinks=False, ignore_dangling_symlinks=True)
        keys = "".join(f"define('{one}','{secrets.token_hex(16)}');" for one in ("AUTH_KEY", "SECURE_AUTH_KEY", "LOGGED_IN_KEY", "NONCE_KEY", "AUTH_SALT", "SECURE_AUTH_SALT", "LOGGED_IN_SALT", "NONCE_SALT"))
        (root / "wp-config.php").write_text(f"<?php define('DB_NAME','lab');define('DB_USER','lab');define('DB_PASSWORD','{SECRET}');define('DB_HOST','localhost:{base.socket}');define('DB_CHARSET','utf8mb4');{keys}$table_prefix='wp_';"
                                            "define('WP_HTTP_BLOCK_EXTERNAL',true);define('DISABLE_WP_CRON',true);define('WP_DEBUG',false);if(!defined('ABSPATH'))define('ABSPATH',__DIR__.'/');require_once ABSPATH.'wp-settings.php';")
        process = php(root, port, log)
        ready(f"http://127.0.0.1:{port}/readme.html")
        __import__("requests").post(f"http://127.0.0.1:{port}/wp-admin/install.php?step=2", data={"weblog_title": "Lab", "user_name": "editor", "admin_password": SECRET, "admin_password2": SECRET, "pw_weak": "1", "admin_email": "editor@lab.example", "language": ""}, timeout=90).raise_for_status()
        return [process, base.process]

    def visit(self, visitor):
        chance, texts = visitor.chance, visitor.texts
        visitor.go("/")
        visitor.go("/?s=" + texts.phrase(1, 3).replace(" ", "+"))
        if chance.random() < 0.5:
            visitor.go("/?p=1")
            visitor.fill(comment=texts.some(texts.prose, 40, 900), author=texts.phrase(1, 2), email=texts.line("mail"))
            visitor.stroll(3)
            return
        visitor.go("/wp-login.php")
        visitor.fill(log="editor", pwd=SECRET)
        visitor.go("/wp-admin/post-new.php")
        nonce = __import__("re").search(r'createNonceMiddleware\( ?"(\w+)"', str(visitor.page))
        headers = {"Content-Type": "application/json", "X-WP-Nonce": nonce.group(1) if nonce else ""}
        post = {"title": texts.title(), "status": chance.choice(["draft", "publish"]), "content": f"<!-- wp:paragraph -->\n<p>{texts.body()}</p>\n<!-- /wp:paragraph -->", "excerpt": texts.phrase(3, 12)}
        visitor.api("POST", "/index.php?rest_route=/wp/v2/posts&_locale=user", data=__import__("json").dumps(post), headers=headers)
        visitor.api("POST", "/wp-admin/admin-ajax.php", data={"action": "heartbeat", "_nonce": "0", "interval": 60, "screen_id": "post", "has_focus": "true"})
        for page in chance.sample(["options-general.php", "edit.php?s=" + texts.phrase(1, 2).replace(" ", "+"), "edit-comments.php", "edit-tags.php?taxonomy=category", "profile.php", "upload.php", "themes.php", "users.php"], 3):
            visitor.go("/wp-admin/" + page)
            visitor.stroll(1)


class Fossil:
    name, part = "fossil", 0

    def start(self, folder, port, texts, log):
        repository, home = folder / "lab.fossil", {"HOME": str(folder), "USER": "editor"}
        run("fossil", "init", "-A", "editor", repository, env=os.environ | home)
        run("fossil", "user", "password", "editor", SECRET, "-R", repository, env=os.environ | home)
        tree = folder / "tree"
        tree.mkdir()
        run("fossil", "open", repository, cwd=tree, env=os.environ | home)
        for number, text in enumerate(texts.code[:40]):
            (tree / f"file{number}.txt").write_text(text)
        run("fossil", "add", ".", cwd=tree, env=os.environ | home)
        run("fossil", "commit", "-m", "first", "--no-warnings", "--user-override", "editor", cwd=tree, env=os.environ | home)
        return [serve("fossil", "server", "--port", port, repository, log=log, env=home)]

    def visit(self, visitor):
        chance, texts = visitor.chance, visitor.texts
        visitor.go("/home")
        visitor.go("/login")
        visitor.fill(u="editor", p=SECRET, **{"in": "Login"})
        for _ in range(chance.randint(1, 3)):
            visitor.go("/wikiedit?name=" + texts.phrase(1, 2).title().replace(" ", ""))
            visitor.api("POST", "/wikiajax/preview", data={"page": "x", "content": texts.body(), "mimetype": "text/x-markdown"})
            visitor.go("/tktnew")
            visitor.fill(title=texts.title(), icomment=texts.body())
            visitor.go("/search?y=all&s=" + texts.phrase(1, 3).replace(" ", "+"))
            visitor.go(chance.choice(["/dir?ci=tip", "/timeline", "/brlist", "/forum", "/ticket", "/tree?ci=tip"]))
            visitor.stroll(3)


class GitWeb:
    """gitweb behind Python's own server of CGI programs."""

    name, part = "gitweb", 1

    def start(self, folder, port, texts, log):
        tree, home = folder / "site" / "lab", {"HOME": str(folder), "GIT_AUTHOR_NAME": "Ed", "GIT_AUTHOR_EMAIL": "ed@lab.example", "GIT_COMMITTER_NAME": "Ed", "GIT_COMMITTER_EMAIL": "ed@lab.example"}
        tree.mkdir(parents=True)
        run("git", "init", "-q", tree, env=os.environ | home)
        for number, text in enumerate(texts.code[:60]):
            (tree / f"{texts.phrase(1, 2).replace(' ', '/')}").parent.mkdir(exist_ok=True)
            (tree / f"src{number % 7}").mkdir(exist_ok=True)
            (tree / f"src{number % 7}" / f"{texts.phrase(1, 1)}.c").write_text(text)
            run("git", "add", ".", cwd=tree, env=os.environ | home)
            run("git", "commit", "-q", "--allow-empty", "-m", texts.title(), cwd=tree, env=os.environ | home)
        scripts = folder / "root" / "cgi-bin"
        scripts.mkdir(parents=True)
        shutil.copytree("/usr/share/gitweb/static", folder / "root" / "static")
        (folder / "gitweb.conf").write_text(f"our $projectroot='{folder}/site';our @stylesheets=('/static/gitweb.css');our $javascript='/static/gitweb.js';our $logo='/static/git-logo.png';our $feature{{'pickaxe'}}{{'default'}}=[1];\n")
        shutil.copy("/usr/share/gitweb/gitweb.cgi", scripts / "gitweb.cgi")
        return [serve(BIN / "python", "-m", "http.server", "--cgi", "--bind", "127.0.0.1", "--directory", folder / "root", port, log=log, env={"GITWEB_CONFIG": str(folder / "gitweb.conf")} | home, cwd=folder / "root")]

    def visit(self, visitor):
        chance, texts = visitor.chance, visitor.texts
        visitor.go("/cgi-bin/gitweb.cgi")
        for _ in range(chance.randint(1, 4)):
            visitor.go("/cgi-bin/gitweb.cgi?p=lab/.git;a=" + chance.choice(["summary", "log", "tree", "shortlog", "heads"]))
            visitor.send("GET", "/cgi-bin/gitweb.cgi", params={"p": "lab/.git", "a": "search", "h": "HEAD", "st": chance.choice(["commit", "grep", "author", "pickaxe"]), "s": texts.query()})
            visitor.stroll(3)


class Adminer:
    name, part = "adminer", 1

    def start(self, folder, port, texts, log):
        base = Database(folder, log)
        script = "; ".join(f"create table {table} ({', '.join('id int primary key auto_increment' if one == 'id' else one + ' varchar(200)' for one in columns)}); insert into {table} ({columns[1]}) values ('a'),('b'),('c')" for table, columns in tables().items())
        run("mariadb", "--no-defaults", f"--socket={base.socket}", "-uroot", "lab", "-e", script)
        self.socket = base.socket
        return [php("/usr/share/adminer/adminer", port, log), base.process]

    def visit(self, visitor):
        chance, texts = visitor.chance, visitor.texts
        visitor.go("/index.php")
        visitor.fill(**{"auth[server]": f"localhost:{self.socket}", "auth[username]": "lab", "auth[password]": SECRET, "auth[db]": "lab"})
        start = visitor.url
        for _ in range(chance.randint(2, 5)):
            table = chance.choice(sorted(tables()))
            what = chance.random()
            if what < 0.4:
                visitor.go(start + "&sql=")
                visitor.fill(query=texts.select(tables()))
            elif what < 0.7:
                column = chance.choice(tables()[table])
                visitor.go(f"{start}&select={table}&columns%5B0%5D%5Bfun%5D=&columns%5B0%5D%5Bcol%5D={column}&where%5B0%5D%5Bcol%5D={column}&where%5B0%5D%5Bop%5D={chance.choice(['%3D', 'LIKE', 'LIKE+%25%25', 'IN', 'IS+NULL', 'REGEXP'])}&where%5B0%5D%5Bval%5D={texts.phrase(1, 2).replace(' ', '+')}&order%5B0%5D={column}&limit=50&text_length=100")
            else:
                visitor.go(f"{start}&edit={table}")
                visitor.fill()
            visitor.stroll(2)


class Django:
    name, part = "django-admin", 0

    def start(self, folder, port, texts, log):
        run(BIN / "django-admin", "startproject", "lab", folder)
        settings = folder / "lab/settings.py"
        settings.write_text(settings.read_text().replace("'django.contrib.staticfiles',", "'django.contrib.staticfiles','django.contrib.sites','django.contrib.flatpages','django.contrib.redirects',") + "\nSITE_ID=1\n")
        run(BIN / "python", "manage.py", "migrate", cwd=folder)
        run(BIN / "python", "manage.py", "createsuperuser", "--noinput", "--username", "editor", "--email", "editor@lab.example", cwd=folder, env=os.environ | {"DJANGO_SUPERUSER_PASSWORD": SECRET})
        return [serve(BIN / "python", "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}", log=log, cwd=folder)]

    def visit(self, visitor):
        chance, texts = visitor.chance, visitor.texts
        visitor.go("/admin/login/?next=/admin/")
        visitor.fill(username="editor", password=SECRET)
        for _ in range(chance.randint(2, 4)):
            what = chance.choice(["flatpages/flatpage", "auth/user", "auth/group", "sites/site", "redirects/redirect"])
            visitor.go(f"/admin/{what}/?q={texts.phrase(1, 2).replace(' ', '+')}")
            if what == "flatpages/flatpage":
                visitor.go("/admin/flatpages/flatpage/add/")
                visitor.fill(url="/" + texts.phrase(1, 2).replace(" ", "/") + "/", title=texts.title(), content=texts.body(), sites="1")
            elif what == "redirects/redirect":
                visitor.go("/admin/redirects/redirect/add/")
                visitor.fill(old_path="/" + texts.phrase(1, 1), new_path=texts.line("url"))
            visitor.stroll(3)


class Wagtail:
    name, part = "wagtail", 1

    def start(self, folder, port, texts, log):
        run(BIN / "wagtail", "start", "lab", folder)
        run(BIN / "python", "manage.py", "migrate", cwd=folder)
        run(BIN / "python", "manage.py", "createsuperuser", "--noinput", "--username", "editor", "--email", "editor@lab.example", cwd=folder, env=os.environ | {"DJANGO_SUPERUSER_PASSWORD": SECRET})
        return [serve(BIN / "python", "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}", log=log, cwd=folder)]

    def visit(self, visitor):
        chance, texts = visitor.chance, visitor.texts
        visitor.go("/")
        visitor.go("/admin/login/")
        visitor.fill(username="editor", password=SECRET)
        for _ in range(chance.randint(2, 4)):
            visitor.go(chance.choice(["/admin/pages/3/edit/", "/admin/pages/3/", "/admin/images/", "/admin/documents/add/", "/admin/redirects/add/", "/admin/users/", "/admin/reports/site-history/", "/admin/snippets/", "/admin/account/"]))
            if visitor.forms():
                visitor.fill(**chance.choice([{}, {"title": texts.title()}]))
            visitor.api("GET", "/admin/pages/search/", params={"q": texts.query()})
            visitor.api("GET", "/search/", params={"query": texts.query()})
            visitor.stroll(2)


class Datasette:
    name, part = "datasette", 1

    def start(self, folder, port, texts, log):
        example_database(folder / "lab.db", texts)
        return [serve(BIN / "datasette", folder / "lab.db", "--port", port, log=log)]

    def visit(self, visitor):
        chance, texts = visitor.chance, visitor.texts
        visitor.go("/")
        for _ in range(chance.randint(2, 5)):
            table = chance.choice(sorted(tables()))
            column = chance.choice(tables()[table])
            if chance.random() < 0.5:
                visitor.send("GET", "/lab", params={"sql": texts.select(tables())})
            else:
                visitor.send("GET", f"/lab/{table}{chance.choice(['', '.json'])}", params={f"{column}__{chance.choice(['exact', 'contains', 'gt', 'like', 'isnull'])}": texts.phrase(1, 2), "_sort": column, "_facet": column, "_size": "100"})
            visitor.stroll(2)


class SqliteWeb:
    name, part = "sqlite-web", 0

    def start(self, folder, port, texts, log):
        example_database(folder / "lab.db", texts)
        return [serve(BIN / "sqlite_web", "-p", port, "-x", folder / "lab.db", log=log)]

    def visit(self, visitor):
        chance, texts = visitor.chance, visitor.texts
        visitor.go("/")
        for _ in range(chance.randint(2, 5)):
            table = chance.choice(sorted(tables()))
            what = chance.random()
            if what < 0.5:
                visitor.go(chance.choice(["/query/", f"/{table}/query/"]))
                visitor.fill("form:has(textarea)", sql=texts.select(tables()))
            elif what < 0.8:
                visitor.go(f"/{table}/insert/")
                visitor.fill("form:has(textarea)")
            else:
                visitor.go(f"/{table}/content/?page=1&ordering=-id")
            visitor.stroll(2)


class Jupyter:
    name, part = "jupyter", 0

    def start(self, folder, port, texts, log):
        return [serve(BIN / "jupyter-server", "--allow-root", "--no-browser", f"--port={port}", "--IdentityProvider.token=" + SECRET, f"--ServerApp.root_dir={folder}", log=log, env={"HOME": str(folder)})]

    def visit(self, visitor):
        chance, texts = visitor.chance, visitor.texts
        visitor.go("/login?next=%2Ftree")
        headers = {"Authorization": f"token {SECRET}"}
        visitor.api("GET", "/api/contents/?type=directory&content=1&hash=0", headers=headers)
        name = texts.phrase(1, 2).replace(" ", "-")
        cells = []
        for _ in range(chance.randint(2, 6)):
            kind = chance.choice(["code", "code", "markdown"])
            source = texts.some(texts.code, 40, 1200) if kind == "code" else texts.body()
            cells.append({"cell_type": kind, "metadata": {}, "source": source} | ({"execution_count": None, "outputs": []} if kind == "code" else {}))
            book = {"type": "notebook", "format": "json", "content": {"cells": cells, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 4}}
            sent = as_json(book)
            visitor.api("PUT", f"/api/contents/{name}.ipynb", data=sent["data"], headers=headers | sent["headers"])
            visitor.api("GET", f"/api/contents/{name}.ipynb?type=notebook&content=1", headers=headers)
        sent = as_json({"type": "file", "format": "text", "content": texts.some(texts.code, 200, 5000)})
        visitor.api("PUT", f"/api/contents/{name}.py", data=sent["data"], headers=headers | sent["headers"])
        visitor.api("GET", "/api/kernelspecs", headers=headers)


class Trac:
    name, part = "trac", 1

    def start(self, folder, port, texts, log):
        env = folder / "env"
        run(BIN / "trac-admin", env, "initenv", "Lab", "sqlite:db/trac.db")
        run(BIN / "trac-admin", env, "permission", "add", "anonymous", "TRAC_ADMIN")
        return [serve(BIN / "waitress-serve", f"--listen=127.0.0.1:{port}", "trac.web.main:dispatch_request", log=log, env={"TRAC_ENV": str(env)})]

    def visit(self, visitor):
        chance, texts = visitor.chance, visitor.texts
        visitor.go("/wiki")
        for _ in range(chance.randint(1, 3)):
            visitor.go("/wiki/" + texts.phrase(1, 2).title().replace(" ", "") + "?action=edit")
            visitor.fill("form#edit", text=texts.body(), comment=texts.phrase(0, 4))
            visitor.go("/newticket")
            visitor.fill("form#propertyform", field_summary=texts.title(), field_description=texts.body(), press="submit")
            visitor.send("GET", "/search", params={"q": texts.query(), "noquickjump": "1", "ticket": "on", "wiki": "on"})
            visitor.send("GET", "/query", params={"status": "!closed", "summary": "~" + texts.phrase(1, 2), "col": ["id", "summary", "status"], "order": "priority"})
            visitor.stroll(3)


class Radicale:
    name, part = "radicale", 1

    def start(self, folder, port, texts, log):
        return [serve(BIN / "python", "-m", "radicale", "--hosts", f"127.0.0.1:{port}", "--auth-type", "none", "--storage-filesystem-folder", folder / "collections", log=log)]

    def visit(self, visitor):
        chance, texts = visitor.chance, visitor.texts
        visitor.go("/.web/")
        visitor.web.auth = ("editor", SECRET)
        kind = {"headers": {"Content-Type": "application/xml; charset=utf-8"}}
        calendar = f"/editor/{secrets.token_hex(8)}/"
        visitor.api("PROPFIND", "/", data='<?xml version="1.0" encoding="UTF-8" ?><propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>', **kind)
        visitor.api("MKCOL", calendar, data=f'<?xml version="1.0" encoding="UTF-8" ?><mkcol xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop><resourcetype><collection/><C:calendar/></resourcetype><displayname>{texts.phrase(1, 3)}</displayname></prop></set></mkcol>', **kind)
        for number in range(chance.randint(2, 6)):
            note = texts.some(texts.prose, 20, 600).replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")
            event = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//lab//EN\r\nBEGIN:VEVENT\r\nUID:{secrets.token_hex(8)}\r\nDTSTAMP:20260314T093000Z\r\nDTSTART:20260314T{9 + number:02}3000Z\r\nSUMMARY:{texts.title()}\r\nDESCRIPTION:{note}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
            visitor.api("PUT", f"{calendar}{secrets.token_hex(8)}.ics", data=event.encode(), headers={"Content-Type": "text/calendar; charset=utf-8", "If-None-Match": "*"})
        visitor.api("REPORT", calendar, data='<?xml version="1.0" encoding="UTF-8" ?><C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/><C:calendar-data/></prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="20260301T000000Z" end="20260401T000000Z"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>', **kind)


ALL = [DokuWiki, Fossil, SqliteWeb, Django, Jupyter, MediaWiki, WordPress, Adminer, Wagtail, Datasette, Trac, Radicale, GitWeb]
