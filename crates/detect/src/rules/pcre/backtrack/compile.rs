//! From the tree to instructions.

use super::{FREE, GROUP1, Instruction, Pc, Register, Run};
use crate::rules::pcre::{
    GROUPS_MAX,
    ast::{Condition, Mode, Node},
    bytes::ByteSet,
};

/// Instructions and the number of their registers. A repeat is a loop however often it repeats, so
/// that the code is not much longer than the pattern.
pub(super) struct Compiled {
    pub(super) code: Vec<Instruction>,
    pub(super) registers: usize,
    /// Registers of the groups that are told, from the first on.
    pub(super) captured: Vec<(Register, Register)>,
}

/// Compiles a pattern of which so many groups are told.
pub(super) fn compile(node: &Node, captured: u32) -> Compiled {
    let mut compiler = Compiler {
        code: Vec::new(),
        registers: FREE,
        groups: vec![None; usize::try_from(GROUPS_MAX).unwrap_or(0).saturating_add(1)],
    };
    if let Some(first) = compiler.groups.get_mut(1) {
        *first = Some(GROUP1);
    }
    let captured = 1..=captured.min(GROUPS_MAX);
    captured.clone().for_each(|group| compiler.refer(group));
    compiler.find_references(node);
    compiler.node(node);
    compiler.code.push(Instruction::Match);
    Compiled {
        captured: captured
            .map(|group| compiler.group_registers(group))
            .collect(),
        code: compiler.code,
        registers: compiler.registers,
    }
}

struct Compiler {
    code: Vec<Instruction>,
    registers: usize,
    /// Registers of the groups that something refers to, and of the first one.
    groups: Vec<Option<(Register, Register)>>,
}

impl Compiler {
    fn node(&mut self, node: &Node) {
        match node {
            Node::Empty => {}
            Node::Set(set) => self.push(Instruction::Set(*set)),
            Node::Concat(nodes) => nodes.iter().for_each(|node| self.node(node)),
            Node::Alternate(nodes) => self.alternate(nodes, |compiler, node| compiler.node(node)),
            Node::Repeat {
                node,
                min,
                max,
                mode,
            } => self.repeat(node, *min, *max, *mode),
            Node::Group { index, node } => self.group(*index, node),
            Node::Atomic(node) => self.atomic(|compiler| compiler.node(node)),
            Node::Look {
                behind,
                negative,
                node,
            } => self.look(node, *behind, *negative),
            Node::Assert(assertion) => self.push(Instruction::Assert(*assertion)),
            Node::Backreference { group, caseless } => {
                let (start, end) = self.group_registers(*group);
                self.push(Instruction::Backreference {
                    start,
                    end,
                    caseless: *caseless,
                });
            }
            Node::Conditional { condition, yes, no } => self.conditional(condition, yes, no),
            Node::Keep => self.push(Instruction::Here(super::KEEP)),
        }
    }

    fn alternate(&mut self, nodes: &[Node], emit: impl Fn(&mut Self, &Node)) {
        let mut ends = Vec::new();
        let last = nodes.len().saturating_sub(1);
        for (index, node) in nodes.iter().enumerate() {
            if index == last {
                emit(self, node);
                break;
            }
            let split = self.hole();
            emit(self, node);
            ends.push(self.hole());
            let second = self.here();
            self.fill(
                split,
                Instruction::Split {
                    first: split.saturating_add(1),
                    second,
                },
            );
        }
        let end = self.here();
        for hole in ends {
            self.fill(hole, Instruction::Jump(end));
        }
    }

    fn repeat(&mut self, node: &Node, min: u32, max: Option<u32>, mode: Mode) {
        if max == Some(0) {
            return;
        }
        if let Node::Set(set) = node {
            return self.run(*set, min, max, mode);
        }
        if mode == Mode::Possessive {
            return self.atomic(|compiler| compiler.repeat(node, min, max, Mode::Greedy));
        }
        let greedy = mode == Mode::Greedy;
        if (min, max) == (0, Some(1)) {
            let split = self.hole();
            self.node(node);
            let (inside, behind) = (split.saturating_add(1), self.here());
            let (first, second) = if greedy {
                (inside, behind)
            } else {
                (behind, inside)
            };
            return self.fill(split, Instruction::Split { first, second });
        }
        if max.is_none() && min < 2 && node.width().min > 0 {
            return self.plain_loop(node, min == 0, greedy);
        }
        let (count, last) = (self.register(), self.register());
        self.push(Instruction::Enter { count, last });
        let head = self.hole();
        self.push(Instruction::Again { count, last });
        self.node(node);
        self.push(Instruction::Jump(head));
        let number = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        let exit = self.here();
        self.fill(
            head,
            Instruction::Loop {
                count,
                last,
                min: number(min),
                max: max.map(number),
                greedy,
                exit,
            },
        );
    }

    /// `*` or `+` over something that takes a byte at least: neither a count nor a check for
    /// iterations that take nothing is needed, so that each costs one entry of the stack.
    fn plain_loop(&mut self, node: &Node, may_skip: bool, greedy: bool) {
        let order = |inside: Pc, behind: Pc| match greedy {
            true => (inside, behind),
            false => (behind, inside),
        };
        let head = self.here();
        if may_skip {
            let split = self.hole();
            self.node(node);
            self.push(Instruction::Jump(head));
            let (first, second) = order(split.saturating_add(1), self.here());
            self.fill(split, Instruction::Split { first, second });
        } else {
            self.node(node);
            let (first, second) = order(head, self.here().saturating_add(1));
            self.push(Instruction::Split { first, second });
        }
    }

