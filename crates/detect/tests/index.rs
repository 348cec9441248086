//! The index against a naive model, and what it refuses.
#![expect(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests")]

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use detect::index::{End, Index, IndexBuilder, Refusal, SourceKey};
use ipnet::IpNet;
use packet::{FiveTuple, Proto};
use proptest::prelude::*;
use stix::StixId;
use stix::pattern::{HashKind, Pattern, Term};

#[test]
fn several_sources_of_one_key_are_all_named() {
    let index = index(&[
        ("alpha", Term::Domain("Evil.Example.".into())),
        ("beta", Term::Domain("evil.example".into())),
        ("beta", Term::Domain("example.org".into())),
    ]);
    let mut scratch = Vec::new();
    let mut found = BTreeSet::new();
    index.domain(b"WWW.evil.EXAMPLE", &mut scratch, |hit| {
        assert_eq!(
            &scratch_of("www.evil.example")[hit.start..],
            b"evil.example"
        );
        found.insert(hit.owner().unwrap().key.source.to_string());
    });
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["alpha", "beta"]);
    assert_eq!(index.len(), 2);
    assert!(index.bytes() > 0);
}

#[test]
fn names_match_on_label_borders_only() {
    let index = index(&[("a", Term::Domain("evil.example".into()))]);
    let matches = |name: &str| {
        let mut count = 0;
        index.domain(name.as_bytes(), &mut Vec::new(), |_| count += 1);
        count
    };
    for name in ["evil.example", "a.b.evil.example", "EVIL.example."] {
        assert_eq!(matches(name), 1, "{name}");
    }
    let long = format!("{}.evil.example", "a".repeat(300));
    for name in [
        "notevil.example",
        "evil.example.org",
        "example",
        "",
        ".",
        &long,
    ] {
        assert_eq!(matches(name), 0, "{name}");
    }
}

#[test]
fn urls_match_in_any_spelling() {
    let url = Term::Url("https://Evil.example:443/a/../load%65r?id=%7E1#x".into());
    let index = index(&[("a", url)]);
    let matches = |host: &str, target: &str| {
        let mut count = 0;
        index.url(host.as_bytes(), target.as_bytes(), &mut Vec::new(), |_| {
            count += 1
        });
        count
    };
    assert_eq!(matches("evil.example", "/loader?id=~1"), 1);
    assert_eq!(matches("EVIL.example:80", "/%6coader?id=%7e1"), 1);
    assert_eq!(matches("proxy", "http://evil.example/loader?id=~1"), 1);
    assert_eq!(matches("evil.example", "/loader?id=~2"), 0);
    assert_eq!(matches("evil.example:8080", "/loader?id=~1"), 0);
}

#[test]
fn digests_and_fingerprints_match_exactly() {
    let digest = "ab".repeat(32);
    let sha256 = Term::FileHash {
        algorithm: HashKind::Sha256,
        value: digest.as_str().into(),
    };
    let ja3 = "0e870cb29dd59424064948532781a7f6";
    let ja4 = "t13d1516h2_8daaf6152771_e5627efa2ab1";
    let index = index(&[
        ("a", sha256),
        ("a", Term::Ja3(ja3.into())),
        ("a", Term::Ja4(ja4.into())),
    ]);
    let mut count = 0;
    index.sha256(&[0xab; 32], |_| count += 1);
    index.ja3(ja3.as_bytes(), |_| count += 1);
    index.ja4(ja4.as_bytes(), |_| count += 1);
    assert_eq!(count, 3);
    index.sha256(&[0xac; 32], |_| count += 1);
    index.ja3(ja4.as_bytes(), |_| count += 1);
    index.ja4(ja3.as_bytes(), |_| count += 1);
    assert_eq!(count, 3);
}

