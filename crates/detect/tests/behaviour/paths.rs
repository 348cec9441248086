//! Guessed paths, and what counts against a flow.

use super::*;

/// An HTTP session with one request.
fn http(path: &str, status: u16) -> Frames {
    let said = [
        (
            0,
            format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n"),
        ),
        (
            1,
            format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        ),
    ];
    let chunks: Vec<u8> = said
        .iter()
        .flat_map(|(way, text)| {
            let len = u16::try_from(text.len()).unwrap().to_be_bytes();
            [&[*way][..], &len, text.as_bytes()].concat()
        })
        .collect();
    Conversation::read(&chunks).tcp(80, Plan::WHOLE)
}

impl Place {
    fn visit(&mut self, path: &str, status: u16) {
        self.frames(&http(path, status));
        self.wait(120.0);
    }
}

#[test]
fn twenty_two_paths_that_are_not_there_are_told_with_their_source() {
    let mut place = Place::anywhere();
    for word in 0..30 {
        place.visit(&format!("/word{word}?n={word}"), 404);
        let told = place.of("path-guessing@1").len();
        assert_eq!(told > 0, word >= 21, "word {word}");
    }
    let verdict = place.of("path-guessing@1")[0];
    assert_eq!(verdict.evidence, EvidenceClass::PathProven);
    assert_eq!(verdict.offender, Some(verdict.tuple.unwrap().src));
    assert_eq!(
        (verdict.count, verdict.victim.unwrap().port),
        (22, Some(80))
    );
    assert_eq!(&*verdict.reasons.last().unwrap().matched, b"/word21");
}

#[test]
fn one_dead_link_redirects_and_every_other_path_missing_are_not_told() {
    let mut place = Place::anywhere();
    for visit in 0..200 {
        place.visit("/favicon.ico", 404);
        place.visit(&format!("/moved{visit}"), 302);
        place.visit(&format!("/there{visit}"), 200);
        place.visit(&format!("/gone{visit}"), 410);
    }
    assert_eq!(place.of("path-guessing@1"), Vec::<&Verdict>::new());
    assert!(place.counter("path_guessing.misses") > 200);
}

#[test]
fn a_refused_login_and_a_missing_path_count_against_their_flow() {
    let mut place = Place::anywhere();
    let held = |place: &mut Place| {
        let mut flows = 0;
        place.detector.held_against(&mut |_, _| flows += 1);
        flows
    };
    place.visit("/there", 200);
    assert_eq!(held(&mut place), 0);
    place.login("root", "guess", "530 no");
    assert_eq!(held(&mut place), 1);
    place.visit("/word", 404);
    assert_eq!(held(&mut place), 0, "one of two was there");
    assert_eq!(held(&mut place), 0, "told once");
}
