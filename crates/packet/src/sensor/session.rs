//! The part of a flow that exists only while somebody reads its data: streams and application
//! layer.

use super::{Event, StreamPiece, StreamTrouble, Urgent};
use crate::applayer::detection::App;
use crate::applayer::{AppProto, Context, Frames};
use crate::bytes::len32;
use crate::flow::tcp::is_after;
use crate::flow::{Direction, Flow, StreamFacts};
use crate::stream::{Chunk, Policy, Pushed, Stream, Terms};

#[derive(Debug)]
pub(crate) struct Session {
    to_server: Stream,
    to_client: Stream,
    app: App,
    frames: Option<Box<Frames>>,
    /// How the server and the client read overlapping segments.
    policies: [Policy; 2],
    /// Bytes kept when last asked.
    charged: usize,
}

/// What decides whether a session needs to be asked at all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heed {
    /// The streams' depth, bytes.
    pub(crate) depth: u64,
    /// A hole is one only when more has come behind it.
    pub(crate) patient: bool,
}

/// What of a stream its receiver has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Acked {
    /// The stream's first sequence number, where known.
    pub(crate) from: Option<u32>,
    /// The one behind the last byte.
    pub(crate) to: u32,
}

impl Acked {
    /// Whether these are any bytes, as far as the handshake tells.
    pub(crate) fn is_some(self) -> bool {
        self.from.is_some_and(|from| is_after(self.to, from))
    }
}

/// What went wrong in the streams with one segment.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Troubles {
    pub(crate) gap: bool,
    pub(crate) differs: bool,
    pub(crate) depth_reached: bool,
}

impl Troubles {
    pub(crate) fn iter(self) -> impl Iterator<Item = StreamTrouble> {
        [
            (self.differs, StreamTrouble::OverlapDifferentData),
            (self.gap, StreamTrouble::Gap),
            (self.depth_reached, StreamTrouble::DepthReached),
        ]
        .into_iter()
        .filter_map(|(is_so, trouble)| is_so.then_some(trouble))
    }
}

impl Session {
    /// `policies`: how the server and the client read overlapping segments.
    pub(crate) fn new(policies: [Policy; 2]) -> Self {
        Self {
            to_server: Stream::default(),
            to_client: Stream::default(),
            app: App::new(),
            frames: None,
            policies,
            charged: 0,
        }
    }

    /// Nobody reads on.
    pub(crate) fn is_over(&self) -> bool {
        self.app.is_over()
    }

    /// Whether what follows is encrypted: the parser has read all that it can, and no mistake.
    pub(super) fn is_encrypted(&self, flow: &Flow) -> bool {
        let is_encrypting = matches!(flow.app, AppProto::Ssh | AppProto::Tls);
        self.is_over() && is_encrypting && !flow.app_error
    }

    /// Whether one side was read to the streams' depth, bytes.
    pub(crate) fn is_at(&self, depth: u64) -> bool {
        self.to_server.is_at(depth) || self.to_client.is_at(depth)
    }

    /// Whether data that comes in a direction is still looked at.
    pub(crate) fn heeds_data(&self, direction: Direction, heed: &Heed) -> bool {
        !self.stream(direction).is_at(heed.depth)
    }

    /// Whether it changes anything that a direction's bytes are acknowledged: there are some, or
    /// frames of the acknowledging side wait for its packet.
    pub(crate) fn heeds_ack(&self, direction: Direction, acked: Acked, heed: &Heed) -> bool {
        let stream = self.stream(direction);
        let is_news = !stream.is_at(heed.depth)
            && (stream.buffered() > 0 || !heed.patient && stream.lacks(acked.from, acked.to));
        let own = direction.reversed();
        let frames = self.frames.as_ref();
        let is_told = frames.is_some_and(|frames| frames.has_open(own));
        is_news || is_told || self.app.waits_for_packet()
    }

    fn stream(&self, direction: Direction) -> &Stream {
        match direction {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        }
    }

    /// Whether the streams have passed on all bytes before their ends.
    pub(crate) fn is_drained(&self, ends: [u32; 2]) -> bool {
        let [to_server, to_client] = ends;
        self.to_server.is_drained(to_server) && self.to_client.is_drained(to_client)
    }

    /// Bytes kept, as last accounted for.
    pub(crate) fn charged(&self) -> usize {
        self.charged
    }

    /// Accounts anew for the bytes that are kept: now, and before.
    pub(crate) fn recharge(&mut self) -> (usize, usize) {
        let kept = self
            .to_server
            .buffered()
            .saturating_add(self.to_client.buffered());
        let frames = self.frames.as_ref().map_or(0, |frames| frames.buffered());
        let now = kept
            .saturating_add(self.app.buffered())
            .saturating_add(frames);
        (now, std::mem::replace(&mut self.charged, now))
    }

