//! EVE JSON written off the packet path: the records of [`packet::eve`], and alerts.
//!
//! | event_type | from | module |
//! |---|---|---|
//! | `alert` | a verdict | [`alert`] |
//! | `alert`, `model` | what a model found, where it counts and where it does not | [`model`] |
//! | all others | the sensor's events and counters | [`packet::eve`] |
//!
//! Beyond Suricata's fields there is `alert.metadata`, where a Suricata rule has its own: what our
//! verdict knows. A record is built on the packet's thread and written on another; the buffer
//! between them is bounded and counts what it loses ([`WhenFull`]).

mod alert;
mod appended;
mod model;
mod output;
mod rule;

use std::io::{self, Write};

use detect::Verdict;
use detect::models::Found;
use detect::rules::{Alert, Fate, Outcome, Remembered};
use packet::eve::{Recorder, Remark};
use packet::{Direction, Event};

pub(crate) use alert::flow_of;
pub use appended::Appended;
pub use output::{BUFFER_BYTES_MAX, WhenFull};
pub use packet::eve::{Now, Output as Records};

use output::Output;

/// A log of records.
#[derive(Debug)]
pub struct Log {
    recorder: Recorder,
    outputs: Vec<Output>,
}

/// Everything that stands in a log of alerts alone.
pub const ALERTS: &[&str] = &["alert"];

impl Log {
    /// A log that writes each of `records` to the sink that `open` gives for its file name, on a
    /// thread of its own.
    ///
    /// # Errors
    /// When a sink cannot be opened, or the system has no thread to give.
    pub fn new(
        records: Vec<Records>,
        when_full: WhenFull,
        mut open: impl FnMut(&str) -> io::Result<Box<dyn Write + Send>>,
    ) -> io::Result<Self> {
        let outputs = records
            .iter()
            .map(|records| Output::new(open(&records.filename)?, when_full));
        Ok(Self {
            outputs: outputs.collect::<io::Result<_>>()?,
            recorder: Recorder::new(records),
        })
    }

