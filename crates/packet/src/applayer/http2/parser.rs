//! Frames to streams to transactions.

use std::collections::VecDeque;

use hashbrown::HashMap;

use super::content::Content;
use super::frame::{
    CONTINUATION, GOAWAY, HEAD_BYTES, HEADERS, Head, PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, priority, settings, unpad,
};
use super::hpack::{Damage, Decoder};
use super::side::{Item, Side};
use super::stream::Stream;
use super::transaction::{Entry, Message, Transaction};
use super::{checks, doh};
use crate::applayer::{AppLayer, AppProto, Context, Next};
use crate::bytes::be32;
use crate::file::FileState;
use crate::flow::{Direction, Proto};
use crate::sensor::{Config, Part};

pub(super) fn start(_: Proto, config: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser::new(config))
}

#[derive(Debug)]
pub(super) struct Parser {
    to_server: Half,
    to_client: Half,
    streams: HashMap<u32, Stream>,
    /// Sides of streams that are over, and whether the other one was; what else a packet says of
    /// them still counts.
    ended: Vec<(u32, Direction, bool)>,
    /// Sides of streams that are over, with files to tell of.
    waiting: Vec<(u32, Direction)>,
    /// Streams told of, with files still to tell of.
    untold: Vec<Stream>,
    /// The latest streams that ended: what comes behind begins none of them anew.
    closed: VecDeque<u32>,
    /// Bytes that streams keep. Counted as they change: there are thousands of them.
    kept: usize,
    /// Settings that an upgrade brought, told of once the protocol begins.
    upgrade: Option<Vec<(u16, u32)>>,
}

/// One direction.
#[derive(Debug)]
struct Half {
    side: Side,
    decoder: Decoder,
    /// A header block whose last frame has not come.
    block: Option<Block>,
}

/// A header block.
#[derive(Debug)]
struct Block {
    stream: u32,
    /// The kind of frame that it began in.
    kind: u8,
    end_stream: bool,
    bytes: Vec<u8>,
}

