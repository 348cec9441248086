//! Attackers' own tools against a shield without any rule: packs and behaviour detectors alone, in
//! network namespaces, beside a bystander whom nobody may harm.
//!
//! ```text
//! attacker  192.0.2.66 ──┐
//! bystander 192.0.2.20 ──┴─ switch ── wan0 gateway (the shield) ── server 198.51.100.10
//! ```

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::Value;
use testkit::netns::{self, Net};

use crate::common::{BINARY, alone, run, wait_for};

const ATTACKER: &str = "192.0.2.66";
const SITE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/tools_site.py");
const BYSTANDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/tools_bystander.py");
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
        (&bystander, "eth0", "192.0.2.20"),
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

    /// Starts site and shield. The shield has no rules and no hub.
    fn defend(&mut self, packs: &str) {
        let mut site = self.server.command("python3");
        self.start(site.args([SITE, "80"]));
        let (data, eve) = (self.at("data"), self.at("eve.json"));
        let config = format!(
            "name = \"gw\"\ndata = {data:?}\n[capture]\ninterface = \"wan0\"\n[home]\n\
             networks = [\"198.51.100.0/24\"]\n[eve]\nfile = {eve:?}\nalerts_only = true\n{packs}"
        );
        let config = self.write("shield.toml", &config);
        if !packs.is_empty() {
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
            let asked = self.bystander.exec("python3", &[BYSTANDER, "1"]);
            asked.is_ok().then_some(())
        });
    }

    /// Lets a bystander do ordinary work until it is waited for.
    fn bystander(&self, requests: u32) -> Child {
        let mut command = self.bystander.command("python3");
        command.args([BYSTANDER, &requests.to_string()]);
        command.stdout(Stdio::null()).spawn().unwrap()
    }

    /// Runs a tool of the attacker for that long at most.
    fn attack(&mut self, tool: &[&str]) {
        let mut command = self.attacker.command(tool[0]);
        command.args(&tool[1..]).current_dir(self.folder.path());
        command.env("HOME", self.folder.path());
        self.start(&mut command);
    }

    /// The journal's events of a kind.
    fn events(&self, kind: &str) -> Vec<Value> {
        records(&self.at("data/journal.jsonl"))
            .filter(|line| line["event"] == kind)
            .collect()
    }

    /// Waits for a lease against the attacker that does this.
    fn leased(&self, action: &str, within: Duration) -> Value {
        wait_for("a lease against the attacker", within, || {
            let mut leases = self.events("lease").into_iter();
            leases.find(|lease| {
                lease["key"]["source"] == format!("{ATTACKER}/32") && lease["action"] == action
            })
        })
    }

    /// Waits for an alert of this number; it names the attacker unless it is about a victim.
    fn alert(&self, signature: u64, within: Duration) -> Value {
        wait_for("an alert", within, || {
            records(&self.at("eve.json"))
                .find(|record| record["alert"]["signature_id"] == signature)
        })
    }

    /// No lease names anybody but the attacker, and the bystander saw no failure.
    fn is_unharmed(&self, bystander: &mut Child) {
        let done = bystander.wait().unwrap();
        assert!(done.success(), "the bystander saw a failure: {done}");
        for lease in self.events("lease") {
            assert_eq!(lease["key"]["source"], format!("{ATTACKER}/32"), "{lease}");
        }
    }
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

#[test]
fn ffuf_is_dropped_for_the_paths_that_it_guesses() {
    let _turn = alone();
    let test = "ffuf_is_dropped_for_the_paths_that_it_guesses";
    let Some(mut place) = place(test, &["ffuf"]) else {
        return;
    };
    place.defend("");
    let words: String = (0..5_000).map(|word| format!("word{word}\n")).collect();
    let words = place.write("words", &words);
    let mut bystander = place.bystander(40);
    let url = "http://198.51.100.10/FUZZ";
    place.attack(&["ffuf", "-u", url, "-w", &words, "-t", "4"]);
    place.leased("drop", Duration::from_secs(20));
    let alert = place.alert(9_100_004, Duration::from_secs(10));
    assert!(
        reasons(&alert).contains("different paths were not there"),
        "{alert}"
    );
    place.is_unharmed(&mut bystander);
}

