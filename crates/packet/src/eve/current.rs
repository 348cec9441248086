//! The packet that records come from, and what they say of it.

use super::Now;
use super::community_id::community_id;
use super::config::Output;
use super::head::{address, mac, proto_name};
use crate::bytes::base64;
use crate::decode::{Ether, Source, Transport, Vlans};
use crate::flow::{FiveTuple, Flow};
use crate::frame::LinkType;
use crate::json::Object;
use crate::sensor::{Outer, Packet, packet_ends};
use crate::settings::Setting;

/// Bytes of a packet that `packethdr` shows.
const FRONT_LEN: usize = 32;

/// What is kept of the packet at hand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Current {
    pub(super) source: Source,
    /// Its ends, the sender first.
    pub(super) tuple: Option<FiveTuple>,
    ether: Option<Ether>,
    vlans: Vlans,
    icmp: Option<(u8, u8)>,
    spi: Option<u32>,
    link: LinkType,
    outer: Option<Outer>,
    front: [u8; FRONT_LEN],
    front_len: usize,
}

impl Current {
    pub(super) const NONE: Self = Self {
        source: Source::Wire,
        tuple: None,
        ether: None,
        vlans: Vlans::NONE,
        icmp: None,
        spi: None,
        link: LinkType::Ethernet,
        outer: None,
        front: [0; FRONT_LEN],
        front_len: 0,
    };

    pub(super) fn of(packet: &Packet<'_>) -> Self {
        let decoded = packet.decoded;
        let mut front = [0; FRONT_LEN];
        for (place, byte) in front.iter_mut().zip(decoded.data) {
            *place = *byte;
        }
        let spi = if let Transport::Esp(spi) = &decoded.transport {
            Some(*spi)
        } else {
            None
        };
        let tuple = packet_ends(decoded);
        Self {
            source: packet.source,
            tuple,
            ether: decoded.ether,
            vlans: decoded.vlans,
            icmp: decoded.transport.icmp().filter(|_| tuple.is_some()),
            spi,
            link: packet.link,
            outer: packet.outer,
            front,
            front_len: decoded.data.len().min(FRONT_LEN),
        }
    }

    /// The same, where a flow's protocol changes: no packet, for a record of the flow itself.
    pub(super) fn for_flow(&self, flow: Option<&Flow>) -> Self {
        match flow {
            Some(flow) if flow.app_changes => Self {
                source: Source::ProtocolChange,
                ..Self::NONE
            },
            Some(_) | None => *self,
        }
    }

    /// What every record that a packet gave rise to says of it.
    pub(super) fn write(&self, record: &mut Object<'_>, flow: Option<&Flow>, output: &Output) {
        let vlans = flow.map_or(&self.vlans, |flow| &flow.vlan);
        if !vlans.ids().is_empty() {
            record.numbers("vlan", vlans.ids().iter().copied());
        }
        if let Some((kind, code)) = self.icmp {
            record.number("icmp_type", kind);
            record.number("icmp_code", code);
        }
        if let Some(spi) = self.spi {
            record.number("spi", spi);
        }
        record.text("pkt_src", self.source.name());
        if output.ethernet {
            self.write_ether(record, flow);
        }
        write_community_id(record, flow, output);
    }

    /// A packet of no flow's time has that flow's addresses.
    fn write_ether(&self, record: &mut Object<'_>, flow: Option<&Flow>) {
        if matches!(self.source, Source::FlowTimeout | Source::ProtocolChange) {
            let macs = flow.and_then(|flow| flow.macs);
            let Some((src, dst)) = macs.and_then(|macs| macs.first()) else {
                return;
            };
            record.object("ether", |object| {
                object.text("src_mac", &mac(&src));
                object.text("dest_mac", &mac(&dst));
            });
        } else if let Some(ether) = &self.ether {
            record.object("ether", |object| {
                object.number("ether_type", ether.ethertype);
                object.text("src_mac", &mac(&ether.src));
                object.text("dest_mac", &mac(&ether.dst));
            });
        }
    }

    /// What an alert says of its packet beyond other records: the packet around it, and its link
    /// type where packets are asked for.
    pub(super) fn write_alert(&self, record: &mut Object<'_>, options: Setting<'_>, now: Now) {
        self.write_tunnel(record, now);
        if options.at("packet").flag().unwrap_or(false) {
            self.write_packet_info(record);
        }
    }

    /// The first bytes of the packet, and what the first of them is.
    pub(super) fn write_front(&self, record: &mut Object<'_>) {
        let front = self.front.get(..self.front_len).unwrap_or_default();
        record.text("packet", &base64(front));
        self.write_packet_info(record);
    }

    /// The link type; a packet within another one has none.
    pub(super) fn write_packet_info(&self, record: &mut Object<'_>) {
        let is_within = !matches!(self.source, Source::Wire | Source::Defrag);
        let link = if is_within { LinkType::Raw } else { self.link };
        record.object("packet_info", |object| {
            let (number, name) = link.logged();
            object.number("linktype", number);
            object.text("linktype_name", name);
        });
    }

    /// The packet around this one.
    fn write_tunnel(&self, record: &mut Object<'_>, now: Now) {
        let Some(outer) = &self.outer else { return };
        record.object("tunnel", |object| {
            let FiveTuple {
                src,
                src_port,
                dst,
                dst_port,
                proto,
            } = outer.tuple;
            object.display("src_ip", address(src));
            object.number("src_port", src_port);
            object.display("dest_ip", address(dst));
            object.number("dest_port", dst_port);
            object.text("proto", &proto_name(proto));
            object.number("depth", outer.depth.saturating_add(1));
            if now.packet > 0 {
                object.number("pcap_cnt", now.packet);
            }
            object.text("pkt_src", outer.source.name());
        });
    }
}

/// What records about a flow rather than a packet say of its MAC addresses and its community.
pub(super) fn write_flow(record: &mut Object<'_>, flow: &Flow, output: &Output) {
    if let Some(macs) = flow.macs.filter(|_| output.ethernet) {
        record.object("ether", |object| {
            object.texts("dest_macs", macs.dst.iter().map(mac));
            object.texts("src_macs", macs.src.iter().map(mac));
        });
    }
    write_community_id(record, Some(flow), output);
}

fn write_community_id(record: &mut Object<'_>, flow: Option<&Flow>, output: &Output) {
    if let Some((flow, seed)) = flow.zip(output.community_id) {
        record.text("community_id", &community_id(flow, seed));
    }
}
