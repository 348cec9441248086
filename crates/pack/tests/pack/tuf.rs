//! TUF, which is to distribute packs: `tough` against the attacks of its specification, repositories
//! that others made, and delegations, without which a stolen key of one contributor is everybody's.
//!
//! Metadata is written here and not by `tough`, so that an attacker's can be written, too.
#![expect(clippy::result_large_err, reason = "the errors are those of `tough`")]

use std::collections::BTreeMap;
use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::{fs, iter};

use pack::Digest;
use pack::key::SigningKey;
use serde_json::{Value, json};
use tempfile::TempDir;
use tough::error::Error;
use tough::{
    ExpirationEnforcement, IntoVec as _, Limits, Repository, RepositoryLoader, TargetName,
};
use url::Url;

/// Far away, and long ago.
const LATER: &str = "2999-01-01T00:00:00Z";
const BEFORE: &str = "2020-01-01T00:00:00Z";

/// Keys by number: of the root (two, both needed), and of each role.
const ROOT: [u8; 2] = [1, 2];
const TARGETS: u8 = 3;
const SNAPSHOT: u8 = 4;
const TIMESTAMP: u8 = 5;
const ACME: u8 = 6;
const RIVAL: u8 = 7;
const THIEF: u8 = 9;

fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(&[n; 32]).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A key as metadata has it, and its id.
fn written(n: u8) -> (String, Value) {
    let public = hex(&key(n).public().to_spki()[12..]);
    let key = json!({"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": public}});
    (Digest::of(key.to_string().as_bytes()).to_string(), key)
}

fn id(n: u8) -> String {
    written(n).0
}

fn keys(numbers: impl IntoIterator<Item = u8>) -> Value {
    Value::Object(numbers.into_iter().map(written).collect())
}

/// Metadata under signatures. Sorted keys, whole numbers and ASCII alone: canonical as it is.
fn signed(body: &Value, by: &[u8]) -> Vec<u8> {
    let text = body.to_string();
    let sign = |n: &u8| json!({"keyid": id(*n), "sig": hex(&key(*n).sign(text.as_bytes()))});
    let signatures: Vec<Value> = by.iter().map(sign).collect();
    json!({"signed": body, "signatures": signatures})
        .to_string()
        .into_bytes()
}

fn meta(version: u64, content: &[u8]) -> Value {
    let sha256 = Digest::of(content).to_string();
    json!({"version": version, "length": content.len(), "hashes": {"sha256": sha256}})
}

/// What a repository serves at a moment.
#[derive(Clone)]
struct Release {
    /// Versions.
    root: u64,
    timestamp: u64,
    snapshot: u64,
    targets: u64,
    acme: u64,
    /// When the timestamp ends.
    expires: &'static str,
    /// The key that the root names for timestamps, and the one that signed this.
    timestamp_key: u8,
    timestamp_by: u8,
    /// Who signed the role of acme, and what it names.
    acme_by: u8,
    packs: Vec<(&'static str, &'static [u8])>,
}

impl Release {
    fn first() -> Self {
        Self {
            root: 1,
            timestamp: 1,
            snapshot: 1,
            targets: 1,
            acme: 1,
            expires: LATER,
            timestamp_key: TIMESTAMP,
            timestamp_by: TIMESTAMP,
            acme_by: ACME,
            packs: vec![("contrib/acme/web.swpack", b"a pack of acme")],
        }
    }

    /// All versions but that of the root one higher.
    fn next(&self) -> Self {
        Self {
            timestamp: self.timestamp + 1,
            snapshot: self.snapshot + 1,
            targets: self.targets + 1,
            acme: self.acme + 1,
            ..self.clone()
        }
    }

    fn root(&self, by: &[u8]) -> Vec<u8> {
        let role = |numbers: &[u8], threshold: usize| {
            let ids: Vec<String> = numbers.iter().map(|n| id(*n)).collect();
            json!({"keyids": ids, "threshold": threshold})
        };
        let all = ROOT
            .into_iter()
            .chain([TARGETS, SNAPSHOT, self.timestamp_key]);
        let body = json!({
            "_type": "root", "spec_version": "1.0.0", "consistent_snapshot": false,
            "version": self.root, "expires": LATER, "keys": keys(all),
            "roles": {
                "root": role(&ROOT, 2), "targets": role(&[TARGETS], 1),
                "snapshot": role(&[SNAPSHOT], 1), "timestamp": role(&[self.timestamp_key], 1),
            },
        });
        signed(&body, by)
    }

