//! The predefined extensions of cyber-observable objects (section 6).

use crate::tree::Json;

use super::check::Scope;
use super::form;
use super::sco;
use super::table::{COUNT, INTEGER, Kind, NUMBER, Precision, Record, Rule, TEXTS, opt, req};
use super::vocabulary as words;

type Entry = (&'static str, &'static Record);

pub(super) static FILE: [Entry; 5] = [
    ("archive-ext", &ARCHIVE),
    ("ntfs-ext", &NTFS),
    ("pdf-ext", &PDF),
    ("raster-image-ext", &RASTER_IMAGE),
    ("windows-pebinary-ext", &WINDOWS_PEBINARY),
];
pub(super) static NETWORK_TRAFFIC: [Entry; 4] = [
    ("http-request-ext", &HTTP_REQUEST),
    ("icmp-ext", &ICMP),
    ("socket-ext", &SOCKET),
    ("tcp-ext", &TCP),
];
pub(super) static PROCESS: [Entry; 2] = [
    ("windows-process-ext", &WINDOWS_PROCESS),
    ("windows-service-ext", &WINDOWS_SERVICE),
];
pub(super) static USER_ACCOUNT: [Entry; 1] = [("unix-account-ext", &UNIX_ACCOUNT)];

const ARCHIVE: Record = Record {
    rule: "STIX 2.1 section 6.7.2",
    properties: &[
        req(
            "contains_refs",
            Kind::List(&Kind::Ref(&sco::FILES_AND_DIRECTORIES)),
        ),
        opt("comment", Kind::Text),
    ],
    rules: &[],
};

const NTFS: Record = Record {
    rule: "STIX 2.1 section 6.7.3",
    properties: &[
        opt("sid", Kind::Text),
        opt(
            "alternate_data_streams",
            Kind::List(&Kind::Record(&ALTERNATE_DATA_STREAM)),
        ),
    ],
    rules: &[Rule::Some],
};

const ALTERNATE_DATA_STREAM: Record = Record {
    rule: "STIX 2.1 section 6.7.3.1",
    properties: &[
        req("name", Kind::Text),
        opt("hashes", Kind::Hashes),
        opt("size", COUNT),
    ],
    rules: &[],
};

const PDF: Record = Record {
    rule: "STIX 2.1 section 6.7.4",
    properties: &[
        opt("version", Kind::Text),
        opt("is_optimized", Kind::Boolean),
        opt("document_info_dict", Kind::Dictionary(&Kind::Text)),
        opt("pdfid0", Kind::Text),
        opt("pdfid1", Kind::Text),
    ],
    rules: &[Rule::Some, Rule::Own(document_info)],
};

const RASTER_IMAGE: Record = Record {
    rule: "STIX 2.1 section 6.7.5",
    properties: &[
        opt("image_height", INTEGER),
        opt("image_width", INTEGER),
        opt("bits_per_pixel", INTEGER),
        opt("exif_tags", Kind::Dictionary(&Kind::TextOrInteger)),
    ],
    rules: &[Rule::Some, Rule::Own(exif_tags)],
};

const WINDOWS_PEBINARY: Record = Record {
    rule: "STIX 2.1 section 6.7.6",
    properties: &[
        req("pe_type", Kind::Open(&words::PEBINARY_TYPE)),
        opt("imphash", Kind::Text),
        opt("machine_hex", Kind::Hex),
        opt("number_of_sections", COUNT),
        opt("time_date_stamp", Kind::Time(Precision::Second)),
        opt("pointer_to_symbol_table_hex", Kind::Hex),
        opt("number_of_symbols", COUNT),
        opt("size_of_optional_header", COUNT),
        opt("characteristics_hex", Kind::Hex),
        opt("file_header_hashes", Kind::Hashes),
        opt("optional_header", Kind::Record(&PE_OPTIONAL_HEADER)),
        opt("sections", Kind::List(&Kind::Record(&PE_SECTION))),
    ],
    rules: &[Rule::AnyOf(&[
        "imphash",
        "machine_hex",
        "number_of_sections",
        "time_date_stamp",
        "pointer_to_symbol_table_hex",
        "number_of_symbols",
        "size_of_optional_header",
        "characteristics_hex",
        "file_header_hashes",
        "optional_header",
        "sections",
    ])],
};

