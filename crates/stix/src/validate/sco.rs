//! The cyber-observable objects (section 6); their extensions stand in `extension`.

use crate::tree::Json;

use super::check::Scope;
use super::extension;
use super::form;
use super::table::{
    COUNT, Class, INTEGER, Kind, Record, Rule, TEXTS, TIME, Target, Type, is_observable_or_custom,
    opt, req,
};
use super::vocabulary as words;

const fn observable(
    name: &'static str,
    contributing: &'static [&'static str],
    record: Record,
) -> Type {
    Type {
        name,
        class: Class::Observable,
        record,
        extensions: &[],
        contributing,
    }
}

pub(super) static TYPES: [Type; 18] = [
    observable("artifact", &["hashes", "payload_bin"], ARTIFACT),
    observable("autonomous-system", &["number"], AUTONOMOUS_SYSTEM),
    observable("directory", &["path"], DIRECTORY),
    observable("domain-name", &["value"], DOMAIN_NAME),
    observable("email-addr", &["value"], EMAIL_ADDR),
    observable(
        "email-message",
        &["from_ref", "subject", "body"],
        EMAIL_MESSAGE,
    ),
    Type {
        extensions: &extension::FILE,
        ..observable(
            "file",
            &["hashes", "name", "parent_directory_ref", "extensions"],
            FILE,
        )
    },
    observable("ipv4-addr", &["value"], IPV4_ADDR),
    observable("ipv6-addr", &["value"], IPV6_ADDR),
    observable("mac-addr", &["value"], MAC_ADDR),
    observable("mutex", &["name"], MUTEX),
    Type {
        extensions: &extension::NETWORK_TRAFFIC,
        ..observable(
            "network-traffic",
            &[
                "start",
                "end",
                "src_ref",
                "dst_ref",
                "src_port",
                "dst_port",
                "protocols",
                "extensions",
            ],
            NETWORK_TRAFFIC,
        )
    },
    Type {
        extensions: &extension::PROCESS,
        ..observable("process", &[], PROCESS)
    },
    observable(
        "software",
        &["name", "cpe", "swid", "vendor", "version"],
        SOFTWARE,
    ),
    observable("url", &["value"], URL),
    Type {
        extensions: &extension::USER_ACCOUNT,
        ..observable(
            "user-account",
            &["account_type", "user_id", "account_login"],
            USER_ACCOUNT,
        )
    },
    observable(
        "windows-registry-key",
        &["key", "values"],
        WINDOWS_REGISTRY_KEY,
    ),
    observable(
        "x509-certificate",
        &["hashes", "serial_number"],
        X509_CERTIFICATE,
    ),
];

/// A reference to types of observables alone.
macro_rules! target {
    ($name:ident, $what:literal, $($kind:literal)|+) => {
        pub(super) const $name: Target = Target {
            allows: |name| matches!(name, $($kind)|+),
            what: $what,
            must: true,
        };
    };
}
target!(ARTIFACTS, "an artifact", "artifact");
target!(
    ARTIFACT_OR_FILE,
    "an artifact or a file",
    "artifact" | "file"
);
target!(FILES, "a file", "file");
target!(DIRECTORIES, "a directory", "directory");
target!(
    FILES_AND_DIRECTORIES,
    "a file or a directory",
    "file" | "directory"
);
target!(ACCOUNTS, "a user account", "user-account");
target!(ADDRESSES, "an e-mail address", "email-addr");
target!(MAC_ADDRESSES, "a MAC address", "mac-addr");
target!(SYSTEMS, "an autonomous system", "autonomous-system");
target!(TRAFFIC, "network traffic", "network-traffic");
target!(PROCESSES, "a process", "process");
target!(
    NAMES,
    "an IP address or a domain name",
    "ipv4-addr" | "ipv6-addr" | "domain-name"
);
target!(
    ENDPOINTS,
    "an IP address, a MAC address or a domain name",
    "ipv4-addr" | "ipv6-addr" | "mac-addr" | "domain-name"
);
const OBSERVABLES: Target = Target {
    allows: is_observable_or_custom,
    what: "a cyber-observable object",
    must: true,
};

const ARTIFACT: Record = Record {
    rule: "STIX 2.1 section 6.1.1",
    properties: &[
        opt("mime_type", Kind::Form(&form::MEDIA_TYPE)),
        opt("payload_bin", Kind::Binary),
        opt("url", Kind::Form(&form::URL)),
        opt("hashes", Kind::Hashes),
        opt(
            "encryption_algorithm",
            Kind::Enum(&words::ENCRYPTION_ALGORITHM),
        ),
        opt("decryption_key", Kind::Text),
    ],
    rules: &[
        Rule::OneOf(&["payload_bin", "url"]),
        Rule::Requires("url", &["hashes"]),
        Rule::Requires("decryption_key", &["encryption_algorithm"]),
    ],
};

