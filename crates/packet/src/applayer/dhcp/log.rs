//! The `dhcp` record. Unless asked for more (`extended`), only what says who got which address.

use std::net::Ipv4Addr;

use super::message::{CLIENT_ID, DhcpOption, MESSAGE_TYPE, Message};
use crate::applayer::{AppProto, Transaction};
use crate::bytes::be32;
use crate::flow::Direction;
use crate::json::Object;
use crate::sensor::Part;
use crate::settings::Setting;

impl Transaction for Message {
    fn app(&self) -> AppProto {
        AppProto::Dhcp
    }

    fn id(&self) -> u32 {
        self.id
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

    fn is_logged(&self, options: Setting<'_>) -> bool {
        is_extended(options) || self.message_type() == Some(ACK)
    }

    fn log(&self, record: &mut Object<'_>, options: Setting<'_>) {
        record.object("dhcp", |object| self.write(object, is_extended(options)));
    }
}

fn is_extended(options: Setting<'_>) -> bool {
    options.at("extended").flag().unwrap_or(false)
}

impl Message {
    fn write(&self, object: &mut Object<'_>, extended: bool) {
        let kind = match self.op {
            1 => "request",
            2 => "reply",
            _ => "<unknown>",
        };
        object.text("type", kind);
        object.number("id", self.xid);
        object.text("client_mac", &colons(&self.client_mac));
        object.display("assigned_ip", self.assigned_ip);
        if extended {
            object.display("client_ip", self.client_ip);
            if self.op == REPLY {
                object.display("relay_ip", self.relay_ip);
                object.display("next_server_ip", self.next_server_ip);
            }
        }
        for (at, option) in self.options.iter().enumerate() {
            let behind = self.options.get(at.saturating_add(1)..).unwrap_or_default();
            // the last of several counts
            if !behind.iter().any(|other| other.code == option.code)
                && (extended || option.code == MESSAGE_TYPE)
            {
                write_option(object, option);
            }
        }
    }
}

fn write_option(object: &mut Object<'_>, DhcpOption { code, data }: &DhcpOption) {
    match *code {
        MESSAGE_TYPE => object.text("dhcp_type", type_name(data.first().copied())),
        1 => object.text("subnet_mask", &address(data)),
        3 => object.texts("routers", data.chunks_exact(4).map(address)),
        6 => object.texts("dns_servers", data.chunks_exact(4).map(address)),
        12 if !data.is_empty() => object.bytes("hostname", data),
        50 => object.text("requested_ip", &address(data)),
        51 | 58 | 59 => {
            let name = match *code {
                51 => "lease_time",
                58 => "renewal_time",
                _ => "rebinding_time",
            };
            if let Some(seconds) = be32(data, 0) {
                object.number(name, seconds);
            }
        }
        55 => object.texts("params", data.iter().filter_map(|code| parameter(*code))),
        60 if !data.is_empty() => object.bytes("vendor_class_identifier", data),
        // behind the type of the hardware
        CLIENT_ID => object.text("client_id", &colons(data.get(1..).unwrap_or_default())),
        _ => {}
    }
}

/// RFC 2132 section 9.6.
fn type_name(kind: Option<u8>) -> &'static str {
    match kind {
        Some(1) => "discover",
        Some(2) => "offer",
        Some(3) => "request",
        Some(4) => "decline",
        Some(ACK) => "ack",
        Some(6) => "nak",
        Some(7) => "release",
        Some(8) => "inform",
        Some(_) | None => "unknown",
    }
}

/// Names of the options that a client asks for, as far as they are logged.
fn parameter(code: u8) -> Option<&'static str> {
    match code {
        1 => Some("subnet_mask"),
        3 => Some("router"),
        6 => Some("dns_server"),
        15 => Some("domain"),
        35 => Some("arp_timeout"),
        42 => Some("ntp_server"),
        66 => Some("tftp_server_name"),
        150 => Some("tftp_server_ip"),
        _ => None,
    }
}

/// An address; nothing where the length is not that of one.
fn address(data: &[u8]) -> String {
    let octets = <[u8; 4]>::try_from(data);
    octets.map_or_else(
        |_| String::new(),
        |octets| Ipv4Addr::from(octets).to_string(),
    )
}

/// Bytes in hexadecimal with colons between them.
fn colons(data: &[u8]) -> String {
    let bytes: Vec<String> = data.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(":")
}

const ACK: u8 = 5;
const REPLY: u8 = 2;