    /// Takes the payload of a TCP segment; `start` is the stream's first sequence number, where
    /// known, `urgent` where a byte stands that is no part of the stream.
    pub(crate) fn segment(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        start: Option<u32>,
        (seq, data): (u32, &[u8]),
        urgent: Option<usize>,
    ) -> Troubles {
        if let Some(start) = start {
            self.parts(direction).0.start(start);
        }
        let Some((before, rest)) = urgent.and_then(|at| data.split_at_checked(at)) else {
            return self.piece(cx, direction, seq, data);
        };
        let mut troubles = self.piece(cx, direction, seq, before);
        let urgent_seq = seq.wrapping_add(len32(before.len()));
        if cx.config.stream.urgent == Urgent::OutOfBand {
            self.leave_out(cx, direction, urgent_seq);
        }
        let behind = rest.get(1..).unwrap_or_default();
        if !behind.is_empty() {
            let more = self.piece(cx, direction, urgent_seq.wrapping_add(1), behind);
            troubles.differs |= more.differs;
            troubles.gap |= more.gap;
            troubles.depth_reached |= more.depth_reached;
        }
        troubles
    }

    fn leave_out(&mut self, cx: &mut Context<'_, '_>, direction: Direction, seq: u32) {
        if let Some(facts) = cx.flow.streams.get_mut(direction.at()) {
            facts.urgent_bytes = facts.urgent_bytes.saturating_add(1);
        }
        let counter = &mut cx.counters.urgent_bytes;
        *counter = counter.saturating_add(1);
        let terms = self.terms(cx, direction);
        let now_ns = cx.ts_ns;
        self.lend_frames(cx);
        let (stream, app) = self.parts(direction);
        stream.leave_out(seq, now_ns, terms, &mut |chunk| {
            pass(cx, app, direction, chunk);
        });
        cx.ts_ns = now_ns;
        self.keep_frames(cx, direction);
    }

    fn piece(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        seq: u32,
        data: &[u8],
    ) -> Troubles {
        let terms = self.terms(cx, direction);
        let now_ns = cx.ts_ns;
        self.lend_frames(cx);
        let (stream, app) = self.parts(direction);
        let mut gap = false;
        let pushed = stream.push(seq, data, now_ns, terms, &mut |chunk| {
            gap |= pass(cx, app, direction, chunk);
        });
        cx.ts_ns = now_ns;
        self.keep_frames(cx, direction);
        count(cx, pushed);
        self.note(cx, direction, gap, pushed)
    }

    /// The receiver of a direction's bytes has them.
    pub(crate) fn acknowledged(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        acked: Acked,
    ) -> Troubles {
        let terms = self.terms(cx, direction);
        let now_ns = cx.ts_ns;
        let mut gap = false;
        self.lend_frames(cx);
        let (stream, app) = self.parts(direction);
        if let Some(from) = acked.from.filter(|_| !terms.patient) {
            // else a side of which nothing was seen would be missing without a word
            stream.start(from);
        }
        stream.acknowledged(acked.to, terms, &mut |chunk| {
            gap |= pass(cx, app, direction, chunk);
        });
        cx.ts_ns = now_ns;
        self.app.packet(cx, direction.reversed());
        self.keep_frames(cx, direction.reversed());
        self.note(cx, direction, gap, Pushed::default())
    }

    fn terms(&self, cx: &Context<'_, '_>, direction: Direction) -> Terms {
        let config = cx.config;
        // nobody acknowledges what a side sends whose other side was not heard
        let is_alone = cx.flow.to_client.packets == 0 || cx.flow.to_server.packets == 0;
        let is_alone = is_alone && config.stream.async_oneside;
        let on_ack = config.stream.on_ack && !config.inline && !is_alone;
        let scale = if on_ack || config.inline {
            KEPT_SCALE
        } else {
            1
        };
        Terms {
            segments_max: config.segments_max.saturating_mul(scale),
            bytes_max: config.segment_bytes_max.saturating_mul(scale),
            depth: config.stream.depth_of(cx.flow.app),
            on_ack,
            patient: config.stream.on_ack,
            compare: config.inline,
            policy: self
                .policies
                .get(direction.at())
                .copied()
                .unwrap_or_default(),
        }
    }

