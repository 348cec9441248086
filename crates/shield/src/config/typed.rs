//! What the operator typed: shapes and defaults, nothing checked beyond TOML's own types.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::{EnforceMode, Pace};
use crate::policy::Behaviour;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Typed {
    pub(super) name: Spanned<String>,
    pub(super) data: PathBuf,
    pub(super) hub: Option<Hub>,
    pub(super) capture: Option<Spanned<Capture>>,
    #[serde(default)]
    pub(super) enforce: Enforce,
    #[serde(default)]
    pub(super) policy: Policy,
    #[serde(default)]
    pub(super) behaviour: Behaviour,
    #[serde(default)]
    pub(super) protect: Protect,
    #[serde(default)]
    pub(super) home: Home,
    pub(super) share: Option<Share>,
    #[serde(default)]
    pub(super) rules: Rules,
    pub(super) packs: Option<Packs>,
    pub(super) eve: Option<Eve>,
    #[serde(default)]
    pub(super) repository: Vec<Repository>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Packs {
    #[serde(default)]
    pub(super) files: Vec<Spanned<PathBuf>>,
    pub(super) trust: PathBuf,
    pub(super) admission: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hub {
    pub(super) url: Spanned<String>,
    pub(super) identity: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Capture {
    pub(super) interface: Option<Spanned<String>>,
    pub(super) pcap: Option<PathBuf>,
    pub(super) pace: Option<Pace>,
    pub(super) shift: Option<bool>,
    pub(super) repeat: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Enforce {
    pub(super) mode: EnforceMode,
    pub(super) pin: PathBuf,
}

impl Default for Enforce {
    fn default() -> Self {
        Self {
            mode: EnforceMode::Auto,
            pin: PathBuf::from("/sys/fs/bpf/shieldwall"),
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Stance {
    Enforce,
    Monitor,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Policy {
    pub(super) action: Stance,
    pub(super) confidence_min: Spanned<i64>,
    pub(super) lease_max_s: Spanned<i64>,
    pub(super) benign_sessions_max: Spanned<i64>,
    pub(super) rate_packets_per_s: Spanned<i64>,
    pub(super) rate_burst: Spanned<i64>,
    pub(super) private_from_exchange: bool,
}

impl Default for Policy {
    fn default() -> Self {
        let typed = |value: i64| Spanned::new(0..0, value);
        Self {
            action: Stance::Enforce,
            confidence_min: typed(50),
            lease_max_s: typed(3_600),
            benign_sessions_max: typed(8),
            rate_packets_per_s: typed(10),
            rate_burst: typed(20),
            private_from_exchange: false,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Protect {
    pub(super) networks: Vec<Spanned<String>>,
    pub(super) automatic: bool,
}

impl Default for Protect {
    fn default() -> Self {
        Self {
            networks: Vec::new(),
            automatic: true,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Home {
    pub(super) networks: Vec<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Share {
    pub(super) tlp: Spanned<String>,
    #[serde(default)]
    pub(super) audience: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) receipts: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Repository {
    pub(super) name: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) packs: Vec<Spanned<String>>,
    pub(super) root: Option<PathBuf>,
    pub(super) every_s: Option<Spanned<i64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Rules {
    pub(super) files: Vec<Spanned<PathBuf>>,
    pub(super) config: Option<PathBuf>,
    pub(super) drop: bool,
    pub(super) watch: bool,
    pub(super) partners: bool,
}

impl Default for Rules {
    fn default() -> Self {
        let super::Rules {
            drop,
            watch,
            partners,
            ..
        } = super::Rules::default();
        Self {
            files: Vec::new(),
            config: None,
            drop,
            watch,
            partners,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Eve {
    pub(super) file: PathBuf,
    #[serde(default)]
    pub(super) alerts_only: bool,
}
