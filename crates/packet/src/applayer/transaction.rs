//! What parsers yield.

use std::any::Any;
use std::fmt::Debug;

use super::AppProto;
use crate::flow::Direction;
use crate::json::Object;
use crate::sensor::Part;
use crate::settings::Setting;

/// One exchange of an application protocol: a query, a request with its response, a handshake.
/// Each protocol has a type of its own in its folder; who wants its fields asks for that type with
/// [`downcast_ref`](dyn Transaction::downcast_ref).
pub trait Transaction: Any + Debug {
    /// The protocol.
    fn app(&self) -> AppProto;

    /// Number within the flow, from 0, in the order in which transactions began.
    fn id(&self) -> u32;

    /// Time of the first packet that carried a part of it, nanoseconds since the Unix epoch.
    fn first_ts_ns(&self) -> u64;

    /// Whether this is all that will come of it. What is worth telling early comes twice: an HTTP
    /// request before its response.
    fn is_complete(&self) -> bool {
        true
    }

    /// The parts that are there with it and were not told before
    /// ([`Event::Progress`](crate::Event::Progress)).
    fn parts(&self) -> &'static [Part] {
        match (self.is_complete(), self.direction()) {
            (false, _) => &[],
            (true, Direction::ToServer) => Part::ALL,
            (true, Direction::ToClient) => &[Part::ResponseHead, Part::Response],
        }
    }

    /// Which way it is logged: its record's source is the client, or the server.
    fn direction(&self) -> Direction {
        Direction::ToServer
    }

    /// Which way it is logged under the options of its record type.
    fn direction_under(&self, _options: Setting<'_>) -> Direction {
        self.direction()
    }

    /// The `event_type` of its record.
    fn record_type(&self) -> &'static str {
        self.app().name()
    }

    /// The type of record in the configuration that it belongs to.
    fn output_type(&self) -> &'static str {
        self.record_type()
    }

    /// Whether its record is wanted under the options of its record type.
    fn is_logged(&self, _options: Setting<'_>) -> bool {
        true
    }

    /// Writes its part of an EVE record, as `"dns": {...}`, and `tx_id` where the record has one.
    fn log(&self, record: &mut Object<'_>, options: Setting<'_>);

    /// Writes its part of the record of a file that it carries; the file's own part has `tx_id`.
    fn log_as_carrier(&self, record: &mut Object<'_>) {
        self.log(record, Setting::NOTHING);
    }
}

impl dyn Transaction + '_ {
    /// It as its protocol's own type, if it is of that protocol.
    #[must_use]
    pub fn downcast_ref<T: Transaction>(&self) -> Option<&T> {
        (self as &dyn Any).downcast_ref()
    }
}
