//! Where everything of a demonstration lies, and the configurations written there.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use stix::Tlp;

use crate::{cli::Up, outcome::Failure};

/// The capture that is replayed when nothing else is given; see `assets/README.md`.
const BUNDLED: &[u8] = include_bytes!("../../../assets/attack.pcap");
/// The network of the server in it.
const BUNDLED_HOME: &str = "198.51.100.0/24";
/// Where the console listens unless told otherwise, and TAXII and push beside it.
const CONSOLE_PORT: u16 = 8080;
const TLS_PORT: u16 = 8443;

/// What the first shield inspects.
pub(super) enum Seen {
    /// The capture in this binary.
    Bundled,
    /// A capture file.
    Pcap(PathBuf),
    /// An interface.
    Interface(String),
}

/// The data folder and what is in it.
pub(super) struct Places {
    /// The folder, absolute.
    pub(super) data: PathBuf,
    /// What the first shield inspects.
    pub(super) seen: Seen,
    /// Rules that it looks for.
    rules: Vec<PathBuf>,
    console: SocketAddr,
    tls: SocketAddr,
}

impl Places {
    /// Makes the folder.
    pub(super) fn make(args: &Up) -> Result<Self, Failure> {
        let name = args.data.display();
        std::fs::create_dir_all(&args.data).map_err(|e| Failure::input(&name, e))?;
        let data = args
            .data
            .canonicalize()
            .map_err(|e| Failure::input(&name, e))?;
        let seen = match (&args.iface, &args.pcap) {
            (Some(interface), _) => Seen::Interface(interface.clone()),
            (None, Some(file)) => Seen::Pcap(absolute(file)?),
            (None, None) => Seen::Bundled,
        };
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let (console, tls) = match args.listen {
            None => (loopback(CONSOLE_PORT), loopback(TLS_PORT)),
            Some(console) => (console, next_port(console)?),
        };
        Ok(Self {
            data,
            seen,
            rules: args
                .rules
                .iter()
                .map(|file| absolute(file))
                .collect::<Result<_, _>>()?,
            console,
            tls,
        })
    }

    /// The hub, with a console that shows the views of `partners`.
    pub(super) fn hub_config(&self, partners: &[&str]) -> hub::Config {
        let data = self.data.join("hub");
        hub::Config {
            packs: vec![hub::packs::PackRepository::community()],
            store: hub::Storage::beside_keys(&data),
            data,
            listen: self.tls,
            names: vec![self.tls.ip().to_string(), "localhost".to_owned()],
            console: Some(self.console),
            console_partners: partners.iter().map(|name| (*name).to_owned()).collect(),
            community: "demonstration".to_owned(),
            default_tlp: Tlp::Amber,
            collections: vec![],
            limits: hub::Limits::default(),
        }
    }

    /// A partner's identity folder.
    pub(super) fn identity(&self, partner: &str) -> PathBuf {
        self.data.join(format!("identity-{partner}"))
    }

    /// The shield that sees traffic. Returns its configuration file.
    pub(super) fn shield_a(&self, partner: &str) -> Result<PathBuf, Failure> {
        let capture = match &self.seen {
            Seen::Bundled => {
                let file = self.data.join("attack.pcap");
                std::fs::write(&file, BUNDLED).map_err(|e| Failure::system(file.display(), e))?;
                replay(&file, true)
            }
            Seen::Pcap(file) => replay(file, false),
            Seen::Interface(name) => format!("[capture]\ninterface = {}\n", quoted(name)),
        };
        let (mode, home) = match &self.seen {
            Seen::Bundled => ("dry-run", vec![BUNDLED_HOME.to_owned()]),
            Seen::Pcap(_) => ("dry-run", Vec::new()),
            Seen::Interface(_) => ("auto", own_addresses()),
        };
        let rules = self.rules.iter();
        let rules: Vec<String> = rules
            .map(|file| quoted(&file.display().to_string()))
            .collect();
        let rules = format!("[rules]\nfiles = [{}]\n", rules.join(", "));
        let text = self.shield(partner, mode, &home)? + &capture + &rules + SHARE;
        self.written(partner, &text)
    }

    /// The shield that only hears of it. Returns its configuration file.
    pub(super) fn shield_b(&self, partner: &str) -> Result<PathBuf, Failure> {
        let text = self.shield(partner, "dry-run", &[])? + SHARE;
        self.written(partner, &text)
    }

    fn shield(&self, partner: &str, mode: &str, home: &[String]) -> Result<String, Failure> {
        let mut text = String::new();
        let home: Vec<String> = home.iter().map(|network| quoted(network)).collect();
        let wrote = write!(
            text,
            "name = {}\ndata = {}\n[hub]\nurl = {}\nidentity = {}\n[enforce]\nmode = \"{mode}\"\n\
             [home]\nnetworks = [{}]\n",
            quoted(&format!("shield-{partner}")),
            quoted(
                &self
                    .data
                    .join(format!("shield-{partner}"))
                    .display()
                    .to_string()
            ),
            quoted(&format!("https://{}", self.tls)),
            quoted(&self.identity(partner).display().to_string()),
            home.join(", "),
        );
        wrote
            .map_err(|e| Failure::system("write a configuration", e))
            .map(|()| text)
    }

    fn written(&self, partner: &str, text: &str) -> Result<PathBuf, Failure> {
        let file = self.data.join(format!("shield-{partner}.toml"));
        std::fs::write(&file, text).map_err(|e| Failure::input(file.display(), e))?;
        Ok(file)
    }
}

/// Signals leave as TLP:GREEN, and `up` says so.
const SHARE: &str = "[share]\ntlp = \"TLP:GREEN\"\n";

fn replay(file: &Path, repeat: bool) -> String {
    let file = quoted(&file.display().to_string());
    format!("[capture]\npcap = {file}\npace = \"recorded\"\nshift = true\nrepeat = {repeat}\n")
}

/// Traffic to this host's own addresses is inbound.
fn own_addresses() -> Vec<String> {
    shield::protect::local_addresses()
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn absolute(file: &Path) -> Result<PathBuf, Failure> {
    file.canonicalize()
        .map_err(|e| Failure::input(file.display(), e))
}

fn next_port(console: SocketAddr) -> Result<SocketAddr, Failure> {
    let port = console
        .port()
        .checked_add(1)
        .filter(|_| console.port() != 0)
        .ok_or_else(|| {
            Failure::Input(anyhow::anyhow!(
                "--listen {console}: the next port is needed for TLS too"
            ))
        })?;
    Ok(SocketAddr::new(console.ip(), port))
}
