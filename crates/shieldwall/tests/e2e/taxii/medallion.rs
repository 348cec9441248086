//! medallion, the reference implementation of OASIS, with its store in memory: we push to it and read
//! from it.

use std::{
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::json;

use super::fake::{COLLECTION, indicator, version};
use crate::{
    common::wait_for,
    feeds::{World, counts},
};

const COUNTS: [&str; 5] = ["new", "changed", "revoked", "unchanged", "refused"];

/// The server, until it is dropped.
struct Medallion {
    child: Child,
    url: String,
}

impl Medallion {
    fn start(python: PathBuf, world: &World) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        // As many of them do, it names a root that is not where it is.
        let root = "http://localhost:5000/api1/";
        let data = json!({
            "/discovery": {"title": "peer", "default": root, "api_roots": [root]},
            "api1": {
                "information": {"title": "one", "versions": ["application/taxii+json;version=2.1"],
                                "max_content_length": 100_000},
                "status": [],
                "collections": [{"id": COLLECTION, "title": "Exchange", "can_read": true, "can_write": true,
                                 "media_types": ["application/stix+json;version=2.1"],
                                 "objects": [], "manifest": []}],
            },
        });
        let data = world.write("medallion.json", &data.to_string());
        let config = json!({
            "users": {"me": "s3cret"}, "taxii": {"max_page_size": 100},
            "backend": {"module": "medallion.backends.memory_backend", "module_class": "MemoryBackend",
                        "filename": data},
        });
        let config = world.write("medallion-config.json", &config.to_string());
        let child = Command::new(python)
            .args([
                "-m",
                "medallion.scripts.run",
                "--port",
                &port.to_string(),
                &config,
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for("medallion", Duration::from_secs(60), || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        let url = format!("http://127.0.0.1:{port}/taxii2/");
        Self { child, url }
    }
}

impl Drop for Medallion {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn python(test: &str) -> Option<PathBuf> {
    let Some(python) = testkit::python() else {
        testkit::skip(test, "no Python: set SHIELDWALL_PYTHON");
        return None;
    };
    let has = Command::new(&python)
        .args(["-c", "import medallion"])
        .output();
    if has.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    testkit::skip(test, "no medallion in the Python environment");
    None
}

#[test]
fn medallion_takes_what_we_push_and_gives_it_back() {
    let _turn = crate::common::alone();
    let Some(python) = python("medallion_takes_what_we_push_and_gives_it_back") else {
        return;
    };
    let (here, elsewhere) = (World::start(), World::start());
    let peer = Medallion::start(python, &here);
    let secret = here.write("secret", "s3cret");
    let login = [
        "--user",
        "me",
        "--secret-file",
        &secret,
        "--collection",
        "Exchange",
        "--page",
        "3",
    ];
    let export = [&["export", "taxii", &peer.url][..], &login].concat();
    let import = [&["import", "taxii", &peer.url][..], &login].concat();

    let numbers: Vec<u32> = (1..=10).collect();
    let lines: Vec<String> = numbers.iter().map(|number| indicator(*number)).collect();
    let file = here.write("in.jsonl", &lines.join("\n"));
    here.done(&["import", "stix", &file]);
    assert_eq!(counts(&here.done(&export), COUNTS), [10, 0, 0, 0, 0]);
    assert_eq!(counts(&here.done(&export), COUNTS), [0, 0, 0, 10, 0]);
    // It calls what it has a failure; asked, it says that it has it.
    let other = here.at("anew.jsonl");
    let anew = [&export[..], &["--state", &other]].concat();
    assert_eq!(counts(&here.done(&anew), COUNTS), [0, 0, 0, 10, 0]);

    // Another community reads it, page by page, with a `next` that stays the same.
    let read = elsewhere.done(&import);
    assert_eq!(counts(&read, COUNTS), [10, 0, 0, 0, 0]);
    let mut listed = elsewhere.listed();
    listed.sort_by_key(|value| value.len());
    assert_eq!(listed.len(), 10, "{listed:?}");
    assert_eq!(counts(&elsewhere.done(&import), COUNTS)[..3], [0, 0, 0]);

    // A revocation goes the whole way. Of what comes back here in medallion's own words nothing is new.
    let back = version(4, "2026-01-02T00:00:00.000Z", ",\"revoked\":true");
    here.write("in.jsonl", &back);
    here.done(&["import", "stix", &file]);
    assert_eq!(counts(&here.done(&export), COUNTS), [0, 0, 1, 9, 0]);
    assert_eq!(counts(&elsewhere.done(&import), COUNTS)[2], 1);
    assert!(!elsewhere.listed().contains(&"192.0.2.4".to_owned()));
    let ours = here.done(&import);
    assert_eq!(counts(&ours, COUNTS), [0, 0, 0, 0, 0], "{ours}");
    assert_eq!(
        ours["passed_over"]["versions that are known, in other words"],
        9
    );
    assert_eq!(here.listed().len(), 9);

    let wrong = here.write("wrong", "guess");
    let ended = here.command(&[
        "import",
        "taxii",
        &peer.url,
        "--user",
        "me",
        "--secret-file",
        &wrong,
    ]);
    assert!(ended.with(2).err.contains("does not take our credentials"));
}