/// Before each guess it asks for the form, in a session that nothing speaks against: so it is taken for
/// a shared address, and limited. With several tasks it earns more of those, and is only watched.
#[test]
fn hydra_is_limited_for_the_logins_that_it_guesses() {
    let _turn = alone();
    let test = "hydra_is_limited_for_the_logins_that_it_guesses";
    let Some(mut place) = place(test, &["hydra"]) else {
        return;
    };
    place.defend("");
    let words: String = (0..500).map(|word| format!("guess{word}\n")).collect();
    let words = place.write("words", &words);
    let mut bystander = place.bystander(40);
    let form = "/login:user=^USER^&password=^PASS^:F=login failed";
    place.attack(&[
        "hydra",
        "-l",
        "admin",
        "-P",
        &words,
        "-t",
        "1",
        "198.51.100.10",
        "http-post-form",
        form,
    ]);
    place.leased("rate-limit", Duration::from_secs(40));
    let alert = place.alert(9_100_003, Duration::from_secs(10));
    assert!(
        reasons(&alert).contains("different logins were refused"),
        "{alert}"
    );
    place.is_unharmed(&mut bystander);
}

/// The sessions in which the model finds nothing speak for the attacker: limited, not dropped.
#[test]
fn sqlmap_is_limited_for_what_a_pack_finds_in_its_requests() {
    let _turn = alone();
    let test = "sqlmap_is_limited_for_what_a_pack_finds_in_its_requests";
    let Some(mut place) = place(test, &["sqlmap"]) else {
        return;
    };
    let packs = pack_that_may_block(&place);
    place.defend(&packs);
    let mut bystander = place.bystander(40);
    let url = "http://198.51.100.10/item?id=1";
    place.attack(&[
        "sqlmap",
        "-u",
        url,
        "--batch",
        "--flush-session",
        "--technique",
        "B",
        "--retries",
        "0",
    ]);
    place.leased("rate-limit", Duration::from_secs(40));
    let alert = place.alert(9_300_001, Duration::from_secs(10));
    let model = &alert["shieldwall"]["model"];
    // it also sends attacks in parameters of its own, to see whether anybody looks
    assert!(
        model["field"].as_str().unwrap().starts_with("query "),
        "{alert}"
    );
    assert!(!model["text"].as_str().unwrap().is_empty(), "{alert}");
    place.is_unharmed(&mut bystander);
}

