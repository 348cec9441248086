use super::*;
use crate::policy::{Behaviour, Leave};

const FULL: &str = r#"
name = "shield-b"
data = "/var/lib/shieldwall/shield-b"
[hub]
url = "https://127.0.0.1:8443"
identity = "/etc/shieldwall/identity"
[capture]
interface = "eth0"
[enforce]
mode = "auto"
pin = "/sys/fs/bpf/shieldwall"
[policy]
action = "enforce"
confidence_min = 50
lease_max_s = 3600
benign_sessions_max = 8
[protect]
networks = ["10.2.0.0/24"]
automatic = true
[home]
networks = ["10.2.0.0/24", "2001:db8::1"]
[share]
tlp = "TLP:GREEN"
audience = []
receipts = true
[[repository]]
packs = ["acme/web", "rival/*"]
every_s = 60
[rules]
files = ["rules/*.rules", "local.rules"]
config = "suricata.yaml"
drop = false
[eve]
file = "/var/log/shieldwall/eve.json"
alerts_only = true
"#;

fn check(text: &str) -> Result<Config, String> {
    parse(text, Path::new("shield.toml")).map_err(|e| e.to_string())
}

/// The full file with one line replaced.
fn with(line: &str, other: &str) -> String {
    assert!(FULL.contains(line), "{line} is in the example");
    FULL.replacen(line, other, 1)
}

#[test]
fn repositories_are_named_once_and_ask_for_packs_by_name() {
    let config = check(FULL).unwrap();
    assert!(config.share.unwrap().receipts);
    let one = &config.repositories[0];
    assert_eq!((one.name.as_str(), one.packs.len()), ("community", 2));
    assert_eq!(one.every, std::time::Duration::from_secs(60));
    let error = check(&with("\"rival/*\"", "\"*\"")).unwrap_err();
    assert!(
        error.contains("shield.toml:27:22: \"*\" names no pack"),
        "{error}"
    );
    let twice = check(&with("every_s = 60", "[[repository]]")).unwrap_err();
    assert!(twice.contains("stands twice"), "{twice}");
    let alone = "name = \"a\"\ndata = \"/d\"\n[[repository]]\n";
    assert!(check(alone).unwrap_err().contains("without a hub"));
}

#[test]
fn the_example_is_read_whole() {
    let config = check(FULL).unwrap();
    assert_eq!(config.name, "shield-b");
    assert_eq!(config.capture, Some(Capture::Interface("eth0".into())));
    assert_eq!(config.policy.lease_max.as_secs(), 3_600);
    assert_eq!(config.home.len(), 2);
    assert_eq!(config.share.unwrap().tlp, Tlp::Green);
    let rules = config.rules;
    assert_eq!(
        (rules.files.len(), rules.drop, rules.watch, rules.partners),
        (2, false, true, true)
    );
    let eve = config.eve.unwrap();
    assert_eq!(eve.file, Path::new("/var/log/shieldwall/eve.json"));
    assert!(eve.alerts_only);
}

#[test]
fn what_is_absent_has_the_cautious_default() {
    let config = check("name = \"s\"\ndata = \"d\"\n").unwrap();
    assert_eq!(config.share, None, "nothing leaves unless it was asked for");
    assert_eq!(config.eve, None);
    assert!(config.protect.automatic);
    assert_eq!(config.policy.confidence_min, 50);
    assert_eq!(config.policy.behaviour, Behaviour::default());
    let said = "name = \"s\"\ndata = \"d\"\n[behaviour]\nbeacon = \"drop\"\n";
    let said = check(said).unwrap().policy.behaviour;
    assert_eq!(
        (said.beacon, said.dns_tunnel),
        (Leave::Drop, Leave::RateLimit)
    );
    assert_eq!(config.enforce.mode, EnforceMode::Auto);
}

#[test]
fn errors_name_place_and_remedy() {
    let golden = [
        (
            with("[home]", "[hom]"),
            "shield.toml:20:2: unknown field `hom`, expected one of `name`, `data`, `hub`, \
             `capture`, `enforce`, `policy`, `behaviour`, `protect`, `home`, `share`, `rules`, `packs`, `eve`, `repository`; remove it or \
             correct its name",
        ),
        (
            with("confidence_min = 50", "confidence_mim = 50"),
            "shield.toml:14:1: unknown field `confidence_mim`, expected one of `action`, \
             `confidence_min`, `lease_max_s`, `benign_sessions_max`, `rate_packets_per_s`, \
             `rate_burst`, `private_from_exchange`; remove it or correct its name",
        ),
        (
            with("confidence_min = 50", "confidence_min = 101"),
            "shield.toml:14:18: confidence_min = 101 is out of range; use a number from 0 to 100",
        ),
        (
            with("lease_max_s = 3600", "lease_max_s = 0"),
            "shield.toml:15:15: lease_max_s = 0 is out of range; use a number from 1 to 86400",
        ),
        (
            with(
                "[\"10.2.0.0/24\"]\nautomatic",
                "[\"10.2.0.9/24\"]\nautomatic",
            ),
            "shield.toml:18:13: \"10.2.0.9/24\" has bits beyond its prefix; write \"10.2.0.0/24\" \
             for the network or \"10.2.0.9\" for the host",
        ),
        (
            with("\"2001:db8::1\"", "\"office\""),
            "shield.toml:21:28: \"office\" is no network; write an address or a prefix, as \
             \"10.2.0.0/24\"",
        ),
        (
            with("https://127.0.0.1:8443", "http://127.0.0.1:8443"),
            "shield.toml:5:7: hub.url \"http://127.0.0.1:8443\" is not https; write it as \
             \"https://host:port\"",
        ),
        (
            with(
                "interface = \"eth0\"",
                "interface = \"eth0\"\npcap = \"x.pcap\"",
            ),
            "shield.toml:7:1: capture names both an interface and a pcap; keep one of the two",
        ),
        (
            with("TLP:GREEN", "GREENISH"),
            "shield.toml:23:7: \"GREENISH\" is no marking; use TLP:CLEAR, TLP:GREEN, TLP:AMBER, \
             TLP:AMBER+STRICT or TLP:RED",
        ),
        (
            "data = \"d\"\n".to_owned(),
            "shield.toml:1:1: missing field `name`; add it",
        ),
    ];
    for (text, expected) in golden {
        assert_eq!(check(&text).unwrap_err(), expected);
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = load(Path::new("/nonexistent/shield.toml"))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("/nonexistent/shield.toml: cannot be read: "),
        "{error}"
    );
}
