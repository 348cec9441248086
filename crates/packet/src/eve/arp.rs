//! The `arp` record.

use super::head::mac;
use crate::decode::Arp;
use crate::json::Object;

pub(super) fn write(record: &mut Object<'_>, arp: &Arp) {
    record.text("event_type", "arp");
    record.object("arp", |object| {
        object.text("hw_type", "ethernet");
        object.text("proto_type", "ipv4");
        object.text("opcode", arp.operation().unwrap_or("unknown"));
        object.text("src_mac", &mac(&arp.src_mac));
        object.display("src_ip", arp.src);
        object.text("dest_mac", &mac(&arp.dst_mac));
        object.display("dest_ip", arp.dst);
    });
}
