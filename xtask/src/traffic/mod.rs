//! `cargo xtask traffic (bulk | tls | flows) FILE`: captures to measure with; all but `flows` are
//! made in namespaces from real transfers. What is recorded stays where it is written; only the
//! recipe is kept.
//!
//! `bulk`: downloads and uploads of large files over plain HTTP, four connections at a time. `tls`:
//! thousands of short HTTPS requests, each a connection of its own, and a few large downloads.
//! `flows`: a million HTTP connections that are all open at once.

mod flows;

use std::{
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail};
use testkit::netns::{Net, veth};

use crate::{install, sh};

const SERVER: &str = "198.51.100.10";
const CLIENT: &str = "198.51.100.20";
/// The server of both kinds.
const SITE: &str = "xtask/src/traffic/site.py";
const PORT: u16 = 8000;

/// What is fetched, as a script for the client's shell.
struct Kind {
    name: &'static str,
    tls: bool,
    script: &'static str,
}

const KINDS: [Kind; 2] = [
    Kind {
        name: "bulk",
        tls: false,
        script: "head -c 8000000 /dev/urandom > $DIR/up
            for size in 1000000 40000000 60000000 20000000 3000000 30000000; do
              echo $URL/random/$size; echo $URL/text/$size
            done | xargs -P 4 -n 1 curl -s -o /dev/null
            for n in 1 2 3 4; do curl -s -o /dev/null -T $DIR/up $URL/put/$n; done",
    },
    Kind {
        name: "tls",
        tls: true,
        script: "seq 3000 | xargs -P 8 -I N curl -s -k -o /dev/null $URL/text/2000?N
            for size in 5000000 20000000; do curl -s -k -o /dev/null $URL/random/$size; done",
    },
];

pub(crate) fn run(name: &str, file: &str) -> anyhow::Result<ExitCode> {
    if name == "flows" {
        flows::write(Path::new(file))?;
        println!("{file}: {} bytes", std::fs::metadata(file)?.len());
        return Ok(ExitCode::SUCCESS);
    }
    let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
        bail!("traffic makes bulk, tls or flows");
    };
    testkit::netns::available().map_err(anyhow::Error::msg)?;
    install::for_tests();
    record(kind, Path::new(file))?;
    let bytes = std::fs::metadata(file)?.len();
    println!("{file}: {bytes} bytes");
    Ok(ExitCode::SUCCESS)
}

fn record(kind: &Kind, file: &Path) -> anyhow::Result<()> {
    let (server, client) = (Net::new("server")?, Net::new("client")?);
    veth(&server, "eth0", &client, "eth0")?;
    for (net, address) in [(&server, SERVER), (&client, CLIENT)] {
        net.ip(&format!("addr add {address}/24 dev eth0"))?;
        let off = ["tx", "tso", "gso", "gro"]
            .map(|name| [name, "off"])
            .concat();
        net.exec("ethtool", &[&["-K", "eth0"], &off[..]].concat())?;
    }
    let folder = testkit::workspace_root().join("target/traffic");
    std::fs::create_dir_all(&folder)?;
    let mut site = server.command("python3");
    site.arg(testkit::workspace_root().join(SITE))
        .args([SERVER, &PORT.to_string()]);
    if kind.tls {
        site.arg(certificate(&folder)?);
    }
    let site = quiet(&mut site)?;
    let mut dump = client.command("tcpdump");
    dump.args(["-Z", "root", "-i", "eth0", "-s", "0", "-B", "65536", "-w"])
        .arg(file);
    let dump = quiet(&mut dump)?;
    thread::sleep(Duration::from_millis(1500));
    let scheme = if kind.tls { "https" } else { "http" };
    let mut fetch = client.command("sh");
    fetch
        .args(["-ec", kind.script])
        .env("URL", format!("{scheme}://{SERVER}:{PORT}"));
    let fetched = sh(fetch.env("DIR", &folder));
    thread::sleep(Duration::from_millis(500));
    stop(dump, "-INT")?;
    stop(site, "-KILL")?;
    fetched
}

/// A self-signed certificate with its key, in one file.
fn certificate(folder: &Path) -> anyhow::Result<std::path::PathBuf> {
    let file = folder.join("site.pem");
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
    ]);
    openssl
        .args(["-subj", "/CN=site.example", "-keyout"])
        .arg(&file);
    let made = openssl.output().context("starting openssl")?;
    if !made.status.success() {
        bail!("openssl: {}", String::from_utf8_lossy(&made.stderr));
    }
    let key = std::fs::read(&file)?;
    std::fs::write(&file, [key, made.stdout].concat())?;
    Ok(file)
}

fn quiet(command: &mut Command) -> anyhow::Result<Child> {
    let silent = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    silent
        .spawn()
        .with_context(|| format!("starting {command:?}"))
}

fn stop(mut child: Child, signal: &str) -> anyhow::Result<()> {
    sh(Command::new("kill").args([signal, &child.id().to_string()]))?;
    child.wait()?;
    Ok(())
}
