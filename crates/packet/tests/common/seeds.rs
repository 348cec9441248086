//! The seeds of the fuzzers, with the transport that each speaks over.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::path::{Path, PathBuf};

use packet::settings::Settings;
use packet::{Config, Event, Frame, LinkType, Sensor, Way};
use testkit::capture::Frames;
use testkit::conversation::{Conversation, Plan};

/// A conversation with the transport that it speaks over.
#[derive(Debug)]
pub(crate) struct Seed {
    pub(crate) name: String,
    pub(crate) protocol: String,
    pub(crate) port: u16,
    pub(crate) udp: bool,
    pub(crate) bytes: Vec<u8>,
}

/// Protocols whose first bytes fit others too are told by their ports.
const PORTS: &[(&str, u16)] = &[
    ("dhcp", 67),
    ("dns", 53),
    ("enip", 44818),
    ("ike", 500),
    ("krb5", 88),
    ("ldap", 389),
    ("modbus", 502),
    ("quic", 443),
    ("snmp", 161),
    ("tftp", 69),
];
const PORT: u16 = 8080;

/// The conversations written for the protocols.
pub(crate) fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for folder in entries(&fuzz().join("corpus")) {
        for file in entries(&folder) {
            seeds.push(seed(&name(&folder), &file));
        }
    }
    assert!(!seeds.is_empty());
    seeds
}

/// What fuzzers made of the conversations: bytes that go other ways.
pub(crate) fn found() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for protocol in entries(&fuzz().join("corpus")) {
        let folder = fuzz().join("found").join(name(&protocol));
        // a new protocol has seeds, but nobody has fuzzed it yet
        let files = folder.is_dir().then(|| entries(&folder));
        found.extend(
            files
                .into_iter()
                .flatten()
                .map(|file| std::fs::read(file).unwrap()),
        );
    }
    assert!(!found.is_empty());
    found
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn seed(protocol: &str, file: &Path) -> Seed {
    let bytes = std::fs::read(file).unwrap();
    let port = PORTS.iter().find(|(known, _)| *known == protocol);
    let mut seed = Seed {
        name: format!("{protocol}/{}", name(file)),
        protocol: protocol.to_owned(),
        port: port.map_or(PORT, |(_, port)| *port),
        udp: false,
        bytes,
    };
    let over_tcp = Conversation::read(&seed.bytes).tcp(seed.port, Plan::WHOLE);
    seed.udp = !apps(&over_tcp).contains(&seed.app());
    seed
}

/// The protocols that frames turn out to speak.
fn apps(frames: &Frames) -> Vec<&'static str> {
    let mut apps = Vec::new();
    run(frames, &mut |event| {
        if let Event::FlowEnd(flow, _) = event {
            // what HTTP/2 becomes once it carries DNS
            let name = flow.app.name();
            apps.push(if name == "doh2" { "http2" } else { name });
        }
    });
    apps
}

/// Runs a sensor that knows the template, too.
pub(crate) fn run(frames: &Frames, note: &mut dyn FnMut(Event<'_>)) -> Sensor {
    let mut sensor = Sensor::new(config());
    for (ts_ns, data) in frames.iter() {
        let wire_len = u32::try_from(data.len()).unwrap();
        let frame = Frame {
            ts_ns,
            link: LinkType::Ethernet,
            data,
            wire_len,
            way: Way::Unknown,
        };
        sensor.packet(&frame, note);
    }
    sensor.finish(note);
    sensor
}

/// The template is enabled.
pub(crate) fn config() -> Config {
    let settings = Settings::parse("app-layer: {protocols: {template: {enabled: yes}}}").unwrap();
    Config {
        apps: packet::applayer::Options::from_settings(&settings),
        ..Config::default()
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    entries
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

impl Seed {
    /// The protocol's name in records: folders have no hyphens, and tell versions apart.
    pub(crate) fn app(&self) -> &'static str {
        let known = packet::applayer::PROTOCOLS.iter();
        let mut names = known.map(|known| known.name);
        let folder = self.protocol.replace('_', "-");
        let found = names.find(|name| folder == *name || folder.trim_end_matches('1') == *name);
        found.unwrap_or_else(|| panic!("{} is the folder of no protocol", self.protocol))
    }
}
