//! Runs a program over a text.

use super::{FREE, GROUP1, Instruction, KEEP, Pc, Program, Register, Run, UNSET};
use crate::rules::pcre::{Match, STACK_MAX, Steps, ast::Assertion, bytes::ByteSet};

/// Entries on top of the stack that are looked through for one that puts the same register back.
const RECENT: usize = 6;

/// What a run over one start came to.
pub(super) enum Outcome {
    Match(Match),
    None,
    /// A bound was hit.
    Exhausted,
}

/// What to do when the way taken fails.
#[derive(Clone, Copy)]
enum Entry {
    /// Go on at `pc` from `at`.
    Choice { pc: Pc, at: usize },
    /// Put an older value back.
    Restore { register: Register, value: usize },
    /// A greedy run gives back one byte, down to `least`.
    Give { pc: Pc, at: usize, least: usize },
    /// A lazy run takes one byte more, up to `most`.
    Take { pc: Pc, at: usize, most: usize },
}

pub(super) struct Machine<'a> {
    program: &'a Program,
    hay: &'a [u8],
    /// Where the search began (`\G`).
    from: usize,
    registers: Vec<usize>,
    stack: Vec<Entry>,
    steps: &'a mut Steps,
}

/// How one instruction went.
enum Next {
    Go(Pc),
    Fail,
    Match,
}

impl<'a> Machine<'a> {
    pub(super) fn new(
        program: &'a Program,
        hay: &'a [u8],
        from: usize,
        steps: &'a mut Steps,
    ) -> Self {
        debug_assert!(FREE <= program.registers);
        Self {
            program,
            hay,
            from,
            registers: vec![UNSET; program.registers],
            stack: Vec::new(),
            steps,
        }
    }

    /// Spends what looking over `count` bytes costs.
    pub(super) fn charge(&mut self, count: usize) -> bool {
        self.steps.spend(eighths(count))
    }

    /// Tries to match from `start`.
    pub(super) fn run(&mut self, start: usize) -> Outcome {
        self.registers.fill(UNSET);
        self.stack.clear();
        let (mut pc, mut at) = (0, start);
        loop {
            if !self.steps.spend(1) {
                return Outcome::Exhausted;
            }
            if self.stack.len() >= STACK_MAX {
                self.steps.exhausted = true;
                return Outcome::Exhausted;
            }
            match self.step(pc, &mut at) {
                Next::Go(next) => pc = next,
                Next::Match => return Outcome::Match(self.found(start, at)),
                Next::Fail => match self.backtrack() {
                    Some((next, position)) => (pc, at) = (next, position),
                    None if self.steps.exhausted => return Outcome::Exhausted,
                    None => return Outcome::None,
                },
            }
        }
    }

    fn step(&mut self, pc: Pc, at: &mut usize) -> Next {
        let program = self.program;
        let next = pc.saturating_add(1);
        let holds = match program.code.get(pc) {
            Some(Instruction::Set(set)) => {
                let there = self.hay.get(*at).is_some_and(|byte| set.contains(*byte));
                *at = at.saturating_add(1);
                there
            }
            Some(Instruction::Run { set, min, max, how }) => {
                self.run_of(set, (*min, *max), *how, next, at)
            }
            Some(Instruction::Assert(assertion)) => self.holds(*assertion, *at),
            Some(Instruction::Jump(to)) => return Next::Go(*to),
            Some(Instruction::Split { first, second }) => {
                self.stack.push(Entry::Choice {
                    pc: *second,
                    at: *at,
                });
                return Next::Go(*first);
            }
            Some(Instruction::Here(register)) => {
                self.set(*register, *at);
                true
            }
            Some(Instruction::Close { open, start, end }) => {
                let opened = self.get(*open);
                self.set(*start, opened);
                self.set(*end, *at);
                true
            }
            Some(Instruction::Backreference {
                start,
                end,
                caseless,
            }) => self.refers(*start, *end, *caseless, at),
            Some(Instruction::Unless { end, to }) => {
                return Next::Go(if self.get(*end) == UNSET { *to } else { next });
            }
            Some(Instruction::Back(width)) => match at.checked_sub(*width) {
                Some(back) => {
                    *at = back;
                    true
                }
                None => false,
            },
            Some(Instruction::Match) => return Next::Match,
            Some(Instruction::Fail) | None => false,
            Some(control) => return self.control(control, next, at),
        };
        if holds { Next::Go(next) } else { Next::Fail }
    }

