//! Whether sightings can be handed out so that a plan is fulfilled.
//!
//! A plan becomes needs (so many sightings of these observations) and rules on the times of what
//! they get. Whether the needs can be met at once is a flow through a network, found step by step
//! (Ford and Fulkerson). A rule that the flow breaks is turned into a bound on times, one for each
//! moment where it can lie, and the rest is tried again under it. Both are exact: a match is found
//! if there is one, unless the steps run out.

mod flow;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::observed::Sighting;
use super::plan::Plan;
use super::{MatchError, Steps};
use crate::pattern::literal::Moment;
use flow::{Given, shift, way};

/// Most needs that one plan may come to.
const NEEDS_MAX: usize = 1024;

/// Whether a plan can be fulfilled; `fitting` has the observations for each of its conditions.
pub(super) fn find(
    plan: &Plan,
    fitting: &[Vec<usize>],
    sightings: &[Sighting],
    steps: &mut Steps,
) -> Result<bool, MatchError> {
    let mut choices = Choices::default();
    loop {
        let mut problem = Problem {
            fitting,
            sightings,
            needs: Vec::new(),
            rules: Vec::new(),
        };
        choices.next = 0;
        problem.add(plan, &Context::default(), &mut choices, steps)?;
        if problem.solve(steps)? {
            return Ok(true);
        }
        if !choices.advance() {
            return Ok(false);
        }
    }
}

/// Which part of each `OR` of several observations is tried.
#[derive(Debug, Default)]
struct Choices {
    /// What is chosen, and of how many, in the order of the plan.
    made: Vec<(usize, usize)>,
    next: usize,
}

impl Choices {
    fn choose(&mut self, of: usize) -> usize {
        if self.next == self.made.len() {
            self.made.push((0, of));
        }
        let chosen = self.made.get(self.next).map_or(0, |(chosen, _)| *chosen);
        self.next = self.next.saturating_add(1);
        chosen
    }

    /// Goes on to the next combination, if there is one.
    fn advance(&mut self) -> bool {
        while let Some((chosen, of)) = self.made.pop() {
            let next = chosen.saturating_add(1);
            if next < of {
                self.made.push((next, of));
                return true;
            }
        }
        false
    }
}

/// What stands around a part of a plan.
#[derive(Clone, Debug)]
struct Context {
    /// The spans of time that each observation must touch.
    spans: Vec<(Moment, Moment)>,
    /// How often the part is asked for.
    times: u64,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            spans: Vec::new(),
            times: 1,
        }
    }
}

impl Context {
    fn lets(&self, sighting: &Sighting) -> bool {
        self.spans
            .iter()
            .all(|(start, stop)| start < stop && sighting.first < *stop && sighting.last >= *start)
    }
}

/// So many sightings, of these observations.
#[derive(Debug)]
struct Need {
    of: Vec<usize>,
    times: u64,
}

/// A rule on the times of what some needs get.
#[derive(Clone, Debug)]
enum Rule {
    /// All in so many nanoseconds.
    Within(Range<usize>, i128),
    /// The first ones not later than the second ones.
    Ordered(Range<usize>, Range<usize>),
}

/// The times that a need may be met from: seen at `until` or before, and at `from` or later.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    until: Moment,
    from: Moment,
}

impl Bounds {
    const NONE: Self = Self {
        until: Moment(i128::MAX),
        from: Moment(i128::MIN),
    };

    fn lets(&self, sighting: &Sighting) -> bool {
        sighting.first <= self.until && sighting.last >= self.from
    }

    fn narrow(&mut self, until: Moment, from: Moment) {
        self.until = self.until.min(until);
        self.from = self.from.max(from);
    }
}

struct Problem<'p> {
    fitting: &'p [Vec<usize>],
    sightings: &'p [Sighting],
    needs: Vec<Need>,
    rules: Vec<Rule>,
}

