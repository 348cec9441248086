use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::gram::{MULTIPLIER, fold};
use super::{Literals, Pattern, Seen};

type Owned = (Vec<u8>, bool);

fn build(patterns: &[Owned]) -> Literals {
    let patterns = patterns.iter().map(|(bytes, nocase)| Pattern {
        bytes,
        nocase: *nocase,
    });
    Literals::build(&patterns.collect::<Vec<_>>())
}

/// What a scan tells; that it tells no pattern twice is checked here.
fn scan(literals: &Literals, hay: &[u8], from: usize, seen: &mut Seen) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    literals.scan(hay, from, seen, &mut |pattern| {
        assert!(found.insert(pattern), "pattern {pattern} twice");
    });
    found
}

/// The same by looking for each pattern at each offset.
fn naive(patterns: &[Owned], hay: &[u8], from: usize) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    for (id, (bytes, nocase)) in (0..).zip(patterns) {
        let is = |window: &[u8]| match nocase {
            true => window.eq_ignore_ascii_case(bytes),
            false => window == bytes,
        };
        let ends = (from + 1).max(bytes.len())..=hay.len();
        let mut ends = ends.filter(|_| !bytes.is_empty());
        found.extend(
            ends.any(|end| is(&hay[end - bytes.len()..end]))
                .then_some(id),
        );
    }
    found
}

fn owned(patterns: &[(&str, bool)]) -> Vec<Owned> {
    let patterns = patterns.iter();
    patterns
        .map(|(bytes, nocase)| (bytes.as_bytes().to_vec(), *nocase))
        .collect()
}

#[test]
fn patterns_of_all_lengths_are_found() {
    let patterns = owned(&[
        ("/cmd.exe", true),
        ("/cmd.exe", false),
        ("cmd", false),
        ("?q", true),
        ("=", false),
        ("absent", true),
        ("=", false),
        ("", true),
    ]);
    let literals = build(&patterns);
    let hay = b"GET /CMD.exe?Q=1&cmd=2 /cmd.exe";
    let expected = [0, 1, 2, 3, 4, 6];
    let mut seen = Seen::default();
    assert_eq!(scan(&literals, hay, 0, &mut seen), expected.into());
    assert_eq!(naive(&patterns, hay, 0), expected.into());
    assert_eq!((literals.len(), literals.is_empty()), (8, false));
}

#[test]
fn only_what_ends_behind_from_is_told() {
    let patterns = owned(&[("abcdefgh", false), ("ab", false), ("h", false)]);
    let literals = build(&patterns);
    let mut seen = Seen::default();
    let hay = b"abcdefgh..ab..abcdefgh";
    for from in 0..=hay.len() + 1 {
        assert_eq!(
            scan(&literals, hay, from, &mut seen),
            naive(&patterns, hay, from),
            "from {from}"
        );
    }
}

#[test]
fn an_empty_set_and_an_empty_buffer_tell_nothing() {
    let mut seen = Seen::default();
    let none = build(&[]);
    assert!(none.is_empty());
    assert!(scan(&none, b"anything", 0, &mut seen).is_empty());
    let some = build(&owned(&[("a", false), ("abcd", true)]));
    assert!(scan(&some, b"", 0, &mut seen).is_empty());
}

#[test]
fn one_scratch_serves_sets_of_any_size() {
    let small = owned(&[("abcd", false)]);
    let large = (0..500).map(|n| (format!("key{n:04}").into_bytes(), n % 2 == 0));
    let large = large.collect::<Vec<_>>();
    let (one, many) = (build(&small), build(&large));
    let mut seen = Seen::default();
    for _ in 0..3 {
        assert_eq!(scan(&one, b"xabcdx", 0, &mut seen), [0].into());
        let hay = b"KEY0042 key0001 KEY0001";
        assert_eq!(scan(&many, hay, 0, &mut seen), naive(&large, hay, 0));
    }
}

#[test]
fn memory_follows_the_size_of_the_set() {
    let few = build(&owned(&[("/admin", true)]));
    assert!(few.bytes() < 256, "{}", few.bytes());
    let many = (0..12_000).map(|n: u32| (format!("/path{n}/index").into_bytes(), true));
    let many = build(&many.collect::<Vec<_>>());
    assert!(many.bytes() < 12_000 * 250, "{}", many.bytes());
}

