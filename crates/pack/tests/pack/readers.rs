//! What the fuzzer starts from, and what is near it.

use std::fs;

use proptest::prelude::*;

use crate::common::*;

#[path = "../../fuzz/readers.rs"]
mod fuzz;

fn seeds() -> Vec<(String, Vec<u8>)> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz");
    let mut seeds = Vec::new();
    for part in ["corpus", "found"] {
        let Ok(files) = fs::read_dir(format!("{root}/{part}/pack")) else {
            continue;
        };
        for file in files {
            let path = file.unwrap().path();
            seeds.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    assert!(seeds.len() >= 4, "there are seeds");
    seeds
}

#[test]
fn seeds_hold_whole_and_cut_anywhere() {
    for (name, bytes) in seeds() {
        let read = fuzz::run(&bytes);
        assert!(read > 0 || !name.contains("/corpus/"), "{name}");
        for end in 0..bytes.len().min(3000) {
            fuzz::run(&bytes[..end]);
        }
    }
}

#[test]
fn the_form_of_a_pack_is_that_of_before() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/pack");
    let golden = format!("{folder}/signed.swpack");
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::write(&golden, signed()).unwrap();
        let bytes = signed();
        let files = pack::archive::read(&bytes, &pack::Limits::default()).unwrap();
        for (name, from) in [
            ("manifest", pack::MANIFEST),
            ("envelope", pack::ENVELOPE),
            ("mlbom", pack::MLBOM),
        ] {
            fs::write(format!("{folder}/{name}"), files[&from.parse().unwrap()]).unwrap();
        }
    }
    assert_eq!(
        fs::read(golden).unwrap(),
        signed(),
        "UPDATE=1 rewrites it: other versions read it no more"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_near_a_seed_is_read_or_refused(which: usize, at: usize, byte: u8, part: Vec<u8>) {
        let seeds = seeds();
        let mut bytes = seeds[which % seeds.len()].1.clone();
        let at = at % bytes.len();
        bytes[at] = byte;
        fuzz::run(&bytes);
        bytes.splice(at..(at + part.len()).min(bytes.len()), part);
        fuzz::run(&bytes);
    }
}
