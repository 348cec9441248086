//! Which rules may match: those that no literal leads to, and those whose literal is there; of them,
//! those whose header and side fit.

use packet::AppProto;

use super::super::literal::Seen;
use super::super::scene::Scene;
use super::super::set::{List, Passed, Points, RuleSet};

/// Finds rules that may match, with what it remembers for it.
#[derive(Debug, Default)]
pub(super) struct Finder {
    seen: Seen,
    passed: Passed,
    /// Counts the searches.
    round: u32,
    /// By rule, in which search it came up last.
    marks: Vec<u32>,
    /// Room for what is found.
    room: Vec<u32>,
}

/// Where rules are looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Search<'s> {
    pub(super) rules: &'s RuleSet,
    pub(super) points: Points<'s>,
    pub(super) scene: &'s Scene<'s>,
    /// The protocol that is looked at.
    pub(super) app: Option<AppProto>,
    /// What ends at or before this place of a value was looked at before.
    pub(super) from: usize,
    /// Rules that ask of nothing but the ends come up too.
    pub(super) with_ends: bool,
}

impl Finder {
    /// The rules, each once, in no order. `values` yields the values of a list. Give them back with
    /// [`Self::reuse`].
    pub(super) fn find(
        &mut self,
        search: &Search<'_>,
        mut values: impl FnMut(&List, &mut dyn FnMut(&[u8])),
    ) -> Vec<u32> {
        let Search { rules, points, .. } = *search;
        self.begin(rules.numbers());
        let mut found = std::mem::take(&mut self.room);
        let Self {
            seen,
            passed,
            round,
            marks,
            ..
        } = self;
        let mut here = passed.at(&rules.gates, search.scene, search.app);
        // each stands there once, and no literal leads to it
        for (gate, rules) in points.iter().flatten().flat_map(|point| &point.always) {
            if here.opens(*gate) {
                found.extend(rules);
            }
        }
        let led = found.len();
        let mut add = |number: u32| {
            let mark = usize::try_from(number)
                .ok()
                .and_then(|at| marks.get_mut(at));
            if let Some(mark) = mark.filter(|mark| **mark != *round) {
                *mark = *round;
                found.push(number);
            }
        };
        let tuple = search.scene.tuple.as_ref();
        let addresses = tuple.map(|tuple| (tuple.src, tuple.dst));
        let ports = tuple.filter(|_| search.scene.has_ports());
        let ports = ports.map(|tuple| [tuple.src_port, tuple.dst_port]);
        let of = (search.app, ports);
        for point in points.into_iter().flatten() {
            if search.with_ends {
                point.of_ends.find(addresses, &mut add);
            }
            for list in &point.lists {
                // payload stands there; what is put together may not be worth it
                if list.is_payload() || list.is_open(&mut here, of) {
                    values(list, &mut |value| {
                        list.scan((value, search.from), of, &mut here, seen, &mut add);
                    });
                }
            }
        }
        let is_out = |number: &mut u32| !here.fits(*number);
        found.extract_if(led.., is_out).for_each(drop);
        found
    }

    /// Whether header and side of a rule fit.
    pub(super) fn fits(&mut self, rules: &RuleSet, number: u32, scene: &Scene<'_>) -> bool {
        self.passed
            .at(&rules.gates, scene, scene.app())
            .fits(number)
    }

    /// Takes back the room for what was found.
    pub(super) fn reuse(&mut self, mut room: Vec<u32>) {
        room.clear();
        self.room = room;
    }

    /// The rules have other numbers.
    pub(super) fn clear(&mut self) {
        self.passed.clear();
        self.marks.clear();
    }

    fn begin(&mut self, rules: usize) {
        self.round = self.round.wrapping_add(1);
        if self.round == 0 || self.marks.len() < rules {
            self.marks.clear();
            self.marks.resize(rules, 0);
            self.round = 1;
        }
    }
}
