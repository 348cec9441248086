//! Which records go where: the `eve-log` outputs of the settings.

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
    /// Records carry MAC addresses.
    pub(super) ethernet: bool,
    /// Records about flows carry a Community ID, made with this seed.
    pub(super) community_id: Option<u16>,
}

impl Output {
    /// An output of all records under default options, but `netflow`, which says again what `flow`
    /// says.
    #[must_use]
    pub fn all(filename: &str) -> Self {
        Self {
            filename: filename.to_owned(),
            types: None,
            version: false,
            ethernet: false,
            community_id: None,
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
            ethernet: false,
            community_id: None,
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
            .map(|(_, output)| Self::eve_log(output))
            .collect()
    }

    fn eve_log(output: Setting<'_>) -> Self {
        let types = output.at("types").items().flat_map(Setting::entries);
        let types = types.filter(|(_, options)| options.at("enabled").flag().unwrap_or(true));
        let flag = |name: &str| output.at(name).flag().unwrap_or(false);
        let seed = output.at("community-id-seed").number();
        let seed = seed.and_then(|seed| u16::try_from(seed).ok()).unwrap_or(0);
        Self {
            version: flag("suricata-version"),
            ethernet: flag("ethernet"),
            community_id: flag("community-id").then_some(seed),
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

    /// The options of each entry of that type.
    pub(super) fn types_of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = Setting<'a>> {
        let all = (self.types.is_none() && kind != "netflow").then_some(Setting::NOTHING);
        let types = self.types.iter().flatten();
        types
            .filter(move |(name, _)| name == kind)
            .map(|(_, options)| options.root())
            .chain(all)
    }
}