impl Problem<'_> {
    /// Adds the needs and rules of a part of the plan.
    fn add(
        &mut self,
        plan: &Plan,
        context: &Context,
        choices: &mut Choices,
        steps: &mut Steps,
    ) -> Result<(), MatchError> {
        steps.take(1)?;
        if let Some(of) = self.single(plan, context, steps)? {
            return self.need(of, context.times);
        }
        let begin = self.needs.len();
        match plan {
            Plan::One(_) => {}
            Plan::All(parts) => {
                for part in parts {
                    self.add(part, context, choices, steps)?;
                }
            }
            Plan::Any(parts) => {
                let part = parts.get(choices.choose(parts.len()));
                if let Some(part) = part {
                    self.add(part, context, choices, steps)?;
                }
            }
            Plan::Ordered(parts) => {
                for part in parts {
                    let middle = self.needs.len();
                    self.add(part, context, choices, steps)?;
                    if middle > begin {
                        let rule = Rule::Ordered(begin..middle, middle..self.needs.len());
                        self.rules.push(rule);
                    }
                }
            }
            Plan::Within(inner, nanos) => {
                self.add(inner, context, choices, steps)?;
                self.rules
                    .push(Rule::Within(begin..self.needs.len(), *nanos));
            }
            Plan::Repeats(inner, times) if is_plain(inner) => {
                let mut context = context.clone();
                context.times = context.times.saturating_mul(*times);
                self.add(inner, &context, choices, steps)?;
            }
            Plan::Repeats(inner, times) => {
                for _ in 0..*times {
                    self.add(inner, context, choices, steps)?;
                }
            }
            Plan::Between(inner, start, stop) => {
                let mut context = context.clone();
                context.spans.push((*start, *stop));
                self.add(inner, &context, choices, steps)?;
            }
        }
        Ok(())
    }

    fn need(&mut self, of: Vec<usize>, times: u64) -> Result<(), MatchError> {
        self.needs.push(Need { of, times });
        match self.needs.len() > NEEDS_MAX {
            true => Err(MatchError::Bound {
                what: "observations asked for (NEEDS_MAX)",
                max: u64::try_from(NEEDS_MAX).unwrap_or(u64::MAX),
            }),
            false => Ok(()),
        }
    }

    /// The observations, one of which fulfils a part that asks for a single one.
    fn single(
        &self,
        plan: &Plan,
        context: &Context,
        steps: &mut Steps,
    ) -> Result<Option<Vec<usize>>, MatchError> {
        match plan {
            Plan::One(number) => {
                let all = self.fitting.get(*number).map_or(&[][..], Vec::as_slice);
                steps.take(all.len())?;
                let lets = |number: &usize| {
                    let sighting = self.sightings.get(*number);
                    sighting.is_some_and(|sighting| context.lets(sighting))
                };
                Ok(Some(all.iter().copied().filter(lets).collect()))
            }
            Plan::Any(parts) => {
                let mut all = BTreeSet::new();
                for part in parts {
                    match self.single(part, context, steps)? {
                        Some(of) => all.extend(of),
                        None => return Ok(None),
                    }
                }
                Ok(Some(all.into_iter().collect()))
            }
            Plan::Within(inner, _) | Plan::Repeats(inner, 1) => self.single(inner, context, steps),
            Plan::Between(inner, start, stop) => {
                let mut context = context.clone();
                context.spans.push((*start, *stop));
                self.single(inner, &context, steps)
            }
            Plan::All(_) | Plan::Ordered(_) | Plan::Repeats(..) => Ok(None),
        }
    }

    fn solve(&self, steps: &mut Steps) -> Result<bool, MatchError> {
        let bounds = vec![Bounds::NONE; self.needs.len()];
        self.under(&bounds, &self.rules, steps)
    }

    /// Whether the needs can be met within the bounds so that these rules hold.
    fn under(
        &self,
        bounds: &[Bounds],
        rules: &[Rule],
        steps: &mut Steps,
    ) -> Result<bool, MatchError> {
        let Some(given) = self.give(bounds, steps)? else {
            return Ok(false);
        };
        let Some(broken) = rules.iter().position(|rule| !self.keeps(&given, rule)) else {
            return Ok(true);
        };
        let Some(rule) = rules.get(broken) else {
            return Ok(true);
        };
        let mut others = rules.to_vec();
        others.remove(broken);
        for moment in self.moments(rule, bounds, steps)? {
            steps.take(1)?;
            let mut bounds = bounds.to_vec();
            match rule {
                Rule::Within(range, nanos) => {
                    let until = Moment(moment.0.saturating_add(*nanos));
                    narrow(&mut bounds, range, until, moment);
                }
                Rule::Ordered(before, after) => {
                    narrow(&mut bounds, before, moment, Bounds::NONE.from);
                    narrow(&mut bounds, after, Bounds::NONE.until, moment);
                }
            }
            if self.under(&bounds, &others, steps)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The moments where the bound of a rule can lie: for `WITHIN` the earliest end of what is
    /// taken, for `FOLLOWEDBY` the latest begin of what stands before it. Those are left out where a
    /// need alone gets too little.
    fn moments(
        &self,
        rule: &Rule,
        bounds: &[Bounds],
        steps: &mut Steps,
    ) -> Result<BTreeSet<Moment>, MatchError> {
        let mut moments = BTreeSet::new();
        match rule {
            Rule::Within(range, nanos) => {
                let lines = self.lines(range, bounds, steps)?;
                moments.extend(lines.iter().flat_map(Line::ends));
                moments.retain(|moment| {
                    let until = Moment(moment.0.saturating_add(*nanos));
                    lines
                        .iter()
                        .all(|line| line.between(*moment, until) >= line.wanted)
                });
            }
            Rule::Ordered(before, after) => {
                let before = self.lines(before, bounds, steps)?;
                let after = self.lines(after, bounds, steps)?;
                moments.extend(before.iter().flat_map(Line::begins));
                moments.retain(|moment| {
                    before.iter().all(|line| line.begun(*moment) >= line.wanted)
                        && after.iter().all(|line| line.from(*moment) >= line.wanted)
                });
            }
        }
        Ok(moments)
    }

    /// What each of these needs could get, along the time.
    fn lines(
        &self,
        range: &Range<usize>,
        bounds: &[Bounds],
        steps: &mut Steps,
    ) -> Result<Vec<Line>, MatchError> {
        let needs = self.needs.get(range.clone()).unwrap_or_default();
        let bounds = bounds.get(range.clone()).unwrap_or_default();
        let mut lines = Vec::with_capacity(needs.len());
        for (need, bounds) in needs.iter().zip(bounds) {
            steps.take(need.of.len())?;
            let all = need
                .of
                .iter()
                .filter_map(|number| self.sightings.get(*number));
            lines.push(Line::new(all.filter(|seen| bounds.lets(seen)), need.times));
        }
        Ok(lines)
    }

    fn keeps(&self, given: &Given, rule: &Rule) -> bool {
        match rule {
            Rule::Within(range, nanos) => {
                match (self.begin(given, range), self.end(given, range)) {
                    (Some(begin), Some(end)) => begin.0.saturating_sub(end.0) <= *nanos,
                    _ => true,
                }
            }
            Rule::Ordered(before, after) => {
                match (self.begin(given, before), self.end(given, after)) {
                    (Some(begin), Some(end)) => begin <= end,
                    _ => true,
                }
            }
        }
    }

    /// The latest begin of what these needs get.
    fn begin(&self, given: &Given, range: &Range<usize>) -> Option<Moment> {
        self.of(given, range).map(|sighting| sighting.first).max()
    }

    /// The earliest end of what these needs get.
    fn end(&self, given: &Given, range: &Range<usize>) -> Option<Moment> {
        self.of(given, range).map(|sighting| sighting.last).min()
    }

    fn of<'s>(
        &'s self,
        given: &'s Given,
        range: &Range<usize>,
    ) -> impl Iterator<Item = &'s Sighting> {
        let given = given.get(range.clone()).unwrap_or_default();
        let numbers = given.iter().flat_map(BTreeMap::keys);
        numbers.filter_map(|number| self.sightings.get(*number))
    }

    /// Hands out sightings so that every need is met; nothing when that cannot be.
    fn give(&self, bounds: &[Bounds], steps: &mut Steps) -> Result<Option<Given>, MatchError> {
        let mut left: Vec<u64> = self.sightings.iter().map(|seen| seen.times).collect();
        steps.take(left.len())?;
        let mut given: Given = vec![BTreeMap::new(); self.needs.len()];
        let mut allowed = Vec::with_capacity(self.needs.len());
        for (need, bounds) in self.needs.iter().zip(bounds) {
            steps.take(need.of.len())?;
            let lets = |number: &&usize| {
                let sighting = self.sightings.get(**number);
                sighting.is_some_and(|sighting| bounds.lets(sighting))
            };
            allowed.push(need.of.iter().filter(lets).copied().collect::<Vec<usize>>());
        }
        // What needs are asked for the least choice first.
        let mut order: Vec<usize> = (0..self.needs.len()).collect();
        order.sort_by_key(|number| allowed.get(*number).map_or(0, Vec::len));
        for number in order {
            let mut missing = self.needs.get(number).map_or(0, |need| need.times);
            // What nobody has is taken at once, and for the rest others move.
            for observation in allowed.get(number).map_or(&[][..], Vec::as_slice) {
                let free = [(number, *observation)];
                if missing > 0 && left.get(*observation).is_some_and(|left| *left > 0) {
                    missing = missing.saturating_sub(shift(&free, missing, &mut given, &mut left));
                }
            }
            while missing > 0 {
                let way = way(number, &allowed, &given, &left, steps)?;
                let Some(got) = way.map(|way| shift(&way, missing, &mut given, &mut left)) else {
                    return Ok(None);
                };
                missing = missing.saturating_sub(got);
            }
        }
        Ok(Some(given))
    }
}

