//! Packs through a hub: published by a contributor, fetched by a shield; and every attack that TUF
//! names, by who holds the hub's files and its online key, refused over the wire by its name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pack::key::SigningKey;
use pack::tuf::{self, Body as _, Meta, Signed, Snapshot, Targets, Timestamped};
use serde_json::{Value, json};
use shield::identity::Identity;
use shield::repository::{Client, Offered, Refusal, RepositoryError};
use stix::Timestamp;
use taxii::packs::{ModelState, PackState, Stage};
use tokio_util::sync::CancellationToken;

use crate::common::{HubFolder, Process, output, run, wait_for};
use crate::packs::{folder, trust};

/// Longest wait for what happens within a second or two.
const SOON: Duration = Duration::from_secs(30);

/// A hub with a repository, a contributor and a reader.
struct World {
    temp: tempfile::TempDir,
    hub: HubFolder,
    process: Process,
    acme: PathBuf,
    reader: PathBuf,
}

impl World {
    /// With more lines in `hub.toml`.
    fn with(more: &str) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let hub = HubFolder::new(temp.path());
        let config = temp.path().join("hub.toml");
        let text = std::fs::read_to_string(&config).unwrap() + more;
        std::fs::write(&config, text).unwrap();
        let process = hub.start();
        let (acme, reader) = (hub.enrol("acme"), hub.enrol("reader"));
        let world = Self {
            temp,
            hub,
            process,
            acme,
            reader,
        };
        world.operator(&["create", "--key", &world.at("ops.pem")]);
        run(&["pack", "keygen", "--out", &world.at("acme.pem")]);
        folder(world.path("in").as_ref(), "9000-01-01T00:00:00.000Z");
        world
    }

    fn new() -> Self {
        Self::with("")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    fn at(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// `hub packs ...`
    fn operator(&self, args: &[&str]) -> String {
        let config = self.at("hub.toml");
        run(&[&["hub", "packs"], args, &["--config", &config]].concat())
    }

    /// Sets what the next publication is.
    fn edit(&self, version: &str, sequence: u64) {
        let path = self.path("in/pack.json");
        let text = std::fs::read_to_string(&path).unwrap();
        let mut draft: Value = serde_json::from_str(&text).unwrap();
        draft["version"] = json!(version);
        draft["sequence"] = json!(sequence);
        std::fs::write(path, draft.to_string()).unwrap();
    }

    /// `pack publish`, however it ends: the status, and what was said.
    fn publish_with(&self, more: &[&str]) -> (Option<i32>, String) {
        let (input, identity) = (self.at("in"), self.acme.to_str().unwrap());
        let args = ["pack", "publish", &input, "--identity", identity];
        said(&[&args, more].concat())
    }

    fn publish(&self) {
        let (code, said) = self.publish_with(&["--key", &self.at("acme.pem")]);
        assert_eq!(code, Some(0), "{said}");
    }

    /// A reader that remembers in a folder of this name.
    fn client(&self, name: &str) -> Client {
        let identity = Identity::load(&self.reader).unwrap();
        let url = format!("https://127.0.0.1:{}", self.hub.port);
        Client::new(identity, &url, "community", &self.path(name), None).unwrap()
    }

    fn metadata(&self) -> PathBuf {
        self.path("hub/packs/community/metadata")
    }

    /// The hub's online key, as a thief has it.
    fn stolen(&self) -> SigningKey {
        let mut keys = std::fs::read_dir(self.path("hub/packs/community/keys")).unwrap();
        let text = std::fs::read_to_string(keys.next().unwrap().unwrap().path()).unwrap();
        SigningKey::read(&text).unwrap()
    }

    fn timestamp(&self) -> Signed<Timestamped> {
        Signed::read(&std::fs::read(self.metadata().join("timestamp.json")).unwrap()).unwrap()
    }

    fn put(&self, file: &str, raw: &[u8]) {
        std::fs::write(self.metadata().join(file), raw).unwrap();
    }
}

fn said(args: &[&str]) -> (Option<i32>, String) {
    let output = output(args);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stdout) + &text(&output.stderr);
    (output.status.code(), said)
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(future)
}

