//! `cargo xtask record`: the bundled demo capture, recorded from real tools in namespaces.
//!
//! One web server with a page that is open to SQL injection, three clients who just use it, and an
//! attacker with nmap, curl and sqlmap. Nothing leaves the namespaces.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use testkit::netns::{Net, veth};

use crate::{install, sh};

/// The largest capture that goes into the binary.
const CAPTURE_BYTES_MAX: u64 = 2 << 20;
/// Who is attacked.
const SERVER: &str = "198.51.100.10";
/// Who attacks.
const ATTACKER: &str = "192.0.2.66";
/// Who just uses the site.
const CLIENTS: [&str; 3] = ["203.0.113.20", "203.0.113.21", "203.0.113.22"];
/// The site's name; clients resolve it by hand.
const HOST: &str = "www.alpha.example";
/// A URL that other partners know to be an exploit.
const EXPLOIT: &str = "/cgi-bin/upload.php?cmd=wget";
/// The vulnerable site.
const SITE: &str = "xtask/src/record/site.py";

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    testkit::netns::available().map_err(anyhow::Error::msg)?;
    let programs = install::for_recording()?;
    let assets = testkit::workspace_root().join("crates/shieldwall/assets");
    fs::create_dir_all(&assets)?;
    let capture = assets.join("attack.pcap");
    record(&programs, &capture)?;
    let bytes = fs::metadata(&capture)?.len();
    if bytes > CAPTURE_BYTES_MAX {
        bail!(
            "{} has {bytes} bytes, more than {CAPTURE_BYTES_MAX}",
            capture.display()
        );
    }
    fs::write(assets.join("README.md"), readme(&programs, bytes)?)?;
    println!("{}: {bytes} bytes", capture.display());
    Ok(ExitCode::SUCCESS)
}

/// The namespaces of a recording.
struct Scene {
    router: Net,
    server: Net,
    attacker: Net,
    clients: Net,
}

/// A process that ends with its scope.
struct Background(Child);

