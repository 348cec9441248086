//! What a lab keeps in its folder between invocations.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use crate::{
    Options,
    link::Impairment,
    topology::{HUB, Partner, Place, Topology},
};

/// TCP port of the hub.
const HUB_PORT: u16 = 8443;

/// A lab: its folder, its namespaces and the binary that it drives.
#[derive(Clone, Debug)]
pub(crate) struct Lab {
    pub(crate) dir: PathBuf,
    pub(crate) binary: PathBuf,
    pub(crate) topology: Topology,
}

/// What `up` wrote for the other invocations.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct State {
    /// The id of the indicator with [`URL`], which the agency shared.
    pub(crate) url_indicator: String,
    /// The hub links as they are now.
    pub(crate) impairment: Impairment,
}

/// The host part of [`URL`].
pub(crate) const HOST: &str = "www.alpha.example";
/// The URL that the agency knows to be an exploit.
pub(crate) const URL: &str = "http://www.alpha.example/cgi-bin/upload.php?cmd=wget";

impl Lab {
    pub(crate) fn new(options: &Options) -> Self {
        let dir = std::path::absolute(&options.dir).unwrap_or_else(|_| options.dir.clone());
        Self {
            topology: Topology::of(&dir),
            dir,
            binary: options.binary.clone(),
        }
    }

    /// The lab of a folder, which must be up.
    pub(crate) fn running(options: &Options) -> anyhow::Result<Self> {
        let lab = Self::new(options);
        if !lab.is_up() {
            bail!(
                "no lab is up in {}: `shieldwall lab up` makes one",
                lab.dir.display()
            );
        }
        Ok(lab)
    }

    pub(crate) fn is_up(&self) -> bool {
        self.path("lab.json").is_file() && self.topology.space(Place::Hub).exists()
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.dir.join(file)
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.path("logs")
    }

    pub(crate) fn state(&self) -> anyhow::Result<State> {
        read_json(&self.path("lab.json"))
    }

    pub(crate) fn save(&self, state: &State) -> anyhow::Result<()> {
        write_json(&self.path("lab.json"), state)
    }

    pub(crate) fn identity(&self, partner: &str) -> PathBuf {
        self.path(partner).join("identity")
    }

    pub(crate) fn journal(&self, partner: Partner) -> PathBuf {
        self.path(partner.name()).join("shield/journal.jsonl")
    }

    pub(crate) fn hub_address() -> SocketAddr {
        (HUB, HUB_PORT).into()
    }

    pub(crate) fn hub_url() -> String {
        format!("https://{}", Self::hub_address())
    }

    /// A command of the binary inside a place.
    pub(crate) fn command(&self, place: Place, arguments: &[&str]) -> Command {
        let mut command = self.topology.space(place).command(&self.binary);
        command.args(arguments);
        command
    }

    /// A role inside a place.
    pub(crate) fn node(&self, place: Place, role: &str) -> Command {
        let mut command = self.topology.space(place).stranger(&self.binary);
        command.args(["lab", "node", role]);
        command
    }
}

/// Reads a JSON file.
pub(crate) fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> anyhow::Result<T> {
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("reading {}", path.display()))
}

/// Writes a JSON file, for people to read too.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> anyhow::Result<()> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))
}
