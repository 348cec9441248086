//! From what was typed to values that are legal.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use stix::Tlp;
use toml::Spanned;

use super::{
    Capture, Config, ConfigError, Enforce, Eve, Hub, Locator, Pace, Packs, Protect, Rules, Share,
    typed,
};
use crate::policy::{Behaviour, Rate, Settings};
use crate::repository::{Subscription, Wanted};

/// Longest name of a shield or a partner, in bytes.
pub(super) const NAME_BYTES_MAX: usize = 64;
/// Longest lease that can be configured: a day, in seconds.
pub(super) const LEASE_MAX_S_MAX: i64 = 86_400;
/// Pause between looks at a repository, in seconds.
const EVERY_S: u64 = 300;
/// Longest pause that can be configured: half of what a timestamp is good for.
const EVERY_S_MAX: i64 = 43_200;
/// Longest name of an interface, in bytes (`IFNAMSIZ` less its final zero).
pub(super) const INTERFACE_BYTES_MAX: usize = 15;

pub(super) fn config(typed: typed::Typed, at: &Locator<'_>) -> Result<Config, ConfigError> {
    let repositories = repositories(&typed, at)?;
    Ok(Config {
        repositories,
        name: name(&typed.name, at)?,
        data: typed.data,
        hub: typed.hub.map(|t| hub(t, at)).transpose()?,
        capture: typed.capture.map(|t| capture(t, at)).transpose()?,
        enforce: Enforce {
            mode: typed.enforce.mode,
            pin: typed.enforce.pin,
        },
        policy: settings(&typed.policy, typed.behaviour, at)?,
        protect: Protect {
            networks: networks(&typed.protect.networks, at)?,
            automatic: typed.protect.automatic,
        },
        home: networks(&typed.home.networks, at)?,
        share: typed.share.map(|t| share(&t, at)).transpose()?,
        rules: rules(typed.rules, at)?,
        packs: typed.packs.map(|t| packs(t, at)).transpose()?,
        eve: typed.eve.map(|t| Eve {
            file: t.file,
            alerts_only: t.alerts_only,
        }),
    })
}

fn hub(typed: typed::Hub, at: &Locator<'_>) -> Result<Hub, ConfigError> {
    let text = typed.url.get_ref();
    let mend = "write it as \"https://host:port\"";
    let refuse = |what: String| at.refuse(typed.url.span().start, what, mend);
    let url = reqwest::Url::parse(text)
        .map_err(|e| refuse(format!("hub.url \"{text}\" is no URL: {e}")))?;
    if url.scheme() != "https" {
        return Err(refuse(format!("hub.url \"{text}\" is not https")));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(refuse(format!(
            "hub.url \"{text}\" names more than a host and a port"
        )));
    }
    Ok(Hub {
        url: text.trim_end_matches('/').to_owned(),
        identity: typed.identity,
    })
}

fn capture(typed: Spanned<typed::Capture>, at: &Locator<'_>) -> Result<Capture, ConfigError> {
    let offset = typed.span().start;
    let typed = typed.into_inner();
    let replayed = typed.pace.is_some() || typed.shift.is_some() || typed.repeat.is_some();
    match (typed.interface, typed.pcap) {
        (Some(name), None) if !replayed => interface(&name, at).map(Capture::Interface),
        (Some(_), None) => Err(at.refuse(
            offset,
            "pace, shift and repeat have no meaning for an interface",
            "remove them, or name a file with pcap instead of interface",
        )),
        (None, Some(file)) => Ok(Capture::Pcap {
            file,
            pace: typed.pace.unwrap_or(Pace::Recorded),
            shift: typed.shift.unwrap_or(true),
            repeat: typed.repeat.unwrap_or(false),
        }),
        (Some(_), Some(_)) => Err(at.refuse(
            offset,
            "capture names both an interface and a pcap",
            "keep one of the two",
        )),
        (None, None) => Err(at.refuse(
            offset,
            "capture names neither an interface nor a pcap",
            "add interface = \"eth0\" or pcap = \"file.pcap\"",
        )),
    }
}

