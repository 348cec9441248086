use proptest::prelude::*;
use serde_json::{Value, json};

use crate::pattern::matching::{MatchLimits, Observations};
use crate::pattern::{Expression, parse};

fn canonical(text: &str) -> String {
    Expression::parse(text)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
        .canonical()
}

/// Ways to say one thing, each ended by an empty line.
const SAME: &str = r"
[file:hashes.'SHA-256' = 'AEC070645FE53EE3B3763059376134F058CC337247C978ADD178B6CCDFB0019F']
[ file : hashes . SHA256 == 'aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f' ] // x
([(file:'hashes'.'sha-256' IN ('aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f'))])
[file:hashes.sha_256 NOT != 'aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f']

[domain-name:value = 'EVIL.Example.' OR domain-name:value = 'bücher.example']
[domain-name:value = 'xn--bcher-kva.example'] OR [domain-name:value = 'evil.example']
[domain-name:value IN ('evil.example', 'BÜCHER.example', 'evil.example')]

[ipv4-addr:value = '192.0.2.1/32']
[ipv4-addr:value = '192.0.2.1']

[ipv4-addr:value ISSUBSET '192.0.2.77/24']
[ipv4-addr:value ISSUBSET '192.0.2.0/24']

[ipv6-addr:value = '2001:DB8:0:0::1']
[ipv6-addr:value = '2001:db8::1/128']

[network-traffic:protocols[*] = 'TCP' AND network-traffic:dst_port = +443]
[network-traffic:dst_port IN (443.0) AND network-traffic:protocols[*] IN ('tcp') AND network-traffic:dst_port = 443]

[url:value = 'HTTP://Evil.example']
[url:value = 'http://evil.example:80/']

[a:b NOT = 1]
[a:b != 1]
[a:b <> +1.0]
[a:b NOT IN (1, 1.00)]

[a:b NOT < 5]
[a:b >= 5]

[a:b != 1 AND a:b != 2]
[a:b NOT IN (2, 1)]

[a:b = b'AQID']
[a:b = h'010203']

[a:b = t'2026-01-01T00:00:00Z']
[a:b = t'2026-01-01T00:00:00.000Z']

[a:b = 1] REPEATS 2 TIMES REPEATS 3 TIMES
([a:b = 1] REPEATS 3 TIMES) REPEATS 2 TIMES REPEATS 1 TIMES
[a:b = 1] REPEATS 6 TIMES

([a:b = 1] AND [a:b = 2]) WITHIN 5 SECONDS START t'2026-01-01T00:00:00Z' STOP t'2026-01-02T00:00:00Z'
(([a:b = 2] AND ([a:b = 1])) START t'2026-01-01T00:00:00.0Z' STOP t'2026-01-02T00:00:00Z') WITHIN +5.00 SECONDS WITHIN 7 SECONDS

[a:b = 1] FOLLOWEDBY [a:b = 2] FOLLOWEDBY [a:b = 3]
[a:b = 1] FOLLOWEDBY ([a:b = 2] FOLLOWEDBY [a:b = 3])

[a:b = 1] WITHIN 5 SECONDS
[a:b = 1]
";

#[test]
fn one_thing_told_in_several_ways_has_one_form() {
    let mut forms: Vec<String> = Vec::new();
    for group in SAME.trim().split("\n\n") {
        let form = canonical(group.lines().next().unwrap());
        for way in group.lines() {
            assert_eq!(canonical(way), form, "{way}");
        }
        assert_eq!(canonical(&form), form);
        assert!(
            !forms.contains(&form),
            "{form}: two groups say different things"
        );
        forms.push(form);
    }
}

#[test]
fn what_is_compared_without_regard_to_composition_has_one_form() {
    let ways = ["\u{1e0d}\u{307}", "d\u{323}\u{307}", "\u{1e0b}\u{323}"];
    for operator in ["LIKE", "MATCHES"] {
        let forms = ways.map(|way| canonical(&format!("[a:b {operator} '{way}']")));
        assert_eq!(forms, [&*forms[0]; 3]);
    }
    // Equality is of code points.
    assert_ne!(
        canonical(&format!("[a:b = '{}']", ways[0])),
        canonical(&format!("[a:b = '{}']", ways[1]))
    );
}

