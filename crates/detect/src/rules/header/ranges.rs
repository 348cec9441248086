//! Sets of numbers as sorted ranges: ports and addresses.

/// A number that ranges are made of.
pub(crate) trait Number: Copy + Ord {
    const MIN: Self;
    const MAX: Self;
    /// The next higher one, where there is one.
    fn next(self) -> Option<Self>;
    /// The next lower one, where there is one.
    fn before(self) -> Option<Self>;
}

macro_rules! number {
    ($($kind:ty)*) => {$(
        impl Number for $kind {
            const MIN: Self = <$kind>::MIN;
            const MAX: Self = <$kind>::MAX;
            fn next(self) -> Option<Self> {
                self.checked_add(1)
            }
            fn before(self) -> Option<Self> {
                self.checked_sub(1)
            }
        }
    )*};
}
number!(u16 u32 u128);

/// Disjoint ranges, sorted; both ends belong to a range.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Ranges<T>(Vec<(T, T)>);

impl<T> Default for Ranges<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Number> Ranges<T> {
    pub(crate) fn all() -> Self {
        Self(vec![(T::MIN, T::MAX)])
    }

    pub(crate) fn of(mut ranges: Vec<(T, T)>) -> Self {
        ranges.retain(|(from, to)| from <= to);
        ranges.sort_unstable();
        let mut merged: Vec<(T, T)> = Vec::with_capacity(ranges.len());
        for (from, to) in ranges {
            match merged.last_mut() {
                Some((_, end)) if end.next().is_none_or(|next| from <= next) => {
                    *end = (*end).max(to)
                }
                _ => merged.push((from, to)),
            }
        }
        Self(merged)
    }

    pub(crate) fn is_all(&self) -> bool {
        self.0 == [(T::MIN, T::MAX)]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each range, both ends included.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (T, T)> {
        self.0.iter().copied()
    }

    pub(crate) fn contains(&self, number: T) -> bool {
        let behind = self.0.partition_point(|(from, _)| *from <= number);
        behind
            .checked_sub(1)
            .and_then(|at| self.0.get(at))
            .is_some_and(|(_, to)| number <= *to)
    }

    pub(crate) fn union(all: impl IntoIterator<Item = Self>) -> Self {
        Self::of(all.into_iter().flat_map(|ranges| ranges.0).collect())
    }

    /// What is in this and not in `other`.
    pub(crate) fn without(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        let mut holes = other.0.iter().peekable();
        for &(from, to) in &self.0 {
            let mut from = Some(from);
            while let Some(&&(hole, hole_end)) = holes.peek() {
                let Some(start) = from else { break };
                if hole > to {
                    break;
                }
                if let Some(end) = hole.before().filter(|end| start <= *end && hole > start) {
                    left.push((start, end));
                }
                if hole_end >= to {
                    from = None;
                    break;
                }
                from = hole_end.next().map(|next| next.max(start));
                holes.next();
            }
            if let Some(start) = from.filter(|start| *start <= to) {
                left.push((start, to));
            }
        }
        Self(left)
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some() -> impl Strategy<Value = Ranges<u16>> {
        let range = (0_u16..60, 0_u16..60).prop_map(|(a, b)| match (a, b) {
            (0, _) => (u16::MAX - b, u16::MAX),
            _ => (a.min(b), a.max(b)),
        });
        prop::collection::vec(range, 0..6).prop_map(Ranges::of)
    }

    proptest! {
        #[test]
        fn ranges_are_sets(a in some(), b in some()) {
            let (without, union) = (a.without(&b), Ranges::union([a.clone(), b.clone()]));
            for number in (0..70).chain(u16::MAX - 70..=u16::MAX) {
                prop_assert_eq!(without.contains(number), a.contains(number) && !b.contains(number));
                prop_assert_eq!(union.contains(number), a.contains(number) || b.contains(number));
            }
        }
    }
}
