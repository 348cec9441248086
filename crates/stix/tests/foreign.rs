//! What we write, read by a program that is not ours: `stix2` from PyPI, OASIS's own library.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use stix::build::{self, Common, Indicator, Sighting};
use stix::lease::{self, Action, EvidenceClass, LeaseRequest, Proto, Selector, Service};
use stix::pattern::{Pattern, Term};
use stix::{Limits, Object, StixId, Timestamp, Tlp, bundle};

/// Reads a bundle strictly, and each pattern too, and writes one identifier a line.
const READER: &str = "
import sys, stix2
text = sys.stdin.read()
bundle = stix2.parse(text, allow_custom=False)
for one in bundle.objects:
    again = stix2.parse(one.serialize(), allow_custom=False)
    assert again == one, one.id
    if one.type == 'indicator':
        stix2.pattern_visitor.create_pattern_object(one.pattern)
    print(one.id)
";

#[test]
fn the_python_library_of_oasis_reads_what_we_write() {
    let Some(python) = python() else {
        return testkit::skip("foreign reader", "no Python with the package stix2");
    };
    let objects = objects();
    let mut child = Command::new(python)
        .args(["-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(&bundle::bundle_of(&objects))
        .unwrap();
    let done = child.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{complaint}");
    let read = String::from_utf8(done.stdout).unwrap();
    let ids: Vec<&str> = objects
        .iter()
        .map(|object| object.head().id.as_str())
        .collect();
    assert_eq!(read.lines().collect::<Vec<_>>(), ids);
}

fn python() -> Option<PathBuf> {
    testkit::python().filter(|python| {
        let import = Command::new(python).args(["-c", "import stix2"]).output();
        import.is_ok_and(|output| output.status.success())
    })
}

fn objects() -> Vec<Object> {
    let at = Timestamp::parse("2026-11-22T00:00:00.123456Z").unwrap();
    let author = StixId::v5("identity", "shield-a");
    let common = |kind: &str, name: &str, tlp| Common {
        id: StixId::v5(kind, name),
        author: Some(&author),
        created: at,
        modified: at,
        revoked: false,
        confidence: Some(70),
        tlp,
    };
    let who = Common {
        author: None,
        ..common("identity", "shield-a", None)
    };
    let raw = |value: serde_json::Value| {
        Object::parse(value.to_string().as_bytes(), &Limits::default()).unwrap()
    };
    let mut objects = vec![
        build::identity(&who, "Shield A", "organization").unwrap(),
        raw(lease::definition_author()),
        raw(lease::definition_object()),
        build::attack_pattern(&common("attack-pattern", "scan", Some(Tlp::Clear)), "scan").unwrap(),
    ];
    for (tlp, lease) in Tlp::ALL.into_iter().zip(leases()) {
        let name = lease.selector.to_string();
        let indicator = build::indicator(&Indicator {
            common: common("indicator", &name, Some(tlp)),
            name: &name,
            indicator_types: &["malicious-activity"],
            pattern: &Pattern {
                terms: vec![lease.selector.term(), Term::Domain("b.example".into())],
            },
            valid_from: at,
            valid_until: Some(at.plus(Duration::from_secs(60))),
            lease: Some(&lease),
        });
        let indicator = indicator.unwrap();
        let sighting = build::sighting(&Sighting {
            common: common("sighting", &name, Some(tlp)),
            sighting_of: &indicator.head().id,
            where_sighted: Some(&author),
            first_seen: at,
            last_seen: at,
            count: 3,
            lease: Some(&lease),
        });
        objects.extend([indicator, sighting.unwrap()]);
    }
    objects
}

fn leases() -> impl Iterator<Item = LeaseRequest> {
    let selectors = [
        Selector::Source("192.0.2.1/32".parse().unwrap()),
        Selector::Source("2001:db8::/64".parse().unwrap()),
        Selector::Url("http://a.example/it's".into()),
        Selector::Sha256("a".repeat(64).into()),
        Selector::Ja4("t13d1516h2_8daaf6152771_b186095e22b6".into()),
    ];
    selectors.into_iter().map(|selector| LeaseRequest {
        selector,
        service: Some(Service {
            address: None,
            protocol: Proto::Tcp,
            port: Some(443),
        }),
        action: Action::RateLimit,
        ttl_s: 60,
        evidence: EvidenceClass::Exploit,
        detector: "scan-trw@1".into(),
        audience: vec!["shield-b".into()],
    })
}
