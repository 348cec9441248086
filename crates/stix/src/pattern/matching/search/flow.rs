//! A flow through a network of needs and observations, one way after the other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::{MatchError, Steps};

/// What each need gets: observations, and how many sightings of each.
pub(super) type Given = Vec<BTreeMap<usize, u64>>;

/// A way to get sightings: each need takes from the observation beside it, the first for itself,
/// each other in place of what the one before takes from it.
pub(super) type Way = Vec<(usize, usize)>;

/// The shortest way by which a need gets a sighting more.
pub(super) fn way(
    need: usize,
    allowed: &[Vec<usize>],
    given: &Given,
    left: &[u64],
    steps: &mut Steps,
) -> Result<Option<Way>, MatchError> {
    // By which need each observation was reached, and by which observation each need.
    let mut by_need: BTreeMap<usize, usize> = BTreeMap::new();
    let mut by_observation: BTreeMap<usize, usize> = BTreeMap::new();
    let mut reached = BTreeSet::from([need]);
    let mut queue = VecDeque::from([need]);
    while let Some(asking) = queue.pop_front() {
        for observation in allowed.get(asking).map_or(&[][..], Vec::as_slice) {
            steps.take(1)?;
            if by_need.contains_key(observation) {
                continue;
            }
            by_need.insert(*observation, asking);
            if left.get(*observation).is_some_and(|left| *left > 0) {
                return Ok(Some(back(*observation, &by_need, &by_observation)));
            }
            steps.take(given.len())?;
            for (holder, holds) in given.iter().enumerate() {
                if holds.contains_key(observation) && reached.insert(holder) {
                    by_observation.insert(holder, *observation);
                    queue.push_back(holder);
                }
            }
        }
    }
    Ok(None)
}

/// The way that leads to an observation, from its end to its begin.
fn back(
    observation: usize,
    by_need: &BTreeMap<usize, usize>,
    by_observation: &BTreeMap<usize, usize>,
) -> Way {
    let mut way = Vec::new();
    let mut observation = Some(observation);
    while let Some(at) = observation {
        let Some(need) = by_need.get(&at) else {
            break;
        };
        way.push((*need, at));
        observation = by_observation.get(need).copied();
    }
    way
}

/// Moves as many sightings along a way as it takes, and says how many.
pub(super) fn shift(
    way: &[(usize, usize)],
    wanted: u64,
    given: &mut Given,
    left: &mut [u64],
) -> u64 {
    let Some((_, free)) = way.first() else {
        return 0;
    };
    let mut amount = wanted.min(left.get(*free).copied().unwrap_or(0));
    // Each need on the way gives up what it had of the observation that the next takes from.
    for pair in way.windows(2) {
        if let [(holder, _), (_, taken)] = pair {
            let held = given.get(*holder).and_then(|holds| holds.get(taken));
            amount = amount.min(held.copied().unwrap_or(0));
        }
    }
    for (index, (need, observation)) in way.iter().enumerate() {
        let Some(holds) = given.get_mut(*need) else {
            continue;
        };
        let has = holds.entry(*observation).or_default();
        *has = has.saturating_add(amount);
        let gives_up = way.get(index.saturating_add(1)).map(|(_, taken)| *taken);
        if let Some(taken) = gives_up
            && let Some(has) = holds.get_mut(&taken)
        {
            *has = has.saturating_sub(amount);
            if *has == 0 {
                holds.remove(&taken);
            }
        }
    }
    if let Some(left) = left.get_mut(*free) {
        *left = left.saturating_sub(amount);
    }
    amount
}
