//! The `fileinfo` record: a file that is over.

use super::flow::write_app_proto;
use super::write_flow_head;
use crate::applayer::Transaction;
use crate::file::FileInfo;
use crate::flow::Flow;
use crate::json::Object;
use crate::magic;
use crate::settings::Setting;

/// Writes it under the options of the `files` record type.
pub fn write(
    record: &mut Object<'_>,
    flow: &Flow,
    carrier: &dyn Transaction,
    file: &FileInfo,
    options: Setting<'_>,
) {
    write_flow_head(
        record,
        "fileinfo",
        Some(flow.id),
        &flow.tuple,
        file.direction,
    );
    carrier.log_as_carrier(record);
    write_app_proto(record, flow.app);
    let forced = options.at("force-magic").flag().unwrap_or(false);
    record.object("fileinfo", |object| {
        write_file(object, file, carrier.id(), forced);
        if file.stored {
            object.number("file_id", file.store_id);
        }
    });
}

/// Writes what is known of a file of a transaction; its type where its first bytes were kept, or
/// `with_magic`.
pub fn write_file(object: &mut Object<'_>, file: &FileInfo, tx_id: u32, with_magic: bool) {
    if !file.name.is_empty() {
        object.bytes("filename", &file.name);
    }
    if !file.stored_by.is_empty() {
        object.numbers("sid", file.stored_by.iter().copied());
    }
    if with_magic || !file.head.is_empty() {
        object.text("magic", &magic::describe(&file.head));
    }
    object.flag("gaps", file.gaps);
    object.text("state", file.state.name());
    for (key, digest) in [
        ("md5", &file.md5),
        ("sha1", &file.sha1),
        ("sha256", &file.sha256),
    ] {
        if let Some(digest) = digest {
            object.text(key, digest);
        }
    }
    object.flag("stored", file.stored);
    object.number("size", file.size);
    if let Some((start, _)) = file.range {
        object.number("start", start);
        object.number("end", start.saturating_add(file.size.saturating_sub(1)));
    }
    object.number("tx_id", tx_id);
}
