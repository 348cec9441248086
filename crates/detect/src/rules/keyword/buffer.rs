//! What is asked of a buffer as a whole: that it is not there, how much order is in it.

use super::{Arg, Keyword, number};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::rule::{Check, Step};
use crate::rules::syntax::Piece;
use crate::rules::walk::Walk;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "absent",
        "[or_else]",
        "The buffer is not there; or_else: or what follows holds of it.",
        absent,
    ),
    Keyword::call(
        "entropy",
        "value comparison number[,bytes number][,offset number]",
        "The entropy of the buffer's bytes, in bits from 0 to 8.",
        entropy,
    ),
];

fn absent(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    if rule.buffer().is_none() || !rule.is_at_start() {
        return Err(arg
            .name
            .wrong("absent stands right behind a buffer")
            .mend("name a buffer before it, as http.referer; absent;"));
    }
    match arg.value.map(|value| value.text) {
        None => rule.absent(),
        Some("or_else") => rule.or_absent(),
        Some(other) => {
            return Err(arg
                .value
                .unwrap_or(arg.name)
                .wrong(format!("{other:?} is nothing that absent knows"))
                .mend("write or_else, or nothing"));
        }
    }
    Ok(())
}

/// How much order is in bytes, compared.
#[derive(Debug, PartialEq)]
struct Entropy {
    compared: Compared,
    /// How many bytes are looked at; 0 for all.
    bytes: usize,
    offset: usize,
}

/// What an entropy is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Compared {
    Is(f64),
    IsNot(f64),
    Above(f64),
    AtLeast(f64),
    Below(f64),
    AtMost(f64),
    Between(f64, f64),
    Outside(f64, f64),
}

/// A comparison with a number.
type Of = fn(f64) -> Compared;

impl Compared {
    fn read(text: Piece<'_>) -> Result<Self, Problem> {
        let float = |part: &str| {
            let float = part.trim().parse().ok();
            float
                .filter(|float: &f64| float.is_finite())
                .ok_or_else(|| {
                    text.wrong(format!("{:?} is no entropy", part.trim()))
                        .mend("write a comparison and a number, as > 7.5")
                })
        };
        let (negated, rest) = match text.text.strip_prefix('!') {
            Some(rest) if !rest.starts_with('=') => (true, rest),
            Some(_) | None => (false, text.text),
        };
        let two = rest.split_once("<>").or_else(|| rest.split_once('-'));
        if let Some((from, to)) = two.filter(|(from, _)| from.trim().parse::<f64>().is_ok()) {
            let of = if negated {
                Self::Outside
            } else {
                Self::Between
            };
            return Ok(of(float(from)?, float(to)?));
        }
        let prefixes: [(&str, Of); 7] = [
            ("!=", Self::IsNot),
            ("!", Self::IsNot),
            (">=", Self::AtLeast),
            ("<=", Self::AtMost),
            (">", Self::Above),
            ("<", Self::Below),
            ("=", Self::Is),
        ];
        for (prefix, of) in prefixes {
            if let Some(rest) = text.text.strip_prefix(prefix) {
                return float(rest).map(of);
            }
        }
        float(text.text).map(Self::Is)
    }

    fn holds(self, entropy: f64) -> bool {
        let is = |other: f64| (entropy - other).abs() <= f64::EPSILON;
        match self {
            Self::Is(other) => is(other),
            Self::IsNot(other) => !is(other),
            Self::Above(than) => entropy > than,
            Self::AtLeast(than) => entropy >= than,
            Self::Below(than) => entropy < than,
            Self::AtMost(than) => entropy <= than,
            Self::Between(from, to) => from < entropy && entropy < to,
            Self::Outside(from, to) => entropy < from || to < entropy,
        }
    }
}

fn entropy(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let (mut compared, mut bytes, mut offset) = (None, 0, 0);
    for part in value.split(',') {
        let (word, rest) = part.text.split_once(' ').unwrap_or((part.text, ""));
        let rest = part.part(rest).trim();
        match word {
            "value" if compared.is_none() => compared = Some(Compared::read(rest)?),
            "bytes" => bytes = number(rest)?,
            "offset" => offset = number(rest)?,
            other => {
                return Err(part
                    .wrong(format!("{other:?} is nothing that entropy knows"))
                    .mend("write value, bytes and offset, each once, each with a number"));
            }
        }
    }
    let compared = compared.ok_or_else(|| {
        value
            .wrong("an entropy that is compared with nothing")
            .mend("write value and a comparison, as value > 7.5")
    })?;
    rule.ask(Step::Check(Box::new(Entropy {
        compared,
        bytes,
        offset,
    })));
    Ok(())
}

impl Check for Entropy {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        let Some(bytes) = walk
            .bytes
            .get(self.offset..)
            .filter(|rest| !rest.is_empty())
        else {
            return false;
        };
        let bytes = match self.bytes {
            0 => bytes,
            len => bytes.get(..len).unwrap_or(bytes),
        };
        let entropy = entropy_of(bytes);
        walk.entropy = Some(entropy);
        self.compared.holds(entropy)
    }

    fn reads(&self, len: usize) -> usize {
        len
    }
}

/// Shannon's entropy of bytes, in bits.
#[expect(
    clippy::cast_precision_loss,
    reason = "there are far fewer bytes than a float counts exactly"
)]
fn entropy_of(bytes: &[u8]) -> f64 {
    let mut counts = [0_usize; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count = count.saturating_add(1);
        }
    }
    let all = bytes.len() as f64;
    let shares = counts.iter().filter(|count| **count > 0);
    shares
        .map(|count| *count as f64 / all)
        .fold(0.0, |sum, share| sum - share * share.log2())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Compared> {
        Compared::read(Piece { text, at: 0 }).ok()
    }

    #[test]
    fn comparisons_are_read() {
        assert_eq!(read("> 4.5"), Some(Compared::Above(4.5)));
        assert_eq!(read("4"), Some(Compared::Is(4.0)));
        assert_eq!(read("!= 4"), Some(Compared::IsNot(4.0)));
        assert_eq!(read("3-5"), Some(Compared::Between(3.0, 5.0)));
        assert_eq!(read("!3<>5"), Some(Compared::Outside(3.0, 5.0)));
        assert_eq!(read("> -1"), Some(Compared::Above(-1.0)));
        assert_eq!(read("== 4"), None);
        assert_eq!(read("> nan"), None);
    }

    #[test]
    fn order_is_measured() {
        assert!(Compared::Is(0.0).holds(entropy_of(b"aaaa")));
        assert!(Compared::Is(1.0).holds(entropy_of(b"abab")));
        let all: Vec<u8> = (0..=255).collect();
        assert!(Compared::Is(8.0).holds(entropy_of(&all)));
    }
}
