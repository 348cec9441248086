//! Links of lures: the same page behind another link of the same attacker.
//!
//! What must stay is who holds the page: a link with another path or query leads to the same host;
//! a link with another host leads to a host that its owner can have for a few coins, or for free.

use url::Url;

use crate::words::{BRANDS, WORDS, is_legal, parts, random};
use crate::{Chance, Mutation, Sample};

/// Suffixes under which anybody gets a host.
const FREE: [&str; 8] = [
    "github.io",
    "pages.dev",
    "web.app",
    "netlify.app",
    "vercel.app",
    "blogspot.com",
    "weebly.com",
    "workers.dev",
];
/// Hosts that send to anywhere.
const SHORT: [&str; 5] = ["bit.ly", "tinyurl.com", "t.ly", "is.gd", "cutt.ly"];
/// Top levels with a good name.
const PLAIN: [&str; 6] = ["com", "net", "org", "co", "info", "io"];
/// Words that links of mail and shops have.
const TAGS: [&str; 6] = [
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "ref",
    "session",
    "lang",
];
/// Letters that are drawn as Latin ones.
const ALIKE: [(char, char); 8] = [
    ('a', 'а'),
    ('e', 'е'),
    ('o', 'о'),
    ('p', 'р'),
    ('c', 'с'),
    ('i', 'і'),
    ('y', 'у'),
    ('s', 'ѕ'),
];

/// What a changed link must share with the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    /// The whole host, and the path once decoded.
    Page,
    /// The whole host.
    Host,
    /// The path; the host is another that can be registered.
    Path,
    /// Nothing: it sends there.
    Redirect,
}

/// Another link.
#[derive(Debug)]
struct Link {
    name: &'static str,
    holds_in: &'static str,
    keeps: Keeps,
    change: fn(&mut Url, &[Sample], &mut Chance) -> Option<()>,
}

/// Reads a link; the scheme may be missing.
pub(crate) fn parsed(text: &str) -> Option<Url> {
    let whole = match text.contains("://") {
        true => Url::parse(text),
        false => Url::parse(&format!("http://{text}")),
    };
    whole.ok().filter(|url| url.host_str().is_some())
}

impl Mutation for Link {
    fn name(&self) -> &'static str {
        self.name
    }

    fn holds_in(&self) -> &'static str {
        self.holds_in
    }

    fn apply(&self, sample: &Sample, corpus: &[Sample], chance: &mut Chance) -> Option<Sample> {
        let Sample::Url(text) = sample else {
            return None;
        };
        let mut url = parsed(text)?;
        (self.change)(&mut url, corpus, chance)?;
        let changed = url.to_string();
        (changed != *text).then_some(Sample::Url(changed))
    }

    fn same(&self, before: &Sample, after: &Sample) -> bool {
        let (Sample::Url(before), Sample::Url(after)) = (before, after) else {
            return false;
        };
        let (Some(before), Some(after)) = (parsed(before), parsed(after)) else {
            return false;
        };
        let decoded = |url: &Url| crate::web::unescaped(url.path().as_bytes());
        let host = after.host_str().unwrap_or_default();
        match self.keeps {
            Keeps::Page => before.host() == after.host() && decoded(&before) == decoded(&after),
            Keeps::Host => before.host() == after.host(),
            Keeps::Path => {
                before.host() != after.host()
                    && is_legal(host)
                    && parts(host).is_some()
                    && before.path() == after.path()
                    && before.query() == after.query()
            }
            Keeps::Redirect => SHORT.contains(&host) && after.path().len() > 4,
        }
    }

    fn keeps_harmless(&self) -> bool {
        matches!(self.keeps, Keeps::Page | Keeps::Host) && self.name != "userinfo"
    }
}

/// The brand that a link names, or one that it might.
fn brand(url: &Url, chance: &mut Chance) -> &'static str {
    let named = BRANDS.iter().find(|brand| url.as_str().contains(**brand));
    let drawn = chance.pick(&BRANDS);
    named.or(drawn).copied().unwrap_or("paypal")
}

/// The host's parts as they are; `None` of addresses.
fn host(url: &Url) -> Option<(String, String, String)> {
    let (below, label, suffix) = parts(url.host_str()?)?;
    Some((below.to_owned(), label.to_owned(), suffix.to_owned()))
}

fn homoglyph(url: &mut Url, _: &[Sample], chance: &mut Chance) -> Option<()> {
    let (below, label, suffix) = host(url)?;
    if label.starts_with("xn--") {
        return None;
    }
    let places: Vec<(usize, char)> = label
        .char_indices()
        .filter_map(|(at, c)| {
            let (_, alike) = ALIKE.iter().find(|(latin, _)| *latin == c)?;
            Some((at, *alike))
        })
        .collect();
    let (at, alike) = *chance.pick(&places)?;
    let (before, rest) = label.split_at_checked(at)?;
    let after: String = rest.chars().skip(1).collect();
    let dot = if below.is_empty() { "" } else { "." };
    let name = format!("{below}{dot}{before}{alike}{after}.{suffix}");
    url.set_host(Some(&name)).ok()
}

