//! One pass over a buffer: where the filter hits, the patterns that own such a gram.

use super::filter::{BITS_EACH, BITS_EACH_SPARSE, Filter};
use super::gram::{GRAM, hash};
use super::rarity::Rarity;
use super::seen::Seen;
use super::set::{Members, Unique, usize_of};
use super::tree::{Item, NONE, Node, Tree};

/// The patterns of a set whose grams have the same length and are looked for at the same places.
#[derive(Debug)]
pub(super) struct Grams {
    /// Bytes of a gram: 1 to [`GRAM`].
    width: usize,
    /// They are looked for at each position, or at each of so many.
    stride: Stride,
    filter: Filter,
    /// Hash of a gram to the node of the tree where its patterns begin.
    slots: Vec<u32>,
    slot_shift: u32,
    tree: Tree,
    /// Most bytes from the start of a gram to the end of its pattern.
    reach: usize,
    /// How many patterns there are.
    patterns: usize,
}

/// Where grams are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stride {
    /// At each position.
    One,
    /// At each [`GRAM`]th position: a pattern of at least [`SPARSE_LEN_MIN`] bytes has a gram at one
    /// of them wherever it stands, if it is known by one for each remainder.
    Gram,
}

/// Bytes of the shortest pattern that has a gram at each remainder.
pub(super) const SPARSE_LEN_MIN: usize = GRAM + GRAM - 1;

impl Grams {
    /// Adds patterns to `members`, in the order in which this pass meets them; none if there are
    /// no patterns. All have `width` bytes, or at least as many where that is [`GRAM`].
    pub(super) fn build(
        (width, stride): (usize, Stride),
        of: &[&Unique],
        members: &mut Members,
    ) -> Option<Self> {
        if of.is_empty() {
            return None;
        }
        let rarity = match width {
            GRAM => Rarity::of(of.iter().map(|unique| unique.bytes.as_slice())),
            _ => Rarity::default(),
        };
        let mut items = Vec::new();
        for unique in of {
            let pattern = members.store(unique);
            let offsets = match stride {
                Stride::One => vec![rarity.rarest(&unique.bytes, 0, 1)],
                Stride::Gram => (0..GRAM)
                    .map(|remainder| rarity.rarest(&unique.bytes, remainder, GRAM))
                    .collect(),
            };
            let offsets = offsets.into_iter();
            items.extend(offsets.map(|offset| Item::new(unique, pattern, offset, width)));
        }
        items.sort_by_key(|item| item.gram);
        let grams = items.iter().map(|item| item.gram).collect::<Vec<_>>();
        let filter = Filter::new(
            &grams,
            match stride {
                Stride::One => BITS_EACH,
                Stride::Gram => BITS_EACH_SPARSE,
            },
        );
        let slots_log2 = items.len().saturating_mul(2).next_power_of_two().ilog2();
        let slot_shift = 32_u32.saturating_sub(slots_log2);
        let mut slots = vec![NONE; 1_usize.wrapping_shl(slots_log2)];
        let mut tree = Tree::new(width);
        let slot_of = |item: &Item<'_>| hash(item.gram).wrapping_shr(slot_shift);
        items.sort_by_key(slot_of);
        for group in items.chunk_by(|a, b| slot_of(a) == slot_of(b)) {
            let root = tree.grow(group.to_vec(), members);
            let slot = group.first().map(slot_of);
            if let Some(slot) = slot.and_then(|slot| slots.get_mut(usize_of(slot))) {
                *slot = root;
            }
        }
        tree.shrink();
        let reach = items.iter().map(Item::reach).max().unwrap_or(0);
        Some(Self {
            width,
            stride,
            filter,
            slots,
            slot_shift,
            tree,
            reach,
            patterns: of.len(),
        })
    }

