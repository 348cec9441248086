//! `import` of files, against a hub.

use std::{
    fs::File,
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::{
    common::BINARY,
    feeds::{World, counts},
};

const COUNTS: [&str; 5] = ["new", "changed", "revoked", "unchanged", "refused"];

/// A source of each format, what else is typed, and the values in it.
fn sources() -> Vec<(
    &'static str,
    String,
    &'static [&'static str],
    &'static [&'static str],
)> {
    let misp = json!({"Event": {"info": "a campaign", "distribution": "3", "Attribute": [
        {"uuid": "5f1b2c3d-0000-4000-8000-000000000001", "type": "ip-dst", "to_ids": true,
         "timestamp": "1795600000", "value": "192.0.2.11"},
        {"uuid": "5f1b2c3d-0000-4000-8000-000000000002", "type": "domain", "to_ids": true,
         "timestamp": "1795600000", "value": "misp.example"},
        {"uuid": "5f1b2c3d-0000-4000-8000-000000000003", "type": "comment", "to_ids": false,
         "timestamp": "1795600000", "value": "not to be shared"},
    ]}});
    let crowdsec = json!([{"id": 1, "decisions": [
        {"duration": "3h59m48.5s", "origin": "crowdsec", "scenario": "crowdsecurity/ssh-bf",
         "scope": "Ip", "type": "ban", "value": "192.0.2.31"},
    ]}]);
    let stix = json!({"type": "bundle", "id": "bundle--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f", "objects": [
        {"type": "indicator", "spec_version": "2.1", "id": "indicator--00000000-0000-4000-8000-000000000051",
         "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
         "pattern": "[domain-name:value = 'stix.example']", "pattern_type": "stix",
         "valid_from": "2026-01-01T00:00:00Z", "indicator_types": ["malicious-activity"]},
    ]});
    vec![
        ("list", "# ours\n192.0.2.1\nhxxp://list[.]example/a\n".to_owned(), &["--ttl", "30d"], &["192.0.2.1", "http://list.example/a"]),
        ("misp", misp.to_string(), &[], &["192.0.2.11", "misp.example"]),
        ("csv", "seen;host\n2026-01-01;csv.example\n".to_owned(), &["--column", "domain=host", "--separator", ";"], &["csv.example"]),
        ("crowdsec", crowdsec.to_string(), &[], &["192.0.2.31"]),
        ("abuse", "# id,dateadded,url,url_status,threat,tags,reporter\n\"7\",\"2026-11-01 10:00:00\",\"http://abuse.example/a.exe\",\"online\",\"malware_download\",\"a,b\",\"someone\"\n".to_owned(), &["--ttl", "3000d"], &["http://abuse.example/a.exe"]),
        ("stix", stix.to_string(), &[], &["stix.example"]),
    ]
}

#[test]
fn each_format_is_previewed_shared_and_told_again() {
    let _turn = crate::common::alone();
    let world = World::start();
    let mut all: Vec<&str> = Vec::new();
    for (format, text, more, values) in sources() {
        let file = world.write(&format!("source.{format}"), &text);
        let args = [&["import", format, file.as_str()], more].concat();
        let number = u64::try_from(values.len()).unwrap();
        let preview = world
            .command(&[args.as_slice(), &["--preview"]].concat())
            .with(0);
        assert!(
            preview.out.contains(&format!("preview: {number} new,")),
            "{format}: {preview:?}"
        );
        let shown = preview
            .out
            .lines()
            .filter(|line| line.starts_with("new indicator--"));
        assert_eq!(shown.count(), values.len(), "{format}: {preview:?}");
        let before = world.listed();
        assert!(
            values
                .iter()
                .all(|value| !before.contains(&(*value).to_owned())),
            "{format}: {before:?}"
        );
        assert_eq!(
            counts(&world.done(&args), COUNTS),
            [number, 0, 0, 0, 0],
            "{format}"
        );
        assert_eq!(
            counts(&world.done(&args), COUNTS),
            [0, 0, 0, number, 0],
            "{format}"
        );
        all.extend(values);
    }
    let mut listed = world.listed();
    listed.sort();
    all.sort_unstable();
    assert_eq!(listed, all);
}

