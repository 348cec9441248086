//! What a file is follows from where it stands.

use serde::{Deserialize, Serialize};

use super::named;
use crate::path::PackPath;

/// What a file of a pack is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Inputs of a model and the outputs that they must give.
    Conformance,
    /// Something to read.
    Document,
    /// Results of red teams and of evasion.
    Evidence,
    /// STIX indicators.
    Indicators,
    /// The bill of materials.
    Mlbom,
    /// A model.
    Model,
    /// A signature over the models for other tools (OpenSSF Model Signing).
    OmsSignature,
    /// What the publisher suggests for the roll-out.
    PolicyHints,
    /// A report on a model.
    Report,
    /// Rules in Suricata's language.
    Rules,
}

named!(Role {
    Conformance => "conformance",
    Document => "document",
    Evidence => "evidence",
    Indicators => "indicators",
    Mlbom => "mlbom",
    Model => "model",
    OmsSignature => "oms-signature",
    PolicyHints => "policy-hints",
    Report => "report",
    Rules => "rules",
});

/// Where files stand: a folder, or one file.
const PLACES: [(&str, Role); 12] = [
    ("LICENSE", Role::Document),
    ("README.md", Role::Document),
    ("docs/", Role::Document),
    ("evidence/", Role::Evidence),
    ("indicators/", Role::Indicators),
    ("mlbom.cdx.json", Role::Mlbom),
    ("model_conformance/", Role::Conformance),
    ("models/", Role::Model),
    ("policy_hints.json", Role::PolicyHints),
    ("reports/", Role::Report),
    ("rules/", Role::Rules),
    ("signatures/oms.sig", Role::OmsSignature),
];

impl Role {
    /// What a file is by its place; `None` where no place of a pack is.
    #[must_use]
    pub fn of(path: &PackPath) -> Option<Self> {
        let path = path.as_str();
        let stands = |place: &str| match place.ends_with('/') {
            true => path.starts_with(place),
            false => path == place,
        };
        let place = PLACES.iter().find(|(place, _)| stands(place));
        place.map(|(_, role)| *role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_says_what_a_file_is() {
        let role = |path: &str| Role::of(&path.parse().unwrap());
        assert_eq!(role("models/a/b.onnx"), Some(Role::Model));
        assert_eq!(role("signatures/oms.sig"), Some(Role::OmsSignature));
        for none in [
            "models",
            "pack.json",
            "signatures/pack.dsse",
            "x",
            "LICENSE.txt",
            "modelsx/a",
        ] {
            assert_eq!(role(none), None, "{none}");
        }
    }
}
