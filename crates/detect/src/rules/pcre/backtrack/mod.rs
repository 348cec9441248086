//! The rest of the language: a backtracker with a budget, an explicit stack and no recursion.

mod compile;
mod machine;

use machine::{Machine, Outcome};

use super::{
    Match, Steps,
    ast::{Assertion, Node},
    automaton::Automaton,
    bytes::ByteSet,
};

/// Index of an instruction.
type Pc = usize;
/// Index of a register: a position, a count or a height of the stack.
type Register = usize;
/// A register that holds nothing.
const UNSET: usize = usize::MAX;

/// Tries from one start each, after which the automaton is asked again for the next possible one.
const TRIES: u32 = 64;

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Program {
    code: Vec<Instruction>,
    registers: usize,
    /// What a match can start with; none when it can be empty.
    first: Option<ByteSet>,
    group1: bool,
    /// Registers of the groups that are told, from the first on.
    captured: Vec<(Register, Register)>,
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
    /// `captured`: of how many groups a match tells, from the first on.
    pub(super) fn compile(node: &Node, anchored: bool, captured: u32) -> Self {
        let compile::Compiled {
            code,
            registers,
            captured,
        } = compile::compile(node, captured);
        let group1 = code
            .iter()
            .any(|instruction| matches!(instruction, Instruction::Close { start, .. } if *start == GROUP1.0));
        let (first, empty) = node.first();
        Self {
            code,
            registers,
            first: (!empty).then_some(first),
            group1,
            captured,
            anchored,
            at_start: node.starts_with(Assertion::TextStart),
        }
    }

    /// Whether the pattern has a group to tell of.
    pub(super) fn has_group1(&self) -> bool {
        self.group1
    }

    /// The leftmost match. `starts` may know from which starts none is possible.
    pub(super) fn find(
        &self,
        hay: &[u8],
        from: usize,
        starts: Option<&Automaton>,
        steps: &mut Steps,
    ) -> Option<Match> {
        if from > hay.len() || self.at_start && from > 0 {
            return None;
        }
        let mut machine = Machine::new(self, hay, from, steps);
        let mut tries: u32 = 0;
        let mut start = from;
        // One past the last byte is a start too, for what can be empty.
        while start <= hay.len() {
            if let Some(starts) = starts.filter(|_| tries.is_multiple_of(TRIES)) {
                if !machine.charge(hay.len().saturating_sub(start)) {
                    return None;
                }
                if let Ok(found) = starts.find(hay, start) {
                    start = found?.start;
                }
            }
            if self.may_start(hay, start) {
                tries = tries.saturating_add(1);
                match machine.run(start) {
                    Outcome::Match(found) => return Some(found),
                    Outcome::Exhausted => return None,
                    Outcome::None => {}
                }
            }
            if self.anchored || self.at_start {
                return None;
            }
            start = start.saturating_add(1);
        }
        None
    }

    /// The match that starts at `start`.
    pub(super) fn find_at(&self, hay: &[u8], start: usize, steps: &mut Steps) -> Option<Match> {
        match Machine::new(self, hay, start, steps).run(start) {
            Outcome::Match(found) => Some(found),
            Outcome::Exhausted | Outcome::None => None,
        }
    }

    fn may_start(&self, hay: &[u8], at: usize) -> bool {
        let here = |first: &ByteSet| hay.get(at).is_some_and(|byte| first.contains(*byte));
        self.first.as_ref().is_none_or(here)
    }
}
