//! The `bittorrent_dht` record.

use super::message::{Message, Node, Peer, Query, Reply};
use crate::applayer::{AppProto, Transaction};
use crate::bytes::hex;
use crate::eve::address;
use crate::flow::Direction;
use crate::json::Object;
use crate::sensor::Part;
use crate::settings::Setting;

impl Transaction for Message {
    fn app(&self) -> AppProto {
        AppProto::BittorrentDht
    }

    fn id(&self) -> u32 {
        self.tx_id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    fn direction(&self) -> Direction {
        self.direction
    }

    fn parts(&self) -> &'static [Part] {
        Part::of(self.direction())
    }

    fn record_type(&self) -> &'static str {
        "bittorrent_dht"
    }

    fn log(&self, record: &mut Object<'_>, _: Setting<'_>) {
        record.object("bittorrent_dht", |object| {
            object.text("transaction_id", &hex(&self.transaction_id));
            if let Some(version) = &self.client_version {
                object.text("client_version", &hex(version));
            }
            if let Some((name, query)) = &self.query {
                object.bytes("request_type", name);
                object.object("request", |object| write_query(object, query));
            }
            if let Some(reply) = &self.reply {
                object.object("response", |object| write_reply(object, reply));
            }
            if let Some((code, text)) = &self.error {
                object.object("error", |object| {
                    object.number("num", *code);
                    object.bytes("msg", text);
                });
            }
        });
    }
}

fn write_query(object: &mut Object<'_>, query: &Query) {
    object.text("id", &hex(&query.id));
    for (name, value) in [
        ("target", &query.target),
        ("info_hash", &query.info_hash),
        ("token", &query.token),
    ] {
        if let Some(value) = value {
            object.text(name, &hex(value));
        }
    }
    if let Some(implied) = query.implied_port {
        object.number("implied_port", implied);
    }
    if let Some(port) = query.port {
        object.number("port", port);
    }
}

fn write_reply(object: &mut Object<'_>, reply: &Reply) {
    object.text("id", &hex(&reply.id));
    for (name, nodes) in [("nodes", &reply.nodes), ("nodes6", &reply.nodes6)] {
        if !nodes.is_empty() {
            object.objects(name, nodes, |object, Node { id, peer }| {
                object.text("id", &hex(id));
                write_peer(object, peer);
            });
        }
    }
    if !reply.values.is_empty() {
        object.objects("values", &reply.values, write_peer);
    }
    if let Some(token) = &reply.token {
        object.text("token", &hex(token));
    }
}

fn write_peer(object: &mut Object<'_>, peer: &Peer) {
    object.text("ip", &address(peer.ip));
    object.number("port", peer.port);
}
