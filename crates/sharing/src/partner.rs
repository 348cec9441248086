//! Partners.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// An organisation in the exchange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Draft", into = "Draft")]
pub struct Partner {
    /// Its name in this community ([`stix::lease::is_partner_name`]).
    pub name: Arc<str>,
    /// What it is. Roles describe; they rank nobody and no rule of visibility reads them.
    pub roles: Vec<Role>,
}

impl Partner {
    /// A partner of this name.
    ///
    /// # Errors
    /// [`NameError`], when no partner can have that name.
    pub fn new(name: &str, roles: Vec<Role>) -> Result<Self, NameError> {
        match stix::lease::is_partner_name(name) {
            true => Ok(Self {
                name: name.into(),
                roles,
            }),
            false => Err(NameError),
        }
    }
}

/// What an organisation in the exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A government agency.
    Agency,
    /// A company that makes or serves models.
    AiCompany,
    /// An operator of critical infrastructure.
    Operator,
}

/// A text that cannot be the name of a partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a partner's name is 1 to {} of a-z, 0-9, '.', '_' and '-', starting with a letter or digit",
    stix::lease::PARTNER_BYTES_MAX
)]
pub struct NameError;

#[derive(Serialize, Deserialize)]
struct Draft {
    name: String,
    #[serde(default)]
    roles: Vec<Role>,
}

impl TryFrom<Draft> for Partner {
    type Error = NameError;

    fn try_from(draft: Draft) -> Result<Self, NameError> {
        Self::new(&draft.name, draft.roles)
    }
}

impl From<Partner> for Draft {
    fn from(partner: Partner) -> Self {
        Self {
            name: partner.name.as_ref().to_owned(),
            roles: partner.roles,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_partner_can_have_is_refused() {
        assert!(Partner::new("shield-a.example", vec![Role::Operator]).is_ok());
        for name in ["", "A", "a b", "a|b", "-a", "a\n", &"a".repeat(65)] {
            assert_eq!(Partner::new(name, vec![]), Err(NameError), "{name:?}");
        }
        assert!(serde_json::from_str::<Partner>(r#"{"name":"no/slash"}"#).is_err());
    }

    #[test]
    fn roles_have_the_names_of_the_glossary() {
        let text = r#"{"name":"a","roles":["agency","ai-company","operator"]}"#;
        let partner: Partner = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&partner).unwrap(), text);
    }
}
