//! What is asked of flows.

use std::ops::RangeInclusive;

use packet::{Counts, Direction, Flow};

use super::number::Number;
use super::{Arg, Keyword, number};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::memory::Memory;
use crate::rules::rule::Condition;
use crate::rules::scene::{Scene, Sides};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "flow",
        "[to_server|to_client],[established|not_established|stateless],[only_stream|no_stream],[only_frag|no_frag]",
        "The state of the flow, and which way the packet goes.",
        flow,
    ),
    Keyword::call("flow.age", "number", "How old the flow is, seconds.", age),
    Keyword::call(
        "flow.pkts",
        "toserver|toclient|either,number",
        "How many packets went a way.",
        |rule, arg| counted_by_way(rule, arg, PACKETS, packets),
    ),
    Keyword::call(
        "flow.pkts_toserver",
        "number",
        "How many packets went to the server.",
        |rule, arg| counted(rule, arg, Way::ToServer, PACKETS, packets),
    ),
    Keyword::call(
        "flow.pkts_toclient",
        "number",
        "How many packets went to the client.",
        |rule, arg| counted(rule, arg, Way::ToClient, PACKETS, packets),
    ),
    Keyword::call(
        "flow.bytes",
        "toserver|toclient|either,number",
        "How many bytes of frames went a way.",
        |rule, arg| counted_by_way(rule, arg, BYTES, bytes),
    ),
    Keyword::call(
        "flow.bytes_toserver",
        "number",
        "How many bytes of frames went to the server.",
        |rule, arg| counted(rule, arg, Way::ToServer, BYTES, bytes),
    ),
    Keyword::call(
        "flow.bytes_toclient",
        "number",
        "How many bytes of frames went to the client.",
        |rule, arg| counted(rule, arg, Way::ToClient, BYTES, bytes),
    ),
    Keyword::call(
        "stream_size",
        "server|client|both|either,<|>|=|!=|<=|>=,number",
        "How far the sequence numbers of a side have come.",
        stream_size,
    ),
];

fn flow(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    for word in arg.value()?.split(',') {
        let condition: Option<Box<dyn Condition>> = match &*word.text.to_ascii_lowercase() {
            "to_server" | "from_client" => {
                rule.side(Sides::Client, word)?;
                continue;
            }
            "to_client" | "from_server" => {
                rule.side(Sides::Server, word)?;
                continue;
            }
            "established" => Some(Box::new(Established(true))),
            "not_established" => Some(Box::new(Established(false))),
            "stateless" => None,
            "only_stream" => {
                rule.payload_from.streams_only = true;
                continue;
            }
            "no_stream" => {
                rule.payload_from.packets_only = true;
                continue;
            }
            "only_frag" => Some(Box::new(Fragmented(true))),
            "no_frag" => Some(Box::new(Fragmented(false))),
            other => {
                let message = format!("{other:?} is no state of a flow");
                return Err(word.wrong(message).mend(
                    "write to_server, to_client, established, not_established or stateless",
                ));
            }
        };
        rule.conditions.extend(condition);
        rule.needs_flow = true;
    }
    Ok(())
}

/// Both sides were heard; TCP: the handshake is over.
#[derive(Debug)]
struct Established(bool);

impl Condition for Established {
    fn holds(&self, scene: &Scene<'_>, _: &mut Memory<'_>) -> bool {
        self.at_once(scene) == Some(true)
    }

    fn at_once(&self, scene: &Scene<'_>) -> Option<bool> {
        let is_established = scene.flow.is_some() && scene.established;
        Some(is_established == self.0)
    }
}

/// The packet was put together from fragments.
#[derive(Debug)]
struct Fragmented(bool);

impl Condition for Fragmented {
    fn holds(&self, scene: &Scene<'_>, _: &mut Memory<'_>) -> bool {
        self.at_once(scene) == Some(true)
    }

    fn at_once(&self, scene: &Scene<'_>) -> Option<bool> {
        let is_whole = scene
            .packet
            .is_some_and(|packet| packet.source == packet::Source::Defrag);
        Some(is_whole == self.0)
    }
}

/// How many packets and bytes there can be.
const PACKETS: RangeInclusive<u64> = 0..=0xffff_ffff;
const BYTES: RangeInclusive<u64> = 0..=u64::MAX;

fn age(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let number = Number::parse(arg.value()?, PACKETS)?;
    rule.of_packet(Box::new(Age(number)));
    Ok(())
}

/// How old the flow is.
#[derive(Debug)]
struct Age(Number);

