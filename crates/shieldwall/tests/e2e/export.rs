//! `export` in each format, read back by what reads it.

use std::process::Command;

use serde_json::Value;

use crate::feeds::{World, command};

/// Values of every kind that an import can name, and what no export has: a private address, a public
/// resolver, our own network.
const VALUES: &str = "type,value,tlp,confidence\n\
    ip,192.0.2.1,TLP:GREEN,90\n\
    ip,198.51.100.0/24,TLP:GREEN,10\n\
    ip,2001:db8::1,TLP:GREEN,90\n\
    ip-port,203.0.113.5:443,TLP:GREEN,90\n\
    domain,evil.example,TLP:GREEN,90\n\
    url,http://evil.example/a,TLP:GREEN,90\n\
    sha256,0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef,TLP:GREEN,90\n\
    ip,10.0.0.1,TLP:GREEN,90\n\
    ip,9.9.9.9,TLP:GREEN,90\n\
    ip,192.0.2.200,TLP:GREEN,90\n\
    domain,secret.example,TLP:AMBER+STRICT,90\n";

/// A world with them in force.
fn world() -> World {
    let world = World::start();
    let file = world.write("values.csv", VALUES);
    world.done(&["import", "csv", &file, "--ttl", "1h"]);
    world
}

/// An export into one file; gives the file's path and its text.
fn export(world: &World, format: &str) -> (String, String) {
    let file = world.at(&format!("out.{format}"));
    let own = "192.0.2.200/32";
    let ended = world
        .command(&["export", format, "--out", &file, "--own", own])
        .with(0);
    assert!(
        ended.err.contains("1 restricted by their marking"),
        "{format}: {ended:?}"
    );
    let text = std::fs::read_to_string(&file).unwrap();
    for left_out in ["10.0.0.1", "9.9.9.9", "192.0.2.200", "secret.example"] {
        assert!(!text.contains(left_out), "{format} has {left_out}: {text}");
    }
    (file, text)
}

/// Runs a checker of the system; `None`, said aloud, where it is not there or may not run.
fn checked(test: &str, program: &str, args: &[&str]) -> Option<String> {
    if !testkit::has_program(program) {
        testkit::skip(test, &format!("no {program}"));
        return None;
    }
    let output = Command::new(program).args(args).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if said.contains("Operation not permitted") {
        testkit::skip(test, &format!("{program} may not ask the kernel here"));
        return None;
    }
    assert!(output.status.success(), "{program}: {said}");
    Some(said)
}

#[test]
fn lists_and_tables_have_what_is_in_force_and_come_back_as_they_are() {
    let _turn = crate::common::alone();
    let world = world();
    let (_, list) = export(&world, "list");
    assert_eq!(list.lines().count(), 7, "{list}");
    let folder = world.at("lists/");
    world
        .command(&["export", "list", "--out", &folder, "--kinds", "ip,domain"])
        .with(0);
    let ips = std::fs::read_to_string(world.at("lists/ip.txt")).unwrap();
    assert_eq!(
        ips,
        "192.0.2.1\n192.0.2.200\n198.51.100.0/24\n2001:db8::1\n"
    );
    let sure = world
        .command(&["export", "list", "--min-confidence", "50", "--kinds", "ip"])
        .with(0);
    assert!(
        !sure.out.contains("198.51.100.0/24") && sure.out.contains("192.0.2.1\n"),
        "{sure:?}"
    );

    // What the table says comes in at another partner as it was, marking and all.
    let (file, table) = export(&world, "csv");
    assert_eq!(table.lines().count(), 8, "{table}");
    let bravo = world.hub.enrol("bravo");
    let ended = command(&bravo, &["import", "csv", &file]).with(0);
    assert!(
        ended
            .out
            .contains("7 new, 0 changed, 0 revoked, 0 unchanged, 0 repeated, 0 refused"),
        "{ended:?}"
    );
    let theirs = command(&bravo, &["export", "csv", "--include-protected"]).with(0);
    assert!(
        theirs.out.contains("203.0.113.5:443,ip-port,90,"),
        "{theirs:?}"
    );
}

#[test]
fn packet_filters_take_their_sets() {
    let test = "packet_filters_take_their_sets";
    let _turn = crate::common::alone();
    let world = world();
    let (file, sets) = export(&world, "nftables");
    assert!(sets.contains("  203.0.113.5 . 443 timeout "), "{sets}");
    checked(test, "nft", &["-c", "-f", &file]);
    let (file, sets) = export(&world, "ipset");
    assert!(
        sets.contains("add shieldwall6-new 2001:db8::1 timeout "),
        "{sets}"
    );
    if !testkit::has_program("ipset") || testkit::netns::available().is_err() {
        return testkit::skip(test, "no ipset, or no namespaces");
    }
    let net = testkit::netns::Net::new("sets").unwrap();
    match net.exec("ipset", &["create", "probe", "hash:net"]) {
        Ok(_) => drop(net.exec("ipset", &["restore", "-file", &file]).unwrap()),
        Err(why) => testkit::skip(test, &format!("the kernel has no sets: {why:#}")),
    }
}