impl Drop for Background {
    fn drop(&mut self) {
        // Gone already is as good.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn record(programs: &Path, capture: &Path) -> anyhow::Result<()> {
    let scene = scene()?;
    let site = testkit::workspace_root().join(SITE);
    let mut command = scene.server.command("python3");
    let _site = background(command.arg(site).arg(SERVER))?;
    scene.wait_for_site()?;
    let mut dump = scene.router.command("tcpdump");
    dump.args(["-Z", "root", "-i", "to-server", "-s", "0", "-U", "-w"])
        .arg(capture)
        .arg("ip or ip6");
    let mut dump = dump
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    thread::sleep(Duration::from_millis(700));
    let clients = scene.browse(Duration::from_secs(14));
    thread::sleep(Duration::from_secs(2));
    scene.attack(programs)?;
    clients
        .join()
        .map_err(|_| anyhow::anyhow!("the clients' thread failed"))??;
    // tcpdump writes what it has on an interrupt.
    sh(Command::new("kill").args(["-INT", &dump.id().to_string()]))?;
    dump.wait()?;
    Ok(())
}

fn scene() -> anyhow::Result<Scene> {
    let scene = Scene {
        router: Net::new("router")?,
        server: Net::new("server")?,
        attacker: Net::new("attacker")?,
        clients: Net::new("clients")?,
    };
    scene
        .router
        .exec("sysctl", &["-q", "-w", "net.ipv4.ip_forward=1"])?;
    let sides = [
        (&scene.server, "to-server", vec![SERVER]),
        (&scene.attacker, "to-attacker", vec![ATTACKER]),
        (&scene.clients, "to-clients", CLIENTS.to_vec()),
    ];
    for (net, device, addresses) in sides {
        veth(&scene.router, device, net, "eth0")?;
        for address in addresses {
            let network = address
                .rsplit_once('.')
                .map_or(address, |(network, _)| network);
            // The same again for the second client: it is there already.
            scene
                .router
                .ip(&format!("addr add {network}.1/24 dev {device}"))
                .ok();
            net.ip(&format!("addr add {address}/24 dev eth0"))?;
            net.ip(&format!("route replace default via {network}.1"))?;
        }
        // As on a wire: whole checksums, no packets larger than the MTU.
        for (side, name) in [(&scene.router, device), (net, "eth0")] {
            side.exec(
                "ethtool",
                &[
                    "-K", name, "tx", "off", "tso", "off", "gso", "off", "gro", "off",
                ],
            )?;
        }
    }
    Ok(scene)
}

impl Scene {
    fn wait_for_site(&self) -> anyhow::Result<()> {
        let started = Instant::now();
        let url = format!("http://{SERVER}/");
        while self
            .server
            .exec("curl", &["-s", "-o", "/dev/null", &url])
            .is_err()
        {
            if started.elapsed() > Duration::from_secs(10) {
                bail!("the site does not answer");
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Clients look at pages for a while, each in turn.
    fn browse(&self, lasting: Duration) -> thread::JoinHandle<anyhow::Result<()>> {
        const PAGES: [&str; 5] = ["/", "/style.css", "/item?id=1", "/item?id=3", "/about"];
        let mut requests: Vec<_> = CLIENTS
            .iter()
            .zip([
                "Mozilla/5.0 (X11; Linux x86_64)",
                "Mozilla/5.0 (Macintosh)",
                "Wget/1.21.3",
            ])
            .flat_map(|(client, agent)| PAGES.map(|page| (client, agent, page)))
            .map(|(client, agent, page)| {
                self.get(&self.clients, page, &["--interface", client, "-A", agent])
            })
            .collect();
        thread::spawn(move || {
            let started = Instant::now();
            while started.elapsed() < lasting {
                for request in &mut requests {
                    request.status().context("a client's curl")?;
                    thread::sleep(Duration::from_millis(230));
                }
            }
            Ok(())
        })
    }

    fn get(&self, net: &Net, page: &str, more: &[&str]) -> Command {
        let mut command = net.command("curl");
        command
            .args(["-s", "-o", "/dev/null", "--max-time", "5", "--noproxy", "*"])
            .args(more);
        command.args(["--resolve", &format!("{HOST}:80:{SERVER}")]);
        command.arg(format!("http://{HOST}{page}"));
        command
    }

    fn attack(&self, programs: &Path) -> anyhow::Result<()> {
        println!("nmap -sT");
        self.attacker.exec(
            "nmap",
            &[
                "-sT",
                "-n",
                "-Pn",
                "-T4",
                "--max-retries",
                "0",
                "-p",
                "1-60,80,443,3306,8080",
                SERVER,
            ],
        )?;
        println!("curl {EXPLOIT}");
        sh(&mut self.get(&self.attacker, EXPLOIT, &["-A", "curl/7.88.1"]))?;
        println!("sqlmap");
        let output = tempdir()?;
        let mut sqlmap = self
            .attacker
            .command(programs.join("sqlmap").to_string_lossy().as_ref());
        sqlmap.args([
            "--batch",
            "--flush-session",
            "--technique",
            "BU",
            "--dbms",
            "sqlite",
        ]);
        sqlmap.args([
            "--disable-coloring",
            "--dump",
            "-T",
            "users",
            "--timeout",
            "5",
        ]);
        sqlmap.arg("--output-dir").arg(&output);
        sqlmap.args([
            "-u",
            &format!("http://{SERVER}/item?id=1"),
            "-H",
            &format!("Host: {HOST}"),
        ]);
        let result = sqlmap.env("HOME", &output).stdin(Stdio::null()).output()?;
        fs::remove_dir_all(&output)?;
        let said = String::from_utf8_lossy(&result.stdout);
        if !said.contains("correct horse") {
            bail!("sqlmap did not dump the users' table:\n{said}");
        }
        Ok(())
    }
}

fn background(command: &mut Command) -> anyhow::Result<Background> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok(Background(command.spawn()?))
}

fn tempdir() -> anyhow::Result<PathBuf> {
    let path = testkit::workspace_root().join("target/record");
    fs::create_dir_all(&path)?;
    Ok(path)
}

fn readme(programs: &Path, bytes: u64) -> anyhow::Result<String> {
    let version = |program: &Path, flag: &str| -> anyhow::Result<String> {
        let output = Command::new(program).arg(flag).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(text
            .lines()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default()
            .trim()
            .to_owned())
    };
    let nmap = version(Path::new("nmap"), "--version")?;
    let curl = version(Path::new("curl"), "--version")?;
    let curl: Vec<_> = curl.split_whitespace().take(2).collect();
    let sqlmap = version(&programs.join("sqlmap"), "--version")?;
    Ok(README
        .replace("{bytes}", &bytes.to_string())
        .replace("{nmap}", &nmap)
        .replace("{curl}", &curl.join(" "))
        .replace("{sqlmap}", &sqlmap)
        .replace("{server}", SERVER)
        .replace("{attacker}", ATTACKER)
        .replace("{clients}", &CLIENTS.join(", "))
        .replace("{host}", HOST)
        .replace("{exploit}", EXPLOIT))
}

const README: &str = include_str!("record/README.in.md");