#[test]
fn what_cannot_be_looked_up_is_refused_by_name() {
    let refusals = |term: Term| {
        let mut builder = IndexBuilder::new();
        builder.add(key("a", 1), 50, &Pattern { terms: vec![term] })
    };
    let net = |text: &str| text.parse::<IpNet>().unwrap();
    assert_eq!(
        refusals(Term::Address(net("0.0.0.0/0"))),
        [Refusal::TooWide(net("0.0.0.0/0"))]
    );
    assert_eq!(
        refusals(Term::Address(net("::/8"))),
        [Refusal::TooWide(net("::/8"))]
    );
    assert_eq!(
        refusals(Term::Domain("com".into())),
        [Refusal::NotADomain("com".into())]
    );
    assert_eq!(
        refusals(Term::Url("ftp://a/".into())),
        [Refusal::NotAUrl("ftp://a/".into())]
    );
    let md5 = "d41d8cd98f00b204e9800998ecf8427e";
    let hash = Term::FileHash {
        algorithm: HashKind::Md5,
        value: md5.into(),
    };
    assert_eq!(refusals(hash), [Refusal::NotASha256(md5.into())]);
    let everyone = Term::Traffic {
        src: None,
        dst: None,
        dst_port: Some(80),
        protocol: None,
    };
    assert_eq!(refusals(everyone), [Refusal::NoAddress]);
}

#[test]
fn alternatives_stand_without_those_refused() {
    let mut builder = IndexBuilder::new();
    let terms = vec![
        Term::Domain("com".into()),
        Term::Domain("evil.example".into()),
    ];
    assert_eq!(builder.add(key("a", 1), 50, &Pattern { terms }).len(), 1);
    assert_eq!(builder.build().len(), 1);
}

#[test]
fn memory_is_said_and_stays_small() {
    let addresses = 100_000u32;
    let mut builder = IndexBuilder::new();
    let terms = |number: u32| Term::Address(IpNet::from(IpAddr::from(Ipv4Addr::from(number * 77))));
    // One indicator, as a feed of bare addresses comes in.
    let pattern = Pattern {
        terms: (0..addresses).map(terms).collect(),
    };
    assert_eq!(builder.add(key("a", 1), 50, &pattern), []);
    let index = builder.build();
    let bytes_each = index.bytes() / addresses as usize;
    assert_eq!(index.len(), addresses as usize);
    assert!(
        (8..=10).contains(&bytes_each),
        "{bytes_each} bytes for each address"
    );
}

#[test]
fn mapped_addresses_are_their_ipv4_addresses() {
    let index = index(&[("a", Term::Address("::ffff:192.0.2.0/120".parse().unwrap()))]);
    let mut lengths = Vec::new();
    index.address("192.0.2.77".parse().unwrap(), |hit| lengths.push(hit.start));
    index.address("::ffff:192.0.2.77".parse().unwrap(), |hit| {
        lengths.push(hit.start)
    });
    assert_eq!(lengths, [24, 24]);
}

fn address() -> impl Strategy<Value = IpAddr> {
    // Few distinct bits, so that prefixes and addresses meet.
    let v4 = any::<u8>().prop_map(|bits| Ipv4Addr::new(bits & 0xc0, 0, 0, bits & 7).into());
    let v6 = any::<u8>().prop_map(|bits| {
        Ipv6Addr::new(
            0x2001,
            0xdb8,
            u16::from(bits & 0xc0),
            0,
            0,
            0,
            0,
            u16::from(bits & 7),
        )
        .into()
    });
    prop_oneof![v4, v6]
}

fn net() -> impl Strategy<Value = IpNet> {
    (address(), 0u8..=128).prop_map(|(address, len)| match address {
        IpAddr::V4(_) => IpNet::new(address, 8 + len % 25).unwrap(),
        IpAddr::V6(_) => IpNet::new(address, 16 + len % 113).unwrap(),
    })
}

/// A rule as the model sees it.
#[derive(Clone, Copy, Debug)]
struct Traffic {
    src: Option<IpNet>,
    dst: Option<IpNet>,
    dst_port: Option<u16>,
    protocol: Option<stix::lease::Proto>,
}

impl Traffic {
    fn term(&self) -> Term {
        let Self {
            src,
            dst,
            dst_port,
            protocol,
        } = *self;
        Term::Traffic {
            src,
            dst,
            dst_port,
            protocol,
        }
    }
}

fn traffic() -> impl Strategy<Value = Traffic> {
    let port = prop::option::of(prop_oneof![Just(80u16), Just(443)]);
    let proto = prop::option::of(Just(stix::lease::Proto::Tcp));
    let ends = (prop::option::of(net()), prop::option::of(net()));
    (ends, port, proto)
        .prop_map(|((src, dst), dst_port, protocol)| Traffic {
            src,
            dst,
            dst_port,
            protocol,
        })
        .prop_filter("anchored", |traffic| traffic.src.or(traffic.dst).is_some())
}

