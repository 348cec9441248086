//! Frames: a batch of a lane, signed, in the bytes that every follower of the lane gets.

use crate::error::HubError;
use crate::secrets;
use crate::tls::unusable;
use aws_lc_rs::signature::Ed25519KeyPair;
use bytes::Bytes;
use exchange::LaneBatch;
use serde_json::value::RawValue;
use std::path::Path;
use taxii::push::{self, Entry, EventKind, Frame, Lane, PublicKey};

/// The hub's signing key, and what it signs for.
#[derive(Debug)]
pub(crate) struct Signer {
    pair: Ed25519KeyPair,
    public: String,
    community: String,
    epoch: u64,
}

impl Signer {
    /// Opens the key of a data folder; the first caller makes it.
    pub(crate) fn open(data: &Path, community: &str, epoch: u64) -> Result<Self, HubError> {
        let bytes = secrets::load_or_create(&data.join("keys/frames.pkcs8"), || {
            let pair = Ed25519KeyPair::generate().map_err(unusable)?;
            Ok(pair.to_pkcs8v1().map_err(unusable)?.as_ref().to_vec())
        })?;
        let pair = Ed25519KeyPair::from_pkcs8(&bytes).map_err(unusable)?;
        let public = PublicKey::of(&pair).map_err(unusable)?.to_text();
        Ok(Self {
            pair,
            public,
            community: community.to_owned(),
            epoch,
        })
    }

    /// The public key as partners keep it.
    pub(crate) fn public_text(&self) -> &str {
        &self.public
    }

    /// The batch as an SSE event without its `id`; signed once, shared by all who follow the lane.
    /// `None` when it cannot be written, which is logged: the stream must end rather than skip.
    pub(crate) fn frame(&self, batch: &LaneBatch) -> Option<Bytes> {
        if let Some(made) = batch.bytes.get() {
            return Some(made.clone());
        }
        match self.make(batch) {
            Ok(bytes) => Some(batch.bytes.get_or_init(|| bytes).clone()),
            Err(error) => {
                tracing::error!(%error, from = batch.from, to = batch.to, "frame not made");
                None
            }
        }
    }

    fn make(&self, batch: &LaneBatch) -> Result<Bytes, push::PushError> {
        let entries: Result<Vec<Entry>, _> = batch.entries.iter().map(entry).collect();
        let frame = Frame {
            community: self.community.clone(),
            epoch: self.epoch,
            lane: lane(batch.lane),
            from: batch.from,
            to: batch.to,
            entries: entries.map_err(push::PushError::Write)?,
        };
        let signed = push::sign(&frame, &self.pair)?;
        let json = serde_json::to_string(&signed).map_err(push::PushError::Write)?;
        Ok(Bytes::from(format!(
            "event: {}\ndata: {json}\n\n",
            push::EVENT_FRAME
        )))
    }
}

pub(crate) const fn event_kind(event: exchange::EventKind) -> EventKind {
    match event {
        exchange::EventKind::Accept => EventKind::Accept,
        exchange::EventKind::Widen => EventKind::Widen,
        exchange::EventKind::Narrow => EventKind::Narrow,
        exchange::EventKind::Revoke => EventKind::Revoke,
        exchange::EventKind::Erase => EventKind::Erase,
    }
}

const fn lane(lane: exchange::Lane) -> Lane {
    match lane {
        exchange::Lane::Community => Lane::Community,
        exchange::Lane::Addressed => Lane::Addressed,
    }
}

fn entry(entry: &exchange::Entry) -> Result<Entry, serde_json::Error> {
    Ok(Entry {
        event: event_kind(entry.event),
        source: entry.source.to_string(),
        date_added: entry.date_added,
        stale: entry.stale,
        object: serde_json::from_slice::<Box<RawValue>>(&entry.raw)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::OnceLock;
    use stix::{StixId, Timestamp};

    fn batch(raw: &'static str) -> LaneBatch {
        let entry = exchange::Entry {
            event: exchange::EventKind::Accept,
            lane: exchange::Lane::Community,
            position: 1,
            source: "alpha".into(),
            date_added: Timestamp::EPOCH,
            stale: false,
            id: StixId::v5("indicator", "x"),
            version: Timestamp::EPOCH,
            valid_until: None,
            spec_version: None,
            raw: Bytes::from_static(raw.as_bytes()),
        };
        let lane = exchange::Lane::Community;
        LaneBatch {
            lane,
            from: 0,
            to: 1,
            entries: vec![entry],
            bytes: OnceLock::new(),
        }
    }

    #[test]
    fn a_frame_is_one_event_signed_once_and_keeps_objects_byte_for_byte() {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::open(folder.path(), "default", 3).unwrap();
        let batch = batch("{\"type\":\"indicator\",\n \"n\": 1.0}");
        let bytes = signer.frame(&batch).unwrap();
        assert_eq!(
            bytes.as_ptr(),
            signer.frame(&batch).unwrap().as_ptr(),
            "the same bytes"
        );
        let text = std::str::from_utf8(&bytes).unwrap();
        let data = text
            .strip_prefix("event: frame\ndata: ")
            .unwrap()
            .strip_suffix("\n\n")
            .unwrap();
        assert!(!data.contains('\n'));
        let key = PublicKey::from_text(signer.public_text()).unwrap();
        let frame = push::verify(data.as_bytes(), &key).unwrap();
        assert_eq!((frame.epoch, frame.from, frame.to), (3, 0, 1));
        assert_eq!(
            frame.entries[0].object.get(),
            "{\"type\":\"indicator\",\n \"n\": 1.0}"
        );
        let again = Signer::open(folder.path(), "default", 3).unwrap();
        assert_eq!(again.public_text(), signer.public_text());
    }
}