    /// A role of targets.
    fn named(version: u64, packs: &[(&str, &[u8])], delegations: Option<Value>, by: u8) -> Vec<u8> {
        let targets = packs.iter().map(|(name, content)| {
            let sha256 = Digest::of(content).to_string();
            let target = json!({"length": content.len(), "hashes": {"sha256": sha256}});
            ((*name).to_owned(), target)
        });
        let mut body = json!({
            "_type": "targets", "spec_version": "1.0.0", "version": version, "expires": LATER,
            "targets": targets.collect::<serde_json::Map<_, _>>(),
        });
        if let Some(delegations) = delegations {
            body["delegations"] = delegations;
        }
        signed(&body, &[by])
    }

    /// Metadata by name.
    fn metadata(&self) -> BTreeMap<String, Vec<u8>> {
        let role = |name: &str, n: u8| {
            json!({
                "name": name, "keyids": [id(n)], "threshold": 1, "terminating": true,
                "paths": [format!("contrib/{name}/*")],
            })
        };
        let delegations = json!({
            "keys": keys([ACME, RIVAL]), "roles": [role("acme", ACME), role("rival", RIVAL)],
        });
        let acme = Self::named(self.acme, &self.packs, None, self.acme_by);
        let rival = Self::named(
            1,
            &[("contrib/rival/dga.swpack", b"a pack of rival")],
            None,
            RIVAL,
        );
        let targets = Self::named(self.targets, &[], Some(delegations), TARGETS);
        let snapshot = json!({
            "_type": "snapshot", "spec_version": "1.0.0", "version": self.snapshot, "expires": LATER,
            "meta": {
                "targets.json": meta(self.targets, &targets),
                "acme.json": meta(self.acme, &acme), "rival.json": meta(1, &rival),
            },
        });
        let snapshot = signed(&snapshot, &[SNAPSHOT]);
        let timestamp = json!({
            "_type": "timestamp", "spec_version": "1.0.0", "version": self.timestamp,
            "expires": self.expires, "meta": {"snapshot.json": meta(self.snapshot, &snapshot)},
        });
        let timestamp = signed(&timestamp, &[self.timestamp_by]);
        let named = [
            (format!("{}.root.json", self.root), self.root(&ROOT)),
            ("timestamp.json".into(), timestamp),
            ("snapshot.json".into(), snapshot),
            ("targets.json".into(), targets),
            ("acme.json".into(), acme),
            ("rival.json".into(), rival),
        ];
        named.into_iter().collect()
    }
}

/// A shield that trusts the first root, and remembers what it saw.
struct Client {
    folder: TempDir,
    root: Vec<u8>,
}

impl Client {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["metadata", "targets", "seen"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let root = Release::first().root(&ROOT);
        Self { folder, root }
    }

    /// Puts these files where it looks; what is there otherwise stays.
    fn serve(&self, metadata: &BTreeMap<String, Vec<u8>>, packs: &[(&str, &[u8])]) {
        for (name, content) in metadata {
            fs::write(self.folder.path().join("metadata").join(name), content).unwrap();
        }
        for (name, content) in packs {
            let path = self.folder.path().join("targets").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }

    fn load(&self) -> Result<Repository, Error> {
        let at = |name: &str| self.folder.path().join(name);
        let loader = RepositoryLoader::new(&self.root, url(&at("metadata")), url(&at("targets")));
        wait(loader.datastore(at("seen")).load())
    }

    /// Loads what a release is.
    fn follow(&self, release: &Release) -> Result<Repository, Error> {
        self.serve(&release.metadata(), &release.packs);
        self.load()
    }

    /// The refusal of what is served, with its causes.
    fn refusal(&self) -> String {
        causes(&self.load().map(drop).unwrap_err())
    }
}

fn causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(&format!(": {error}"));
        next = error.source();
    }
    text
}

