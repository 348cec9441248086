//! What an object can be found by, and the keys that stand for it in a store's index.
//!
//! The index is derived: it holds nothing that the payloads do not hold, is built anew from them
//! when [`VERSION`] changes, and loses what an erased object added. A key may stand for more than
//! one term (long texts are cut); whoever finds an object by a key asks the object itself.

mod facts;
mod marks;

use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use ipnet::IpNet;
use stix::{StixId, canonical};

pub(crate) use facts::{Facts, PatternTerms, day_of, marking, technique};
pub use facts::{fingerprint, references};
pub(crate) use marks::{BLOCK, Mark, Marks, Stored, UNBOUNDED};

/// What terms an object has and what keys they have. A store whose index is of another version
/// builds it anew.
pub(crate) const VERSION: i64 = 2;
/// Most terms of one object. What is beyond is not found by them.
pub(crate) const TERMS_MAX: usize = 4096;

/// Something that an object can be found by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Term {
    /// Every object has it.
    Any,
    /// A text in canonical form.
    Text(Kind, Box<str>),
    /// A day, counted from 1970-01-01 in UTC.
    Day(DayOf, i32),
    /// An object that it refers to.
    Refers(StixId),
    /// An address or a network.
    Net(IpNet),
    /// The fingerprint of a pattern.
    Pattern([u8; 32]),
}

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// `type`.
    Type,
    /// The partner that shared it.
    Source,
    /// One of `labels`.
    Label,
    /// A TLP label, or the identifier of another marking.
    Marking,
    /// A technique of ATT&CK or ATLAS, or a phase of a kill chain.
    Technique,
    /// A domain name.
    Domain,
    /// A URL.
    Url,
    /// A digest, in lower-case hexadecimal.
    Hash,
    /// An electronic mail address.
    Email,
    /// A name, a file's path, and whatever else has no form of its own; in lower case.
    Other,
}

/// What happened on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DayOf {
    /// `created`.
    Created,
    /// `modified`.
    Modified,
}

/// A key of the index; ordered as its bytes.
pub(crate) type Key = Vec<u8>;

/// Keys from one on, up to before another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) from: Key,
    pub(crate) to: Key,
}

impl Span {
    /// The keys that begin with these bytes.
    fn of_prefix(prefix: Key) -> Self {
        let mut to = prefix.clone();
        // Longer than any key, so that none with the prefix comes after it.
        to.extend([0xff; KEY_BYTES_MAX]);
        Self { from: prefix, to }
    }

    /// One key.
    pub(crate) fn of_key(key: Key) -> Self {
        let mut to = key.clone();
        to.push(0);
        Self { from: key, to }
    }

    pub(crate) fn holds(&self, key: &[u8]) -> bool {
        *self.from <= *key && *key < *self.to
    }

    /// Whether it is of one key.
    pub(crate) fn is_one(&self) -> bool {
        self.to.strip_prefix(self.from.as_slice()) == Some(&[0])
    }
}

/// Spans in order, none of which meet.
pub(crate) fn in_order(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut ordered: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match ordered.last_mut() {
            Some(last) if span.from < last.to => last.to = span.to.max(last.to.clone()),
            _ => ordered.push(span),
        }
    }
    ordered
}

impl Term {
    pub(crate) fn text(&self) -> Option<(Kind, &str)> {
        if let Self::Text(kind, text) = self {
            return Some((*kind, text));
        }
        None
    }

    pub(crate) fn net(&self) -> Option<&IpNet> {
        if let Self::Net(net) = self {
            return Some(net);
        }
        None
    }

    /// Its key.
    pub(crate) fn key(&self) -> Key {
        match self {
            Self::Any => vec![0],
            Self::Text(kind, text) => kind.key(text),
            Self::Day(of, day) => day_key(*of, *day),
            Self::Refers(id) => tagged(6, id.uuid().as_bytes()),
            Self::Net(net) => net_key(*net),
            Self::Pattern(fingerprint) => {
                tagged(7, fingerprint.first_chunk::<16>().unwrap_or(&[0; 16]))
            }
        }
    }
}

/// The keys of all days in a range.
pub(crate) fn days(of: DayOf, first: i32, last: i32) -> Span {
    let mut to = day_key(of, last);
    to.push(0);
    Span {
        from: day_key(of, first),
        to,
    }
}

/// The keys of the network and of all networks and addresses in it.
pub(crate) fn within(net: IpNet) -> Span {
    let last = IpNet::new(net.broadcast(), net.max_prefix_len()).unwrap_or(net);
    let mut to = net_key(last);
    to.push(0);
    Span {
        from: net_key(net),
        to,
    }
}

