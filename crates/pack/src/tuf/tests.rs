use std::time::Duration;

use super::*;
use crate::value::Name;

fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(&[n; 32]).unwrap()
}

fn now() -> Timestamp {
    Timestamp::parse("2026-11-26T12:00:00.123456Z").unwrap()
}

fn days(n: u64) -> Timestamp {
    now().plus(Duration::from_secs(n.saturating_mul(24 * 3600)))
}

fn target(content: &[u8]) -> Target {
    Target {
        custom: Custom {
            sequence: 1,
            version: "1.0.0".parse().unwrap(),
        },
        hashes: Hashes {
            sha256: Digest::of(content),
        },
        length: 7,
    }
}

fn role(version: u64, names: &[&str], by: u8) -> Signed<Targets> {
    let mut body = Targets::new(version, days(90));
    for name in names {
        body.targets
            .insert((*name).to_owned(), target(name.as_bytes()));
    }
    Signed::read(&sign(body, &[&key(by)]).unwrap()).unwrap()
}

fn refusal(
    partner: &str,
    before: Option<&Signed<Targets>>,
    role: &Signed<Targets>,
) -> &'static str {
    change(partner, &key(6).public(), before, role, now())
        .unwrap_err()
        .name()
}

#[test]
fn a_root_counts_different_keys_and_one_form_alone_is_read() {
    let (one, two) = (key(1), key(2));
    let roots = [one.public(), two.public()];
    let online = [(Role::Timestamp, key(5).public())];
    let root = Root::new(1, days(300), (&roots, 2), &online);
    let raw = sign(root.clone(), &[&two, &one]).unwrap();
    let read: Signed<Root> = Signed::read(&raw).unwrap();
    assert_eq!(read.signed.version(), 1);
    let (keys, threshold) = read.signed.role(Role::Root);
    assert!(read.is_signed_by(&keys, threshold));
    assert_eq!(
        read.signed.role(Role::Timestamp),
        (vec![key(5).public()], 1)
    );
    assert_eq!(read.signed.role(Role::Snapshot).1, usize::MAX);
    // One key twice is one; nobody is never enough; a signature of another body is none.
    let once: Signed<Root> = Signed::read(&sign(root, &[&one, &one]).unwrap()).unwrap();
    assert!(!once.is_signed_by(&keys, 2) && !once.is_signed_by(&[one.public(), one.public()], 2));
    assert!(once.is_signed_by(&keys, 1) && !once.is_signed_by(&keys, 0));
    let text = String::from_utf8(raw).unwrap();
    let other = text.replace("\"version\":1}", "\"version\":2}");
    let other: Signed<Root> = Signed::read(other.as_bytes()).unwrap();
    assert!(!other.is_signed_by(&keys, 1));
    for changed in [
        format!("{text} "),
        text.replace("\"version\":1}", "\"version\":1,\"x\":1}"),
        text.replace("\"1.0.31\"", "\"2.0.0\""),
    ] {
        assert!(
            Signed::<Root>::read(changed.as_bytes()).is_err(),
            "{changed}"
        );
    }
    assert!(
        text.contains("\"expires\":\"2027-09-22T12:00:00Z\""),
        "{text}"
    );
}

#[test]
fn a_contributor_speaks_for_its_own_alone() {
    let name: Name = "web".parse().unwrap();
    assert_eq!(target_name("acme", &name), "acme/web.swpack");
    let first = role(1, &["acme/web.swpack"], 6);
    let taken = change("acme", &key(6).public(), None, &first, now()).unwrap();
    assert_eq!(taken.added.map(|(pack, _)| pack), Some(name));
    // Another one besides; one instead of it; nothing new.
    let next = role(2, &["acme/dga.swpack", "acme/web.swpack"], 6);
    let taken = change("acme", &key(6).public(), Some(&first), &next, now()).unwrap();
    assert_eq!(taken.added.unwrap().0.as_ref(), "dga");
    assert!(taken.removed.is_empty());
    let gone = role(2, &[], 6);
    let taken = change("acme", &key(6).public(), Some(&first), &gone, now()).unwrap();
    assert_eq!(
        (taken.added, taken.removed),
        (None, vec!["acme/web.swpack".into()])
    );
    for (name, other) in [
        ("not-own", "rival/web.swpack"),
        ("not-own", "acmeX/web.swpack"),
        ("not-own", "acme/../rival/web.swpack"),
        ("not-own", "acme/a/web.swpack"),
        ("not-own", "acme/WEB.swpack"),
        ("not-own", "revocations.json"),
        ("not-own", "acme/web.tar"),
    ] {
        assert_eq!(
            refusal("acme", None, &role(1, &[other], 6)),
            name,
            "{other}"
        );
    }
    assert_eq!(refusal("acme", None, &role(1, &[], 7)), "wrong-key");
    assert_eq!(refusal("acme", None, &role(2, &[], 6)), "version");
    assert_eq!(refusal("acme", Some(&first), &role(1, &[], 6)), "version");
    assert_eq!(refusal("targets", None, &role(1, &[], 6)), "reserved-name");
    let two = role(1, &["acme/a.swpack", "acme/b.swpack"], 6);
    assert_eq!(refusal("acme", None, &two), "several");
    for days_left in [0, 401] {
        let body = Targets::new(1, days(days_left));
        let role = Signed::read(&sign(body, &[&key(6)]).unwrap()).unwrap();
        assert_eq!(refusal("acme", None, &role), "expiry");
    }
    let mut body = Targets::new(1, days(90));
    body.delegations = Some(Delegations::default());
    let role = Signed::read(&sign(body, &[&key(6)]).unwrap()).unwrap();
    assert_eq!(refusal("acme", None, &role), "delegates");
}
