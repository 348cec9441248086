//! Application layer: streams and datagrams -> transactions.
//!
//! Which protocol a flow speaks is found from its first bytes, on any port (module `detection`);
//! from then on that protocol's parser gets the bytes in order. One folder per protocol.
//!
//! To add a protocol, copy the folder [`template`]; `docs/recipes/add-parser.md` goes through it.
//! A test compares folders and table.
//!
//! Rules for parsers: bytes are hostile; keep no more than [`Context::config`] allows and give the
//! message up with an anomaly beyond that; damage is an anomaly on the flow, never a lost flow; say
//! [`Next::Done`] as soon as nothing of interest can follow, so that the sensor stops reassembling.

#[cfg(any(test, fuzzing))]
pub mod bare;
pub mod bittorrent_dht;
pub mod dcerpc;
pub(crate) mod der;
pub(crate) mod detection;
pub mod dhcp;
pub mod dnp3;
pub mod dns;
pub mod enip;
mod expectation;
mod frames;
pub mod ftp;
pub mod http1;
pub mod http2;
pub mod ike;
pub mod imap;
pub mod krb5;
pub mod ldap;
mod lines;
pub mod modbus;
pub mod mqtt;
pub mod nfs;
pub mod ntp;
mod options;
pub mod pgsql;
pub mod pop3;
pub mod quic;
pub mod rdp;
pub(crate) mod recent;
pub(crate) mod records;
pub mod rfb;
pub mod sip;
pub mod smb;
pub mod smtp;
pub mod snmp;
pub mod socks;
pub mod ssh;
pub mod telnet;
pub mod template;
#[cfg(test)]
mod testing;
pub mod tftp;
pub mod tls;
mod transaction;
pub mod websocket;

use std::fmt::Debug;

use crate::flow::{Direction, Flow, Proto};
use crate::ranges::Ranges;
use crate::sensor::{Anomaly, AnomalyKind, Config, Counters, Event, Part, Sink};

pub use expectation::Expectation;
pub(crate) use expectation::Expectations;
pub use frames::AppFrame;
pub(crate) use frames::Frames;
pub use options::Options;
pub use transaction::Transaction;

/// The protocols, in the order in which they are asked: those that are surest of themselves first.
pub const PROTOCOLS: &[&Protocol] = &[
    &tls::PROTOCOL, //
    &quic::PROTOCOL,
    &ssh::PROTOCOL,
    &rfb::PROTOCOL,
    &rdp::PROTOCOL,
    &http2::PROTOCOL,
    &sip::PROTOCOL,
    &http1::PROTOCOL,
    &smtp::PROTOCOL,
    &pop3::PROTOCOL,
    &imap::PROTOCOL,
    &ftp::PROTOCOL,
    &smb::PROTOCOL,
    &nfs::PROTOCOL,
    &dhcp::PROTOCOL,
    &bittorrent_dht::PROTOCOL,
    &dnp3::PROTOCOL,
    &tftp::PROTOCOL,
    &ike::PROTOCOL,
    &ntp::PROTOCOL,
    &dns::PROTOCOL,
    &krb5::PROTOCOL,
    &snmp::PROTOCOL,
    &ldap::PROTOCOL,
    &dcerpc::PROTOCOL,
    &enip::PROTOCOL,
    &modbus::PROTOCOL,
    &pgsql::PROTOCOL,
    &mqtt::PROTOCOL,
    &socks::PROTOCOL,
    &telnet::PROTOCOL,
    &websocket::PROTOCOL,
    &template::PROTOCOL,
];

