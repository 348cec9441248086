//! A headless Chromium that a test drives over the DevTools protocol, through two named pipes.
//!
//! `--dump-dom` with a virtual clock would be simpler, but that clock stands still while an event
//! stream is open, and the console always has one.

use base64::Engine as _;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::pipe::{OpenOptions, Receiver, Sender};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// A browser with one page.
pub(crate) struct Browser {
    _process: Child,
    _profile: TempDir,
    to: Sender,
    from: BufReader<Receiver>,
    session: Option<String>,
    calls: u64,
    /// What the page complained of: exceptions and entries of its log.
    pub(crate) complaints: Vec<String>,
}

impl Browser {
    /// Starts one, or says aloud that there is none.
    pub(crate) async fn start(test: &str) -> Option<Self> {
        let Some(program) = installed() else {
            testkit::skip(test, "Chromium is not installed");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        let (to, from) = (profile.path().join("to"), profile.path().join("from"));
        let made = Command::new("mkfifo")
            .args([&to, &from])
            .status()
            .await
            .unwrap();
        assert!(made.success());
        let pipes = OpenOptions::new().read_write(true).clone();
        let (sender, receiver) = (
            pipes.open_sender(&to).unwrap(),
            pipes.open_receiver(&from).unwrap(),
        );
        let mut browser = Self {
            _process: launch(&program, profile.path(), &to, &from),
            _profile: profile,
            to: sender,
            from: BufReader::new(receiver),
            session: None,
            calls: 0,
            complaints: vec![],
        };
        browser.attach().await;
        Some(browser)
    }

    async fn attach(&mut self) {
        let target = self
            .call("Target.createTarget", json!({ "url": "about:blank" }))
            .await;
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.call("Target.attachToTarget", target).await;
        self.session = Some(session["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            self.call(domain, json!({})).await;
        }
        let size = json!({ "width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size).await;
    }

    pub(crate) async fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url })).await;
    }

    pub(crate) async fn theme(&mut self, theme: &str) {
        let feature = json!([{ "name": "prefers-color-scheme", "value": theme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": feature }))
            .await;
    }

    pub(crate) async fn press(&mut self, key: &str) {
        for kind in ["rawKeyDown", "keyUp"] {
            let event =
                json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": 9 });
            self.call("Input.dispatchKeyEvent", event).await;
        }
    }

    /// The value of an expression in the page.
    pub(crate) async fn eval(&mut self, expression: &str) -> Value {
        let answer = self.evaluate(expression).await;
        answer.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    async fn evaluate(&mut self, expression: &str) -> Result<Value, Value> {
        let what = json!({ "expression": expression, "returnByValue": true });
        let answer = self.answer("Runtime.evaluate", what).await;
        answer.map(|answer| answer["result"]["value"].clone())
    }

    /// Waits until an expression is true; panics with the page's text after ten seconds.
    pub(crate) async fn until(&mut self, expression: &str) {
        let began = Instant::now();
        // Asked while the page changes to another, it answers by an error.
        while self.evaluate(expression).await != Ok(json!(true)) {
            if began.elapsed() > Duration::from_secs(10) {
                let text = self.eval("document.body.innerText").await;
                panic!(
                    "never true: {expression}; complaints {:?}; page {text}",
                    self.complaints
                );
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn screenshot(&mut self) -> Vec<u8> {
        let shot = self
            .call("Page.captureScreenshot", json!({ "format": "png" }))
            .await;
        base64::engine::general_purpose::STANDARD
            .decode(shot["data"].as_str().unwrap())
            .unwrap()
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        let answer = self.answer(method, params).await;
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    async fn answer(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.calls += 1;
        let id = self.calls;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to
            .write_all(format!("{message}\0").as_bytes())
            .await
            .unwrap();
        loop {
            let message = self.receive().await;
            if message["id"] == id {
                return match message.get("error") {
                    Some(error) => Err(error.clone()),
                    None => Ok(message["result"].clone()),
                };
            }
            self.note(&message);
        }
    }

    async fn receive(&mut self) -> Value {
        let mut bytes = vec![];
        let read = self.from.read_until(0, &mut bytes);
        timeout(Duration::from_secs(60), read)
            .await
            .expect("Chromium answers")
            .unwrap();
        bytes.pop();
        serde_json::from_slice(&bytes).unwrap()
    }

    fn note(&mut self, message: &Value) {
        let method = message["method"].as_str().unwrap_or_default();
        if ["Runtime.exceptionThrown", "Log.entryAdded"].contains(&method) {
            self.complaints.push(message["params"].to_string());
        }
    }
}

fn installed() -> Option<PathBuf> {
    const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .flat_map(|folder| NAMES.map(|name| folder.join(name)))
        .find(|program| program.is_file())
}

/// The shell puts the named pipes where Chromium looks for them: descriptors 3 and 4.
fn launch(program: &Path, profile: &Path, to: &Path, from: &Path) -> Child {
    Command::new("sh")
        .args(["-c", "exec \"$0\" \"$@\" 3<\"$TO\" 4>\"$FROM\""])
        .arg(program)
        .args([
            "--headless",
            "--remote-debugging-pipe",
            "--no-sandbox",
            "--disable-gpu",
        ])
        .args([
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
        ])
        .args([
            "--disable-sync",
            "--hide-scrollbars",
            "--window-size=1280,800",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .env("TO", to)
        .env("FROM", from)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}
