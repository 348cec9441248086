//! Whatever the bytes are: rows, of the right width, with numbers that are numbers.
#![expect(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests")]

use std::hash::{BuildHasherDefault, DefaultHasher};

use features::{Contacts, DnsWindow, EXTRACTORS, Extractor, IDS, Request, Samples, Subject, find};
use proptest::prelude::*;

fn holds(extractor: &dyn Extractor, subject: &Subject<'_>) -> Samples {
    let mut samples = Samples::default();
    extractor.extract(subject, &mut samples).unwrap();
    assert!((1..=192).contains(&samples.rows()));
    let rows = samples.numbers().chunks(extractor.columns().len());
    assert_eq!(rows.len(), samples.rows());
    assert!(samples.numbers().iter().all(|number| number.is_finite()));
    assert_eq!(samples.ids().len(), samples.rows() * extractor.ids_max());
    assert!(
        samples
            .ids()
            .iter()
            .all(|id| (0..i64::from(IDS)).contains(id))
    );
    samples
}

/// Bytes in which what is decoded comes up more often than by chance.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        &b"%25"[..],
        b"%u0041",
        b"&#x",
        b"&lt;",
        b"\\u{",
        b"\\x4",
        b"\xc0\xae",
        b"\xf8\x80\x80",
        b"/*!",
        b"*/",
        b"'||'",
        b"${IFS}",
        b"{\"a\":[",
        b"}",
        b"eyJhIjogIng9JzEnIn0",
        b"\xef\xbc\x9c",
        b"--b\r\n",
        b"a=b&",
        b"; ",
        b"=",
        b"?",
        b"://",
        b"@",
        b"xn--",
    ]);
    let piece = prop_oneof![
        pieces.prop_map(<[u8]>::to_vec),
        prop::collection::vec(any::<u8>(), 0..6)
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_request(target in bytes(), name in bytes(), value in bytes(), body in bytes(), kind in 0..4_usize) {
        let kinds: [&[u8]; 4] = [b"application/json", b"multipart/form-data; boundary=b", b"application/x-www-form-urlencoded", b""];
        let headers = [(name.as_slice(), value.as_slice()), (b"Content-Type", kinds.get(kind).unwrap())];
        let request = Request { method: b"POST", target: &target, headers: &headers, body: &body };
        holds(find("http-field@1").unwrap(), &Subject::Request(request));
    }

    #[test]
    fn a_url_and_a_name(text in bytes()) {
        let text = String::from_utf8_lossy(&text);
        holds(find("url@1").unwrap(), &Subject::Url(&text));
        holds(find("domain@1").unwrap(), &Subject::Domain(&text));
    }

    #[test]
    fn queries_and_contacts(
        queries in prop::collection::vec((any::<u64>(), bytes()), 0..80),
        contacts in prop::collection::vec((any::<u64>(), any::<u64>()), 0..80),
    ) {
        let hasher = BuildHasherDefault::<DefaultHasher>::new();
        let mut window = DnsWindow::default();
        for (at_ns, below) in &queries {
            window.add(*at_ns, below, &hasher);
        }
        holds(find("dns-window@1").unwrap(), &Subject::DnsWindow(&window));
        let mut all = Contacts::default();
        for (at_ns, bytes) in &contacts {
            all.add(*at_ns, *bytes);
        }
        holds(find("beacon@1").unwrap(), &Subject::Contacts(&all));
    }
}

#[test]
fn megabytes_cost_no_more_than_their_bound() {
    let nested = [b"[".repeat(500_000), b"]".repeat(500_000)].concat();
    for body in [
        nested,
        b"%25".repeat(700_000),
        b"a=&".repeat(700_000),
        b"QUFBQUFBQUFBQUFB ".repeat(100_000),
        b"\xff".repeat(2_000_000),
    ] {
        let request = Request {
            method: b"POST",
            target: b"/",
            headers: &[],
            body: &body,
        };
        holds(find("http-field@1").unwrap(), &Subject::Request(request));
    }
}

#[test]
fn the_same_twice_is_the_same() {
    for extractor in EXTRACTORS {
        let request = Request {
            method: b"GET",
            target: b"/a?b=%27or%201=1",
            headers: &[(b"X", b"y")],
            body: b"",
        };
        let all = [
            Subject::Request(request),
            Subject::Url("a.example/b"),
            Subject::Domain("a.example"),
            Subject::DnsWindow(&DnsWindow::default()),
            Subject::Contacts(&Contacts::default()),
        ];
        let mut samples = Samples::default();
        let fits = all
            .iter()
            .filter(|subject| extractor.extract(subject, &mut samples).is_ok());
        assert_eq!(fits.count(), 1, "each looks at one kind of subject");
    }
    let look = || {
        holds(
            find("url@1").unwrap(),
            &Subject::Url("http://paypal-login.example/verify?x=1"),
        )
    };
    let (one, other) = (look(), look());
    assert_eq!((one.numbers(), one.ids()), (other.numbers(), other.ids()));
}