fn url(folder: &Path) -> Url {
    Url::from_directory_path(folder).unwrap()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}

/// A target, if the repository has it.
fn fetch(repository: &Repository, name: &str) -> Result<Option<Vec<u8>>, Error> {
    let name = TargetName::new(name).unwrap();
    wait(async {
        match repository.read_target(&name).await? {
            None => Ok(None),
            Some(stream) => stream.into_vec().await.map(Some),
        }
    })
}

#[test]
fn a_delegated_pack_is_found_and_fetched() {
    let client = Client::new();
    let first = Release::first();
    let repository = client.follow(&first).unwrap();
    let found = fetch(&repository, "contrib/acme/web.swpack").unwrap();
    assert_eq!(found.as_deref(), Some(b"a pack of acme".as_slice()));
    assert_eq!(
        fetch(&repository, "contrib/acme/other.swpack").unwrap(),
        None
    );
    // A new version is followed.
    let mut next = first.next();
    next.packs = vec![("contrib/acme/web.swpack", b"a better one")];
    let repository = client.follow(&next).unwrap();
    let found = fetch(&repository, "contrib/acme/web.swpack").unwrap();
    assert_eq!(found.as_deref(), Some(b"a better one".as_slice()));
}

#[test]
fn a_stolen_key_of_one_contributor_is_not_everybodys() {
    // Acme's key names a pack of rival: what rival's key names is taken.
    let name = "contrib/rival/dga.swpack";
    let mut release = Release::first();
    release.packs.push((name, b"not of rival"));
    let client = Client::new();
    let repository = client.follow(&release).unwrap();
    let said = causes(&fetch(&repository, name).unwrap_err());
    assert!(said.contains("Hash mismatch"), "{said}");
    client.serve(&BTreeMap::new(), &[(name, b"a pack of rival")]);
    let found = fetch(&repository, name).unwrap();
    assert_eq!(found.as_deref(), Some(b"a pack of rival".as_slice()));
    // It names what is nobody's that it could speak for. `tough` refuses the whole repository then:
    // nobody is misled, but who publishes must look before a snapshot lists such a role.
    for name in ["revocations.json", "contrib/acmeX/a.swpack"] {
        let mut release = Release::first();
        release.packs.push((name, b"not of acme"));
        let error = Client::new().follow(&release).map(drop).unwrap_err();
        assert!(
            matches!(error, Error::InvalidPath { .. }),
            "{name}: {error:?}"
        );
    }
    // Rival's key signs in acme's name.
    let mut release = Release::first();
    release.acme_by = RIVAL;
    let client = Client::new();
    client.serve(&release.metadata(), &[]);
    let error = client.load().unwrap_err();
    assert!(matches!(error, Error::VerifyMetadata { .. }), "{error:?}");
}

#[test]
fn rollback_is_refused() {
    let client = Client::new();
    let first = Release::first();
    let second = first.next();
    client.follow(&second).unwrap();
    // All of it, as it was.
    client.serve(&first.metadata(), &[]);
    let error = client.load().unwrap_err();
    assert!(matches!(error, Error::OlderMetadata { .. }), "{error:?}");
    // A new timestamp over an older snapshot.
    let mut older = first;
    older.timestamp = 9;
    client.serve(&older.metadata(), &[]);
    let error = client.load().unwrap_err();
    assert!(
        matches!(error, Error::OlderSnapshotInTimestamp { .. }),
        "{error:?}"
    );
    // New ones of both over older targets, and over an older role of a contributor.
    for (targets, acme) in [(1, 9), (9, 1)] {
        let mut older = second.clone();
        (older.timestamp, older.snapshot) = (9, 9);
        (older.targets, older.acme) = (targets, acme);
        client.serve(&older.metadata(), &[]);
        let error = client.load().unwrap_err();
        assert!(
            matches!(error, Error::SnapshotRoleRollback { .. }),
            "{error:?}"
        );
    }
}

#[test]
fn freeze_is_refused() {
    let client = Client::new();
    let mut release = Release::first();
    client.follow(&release).unwrap();
    release.timestamp = 2;
    release.expires = BEFORE;
    client.serve(&release.metadata(), &[]);
    let error = client.load().unwrap_err();
    assert!(matches!(error, Error::ExpiredMetadata { .. }), "{error:?}");
}