#[test]
fn rules_compile_and_their_lists_are_found() {
    let _turn = crate::common::alone();
    let world = world();
    let (file, rules) = export(&world, "suricata");
    assert!(rules.contains("198.51.100.0/24"), "{rules}");
    let ended = world_rules(&file);
    assert!(ended.ends_with(", 0 refused"), "{ended}");
    let folder = world.at("datasets/");
    world
        .command(&["export", "suricata-datasets", "--out", &folder])
        .with(0);
    let ended = world_rules(&world.at("datasets/shieldwall.rules"));
    assert!(ended.ends_with(", 0 refused"), "{ended}");
    let list = std::fs::read_to_string(world.at("datasets/sha256.lst")).unwrap();
    assert_eq!(list.lines().count(), 1);
    // Several files that need each other do not go into one.
    let ended = world.command(&["export", "suricata-datasets"]).with(2);
    assert!(ended.err.contains("several files"), "{ended:?}");
}

fn world_rules(file: &str) -> String {
    let said = crate::common::run(&["rules", "check", file]);
    said.lines().last().unwrap().to_owned()
}

#[test]
fn a_policy_zone_is_one_that_a_name_server_loads() {
    let test = "a_policy_zone_is_one_that_a_name_server_loads";
    let _turn = crate::common::alone();
    let world = world();
    let (file, zone) = export(&world, "rpz");
    for record in [
        "*.evil.example ",
        "24.0.100.51.198.rpz-ip ",
        "128.1.zz.db8.2001.rpz-ip ",
    ] {
        assert!(zone.contains(record), "{record}: {zone}");
    }
    if let Some(said) = checked(test, "named-checkzone", &["policy.example", &file]) {
        assert!(said.contains("loaded serial"), "{said}");
    }
}

#[test]
fn a_bundle_has_the_objects_byte_for_byte() {
    let _turn = crate::common::alone();
    let world = World::start();
    // Spaces, order, numbers, escapes and unknown properties: none of them may change.
    let raw = r#"{ "id":"indicator--00000000-0000-4000-8000-000000000091", "x_ours": 1.50,"type" : "indicator","spec_version":"2.1","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"\u00e9\/","pattern":"[ipv4-addr:value = '192.0.2.91']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","object_marking_refs":["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"]}"#;
    let private = raw
        .replace("192.0.2.91'", "192.0.2.92' OR ipv4-addr:value = '10.0.0.1'")
        .replace("000091", "000092");
    let rule = raw
        .replace(
            "[ipv4-addr:value = '192.0.2.91']",
            "alert ip any any -> any any (sid:1;)",
        )
        .replace("\"stix\"", "\"suricata\"")
        .replace("000091", "000093");
    let file = world.write("in.jsonl", &format!("{raw}\n{private}\n{rule}\n"));
    world.done(&["import", "stix", &file]);
    let (_, bundle) = {
        let out = world.at("out.json");
        let ended = world.command(&["export", "stix", "--out", &out]).with(0);
        assert!(
            ended.err.contains("values left out: 1: private"),
            "{ended:?}"
        );
        (out.clone(), std::fs::read_to_string(&out).unwrap())
    };
    assert!(bundle.contains(raw), "{bundle}");
    assert!(
        bundle.contains(&rule),
        "a rule is an indicator, too: {bundle}"
    );
    assert!(
        !bundle.contains("10.0.0.1"),
        "an object goes whole or not at all: {bundle}"
    );
    let judged = crate::common::run(&["stix", "validate", "--json", &world.at("out.json")]);
    assert!(!judged.contains("\"errors\":[{"), "{judged}");
    let parsed: Value = serde_json::from_str(&bundle).unwrap();
    assert_eq!(parsed["objects"].as_array().unwrap().len(), 2);
}

#[test]
fn an_export_replaces_the_file_whole_and_says_what_is_wrong() {
    let _turn = crate::common::alone();
    let world = world();
    let file = world.write("sets.nft", "what stood there");
    world
        .command(&["export", "nftables", "--out", &file])
        .with(0);
    assert!(
        std::fs::read_to_string(&file)
            .unwrap()
            .starts_with("# load with")
    );
    assert!(!std::path::Path::new(&format!("{file}.new")).exists());
    for (args, why) in [
        (&["export", "pdf"][..], "not one of"),
        (
            &["export", "list", "https://127.0.0.1/taxii2/"],
            "URL: of the format taxii alone",
        ),
        (
            &["export", "list", "--preview"],
            "--preview: of the format taxii alone",
        ),
        (&["export", "taxii"], "name the address"),
        (
            &["export", "taxii", "https://127.0.0.1/", "--out", "x"],
            "goes to a server",
        ),
        (
            &["export", "taxii", "http://192.0.2.1/taxii2/"],
            "write https",
        ),
    ] {
        let ended = world.command(args).with(2);
        assert!(ended.err.contains(why), "{args:?}: {}", ended.err);
    }
    world
        .command(&["export", "list", "--out", "/proc/nowhere/a"])
        .with(3);
    let ended = world.command(&["export", "list", "--json"]).with(0);
    let told: Value = serde_json::from_str(ended.err.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&told["values"], &told["left_out"]["restricted"]),
        (&8.into(), &1.into())
    );
}
