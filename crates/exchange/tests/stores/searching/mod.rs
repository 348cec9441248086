//! Random objects and searches against a store and against the plainest search there is: looking
//! at each object that the reader may see.

use std::collections::{BTreeMap, BTreeSet};

use exchange::{Erasure, Find, Found, Log, Search, Submission, Wanted};
use proptest::prelude::*;
use stix::{Limits, Object, StixId};

use crate::conformance::{Backend as _, Place};
use crate::support::{addressed, at, id, partner, to_all};

const PARTNERS: [&str; 3] = ["alpha", "bravo", "charlie"];
const NETS: [&str; 7] = [
    "192.0.2.0/24",
    "192.0.2.7",
    "192.0.2.128/25",
    "198.51.100.1",
    "0.0.0.0/0",
    "2001:db8::/32",
    "2001:db8::1",
];
const DOMAINS: [&str; 5] = [
    "example.com",
    "a.example.com",
    "notexample.com",
    "a-label-that-is-long-enough-to-be-cut.and-another-one.example.com",
    "a-label-that-is-long-enough-to-be-cut.and-another-two.example.com",
];
const URLS: [&str; 4] = [
    "http://a.example/x",
    "http://a.example/x/that-goes-on-until-it-is-cut-in-the-index/1",
    "http://a.example/x/that-goes-on-until-it-is-cut-in-the-index/2",
    "https://b.example/",
];
const HASHES: [&str; 2] = [
    "d41d8cd98f00b204e9800998ecf8427e",
    "d41d8cd98f00b204e9800998ecf8427f",
];
const LABELS: [&str; 2] = ["scan", "phish"];
const TECHNIQUES: [&str; 3] = ["T1059", "T1059.001", "AML.T0043"];
const KINDS: [&str; 2] = ["indicator", "malware"];

/// One object handed in.
#[derive(Clone, Debug)]
pub(crate) struct Thing {
    source: usize,
    n: u32,
    version: i64,
    is_malware: bool,
    nets: BTreeSet<usize>,
    domains: BTreeSet<usize>,
    urls: BTreeSet<usize>,
    hashes: BTreeSet<usize>,
    labels: BTreeSet<usize>,
    technique: Option<usize>,
    refers: Option<u32>,
    /// None for everyone; else which partners, by bit.
    reach: Option<u8>,
}

#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Kind(usize),
    Source(usize),
    Label(usize),
    Technique(usize),
    Net(usize),
    Domain(usize),
    Url(usize),
    Hash(usize),
    Inside(usize),
    Covering(usize),
    Under(usize),
    Prefix(usize, usize),
    Refers(u32),
    Modified(i64),
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Append(Vec<Thing>),
    Erase {
        source: usize,
        n: u32,
        is_malware: bool,
    },
    Restart,
    Reindex,
    Search {
        reader: usize,
        asks: Vec<Ask>,
        limit: usize,
    },
}

fn some(of: usize, most: usize) -> impl Strategy<Value = BTreeSet<usize>> {
    prop::collection::btree_set(0..of, 0..=most)
}

fn thing() -> impl Strategy<Value = Thing> {
    let identity = (0..3_usize, 0..4_u32, 0..3_i64, prop::bool::weighted(0.2));
    let values = (
        some(NETS.len(), 3),
        some(DOMAINS.len(), 2),
        some(URLS.len(), 2),
        some(HASHES.len(), 1),
    );
    let rest = (
        some(LABELS.len(), 2),
        prop::option::of(0..TECHNIQUES.len()),
        prop::option::of(0..4_u32),
        prop::option::of(0..8_u8),
    );
    (identity, values, rest).prop_map(|(identity, values, rest)| Thing {
        source: identity.0,
        n: identity.1,
        version: identity.2,
        is_malware: identity.3,
        nets: values.0,
        domains: values.1,
        urls: values.2,
        hashes: values.3,
        labels: rest.0,
        technique: rest.1,
        refers: rest.2,
        reach: rest.3,
    })
}

fn ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        (0..2_usize).prop_map(Ask::Kind),
        (0..3_usize).prop_map(Ask::Source),
        (0..2_usize).prop_map(Ask::Label),
        (0..3_usize).prop_map(Ask::Technique),
        (0..NETS.len()).prop_map(Ask::Net),
        (0..DOMAINS.len()).prop_map(Ask::Domain),
        (0..URLS.len()).prop_map(Ask::Url),
        (0..HASHES.len()).prop_map(Ask::Hash),
        (0..NETS.len()).prop_map(Ask::Inside),
        (0..NETS.len()).prop_map(Ask::Covering),
        (0..DOMAINS.len()).prop_map(Ask::Under),
        (0..URLS.len(), 1..60_usize).prop_map(|(url, length)| Ask::Prefix(url, length)),
        (0..4_u32).prop_map(Ask::Refers),
        (0..3_i64).prop_map(Ask::Modified),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(thing(), 1..9).prop_map(Step::Append),
        1 => (0..3_usize, 0..4_u32, any::<bool>())
            .prop_map(|(source, n, is_malware)| Step::Erase { source, n, is_malware }),
        1 => Just(Step::Restart),
        1 => Just(Step::Reindex),
        8 => (0..3_usize, prop::collection::vec(ask(), 0..4), 1..5_usize)
            .prop_map(|(reader, asks, limit)| Step::Search { reader, asks, limit }),
    ]
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..40)
}

