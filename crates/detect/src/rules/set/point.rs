//! The rules of one place, by the literals that lead to them.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::literal::{Literals, Pattern, Seen};
use super::super::rule::{Asked, Fast, Inspection, Rule};
use super::super::scene::Buffer;
use super::super::transform::Transform;
use super::origin::ByAddress;

/// The rules of one place.
#[derive(Debug, Default)]
pub(crate) struct Point {
    pub(crate) lists: Vec<List>,
    /// Those that no literal leads to.
    pub(crate) always: Vec<u32>,
    /// Those that ask of nothing but the ends: they are looked at with the first packet of a
    /// direction alone. Lists of addresses make thousands of them.
    pub(crate) of_ends: ByAddress,
}

/// The literals that lead to rules from one buffer.
#[derive(Debug)]
pub(crate) struct List {
    /// The buffer; none for payload.
    pub(crate) buffer: Option<&'static Buffer>,
    pub(crate) transforms: Vec<Transform>,
    groups: Vec<Group>,
}

/// Literals that are looked for in the same part of a buffer.
#[derive(Debug)]
struct Group {
    /// They stand in so many first bytes; none for anywhere.
    within: Option<usize>,
    literals: Literals,
    /// The rules of each literal.
    rules: Vec<Vec<u32>>,
}

/// Literals that stand in so many first bytes of a buffer are not looked for behind them.
const NEAR: usize = 256;

impl List {
    /// Calls `found` with each rule whose literal ends in `value` behind the first `from` bytes.
    pub(crate) fn scan(
        &self,
        value: &[u8],
        from: usize,
        seen: &mut Seen,
        found: &mut dyn FnMut(u32),
    ) {
        for group in &self.groups {
            let within = group.within.and_then(|within| value.get(..within));
            let part = within.unwrap_or(value);
            group.literals.scan(part, from, seen, &mut |literal| {
                let literal = usize::try_from(literal).unwrap_or(usize::MAX);
                let rules = group.rules.get(literal).into_iter().flatten();
                rules.for_each(|rule| found(*rule));
            });
        }
    }
}

impl Point {
    /// Whether there are no rules.
    pub(crate) fn is_empty(&self) -> bool {
        self.lists.is_empty() && self.always.is_empty() && self.of_ends.is_empty()
    }
}

/// A point in the making.
#[derive(Default)]
pub(super) struct Gathering {
    lists: Vec<GatheredList>,
    always: Vec<u32>,
    of_ends: ByAddress,
}

struct GatheredList {
    buffer: Option<&'static Buffer>,
    transforms: Vec<Transform>,
    /// Those that stand near the start, and the others.
    literals: [HashMap<(Arc<[u8]>, bool), Vec<u32>>; 2],
    /// In how many first bytes those near the start are.
    within: usize,
}

impl GatheredList {
    fn is_of(&self, inspection: &Inspection) -> bool {
        let same = match (self.buffer, inspection.buffer) {
            (None, None) => true,
            (Some(one), Some(other)) => std::ptr::eq(one, other),
            (None, Some(_)) | (Some(_), None) => false,
        };
        same && self.transforms == inspection.transforms
    }
}

impl Gathering {
    /// Adds a rule of which `here` says what of it is looked at at this point.
    pub(super) fn add(&mut self, number: u32, rule: &Rule, here: impl Fn(&Inspection) -> bool) {
        let of = |fast: &'_ Fast| rule.inspections.get(fast.inspection).filter(|of| here(of));
        let led = rule.fast.iter().find_map(|fast| Some((fast, of(fast)?)));
        let Some((fast, inspection)) = led else {
            match rule.asked {
                Asked::Ends => self.of_ends.add(number, &rule.header),
                Asked::Damage | Asked::Packets | Asked::Protocol => self.always.push(number),
            }
            return;
        };
        let known = self.lists.iter().position(|list| list.is_of(inspection));
        let at = known.unwrap_or_else(|| {
            self.lists.push(GatheredList {
                buffer: inspection.buffer,
                transforms: inspection.transforms.clone(),
                literals: Default::default(),
                within: 0,
            });
            self.lists.len().saturating_sub(1)
        });
        if let Some(list) = self.lists.get_mut(at) {
            let key = (Arc::clone(&fast.bytes), fast.nocase);
            let [near, others] = &mut list.literals;
            let literals = match fast.within.filter(|within| *within <= NEAR) {
                Some(within) => {
                    list.within = list.within.max(within);
                    near
                }
                None => others,
            };
            literals.entry(key).or_default().push(number);
        }
    }

    pub(super) fn finish(self) -> Point {
        let lists = self.lists.into_iter().map(|list| {
            let groups = [Some(list.within), None].into_iter().zip(list.literals);
            let groups = groups.filter(|(_, literals)| !literals.is_empty());
            List {
                buffer: list.buffer,
                transforms: list.transforms,
                groups: groups.map(Group::of).collect(),
            }
        });
        Point {
            lists: lists.collect(),
            always: self.always,
            of_ends: self.of_ends,
        }
    }
}

impl Group {
    fn of((within, literals): (Option<usize>, HashMap<(Arc<[u8]>, bool), Vec<u32>>)) -> Self {
        let (keys, rules): (Vec<_>, Vec<_>) = literals.into_iter().unzip();
        let patterns = keys.iter().map(|(bytes, nocase)| Pattern {
            bytes,
            nocase: *nocase,
        });
        Self {
            within,
            literals: Literals::build(&patterns.collect::<Vec<_>>()),
            rules,
        }
    }
}
