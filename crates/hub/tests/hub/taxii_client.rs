//! A foreign client reads and writes: taxii2-client with stix2, over TLS verified against the
//! hub's authority. Run by the interpreter that `testkit::python` finds.

use crate::support::World;
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::process::Command;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hub/taxii_client.py");

#[tokio::test]
async fn taxii2_client_reads_and_writes() {
    let Some(python) = python_with_client().await else {
        return;
    };
    let world = World::with("[limits]\nanswered_objects_max = 50\n").await;
    let partner = world.partner("agency-a").await;
    let identity = world.folder.path().join("identity.pem");
    std::fs::write(&identity, &partner.pem).unwrap();
    let output = Command::new(python)
        .arg(SCRIPT)
        .arg(world.hub.url())
        .arg(world.data().join("ca.pem"))
        .arg(identity)
        // Either one would outrank the authority that the script names (requests, session merge).
        .env_remove("REQUESTS_CA_BUNDLE")
        .env_remove("CURL_CA_BUNDLE")
        .output()
        .await
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["title"], "Shieldwall exchange: default");
    assert_eq!(
        (&told["successes"], &told["status"]),
        (&json!(5), &json!("complete"))
    );
    assert_eq!(
        told["read"], told["written"],
        "in the order they were added"
    );
    assert_eq!(
        (&told["pages"], &told["manifest"]),
        (&json!(3), &told["written"])
    );
    assert_eq!(told["first"], "from stix2 1");
    assert_eq!(told["names"][4], "from stix2 5");
    assert_eq!(told["versions"].as_array().unwrap().len(), 1);
    assert_eq!(told["large"], json!(["complete", 60, 0]));
    assert_eq!(told["gone"], 404);
}

async fn python_with_client() -> Option<std::path::PathBuf> {
    let Some(python) = testkit::python() else {
        testkit::skip(
            "taxii2_client_reads_and_writes",
            "no Python: set SHIELDWALL_PYTHON",
        );
        return None;
    };
    let probe = Command::new(&python)
        .args(["-c", "import taxii2client, stix2"])
        .stderr(Stdio::null())
        .status()
        .await;
    if probe.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    let why = "taxii2-client and stix2 are not installed there: pip install taxii2-client stix2";
    testkit::skip("taxii2_client_reads_and_writes", why);
    None
}
