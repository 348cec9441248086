//! Backups: made while the hub runs, restored elsewhere, without what was erased since.

use crate::support::{Partner, World, indicator};
use hub::backup::{self, Restore};
use hub::{Config, HubError};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use stix::Tlp;
use tempfile::TempDir;
use testkit::postgres::{Server, unavailable};

const OBJECTS: &str = "/taxii2/api/collections/all/objects/";
const SECRET: &str = "tell-nobody";

fn open(name: &str, n: u8) -> Value {
    indicator(name, &format!("192.0.2.{n}"), Tlp::Green, &[])
}

fn config(data: &Path, more: &str) -> Config {
    let text = format!("data = {data:?}\nlisten = \"127.0.0.1:0\"\n{more}");
    Config::from_toml(&text).unwrap()
}

async fn bytes(partner: &Partner, path: &str) -> Vec<u8> {
    let answer = partner.get(path).await;
    assert_eq!(answer.status(), 200);
    answer.bytes().await.unwrap().to_vec()
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(self::files(&path)),
            false => files.push(path),
        }
    }
    files
}

fn holds(folder: &Path, text: &str) -> bool {
    files(folder).iter().any(|path| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(text.len()).any(|at| at == text.as_bytes())
    })
}

#[tokio::test]
async fn a_hub_restored_elsewhere_serves_its_partners_again() {
    let world = World::start().await;
    let (a, b) = (world.partner("agency-a").await, world.partner("b").await);
    a.share(&[open("one", 1), open("two", 2), open("three", 3)])
        .await;
    let only_b = indicator("four", "192.0.2.4", Tlp::Amber, &["b"]);
    a.share(&[only_b]).await;
    let (pem_a, pem_b) = (a.pem.clone(), b.pem.clone());
    let page = bytes(&b, &format!("{OBJECTS}?limit=3")).await;
    let next = serde_json::from_slice::<Value>(&page).unwrap();
    let next = next["next"].as_str().unwrap().to_owned();
    let whole = bytes(&b, OBJECTS).await;
    let mut events = b.follow(None).await;
    let cursor = events.next_named("frame").await.id;

    let place = TempDir::new().unwrap();
    let to = place.path().join("backup");
    let made = backup::backup(&config(&world.data(), ""), &to)
        .await
        .unwrap();
    assert_eq!((made.objects, made.partners), (4, 2));
    for path in files(&to) {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        let name = path.strip_prefix(&to).unwrap().to_str().unwrap();
        let named = made.files.iter().any(|file| file.path == name);
        assert!(named || name == "manifest.json", "{name} is not named");
    }
    let again = backup::backup(&config(&world.data(), ""), &to).await;
    assert!(matches!(again, Err(HubError::Refused(_))), "{again:?}");
    assert_eq!(backup::verify_backup(&to).unwrap(), made);
    world.stop().await;

    let elsewhere = TempDir::new().unwrap();
    let there = config(&elsewhere.path().join("data"), "");
    let (_, restored) = backup::restore(&there, &to, &Restore::default())
        .await
        .unwrap();
    let state = backup::digest_text(&restored.summary.digest);
    assert_eq!((state, restored.withheld), (made.state_sha256.clone(), 0));
    let verified = backup::verify_store(&there).await.unwrap();
    assert_eq!(verified, restored.summary);
    let world = World::on(elsewhere, "").await;
    let (a, b) = (world.known(&a, &pem_a), world.known(&b, &pem_b));
    assert_eq!(bytes(&b, OBJECTS).await, whole, "the same bytes");
    // Positions of before are refused in words, on either way.
    let old = b.get(&format!("{OBJECTS}?limit=3&next={next}")).await;
    assert_eq!(old.status(), 400);
    let old: Value = old.json().await.unwrap();
    assert!(
        old["description"].as_str().unwrap().contains("epoch"),
        "{old}"
    );
    let mut events = b.follow(Some(&cursor)).await;
    let trimmed = events.next_named("trimmed").await;
    assert!(trimmed.data.contains("epoch"), "{trimmed:?}");
    let frame = b.follow(None).await.next_named("frame").await;
    taxii::push::verify(frame.data.as_bytes(), &b.hub_key).unwrap();
    a.share(&[open("five", 5)]).await;
    world.stop().await;
}