/// A frame, `left` bytes of the data at hand standing behind its head.
fn frame(cx: &mut Context<'_, '_>, head: Head, left: usize) {
    cx.record_begins(left.saturating_add(HEAD_BYTES));
    cx.frame("hdr", 0, HEAD_BYTES);
    cx.frame("data", HEAD_BYTES, head.len);
    cx.frame("pdu", 0, head.len.saturating_add(HEAD_BYTES));
}

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        self.tell_upgrade(cx);
        let max = cx.config.apps.http2.reassembly_bytes_max;
        let mut used = 0_usize;
        while let Some(rest) = data.get(used..).filter(|rest| !rest.is_empty()) {
            let was_passing = self.half(direction).side.is_passing();
            let (taken, item) = self.half(direction).side.step(rest, max);
            used = used.saturating_add(taken);
            let left = rest.len().saturating_sub(taken);
            match &item {
                Item::Frame(head, payload) => frame(cx, *head, left.saturating_add(payload.len())),
                Item::Data(head, content, _) if !was_passing => {
                    let pad = usize::from(head.padded());
                    let left = left.saturating_add(content.len());
                    frame(cx, *head, left.saturating_add(pad));
                }
                Item::Unknown(head) => frame(cx, *head, left),
                Item::Data(..) | Item::More | Item::TooLarge | Item::Invalid => {}
            }
            match item {
                Item::More => {}
                Item::Frame(head, payload) => self.frame(cx, direction, head, &payload),
                Item::Data(head, content, over) => self.body(cx, direction, head, content, over),
                Item::Unknown(head) => self.message(cx, direction, head, |_| ()),
                Item::TooLarge => cx.too_large("reassembly_limit_reached"),
                Item::Invalid => cx.anomaly("invalid_client_magic"),
            }
            if taken == 0 && rest.len() == data.len().saturating_sub(used) {
                break;
            }
        }
        self.complete_done(cx);
        if self.to_server.side.lost && self.to_client.side.lost {
            self.complete_all(cx, FileState::Truncated);
            return Next::Done;
        }
        Next::More
    }

    fn gap(&mut self, cx: &mut Context<'_, '_>, direction: Direction, len: u64) -> Next {
        let side = &mut self.half(direction).side;
        if side.lost {
            return Next::More;
        }
        if let Some((head, over)) = side.gap(len) {
            if let Some(stream) = self.streams.get_mut(&head.stream) {
                let (content, transaction) = stream.content(direction);
                if let Some(content) = content {
                    content.gap(cx, transaction, len);
                }
            }
            self.recount(head.stream);
            if over && head.end_stream() {
                self.end_side(cx, head.stream, direction);
            }
        }
        self.complete_done(cx);
        Next::More
    }

    /// Files are told of with a packet that goes their way.
    fn packet(&mut self, cx: &mut Context<'_, '_>, direction: Direction) {
        let streams = &mut self.streams;
        self.waiting.retain(|(id, from)| {
            if *from == direction
                && let Some(stream) = streams.get_mut(id)
            {
                stream.tell(cx, *from);
            }
            *from != direction && streams.contains_key(id)
        });
        self.untold.retain_mut(|stream| {
            stream.tell(cx, direction);
            stream.is_untold()
        });
    }

    fn waits_for_packet(&self) -> bool {
        !self.untold.is_empty() || !self.waiting.is_empty()
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        self.tell_upgrade(cx);
        self.complete_all(cx, FileState::Closed);
    }

    fn buffered(&self) -> usize {
        let halves = [&self.to_server, &self.to_client].into_iter();
        let kept = halves.fold(0_usize, |sum, half| {
            let block = half.block.as_ref().map_or(0, |block| block.bytes.len());
            sum.saturating_add(half.side.buffered())
                .saturating_add(half.decoder.size())
                .saturating_add(block)
        });
        self.untold
            .iter()
            .fold(kept.saturating_add(self.kept), |sum, stream| {
                sum.saturating_add(stream.size())
            })
    }
}

impl Parser {
    pub(super) fn new(config: &Config) -> Self {
        let half = |begun: bool| Half {
            side: Side::new(begun),
            decoder: Decoder::new(config.apps.http2.table_bytes_max),
            block: None,
        };
        Self {
            to_server: half(false),
            to_client: half(true),
            streams: HashMap::new(),
            ended: Vec::new(),
            waiting: Vec::new(),
            untold: Vec::new(),
            closed: VecDeque::new(),
            kept: 0,
            upgrade: None,
        }
    }

    /// Takes the settings of an upgrade.
    pub(super) fn adopt_settings(&mut self, settings: Vec<(u16, u32)>) {
        self.upgrade = Some(settings);
    }

    fn tell_upgrade(&mut self, cx: &mut Context<'_, '_>) {
        if let Some(settings) = self.upgrade.take() {
            connection(cx, Direction::ToServer, |message| {
                message.add_settings(settings);
            });
        }
    }

    /// Takes a stream that began elsewhere.
    pub(super) fn adopt(&mut self, transaction: Transaction) {
        let id = transaction.stream_id;
        self.streams.insert(id, Stream::new(transaction));
        self.recount(id);
    }

