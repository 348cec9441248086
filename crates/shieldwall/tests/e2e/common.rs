//! Hubs, shields and partners as processes and folders, for tests of the binary.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_shieldwall");

/// A command that must succeed; gives its standard output.
pub(crate) fn run(args: &[&str]) -> String {
    let output = output(args);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(
        output.status.success(),
        "{args:?}: {:?}\n{out}\n{err}",
        output.status
    );
    out
}

/// A command, however it ends.
pub(crate) fn output(args: &[&str]) -> Output {
    Command::new(BINARY).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A process that is killed when the test ends.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    /// Starts `args` and waits for its first line.
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        command
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        assert!(
            !line.is_empty(),
            "{args:?} ended at once: {:?}",
            child.wait()
        );
        // The rest of its output goes nowhere, and must not block it.
        std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
        Self(child)
    }

    /// SIGHUP.
    pub(crate) fn hang_up(&self) {
        let pid = self.0.id().to_string();
        let sent = Command::new("kill").args(["-HUP", &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// SIGKILL, as a power cut to the process.
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A hub's folder, with its configuration.
#[derive(Debug)]
pub(crate) struct HubFolder {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// Where it listens.
    pub(crate) port: u16,
}

impl HubFolder {
    /// Writes the configuration of a hub on a free port.
    pub(crate) fn new(folder: &Path) -> Self {
        let port = free_port();
        let data = folder.join("hub");
        let config = format!(
            "data = {data:?}\nlisten = \"127.0.0.1:{port}\"\nnames = [\"127.0.0.1\", \"localhost\"]\n"
        );
        std::fs::write(folder.join("hub.toml"), config).unwrap();
        Self {
            folder: folder.to_owned(),
            port,
        }
    }

    /// Adds to the configuration.
    pub(crate) fn configure(&self, more: &str) {
        let config = self.folder.join("hub.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, text + more).unwrap();
    }

    /// Also with a console, which shows one partner's view.
    pub(crate) fn with_console(folder: &Path, partner: &str) -> Self {
        let hub = Self::new(folder);
        let console = free_port();
        let more = format!("console = \"127.0.0.1:{console}\"\nconsole_partners = [{partner:?}]\n");
        hub.configure(&more);
        hub
    }

    /// Uses up the console's one-time link; gives the cookie of the session.
    pub(crate) fn open_console(&self) -> String {
        let answer = get(&self.console_link(), "");
        let cookie = answer
            .lines()
            .find_map(|line| line.strip_prefix("set-cookie: "))
            .unwrap_or_else(|| panic!("no session: {answer}"));
        cookie.split(';').next().unwrap().to_owned()
    }

    /// The console's page.
    pub(crate) fn console(&self, cookie: &str) -> String {
        let link = self.console_link();
        let (page, _) = link.split_once("open?").unwrap();
        get(page, cookie)
    }

    fn console_link(&self) -> String {
        let link = std::fs::read_to_string(self.folder.join("hub/console.link")).unwrap();
        link.trim().to_owned()
    }

    /// Starts the hub.
    pub(crate) fn start(&self) -> Process {
        let config = self.folder.join("hub.toml");
        Process::start(&["hub", "run", "--config", config.to_str().unwrap()])
    }

    /// Invites and enrols a partner; gives its identity folder.
    pub(crate) fn enrol(&self, name: &str) -> PathBuf {
        let data = self.folder.join("hub");
        let invitation = run(&["partner", "invite", name, "--data", data.to_str().unwrap()]);
        let identity = self.folder.join(format!("identity-{name}"));
        run(&[
            "partner",
            "enrol",
            invitation.trim(),
            "--identity",
            identity.to_str().unwrap(),
        ]);
        identity
    }

    /// Writes the configuration of a shield in dry run, with more TOML behind it.
    pub(crate) fn shield(&self, name: &str, identity: &Path, more: &str) -> ShieldFolder {
        let data = self.folder.join(name);
        let url = format!("https://127.0.0.1:{}", self.port);
        let config = format!(
            "name = {name:?}\ndata = {data:?}\n[hub]\nurl = {url:?}\nidentity = {identity:?}\n\
             [enforce]\nmode = \"dry-run\"\n{more}"
        );
        let file = self.folder.join(format!("{name}.toml"));
        std::fs::write(&file, config).unwrap();
        ShieldFolder { config: file, data }
    }
}

/// A shield's configuration and data.
#[derive(Debug)]
pub(crate) struct ShieldFolder {
    /// Its configuration.
    pub(crate) config: PathBuf,
    /// Its data folder.
    pub(crate) data: PathBuf,
}

impl ShieldFolder {
    /// Starts the shield.
    pub(crate) fn start(&self) -> Process {
        Process::start(&["shield", "run", "--config", self.config.to_str().unwrap()])
    }

    /// The lines of its journal that are whole.
    pub(crate) fn journal(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.data.join("journal.jsonl")).unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// The journal's events of one kind.
    pub(crate) fn events(&self, kind: &str) -> Vec<Value> {
        self.journal()
            .into_iter()
            .filter(|line| line["event"] == kind)
            .collect()
    }
}

/// One at a time: these tests start many processes, and some say how long things may take.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until `done` gives something.
pub(crate) fn wait_for<T>(what: &str, at_most: Duration, mut done: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(start.elapsed() < at_most, "{what}: not within {at_most:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The whole answer to a plain HTTP request.
fn get(url: &str, cookie: &str) -> String {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let request = format!(
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    text(&answer)
}

/// A port of which the next one is free too.
pub(crate) fn free_port_pair() -> u16 {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let mut ports = std::iter::repeat_with(free_port);
    ports
        .find(|port| port.checked_add(1).is_some_and(free))
        .unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
