//! The `pgsql` record.

use super::message::Request;
use super::parser::{AUTH_OK, AUTH_SASL, AUTH_SASL_CONTINUE, AUTH_SASL_FINAL};
use super::transaction::{Exchange, Response};
use crate::applayer::{AppProto, Transaction};
use crate::json::Object;
use crate::settings::Setting;

impl Transaction for Exchange {
    fn app(&self) -> AppProto {
        AppProto::Pgsql
    }

    fn id(&self) -> u32 {
        self.id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    fn log(&self, record: &mut Object<'_>, options: Setting<'_>) {
        let passwords = options.at("passwords").flag().unwrap_or(false);
        record.object("pgsql", |object| {
            // numbered from 1, as all sensors of the field do here
            object.number("tx_id", u64::from(self.id).saturating_add(1));
            if let Some(asked) = &self.request {
                object.object("request", |object| request(object, asked, passwords));
            }
            if self.response != Response::default() {
                object.object("response", |object| self.response(object));
            }
        });
    }
}

impl Exchange {
    fn response(&self, object: &mut Object<'_>) {
        let response = &self.response;
        if let Some(accepted) = response.ssl_accepted {
            object.flag("ssl_accepted", accepted);
        }
        authentication(object, response);
        if !response.parameters.is_empty() {
            write_parameters(object, "parameter_status", &response.parameters);
        }
        if let Some((process_id, secret_key)) = response.key {
            object.number("process_id", process_id);
            object.number("secret_key", secret_key);
        }
        for (name, columns) in [
            ("copy_in_response", response.copy_in),
            ("copy_out_response", response.copy_out),
        ] {
            if let Some(columns) = columns {
                object.object(name, |object| object.number("columns", columns));
            }
        }
        let (messages, bytes) = response.copy_data;
        if messages > 0 {
            object.object("copy_data_out", |object| {
                object.number("row_count", messages);
                object.number("data_size", bytes);
            });
        }
        if response.copy_done {
            object.text("message", "copy_done");
        }
        if let Some(fields) = response.fields {
            object.number("field_count", fields);
        }
        let copied = match &self.request {
            Some(Request::Copy { data, .. }) if response.completed.is_some() => *data,
            Some(_) | None => response.rows,
        };
        if copied.0 > 0 {
            object.number("data_rows", copied.0);
            object.number("data_size", copied.1);
        }
        if let Some(tag) = &response.completed {
            object.bytes("command_completed", tag);
        }
        for (letter, value) in &response.error {
            object.bytes(error_field(*letter), value);
        }
    }
}

fn request(object: &mut Object<'_>, request: &Request, passwords: bool) {
    match request {
        Request::Ssl => object.text("message", "SSL Request"),
        Request::Startup {
            version: (major, minor),
            parameters,
        } => {
            object.text("protocol_version", &format!("{major}.{minor}"));
            object.object("startup_parameters", |object| startup(object, parameters));
        }
        Request::Password(password) if passwords => object.bytes("password", password),
        Request::Password(_) => object.flag("password_redacted", true),
        Request::SaslInitial { mechanism, param } => {
            let name = match mechanism.as_slice() {
                b"SCRAM-SHA-256" => "scram_SHA256",
                b"SCRAM-SHA-256-PLUS" => "scram_SHA256_plus",
                _ => "unknown",
            };
            object.text("sasl_authentication_mechanism", name);
            object.bytes("sasl_param", param);
        }
        Request::SaslResponse(response) => object.bytes("sasl_response", response),
        Request::Query(query) => object.bytes("simple_query", query),
        Request::Copy { data, end } => {
            let (messages, bytes) = *data;
            if messages > 0 {
                object.object("copy_data_in", |object| {
                    object.number("msg_count", messages);
                    object.number("data_size", bytes);
                });
            }
            match end {
                Some(Ok(())) => object.text("message", "copy_done"),
                Some(Err(reason)) => object.bytes("copy_fail", reason),
                None => {}
            }
        }
        Request::Cancel {
            process_id,
            secret_key,
        } => {
            object.text("message", "cancel_request");
            object.number("process_id", *process_id);
            object.number("secret_key", *secret_key);
        }
        Request::Terminate => object.text("message", "termination_message"),
        Request::Gss | Request::Extended { .. } => {}
    }
}

fn startup(object: &mut Object<'_>, parameters: &[(Vec<u8>, Vec<u8>)]) {
    let (users, others): (Vec<_>, Vec<_>) = parameters
        .iter()
        .cloned()
        .partition(|(name, _)| name == b"user");
    if let Some((_, user)) = users.first() {
        object.bytes("user", user);
    }
    if !others.is_empty() {
        write_parameters(object, "optional_parameters", &others);
    }
}

fn write_parameters(object: &mut Object<'_>, key: &str, parameters: &[(Vec<u8>, Vec<u8>)]) {
    object.objects(key, parameters, |object, (name, value)| {
        let name = match name.as_slice() {
            b"DateStyle" => "date_style".into(),
            b"IntervalStyle" => "interval_style".into(),
            b"TimeZone" => "time_zone".into(),
            name => String::from_utf8_lossy(name),
        };
        object.bytes(&name, value);
    });
}

fn authentication(object: &mut Object<'_>, response: &Response) {
    for (code, data) in &response.authentication {
        let message = match *code {
            AUTH_OK => "authentication_ok",
            2 => "authentication_kerb5",
            3 => "authentication_cleartext_password",
            5 => {
                object.bytes("authentication_md5_password", data);
                continue;
            }
            6 => "authentication_scm_credentials",
            7 => "authentication_gss",
            8 => "authentication_gss_continue",
            9 => "authentication_sspi",
            AUTH_SASL => "authentication_sasl",
            AUTH_SASL_CONTINUE => "authentication_sasl_continue",
            AUTH_SASL_FINAL => {
                object.bytes("authentication_sasl_final", data);
                continue;
            }
            _ => "authentication_unknown",
        };
        object.text("message", message);
    }
}

/// Fields of errors (PostgreSQL documentation, "Error and Notice Message Fields").
fn error_field(letter: u8) -> &'static str {
    match letter {
        b'S' => "severity_localizable",
        b'V' => "severity_non_localizable",
        b'C' => "code",
        b'M' => "message",
        b'D' => "detail",
        b'H' => "hint",
        b'P' => "position",
        b'p' => "internal_position",
        b'q' => "internal_query",
        b'W' => "where",
        b's' => "schema_name",
        b't' => "table_name",
        b'c' => "column_name",
        b'd' => "data_type",
        b'n' => "constraint_name",
        b'F' => "file",
        b'L' => "line",
        b'R' => "routine",
        _ => "unknown_field_type",
    }
}