/// The keys of the network and of all networks that it is in.
pub(crate) fn covering(net: IpNet) -> Vec<Span> {
    let wider = (0..=net.prefix_len()).filter_map(|length| {
        let net = IpNet::new(net.addr(), length).ok()?;
        Some(Span::of_key(net_key(net.trunc())))
    });
    wider.collect()
}

impl Kind {
    const fn tag(self) -> u8 {
        match self {
            Self::Type => 16,
            Self::Source => 17,
            Self::Label => 18,
            Self::Marking => 19,
            Self::Technique => 20,
            Self::Domain => 21,
            Self::Url => 22,
            Self::Hash => 23,
            Self::Email => 24,
            Self::Other => 25,
        }
    }

    fn key(self, text: &str) -> Key {
        let bytes = self.bytes(text);
        if bytes.len() <= WHOLE_BYTES_MAX {
            return tagged(self.tag(), &bytes);
        }
        let mut key = tagged(self.tag(), cut(&bytes));
        let rest = digest(&SHA256, &bytes);
        key.extend(rest.as_ref().iter().take(DIGEST_BYTES));
        key
    }

    /// The keys of all texts of this kind that begin so; of domain names, of those under this one.
    pub(crate) fn prefixed(self, text: &str) -> Span {
        let mut bytes = self.bytes(text);
        if self == Self::Domain {
            bytes.push(b'.');
        }
        Span::of_prefix(tagged(self.tag(), cut(&bytes)))
    }

    /// A text as the index orders it: domain names from their last label, digests as bytes.
    fn bytes(self, text: &str) -> Vec<u8> {
        match self {
            Self::Domain => text.rsplit('.').collect::<Vec<_>>().join(".").into_bytes(),
            Self::Hash => nibbles(text),
            Self::Type | Self::Source | Self::Label | Self::Marking | Self::Technique => {
                text.as_bytes().to_vec()
            }
            Self::Url | Self::Email | Self::Other => text.as_bytes().to_vec(),
        }
    }
}

/// Longest text that stands in a key as it is, in bytes.
const WHOLE_BYTES_MAX: usize = 40;
/// Of a longer one, so much stands there, and a digest of the whole.
const CUT_BYTES: usize = 32;
const DIGEST_BYTES: usize = 8;
/// Longest key, in bytes.
pub(crate) const KEY_BYTES_MAX: usize = 1 + WHOLE_BYTES_MAX;

fn cut(bytes: &[u8]) -> &[u8] {
    bytes.get(..CUT_BYTES).unwrap_or(bytes)
}

/// Two hexadecimal digits a byte; an odd one at the end is left out, as of the prefix of a digest.
fn nibbles(text: &str) -> Vec<u8> {
    let digit = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .map_or(0, |digit| u8::try_from(digit).unwrap_or(0))
    };
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    pairs
        .iter()
        .map(|[high, low]| digit(high) << 4 | digit(low))
        .collect()
}

fn tagged(tag: u8, bytes: &[u8]) -> Key {
    let mut key = Vec::with_capacity(bytes.len().saturating_add(1));
    key.push(tag);
    key.extend_from_slice(bytes);
    key
}

fn day_key(of: DayOf, day: i32) -> Key {
    let tag = match of {
        DayOf::Created => 4,
        DayOf::Modified => 5,
    };
    // Days before 1970 come first.
    tagged(tag, &(day ^ i32::MIN).to_be_bytes())
}

/// Its first address and the length of its prefix.
fn net_key(net: IpNet) -> Key {
    let mut key = match net.addr() {
        IpAddr::V4(four) => tagged(8, &four.octets()),
        IpAddr::V6(six) => tagged(9, &six.octets()),
    };
    key.push(net.prefix_len());
    key
}

/// Every term that a value may stand for, when nothing says what it is.
pub(crate) fn readings(value: &str) -> Vec<Term> {
    let value = value.trim();
    let mut terms = vec![Term::Text(Kind::Other, value.to_lowercase().into())];
    terms.extend(canonical::network(value).map(Term::Net));
    terms.extend(canonical::domain(value).map(|name| Term::Text(Kind::Domain, name)));
    terms.extend(canonical::url(value).map(|url| Term::Text(Kind::Url, url)));
    terms.extend(hash(value));
    terms.extend(email(value));
    terms
}

/// A digest of any algorithm.
fn hash(text: &str) -> Option<Term> {
    let long = (HASH_DIGITS_MIN..=HASH_DIGITS_MAX).contains(&text.len());
    let hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (long && hexadecimal && text.len().is_multiple_of(2))
        .then(|| Term::Text(Kind::Hash, text.to_ascii_lowercase().into()))
}

/// Digits of MD5, and of the longest digest in use.
const HASH_DIGITS_MIN: usize = 32;
const HASH_DIGITS_MAX: usize = 128;

