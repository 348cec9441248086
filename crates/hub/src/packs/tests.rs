use super::disk::{Folder, files};
use super::publish::{Bounds, PublishError, publish};
use super::repository::Repository;
use super::*;
use crate::config::Config;
use pack::key::SigningKey;
use pack::tuf::{self, Body as _, Role, Signed, Targets, Timestamped};
use std::path::Path;
use std::time::Duration;
use stix::Timestamp;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

fn config(data: &Path) -> Config {
    Config::from_toml(&format!("data = {data:?}\nlisten = \"127.0.0.1:1\"\n")).unwrap()
}

fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(&[n; 32]).unwrap()
}

fn later(seconds: u64) -> Timestamp {
    crate::clock::now().plus(Duration::from_secs(seconds))
}

/// A repository, and what a renewal at a time makes of it: the versions of timestamp, snapshot and
/// targets.
fn renewed(folder: &Folder, at: Timestamp) -> (u64, u64, u64) {
    let mut opened = Repository::open(folder.clone()).unwrap();
    opened.renew(at).unwrap();
    let (timestamp, _) = folder.read::<Timestamped>("timestamp.json").unwrap();
    let snapshot = timestamp.signed.snapshot().version;
    let (listed, _) = folder
        .read::<tuf::Snapshot>(&format!("{snapshot}.snapshot.json"))
        .unwrap();
    let targets = listed.signed.meta["targets.json"].version;
    (timestamp.signed.version(), snapshot, targets)
}

fn role(version: u64, days: u64, by: &[&SigningKey]) -> Vec<u8> {
    tuf::sign(Targets::new(version, later(days.saturating_mul(DAY))), by).unwrap()
}

fn posted(folder: &Folder, partner: &str, key: &SigningKey, role: &[u8]) -> Result<u64, String> {
    let role = std::str::from_utf8(role).unwrap();
    let key = key.public().to_text();
    let body = format!("{{\"key\":{key:?},\"role\":{role}}}\n");
    let bounds = Bounds {
        pack_bytes_max: 1 << 20,
        packs_bytes_max: 1 << 20,
    };
    match publish(folder.clone(), partner, body.as_bytes(), bounds, later(0)) {
        Ok(published) => Ok(published.role),
        Err(PublishError::Refused(refusal)) => Err(refusal.name().to_owned()),
        Err(PublishError::Ours(error)) => panic!("{error}"),
    }
}

#[test]
fn what_is_about_to_end_is_signed_anew_and_nothing_else() {
    let temp = tempfile::tempdir().unwrap();
    create(&config(temp.path()), "community", &[key(1)], 1).unwrap();
    let folder = Folder::new(temp.path(), "community");
    assert_eq!(renewed(&folder, later(0)), (1, 1, 1));
    assert_eq!(renewed(&folder, later(11 * HOUR)), (1, 1, 1));
    assert_eq!(renewed(&folder, later(13 * HOUR)), (2, 1, 1));
    assert_eq!(renewed(&folder, later(8 * DAY)), (3, 2, 1));
    assert_eq!(renewed(&folder, later(50 * DAY)), (4, 3, 2));
}

#[test]
fn a_role_that_ends_is_listed_no_longer_and_comes_back() {
    let temp = tempfile::tempdir().unwrap();
    create(&config(temp.path()), "community", &[key(1)], 1).unwrap();
    let folder = Folder::new(temp.path(), "community");
    assert_eq!(
        posted(&folder, "acme", &key(6), &role(1, 2, &[&key(6)])),
        Ok(1)
    );
    let listed = || {
        let roles = Repository::open(folder.clone())
            .unwrap()
            .delegations()
            .roles;
        roles.into_iter().map(|role| role.name).collect::<Vec<_>>()
    };
    renewed(&folder, later(DAY));
    assert_eq!(listed(), ["acme"]);
    renewed(&folder, later(2 * DAY));
    assert!(listed().is_empty());
    assert_eq!(
        posted(&folder, "acme", &key(6), &role(2, 90, &[&key(6)])),
        Ok(2)
    );
    assert_eq!(listed(), ["acme"]);
}

