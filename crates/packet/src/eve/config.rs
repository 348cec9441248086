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
    /// What the settings say of exceptions.
    pub(super) policies: Policies,
}

/// What is done with a flow where there is reason not to go on with it: names of policies, as logged.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Policies {
    /// Its beginning was not seen; nothing without settings, which then have no say in it.
    pub(super) midstream: Option<&'static str>,
    /// Its parser gave up.
    pub(super) app_error: Option<&'static str>,
}

/// The policy of a sensor that does nothing about exceptions.
pub(super) const IGNORE: &str = "ignore";

/// Names of policies in settings and in records.
const POLICIES: &[(&str, &str)] = &[
    ("bypass", "bypass"),
    ("drop-flow", "drop_flow"),
    ("drop-packet", "drop_packet"),
    ("pass-flow", "pass_flow"),
    ("pass-packet", "pass_packet"),
    ("reject", "reject"),
    ("rejectboth", "rejectboth"),
];

impl Policies {
    fn from_settings(settings: &Settings) -> Self {
        let of = |key: &str| {
            let own = settings.at(key).text();
            let name = own.or_else(|| settings.at("exception-policy").text());
            let known = POLICIES.iter().find(|known| Some(known.0) == name);
            Some(known.map_or(IGNORE, |known| known.1))
        };
        Self {
            midstream: of("stream.midstream-policy"),
            app_error: of("app-layer.error-policy"),
        }
    }
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
            ethernet: false,
            community_id: None,
            policies: Policies::default(),
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
            policies: Policies::default(),
        }
    }

    /// The enabled `eve-log` outputs of the settings, in their order.
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Vec<Self> {
        let outputs = settings.at("outputs");
        let outputs = outputs.items().flat_map(Setting::entries);
        let policies = Policies::from_settings(settings);
        outputs
            .filter(|(name, output)| {
                *name == "eve-log" && output.at("enabled").flag().unwrap_or(false)
            })
            .map(|(_, output)| Self {
                policies,
                ..Self::eve_log(output)
            })
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
            policies: Policies::default(),
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
