//! Push: Server-Sent Events from a hub to those who follow it.
//!
//! A partner follows two lanes, each with positions of its own: what the whole community may see,
//! and what is addressed to that partner. A [`Frame`] carries the entries of one lane between two
//! positions, so a follower sees a gap without asking; a [`Digest`] says what the live set of each
//! lane comes to at a position, so it also sees a wrong set. Frames are signed by the hub over the
//! exact bytes of their payload: whoever relays them needs no trust.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use stix::{StixId, Timestamp};

/// Name of the first event of a stream; its data is a [`Hello`].
pub const EVENT_HELLO: &str = "hello";
/// Name of an event whose data is a [`Signed`] frame; its SSE `id` is the cursor after it.
pub const EVENT_FRAME: &str = "frame";
/// Name of an event whose data is a [`Digest`].
pub const EVENT_DIGEST: &str = "digest";
/// Name of the last event of a stream whose cursor cannot be continued; its data is a [`Trimmed`].
pub const EVENT_TRIMMED: &str = "trimmed";

/// Largest signed frame that [`verify`] reads, in bytes of its JSON.
pub const FRAME_BYTES_MAX: usize = 16 << 20;
/// Most entries in one frame; senders split, [`verify`] refuses more.
pub const FRAME_ENTRIES_MAX: usize = 1024;

/// What happened to the visibility of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// The object was accepted.
    Accept,
    /// More partners may see the object than before; those who gain it get it now.
    Widen,
    /// Fewer partners may see the object; those who lose it get this event.
    Narrow,
    /// The source withdrew the object: a version with `revoked: true`.
    Revoke,
    /// A version of the object was destroyed and must be destroyed by those who hold it. The entry
    /// carries a [`Tombstone`] instead of the object, and so do earlier entries of it from then on.
    Erase,
}

/// One of the two sequences of a partner's view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// What every enrolled partner may see.
    Community,
    /// What this partner alone, or with others named by the source, may see.
    Addressed,
}

/// One visibility event and the object it is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// What happened.
    pub event: EventKind,
    /// The partner that shared the object.
    pub source: String,
    /// When the hub added it to this lane; strictly increasing in it.
    pub date_added: Timestamp,
    /// True for a version older than one already in this lane: history, not to be acted upon.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
    /// The object, byte for byte as its source wrote it.
    pub object: Box<RawValue>,
}

/// What an `erase` entry says of the version that is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// The object's identifier.
    pub id: StixId,
    /// Its version.
    pub modified: Timestamp,
}

impl Entry {
    /// Reads the tombstone of an `erase` entry.
    ///
    /// # Errors
    /// [`PushError::Malformed`]: the hub's fault.
    pub fn tombstone(&self) -> Result<Tombstone, PushError> {
        serde_json::from_str(self.object.get()).map_err(malformed)
    }
}

/// The entries of one lane after position `from` up to and including position `to`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Frame {
    /// Name of the community whose log this is.
    pub community: String,
    /// Epoch of the log; positions of different epochs do not compare.
    pub epoch: u64,
    /// Which lane.
    pub lane: Lane,
    /// Position before the first entry: what the follower must have already.
    pub from: u64,
    /// Position of the last entry; `to - from` is the number of entries.
    pub to: u64,
    /// The entries, in order of position.
    pub entries: Vec<Entry>,
}

/// A frame under the signature of its hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Base64 of the frame's JSON; the signature covers the decoded bytes.
    pub payload: String,
    /// [`PublicKey::id`] of the signing key.
    pub key: String,
    /// Base64 of the Ed25519 signature (RFC 8032).
    pub sig: String,
}

/// First event of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Name of the community whose log this is.
    pub community: String,
    /// Epoch of the log.
    pub epoch: u64,
    /// The key that frames are signed with, as [`PublicKey::to_text`]. A shield compares it with
    /// the one that it enrolled with and never takes a new one from here.
    pub key: String,
    /// The cursor that the stream starts from.
    pub cursor: String,
}

/// What the live sets of a view come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// The moment that decides which indicators have expired.
    pub at: Timestamp,
    /// The community lane, when it has one to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub community: Option<LaneDigest>,
    /// The addressed lane, when it has one to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addressed: Option<LaneDigest>,
}