#[test]
fn what_would_change_the_meaning_stays() {
    let different = [
        ("[a:b = 1] AND [a:b = 1]", "[a:b = 1]"),
        (
            "[a:b = 1] FOLLOWEDBY [a:b = 2]",
            "[a:b = 2] FOLLOWEDBY [a:b = 1]",
        ),
        ("[a:b = 1 AND a:b = 2]", "[a:b = 1] AND [a:b = 2]"),
        ("[a:b[*] != 1 AND a:b[*] != 2]", "[a:b[*] NOT IN (1, 2)]"),
        ("[a:b NOT LIKE 'x']", "[a:b LIKE 'x']"),
        ("[a:b = 'X']", "[a:b = 'x']"),
        ("[a:b = '1']", "[a:b = 1]"),
        ("[a:b = true]", "[a:b = 1]"),
        (
            "[url:value = 'http://a.example/#x']",
            "[url:value = 'http://a.example/']",
        ),
        (
            "[url:value = 'http://a.example/X']",
            "[url:value = 'http://a.example/x']",
        ),
        ("[file:name = 'A.exe']", "[file:name = 'a.exe']"),
        (
            "[ipv4-addr:value = '192.0.2.1/24']",
            "[ipv4-addr:value = '192.0.2.0/24']",
        ),
        ("[a:b = 9007199254740993]", "[a:b = 9007199254740992]"),
        (
            "[a:b = 10000000000000000000000000.0]",
            "[a:b = 10000000000000000000000000]",
        ),
        (
            "[a:b = 1] REPEATS 2 TIMES WITHIN 5 SECONDS",
            "([a:b = 1] WITHIN 5 SECONDS) REPEATS 2 TIMES",
        ),
    ];
    for (left, right) in different {
        assert_ne!(canonical(left), canonical(right), "{left}");
    }
}

#[test]
fn a_fingerprint_is_the_digest_of_the_form() {
    let pattern = Expression::parse("[a:b=1]").unwrap();
    let digest = pattern
        .fingerprint()
        .map(|byte| format!("{byte:02x}"))
        .concat();
    // printf "[a:b = 1]" | sha256sum
    assert_eq!(
        digest,
        "9f342086e0a667b98efefb863b41528d44d91018c64942b8748adc2448c29201"
    );
}

fn constants() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "1",
        "+1",
        "2",
        "1.0",
        "-3",
        "1.5",
        "'a'",
        "'A'",
        "'b'",
        "'%'",
        "'192.0.2.1'",
        "'10.0.0.0/8'",
        "h'61'",
        "b'YQ=='",
        "h'6162'",
        "t'2026-01-01T00:00:00Z'",
        "t'2026-01-01T00:00:00.0Z'",
        "t'2026-02-30T00:00:00Z'",
    ])
}

fn tests() -> impl Strategy<Value = String> {
    let paths = || {
        prop::sample::select(vec![
            "p:n",
            "p:'n'",
            "p:l[*]",
            "p:l[0]",
            "p:d.x",
            "p:x_hex",
            "p:k_ref.n",
            "p:ks_refs[*].n",
            "q:n",
            "p:none",
        ])
    };
    let not = || prop::sample::select(vec!["", "NOT "]);
    let order = prop::sample::select(vec!["=", "==", "!=", "<>", "<", "<=", ">", ">="]);
    let text = prop::sample::select(vec!["LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET"]);
    let texts = prop::sample::select(vec![
        "'a'",
        "'%'",
        "'_'",
        "'192.0.2.9/24'",
        "'10.0.0.1'",
        "'a|b'",
    ]);
    prop_oneof![
        6 => (paths(), not(), order, constants()).prop_map(|(path, not, order, value)| format!("{path} {not}{order} {value}")),
        3 => (paths(), not(), proptest::collection::vec(constants(), 0..3)).prop_map(|(path, not, set)| format!("{path} {not}IN ({})", set.join(","))),
        2 => (paths(), not(), text, texts).prop_map(|(path, not, text, value)| format!("{path} {not}{text} {value}")),
        1 => (paths(), not()).prop_map(|(path, not)| format!("{not}EXISTS {path}")),
    ]
}

fn joined(
    inner: impl Strategy<Value = String> + Clone,
    words: Vec<&'static str>,
) -> impl Strategy<Value = String> {
    let word = prop::sample::select(words);
    (proptest::collection::vec(inner, 2..4), word, any::<bool>()).prop_map(|(parts, word, open)| {
        let text = parts.join(&format!(" {word} "));
        if open { text } else { format!("({text})") }
    })
}

