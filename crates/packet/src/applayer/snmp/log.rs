//! The `snmp` record.

use super::message::{Pdu, Snmp};
use crate::applayer::{AppProto, Transaction};
use crate::eve::address;
use crate::flow::Direction;
use crate::json::Object;
use crate::sensor::Part;
use crate::settings::Setting;

impl Transaction for Snmp {
    fn app(&self) -> AppProto {
        AppProto::Snmp
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
        record.object("snmp", |object| {
            object.number("version", self.version);
            match &self.pdu {
                Some(pdu) => write_pdu(object, pdu),
                None => object.text("pdu_type", "encrypted"),
            }
            if let Some(community) = &self.community {
                object.bytes("community", community);
            }
            // of an encrypted message nothing else is told
            if let Some(usm) = self.usm.as_ref().filter(|_| self.pdu.is_some()) {
                object.bytes("usm", usm);
            }
        });
    }
}

fn write_pdu(object: &mut Object<'_>, pdu: &Pdu) {
    let kind = KINDS.get(usize::from(pdu.kind)).copied();
    object.text("pdu_type", kind.unwrap_or("unknown"));
    if pdu.error != 0 {
        let name = name_of(ERRORS, pdu.error);
        object.text(
            "error",
            &name.map_or_else(|| format!("ErrorStatus({})", pdu.error), str::to_owned),
        );
    }
    if let Some(trap) = &pdu.trap {
        let name = name_of(TRAPS, trap.generic.into());
        object.text(
            "trap_type",
            &name.map_or_else(|| format!("TrapType({})", trap.generic), str::to_owned),
        );
        object.text("trap_oid", &trap.enterprise);
        if let Some(from) = trap.address {
            object.text("trap_address", &address(from));
        }
    }
    if !pdu.variables.is_empty() {
        object.texts("vars", &pdu.variables);
    }
}

fn name_of(names: &[&'static str], number: u32) -> Option<&'static str> {
    names.get(usize::try_from(number).ok()?).copied()
}

const KINDS: &[&str] = &[
    "get_request",
    "get_next_request",
    "response",
    "set_request",
    "trap_v1",
    "get_bulk_request",
    "inform_request",
    "trap_v2",
    "report",
];

/// RFC 1157 section 4.1.1.
const ERRORS: &[&str] = &[
    "NoError",
    "TooBig",
    "NoSuchName",
    "BadValue",
    "ReadOnly",
    "GenErr",
];

/// RFC 1157 section 4.1.6.
const TRAPS: &[&str] = &[
    "coldStart",
    "warmStart",
    "linkDown",
    "linkUp",
    "authenticationFailure",
    "egpNeighborLoss",
    "enterpriseSpecific",
];
