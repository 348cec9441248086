//! Attacks on partner A, with real tools, from inside the attackers' namespaces.

use std::{
    io::Write,
    net::IpAddr,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Options, guard,
    journal::Tail,
    process::{self, run},
    state::{HOST, Lab, URL},
    topology::{Attacker, CUSTOMER, NAT_PUBLIC, Partner, Place, RESOLVER},
    up::{CALL_MAX, tally},
};

/// How long one attack may take.
pub(crate) const ATTACK_MAX: Duration = Duration::from_secs(30);
/// How long `attack` listens to what the shields say after the last packet.
const AFTERMATH: Duration = Duration::from_secs(2);

/// What `lab attack` does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AttackKind {
    /// A connect scan and a request for a listed URL, from each attacker in turn.
    Loop,
    /// A half-open scan, whose failures anyone could have forged.
    Syn,
    /// SYNs in the names of a bystander, the resolver and a customer of B.
    Spoofed,
}

/// What gives an attacker away.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// `nmap -sT` over open and closed ports.
    Scan,
    /// An HTTP request for a URL that the agency shared.
    Url,
}

impl Trigger {
    /// Both, in the order of their turns.
    pub(crate) const ALL: [Self; 2] = [Self::Scan, Self::Url];

    /// Its name in tables.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Url => "url",
        }
    }
}

pub(crate) fn attack(
    options: &Options,
    kind: AttackKind,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let lab = Lab::running(options)?;
    let before = tally(&lab)?;
    let mut journals = Partner::ALL.map(|partner| (partner, Tail::from_end(lab.journal(partner))));
    for (what, mut command) in commands(&lab, kind)? {
        writeln!(out, "{what}")?;
        // An attacker who is cut off may fail or hang: that is the point, and no error of ours.
        let result = run(&mut command, ATTACK_MAX);
        if let Err(error) = result {
            writeln!(out, "  {error:#}")?;
        }
    }
    listen(&mut journals, out)?;
    let after = tally(&lab)?;
    let lost = after.lost.saturating_sub(before.lost);
    writeln!(
        out,
        "bystanders: {} sessions open, {lost} lost during the attack",
        after.open
    )?;
    Ok(())
}

/// An attack under way; ended when dropped.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already, or killed and collected.
        self.0.kill().ok();
        process::wait(&mut self.0, CALL_MAX).ok();
    }
}

/// Starts one attack on A and returns while it runs.
pub(crate) fn start(lab: &Lab, attacker: Attacker, trigger: Trigger) -> anyhow::Result<Running> {
    let mut command = match trigger {
        Trigger::Scan => scan(lab, attacker, "-sT")?,
        Trigger::Url => request(lab, attacker)?,
    };
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().map(Running).context("starting the attack")
}

fn commands(lab: &Lab, kind: AttackKind) -> anyhow::Result<Vec<(String, Command)>> {
    let mut commands = Vec::new();
    match kind {
        AttackKind::Loop => {
            for attacker in Attacker::ALL {
                let from = format!("{} ({})", attacker.seen_as(), attacker.label());
                commands.push((format!("nmap -sT from {from}"), scan(lab, attacker, "-sT")?));
                commands.push((format!("curl {URL} from {from}"), request(lab, attacker)?));
            }
        }
        AttackKind::Syn => {
            let attacker = Attacker::OwnAddress;
            let what = format!("nmap -sS from {}", attacker.seen_as());
            commands.push((what, scan(lab, attacker, "-sS")?));
        }
        AttackKind::Spoofed => {
            for name in [NAT_PUBLIC, RESOLVER, CUSTOMER] {
                commands.push((
                    format!("hping3 -S in the name of {name}"),
                    forge(lab, name.into())?,
                ));
            }
        }
    }
    Ok(commands)
}

/// A scan of ports of which five are open.
fn scan(lab: &Lab, attacker: Attacker, method: &str) -> anyhow::Result<Command> {
    let target = target(attacker)?;
    let mut command = lab
        .topology
        .space(Place::Attacker(attacker))
        .stranger("nmap");
    command.args([
        method,
        "-n",
        "-Pn",
        "-T5",
        "--max-retries",
        "0",
        "--host-timeout",
        "20s",
    ]);
    command.args([
        "-p",
        "7,20-60,80,110,135,139,143,443,445,993,1433,3306,3389,5432,6379,8080",
    ]);
    if target.is_ipv6() {
        command.arg("-6");
    }
    command.arg(target.to_string());
    Ok(command)
}

/// One request for the listed URL.
fn request(lab: &Lab, attacker: Attacker) -> anyhow::Result<Command> {
    let target = target(attacker)?;
    let address = if target.is_ipv6() {
        format!("[{target}]")
    } else {
        target.to_string()
    };
    let mut command = lab
        .topology
        .space(Place::Attacker(attacker))
        .stranger("curl");
    command.args(["--silent", "--output", "/dev/null", "--max-time", "5"]);
    command.args([
        "--noproxy",
        "*",
        "--resolve",
        &format!("{HOST}:80:{address}"),
        URL,
    ]);
    Ok(command)
}

/// SYNs with a source address that is not the sender's.
fn forge(lab: &Lab, name: IpAddr) -> anyhow::Result<Command> {
    let attacker = Attacker::OwnAddress;
    let target = target(attacker)?.to_string();
    let mut command = lab
        .topology
        .space(Place::Attacker(attacker))
        .stranger("hping3");
    command.args(["--syn", "--spoof", &name.to_string(), "--destport", "++20"]);
    command.args(["--interval", "u2000", "--count", "200", "--quiet", &target]);
    Ok(command)
}

/// A's server, in the attacker's address family.
fn target(attacker: Attacker) -> anyhow::Result<IpAddr> {
    let target = Partner::A.server_like(attacker.seen_as());
    guard::address_of_a_lab(target)?;
    Ok(target)
}

/// Prints what the shields decide meanwhile.
fn listen(journals: &mut [(Partner, Tail)], out: &mut dyn Write) -> anyhow::Result<()> {
    let started = Instant::now();
    while started.elapsed() < AFTERMATH {
        for (partner, journal) in journals.iter_mut() {
            for event in journal.poll::<Value>()? {
                if let Some(line) = in_words(&event) {
                    writeln!(out, "  {}: {line}", partner.name())?;
                }
            }
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// One line for an event that people want to see.
fn in_words(event: &Value) -> Option<String> {
    let name = event.get("event")?.as_str()?;
    let fields = SHOWN.iter().find(|(event, _)| *event == name)?.1;
    let fields = fields.iter().filter_map(|field| {
        let value = event.get(*field).filter(|value| !value.is_null())?;
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        Some(format!("{field} {text}"))
    });
    Some(format!("{name}: {}", fields.collect::<Vec<_>>().join(", ")))
}

/// Events that `attack` shows, with their fields.
const SHOWN: [(&str, &[&str]); 5] = [
    ("verdict", &["offender", "evidence", "detector", "reasons"]),
    ("lease", &["origin", "key", "action", "object"]),
    ("refused", &["selector", "why"]),
    ("first-hit", &["object"]),
    ("revoked", &["object"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_become_lines_and_the_others_stay_silent() {
        let event = serde_json::json!({
            "event": "verdict", "offender": "192.0.2.9", "evidence": "path-proven",
            "detector": "scan-trw@1", "reasons": ["12 of 14 refused"], "mono_ns": 1
        });
        let line = in_words(&event).unwrap();
        assert!(
            line.starts_with("verdict: offender 192.0.2.9, evidence path-proven"),
            "{line}"
        );
        assert_eq!(in_words(&serde_json::json!({"event": "state"})), None);
    }
}
