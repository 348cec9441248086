//! Network namespaces: making, configuring, entering and removing them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::process::{kill, run};

/// How long a call of `ip`, `nft` or `sysctl` may take.
const TOOL_S_MAX: Duration = Duration::from_secs(20);

/// A named network namespace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Space {
    name: String,
}

impl Space {
    /// The namespace of that name, whether it exists or not.
    pub(crate) fn named(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn path(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.name)
    }

    pub(crate) fn exists(&self) -> bool {
        self.path().exists()
    }

    /// Makes it, with IPv6 addresses usable at once and loopback up.
    pub(crate) fn create(&self) -> anyhow::Result<()> {
        ip(&format!("netns add {}", self.name))?;
        self.enter(|| {
            for (key, value) in SETTINGS {
                let path = Path::new("/proc/sys/net").join(key);
                fs::write(&path, value).with_context(|| format!("setting {}", path.display()))?;
            }
            Ok(())
        })?;
        self.ip("link set lo up")
    }

    /// Runs `ip` in it, arguments split at blanks.
    pub(crate) fn ip(&self, arguments: &str) -> anyhow::Result<()> {
        ip(&format!("-n {} {arguments}", self.name))
    }

    /// Runs `ip` in it for each line.
    pub(crate) fn ip_lines(&self, lines: &str) -> anyhow::Result<()> {
        lines
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .try_for_each(|line| self.ip(line))
    }

    /// A command that will run in it. Mounts stay those of the caller, unlike with `ip netns exec`:
    /// what a shield mounts for its pinned maps must survive it.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", self.path().display()))
            .arg("--")
            .arg(program);
        command
    }

    /// A command that stands for another machine: attackers, servers and bystanders yield the
    /// processor to the hub and the shields, whose machines they would not share.
    pub(crate) fn stranger(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.command("nice");
        command.args(["-n", "10"]).arg(program);
        command
    }

    /// Runs a program in it to its end, and returns what it printed.
    pub(crate) fn exec(&self, program: &str, arguments: &[&str]) -> anyhow::Result<String> {
        run(self.command(program).args(arguments), TOOL_S_MAX)?.text()
    }

    /// Runs a closure on a thread of its own inside the namespace.
    pub(crate) fn enter<T: Send>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T> {
        let file = fs::File::open(self.path())
            .with_context(|| format!("no namespace {}: is the lab up?", self.name))?;
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let network = Some(LinkNameSpaceType::Network);
                move_into_link_name_space(std::os::fd::AsFd::as_fd(&file), network)?;
                work()
            });
            worker
                .join()
                .map_err(|_| anyhow!("a thread in namespace {} failed", self.name))?
        })
    }

    /// The processes that sit in it.
    pub(crate) fn pids(&self) -> anyhow::Result<Vec<u32>> {
        let text = ip_text(&format!("netns pids {}", self.name))?;
        Ok(text
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .collect())
    }

    /// Ends every process in it and removes it. Does nothing when there is none.
    pub(crate) fn remove(&self) -> anyhow::Result<()> {
        if !self.exists() {
            return Ok(());
        }
        self.pids()?.into_iter().for_each(kill);
        ip(&format!("netns del {}", self.name))
    }
}

/// Joins two namespaces by a veth pair and sets both ends up.
pub(crate) fn veth(a: &Space, a_device: &str, b: &Space, b_device: &str) -> anyhow::Result<()> {
    ip(&format!(
        "link add {a_device} netns {} type veth peer name {b_device} netns {}",
        a.name, b.name
    ))?;
    a.ip(&format!("link set {a_device} up"))?;
    b.ip(&format!("link set {b_device} up"))
}

/// Loose reverse paths let spoofed packets travel, as on much of the internet, also through a router
/// whose own address they carry; without duplicate
/// address detection IPv6 addresses work at once.
const SETTINGS: [(&str, &str); 7] = [
    ("ipv4/ip_forward", "1"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv4/conf/all/accept_local", "1"),
    ("ipv6/conf/all/forwarding", "1"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
];

/// Runs `ip`, arguments split at blanks.
pub(crate) fn ip(arguments: &str) -> anyhow::Result<()> {
    ip_text(arguments).map(drop)
}

fn ip_text(arguments: &str) -> anyhow::Result<String> {
    let mut command = Command::new("ip");
    run(command.args(arguments.split_whitespace()), TOOL_S_MAX)?.text()
}
