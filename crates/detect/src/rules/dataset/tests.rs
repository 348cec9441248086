use std::collections::HashSet;
use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::rules::state::Names;

/// Sets by the options of rules, and a file that all of them load.
struct Bench {
    names: Names,
    sets: Datasets,
}

impl Bench {
    fn new() -> Self {
        Self {
            names: Names::default(),
            sets: Datasets::default(),
        }
    }

    fn rule(&mut self, value: &str) -> Result<(SetId, DatasetOption), String> {
        let option = parse_dataset(value, &mut self.names).map_err(|error| error.to_string())?;
        Ok((self.sets.declare(&option.set)?, option))
    }

    fn loaded(value: &str, file: &str) -> (Self, SetId, Loaded) {
        let mut bench = Self::new();
        let (set, _) = bench.rule(value).unwrap();
        let loaded = bench.sets.load(set, file);
        (bench, set, loaded)
    }

    fn matches(&mut self, value: &str, buffer: &[u8]) -> bool {
        let (set, option) = self.rule(value).unwrap();
        self.sets.dataset(set, option.command, buffer)
    }
}

#[test]
fn commands() {
    let (mut bench, set, loaded) =
        Bench::loaded("isset,s,type string,load f", "YS5jb20=\r\n\nYi5jb20=");
    assert_eq!((loaded.added, loaded.refused), (2, 0));
    assert!(bench.matches("isset,s", b"a.com") && !bench.matches("isnotset,s", b"b.com"));
    assert!(!bench.matches("isset,s", b"c.com") && bench.matches("isnotset,s", b"c.com"));
    assert!(bench.matches("set,s", b"c.com") && !bench.matches("set,s", b"c.com"));
    assert!(bench.matches("unset,s", b"c.com") && !bench.matches("unset,s", b"c.com"));
    assert_eq!(bench.sets.len(set), 2);
}

#[test]
fn types_and_their_files() {
    let md5 = "79a290670239a8b19fb119b375f5dfa3";
    let sha256 = "d6c1754dbbf0bc91d7d6845c7cec32a165389cc62cd95a24471f7fd6527f112d";
    for (kind, file, added, saved) in [
        (
            "md5",
            format!("{md5}\nxyz\n{}\n{md5}0\n", md5.to_uppercase()),
            1,
            md5,
        ),
        ("sha256", format!("{sha256},comment\n{md5}\n"), 1, sha256),
        (
            "ipv4",
            "192.0.2.1\n2001:db8::1\n192.0.2.0/24\n".to_owned(),
            1,
            "192.0.2.1",
        ),
        (
            "ip",
            "::ffff:192.0.2.1\n192.0.2.1\n".to_owned(),
            1,
            "::ffff:192.0.2.1",
        ),
        ("ip", "2001:DB8:0::1\nbogus\n".to_owned(), 1, "2001:db8::1"),
        ("string", "# no\nYS5jb20\nYWJj,1\n".to_owned(), 1, "YWJj"),
    ] {
        let (bench, set, loaded) =
            Bench::loaded(&format!("isset,s,type {kind},load f,save o"), &file);
        assert_eq!(loaded.added, added, "{kind} {loaded:?}");
        assert_eq!(bench.sets.lines(set).collect::<Vec<_>>(), [saved], "{kind}");
    }
    let (.., loaded) = Bench::loaded("isset,s,type md5,load f", &"x\n".repeat(1_000));
    assert_eq!((loaded.refused, loaded.refused_first.len()), (1_000, 20));
    assert_eq!(loaded.refused_first.first(), Some(&1));
}