#[test]
fn what_is_not_right_is_refused_before_it_is_listed() {
    let temp = tempfile::tempdir().unwrap();
    create(&config(temp.path()), "community", &[key(1)], 1).unwrap();
    let folder = Folder::new(temp.path(), "community");
    let refused = |partner: &str, by: &SigningKey, role: &[u8]| {
        posted(&folder, partner, by, role).unwrap_err()
    };
    let foreign = |name: &str| {
        let mut body = Targets::new(1, later(90 * DAY));
        let target = tuf::Target {
            custom: tuf::Custom {
                sequence: 1,
                version: "1.0.0".parse().unwrap(),
            },
            hashes: tuf::Hashes {
                sha256: pack::Digest::of(b""),
            },
            length: 1,
        };
        body.targets.insert(name.to_owned(), target);
        tuf::sign(body, &[&key(6)]).unwrap()
    };
    assert_eq!(
        refused("acme", &key(6), &foreign("rival/web.swpack")),
        "not-own"
    );
    assert_eq!(
        refused("acme", &key(6), &foreign("acme/web.swpack")),
        "missing"
    );
    assert_eq!(
        refused("acme", &key(6), &role(1, 90, &[&key(7)])),
        "wrong-key"
    );
    assert_eq!(
        refused("acme", &key(6), &role(2, 90, &[&key(6)])),
        "version"
    );
    assert_eq!(
        refused("root", &key(6), &role(1, 90, &[&key(6)])),
        "reserved-name"
    );
    assert_eq!(refused("acme", &key(6), b"{}"), "form");
    let loose = String::from_utf8(role(1, 90, &[&key(6)])).unwrap();
    let loose = loose.replace("\"targets\":{}", "\"targets\": {}");
    assert_eq!(refused("acme", &key(6), loose.as_bytes()), "form");
    assert_eq!(
        posted(&folder, "acme", &key(6), &role(1, 90, &[&key(6)])),
        Ok(1)
    );
    // Another key alone is not acme's; with the old one it is.
    assert_eq!(
        refused("acme", &key(7), &role(2, 90, &[&key(7)])),
        "other-key"
    );
    let both = role(2, 90, &[&key(6), &key(7)]);
    assert_eq!(posted(&folder, "acme", &key(7), &both), Ok(2));
}

#[test]
fn a_rotation_that_broke_off_is_finished_by_the_next_renewal() {
    let temp = tempfile::tempdir().unwrap();
    let config = config(temp.path());
    create(&config, "community", &[key(1)], 1).unwrap();
    let folder = Folder::new(temp.path(), "community");
    let before = std::fs::read(folder.metadata("timestamp.json")).unwrap();
    assert_eq!(
        rotate(&config, "community", &[key(1)], None)
            .unwrap()
            .version,
        2
    );
    // As if the power had failed before the timestamp was written.
    std::fs::write(folder.metadata("timestamp.json"), before).unwrap();
    renewed(&folder, later(0));
    let opened = Repository::open(folder.clone()).unwrap();
    let (keys, threshold) = opened.root.signed.role(Role::Timestamp);
    let (timestamp, _): (Signed<Timestamped>, _) = folder.read("timestamp.json").unwrap();
    assert!(timestamp.is_signed_by(&keys, threshold));
    let listed = files(temp.path()).unwrap();
    assert_eq!(listed[0], "packs/community/metadata/timestamp.json");
    assert!(
        listed.iter().all(|path| !path.ends_with("lock")),
        "{listed:?}"
    );
}

#[test]
fn repositories_have_names_once_and_keys_reach_their_threshold() {
    let temp = tempfile::tempdir().unwrap();
    let config = config(temp.path());
    let made = |keys: &[SigningKey], threshold| {
        create(&config, "community", keys, threshold).map_err(|error| error.to_string())
    };
    assert!(
        made(&[key(1)], 2)
            .unwrap_err()
            .contains("a threshold of 2 with 1")
    );
    assert!(made(&[key(1), key(1)], 2).is_err());
    assert!(create(&config, "energy", &[key(1)], 1).is_err());
    made(&[key(1), key(2)], 2).unwrap();
    assert!(made(&[key(1)], 1).unwrap_err().contains("rotate"));
    let text = |more: &str| {
        let text = format!("data = \"/d\"\nlisten = \"127.0.0.1:1\"\n{more}");
        Config::from_toml(&text)
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    text("[[packs]]\nname = \"energy\"\nmembers = [\"a\"]\n").unwrap();
    let twice = text("[[packs]]\nname = \"a\"\n[[packs]]\nname = \"a\"\n");
    assert!(twice.unwrap_err().contains("stands twice"));
    assert!(text("[[packs]]\nname = \"../x\"\n").is_err());
}
