//! TLS and SSL: hellos and certificates.

use packet::tls::{Certificate, Chain, Handshake, State};
use packet::{AppProto, Direction};

use super::app::{self, Get, nameless, table};
use super::number::Number;
use super::{Arg, Keyword, content};
use crate::rules::builder::Builder;
use crate::rules::content::Content;
use crate::rules::diagnostic::Problem;
use crate::rules::rule::{Check, Step};
use crate::rules::scene::{Buffer, Scene, Sides};
use crate::rules::syntax::Piece;
use crate::rules::walk::Walk;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::sticky("tls.sni", "The server name that the client asks for.", &SNI),
    Keyword::sticky("tls_sni", "The server name that the client asks for.", &SNI),
    Keyword::sticky(
        "tls.alpn",
        "An application protocol that is offered or chosen.",
        &ALPN,
    ),
    Keyword::sticky("tls.random", "The random bytes of a hello.", &RANDOM),
    Keyword::sticky(
        "tls.random_time",
        "The first 4 random bytes of a hello.",
        &RANDOM_TIME,
    ),
    Keyword::sticky(
        "tls.random_bytes",
        "The last 28 random bytes of a hello.",
        &RANDOM_BYTES,
    ),
    Keyword::call(
        "tls.version",
        "1.0|1.1|1.2|1.3|0x0303",
        "The highest version that the client offers, or the one that the server chooses.",
        tls_version,
    ),
    Keyword::call(
        "ssl_version",
        "version[,version...]|!version",
        "As tls.version, one of several: sslv2, sslv3, tls1.0, tls1.1, tls1.2, tls1.3.",
        ssl_version,
    ),
    Keyword::call(
        "ssl_state",
        "[!]state[,[!]state...]",
        "The latest message: client_hello, server_hello, client_keyx or server_keyx.",
        ssl_state,
    ),
    Keyword::sticky("tls.certs", "A certificate as sent.", &CERTS),
    Keyword::sticky("tls.cert_subject", "Whose certificate it is.", &SUBJECT),
    Keyword::sticky("tls_cert_subject", "Whose certificate it is.", &SUBJECT),
    Keyword::sticky("tls.cert_issuer", "Who signed the certificate.", &ISSUER),
    Keyword::sticky("tls_cert_issuer", "Who signed the certificate.", &ISSUER),
    Keyword::sticky(
        "tls.cert_serial",
        "The certificate's serial number.",
        &SERIAL,
    ),
    Keyword::sticky(
        "tls_cert_serial",
        "The certificate's serial number.",
        &SERIAL,
    ),
    Keyword::sticky(
        "tls.cert_fingerprint",
        "The certificate's SHA-1, pairs of digits with colons between.",
        &FINGERPRINT,
    ),
    Keyword::sticky(
        "tls_cert_fingerprint",
        "The certificate's SHA-1, pairs of digits with colons between.",
        &FINGERPRINT,
    ),
    Keyword::sticky(
        "tls.subjectaltname",
        "Another name of the certificate's subject.",
        &ALTERNATIVE_NAME,
    ),
    Keyword::call(
        "tls.subject",
        "[!]\"text\"",
        "The certificate's subject has this text.",
        |rule, arg| text(rule, arg, &SUBJECT),
    ),
    Keyword::call(
        "tls.issuerdn",
        "[!]\"text\"",
        "The certificate's issuer has this text.",
        |rule, arg| text(rule, arg, &ISSUER),
    ),
    Keyword::call(
        "tls.fingerprint",
        "[!]\"aa:bb:...\"",
        "The certificate's SHA-1.",
        fingerprint,
    ),
    Keyword::call(
        "tls_cert_notbefore",
        "[<|>]date|date<>date",
        "When the certificate begins to be valid.",
        |rule, arg| date(rule, arg, &NOT_BEFORE),
    ),
    Keyword::call(
        "tls_cert_notafter",
        "[<|>]date|date<>date",
        "When the certificate ends to be valid.",
        |rule, arg| date(rule, arg, &NOT_AFTER),
    ),
    Keyword::call(
        "tls_cert_expired",
        "",
        "The certificate is no longer valid.",
        |rule, arg| validity(rule, arg, Validity::Expired),
    ),
    Keyword::call(
        "tls_cert_valid",
        "",
        "The certificate is valid at the time.",
        |rule, arg| validity(rule, arg, Validity::Valid),
    ),
    Keyword::call(
        "tls.cert_chain_len",
        "number",
        "How many certificates the server shows.",
        |rule, arg| app::compare(rule, arg, &CHAIN_LEN, 0..=u64::from(u32::MAX), nameless),
    ),
    Keyword::call("tls_store", "", "Certificates are not stored.", store),
    Keyword::call("tls.store", "", "Certificates are not stored.", store),
];