#[test]
fn other_content_and_endless_content_are_refused() {
    let client = Client::new();
    let release = Release::first();
    let name = "contrib/acme/web.swpack";
    let repository = client.follow(&release).unwrap();
    client.serve(&BTreeMap::new(), &[(name, b"a pack of acmE")]);
    let said = causes(&fetch(&repository, name).unwrap_err());
    assert!(said.contains("Hash mismatch"), "{said}");
    client.serve(&BTreeMap::new(), &[(name, &[b'x'; 100_000])]);
    let said = causes(&fetch(&repository, name).unwrap_err());
    assert!(
        said.contains("Maximum size") || said.contains("max"),
        "{said}"
    );
    // Metadata of any length, before anybody signed it.
    let huge = iter::repeat_n(b' ', 2 << 20).collect();
    client.serve(&BTreeMap::from([("timestamp.json".to_owned(), huge)]), &[]);
    assert!(Limits::default().max_timestamp_size < 2 << 20);
    let said = client.refusal();
    assert!(
        said.contains("Maximum size") || said.contains("max"),
        "{said}"
    );
}

#[test]
fn parts_of_two_releases_do_not_mix() {
    let first = Release::first();
    let second = first.next();
    for part in ["snapshot.json", "targets.json", "acme.json"] {
        let client = Client::new();
        let mut mixed = second.metadata();
        mixed.insert(part.to_owned(), first.metadata()[part].clone());
        client.serve(&mixed, &[]);
        let said = client.refusal();
        let named = ["Hash mismatch", "Version mismatch", "Maximum size"];
        assert!(
            named.iter().any(|name| said.contains(name)),
            "{part}: {said}"
        );
    }
}

#[test]
fn a_wrong_key_signs_nothing() {
    let mut release = Release::first();
    release.timestamp_by = THIEF;
    let client = Client::new();
    client.serve(&release.metadata(), &[]);
    let error = client.load().unwrap_err();
    assert!(matches!(error, Error::VerifyMetadata { .. }), "{error:?}");
    // One of two root keys, or others, make no root.
    let mut release = Release::first();
    (release.root, release.timestamp_key, release.timestamp_by) = (2, THIEF, THIEF);
    for by in [&ROOT[..1], &[THIEF], &[ROOT[0], THIEF], &[ROOT[0], ROOT[0]]] {
        let client = Client::new();
        let mut metadata = release.metadata();
        metadata.insert("2.root.json".into(), release.root(by));
        client.serve(&metadata, &[]);
        let error = client.load().unwrap_err();
        assert!(
            matches!(error, Error::VerifyMetadata { .. }),
            "{by:?}: {error:?}"
        );
    }
}

#[test]
fn a_stolen_key_is_replaced_and_what_it_did_is_undone() {
    const NEW: u8 = 8;
    let client = Client::new();
    client.follow(&Release::first()).unwrap();
    // Who has the key of the timestamps freezes everybody in a far version.
    let mut stolen = Release::first();
    stolen.timestamp = 1_000_000;
    client.follow(&stolen).unwrap();
    // The root names another key; what the old one signed counts for nothing, not even its version.
    let mut rotated = Release::first().next();
    (rotated.root, rotated.timestamp_key, rotated.timestamp_by) = (2, NEW, TIMESTAMP);
    client.serve(&rotated.metadata(), &[]);
    let error = client.load().unwrap_err();
    assert!(matches!(error, Error::VerifyMetadata { .. }), "{error:?}");
    rotated.timestamp_by = NEW;
    let repository = client.follow(&rotated).unwrap();
    assert_eq!(repository.root().signed.version.get(), 2);
    assert_eq!(repository.timestamp().signed.version.get(), 2);
}

/// Repositories that others made; `None`, and said, where they are not.
fn vectors(test: &str) -> Option<PathBuf> {
    let folder = testkit::shared_dir().map(|shared| shared.join("vectors/assurance/tuf"));
    let folder = folder.filter(|folder| folder.is_dir());
    if folder.is_none() {
        testkit::skip(
            test,
            "no folder vectors/assurance under SHIELDWALL_SHARED or ../shared",
        );
    }
    folder
}

