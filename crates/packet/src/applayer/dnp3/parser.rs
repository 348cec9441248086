//! Fragments from the stream. Requests and responses are told apart by their function codes, so
//! that it does not matter who spoke first.

use super::link::{Front, Reassembly, START, Segment, front, user_data};
use super::object::End;
use super::options::Options;
use super::transaction::{CONFIRM, Fragment, LinkHeader};
use crate::applayer::records::{Found, Framed, Record, Records, Size};
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, config: &Config) -> Box<dyn AppLayer> {
    Box::new(Framed::new(Parser {
        options: config.apps.dnp3,
        ..Parser::default()
    }))
}

/// The start bytes and the checksum of the header.
pub(super) fn probe(proto: Proto, _: Direction, data: &[u8]) -> Probe {
    if proto != Proto::Tcp || !START.starts_with(data.get(..2).unwrap_or(data)) {
        return Probe::No;
    }
    match front(data) {
        Front::Frame(..) => Probe::Certain,
        Front::Partial => Probe::Unsure,
        Front::Junk(..) => Probe::No,
    }
}

/// Whether a frame comes from the wrong side: the direction bit of its control byte (IEEE 1815
/// section 9.2.4.1.3.1) is set by masters, who are clients.
pub(in crate::applayer) fn is_reversed(direction: Direction, data: &[u8]) -> bool {
    const FROM_MASTER: u8 = 0x80;
    let is_master = data
        .get(3)
        .is_some_and(|control| control & FROM_MASTER != 0);
    is_master != (direction == Direction::ToServer)
}

#[derive(Debug, Default)]
struct Parser {
    options: Options,
    to_server: Side,
    to_client: Side,
    /// What is wrong with the bytes in front, which are no frame.
    flaw: Option<&'static str>,
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    segments: Reassembly,
    /// Time of the first packet of the fragment that is being put together.
    first_ns: u64,
}

impl Records for Parser {
    /// What stands between frames counts as a record, too.
    fn size(&mut self, _: Direction, data: &[u8]) -> Size {
        self.flaw = None;
        match front(data) {
            Front::Frame(_, len) => Size::Bytes(len),
            Front::Junk(len, flaw) => {
                self.flaw = flaw;
                Size::Bytes(len)
            }
            Front::Partial => Size::Unsure,
        }
    }

    /// The next frame is found by its start bytes and checksum.
    fn find(&self, _: Direction, _: &[u8]) -> Found {
        Found::At(0)
    }

    fn record(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        record: Record<'_>,
    ) -> Next {
        if let Some(flaw) = self.flaw.take() {
            cx.anomaly(flaw);
        } else if let Front::Frame(header, _) = front(record.bytes) {
            let options = self.options;
            match user_data(record.bytes) {
                Some(user) => {
                    self.side(direction)
                        .segment(cx, header, &user, record.ts_ns, options)
                }
                None => cx.anomaly("BAD_TRANSPORT_CRC"),
            }
        }
        Next::More
    }

    fn torn(&mut self, _: &mut Context<'_, '_>, direction: Direction, _: Record<'_>) {
        *self.side(direction) = Side::default();
    }

    fn buffered(&self) -> usize {
        let [a, b] = [&self.to_server, &self.to_client].map(|side| side.segments.buffered());
        a.saturating_add(b)
    }
}

impl Parser {
    fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }
}

impl Side {
    fn segment(
        &mut self,
        cx: &mut Context<'_, '_>,
        header: LinkHeader,
        user: &[u8],
        ts_ns: u64,
        options: Options,
    ) {
        if self.segments.kept.is_none() {
            self.first_ns = ts_ns;
        }
        match self.segments.segment(header, user) {
            Segment::Nothing => {}
            Segment::Fragment(header, data) => self.fragment(cx, header, &data, Some(options)),
            Segment::TooLong(header, data) => self.fragment(cx, header, &data, None),
        }
    }

    /// A fragment, with its objects unless it grew too long.
    fn fragment(
        &self,
        cx: &mut Context<'_, '_>,
        header: LinkHeader,
        data: &[u8],
        options: Option<Options>,
    ) {
        let Some(mut fragment) = Fragment::parse(header, data) else {
            return;
        };
        if fragment.function_code == CONFIRM {
            return;
        }
        let id = cx.transaction_id();
        match options.map(|options| fragment.read_objects(options)) {
            Some(End::Complete | End::Damaged) => {}
            Some(End::Unknown) => cx.anomaly_in(id, "UNKNOWN_OBJECT"),
            Some(End::TooManyPoints) => cx.too_large_in(id, "TOO_MANY_POINTS"),
            Some(End::TooManyObjects) => cx.too_large_in(id, "TOO_MANY_OBJECTS"),
            None => cx.too_large_in(id, "TOO_LONG_REASSEMBLY"),
        }
        fragment.id = id;
        fragment.first_ts_ns = self.first_ns;
        cx.transaction(&fragment);
    }
}
