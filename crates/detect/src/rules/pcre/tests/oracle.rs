//! What PCRE2 compiles we compile, and where both finish they find the same.

use pcre2::bytes::{Regex, RegexBuilder};
use proptest::prelude::*;

use super::generate::{self, Dice};
use crate::rules::pcre::{Error, Pcre, Steps, ast::Node, option, parse};

/// Steps that a search may take here.
const STEPS: u64 = 200_000;

/// A match of either engine: start, end, first group.
type Found = Option<(usize, usize, Option<(usize, usize)>)>;

/// PCRE2's compiled pattern, without two of its optimizations, which miss matches: they think that
/// `.?\R` cannot give a carriage return back, and look for the `a` of `(?=a)` besides the next one.
/// The flags `G` and `A` stand inside of the pattern.
fn oracle(pattern: &str, flags: &str) -> Result<Regex, pcre2::Error> {
    let ungreedy = if flags.contains('G') { "(?U)" } else { "" };
    let (open, close) = if flags.contains('A') {
        ("\\G(?:", ")")
    } else {
        ("", "")
    };
    let pattern = format!("(*NO_START_OPT)(*NO_AUTO_POSSESS){open}{ungreedy}{pattern}{close}");
    RegexBuilder::new()
        .caseless(flags.contains('i'))
        .dotall(flags.contains('s'))
        .multi_line(flags.contains('m'))
        .extended(flags.contains('x'))
        .build(&pattern)
}

/// None when PCRE2 gave up.
fn theirs(regex: &Regex, hay: &[u8], from: usize) -> Option<Found> {
    let mut places = regex.capture_locations();
    let found = regex.captures_read_at(&mut places, hay, from).ok()?;
    Some(found.map(|found| (found.start(), found.end(), places.get(1))))
}

/// None when a bound was hit.
fn ours(pcre: &Pcre, hay: &[u8], from: usize) -> Option<Found> {
    let mut steps = Steps::new(STEPS);
    let found = pcre.find(hay, from, &mut steps);
    let span = pcre.find_span(hay, from, &mut Steps::new(STEPS));
    assert_eq!(
        span,
        found.as_ref().map(|found| found.start..found.end),
        "with and without the first group"
    );
    if steps.exhausted {
        assert_eq!(found, None);
        return None;
    }
    Some(found.map(|found| {
        let group1 = found.group1.map(|group| (group.start, group.end));
        (found.start, found.end, group1)
    }))
}

fn tree(text: &str) -> Result<Node, Error> {
    let option = option::split(text)?;
    Ok(parse::parse(option.pattern, option.options)?.node)
}

/// The same pattern on the backtracker, whatever its language.
fn backtracking(text: &str) -> Pcre {
    Pcre {
        automaton: None,
        ..Pcre::parse(text).unwrap().0
    }
}

/// Compares the searches of one pattern in one text.
fn compare(
    text: &str,
    regex: &Regex,
    engines: [&Pcre; 2],
    hay: &[u8],
    from: usize,
) -> Result<bool, TestCaseError> {
    let Some(theirs) = theirs(regex, hay, from) else {
        return Ok(false);
    };
    for pcre in engines {
        let Some(ours) = ours(pcre, hay, from) else {
            continue;
        };
        let shown = hay.escape_ascii();
        let linear = pcre.is_linear();
        prop_assert_eq!(
            theirs,
            ours,
            "{} linear {} in {} from {}",
            text,
            linear,
            shown,
            from
        );
    }
    if let (Some(literal), Some(_)) = (engines[0].literal(), theirs) {
        prop_assert!(literal.is_in(hay), "{} {:?}", text, literal);
    }
    Ok(theirs.is_some())
}

fn flags() -> impl Strategy<Value = String> {
    prop::sample::subsequence(vec!["i", "s", "m", "x", "G", "A"], 0..4)
        .prop_map(|flags| flags.concat())
}

fn hay() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop::sample::select(b"aaabbbccAB\n\n .\r1".to_vec());
    prop::collection::vec(byte, 0..16)
}

fn config() -> ProptestConfig {
    let cases = std::env::var("PCRE_CASES").map_or(1024, |cases| cases.parse().unwrap());
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn finds_what_pcre2_finds(
        pattern in generate::pattern(),
        flags in flags(),
        hays in prop::collection::vec((hay(), 0_usize..4), 6),
        seed in 1_u64..,
    ) {
        let text = format!("/{pattern}/{flags}");
        let regex = oracle(&pattern, &flags);
        let mine = Pcre::parse(&text);
        prop_assert_eq!(regex.is_ok(), mine.is_ok(), "{}: {:?} {:?}", text, regex, mine);
        let (Ok(regex), Ok((pcre, _))) = (regex, mine) else {
            return Ok(());
        };
        let backtracking = backtracking(&text);
        let node = tree(&text).unwrap();
        let mut dice = Dice(seed);
        let made = (0..6).map(|_| (generate::text(&node, &mut dice), 0));
        for (hay, from) in hays.into_iter().chain(made) {
            let from = from.min(hay.len());
            compare(&text, &regex, [&pcre, &backtracking], &hay, from)?;
        }
    }

    #[test]
    fn reads_what_pcre2_reads(pattern in generate::soup(), flags in flags(), seed in 1_u64..) {
        // The group that stands for `A` in PCRE2 would close what the pieces leave open.
        let flags = flags.replace('A', "");
        let text = format!("/{pattern}/{flags}");
        let regex = oracle(&pattern, &flags);
        match (regex, Pcre::parse(&text)) {
            (Ok(regex), Ok((pcre, _))) => {
                let node = tree(&text).unwrap();
                let mut dice = Dice(seed);
                for _ in 0..8 {
                    let hay = generate::text(&node, &mut dice);
                    compare(&text, &regex, [&pcre, &pcre], &hay, 0)?;
                }
            }
            (Err(_), Err(error)) => prop_assert!(error.at <= text.len()),
            (Ok(_), Err(error)) => prop_assert!(
                error.message.contains("not known here"), "{} {}", text, error
            ),
            (Err(error), Ok(_)) => prop_assert!(false, "{} is taken: {}", text, error),
        }
    }
}
