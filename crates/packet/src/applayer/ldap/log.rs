//! The `ldap` record.

use super::message::Message;
use super::names::code_name;
use super::operation::{Attribute, Authentication, Change, Operation, Outcome, Search};
use super::parser::Ldap;
use crate::applayer::{AppProto, Transaction};
use crate::bytes::hex;
use crate::json::Object;
use crate::settings::Setting;

impl Transaction for Ldap {
    fn app(&self) -> AppProto {
        AppProto::Ldap
    }

    fn id(&self) -> u32 {
        self.tx_id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    fn log(&self, record: &mut Object<'_>, _: Setting<'_>) {
        record.object("ldap", |object| {
            if let Some(request) = &self.request {
                object.object("request", |object| {
                    object.number("message_id", request.id);
                    object.text("operation", request.operation.name());
                    write_request(object, &request.operation);
                    write_controls(object, request);
                });
            }
            if !self.responses.is_empty() {
                object.objects("responses", &self.responses, |object, response| {
                    object.text("operation", response.operation.name());
                    if self.request.is_none() {
                        object.number("message_id", response.id);
                    }
                    write_response(object, &response.operation);
                    write_controls(object, response);
                });
            }
        });
    }
}

fn write_controls(object: &mut Object<'_>, message: &Message) {
    if message.controls.is_empty() {
        return;
    }
    object.objects("controls", &message.controls, |object, control| {
        object.bytes("control_type", &control.kind);
        object.flag("criticality", control.is_critical);
        if let Some(value) = &control.value {
            object.text("control_value", &hex(value));
        }
    });
}

fn write_request(object: &mut Object<'_>, operation: &Operation) {
    match operation {
        Operation::Bind {
            version,
            name,
            authentication,
        } => object.object("bind_request", |object| {
            write_bind(object, *version, name, authentication);
        }),
        Operation::Search(search) => {
            object.object("search_request", |object| write_search(object, search));
        }
        Operation::Modify(entry, changes) => {
            object.object("modify_request", |object| {
                write_changes(object, entry, changes);
            });
        }
        Operation::Add(entry, attributes) => object.object("add_request", |object| {
            object.bytes("entry", entry);
            object.objects("attributes", attributes, |object, attribute| {
                write_attribute(object, ["name", "values"], attribute);
            });
        }),
        Operation::Delete(entry) => {
            object.object("del_request", |object| object.bytes("dn", entry));
        }
        Operation::Rename {
            entry,
            name,
            delete_old,
            superior,
        } => object.object("mod_dn_request", |object| {
            object.bytes("entry", entry);
            object.bytes("new_rdn", name);
            object.flag("delete_old_rdn", *delete_old);
            write_optional(object, "new_superior", superior.as_deref());
        }),
        Operation::Compare {
            entry,
            attribute,
            value,
        } => object.object("compare_request", |object| {
            object.bytes("entry", entry);
            object.object("attribute_value_assertion", |object| {
                object.bytes("description", attribute);
                object.bytes("value", value);
            });
        }),
        Operation::Extended(name, value) => object.object("extended_request", |object| {
            object.bytes("name", name);
            write_optional(object, "value", value.as_deref());
        }),
        Operation::BindResponse(..)
        | Operation::Unbind
        | Operation::Entry(..)
        | Operation::SearchDone(_)
        | Operation::Reference
        | Operation::ModifyResponse(_)
        | Operation::AddResponse(_)
        | Operation::DeleteResponse(_)
        | Operation::RenameResponse(_)
        | Operation::CompareResponse(_)
        | Operation::Abandon(_)
        | Operation::ExtendedResponse(..)
        | Operation::Intermediate(..) => {}
    }
}

fn write_bind(object: &mut Object<'_>, version: u32, name: &[u8], authentication: &Authentication) {
    object.number("version", version);
    object.bytes("name", name);
    if let Authentication::Sasl(mechanism, credentials) = authentication {
        object.object("sasl", |object| {
            object.bytes("mechanism", mechanism);
            if let Some(credentials) = credentials {
                object.text("credentials", &hex(credentials));
            }
        });
    }
}

fn write_changes(object: &mut Object<'_>, entry: &[u8], changes: &[Change]) {
    object.bytes("object", entry);
    object.objects("changes", changes, |object, change| {
        match change.operation {
            0 => object.text("operation", "add"),
            1 => object.text("operation", "delete"),
            2 => object.text("operation", "replace"),
            other => object.display("operation", other),
        }
        object.object("modification", |object| {
            let keys = ["attribute_type", "attribute_values"];
            write_attribute(object, keys, &change.attribute);
        });
    });
}

fn write_search(object: &mut Object<'_>, search: &Search) {
    object.bytes("base_object", &search.base);
    object.number("scope", search.scope);
    object.number("deref_alias", search.aliases);
    object.number("size_limit", search.entries_max);
    object.number("time_limit", search.time_max_s);
    object.flag("types_only", search.types_only);
    if let Some(present) = &search.present {
        object.object("filter", |object| {
            object.text("type", "present");
            object.bytes("value", present);
        });
    }
    if !search.attributes.is_empty() {
        object.texts("attributes", &search.attributes);
    }
}

fn write_response(object: &mut Object<'_>, operation: &Operation) {
    match operation {
        Operation::Entry(name, attributes) => object.object("search_result_entry", |object| {
            object.bytes("base_object", name);
            if !attributes.is_empty() {
                object.objects("attributes", attributes, |object, attribute| {
                    write_attribute(object, ["type", "values"], attribute);
                });
            }
        }),
        Operation::BindResponse(outcome, credentials) => {
            object.object("bind_response", |object| {
                write_outcome(object, outcome);
                if let Some(credentials) = credentials {
                    object.text("server_sasl_creds", &hex(credentials));
                }
            });
        }
        Operation::ExtendedResponse(outcome, name, value) => {
            object.object("extended_response", |object| {
                write_outcome(object, outcome);
                write_optional(object, "name", name.as_deref());
                write_optional(object, "value", value.as_deref());
            });
        }
        Operation::Intermediate(name, value) => {
            object.object("intermediate_response", |object| {
                write_optional(object, "name", name.as_deref());
                write_optional(object, "value", value.as_deref());
            });
        }
        Operation::SearchDone(outcome)
        | Operation::ModifyResponse(outcome)
        | Operation::AddResponse(outcome)
        | Operation::DeleteResponse(outcome)
        | Operation::RenameResponse(outcome)
        | Operation::CompareResponse(outcome) => {
            object.object(operation.name(), |object| write_outcome(object, outcome));
        }
        Operation::Bind { .. }
        | Operation::Unbind
        | Operation::Search(_)
        | Operation::Reference
        | Operation::Modify(..)
        | Operation::Add(..)
        | Operation::Delete(_)
        | Operation::Rename { .. }
        | Operation::Compare { .. }
        | Operation::Abandon(_)
        | Operation::Extended(..) => {}
    }
}

fn write_outcome(object: &mut Object<'_>, outcome: &Outcome) {
    object.text("result_code", &code_name(outcome.code));
    object.bytes("matched_dn", &outcome.matched);
    object.bytes("message", &outcome.message);
}

fn write_attribute(object: &mut Object<'_>, keys: [&str; 2], attribute: &Attribute) {
    let [kind, values] = keys;
    object.bytes(kind, &attribute.kind);
    if !attribute.values.is_empty() {
        object.texts(values, &attribute.values);
    }
}

fn write_optional(object: &mut Object<'_>, key: &str, value: Option<&[u8]>) {
    if let Some(value) = value {
        object.bytes(key, value);
    }
}