/// Steps behind the bitmap for each byte of a buffer that finds what a naive search does.
fn steps_per_byte(patterns: &[Owned], hay: &[u8]) -> f64 {
    let literals = build(patterns);
    let mut seen = Seen::default();
    let found = scan(&literals, hay, 0, &mut seen);
    let told = u32::try_from(found.len()).unwrap();
    assert_eq!(found, naive(patterns, hay, 0));
    let steps = u32::try_from(seen.steps).unwrap();
    f64::from(steps.saturating_sub(told)) / f64::from(u32::try_from(hay.len()).unwrap())
}

#[test]
fn runs_of_one_byte_cost_little_per_position() {
    // All lengths of one letter: they share the only gram there is.
    let runs = (1..=255).map(|len| (vec![b'a'; len], len % 2 == 0));
    let runs = runs.collect::<Vec<_>>();
    for hay in [
        vec![b'a'; 2_000],
        vec![b'A'; 2_000],
        b"aaaab".repeat(400),
        [vec![b'a'; 254], vec![b'b']].concat().repeat(8),
        [vec![b'A'; 254], vec![b'a']].concat().repeat(8),
    ] {
        let steps = steps_per_byte(&runs, &hay);
        assert!(steps < 25.0, "{steps} for {:?}", &hay[..5]);
    }
    // The longest alone, which fails at its last byte wherever it is tried.
    let steps = steps_per_byte(
        &runs[254..],
        &[vec![b'a'; 254], vec![b'A']].concat().repeat(8),
    );
    assert!(steps < 12.0, "{steps}");
}

#[test]
fn thousands_of_patterns_with_a_common_gram_cost_little_per_position() {
    let numbered = (0..10_000).map(|n| (format!("evil{n:04}").into_bytes(), true));
    let numbered = numbered.collect::<Vec<_>>();
    // All spellings of one word: without regard to case they are one.
    let spellings = (0..1 << 13).map(|bits: u32| {
        let letters = (0..13).map(|at| if bits >> at & 1 == 0 { b'e' } else { b'E' });
        (letters.collect(), false)
    });
    let spellings = spellings.collect::<Vec<_>>();
    // Single bytes.
    let bytes = (0..10_000_u32).map(|n| (n.to_le_bytes()[..1].to_vec(), n % 3 == 0));
    let bytes = bytes.collect::<Vec<_>>();
    for (patterns, hay) in [
        (&numbered, b"evil".repeat(400)),
        (&numbered, b"evil99evil0".repeat(200)),
        (&spellings, b"eEeEeeeEEe".repeat(200)),
        (&spellings, vec![b'e'; 2_000]),
        (&bytes, vec![b'a'; 2_000]),
        (&bytes, (0..=254).cycle().take(2_000).collect()),
    ] {
        let steps = steps_per_byte(patterns, &hay);
        assert!(steps < 20.0, "{steps} for {:?}", &hay[..5]);
    }
}

#[test]
fn patterns_that_almost_occur_cost_little_per_position() {
    // Numbers with one end in common, which share whatever stands there.
    let numbered = |n: u32| [format!("{n:06}.evil"), format!("/index{n:06}")];
    let numbered = (0..5_000).flat_map(numbered);
    let numbered = numbered.map(|text| (text.into_bytes(), true));
    let numbered = numbered.collect::<Vec<_>>();
    // Each pattern without its first byte, without its last one, and in the wrong case.
    let almost = numbered.iter().step_by(97).flat_map(|(bytes, _)| {
        let inner = &bytes[1..bytes.len() - 1];
        [b"#", inner, b"#", &bytes[1..], b"#"].concat()
    });
    let almost = almost.collect::<Vec<_>>();
    let steps = steps_per_byte(&numbered, &almost);
    assert!(steps < 10.0, "{steps}");
    let exact = numbered.iter().map(|(bytes, _)| (bytes.clone(), false));
    let whole = numbered.iter().step_by(97).flat_map(|(bytes, _)| bytes);
    let upper = whole.map(u8::to_ascii_uppercase).collect::<Vec<_>>();
    let steps = steps_per_byte(&exact.collect::<Vec<_>>(), &upper);
    assert!(steps < 10.0, "{steps}");
}