fn hyphen(url: &mut Url, _: &[Sample], chance: &mut Chance) -> Option<()> {
    let (_, _, suffix) = host(url)?;
    let word = *chance.pick(&["login", "secure", "support", "verify", "account", "help"])?;
    let name = format!(
        "{}-{word}{}.{suffix}",
        brand(url, chance),
        chance.below(100)
    );
    url.set_host(Some(&name)).ok()
}

fn subdomain(url: &mut Url, _: &[Sample], chance: &mut Chance) -> Option<()> {
    let (_, label, suffix) = host(url)?;
    let name = format!("{}.com.{label}.{suffix}", brand(url, chance));
    url.set_host(Some(&name)).ok()
}

fn free(url: &mut Url, _: &[Sample], chance: &mut Chance) -> Option<()> {
    let (_, label, _) = host(url)?;
    let suffix = *chance.pick(&FREE)?;
    let label: String = label.chars().take(30).collect();
    let name = format!("{}-{}.{suffix}", label.trim_matches('-'), random(4, chance));
    url.set_host(Some(&name)).ok()
}

fn shortener(url: &mut Url, _: &[Sample], chance: &mut Chance) -> Option<()> {
    let name = *chance.pick(&SHORT)?;
    let path = random(7, chance);
    *url = Url::parse(&format!("https://{name}/{path}")).ok()?;
    Some(())
}

fn query(url: &mut Url, _: &[Sample], chance: &mut Chance) -> Option<()> {
    let mut pairs = url.query_pairs_mut();
    for tag in TAGS {
        let value = format!("{}-{}", chance.pick(&WORDS)?, random(12, chance));
        pairs.append_pair(tag, &value);
    }
    Some(())
}

fn percent(url: &mut Url, _: &[Sample], chance: &mut Chance) -> Option<()> {
    let mut path = String::new();
    for c in url.path().chars() {
        match c.is_ascii_alphabetic() && chance.holds(50) && !ends_in_escape(&path) {
            true => path.push_str(&format!("%{:02x}", u32::from(c))),
            false => path.push(c),
        }
    }
    url.set_path(&path);
    Some(())
}

/// Whether the last one or two characters belong to a percent encoding.
fn ends_in_escape(path: &str) -> bool {
    path.ends_with('%') || path.chars().rev().nth(1) == Some('%')
}

fn userinfo(url: &mut Url, _: &[Sample], chance: &mut Chance) -> Option<()> {
    let name = format!("www.{}.com", brand(url, chance));
    url.set_username(&name).ok()
}

fn label(url: &mut Url, _: &[Sample], chance: &mut Chance) -> Option<()> {
    let (_, _, suffix) = host(url)?;
    let words = (chance.pick(&WORDS)?, chance.pick(&WORDS)?);
    let name = format!("{}{}.{suffix}", words.0, words.1);
    url.set_host(Some(&name)).ok()
}

fn top_level(url: &mut Url, _: &[Sample], chance: &mut Chance) -> Option<()> {
    let (below, label, _) = host(url)?;
    let dot = if below.is_empty() { "" } else { "." };
    let name = format!("{below}{dot}{label}.{}", chance.pick(&PLAIN)?);
    url.set_host(Some(&name)).ok()
}

fn graft(url: &mut Url, corpus: &[Sample], chance: &mut Chance) -> Option<()> {
    // a few tries: many harmless links have no path
    let found = (0..16).find_map(|_| match chance.pick(corpus)? {
        Sample::Url(other) => parsed(other).filter(|other| other.path().len() > 1),
        Sample::Web(_) | Sample::Domain(_) => None,
    })?;
    url.set_path(found.path());
    Some(())
}

const fn link(
    name: &'static str,
    holds_in: &'static str,
    keeps: Keeps,
    change: fn(&mut Url, &[Sample], &mut Chance) -> Option<()>,
) -> Link {
    Link {
        name,
        holds_in,
        keeps,
        change,
    }
}

pub(crate) static TABLE: &[&dyn Mutation] = &[
    &link(
        "brand_homoglyph",
        "a name that can be registered",
        Keeps::Path,
        homoglyph,
    ),
    &link(
        "brand_hyphen",
        "a name that can be registered",
        Keeps::Path,
        hyphen,
    ),
    &link(
        "brand_subdomain",
        "the holder of the name",
        Keeps::Path,
        subdomain,
    ),
    &link("free_hosting", "hosts that anybody gets", Keeps::Path, free),
    &link(
        "shortener",
        "services that redirect",
        Keeps::Redirect,
        shortener,
    ),
    &link("query_padding", "the same host", Keeps::Page, query),
    &link(
        "percent_path",
        "the same host and path",
        Keeps::Page,
        percent,
    ),
    &link("userinfo", "the same host and path", Keeps::Page, userinfo),
    &link(
        "fresh_label",
        "a name that can be registered",
        Keeps::Path,
        label,
    ),
    &link(
        "top_level",
        "a name that can be registered",
        Keeps::Path,
        top_level,
    ),
    &link("benign_path", "the same host", Keeps::Host, graft),
];
