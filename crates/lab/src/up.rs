//! Bringing a lab up and taking it down.

use std::{
    fs,
    io::Write,
    net::{IpAddr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, bail};

use crate::{
    Options,
    link::{self, Impairment},
    node::Tally,
    process::{Daemon, run, until},
    space::Space,
    state::{Lab, State, URL, read_json},
    topology::{BYSTANDERS, BYSTANDERS_SIX, CUSTOMER, HUB, NAT_PUBLIC, Partner, Place, UPLINK},
};

/// How long a process may take to become ready.
const READY_MAX: Duration = Duration::from_secs(20);
/// How long one call of the binary may take.
pub(crate) const CALL_MAX: Duration = Duration::from_secs(20);
/// Ports with a web server.
pub(crate) const HTTP_PORTS: [u16; 5] = [25, 53, 80, 443, 8080];
/// The port with the echo that bystanders use.
pub(crate) const ECHO_PORT: u16 = 7;
/// The port of the sink.
pub(crate) const SINK_PORT: u16 = 9999;
/// The port that probes of web servers go to.
pub(crate) const WEB_PORT: u16 = 80;
/// How often a bystander opens a session anew. Rare, since each counts as recent and benign for ten
/// minutes, and shields only monitor an address with more than a few of them.
const NEW_EVERY_MS: u32 = 40_000;

pub(crate) fn up(options: &Options, out: &mut dyn Write) -> anyhow::Result<()> {
    let lab = Lab::new(options);
    if lab.topology.spaces().any(|space| space.exists()) {
        let dir = lab.dir.display();
        bail!("a lab is up in {dir} already: `shieldwall lab down --dir {dir}` removes it");
    }
    tools()?;
    let result = bring_up(&lab, out);
    if result.is_err() {
        // The logs stay for whoever looks into it; the error holds the last lines of the culprit.
        remove(&lab).context("and taking down what was started failed too")?;
    }
    result
}

pub(crate) fn down(options: &Options, out: &mut dyn Write) -> anyhow::Result<()> {
    let lab = Lab::new(options);
    remove(&lab)?;
    for entry in ENTRIES {
        let path = lab.path(entry);
        let removed = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("removing {}", path.display()));
            }
            _ => {}
        }
    }
    // Stays when a measurement, or something that is not ours, is in it.
    fs::remove_dir(&lab.dir).ok();
    writeln!(out, "lab in {} is down", lab.dir.display())?;
    Ok(())
}

/// What a lab puts into its folder, apart from the last measurement, which stays.
const ENTRIES: [&str; 11] = [
    "agency",
    "alpha",
    "bravo",
    "bystanders.json",
    "customer.json",
    "hub",
    "hub.toml",
    "impair.pid",
    "lab.json",
    "logs",
    "sink.jsonl",
];

/// Removes all namespaces with what runs in them, and unmounts what shields mounted for their
/// pinned maps.
fn remove(lab: &Lab) -> anyhow::Result<()> {
    let results: Vec<_> = lab.topology.spaces().map(|space| space.remove()).collect();
    for partner in Partner::ALL {
        unmount(&pins(lab, partner))?;
    }
    results.into_iter().collect()
}

fn unmount(folder: &Path) -> anyhow::Result<()> {
    let mounts = fs::read_to_string("/proc/self/mounts").context("reading the mounts")?;
    let folder = folder.display().to_string();
    for _ in mounts
        .lines()
        .filter(|line| line.split(' ').nth(1) == Some(&folder))
    {
        run(Command::new("umount").arg(&folder), CALL_MAX)?.text()?;
    }
    Ok(())
}

fn tools() -> anyhow::Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("the lab makes network namespaces and loads XDP programs: run it as root");
    }
    for (tool, package) in TOOLS {
        let path = std::env::var_os("PATH").unwrap_or_default();
        if !std::env::split_paths(&path).any(|folder| folder.join(tool).is_file()) {
            bail!("{tool} is not installed: apt-get install {package}");
        }
    }
    Ok(())
}

