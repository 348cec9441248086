//! The `dcerpc` record.

use super::pdu::{BIND, REQUEST, RESPONSE, name};
use super::transaction::{Dcerpc, Part};
use crate::applayer::{AppProto, Transaction};
use crate::json::Object;
use crate::settings::Setting;

impl Transaction for Dcerpc {
    fn app(&self) -> AppProto {
        AppProto::Dcerpc
    }

    fn id(&self) -> u32 {
        self.tx_id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    fn log(&self, record: &mut Object<'_>, _: Setting<'_>) {
        record.object("dcerpc", |object| {
            match self.request {
                Some(request) => self.write_request(object, request),
                None => object.text("request", "REQUEST_LOST"),
            }
            match self.response {
                Some(response) => {
                    object.text("response", &name(response.kind));
                    if response.kind == RESPONSE {
                        object.object("res", |object| write_part(object, response));
                    }
                }
                None => object.text("response", "UNREPLIED"),
            }
            match self.activity {
                Some((activity, number)) => {
                    object.display("activityuuid", activity);
                    object.number("seqnum", number);
                }
                None => object.number("call_id", self.call_id),
            }
            let (major, minor) = self.version;
            object.text("rpc_version", &format!("{major}.{minor}"));
        });
    }
}

impl Dcerpc {
    fn write_request(&self, object: &mut Object<'_>, request: Part) {
        object.text("request", &name(request.kind));
        if request.kind == REQUEST {
            object.object("req", |object| {
                object.number("opnum", self.opnum);
                write_part(object, request);
            });
        }
        if matches!(request.kind, REQUEST | BIND) && !self.interfaces.is_empty() {
            object.objects("interfaces", &self.interfaces, |object, interface| {
                object.display("uuid", interface.uuid);
                let (major, minor) = interface.version;
                object.text("version", &format!("{major}.{minor}"));
                if let Some((result, _)) = interface.ack {
                    object.number("ack_result", result);
                }
            });
        }
    }
}

fn write_part(object: &mut Object<'_>, part: Part) {
    object.number("frag_cnt", part.fragments);
    object.number("stub_data_size", part.stub_bytes);
}
