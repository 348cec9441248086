//! Frames to streams to transactions.

use hashbrown::HashMap;

use super::content::Content;
use super::frame::{
    CONTINUATION, GOAWAY, HEAD_BYTES, HEADERS, Head, PING, PRIORITY, PUSH_PROMISE, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, priority, settings, unpad,
};
use super::hpack::Decoder;
use super::side::{Item, Side};
use super::transaction::{Entry, Transaction};
use crate::applayer::{AppLayer, Context, Next};
use crate::bytes::be32;
use crate::file::FileState;
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(super) fn start(_: Proto, config: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser::new(config))
}

#[derive(Debug)]
pub(super) struct Parser {
    to_server: Half,
    to_client: Half,
    streams: HashMap<u32, Stream>,
    /// Streams that both sides are done with; what else a packet says of them still counts.
    done: Vec<(u32, FileState)>,
    /// Bodies that are over, but their files not told of yet.
    ended: Vec<(u32, Direction)>,
    /// Bytes that streams keep. Counted as they change: there are thousands of them.
    kept: usize,
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
    end_stream: bool,
    /// Of which direction of the stream it is.
    of: Direction,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Stream {
    transaction: Transaction,
    request: Option<Box<Content>>,
    response: Option<Box<Content>>,
    /// The request is over; its file is told of when the response begins.
    waits: bool,
    /// Bytes of the header fields of both sides.
    head_bytes: usize,
    /// Its part of what the parser keeps.
    counted: usize,
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
                Item::Data(..) | Item::More | Item::TooLarge | Item::Invalid => {}
            }
            match item {
                Item::More => {}
                Item::Frame(head, payload) => self.frame(cx, direction, head, &payload),
                Item::Data(head, content, over) => self.body(cx, direction, head, content, over),
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
                self.end_side(head.stream, direction);
            }
        }
        self.complete_done(cx);
        Next::More
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
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
        kept.saturating_add(self.kept)
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
            done: Vec::new(),
            ended: Vec::new(),
            kept: 0,
        }
    }

    /// Takes a stream that began elsewhere.
    pub(super) fn adopt(&mut self, transaction: Transaction) {
        let id = transaction.stream_id;
        let sides = [&transaction.request, &transaction.response].into_iter();
        let sizes = sides.flat_map(|side| &side.headers).map(Entry::size);
        let stream = Stream {
            head_bytes: sizes.fold(0, usize::saturating_add),
            transaction,
            request: None,
            response: None,
            waits: false,
            counted: 0,
        };
        self.streams.insert(id, stream);
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
                let weight = priority(payload).map(|(weight, _)| weight);
                if let Some(stream) = self.stream(cx, head.stream) {
                    stream.transaction.message_mut(from).priority = weight;
                }
            }
            RST_STREAM => {
                if let Some(stream) = self.stream(cx, head.stream) {
                    stream.transaction.message_mut(from).error_code = be32(payload, 0);
                    self.done.push((head.stream, FileState::Truncated));
                }
            }
            SETTINGS if !head.ack() => {
                if !payload.len().is_multiple_of(6) {
                    cx.anomaly("invalid_frame_length");
                }
                let settings = settings(payload);
                connection(cx, from, |message| message.settings = settings);
            }
            PING => connection(cx, from, |_| ()),
            WINDOW_UPDATE if head.stream == 0 => connection(cx, from, |_| ()),
            GOAWAY => connection(cx, from, |message| message.error_code = be32(payload, 4)),
            _ => {}
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
        if let Some(stream) = self.stream(cx, head.stream).filter(|_| weight.is_some()) {
            stream.transaction.message_mut(from).priority = weight;
        }
        let block = Block {
            stream: head.stream,
            end_stream: head.end_stream(),
            of: from,
            bytes: payload.to_vec(),
        };
        self.begin_block(cx, from, block, head.end_headers());
    }

    /// A request that the server will answer without having been asked.
    fn promise(&mut self, cx: &mut Context<'_, '_>, from: Direction, head: Head, payload: &[u8]) {
        let payload = unpad(head, payload);
        let promised = payload.and_then(|payload| Some((be32(payload, 0)?, payload.get(4..)?)));
        let Some((stream, bytes)) = promised else {
            return cx.anomaly("invalid_frame_data");
        };
        let block = Block {
            stream: stream & 0x7fff_ffff,
            end_stream: true,
            of: Direction::ToServer,
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

    fn continuation(
        &mut self,
        cx: &mut Context<'_, '_>,
        from: Direction,
        head: Head,
        payload: &[u8],
    ) {
        let max = cx.config.apps.http2.reassembly_bytes_max;
        let Some(mut block) = self.half(from).block.take() else {
            return cx.anomaly("invalid_frame_data");
        };
        if block.bytes.len().saturating_add(payload.len()) > max {
            return cx.too_large("reassembly_limit_reached");
        }
        block.bytes.extend_from_slice(payload);
        self.begin_block(cx, from, block, head.end_headers());
    }

    fn block(&mut self, cx: &mut Context<'_, '_>, from: Direction, block: Block) {
        let mut entries = Vec::new();
        let decoded = self.half(from).decoder.block(&block.bytes, &mut entries);
        if decoded.is_err() {
            cx.anomaly("invalid_header");
        }
        let Some(stream) = self.stream(cx, block.stream) else {
            return;
        };
        let message = stream.transaction.message_mut(block.of);
        let room = super::FIELDS_MAX.saturating_sub(message.headers.len());
        let before = message.headers.len();
        message.headers.extend(entries.into_iter().take(room));
        let new = message.headers.get(before..).unwrap_or_default();
        let new_bytes = new.iter().map(Entry::size);
        stream.head_bytes = new_bytes.fold(stream.head_bytes, usize::saturating_add);
        let is_answered = !stream.transaction.response.headers.is_empty();
        if is_answered && std::mem::take(&mut stream.waits) {
            self.ended.push((block.stream, Direction::ToServer));
        }
        self.recount(block.stream);
        if block.end_stream {
            self.end_side(block.stream, block.of);
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
            return cx.anomaly("data_stream_zero");
        }
        if let Some(stream) = self.streams.get_mut(&head.stream)
            && !content.is_empty()
        {
            let (place, transaction) = stream.content(from);
            if place.is_none() {
                *place = Some(Box::new(Content::new(cx, from, transaction)));
            }
            if let Some(place) = place {
                place.data(cx, transaction, content);
            }
            self.recount(head.stream);
        }
        if over && head.end_stream() {
            self.end_side(head.stream, from);
        }
    }

    /// A stream, made when it is not there; `None` when there are too many.
    fn stream(&mut self, cx: &mut Context<'_, '_>, id: u32) -> Option<&mut Stream> {
        if id == 0 {
            cx.anomaly("invalid_frame_header");
            return None;
        }
        if !self.streams.contains_key(&id) {
            if self.streams.len() >= cx.config.apps.http2.streams_max {
                cx.counters.pending_max_hit = cx.counters.pending_max_hit.saturating_add(1);
                cx.anomaly("too_many_streams");
                return None;
            }
            let (number, ts_ns) = (cx.transaction_id(), cx.ts_ns);
            self.adopt(Transaction::new(number, ts_ns, id));
        }
        self.streams.get_mut(&id)
    }

    /// One side has sent all that it will on the stream.
    fn end_side(&mut self, id: u32, from: Direction) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let transaction = &mut stream.transaction;
        if std::mem::replace(&mut transaction.message_mut(from).over, true) {
            return;
        }
        self.ended.push((id, from));
        if transaction.request.over && transaction.response.over {
            self.done.push((id, FileState::Closed));
        }
    }

    fn complete_done(&mut self, cx: &mut Context<'_, '_>) {
        for (id, from) in std::mem::take(&mut self.ended) {
            if let Some(stream) = self.streams.get_mut(&id) {
                if stream.is_early(from) && !cx.config.inline {
                    stream.waits = true;
                    continue;
                }
                let (content, transaction) = stream.content(from);
                if let Some(content) = content {
                    content.finish(cx, transaction, FileState::Closed);
                }
                self.recount(id);
            }
        }
        for (id, state) in std::mem::take(&mut self.done) {
            if let Some(stream) = self.streams.remove(&id) {
                self.kept = self.kept.saturating_sub(stream.counted);
                stream.complete(cx, state);
            }
        }
    }

    fn complete_all(&mut self, cx: &mut Context<'_, '_>, state: FileState) {
        let mut streams: Vec<Stream> = self.streams.drain().map(|(_, stream)| stream).collect();
        self.kept = 0;
        streams.sort_unstable_by_key(|stream| stream.transaction.tx_id);
        for stream in streams {
            stream.complete(cx, state);
        }
    }
}

