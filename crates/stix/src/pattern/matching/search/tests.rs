use proptest::prelude::*;

use super::*;

const CONDITIONS: usize = 3;
const OBSERVATIONS: usize = 4;

/// All ways to fulfil a plan, by the words of the specification: for each the observations that are
/// taken, one for each sighting.
fn ways(plan: &Plan, fitting: &[Vec<usize>], sightings: &[Sighting]) -> BTreeSet<Vec<usize>> {
    let join = |left: BTreeSet<Vec<usize>>, right: &BTreeSet<Vec<usize>>, ordered: bool| {
        let mut all = BTreeSet::new();
        for left in &left {
            for right in right {
                let in_order = !ordered || begin(left, sightings) <= end(right, sightings);
                let mut both = [left.clone(), right.clone()].concat();
                both.sort_unstable();
                let count = |number| both.iter().filter(|other| *other == number).count() as u64;
                if in_order
                    && both
                        .iter()
                        .all(|number| count(number) <= sightings[*number].times)
                {
                    all.insert(both);
                }
            }
        }
        all
    };
    let none = || BTreeSet::from([Vec::new()]);
    match plan {
        Plan::One(number) => fitting[*number]
            .iter()
            .map(|number| vec![*number])
            .collect(),
        Plan::Any(parts) => parts
            .iter()
            .flat_map(|part| ways(part, fitting, sightings))
            .collect(),
        Plan::All(parts) | Plan::Ordered(parts) => {
            let ordered = matches!(plan, Plan::Ordered(_));
            let mut all = none();
            for (index, part) in parts.iter().enumerate() {
                all = join(all, &ways(part, fitting, sightings), ordered && index > 0);
            }
            all
        }
        Plan::Repeats(inner, times) => {
            let inner = ways(inner, fitting, sightings);
            (0..*times).fold(none(), |all, _| join(all, &inner, false))
        }
        Plan::Within(inner, nanos) => {
            let mut all = ways(inner, fitting, sightings);
            all.retain(|way| {
                begin(way, sightings)
                    .0
                    .saturating_sub(end(way, sightings).0)
                    <= *nanos
            });
            all
        }
        Plan::Between(inner, start, stop) => {
            let mut all = ways(inner, fitting, sightings);
            all.retain(|way| {
                way.iter().all(|number| {
                    let seen = sightings[*number];
                    start < stop && seen.first < *stop && seen.last >= *start
                })
            });
            all
        }
    }
}

fn begin(way: &[usize], sightings: &[Sighting]) -> Moment {
    way.iter()
        .map(|number| sightings[*number].first)
        .max()
        .unwrap()
}

fn end(way: &[usize], sightings: &[Sighting]) -> Moment {
    way.iter()
        .map(|number| sightings[*number].last)
        .min()
        .unwrap()
}

fn plans() -> impl Strategy<Value = Plan> {
    let one = (0..CONDITIONS).prop_map(Plan::One);
    one.prop_recursive(4, 6, 3, |inner| {
        let some = proptest::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            some.clone().prop_map(Plan::All),
            some.clone().prop_map(Plan::Any),
            some.prop_map(Plan::Ordered),
            (inner.clone(), 0_i128..5)
                .prop_map(|(plan, nanos)| Plan::Within(Box::new(plan), nanos)),
            (inner.clone(), 1_u64..4)
                .prop_map(|(plan, times)| Plan::Repeats(Box::new(plan), times)),
            (inner, 0_i128..6, 0_i128..8).prop_map(|(plan, start, stop)| {
                Plan::Between(Box::new(plan), Moment(start), Moment(stop))
            }),
        ]
    })
}

fn sightings() -> impl Strategy<Value = Vec<Sighting>> {
    let one = (1_u64..4, 0_i128..6, 0_i128..3).prop_map(|(times, first, lasts)| Sighting {
        times,
        first: Moment(first),
        last: Moment(first.saturating_add(lasts)),
    });
    proptest::collection::vec(one, OBSERVATIONS)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn a_match_is_found_where_there_is_one_and_only_there(
        plan in plans(),
        sightings in sightings(),
        fits in proptest::collection::vec(proptest::collection::vec(any::<bool>(), OBSERVATIONS), CONDITIONS),
    ) {
        let fitting: Vec<Vec<usize>> = fits
            .iter()
            .map(|fits| (0..OBSERVATIONS).filter(|number| fits[*number]).collect())
            .collect();
        let mut steps = Steps { taken: 0, max: 50_000_000 };
        let found = find(&plan, &fitting, &sightings, &mut steps).unwrap();
        prop_assert_eq!(found, !ways(&plan, &fitting, &sightings).is_empty());
    }
}
