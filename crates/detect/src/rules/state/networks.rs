//! Lists of addresses and networks, as files and settings write them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::option::{Field, OptionError};

/// Most networks of one list, variables in it resolved.
pub const NETWORKS_MAX: usize = 65_536;

/// How deep lists and variables may be in one another.
pub const DEPTH_MAX: u32 = 16;

/// A list of networks, some of which may be excluded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    within: Vec<IpNet>,
    /// Taken out again.
    without: Vec<IpNet>,
}

/// What a variable such as `$HOME_NET` stands for, by its name without `$`.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Networks {
    /// Whether an address is in a network of the list and in none that is taken out. A list that
    /// only takes out is of all others.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let is_in = |networks: &[IpNet]| networks.iter().any(|net| net.contains(&address));
        (self.within.is_empty() || is_in(&self.within)) && !is_in(&self.without)
    }

    /// Reads `10.0.0.1`, `10.0.0.0/8`, `any`, `$HOME_NET` and lists of those, `[a,!b,[c,d]]`, with
    /// or without brackets.
    ///
    /// # Errors
    /// What is none of those, an unknown variable, and lists beyond [`NETWORKS_MAX`] or
    /// [`DEPTH_MAX`].
    pub fn parse(text: &str, variables: Variables<'_>) -> Result<Self, OptionError> {
        Self::read(Field::new(0, text), variables)
    }

    pub(super) fn read(list: Field<'_>, variables: Variables<'_>) -> Result<Self, OptionError> {
        let mut networks = Self::default();
        networks.list(list, false, DEPTH_MAX, variables)?;
        Ok(networks)
    }

    fn list(
        &mut self,
        list: Field<'_>,
        negated: bool,
        depth: u32,
        variables: Variables<'_>,
    ) -> Result<(), OptionError> {
        let deeper = depth.checked_sub(1);
        let deeper = deeper.ok_or_else(|| list.error("lists are too deep in one another"))?;
        let mut empty = true;
        for item in items(list) {
            empty = false;
            let (item, not) = match item.text.strip_prefix('!') {
                Some(rest) => (Field::new(item.at.saturating_add(1), rest), true),
                None => (item, false),
            };
            if not && negated {
                return Err(item.error("an exclusion within an exclusion is not understood"));
            }
            self.item(item, not || negated, deeper, variables)?;
        }
        // Every list holds a network, so that their bound is one on the work as well.
        match empty {
            true => Err(list.error("an address is expected")),
            false => Ok(()),
        }
    }

    fn item(
        &mut self,
        item: Field<'_>,
        negated: bool,
        depth: u32,
        variables: Variables<'_>,
    ) -> Result<(), OptionError> {
        if let Some(inner) = item.text.strip_prefix('[') {
            let inner = inner.strip_suffix(']');
            let inner = inner.ok_or_else(|| item.error("']' is missing"))?;
            let inner = Field::new(item.at.saturating_add(1), inner);
            return self.list(inner, negated, depth, variables);
        }
        if let Some(name) = item.text.strip_prefix('$') {
            let unknown = || item.error(format!("the variable {name} is not known"));
            let text = variables(name).ok_or_else(unknown)?;
            let within = self.list(Field::new(0, &text), negated, depth, variables);
            return within.map_err(|error| item.error(format!("in {name}: {}", error.reason)));
        }
        let networks = networks(item.text);
        if networks.is_empty() {
            return Err(item.error("an address or network is expected"));
        }
        let list = match negated {
            true => &mut self.without,
            false => &mut self.within,
        };
        if list.len() >= NETWORKS_MAX {
            return Err(item.error("too many networks"));
        }
        list.extend(networks);
        Ok(())
    }
}

fn networks(text: &str) -> Vec<IpNet> {
    if text == "any" {
        let v4 = Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0);
        let v6 = Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0);
        return vec![v4.into(), v6.into()];
    }
    network(text).into_iter().collect()
}