const TOOLS: [(&str, &str); 6] = [
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("nft", "nftables"),
    ("nmap", "nmap"),
    ("curl", "curl"),
    ("hping3", "hping3"),
];

fn bring_up(lab: &Lab, out: &mut dyn Write) -> anyhow::Result<()> {
    fs::create_dir_all(lab.logs()).with_context(|| format!("making {}", lab.dir.display()))?;
    network(lab, out)?;
    servers(lab)?;
    writeln!(out, "servers of alpha and bravo answer")?;
    hub(lab)?;
    writeln!(out, "hub listens on {}", Lab::hub_url())?;
    enrol(lab, AGENCY, "agency", Place::Hub)?;
    for partner in Partner::ALL {
        enrol(lab, partner.name(), "operator", Place::Gateway(partner))?;
        shield(lab, partner)?;
    }
    writeln!(
        out,
        "agency, alpha and bravo are enrolled; shields run in enforce mode, and share"
    )?;
    writeln!(
        out,
        "  what they see as TLP:GREEN (the default is to share nothing)"
    )?;
    bystanders(lab)?;
    writeln!(out, "bystanders hold {} sessions", sessions().len())?;
    let url_indicator = publish(lab)?;
    writeln!(
        out,
        "agency shared {URL} as {url_indicator}; both shields know it"
    )?;
    lab.save(&State {
        url_indicator,
        impairment: Impairment::default(),
    })?;
    writeln!(out, "lab is up in {}", lab.dir.display())?;
    Ok(())
}

/// The namespaces and links, without any process.
pub(crate) fn network(lab: &Lab, out: &mut dyn Write) -> anyhow::Result<()> {
    lab.topology.create()?;
    let means = link::set(lab, &Impairment::default())?;
    writeln!(
        out,
        "namespaces made: everyone behind the router shares {NAT_PUBLIC}; hub links:"
    )?;
    writeln!(out, "  {}", means.describe())?;
    Ok(())
}

/// Web servers, echo servers and the sink.
pub(crate) fn servers(lab: &Lab) -> anyhow::Result<()> {
    for partner in Partner::ALL {
        let place = Place::Server(partner);
        let mut command = lab.node(place, "server");
        for port in HTTP_PORTS {
            command.args(["--http", &port.to_string()]);
        }
        command.args(["--echo", &ECHO_PORT.to_string()]);
        let name = format!("server-{}", partner.name());
        let mut server = Daemon::start(&name, &lab.logs(), &mut command)?;
        let space = lab.topology.space(place);
        server.ready(READY_MAX, || {
            Ok(listens(&space, (partner.server(), ECHO_PORT)))
        })?;
    }
    // B's server would answer each segment of a probe, which belongs to no connection, by a reset.
    lab.topology.space(Place::Server(Partner::B)).exec("nft", &[&format!(
        "add table inet quiet; add chain inet quiet out {{ type filter hook output priority 0 ; }}; \
         add rule inet quiet out tcp sport {WEB_PORT} tcp flags & rst == rst drop"
    )])?;
    let log = sink_log(lab);
    let mut command = lab.node(Place::Server(Partner::B), "sink");
    command
        .args(["--port", &SINK_PORT.to_string(), "--out"])
        .arg(&log);
    Daemon::start("sink", &lab.logs(), &mut command)?.ready(READY_MAX, || Ok(log.exists()))
}

/// Where the sink logs.
pub(crate) fn sink_log(lab: &Lab) -> PathBuf {
    lab.path("sink.jsonl")
}

fn listens(space: &Space, address: impl Into<SocketAddr>) -> bool {
    let (address, bound) = (address.into(), Duration::from_secs(1));
    space
        .enter(|| Ok(TcpStream::connect_timeout(&address, bound).map(drop)?))
        .is_ok()
}