/// What the live set of one lane comes to; only a follower at the same position can compare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneDigest {
    /// Position up to which the lane is summed up.
    pub position: u64,
    /// Live indicators in the lane.
    pub active: u64,
    /// [`crate::ActiveSet::digest`] in lower-case hexadecimal.
    pub digest: String,
}

/// Why a stream cannot continue from a cursor. The follower starts anew from nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trimmed {
    /// For people.
    pub why: String,
    /// Epoch of the log now.
    pub epoch: u64,
}

/// A hub's public signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The public half of a key pair.
    ///
    /// # Errors
    /// [`PushError::Key`] if the pair's public key is not 32 bytes long, which Ed25519 rules out.
    pub fn of(pair: &Ed25519KeyPair) -> Result<Self, PushError> {
        Self::from_bytes(pair.public_key().as_ref())
    }

    /// From its 32 bytes.
    ///
    /// # Errors
    /// [`PushError::Key`] for any other length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PushError> {
        bytes.try_into().map(Self).map_err(|_| PushError::Key)
    }

    /// Reads what [`PublicKey::to_text`] wrote.
    ///
    /// # Errors
    /// [`PushError::Key`] if it is not base64 of 32 bytes.
    pub fn from_text(text: &str) -> Result<Self, PushError> {
        let bytes = BASE64.decode(text).map_err(|_| PushError::Key)?;
        Self::from_bytes(&bytes)
    }

    /// Base64 of the key.
    pub fn to_text(&self) -> String {
        BASE64.encode(self.0)
    }

    /// A short name for the key: the first 8 bytes of its SHA-256, in hexadecimal.
    pub fn id(&self) -> String {
        digest(&SHA256, &self.0)
            .as_ref()
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The 32 bytes of the key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Why a frame cannot be signed or is not to be believed.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The hub's fault: a frame that cannot be written as JSON.
    #[error("the frame cannot be written: {0}")]
    Write(serde_json::Error),
    /// The sender's fault: longer than [`FRAME_BYTES_MAX`] or more than [`FRAME_ENTRIES_MAX`].
    #[error("the frame is larger than {FRAME_BYTES_MAX} bytes or {FRAME_ENTRIES_MAX} entries")]
    TooLarge,
    /// The sender's fault: not a signed frame.
    #[error("not a signed frame: {0}")]
    Malformed(String),
    /// Signed with another key than the one enrolled with; enrol anew if the hub changed its key.
    #[error("signed with key {0}, which is not the hub's; enrol anew if the hub changed its key")]
    OtherKey(String),
    /// Not what the hub signed.
    #[error("the signature does not match the payload")]
    BadSignature,
    /// The hub's fault: positions and entries disagree.
    #[error("positions {from} to {to} do not fit {entries} entries")]
    Positions {
        /// Claimed position before the first entry.
        from: u64,
        /// Claimed position of the last entry.
        to: u64,
        /// Entries in the frame.
        entries: usize,
    },
    /// Not a 32-byte Ed25519 key.
    #[error("not an Ed25519 public key: base64 of 32 bytes is wanted")]
    Key,
}

/// Signs a frame.
///
/// # Errors
/// [`PushError::TooLarge`], [`PushError::Write`]: split the frame.
pub fn sign(frame: &Frame, pair: &Ed25519KeyPair) -> Result<Signed, PushError> {
    check_shape(frame)?;
    let payload = serde_json::to_vec(frame).map_err(PushError::Write)?;
    Ok(Signed {
        key: PublicKey::of(pair)?.id(),
        sig: BASE64.encode(pair.sign(&payload)),
        payload: BASE64.encode(&payload),
    })
}

/// Reads a signed frame (the data of a `frame` event) and checks it against the hub's key.
///
/// # Errors
/// Any [`PushError`] but `Write`; nothing of the frame may be used then.
pub fn verify(signed: &[u8], key: &PublicKey) -> Result<Frame, PushError> {
    if signed.len() > FRAME_BYTES_MAX {
        return Err(PushError::TooLarge);
    }
    let signed: Signed = serde_json::from_slice(signed).map_err(malformed)?;
    if signed.key != key.id() {
        return Err(PushError::OtherKey(signed.key));
    }
    let payload = BASE64.decode(&signed.payload).map_err(malformed)?;
    let signature = BASE64.decode(&signed.sig).map_err(malformed)?;
    UnparsedPublicKey::new(&ED25519, key.0)
        .verify(&payload, &signature)
        .map_err(|_| PushError::BadSignature)?;
    let frame: Frame = serde_json::from_slice(&payload).map_err(malformed)?;
    check_shape(&frame)?;
    Ok(frame)
}