#[test]
fn the_folder_of_a_misp_feed_is_read_and_a_bad_event_is_named() {
    let _turn = crate::common::alone();
    let world = World::start();
    let good = "5f1b2c3d-0000-4000-8000-0000000000aa";
    let bad = "5f1b2c3d-0000-4000-8000-0000000000bb";
    let (_, event, _, _) = sources().swap_remove(1);
    world.write(&format!("feed/{good}.json"), &event);
    world.write(&format!("feed/{bad}.json"), "{\"Event\":");
    world.write(
        "feed/manifest.json",
        &json!({good: {}, bad: {}}).to_string(),
    );
    let ended = world
        .command(&["import", "misp", &world.at("feed")])
        .with(1);
    assert!(
        ended
            .out
            .contains(&format!("refused {bad}.json: $: not MISP's JSON")),
        "{ended:?}"
    );
    assert!(
        ended
            .out
            .contains("2 new, 0 changed, 0 revoked, 0 unchanged, 0 repeated, 1 refused"),
        "{ended:?}"
    );
    world.write("feed/manifest.json", "{\"../../etc/passwd\":{}}");
    let ended = world
        .command(&["import", "misp", &world.at("feed")])
        .with(2);
    assert!(ended.err.contains("is not a UUID"), "{ended:?}");
}

