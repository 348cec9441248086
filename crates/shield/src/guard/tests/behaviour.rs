//! What follows from detectors of behaviour.

use super::*;
use crate::policy::Leave;

/// What a detector of behaviour says of an address, as offender or as far end.
fn says(detector: &'static str, offender: Option<&str>, far_end: Option<&str>) -> Verdict {
    Verdict {
        detector,
        offender: offender.map(|address| address.parse().unwrap()),
        far_end: far_end.map(|address| address.parse().unwrap()),
        ..verdict("192.0.2.9", EvidenceClass::PathProven)
    }
}

#[test]
fn what_follows_from_a_far_end_the_operator_says_and_it_is_told_to_nobody() {
    let mut bench = Bench::new();
    let far = Some("192.0.2.9");
    bench.guard.verdict(&says("beacon@1", None, far));
    assert_eq!(bench.leases(), []);
    assert_eq!(
        bench.guard.memory().totals().0,
        0,
        "it is only told, not refused"
    );
    // whoever asks can be forged, the far end is sure
    let tunnel = Verdict {
        evidence: EvidenceClass::Unproven,
        ..says("dns-tunnel@1", None, far)
    };
    bench.guard.verdict(&tunnel);
    let limited = ("192.0.2.9/32".to_owned(), LIMIT, Origin::Local);
    assert_eq!(bench.leases(), [limited]);
    let mut policy = policy();
    policy.settings.behaviour.beacon = Leave::Drop;
    bench.guard.policy.store(Arc::new(policy));
    bench.guard.verdict(&says("beacon@1", None, far));
    let dropped = ("192.0.2.9/32".to_owned(), Action::Drop, Origin::Local);
    assert_eq!(bench.leases(), [dropped]);
    bench
        .guard
        .verdict(&says("beacon@1", None, Some("10.2.0.53")));
    assert_eq!(
        bench.leases().len(),
        1,
        "nobody is cut off from what is protected"
    );
    assert!(bench.batches.try_recv().is_err(), "nobody is asked to act");
}

#[test]
fn who_guesses_paths_is_slowed_down_first_and_dropped_when_it_goes_on() {
    let bench = Bench::new();
    bench
        .guard
        .verdict(&says("path-guessing@1", Some("192.0.2.9"), None));
    assert_eq!(bench.leases()[0].1, LIMIT);
    bench
        .guard
        .verdict(&says("path-guessing@1", Some("192.0.2.9"), None));
    assert_eq!(bench.leases()[0].1, Action::Drop);
    // whom others share the address with is never dropped
    *bench.standing.0.lock().unwrap() = Standing {
        recent: 1,
        open: Vec::new(),
    };
    bench
        .guard
        .verdict(&says("path-guessing@1", Some("192.0.2.9"), None));
    assert_eq!(bench.leases()[0].1, LIMIT);
}