fn malformed(error: impl std::fmt::Display) -> PushError {
    PushError::Malformed(error.to_string())
}

fn check_shape(frame: &Frame) -> Result<(), PushError> {
    let entries = frame.entries.len();
    if entries > FRAME_ENTRIES_MAX {
        return Err(PushError::TooLarge);
    }
    let fits = frame.to.checked_sub(frame.from) == u64::try_from(entries).ok();
    if fits {
        Ok(())
    } else {
        Err(PushError::Positions {
            from: frame.from,
            to: frame.to,
            entries,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
    }

    fn frame() -> Frame {
        let object = r#"{ "type":"indicator",  "x_odd" : 1.50e0 }"#;
        Frame {
            community: "default".into(),
            epoch: 7,
            lane: Lane::Community,
            from: 41,
            to: 42,
            entries: vec![Entry {
                event: EventKind::Accept,
                source: "alpha".into(),
                date_added: Timestamp::from_micros(1_000_001),
                stale: false,
                object: RawValue::from_string(object.into()).unwrap(),
            }],
        }
    }

    #[test]
    fn a_signed_frame_comes_back_with_its_objects_byte_for_byte() {
        let signed = serde_json::to_vec(&sign(&frame(), &pair(1)).unwrap()).unwrap();
        let read = verify(&signed, &PublicKey::of(&pair(1)).unwrap()).unwrap();
        assert_eq!(
            read.entries[0].object.get(),
            frame().entries[0].object.get()
        );
        assert_eq!((read.from, read.to, read.epoch), (41, 42, 7));
    }

    #[test]
    fn every_flipped_byte_of_payload_or_signature_is_refused() {
        let signed = sign(&frame(), &pair(1)).unwrap();
        let key = PublicKey::of(&pair(1)).unwrap();
        for (field, bytes) in [("payload", &signed.payload), ("sig", &signed.sig)] {
            let original = BASE64.decode(bytes).unwrap();
            for at in 0..original.len() {
                let mut changed = original.clone();
                changed[at] ^= 0x20;
                let mut forged = signed.clone();
                match field {
                    "payload" => forged.payload = BASE64.encode(&changed),
                    _ => forged.sig = BASE64.encode(&changed),
                }
                let forged = serde_json::to_vec(&forged).unwrap();
                assert!(
                    matches!(verify(&forged, &key), Err(PushError::BadSignature)),
                    "{field} {at}"
                );
            }
        }
    }

    #[test]
    fn another_hubs_key_is_refused_whatever_name_it_claims() {
        let key = PublicKey::of(&pair(1)).unwrap();
        let mut signed = sign(&frame(), &pair(2)).unwrap();
        let as_sent = serde_json::to_vec(&signed).unwrap();
        assert!(matches!(
            verify(&as_sent, &key),
            Err(PushError::OtherKey(_))
        ));
        signed.key = key.id();
        let renamed = serde_json::to_vec(&signed).unwrap();
        assert!(matches!(
            verify(&renamed, &key),
            Err(PushError::BadSignature)
        ));
    }

    #[test]
    fn positions_that_do_not_fit_the_entries_are_refused_even_when_signed() {
        let wrong = Frame { to: 50, ..frame() };
        assert!(matches!(
            sign(&wrong, &pair(1)),
            Err(PushError::Positions { entries: 1, .. })
        ));
        let payload = serde_json::to_vec(&wrong).unwrap();
        let signed = Signed {
            key: PublicKey::of(&pair(1)).unwrap().id(),
            sig: BASE64.encode(pair(1).sign(&payload)),
            payload: BASE64.encode(&payload),
        };
        let bytes = serde_json::to_vec(&signed).unwrap();
        let verdict = verify(&bytes, &PublicKey::of(&pair(1)).unwrap());
        assert!(matches!(
            verdict,
            Err(PushError::Positions {
                from: 41,
                to: 50,
                ..
            })
        ));
    }

    #[test]
    fn keys_read_back_from_text() {
        let key = PublicKey::of(&pair(3)).unwrap();
        assert_eq!(PublicKey::from_text(&key.to_text()).unwrap(), key);
        assert!(PublicKey::from_text("AAAA").is_err());
    }
}
