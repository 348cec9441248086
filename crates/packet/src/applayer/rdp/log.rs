//! The `rdp` record.

use super::connect::{Client, Connect};
use super::transaction::{Item, Message};
use super::{build, keyboard};
use crate::applayer::{AppProto, Transaction};
use crate::flow::Direction;
use crate::json::Object;
use crate::sensor::Part;
use crate::settings::Setting;

impl Transaction for Message {
    fn app(&self) -> AppProto {
        AppProto::Rdp
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

    fn log(&self, record: &mut Object<'_>, _: Setting<'_>) {
        record.object("rdp", |object| {
            // counted from 1
            object.number("tx_id", self.tx_id.saturating_add(1));
            item(object, &self.item);
        });
    }
}

fn item(object: &mut Object<'_>, item: &Item) {
    object.text(
        "event_type",
        match item {
            Item::InitialRequest { .. } => "initial_request",
            Item::InitialResponse { .. } | Item::InitialFailure(_) => "initial_response",
            Item::ConnectRequest(_) => "connect_request",
            Item::ConnectResponse => "connect_response",
            Item::TlsHandshake(_) => "tls_handshake",
        },
    );
    match item {
        Item::InitialRequest { cookie, flags } => {
            if let Some(cookie) = cookie {
                object.bytes("cookie", cookie);
            }
            names(object, "flags", REQUEST_FLAGS, u16::from(*flags));
        }
        Item::InitialResponse { chosen } => {
            if let Some((flags, protocol)) = chosen {
                names(object, "server_supports", RESPONSE_FLAGS, u16::from(*flags));
                if let Some(name) = protocol_name(*protocol) {
                    object.text("protocol", name);
                }
            }
        }
        Item::InitialFailure(code) => {
            object.number("error_code", *code);
            if let Some(reason) = reason(*code) {
                object.text("reason", reason);
            }
        }
        Item::ConnectRequest(connect) => connect_request(object, connect),
        Item::ConnectResponse => {}
        Item::TlsHandshake(serials) => object.texts("x509_serials", serials),
    }
}

fn connect_request(object: &mut Object<'_>, connect: &Connect) {
    if let Some(client) = &connect.client {
        object.object("client", |object| core(object, client));
    }
    if !connect.channels.is_empty() {
        object.texts("channels", &connect.channels);
    }
}

fn core(object: &mut Object<'_>, client: &Client) {
    object.text("version", version_name(client.version));
    object.number("desktop_width", client.desktop_width);
    object.number("desktop_height", client.desktop_height);
    object.number("color_depth", client.color_depth);
    object.text("keyboard_layout", keyboard::layout(client.keyboard_layout));
    object.text("build", build::name(client.build));
    let text = |object: &mut Object<'_>, key: &str, text: &str| {
        if !text.is_empty() {
            object.text(key, text);
        }
    };
    text(object, "client_name", &client.client_name);
    if let Some(name) = keyboard_type(client.keyboard_type) {
        object.text("keyboard_type", name);
    }
    for (key, number) in [
        ("keyboard_subtype", client.keyboard_subtype),
        ("function_keys", client.function_keys),
    ] {
        if number != 0 {
            object.number(key, number);
        }
    }
    text(object, "ime", &client.ime);
    if let Some(id) = client.product_id {
        object.number("product_id", id);
    }
    if client.serial_number != 0 {
        object.number("serial_number", client.serial_number);
    }
    if let Some(flags) = client.capabilities {
        let set = CAPABILITIES.iter().filter(|(bit, _)| flags & bit != 0);
        object.texts("capabilities", set.map(|(_, name)| name));
    }
    text(object, "id", &client.id);
    if let Some(name) = client.connection_hint.and_then(hint_name) {
        object.text("connection_hint", name);
    }
    for (key, number) in [
        ("physical_width", client.physical_width),
        ("physical_height", client.physical_height),
        (
            "desktop_orientation",
            client.desktop_orientation.map(u32::from),
        ),
        ("scale_factor", client.scale_factor),
        ("device_scale_factor", client.device_scale_factor),
    ] {
        if let Some(number) = number {
            object.number(key, number);
        }
    }
}

/// The names of the flags that are set, if any is.
fn names(object: &mut Object<'_>, key: &str, names: &[(u16, &str)], flags: u16) {
    let set = names.iter().filter(|(bit, _)| flags & bit != 0);
    if set.clone().next().is_some() {
        object.texts(key, set.map(|(_, name)| name));
    }
}

const REQUEST_FLAGS: &[(u16, &str)] = &[
    (0x01, "restricted_admin_mode_required"),
    (0x02, "redirected_authentication_mode_required"),
    (0x08, "correlation_info_present"),
];

const RESPONSE_FLAGS: &[(u16, &str)] = &[
    (0x01, "extended_client_data"),
    (0x02, "dynvc_gfx"),
    (0x08, "restricted_admin"),
    (0x10, "redirected_authentication"),
];

const CAPABILITIES: &[(u16, &str)] = &[
    (0x0001, "support_errinfo_pdf"),
    (0x0002, "want_32bpp_session"),
    (0x0004, "support_statusinfo_pdu"),
    (0x0008, "strong_asymmetric_keys"),
    (0x0020, "valid_connection_type"),
    (0x0040, "support_monitor_layout_pdu"),
    (0x0080, "support_netchar_autodetect"),
    (0x0100, "support_dynvc_gfx_protocol"),
    (0x0200, "support_dynamic_time_zone"),
    (0x0400, "support_heartbeat_pdu"),
];

fn protocol_name(protocol: u32) -> Option<&'static str> {
    Some(match protocol {
        0 => "rdp",
        1 => "ssl",
        2 => "hybrid",
        4 => "rds_tls",
        8 => "hybrid_ex",
        _ => return None,
    })
}

fn reason(code: u32) -> Option<&'static str> {
    Some(match code {
        1 => "ssl required by server",
        2 => "ssl not allowed by server",
        3 => "ssl cert not on server",
        4 => "inconsistent flags",
        5 => "hybrid required by server",
        6 => "ssl with user auth required by server",
        _ => return None,
    })
}

fn version_name(version: u32) -> &'static str {
    match version {
        0x0008_0001 => "v4",
        0x0008_0004 => "v5",
        0x0008_0005 => "v10.0",
        0x0008_0006 => "v10.1",
        0x0008_0007 => "v10.2",
        0x0008_0008 => "v10.3",
        0x0008_0009 => "v10.4",
        0x0008_000a => "v10.5",
        0x0008_000b => "v10.6",
        0x0008_000c => "v10.7",
        _ => "unknown",
    }
}

fn keyboard_type(kind: u32) -> Option<&'static str> {
    Some(match kind {
        1 => "xt",
        2 => "ico",
        3 => "at",
        4 => "enhanced",
        5 => "1050",
        6 => "9140",
        7 => "jp",
        _ => return None,
    })
}

fn hint_name(hint: u8) -> Option<&'static str> {
    Some(match hint {
        1 => "modem",
        2 => "low_broadband",
        3 => "satellite",
        4 => "high_broadband",
        5 => "wan",
        6 => "lan",
        7 => "autodetect",
        _ => return None,
    })
}
