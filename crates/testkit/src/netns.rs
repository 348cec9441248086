//! Network namespaces for tests: made with a unique name, removed on drop with all that runs in
//! them. Needs root and iproute2; a test asks [`available`] first and skips aloud.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, id},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, bail};

/// A namespace.
#[derive(Debug)]
pub struct Net {
    name: String,
}

/// Why namespaces cannot be made here, if they cannot.
///
/// # Errors
///
/// The reason, for [`crate::skip`].
pub fn available() -> Result<(), String> {
    if !crate::has_program("ip") || !crate::has_program("nsenter") {
        return Err("needs iproute2 (ip) and util-linux (nsenter)".to_owned());
    }
    let net = Net::new("try").map_err(|error| format!("cannot make a namespace: {error:#}"))?;
    drop(net);
    Ok(())
}

/// Joins two namespaces by a veth pair and sets both ends up.
///
/// # Errors
///
/// What `ip` said.
pub fn veth(a: &Net, a_device: &str, b: &Net, b_device: &str) -> anyhow::Result<()> {
    ip(&format!(
        "link add {a_device} netns {} type veth peer name {b_device} netns {}",
        a.name, b.name
    ))?;
    a.ip(&format!("link set {a_device} up"))?;
    b.ip(&format!("link set {b_device} up"))
}

impl Net {
    /// Makes a namespace with its loopback up. `label` is a short word; the name is unique.
    ///
    /// # Errors
    ///
    /// What `ip` said, as without root.
    pub fn new(label: &str) -> anyhow::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let net = Self {
            name: format!("swt{}-{count}-{label}", id()),
        };
        ip(&format!("netns add {}", net.name))?;
        net.ip("link set lo up")?;
        Ok(net)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that names it for `nsenter --net=`.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.name)
    }

    /// Runs `ip` inside, with its arguments split at blanks.
    ///
    /// # Errors
    ///
    /// What `ip` said.
    pub fn ip(&self, arguments: &str) -> anyhow::Result<()> {
        ip(&format!("-n {} {arguments}", self.name))
    }

    /// A command that will run inside. Mounts stay shared with the caller (unlike `ip netns exec`).
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", self.path().display()))
            .arg("--")
            .arg(program);
        command
    }

    /// Runs a program inside to its end and returns its standard output.
    ///
    /// # Errors
    ///
    /// When it does not start or fails, with its standard error.
    pub fn exec(&self, program: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command(program).args(arguments).output();
        text(
            output.with_context(|| format!("starting {program}"))?,
            program,
        )
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let pids = Command::new("ip")
            .args(["netns", "pids", &self.name])
            .output();
        let pids = pids.map(|output| output.stdout).unwrap_or_default();
        for pid in String::from_utf8_lossy(&pids).split_whitespace() {
            Command::new("kill").args(["-9", pid]).output().ok();
        }
        Command::new("ip")
            .args(["netns", "del", &self.name])
            .output()
            .ok();
    }
}

fn ip(arguments: &str) -> anyhow::Result<()> {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output();
    text(output.context("starting ip")?, &format!("ip {arguments}")).map(drop)
}

fn text(output: Output, what: &str) -> anyhow::Result<String> {
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{what}: {} ({})", said.trim(), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_namespaces_talk_over_a_veth_pair_and_are_gone_afterwards() {
        if let Err(why) = available() {
            return crate::skip(
                "two_namespaces_talk_over_a_veth_pair_and_are_gone_afterwards",
                &why,
            );
        }
        let (a, b) = (Net::new("a").unwrap(), Net::new("b").unwrap());
        veth(&a, "east", &b, "west").unwrap();
        a.ip("addr add 192.0.2.1/30 dev east").unwrap();
        b.ip("addr add 192.0.2.2/30 dev west").unwrap();
        let route = a.exec("ip", &["route", "get", "192.0.2.2"]).unwrap();
        assert!(route.contains("dev east"), "{route}");
        let (path_a, path_b) = (a.path(), b.path());
        assert!(path_a.exists() && path_b.exists());
        drop((a, b));
        assert!(!path_a.exists() && !path_b.exists());
    }

    #[test]
    fn a_failing_program_says_why() {
        if let Err(why) = available() {
            return crate::skip("a_failing_program_says_why", &why);
        }
        let net = Net::new("fail").unwrap();
        let error = net.ip("link set nowhere up").unwrap_err();
        assert!(error.to_string().contains("nowhere"), "{error:#}");
    }
}
