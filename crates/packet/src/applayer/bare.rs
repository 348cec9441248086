//! One flow's application layer without packets around it, for fuzzers: what a parser does with
//! bytes, as fast as it does it.

use super::detection::App;
use super::{Context, Expectations};
use crate::decode::Vlans;
use crate::flow::{Direction, FiveTuple, Flow, FlowId, Proto};
use crate::ranges::Ranges;
use crate::sensor::{Config, Counters, Sink};

/// What comes next in a direction.
#[derive(Debug, Clone, Copy)]
pub enum Piece<'a> {
    /// These bytes (UDP: this datagram).
    Data(&'a [u8]),
    /// So many bytes are missing.
    Gap(u64),
}

/// A flow whose bytes are given to its application layer in order.
#[derive(Debug)]
pub struct Bare<'a> {
    config: &'a Config,
    app: App,
    flow: Flow,
    counters: Counters,
    expectations: Expectations,
    ranges: Ranges,
    ts_ns: u64,
}

impl<'a> Bare<'a> {
    /// A flow of which nothing was seen.
    #[must_use]
    pub fn new(proto: Proto, config: &'a Config) -> Self {
        let tuple = FiveTuple {
            src: [192, 0, 2, 1].into(),
            src_port: 40_000,
            dst: [198, 51, 100, 2].into(),
            dst_port: 8080,
            proto,
        };
        Self {
            config,
            app: App::new(),
            flow: Flow::new(FlowId(1), tuple, Vlans::default(), START_NS),
            counters: Counters::default(),
            expectations: Expectations::new(config.seed),
            ranges: Ranges::default(),
            ts_ns: START_NS,
        }
    }

    /// Takes the next piece.
    pub fn take(&mut self, direction: Direction, piece: Piece<'_>, out: &mut Sink<'_>) {
        self.ts_ns = self.ts_ns.saturating_add(STEP_NS);
        self.with(out, |app, cx| match piece {
            Piece::Data(data) => app.data(cx, direction, data),
            Piece::Gap(len) => app.gap(cx, direction, len),
        });
    }

    /// No more will come.
    pub fn end(&mut self, out: &mut Sink<'_>) {
        self.with(out, |app, cx| app.end(cx));
    }

    /// Nobody reads on.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.app.is_over()
    }

    /// Bytes kept, as the parser counts them.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.app.buffered()
    }

    fn with(&mut self, out: &mut Sink<'_>, work: impl FnOnce(&mut App, &mut Context<'_, '_>)) {
        let mut cx = Context {
            config: self.config,
            ts_ns: self.ts_ns,
            now_ns: self.ts_ns,
            flow: &mut self.flow,
            counters: &mut self.counters,
            expectations: &mut self.expectations,
            ranges: &mut self.ranges,
            out,
            is_end: false,
            successor: None,
            frames: None,
        };
        work(&mut self.app, &mut cx);
    }
}

const START_NS: u64 = 1_700_000_000_000_000_000;
const STEP_NS: u64 = 1_000_000;
