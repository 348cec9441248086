//! What is asked of VLAN tags.

use std::ops::RangeInclusive;

use super::field::{compared, holds};
use super::number::Number;
use super::{Arg, Keyword};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "vlan.id",
        "number[,layer|any|all]",
        "The identifier of a VLAN tag: of any, of all, or of one counted from outside (0, 1, 2) or inside (-1, -2, -3).",
        id,
    ),
    Keyword::call(
        "vlan.layers",
        "number",
        "How many VLAN tags there are.",
        |rule, arg| {
            compared(rule, arg, 0..=LAYERS_MAX, |decoded| {
                u64::try_from(decoded.vlans.ids().len()).ok()
            })
        },
    ),
];

const LAYERS_MAX: u64 = 3;
/// A tag has 12 bits for it (IEEE 802.1Q).
const IDS: RangeInclusive<u64> = 0..=4095;

/// Which tags are meant.
#[derive(Debug, Clone, Copy)]
enum Which {
    Any,
    All,
    /// Counted from outside.
    Outer(usize),
    /// Counted from inside.
    Inner(usize),
}

impl Which {
    fn of(text: &str) -> Option<Self> {
        Some(match text {
            "any" => Self::Any,
            "all" => Self::All,
            "0" => Self::Outer(0),
            "1" => Self::Outer(1),
            "2" => Self::Outer(2),
            "-1" => Self::Inner(0),
            "-2" => Self::Inner(1),
            "-3" => Self::Inner(2),
            _ => return None,
        })
    }

    fn holds(self, ids: &[u16], number: Number) -> bool {
        let is = |id: &u16| number.holds(u64::from(*id));
        match self {
            Self::Any => ids.iter().any(is),
            Self::All => !ids.is_empty() && ids.iter().all(is),
            Self::Outer(at) => ids.get(at).is_some_and(is),
            Self::Inner(at) => ids.iter().rev().nth(at).is_some_and(is),
        }
    }
}

fn id(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let (number, which) = match value.text.split_once(',') {
        Some((number, which)) => (number, which.trim()),
        None => (value.text, "any"),
    };
    let number = Number::parse(value.part(number), IDS)?;
    let which = Which::of(which).ok_or_else(|| {
        value
            .wrong(format!("{which:?} is no tag"))
            .mend("write any, all, or a number from -3 to 2")
    })?;
    holds(rule, move |decoded| {
        which.holds(decoded.vlans.ids(), number)
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_counted_from_both_ends() {
        let is = |which: &str, ids: &[u16]| Which::of(which).unwrap().holds(ids, Number::Is(7));
        assert!(is("any", &[1, 7]) && !is("any", &[1, 2]) && !is("any", &[]));
        assert!(is("all", &[7, 7]) && !is("all", &[1, 7]) && !is("all", &[]));
        assert!(is("0", &[7, 1]) && is("1", &[1, 7]) && !is("2", &[7, 7]));
        assert!(is("-1", &[1, 7]) && is("-2", &[7, 1]) && !is("-3", &[7, 7]));
    }
}
