#![expect(clippy::arithmetic_side_effects, reason = "tests")]

use std::net::IpAddr;

use super::*;

fn now(s: u64) -> Now {
    let us = 1_700_000_000_000_000 + i64::try_from(s).unwrap() * 1_000_000;
    Now {
        mono_ns: 100_000_000_000 + s * 1_000_000_000,
        wall: Timestamp::from_micros(us),
    }
}

fn verdict(offender: &str, evidence: EvidenceClass) -> Verdict {
    Verdict {
        at_ns: 1_700_000_000_000_000_000,
        first_packet_ns: 1_699_999_999_000_000_000,
        evidence,
        confidence: 90,
        offender: Some(offender.parse::<IpAddr>().unwrap()),
        far_end: None,
        victim: None,
        tuple: None,
        flow: None,
        detector: "scan-trw@1",
        reasons: Vec::new(),
        count: 5,
    }
}

fn share() -> Option<Share> {
    Some(Share {
        tlp: Tlp::Green,
        audience: Vec::new(),
    })
}

fn kinds(batch: &Batch) -> Vec<&str> {
    batch
        .objects
        .iter()
        .map(|object| &*object.head().kind)
        .collect()
}

fn offer(signals: &Signals, verdict: &Verdict, now: Now) -> Option<StixId> {
    signals.offer(signal_of(verdict, None, false, now)?, now)
}

#[test]
fn without_share_nothing_leaves() {
    let (signals, mut queue) = Signals::new("alpha", None);
    assert_eq!(
        offer(
            &signals,
            &verdict("192.0.2.9", EvidenceClass::Token),
            now(0)
        ),
        None
    );
    signals.flush(now(600));
    assert!(queue.try_recv().is_err());
}

#[test]
fn proven_leaves_as_an_indicator_unproven_as_a_sighting_only() {
    let (signals, mut queue) = Signals::new("alpha", share());
    let id = offer(
        &signals,
        &verdict("192.0.2.9", EvidenceClass::PathProven),
        now(0),
    )
    .unwrap();
    let batch = queue.try_recv().unwrap();
    assert_eq!(kinds(&batch), ["indicator", "sighting"]);
    assert_eq!(id, batch.objects[0].head().id);
    offer(
        &signals,
        &verdict("192.0.2.8", EvidenceClass::Unproven),
        now(0),
    )
    .unwrap();
    assert!(!kinds(&queue.try_recv().unwrap()).contains(&"indicator"));
}

#[test]
fn what_rests_on_others_alone_leaves_as_a_sighting_of_theirs() {
    let (signals, mut queue) = Signals::new("alpha", share());
    let theirs = StixId::v5("indicator", "theirs");
    let mut verdict = verdict("192.0.2.9", EvidenceClass::PathProven);
    verdict.reasons.push(Reason {
        object: Some(theirs.clone()),
        source: Some("bravo".into()),
        buffer: "http.url",
        offset: 0,
        matched: (*b"http://x.example/a").into(),
        exact: true,
        what: "".into(),
    });
    let signal = signal_of(&verdict, Some(Tlp::Amber), true, now(0)).unwrap();
    signals.offer(signal, now(0)).unwrap();
    let batch = queue.try_recv().unwrap();
    assert_eq!(kinds(&batch), ["sighting"]);
    assert_eq!(batch.objects[0].head().sighting_of.as_ref(), Some(&theirs));
    assert_eq!(
        batch.objects[0].head().tlp(),
        Some(Tlp::Amber),
        "no milder than its origin"
    );
    let red = signal_of(&verdict, Some(Tlp::Red), true, now(100)).unwrap();
    assert_eq!(signals.offer(red, now(100)), None);
    assert_eq!(signals.withheld(), 1);
    verdict.evidence = EvidenceClass::Exploit;
    let exploit = signal_of(&verdict, Some(Tlp::Green), false, now(200)).unwrap();
    signals.offer(exploit, now(200)).unwrap();
    let batch = queue.try_recv().unwrap();
    assert_eq!(
        kinds(&batch),
        ["indicator", "sighting"],
        "who sent it is our own testimony"
    );
    assert_eq!(batch.objects[1].head().sighting_of.as_ref(), Some(&theirs));
}

#[test]
fn again_only_after_a_while_or_on_better_evidence_and_nothing_is_forgotten() {
    let (signals, mut queue) = Signals::new("alpha", share());
    let unproven = verdict("192.0.2.9", EvidenceClass::Unproven);
    assert!(offer(&signals, &unproven, now(0)).is_some());
    assert!(offer(&signals, &unproven, now(10)).is_none());
    assert!(offer(&signals, &unproven, now(59)).is_none());
    let proven = verdict("192.0.2.9", EvidenceClass::PathProven);
    assert!(
        offer(&signals, &proven, now(59)).is_some(),
        "better evidence leaves at once"
    );
    let sighting = |batch: &Batch| batch.objects.last().unwrap().head().clone();
    assert_eq!(sighting(&queue.try_recv().unwrap()).count, Some(5));
    assert_eq!(sighting(&queue.try_recv().unwrap()).count, Some(15));
    assert!(offer(&signals, &proven, now(70)).is_none());
    signals.flush(now(80));
    assert!(queue.try_recv().is_err(), "not due yet");
    signals.flush(now(90));
    assert_eq!(sighting(&queue.try_recv().unwrap()).count, Some(5));
    assert_eq!(signals.throttled(), 3);
}

#[test]
fn versions_of_one_thing_keep_their_creation_and_move_on() {
    let (signals, mut queue) = Signals::new("alpha", share());
    let mut verdict = verdict("192.0.2.9", EvidenceClass::PathProven);
    offer(&signals, &verdict, now(0)).unwrap();
    verdict.first_packet_ns += 50_000_000_000;
    verdict.at_ns += 50_000_000_000;
    offer(&signals, &verdict, now(50)).unwrap();
    let (one, two) = (queue.try_recv().unwrap(), queue.try_recv().unwrap());
    let (one, two) = (one.objects[0].head(), two.objects[0].head());
    assert_eq!((&one.id, one.created), (&two.id, two.created));
    assert!(two.modified > one.modified);
}

#[test]
fn forged_sources_cannot_make_us_flood_the_hub() {
    let (signals, mut queue) = Signals::new("alpha", share());
    for n in 0..1_000 {
        let source = format!("198.51.{}.{}", n / 250, n % 250);
        offer(&signals, &verdict(&source, EvidenceClass::Unproven), now(1));
    }
    let mut sent = 0;
    while queue.try_recv().is_ok() {
        sent += 1;
    }
    assert_eq!(sent, UNPROVEN_PER_MINUTE_MAX);
    assert!(
        offer(
            &signals,
            &verdict("192.0.2.9", EvidenceClass::Exploit),
            now(1)
        )
        .is_some()
    );
}
