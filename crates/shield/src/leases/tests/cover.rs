//! A partner's narrower lease does not undercut our own.

use super::*;

fn towards(port: u16) -> Key {
    Key {
        service: Some(Service { proto: 6, port }),
        ..key(1)
    }
}

#[test]
fn a_partners_narrower_rate_limit_does_not_undercut_our_drop() {
    let t = mono_ns();
    let foreign = claim(towards(80), LIMIT, t + 60 * S);
    let ours = own(claim(key(1), Action::Drop, t + 30 * S));
    for ours_first in [true, false] {
        let (mut book, fake) = book();
        let mut claims = vec![(asker(1), ours.clone()), (asker(2), foreign.clone())];
        if !ours_first {
            claims.reverse();
        }
        for (asker, claim) in claims {
            book.claim(&asker, claim, &[], t).unwrap();
        }
        assert_eq!(
            fake.held()[&towards(80)],
            (Action::Drop, t + 30 * S),
            "ours first: {ours_first}"
        );
        assert_eq!(book.expire(t + 30 * S).len(), 1);
        assert_eq!(
            fake.held()[&towards(80)],
            (LIMIT, t + 60 * S),
            "and no longer than ours"
        );
    }
}

#[test]
fn our_lease_for_a_protocol_covers_its_ports_and_nothing_else() {
    let (mut book, fake) = book();
    let t = mono_ns();
    let udp = Key {
        service: Some(Service {
            proto: 17,
            port: 80,
        }),
        ..key(1)
    };
    let other = Key {
        source: key(2).source,
        ..towards(80)
    };
    for (n, key) in (2..).zip([towards(80), udp, other, key(1)]) {
        let wish = claim(key, LIMIT, t + 30 * S);
        book.claim(&asker(n), wish, &[], t).unwrap();
    }
    let ours = own(claim(towards(0), Action::Drop, t + 60 * S));
    book.claim(&asker(1), ours, &[], t).unwrap();
    let held = fake.held();
    assert_eq!(
        held[&towards(80)],
        (Action::Drop, t + 30 * S),
        "no longer than the partner's"
    );
    for key in [udp, other, key(1)] {
        assert_eq!(held[&key], (LIMIT, t + 30 * S), "{key}");
    }
}

#[test]
fn a_withdrawn_drop_of_ours_covers_nothing_any_longer() {
    let (mut book, fake) = book();
    let t = mono_ns();
    let ours = own(claim(key(1), Action::Drop, t + 3_600 * S));
    book.claim(&asker(1), ours, &[], t).unwrap();
    book.claim(&asker(2), claim(towards(80), LIMIT, t + 60 * S), &[], t)
        .unwrap();
    assert_eq!(book.rate_limited(), []);
    book.release(&asker(1), t).unwrap();
    assert_eq!(
        fake.held(),
        BTreeMap::from([(towards(80), (LIMIT, t + 60 * S))])
    );
}

#[test]
fn what_we_said_of_the_narrower_key_ourselves_stands() {
    let (mut book, fake) = book();
    let t = mono_ns();
    let wide = own(claim(key(1), Action::Drop, t + 60 * S));
    let narrow = own(claim(towards(80), LIMIT, t + 30 * S));
    book.claim(&asker(1), wide, &[], t).unwrap();
    book.claim(&asker(2), claim(towards(80), LIMIT, t + 50 * S), &[], t)
        .unwrap();
    book.claim(&asker(3), narrow, &[], t).unwrap();
    assert_eq!(fake.held()[&towards(80)].0, LIMIT);
    book.expire(t + 30 * S);
    assert_eq!(
        fake.held()[&towards(80)],
        (Action::Drop, t + 50 * S),
        "a partner alone asks for it now"
    );
}

#[test]
fn no_session_is_let_past_our_drop_on_a_partners_word() {
    let (mut book, fake) = book();
    let t = mono_ns();
    let ours = own(claim(key(1), Action::Drop, t + 30 * S));
    book.claim(&asker(1), ours, &[], t).unwrap();
    for (n, key) in (2..).zip([towards(80), key(1)]) {
        let wish = claim(key, LIMIT, t + 60 * S);
        book.claim(&asker(n), wish, &[session(1)], t).unwrap();
    }
    assert!(fake.0.lock().unwrap().exempt.is_empty());
}

#[test]
fn many_keys_are_brought_in_line_a_few_at_a_time() {
    let (mut book, fake) = book();
    let t = mono_ns();
    let many = u16::try_from(RECHECKED_MAX * 3).unwrap();
    for port in 1..=many {
        let asker = object_of(&format!("partner-{}", port % 7), port.into());
        let wish = claim(towards(port), LIMIT, t + 60 * S);
        book.claim(&asker, wish, &[], t).unwrap();
    }
    let dropped = || {
        let held = fake.held();
        held.values()
            .filter(|(action, _)| *action == Action::Drop)
            .count()
    };
    let (we, ours) = (
        object_of("alpha", 0),
        own(claim(key(1), Action::Drop, t + 30 * S)),
    );
    book.claim(&we, ours, &[], t).unwrap();
    assert_eq!(dropped(), 1 + RECHECKED_MAX);
    assert!(book.catch_up(t), "some wait");
    assert!(!book.catch_up(t));
    assert_eq!(dropped(), 1 + 3 * RECHECKED_MAX);
    book.release(&we, t).unwrap();
    assert_eq!(dropped(), 2 * RECHECKED_MAX);
    for port in 1..=many {
        book.release(&object_of(&format!("partner-{}", port % 7), port.into()), t);
    }
    assert!(book.recheck.is_empty() && book.is_empty());
}
