//! Patterns from a grammar, and texts that a pattern matches or nearly does.

use proptest::prelude::*;

use crate::rules::pcre::{ast::Node, bytes::ByteSet};

/// A pattern from a grammar that reaches every construct, over few letters.
pub(super) fn pattern() -> impl Strategy<Value = String> {
    let select = |items: &[&'static str]| prop::sample::select(items.to_vec());
    let leaf = prop_oneof![
        6 => select(&["a", "b", "c", "A", "ab", r"\n"]),
        4 => select(&[
            ".", "[ab]", "[^a]", r"\w", r"\W", r"\s", r"\d", "[a-c]", r"[^\n]", r"\N", r"\x61",
            "[[:alpha:]]", r"\S", r"\h", r"\R", r"\v", "[B-c]", r"[\w-]", r"\Qa.\E",
        ]),
        2 => select(&["^", "$", r"\b", r"\B", r"\A", r"\z", r"\Z", r"\G", ""]),
        1 => select(&[
            r"\1", r"\2", r"\K", "(?i)", "(?s)", "(?m)", "(?-i)", "(?#x)", "(*F)", r"\g{-1}",
        ]),
    ]
    .prop_map(str::to_owned);
    leaf.prop_recursive(5, 24, 4, move |inner| {
        let quantifier = select(&[
            "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,2}?", "{1,}", "{2,}?", "*+", "++",
            "?+", "{1,2}+", "{0}", "{3,}", "{,2}", "{1",
        ]);
        let repeated = prop_oneof![
            inner.clone().prop_map(|node| format!("(?:{node})")),
            inner.clone().prop_map(|node| format!("({node})")),
            select(&["a", "b", ".", "[ab]", r"\w", "[^b]", "(?=a)"]).prop_map(str::to_owned),
        ];
        let behind = select(&[
            "a", "ab", "a|bc", r"\n", "^", ".", "[ab]{2}", r"\b", "(?=a)b", "(?<!a)b|",
        ]);
        let condition = select(&["1", "2", "?=a", "?!b", "?<=a", "?<!b", "-1"]);
        let several = |least| prop::collection::vec(inner.clone(), least..4);
        prop_oneof![
            6 => several(1).prop_map(|nodes| nodes.concat()),
            4 => (repeated, quantifier).prop_map(|(node, quantifier)| node + quantifier),
            3 => several(2).prop_map(|nodes| format!("(?:{})", nodes.join("|"))),
            2 => inner.clone().prop_map(|node| format!("({node})")),
            1 => several(1).prop_map(|nodes| format!("(?|({}))", nodes.join(")|("))),
            1 => inner.clone().prop_map(|node| format!("(?>{node})")),
            1 => inner.clone().prop_map(|node| format!("(?={node})")),
            1 => inner.clone().prop_map(|node| format!("(?!{node})")),
            1 => behind.clone().prop_map(|node| format!("(?<={node})")),
            1 => behind.prop_map(|node| format!("(?<!{node})")),
            1 => (condition, inner.clone(), inner)
                .prop_map(|(condition, yes, no)| format!("(?({condition})(?:{yes})|(?:{no}))")),
        ]
    })
}

/// Pieces of patterns without any order.
pub(super) fn soup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "b",
        "-",
        "0",
        "1",
        "9",
        "77",
        ",",
        ":",
        "=",
        "!",
        "<",
        ">",
        "'",
        "x",
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        "|",
        "?",
        "*",
        "+",
        "^",
        "$",
        ".",
        r"\",
        r"\x",
        r"\Q",
        r"\E",
        "#",
        " ",
        "(?",
        "(?:",
        "(?=",
        "(?<=",
        "(?P<n>",
        "(?P=n)",
        r"\k<n>",
        r"\g",
        r"\1",
        r"\8",
        "[[:",
        ":]]",
        "[:alpha:]",
        "(?i",
        "(?x)",
        "(?-",
        "(?(",
        r"\w",
        r"\b",
        r"\c",
        "{2}",
        "{1,3}",
        "{3,1}",
        "{2,",
        "(?|",
        "[^",
        r"\o{",
        r"\d",
        "(?#",
        "(?^",
        "(?n)",
        "\u{e9}",
    ]);
    prop::collection::vec(piece, 1..10).prop_map(|pieces| pieces.concat())
}

/// A small generator of numbers, so that a text is a function of its seed.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(mixed)
            .unwrap()
            .checked_rem(bound)
            .unwrap_or(0)
    }
}

/// A text that `node` tends to match, sometimes damaged and with something around it.
pub(super) fn text(node: &Node, dice: &mut Dice) -> Vec<u8> {
    let mut text = Vec::new();
    noise(dice, &mut text);
    let mut groups = Vec::new();
    write(node, dice, &mut groups, &mut text);
    noise(dice, &mut text);
    if dice.below(6) == 0 {
        text.push(b'\n');
    }
    for _ in 0..dice.below(3) {
        let at = dice.below(text.len());
        match dice.below(3) {
            _ if text.is_empty() => {}
            0 => text[at] = [b'a', b'\n', b'/', 0xff, b' '][dice.below(5)],
            1 => drop(text.remove(at)),
            _ => text.insert(at, text[at]),
        }
    }
    text
}

fn noise(dice: &mut Dice, text: &mut Vec<u8>) {
    if dice.below(2) == 0 {
        for _ in 0..dice.below(6) {
            text.push(b"aB1 \n=/\r\x00"[dice.below(9)]);
        }
    }
}

fn write(node: &Node, dice: &mut Dice, groups: &mut Vec<(u32, Vec<u8>)>, text: &mut Vec<u8>) {
    /// Where a text is long enough.
    const TEXT_MAX: usize = 6_000;
    match node {
        Node::Set(set) => text.extend(one_of(set, dice)),
        Node::Concat(nodes) => nodes
            .iter()
            .for_each(|node| write(node, dice, groups, text)),
        Node::Alternate(nodes) => write(&nodes[dice.below(nodes.len())], dice, groups, text),
        Node::Repeat { node, min, max, .. } => {
            let more = u32::try_from(dice.below(4)).unwrap();
            let count = min.saturating_add(more).min(max.unwrap_or(u32::MAX));
            for _ in 0..count {
                if text.len() < TEXT_MAX {
                    write(node, dice, groups, text);
                }
            }
        }
        Node::Group { index, node } => {
            let start = text.len();
            write(node, dice, groups, text);
            groups.push((*index, text[start..].to_vec()));
        }
        Node::Atomic(node) => write(node, dice, groups, text),
        // What is wanted behind a place may as well stand there.
        Node::Look {
            behind: false,
            negative,
            node,
        } if *negative != (dice.below(4) > 0) => write(node, dice, groups, text),
        Node::Backreference { group, .. } => {
            if let Some((_, taken)) = groups.iter().rev().find(|(index, _)| index == group) {
                text.extend(taken);
            }
        }
        Node::Conditional { yes, no, .. } => {
            let way = if dice.below(2) == 0 { yes } else { no };
            write(way, dice, groups, text);
        }
        Node::Empty | Node::Look { .. } | Node::Assert(_) | Node::Keep => {}
    }
}

fn one_of(set: &ByteSet, dice: &mut Dice) -> Option<u8> {
    let readable: Vec<u8> = set.iter().filter(u8::is_ascii_alphanumeric).collect();
    let all: Vec<u8> = set.iter().collect();
    let from = if readable.is_empty() || dice.below(4) == 0 {
        &all
    } else {
        &readable
    };
    from.get(dice.below(from.len())).copied()
}
