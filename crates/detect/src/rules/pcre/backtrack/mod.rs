//! The rest of the language: a backtracker with a budget, an explicit stack and no recursion.

mod compile;
mod machine;

use super::{
    Match, Steps,
    ast::{Assertion, Node},
    bytes::ByteSet,
    literal::{self, Literal},
};

/// Index of an instruction.
type Pc = usize;
/// Index of a register: a position, a count or a height of the stack.
type Register = usize;
/// A register that holds nothing.
const UNSET: usize = usize::MAX;

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Program {
    code: Vec<Instruction>,
    registers: usize,
    /// What a match can start with; none when it can be empty.
    first: Option<ByteSet>,
    literal: Option<Literal>,
    anchored: bool,
    /// A match can only start at the start of the text.
    at_start: bool,
}

/// Registers 0 and 1 are the start and the end of the first group.
const GROUP1: (Register, Register) = (0, 1);
/// Register of the start that `\K` set.
const KEEP: Register = 2;
/// The first register that the compiler hands out.
const FREE: Register = 3;

#[derive(Debug)]
enum Instruction {
    /// One byte of the set.
    Set(ByteSet),
    /// Some bytes of one set, one try after the other without further instructions.
    Run {
        set: ByteSet,
        min: u32,
        max: Option<u32>,
        how: Run,
    },
    Assert(Assertion),
    Jump(Pc),
    /// Tries `first`, later `second`.
    Split {
        first: Pc,
        second: Pc,
    },
    /// Register := position.
    Here(Register),
    /// A group ends here and began at `open`.
    Close {
        open: Register,
        start: Register,
        end: Register,
    },
    Backreference {
        start: Register,
        end: Register,
        caseless: bool,
    },
    /// A counted loop begins: its registers are cleared.
    Enter {
        count: Register,
        last: Register,
    },
    /// Head of a loop; the next instruction is its [`Again`](Self::Again).
    Loop {
        count: Register,
        last: Register,
        min: usize,
        max: Option<usize>,
        greedy: bool,
        exit: Pc,
    },
    /// An iteration begins.
    Again {
        count: Register,
        last: Register,
    },
    /// Keeps the height of the stack and the position.
    Mark {
        height: Register,
        at: Register,
    },
    /// Forgets what could have been tried since the mark. With `back`, the position returns too.
    Cut {
        height: Register,
        at: Register,
        back: bool,
    },
    /// Takes everything since the mark back, the position too.
    Undo {
        height: Register,
        at: Register,
    },
    /// So many bytes back, for a look-behind.
    Back(usize),
    /// Jumps where the group has not matched.
    Unless {
        end: Register,
        to: Pc,
    },
    Fail,
    Match,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    Greedy,
    Lazy,
    Possessive,
}

impl Program {
    pub(super) fn compile(node: &Node, anchored: bool) -> Self {
        let (code, registers) = compile::compile(node);
        let (first, empty) = node.first();
        Self {
            code,
            registers,
            first: (!empty).then_some(first),
            literal: literal::required(node),
            anchored,
            at_start: node.starts_with(Assertion::TextStart),
        }
    }

    pub(super) fn find(&self, hay: &[u8], from: usize, steps: &mut Steps) -> Option<Match> {
        let rest = hay.get(from..)?;
        if !self
            .literal
            .as_ref()
            .is_none_or(|literal| literal.is_in(hay))
        {
            return None;
        }
        let only_first = self.anchored || self.at_start;
        if self.at_start && from > 0 {
            return None;
        }
        let mut machine = machine::Machine::new(self, hay, from, steps);
        // One past the last byte too, for what can be empty.
        for offset in 0..=rest.len() {
            let may_start = self.first.as_ref().is_none_or(|first| {
                let byte = rest.get(offset);
                byte.is_some_and(|byte| first.contains(*byte))
            });
            if may_start {
                match machine.run(from.saturating_add(offset)) {
                    machine::Outcome::Match(found) => return Some(found),
                    machine::Outcome::Exhausted => return None,
                    machine::Outcome::None => {}
                }
            }
            if only_first {
                break;
            }
        }
        None
    }
}
