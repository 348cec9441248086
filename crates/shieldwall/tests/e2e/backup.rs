//! A hub is backed up while partners share, is killed, and comes back on another machine's folder.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::Value;

use crate::common::{HubFolder, output, run, wait_for};
use crate::hub_killed::share_until;

const PAGE: &str = "/taxii2/api/collections/all/objects/?limit=20";

#[test]
fn a_hub_backed_up_while_it_runs_comes_back_elsewhere() {
    let _turn = crate::common::alone();
    let folder = tempfile::tempdir().unwrap();
    let hub = HubFolder::new(folder.path());
    let mut process = hub.start();
    let identity = hub.enrol("alpha");
    let url = format!("https://127.0.0.1:{}", hub.port);
    let (acknowledged, done) = (
        Arc::new(Mutex::new(Vec::new())),
        Arc::new(AtomicBool::new(false)),
    );
    let poster = std::thread::spawn({
        let (identity, url) = (identity.clone(), url.clone());
        let (acknowledged, done) = (Arc::clone(&acknowledged), Arc::clone(&done));
        move || share_until(&identity, &url, &done, &acknowledged)
    });
    let count = || acknowledged.lock().unwrap().len();
    let some = || (count() >= 500).then_some(());
    wait_for("partners share", Duration::from_secs(60), some);

    let config = path(folder.path(), "hub.toml");
    let backup = path(folder.path(), "backup");
    let before = count();
    let made = json(&["hub", "backup", "--config", &config, "--out", &backup]);
    let (manifest, after) = (&made["manifest"], count());
    let objects = manifest["objects"].as_u64().unwrap();
    assert!(objects >= before as u64, "all that was acknowledged before");
    println!("{before} objects acknowledged before the backup, {objects} in it, {after} after");
    let page = get(&identity, &format!("{url}{PAGE}"));
    let next = page.1["next"].as_str().unwrap().to_owned();
    wait_for("partners go on", Duration::from_secs(60), || {
        (count() > after).then_some(())
    });
    process.kill();
    done.store(true, Ordering::Relaxed);
    poster.join().unwrap();

    let elsewhere = tempfile::tempdir().unwrap();
    let there = moved(folder.path(), elsewhere.path());
    let restored = json(&["hub", "restore", "--config", &there, "--from", &backup]);
    assert_eq!(restored["state_sha256"], manifest["state_sha256"]);
    let same = json(&["hub", "verify", "--config", &there, "--backup", &backup]);
    assert_eq!(same["same"], true);
    let again = output(&["hub", "restore", "--config", &there, "--from", &backup]);
    assert_eq!(
        again.status.code(),
        Some(2),
        "what is there is not overwritten"
    );
    let differ = output(&["hub", "verify", "--config", &config, "--backup", &backup]);
    assert_eq!(differ.status.code(), Some(1), "the killed one had more");

    let _process = crate::common::Process::start(&["hub", "run", "--config", &there]);
    let (status, served) = get(&identity, &format!("{url}{PAGE}"));
    assert_eq!((status, &served["objects"]), (200, &page.1["objects"]));
    let (status, old) = get(&identity, &format!("{url}{PAGE}&next={next}"));
    assert_eq!(status, 400);
    assert!(
        old["description"].as_str().unwrap().contains("epoch"),
        "{old}"
    );
    run(&[
        "share",
        "--ip",
        "192.0.2.1",
        "--hub",
        &url,
        "--identity",
        identity.to_str().unwrap(),
    ]);
}

/// The configuration for another data folder, under the same address.
fn moved(from: &Path, to: &Path) -> String {
    let text = std::fs::read_to_string(from.join("hub.toml")).unwrap();
    let data = |folder: &Path| format!("{:?}", folder.join("hub"));
    let text = text.replace(&data(from), &data(to));
    std::fs::write(to.join("hub.toml"), text).unwrap();
    path(to, "hub.toml")
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

fn json(args: &[&str]) -> Value {
    let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
    serde_json::from_str(&run(&args)).unwrap()
}

/// A page as a partner gets it.
fn get(identity: &Path, url: &str) -> (u16, Value) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let identity = shield::identity::Identity::load(identity).unwrap();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(identity.client_config().unwrap())
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .build()
            .unwrap();
        let answer = client
            .get(url)
            .header("Accept", "application/taxii+json;version=2.1")
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        let body = answer.bytes().await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    })
}