const TLS: &[AppProto] = &[AppProto::Tls];

const fn hello(name: &'static str, sides: Sides, get: Get) -> Buffer {
    app::buffer(name, TLS, sides, get).in_head()
}

const fn certificate(name: &'static str, sides: Sides, get: Get) -> Buffer {
    app::buffer(name, TLS, sides, get)
}

static SNI: Buffer = hello("tls.sni", Sides::Client, |scene, values| {
    let client = handshake(scene).and_then(|handshake| handshake.client.as_ref());
    values.maybe(client.and_then(packet::tls::Hello::sni));
});

static ALPN: Buffer = hello("tls.alpn", Sides::Both, |scene, values| {
    let Some(handshake) = handshake(scene) else {
        return;
    };
    let names = match scene.direction {
        Direction::ToServer => handshake.client.as_ref().map(|hello| &hello.alpn),
        Direction::ToClient => handshake.server.as_ref().map(|hello| &hello.alpn),
    };
    names
        .into_iter()
        .flatten()
        .for_each(|name| values.push(name));
})
.multiple();

static RANDOM: Buffer = hello("tls.random", Sides::Both, |scene, values| {
    values.maybe(random(scene).map(<[u8; 32]>::as_slice));
});

static RANDOM_TIME: Buffer = hello("tls.random_time", Sides::Both, |scene, values| {
    values.maybe(random(scene).and_then(|random| random.get(..4)));
});

static RANDOM_BYTES: Buffer = hello("tls.random_bytes", Sides::Both, |scene, values| {
    values.maybe(random(scene).and_then(|random| random.get(4..)));
});

static VERSION: Buffer = hello("tls.version", Sides::Both, |scene, values| {
    app::push(values, version(scene).map(released));
});

static DRAFT: Buffer = hello("tls.version", Sides::Both, |scene, values| {
    app::push(values, version(scene));
});

static STATE: Buffer = hello("ssl_state", Sides::Both, |scene, values| {
    let state = handshake(scene).and_then(|handshake| handshake.state);
    let state = state.filter(|state| state.direction() == scene.direction);
    app::push(values, state.map(|state| state as u8));
});

static CERTS: Buffer = certificate("tls.certs", Sides::Both, |scene, values| {
    let raw = chain(scene).into_iter().flat_map(|chain| &chain.raw);
    raw.for_each(|certificate| values.push(certificate));
})
.multiple();

static SUBJECT: Buffer = certificate("tls.cert_subject", Sides::Both, |scene, values| {
    values.maybe(leaf(scene).map(|leaf| leaf.subject.as_bytes()));
});

static ISSUER: Buffer = certificate("tls.cert_issuer", Sides::Both, |scene, values| {
    values.maybe(leaf(scene).map(|leaf| leaf.issuer.as_bytes()));
});

static SERIAL: Buffer = certificate("tls.cert_serial", Sides::Both, |scene, values| {
    values.maybe(leaf(scene).map(|leaf| leaf.serial.as_bytes()));
});

pub(super) static FINGERPRINT: Buffer =
    certificate("tls.cert_fingerprint", Sides::Both, |scene, values| {
        values.maybe(leaf(scene).map(|leaf| leaf.fingerprint.as_bytes()));
    });

static ALTERNATIVE_NAME: Buffer =
    certificate("tls.subjectaltname", Sides::Server, |scene, values| {
        let names = leaf(scene)
            .into_iter()
            .flat_map(|leaf| &leaf.alternative_names);
        names.for_each(|name| values.push(name.as_bytes()));
    })
    .multiple();

static NOT_BEFORE: Buffer = certificate("tls_cert_notbefore", Sides::Server, |scene, values| {
    app::push(
        values,
        leaf(scene).map(|leaf| seconds(leaf.not_before.unix_s())),
    );
});

static NOT_AFTER: Buffer = certificate("tls_cert_notafter", Sides::Server, |scene, values| {
    app::push(
        values,
        leaf(scene).map(|leaf| seconds(leaf.not_after.unix_s())),
    );
});

static CHAIN_LEN: Buffer = certificate("tls.cert_chain_len", Sides::Server, |scene, values| {
    app::push(values, chain(scene).map(|chain| len(chain.raw.len())));
});