const PE_OPTIONAL_HEADER: Record = Record {
    rule: "STIX 2.1 section 6.7.6.1",
    properties: &[
        opt("magic_hex", Kind::Hex),
        opt("major_linker_version", INTEGER),
        opt("minor_linker_version", INTEGER),
        opt("size_of_code", COUNT),
        opt("size_of_initialized_data", COUNT),
        opt("size_of_uninitialized_data", COUNT),
        opt("address_of_entry_point", INTEGER),
        opt("base_of_code", INTEGER),
        opt("base_of_data", INTEGER),
        opt("image_base", INTEGER),
        opt("section_alignment", INTEGER),
        opt("file_alignment", INTEGER),
        opt("major_os_version", INTEGER),
        opt("minor_os_version", INTEGER),
        opt("major_image_version", INTEGER),
        opt("minor_image_version", INTEGER),
        opt("major_subsystem_version", INTEGER),
        opt("minor_subsystem_version", INTEGER),
        opt("win32_version_value_hex", Kind::Hex),
        opt("size_of_image", COUNT),
        opt("size_of_headers", COUNT),
        opt("checksum_hex", Kind::Hex),
        opt("dll_characteristics_hex", Kind::Hex),
        opt("size_of_stack_reserve", COUNT),
        opt("size_of_stack_commit", COUNT),
        opt("size_of_heap_reserve", COUNT),
        opt("size_of_heap_commit", COUNT),
        opt("loader_flags_hex", Kind::Hex),
        opt("number_of_rva_and_sizes", INTEGER),
        opt("hashes", Kind::Hashes),
        opt("subsystem_hex", Kind::Hex),
    ],
    rules: &[Rule::Some],
};

const PE_SECTION: Record = Record {
    rule: "STIX 2.1 section 6.7.6.2",
    properties: &[
        req("name", Kind::Text),
        opt("size", COUNT),
        opt("entropy", NUMBER),
        opt("hashes", Kind::Hashes),
    ],
    rules: &[],
};

const HTTP_REQUEST: Record = Record {
    rule: "STIX 2.1 section 6.12.2",
    properties: &[
        req("request_method", Kind::Form(&form::FILLED)),
        req("request_value", Kind::Text),
        opt("request_version", Kind::Text),
        opt("request_header", Kind::Dictionary(&TEXTS)),
        opt("message_body_length", INTEGER),
        opt("message_body_data_ref", Kind::Ref(&sco::ARTIFACTS)),
    ],
    rules: &[Rule::Own(header_fields)],
};

const ICMP: Record = Record {
    rule: "STIX 2.1 section 6.12.3",
    properties: &[
        req("icmp_type_hex", Kind::Hex),
        req("icmp_code_hex", Kind::Hex),
    ],
    rules: &[],
};

const SOCKET: Record = Record {
    rule: "STIX 2.1 section 6.12.4",
    properties: &[
        req("address_family", Kind::Enum(&words::ADDRESS_FAMILY)),
        opt("is_blocking", Kind::Boolean),
        opt("is_listening", Kind::Boolean),
        opt("options", Kind::Dictionary(&INTEGER)),
        opt("socket_type", Kind::Enum(&words::SOCKET_TYPE)),
        opt("socket_descriptor", COUNT),
        opt("socket_handle", INTEGER),
    ],
    rules: &[Rule::Own(socket_options)],
};

const TCP: Record = Record {
    rule: "STIX 2.1 section 6.12.5",
    properties: &[
        opt("src_flags_hex", Kind::Hex),
        opt("dst_flags_hex", Kind::Hex),
    ],
    rules: &[Rule::Some],
};

const WINDOWS_PROCESS: Record = Record {
    rule: "STIX 2.1 section 6.13.2",
    properties: &[
        opt("aslr_enabled", Kind::Boolean),
        opt("dep_enabled", Kind::Boolean),
        opt("priority", Kind::Form(&form::PRIORITY)),
        opt("owner_sid", Kind::Text),
        opt("window_title", Kind::Text),
        opt("startup_info", Kind::Elsewhere),
        opt("integrity_level", Kind::Enum(&words::INTEGRITY_LEVEL)),
    ],
    rules: &[Rule::Some, Rule::Own(startup_info)],
};

