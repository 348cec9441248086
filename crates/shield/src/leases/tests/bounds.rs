//! What one partner, or all of them together, may take up in the book.

use super::*;

#[test]
fn askers_of_one_key_are_bounded() {
    let (mut book, _) = book();
    let t = mono_ns();
    for n in 0..CLAIMS_PER_SLOT_MAX {
        let asker = asker(u8::try_from(n).unwrap());
        book.claim(&asker, claim(key(1), Action::Drop, t + 30 * S), &[], t)
            .unwrap();
    }
    let more = book.claim(&asker(200), claim(key(1), Action::Drop, t + 30 * S), &[], t);
    assert!(matches!(more, Err(BookError::Crowded(_))));
    book.claim(&asker(3), claim(key(1), LIMIT, t + 30 * S), &[], t)
        .unwrap();
    assert_eq!(book.counters().full, 1);
    book.claim(
        &object_of("alpha", 1),
        own(claim(key(1), Action::Drop, t + 30 * S)),
        &[],
        t,
    )
    .unwrap();
}

#[test]
fn one_partner_crowds_nobody_out_of_a_key() {
    let (mut book, fake) = book();
    let t = mono_ns();
    let taken = (0..100).filter(|n| {
        let wish = claim(key(1), Action::Monitor, t + 30 * S);
        book.claim(&object_of("mallory", *n), wish, &[], t).is_ok()
    });
    assert_eq!(taken.count(), CLAIMS_PER_SOURCE_AND_SLOT_MAX);
    let more = book.claim(
        &object_of("mallory", 100),
        claim(key(1), Action::Drop, t + 30 * S),
        &[],
        t,
    );
    assert!(matches!(more, Err(BookError::Repeated(_))));
    book.claim(&asker(1), claim(key(1), LIMIT, t + 30 * S), &[], t)
        .unwrap();
    book.claim(
        &object_of("alpha", 1),
        own(claim(key(1), Action::Drop, t + 20 * S)),
        &[],
        t,
    )
    .unwrap();
    assert_eq!(fake.held()[&key(1)], (Action::Drop, t + 20 * S));
}

#[test]
fn one_partner_holds_no_more_than_its_share() {
    let (mut book, _) = book();
    let t = mono_ns();
    let wish = |n: u32| claim(address(n), Action::Drop, t + 30 * S);
    let max = u32::try_from(CLAIMS_PER_SOURCE_MAX).unwrap();
    for n in 0..max {
        book.claim(&object_of("mallory", n), wish(n), &[], t)
            .unwrap();
    }
    let more = |book: &mut Book, n| book.claim(&object_of("mallory", n), wish(n), &[], t);
    assert!(matches!(more(&mut book, max), Err(BookError::Greedy(_))));
    book.claim(&object_of("mallory", 0), wish(max), &[], t)
        .expect("a newer version of what it holds, about another key");
    book.claim(&asker(1), wish(max + 1), &[], t).unwrap();
    assert!(more(&mut book, max).is_err());
    book.release(&object_of("mallory", 7), t).unwrap();
    more(&mut book, max).unwrap();
    assert!(more(&mut book, max + 1).is_err());
    assert_eq!(book.counters().full, 3);
}

#[test]
fn partners_together_leave_room_for_own_verdicts() {
    let (mut book, _) = book();
    let t = mono_ns();
    let wish = |n: u32| claim(address(n), Action::Drop, t + 30 * S);
    let mut n = 0;
    let refused = loop {
        let source = format!("partner-{}", n / 1_000);
        match book.claim(&object_of(&source, n), wish(n), &[], t) {
            Ok(_) => n += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, BookError::Reserved(SLOTS_LOCAL)));
    assert_eq!(book.len(), SLOTS_MAX - SLOTS_LOCAL);
    book.claim(&object_of("alpha", n), own(wish(n)), &[], t)
        .unwrap();
    book.claim(&asker(1), wish(3), &[], t)
        .expect("a key that is there takes no room");
}

#[test]
fn a_call_ends_no_more_than_its_share() {
    let (mut book, fake) = book();
    let t = mono_ns();
    for n in 0..500_u32 {
        let open: Vec<_> = (0..8)
            .map(|port| FiveTuple {
                src: address(n).source.addr(),
                ..session(port)
            })
            .collect();
        let source = asker(u8::try_from(n / 100).unwrap()).source;
        book.claim(
            &object_of(&source, n),
            claim(address(n), LIMIT, t + 30 * S),
            &open,
            t,
        )
        .unwrap();
    }
    let mut calls = 0;
    while !book.is_empty() {
        let before = fake.0.lock().unwrap().exempt.len();
        assert!((1..=EXPIRED_MAX).contains(&book.expire(t + 30 * S).len()));
        let unexempted = before - fake.0.lock().unwrap().exempt.len();
        assert!(unexempted < UNEXEMPTED_MAX + 8, "{unexempted} in one call");
        calls += 1;
    }
    assert_eq!(calls, 500_usize.div_ceil(UNEXEMPTED_MAX / 8));
    assert!(fake.0.lock().unwrap().exempt.is_empty() && book.exempted.is_empty());
    assert!(book.expire(u64::MAX).is_empty() && book.foreign.is_empty());
}

#[test]
fn a_session_stays_exempt_until_the_last_slot_that_keeps_it_ends() {
    let (mut book, fake) = book();
    let t = mono_ns();
    let exempt = || fake.0.lock().unwrap().exempt.len();
    for n in 1..=2 {
        let wish = claim(key(n), LIMIT, t + 30 * S);
        book.claim(&asker(n), wish, &[session(1)], t).unwrap();
    }
    let longer = claim(key(1), LIMIT, t + 60 * S);
    book.claim(&asker(1), longer, &[session(1)], t).unwrap();
    book.release(&asker(1), t);
    assert_eq!(exempt(), 1, "the other slot keeps it");
    fake.0.lock().unwrap().broken = true;
    let refused = claim(key(3), LIMIT, t + 30 * S);
    assert!(
        book.claim(&asker(3), refused, &[session(1), session(2)], t)
            .is_err()
    );
    assert_eq!(exempt(), 1, "nothing is left of a refused claim");
    book.release(&asker(2), t);
    assert_eq!(exempt(), 0);
}