fn patterns() -> impl Strategy<Value = String> {
    let comparisons = tests().prop_recursive(3, 6, 3, |inner| joined(inner, vec!["AND", "OR"]));
    let one = comparisons.prop_map(|comparison| format!("[{comparison}]"));
    one.prop_recursive(3, 5, 3, |inner| {
        let qualifier = prop::sample::select(vec![
            "WITHIN 1 SECONDS",
            "WITHIN 2.50 SECONDS",
            "REPEATS 1 TIMES",
            "REPEATS 2 TIMES",
            "START t'2026-01-01T00:00:01Z' STOP t'2026-01-01T00:00:03Z'",
            "START t'2026-01-01T00:00:00Z' STOP t'2026-01-01T00:00:09Z'",
            "START t'2026-01-01T00:00:02.5Z' STOP t'2026-01-01T00:00:02Z'",
        ]);
        prop_oneof![
            joined(inner.clone(), vec!["AND", "OR", "FOLLOWEDBY"]),
            (inner, qualifier).prop_map(|(inner, qualifier)| format!("({inner}) {qualifier}")),
        ]
    })
}

fn documents() -> impl Strategy<Value = Vec<Value>> {
    let values = || {
        prop::sample::select(vec![
            json!(1),
            json!(2),
            json!(1.5),
            json!("a"),
            json!("A"),
            json!("b"),
            json!("192.0.2.1"),
            json!("2026-01-01T00:00:00Z"),
            json!(null),
            json!(true),
            json!([1, "a"]),
        ])
    };
    let kinds = || prop::sample::select(vec!["p", "q"]);
    let object = (
        kinds(),
        values(),
        values(),
        values(),
        prop::sample::select(vec!["61", "6162", "zz"]),
    );
    let observed = (object, 1_u64..4, 0_u32..5, 0_u32..3).prop_map(|((kind, n, m, x, hex), times, first, lasts)| {
        let time = |second: u32| format!("2026-01-01T00:00:{second:02}Z");
        let hex = if hex == "zz" { Value::Null } else { json!(hex) };
        json!({"type": "bundle", "objects": [
            {"type": "observed-data", "number_observed": times, "first_observed": time(first), "last_observed": time(first.saturating_add(lasts)), "object_refs": ["p--0", "q--0"]},
            {"type": kind, "id": "p--0", "n": n, "l": [m, x], "d": {"x": x}, "x_hex": hex, "k_ref": "q--0", "ks_refs": ["q--0", "p--0"]},
            {"type": "q", "id": "q--0", "n": m},
        ]})
    });
    proptest::collection::vec(observed, 1..4)
}

fn result(text: &str, documents: &[Value]) -> Result<bool, ()> {
    let pattern = Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let matcher = pattern.matcher().map_err(|_| ())?;
    let observations = Observations::read(documents).map_err(|_| ())?;
    let matched = matcher.matches(&observations, &MatchLimits::default());
    matched.map(|matched| matched.matched).map_err(|_| ())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn the_normal_form_matches_what_the_pattern_matches(text in patterns(), documents in documents()) {
        let normal = Expression::parse(&text).unwrap().normal();
        prop_assert_eq!(result(&text, &documents), result(&normal, &documents), "{} -> {}", text, normal);
        let again = Expression::parse(&normal).unwrap();
        prop_assert_eq!(again.normal(), normal.as_str());
        // None of these properties has values with several spellings but one that names addresses.
        let named = Expression::parse(&text).unwrap().canonical();
        prop_assert_eq!(canonical(&named), named);
    }

    /// What a shield enforces is the same for a pattern and for its canonical form.
    #[test]
    fn the_canonical_form_is_enforced_alike(
        parts in proptest::collection::vec(prop::sample::select(vec![
            "ipv4-addr:value = '192.0.2.1/32'", "ipv4-addr:value ISSUBSET '192.0.2.9/24'", "ipv4-addr:value = '10.0.0.0/8'",
            "ipv6-addr:value IN ('2001:DB8::1', '::ffff:192.0.2.1')", "domain-name:value = 'EVIL.example.'",
            "domain-name:value IN ('bücher.example', 'a.example')", "url:value = 'HTTP://A.example/x'", "url:value = 'http://a.example/#f'",
            "file:hashes.md5 = 'CEAD3F77F6CDA6EC00F57D76C9A69FAA'", "file:hashes.'SHA-1' = 'CEAD3F77F6CDA6EC00F57D76C9A69FAA00000000'",
            "(network-traffic:dst_ref.value = '192.0.2.1/32' AND network-traffic:dst_port IN (80, 443) AND network-traffic:protocols[*] = 'TCP')",
            "network-traffic:extensions.'tls-ext'.ja3 = 'CEAD3F77F6CDA6EC00F57D76C9A69FAA'",
        ]), 1..5),
        apart in any::<bool>(),
    ) {
        let text = match apart {
            true => format!("[{}]", parts.join("] OR [")),
            false => format!("[{}]", parts.join(" OR ")),
        };
        let terms = |text: &str| {
            let mut terms = parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).terms;
            terms.sort();
            terms.dedup();
            terms
        };
        prop_assert_eq!(terms(&text), terms(&canonical(&text)), "{}", text);
    }
}
