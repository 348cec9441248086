//! With what rules are judged.

use packet::{Direction, Flow, Inspect};

use super::super::scene::{Scene, Sets};

/// A packet, or the end of a flow, with which rules are judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment<'m> {
    pub(super) inspect: Option<&'m Inspect<'m>>,
    pub(super) flow: Option<&'m Flow>,
    pub(super) direction: Direction,
    pub(super) now_ns: u64,
}

impl<'m> Moment<'m> {
    pub(super) fn scene(&self, sets: &'m Sets) -> Scene<'m> {
        let inspect = self.inspect;
        let of_flow = self.flow.map(|flow| match self.direction {
            Direction::ToServer => flow.tuple,
            Direction::ToClient => flow.tuple.reversed(),
        });
        Scene {
            packet: inspect.map(|inspect| inspect.packet),
            flow: self.flow,
            direction: self.direction,
            tuple: inspect.and_then(|inspect| inspect.tuple).or(of_flow),
            established: inspect.is_none_or(|inspect| inspect.established),
            payload: inspect.map_or(&[], |inspect| inspect.packet.decoded.payload()),
            transaction: None,
            sets,
            file: None,
            now_ns: self.now_ns,
        }
    }
}
