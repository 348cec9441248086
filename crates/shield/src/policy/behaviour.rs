//! What may follow from what detectors of behaviour say: the operator's, with defaults that rest on how
//! sure each of them is.

use serde::Deserialize;

/// What may follow at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leave {
    /// It is told.
    Alert,
    /// It is slowed down.
    RateLimit,
    /// It is slowed down, and dropped when it goes on: who was caught within the hour, and does it again.
    Escalate,
    /// It is dropped.
    Drop,
}

/// What may follow, by detector. Detectors that are not named here may drop.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Behaviour {
    /// Guessed passwords. Nobody who has an account has six different passwords in a row refused.
    pub login_guessing: Leave,
    /// Guessed paths. A site that moved, or a page with many dead parts, makes visitors look alike; they
    /// do not go on for minutes.
    pub path_guessing: Leave,
    /// Tunnels in DNS, towards a server that speaks for its own name. Some software carries data
    /// in names on purpose, and works on under a rate limit.
    pub dns_tunnel: Leave,
    /// Regular contacts with an address that nobody has a name for. Whether they are harmless, only who
    /// knows the host can tell.
    pub beacon: Leave,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            login_guessing: Leave::Drop,
            path_guessing: Leave::Escalate,
            dns_tunnel: Leave::RateLimit,
            beacon: Leave::Alert,
        }
    }
}

impl Behaviour {
    /// What may follow from a detector, by its name and version.
    #[must_use]
    pub fn of(&self, detector: &str) -> Leave {
        let (name, _) = detector.split_once('@').unwrap_or((detector, ""));
        match name {
            "login-guessing" => self.login_guessing,
            "path-guessing" => self.path_guessing,
            "dns-tunnel" => self.dns_tunnel,
            "beacon" => self.beacon,
            _ => Leave::Drop,
        }
    }
}

#[cfg(test)]
mod tests {
    use detect::behaviour::{beacon, login, path_guessing, tunnel};

    use super::*;

    #[test]
    fn detectors_are_found_by_their_names() {
        let all = Behaviour::default();
        let named = [login::NAME, path_guessing::NAME, tunnel::NAME, beacon::NAME];
        let leave = named.map(|name| all.of(name));
        assert_eq!(
            leave,
            [Leave::Drop, Leave::Escalate, Leave::RateLimit, Leave::Alert]
        );
        assert_eq!(all.of("scan-trw@1"), Leave::Drop);
    }
}