/// An application protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum AppProto {
    /// Not known, or not known yet.
    #[default]
    Unknown,
    /// Looked at, and none that is known.
    Failed,
    /// BitTorrent DHT (BEP 5).
    BittorrentDht,
    /// DCE/RPC over TCP and UDP; over SMB it is part of SMB.
    Dcerpc,
    /// DHCP for IPv4.
    Dhcp,
    /// DNP3 (IEEE 1815).
    Dnp3,
    /// DNS over UDP and TCP.
    Dns,
    /// DNS over HTTP/2; what is HTTP/2 before its first message comes.
    Doh2,
    /// EtherNet/IP with CIP.
    Enip,
    /// FTP control connections.
    Ftp,
    /// FTP data connections, known from their control connection.
    FtpData,
    /// HTTP/0.9 to HTTP/1.1.
    Http,
    /// HTTP/2.
    Http2,
    /// IKE versions 1 and 2, not behind a NAT (port 4500).
    Ike,
    /// IMAP.
    Imap,
    /// Kerberos 5.
    Krb5,
    /// LDAP.
    Ldap,
    /// Multicast DNS.
    Mdns,
    /// Modbus over TCP.
    Modbus,
    /// MQTT 3.1 to 5.
    Mqtt,
    /// NFS versions 2 to 4.
    Nfs,
    /// NTP.
    Ntp,
    /// PostgreSQL, version 3.
    Pgsql,
    /// POP3.
    Pop3,
    /// QUIC.
    Quic,
    /// RDP.
    Rdp,
    /// RFB, as VNC speaks it.
    Rfb,
    /// SIP.
    Sip,
    /// SMB 1 to 3.
    Smb,
    /// SMTP.
    Smtp,
    /// SNMP 1 to 3.
    Snmp,
    /// SOCKS 4 and 5; what they carry is detected anew, so a flow keeps this only where the proxy
    /// refuses.
    Socks,
    /// SSH 2.
    Ssh,
    /// Telnet.
    Telnet,
    /// The template, a model for new protocols.
    Template,
    /// TFTP.
    Tftp,
    /// TLS 1.0 to 1.3, and SSL 2 and 3.
    Tls,
    /// WebSocket, after an upgrade from HTTP/1.1.
    Websocket,
}

impl AppProto {
    /// Its name, as logged; `"unknown"` for [`AppProto::Unknown`].
    #[must_use]
    pub fn name(self) -> &'static str {
        let known = PROTOCOLS.iter().find(|known| known.app == self);
        match known {
            Some(known) => known.name,
            None if self == Self::Failed => "failed",
            None if self == Self::FtpData => "ftp-data",
            None if self == Self::Mdns => "mdns",
            None if self == Self::Doh2 => "doh2",
            None => "unknown",
        }
    }
}

/// Bytes of a message and where they stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The bytes as sent.
    pub bytes: &'a [u8],
    /// Offset in the message: DNS message, HTTP head, TLS handshake message; bytes.
    pub offset: u32,
}

/// One line of the table of protocols.
#[derive(Debug)]
pub struct Protocol {
    /// Which.
    pub app: AppProto,
    /// Its name, as logged.
    pub name: &'static str,
    /// Looks at the first bytes of one direction (UDP: one datagram).
    pub probe: fn(Proto, Direction, &[u8]) -> Probe,
    /// Makes a parser for one flow.
    pub start: fn(Proto, &Config) -> Box<dyn AppLayer>,
}

/// What a probe says of the first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// It is this protocol.
    Certain,
    /// It can be; more bytes will tell.
    Unsure,
    /// It is not.
    No,
}

/// A parser of one protocol on one flow.
pub trait AppLayer: Debug + Send {
    /// Takes the next bytes of a direction (UDP: one datagram).
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next;

    /// So many bytes of a direction are missing.
    fn gap(&mut self, cx: &mut Context<'_, '_>, direction: Direction, len: u64) -> Next;

    /// A packet went that way and is dealt with, whether it brought bytes or not: what is to be told
    /// with one can be told.
    fn packet(&mut self, _: &mut Context<'_, '_>, _: Direction) {}

    /// Whether there is anything to tell with a packet that brings nothing new.
    fn waits_for_packet(&self) -> bool {
        false
    }

    /// No more bytes will come: yields what is left.
    fn end(&mut self, cx: &mut Context<'_, '_>);

    /// Bytes kept.
    fn buffered(&self) -> usize;
}