    /// Another log of the same records to the same files, for another thread. What it wrote is
    /// written when this one is closed, which must be after it.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self {
            recorder: Recorder::new(self.recorder.outputs().to_vec()),
            outputs: self.outputs.iter().map(Output::beside).collect(),
        }
    }

    /// Writes the records of an event, if it has any.
    pub fn event(&mut self, event: &Event<'_>, now: Now) {
        let Self { recorder, outputs } = self;
        recorder.event(event, now, &mut |number, line| send(outputs, number, line));
    }

    /// Writes the alert of a verdict, with what is known of the event that led to it.
    pub fn alert(&mut self, verdict: &Verdict, event: Option<&Event<'_>>, packet: u64) {
        let Self { recorder, outputs } = self;
        recorder.alerted(verdict.flow);
        let now = Now {
            ts_ns: verdict.at_ns,
            packet,
        };
        let mut emit = |number: usize, line: &str| send(outputs, number, line);
        let flow = event.and_then(flow_of);
        recorder.record_in("alert", flow, now, &mut emit, &mut |record, options| {
            alert::write(record, verdict, event, options);
            true
        });
    }

    /// Writes what a model found: an alert where it counts, else a record of type `model`.
    pub fn found(&mut self, found: &Found, event: &Event<'_>, packet: u64) {
        let Self { recorder, outputs } = self;
        let kind = if found.is_alert() { "alert" } else { "model" };
        if found.is_alert() {
            recorder.alerted(found.verdict.flow);
        }
        let now = Now {
            ts_ns: found.verdict.at_ns,
            packet,
        };
        let mut emit = |number: usize, line: &str| send(outputs, number, line);
        let flow = flow_of(event);
        recorder.record_in(kind, flow, now, &mut emit, &mut |record, options| {
            model::write(record, kind, found, event, options);
            true
        });
    }

    /// Notes what rules remember of a flow and a packet: their records show it from here on.
    pub fn remember(&mut self, said: &Remembered) {
        let said = said.clone();
        self.recorder.remember(
            said.flow,
            Remark {
                traffic: said.traffic,
                metadata: said.metadata,
            },
            said.of_packet,
        );
    }

    /// Writes what came of rules with an event: their alerts, and that the packet was dropped.
    pub fn judged(
        &mut self,
        alerts: &[Alert],
        outcome: Outcome,
        event: &Event<'_>,
        inline: bool,
        now: Now,
    ) {
        let Self { recorder, outputs } = self;
        let mut emit = |number: usize, line: &str| send(outputs, number, line);
        let direction = alerts
            .first()
            .map_or(Direction::ToServer, |alert| alert.direction);
        let carrier = carrier(event, direction, outcome, inline);
        let fate = outcome.fate.filter(|_| outcome.refused.is_none());
        if let Some((flow, fate)) = carrier.flow.zip(fate) {
            let action = match fate {
                Fate::Drop => "drop",
                Fate::Pass => "pass",
            };
            recorder.acted(flow.id, action);
        }
        for alert in alerts.iter().filter(|alert| !alert.silent) {
            recorder.alerted(alert.flow);
            let carrier = carrier_of(alert, event, carrier);
            recorder.record_in(
                "alert",
                carrier.flow,
                now,
                &mut emit,
                &mut |record, options| {
                    rule::write(record, alert, &carrier, options);
                    true
                },
            );
        }
        if let Some(packet) = carrier.packet.filter(|_| outcome.tagged) {
            recorder.tagged(packet.decoded.data, carrier.flow, now, &mut emit);
        }
        if outcome.dropped && carrier.packet.is_some() {
            let by = alerts.iter().find(|alert| alert.action.drops());
            let flow = carrier.flow.map(|flow| flow.id);
            let is_first = flow.is_none_or(|flow| recorder.dropped(flow, carrier.direction));
            recorder.record_in(
                "drop",
                carrier.flow,
                now,
                &mut emit,
                &mut |record, options| {
                    let wants_all = options.at("flows").text() == Some("all");
                    let is_wanted = is_first || wants_all;
                    if is_wanted {
                        rule::write_drop(record, by, &carrier, options);
                    }
                    is_wanted
                },
            );
        }
    }

    /// Writes a record of counters named `part.counter`.
    pub fn stats(&mut self, counters: &[(&'static str, u64)], now: Now) {
        let Self { recorder, outputs } = self;
        recorder.stats(counters, now, &mut |number, line| {
            send(outputs, number, line)
        });
    }

    /// Hands over what was written so far, for readers who wait.
    pub fn flush(&mut self) {
        self.outputs.iter_mut().for_each(Output::flush);
    }

    /// Records lost because a buffer was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        let dropped = self.outputs.iter().map(Output::dropped);
        dropped.fold(0, u64::saturating_add)
    }

    /// Writes what waits and stops.
    ///
    /// # Errors
    /// The first error of a sink.
    pub fn close(self) -> io::Result<()> {
        // every one is closed, whatever becomes of the others
        let closed: Vec<_> = self.outputs.into_iter().map(Output::close).collect();
        closed.into_iter().collect()
    }
}

/// What records of rules come with.
fn carrier<'a>(
    event: &Event<'a>,
    direction: Direction,
    outcome: Outcome,
    inline: bool,
) -> rule::Carrier<'a> {
    if let Event::Inspect(inspect) = event {
        return rule::Carrier {
            flow: inspect.flow,
            direction: inspect.direction,
            tuple: inspect.tuple,
            packet: Some(inspect.packet),
            outcome,
            inline,
        };
    }
    let flow = flow_of(event);
    let tuple = flow.map(|flow| match direction {
        Direction::ToServer => flow.tuple,
        Direction::ToClient => flow.tuple.reversed(),
    });
    rule::Carrier {
        flow,
        direction,
        tuple,
        packet: None,
        outcome,
        inline,
    }
}

/// The same for one alert: without a packet, each has its own direction.
fn carrier_of<'a>(
    alert: &Alert,
    event: &Event<'a>,
    of_all: rule::Carrier<'a>,
) -> rule::Carrier<'a> {
    match of_all.packet {
        Some(_) => of_all,
        None => carrier(event, alert.direction, of_all.outcome, of_all.inline),
    }
}

fn send(outputs: &mut [Output], number: usize, line: &str) {
    if let Some(output) = outputs.get_mut(number) {
        output.line(line);
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests")]
mod tests;