    /// Tells what ends behind `from`.
    pub(super) fn scan(
        &self,
        members: &Members,
        hay: &[u8],
        from: usize,
        seen: &mut Seen,
        found: &mut dyn FnMut(u32),
    ) {
        let mut pass = Pass {
            grams: self,
            members,
            hay,
            from,
            seen,
            found,
            left: self.patterns,
        };
        match (self.width, self.stride) {
            (1, _) => pass.run::<1>(),
            (2, _) => pass.run::<2>(),
            (3, _) => pass.run::<3>(),
            (_, Stride::One) => pass.run::<GRAM>(),
            (_, Stride::Gram) => pass.run_sparse(),
        }
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        let slots = self.slots.capacity().saturating_mul(size_of::<u32>());
        slots
            .saturating_add(self.filter.bytes())
            .saturating_add(self.tree.bytes())
    }

    /// The node where the patterns that may have this gram begin.
    fn root(&self, gram: u32) -> u32 {
        let slot = hash(gram).wrapping_shr(self.slot_shift);
        self.slots.get(usize_of(slot)).copied().unwrap_or(NONE)
    }
}

/// A scan in progress.
struct Pass<'a, 'f> {
    grams: &'a Grams,
    members: &'a Members,
    hay: &'a [u8],
    from: usize,
    seen: &'a mut Seen,
    found: &'a mut (dyn FnMut(u32) + 'f),
    /// Patterns that were not told yet.
    left: usize,
}

impl Pass<'_, '_> {
    fn run<const N: usize>(&mut self) {
        let start = self.start();
        let hay = self.hay.get(start..).unwrap_or_default();
        self.grams.filter.scan::<N>(hay, &mut |at, gram| {
            self.hit(start.saturating_add(at), gram);
            self.left > 0
        });
    }

    fn run_sparse(&mut self) {
        let start = self.start();
        let hay = self.hay.get(start..).unwrap_or_default();
        self.grams.filter.scan_sparse(hay, &mut |at, gram| {
            self.hit(start.saturating_add(at), gram);
            self.left > 0
        });
    }

    /// A pattern that ends behind `from` has its gram here or later.
    fn start(&self) -> usize {
        self.from.saturating_add(1).saturating_sub(self.grams.reach)
    }

    /// Looks at the patterns that may own the gram at an offset.
    #[inline]
    fn hit(&mut self, at: usize, gram: u32) {
        #[cfg(test)]
        self.seen.step(1);
        let root = self.grams.tree.node(self.grams.root(gram));
        // In many buffers most hits are of what was told: runs of a byte, words in every line.
        if let Some(root) = root.filter(|root| self.seen.untold(root.first) < root.last) {
            self.visit(root, at, gram);
        }
    }

    #[inline(never)]
    fn visit(&mut self, root: &Node, at: usize, gram: u32) {
        let tree = &self.grams.tree;
        let mut next = Some(root);
        while let Some(node) = next {
            #[cfg(test)]
            self.seen.step(1);
            let mut member = self.seen.untold(node.first);
            if member < node.last && tree.leave(node, self.hay, at, &mut self.seen.pending) {
                while member < node.last {
                    self.judge(member, at, gram);
                    member = self.seen.untold(member.saturating_add(1));
                }
            }
            next = self.seen.pending.pop().and_then(|node| tree.node(node));
        }
    }

    /// Compares a pattern.
    fn judge(&mut self, number: u32, at: usize, gram: u32) {
        #[cfg(test)]
        self.seen.step(1);
        let Some(member) = self
            .members
            .get(number)
            .filter(|member| member.gram == gram)
        else {
            return;
        };
        let pattern = member.pattern;
        if self.seen.is_told(pattern) {
            self.seen.tell(number);
            return;
        }
        #[cfg(test)]
        self.seen.step(self.members.len_of(member) / 32);
        if !self.members.stands(member, self.hay, at, self.from) {
            return;
        }
        self.seen.tell(number);
        self.seen.tell_pattern(pattern);
        self.left = self.left.saturating_sub(1);
        for id in self.members.ids(pattern) {
            (self.found)(*id);
        }
    }
}
