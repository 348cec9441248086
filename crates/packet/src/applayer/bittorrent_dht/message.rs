//! Messages (KRPC, BEP 5).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bencode::Value;
use crate::bytes::be16;
use crate::flow::Direction;

/// A message: a query, the answer to one, or an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub(super) tx_id: u32,
    pub(super) first_ts_ns: u64,
    pub(super) direction: Direction,
    /// What pairs query and answer, as the asking node chose it; empty where it is missing.
    pub transaction_id: Vec<u8>,
    /// Program and version, where told.
    pub client_version: Option<Vec<u8>>,
    /// What is asked, with its name.
    pub query: Option<(Vec<u8>, Query)>,
    /// What is answered.
    pub reply: Option<Reply>,
    /// Code and text of an error.
    pub error: Option<(u16, Vec<u8>)>,
}

/// Arguments of a query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// The asking node.
    pub id: Vec<u8>,
    /// Node looked for.
    pub target: Option<Vec<u8>>,
    /// Digest of the torrent.
    pub info_hash: Option<Vec<u8>>,
    /// What an earlier answer gave.
    pub token: Option<Vec<u8>>,
    /// Whether the source port of the datagram counts instead of `port`.
    pub implied_port: Option<u8>,
    /// Port of the announced peer.
    pub port: Option<u16>,
}

/// What a node answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// The answering node.
    pub id: Vec<u8>,
    /// Nodes close by, IPv4.
    pub nodes: Vec<Node>,
    /// Nodes close by, IPv6 (BEP 32).
    pub nodes6: Vec<Node>,
    /// Peers.
    pub values: Vec<Peer>,
    /// To be given back in an announcement.
    pub token: Option<Vec<u8>>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its identifier.
    pub id: [u8; 20],
    /// Where it is.
    pub peer: Peer,
}

/// Address and port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Address.
    pub ip: IpAddr,
    /// Port.
    pub port: u16,
}

impl Message {
    pub(super) fn new(direction: Direction) -> Self {
        Self {
            tx_id: 0,
            first_ts_ns: 0,
            direction,
            transaction_id: Vec::new(),
            client_version: None,
            query: None,
            reply: None,
            error: None,
        }
    }

    /// Reads a message; `None` when it makes no sense. Whether it names its transaction is left to
    /// the caller.
    pub(super) fn parse(data: &[u8], direction: Direction) -> Option<Self> {
        let value = Value::parse(data)?;
        let mut message = Self::new(direction);
        if let Some(id) = value.get(b"t") {
            message.transaction_id = id.bytes()?.to_vec();
        }
        if let Some(version) = value.get(b"v") {
            message.client_version = Some(version.bytes()?.to_vec());
        }
        match value.get(b"y")?.bytes()? {
            b"q" => {
                let name = value.get(b"q")?.bytes()?.to_vec();
                message.query = Some((name, query(value.get(b"a")?)?));
            }
            b"r" => message.reply = Some(reply(value.get(b"r")?)?),
            b"e" => match value.get(b"e")?.items()? {
                [code, text, ..] => {
                    let code = u16::try_from(code.number()?).ok()?;
                    message.error = Some((code, text.bytes()?.to_vec()));
                }
                _ => return None,
            },
            _ => return None,
        }
        Some(message)
    }
}

/// Bytes under a key; `None` when there is something else.
fn optional(value: &Value<'_>, key: &[u8]) -> Option<Option<Vec<u8>>> {
    match value.get(key) {
        Some(found) => found.bytes().map(|bytes| Some(bytes.to_vec())),
        None => Some(None),
    }
}

fn query(value: &Value<'_>) -> Option<Query> {
    let number = |key: &[u8]| match value.get(key) {
        Some(found) => found.number().map(Some),
        None => Some(None),
    };
    let port = number(b"port")?.map(u16::try_from).transpose();
    let implied = number(b"implied_port")?.map(u8::try_from).transpose();
    Some(Query {
        id: value.get(b"id")?.bytes()?.to_vec(),
        target: optional(value, b"target")?,
        info_hash: optional(value, b"info_hash")?,
        token: optional(value, b"token")?,
        implied_port: implied.ok()?,
        port: port.ok()?,
    })
}

fn reply(value: &Value<'_>) -> Option<Reply> {
    let nodes = |key: &[u8], len: usize| -> Option<Vec<Node>> {
        let nodes = match value.get(key) {
            Some(found) => found.bytes()?,
            None => &[],
        };
        Some(nodes.chunks_exact(len).filter_map(node).collect())
    };
    let values = match value.get(b"values") {
        Some(found) => found.items()?,
        None => &[],
    };
    let peers = values.iter().filter_map(Value::bytes).filter_map(peer);
    Some(Reply {
        id: value.get(b"id")?.bytes()?.to_vec(),
        nodes: nodes(b"nodes", 26)?,
        nodes6: nodes(b"nodes6", 38)?,
        values: peers.collect(),
        token: optional(value, b"token")?,
    })
}

fn node(data: &[u8]) -> Option<Node> {
    let (id, rest) = data.split_first_chunk()?;
    Some(Node {
        id: *id,
        peer: peer(rest)?,
    })
}

/// Address and port: 6 bytes, or 18 for IPv6.
fn peer(data: &[u8]) -> Option<Peer> {
    let (ip, port) = data.split_at_checked(data.len().checked_sub(2)?)?;
    let ip = if let Ok(v4) = <[u8; 4]>::try_from(ip) {
        IpAddr::V4(Ipv4Addr::from(v4))
    } else {
        IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(ip).ok()?))
    };
    Some(Peer {
        ip,
        port: be16(port, 0)?,
    })
}
