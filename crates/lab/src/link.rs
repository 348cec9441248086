//! The links between the hub and the shields: plain, or with delay and loss.
//!
//! netem where the kernel has it, else TUN devices and our own process ([`crate::node`], role
//! `impair`). Addresses stay the same, so connections live through a change.

use std::{fs, time::Duration};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::{
    node,
    process::{Daemon, kill},
    space::veth,
    state::Lab,
    topology::{HUB, Partner, Place},
};

/// How long the impairing process may take to make its devices.
const READY_MAX: Duration = Duration::from_secs(10);

/// What is done to the hub's links.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Impairment {
    /// Round trip between hub and shield that is added, in milliseconds: half each way.
    pub(crate) rtt_ms: f64,
    /// Packets lost each way, in percent.
    pub(crate) loss_pct: f64,
    /// Which packets are lost.
    pub(crate) seed: u64,
}

impl Impairment {
    fn is_none(&self) -> bool {
        self.rtt_ms <= 0.0 && self.loss_pct <= 0.0
    }
}

/// What impairs the links.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Means {
    /// Nothing.
    Plain,
    /// The kernel's netem queueing discipline.
    Netem,
    /// Our own process between two TUN devices.
    UserSpace,
}

impl Means {
    /// For people.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Plain => "plain veth, not impaired",
            Self::Netem => "netem of the kernel",
            Self::UserSpace => "our own process between TUN devices (this kernel has no netem)",
        }
    }
}

/// Makes the hub's links as asked for, in place of those that are there.
pub(crate) fn set(lab: &Lab, impairment: &Impairment) -> anyhow::Result<Means> {
    remove(lab)?;
    let means = if impairment.is_none() {
        join_by_veth(lab)?;
        Means::Plain
    } else {
        join_by_veth(lab)?;
        if netem(lab, impairment).is_ok() {
            Means::Netem
        } else {
            remove(lab)?;
            join_by_process(lab, impairment)?;
            Means::UserSpace
        }
    };
    Partner::ALL
        .into_iter()
        .try_for_each(|partner| configure(lab, partner))?;
    Ok(means)
}

/// The device on the gateway's side.
const GATEWAY_DEVICE: &str = "hub0";

fn remove(lab: &Lab) -> anyhow::Result<()> {
    let hub = lab.topology.space(Place::Hub);
    let file = lab.path("impair.pid");
    if let Ok(text) = fs::read_to_string(&file) {
        let pid = text.trim().parse().context("reading impair.pid")?;
        // A pid that is in the hub's namespace no more may be anyone's by now.
        if hub.pids()?.contains(&pid) {
            kill(pid);
        }
        fs::remove_file(&file)?;
    }
    for partner in Partner::ALL {
        // Not there: nothing to remove. A TUN device goes with its process.
        hub.ip(&format!("link del {}", partner.hub_device())).ok();
        lab.topology
            .space(Place::Gateway(partner))
            .ip("link del hub0")
            .ok();
    }
    Ok(())
}

fn join_by_veth(lab: &Lab) -> anyhow::Result<()> {
    let hub = lab.topology.space(Place::Hub);
    Partner::ALL.into_iter().try_for_each(|partner| {
        let gateway = lab.topology.space(Place::Gateway(partner));
        veth(&hub, partner.hub_device(), &gateway, GATEWAY_DEVICE)
    })
}

fn netem(lab: &Lab, impairment: &Impairment) -> anyhow::Result<()> {
    let delay = format!("{}us", impairment.rtt_ms / 2.0 * 1000.0);
    let loss = format!("{}%", impairment.loss_pct);
    let hub = lab.topology.space(Place::Hub);
    for partner in Partner::ALL {
        let gateway = lab.topology.space(Place::Gateway(partner));
        for (space, device) in [(&hub, partner.hub_device()), (&gateway, GATEWAY_DEVICE)] {
            space.exec(
                "tc",
                &[
                    "qdisc", "add", "dev", device, "root", "netem", "delay", &delay, "loss", &loss,
                    "limit", "4096",
                ],
            )?;
        }
    }
    Ok(())
}

fn join_by_process(lab: &Lab, impairment: &Impairment) -> anyhow::Result<()> {
    let mut command = lab.command(Place::Hub, &["lab", "node", "impair"]);
    for partner in Partner::ALL {
        // Names that no other device has while both ends are still in the hub's namespace.
        command.args(["--link", &format!("{0}={0}-g", partner.hub_device())]);
    }
    command.args(["--one-way-ms", &(impairment.rtt_ms / 2.0).to_string()]);
    command.args(["--loss-pct", &impairment.loss_pct.to_string()]);
    command.args(["--seed", &impairment.seed.to_string()]);
    let mut daemon = Daemon::start("impair", &lab.logs(), &mut command)?;
    fs::write(lab.path("impair.pid"), daemon.pid().to_string())?;
    daemon.ready(
        READY_MAX,
        || Ok(daemon_log(lab).contains(node::LINKS_READY)),
    )?;
    let hub = lab.topology.space(Place::Hub);
    for partner in Partner::ALL {
        let gateway = lab.topology.space(Place::Gateway(partner));
        let device = partner.hub_device();
        hub.ip(&format!(
            "link set {device}-g netns {} name {GATEWAY_DEVICE}",
            gateway.name()
        ))?;
        hub.ip(&format!("link set {device} up"))?;
        gateway.ip(&format!("link set {GATEWAY_DEVICE} up"))?;
    }
    Ok(())
}

fn daemon_log(lab: &Lab) -> String {
    fs::read_to_string(lab.logs().join("impair.log")).unwrap_or_default()
}

/// Addresses and routes; a removed device takes them along.
fn configure(lab: &Lab, partner: Partner) -> anyhow::Result<()> {
    let (device, side) = (partner.hub_device(), partner.hub_side());
    lab.topology
        .space(Place::Hub)
        .ip(&format!("route add {side} dev {device} src {HUB}"))?;
    lab.topology
        .space(Place::Gateway(partner))
        .ip_lines(&format!(
            "addr add {side}/32 dev {GATEWAY_DEVICE}
         route add {HUB} dev {GATEWAY_DEVICE} src {side}"
        ))
}
