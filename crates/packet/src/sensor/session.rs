//! The part of a flow that exists only while somebody reads its data: streams and application
//! layer.

use super::StreamTrouble;
use crate::applayer::Context;
use crate::applayer::detection::App;
use crate::flow::Direction;
use crate::stream::{Bounds, Chunk, Pushed, Stream};

#[derive(Debug)]
pub(crate) struct Session {
    to_server: Stream,
    to_client: Stream,
    app: App,
    /// Bytes kept when last asked.
    charged: usize,
}

impl Session {
    pub(crate) fn new() -> Self {
        Self {
            to_server: Stream::default(),
            to_client: Stream::default(),
            app: App::new(),
            charged: 0,
        }
    }

    /// Nobody reads on.
    pub(crate) fn is_over(&self) -> bool {
        self.app.is_over()
    }

    /// Whether the streams have passed on all bytes before their ends.
    pub(crate) fn is_drained(&self, ends: [u32; 2]) -> bool {
        let [to_server, to_client] = ends;
        self.to_server.is_drained(to_server) && self.to_client.is_drained(to_client)
    }

    /// Bytes kept: as of now, and when last asked.
    pub(crate) fn recharge(&mut self) -> (usize, usize) {
        let kept = self
            .to_server
            .buffered()
            .saturating_add(self.to_client.buffered());
        let now = kept.saturating_add(self.app.buffered());
        (now, std::mem::replace(&mut self.charged, now))
    }

    /// Takes the payload of a TCP segment; `start` is the stream's first sequence number, where
    /// known.
    pub(crate) fn segment(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        start: Option<u32>,
        (seq, data): (u32, &[u8]),
    ) -> Option<StreamTrouble> {
        let bounds = Bounds {
            segments_max: cx.config.segments_max,
            bytes_max: cx.config.segment_bytes_max,
        };
        let now_ns = cx.ts_ns;
        let (stream, app) = self.parts(direction);
        if let Some(start) = start {
            stream.start(start);
        }
        let mut gaps = Gaps::default();
        let pushed = stream.push(seq, data, now_ns, bounds, &mut |chunk| {
            gaps.pass(cx, app, direction, chunk);
        });
        cx.ts_ns = now_ns;
        count(cx, pushed);
        pushed
            .differs
            .then_some(StreamTrouble::OverlapDifferentData)
            .or(gaps.trouble())
    }

    /// The receiver of a direction's bytes has them all up to `ack`.
    pub(crate) fn acknowledged(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        ack: u32,
    ) -> Option<StreamTrouble> {
        let now_ns = cx.ts_ns;
        let mut gaps = Gaps::default();
        let (stream, app) = self.parts(direction);
        stream.acknowledged(ack, &mut |chunk| gaps.pass(cx, app, direction, chunk));
        cx.ts_ns = now_ns;
        gaps.trouble()
    }

    /// Takes the payload of a datagram.
    pub(crate) fn datagram(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) {
        self.app.data(cx, direction, data);
    }

    /// Passes on what is left and yields what the parser still has.
    pub(crate) fn end(&mut self, cx: &mut Context<'_, '_>) {
        let now_ns = cx.ts_ns;
        let mut gaps = Gaps::default();
        for direction in [Direction::ToServer, Direction::ToClient] {
            let (stream, app) = self.parts(direction);
            stream.flush(&mut |chunk| gaps.pass(cx, app, direction, chunk));
        }
        cx.ts_ns = now_ns;
        self.app.end(cx);
    }

    fn parts(&mut self, direction: Direction) -> (&mut Stream, &mut App) {
        match direction {
            Direction::ToServer => (&mut self.to_server, &mut self.app),
            Direction::ToClient => (&mut self.to_client, &mut self.app),
        }
    }
}

/// Hands chunks from stream to application layer and remembers whether there was a gap.
#[derive(Debug, Default)]
struct Gaps {
    seen: bool,
}

impl Gaps {
    fn pass(
        &mut self,
        cx: &mut Context<'_, '_>,
        app: &mut App,
        direction: Direction,
        chunk: Chunk<'_>,
    ) {
        match chunk {
            Chunk::Data(data, ts_ns) => {
                cx.ts_ns = ts_ns;
                app.data(cx, direction, data);
            }
            Chunk::Gap(len) => {
                self.seen = true;
                cx.counters.gaps = cx.counters.gaps.saturating_add(1);
                cx.counters.gap_bytes = cx.counters.gap_bytes.saturating_add(len);
                app.gap(cx, direction, len);
            }
        }
    }

    fn trouble(&self) -> Option<StreamTrouble> {
        self.seen.then_some(StreamTrouble::Gap)
    }
}

fn count(cx: &mut Context<'_, '_>, pushed: Pushed) {
    let counters = &mut *cx.counters;
    counters.segments_buffered = counters
        .segments_buffered
        .saturating_add(u64::from(pushed.buffered));
    counters.segments_max_hit = counters
        .segments_max_hit
        .saturating_add(u64::from(pushed.full));
}