    /// Counts what a stream keeps, which has changed.
    fn recount(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id) {
            let now = stream.size();
            let before = std::mem::replace(&mut stream.counted, now);
            self.kept = self.kept.saturating_sub(before).saturating_add(now);
        }
    }

    fn half(&mut self, direction: Direction) -> &mut Half {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }

    fn frame(&mut self, cx: &mut Context<'_, '_>, from: Direction, head: Head, payload: &[u8]) {
        match head.kind {
            HEADERS => self.headers(cx, from, head, payload),
            CONTINUATION => self.continuation(cx, from, head, payload),
            PUSH_PROMISE => self.promise(cx, from, head, payload),
            PRIORITY => {
                let weight = priority(payload).filter(|(_, rest)| rest.is_empty());
                let weight = weight.map(|(weight, _)| weight);
                self.check(cx, weight.is_some());
                self.message(cx, from, head, |message| message.note_priority(weight));
            }
            RST_STREAM => {
                let code = be32(payload, 0).filter(|_| payload.len() == 4);
                self.check(cx, code.is_some());
                let fill = |message: &mut Message| message.note_error(code, false);
                self.message(cx, from, head, fill);
            }
            SETTINGS if payload.is_empty() => {}
            WINDOW_UPDATE => {
                let more = be32(payload, 0).map(|more| more & 0x7fff_ffff);
                self.message(cx, from, head, |message| message.note_window(more));
            }
            SETTINGS => {
                if !payload.len().is_multiple_of(6) {
                    cx.anomaly("invalid_frame_length");
                }
                let settings = settings(payload);
                self.message(cx, from, head, |message| message.add_settings(settings));
            }
            GOAWAY => {
                let code = be32(payload, 4);
                let fill = |message: &mut Message| message.note_error(code, true);
                self.message(cx, from, head, fill);
            }
            _ => self.message(cx, from, head, |_| ()),
        }
    }

    fn check(&self, cx: &mut Context<'_, '_>, is_sound: bool) {
        if !is_sound {
            cx.anomaly("invalid_frame_length");
        }
    }

    /// Fills in what a frame says: into its stream, or, where it concerns the connection, into a
    /// transaction of its own.
    fn message(
        &mut self,
        cx: &mut Context<'_, '_>,
        from: Direction,
        head: Head,
        fill: impl FnOnce(&mut Message),
    ) {
        let stream = head.stream;
        let fill = |message: &mut Message| {
            message.note_frame(head.kind);
            fill(message);
        };
        if stream == 0 {
            return connection(cx, from, fill);
        }
        let is_live = self.streams.contains_key(&stream);
        let mut untold = self.untold.iter_mut();
        let late = untold.find(|known| !is_live && known.transaction.stream_id == stream);
        if let Some(late) = late {
            // what comes behind the end of a stream still counts for what is to be told of it
            return fill(late.transaction.message_mut(from));
        }
        if !is_live && head.kind != HEADERS && self.closed.contains(&stream) {
            return;
        }
        if let Some(stream) = self.stream(cx, stream) {
            fill(stream.transaction.message_mut(from));
            cx.progress(&stream.transaction, Part::more(from));
        }
    }

    fn headers(&mut self, cx: &mut Context<'_, '_>, from: Direction, head: Head, payload: &[u8]) {
        let Some(mut payload) = unpad(head, payload) else {
            return cx.anomaly("invalid_frame_data");
        };
        let mut weight = None;
        if head.has_priority() {
            let Some((found, rest)) = priority(payload) else {
                return cx.anomaly("invalid_frame_data");
            };
            (weight, payload) = (Some(found), rest);
        }
        if weight.is_some() && head.stream != 0 {
            self.message(cx, from, head, |message| message.note_priority(weight));
        }
        let block = Block {
            stream: head.stream,
            kind: head.kind,
            end_stream: head.end_stream(),
            bytes: payload.to_vec(),
        };
        self.begin_block(cx, from, block, head.end_headers());
    }

    /// A request that the server will answer without having been asked: its fields stand before
    /// those of the answer.
    fn promise(&mut self, cx: &mut Context<'_, '_>, from: Direction, head: Head, payload: &[u8]) {
        let payload = unpad(head, payload);
        let promised = payload.and_then(|payload| Some((be32(payload, 0)?, payload.get(4..)?)));
        let Some((stream, bytes)) = promised else {
            return cx.anomaly("invalid_frame_data");
        };
        let block = Block {
            stream: stream & 0x7fff_ffff,
            kind: head.kind,
            end_stream: false,
            bytes: bytes.to_vec(),
        };
        self.begin_block(cx, from, block, head.end_headers());
    }

    fn begin_block(
        &mut self,
        cx: &mut Context<'_, '_>,
        from: Direction,
        block: Block,
        whole: bool,
    ) {
        if whole {
            self.block(cx, from, block);
        } else {
            self.half(from).block = Some(block);
        }
    }

    /// More of a header block; of none that was begun, a block of its own.
    fn continuation(
        &mut self,
        cx: &mut Context<'_, '_>,
        from: Direction,
        head: Head,
        payload: &[u8],
    ) {
        let max = cx.config.apps.http2.reassembly_bytes_max;
        let begun = self.half(from).block.take();
        let mut block = begun.unwrap_or(Block {
            stream: head.stream,
            kind: head.kind,
            end_stream: false,
            bytes: Vec::new(),
        });
        if block.bytes.len().saturating_add(payload.len()) > max {
            return cx.too_large("reassembly_limit_reached");
        }
        block.bytes.extend_from_slice(payload);
        self.begin_block(cx, from, block, head.end_headers());
    }

    fn block(&mut self, cx: &mut Context<'_, '_>, from: Direction, block: Block) {
        let mut entries = Vec::new();
        let decoded = self.half(from).decoder.block(&block.bytes, &mut entries);
        if block.stream == 0 {
            return connection(cx, from, |message| {
                message.note_frame(block.kind);
                (message.headers, message.has_headers) = (entries, true);
            });
        }
        let Some(stream) = self.stream(cx, block.stream) else {
            return;
        };
        let transaction = &mut stream.transaction;
        let is_readable = entries.iter().all(|entry| entry.damage.is_none());
        match decoded {
            Ok(()) if is_readable || entries.len() > 1 => {}
            Ok(()) => cx.anomaly_in(transaction.tx_id, "invalid_header"),
            Err(Damage::Invalid) => cx.anomaly_in(transaction.tx_id, "invalid_frame_data"),
            Err(Damage::TooLarge) => cx.too_large_in(transaction.tx_id, "invalid_header"),
        }
        let new_bytes = entries.iter().map(Entry::size);
        stream.head_bytes = new_bytes.fold(stream.head_bytes, usize::saturating_add);
        let transaction = &mut stream.transaction;
        transaction.message_mut(from).note_frame(block.kind);
        transaction.add_headers(from, entries);
        checks::head(cx, from, transaction);
        if from == Direction::ToServer {
            doh::look_at_target(cx, transaction);
        }
        cx.progress(transaction, Part::head(from));
        cx.progress(transaction, Part::more(from));
        self.recount(block.stream);
        if block.end_stream {
            self.end_side(cx, block.stream, from);
        }
    }

    fn body(
        &mut self,
        cx: &mut Context<'_, '_>,
        from: Direction,
        head: Head,
        content: &[u8],
        over: bool,
    ) {
        if head.stream == 0 {
            if over {
                let tx_id = cx.flow().transactions;
                connection(cx, from, |_| ());
                cx.anomaly_in(tx_id, "data_stream_zero");
            }
            return;
        }
        if let Some(stream) = self.stream(cx, head.stream) {
            let (place, transaction) = stream.content(from);
            if place.is_none() {
                *place = Some(Box::new(Content::new(cx, from, transaction)));
            }
            transaction.message_mut(from).note_frame(head.kind);
            if let Some(place) = place {
                place.data(cx, transaction, content);
            }
            cx.progress(transaction, Part::more(from));
            self.recount(head.stream);
        }
        if over && head.end_stream() {
            self.end_side(cx, head.stream, from);
        }
    }

    /// A stream, made when it is not there; `None` when there are too many.
    fn stream(&mut self, cx: &mut Context<'_, '_>, id: u32) -> Option<&mut Stream> {
        if !self.streams.contains_key(&id) {
            if self.streams.len() >= cx.config.apps.http2.streams_max {
                cx.counters.pending_max_hit = cx.counters.pending_max_hit.saturating_add(1);
                cx.anomaly("too_many_streams");
                self.give_up_reset(cx)?;
            }
            let (number, ts_ns) = (cx.transaction_id(), cx.ts_ns);
            self.adopt(Transaction::new(number, ts_ns, id));
        }
        self.streams.get_mut(&id)
    }

    /// Makes room: of streams that were reset little will come.
    fn give_up_reset(&mut self, cx: &mut Context<'_, '_>) -> Option<()> {
        let reset = self.streams.iter().find(|(_, stream)| stream.is_reset());
        let id = *reset?.0;
        let stream = self.streams.remove(&id)?;
        self.complete(cx, stream, FileState::Truncated);
        Some(())
    }

    /// One side has sent all that it will on the stream.
    fn end_side(&mut self, cx: &mut Context<'_, '_>, id: u32, from: Direction) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let message = stream.transaction.message_mut(from);
        if std::mem::replace(&mut message.over, true) {
            return;
        }
        let (content, transaction) = stream.content(from);
        if let Some(content) = content {
            content.finish(cx, transaction, FileState::Closed);
        }
        cx.progress(transaction, Part::whole(from));
        let is_done = transaction.request.over && transaction.response.over;
        self.ended.push((id, from, is_done));
        self.recount(id);
    }

    fn complete_done(&mut self, cx: &mut Context<'_, '_>) {
        for (id, from, is_done) in std::mem::take(&mut self.ended) {
            if cx.is_prompt() || self.waiting.len() >= UNTOLD_MAX {
                if let Some(stream) = self.streams.get_mut(&id) {
                    stream.tell(cx, from);
                }
            } else if !is_done {
                self.waiting.push((id, from));
            }
            if is_done && let Some(stream) = self.streams.remove(&id) {
                self.complete(cx, stream, FileState::Closed);
            }
        }
    }

    fn complete(&mut self, cx: &mut Context<'_, '_>, mut stream: Stream, state: FileState) {
        self.kept = self.kept.saturating_sub(stream.counted);
        self.closed.truncate(CLOSED_MAX.saturating_sub(1));
        self.closed.push_front(stream.transaction.stream_id);
        stream.complete(cx, state);
        if !stream.is_untold() {
            return;
        }
        if cx.is_prompt() || self.untold.len() >= UNTOLD_MAX {
            stream.tell_all(cx);
        } else {
            stream.forget_bodies();
            self.untold.push(stream);
        }
    }

    fn complete_all(&mut self, cx: &mut Context<'_, '_>, state: FileState) {
        for mut stream in std::mem::take(&mut self.untold) {
            stream.tell_all(cx);
        }
        self.kept = 0;
        let mut streams: Vec<Stream> = self.streams.drain().map(|(_, stream)| stream).collect();
        streams.sort_unstable_by_key(|stream| stream.transaction.tx_id);
        for mut stream in streams {
            stream.complete(cx, state);
            stream.tell_all(cx);
        }
    }
}

/// Most streams that ended that are remembered.
const CLOSED_MAX: usize = 64;
/// Most streams or bodies that wait with files to be told of.
const UNTOLD_MAX: usize = 64;

/// A frame that concerns the connection is a transaction of its own.
pub(super) fn connection(
    cx: &mut Context<'_, '_>,
    from: Direction,
    fill: impl FnOnce(&mut Message),
) {
    let (number, ts_ns) = (cx.transaction_id(), cx.ts_ns);
    let mut transaction = Transaction::new(number, ts_ns, 0);
    transaction.over_doh = cx.flow().app == AppProto::Doh2;
    transaction.sender = Some(from);
    fill(transaction.message_mut(from));
    transaction.complete = true;
    cx.transaction(&transaction);
}