    /// Loops and marks.
    fn control(&mut self, instruction: &Instruction, next: Pc, at: &mut usize) -> Next {
        match *instruction {
            Instruction::Enter { count, last } => {
                self.set(count, 0);
                self.set(last, UNSET);
            }
            Instruction::Loop {
                count,
                last,
                min,
                max,
                greedy,
                exit,
            } => {
                let done = self.get(count);
                // An iteration that took nothing ends a loop without an upper bound.
                let stuck = max.is_none() && done >= min && self.get(last) == *at;
                if stuck || max.is_some_and(|max| done >= max) {
                    return Next::Go(exit);
                }
                if done >= min {
                    let (first, second) = if greedy { (next, exit) } else { (exit, next) };
                    self.stack.push(Entry::Choice {
                        pc: second,
                        at: *at,
                    });
                    return Next::Go(first);
                }
            }
            Instruction::Again { count, last } => {
                let done = self.get(count).saturating_add(1);
                self.set(count, done);
                self.set(last, *at);
            }
            Instruction::Mark { height, at: mark } => {
                // Nobody reads them behind the cut, before which this runs again: there is no
                // older value to put back.
                self.put(mark, *at);
                self.put(height, self.stack.len());
            }
            Instruction::Cut {
                height,
                at: mark,
                back,
            } => {
                let height = self.get(height);
                if !self.cut(height) {
                    return Next::Fail;
                }
                if back {
                    *at = self.get(mark);
                }
            }
            Instruction::Undo { height, at: mark } => {
                let height = self.get(height);
                *at = self.get(mark);
                self.undo(height);
            }
            // `step` does the others.
            Instruction::Set(_)
            | Instruction::Run { .. }
            | Instruction::Assert(_)
            | Instruction::Jump(_)
            | Instruction::Split { .. }
            | Instruction::Here(_)
            | Instruction::Close { .. }
            | Instruction::Backreference { .. }
            | Instruction::Back(_)
            | Instruction::Unless { .. }
            | Instruction::Fail
            | Instruction::Match => {}
        }
        Next::Go(next)
    }

    /// Takes a run of bytes of `set`; false when there are fewer than its least.
    fn run_of(
        &mut self,
        set: &ByteSet,
        (min, max): (u32, Option<u32>),
        how: Run,
        pc: Pc,
        at: &mut usize,
    ) -> bool {
        let number = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        let rest = self.hay.get(*at..).unwrap_or_default();
        let wanted = match how {
            Run::Lazy => number(min),
            Run::Greedy | Run::Possessive => max.map_or(usize::MAX, number),
        };
        let taken = rest
            .iter()
            .take(wanted)
            .take_while(|byte| set.contains(**byte))
            .count();
        if taken < number(min) || !self.steps.spend(eighths(taken)) {
            return false;
        }
        let start = *at;
        let least = start.saturating_add(number(min));
        *at = start.saturating_add(taken);
        match how {
            Run::Greedy if *at > least => self.stack.push(Entry::Give { pc, at: *at, least }),
            Run::Lazy => {
                let most = max.map_or(usize::MAX, |max| start.saturating_add(number(max)));
                self.stack.push(Entry::Take { pc, at: *at, most });
            }
            Run::Greedy | Run::Possessive => {}
        }
        true
    }

    fn refers(&mut self, start: Register, end: Register, caseless: bool, at: &mut usize) -> bool {
        let Some(wanted) = self.hay.get(self.get(start)..self.get(end)) else {
            return false;
        };
        let behind = at.saturating_add(wanted.len());
        let Some(there) = self.hay.get(*at..behind) else {
            return false;
        };
        let same = if caseless {
            there.eq_ignore_ascii_case(wanted)
        } else {
            there == wanted
        };
        *at = behind;
        self.steps.spend(eighths(wanted.len())) && same
    }