    fn note(
        &self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        gap: bool,
        pushed: Pushed,
    ) -> Troubles {
        let stream = self.stream(direction);
        if let Some(facts) = cx.flow.streams.get_mut(direction.at()) {
            *facts = StreamFacts {
                regions_max: stream.regions_max(),
                gap: facts.gap | gap,
                ..*facts
            };
        }
        Troubles {
            gap,
            differs: pushed.differs,
            depth_reached: pushed.depth_reached,
        }
    }

    /// Takes the payload of a datagram.
    pub(crate) fn datagram(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) {
        self.lend_frames(cx);
        if let Some(frames) = &mut cx.frames {
            frames.data(direction, data);
        }
        self.app.data(cx, direction, data);
        self.keep_frames(cx, direction);
    }

    /// Passes on what is left and yields what the parser still has.
    pub(crate) fn end(&mut self, cx: &mut Context<'_, '_>) {
        let now_ns = cx.ts_ns;
        cx.is_end = true;
        self.lend_frames(cx);
        for direction in [Direction::ToServer, Direction::ToClient] {
            let terms = self.terms(cx, direction);
            let mut gap = false;
            let (stream, app) = self.parts(direction);
            stream.flush(terms, &mut |chunk| gap |= pass(cx, app, direction, chunk));
            self.note(cx, direction, gap, Pushed::default());
        }
        cx.ts_ns = now_ns;
        self.app.end(cx);
        cx.end_frames();
        self.frames = None;
    }

    /// Parsers say frames where somebody wants them.
    fn lend_frames(&mut self, cx: &mut Context<'_, '_>) {
        if cx.config.frames {
            let frames = self.frames.take();
            let proto = cx.flow.tuple.proto;
            cx.frames = Some(frames.unwrap_or_else(|| Box::new(Frames::new(proto))));
        }
    }

    /// Tells what a packet of that direction can tell of.
    fn keep_frames(&mut self, cx: &mut Context<'_, '_>, direction: Direction) {
        if cx.frames.is_some() {
            cx.tell_frames(direction, false);
            if self.app.is_over() {
                cx.end_frames();
            }
            self.frames = cx.frames.take();
        }
    }

    fn parts(&mut self, direction: Direction) -> (&mut Stream, &mut App) {
        match direction {
            Direction::ToServer => (&mut self.to_server, &mut self.app),
            Direction::ToClient => (&mut self.to_client, &mut self.app),
        }
    }
}

/// Hands a chunk from stream to application layer; whether it is a gap.
fn pass(cx: &mut Context<'_, '_>, app: &mut App, direction: Direction, chunk: Chunk<'_>) -> bool {
    match chunk {
        Chunk::Data(data, ts_ns) => {
            cx.ts_ns = ts_ns;
            if cx.config.inspect {
                (cx.out)(Event::Stream(cx.flow, direction, StreamPiece::Data(data)));
            }
            if let Some(frames) = &mut cx.frames {
                frames.data(direction, data);
            }
            app.data(cx, direction, data);
            false
        }
        Chunk::Gap(len) => {
            // what no parser misses is said only to those who look into streams
            let is_missed = !app.is_over();
            if is_missed {
                cx.counters.gaps = cx.counters.gaps.saturating_add(1);
                cx.counters.gap_bytes = cx.counters.gap_bytes.saturating_add(len);
            }
            if cx.config.inspect {
                (cx.out)(Event::Stream(cx.flow, direction, StreamPiece::Gap(len)));
            }
            if let Some(frames) = &mut cx.frames {
                frames.gap(direction, len);
            }
            app.gap(cx, direction, len);
            is_missed
        }
        Chunk::Beyond(hole, data) => {
            if cx.config.inspect && hole > 0 {
                (cx.out)(Event::Stream(cx.flow, direction, StreamPiece::Gap(hole)));
            }
            if cx.config.inspect {
                (cx.out)(Event::Stream(cx.flow, direction, StreamPiece::Data(data)));
            }
            false
        }
    }
}

/// Where in-order bytes are kept until they are acknowledged, the bounds on what is kept are this
/// many times as high: whole windows stand there, not only what overtook a lost packet.
const KEPT_SCALE: usize = 16;

fn count(cx: &mut Context<'_, '_>, pushed: Pushed) {
    let counters = &mut *cx.counters;
    counters.segments_buffered = counters
        .segments_buffered
        .saturating_add(u64::from(pushed.buffered));
    counters.segments_max_hit = counters
        .segments_max_hit
        .saturating_add(u64::from(pushed.full));
    counters.overlaps = counters.overlaps.saturating_add(u64::from(pushed.overlaps));
    counters.overlaps_different = counters
        .overlaps_different
        .saturating_add(u64::from(pushed.differs));
    counters.depth_reached = counters
        .depth_reached
        .saturating_add(u64::from(pushed.depth_reached));
}