#[test]
fn buffers_of_another_length_are_in_no_set() {
    let (mut bench, ..) = Bench::loaded("isset,s,type ip,load f", "192.0.2.1\n2001:db8::1");
    for (address, within) in [
        ("192.0.2.1", true),
        ("::ffff:192.0.2.1", true),
        ("::1", false),
    ] {
        let octets = match address.parse().unwrap() {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        assert_eq!(bench.matches("isset,s", &octets), within, "{address}");
    }
    assert!(!bench.matches("isset,s", b"192.0.2.1") && bench.matches("isnotset,s", b""));
    assert!(!bench.matches("set,s", b"192.0.2.1"));
}

#[test]
fn what_is_declared_has_to_agree() {
    let mut bench = Bench::new();
    assert!(bench.rule("isset,s").is_err());
    let (first, _) = bench.rule("isset,s,type string,load a").unwrap();
    for same in ["isset,s", "set,s,type string", "unset,s,load a"] {
        assert_eq!(bench.rule(same).unwrap().0, first, "{same}");
    }
    for other in [
        "isset,s,type md5",
        "isset,s,load b",
        "set,s,save o",
        "set,s,state a",
    ] {
        assert!(bench.rule(other).is_err(), "{other}");
    }
    assert!(bench.rule("isset,t,type string,hashsize 70000").is_err());
    let (state, _) = bench.rule("set,u,type string,state seen.lst").unwrap();
    let files: Vec<_> = bench.sets.files_to_load().collect();
    let optional = FileToLoad {
        set: state,
        file: "seen.lst",
        optional: true,
    };
    assert_eq!(
        files,
        [
            FileToLoad {
                set: first,
                file: "a",
                optional: false
            },
            optional
        ]
    );
    assert_eq!(
        bench.sets.files_to_save().collect::<Vec<_>>(),
        [(state, "seen.lst")]
    );
}

#[test]
fn reputations() {
    let mut names = Names::default();
    let mut sets = Datasets::default();
    let file = "YS5jb20=,200\nYi5jb20=, 5\nYS5jb20=,1\nYy5jb20=\nZC5jb20=,65536\n";
    for (operation, a, b) in [
        (">,100", true, false),
        ("<,100", false, true),
        ("==,200", true, false),
    ] {
        let value = format!("r,{operation},type string,load r.rep");
        let option = parse_datarep(&value, &mut names).unwrap();
        let set = sets.declare(&option.set).unwrap();
        sets.load(set, file);
        assert_eq!(sets.len(set), 2);
        assert_eq!(sets.datarep(set, &option, b"a.com"), a, "{operation}");
        assert_eq!(sets.datarep(set, &option, b"b.com"), b, "{operation}");
        assert!(!sets.datarep(set, &option, b"c.com"));
    }
}

#[test]
fn json() {
    let file = r#"{"info": {"bad": [{"h": {"name": "a.com"}, "n": 1}, {"h": {"name": "a.com"}, "n": 2},
        {"h": 5}, {"h": {"name": "b.com"}}]}}"#;
    let value =
        "isset,s,type string,load f,format json,array_key info.bad,value_key h.name,context_key c";
    let (mut bench, set, loaded) = Bench::loaded(value, file);
    assert_eq!((loaded.added, loaded.repeated, loaded.refused), (2, 1, 1));
    assert!(bench.matches("isset,s", b"a.com") && !bench.matches("isset,s", b"h"));
    let mut option = bench.rule(value).unwrap().1;
    let context = |option: &DatasetOption, buffer: &[u8]| bench.sets.context(set, option, buffer);
    let whole = r#"{"h":{"name":"a.com"},"n":1}"#;
    assert_eq!(context(&option, b"a.com").as_deref(), Some(whole));
    option.remove_key = true;
    assert_eq!(
        context(&option, b"a.com").as_deref(),
        Some(r#"{"h":{},"n":1}"#)
    );
    assert_eq!(context(&option, b"c.com"), None);
    let lines = "{\"ip\": \"192.0.2.1\"}\nbad\n{\"ip\": \"::1\"}\n";
    let value = "isset,s,type ip,load f,format ndjson,value_key ip,context_key c";
    let (mut bench, _, loaded) = Bench::loaded(value, lines);
    assert_eq!((loaded.added, loaded.refused_first), (2, vec![2]));
    assert!(bench.matches("isset,s", &[192, 0, 2, 1]));
    let (.., loaded) = Bench::loaded(&value.replace("ndjson", "json"), "{\"a\": [");
    assert!(loaded.error.is_some());
}

