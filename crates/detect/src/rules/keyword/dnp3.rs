//! DNP3.

use packet::AppProto;
use packet::applayer::dnp3::Fragment;

use super::app::{self, Get};
use super::number::Number;
use super::{Arg, Keyword, number};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::rule::{Check, Step};
use crate::rules::scene::{Buffer, Scene, Sides};
use crate::rules::walk::Walk;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "dnp3_func",
        "code|name",
        "The function of a fragment.",
        function,
    ),
    Keyword::call(
        "dnp3.func",
        "code|name",
        "The function of a fragment.",
        function,
    ),
    Keyword::call(
        "dnp3_ind",
        "bits|name[,name...]",
        "One of these internal indications is set.",
        indications,
    ),
    Keyword::call(
        "dnp3.ind",
        "bits|name[,name...]",
        "One of these internal indications is set.",
        indications,
    ),
    Keyword::call(
        "dnp3_obj",
        "group,variation",
        "There is such an object.",
        object,
    ),
    Keyword::call(
        "dnp3.obj",
        "group,variation",
        "There is such an object.",
        object,
    ),
    Keyword::sticky(
        "dnp3.data",
        "An application fragment, its header included.",
        &DATA,
    ),
    Keyword::sticky(
        "dnp3_data",
        "An application fragment, its header included.",
        &DATA,
    ),
];

const fn buffer(name: &'static str, get: Get) -> Buffer {
    app::buffer(name, &[AppProto::Dnp3], Sides::Both, get)
}

static FUNCTION: Buffer = buffer("dnp3_func", |scene, values| {
    app::push(
        values,
        fragment(scene).map(|fragment| fragment.function_code),
    );
});

static INDICATIONS: Buffer = buffer("dnp3_ind", |scene, values| {
    app::push(values, fragment(scene).and_then(|fragment| fragment.iin));
});

static OBJECTS: Buffer = buffer("dnp3_obj", |scene, values| {
    let objects = fragment(scene)
        .into_iter()
        .flat_map(|fragment| &fragment.objects);
    app::push(
        values,
        objects.map(|object| number_of(object.group, object.variation)),
    );
});

static DATA: Buffer = buffer("dnp3.data", |scene, values| {
    if let Some(fragment) = fragment(scene) {
        let mut bytes = vec![fragment.control, fragment.function_code];
        bytes.extend(fragment.iin.into_iter().flat_map(u16::to_be_bytes));
        bytes.extend_from_slice(&fragment.data);
        values.made(bytes);
    }
});

fn fragment<'s>(scene: &Scene<'s>) -> Option<&'s Fragment> {
    scene.of()
}

fn number_of(group: u8, variation: u8) -> u16 {
    u16::from_be_bytes([group, variation])
}

fn function(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let code = match app::table(FUNCTIONS)(value.text) {
        Some(code) => code,
        None => number::<u8>(value)?.into(),
    };
    app::ask(rule, arg, &FUNCTION, Number::Is(code))
}

/// One of these bits is set.
#[derive(Debug)]
struct AnyBit(u64);

impl Check for AnyBit {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        let bits = walk
            .bytes
            .first_chunk()
            .map(|word| u64::from_be_bytes(*word));
        bits.is_some_and(|bits| bits & self.0 != 0)
    }
}

fn indications(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let mut bits = 0;
    for word in value.split(',') {
        let digits = word.text.strip_prefix("0x");
        let raw = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        bits |= match (app::table(INDICATION_NAMES)(word.text), raw) {
            (Some(bit), _) => bit,
            (None, Some(raw)) => raw.into(),
            (None, None) => number::<u16>(word)?.into(),
        };
    }
    rule.ask_of(&INDICATIONS, Step::Check(Box::new(AnyBit(bits))), arg.name)
}

fn object(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let mut parts = value.split(',');
    let (Some(group), Some(variation), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(value
            .wrong("an object has a group and a variation")
            .mend("write group,variation"));
    };
    let object = number_of(number(group)?, number(variation)?);
    app::ask(rule, arg, &OBJECTS, Number::Is(object.into()))
}

/// Internal indications (IEEE 1815 section 4.2.2.6).
const INDICATION_NAMES: &[(&str, u64)] = &[
    ("all_stations", 0x0100),
    ("class_1_events", 0x0200),
    ("class_2_events", 0x0400),
    ("class_3_events", 0x0800),
    ("need_time", 0x1000),
    ("local_control", 0x2000),
    ("device_trouble", 0x4000),
    ("device_restart", 0x8000),
    ("no_func_code_support", 0x0001),
    ("object_unknown", 0x0002),
    ("parameter_error", 0x0004),
    ("event_buffer_overflow", 0x0008),
    ("already_executing", 0x0010),
    ("config_corrupt", 0x0020),
    ("reserved_2", 0x0040),
    ("reserved_1", 0x0080),
];

/// Function codes (IEEE 1815 section 4.4).
const FUNCTIONS: &[(&str, u64)] = &[
    ("confirm", 0),
    ("read", 1),
    ("write", 2),
    ("select", 3),
    ("operate", 4),
    ("direct_operate", 5),
    ("direct_operate_nr", 6),
    ("immed_freeze", 7),
    ("immed_freeze_nr", 8),
    ("freeze_clear", 9),
    ("freeze_clear_nr", 10),
    ("freeze_at_time", 11),
    ("freeze_at_time_nr", 12),
    ("cold_restart", 13),
    ("warm_restart", 14),
    ("initialize_data", 15),
    ("initialize_appl", 16),
    ("start_appl", 17),
    ("stop_appl", 18),
    ("save_config", 19),
    ("enable_unsolicited", 20),
    ("disable_unsolicited", 21),
    ("assign_class", 22),
    ("delay_measure", 23),
    ("record_current_time", 24),
    ("open_file", 25),
    ("close_file", 26),
    ("delete_file", 27),
    ("get_file_info", 28),
    ("authenticate_file", 29),
    ("abort_file", 30),
    ("activate_config", 31),
    ("authenticate_req", 32),
    ("authenticate_err", 33),
    ("response", 129),
    ("unsolicited_response", 130),
    ("authenticate_resp", 131),
];
