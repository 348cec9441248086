//! The description of the TAXII server holds: over the wire, and for a client that is made of it.

use crate::interop::TAXII;
use crate::support::{World, indicator};
use serde_json::Value;
use stix::Tlp;
use tokio::process::Command;

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

#[tokio::test]
async fn the_methods_of_each_path_are_those_of_the_description() {
    let world = World::start().await;
    let a = world.partner("agency-a").await;
    let answer = a.get("/taxii2/openapi.json").await;
    assert_eq!(answer.headers()["content-type"], "application/json");
    let description: Value = answer.json().await.unwrap();
    let object = indicator("one", "192.0.2.1", Tlp::Green, &[]);
    let id = object["id"].as_str().unwrap();
    for (path, item) in description["paths"].as_object().unwrap() {
        let filled = path
            .replace("{collection}", "all")
            .replace("{object}", id)
            .replace("{status}", "2b5f4f0e-91c9-4f0c-9b36-7c1f5ed4b1a0");
        for method in METHODS {
            let described = item.get(method.to_ascii_lowercase());
            for path in [filled.as_str(), filled.trim_end_matches('/')] {
                let answer = a.send(method, path, TAXII, String::new()).await;
                let status = answer.status().as_u16();
                assert_eq!(
                    status != 405,
                    described.is_some(),
                    "{method} {path}: {status}"
                );
                if status == 405 {
                    let allowed = answer.headers()["allow"].to_str().unwrap();
                    assert!(allowed.split(',').any(|one| one == "GET"), "{allowed}");
                }
                if let Some(described) = described {
                    let listed = described["responses"].get(status.to_string());
                    assert!(
                        listed.is_some(),
                        "{method} {path}: {status} is not described"
                    );
                }
            }
        }
    }
}

/// A fuzzer of APIs that reads the description finds no fault of the server's, and no answer that
/// is not described.
#[tokio::test]
async fn schemathesis_finds_no_fault_of_the_servers() {
    let name = "schemathesis_finds_no_fault_of_the_servers";
    let Some(python) = testkit::python() else {
        return testkit::skip(name, "no Python: set SHIELDWALL_PYTHON");
    };
    let probe = Command::new(&python)
        .args(["-c", "import schemathesis"])
        .output()
        .await;
    if !probe.is_ok_and(|output| output.status.success()) {
        return testkit::skip(
            name,
            "schemathesis is not installed there: pip install schemathesis",
        );
    }
    let world = World::start().await;
    let a = world.partner("agency-a").await;
    a.share(&[indicator("one", "192.0.2.1", Tlp::Green, &[])])
        .await;
    let token = world.hub.admin().token("agency-b", "agency").await.unwrap();
    let output = Command::new(python)
        .args(["-m", "schemathesis.cli", "run", "--no-color"])
        .args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "20"])
        .args(["--seed", "1", "--generation-database", "none", "--no-shrink"])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .arg("--tls-verify")
        .arg(world.data().join("ca.pem"))
        .arg(world.url("/taxii2/openapi.json"))
        .current_dir(world.folder.path())
        .env_remove("REQUESTS_CA_BUNDLE")
        .env_remove("CURL_CA_BUNDLE")
        .output()
        .await
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