fn handshake<'s>(scene: &Scene<'s>) -> Option<&'s Handshake> {
    scene.of()
}

/// The certificates of the side that is looked at.
fn chain<'s>(scene: &Scene<'s>) -> Option<&'s Chain> {
    let handshake = handshake(scene)?;
    Some(match scene.direction {
        Direction::ToServer => &handshake.client_chain,
        Direction::ToClient => &handshake.server_chain,
    })
}

fn leaf<'s>(scene: &Scene<'s>) -> Option<&'s Certificate> {
    chain(scene)?.leaf.as_ref()
}

fn random<'s>(scene: &Scene<'s>) -> Option<&'s [u8; 32]> {
    let handshake = handshake(scene)?;
    match scene.direction {
        Direction::ToServer => handshake.client.as_ref().map(|hello| &hello.random),
        Direction::ToClient => handshake.server.as_ref().map(|hello| &hello.random),
    }
}

fn version(scene: &Scene<'_>) -> Option<u16> {
    let handshake = handshake(scene)?;
    match scene.direction {
        Direction::ToServer => handshake.client.as_ref().map(|hello| hello.version),
        Direction::ToClient => handshake.server.as_ref().map(|hello| hello.version),
    }
}

/// Drafts count as the version that came of them (RFC 8446 appendix D).
fn released(version: u16) -> u16 {
    match version {
        0x7f00..=0x7fff => 0x0304,
        released => released,
    }
}

/// Times before 1970 count as its beginning.
fn seconds(unix_s: i64) -> u64 {
    u64::try_from(unix_s).unwrap_or(0)
}

fn len(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

const VERSIONS: &[(&str, u64)] = &[
    ("1.0", 0x0301),
    ("1.1", 0x0302),
    ("1.2", 0x0303),
    ("1.3", 0x0304),
];

fn tls_version(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let digits = value.text.strip_prefix("0x");
    let raw = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
    match (table(VERSIONS)(value.text), raw) {
        (Some(version), _) => one_of(rule, arg, &VERSION, vec![(true, version)]),
        (None, Some(raw)) => one_of(rule, arg, &DRAFT, vec![(true, raw.into())]),
        (None, None) => Err(value
            .wrong(format!("{:?} is no version of TLS", value.text))
            .mend("write 1.0, 1.1, 1.2, 1.3 or a number as 0x0303")),
    }
}

const SSL_VERSIONS: &[(&str, u64)] = &[
    ("sslv2", 0x0002),
    ("sslv3", 0x0300),
    ("tls1.0", 0x0301),
    ("tls1.1", 0x0302),
    ("tls1.2", 0x0303),
    ("tls1.3", 0x0304),
];

fn ssl_version(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let known = words(arg.value()?.split(','), SSL_VERSIONS)?;
    if known.len() > 1 && known.iter().any(|(is_meant, _)| !is_meant) {
        return Err(arg
            .value()?
            .wrong("a version that is not meant beside others")
            .mend("write those that are meant, or only one with ! before it"));
    }
    one_of(rule, arg, &VERSION, known)
}

const STATES: &[(&str, u64)] = &[
    ("client_hello", State::ClientHello as u64),
    ("server_hello", State::ServerHello as u64),
    ("client_keyx", State::ClientKeyExchange as u64),
    ("server_keyx", State::ServerKeyExchange as u64),
    ("unknown", 0),
];

fn ssl_state(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let parts = value.split(',').flat_map(|part| part.split('|'));
    let known = words(parts, STATES)?;
    one_of(rule, arg, &STATE, known)
}

/// Words of a table, each meant or, behind a `!`, not.
fn words<'t>(
    words: impl Iterator<Item = Piece<'t>>,
    names: &'static [(&'static str, u64)],
) -> Result<Vec<(bool, u64)>, Problem> {
    let read = |word: Piece<'t>| {
        let (negated, name) = content::negated(word);
        let known = names.iter().find(|(known, _)| *known == name.text);
        known.map(|(_, number)| (!negated, *number)).ok_or_else(|| {
            let all: Vec<_> = names.iter().map(|(name, _)| *name).collect();
            name.wrong(format!("{:?} is not known", name.text))
                .mend(format!("write one of {}", all.join(", ")))
        })
    };
    words.map(read).collect()
}

/// One of several holds: a number is meant, or any but one.
#[derive(Debug)]
struct OneOf(Vec<(bool, u64)>);