    fn holds(&self, assertion: Assertion, at: usize) -> bool {
        let end = at == self.hay.len();
        let here = self.hay.get(at).copied();
        let before = at.checked_sub(1).and_then(|before| self.hay.get(before));
        let last_newline = here == Some(b'\n') && at.saturating_add(1) == self.hay.len();
        let word = |byte: Option<u8>| {
            byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let boundary = word(before.copied()) != word(here);
        match assertion {
            Assertion::TextStart => at == 0,
            Assertion::LineStart => at == 0 || before == Some(&b'\n') && !end,
            Assertion::TextEnd => end,
            Assertion::TextEndOrNewline => end || last_newline,
            Assertion::LineEnd => end || here == Some(b'\n'),
            Assertion::Word => boundary,
            Assertion::NotWord => !boundary,
            Assertion::SearchStart => at == self.from,
        }
    }

    /// The next way to try.
    fn backtrack(&mut self) -> Option<(Pc, usize)> {
        while let Some(entry) = self.stack.pop() {
            match entry {
                Entry::Restore { register, value } => self.put(register, value),
                Entry::Choice { pc, at } => return Some((pc, at)),
                Entry::Give { pc, at, least } => {
                    let at = at.saturating_sub(1);
                    if at > least {
                        self.stack.push(Entry::Give { pc, at, least });
                    }
                    return Some((pc, at));
                }
                Entry::Take { pc, at, most } => {
                    if let Some(found) = self.take_one(pc, at, most) {
                        return Some(found);
                    }
                }
            }
        }
        None
    }

    fn take_one(&mut self, pc: Pc, at: usize, most: usize) -> Option<(Pc, usize)> {
        // The run stands before `pc`.
        let run = self.program.code.get(pc.checked_sub(1)?)?;
        let Instruction::Run { set, .. } = run else {
            return None;
        };
        let there = self.hay.get(at).is_some_and(|byte| set.contains(*byte));
        if at >= most || !there {
            return None;
        }
        let at = at.saturating_add(1);
        self.stack.push(Entry::Take { pc, at, most });
        Some((pc, at))
    }

    /// Takes everything above `height` back.
    fn undo(&mut self, height: usize) {
        while self.stack.len() > height {
            if let Some(Entry::Restore { register, value }) = self.stack.pop() {
                self.put(register, value);
            }
        }
    }

    /// Forgets the choices above `height`; older values of registers are still put back later.
    fn cut(&mut self, height: usize) -> bool {
        let above = self.stack.len().saturating_sub(height);
        let mut kept = height;
        for index in height..self.stack.len() {
            if let Some(entry @ Entry::Restore { .. }) = self.stack.get(index).copied() {
                if let Some(place) = self.stack.get_mut(kept) {
                    *place = entry;
                }
                kept = kept.saturating_add(1);
            }
        }
        self.stack.truncate(kept);
        self.steps.spend(eighths(above))
    }

    fn found(&self, start: usize, end: usize) -> Match {
        let kept = self.get(KEEP);
        let group = |(start, end): (Register, Register)| {
            let group = self.get(start)..self.get(end);
            (group.end != UNSET).then_some(group)
        };
        let captured = self.program.captured.iter();
        Match {
            start: if kept == UNSET { start } else { kept },
            end,
            group1: group(GROUP1),
            groups: captured.map(|registers| group(*registers)).collect(),
        }
    }

    fn get(&self, register: Register) -> usize {
        self.registers.get(register).copied().unwrap_or(UNSET)
    }

    /// Sets a register so that backtracking puts its old value back.
    fn set(&mut self, register: Register, value: usize) {
        let old = self.get(register);
        // Whoever backtracks past the last few entries anyway puts an older value back.
        let mut top = self.stack.iter().rev().take(RECENT);
        let again = top
            .by_ref()
            .map_while(|entry| match entry {
                Entry::Restore { register, .. } => Some(*register),
                Entry::Choice { .. } | Entry::Give { .. } | Entry::Take { .. } => None,
            })
            .any(|recent| recent == register);
        if !again {
            self.stack.push(Entry::Restore {
                register,
                value: old,
            });
        }
        self.put(register, value);
    }

    fn put(&mut self, register: Register, value: usize) {
        if let Some(place) = self.registers.get_mut(register) {
            *place = value;
        }
    }
}

/// Steps for work over `count` bytes or entries.
fn eighths(count: usize) -> u64 {
    u64::try_from(count >> 3).unwrap_or(u64::MAX)
}
