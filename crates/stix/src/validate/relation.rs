//! The relationships that STIX 2.1 suggests, by source (the sections "Relationships" of 4 and 6,
//! and section 3.7).

/// Whether the specification suggests it; both types are ones that it defines.
pub(super) fn is_suggested(source: &str, relation: &str, target: &str) -> bool {
    match relation {
        "related-to" => true,
        "derived-from" | "duplicate-of" if source == target => true,
        _ => TABLE.iter().any(|(from, name, to)| {
            *from == source && *name == relation && to.iter().any(|to| means(to, target))
        }),
    }
}

/// `*` stands for every cyber-observable type.
fn means(entry: &str, target: &str) -> bool {
    match entry {
        "*" => super::table::class(target) == Some(super::table::Class::Observable),
        _ => entry == target,
    }
}

type Entry = (&'static str, &'static str, &'static [&'static str]);

const VICTIM: &[&str] = &["identity", "location", "vulnerability"];
const TARGET: &[&str] = &["identity", "infrastructure", "location", "vulnerability"];
const MEANS: &[&str] = &["attack-pattern", "infrastructure", "malware", "tool"];
const PLACE: &[&str] = &["location"];
const INFRASTRUCTURE: &[&str] = &["infrastructure"];
const MALWARE: &[&str] = &["malware"];
const WEAKNESS: &[&str] = &["vulnerability"];
const PAYLOAD: &[&str] = &["malware", "tool", "file"];
const PEERS: &[&str] = &["ipv4-addr", "ipv6-addr", "domain-name", "url"];

static TABLE: [Entry; 63] = [
    ("attack-pattern", "delivers", MALWARE),
    ("attack-pattern", "targets", VICTIM),
    ("attack-pattern", "uses", &["malware", "tool"]),
    (
        "campaign",
        "attributed-to",
        &["intrusion-set", "threat-actor"],
    ),
    ("campaign", "compromises", INFRASTRUCTURE),
    ("campaign", "originates-from", PLACE),
    ("campaign", "targets", VICTIM),
    ("campaign", "uses", MEANS),
    ("course-of-action", "investigates", &["indicator"]),
    (
        "course-of-action",
        "mitigates",
        &[
            "attack-pattern",
            "indicator",
            "malware",
            "tool",
            "vulnerability",
        ],
    ),
    (
        "course-of-action",
        "remediates",
        &["malware", "vulnerability"],
    ),
    ("identity", "located-at", PLACE),
    (
        "indicator",
        "indicates",
        &[
            "attack-pattern",
            "campaign",
            "infrastructure",
            "intrusion-set",
            "malware",
            "threat-actor",
            "tool",
        ],
    ),
    ("indicator", "based-on", &["observed-data"]),
    (
        "infrastructure",
        "communicates-with",
        &[
            "infrastructure",
            "ipv4-addr",
            "ipv6-addr",
            "domain-name",
            "url",
        ],
    ),
    (
        "infrastructure",
        "consists-of",
        &["infrastructure", "observed-data", "*"],
    ),
    ("infrastructure", "controls", &["infrastructure", "malware"]),
    ("infrastructure", "delivers", MALWARE),
    ("infrastructure", "has", WEAKNESS),
    ("infrastructure", "hosts", &["tool", "malware"]),
    ("infrastructure", "located-at", PLACE),
    ("infrastructure", "uses", INFRASTRUCTURE),
    ("intrusion-set", "attributed-to", &["threat-actor"]),
    ("intrusion-set", "compromises", INFRASTRUCTURE),
    ("intrusion-set", "hosts", INFRASTRUCTURE),
    ("intrusion-set", "owns", INFRASTRUCTURE),
    ("intrusion-set", "originates-from", PLACE),
    ("intrusion-set", "targets", VICTIM),
    ("intrusion-set", "uses", MEANS),
    ("malware", "authored-by", &["threat-actor", "intrusion-set"]),
    ("malware", "beacons-to", INFRASTRUCTURE),
    ("malware", "exfiltrates-to", INFRASTRUCTURE),
    ("malware", "communicates-with", PEERS),
    ("malware", "controls", MALWARE),
    ("malware", "downloads", PAYLOAD),
    ("malware", "drops", PAYLOAD),
    ("malware", "exploits", WEAKNESS),
    ("malware", "originates-from", PLACE),
    ("malware", "targets", TARGET),
    ("malware", "uses", MEANS),
    ("malware", "variant-of", MALWARE),
    ("malware-analysis", "characterizes", MALWARE),
    ("malware-analysis", "analysis-of", MALWARE),
    ("malware-analysis", "static-analysis-of", MALWARE),
    ("malware-analysis", "dynamic-analysis-of", MALWARE),
    ("threat-actor", "attributed-to", &["identity"]),
    ("threat-actor", "compromises", INFRASTRUCTURE),
    ("threat-actor", "hosts", INFRASTRUCTURE),
    ("threat-actor", "owns", INFRASTRUCTURE),
    ("threat-actor", "impersonates", &["identity"]),
    ("threat-actor", "located-at", PLACE),
    ("threat-actor", "targets", VICTIM),
    ("threat-actor", "uses", MEANS),
    ("tool", "delivers", MALWARE),
    ("tool", "drops", MALWARE),
    ("tool", "has", WEAKNESS),
    ("tool", "targets", TARGET),
    ("tool", "uses", INFRASTRUCTURE),
    (
        "domain-name",
        "resolves-to",
        &["domain-name", "ipv4-addr", "ipv6-addr"],
    ),
    ("ipv4-addr", "belongs-to", &["autonomous-system"]),
    ("ipv4-addr", "resolves-to", &["mac-addr"]),
    ("ipv6-addr", "belongs-to", &["autonomous-system"]),
    ("ipv6-addr", "resolves-to", &["mac-addr"]),
];