impl Check for OneOf {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        let number = walk
            .bytes
            .first_chunk()
            .map(|word| u64::from_be_bytes(*word));
        number.is_some_and(|number| {
            let mut meant = self.0.iter();
            meant.any(|(is_meant, one)| (*one == number) == *is_meant)
        })
    }
}

fn one_of(
    rule: &mut Builder<'_, '_>,
    arg: Arg<'_>,
    buffer: &'static Buffer,
    numbers: Vec<(bool, u64)>,
) -> Result<(), Problem> {
    rule.ask_of(buffer, Step::Check(Box::new(OneOf(numbers))), arg.name)
}

/// The old keywords, which are their own content.
fn text(rule: &mut Builder<'_, '_>, arg: Arg<'_>, buffer: &'static Buffer) -> Result<(), Problem> {
    let (negated, bytes) = content::quoted(arg)?;
    let content = Content::new(bytes, negated);
    rule.ask_of(buffer, Step::Content(Box::new(content)), arg.name)
}

fn fingerprint(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let (negated, bytes) = content::quoted(arg)?;
    let mut content = Content::new(bytes, negated);
    super::digest::check(&FINGERPRINT, &mut content, arg.value()?)?;
    rule.ask_of(&FINGERPRINT, Step::Content(Box::new(content)), arg.name)
}

fn date(rule: &mut Builder<'_, '_>, arg: Arg<'_>, buffer: &'static Buffer) -> Result<(), Problem> {
    let value = arg.value()?;
    let number = if let Some((from, to)) = value.text.split_once("<>") {
        let (from, to) = (unix_s(value.part(from))?, unix_s(value.part(to))?);
        if from >= to {
            return Err(value
                .wrong("a range that holds nothing")
                .mend("write the earlier date first"));
        }
        Number::Between(from, to)
    } else if let Some(than) = value.text.strip_prefix('<') {
        Number::Below(unix_s(value.part(than))?)
    } else if let Some(than) = value.text.strip_prefix('>') {
        Number::Above(unix_s(value.part(than))?)
    } else {
        Number::Is(unix_s(value)?)
    };
    app::ask(rule, arg, buffer, number)
}

/// `2015`, `2015-10`, `2015-10-22`, `2015-10-22T23`, `2015-10-22T23:59`, `2015-10-22 23:59:59`: the
/// beginning of what it names.
fn unix_s(text: Piece<'_>) -> Result<u64, Problem> {
    let text = text.trim();
    let mut parts = text.text.splitn(6, ['-', 'T', ' ', ':']);
    let mut next = |default: u64, range: std::ops::RangeInclusive<u64>| {
        let number = parts.next().map_or(Some(default), |part| part.parse().ok());
        number
            .filter(|number| range.contains(number))
            .and_then(|number| u16::try_from(number).ok())
            .ok_or_else(|| {
                text.wrong(format!("{:?} is no date", text.text))
                    .mend("write a date as 2015, 2015-10-22 or 2015-10-22T23:59:59")
            })
    };
    let narrow = |number: u16| u8::try_from(number).unwrap_or(u8::MAX);
    let time = packet::tls::Time {
        year: next(0, 1900..=9999)?,
        month: narrow(next(1, 1..=12)?),
        day: narrow(next(1, 1..=31)?),
        hour: narrow(next(0, 0..=23)?),
        minute: narrow(next(0, 0..=59)?),
        second: narrow(next(0, 0..=60)?),
    };
    Ok(seconds(time.unix_s()))
}

/// Whether the certificate of the server is valid at the time.
#[derive(Debug, Clone, Copy)]
enum Validity {
    Expired,
    Valid,
}

impl Check for Validity {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        let now_s = i64::try_from(walk.scene.now_ns / 1_000_000_000).unwrap_or(i64::MAX);
        leaf(walk.scene).is_some_and(|leaf| match self {
            Self::Expired => leaf.not_after.unix_s() < now_s,
            Self::Valid => leaf.is_valid_at(now_s),
        })
    }
}

fn validity(rule: &mut Builder<'_, '_>, arg: Arg<'_>, validity: Validity) -> Result<(), Problem> {
    arg.nothing()?;
    rule.ask_of(&NOT_AFTER, Step::Check(Box::new(validity)), arg.name)
}

fn store(_: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    arg.nothing()?;
    Err(arg
        .name
        .unsupported("certificates are not stored")
        .mend("take it out; alerts show the certificate's fields"))
}
