//! Snapshots that are looked up together, against a naive map.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use detect::index::Hit;
use detect::{Index, IndexBuilder, Layer, Snapshot, SourceKey};
use proptest::prelude::*;
use stix::StixId;
use stix::pattern::{HashKind, Pattern, Term};

/// One key of each kind for each number.
const KINDS: u32 = 8;

fn term(number: u32) -> Term {
    let value = number / KINDS;
    match number % KINDS {
        0 => Term::Address(IpAddr::from(v4(value)).into()),
        1 => Term::Address(IpAddr::from(v6(value)).into()),
        2 => Term::Address(format!("10.{value}.0.0/16").parse().unwrap()),
        3 => Term::Domain(format!("h{value}.example").into()),
        4 => Term::Url(format!("http://h.example/{value}").into()),
        5 => Term::Ja3(format!("{value:032x}").into()),
        6 => Term::Ja4(format!("t13d_{value}").into()),
        _ => Term::FileHash {
            algorithm: HashKind::Sha256,
            value: format!("{value:064x}").into(),
        },
    }
}

fn v4(value: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(value.wrapping_mul(0x9e37_79b1) | 0x8000_0000)
}

fn v6(value: u32) -> Ipv6Addr {
    Ipv6Addr::new(
        0x2001,
        0xdb8,
        0,
        0,
        0,
        0,
        (value >> 16) as u16,
        value as u16,
    )
}

fn look_up<'i>(index: &'i Index, number: u32, each: impl FnMut(Hit<'i>)) {
    let (value, mut scratch) = (number / KINDS, Vec::new());
    match number % KINDS {
        0 => index.address(v4(value).into(), each),
        1 => index.address(v6(value).into(), each),
        2 => index.address(Ipv4Addr::new(10, value as u8, 1, 1).into(), each),
        3 => index.domain(format!("h{value}.example").as_bytes(), &mut scratch, each),
        4 => index.url(
            b"h.example",
            format!("/{value}").as_bytes(),
            &mut scratch,
            each,
        ),
        5 => index.ja3(format!("{value:032x}").as_bytes(), each),
        6 => index.ja4(format!("t13d_{value}").as_bytes(), each),
        _ => {
            let mut digest = [0; 32];
            digest[28..].copy_from_slice(&value.to_be_bytes());
            index.sha256(&digest, each);
        }
    }
}

fn key(owner: u8) -> SourceKey {
    SourceKey {
        source: ["alpha", "beta", "gamma"][usize::from(owner % 3)].into(),
        id: StixId::v5("indicator", &(owner / 3).to_string()),
    }
}

/// Which keys each owner names.
type Model = BTreeMap<u8, Vec<u32>>;

fn snapshot(owners: &Model, mut builder: IndexBuilder) -> Snapshot {
    for (owner, numbers) in owners {
        let terms = numbers.iter().copied().map(term).collect();
        let refused = builder.add(key(*owner), *owner, &Pattern { terms });
        assert_eq!(refused, []);
    }
    builder.snapshot()
}

/// As if it had been in a file.
fn reopened(snapshot: &Snapshot) -> Snapshot {
    let records = snapshot.records().clone();
    Snapshot::open(Bytes::copy_from_slice(snapshot.bytes()), records).unwrap()
}

fn owners() -> impl Strategy<Value = Model> {
    prop::collection::btree_map(0_u8..12, prop::collection::vec(0_u32..64, 1..12), 0..12)
}

proptest! {
    #[test]
    fn an_index_is_the_naive_map(
        base in owners(),
        added in owners(),
        taken_back in prop::collection::btree_set(0_u8..12, 0..6),
        same_secret: bool,
    ) {
        let old = reopened(&snapshot(&base, IndexBuilder::new()));
        let beside = if same_secret { IndexBuilder::beside(&old) } else { IndexBuilder::new() };
        let new = reopened(&snapshot(&added, beside));
        // Who says something new no longer says the old.
        let gone: BTreeSet<u8> = added.keys().copied().chain(taken_back).collect();
        let keys: Vec<_> = gone.iter().map(|owner| key(*owner)).collect();
        let index = Index::new([Layer::new(old).without(&keys), Layer::new(new)]);
        let mut model = base;
        model.retain(|owner, _| !gone.contains(owner));
        model.extend(added);
        for number in 0..80 {
            let mut found = BTreeMap::new();
            look_up(&index, number, |hit| {
                let owner = hit.owner().unwrap();
                *found.entry((owner.key.source.to_string(), owner.key.id, owner.confidence)).or_insert(0) += 1;
            });
            let says = model.iter().filter(|(_, numbers)| numbers.contains(&number));
            let model = says.map(|(owner, numbers)| {
                let key = key(*owner);
                // A prefix that a pattern names twice is told twice, anything else once.
                let times = numbers.iter().filter(|named| **named == number).count();
                let times = if number % KINDS == 2 { times } else { 1 };
                ((key.source.to_string(), key.id, *owner), times)
            });
            prop_assert_eq!(found, model.collect::<BTreeMap<_, _>>(), "{}", number);
        }
    }
}

#[test]
fn many_keys_of_each_kind_are_found_and_as_many_strangers_are_not() {
    let listed = 80_000;
    let mut numbers: Vec<u32> = (0..listed).filter(|number| number % KINDS != 2).collect();
    numbers.reverse();
    let owners = Model::from([(1, numbers.clone())]);
    let index = Index::from(reopened(&snapshot(&owners, IndexBuilder::new())));
    for number in numbers {
        let (mut listed_found, mut strange_found) = (0, 0);
        look_up(&index, number, |_| listed_found += 1);
        look_up(&index, number + listed, |_| strange_found += 1);
        assert_eq!((listed_found, strange_found), (1, 0), "{number}");
    }
}

#[test]
fn owners_are_numbered_across_snapshots() {
    let old = snapshot(&Model::from([(1, vec![0, 2])]), IndexBuilder::new());
    let new = snapshot(&Model::from([(2, vec![0, 2])]), IndexBuilder::new());
    let index = Index::new([Layer::new(old), Layer::new(new)]);
    for number in [0, 2] {
        let mut found = Vec::new();
        look_up(&index, number, |hit| {
            found.push((hit.owner_at, hit.owner().unwrap().key))
        });
        found.sort_by_key(|(owner_at, _)| *owner_at);
        assert_eq!(found, [(0, key(1)), (1, key(2))]);
    }
}