impl Stream {
    fn content(&mut self, from: Direction) -> (&mut Option<Box<Content>>, &mut Transaction) {
        let content = match from {
            Direction::ToServer => &mut self.request,
            Direction::ToClient => &mut self.response,
        };
        (content, &mut self.transaction)
    }

    /// Bytes in memory, about.
    fn size(&self) -> usize {
        let contents = [&self.request, &self.response].into_iter().flatten();
        let contents = contents.map(|content| content.size().saturating_add(size_of::<Content>()));
        let Transaction {
            request, response, ..
        } = &self.transaction;
        let bodies = [request.body.len(), response.body.len(), self.head_bytes];
        contents
            .chain(bodies)
            .fold(size_of::<Self>(), usize::saturating_add)
    }

    /// Files of a request are told with what the response says, unless packets wait for the verdict.
    fn is_early(&self, from: Direction) -> bool {
        from == Direction::ToServer && self.transaction.response.headers.is_empty()
    }

    fn complete(mut self, cx: &mut Context<'_, '_>, state: FileState) {
        for content in [&mut self.request, &mut self.response]
            .into_iter()
            .flatten()
        {
            content.finish(cx, &self.transaction, state);
        }
        self.transaction.complete = true;
        cx.transaction(&self.transaction);
    }
}

/// A frame that concerns the connection is a transaction of its own.
pub(super) fn connection(
    cx: &mut Context<'_, '_>,
    from: Direction,
    fill: impl FnOnce(&mut super::Message),
) {
    let (number, ts_ns) = (cx.transaction_id(), cx.ts_ns);
    let mut transaction = Transaction::new(number, ts_ns, 0);
    fill(transaction.message_mut(from));
    transaction.complete = true;
    cx.transaction(&transaction);
}