#[test]
fn grams_made_to_collide_cost_little_per_position() {
    // Newton's iteration finds the number that undoes the multiplication of the hash.
    let inverse = (0..5).fold(1_u32, |inverse, _| {
        inverse.wrapping_mul(2_u32.wrapping_sub(MULTIPLIER.wrapping_mul(inverse)))
    });
    assert_eq!(inverse.wrapping_mul(MULTIPLIER), 1);
    // Hashes whose upper 14 bits are the same, so that all patterns come to one place.
    let grams = (0..1_u32 << 18).map(|hash| hash.wrapping_mul(inverse));
    let grams = grams.filter(|gram| fold(*gram) == *gram).take(4_001);
    let mut grams = grams.map(u32::to_le_bytes).collect::<Vec<_>>();
    assert_eq!(grams.len(), 4_001);
    let absent = grams.pop().unwrap();
    let patterns = grams.iter().map(|gram| (gram.to_vec(), false));
    let patterns = patterns.collect::<Vec<_>>();
    for hay in [absent.repeat(300), grams[..300].concat()] {
        let steps = steps_per_byte(&patterns, &hay);
        assert!(steps < 10.0, "{steps}");
    }
}

#[test]
fn parts_of_one_text_cost_little_per_position() {
    // Everything that can be cut out of a text, around its rarest gram and elsewhere.
    let text = b"GET /index.php?id=1 HTTP/1.1\r\nHost: \x90\x90\x90\x90.example\r\n";
    let parts = (0..text.len()).flat_map(|start| {
        let ends = start + 4..=text.len();
        ends.map(move |end| (text[start..end].to_vec(), end % 2 == 0))
    });
    let parts = parts.collect::<Vec<_>>();
    for hay in [
        text.repeat(5),
        text[20..].repeat(5),
        text.to_ascii_uppercase().repeat(5),
        vec![0x90; 1_000],
    ] {
        let steps = steps_per_byte(&parts, &hay);
        assert!(steps < 40.0, "{steps} for {:?}", &hay[..5]);
    }
}

/// Bytes of a small alphabet, so that patterns overlap and share grams.
fn letters(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    let letter = prop_oneof![Just(b'a'), Just(b'A'), Just(b'b'), Just(b'@'), Just(0_u8)];
    vec(letter, len)
}

proptest! {
    #[test]
    fn it_finds_what_a_naive_search_finds(
        patterns in vec((letters(0..9), any::<bool>()), 0..60),
        hay in letters(0..300),
        from in 0_usize..50,
    ) {
        let mut seen = Seen::default();
        let literals = build(&patterns);
        prop_assert_eq!(scan(&literals, &hay, from, &mut seen), naive(&patterns, &hay, from));
    }

    #[test]
    fn it_finds_long_patterns_wherever_they_stand(
        patterns in vec((letters(7..14), any::<bool>()), 65..200),
        hay in letters(0..300),
        from in 0_usize..50,
    ) {
        let mut seen = Seen::default();
        let literals = build(&patterns);
        prop_assert_eq!(scan(&literals, &hay, from, &mut seen), naive(&patterns, &hay, from));
    }

    #[test]
    fn it_finds_what_was_put_into_a_buffer(
        patterns in vec((vec(any::<u8>(), 1..20), any::<bool>()), 1..200),
        picks in vec((any::<prop::sample::Index>(), vec(any::<u8>(), 0..9), any::<bool>()), 0..20),
        from in 0_usize..50,
    ) {
        let mut hay = Vec::new();
        for (pick, between, upper) in &picks {
            let (bytes, _) = pick.get(&patterns);
            hay.extend(if *upper { bytes.to_ascii_uppercase() } else { bytes.clone() });
            hay.extend(between);
        }
        let mut seen = Seen::default();
        let literals = build(&patterns);
        prop_assert_eq!(scan(&literals, &hay, from, &mut seen), naive(&patterns, &hay, from));
    }
}
