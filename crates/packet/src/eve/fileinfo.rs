//! The `fileinfo` record: a file that is over.

use super::flow::write_app_proto;
use super::write_flow_head;
use crate::applayer::Transaction;
use crate::file::FileInfo;
use crate::flow::Flow;
use crate::json::Object;
use crate::settings::Setting;

pub(super) fn write(
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
    carrier.log(record, options);
    write_app_proto(record, flow.app);
    record.object("fileinfo", |object| {
        if !file.name.is_empty() {
            object.bytes("filename", &file.name);
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
        object.flag("stored", false);
        object.number("size", file.size);
        object.number("tx_id", carrier.id());
    });
}
