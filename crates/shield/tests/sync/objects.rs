//! Objects and the log that a hub would send them from.

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use serde_json::json;
use stix::{Object, StixId, Timestamp};
use taxii::active::{ActiveSet, Change};
use taxii::push::{
    self, Digest, Entry, EventKind, Frame, Hello, Lane, LaneDigest, PublicKey, Signed,
};

pub(crate) type Item = (EventKind, &'static str, String);

pub(crate) fn entry(source: &'static str, object: &str) -> Item {
    (EventKind::Accept, source, object.to_owned())
}

pub(crate) fn id(n: u8) -> StixId {
    StixId::v5("indicator", &n.to_string())
}

/// An indicator that asks to drop an address for a minute: 192.0.2.n, or, for 53, one that the
/// shield protects.
pub(crate) fn indicator(n: u8) -> String {
    let address = if n == 53 {
        "203.0.113.53".to_owned()
    } else {
        format!("192.0.2.{n}")
    };
    let mut value = base(&id(n), &format!("[ipv4-addr:value = '{address}']"));
    let until = moment().plus(std::time::Duration::from_secs(60));
    value["valid_until"] = json!(until.to_string());
    value["extensions"] = json!({ stix::lease::EXTENSION_ID: {
        "extension_type": "property-extension",
        "selector": { "source": format!("{address}/32") },
        "action": "drop",
        "ttl_s": 60,
        "evidence": "exploit",
        "detector": "test@1",
    }});
    value.to_string()
}

pub(crate) fn plain(pattern: &str) -> String {
    base(&StixId::v5("indicator", pattern), pattern).to_string()
}

pub(crate) fn revoked(object: &str) -> String {
    let mut value: serde_json::Value = serde_json::from_str(object).unwrap();
    value["revoked"] = json!(true);
    value["modified"] = json!(moment().plus(std::time::Duration::from_secs(1)).to_string());
    value.to_string()
}

/// What stands for an object that was destroyed.
pub(crate) fn tombstone(object: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(object).unwrap();
    json!({ "type": value["type"], "id": value["id"], "modified": value["modified"] }).to_string()
}

pub(crate) fn sighting(n: u8) -> String {
    let mut value: serde_json::Value = serde_json::from_str(&indicator(n)).unwrap();
    let map = value.as_object_mut().unwrap();
    for key in [
        "pattern",
        "pattern_type",
        "valid_from",
        "valid_until",
        "confidence",
    ] {
        map.remove(key);
    }
    map.insert("type".into(), json!("sighting"));
    map.insert("id".into(), json!(StixId::v5("sighting", &n.to_string())));
    map.insert("sighting_of_ref".into(), json!(id(n)));
    value.to_string()
}

pub(crate) fn parsed(object: &str) -> Object {
    Object::parse(object.as_bytes(), &stix::Limits::default()).unwrap()
}

fn base(id: &StixId, pattern: &str) -> serde_json::Value {
    json!({
        "type": "indicator",
        "spec_version": "2.1",
        "id": id,
        "created": moment().to_string(),
        "modified": moment().to_string(),
        "pattern": pattern,
        "pattern_type": "stix",
        "valid_from": moment().to_string(),
        "confidence": 90,
    })
}

/// The start of the test run: the same object has the same bytes each time.
fn moment() -> Timestamp {
    static START: std::sync::OnceLock<Timestamp> = std::sync::OnceLock::new();
    *START.get_or_init(|| shield::clock::Now::read().wall)
}

/// One community's log as one partner sees it.
pub(crate) struct Log {
    lanes: [(u64, ActiveSet); 2],
    frames: Vec<Sent>,
}

/// A frame ready to be sent, with the cursor after it.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) data: String,
    pub(crate) cursor: String,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self {
            lanes: Default::default(),
            frames: Vec::new(),
        }
    }

    pub(crate) fn community(&mut self, items: Vec<Item>) -> Sent {
        self.append(Lane::Community, items, false)
    }

    pub(crate) fn addressed(&mut self, items: Vec<Item>) -> Sent {
        self.append(Lane::Addressed, items, false)
    }

    pub(crate) fn stale(&mut self, items: Vec<Item>) -> Sent {
        self.append(Lane::Community, items, true)
    }

    pub(crate) fn last_frame(&self) -> Sent {
        self.frames.last().unwrap().clone()
    }

    pub(crate) fn all_frames(&self) -> Vec<Sent> {
        self.frames.clone()
    }

    pub(crate) fn position(&self, lane: Lane) -> u64 {
        self.lanes[slot(lane)].0
    }

    pub(crate) fn cursor(&self) -> String {
        format!("cursor-{}-{}", self.lanes[0].0, self.lanes[1].0)
    }

    pub(crate) fn hello(&self) -> Hello {
        Hello {
            community: "default".into(),
            epoch: 1,
            key: PublicKey::of(&pair()).unwrap().to_text(),
            cursor: self.cursor(),
        }
    }

    pub(crate) fn digests(&mut self) -> [Digest; 2] {
        let at = shield::clock::Now::read().wall;
        let [community, addressed] = &mut self.lanes;
        let of = |lane: &mut (u64, ActiveSet)| -> Option<LaneDigest> {
            Some(lane.1.lane_digest(at, lane.0))
        };
        [
            Digest {
                at,
                community: of(community),
                addressed: None,
            },
            Digest {
                at,
                community: None,
                addressed: of(addressed),
            },
        ]
    }

    /// What would come next, signed for another payload.
    pub(crate) fn forged_signature(&self, items: Vec<Item>) -> Sent {
        let honest = self.next(Lane::Community, vec![], "default", 1);
        let forged = sign(&self.next(Lane::Community, items, "default", 1), &pair());
        let sig = sign(&honest, &pair()).sig;
        self.sent(&Signed { sig, ..forged })
    }

    pub(crate) fn other_key(&self, items: Vec<Item>) -> Sent {
        let other = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap();
        self.sent(&sign(
            &self.next(Lane::Community, items, "default", 1),
            &other,
        ))
    }

    pub(crate) fn other_community(&self, items: Vec<Item>) -> Sent {
        self.sent(&sign(
            &self.next(Lane::Community, items, "elsewhere", 1),
            &pair(),
        ))
    }

    pub(crate) fn other_epoch(&self, items: Vec<Item>) -> Sent {
        self.sent(&sign(
            &self.next(Lane::Community, items, "default", 2),
            &pair(),
        ))
    }

    fn append(&mut self, lane: Lane, items: Vec<Item>, stale: bool) -> Sent {
        let mut frame = self.next(lane, items, "default", 1);
        let (position, active) = &mut self.lanes[slot(lane)];
        for entry in &mut frame.entries {
            entry.stale = stale;
            if entry.event == EventKind::Erase {
                active.apply(&Change::erased(entry, &entry.tombstone().unwrap()));
            } else {
                active.apply(&Change::of(entry, &parsed(entry.object.get())));
            }
        }
        *position = frame.to;
        let sent = self.sent(&sign(&frame, &pair()));
        self.frames.push(sent.clone());
        sent
    }

    fn next(&self, lane: Lane, items: Vec<Item>, community: &str, epoch: u64) -> Frame {
        let from = self.position(lane);
        let entries = items
            .into_iter()
            .enumerate()
            .map(|(n, (event, source, object))| Entry {
                event,
                source: source.into(),
                date_added: moment().plus(std::time::Duration::from_micros(from + n as u64)),
                stale: false,
                object: serde_json::value::RawValue::from_string(object).unwrap(),
            });
        let entries: Vec<Entry> = entries.collect();
        let to = from + entries.len() as u64;
        Frame {
            community: community.into(),
            epoch,
            lane,
            from,
            to,
            entries,
        }
    }

    fn sent(&self, signed: &Signed) -> Sent {
        Sent {
            data: serde_json::to_string(signed).unwrap(),
            cursor: self.cursor(),
        }
    }
}

pub(crate) fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

/// Base64, for those who need to write it by hand.
pub(crate) fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn sign(frame: &Frame, pair: &Ed25519KeyPair) -> Signed {
    push::sign(frame, pair).unwrap()
}

fn slot(lane: Lane) -> usize {
    usize::from(lane == Lane::Addressed)
}