/// An address or a network; what is beyond its length is ignored.
pub(super) fn network(text: &str) -> Option<IpNet> {
    let net: Option<IpNet> = match text.contains('/') {
        true => text.parse().ok(),
        false => text.parse().ok().map(|address: IpAddr| address.into()),
    };
    net.map(|net| net.trunc())
}

/// The parts between commas that are in no brackets.
fn items(list: Field<'_>) -> impl Iterator<Item = Field<'_>> {
    let mut rest = Some(list);
    std::iter::from_fn(move || {
        let list = rest.take()?;
        let mut depth = 0_u32;
        let comma = list.text.find(|letter| {
            match letter {
                '[' => depth = depth.saturating_add(1),
                ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            letter == ',' && depth == 0
        });
        let Some(comma) = comma else {
            return Some(list);
        };
        let (item, after) = list.text.split_at(comma);
        let after_at = list.at.saturating_add(comma).saturating_add(1);
        rest = Some(Field::new(after_at, after.trim_start_matches(',')));
        Some(Field::new(list.at, item))
    })
    .filter(|item| !item.text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_name: &str) -> Option<String> {
        None
    }

    fn variables(name: &str) -> Option<String> {
        match name {
            "HOME_NET" => Some("[10.0.0.0/8, !10.9.0.0/16, $LAB]".to_owned()),
            "LAB" => Some("2001:db8::/32".to_owned()),
            "LOOP" => Some("$LOOP".to_owned()),
            "WIDE" => Some(["$WIDE"; 1_000].join(",")),
            _ => None,
        }
    }

    #[test]
    fn what_is_in_a_list() {
        for (list, within, without) in [
            ("10.0.0.1", "10.0.0.1", "10.0.0.2"),
            ("10.0.0.1/31", "10.0.0.0", "10.0.0.2"),
            ("10.0.0.1,10.0.0.3", "10.0.0.3", "10.0.0.2"),
            ("[10.0.0.1, 10.0.0.3]", "10.0.0.3", "10.0.0.2"),
            (
                "[10.0.0.0/8,![10.1.0.0/16,10.2.0.0/16]]",
                "10.3.0.1",
                "10.2.0.1",
            ),
            ("!10.0.0.1", "10.0.0.2", "10.0.0.1"),
            ("$HOME_NET", "10.8.0.1", "10.9.0.1"),
            ("$HOME_NET", "2001:db8::5", "2001:db9::5"),
            ("!$LAB", "10.0.0.1", "2001:db8::5"),
            ("any", "2001:db8::5", "none"),
        ] {
            let networks = Networks::parse(list, &variables).unwrap();
            assert!(
                networks.contains(within.parse().unwrap()),
                "{list} {within}"
            );
            let outside = without
                .parse()
                .is_ok_and(|address| networks.contains(address));
            assert!(!outside, "{list} {without}");
        }
    }

    #[test]
    fn refused_with_the_place() {
        for (list, at) in [
            ("", 0),
            ("[]", 1),
            ("10.0.0.1,[[]]", 11),
            ("$WIDE", 0),
            ("10.0.0.1,bogus", 9),
            ("10.0.0.1-10.0.0.2", 0),
            ("[10.0.0.1,$NONE]", 10),
            ("[10.0.0.1", 0),
            ("![!10.0.0.1]", 3),
            ("$LOOP", 0),
            ("10.0.0.0/33", 0),
        ] {
            assert_eq!(
                Networks::parse(list, &variables).unwrap_err().at,
                at,
                "{list}"
            );
        }
        let deep = "[".repeat(100_000);
        assert!(Networks::parse(&deep, &none).is_err());
        let deep = format!("{deep}{}", "]".repeat(100_000));
        assert!(Networks::parse(&deep, &none).is_err());
        let many = vec!["10.0.0.1"; NETWORKS_MAX.saturating_add(1)].join(",");
        assert!(Networks::parse(&many, &none).is_err());
    }
}