/// How many sightings begin, and end, up to each moment.
struct Line {
    begins: BTreeMap<Moment, u64>,
    ends: BTreeMap<Moment, u64>,
    all: u64,
    wanted: u64,
}

impl Line {
    fn new<'s>(sightings: impl Iterator<Item = &'s Sighting>, wanted: u64) -> Self {
        let (mut begins, mut ends) = (
            BTreeMap::<Moment, u64>::new(),
            BTreeMap::<Moment, u64>::new(),
        );
        for seen in sightings {
            for (moments, at) in [(&mut begins, seen.first), (&mut ends, seen.last)] {
                let times = moments.entry(at).or_default();
                *times = times.saturating_add(seen.times);
            }
        }
        let mut all = 0;
        for moments in [&mut begins, &mut ends] {
            all = 0_u64;
            for times in moments.values_mut() {
                all = all.saturating_add(*times);
                *times = all;
            }
        }
        Self {
            begins,
            ends,
            all,
            wanted,
        }
    }

    fn begins(&self) -> impl Iterator<Item = Moment> {
        self.begins.keys().copied()
    }

    fn ends(&self) -> impl Iterator<Item = Moment> {
        self.ends.keys().copied()
    }

    /// How many begin at a moment or before.
    fn begun(&self, at: Moment) -> u64 {
        self.begins
            .range(..=at)
            .next_back()
            .map_or(0, |(_, sum)| *sum)
    }

    /// How many end at a moment or later; at a number that is beyond counting there are enough.
    fn from(&self, at: Moment) -> u64 {
        if self.all == u64::MAX {
            return u64::MAX;
        }
        let before = self.ends.range(..at).next_back().map_or(0, |(_, sum)| *sum);
        self.all.saturating_sub(before)
    }

    /// How many begin until one moment and end from another, earlier one: what ends before that has
    /// begun before it too.
    fn between(&self, from: Moment, until: Moment) -> u64 {
        if self.all == u64::MAX {
            return u64::MAX;
        }
        let missed = self.all.saturating_sub(self.from(from));
        self.begun(until).saturating_sub(missed)
    }
}

/// Whether a part asks for single observations alone, all of them, with no rule on their times: to
/// ask for it several times is to ask for each of them that often.
fn is_plain(plan: &Plan) -> bool {
    match plan {
        Plan::One(_) => true,
        Plan::All(parts) => parts.iter().all(is_plain),
        Plan::Any(parts) => parts.iter().all(is_single),
        Plan::Repeats(inner, _) | Plan::Between(inner, ..) => is_plain(inner),
        Plan::Within(inner, _) => is_single(inner),
        Plan::Ordered(_) => false,
    }
}

/// Whether a part asks for one observation.
fn is_single(plan: &Plan) -> bool {
    match plan {
        Plan::One(_) => true,
        Plan::Any(parts) => parts.iter().all(is_single),
        Plan::Within(inner, _) | Plan::Between(inner, ..) | Plan::Repeats(inner, 1) => {
            is_single(inner)
        }
        Plan::All(_) | Plan::Ordered(_) | Plan::Repeats(..) => false,
    }
}

fn narrow(bounds: &mut [Bounds], range: &Range<usize>, until: Moment, from: Moment) {
    for bounds in bounds.get_mut(range.clone()).unwrap_or_default() {
        bounds.narrow(until, from);
    }
}

#[cfg(test)]
mod tests;