#[tokio::test]
async fn what_was_deleted_since_the_backup_stays_deleted() {
    let world = World::start().await;
    let a = world.partner("agency-a").await;
    let kept = open("kept", 1);
    let gone = open(SECRET, 2);
    a.share(&[kept.clone(), gone.clone()]).await;
    let place = TempDir::new().unwrap();
    let to = place.path().join("backup");
    backup::backup(&config(&world.data(), ""), &to)
        .await
        .unwrap();
    assert!(holds(&to, SECRET));
    let path = format!("{OBJECTS}{}/", gone["id"].as_str().unwrap());
    let deleted = a.send(
        "DELETE",
        &path,
        "application/taxii+json;version=2.1",
        String::new(),
    );
    assert_eq!(deleted.await.status(), 200);
    let pem = a.pem.clone();
    let folder = world.stop().await;

    // In place, over the store that is newer: the list is in the data folder.
    let data = folder.path().join("data");
    let refused = backup::restore(&config(&data, ""), &to, &Restore::default()).await;
    assert!(matches!(refused, Err(HubError::Refused(_))), "{refused:?}");
    let replace = Restore {
        replace: true,
        ..Restore::default()
    };
    let (_, restored) = backup::restore(&config(&data, ""), &to, &replace)
        .await
        .unwrap();
    assert_eq!(restored.withheld, 1);
    assert!(!holds(&data, SECRET));

    // Elsewhere, with the list of the folder that is gone.
    let elsewhere = TempDir::new().unwrap();
    let there = config(&elsewhere.path().join("data"), "");
    let with_list = Restore {
        erasures: Some(data.join("erasures.jsonl")),
        ..Restore::default()
    };
    let (_, restored) = backup::restore(&there, &to, &with_list).await.unwrap();
    assert_eq!(restored.withheld, 1);
    assert!(!holds(&elsewhere.path().join("data"), SECRET));

    let world = World::on(elsewhere, "").await;
    let a = world.known(&a, &pem);
    let page: Value = serde_json::from_slice(&bytes(&a, OBJECTS).await).unwrap();
    assert_eq!(page["objects"], json!([kept]));
    let again = json!({ "objects": [gone] });
    let answer = a.post("/exchange/v1/objects", &again).await;
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["outcomes"][0]["outcome"], "conflict");
    // A backup of now knows it, too.
    let to = place.path().join("later");
    backup::backup(&config(&world.data(), ""), &to)
        .await
        .unwrap();
    assert!(!holds(&to, SECRET));
    let list = std::fs::read_to_string(to.join("erasures.jsonl")).unwrap();
    assert!(list.contains(gone["id"].as_str().unwrap()));
    world.stop().await;
}