fn interface(typed: &Spanned<String>, at: &Locator<'_>) -> Result<String, ConfigError> {
    let name = typed.get_ref();
    let legal = !name.is_empty()
        && name.len() <= INTERFACE_BYTES_MAX
        && !name.chars().any(|c| c == '/' || c.is_whitespace())
        && name != "."
        && name != "..";
    legal.then(|| name.clone()).ok_or_else(|| {
        at.refuse(
            typed.span().start,
            format!("\"{name}\" cannot be the name of an interface"),
            format!("use 1 to {INTERFACE_BYTES_MAX} characters without / or spaces"),
        )
    })
}

fn settings(
    typed: &typed::Policy,
    behaviour: Behaviour,
    at: &Locator<'_>,
) -> Result<Settings, ConfigError> {
    let lease_max_s = number("lease_max_s", &typed.lease_max_s, 1, LEASE_MAX_S_MAX, at)?;
    Ok(Settings {
        enforce: matches!(typed.action, typed::Stance::Enforce),
        confidence_min: number("confidence_min", &typed.confidence_min, 0, 100, at)?,
        lease_max: Duration::from_secs(lease_max_s),
        benign_sessions_max: number(
            "benign_sessions_max",
            &typed.benign_sessions_max,
            0,
            1_000_000,
            at,
        )?,
        rate: Rate {
            packets_per_s: number(
                "rate_packets_per_s",
                &typed.rate_packets_per_s,
                1,
                1_000_000,
                at,
            )?,
            burst: number("rate_burst", &typed.rate_burst, 1, 1_000_000, at)?,
        },
        private_from_exchange: typed.private_from_exchange,
        behaviour,
    })
}

/// A whole number between `min` and `max` as the type that the field has.
fn number<T: TryFrom<i64>>(
    key: &str,
    typed: &Spanned<i64>,
    min: i64,
    max: i64,
    at: &Locator<'_>,
) -> Result<T, ConfigError> {
    let value = *typed.get_ref();
    let legal = if (min..=max).contains(&value) {
        T::try_from(value).ok()
    } else {
        None
    };
    legal.ok_or_else(|| {
        at.refuse(
            typed.span().start,
            format!("{key} = {value} is out of range"),
            format!("use a number from {min} to {max}"),
        )
    })
}

fn networks(typed: &[Spanned<String>], at: &Locator<'_>) -> Result<Vec<IpNet>, ConfigError> {
    typed.iter().map(|text| network(text, at)).collect()
}

fn network(typed: &Spanned<String>, at: &Locator<'_>) -> Result<IpNet, ConfigError> {
    let text = typed.get_ref();
    let net = text
        .parse()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| {
            at.refuse(
                typed.span().start,
                format!("\"{text}\" is no network"),
                "write an address or a prefix, as \"10.2.0.0/24\"",
            )
        })?;
    if net == net.trunc() {
        return Ok(net);
    }
    Err(at.refuse(
        typed.span().start,
        format!("\"{text}\" has bits beyond its prefix"),
        format!(
            "write \"{}\" for the network or \"{}\" for the host",
            net.trunc(),
            net.addr()
        ),
    ))
}

fn rules(typed: typed::Rules, at: &Locator<'_>) -> Result<Rules, ConfigError> {
    Ok(Rules {
        files: files(typed.files, "rules/*.rules", at)?,
        config: typed.config,
        drop: typed.drop,
        watch: typed.watch,
        partners: typed.partners,
    })
}

fn packs(typed: typed::Packs, at: &Locator<'_>) -> Result<Packs, ConfigError> {
    Ok(Packs {
        files: files(typed.files, "packs/*.swpack", at)?,
        trust: typed.trust,
        admission: typed.admission,
    })
}

