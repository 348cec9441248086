//! `share`: telling the exchange.

use anyhow::anyhow;
use serde_json::{Value, json};
use stix::{
    Object, StixId, Timestamp, Tlp,
    build::{self, Common, Indicator},
    bundle,
    lease::{Action, EvidenceClass, LeaseRequest, Selector},
    pattern::{self, HashKind, Pattern, Term},
};

use crate::{
    cli::Share,
    client::{HubClient, Shared},
    commands::now,
    outcome::{Failure, Outcome},
    text::{say, seconds},
};

pub(super) async fn run(args: Share, json: bool) -> Result<Outcome, Failure> {
    let hub = HubClient::new(&args.peer)?;
    let document = match (&args.file, &args.revoke) {
        (Some(file), _) => std::fs::read(file).map_err(|e| Failure::input(file.display(), e))?,
        (None, Some(id)) => revoked(&hub, id).await?,
        (None, None) => indicators(&args, &hub.identity.partner)?,
    };
    let shared = hub.share(document).await?;
    print(&shared, json)
}

/// A bundle with one indicator of a URL, TLP:GREEN for a day, as `share --url` makes it.
pub(super) fn url_indicator(partner: &str, url: &str) -> Result<Vec<u8>, Failure> {
    let args = Share {
        file: None,
        ip: Vec::new(),
        domain: Vec::new(),
        url: vec![url.to_owned()],
        sha256: Vec::new(),
        revoke: None,
        tlp: Tlp::Green.name().to_owned(),
        audience: Vec::new(),
        ttl: "1d".to_owned(),
        confidence: 90,
        why: Some("asked for by a worm".to_owned()),
        peer: crate::cli::Peer {
            hub: None,
            identity: std::path::PathBuf::new(),
        },
    };
    indicators(&args, partner)
}

fn print(shared: &Shared, as_json: bool) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::Done;
    for object in &shared.outcomes {
        let reason = object.reason.as_deref().unwrap_or_default();
        if as_json {
            say(json!({"id": object.id, "outcome": object.outcome, "reason": object.reason}));
        } else {
            say(format_args!("{} {} {reason}", object.outcome, object.id)
                .to_string()
                .trim_end());
        }
        if !matches!(object.outcome.as_str(), "accepted" | "duplicate") {
            outcome = Outcome::No;
        }
    }
    Ok(outcome)
}

/// A new version of one of our objects that takes it back.
async fn revoked(hub: &HubClient, id: &str) -> Result<Vec<u8>, Failure> {
    let id: StixId = id
        .parse()
        .map_err(|e| Failure::input(format!("--revoke {id}"), e))?;
    let mut object = hub.own_object(id.as_str()).await?;
    let before = object.get("modified").and_then(Value::as_str);
    let before = before.and_then(|text| Timestamp::parse(text).ok());
    let now = now().max(before.map_or(Timestamp::EPOCH, |before| before.plus(MICROSECOND)));
    object.insert("revoked".to_owned(), Value::Bool(true));
    object.insert("modified".to_owned(), Value::String(now.to_string()));
    serde_json::to_vec(&object).map_err(|e| Failure::system("write the object", e))
}

/// Indicators of what was typed, each one an object of its own.
fn indicators(args: &Share, partner: &str) -> Result<Vec<u8>, Failure> {
    let typed = [
        ("ip", &args.ip),
        ("domain", &args.domain),
        ("url", &args.url),
        ("sha256", &args.sha256),
    ];
    let values = typed
        .iter()
        .flat_map(|(kind, values)| values.iter().map(move |v| (*kind, v)));
    let objects: Result<Vec<Object>, Failure> = values
        .map(|(kind, value)| indicator(args, partner, kind, value))
        .collect();
    Ok(bundle::bundle_of(&objects?))
}

fn indicator(args: &Share, partner: &str, kind: &str, value: &str) -> Result<Object, Failure> {
    let flag = format!("--{kind} {value}");
    let pattern = pattern_of(kind, value).map_err(|e| Failure::input(&flag, e))?;
    let tlp: Tlp = args
        .tlp
        .parse()
        .map_err(|e| Failure::input(format!("--tlp {}", args.tlp), e))?;
    let ttl_s = seconds(&args.ttl).ok_or_else(|| {
        Failure::Input(anyhow!(
            "--ttl {}: write it as 30s, 15m, 1h or 7d",
            args.ttl
        ))
    })?;
    let author = sharing::scrub::author_id(partner);
    let (now, ttl) = (now(), std::time::Duration::from_secs(ttl_s));
    let addressed = addressed(args, &pattern, ttl_s)?;
    let built = build::indicator(&Indicator {
        common: Common {
            id: StixId::v5("indicator", &format!("{partner}|shared|{pattern}")),
            author: Some(&author),
            created: now,
            modified: now,
            revoked: false,
            confidence: Some(args.confidence),
            tlp: Some(tlp),
        },
        name: args.why.as_deref().unwrap_or(value),
        indicator_types: &["malicious-activity"],
        pattern: &pattern,
        valid_from: now,
        valid_until: Some(now.plus(ttl)),
        lease: addressed.as_ref(),
    });
    built.map_err(|e| Failure::input(flag, e))
}

/// The lease extension is also what names the partners that an object is addressed to; a person's
/// word asks for no enforcement by itself, hence `monitor`.
fn addressed(args: &Share, pattern: &Pattern, ttl_s: u64) -> Result<Option<LeaseRequest>, Failure> {
    if args.audience.is_empty() {
        return Ok(None);
    }
    let Some(selector) = pattern.terms.first().and_then(selector_of) else {
        return Err(Failure::Input(anyhow!(
            "--audience: this kind of indicator cannot be addressed"
        )));
    };
    Ok(Some(LeaseRequest {
        selector,
        service: None,
        action: Action::Monitor,
        ttl_s: u32::try_from(ttl_s)
            .unwrap_or(u32::MAX)
            .min(stix::lease::TTL_S_MAX),
        evidence: EvidenceClass::Unproven,
        detector: "person@1".into(),
        audience: args
            .audience
            .iter()
            .map(|name| name.as_str().into())
            .collect(),
    }))
}

fn selector_of(term: &Term) -> Option<Selector> {
    match term {
        Term::Address(prefix) => Some(Selector::Source(*prefix)),
        Term::Domain(name) => Some(Selector::Domain(name.clone())),
        Term::Url(url) => Some(Selector::Url(url.clone())),
        Term::FileHash {
            algorithm: HashKind::Sha256,
            value,
        } => Some(Selector::Sha256(value.clone())),
        Term::FileHash { .. } | Term::Traffic { .. } | Term::Ja3(_) | Term::Ja4(_) => None,
    }
}

fn pattern_of(kind: &str, value: &str) -> anyhow::Result<Pattern> {
    let quoted = value.replace('\\', "\\\\").replace('\'', "\\'");
    let path = match kind {
        "ip" if value.contains(':') => "ipv6-addr:value",
        "ip" => "ipv4-addr:value",
        "domain" => "domain-name:value",
        "url" => "url:value",
        _ => "file:hashes.'SHA-256'",
    };
    Ok(pattern::parse(&format!("[{path} = '{quoted}']"))?)
}

const MICROSECOND: std::time::Duration = std::time::Duration::from_micros(1);
