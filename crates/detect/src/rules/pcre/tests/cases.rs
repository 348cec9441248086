use crate::rules::pcre::{Pcre, Steps};

fn find(text: &str, hay: &[u8]) -> Option<(usize, usize)> {
    let (pcre, _) = Pcre::parse(text).unwrap();
    let mut steps = Steps::new(1_000_000);
    let found = pcre.find(hay, 0, &mut steps);
    assert!(!steps.exhausted, "{text}");
    found.map(|found| (found.start, found.end))
}

#[test]
fn basics() {
    assert_eq!(find("/b+/", b"abbc"), Some((1, 3)));
    assert_eq!(find("/abc$/", b"abc\n"), Some((0, 3)));
    assert_eq!(find("/(?<=a)b(?!c)/", b"abcab"), Some((4, 5)));
}
