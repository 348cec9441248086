use crate::rules::pcre::{
    GROUPS_MAX, Literal, NEST_MAX, Of, PATTERN_MAX, Pcre, REPEAT_MAX, STACK_MAX, Steps,
};

fn find(text: &str, hay: &[u8]) -> Option<(usize, usize)> {
    let (pcre, _) = Pcre::parse(text).unwrap();
    let mut steps = Steps::new(1_000_000);
    let found = pcre.find(hay, 0, &mut steps);
    assert!(!steps.exhausted, "{text}");
    found.map(|found| (found.start, found.end))
}

/// Offset and message of the refusal.
fn refusal(text: &str) -> (usize, String) {
    let error = Pcre::parse(text).unwrap_err();
    assert!(error.at <= text.len(), "{text}");
    (error.at, error.message)
}

#[test]
fn a_dollar_holds_before_a_last_newline_and_does_not_take_it() {
    assert_eq!(find("/abc$/", b"abc\n"), Some((0, 3)));
    assert_eq!(find(r"/abc\s$/", b"abc\n"), Some((0, 4)));
    assert_eq!(find("/abc$/E", b"abc\n"), None);
    assert_eq!(find("/abc$/", b"abc\n\n"), None);
    assert_eq!(find("/abc$/m", b"abc\n\n"), Some((0, 3)));
    assert_eq!(find("/^b/m", b"a\nb"), Some((2, 3)));
    assert_eq!(find("/^/m", b""), Some((0, 0)));
    // The end of the text behind its last newline starts no line.
    assert_eq!(find("/x*^$/m", b"a\n"), None);
}

#[test]
fn bytes_above_ascii_are_bytes() {
    assert_eq!(find(r"/\xff./", b"\xff\x80"), Some((0, 2)));
    assert_eq!(find("/\u{e9}/", b"\xc3\xa9"), Some((0, 2)));
    assert_eq!(find(r"/\xe9/i", b"\xc9"), None);
    assert_eq!(find(r"/[^\x00-\x7f]/", b"a\x85"), Some((1, 2)));
    assert_eq!(find(r"/\R/", b"\x85"), Some((0, 1)));
}

#[test]
fn what_automata_cannot_is_found_too() {
    assert_eq!(find("/(?<=a)b(?!c)/", b"abcab"), Some((4, 5)));
    assert_eq!(find(r"/(\w)\1/i", b"xyY"), Some((1, 3)));
    assert_eq!(find("/(?P<q>['\"])x(?P=q)/", b"'x\"\"x\""), Some((3, 6)));
    assert_eq!(find("/(?>a+)ab/", b"aaab"), None);
    assert_eq!(find(r"/foo\Kbar/", b"foobar"), Some((3, 6)));
    assert_eq!(find("/(a)?(?(1)b|c)/", b"xab"), Some((1, 3)));
    assert_eq!(find("/(?|(a)|(b))x/", b"bx"), Some((0, 2)));
}

#[test]
fn a_search_sees_what_is_before_its_start() {
    let mut steps = Steps::new(1000);
    let (pcre, _) = Pcre::parse(r"/\bb|^a/").unwrap();
    assert_eq!(pcre.find(b"ab b", 1, &mut steps).unwrap().start, 3);
    let (pcre, _) = Pcre::parse("/b/A").unwrap();
    assert_eq!(pcre.find(b"ab", 1, &mut steps).unwrap().start, 1);
    assert_eq!(pcre.find(b"ab", 0, &mut steps), None);
    assert_eq!(pcre.find(b"ab", 3, &mut steps), None);
}

