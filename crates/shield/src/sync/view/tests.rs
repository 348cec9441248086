use std::time::Duration;

use serde_json::json;
use stix::StixId;

use super::*;

/// The hub's clock in these tests.
fn at(s: u64) -> Timestamp {
    Timestamp::EPOCH.plus(Duration::from_secs(s))
}

/// An indicator on 192.0.2.n that holds until `until_s`.
fn indicator(n: u8, until_s: u64) -> (Entry, Object) {
    let value = json!({
        "type": "indicator",
        "spec_version": "2.1",
        "id": StixId::v5("indicator", &n.to_string()),
        "created": at(1).to_string(),
        "modified": at(1).to_string(),
        "pattern": format!("[ipv4-addr:value = '192.0.2.{n}']"),
        "pattern_type": "stix",
        "valid_from": at(1).to_string(),
        "valid_until": at(until_s).to_string(),
    });
    let object = serde_json::value::RawValue::from_string(value.to_string()).unwrap();
    let parsed = Object::parse(object.get().as_bytes(), &stix::Limits::default()).unwrap();
    let entry = Entry {
        event: EventKind::Accept,
        source: "bravo".to_owned(),
        date_added: at(1),
        stale: false,
        object,
    };
    (entry, parsed)
}

/// A view whose community lane got these, and the live set of a hub that gave them.
fn taken(members_max: usize, items: &[(u8, u64)]) -> (View, ActiveSet) {
    let mut view = View::new("default", 1);
    view.lane_mut(Lane::Community).active = ActiveSet::bounded(members_max);
    let mut hub = ActiveSet::new();
    for (position, (n, until_s)) in (1..).zip(items) {
        let (entry, object) = indicator(*n, *until_s);
        hub.apply(&Change::of(&entry, &object));
        view.apply(Lane::Community, entry, &object);
        view.advance(Lane::Community, position);
    }
    (view, hub)
}

fn digest(hub: &mut ActiveSet, at: Timestamp, position: u64) -> Digest {
    Digest {
        at,
        community: Some(hub.lane_digest(at, position)),
        addressed: None,
    }
}

#[test]
fn beyond_the_bound_of_its_live_set_a_view_goes_by_positions_and_does_not_start_over() {
    let items = [(1, 100), (2, 100), (3, 100)];
    let (mut roomy, mut hub) = taken(3, &items);
    assert_eq!(roomy.compare(&digest(&mut hub, at(5), 3)), Agreement::Same);
    assert_eq!(roomy.left_out(), 0);
    let (mut view, mut hub) = taken(2, &items);
    assert_eq!(view.left_out(), 1, "counted");
    assert_eq!(
        view.len(),
        3,
        "what is enforced and detected with is all here"
    );
    let same = digest(&mut hub, at(5), 3);
    assert_eq!(
        view.compare(&same),
        Agreement::Partial,
        "not as if it were whole"
    );
    let ahead = digest(&mut hub, at(5), 4);
    assert!(
        matches!(view.compare(&ahead), Agreement::Behind { .. }),
        "what is missing in between is still noticed"
    );
}

#[test]
fn what_has_expired_goes_by_the_hubs_clock_and_not_by_ours() {
    let (mut view, mut hub) = taken(8, &[(1, 10), (2, 20)]);
    assert!(
        view.prune().is_empty() && view.len() == 2,
        "by our clock both are over for decades; the hub has not said what time it is"
    );
    assert_eq!(view.compare(&digest(&mut hub, at(9), 2)), Agreement::Same);
    view.prune();
    assert_eq!(view.len(), 2, "the hub still counts both");
    assert_eq!(view.compare(&digest(&mut hub, at(10), 2)), Agreement::Same);
    assert_eq!(view.prune(), [], "nothing was detected with it");
    assert_eq!(view.len(), 1);
    let (_, other) = indicator(2, 20);
    let asker = Asker {
        source: "bravo".into(),
        object: other.head().id.clone(),
    };
    let pattern = stix::pattern::parse("[ipv4-addr:value = '192.0.2.2']").unwrap();
    let what = Detectable::Pattern(Arc::new(pattern));
    view.index(Lane::Community, &asker, what, 50);
    view.compare(&digest(&mut hub, at(20), 2));
    view.compare(&Digest {
        at: at(1),
        community: None,
        addressed: None,
    });
    assert_eq!(
        view.prune(),
        [asker],
        "its newest digest counts, and this one was detected with"
    );
    assert!(view.is_empty());
}
