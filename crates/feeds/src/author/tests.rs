use super::*;
use crate::claim::Place;
use crate::value::{Kind, Value};

fn author() -> Author {
    Author {
        partner: "acme".into(),
        identity: StixId::v5("identity", "acme"),
        source: "bad.txt".into(),
        tlp: None,
        confidence: None,
        ttl: None,
        why: None,
        audience: vec![],
    }
}

fn claim(text: &str) -> Claim {
    Claim::new(Value::guess(text).unwrap(), Place::Line(1, 1))
}

fn at(day: u32, hour: u32) -> Timestamp {
    Timestamp::parse(&format!("2026-11-{day:02}T{hour:02}:00:00Z")).unwrap()
}

fn known(line: &Line) -> Known {
    let mut text = Vec::new();
    line.write(&mut text).unwrap();
    let mut ledger = crate::ledger::Ledger::read(&mut &*text).unwrap();
    let met = ledger.meet(line.base.as_ref().unwrap_or(&line.id));
    let crate::ledger::Met::First(Some(known)) = met else {
        panic!("{met:?}");
    };
    known
}

fn new(author: &Author, claim: &Claim, now: Timestamp) -> (Object, Line) {
    let written = author.write(claim, None, now).unwrap();
    let Written::New(object, line) = written else {
        panic!("{written:?}");
    };
    (object, line)
}

#[test]
fn an_undated_claim_is_renewed_when_half_of_its_time_has_gone() {
    let (author, claim) = (author(), claim("192.0.2.1"));
    let (object, line) = new(&author, &claim, at(1, 0));
    let head = object.head();
    assert_eq!(head.tlp(), Some(Tlp::Amber));
    assert_eq!(head.confidence, Some(CONFIDENCE_DEFAULT));
    assert_eq!(head.valid_until, Some(at(8, 0)));
    let known = known(&line);
    let told = |now| author.write(&claim, Some(&known), now).unwrap();
    assert!(matches!(told(at(4, 11)), Written::Same));
    let Written::Changed(renewed, _) = told(at(4, 13)) else {
        panic!("not renewed");
    };
    assert_eq!(renewed.head().id, head.id);
    assert_eq!(renewed.head().created, head.created);
    assert_eq!(renewed.head().valid_until, Some(at(11, 13)));
}

#[test]
fn a_dated_claim_gives_the_same_bytes_whenever_it_is_read() {
    let mut claim = claim("evil.example");
    claim.modified = Some(at(1, 0));
    let (first, line) = new(&author(), &claim, at(2, 0));
    let (second, _) = new(&author(), &claim, at(20, 0));
    assert_eq!(first.raw(), second.raw());
    assert_eq!(first.head().valid_until, None);
    claim.modified = Some(at(3, 0));
    let told = author()
        .write(&claim, Some(&known(&line)), at(3, 1))
        .unwrap();
    assert!(
        matches!(told, Written::Same),
        "a new time alone is no change"
    );
    claim.confidence = Some(90);
    let told = author()
        .write(&claim, Some(&known(&line)), at(3, 1))
        .unwrap();
    assert!(matches!(told, Written::Changed(object, _) if object.version() == at(3, 0)));
    let aged = Author {
        ttl: Some(Duration::from_secs(86_400)),
        ..author()
    };
    assert!(matches!(
        aged.write(&claim, None, at(9, 0)).unwrap(),
        Written::Over
    ));
}

#[test]
fn a_marking_of_the_source_is_never_made_milder() {
    let cases = [
        (Some(Tlp::Green), None, Tlp::Green),
        (Some(Tlp::Green), Some(Tlp::Amber), Tlp::Amber),
        (Some(Tlp::AmberStrict), Some(Tlp::Clear), Tlp::AmberStrict),
        (None, Some(Tlp::Clear), Tlp::Clear),
        (None, None, Tlp::Amber),
    ];
    for (source, caller, want) in cases {
        let author = Author {
            tlp: caller,
            ..author()
        };
        let claim = Claim {
            tlp: source,
            ..claim("192.0.2.1")
        };
        let (object, _) = new(&author, &claim, at(1, 0));
        assert_eq!(object.head().tlp(), Some(want));
    }
    let red = Claim {
        tlp: Some(Tlp::Red),
        ..claim("192.0.2.1")
    };
    assert!(matches!(
        author().write(&red, None, at(1, 0)).unwrap(),
        Written::Withheld(_)
    ));
}

#[test]
fn what_is_taken_back_and_told_again_is_another_object() {
    let author = author();
    let told = claim("192.0.2.1");
    let (object, line) = new(&author, &told, at(1, 0));
    let over = Claim {
        revoked: true,
        ..told.clone()
    };
    assert!(matches!(
        author.write(&over, None, at(1, 0)).unwrap(),
        Written::Over
    ));
    let Written::Revoked(revoked, line) =
        author.write(&over, Some(&known(&line)), at(1, 1)).unwrap()
    else {
        panic!("not revoked");
    };
    assert!(revoked.head().revoked && revoked.head().id == object.head().id);
    assert!(matches!(
        author.write(&over, Some(&known(&line)), at(1, 2)).unwrap(),
        Written::Over
    ));
    let Written::New(again, line) = author.write(&told, Some(&known(&line)), at(1, 3)).unwrap()
    else {
        panic!("not told again");
    };
    assert_ne!(again.head().id, object.head().id);
    assert_eq!(line.base.as_ref(), Some(&object.head().id));
    assert!(matches!(
        author.write(&told, Some(&known(&line)), at(1, 4)).unwrap(),
        Written::Same
    ));
}

#[test]
fn a_line_is_enough_to_take_back_what_it_remembers() {
    let (object, line) = new(&author(), &claim("192.0.2.1"), at(1, 0));
    let (revoked, after) = revocation(&line, at(1, 0)).unwrap();
    assert!(revoked.head().revoked && after.revoked);
    assert_eq!(revoked.head().id, object.head().id);
    assert_eq!(revoked.head().created, object.head().created);
    assert!(revoked.version() > object.version());
    assert_eq!(revoked.head().tlp(), Some(Tlp::Amber));
}

#[test]
fn an_audience_stands_in_the_lease_extension() {
    let author = Author {
        audience: vec!["bravo".into()],
        ..author()
    };
    let (object, _) = new(&author, &claim("192.0.2.0/24"), at(1, 0));
    let lease = object.head().lease.clone().unwrap();
    assert_eq!(
        (lease.action, lease.audience),
        (Action::Monitor, vec!["bravo".into()])
    );
    let mail = claim("someone@evil.example");
    assert!(!author.can_address(&mail));
    let endpoint = Claim::new(
        Value::parse(Kind::Endpoint, "192.0.2.1:443").unwrap(),
        Place::Line(1, 1),
    );
    let (object, _) = new(&author, &endpoint, at(1, 0));
    assert!(object.head().lease.is_some());
}