fn load(client: &Client) -> Result<Vec<Offered>, RepositoryError> {
    wait(client.load()).map(|loaded| loaded.packs())
}

/// The name of the refusal of what is served now.
fn refusal(client: &Client) -> &'static str {
    let error = load(client).unwrap_err();
    let refusal = error.refusal();
    refusal.unwrap_or_else(|| panic!("{error}")).name()
}

/// The refusal of the only pack.
fn refusal_of_pack(client: &Client) -> Refusal {
    let error = wait(async {
        let loaded = client.load().await.unwrap();
        loaded.fetch(&loaded.packs()[0]).await.unwrap_err()
    });
    error.refusal().unwrap_or_else(|| panic!("{error}"))
}

fn late() -> Timestamp {
    Timestamp::parse("2999-01-01T00:00:00Z").unwrap()
}

#[test]
fn a_pack_goes_from_its_folder_to_a_shield_and_newer_ones_follow() {
    let world = World::new();
    let reader = world.reader.to_str().unwrap();
    world.publish();
    let listed = run(&["pack", "list", "--identity", reader]);
    assert!(
        listed.contains("acme/web-attack 1.2.0 (sequence 7), "),
        "{listed}"
    );
    // What is fetched by hand is the pack, under the publisher's signature.
    let (file, trusted) = (world.at("fetched.swpack"), world.at("trust.toml"));
    let fetch = ["pack", "fetch", "acme/web-attack", "--identity", reader];
    run(&[&fetch[..], &["--out", &file]].concat());
    let public = std::fs::read_to_string(world.path("acme.pem.pub")).unwrap();
    trust(trusted.as_ref(), &[("Example CERT", &public)]);
    run(&["pack", "verify", &file, "--trust", &trusted]);
    // A shield does so by itself.
    let more = "[[repository]]\npacks = [\"acme/*\"]\nevery_s = 1\n";
    let shield = world.hub.shield("s1", &world.reader, more);
    let _running = shield.start();
    let came = shield.data.join("packs/incoming/acme.web-attack.swpack");
    let bytes = std::fs::read(&file).unwrap();
    wait_for("the pack", SOON, || {
        std::fs::read(&came).ok().filter(|b| *b == bytes)
    });
    // The same pack again only makes the role good for longer.
    world.publish();
    world.edit("1.3.0", 8);
    world.publish();
    wait_for("the next version", SOON, || {
        let events = shield.events("pack-fetched");
        let versions: Vec<&Value> = events.iter().map(|event| &event["version"]).collect();
        (versions == ["1.2.0", "1.3.0"]).then_some(())
    });
    // Older ones, packs of other publishers and of other keys are not taken.
    world.edit("1.2.1", 7);
    let (code, error) = world.publish_with(&["--key", &world.at("acme.pem")]);
    assert!(
        code == Some(2) && error.contains("sequence: sequence 7 is not above 8"),
        "{error}"
    );
    let manifest = world.path("in/pack.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("Example CERT", "Another CERT")).unwrap();
    world.edit("2.0.0", 9);
    let (code, error) = world.publish_with(&["--key", &world.at("acme.pem")]);
    assert!(
        code == Some(2) && error.contains("publisher: publisher"),
        "{error}"
    );
    std::fs::write(&manifest, text).unwrap();
    world.edit("2.0.0", 9);
    run(&["pack", "keygen", "--out", &world.at("next.pem")]);
    let (code, error) = world.publish_with(&["--key", &world.at("next.pem")]);
    assert!(code == Some(2) && error.contains("other-key: "), "{error}");
    // With both keys the contributor goes over to the other.
    let keys = [
        "--key",
        &world.at("next.pem"),
        "--old-key",
        &world.at("acme.pem"),
    ];
    let (code, error) = world.publish_with(&keys);
    assert_eq!(code, Some(0), "{error}");
    let identity = world.acme.to_str().unwrap();
    let next = world.at("next.pem");
    run(&[
        "pack",
        "withdraw",
        "web-attack",
        "--key",
        &next,
        "--identity",
        identity,
    ]);
    assert_eq!(run(&["pack", "list", "--identity", reader]), "");
}

#[test]
fn what_is_not_for_a_partner_is_not_there_for_it() {
    let world = World::with("[[packs]]\nname = \"community\"\nmembers = [\"acme\"]\n");
    world.publish();
    let error = load(&world.client("seen")).unwrap_err();
    assert!(matches!(error, RepositoryError::NoSuch), "{error}");
    let reader = world.reader.to_str().unwrap();
    let (code, error) = said(&["pack", "list", "--identity", reader]);
    assert!(
        code == Some(2) && error.contains("there is: none"),
        "{error}"
    );
    let acme = world.acme.to_str().unwrap();
    assert!(run(&["pack", "list", "--identity", acme]).contains("acme/web-attack"));
}

#[test]
fn rollback_freeze_and_mixed_states_are_refused_by_name() {
    let world = World::new();
    world.publish();
    let first = std::fs::read(world.metadata().join("timestamp.json")).unwrap();
    let old = world.timestamp().signed.snapshot();
    let old = std::fs::read(
        world
            .metadata()
            .join(format!("{}.snapshot.json", old.version)),
    );
    let old = old.unwrap();
    world.edit("1.3.0", 8);
    world.publish();
    let second = std::fs::read(world.metadata().join("timestamp.json")).unwrap();
    let client = world.client("seen");
    assert_eq!(load(&client).unwrap()[0].sequence, 8);
    world.put("timestamp.json", &first);
    assert_eq!(refusal(&client), "rollback");
    // New words for an older snapshot, with the stolen key.
    let key = world.stolen();
    let of = Meta::of(
        1,
        &std::fs::read(world.metadata().join("1.snapshot.json")).unwrap(),
    );
    let newer = Timestamped::new(1_000, late(), of);
    world.put("timestamp.json", &tuf::sign(newer, &[&key]).unwrap());
    assert_eq!(refusal(&client), "rollback");
    // Nobody says any more that it is current.
    let of = world.timestamp().signed.version();
    let snapshot: Signed<Timestamped> = Signed::read(&second).unwrap();
    let past = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    let over = Timestamped::new(of + 1, past, snapshot.signed.snapshot());
    world.put("timestamp.json", &tuf::sign(over, &[&key]).unwrap());
    assert_eq!(refusal(&client), "freeze");
    // Parts of two states.
    world.put("timestamp.json", &second);
    let file = format!("{}.snapshot.json", snapshot.signed.snapshot().version);
    let right = std::fs::read(world.metadata().join(&file)).unwrap();
    world.put(&file, &old);
    assert_eq!(refusal(&world.client("new")), "mix-and-match");
    world.put(&file, &right);
    assert_eq!(load(&client).unwrap()[0].sequence, 8);
}

#[test]
fn other_bytes_and_endless_ones_are_refused_by_name() {
    let world = World::new();
    world.publish();
    let client = world.client("seen");
    let offered = load(&client).unwrap().remove(0);
    let file = world.path("hub/packs/community/targets");
    let file = file.join(offered.sha256.to_string());
    let right = std::fs::read(&file).unwrap();
    let mut other = right.clone();
    *other.last_mut().unwrap() ^= 1;
    std::fs::write(&file, &other).unwrap();
    assert_eq!(refusal_of_pack(&client), Refusal::Arbitrary);
    std::fs::write(&file, vec![b'x'; right.len() + 100_000]).unwrap();
    assert_eq!(refusal_of_pack(&client), Refusal::EndlessData);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(refusal_of_pack(&client), Refusal::Missing);
    std::fs::write(&file, &right).unwrap();
    let fetched = wait(async { client.load().await.unwrap().fetch(&offered).await });
    assert_eq!(fetched.unwrap(), right);
    world.put("timestamp.json", &vec![b' '; 2 << 20]);
    assert_eq!(refusal(&client), "endless-data");
    world.put("1.root.json", &vec![b' '; 2 << 20]);
    assert_eq!(refusal(&world.client("new")), "endless-data");
}

#[test]
fn keys_that_do_not_speak_for_something_are_refused_and_stolen_ones_replaced() {
    let mut world = World::new();
    world.publish();
    let client = world.client("seen");
    load(&client).unwrap();
    let thief = SigningKey::from_seed(&[9; 32]).unwrap();
    let right = world.timestamp();
    let forged = Timestamped::new(right.signed.version() + 1, late(), right.signed.snapshot());
    world.put(
        "timestamp.json",
        &tuf::sign(forged.clone(), &[&thief]).unwrap(),
    );
    assert_eq!(refusal(&client), "wrong-key");
    // The hub's key is stolen: everybody is led to a version that nobody reaches.
    let key = world.stolen();
    let far = Timestamped::new(1_000_000, late(), right.signed.snapshot());
    world.put("timestamp.json", &tuf::sign(far.clone(), &[&key]).unwrap());
    load(&client).unwrap();
    // A contributor's role that names another's, under a snapshot of the stolen key.
    let own = SigningKey::read(&std::fs::read_to_string(world.path("acme.pem")).unwrap()).unwrap();
    foreign(&world, &key, &own);
    assert_eq!(refusal(&world.client("new")), "not-own");
    world.put("timestamp.json", &tuf::sign(far, &[&key]).unwrap());
    // The operator's key makes the next root; the stolen one counts for nothing.
    let (code, error) = said(&[
        "hub",
        "packs",
        "rotate",
        "--config",
        &world.at("hub.toml"),
        "--key",
        &world.at("acme.pem"),
    ]);
    assert!(
        code == Some(2) && error.contains("asks for 1 of its 1 keys"),
        "{error}"
    );
    world.operator(&["rotate", "--key", &world.at("ops.pem")]);
    assert_eq!(load(&client).unwrap().len(), 1);
    assert_eq!(wait(client.load()).unwrap().root_version(), 2);
    let honest = std::fs::read(world.metadata().join("timestamp.json")).unwrap();
    world.put("timestamp.json", &tuf::sign(forged, &[&key]).unwrap());
    assert_eq!(refusal(&client), "wrong-key");
    world.put("timestamp.json", &honest);
    // To keys of others, two of three; and the hub goes on by itself.
    let new = ["k1.pem", "k2.pem", "k3.pem"].map(|name| world.at(name));
    let ops = world.at("ops.pem");
    let mut args = vec!["rotate", "--key", &ops];
    args.extend(new.iter().flat_map(|key| ["--new-key", key.as_str()]));
    world.operator(&args);
    let config = world.at("hub.toml");
    let alone = [
        "hub", "packs", "rotate", "--config", &config, "--key", &new[0],
    ];
    let (code, error) = said(&alone);
    assert!(
        code == Some(2) && error.contains("asks for 2 of its 3 keys"),
        "{error}"
    );
    world.operator(&["rotate", "--key", &new[0], "--key", &new[2]]);
    assert_eq!(wait(client.load()).unwrap().root_version(), 4);
    // The contributor's key is lost: the operator gives it another.
    run(&["pack", "keygen", "--out", &world.at("new.pem")]);
    world.operator(&["rekey", "acme", "--public", &world.at("new.pem.pub")]);
    assert_eq!(load(&client).unwrap(), []);
    let (code, error) = world.publish_with(&["--key", &world.at("acme.pem")]);
    assert!(code == Some(2) && error.contains("other-key"), "{error}");
    world.edit("1.3.0", 8);
    let (code, error) = world.publish_with(&["--key", &world.at("new.pem")]);
    assert_eq!(code, Some(0), "{error}");
    assert_eq!(load(&client).unwrap()[0].sequence, 8);
    // A hub that is away is no attack.
    world.process.kill();
    let error = load(&client).unwrap_err();
    assert!(matches!(error, RepositoryError::Unreachable(_)), "{error}");
}

/// Has acme's role name a pack of rival.
fn foreign(world: &World, online: &SigningKey, own: &SigningKey) {
    let timestamp = world.timestamp();
    let version = timestamp.signed.snapshot().version;
    let file = world.metadata().join(format!("{version}.snapshot.json"));
    let snapshot: Signed<Snapshot> = Signed::read(&std::fs::read(file).unwrap()).unwrap();
    let role = snapshot.signed.meta["acme.json"].version;
    let file = world.metadata().join(format!("{role}.acme.json"));
    let acme: Signed<Targets> = Signed::read(&std::fs::read(file).unwrap()).unwrap();
    let mut body = acme.signed.anew(role + 1, late());
    let (_, target) = body.targets.pop_first().unwrap();
    body.targets
        .insert("rival/web-attack.swpack".to_owned(), target);
    let raw = tuf::sign(body, &[own]).unwrap();
    world.put(&format!("{}.acme.json", role + 1), &raw);
    let mut meta: BTreeMap<String, Meta> = snapshot.signed.meta;
    meta.insert("acme.json".to_owned(), Meta::of(role + 1, &raw));
    let raw = tuf::sign(Snapshot::new(900, late(), meta), &[online]).unwrap();
    world.put("900.snapshot.json", &raw);
    let of = Timestamped::new(1_000_001, late(), Meta::of(900, &raw));
    world.put("timestamp.json", &tuf::sign(of, &[online]).unwrap());
}

#[test]
fn a_restored_repository_goes_on_after_a_rotation() {
    let mut world = World::new();
    world.publish();
    let (config, backup) = (world.at("hub.toml"), world.at("backup"));
    run(&["hub", "backup", "--config", &config, "--out", &backup]);
    world.edit("1.3.0", 8);
    world.publish();
    let client = world.client("seen");
    assert_eq!(load(&client).unwrap()[0].sequence, 8);
    world.process.kill();
    run(&[
        "hub", "restore", "--config", &config, "--from", &backup, "--force",
    ]);
    world.process = world.hub.start();
    // As it was, which clients cannot tell from an attack.
    assert_eq!(refusal(&client), "rollback");
    world.operator(&["rotate", "--key", &world.at("ops.pem")]);
    assert_eq!(load(&client).unwrap()[0].sequence, 7);
    world.publish();
    assert_eq!(load(&client).unwrap()[0].sequence, 8);
}

#[test]
fn receipts_come_from_shields_that_tell_and_go_to_who_contributed() {
    let world = World::new();
    let state = PackState {
        source: "acme".to_owned(),
        pack: "web-attack".to_owned(),
        version: "1.2.0".to_owned(),
        digest: "ab".repeat(32),
        stage: Stage::Shadow,
        since: Timestamp::EPOCH,
        models: vec![ModelState {
            model: "models/web.onnx".to_owned(),
            scored: 1_000,
            over: BTreeMap::from([(Stage::Shadow, 3)]),
            benign: 800,
            false_alarms: 2,
        }],
    };
    let share = |receipts: bool| format!("[share]\ntlp = \"TLP:GREEN\"\nreceipts = {receipts}\n");
    let start = |name: &str, receipts: bool| {
        let folder = world.hub.shield(name, &world.reader, &share(receipts));
        let config = shield::config::load(&folder.config).unwrap();
        let handle = shield::run(config, CancellationToken::new()).unwrap();
        handle.receipts().put(vec![state.clone()]);
        handle
    };
    let (tells, silent) = (start("tells", true), start("silent", false));
    let receipts = |identity: &Path| {
        let identity = identity.to_str().unwrap();
        run(&["pack", "receipts", "--identity", identity])
    };
    let own = wait_for("a receipt", SOON, || {
        Some(receipts(&world.acme)).filter(|text| text.contains("1000 scored"))
    });
    assert!(
        own.contains("web-attack 1.2.0: 1 partners tell; shields: 1 shadow"),
        "{own}"
    );
    assert!(
        own.contains("false alarms: 2 of 800 known benign, 2.50e-3 (6.8"),
        "{own}"
    );
    assert_eq!(silent.state().packs, []);
    assert!(receipts(&world.reader).contains("no shield has told"));
    tells.stop();
    silent.stop();
}