/// What a parser wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// More bytes.
    More,
    /// Nothing: no more transactions can follow.
    Done,
    /// Nothing: these bytes are no messages of the protocol.
    Error,
    /// Another protocol begins in both directions (HTTP CONNECT); here behind so many bytes of the
    /// data just given.
    Redetect(usize),
}

/// What a parser works with.
pub struct Context<'a, 'out> {
    /// Bounds.
    pub config: &'a Config,
    /// Time of the packet that the bytes came with, nanoseconds since the Unix epoch.
    pub ts_ns: u64,
    /// Time of the packet that let the bytes through: their own, or one that acknowledges them or
    /// fills a hole before them; nanoseconds since the Unix epoch.
    pub now_ns: u64,
    pub(crate) flow: &'a mut Flow,
    pub(crate) counters: &'a mut Counters,
    pub(crate) expectations: &'a mut Expectations,
    pub(crate) ranges: &'a mut Ranges,
    pub(crate) out: &'a mut Sink<'out>,
    /// The flow is over: what its streams kept back comes now.
    pub(crate) is_end: bool,
    pub(crate) successor: Option<(AppProto, Box<dyn AppLayer>)>,
    /// Where somebody wants them.
    pub(crate) frames: Option<Box<Frames>>,
}

impl Context<'_, '_> {
    /// The flow.
    #[must_use]
    pub fn flow(&self) -> &Flow {
        self.flow
    }

    /// Yields a transaction.
    pub fn transaction(&mut self, transaction: &dyn Transaction) {
        self.counters.transactions = self.counters.transactions.saturating_add(1);
        (self.out)(Event::Transaction(self.flow, transaction));
    }

    /// A part of a transaction is there.
    pub(crate) fn progress(&mut self, transaction: &dyn Transaction, part: Part) {
        if self.config.inspect {
            (self.out)(Event::Progress(self.flow, transaction, part));
        }
    }

    /// All of what a side says in a transaction is there, before the other side has answered.
    pub(crate) fn progress_of(&mut self, transaction: &dyn Transaction, direction: Direction) {
        for part in Part::of(direction) {
            self.progress(transaction, *part);
        }
    }

    /// Whose packet a record about a message of that direction comes with, where records are told by
    /// packets: out of the path a message counts once its receiver has acknowledged it, or at the
    /// flow's end.
    pub(crate) fn told_by(&self, direction: Direction) -> Direction {
        let is_tcp = self.flow.tuple.proto == Proto::Tcp;
        if self.is_end || self.is_prompt() || !is_tcp {
            direction
        } else {
            direction.reversed()
        }
    }

    /// Whether bytes come with their own packet, not with the one that acknowledges them: then
    /// nothing waits to be told.
    pub(crate) fn is_prompt(&self) -> bool {
        self.config.inline || !self.config.stream.on_ack
    }

    /// A number for a transaction that begins.
    pub fn transaction_id(&mut self) -> u32 {
        let id = self.flow.transactions;
        self.flow.transactions = id.saturating_add(1);
        self.counters.apps.transaction(self.flow);
        id
    }

    /// Announces another flow: when it comes, it gets this parser. Counted when there is no room.
    pub fn expect(&mut self, expected: Expectation) {
        if !self.expectations.add(expected, self.flow, self.ts_ns) {
            let hit = &mut self.counters.expectations_max_hit;
            *hit = hit.saturating_add(1);
        }
    }

    /// Says which protocol must follow a [`Next::Redetect`], so that it shows when another does.
    pub fn expect_change_to(&mut self, app: AppProto) {
        self.flow.app_expected = app;
    }

    /// The parser that was announced of this flow, if any.
    pub(crate) fn take_expected(&mut self) -> Option<Box<dyn AppLayer>> {
        let flow = &mut *self.flow;
        let expected = self
            .expectations
            .take(&flow.tuple, flow.scope, self.ts_ns)?;
        (flow.app, flow.parent) = (expected.app, Some(expected.parent));
        flow.app_found = [expected.app; 2];
        self.counters.apps.flow(flow);
        Some(expected.parser)
    }