impl Condition for Age {
    fn holds(&self, scene: &Scene<'_>, _: &mut Memory<'_>) -> bool {
        let seconds = |flow: &Flow| {
            let (start, last) = (flow.start_ns / SECOND_NS, flow.last_ns / SECOND_NS);
            last.saturating_sub(start)
        };
        scene.flow.is_some_and(|flow| self.0.holds(seconds(flow)))
    }
}

const SECOND_NS: u64 = 1_000_000_000;

/// Whose packets or bytes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    ToClient,
    Either,
}

/// How many packets or bytes went a way.
#[derive(Debug)]
struct Counted {
    way: Way,
    number: Number,
    of: fn(&Counts) -> u64,
}

impl Condition for Counted {
    fn holds(&self, scene: &Scene<'_>, _: &mut Memory<'_>) -> bool {
        let Some(flow) = scene.flow else {
            return false;
        };
        let holds = |direction| self.number.holds((self.of)(flow.counts(direction)));
        match self.way {
            Way::ToServer => holds(Direction::ToServer),
            Way::ToClient => holds(Direction::ToClient),
            Way::Either => holds(Direction::ToServer) || holds(Direction::ToClient),
        }
    }
}

fn packets(counts: &Counts) -> u64 {
    counts.packets
}

fn bytes(counts: &Counts) -> u64 {
    counts.bytes
}

fn counted_by_way(
    rule: &mut Builder<'_, '_>,
    arg: Arg<'_>,
    range: RangeInclusive<u64>,
    of: fn(&Counts) -> u64,
) -> Result<(), Problem> {
    let value = arg.value()?;
    let (way, number) = value.text.split_once(',').unwrap_or((value.text, ""));
    let way = match way.trim() {
        "toserver" => Way::ToServer,
        "toclient" => Way::ToClient,
        "either" => Way::Either,
        other => {
            return Err(value
                .part(way)
                .wrong(format!("{other:?} is no way"))
                .mend("write toserver, toclient or either, a comma, and a number"));
        }
    };
    let value = Some(value.part(number).trim());
    counted(rule, Arg { value, ..arg }, way, range, of)
}

fn counted(
    rule: &mut Builder<'_, '_>,
    arg: Arg<'_>,
    way: Way,
    range: RangeInclusive<u64>,
    of: fn(&Counts) -> u64,
) -> Result<(), Problem> {
    let number = Number::parse(arg.value()?, range)?;
    rule.of_packet(Box::new(Counted { way, number, of }));
    Ok(())
}

/// How far the sequence numbers of a side have come.
#[derive(Debug)]
struct StreamSize {
    sides: Streams,
    number: Number,
}

/// Whose stream is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Streams {
    Client,
    Server,
    Both,
    Either,
}

impl Condition for StreamSize {
    fn holds(&self, scene: &Scene<'_>, _: &mut Memory<'_>) -> bool {
        let flow = scene.flow.filter(|flow| flow.tcp_state.is_some());
        let Some([client, server]) = flow.map(|flow| flow.sequence) else {
            return false;
        };
        let [client, server] = [client, server].map(|size| self.number.holds(size.into()));
        match self.sides {
            Streams::Client => client,
            Streams::Server => server,
            Streams::Both => client && server,
            Streams::Either => client || server,
        }
    }
}

fn stream_size(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let parts: Vec<_> = value.split(',').collect();
    let &[side, operator, size] = &*parts else {
        return Err(value
            .wrong("stream_size has three parts")
            .mend("write a side, a comparison and a number, as client,>,100"));
    };
    let sides = match side.text {
        "client" => Streams::Client,
        "server" => Streams::Server,
        "both" => Streams::Both,
        "either" => Streams::Either,
        other => {
            return Err(side
                .wrong(format!("{other:?} is no side"))
                .mend("write client, server, both or either"));
        }
    };
    let size = u64::from(number::<u32>(size)?);
    let number = match operator.text {
        ">" => Number::Above(size),
        "<" => Number::Below(size),
        "=" => Number::Is(size),
        "!=" | "!" => Number::IsNot(size),
        ">=" => Number::AtLeast(size),
        "<=" => Number::AtMost(size),
        other => {
            return Err(operator
                .wrong(format!("{other:?} is no comparison"))
                .mend("write <, >, =, !=, <= or >="));
        }
    };
    rule.needs_packet = true;
    rule.conditions.push(Box::new(StreamSize { sides, number }));
    Ok(())
}
