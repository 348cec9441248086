//! BitTorrent's distributed hash table (BEP 5, BEP 32) over UDP.

mod bencode;
mod log;
mod message;
mod parser;

pub use bencode::DEPTH_MAX;
pub use message::{Message, Node, Peer, Query, Reply};

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::BittorrentDht,
    name: "bittorrent-dht",
    probe: parser::probe,
    start: parser::start,
};

#[cfg(test)]
mod tests;