fn of_others(folder: &Path, root: &str, mode: ExpirationEnforcement) -> Result<Repository, Error> {
    let root = fs::read(folder.join(root)).unwrap();
    let (metadata, targets) = (folder.join("metadata"), folder.join("targets"));
    let loader = RepositoryLoader::new(&root, url(&metadata), url(&targets));
    wait(loader.expiration_enforcement(mode).load())
}

#[test]
fn the_roots_of_sigstore_are_followed_and_their_end_is_seen() {
    let Some(folder) = vectors("the_roots_of_sigstore_are_followed_and_their_end_is_seen") else {
        return;
    };
    let folder = folder.join("conformance-static/sigstore-root-signing");
    // `tough` takes the time from the system, which is after the end of this copy. What its signatures
    // and versions come to is seen without the time.
    let read = of_others(&folder, "initial_root.json", ExpirationEnforcement::Unsafe).unwrap();
    assert_eq!(read.root().signed.version.get(), 12);
    assert_eq!(read.timestamp().signed.version.get(), 272);
    let name = "trusted_root.json";
    let content = read
        .targets()
        .signed
        .targets
        .keys()
        .any(|target| target.raw() == name);
    assert!(content, "{name} is listed");
    // When it was copied, nothing of it was over.
    let copied = fs::read_to_string(folder.join("faketime")).unwrap();
    let (day, _) = copied.trim().split_once([' ', 'T']).unwrap();
    let ends = [
        read.root().signed.expires.to_string(),
        read.timestamp().signed.expires.to_string(),
        read.snapshot().signed.expires.to_string(),
        read.targets().signed.expires.to_string(),
    ];
    assert!(ends.iter().all(|end| end.as_str() > day), "{ends:?}");
    let error = of_others(&folder, "initial_root.json", ExpirationEnforcement::Safe).unwrap_err();
    assert!(matches!(error, Error::ExpiredMetadata { .. }), "{error:?}");
}

#[test]
fn repositories_of_others_are_read_and_roots_that_are_none_are_not() {
    let test = "repositories_of_others_are_read_and_roots_that_are_none_are_not";
    let Some(folder) = vectors(test) else {
        return;
    };
    let folder = folder.join("tough");
    let reference = of_others(
        &folder.join("tuf-reference-impl"),
        "metadata/1.root.json",
        ExpirationEnforcement::Safe,
    );
    let reference = reference.unwrap();
    for name in ["file1.txt", "file2.txt", "file3.txt"] {
        let content = fs::read(folder.join("tuf-reference-impl/targets").join(name)).unwrap();
        // The last one stands in a role that a role delegates to.
        assert_eq!(fetch(&reference, name).unwrap(), Some(content), "{name}");
    }
    for name in [
        "consistent-snapshots",
        "dubious-role-names",
        "safe-target-paths",
    ] {
        let read = of_others(
            &folder.join(name),
            "metadata/1.root.json",
            ExpirationEnforcement::Safe,
        );
        assert!(read.is_ok(), "{name}: {read:?}");
    }
    let of_root = |name: &str| {
        of_others(&folder.join(name), "root.json", ExpirationEnforcement::Safe).unwrap_err()
    };
    for name in [
        "duplicate-keyid",
        "duplicate-sigs",
        "invalid-root-json-signature",
        "mismatched-root-json-keyids",
        "no-root-json-signatures",
    ] {
        let error = of_root(name);
        let refused = matches!(
            error,
            Error::ParseTrustedMetadata { .. } | Error::VerifyTrustedMetadata { .. }
        );
        assert!(refused, "{name}: {error:?}");
    }
    // These roots are right: what is missing is the repository.
    for name in [
        "ecdsa-new-type-sig-keys",
        "hex-encoded-ecdsa-sig-keys",
        "pem-encoded-ecdsa-sig-keys",
        "simple-rsa",
    ] {
        let error = of_root(name);
        assert!(
            matches!(
                error,
                Error::Transport { .. } | Error::ExpiredMetadata { .. }
            ),
            "{name}: {error:?}"
        );
    }
}
