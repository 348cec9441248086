//! The `smb` record.

use super::functions::function_name;
use super::names::{disposition_name, share_name};
use super::transaction::{
    Call, Create, Detail, FileId, Negotiate, Ntlm, SessionSetup, Smb, TreeConnect,
};
use super::wire::guid;
use crate::applayer::dcerpc::pdu::{BIND, REQUEST, RESPONSE, name};
use crate::applayer::{AppProto, Transaction};
use crate::json::Object;
use crate::settings::Setting;

impl Transaction for Smb {
    fn app(&self) -> AppProto {
        AppProto::Smb
    }

    fn id(&self) -> u32 {
        self.tx_id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    fn is_logged(&self, options: Setting<'_>) -> bool {
        let types = options.at("types");
        let kind = match &self.detail {
            Detail::Generic => "generic",
            Detail::Negotiate(_) => "negotiate",
            Detail::SessionSetup(_) => "session_setup",
            Detail::TreeConnect(_) => "tree_connect",
            Detail::Create(_) => "create",
            Detail::File { .. } => "file",
            Detail::Ioctl(_) => "ioctl",
            Detail::Rename { .. } => "rename",
            Detail::Disposition { .. } => "set_file_path_info",
            Detail::Dcerpc(call) if call.function.is_some() => "ioctl",
            Detail::Dcerpc(_) => "dcerpc",
        };
        !types.is_set() || types.items().any(|wanted| wanted.text() == Some(kind))
    }

    fn log(&self, record: &mut Object<'_>, _: Setting<'_>) {
        record.number("tx_id", self.tx_id);
        self.log_as_carrier(record);
    }

    fn log_as_carrier(&self, record: &mut Object<'_>) {
        record.object("smb", |object| {
            object.number("id", self.tx_id.saturating_add(1));
            object.text("dialect", &self.dialect);
            object.text("command", &self.command.name());
            if let Some(status) = self.status {
                object.text("status", &status.name());
                object.text("status_code", &status.code());
            }
            object.number("session_id", self.session_id);
            object.number("tree_id", self.tree_id);
            write_detail(object, &self.detail);
        });
    }
}

fn write_detail(object: &mut Object<'_>, detail: &Detail) {
    match detail {
        Detail::Generic => {}
        Detail::Negotiate(negotiate) => write_negotiate(object, negotiate),
        Detail::SessionSetup(setup) => write_session_setup(object, setup),
        Detail::TreeConnect(tree) => write_tree_connect(object, tree),
        Detail::Create(create) => write_create(object, create),
        Detail::File { name, share, id } => {
            object.text("filename", name);
            object.text("share", share);
            object.text("fuid", &id.text());
        }
        Detail::Ioctl(function) => object.text("function", &function_name(*function)),
        Detail::Rename {
            from,
            to,
            id,
            is_set_info,
        } => {
            if *is_set_info {
                object.object("set_info", |object| {
                    object.text("class", "FILE_INFO");
                    object.text("info_level", "SMB2_FILE_RENAME_INFO");
                });
            }
            object.object("rename", |object| {
                object.text("from", from);
                object.text("to", to);
            });
            write_id(object, *id);
        }
        Detail::Disposition {
            name,
            delete,
            id,
            subcommand,
        } => {
            object.text("filename", name);
            write_access(object, *delete);
            if let Some(subcommand) = subcommand {
                object.text("subcmd", subcommand);
                object.text("level_of_interest", "Set Disposition Information");
            }
            write_id(object, *id);
        }
        Detail::Dcerpc(call) => {
            if let Some(function) = call.function {
                object.text("function", &function_name(function));
            }
            object.object("dcerpc", |object| write_call(object, call));
        }
    }
}

fn write_negotiate(object: &mut Object<'_>, negotiate: &Negotiate) {
    object.texts("client_dialects", &negotiate.dialects);
    if let Some(client) = &negotiate.client {
        object.text("client_guid", &guid(client));
    }
    let server = negotiate.server.as_ref().map(guid);
    object.text("server_guid", &server.unwrap_or_default());
    if let Some((read, write)) = negotiate.sizes {
        object.number("max_read_size", read);
        object.number("max_write_size", write);
    }
}

fn write_session_setup(object: &mut Object<'_>, setup: &SessionSetup) {
    if let Some(ntlm) = &setup.ntlm {
        object.object("ntlmssp", |object| write_ntlm(object, ntlm));
    }
    if let Some((realm, names)) = &setup.kerberos {
        object.object("kerberos", |object| {
            object.text("realm", realm);
            object.texts("snames", names);
        });
    }
    for (key, systems) in [("request", &setup.request), ("response", &setup.response)] {
        if let Some((system, manager)) = systems {
            object.object(key, |object| {
                object.text("native_os", system);
                object.text("native_lm", manager);
            });
        }
    }
}

fn write_ntlm(object: &mut Object<'_>, ntlm: &Ntlm) {
    object.text("domain", &ntlm.domain);
    object.text("user", &ntlm.user);
    object.text("host", &ntlm.host);
    if let Some((major, minor, build, revision)) = ntlm.version {
        object.text(
            "version",
            &format!("{major}.{minor} build {build} rev {revision}"),
        );
    }
}

fn write_tree_connect(object: &mut Object<'_>, tree: &TreeConnect) {
    let key = if tree.is_pipe { "named_pipe" } else { "share" };
    object.text(key, &tree.share);
    match tree.kind {
        Some(kind) => object.text("share_type", share_name(kind)),
        None if tree.service.is_none() => object.text("share_type", share_name(0)),
        None => {}
    }
    if let Some((request, response)) = &tree.service {
        object.object("service", |object| {
            object.text("request", request);
            if let Some(response) = response {
                object.text("response", response);
            }
        });
    }
}

fn write_create(object: &mut Object<'_>, create: &Create) {
    let is_directory = create.options & OPEN_DIRECTORY != 0;
    match create.name.as_str() {
        "" => object.text("filename", "<share_root>"),
        name if is_directory => object.text("directory", name),
        name => object.text("filename", name),
    }
    object.text("disposition", disposition_name(create.disposition));
    write_access(object, create.options & DELETE_ON_CLOSE != 0);
    let [created, accessed, modified, changed] = create.times_s;
    object.number("created", created);
    object.number("accessed", accessed);
    object.number("modified", modified);
    object.number("changed", changed);
    object.number("size", create.size);
    write_id(object, create.id);
}

fn write_access(object: &mut Object<'_>, delete: bool) {
    let access = if delete { "delete on close" } else { "normal" };
    object.text("access", access);
}

fn write_id(object: &mut Object<'_>, id: Option<FileId>) {
    object.text("fuid", &id.map(FileId::text).unwrap_or_default());
}

fn write_call(object: &mut Object<'_>, call: &Call) {
    let named = |kind: u8| {
        // Suricata knows the kinds of connections only
        if kind > 19 {
            kind.to_string()
        } else {
            name(kind)
        }
    };
    object.text(
        "request",
        &call
            .request
            .map_or_else(|| "REQUEST_LOST".to_owned(), named),
    );
    object.text(
        "response",
        &call.response.map_or_else(|| "UNREPLIED".to_owned(), named),
    );
    if call.request == Some(REQUEST) {
        object.number("opnum", call.opnum);
        object.object("req", |object| write_fragments(object, call.asked));
    }
    let has_interfaces = matches!(call.request, Some(REQUEST | BIND));
    if has_interfaces && !call.interfaces.is_empty() {
        object.objects("interfaces", &call.interfaces, |object, interface| {
            object.display("uuid", interface.uuid);
            let (major, minor) = interface.version;
            object.text("version", &format!("{major}.{minor}"));
            if let Some((result, _)) = interface.ack {
                object.number("ack_result", result);
                // Suricata tells no reason
                object.number("ack_reason", 0_u8);
            }
        });
    }
    if call.response == Some(RESPONSE) {
        object.object("res", |object| write_fragments(object, call.answered));
    }
    object.number("call_id", call.call_id);
}

fn write_fragments(object: &mut Object<'_>, (count, bytes): (u32, u32)) {
    object.number("frag_cnt", count);
    object.number("stub_data_size", bytes);
}

/// Options of a create ([MS-SMB2] 2.2.13).
const OPEN_DIRECTORY: u32 = 1;
const DELETE_ON_CLOSE: u32 = 0x1000;
