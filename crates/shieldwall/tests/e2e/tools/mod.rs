//! Attackers' own tools against a shield without any rule: packs and behaviour detectors alone, in
//! network namespaces, beside bystanders whom nobody may harm. *Stopped* means dropped in the kernel, and
//! that nothing more arrives; *unharmed* that a bystander whose visits go on until the end saw none fail.
//!
//! ```text
//! attacker  192.0.2.66 ──┐
//! bystander 192.0.2.20 ──┴─ switch ── wan0 gateway (the shield) ── server 198.51.100.10
//! ```
#![expect(clippy::print_stdout, reason = "what was measured is told")]

mod channels;
mod inbound;
mod packs;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use testkit::netns::{self, Net};

use crate::common::{BINARY, run, wait_for};

const ATTACKER: &str = "192.0.2.66";
const VISITOR: &str = "192.0.2.20";
const SITE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/tools/site.py");
const BYSTANDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/tools/bystander.py");
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The place, with all that runs in it.
struct Place {
    _switch: Net,
    attacker: Net,
    bystander: Net,
    gateway: Net,
    server: Net,
    folder: tempfile::TempDir,
    running: Vec<Child>,
}

impl Drop for Place {
    fn drop(&mut self) {
        for child in &mut self.running {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// The place, or none where it or a tool cannot be had; says so.
fn place(test: &str, tools: &[&str]) -> Option<Place> {
    if let Err(why) = netns::available() {
        testkit::skip(test, &why);
        return None;
    }
    let missing = ["python3"].iter().chain(tools);
    if let Some(tool) = missing.copied().find(|tool| !testkit::has_program(tool)) {
        testkit::skip(test, &format!("{tool} is not installed"));
        return None;
    }
    let [switch, attacker, bystander, gateway, server] =
        ["switch", "att", "by", "gw", "srv"].map(|name| Net::new(name).unwrap());
    switch.ip("link add br0 type bridge").unwrap();
    switch.ip("link set br0 up").unwrap();
    for (net, device, address) in [
        (&attacker, "eth0", ATTACKER),
        (&bystander, "eth0", VISITOR),
        (&gateway, "wan0", "192.0.2.1"),
    ] {
        let port = format!("p{}", address.rsplit('.').next().unwrap());
        netns::veth(net, device, &switch, &port).unwrap();
        switch.ip(&format!("link set {port} master br0")).unwrap();
        net.ip(&format!("addr add {address}/24 dev {device}"))
            .unwrap();
    }
    netns::veth(&gateway, "lan0", &server, "eth0").unwrap();
    gateway.ip("addr add 198.51.100.1/24 dev lan0").unwrap();
    server.ip("addr add 198.51.100.10/24 dev eth0").unwrap();
    server.ip("route add default via 198.51.100.1").unwrap();
    for outside in [&attacker, &bystander] {
        outside.ip("route add default via 192.0.2.1").unwrap();
    }
    let forward = ["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"];
    gateway.exec("sh", &forward).unwrap();
    Some(Place {
        _switch: switch,
        attacker,
        bystander,
        gateway,
        server,
        folder: tempfile::tempdir().unwrap(),
        running: Vec::new(),
    })
}

impl Place {
    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and gives its name.
    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.at(name), text).unwrap();
        self.at(name).to_str().unwrap().to_owned()
    }

    fn start(&mut self, command: &mut Command) {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.running.push(child.unwrap());
    }

    /// Starts site and shield. The shield has no rules and no hub; `more` is of its configuration.
    fn defend(&mut self, more: &str) {
        let mut site = self.server.command("python3");
        let log = self.at("site.log");
        self.start(site.args([SITE, "80"]).arg(log));
        let (data, eve) = (self.at("data"), self.at("eve.json"));
        let config = format!(
            "name = \"gw\"\ndata = {data:?}\n[capture]\ninterface = \"wan0\"\n[home]\n\
             networks = [\"198.51.100.0/24\"]\n[eve]\nfile = {eve:?}\nalerts_only = true\n{more}"
        );
        let config = self.write("shield.toml", &config);
        if more.contains("[packs]") {
            let why = ["--config", &config, "--why", "the lab"];
            let pack = self.at("web.swpack");
            run(&[&["pack", "admit", pack.to_str().unwrap()], &why[..]].concat());
            let name = ["pack", "promote", "web-attack-baseline", "--percent", "100"];
            run(&[&name, &why[..]].concat());
        }
        let mut shield = self.gateway.command(BINARY);
        self.start(shield.args(["shield", "run", "--config", &config]));
        wait_for("the shield inspects", Duration::from_secs(30), || {
            let text = std::fs::read_to_string(self.at("data/journal.jsonl")).ok()?;
            text.contains("started, ").then_some(())
        });
        wait_for("the site answers", Duration::from_secs(30), || {
            let asked = self.bystander.exec("python3", &[BYSTANDER, "once"]);
            asked.is_ok().then_some(())
        });
    }

    /// Lets a bystander do ordinary work until it is waited for: at its own address, or behind the
    /// attacker's, where it keeps one connection.
    fn bystander(&self, behind_attacker: bool) -> Bystander {
        let (net, manner) = match behind_attacker {
            true => (&self.attacker, "keep"),
            false => (&self.bystander, "each"),
        };
        let stop = self.at(&format!("stop-{manner}"));
        let mut command = net.command("python3");
        command.arg(BYSTANDER).arg(manner).arg(&stop);
        let child = command.stdout(Stdio::piped()).spawn().unwrap();
        Bystander { child, stop }
    }

    /// Starts a tool of the attacker, and writes what it says into a file.
    fn attack(&mut self, tool: &[&str]) {
        let out = std::fs::File::create(self.at("tool.out")).unwrap();
        let mut command = self.attacker.command(tool[0]);
        command.args(&tool[1..]).current_dir(self.folder.path());
        command.env("HOME", self.folder.path());
        let child = command.stdin(Stdio::null()).stdout(out);
        let child = child.stderr(Stdio::null()).spawn();
        self.running.push(child.unwrap());
    }

    /// Requests from an address that reached the site.
    fn arrived(&self, from: &str) -> usize {
        let log = std::fs::read_to_string(self.at("site.log")).unwrap_or_default();
        let of = |line: &&str| line.split(' ').next() == Some(from);
        log.lines().filter(of).count()
    }

    /// Nothing of the attacker reaches the site from here on, for ten seconds.
    fn is_stopped(&self, tool: &str) {
        let pause = |seconds| std::thread::sleep(Duration::from_secs(seconds));
        // what was in the server already
        pause(1);
        let before = self.arrived(ATTACKER);
        pause(10);
        assert_eq!(self.arrived(ATTACKER), before, "{tool} goes on");
        println!(
            "{tool}: {before} requests arrived before it was dropped, none in ten seconds since"
        );
    }

    /// The journal's events of a kind.
    fn events(&self, kind: &str) -> Vec<Value> {
        records(&self.at("data/journal.jsonl"))
            .filter(|line| line["event"] == kind)
            .collect()
    }

    /// Waits for a lease against the attacker that does this.
    fn leased(&self, action: &str, within: Duration) -> Value {
        let what = format!("a lease against the attacker: {action}");
        let begun = Instant::now();
        let lease = wait_for(&what, within, || {
            let mut leases = self.leases().into_iter();
            leases.find(|lease| lease["action"] == action)
        });
        println!("{action} after {:.1} s", begun.elapsed().as_secs_f64());
        lease
    }

    /// The leases so far. None is against anybody but the attacker.
    fn leases(&self) -> Vec<Value> {
        let leases = self.events("lease");
        for lease in &leases {
            assert_eq!(lease["key"]["source"], format!("{ATTACKER}/32"), "{lease}");
        }
        leases
    }

    /// Waits for an alert of this number; it names the attacker unless it is about a victim.
    fn alert(&self, signature: u64, within: Duration) -> Value {
        wait_for("an alert", within, || {
            records(&self.at("eve.json"))
                .find(|record| record["alert"]["signature_id"] == signature)
        })
    }

    /// No lease names anybody but the attacker, and the bystander saw no failure.
    fn is_unharmed(&self, bystander: Bystander) {
        std::fs::write(&bystander.stop, "").unwrap();
        let output = bystander.child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "the bystander saw a failure: {said}"
        );
        let visits: u32 = said.trim().parse().unwrap();
        assert!(visits > 20, "only {visits} visits");
        println!("bystander: {visits} visits, none failed");
        self.leases();
    }
}

/// Somebody at work.
struct Bystander {
    child: Child,
    stop: PathBuf,
}

fn records(file: &Path) -> impl Iterator<Item = Value> + use<> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines
        .into_iter()
        .filter_map(|line| serde_json::from_str(&line).ok())
}

/// What the reasons of an alert say.
fn reasons(alert: &Value) -> String {
    alert["shieldwall"]["reasons"].to_string()
}