#[test]
fn lines_that_are_wrong_are_refused_and_the_others_go_on() {
    let _turn = crate::common::alone();
    let world = World::start();
    let file = world.write(
        "a.txt",
        "192.0.2.1\nnonsense\n192.0.2.1\n10.0.0.1\n192.0.2.2\n",
    );
    let ended = world
        .command(&["import", "list", &file, "--skip-protected"])
        .with(1);
    assert!(
        ended
            .out
            .contains("refused line 2, column 1: \"nonsense\" is of no kind"),
        "{ended:?}"
    );
    assert!(
        ended
            .err
            .contains("warning line 4, column 1: 10.0.0.1 is private"),
        "{ended:?}"
    );
    assert!(
        ended
            .out
            .contains("2 new, 0 changed, 0 revoked, 0 unchanged, 1 repeated, 1 refused, 1 warned"),
        "{ended:?}"
    );
    assert_eq!(world.listed(), ["192.0.2.1", "192.0.2.2"]);
    let json = world
        .command(&["import", "list", &file, "--json", "--preview"])
        .with(1);
    let refused = json
        .out
        .lines()
        .find(|line| line.contains("\"refused\""))
        .unwrap();
    let refused: serde_json::Value = serde_json::from_str(refused).unwrap();
    assert_eq!(refused["place"], "line 2, column 1");

    // A hub that refuses an object says so, and the others go on.
    let legal = |n: u32, more: &str| {
        format!(
            r#"{{"type":"indicator","spec_version":"2.1","id":"indicator--00000000-0000-4000-8000-0000000000{n}","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","pattern":"[ipv4-addr:value = '192.0.2.{n}']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z"{more}}}"#
        )
    };
    let lines = [
        legal(71, ""),
        legal(72, r#","kill_chain_phases":[]"#),
        "7".to_owned(),
        legal(73, ""),
    ];
    let file = world.write("a.jsonl", &lines.join("\n"));
    let ended = world.command(&["import", "stix", &file]).with(1);
    assert!(ended.out.contains("-000000000072: the hub: "), "{ended:?}");
    assert!(
        ended.out.contains("refused line 3, column 1: "),
        "{ended:?}"
    );
    assert_eq!(
        world.listed(),
        ["192.0.2.1", "192.0.2.2", "192.0.2.71", "192.0.2.73"]
    );
}

#[test]
fn sync_takes_back_what_is_told_no_more_but_not_by_accident() {
    let _turn = crate::common::alone();
    let world = World::start();
    let list = |last: u32| {
        (1..=last)
            .map(|n| format!("192.0.2.{n}\n"))
            .collect::<String>()
    };
    let sync = |text: &str, more: &[&str]| {
        let file = world.write("a.txt", text);
        world.command(&[&["import", "list", &file, "--sync", "--json"], more].concat())
    };
    assert_eq!(
        counts(&sync(&list(30), &[]).with(0).summary(), COUNTS),
        [30, 0, 0, 0, 0]
    );
    // Would be taken back: 1, 20 of 29, 1 beside a refused line.
    assert_eq!(
        counts(&sync(&list(29), &["--preview"]).with(0).summary(), COUNTS),
        [0, 0, 1, 29, 0]
    );
    assert_eq!(
        counts(&sync(&list(29), &[]).with(0).summary(), COUNTS),
        [0, 0, 1, 29, 0]
    );
    assert_eq!(world.listed().len(), 29);
    assert_eq!(
        counts(&sync(&list(9), &[]).with(1).summary(), COUNTS),
        [0, 0, 0, 9, 1]
    );
    let broken = list(28) + "?\n";
    assert_eq!(
        counts(&sync(&broken, &[]).with(1).summary(), COUNTS),
        [0, 0, 0, 28, 2]
    );
    assert_eq!(world.listed().len(), 29);
    assert_eq!(
        counts(&sync(&list(9), &["--force"]).with(0).summary(), COUNTS),
        [0, 0, 20, 9, 0]
    );
    assert_eq!(world.listed().len(), 9);
    // What comes back is a new object: a revocation is the last version of the old one.
    assert_eq!(
        counts(&sync(&list(10), &[]).with(0).summary(), COUNTS),
        [1, 0, 0, 9, 0]
    );
    assert_eq!(world.listed().len(), 10);

    let stream = world.write("stream.json", r#"{"new":[],"deleted":null}"#);
    let ended = world
        .command(&["import", "crowdsec", &stream, "--sync"])
        .with(2);
    assert!(
        ended.err.contains("the stream tells what changed"),
        "{ended:?}"
    );
}

#[test]
fn the_state_file_is_what_makes_a_source_known() {
    let _turn = crate::common::alone();
    let world = World::start();
    let file = world.write("a.txt", "192.0.2.1\n192.0.2.2\n");
    let state = world.at("states/one.jsonl");
    let args = ["import", "list", &file, "--state", &state];
    assert_eq!(counts(&world.done(&args), COUNTS), [2, 0, 0, 0, 0]);
    let text = std::fs::read_to_string(&state).unwrap();
    assert_eq!(text.lines().count(), 2);

    // A line that was cut off is told again, and the hub has it already.
    std::fs::write(&state, text.get(..text.len() - 9).unwrap()).unwrap();
    assert_eq!(counts(&world.done(&args), COUNTS), [1, 0, 0, 1, 0]);
    assert_eq!(world.listed().len(), 2);

    let lock = File::options().append(true).open(&state).unwrap();
    lock.lock().unwrap();
    let ended = world.command(&args).with(2);
    assert!(
        ended
            .err
            .contains("another run with this file is under way"),
        "{ended:?}"
    );
    assert_eq!(
        counts(&world.done(&[&args[..], &["--preview"]].concat()), COUNTS),
        [0, 0, 0, 2, 0]
    );
    drop(lock);

    std::fs::write(&state, "what is this\n").unwrap();
    let ended = world.command(&args).with(2);
    assert!(ended.err.contains("line 1 is damaged"), "{ended:?}");
}

#[test]
fn standard_input_has_to_be_named_and_bad_use_is_told_from_faults() {
    let _turn = crate::common::alone();
    let world = World::start();
    let piped = |args: &[&str]| {
        let mut child = Command::new(BINARY)
            .args(args)
            .args(["--identity", world.me.to_str().unwrap()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that reads nothing closes the pipe.
        child.stdin.take().unwrap().write_all(b"192.0.2.1\n").ok();
        child.wait_with_output().unwrap()
    };
    assert_eq!(piped(&["import", "list", "-"]).status.code(), Some(2));
    assert_eq!(
        piped(&["import", "list", "-", "--name", "pipe"])
            .status
            .code(),
        Some(0)
    );
    assert_eq!(world.listed(), ["192.0.2.1"]);

    let file = world.write("a.txt", "192.0.2.1\n");
    for (args, why) in [
        (&["import", "list", "/nowhere/a.txt"][..], "No such file"),
        (
            &["import", "list", world.folder.path().to_str().unwrap()],
            "is a folder",
        ),
        (&["import", "lists", &file], "not one of"),
        (
            &["import", "list", &file, "--collection", "x"],
            "--collection: of the format taxii alone",
        ),
        (
            &["import", "stix", &file, "--tlp", "TLP:GREEN"],
            "--tlp: objects of this format go on byte for byte",
        ),
        (
            &["import", "list", &file, "--ttl", "soon"],
            "write it as 30s",
        ),
        (&["import", "csv", &file], "no column has values"),
        (&["import", "stix", &file], "not one JSON object"),
        (&["import", "misp", &file], "not MISP's JSON"),
        (&["import", "abuse", &file], "no line has the headings"),
        (&["import", "list", &file, "--force"], "--sync"),
    ] {
        let ended = world.command(args).with(2);
        assert!(ended.err.contains(why), "{args:?}: {}", ended.err);
    }
    let ended = world.command(&[
        "import",
        "list",
        &file,
        "--hub",
        "https://127.0.0.1:1",
        "--state",
        &world.at("s"),
    ]);
    assert!(ended.with(3).err.contains("reach the hub"));
}
