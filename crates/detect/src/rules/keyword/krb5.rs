//! Kerberos 5.

use packet::AppProto;
use packet::applayer::krb5::{ENCRYPTIONS, Krb5, is_weak};

use super::app::{self, Get};
use super::number::Number;
use super::{Arg, Keyword, content, number};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::rule::{Check, Step};
use crate::rules::scene::{Buffer, Scene, Sides, Values};
use crate::rules::walk::Walk;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "krb5_msg_type",
        "number",
        "The type of the message: 10 and 11 for a first ticket, 12 and 13 for one to a service, 30 an error.",
        message_type,
    ),
    Keyword::call(
        "krb5_err_code",
        "number",
        "The code of an error.",
        error_code,
    ),
    Keyword::sticky("krb5.cname", "A component of the client's name.", &CLIENT),
    Keyword::sticky("krb5_cname", "A component of the client's name.", &CLIENT),
    Keyword::sticky("krb5.sname", "A component of the service's name.", &SERVICE),
    Keyword::sticky("krb5_sname", "A component of the service's name.", &SERVICE),
    Keyword::call(
        "krb5.ticket_encryption",
        "[!]weak|name or number[,...]",
        "How the ticket is encrypted.",
        ticket_encryption,
    ),
];

const fn buffer(name: &'static str, sides: Sides, get: Get) -> Buffer {
    app::buffer(name, &[AppProto::Krb5], sides, get)
}

static MESSAGE_TYPE: Buffer = buffer("krb5_msg_type", Sides::Both, |scene, values| {
    app::push(values, message(scene).map(|message| message.kind as u8));
});

static ERROR_CODE: Buffer = buffer("krb5_err_code", Sides::Both, |scene, values| {
    let error = message(scene).and_then(|message| message.error);
    app::push(values, error.map(|error| error.0.cast_unsigned()));
});

static CLIENT: Buffer = buffer("krb5.cname", Sides::Server, |scene, values| {
    components(
        message(scene).and_then(|message| message.cname.as_deref()),
        values,
    );
})
.multiple();

static SERVICE: Buffer = buffer("krb5.sname", Sides::Server, |scene, values| {
    components(
        message(scene).and_then(|message| message.sname.as_deref()),
        values,
    );
})
.multiple();

static TICKET_ENCRYPTION: Buffer =
    buffer("krb5.ticket_encryption", Sides::Server, |scene, values| {
        let encryption = message(scene).and_then(|message| message.ticket_encryption);
        app::push(values, encryption.map(i64::cast_unsigned));
    });

fn message<'s>(scene: &Scene<'s>) -> Option<&'s Krb5> {
    scene.of()
}

fn components<'s>(name: Option<&'s [u8]>, values: &mut Values<'s>) {
    let parts = name
        .into_iter()
        .flat_map(|name| name.split(|byte| *byte == b'/'));
    parts.for_each(|part| values.push(part));
}

fn message_type(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let kind: u8 = arg.number()?;
    app::ask(rule, arg, &MESSAGE_TYPE, Number::Is(kind.into()))
}

fn error_code(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let code = match value.text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => value.text.parse().ok(),
    };
    let code = code
        .filter(|code| i32::try_from(*code).is_ok())
        .ok_or_else(|| {
            value
                .wrong(format!("{:?} is no code of an error", value.text))
                .mend("write a number")
        })?;
    app::ask(rule, arg, &ERROR_CODE, Number::Is(code.into()))
}

/// How tickets are encrypted.
#[derive(Debug)]
enum Encryption {
    /// Weakly, or not.
    Weak(bool),
    /// In one of these ways.
    OneOf(Vec<i64>),
}

impl Check for Encryption {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        let number = walk
            .bytes
            .first_chunk()
            .map(|word| i64::from_be_bytes(*word));
        number.is_some_and(|number| match self {
            Self::Weak(weak) => is_weak(number) == *weak,
            Self::OneOf(ways) => ways.contains(&number),
        })
    }
}

fn ticket_encryption(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let (negated, name) = content::negated(value);
    let encryption = if name.text == "weak" {
        Encryption::Weak(!negated)
    } else {
        let ways = value.split(',').map(|way| {
            let known = ENCRYPTIONS.iter().find(|(_, known)| *known == way.text);
            known.map_or_else(|| number(way), |(number, _)| Ok(*number))
        });
        Encryption::OneOf(ways.collect::<Result<_, _>>()?)
    };
    rule.ask_of(
        &TICKET_ENCRYPTION,
        Step::Check(Box::new(encryption)),
        arg.name,
    )
}