    /// Another protocol begins.
    pub(crate) fn change_protocol(&mut self) {
        self.end_frames();
        let flow = &mut *self.flow;
        if flow.app_before == AppProto::Unknown {
            flow.app_before = flow.app;
        }
        flow.app = AppProto::Unknown;
        flow.app_found = [AppProto::Unknown; 2];
    }

    /// Another protocol is about to begin: what `tell` yields is told for that, not for the packet
    /// at hand.
    pub(crate) fn leave(&mut self, tell: impl FnOnce(&mut Self)) {
        self.flow.app_changes = true;
        tell(self);
        self.flow.app_changes = false;
    }

    /// Transactions are numbered from 0 again: another protocol begins.
    pub fn restart_transactions(&mut self) {
        self.flow.transactions = 0;
    }

    /// The parser that gets what follows, where it is known: said before [`Next::Redetect`], which
    /// then detects nothing.
    pub fn hand_over(&mut self, app: AppProto, parser: Box<dyn AppLayer>) {
        self.successor = Some((app, parser));
    }

    /// Reports damage under a name such as `"malformed_data"`, in the transaction that began last.
    pub fn anomaly(&mut self, name: &'static str) {
        let last = self.flow.transactions.saturating_sub(1);
        self.report(name, Some(last));
    }

    /// Reports damage in the transaction that is about to begin.
    pub fn anomaly_in_next(&mut self, name: &'static str) {
        let next = self.flow.transactions;
        self.report(name, Some(next));
    }

    /// Reports what is odd about the protocol that was found.
    pub(crate) fn odd_protocol(&mut self, name: &'static str) {
        self.report(name, None);
    }

    /// Reports damage in a transaction.
    pub fn anomaly_in(&mut self, tx_id: u32, name: &'static str) {
        self.report(name, Some(tx_id));
    }

    fn report(&mut self, name: &'static str, tx_id: Option<u32>) {
        let kind = AnomalyKind::AppLayer(self.flow.app, name);
        (self.out)(Event::Anomaly(
            Some(self.flow),
            &Anomaly {
                ts_ns: self.now_ns,
                kind,
                tuple: None,
                tx_id,
            },
        ));
    }

    /// Counts an error of the parser that does not end its work.
    pub(crate) fn parser_error(&mut self) {
        self.flow.app_error = true;
        self.counters.apps.error(self.flow);
    }

    /// Counts a message given up for its size and reports it.
    pub fn too_large(&mut self, name: &'static str) {
        self.counters.heads_max_hit = self.counters.heads_max_hit.saturating_add(1);
        self.anomaly(name);
    }

    /// Counts a transaction given up for a bound and reports it.
    pub fn too_large_in(&mut self, tx_id: u32, name: &'static str) {
        self.counters.heads_max_hit = self.counters.heads_max_hit.saturating_add(1);
        self.anomaly_in(tx_id, name);
    }
}

impl Debug for Context<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("ts_ns", &self.ts_ns)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_is_registered() {
        let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/applayer");
        let entries = std::fs::read_dir(here).unwrap().map(Result::unwrap);
        let folders: Vec<String> = entries
            .filter(|entry| entry.file_type().unwrap().is_dir())
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        assert_eq!(folders.len(), PROTOCOLS.len(), "{folders:?}");
        for folder in folders {
            // a number tells versions apart that share a name in logs
            let name = folder.trim_end_matches(|last: char| last.is_ascii_digit());
            let is_it = |known: &str| known == folder || known == name;
            assert!(
                PROTOCOLS
                    .iter()
                    .any(|known| is_it(&known.name.replace('-', "_"))),
                "{folder} is not in PROTOCOLS"
            );
        }
    }

    #[test]
    fn names() {
        assert_eq!(AppProto::Http.name(), "http");
        assert_eq!(AppProto::Unknown.name(), "unknown");
    }
}