    fn run(&mut self, set: ByteSet, min: u32, max: Option<u32>, mode: Mode) {
        let how = match mode {
            Mode::Greedy => Run::Greedy,
            Mode::Lazy => Run::Lazy,
            Mode::Possessive => Run::Possessive,
        };
        self.push(Instruction::Run { set, min, max, how });
    }

    fn group(&mut self, index: u32, node: &Node) {
        let known = usize::try_from(index)
            .ok()
            .and_then(|index| self.groups.get(index));
        let Some((start, end)) = known.copied().flatten() else {
            return self.node(node);
        };
        let open = self.register();
        self.push(Instruction::Here(open));
        self.node(node);
        self.push(Instruction::Close { open, start, end });
    }

    fn atomic(&mut self, inside: impl FnOnce(&mut Self)) {
        let (height, at) = (self.register(), self.register());
        self.push(Instruction::Mark { height, at });
        inside(self);
        self.push(Instruction::Cut {
            height,
            at,
            back: false,
        });
    }

    fn look(&mut self, node: &Node, behind: bool, negative: bool) {
        let (height, at) = (self.register(), self.register());
        self.push(Instruction::Mark { height, at });
        if !negative {
            self.look_body(node, behind);
            return self.push(Instruction::Cut {
                height,
                at,
                back: true,
            });
        }
        let split = self.hole();
        self.look_body(node, behind);
        self.push(Instruction::Undo { height, at });
        self.push(Instruction::Fail);
        let second = self.here();
        self.fill(
            split,
            Instruction::Split {
                first: split.saturating_add(1),
                second,
            },
        );
    }

    /// Each alternative of a look-behind steps back by its own width.
    fn look_body(&mut self, node: &Node, behind: bool) {
        if !behind {
            return self.node(node);
        }
        let back = |compiler: &mut Self, node: &Node| {
            compiler.push(Instruction::Back(node.width().min));
            compiler.node(node);
        };
        if let Node::Alternate(nodes) = node {
            self.alternate(nodes, back);
        } else {
            back(self, node);
        }
    }

    fn conditional(&mut self, condition: &Condition, yes: &Node, no: &Node) {
        let look = match condition {
            Condition::Group(group) => {
                let (_, end) = self.group_registers(*group);
                let hole = self.hole();
                let to = self.two_ways(yes, no);
                return self.fill(hole, Instruction::Unless { end, to });
            }
            Condition::Look(look) => look,
        };
        let Node::Look {
            behind,
            negative,
            node,
        } = &**look
        else {
            return self.node(no);
        };
        let (behind, negative) = (*behind, *negative);
        let (height, at) = (self.register(), self.register());
        self.push(Instruction::Mark { height, at });
        let split = self.hole();
        self.look_body(node, behind);
        let (held, not_held) = if negative { (no, yes) } else { (yes, no) };
        // Whichever way it went, the other one is not tried later.
        self.push(if negative {
            Instruction::Undo { height, at }
        } else {
            Instruction::Cut {
                height,
                at,
                back: true,
            }
        });
        let second = self.two_ways(held, not_held);
        self.fill(
            split,
            Instruction::Split {
                first: split.saturating_add(1),
                second,
            },
        );
    }

    /// One node, a jump over the other, and the other; tells where the other starts.
    fn two_ways(&mut self, one: &Node, other: &Node) -> Pc {
        self.node(one);
        let jump = self.hole();
        let start = self.here();
        self.node(other);
        let end = self.here();
        self.fill(jump, Instruction::Jump(end));
        start
    }

    fn find_references(&mut self, node: &Node) {
        match node {
            Node::Backreference { group, .. } => {
                self.refer(*group);
            }
            Node::Conditional { condition, yes, no } => {
                match condition {
                    Condition::Group(group) => self.refer(*group),
                    Condition::Look(look) => self.find_references(look),
                }
                self.find_references(yes);
                self.find_references(no);
            }
            Node::Concat(nodes) | Node::Alternate(nodes) => {
                nodes.iter().for_each(|node| self.find_references(node));
            }
            Node::Repeat { node, .. }
            | Node::Group { node, .. }
            | Node::Atomic(node)
            | Node::Look { node, .. } => self.find_references(node),
            Node::Empty | Node::Set(_) | Node::Assert(_) | Node::Keep => {}
        }
    }

    fn refer(&mut self, group: u32) {
        let registers = (self.registers, self.registers.saturating_add(1));
        let slot = usize::try_from(group)
            .ok()
            .and_then(|index| self.groups.get_mut(index));
        if let Some(slot @ None) = slot {
            *slot = Some(registers);
            self.registers = registers.1.saturating_add(1);
        }
    }

    /// The parser holds that every group referred to exists.
    fn group_registers(&self, group: u32) -> (Register, Register) {
        let known = usize::try_from(group)
            .ok()
            .and_then(|index| self.groups.get(index));
        known.copied().flatten().unwrap_or(GROUP1)
    }

    fn register(&mut self) -> Register {
        let register = self.registers;
        self.registers = register.saturating_add(1);
        register
    }

    fn here(&self) -> Pc {
        self.code.len()
    }

    fn push(&mut self, instruction: Instruction) {
        self.code.push(instruction);
    }

    /// Room for an instruction whose targets are not known yet.
    fn hole(&mut self) -> Pc {
        self.code.push(Instruction::Fail);
        self.code.len().saturating_sub(1)
    }

    fn fill(&mut self, hole: Pc, instruction: Instruction) {
        if let Some(place) = self.code.get_mut(hole) {
            *place = instruction;
        }
    }
}
