//! Numbers that are compared: `80`, `!80`, `>80`, `<80`, `>=80`, `<=80`, `80-90`, `80<>90`, `!80-90`,
//! `&0x40=0x40`, `&0x40!=0x40`.

use std::ops::RangeInclusive;

use crate::rules::diagnostic::Problem;
use crate::rules::syntax::Piece;

/// What a number is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    Is(u64),
    IsNot(u64),
    Above(u64),
    AtLeast(u64),
    Below(u64),
    AtMost(u64),
    /// Between two, neither of them included.
    Between(u64, u64),
    /// Outside of two, both of them included.
    Outside(u64, u64),
    /// The bits of a mask are these.
    Masked(u64, u64),
    /// The bits of a mask are not these.
    NotMasked(u64, u64),
}

/// One that is compared with a single number.
type Comparison = fn(u64) -> Number;

const PREFIXES: [(&str, Comparison); 7] = [
    ("!=", Number::IsNot),
    ("!", Number::IsNot),
    (">=", Number::AtLeast),
    ("<=", Number::AtMost),
    (">", Number::Above),
    ("<", Number::Below),
    ("=", Number::Is),
];

impl Number {
    /// Reads a comparison whose numbers lie in `range`. One that always holds, or never, is refused.
    pub(crate) fn parse(text: Piece<'_>, range: RangeInclusive<u64>) -> Result<Self, Problem> {
        let text = text.trim();
        let compared = Self::read(text, &range)?;
        let (min, max) = (*range.start(), *range.end());
        let is_empty = match compared {
            Self::Between(from, to) | Self::Outside(from, to) => from.saturating_add(1) >= to,
            Self::Above(than) => than >= max,
            Self::AtLeast(than) => than <= min,
            Self::Below(than) => than <= min,
            Self::AtMost(than) => than >= max,
            Self::Is(_) | Self::IsNot(_) | Self::Masked(..) | Self::NotMasked(..) => false,
        };
        if is_empty {
            return Err(text
                .wrong(format!("{:?} always holds, or never", text.text))
                .mend("write the smaller number of a range first; both are left out of it"));
        }
        Ok(compared)
    }

    fn read(text: Piece<'_>, range: &RangeInclusive<u64>) -> Result<Self, Problem> {
        let number = |part: &str| single(text.part(part).trim(), range);
        if let Some(masked) = text.text.strip_prefix('&') {
            let (mask, of, value) = match masked.split_once("!=") {
                Some((mask, value)) => (mask, Self::NotMasked as fn(u64, u64) -> Self, value),
                None => {
                    let (mask, value) = masked.split_once('=').ok_or_else(|| {
                        text.wrong("a mask that is compared with nothing")
                            .mend("write &mask=value or &mask!=value")
                    })?;
                    (mask, Self::Masked as fn(u64, u64) -> Self, value)
                }
            };
            return Ok(of(number(mask)?, number(value)?));
        }
        let (negated, rest) = match text.text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text.text),
        };
        let two = rest.split_once("<>").or_else(|| rest.split_once('-'));
        if let Some((from, to)) = two.filter(|(from, _)| !from.trim().is_empty()) {
            let of = if negated {
                Self::Outside
            } else {
                Self::Between
            };
            return Ok(of(number(from)?, number(to)?));
        }
        for (prefix, of) in PREFIXES {
            if let Some(rest) = text.text.strip_prefix(prefix) {
                return number(rest).map(of);
            }
        }
        number(text.text).map(Self::Is)
    }

    pub(crate) fn holds(self, number: u64) -> bool {
        match self {
            Self::Is(is) => number == is,
            Self::IsNot(is) => number != is,
            Self::Above(than) => number > than,
            Self::AtLeast(than) => number >= than,
            Self::Below(than) => number < than,
            Self::AtMost(than) => number <= than,
            Self::Between(from, to) => from < number && number < to,
            Self::Outside(from, to) => number <= from || to <= number,
            Self::Masked(mask, value) => number & mask == value,
            Self::NotMasked(mask, value) => number & mask != value,
        }
    }
}

/// One number, decimal or `0x...`.
fn single(text: Piece<'_>, range: &RangeInclusive<u64>) -> Result<u64, Problem> {
    let is_number = text.text.starts_with(|first: char| first.is_ascii_digit());
    let read = match text.text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.text.parse(),
    };
    let read = read
        .ok()
        .filter(|number| is_number && range.contains(number));
    read.ok_or_else(|| {
        let (from, to) = (range.start(), range.end());
        text.wrong(format!("{:?} is no number from {from} to {to}", text.text))
            .mend("write a number, or a comparison as >N, <N, N-M or !N")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn byte(text: &str) -> Option<Number> {
        Number::parse(Piece { text, at: 0 }, 0..=255).ok()
    }

    #[test]
    fn comparisons_are_read() {
        for (text, number) in [
            ("10", Number::Is(10)),
            ("=10", Number::Is(10)),
            ("0x10", Number::Is(16)),
            ("010", Number::Is(10)),
            ("!10", Number::IsNot(10)),
            ("!=10", Number::IsNot(10)),
            ("> 10", Number::Above(10)),
            (">=255", Number::AtLeast(255)),
            ("<=0", Number::AtMost(0)),
            ("10 - 20", Number::Between(10, 20)),
            ("10<>20", Number::Between(10, 20)),
            ("!10-20", Number::Outside(10, 20)),
            ("!10<>20", Number::Outside(10, 20)),
            ("&0x10=0x10", Number::Masked(16, 16)),
            ("&16 != 16", Number::NotMasked(16, 16)),
        ] {
            assert_eq!(byte(text), Some(number), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "", "256", "-1", "20-10", "10-11", "!10-11", "10-10", "-20", "20-", "1k", "&0x10",
            "<0", ">255", ">=0", "<=255", "0-256", "0X10", "10 20", "==10", "1_0", "+5",
            "&0x100=1",
        ] {
            assert_eq!(byte(text), None, "{text}");
        }
    }
}
