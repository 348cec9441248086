//! Which records go where: the `eve-log` outputs of the settings.

use crate::sensor::Exceptions;
use crate::settings::{Setting, Settings};

/// One file of records.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its file name.
    pub filename: String,
    /// The record types that it takes, with their options; `None` takes all.
    types: Option<Vec<(String, Settings)>>,
    /// Records name the sensor's version.
    pub(super) version: bool,
    /// Records show what rules remember of their flow.
    pub(super) metadata: bool,
    /// Records carry MAC addresses.
    pub(super) ethernet: bool,
    /// Records about flows carry a Community ID, made with this seed.
    pub(super) community_id: Option<u16>,
    /// What is done about exceptions, where settings have a say in it.
    pub(super) exceptions: Option<Exceptions>,
}

impl Output {
    /// An output of all records under default options, but `netflow`, which says again what `flow`
    /// says, and `frame`.
    #[must_use]
    pub fn all(filename: &str) -> Self {
        Self {
            filename: filename.to_owned(),
            types: None,
            version: false,
            metadata: true,
            ethernet: false,
            community_id: None,
            exceptions: None,
        }
    }

    /// An output of these types under default options.
    #[must_use]
    pub fn of(filename: &str, types: &[&str]) -> Self {
        let types = types
            .iter()
            .map(|name| ((*name).to_owned(), Settings::default()));
        Self {
            filename: filename.to_owned(),
            types: Some(types.collect()),
            version: false,
            metadata: true,
            ethernet: false,
            community_id: None,
            exceptions: None,
        }
    }

    /// The enabled `eve-log` outputs of the settings, in their order.
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Vec<Self> {
        let outputs = settings.at("outputs");
        let outputs = outputs.items().flat_map(Setting::entries);
        outputs
            .filter(|(name, output)| {
                *name == "eve-log" && output.at("enabled").flag().unwrap_or(false)
            })
            .map(|(_, output)| Self {
                exceptions: Some(Exceptions::from_settings(settings, false)),
                ..Self::eve_log(output)
            })
            .collect()
    }

    /// Records of flows say what was done about exceptions: inline, the settings mean others.
    #[must_use]
    pub fn with_exceptions(self, exceptions: Exceptions) -> Self {
        Self {
            exceptions: Some(exceptions),
            ..self
        }
    }

    fn eve_log(output: Setting<'_>) -> Self {
        let types = output.at("types").items().flat_map(Setting::entries);
        let types = types.filter(|(_, options)| options.at("enabled").flag().unwrap_or(true));
        let flag = |name: &str| output.at(name).flag().unwrap_or(false);
        let seed = output.at("community-id-seed").number();
        let seed = seed.and_then(|seed| u16::try_from(seed).ok()).unwrap_or(0);
        Self {
            version: flag("suricata-version"),
            metadata: output.at("metadata").flag().unwrap_or(true),
            ethernet: flag("ethernet"),
            community_id: flag("community-id").then_some(seed),
            exceptions: None,
            filename: output
                .at("filename")
                .text()
                .unwrap_or("eve.json")
                .to_owned(),
            types: Some(
                types
                    .map(|(name, options)| (name.replace('-', "_"), options.to_settings()))
                    .collect(),
            ),
        }
    }

    /// Whether an enabled output of the settings names the type.
    pub(crate) fn names(settings: &Settings, kind: &str) -> bool {
        let outputs = Self::from_settings(settings);
        let types = outputs.iter().filter_map(|output| output.types.as_ref());
        types.flatten().any(|(name, _)| name == kind)
    }

    /// The options of each entry of that type.
    pub(super) fn types_of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = Setting<'a>> {
        let all = (self.types.is_none() && !matches!(kind, "netflow" | "frame"))
            .then_some(Setting::NOTHING);
        let types = self.types.iter().flatten();
        types
            .filter(move |(name, _)| name == kind)
            .map(|(_, options)| options.root())
            .chain(all)
    }
}
