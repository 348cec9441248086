//! Both directions of a connection.

use super::side::Side;
use crate::applayer::{AppLayer, AppProto, Context, Next};
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

/// A parser for what follows the server's assent to an upgrade.
pub(in crate::applayer) fn start(_: Proto, _: &Config) -> Box<dyn AppLayer> {
    Box::new(Parser {
        sides: [
            Side::new(Direction::ToServer),
            Side::new(Direction::ToClient),
        ],
        begun: false,
    })
}

#[derive(Debug)]
struct Parser {
    sides: [Side; 2],
    /// Bytes came.
    begun: bool,
}

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        self.begun = true;
        if let Some(side) = self.sides.get_mut(direction.at()) {
            side.data(cx, data);
        }
        self.next()
    }

    fn gap(&mut self, cx: &mut Context<'_, '_>, direction: Direction, len: u64) -> Next {
        if let Some(side) = self.sides.get_mut(direction.at()) {
            side.gap(cx, len);
        }
        self.next()
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        if !self.begun {
            // what was agreed on never came
            cx.expect_change_to(AppProto::Websocket);
            cx.flow.app = AppProto::Failed;
        }
    }

    fn buffered(&self) -> usize {
        let kept = self.sides.iter().map(Side::buffered);
        kept.fold(0, usize::saturating_add)
    }
}

impl Parser {
    fn next(&self) -> Next {
        match self.sides.iter().all(|side| side.lost) {
            true => Next::Done,
            false => Next::More,
        }
    }
}