const AUTONOMOUS_SYSTEM: Record = Record {
    rule: "STIX 2.1 section 6.2.1",
    properties: &[
        req("number", COUNT),
        opt("name", Kind::Text),
        opt("rir", Kind::Text),
    ],
    rules: &[],
};

const DIRECTORY: Record = Record {
    rule: "STIX 2.1 section 6.3.1",
    properties: &[
        req("path", Kind::Text),
        opt("path_enc", Kind::Form(&form::CHARSET)),
        opt("ctime", TIME),
        opt("mtime", TIME),
        opt("atime", TIME),
        opt(
            "contains_refs",
            Kind::List(&Kind::Ref(&FILES_AND_DIRECTORIES)),
        ),
    ],
    rules: &[],
};

const DOMAIN_NAME: Record = Record {
    rule: "STIX 2.1 section 6.4.1",
    properties: &[
        req("value", Kind::Form(&form::DOMAIN)),
        opt("resolves_to_refs", Kind::List(&Kind::Ref(&NAMES))),
    ],
    rules: &[],
};

const EMAIL_ADDR: Record = Record {
    rule: "STIX 2.1 section 6.5.1",
    properties: &[
        req("value", Kind::Form(&form::EMAIL)),
        opt("display_name", Kind::Text),
        opt("belongs_to_ref", Kind::Ref(&ACCOUNTS)),
    ],
    rules: &[],
};

const EMAIL_MESSAGE: Record = Record {
    rule: "STIX 2.1 section 6.6.1",
    properties: &[
        req("is_multipart", Kind::Boolean),
        opt("date", TIME),
        opt("content_type", Kind::Text),
        opt("from_ref", Kind::Ref(&ADDRESSES)),
        opt("sender_ref", Kind::Ref(&ADDRESSES)),
        opt("to_refs", Kind::List(&Kind::Ref(&ADDRESSES))),
        opt("cc_refs", Kind::List(&Kind::Ref(&ADDRESSES))),
        opt("bcc_refs", Kind::List(&Kind::Ref(&ADDRESSES))),
        opt("message_id", Kind::Text),
        opt("subject", Kind::Text),
        opt("received_lines", TEXTS),
        opt(
            "additional_header_fields",
            Kind::Dictionary(&Kind::TextOrTexts),
        ),
        opt("body", Kind::Text),
        opt("body_multipart", Kind::List(&Kind::Record(&MIME_PART))),
        opt("raw_email_ref", Kind::Ref(&ARTIFACTS)),
    ],
    rules: &[Rule::Own(body)],
};

const MIME_PART: Record = Record {
    rule: "STIX 2.1 section 6.6.2",
    properties: &[
        opt("body", Kind::Text),
        opt("body_raw_ref", Kind::Ref(&ARTIFACT_OR_FILE)),
        opt("content_type", Kind::Text),
        opt("content_disposition", Kind::Text),
    ],
    rules: &[Rule::OneOf(&["body", "body_raw_ref"])],
};

const FILE: Record = Record {
    rule: "STIX 2.1 section 6.7.1",
    properties: &[
        opt("hashes", Kind::Hashes),
        opt("size", COUNT),
        opt("name", Kind::Text),
        opt("name_enc", Kind::Form(&form::CHARSET)),
        opt("magic_number_hex", Kind::Hex),
        opt("mime_type", Kind::Form(&form::MEDIA_TYPE)),
        opt("ctime", TIME),
        opt("mtime", TIME),
        opt("atime", TIME),
        opt("parent_directory_ref", Kind::Ref(&DIRECTORIES)),
        opt("contains_refs", Kind::List(&Kind::Ref(&OBSERVABLES))),
        opt("content_ref", Kind::Ref(&ARTIFACTS)),
    ],
    rules: &[
        Rule::AnyOf(&["hashes", "name"]),
        Rule::Requires("name_enc", &["name"]),
    ],
};

const IPV4_ADDR: Record = Record {
    rule: "STIX 2.1 section 6.8.1",
    properties: &[
        req("value", Kind::Form(&form::IPV4)),
        opt("resolves_to_refs", Kind::List(&Kind::Ref(&MAC_ADDRESSES))),
        opt("belongs_to_refs", Kind::List(&Kind::Ref(&SYSTEMS))),
    ],
    rules: &[],
};

