//! What detection says of a packet, flow or transaction.

use std::net::IpAddr;
use std::sync::Arc;

use packet::{FiveTuple, FlowId};
use stix::StixId;
use stix::lease::{EvidenceClass, Proto, Service};

/// Most bytes that a reason carries of what matched.
pub const MATCHED_MAX: usize = 256;
/// Most reasons that a verdict carries.
pub const REASONS_MAX: usize = 16;

/// One judgement, with everything that is needed to act on it, to share it and to argue with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Packet time of what completed it, nanoseconds since the Unix epoch.
    pub at_ns: u64,
    /// First packet of the action that completed it, nanoseconds since the Unix epoch.
    pub first_packet_ns: u64,
    /// How sure the origin is.
    pub evidence: EvidenceClass,
    /// How sure the judgement is, 0 to 100 as in STIX.
    pub confidence: u8,
    /// Who is to be acted against; none when the traffic shows a victim only.
    pub offender: Option<IpAddr>,
    /// The far end of a channel that one of ours keeps up, where it is sure that it is the far end and
    /// that one of ours turned to it: what comes back from there may be stopped. It is accused of
    /// nothing towards others.
    pub far_end: Option<IpAddr>,
    /// The service under attack, where there is exactly one.
    pub victim: Option<Service>,
    /// The flow's ends.
    pub tuple: Option<FiveTuple>,
    /// The flow.
    pub flow: Option<FlowId>,
    /// Name and version of the detector.
    pub detector: &'static str,
    /// Why, in order of weight; at most [`REASONS_MAX`].
    pub reasons: Vec<Reason>,
    /// How many events it stands for.
    pub count: u32,
}

/// Which object and which bytes led to a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The indicator, when it was one.
    pub object: Option<StixId>,
    /// The partner that sent the indicator.
    pub source: Option<Arc<str>>,
    /// Where it matched: `http.url`, `dns.query`, `tls.sni`, `ip.src`...
    pub buffer: &'static str,
    /// Where in that buffer the matched bytes start.
    pub offset: u32,
    /// The matched bytes, at most [`MATCHED_MAX`] of them.
    pub matched: Box<[u8]>,
    /// Whether exactly this value is listed, rather than a range or a class that it belongs to:
    /// a prefix, a parent domain, a fingerprint that many share.
    pub exact: bool,
    /// In words.
    pub what: Box<str>,
}

impl Reason {
    /// A reason that no object stands behind.
    #[must_use]
    pub(crate) fn of(buffer: &'static str, matched: &[u8], what: String) -> Self {
        Self {
            object: None,
            source: None,
            buffer,
            offset: 0,
            matched: capped(matched),
            exact: true,
            what: what.into_boxed_str(),
        }
    }
}

pub(crate) fn capped(matched: &[u8]) -> Box<[u8]> {
    matched.get(..MATCHED_MAX).unwrap_or(matched).into()
}

/// The octets of an address, network order.
pub(crate) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// A packet's protocol as a lease names it; none when a lease cannot.
pub(crate) fn of_packet(proto: packet::Proto) -> Option<Proto> {
    match proto {
        packet::Proto::Tcp => Some(Proto::Tcp),
        packet::Proto::Udp => Some(Proto::Udp),
        packet::Proto::Icmp => Some(Proto::Icmp),
        packet::Proto::Icmp6 => Some(Proto::Icmp6),
        packet::Proto::Other(_) => None,
    }
}

/// The service that a flow asks for.
pub(crate) fn service(tuple: &FiveTuple) -> Option<Service> {
    let protocol = of_packet(tuple.proto)?;
    let port = Some(tuple.dst_port).filter(|_| protocol.has_ports());
    Some(Service {
        address: Some(tuple.dst),
        protocol,
        port,
    })
}
