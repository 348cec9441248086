#![forbid(unsafe_code)]
//! Packets to transactions: what a shield sees of a network.
//!
//! # Life of a packet
//!
//! ```text
//!  capture file            network
//!   pcap::Reader       (datapath.capture)
//!        \                 /
//!         v               v
//!           frame::Frame          bytes, link type, time
//!                |
//!      sensor::Sensor::packet     one call per frame; all that follows happens inside it
//!                |
//!             decode              link, VLAN, IP, TCP/UDP/ICMP headers; damage -> Event::Anomaly;
//!                |                a packet within goes this way again
//!             defrag              fragments -> packets, which go to decode
//!                |
//!              flow               key -> table -> state; new flow -> Event::FlowStart,
//!                |                 SYN answered -> Event::Attempt, path proven -> Event::Proven,
//!                |                 then payload both ways -> Event::Exchanged,
//!                |                 FINs or RST -> Event::Closed
//!                |
//!             stream              TCP bytes in order, holes declared (UDP passes by)
//!                |
//!            applayer             detection on any port, then one parser: dns, http1, tls, ...
//!                |
//!        Event::Transaction, Event::File ... -> eve
//!                             idle, closed or pushed out of the table -> Event::FlowEnd
//! ```
//!
//! Every box is a module. The sensor does no I/O and reads no clock: frames carry their time. All
//! memory has a bound in [`Config`]; what hits a bound is counted in [`Counters`]. No input stops
//! the sensor: damage becomes an [`Anomaly`].
//!
//! ```
//! use packet::{Config, Event, Sensor, pcap};
//!
//! fn replay(file: impl std::io::Read) -> Result<u64, pcap::PcapError> {
//!     let (mut sensor, mut flows) = (Sensor::new(Config::default()), 0);
//!     let mut count = |event: Event<'_>| {
//!         if let Event::FlowEnd(..) = event {
//!             flows += 1;
//!         }
//!     };
//!     let mut reader = pcap::Reader::new(file)?;
//!     while let Some(frame) = reader.next()? {
//!         sensor.packet(&frame, &mut count);
//!     }
//!     sensor.finish(&mut count);
//!     Ok(flows)
//! }
//! # let mut file = Vec::new();
//! # pcap::write_header(&mut file, packet::LinkType::Ethernet).unwrap();
//! # assert_eq!(replay(&file[..]).unwrap(), 0);
//! ```

pub mod applayer;
mod bytes;
mod coding;
pub mod decode;
pub mod defrag;
pub mod eve;
mod fanout;
mod file;
mod flow;
mod frame;
pub mod json;
pub mod magic;
pub mod pcap;
mod ranges;
mod sensor;
pub mod settings;
mod stream;

pub use applayer::dns;
pub use applayer::http1;
pub use applayer::http2;
pub use applayer::tls;
pub use applayer::{AppFrame, AppProto, Expectation, Field, Transaction};
pub use decode::{Arp, Source, Vlans};
pub use fanout::lane;
pub use file::{Digests, File, FileChunk, FileInfo, FileState, FileStore};
pub use flow::{
    Counts, Direction, FiveTuple, Flow, FlowAction, FlowId, FlowState, MacSet, Macs, Proto, Scope,
    StreamFacts, SynTraits, TcpState,
};
pub use frame::{Frame, LinkType, Way};
pub use sensor::{
    Anomaly, AnomalyKind, AppCounters, ByState, Config, Counters, DecodeCounters, EndReason, Event,
    ExceptionCounters, ExceptionPolicy, Exceptions, Inspect, Outcome, Outer, Packet, Part, Refusal,
    Sensor, Sink, StreamOptions, StreamPiece, StreamTrouble, Timeout, Timeouts, Tracking,
    URGENT_BYTES_MAX, Urgent,
};
pub use stream::Policy;