/// A wildcard stands in the name of a file, never in that of a folder. `like` is such a path.
fn files(
    typed: Vec<Spanned<PathBuf>>,
    like: &str,
    at: &Locator<'_>,
) -> Result<Vec<PathBuf>, ConfigError> {
    let files = typed.into_iter().map(|file| {
        let offset = file.span().start;
        let file = file.into_inner();
        let folder = file.parent().map(Path::to_string_lossy);
        if folder.is_some_and(|folder| folder.contains(['*', '?'])) {
            return Err(at.refuse(
                offset,
                format!("\"{}\" has a wildcard in a folder", file.display()),
                format!("name each folder, as \"{like}\""),
            ));
        }
        if file.file_name().is_none() {
            let what = format!("\"{}\" names no file", file.display());
            return Err(at.refuse(offset, what, format!("name a file, as \"{like}\"")));
        }
        Ok(file)
    });
    files.collect()
}

fn share(typed: &typed::Share, at: &Locator<'_>) -> Result<Share, ConfigError> {
    let text = typed.tlp.get_ref();
    let tlp = text.parse().map_err(|_| {
        at.refuse(
            typed.tlp.span().start,
            format!("\"{text}\" is no marking"),
            "use TLP:CLEAR, TLP:GREEN, TLP:AMBER, TLP:AMBER+STRICT or TLP:RED",
        )
    })?;
    if tlp == Tlp::Red {
        return Err(at.refuse(
            typed.tlp.span().start,
            "TLP:RED is for named people and never leaves by machine",
            "use TLP:AMBER+STRICT with an audience, or remove [share]",
        ));
    }
    let audience = typed.audience.iter().map(|name| partner(name, at));
    Ok(Share {
        tlp,
        audience: audience.collect::<Result<_, _>>()?,
        receipts: typed.receipts,
    })
}

/// Where packs come from: each repository once, and a hub to fetch from.
fn repositories(typed: &typed::Typed, at: &Locator<'_>) -> Result<Vec<Subscription>, ConfigError> {
    let mut all: Vec<Subscription> = Vec::new();
    for one in &typed.repository {
        let name = match &one.name {
            None => "community".to_owned(),
            Some(name) => partner(name, at)?.into(),
        };
        let offset = one.name.as_ref().map_or(0, |name| name.span().start);
        if typed.hub.is_none() {
            let mend = "add [hub], or remove the repository";
            return Err(at.refuse(offset, "a repository without a hub", mend));
        }
        if all.iter().any(|other| other.name == name) {
            let what = format!("repository \"{name}\" stands twice");
            return Err(at.refuse(offset, what, "write its packs in one list"));
        }
        let packs = one.packs.iter().map(|text| wanted(text, at));
        let every_s = match &one.every_s {
            None => EVERY_S,
            Some(typed) => number("every_s", typed, 1, EVERY_S_MAX, at)?,
        };
        all.push(Subscription {
            name,
            packs: packs.collect::<Result<_, _>>()?,
            root: one.root.clone(),
            every: Duration::from_secs(every_s),
        });
    }
    Ok(all)
}

fn wanted(typed: &Spanned<String>, at: &Locator<'_>) -> Result<Wanted, ConfigError> {
    let text = typed.get_ref();
    Wanted::parse(text).ok_or_else(|| {
        let what = format!("\"{text}\" names no pack");
        at.refuse(
            typed.span().start,
            what,
            "write \"PARTNER/PACK\", or \"PARTNER/*\"",
        )
    })
}

/// A partner's name, as hubs give them.
fn partner(typed: &Spanned<String>, at: &Locator<'_>) -> Result<Box<str>, ConfigError> {
    let name = typed.get_ref();
    if stix::lease::is_partner_name(name) {
        return Ok(name.as_str().into());
    }
    Err(at.refuse(
        typed.span().start,
        format!("\"{name}\" is no partner's name"),
        "use the name that the hub lists: lower-case letters, digits, '-', '_' and '.'",
    ))
}

fn name(typed: &Spanned<String>, at: &Locator<'_>) -> Result<String, ConfigError> {
    let name = typed.get_ref();
    let character = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let legal = !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.chars().all(character);
    legal.then(|| name.clone()).ok_or_else(|| {
        at.refuse(
            typed.span().start,
            format!("\"{name}\" cannot be a name"),
            format!("use 1 to {NAME_BYTES_MAX} letters, digits, '-', '_' or '.'"),
        )
    })
}
