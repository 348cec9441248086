use proptest::prelude::*;

use super::*;
use crate::canonical;

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn one(text: &str) -> Term {
    let mut terms = parse(text).unwrap().terms;
    assert_eq!(terms.len(), 1, "{text}");
    terms.remove(0)
}

const NO_TRAITS: Term = Term::Traffic {
    src: None,
    dst: None,
    dst_port: None,
    protocol: None,
};

/// Pattern | its canonical print. `M`, `S` and `T` stand for an MD5, a SHA-1 and a SHA-256.
const CANONICAL: &str = r#"
[ipv4-addr:value = '192.0.2.1'] | [ipv4-addr:value = '192.0.2.1']
[ipv4-addr:value = '192.0.2.1/32'] | [ipv4-addr:value = '192.0.2.1']
[ipv4-addr:value = '192.0.2.0/24'] | [ipv4-addr:value ISSUBSET '192.0.2.0/24']
[ipv4-addr:value ISSUBSET '192.0.2.1/24'] | [ipv4-addr:value ISSUBSET '192.0.2.0/24']
[ipv6-addr:value == '2001:DB8::1'] | [ipv6-addr:value = '2001:db8::1']
[ipv6-addr:value = '::ffff:192.0.2.1'] | [ipv4-addr:value = '192.0.2.1']
[domain-name:value = 'EVIL.example.'] | [domain-name:value = 'evil.example']
[url:value = 'HTTP://Evil.example'] | [url:value = 'http://evil.example/']
/* a */ ([(url:value='http://a.example/')]) // b | [url:value = 'http://a.example/']
[file:hashes.MD5 = 'M'] | [file:hashes.'MD5' = 'm']
[file:hashes.'md5' = 'M'] | [file:hashes.'MD5' = 'm']
[file:hashes.'SHA-1' = 'S'] | [file:hashes.'SHA-1' = 's']
[file:hashes.sha1 = 'S'] | [file:hashes.'SHA-1' = 's']
[file:hashes.SHA256 = 'T'] | [file:hashes.'SHA-256' = 't']
[file:hashes.'SHA-256' = 'T'] | [file:hashes.'SHA-256' = 't']
[network-traffic:extensions.'tls-ext'.ja3_hash = 'M'] | [network-traffic:extensions.'tls-ext'.ja3 = 'm']
[network-traffic:extensions.'tls-ext'.ja4_hash = 't13d1516H2_8daaf6152771_b186095e22b6'] | [network-traffic:extensions.'tls-ext'.ja4 = 't13d1516h2_8daaf6152771_b186095e22b6']
[network-traffic:protocols[*] = 'UDP' AND network-traffic:dst_port = +53] | [network-traffic:dst_port = 53 AND network-traffic:protocols[*] = 'udp']
"#;

#[test]
fn each_supported_property_has_one_canonical_form() {
    for row in CANONICAL.lines().filter(|row| !row.is_empty()) {
        let mut row = row.to_owned();
        for (letter, digits) in [("M", 32), ("S", 40), ("T", 64)] {
            let (upper, lower) = (format!("'{}'", "A".repeat(digits)), "a".repeat(digits));
            row = row.replace(&format!("'{letter}'"), &upper);
            row = row.replace(
                &format!("'{}'", letter.to_lowercase()),
                &format!("'{lower}'"),
            );
        }
        let (text, canonical) = row.split_once(" | ").unwrap();
        assert_eq!(one(text).to_string(), canonical, "{text}");
    }
}

#[test]
fn terms_hold_what_the_pattern_says() {
    let hash = "a".repeat(64);
    let file = Term::FileHash {
        algorithm: HashKind::Sha256,
        value: hash.as_str().into(),
    };
    assert_eq!(one(&format!("[file:hashes.'SHA-256' = '{hash}']")), file);
    assert_eq!(
        one("[ipv6-addr:value = '2001:db8::1']"),
        Term::Address(net("2001:db8::1/128"))
    );
    assert_eq!(
        one("[domain-name:value = 'a.example']"),
        Term::Domain("a.example".into())
    );
    assert_eq!(
        one("[url:value = 'http://a.example/']"),
        Term::Url("http://a.example/".into())
    );
}

#[test]
fn and_joins_the_traits_of_one_traffic() {
    let text = "[network-traffic:src_ref.type = 'ipv4-addr' AND network-traffic:src_ref.value = \
                '192.0.2.1' AND network-traffic:dst_ref.value ISSUBSET '198.51.100.0/24' AND \
                network-traffic:dst_port = 443 AND network-traffic:protocols[*] = 'TCP']";
    let want = Term::Traffic {
        src: Some(net("192.0.2.1/32")),
        dst: Some(net("198.51.100.0/24")),
        dst_port: Some(443),
        protocol: Some(Proto::Tcp),
    };
    assert_eq!(one(text), want);
}

