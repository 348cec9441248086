//! Packs for tests: the web pack that comes with Shieldwall, under another manifest and a key of ours.

use pack::key::SigningKey;
use pack::{Limits, Trust, Unverified, VerifiedPack};
use serde_json::{Value, json};
use stix::Timestamp;

const WEB_ATTACK: &[u8] = include_bytes!("../../../../models/packs/web-attack.swpack");
/// A request that its model finds something in, and one that it does not.
pub(crate) const ATTACK: &[u8] =
    b"GET /item.php?id=-1%27+UNION+SELECT+1,concat(user(),0x3a,version()),3+FROM+information_schema.tables--+- HTTP/1.1\r\nHost: www.victim.example\r\n\r\n";
pub(crate) const BENIGN: &[u8] =
    b"GET /shop/list?page=2&sort=price HTTP/1.1\r\nHost: www.victim.example\r\n\r\n";

fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32]).unwrap()
}

/// When packs are judged.
pub(crate) fn now() -> Timestamp {
    "2026-12-01T00:00:00.000Z".parse().unwrap()
}

/// A trust file in our key.
pub(crate) fn trust_text() -> String {
    let public = key().public().to_text();
    format!("threshold = 1\n[[key]]\nholder = \"Example CERT\"\npublic = \"{public}\"\n")
}

/// The web pack with a manifest that `edit` changed, as our publisher signs it.
pub(crate) fn repacked(sequence: u64, edit: impl FnOnce(&mut Value)) -> Vec<u8> {
    let limits = Limits::default();
    let files = pack::archive::read(WEB_ATTACK, &limits).unwrap();
    let mut manifest: Value = serde_json::from_slice(files[&"pack.json".parse().unwrap()]).unwrap();
    manifest["created"] = json!("2020-01-01T00:00:00.000Z");
    manifest["expires"] = json!("9000-01-01T00:00:00.000Z");
    manifest["publisher"] = json!("Example CERT");
    manifest["name"] = json!("web");
    manifest["sequence"] = json!(sequence);
    manifest["version"] = json!(format!("1.0.{sequence}"));
    edit(&mut manifest);
    let manifest = manifest.as_object_mut().unwrap();
    manifest.remove("schema");
    manifest.remove("files");
    let manifest = serde_json::to_vec(manifest).unwrap();
    let mut kept: pack::archive::Files<'_> = files
        .iter()
        .filter(|(path, _)| path.as_str().starts_with("models/"))
        .map(|(path, content)| (path.clone(), *content))
        .collect();
    kept.insert("pack.json".parse().unwrap(), &manifest);
    let bytes = pack::build(&kept, &limits).unwrap();
    pack::sign(&bytes, &key(), &limits).unwrap()
}

/// A pack that was verified.
pub(crate) fn verified(bytes: &[u8]) -> VerifiedPack {
    let trust = Trust::read(&trust_text()).unwrap();
    super::verified(bytes, &trust, &std::collections::BTreeMap::new(), now()).unwrap()
}

/// The digest of a pack.
pub(crate) fn digest(bytes: &[u8]) -> pack::Digest {
    Unverified::read(bytes, &Limits::default()).unwrap().digest
}