fn hub(lab: &Lab) -> anyhow::Result<()> {
    let (data, config) = (lab.path("hub"), lab.path("hub.toml"));
    let text = format!(
        "data = {data:?}\nlisten = \"{}\"\nnames = [\"{HUB}\"]\ncommunity = \"lab\"\n\
         default_tlp = \"TLP:AMBER\"\n",
        Lab::hub_address()
    );
    fs::write(&config, text)?;
    let mut command = lab.command(Place::Hub, &["hub", "run", "--config"]);
    let mut hub = Daemon::start("hub", &lab.logs(), command.arg(&config))?;
    let space = lab.topology.space(Place::Hub);
    hub.ready(READY_MAX, || Ok(listens(&space, Lab::hub_address())))
}

fn enrol(lab: &Lab, name: &str, role: &str, place: Place) -> anyhow::Result<()> {
    let hub_url = Lab::hub_url();
    let mut invite = lab.command(Place::Hub, &["partner", "invite", name, "--role", role]);
    invite
        .args(["--hub", &hub_url, "--data"])
        .arg(lab.path("hub"));
    let text = run(&mut invite, CALL_MAX)?.text()?;
    let invitation = text
        .split_whitespace()
        .find(|word| word.starts_with("sw1."))
        .with_context(|| format!("no invitation in what `partner invite` printed:\n{text}"))?;
    let identity = lab.identity(name);
    fs::create_dir_all(lab.path(name))?;
    let mut enrol = lab.command(place, &["partner", "enrol", invitation, "--identity"]);
    run(enrol.arg(&identity), CALL_MAX)?.text().map(drop)
}

fn shield(lab: &Lab, partner: Partner) -> anyhow::Result<()> {
    let folder = lab.path(partner.name());
    let config = folder.join("shield.toml");
    fs::create_dir_all(folder.join("shield"))?;
    fs::create_dir_all(pins(lab, partner))?;
    fs::write(&config, shield_toml(lab, partner))?;
    let place = Place::Gateway(partner);
    let mut command = lab.command(place, &["shield", "run", "--config"]);
    let name = format!("shield-{}", partner.name());
    let mut shield = Daemon::start(&name, &lab.logs(), command.arg(&config))?;
    let space = lab.topology.space(place);
    shield.ready(READY_MAX, || Ok(guards(&space)))
}

fn shield_toml(lab: &Lab, partner: Partner) -> String {
    let name = partner.name();
    let data = lab.path(name).join("shield");
    let networks = partner.networks();
    format!(
        "name = \"shield-{name}\"\ndata = {data:?}\n\n\
         [hub]\nurl = \"{}\"\nidentity = {:?}\n\n\
         [capture]\ninterface = \"{UPLINK}\"\n\n\
         [enforce]\nmode = \"native\"\npin = {:?}\n\n\
         [policy]\naction = \"enforce\"\n\n\
         [protect]\nnetworks = {networks:?}\nautomatic = true\n\n\
         [home]\nnetworks = {networks:?}\n\n\
         # The lab shares what it sees; without this section nothing would leave.\n\
         [share]\ntlp = \"TLP:GREEN\"\naudience = []\n",
        Lab::hub_url(),
        lab.identity(name),
        pins(lab, partner),
    )
}

fn pins(lab: &Lab, partner: Partner) -> PathBuf {
    lab.path(partner.name()).join("bpf")
}

/// Whether an XDP program sits on the uplink.
fn guards(space: &Space) -> bool {
    space
        .exec("ip", &["link", "show", "dev", UPLINK])
        .is_ok_and(|text| text.contains("xdp"))
}

/// Who holds sessions with whom: every bystander with both partners.
fn sessions() -> Vec<String> {
    let four = BYSTANDERS.map(IpAddr::from);
    let six = BYSTANDERS_SIX.map(IpAddr::from);
    let pairs = four
        .into_iter()
        .chain(six)
        .flat_map(|from| Partner::ALL.map(|partner| (from, partner.server_like(from))));
    pairs
        .map(|(from, to)| format!("{from}={}", SocketAddr::new(to, ECHO_PORT)))
        .collect()
}