#[test]
fn the_first_group_is_told() {
    let mut steps = Steps::new(1000);
    let (pcre, _) = Pcre::parse(r"/id=(\d*)$|x/").unwrap();
    let found = pcre.find(b"id=12\n", 0, &mut steps).unwrap();
    assert_eq!((found.end, found.group1), (5, Some(3..5)));
    assert_eq!(pcre.find(b"x", 0, &mut steps).unwrap().group1, None);
    let told = |text: &str, hay: &[u8]| {
        let (pcre, _) = Pcre::parse(text).unwrap();
        let found = pcre.find(hay, 0, &mut Steps::new(1000)).unwrap();
        let captures = pcre.captures().iter();
        let told = captures.map(|capture| {
            let group = usize::try_from(capture.group)
                .unwrap()
                .checked_sub(1)
                .unwrap();
            let range = found.groups.get(group).cloned().flatten();
            (capture.of, capture.name.clone(), range)
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(
        told("/(a+)(?P<flow_x>b)(?P<alert_y>c)?/", b"aabd"),
        [
            (Of::Flow, "x".to_owned(), Some(2..3)),
            (Of::Alert, "y".to_owned(), None)
        ]
    );
    assert_eq!(
        told(r"/^(\w+)=(\w+)/,flow:key,pkt:value", b"ab=cd"),
        [
            (Of::Flow, "key".to_owned(), Some(0..2)),
            (Of::Packet, "value".to_owned(), Some(3..5))
        ]
    );
    assert!(Pcre::parse("/(a)/,flow:a,flow:b").is_err());
    assert!(Pcre::parse("/a/,flow:a").is_ok(), "as Suricata takes it");
    let (pcre, _) = Pcre::parse("/(?P<n>a)(?<m>b)/").unwrap();
    assert_eq!(pcre.names(), [("n".to_owned(), 1), ("m".to_owned(), 2)]);
}

#[test]
fn flags_name_buffers_and_the_last_slash_ends_the_pattern() {
    let (_, flags) = Pcre::parse(" /a/b/RiU").unwrap();
    assert!(flags.relative);
    assert_eq!(flags.buffer, Some("http.uri"));
    let (_, flags) = Pcre::parse("/a(.)(.)/B, flow:one, pkt:two").unwrap();
    assert!(flags.raw_bytes);
    assert_eq!(flags.captures, ["flow:one", "pkt:two"]);
    assert_eq!(refusal("/a/UI").0, 4);
    assert_eq!(refusal("/a/ig").0, 4);
    assert_eq!(refusal("/a").0, 0);
    assert_eq!(refusal("").0, 0);
    assert_eq!(refusal("/a/, one").0, 4);
}

#[test]
fn a_host_in_capital_letters_is_refused() {
    assert_eq!(refusal("/abC/W").0, 3);
    for taken in [r"/a\S\x4Ac/W", "/ABC/Wi", "/ABC/Z"] {
        Pcre::parse(taken).unwrap();
    }
}

#[test]
fn errors_say_where_and_what() {
    for (text, at, part) in [
        ("/a[b/", 2, "missing ]"),
        ("/ab)/", 3, "unmatched closing"),
        ("/a(b/", 2, "missing closing"),
        ("/a**/", 3, "quantifier"),
        (r"/(a)\2/", 4, "group 2"),
        (r"/a(?R)/", 2, "recursion"),
        ("/(*SKIP)a/", 1, "(*SKIP)"),
        ("/a(?C1)/", 2, "callout"),
        (r"/\p{L}/", 1, "Unicode property"),
        ("/(?<=a*)b/", 1, "fixed width"),
        (r"/[a-\d]/", 2, "range"),
        ("/a{3,2}/", 2, "out of order"),
        (r"/\x{100}/", 1, "above a byte"),
        ("/[[:foo:]]/", 2, "POSIX"),
    ] {
        let (found, message) = refusal(text);
        assert_eq!(found, at, "{text}: {message}");
        assert!(message.contains(part), "{text}: {message}");
    }
}

#[test]
fn what_rules_may_ask_for_is_bounded() {
    let nested = |depth: usize| format!("/{}a{}/", "(?:".repeat(depth), ")".repeat(depth));
    Pcre::parse(&nested(NEST_MAX)).unwrap();
    assert!(refusal(&nested(NEST_MAX + 1)).1.contains("nested"));
    let groups = |count: u32| format!("/{}/", "(a)".repeat(usize::try_from(count).unwrap()));
    Pcre::parse(&groups(GROUPS_MAX)).unwrap();
    assert!(refusal(&groups(GROUPS_MAX + 1)).1.contains("groups"));
    assert!(
        refusal(&format!("/{}/", "a".repeat(PATTERN_MAX + 1)))
            .1
            .contains("longer")
    );
    assert!(
        refusal(&format!("/a{{{}}}/", REPEAT_MAX + 1))
            .1
            .contains("count")
    );
    // Counts on counts are loops, not copies.
    let (pcre, _) = Pcre::parse("/(?:(?:(?:ab?){65535}){65535}){65535}/").unwrap();
    let mut steps = Steps::new(100_000);
    assert_eq!(pcre.find(b"ab", 0, &mut steps), None);
}

#[test]
fn a_search_that_ends_at_a_bound_says_so() {
    let (pcre, _) = Pcre::parse("/(?=(a+)+b)a/").unwrap();
    let mut steps = Steps::new(1000);
    assert_eq!(pcre.find(&[b'a'; 100], 0, &mut steps), None);
    assert_eq!((steps.left, steps.exhausted), (0, true));
    // The stack, too.
    let (pcre, _) = Pcre::parse("/^(?:(a)(?!x))+b(?=c)/").unwrap();
    let mut steps = Steps::new(u64::MAX);
    let mut hay = vec![b'a'; STACK_MAX];
    hay.extend(b"b");
    assert_eq!(pcre.find(&hay, 0, &mut steps), None);
    assert!(steps.exhausted);
}

#[test]
fn a_text_that_needs_too_many_states_falls_back_to_the_budget() {
    // Whether the byte 13 back was an `a`: thousands of states.
    let (pcre, _) = Pcre::parse("/(?:[ab]*a[ab]{12}){1,12}c/").unwrap();
    assert!(pcre.is_linear());
    let mut dice = super::generate::Dice(1);
    let hay: Vec<u8> = (0..65_536).map(|_| b"ab"[dice.below(2)]).collect();
    let mut steps = Steps::new(10_000);
    assert_eq!(pcre.find(&hay, 0, &mut steps), None);
    assert!(steps.exhausted);
    // Texts behind it are searched as before.
    let mut steps = Steps::new(0);
    assert!(pcre.find(b"aaaaaaaaaaaaac", 0, &mut steps).is_some());
}

#[test]
fn literals_are_what_every_match_holds() {
    let literal = |text: &str| Pcre::parse(text).unwrap().0.literal().cloned();
    let exact = |bytes: &[u8]| {
        Some(Literal {
            bytes: bytes.to_vec(),
            caseless: false,
        })
    };
    let caseless = |bytes: &[u8]| {
        Some(Literal {
            bytes: bytes.to_vec(),
            caseless: true,
        })
    };
    assert_eq!(literal(r"/ab\d+cdef/"), exact(b"cdef"));
    assert_eq!(literal("/Ab1.C/i"), caseless(b"ab1"));
    assert_eq!(literal("/a(?i)B/"), caseless(b"ab"));
    assert_eq!(literal("/x(?:abc)+def/"), exact(b"xabc"));
    assert_eq!(literal("/(?:abc)?d/"), exact(b"d"));
    assert_eq!(literal("/abc|abd/"), None);
    assert_eq!(literal("/ab(?=x)c/"), exact(b"abc"));
    assert!(caseless(b"ab").unwrap().is_in(b"xAB"));
    assert!(!exact(b"ab").unwrap().is_in(b"xAB"));
}