fn net(text: &str) -> ipnet::IpNet {
    text.parse()
        .unwrap_or_else(|_| text.parse::<std::net::IpAddr>().unwrap().into())
}

impl Thing {
    fn kind(&self) -> &'static str {
        KINDS[usize::from(self.is_malware)]
    }

    fn id(&self) -> StixId {
        id(self.kind(), self.n)
    }

    /// Malware says nothing of values here.
    fn pattern(&self) -> String {
        let test = |object: &str, value: &str| format!("{object} = '{value}'");
        let address = |n: &usize| {
            let kind = if NETS[*n].contains(':') {
                "ipv6-addr:value"
            } else {
                "ipv4-addr:value"
            };
            test(kind, NETS[*n])
        };
        let tests = self.nets.iter().map(address);
        let tests = tests.chain(
            self.domains
                .iter()
                .map(|n| test("domain-name:value", DOMAINS[*n])),
        );
        let tests = tests.chain(self.urls.iter().map(|n| test("url:value", URLS[*n])));
        let tests = tests.chain(
            self.hashes
                .iter()
                .map(|n| test("file:hashes.MD5", HASHES[*n])),
        );
        let tests: Vec<String> = tests.collect();
        match tests.is_empty() {
            true => "[process:pid = 5]".to_owned(),
            false => format!("[{}]", tests.join(" OR ")),
        }
    }

    fn submission(&self) -> Submission {
        let mut extra = match self.is_malware {
            true => r#","is_family":false"#.to_owned(),
            false => {
                let pattern = self.pattern();
                format!(
                    r#","pattern":"{pattern}","pattern_type":"stix","valid_from":"2023-01-01T00:00:00Z""#
                )
            }
        };
        if !self.labels.is_empty() {
            let labels: Vec<String> = self
                .labels
                .iter()
                .map(|n| format!("{:?}", LABELS[*n]))
                .collect();
            extra.push_str(&format!(r#","labels":[{}]"#, labels.join(",")));
        }
        if let Some(n) = self.technique {
            let id = TECHNIQUES[n];
            extra.push_str(&format!(
                r#","external_references":[{{"source_name":"mitre","external_id":"{id}"}}]"#
            ));
        }
        if let Some(n) = self.refers {
            extra.push_str(&format!(r#","created_by_ref":"{}""#, id("identity", n)));
        }
        let raw = format!(
            r#"{{"type":"{}","spec_version":"2.1","id":"{}","created":"{}","modified":"{}"{extra}}}"#,
            self.kind(),
            self.id(),
            at(0),
            at(self.version).fmt_micros(),
        );
        let object = Object::parse(raw.as_bytes(), &Limits::default()).unwrap();
        let source = PARTNERS[self.source];
        let Some(bits) = self.reach else {
            return to_all(source, object);
        };
        let named = |n: &usize| bits & (1 << n) != 0;
        let others: Vec<&str> = (0..3).filter(named).map(|n| PARTNERS[n]).collect();
        addressed(source, &others, object)
    }

    fn seen_by(&self, reader: usize) -> bool {
        let named = |bits: u8| bits & (1 << reader) != 0;
        self.reach.is_none_or(named) || self.source == reader
    }

    fn key(&self) -> (usize, &'static str, u32) {
        (self.source, self.kind(), self.n)
    }
}

impl Ask {
    fn wanted(&self) -> Wanted {
        match self {
            Self::Kind(n) => Wanted::kind(KINDS[*n]),
            Self::Source(n) => Wanted::source(PARTNERS[*n]),
            Self::Label(n) => Wanted::label(LABELS[*n]),
            Self::Technique(n) => Wanted::technique(&TECHNIQUES[*n].to_lowercase()),
            Self::Net(n) => Wanted::value(NETS[*n]).unwrap(),
            Self::Domain(n) => Wanted::value(&DOMAINS[*n].to_uppercase()).unwrap(),
            Self::Url(n) => Wanted::value(URLS[*n]).unwrap(),
            Self::Hash(n) => Wanted::value(&HASHES[*n].to_uppercase()).unwrap(),
            Self::Inside(n) => Wanted::inside(NETS[*n]).unwrap(),
            Self::Covering(n) => Wanted::covering(NETS[*n]).unwrap(),
            Self::Under(n) => Wanted::under(DOMAINS[*n]).unwrap(),
            Self::Prefix(n, length) => {
                let length = URLS[*n].len().min(*length);
                Wanted::prefix(URLS[*n].split_at(length).0).unwrap()
            }
            Self::Refers(n) => Wanted::referring_to(&id("identity", *n)),
            Self::Modified(version) => Wanted::modified(Some(at(*version)), None),
        }
    }

    fn admits(&self, thing: &Thing) -> bool {
        let value = |set: &BTreeSet<usize>, n| !thing.is_malware && set.contains(n);
        let nets = || {
            thing
                .nets
                .iter()
                .filter(|_| !thing.is_malware)
                .map(|n| net(NETS[*n]))
        };
        let texts = |set: &BTreeSet<usize>, texts: &[&'static str]| -> Vec<&'static str> {
            let set = set.iter().filter(|_| !thing.is_malware);
            set.map(|n| texts[*n]).collect()
        };
        match self {
            Self::Kind(n) => thing.kind() == KINDS[*n],
            Self::Source(n) => thing.source == *n,
            Self::Label(n) => thing.labels.contains(n),
            Self::Technique(n) => thing.technique.is_some_and(|own| {
                let (own, wanted) = (TECHNIQUES[own], TECHNIQUES[*n]);
                own == wanted || own.starts_with(&format!("{wanted}."))
            }),
            Self::Net(n) => value(&thing.nets, n),
            Self::Domain(n) => value(&thing.domains, n),
            Self::Url(n) => value(&thing.urls, n),
            Self::Hash(n) => value(&thing.hashes, n),
            Self::Inside(n) => nets().any(|own| net(NETS[*n]).contains(&own)),
            Self::Covering(n) => nets().any(|own| own.contains(&net(NETS[*n]))),
            Self::Under(n) => texts(&thing.domains, &DOMAINS)
                .iter()
                .any(|own| *own == DOMAINS[*n] || own.ends_with(&format!(".{}", DOMAINS[*n]))),
            Self::Prefix(n, length) => {
                let start = URLS[*n].split_at(URLS[*n].len().min(*length)).0;
                let urls = texts(&thing.urls, &URLS);
                let hashes = texts(&thing.hashes, &HASHES);
                urls.iter().chain(&hashes).any(|own| own.starts_with(start))
            }
            Self::Refers(n) => thing.refers == Some(*n),
            Self::Modified(version) => thing.version > *version,
        }
    }
}

/// What is in the log.
#[derive(Default)]
struct Model(Vec<Thing>);

type Identity = (usize, &'static str, u32, i64);

impl Model {
    fn append(&mut self, things: &[Thing], gone: &BTreeSet<Identity>) {
        for thing in things {
            let identity = |of: &Thing| (of.key(), of.version);
            let known = self.0.iter().any(|one| identity(one) == identity(thing));
            let (source, kind, n) = thing.key();
            if !known && !gone.contains(&(source, kind, n, thing.version)) {
                self.0.push(thing.clone());
            }
        }
    }

    fn search(&self, reader: usize, asks: &[Ask]) -> BTreeSet<Identity> {
        let seen = || self.0.iter().filter(|thing| thing.seen_by(reader));
        let mut last: BTreeMap<(usize, &str, u32), i64> = BTreeMap::new();
        for thing in seen() {
            let last = last.entry(thing.key()).or_insert(thing.version);
            *last = thing.version.max(*last);
        }
        seen()
            .filter(|thing| last[&thing.key()] == thing.version)
            .filter(|thing| asks.iter().all(|ask| ask.admits(thing)))
            .map(|thing| (thing.source, thing.kind(), thing.n, thing.version))
            .collect()
    }
}

fn search(asks: &[Ask]) -> Search {
    Search {
        wanted: asks.iter().map(Ask::wanted).collect(),
        ..Search::default()
    }
}

/// All pages.
async fn pages(store: &impl Find, reader: usize, search: &Search, limit: usize) -> Vec<Found> {
    let (reader, mut pages) = (partner(PARTNERS[reader]), Vec::new());
    let mut from = None;
    loop {
        let page = store.search(&reader, search, from.as_ref(), limit);
        let page = page.await.unwrap();
        assert!(page.entries.len() <= limit);
        from = page.next.clone();
        pages.push(page);
        if from.is_none() {
            return pages;
        }
    }
}

async fn play(place: Place, steps: Vec<Step>) {
    let mut store = place.open().await;
    let (mut model, mut gone) = (Model::default(), BTreeSet::new());
    for (clock, step) in (0_i64..).zip(steps) {
        let now = at(clock * 1000);
        match step {
            Step::Append(things) => {
                let batch: Vec<Submission> = things.iter().map(Thing::submission).collect();
                store.append(&batch, now).await.unwrap();
                model.append(&things, &gone);
            }
            Step::Erase {
                source,
                n,
                is_malware,
            } => {
                let kind = KINDS[usize::from(is_malware)];
                let erasure = Erasure {
                    source: PARTNERS[source].into(),
                    id: id(kind, n),
                    versions: vec![],
                };
                store.erase(&erasure, now).await.unwrap();
                let same = |thing: &Thing| thing.key() == (source, kind, n);
                let erased = model.0.iter().filter(|thing| same(thing));
                gone.extend(erased.map(|thing| (source, kind, n, thing.version)));
                model.0.retain(|thing| !same(thing));
            }
            Step::Restart => store = place.restart(store).await,
            Step::Reindex => store.reindex().await.unwrap(),
            Step::Search {
                reader,
                asks,
                limit,
            } => {
                let wanted = search(&asks);
                let found = pages(&store, reader, &wanted, limit).await;
                let entries: Vec<_> = found.iter().flat_map(|page| &page.entries).collect();
                let identity = |entry: &&exchange::Entry| {
                    let source = PARTNERS.iter().position(|name| **name == *entry.source);
                    let kind = KINDS.into_iter().find(|kind| *kind == entry.id.kind());
                    let n = (0..4).find(|n| id(entry.id.kind(), *n) == entry.id);
                    let version = (0..3).find(|version| at(*version) == entry.version);
                    (source.unwrap(), kind.unwrap(), n.unwrap(), version.unwrap())
                };
                let identities: BTreeSet<Identity> = entries.iter().map(identity).collect();
                assert_eq!(identities.len(), entries.len(), "each once: {asks:?}");
                assert_eq!(identities, model.search(reader, &asks), "{asks:?}");
                let whole = pages(&store, reader, &wanted, 1000).await;
                let whole: Vec<_> = whole.iter().flat_map(|page| &page.entries).collect();
                assert_eq!(whole, entries, "{asks:?}");
            }
        }
    }
    place.close(store).await;
}

/// Plays on a back-end and on the model.
pub(crate) fn check(place: Place, steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(play(place, steps));
}

/// Hands the same things in twice, once without what one partner may not see: its searches are the
/// same to the last byte.
async fn compare(place: Place, other: Place, things: Vec<Vec<Thing>>, asks: Vec<Vec<Ask>>) {
    let (store, narrow) = (place.open().await, other.open().await);
    let mut taken = BTreeSet::new();
    for (clock, mut batch) in (0_i64..).zip(things) {
        batch.retain(|thing| taken.insert((thing.key(), thing.version)));
        let submissions = |things: &[&Thing]| -> Vec<Submission> {
            things.iter().map(|thing| thing.submission()).collect()
        };
        let all: Vec<&Thing> = batch.iter().collect();
        let seen: Vec<&Thing> = batch.iter().filter(|thing| thing.seen_by(0)).collect();
        store
            .append(&submissions(&all), at(clock * 1000))
            .await
            .unwrap();
        narrow
            .append(&submissions(&seen), at(clock * 1000))
            .await
            .unwrap();
    }
    for asks in asks {
        let wanted = search(&asks);
        for limit in [1, 3, 1000] {
            let found = pages(&store, 0, &wanted, limit).await;
            assert_eq!(found, pages(&narrow, 0, &wanted, limit).await, "{asks:?}");
        }
    }
    place.close(store).await;
    other.close(narrow).await;
}

pub(crate) fn histories() -> impl Strategy<Value = (Vec<Vec<Thing>>, Vec<Vec<Ask>>)> {
    let batches = prop::collection::vec(prop::collection::vec(thing(), 1..9), 1..6);
    let asks = prop::collection::vec(prop::collection::vec(ask(), 0..3), 1..8);
    (batches, asks)
}

pub(crate) fn check_hidden(
    place: Place,
    other: Place,
    (things, asks): (Vec<Vec<Thing>>, Vec<Vec<Ask>>),
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(compare(place, other, things, asks));
}

/// Makes the tests of a back-end; see `conformance!` for `$make`.
macro_rules! searching {
    ($make:expr) => {
        proptest::proptest! {
            #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]

            #[test]
            fn a_search_finds_what_looking_at_all_finds(steps in crate::searching::steps()) {
                let name = concat!(module_path!(), "::searching");
                if let Some(backend) = $make(name) {
                    crate::searching::check(backend, steps);
                }
            }

            #[test]
            fn hidden_objects_change_no_byte_of_a_search(history in crate::searching::histories()) {
                let name = concat!(module_path!(), "::hidden");
                if let (Some(one), Some(other)) = ($make(name), $make(name)) {
                    crate::searching::check_hidden(one, other, history);
                }
            }
        }
    };
}
pub(crate) use searching;
