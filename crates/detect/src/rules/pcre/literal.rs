//! What every match holds, for a prefilter.

use super::ast::Node;

/// Bytes that every match of a pattern holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// The bytes; in lower case where `caseless`.
    pub bytes: Vec<u8>,
    /// ASCII letters match in either case.
    pub caseless: bool,
}

impl Literal {
    /// Whether it stands anywhere in `hay`.
    pub fn is_in(&self, hay: &[u8]) -> bool {
        if !self.caseless {
            return memchr::memmem::find(hay, &self.bytes).is_some();
        }
        hay.windows(self.bytes.len().max(1))
            .any(|window| window.eq_ignore_ascii_case(&self.bytes))
    }
}

/// The longest literal that every match holds, as far as the tree tells.
pub(super) fn required(node: &Node) -> Option<Literal> {
    let mut runs = Runs::default();
    runs.walk(node);
    runs.end();
    runs.best
}

#[derive(Default)]
struct Runs {
    /// The bytes that stand one behind the other up to here, and whether any of them has two cases.
    run: Vec<u8>,
    caseless: bool,
    best: Option<Literal>,
}

impl Runs {
    fn walk(&mut self, node: &Node) {
        match node {
            Node::Set(set) => match set.letter() {
                Some((byte, caseless)) => {
                    self.run.push(byte);
                    self.caseless |= caseless;
                }
                None => self.end(),
            },
            Node::Concat(nodes) => nodes.iter().for_each(|node| self.walk(node)),
            Node::Group { node, .. } | Node::Atomic(node) => self.walk(node),
            // They take nothing, so what stands on their two sides is adjacent.
            Node::Empty | Node::Assert(_) | Node::Keep | Node::Look { .. } => {}
            Node::Repeat { node, min, max, .. } if *min > 0 => {
                // The first iteration follows what was before it.
                self.walk(node);
                if *max != Some(1) {
                    self.end();
                }
            }
            Node::Repeat { .. }
            | Node::Alternate(_)
            | Node::Backreference { .. }
            | Node::Conditional { .. } => self.end(),
        }
    }

    fn end(&mut self) {
        let mut bytes = std::mem::take(&mut self.run);
        let caseless = std::mem::take(&mut self.caseless);
        if bytes.len() > self.best.as_ref().map_or(0, |best| best.bytes.len()) {
            if caseless {
                bytes.make_ascii_lowercase();
            }
            self.best = Some(Literal { bytes, caseless });
        }
    }
}
