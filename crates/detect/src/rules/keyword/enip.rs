//! EtherNet/IP and CIP. What devices and CIP say is looked for in both messages of an exchange, whichever side
//! the rule is about.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a keyword asks of one kind of message"
)]

use packet::applayer::enip::{Cip, Content, Exchange, Identity, Message, Segment};
use packet::{AppProto, Direction};

use super::app::{self, Get, U32_MAX, nameless, table};
use super::{Arg, Keyword, content, number};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::rule::{Check, Step};
use crate::rules::scene::{Buffer, Scene, Sides};
use crate::rules::walk::Walk;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "enip_command",
        "number|name",
        "The command.",
        |rule, arg| app::compare(rule, arg, &COMMAND, 0..=65_535, table(COMMANDS)),
    ),
    Keyword::call(
        "enip.status",
        "number|name",
        "The status of a message.",
        |rule, arg| app::compare(rule, arg, &STATUS, 0..=U32_MAX, table(STATUSES)),
    ),
    Keyword::call(
        "enip.protocol_version",
        "number",
        "The version of the encapsulation.",
        |rule, arg| app::compare(rule, arg, &PROTOCOL_VERSION, 0..=65_535, nameless),
    ),
    Keyword::call(
        "enip.capabilities",
        "number",
        "What a service can do.",
        |rule, arg| app::compare(rule, arg, &CAPABILITIES, 0..=65_535, nameless),
    ),
    Keyword::sticky("enip.service_name", "The name of a service.", &SERVICE_NAME),
    Keyword::call(
        "enip.vendor_id",
        "number",
        "The vendor of a device.",
        |rule, arg| app::compare(rule, arg, &VENDOR, 0..=65_535, nameless),
    ),
    Keyword::call(
        "enip.device_type",
        "number",
        "The type of a device.",
        |rule, arg| app::compare(rule, arg, &DEVICE_TYPE, 0..=65_535, nameless),
    ),
    Keyword::call(
        "enip.product_code",
        "number",
        "The number of a product.",
        |rule, arg| app::compare(rule, arg, &PRODUCT_CODE, 0..=65_535, nameless),
    ),
    Keyword::sticky("enip.product_name", "The name of a product.", &PRODUCT_NAME),
    Keyword::call(
        "enip.revision",
        "number",
        "The revision of a product, major and minor in a byte each.",
        |rule, arg| app::compare(rule, arg, &REVISION, 0..=65_535, nameless),
    ),
    Keyword::call(
        "enip.identity_status",
        "number",
        "The status of a device.",
        |rule, arg| app::compare(rule, arg, &IDENTITY_STATUS, 0..=65_535, nameless),
    ),
    Keyword::call(
        "enip.serial",
        "number",
        "The serial number of a device.",
        |rule, arg| app::compare(rule, arg, &SERIAL, 0..=U32_MAX, nameless),
    ),
    Keyword::call(
        "enip.state",
        "number",
        "The state of a device.",
        |rule, arg| app::compare(rule, arg, &STATE, 0..=255, nameless),
    ),
    Keyword::call(
        "enip.cip_class",
        "number",
        "A class that is named.",
        |rule, arg| app::compare(rule, arg, &CLASS, 0..=U32_MAX, nameless),
    ),
    Keyword::call(
        "enip.cip_instance",
        "number",
        "An instance that is named.",
        |rule, arg| app::compare(rule, arg, &INSTANCE, 0..=U32_MAX, nameless),
    ),
    Keyword::call(
        "enip.cip_attribute",
        "number",
        "An attribute that is named.",
        |rule, arg| app::compare(rule, arg, &ATTRIBUTE, 0..=U32_MAX, nameless),
    ),
    Keyword::call(
        "enip.cip_status",
        "number",
        "How a request fared.",
        |rule, arg| app::compare(rule, arg, &CIP_STATUS, 0..=255, nameless),
    ),
    Keyword::call(
        "enip.cip_extendedstatus",
        "number",
        "How a request fared, in more detail.",
        |rule, arg| app::compare(rule, arg, &EXTENDED_STATUS, 0..=65_535, nameless),
    ),
    Keyword::call(
        "cip_service",
        "service[,class[,[!]attribute]]",
        "A service that is asked for, of a class and an attribute; or one that is answered.",
        service,
    ),
];