const IPV6_ADDR: Record = Record {
    rule: "STIX 2.1 section 6.9.1",
    properties: &[
        req("value", Kind::Form(&form::IPV6)),
        opt("resolves_to_refs", Kind::List(&Kind::Ref(&MAC_ADDRESSES))),
        opt("belongs_to_refs", Kind::List(&Kind::Ref(&SYSTEMS))),
    ],
    rules: &[],
};

const MAC_ADDR: Record = Record {
    rule: "STIX 2.1 section 6.10.1",
    properties: &[req("value", Kind::Form(&form::MAC))],
    rules: &[],
};

const MUTEX: Record = Record {
    rule: "STIX 2.1 section 6.11.1",
    properties: &[req("name", Kind::Text)],
    rules: &[],
};

const PORT: Kind = Kind::Integer(0, 65_535);

const NETWORK_TRAFFIC: Record = Record {
    rule: "STIX 2.1 section 6.12.1",
    properties: &[
        opt("start", TIME),
        opt("end", TIME),
        opt("is_active", Kind::Boolean),
        opt("src_ref", Kind::Ref(&ENDPOINTS)),
        opt("dst_ref", Kind::Ref(&ENDPOINTS)),
        opt("src_port", PORT),
        opt("dst_port", PORT),
        req("protocols", Kind::List(&Kind::Form(&form::PROTOCOL))),
        opt("src_byte_count", COUNT),
        opt("dst_byte_count", COUNT),
        opt("src_packets", COUNT),
        opt("dst_packets", COUNT),
        opt("ipfix", Kind::Dictionary(&Kind::TextOrInteger)),
        opt("src_payload_ref", Kind::Ref(&ARTIFACTS)),
        opt("dst_payload_ref", Kind::Ref(&ARTIFACTS)),
        opt("encapsulates_refs", Kind::List(&Kind::Ref(&TRAFFIC))),
        opt("encapsulated_by_ref", Kind::Ref(&TRAFFIC)),
    ],
    rules: &[
        Rule::AnyOf(&["src_ref", "dst_ref"]),
        Rule::NotBefore("start", "end"),
        Rule::Own(active),
        Rule::Own(ports),
        Rule::Own(flow_fields),
    ],
};

const PROCESS: Record = Record {
    rule: "STIX 2.1 section 6.13.1",
    properties: &[
        opt("is_hidden", Kind::Boolean),
        opt("pid", INTEGER),
        opt("created_time", TIME),
        opt("cwd", Kind::Text),
        opt("command_line", Kind::Text),
        opt("environment_variables", Kind::Dictionary(&Kind::Text)),
        opt("opened_connection_refs", Kind::List(&Kind::Ref(&TRAFFIC))),
        opt("creator_user_ref", Kind::Ref(&ACCOUNTS)),
        opt("image_ref", Kind::Ref(&FILES)),
        opt("parent_ref", Kind::Ref(&PROCESSES)),
        opt("child_refs", Kind::List(&Kind::Ref(&PROCESSES))),
    ],
    rules: &[Rule::Some],
};

const SOFTWARE: Record = Record {
    rule: "STIX 2.1 section 6.14.1",
    properties: &[
        req("name", Kind::Text),
        opt("cpe", Kind::Form(&form::CPE)),
        opt("swid", Kind::Text),
        opt("languages", Kind::List(&Kind::Form(&form::LANGUAGE))),
        opt("vendor", Kind::Text),
        opt("version", Kind::Text),
    ],
    rules: &[],
};

const URL: Record = Record {
    rule: "STIX 2.1 section 6.15.1",
    properties: &[req("value", Kind::Form(&form::URL))],
    rules: &[],
};

const USER_ACCOUNT: Record = Record {
    rule: "STIX 2.1 section 6.16.1",
    properties: &[
        opt("user_id", Kind::Text),
        opt("credential", Kind::Text),
        opt("account_login", Kind::Text),
        opt("account_type", Kind::Open(&words::ACCOUNT_TYPE)),
        opt("display_name", Kind::Text),
        opt("is_service_account", Kind::Boolean),
        opt("is_privileged", Kind::Boolean),
        opt("can_escalate_privs", Kind::Boolean),
        opt("is_disabled", Kind::Boolean),
        opt("account_created", TIME),
        opt("account_expires", TIME),
        opt("credential_last_changed", TIME),
        opt("account_first_login", TIME),
        opt("account_last_login", TIME),
    ],
    rules: &[Rule::Some],
};