#[tokio::test]
async fn who_was_revoked_since_the_backup_stays_revoked() {
    let world = World::start().await;
    let (a, b) = (
        world.partner("agency-a").await,
        world.partner("agency-b").await,
    );
    let place = TempDir::new().unwrap();
    let to = place.path().join("backup");
    backup::backup(&config(&world.data(), ""), &to)
        .await
        .unwrap();
    assert!(world.hub.admin().revoke("agency-b").await.unwrap());
    assert_eq!(b.get(OBJECTS).await.status(), 401);
    let (pem_a, pem_b) = (a.pem.clone(), b.pem.clone());
    let folder = world.stop().await;
    let data = folder.path().join("data");

    // By the list in the data folder, and elsewhere by that of the folder that is gone.
    let elsewhere = TempDir::new().unwrap();
    let there = elsewhere.path().join("data");
    let with_list = Restore {
        revocations: Some(data.join("revocations.jsonl")),
        ..Restore::default()
    };
    let replace = Restore {
        replace: true,
        ..Restore::default()
    };
    for (data, how) in [(&there, with_list), (&data, replace)] {
        let restored = backup::restore(&config(data, ""), &to, &how).await;
        assert_eq!(restored.unwrap().1.revoked, 1);
    }
    for folder in [elsewhere, folder] {
        let world = World::on(folder, "").await;
        assert_eq!(world.known(&a, &pem_a).get(OBJECTS).await.status(), 200);
        assert_eq!(world.known(&b, &pem_b).get(OBJECTS).await.status(), 401);
        let later = TempDir::new().unwrap();
        let later = later.path().join("later");
        backup::backup(&config(&world.data(), ""), &later)
            .await
            .unwrap();
        let list = std::fs::read_to_string(later.join("revocations.jsonl")).unwrap();
        assert!(list.contains("agency-b"), "{list}");
        world.stop().await;
    }
}

#[tokio::test]
async fn a_hub_moves_to_postgresql_by_its_backup() {
    if let Some(why) = unavailable() {
        testkit::skip("a_hub_moves_to_postgresql_by_its_backup", &why);
        return;
    }
    let server = Server::shared().unwrap();
    server.sql("CREATE SCHEMA moved").unwrap();
    let store = format!("[store]\npostgres = {:?}\n", server.url("moved"));
    let world = World::start().await;
    let a = world.partner("agency-a").await;
    a.share(&[open("one", 1), open("two", 2)]).await;
    let whole = bytes(&a, OBJECTS).await;
    let pem = a.pem.clone();
    let folder = world.stop().await;
    let (data, to) = (folder.path().join("data"), folder.path().join("backup"));
    let made = backup::backup(&config(&data, ""), &to).await.unwrap();
    let there = config(&data, &store);
    backup::restore(&there, &to, &Restore::default())
        .await
        .unwrap();
    let moved = backup::verify_store(&there).await.unwrap();
    assert_eq!(backup::digest_text(&moved.digest), made.state_sha256);
    let world = World::on(folder, &store).await;
    let a = world.known(&a, &pem);
    assert_eq!(bytes(&a, OBJECTS).await, whole);
    world.stop().await;
}

#[tokio::test]
async fn a_backup_that_is_not_whole_or_anothers_is_refused() {
    let world = World::start().await;
    world
        .partner("agency-a")
        .await
        .share(&[open("one", 1)])
        .await;
    let place = TempDir::new().unwrap();
    let to = place.path().join("backup");
    backup::backup(&config(&world.data(), ""), &to)
        .await
        .unwrap();
    world.stop().await;
    let elsewhere = TempDir::new().unwrap();
    let data = elsewhere.path().join("data");
    let refused = async |more: &str| {
        let there = config(&data, more);
        let done = backup::restore(&there, &to, &Restore::default()).await;
        match done {
            Err(HubError::Refused(why)) => why,
            other => panic!("{other:?}"),
        }
    };
    assert!(refused("community = \"other\"").await.contains("community"));
    std::fs::create_dir_all(data.join("keys")).unwrap();
    std::fs::write(data.join("keys/cursors.key"), [7; 32]).unwrap();
    assert!(refused("").await.contains("another hub's"));
    std::fs::remove_dir_all(&data).unwrap();
    for name in ["log.jsonl", "keys/frames.pkcs8"] {
        let path = to.join(name);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[1..]).unwrap();
        assert!(refused("").await.contains(name));
        assert!(backup::verify_backup(&to).is_err());
        std::fs::write(&path, whole).unwrap();
    }
    std::fs::remove_file(to.join("manifest.json")).unwrap();
    assert!(refused("").await.contains("no whole backup"));
    let nothing = backup::backup(&config(&elsewhere.path().join("none"), ""), &to).await;
    assert!(matches!(nothing, Err(HubError::Refused(_))));
}