fn tuple() -> impl Strategy<Value = FiveTuple> {
    let proto = prop_oneof![Just(Proto::Tcp), Just(Proto::Udp)];
    (
        address(),
        address(),
        prop_oneof![Just(80u16), Just(443)],
        proto,
    )
        .prop_map(|(src, dst, dst_port, proto)| FiveTuple {
            src,
            src_port: 1,
            dst,
            dst_port,
            proto,
        })
}

proptest! {
    #[test]
    fn addresses_are_found_as_a_scan_of_all_prefixes_finds_them(
        nets in prop::collection::vec(net(), 0..40),
        looked_up in prop::collection::vec(address(), 1..20),
    ) {
        let terms: Vec<_> = nets.iter().map(|net| ("a", Term::Address(*net))).collect();
        let index = index(&terms);
        for address in looked_up {
            let mut found = Vec::new();
            index.address(address, |hit| found.push((hit.owner_at as usize, hit.start)));
            let lengths: Vec<_> = found.iter().map(|(_, len)| *len).collect();
            prop_assert!(lengths.is_sorted_by(|longer, shorter| longer >= shorter));
            let found: BTreeSet<_> = found.into_iter().map(|(at, _)| at).collect();
            let model = (0..nets.len()).filter(|at| nets[*at].contains(&address)).collect();
            prop_assert_eq!(found, model);
        }
    }

    #[test]
    fn traffic_is_found_as_a_scan_of_all_rules_finds_it(
        rules in prop::collection::vec(traffic(), 0..30),
        flows in prop::collection::vec(tuple(), 1..20),
    ) {
        let terms: Vec<_> = rules.iter().map(|rule| ("a", rule.term())).collect();
        let index = index(&terms);
        for flow in flows {
            let mut found = BTreeSet::new();
            index.flow(&flow, |end, hit| {
                let anchored_at_source = rules[hit.owner_at as usize].src.is_some();
                assert_eq!(end == End::Source, anchored_at_source);
                assert!(found.insert(hit.owner_at as usize), "a rule matches once");
            });
            let holds = |rule: &Traffic| {
                rule.src.is_none_or(|net| net.contains(&flow.src))
                    && rule.dst.is_none_or(|net| net.contains(&flow.dst))
                    && rule.dst_port.is_none_or(|port| port == flow.dst_port)
                    && rule.protocol.is_none_or(|_tcp| flow.proto == Proto::Tcp)
            };
            let model = (0..rules.len()).filter(|at| holds(&rules[*at])).collect();
            prop_assert_eq!(found, model);
        }
    }

    #[test]
    fn domains_are_found_as_a_scan_of_all_names_finds_them(
        names in prop::collection::vec("([ab]{1,2}\\.){1,3}[ab]", 0..30),
        looked_up in prop::collection::vec("([abAB]{0,2}\\.){0,4}[ab]{0,1}", 1..20),
    ) {
        let terms: Vec<_> =
            names.iter().map(|name| ("a", Term::Domain(name.as_str().into()))).collect();
        let index = index(&terms);
        for name in looked_up {
            let mut found = BTreeSet::new();
            index.domain(name.as_bytes(), &mut Vec::new(), |hit| {
                found.insert(hit.owner_at as usize);
            });
            let normal = name.strip_suffix('.').unwrap_or(&name).to_ascii_lowercase();
            let holds = |listed: &String| {
                normal == *listed || normal.ends_with(&format!(".{listed}"))
            };
            let model = (0..names.len()).filter(|at| holds(&names[*at])).collect();
            prop_assert_eq!(found, model);
        }
    }
}

fn index(terms: &[(&str, Term)]) -> Index {
    let mut builder = IndexBuilder::new();
    for (number, (source, term)) in terms.iter().enumerate() {
        let pattern = Pattern {
            terms: vec![term.clone()],
        };
        let refused = builder.add(key(source, number), 50, &pattern);
        assert_eq!(refused, [], "{term:?}");
    }
    builder.build()
}

fn key(source: &str, number: usize) -> SourceKey {
    SourceKey {
        source: source.into(),
        id: StixId::v5("indicator", &number.to_string()),
    }
}

fn scratch_of(name: &str) -> Vec<u8> {
    name.as_bytes().to_vec()
}