#[test]
fn or_and_in_make_alternatives() {
    let text = "[ipv4-addr:value IN ('192.0.2.1', '192.0.2.2')] OR [domain-name:value = 'a.example' \
                OR (network-traffic:dst_port IN (80, 443) AND network-traffic:src_ref.value = '192.0.2.3')]";
    let traffic = |port| Term::Traffic {
        src: Some(net("192.0.2.3/32")),
        dst: None,
        dst_port: Some(port),
        protocol: None,
    };
    let want = vec![
        Term::Address(net("192.0.2.1/32")),
        Term::Address(net("192.0.2.2/32")),
        Term::Domain("a.example".into()),
        traffic(80),
        traffic(443),
    ];
    assert_eq!(parse(text).unwrap().terms, want);
}

/// Kind | column | part of the text | pattern.
const REFUSED: &str = r#"
Unsupported | 11 | FOLLOWEDBY | [a:b = 1] FOLLOWEDBY [a:c = 1]
Unsupported | 35 | AND | [url:value = 'http://a.example/'] AND [url:value = 'x']
Unsupported | 33 | WITHIN | [ipv4-addr:value = '192.0.2.1'] WITHIN 5 SECONDS
Unsupported | 33 | REPEATS | [ipv4-addr:value = '192.0.2.1'] REPEATS 5 TIMES
Unsupported | 11 | START | [a:b = 1] START t'2016-01-01T00:00:00Z' STOP t'2017-01-01T00:00:00Z'
Unsupported | 12 | LIKE on url:value | [url:value LIKE 'http://%']
Unsupported | 12 | MATCHES | [url:value MATCHES '^http']
Unsupported | 12 | ISSUBSET on url:value | [url:value ISSUBSET 'x']
Unsupported | 18 | ISSUPERSET | [ipv4-addr:value ISSUPERSET '192.0.2.0/24']
Unsupported | 18 | != | [ipv4-addr:value != '192.0.2.1']
Unsupported | 18 | NOT | [ipv4-addr:value NOT = '192.0.2.1']
Unsupported | 2 | NOT | [NOT EXISTS ipv4-addr:value]
Unsupported | 2 | EXISTS | [EXISTS ipv4-addr:value]
Unsupported | 2 | file:name | [file:name = 'x']
Unsupported | 2 | ipv4-addr:'value'[0] | [ipv4-addr:'value'[0] = 'x']
Unsupported | 2 | 'src_ref.value' | [network-traffic:'src_ref.value' = '192.0.2.1']
Syntax | 28 | '*' | [network-traffic:protocols['*'] = 'tcp']
Unsupported | 2 | protocols.'*' | [network-traffic:protocols.'*' = 'tcp']
Unsupported | 2 | protocols[0] | [network-traffic:protocols[0] = 'tcp']
Unsupported | 33 | "http" | [network-traffic:protocols[*] = 'http']
Unsupported | 33 | domain-name | [network-traffic:dst_ref.type = 'domain-name' AND network-traffic:dst_ref.value = 'a.example']
Unsupported | 33 | type of address | [network-traffic:src_ref.type = 'ipv4-addr']
Unsupported | 59 | file:size | [file:hashes.MD5 = 'cead3f77f6cda6ec00f57d76c9a69faa' AND file:size = 1]
Unsupported | 34 | AND | [url:value = 'http://a.example/' AND domain-name:value = 'a.example']
Unsupported | 32 | two conditions | [network-traffic:dst_port = 80 AND network-traffic:dst_port = 81]
Value | 29 | port | [network-traffic:dst_port = '80']
Value | 29 | port | [network-traffic:dst_port = 65536]
Value | 20 | IPv4 | [ipv4-addr:value = '2001:db8::1']
Value | 20 | IPv6 | [ipv6-addr:value = '192.0.2.1']
Value | 20 | string | [ipv4-addr:value = 12]
Value | 20 | address and a network | [ipv4-addr:value = '192.0.2.1/24']
Value | 18 | empty set | [ipv4-addr:value IN ()]
Value | 22 | domain | [domain-name:value = '192.0.2.1']
Value | 14 | URL | [url:value = 'a.example/x']
Value | 26 | SHA-256 | [file:hashes.'SHA-256' = 'f00']
Value | 33 | other type | [network-traffic:src_ref.type = 'ipv6-addr' AND network-traffic:src_ref.value = '192.0.2.1']
Syntax | 14 | hyphen stands in quotes | [file:hashes.SHA-256 = 'f00']
Syntax | 1 | ends | 
Syntax | 17 | ends | [url:value = 'x'
Syntax | 14 | begins nothing | [url:value = "x"]
Syntax | 19 | and | [url:value = 'x'] and [url:value = 'y']
Syntax | 18 | 'é' | [url:value = 'é' é]
Unsupported | 28 | WITHIN | [a:b = 1] WITHIN 5 SECONDS WITHIN 6 SECONDS
Syntax | 8 | order | [a:b < true]
"#;

#[test]
fn what_cannot_be_enforced_is_refused_by_name_and_column() {
    for row in REFUSED.lines().filter(|row| !row.is_empty()) {
        let [kind, column, what, text] =
            row.splitn(4, " | ").collect::<Vec<_>>().try_into().unwrap();
        let text = text.trim_end_matches("<end>");
        let error = parse(text).unwrap_err();
        let found = (
            format!("{:?}", error.kind),
            error.line,
            error.column.to_string(),
        );
        assert_eq!(
            found,
            (kind.to_owned(), 1, column.to_owned()),
            "{text}: {error}"
        );
        assert!(error.what.contains(what), "{text}: {error}");
        assert!(!error.mend.is_empty());
    }
}

#[test]
fn a_pattern_beyond_a_bound_is_refused() {
    let nested = format!("{}[a:b = 1]{}", "(".repeat(40), ")".repeat(40));
    assert_eq!(parse(&nested).unwrap_err().kind, PatternErrorKind::Bound);
    assert_eq!(
        parse(&" ".repeat(PATTERN_BYTES_MAX + 1)).unwrap_err().kind,
        PatternErrorKind::Bound
    );
}

#[test]
fn lines_are_counted() {
    let error = parse("[ipv4-addr:value = '192.0.2.1'\n  OR\r\n  file:name = 'x']").unwrap_err();
    assert_eq!((error.line, error.column), (3, 3));
}

#[test]
fn a_product_of_alternatives_is_bounded() {
    let ports: Vec<String> = (0..100).map(|port| port.to_string()).collect();
    let addresses: Vec<String> = (0..100).map(|host| format!("'192.0.2.{host}'")).collect();
    let text = format!(
        "[network-traffic:dst_port IN ({}) AND network-traffic:src_ref.value IN ({})]",
        ports.join(","),
        addresses.join(",")
    );
    assert_eq!(parse(&text).unwrap_err().kind, PatternErrorKind::Bound);
}

fn networks() -> impl Strategy<Value = IpNet> {
    let v4 = (any::<[u8; 4]>(), 0_u8..=32)
        .prop_map(|(bytes, prefix)| IpNet::new(bytes.into(), prefix).unwrap());
    let v6 = (any::<[u8; 16]>(), 0_u8..=128)
        .prop_map(|(bytes, prefix)| IpNet::new(bytes.into(), prefix).unwrap());
    prop_oneof![v4, v6].prop_map(canonical::network_of)
}

fn terms() -> impl Strategy<Value = Term> {
    let protocols = prop_oneof![
        Just(Proto::Tcp),
        Just(Proto::Udp),
        Just(Proto::Icmp),
        Just(Proto::Icmp6)
    ];
    let option = proptest::option::of::<_>;
    prop_oneof![
        networks().prop_map(Term::Address),
        "[a-z]{1,9}\\.[a-z]{2,5}".prop_map(|name| Term::Domain(name.into())),
        "http://a\\.example/[a-z'\\\\%?=]{0,12}"
            .prop_filter_map("a URL", |url| canonical::url(&url).map(Term::Url)),
        "[0-9a-f]{64}".prop_map(|value| Term::FileHash {
            algorithm: HashKind::Sha256,
            value: value.into()
        }),
        "[0-9a-f]{32}".prop_map(|value| Term::Ja3(value.into())),
        "t13d[0-9]{4}h2_[0-9a-f]{12}_[0-9a-f]{12}".prop_map(|value| Term::Ja4(value.into())),
        (
            proptest::option::of(networks()),
            proptest::option::of(networks()),
            option(any::<u16>()),
            proptest::option::of(protocols),
        )
            .prop_map(|(src, dst, dst_port, protocol)| Term::Traffic {
                src,
                dst,
                dst_port,
                protocol
            })
            .prop_filter("has a trait", |term| *term != NO_TRAITS),
    ]
}

proptest! {
    #[test]
    fn reading_what_was_written_gives_the_same(terms in proptest::collection::vec(terms(), 1..5)) {
        let pattern = Pattern { terms };
        prop_assert_eq!(parse(&pattern.to_string()).unwrap(), pattern);
    }

    #[test]
    fn no_text_panics(text in "\\PC*", mixed in "(\\[|\\]|\\(|\\)|a:b|=|'x'|AND|OR|NOT|IN|,|url:value|5| |t'|WITHIN|SECONDS|\\*|\\.){0,30}") {
        for text in [text, mixed] {
            if let Err(error) = parse(&text) {
                let columns = text.chars().count().saturating_add(1);
                prop_assert!((1..=columns).contains(&(error.column as usize)), "{}", error);
            }
        }
    }

    /// A legal pattern with one character changed is refused or still means what it says.
    #[test]
    fn what_is_accepted_prints_as_something_equal(
        term in terms(),
        at in any::<proptest::sample::Index>(),
        with in "[\\[\\]'a1.:/ ]",
    ) {
        let mut text = term.to_string();
        let at = at.index(text.len());
        if text.is_ascii() {
            text.replace_range(at..=at, &with);
        }
        if let Ok(pattern) = parse(&text) {
            prop_assert_eq!(parse(&pattern.to_string()).unwrap(), pattern);
        }
    }
}