/// Signs the bundled pack anew with leave to block and evidence of a red team; gives the shield's
/// section that takes it.
fn pack_that_may_block(place: &Place) -> String {
    let key = place.at("lab.pem");
    let key = key.to_str().unwrap();
    let public = run(&["pack", "keygen", "--out", key]);
    let public = public
        .split("public = \"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap();
    let trust = format!("threshold = 1\n[[key]]\nholder = \"Lab\"\npublic = \"{public}\"\n");
    let trust = place.write("trust.toml", &trust);
    let admission = "capabilities = [\"tag\", \"alert\", \"rate-limit\", \"block\"]\nevidence = true\n\
                     trained_days_max = 100000\n\
                     [promotion]\ndwell_s = 0\ncanary_sessions_min = 0\n";
    let admission = place.write("admission.toml", admission);
    let folder = place.at("pack");
    std::fs::create_dir(&folder).unwrap();
    let bundled = format!("{ROOT}/models/packs/web-attack.swpack");
    let at = ["-C", folder.to_str().unwrap()];
    let files = ["models/model.onnx", "pack.json"];
    let mut tar = Command::new("tar");
    let done = tar.args(["xf", &bundled]).args(at).args(files).status();
    assert!(done.unwrap().success());
    let text = std::fs::read(folder.join("pack.json")).unwrap();
    let mut manifest: Value = serde_json::from_slice(&text).unwrap();
    manifest["publisher"] = "Lab".into();
    manifest["capabilities"] = serde_json::json!(["tag", "alert", "rate-limit", "block"]);
    let fields = manifest.as_object_mut().unwrap();
    fields.remove("schema");
    fields.remove("files");
    std::fs::write(folder.join("pack.json"), manifest.to_string()).unwrap();
    let (folder, pack) = (folder.to_str().unwrap(), place.at("web.swpack"));
    let pack = pack.to_str().unwrap();
    let sign = || {
        run(&["pack", "build", folder, "--out", pack]);
        run(&["pack", "sign", pack, "--key", key]);
    };
    sign();
    let suite = place.write("suite.toml", SUITE);
    std::fs::copy(
        format!("{ROOT}/models/suites/web-own.jsonl"),
        place.at("web-own.jsonl"),
    )
    .unwrap();
    run(&[
        "redteam", "run", "--pack", pack, "--trust", &trust, "--suite", &suite, "--out", folder,
    ]);
    sign();
    format!("[packs]\ntrust = {trust:?}\nadmission = {admission:?}\n")
}

/// What evidence takes a second.
const SUITE: &str = "schema = \"https://shieldwall.dev/redteam-suite/v1\"\nname = \"web-own\"\n\
                     task = \"web-attack\"\nseed = 1\nsamples = \"web-own.jsonl\"\nfpr = 0.001\n\
                     malicious_max = 20\nbenign_max = 20\n";

/// A tunnel names a victim of ours and no offender: it is told, and nothing is dropped.
#[test]
fn iodine_is_told_with_what_its_names_carry_and_goes_on() {
    let _turn = alone();
    let test = "iodine_is_told_with_what_its_names_carry_and_goes_on";
    let Some(mut place) = place(test, &["iodine", "iodined"]) else {
        return;
    };
    if !Path::new("/dev/net/tun").exists() {
        return testkit::skip(test, "there is no /dev/net/tun");
    }
    place.defend("");
    let mut bystander = place.bystander(40);
    let base = "t.tunnel.example";
    let secret = ["-f", "-P", "secret"];
    let its = [&["iodined"], &secret[..], &["10.99.0.1", base]].concat();
    place.attack(&its);
    let mut client = place.server.command("iodine");
    client.args(secret).args(["-r", ATTACKER, base]);
    place.start(&mut client);
    let alert = place.alert(9_400_002, Duration::from_secs(60));
    assert!(reasons(&alert).contains("look like a tunnel"), "{alert}");
    assert_eq!(alert["src_ip"], "198.51.100.10", "{alert}");
    assert!(alert["shieldwall"].get("offender").is_none(), "{alert}");
    place.is_unharmed(&mut bystander);
    assert_eq!(place.events("lease"), Vec::<Value>::new());
}

/// As a tunnel: regular contacts name a victim. It takes a minute, so only long runs look.
#[test]
fn a_beacon_is_told_with_its_period_and_goes_on() {
    let _turn = alone();
    let test = "a_beacon_is_told_with_its_period_and_goes_on";
    if !testkit::long() {
        return testkit::skip(test, "it takes more than a minute");
    }
    let Some(mut place) = place(test, &[]) else {
        return;
    };
    place.defend("");
    let mut bystander = place.bystander(40);
    place.attack(&["python3", SITE, "8080"]);
    let beats = "import time, urllib.request\nwhile True:\n time.sleep(3)\n try: urllib.request.urlopen(\
                 'http://192.0.2.66:8080/', timeout=2).read()\n except OSError: pass\n";
    let mut infected = place.server.command("python3");
    infected.args(["-c", beats]);
    place.start(&mut infected);
    let alert = place.alert(9_400_003, Duration::from_secs(120));
    assert!(reasons(&alert).contains("gap_median"), "{alert}");
    assert_eq!(alert["src_ip"], "198.51.100.10", "{alert}");
    place.is_unharmed(&mut bystander);
    assert_eq!(place.events("lease"), Vec::<Value>::new());
}
