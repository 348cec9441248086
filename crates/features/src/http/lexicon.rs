//! Words that mean something to an interpreter, by the interpreter.
//!
//! A word that is in no list is any word to the model's syntax n-grams, so that what it learns of
//! one tool's payloads holds for the next one's.

use std::{collections::HashMap, sync::LazyLock};

/// Kinds of words, in the order of their columns.
pub(super) const CLASSES: [(&str, &str); 24] = [
    (
        "sql_verb",
        "select insert update delete drop alter truncate create replace merge grant exec execute declare call shutdown handler",
    ),
    (
        "sql_clause",
        "union from where having order group limit offset into values set by join on as all distinct distinctrow table database procedure returning top outfile dumpfile fetch using",
    ),
    (
        "sql_logic",
        "and or xor not like rlike regexp between in is null exists case when then else end div mod sounds ilike similar true false any some",
    ),
    (
        "sql_function",
        "sleep benchmark waitfor delay pg_sleep char chr nchar concat group_concat concat_ws string_agg substring substr mid left right ascii ord hex unhex cast convert extractvalue updatexml load_file version current_user system_user session_user user_name db_name count length len md5 sha1 if ifnull nvl isnull coalesce greatest least exp floor rand row make_set elt xmltype utl_http utl_inaddr get_host_address dbms_pipe receive_message dbms_lock randomblob load_extension geometrycollection polygon multipoint linestring json_keys gtid_subset name_const analyse analyze lower upper reverse replace",
    ),
    (
        "sql_catalog",
        "information_schema table_name column_name table_schema schema_name tables columns schemata sysobjects syscolumns sys sysdatabases sqlite_master pg_catalog pg_user pg_shadow pg_database dual all_tables user_tables mysql msysaccessobjects xp_cmdshell sp_executesql sp_password openrowset opendatasource master rdb$database sysibm sysdummy1 v$version rownum xp_dirtree xp_regread",
    ),
    (
        "html_tag",
        "script img svg iframe body input object embed video audio source style link meta base form button details marquee math table template math xss isindex textarea select keygen frameset frame bgsound applet animate set foreignobject image mtext annotation noscript xmp title plaintext dialog portal",
    ),
    (
        "html_event",
        "onerror onload onclick onmouseover onfocus onblur onchange oninput onsubmit onkeydown onkeyup onkeypress onmouseenter onmouseout onmousemove onmousedown onmouseup ontoggle onstart onbegin onend onfinish onpageshow onpagehide onhashchange onresize onscroll onwheel onanimationstart onanimationend ontransitionend onpointerover onpointerenter onpointerdown onauxclick oncontextmenu ondblclick ondrag ondragstart ondrop oncopy oncut onpaste oninvalid onplay onplaying oncanplay onloadstart onloadeddata onreadystatechange onpropertychange onactivate onafterscriptexecute onbeforescriptexecute onbeforeunload onunload onmessage onpopstate onselect onselectstart onsearch onreset onrepeat onbounce ontouchstart onfocusin onfocusout oncuechange formaction xlink srcdoc autofocus",
    ),
    (
        "script_sink",
        "alert prompt confirm eval document window cookie location fromcharcode settimeout setinterval constructor innerhtml outerhtml write writeln atob btoa function string throw top parent self frames expression import require child_process global process mainmodule sendbeacon fetch xmlhttprequest localstorage sessionstorage __proto__ prototype stringify toolbar domain onerror createelement appendchild getelementbyid execscript activexobject console log print",
    ),
    (
        "scheme",
        "javascript vbscript data livescript mocha file gopher dict ldap ldaps rmi ftp tftp php phar expect zip glob ogg rar ssh2 jar netdoc http https ws view-source",
    ),
    (
        "shell_command",
        "cat ls id whoami uname wget curl nc ncat netcat bash sh zsh ksh csh dash ping ping6 nslookup dig host python python3 perl ruby node lua powershell pwsh cmd echo printf chmod chown rm mv cp mkdir touch sleep kill ps netstat ifconfig ip ipconfig hostname env set export printenv head tail more less tac rev sort find grep awk sed xargs base64 xxd tee telnet socat mkfifo mknod tftp scp sshd crontab useradd passwd sudo su dir type net ver systeminfo tasklist certutil bitsadmin mshta regsvr32 rundll32 wmic cscript wscript start timeout uptime who w last pwd df free arch lsof nmap busybox killall ifs nohup source",
    ),
    (
        "unix_path",
        "etc passwd shadow group hosts bin usr sbin dev tcp udp null proc self environ cmdline fd var log tmp home root opt issue fstab crontab hostname resolv authorized_keys id_rsa bash_history",
    ),
    (
        "windows_path",
        "windows winnt system32 system win ini boot drivers inetpub wwwroot boot.ini win.ini web.config sam repair inetsrv config programdata appdata c d xp cmd exe dll bat ps1",
    ),
    (
        "php_word",
        "phpinfo system passthru shell_exec exec popen proc_open pcntl_exec assert preg_replace create_function include include_once require require_once file_get_contents file_put_contents fopen readfile fwrite fputs unlink base64_decode gzinflate str_rot13 call_user_func array_map usort unserialize allow_url_include auto_prepend_file disable_functions open_basedir php_value php echo print die var_dump print_r md5 chr eval highlight_file show_source move_uploaded_file globals request get post cookie server session files http_raw_post_data",
    ),
    (
        "java_word",
        "java lang runtime getruntime processbuilder process inputstream class forname classloader getclass getmethod invoke newinstance javax script scriptenginemanager ognl ognlcontext memberaccess allowstaticmethodaccess multipartrequest struts2 struts xwork2 xworktestcase springframework spel t com sun rowset jdbcrowsetimpl fastjson type autotype commons collections functors invokertransformer freemarker utility execute ysoserial bcel commandline actioncontext redirectaction redirect action method org apache catalina resources context pipeline directory prefix suffix module",
    ),
    (
        "lookup_word",
        "jndi ldap ldaps rmi dns iiop corba nds lower upper env sys date ctx base64 log4j main map marker",
    ),
    (
        "template_word",
        "config self class __class__ mro __mro__ subclasses __subclasses__ globals __globals__ builtins __builtins__ init __init__ import __import__ os popen request application session lipsum cycler joiner namespace url_for get_flashed_messages range dump app registerundefinedfiltercallback filter getfilter map sort reduce constant assign attr eval exec erb smarty velocity springmacrorequestcontext getruntime number",
    ),
    (
        "xml_word",
        "doctype entity system public xsl stylesheet cdata xinclude xi include parse element attlist notation xmlns version encoding external dtd schemalocation value-of select fallback",
    ),
    (
        "ldap_word",
        "objectclass objectcategory userpassword samaccountname cn uid dn ou dc mail sn givenname memberof useraccountcontrol admin department telephonenumber",
    ),
    (
        "operator_word",
        "where ne gt gte lt lte nin regex exists expr function mapreduce elemmatch lookup match group this password username return emit ret",
    ),
    (
        "inside_host",
        "localhost 127 169 254 metadata internal intranet computemetadata latest meta-data user-data iam security-credentials instance 0x7f000001 2130706433 burpcollaborator interactsh oast oastify nip xip sslip localtest lvh 192 168 10 172 kubernetes consul",
    ),
    (
        "kept_file",
        "htaccess htpasswd wp-config web-inf meta-inf git svn env bak old backup config ini log sql swp ds_store id_rsa dump phpmyadmin cgi-bin admin shell cmd jsp aspx asp php cfm exe passwd properties conf yml yaml pem key",
    ),
    (
        "header_word",
        "set-cookie content-length location content-type host http 200 302 ok bcc cc subject to from rcpt data quit ehlo helo mime-version x-injected refresh link",
    ),
    (
        "graph_word",
        "__schema __type querytype mutationtype types fields inputfields possibletypes enumvalues directives introspectionquery ofype kind mutation query fragment subscription",
    ),
    (
        "plain_word",
        "the of and a to in is you that it he was for on are as with his they i at be this have or one had by word but not what all were we when your can said there use an each which she do how their if will up other about out many then them these so some her would make like him into time has look two more write go see number no way could people my than first water been call who oil its now find long down day did get come made may part our new also any most very after best free home page search news info contact help shop online service product blog article user name email address please thank hello",
    ),
];

/// Which classes a word is of, as bits.
pub(super) fn classes(word: &[u8]) -> u32 {
    WORDS.get(word).copied().unwrap_or(0)
}

static WORDS: LazyLock<HashMap<&'static [u8], u32>> = LazyLock::new(|| {
    let mut words: HashMap<&'static [u8], u32> = HashMap::new();
    for (class, (_, list)) in CLASSES.iter().enumerate() {
        let bit = u32::try_from(class)
            .ok()
            .and_then(|class| 1_u32.checked_shl(class))
            .unwrap_or(0);
        for word in list.split(' ') {
            *words.entry(word.as_bytes()).or_default() |= bit;
        }
    }
    words
});

/// The bit of plain words.
pub(super) const PLAIN: u32 = 1 << 23;