const WINDOWS_SERVICE: Record = Record {
    rule: "STIX 2.1 section 6.13.3",
    properties: &[
        opt("service_name", Kind::Text),
        opt("descriptions", TEXTS),
        opt("display_name", Kind::Text),
        opt("group_name", Kind::Text),
        opt("start_type", Kind::Enum(&words::SERVICE_START_TYPE)),
        opt("service_dll_refs", Kind::List(&Kind::Ref(&sco::FILES))),
        opt("service_type", Kind::Enum(&words::SERVICE_TYPE)),
        opt("service_status", Kind::Enum(&words::SERVICE_STATUS)),
    ],
    rules: &[Rule::Some],
};

const UNIX_ACCOUNT: Record = Record {
    rule: "STIX 2.1 section 6.16.2",
    properties: &[
        opt("gid", INTEGER),
        opt("groups", TEXTS),
        opt("home_dir", Kind::Text),
        opt("shell", Kind::Text),
    ],
    rules: &[Rule::Some],
};

/// The first key of a dictionary that is not as it should be.
fn odd_key<'a>(scope: &Scope<'a, '_>, name: &str, known: fn(&str) -> bool) -> Option<&'a str> {
    let dictionary = scope.members.get(name).and_then(Json::as_object)?;
    dictionary
        .iter()
        .map(|(key, _)| key)
        .find(|key| !known(key))
}

fn document_info(scope: &mut Scope<'_, '_>) {
    const KEYS: [&str; 9] = [
        "Title",
        "Author",
        "Subject",
        "Keywords",
        "Creator",
        "Producer",
        "CreationDate",
        "ModDate",
        "Trapped",
    ];
    if odd_key(scope, "document_info_dict", |key| KEYS.contains(&key)).is_some() {
        let what = "should have keys of the PDF Document Information Dictionary";
        let mend = "use Title, Author, Subject, Keywords, Creator, Producer, CreationDate, ModDate or Trapped";
        scope.warn("document_info_dict", PDF.rule, what, mend);
    }
}

/// Names of EXIF tags begin with a capital letter, and must be written as they are.
fn exif_tags(scope: &mut Scope<'_, '_>) {
    let known = |key: &str| key.starts_with(|c: char| c.is_ascii_uppercase());
    if odd_key(scope, "exif_tags", known).is_some() {
        let what = "must have names of EXIF tags as keys, in their own case";
        scope.error(
            "exif_tags",
            RASTER_IMAGE.rule,
            what,
            "write the tag as EXIF does",
        );
    }
}

fn header_fields(scope: &mut Scope<'_, '_>) {
    if odd_key(scope, "request_header", form::is_header_field).is_some() {
        let what = "should have names of registered HTTP fields as keys";
        scope.warn(
            "request_header",
            HTTP_REQUEST.rule,
            what,
            "use a registered name",
        );
    }
}

fn socket_options(scope: &mut Scope<'_, '_>) {
    const PREFIXES: [&str; 8] = [
        "SO_", "ICMP_", "ICMP6_", "IP_", "IPV6_", "MCAST_", "TCP_", "IRLMP_",
    ];
    let known = |key: &str| {
        let rest = PREFIXES.iter().find_map(|prefix| key.strip_prefix(prefix));
        let legal = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(legal))
    };
    if odd_key(scope, "options", known).is_some() {
        let what = "must have names of socket options as keys, such as SO_KEEPALIVE";
        scope.error(
            "options",
            SOCKET.rule,
            what,
            "write the option as the system does",
        );
    }
}

/// The members of `STARTUPINFO`; those that the system reserves are null there.
fn startup_info(scope: &mut Scope<'_, '_>) {
    const KEYS: [&str; 18] = [
        "cb",
        "lpReserved",
        "lpDesktop",
        "lpTitle",
        "dwX",
        "dwY",
        "dwXSize",
        "dwYSize",
        "dwXCountChars",
        "dwYCountChars",
        "dwFillAttribute",
        "dwFlags",
        "wShowWindow",
        "cbReserved2",
        "lpReserved2",
        "hStdInput",
        "hStdOutput",
        "hStdError",
    ];
    let Some(value) = scope.members.get("startup_info") else {
        return;
    };
    let members = value.as_object();
    if members.is_none_or(|members| members.is_empty()) {
        let what = "must be a dictionary with at least one entry";
        scope.error(
            "startup_info",
            WINDOWS_PROCESS.rule,
            what,
            "leave the property out",
        );
    } else if odd_key(scope, "startup_info", |key| KEYS.contains(&key)).is_some() {
        let what = "must have the members of STARTUPINFO as keys, in their own case";
        let mend = "write the member as the system does";
        scope.error("startup_info", WINDOWS_PROCESS.rule, what, mend);
    }
}
