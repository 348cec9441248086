//! Data markings: the Traffic Light Protocol 2.0 (first.org/tlp) and its fixed OASIS identifiers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::StixId;

/// A TLP label, least restrictive first, so that the most restrictive of several is their maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tlp {
    /// To the world.
    Clear,
    /// Within the community: every enrolled partner.
    Green,
    /// Within the addressed organisations and their clients.
    Amber,
    /// Within the addressed organisations only.
    AmberStrict,
    /// For the eyes and ears of individual recipients; never in a machine feed.
    Red,
}

impl Tlp {
    /// Every label, least restrictive first.
    pub const ALL: [Self; 5] = [
        Self::Clear,
        Self::Green,
        Self::Amber,
        Self::AmberStrict,
        Self::Red,
    ];

    /// The label as TLP 2.0 writes it, for example `TLP:AMBER+STRICT`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clear => "TLP:CLEAR",
            Self::Green => "TLP:GREEN",
            Self::Amber => "TLP:AMBER",
            Self::AmberStrict => "TLP:AMBER+STRICT",
            Self::Red => "TLP:RED",
        }
    }

    /// The identifier of the OASIS marking definition for this label of TLP 2.0.
    #[must_use]
    pub fn marking_id(self) -> StixId {
        let fixed = TLP_2
            .iter()
            .find(|(tlp, _)| *tlp == self)
            .map(|(_, id)| *id);
        fixed
            .and_then(|id| StixId::parse(id).ok())
            .unwrap_or_else(|| {
                // Unreachable while the table below is whole and legal, which a test asserts.
                StixId::v5("marking-definition", self.name())
            })
    }

    /// The label that a marking definition stands for: TLP 2.0, or TLP 1 as STIX 2.1 section
    /// 7.2.1.4 fixes it (WHITE is CLEAR). `None` for any other marking.
    #[must_use]
    pub fn from_marking(id: &StixId) -> Option<Self> {
        let known = TLP_2.iter().chain(&TLP_1);
        known
            .into_iter()
            .find(|(_, known)| *known == id.as_str())
            .map(|(tlp, _)| *tlp)
    }
}

/// OASIS extension definition for TLP 2.0 (oasis-open/cti-stix-common-objects).
const TLP_2: [(Tlp, &str); 5] = [
    (
        Tlp::Clear,
        "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    ),
    (
        Tlp::Green,
        "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    ),
    (
        Tlp::Amber,
        "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    ),
    (
        Tlp::AmberStrict,
        "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    ),
    (
        Tlp::Red,
        "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
    ),
];

/// STIX 2.1 section 7.2.1.4.
const TLP_1: [(Tlp, &str); 4] = [
    (
        Tlp::Clear,
        "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
    ),
    (
        Tlp::Green,
        "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
    ),
    (
        Tlp::Amber,
        "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
    ),
    (
        Tlp::Red,
        "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
    ),
];

/// A text that is no TLP label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of TLP:CLEAR, TLP:GREEN, TLP:AMBER, TLP:AMBER+STRICT, TLP:RED")]
pub struct TlpError;

impl FromStr for Tlp {
    type Err = TlpError;

    /// Reads a label of TLP 2.0, with or without `TLP:`, in any case; `TLP:WHITE` is CLEAR.
    fn from_str(text: &str) -> Result<Self, TlpError> {
        let upper = text.trim().to_ascii_uppercase();
        match upper.strip_prefix("TLP:").unwrap_or(&upper) {
            "CLEAR" | "WHITE" => Ok(Self::Clear),
            "GREEN" => Ok(Self::Green),
            "AMBER" => Ok(Self::Amber),
            "AMBER+STRICT" => Ok(Self::AmberStrict),
            "RED" => Ok(Self::Red),
            _ => Err(TlpError),
        }
    }
}

impl fmt::Display for Tlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Tlp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Tlp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_has_its_fixed_identifier_and_is_found_by_it() {
        for tlp in Tlp::ALL {
            let id = tlp.marking_id();
            assert!(
                TLP_2.iter().any(|(_, fixed)| *fixed == id.as_str()),
                "{tlp}"
            );
            assert_eq!(Tlp::from_marking(&id), Some(tlp));
            assert_eq!(tlp.name().parse(), Ok(tlp));
        }
    }

    #[test]
    fn the_identifiers_of_tlp_1_are_understood() {
        for (tlp, id) in TLP_1 {
            assert_eq!(Tlp::from_marking(&StixId::parse(id).unwrap()), Some(tlp));
        }
    }

    #[test]
    fn another_marking_is_no_label() {
        assert_eq!(
            Tlp::from_marking(&StixId::v5("marking-definition", "mine")),
            None
        );
    }

    #[test]
    fn labels_are_ordered_by_restrictiveness() {
        assert!(Tlp::ALL.is_sorted());
        assert_eq!("white".parse(), Ok(Tlp::Clear));
        assert_eq!("amber+strict".parse(), Ok(Tlp::AmberStrict));
        assert_eq!("TLP:AMBER+".parse::<Tlp>(), Err(TlpError));
    }
}