/// Starts the bystanders and B's customer, and waits for their sessions.
pub(crate) fn bystanders(lab: &Lab) -> anyhow::Result<()> {
    let customer = vec![format!("{CUSTOMER}={}:{ECHO_PORT}", Partner::B.server())];
    for (name, place, sessions) in [
        ("bystanders", Place::Bystanders, sessions()),
        ("customer", Place::Customer, customer),
    ] {
        let tally = lab.path(&format!("{name}.json"));
        let mut command = lab.node(place, "bystander");
        for session in &sessions {
            command.args(["--session", session]);
        }
        command
            .args(["--new-every-ms", &NEW_EVERY_MS.to_string(), "--out"])
            .arg(&tally);
        let mut daemon = Daemon::start(name, &lab.logs(), &mut command)?;
        let all = u64::try_from(sessions.len())?;
        let ready = || Ok(read_json::<Tally>(&tally).is_ok_and(|tally| tally.open == all));
        daemon
            .ready(READY_MAX, ready)
            .with_context(|| format!("{name}: {all} sessions"))?;
    }
    Ok(())
}

/// The tallies of the bystanders and of the customer, together.
pub(crate) fn tally(lab: &Lab) -> anyhow::Result<Tally> {
    let bystanders: Tally = read_json(&lab.path("bystanders.json"))?;
    let customer: Tally = read_json(&lab.path("customer.json"))?;
    Ok(bystanders.and(customer))
}

/// Has the agency share the URL, and waits until both shields have it.
fn publish(lab: &Lab) -> anyhow::Result<String> {
    let identity = lab.identity(AGENCY).display().to_string();
    let mut command = lab.command(Place::Hub, &["share", "--url", URL]);
    command.args([
        "--tlp",
        "TLP:GREEN",
        "--ttl",
        "1d",
        "--why",
        "exploited elsewhere",
    ]);
    command.args(["--hub", &Lab::hub_url(), "--identity", &identity]);
    let text = run(&mut command, CALL_MAX)?.text()?;
    let id = indicator_id(&text)
        .with_context(|| format!("no indicator id in what `share` printed:\n{text}"))?;
    for partner in Partner::ALL {
        let journal = lab.journal(partner);
        let what = format!("{} in {}", id, journal.display());
        until(&what, READY_MAX, || {
            let known = fs::read_to_string(&journal).is_ok_and(|text| text.contains(&id));
            Ok(known.then_some(()))
        })?;
    }
    Ok(id)
}

/// The first `indicator--UUID` of a text.
fn indicator_id(text: &str) -> Option<String> {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words
        .find(|word| word.starts_with("indicator--") && word.len() == ID_LEN)
        .map(str::to_owned)
}

/// `indicator--` and a UUID.
const ID_LEN: usize = 11 + 36;
/// The partner that shares the URL.
const AGENCY: &str = "agency";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_indicator_is_found_in_text_and_in_json() {
        let id = "indicator--26ffb872-1dd9-446e-b6f5-d58527e5b5d2";
        assert_eq!(
            indicator_id(&format!("shared {id} (TLP:GREEN)")).as_deref(),
            Some(id)
        );
        assert_eq!(
            indicator_id(&format!("{{\"id\":\"{id}\"}}")).as_deref(),
            Some(id)
        );
        assert_eq!(indicator_id("indicator--x"), None);
    }

    #[test]
    fn every_bystander_speaks_with_both_partners() {
        let sessions = sessions();
        assert_eq!(sessions.len(), 8);
        assert!(
            sessions.contains(&"10.77.0.20=203.0.113.10:7".to_owned()),
            "{sessions:?}"
        );
        assert!(
            sessions
                .iter()
                .any(|session| session.contains("=[2001:db8:a::10]:7"))
        );
    }
}