const fn buffer(name: &'static str, get: Get) -> Buffer {
    app::buffer(name, &[AppProto::Enip], Sides::Both, get)
}

static COMMAND: Buffer = buffer("enip_command", |scene, values| {
    app::push(values, own(scene).map(|message| message.command));
});
static STATUS: Buffer = buffer("enip.status", |scene, values| {
    app::push(values, own(scene).map(|message| message.status));
});
static PROTOCOL_VERSION: Buffer = buffer("enip.protocol_version", |scene, values| {
    let version = own(scene).and_then(|message| match &message.content {
        Content::Session(version, _) | Content::Service(version, ..) => Some(*version),
        Content::Identity(identity) => Some(identity.protocol_version),
        Content::Nothing | Content::Cip(_) => None,
    });
    app::push(values, version);
});
static CAPABILITIES: Buffer = buffer("enip.capabilities", |scene, values| {
    let capabilities = messages(scene).filter_map(|message| match &message.content {
        Content::Service(_, capabilities, _) => Some(*capabilities),
        _ => None,
    });
    app::push(values, capabilities);
});
static SERVICE_NAME: Buffer = buffer("enip.service_name", |scene, values| {
    for message in messages(scene) {
        if let Content::Service(.., name) = &message.content {
            values.push(name);
        }
    }
});
static VENDOR: Buffer = buffer("enip.vendor_id", |scene, values| {
    app::push(values, identities(scene).map(|identity| identity.vendor));
});
static DEVICE_TYPE: Buffer = buffer("enip.device_type", |scene, values| {
    app::push(
        values,
        identities(scene).map(|identity| identity.device_type),
    );
});
static PRODUCT_CODE: Buffer = buffer("enip.product_code", |scene, values| {
    app::push(
        values,
        identities(scene).map(|identity| identity.product_code),
    );
});
static PRODUCT_NAME: Buffer = buffer("enip.product_name", |scene, values| {
    identities(scene).for_each(|identity| values.push(&identity.product_name));
});
static REVISION: Buffer = buffer("enip.revision", |scene, values| {
    let revisions = identities(scene).map(|identity| identity.revision);
    app::push(
        values,
        revisions.map(|(major, minor)| u16::from_be_bytes([major, minor])),
    );
});
static IDENTITY_STATUS: Buffer = buffer("enip.identity_status", |scene, values| {
    app::push(values, identities(scene).map(|identity| identity.status));
});
static SERIAL: Buffer = buffer("enip.serial", |scene, values| {
    app::push(values, identities(scene).map(|identity| identity.serial));
});
static STATE: Buffer = buffer("enip.state", |scene, values| {
    app::push(values, identities(scene).map(|identity| identity.state));
});
static CLASS: Buffer = buffer("enip.cip_class", |scene, values| {
    app::push(
        values,
        cips(scene).flat_map(|cip| named(cip, CLASS_SEGMENT)),
    );
});
static INSTANCE: Buffer = buffer("enip.cip_instance", |scene, values| {
    app::push(
        values,
        cips(scene).flat_map(|cip| named(cip, INSTANCE_SEGMENT)),
    );
});
static ATTRIBUTE: Buffer = buffer("enip.cip_attribute", |scene, values| {
    app::push(
        values,
        cips(scene).flat_map(|cip| named(cip, ATTRIBUTE_SEGMENT)),
    );
});
static CIP_STATUS: Buffer = buffer("enip.cip_status", |scene, values| {
    let statuses = cips(scene).filter_map(|cip| cip.status.as_ref());
    app::push(values, statuses.map(|status| status.general));
});
static EXTENDED_STATUS: Buffer = buffer("enip.cip_extendedstatus", |scene, values| {
    let statuses = cips(scene).filter_map(|cip| cip.status.as_ref());
    let first = statuses.filter_map(|status| status.extended.first_chunk());
    app::push(values, first.map(|word| u16::from_le_bytes(*word)));
});
static SERVICE: Buffer = buffer("cip_service", |scene, values| {
    values.maybe(own_cip(scene).map(|_| &[][..]));
});

fn messages<'s>(scene: &Scene<'s>) -> impl Iterator<Item = &'s Message> {
    let exchange = scene.of::<Exchange>().into_iter();
    exchange.flat_map(|exchange| exchange.request.iter().chain(&exchange.response))
}

