//! The `ssh` record.

use super::transaction::{Peer, Session};
use crate::applayer::{AppProto, Transaction};
use crate::json::Object;
use crate::sensor::Part;
use crate::settings::Setting;

impl Transaction for Session {
    fn app(&self) -> AppProto {
        AppProto::Ssh
    }

    fn id(&self) -> u32 {
        self.tx_id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    /// Banners and proposals were told as they came.
    fn parts(&self) -> &'static [Part] {
        &[]
    }

    fn log(&self, record: &mut Object<'_>, _: Setting<'_>) {
        record.object("ssh", |object| {
            for (key, one) in [("client", &self.client), ("server", &self.server)] {
                if !one.protocol.is_empty() || one.hassh.is_some() {
                    object.object(key, |object| peer(object, one, self.options.hassh));
                }
            }
        });
    }
}

fn peer(object: &mut Object<'_>, peer: &Peer, hassh: bool) {
    object.bytes("proto_version", &peer.protocol);
    if !peer.software.is_empty() {
        object.bytes("software_version", &peer.software);
    }
    if let (true, Some(text), Some(hash)) = (hassh, &peer.hassh, peer.hassh_hash()) {
        object.object("hassh", |object| {
            object.text("hash", &hash);
            object.text("string", text);
        });
    }
}