fn email(text: &str) -> Option<Term> {
    let (user, host) = text.rsplit_once('@')?;
    let whole = !user.is_empty() && !host.is_empty();
    (whole && !text.contains(char::is_whitespace))
        .then(|| Term::Text(Kind::Email, text.to_lowercase().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn net(text: &str) -> IpNet {
        canonical::network(text).unwrap()
    }

    fn arb_net() -> impl Strategy<Value = IpNet> {
        // Few bits, so that networks meet.
        let four = (any::<u8>(), 0..=32_u8).prop_map(|(byte, length)| {
            let addr = std::net::Ipv4Addr::new(10, byte & 1, byte & 2, byte);
            IpNet::new(addr.into(), length).unwrap().trunc()
        });
        let six = (any::<u8>(), 0..=128_u8).prop_map(|(byte, length)| {
            let addr = std::net::Ipv6Addr::from(u128::from(byte) << 120 | u128::from(byte));
            IpNet::new(addr.into(), length).unwrap().trunc()
        });
        prop_oneof![four, six]
    }

    proptest! {
        #[test]
        fn networks_are_found_both_ways(one in arb_net(), other in arb_net()) {
            let key = Term::Net(other).key();
            prop_assert_eq!(within(one).holds(&key), one.contains(&other));
            let covers = covering(one).iter().any(|span| span.holds(&key));
            prop_assert_eq!(covers, other.contains(&one));
        }

        #[test]
        fn what_begins_so_is_in_the_span(start in "[a-zé.]{0,50}", rest in "[a-zé]{0,50}") {
            let text = format!("{start}{rest}");
            for kind in [Kind::Url, Kind::Other, Kind::Label] {
                let key = Term::Text(kind, text.as_str().into()).key();
                prop_assert!(kind.prefixed(&start).holds(&key));
                prop_assert!(key.len() <= KEY_BYTES_MAX);
            }
            prop_assert!(!Kind::Url.prefixed(&start).holds(&Kind::Email.key(&text)));
        }

        #[test]
        fn names_under_a_name_are_in_its_span(name in "[a-z]{1,20}\\.[a-z]{1,20}", label in "[a-z]{1,30}") {
            let under = Kind::Domain.prefixed(&name);
            let key = |text: String| Kind::Domain.key(&text);
            let [one, two] = [format!("{label}.{name}"), format!("a.{label}.{name}")];
            let [longer, own] = [format!("{label}{name}"), name.clone()];
            prop_assert!(under.holds(&key(one)) && under.holds(&key(two)));
            if name.len() < CUT_BYTES {
                prop_assert!(!under.holds(&key(longer)) && !under.holds(&key(own)));
            }
        }

        #[test]
        fn days_are_in_order(first: i32, last: i32, day: i32) {
            let key = Term::Day(DayOf::Created, day).key();
            let span = days(DayOf::Created, first, last);
            prop_assert_eq!(span.holds(&key), first <= day && day <= last);
        }
    }

    #[test]
    fn spans_in_order_hold_the_same_keys() {
        let spans = vec![
            Span::of_key(vec![3]),
            Span::of_prefix(vec![1, 2]),
            Span::of_key(vec![1, 2, 7]),
            Span::of_key(vec![3]),
        ];
        let ordered = in_order(spans);
        assert_eq!(
            ordered,
            [Span::of_prefix(vec![1, 2]), Span::of_key(vec![3])]
        );
        assert!(ordered[1].is_one() && !ordered[0].is_one());
        assert!(Span::of_key(net_key(net("192.0.2.0/24"))).is_one());
    }

    #[test]
    fn a_value_is_read_in_every_way() {
        let kinds = |value: &str| {
            let name = |term: &Term| match term {
                Term::Net(net) => net.to_string(),
                Term::Text(kind, text) => format!("{kind:?} {text}"),
                Term::Any | Term::Day(..) | Term::Refers(_) | Term::Pattern(_) => String::new(),
            };
            readings(value).iter().map(name).collect::<Vec<_>>()
        };
        assert_eq!(kinds("192.0.2.7"), ["Other 192.0.2.7", "192.0.2.7/32"]);
        assert_eq!(kinds("A.Example"), ["Other a.example", "Domain a.example"]);
        assert_eq!(
            kinds("HTTP://A.example"),
            ["Other http://a.example", "Url http://a.example/"]
        );
        assert_eq!(
            kinds("A@b.example"),
            ["Other a@b.example", "Email a@b.example"]
        );
        let md5 = "D41D8CD98F00B204E9800998ECF8427E";
        let lower = md5.to_lowercase();
        assert_eq!(
            kinds(md5),
            [
                format!("Other {lower}"),
                format!("Domain {lower}"),
                format!("Hash {lower}")
            ]
        );
    }
}