const WINDOWS_REGISTRY_KEY: Record = Record {
    rule: "STIX 2.1 section 6.17.1",
    properties: &[
        opt("key", Kind::Form(&form::REGISTRY_KEY)),
        opt("values", Kind::List(&Kind::Record(&REGISTRY_VALUE))),
        opt("modified_time", TIME),
        opt("creator_user_ref", Kind::Ref(&ACCOUNTS)),
        opt("number_of_subkeys", COUNT),
    ],
    rules: &[Rule::Some],
};

const REGISTRY_VALUE: Record = Record {
    rule: "STIX 2.1 section 6.17.2",
    properties: &[
        opt("name", Kind::Text),
        opt("data", Kind::Text),
        opt("data_type", Kind::Enum(&words::REGISTRY_DATATYPE)),
    ],
    rules: &[Rule::Some],
};

const X509_CERTIFICATE: Record = Record {
    rule: "STIX 2.1 section 6.18.1",
    properties: &[
        opt("is_self_signed", Kind::Boolean),
        opt("hashes", Kind::Hashes),
        opt("version", Kind::Text),
        opt("serial_number", Kind::Text),
        opt("signature_algorithm", Kind::Text),
        opt("issuer", Kind::Text),
        opt("validity_not_before", TIME),
        opt("validity_not_after", TIME),
        opt("subject", Kind::Text),
        opt("subject_public_key_algorithm", Kind::Text),
        opt("subject_public_key_modulus", Kind::Text),
        opt("subject_public_key_exponent", INTEGER),
        opt("x509_v3_extensions", Kind::Record(&X509_V3)),
    ],
    rules: &[Rule::Some],
};

const X509_V3: Record = Record {
    rule: "STIX 2.1 section 6.18.2",
    properties: &[
        opt("basic_constraints", Kind::Text),
        opt("name_constraints", Kind::Text),
        opt("policy_constraints", Kind::Text),
        opt("key_usage", Kind::Text),
        opt("extended_key_usage", Kind::Text),
        opt("subject_key_identifier", Kind::Text),
        opt("authority_key_identifier", Kind::Text),
        opt("subject_alternative_name", Kind::Text),
        opt("issuer_alternative_name", Kind::Text),
        opt("subject_directory_attributes", Kind::Text),
        opt("crl_distribution_points", Kind::Text),
        opt("inhibit_any_policy", Kind::Text),
        opt("private_key_usage_period_not_before", TIME),
        opt("private_key_usage_period_not_after", TIME),
        opt("certificate_policies", Kind::Text),
        opt("policy_mappings", Kind::Text),
    ],
    rules: &[Rule::Some],
};

/// A message in parts has them in `body_multipart`, any other its text in `body`.
fn body(scope: &mut Scope<'_, '_>) {
    let multipart = scope.members.get("is_multipart").and_then(Json::as_bool);
    let wrong = match multipart {
        Some(true) => "body",
        Some(false) => "body_multipart",
        None => return,
    };
    if scope.members.has(wrong) {
        let what = "must not be there with this value of is_multipart";
        let mend = "use body for a single part, body_multipart for several";
        scope.error(wrong, EMAIL_MESSAGE.rule, what, mend);
    }
}

/// Traffic that goes on has no end.
fn active(scope: &mut Scope<'_, '_>) {
    let active = scope.members.get("is_active").and_then(Json::as_bool);
    if active == Some(true) && scope.members.has("end") {
        let what = "must not be there while is_active is true";
        scope.error("end", NETWORK_TRAFFIC.rule, what, "set is_active to false");
    }
}

/// Both ports or none (section 6.12).
fn ports(scope: &mut Scope<'_, '_>) {
    let missing = match ["src_port", "dst_port"].map(|name| scope.members.has(name)) {
        [true, false] => "dst_port",
        [false, true] => "src_port",
        [true, true] | [false, false] => return,
    };
    let what = "should be there beside the other port";
    scope.warn(missing, NETWORK_TRAFFIC.rule, what, "add the property");
}

/// The names of flow fields in the registry of IANA are written in lower camel case.
fn flow_fields(scope: &mut Scope<'_, '_>) {
    let fields = scope.members.get("ipfix").and_then(Json::as_object);
    let known = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let odd = fields.is_some_and(|fields| !fields.iter().all(|(name, _)| known(name)));
    if odd {
        let what = "should have names of the IANA registry of IPFIX information elements";
        scope.warn("ipfix", NETWORK_TRAFFIC.rule, what, "use a registered name");
    }
}