#[test]
fn objects_are_bounded_and_each_rule_says_what_it_shows() {
    let long = "x".repeat(OBJECT_BYTES_MAX);
    let file = format!("{{\"h\": \"a\", \"n\": 1}}\n{{\"h\": \"b\", \"n\": \"{long}\"}}\n");
    let value = "isset,s,type string,load f,format ndjson,value_key h,context_key c";
    let (mut bench, set, loaded) = Bench::loaded(value, &file);
    assert_eq!((loaded.added, loaded.too_long, loaded.refused), (1, 1, 0));
    assert!(!bench.matches("isset,s", b"b"));
    // whether the value is shown with the object is said by each rule for itself
    let without = bench.rule(&format!("{value},remove_key")).unwrap().1;
    let with = bench.rule(value).unwrap().1;
    let context = |option: &DatasetOption| bench.sets.context(set, option, b"a");
    assert_eq!(context(&with).as_deref(), Some(r#"{"h":"a","n":1}"#));
    assert_eq!(context(&without).as_deref(), Some(r#"{"n":1}"#));
}

#[test]
fn memcap_bounds_a_set_and_what_has_no_room_is_counted() {
    for options in ["", ",save o"] {
        let mut bench = Bench::new();
        let option = format!("set,s,type string,memcap 100kb{options}");
        let (set, option) = bench.rule(&option).unwrap();
        for n in 0..20_000_u32 {
            bench.sets.dataset(set, option.command, &n.to_be_bytes());
            assert!(bench.sets.bytes(set) <= 100 << 10);
        }
        let added = bench.sets.len(set);
        assert!((1_000..5_000).contains(&added), "{added}");
        assert_eq!(bench.sets.refused(), 20_000 - added as u64);
        assert!(bench.matches("isset,s", &0_u32.to_be_bytes()));
    }
    let file: String = (0..20_000)
        .map(|n| format!("{{\"h\": \"{n}\"}}\n"))
        .collect();
    let (.., loaded) = Bench::loaded(
        "isset,s,type string,load f,memcap 100kb,format ndjson,value_key h,context_key c",
        &file,
    );
    assert_eq!(loaded.added + loaded.left_out, 20_000);
    assert!((500..5_000).contains(&loaded.added), "{loaded:?}");
}

#[test]
fn all_sets_together_are_bounded() {
    let mut bench = Bench::new();
    bench.sets = Datasets::new(Limits {
        bytes_max: 1 << 20,
        ..Limits::default()
    });
    let mut sets = Vec::new();
    for number in 0..50 {
        let (set, option) = bench
            .rule(&format!("set,s{number},type string,memcap 100kb"))
            .unwrap();
        for value in 0..10_000_u32 {
            bench
                .sets
                .dataset(set, option.command, &value.to_be_bytes());
        }
        sets.push(set);
    }
    let bytes: usize = sets.iter().map(|set| bench.sets.bytes(*set)).sum();
    assert!((500 << 10..=1 << 20).contains(&bytes), "{bytes}");
    assert!(bench.sets.refused() > 0);
    // what is taken out makes room
    let first = *sets.first().unwrap();
    let len = bench.sets.len(first);
    for value in 0..10_000_u32 {
        bench
            .sets
            .dataset(first, Command::Unset, &value.to_be_bytes());
    }
    assert!(bench.sets.is_empty(first) && len > 0);
    assert!(bench.matches("set,s0", b"x"));
}

#[test]
fn huge_files_fill_their_memcap_and_no_more() {
    let lines: String = (0..1_000_000_u32)
        .map(|n| format!("{}\n", std::net::Ipv4Addr::from(n)))
        .collect();
    let (bench, set, loaded) = Bench::loaded("isset,s,type ip,load f,memcap 1mb", &lines);
    assert_eq!(loaded.added + loaded.left_out, 1_000_000);
    assert!((10_000..80_000).contains(&loaded.added), "{loaded:?}");
    assert!(bench.sets.bytes(set) <= 1 << 20);
    // lines of a megabyte: a hash stands for a value, and what is kept whole must have room
    let long = "A".repeat(1 << 20);
    let (bench, set, loaded) = Bench::loaded("isset,s,type string,load f", &long);
    assert_eq!(loaded.added, 1);
    assert!(bench.sets.bytes(set) < 1 << 10);
    let (.., loaded) = Bench::loaded("isset,s,type string,load f,save o,memcap 100kb", &long);
    assert_eq!((loaded.added, loaded.left_out), (0, 1));
    let hexadecimal = "a".repeat(1 << 20);
    let (.., loaded) = Bench::loaded("isset,s,type md5,load f", &hexadecimal);
    assert_eq!((loaded.added, loaded.refused), (0, 1));
    let object = format!("{{\"h\": \"{long}\"}}\n{{\"h\": \"a\"}}");
    let value = "isset,s,type string,load f,format ndjson,value_key h,context_key c";
    let (.., loaded) = Bench::loaded(value, &object);
    assert_eq!((loaded.added, loaded.too_long), (1, 1));
}

#[test]
fn a_newer_rule_set_takes_over_what_was_written() {
    let (mut old, mut new) = (Bench::new(), Bench::new());
    for bench in [&mut old, &mut new] {
        for option in [
            "set,a,type string",
            "set,b,type string,load f",
            "set,c,type ip,state s",
        ] {
            bench.rule(option).unwrap();
        }
    }
    old.matches("set,a", b"x");
    old.matches("set,b", b"x");
    old.matches("set,c", &[192, 0, 2, 1]);
    let taken = new.sets.take_over(&mut old.sets);
    assert_eq!(taken, [SetId(0), SetId(2)]);
    assert!(new.matches("isset,a", b"x") && new.matches("isset,c", &[192, 0, 2, 1]));
    assert!(!new.matches("isset,b", b"x"));
}

proptest! {
    #[test]
    fn behaves_like_a_hash_set(
        operations in prop::collection::vec((0u8..4, 0u8..20), 0..200),
        saved in any::<bool>(),
    ) {
        let (mut bench, mut model) = (Bench::new(), HashSet::new());
        let options = if saved { "set,s,type string,save o" } else { "set,s,type string" };
        let (set, _) = bench.rule(options).unwrap();
        for (operation, value) in operations {
            let bytes = vec![value; usize::from(value)];
            let (command, expected) = match operation {
                0 => (Command::Set, model.insert(bytes.clone())),
                1 => (Command::Unset, model.remove(&bytes)),
                2 => (Command::IsSet, model.contains(&bytes)),
                _ => (Command::IsNotSet, !model.contains(&bytes)),
            };
            prop_assert_eq!(bench.sets.dataset(set, command, &bytes), expected);
            prop_assert_eq!(bench.sets.len(set), model.len());
        }
        if saved {
            let lines: HashSet<String> = bench.sets.lines(set).collect();
            let expected = model.iter().map(|value| Kind::String.write(value));
            prop_assert_eq!(lines, expected.collect());
        }
    }

    #[test]
    fn what_is_saved_is_loaded(values in prop::collection::btree_set(prop::collection::vec(any::<u8>(), 1..40), 0..50)) {
        let mut bench = Bench::new();
        let (set, _) = bench.rule("set,s,type string,save o").unwrap();
        for value in &values {
            bench.sets.dataset(set, Command::Set, value);
        }
        let file: String = bench.sets.lines(set).map(|line| line + "\n").collect();
        let (mut again, _, loaded) = Bench::loaded("isset,s,type string,load f", &file);
        prop_assert_eq!((loaded.added, loaded.refused), (values.len(), 0));
        for value in &values {
            prop_assert!(again.matches("isset,s", value));
        }
    }
}