fn identities<'s>(scene: &Scene<'s>) -> impl Iterator<Item = &'s Identity> {
    messages(scene).filter_map(|message| match &message.content {
        Content::Identity(identity) => Some(&**identity),
        _ => None,
    })
}

fn cip(message: &Message) -> Option<&Cip> {
    match &message.content {
        Content::Cip(cip) => Some(cip),
        _ => None,
    }
}

/// The CIP messages of both sides, those that others hold included.
fn cips<'s>(scene: &Scene<'s>) -> impl Iterator<Item = &'s Cip> {
    messages(scene).filter_map(cip).flat_map(all)
}

fn all(cip: &Cip) -> impl Iterator<Item = &Cip> {
    std::iter::once(cip).chain(&cip.multiple)
}

/// The message of the side that is looked at.
fn own<'s>(scene: &Scene<'s>) -> Option<&'s Message> {
    let exchange = scene.of::<Exchange>()?;
    match scene.direction {
        Direction::ToServer => exchange.request.as_ref(),
        Direction::ToClient => exchange.response.as_ref(),
    }
}

/// The CIP message of the side that is looked at.
fn own_cip<'s>(scene: &Scene<'s>) -> Option<&'s Cip> {
    own(scene).and_then(cip)
}

/// The numbers of a kind in a path.
fn named(cip: &Cip, kind: u8) -> impl Iterator<Item = u32> {
    cip.path.iter().filter_map(move |segment| match segment {
        Segment::Number(of, number) if *of == kind => Some(*number),
        Segment::Number(..) | Segment::Symbol(_) | Segment::Port(_) => None,
    })
}

/// A service, and what it is asked of.
#[derive(Debug)]
struct Service {
    service: u8,
    class: Option<u32>,
    /// An attribute that is named, or is not.
    attribute: Option<(bool, u32)>,
}

impl Check for Service {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        own_cip(walk.scene).is_some_and(|cip| all(cip).any(|cip| self.is(cip)))
    }
}

impl Service {
    fn is(&self, cip: &Cip) -> bool {
        let has = |kind: u8, number: u32| named(cip, kind).any(|named| named == number);
        cip.service == self.service
            && self.class.is_none_or(|class| has(CLASS_SEGMENT, class))
            && self
                .attribute
                .is_none_or(|(wanted, number)| has(ATTRIBUTE_SEGMENT, number) == wanted)
    }
}

fn service(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let mut parts = value.split(',');
    let service = number(parts.next().unwrap_or(value))?;
    let class = parts.next().map(number::<u32>).transpose()?;
    let attribute = parts.next().map(|part| {
        let (negated, digits) = content::negated(part);
        number::<u32>(digits).map(|number| (!negated, number))
    });
    if let Some(more) = parts.next() {
        return Err(more
            .wrong("more than service, class and attribute")
            .mend("write service,class,attribute"));
    }
    let service = Service {
        service,
        class,
        attribute: attribute.transpose()?,
    };
    rule.ask_of(&SERVICE, Step::Check(Box::new(service)), arg.name)
}

/// Kinds of the numbers in a path (CIP volume 1 appendix C).
const CLASS_SEGMENT: u8 = 0x20;
const INSTANCE_SEGMENT: u8 = 0x24;
const ATTRIBUTE_SEGMENT: u8 = 0x30;

/// Commands (CIP volume 2 section 2-3.2).
const COMMANDS: &[(&str, u64)] = &[
    ("nop", 0x00),
    ("list_services", 0x04),
    ("list_identity", 0x63),
    ("list_interfaces", 0x64),
    ("register_session", 0x65),
    ("unregister_session", 0x66),
    ("send_r_r_data", 0x6f),
    ("send_unit_data", 0x70),
    ("indicate_status", 0x72),
    ("cancel", 0x73),
];

/// Status of the encapsulation (CIP volume 2 section 2-3.5).
const STATUSES: &[(&str, u64)] = &[
    ("success", 0x00),
    ("invalid_cmd", 0x01),
    ("no_resources", 0x02),
    ("incorrect_data", 0x03),
    ("invalid_session", 0x64),
    ("invalid_length", 0x65),
    ("unsupported_prot_rev", 0x69),
    ("encap_header_error", 0x6a),
];
