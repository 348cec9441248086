//! Constants as values (STIX 2.1 section 9.3).

use std::cmp::Ordering;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::error::Refusal;
use super::lexer::Constant;
use super::tree::Operand;
use crate::Timestamp;

/// The value of a constant.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Number(Number),
    Text(Box<str>),
    Truth(bool),
    /// Of a binary or a hexadecimal constant.
    Bytes(Box<[u8]>),
    Time(Moment),
}

/// A number, exact while it is whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Whole(i128),
    Real(f64),
}

/// Nanoseconds since 1970-01-01T00:00:00Z; what is finer is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Moment(pub(super) i128);

pub(super) const NANOS_PER_SECOND: i128 = 1_000_000_000;
const NANOS_PER_MICRO: i128 = 1_000;

/// Which constants a set may hold together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Number,
    Text,
    Truth,
    Bytes,
    Time,
}

impl Literal {
    /// The value of a constant; refused is a time that does not exist.
    pub(super) fn of(operand: &Operand<'_>) -> Result<Self, Refusal> {
        let text = &*operand.value;
        let quoted = || text.get(2..text.len().saturating_sub(1)).unwrap_or("");
        Ok(match operand.constant {
            Constant::Text => Self::Text(text.into()),
            Constant::Boolean => Self::Truth(text == "true"),
            Constant::Integer | Constant::Float => Self::Number(Number::of_text(text)),
            Constant::Hex => Self::Bytes(hex(quoted()).unwrap_or_default()),
            Constant::Binary => Self::Bytes(base64(quoted()).unwrap_or_default()),
            Constant::Time => Self::Time(moment(operand.at, quoted())?),
        })
    }

    pub(super) const fn class(&self) -> Class {
        match self {
            Self::Number(_) => Class::Number,
            Self::Text(_) => Class::Text,
            Self::Truth(_) => Class::Truth,
            Self::Bytes(_) => Class::Bytes,
            Self::Time(_) => Class::Time,
        }
    }
}

/// The moment that a timestamp in a pattern names.
pub(super) fn moment(at: usize, text: &str) -> Result<Moment, Refusal> {
    Moment::parse(text).ok_or_else(|| {
        let what = format!("there is no time {text}");
        Refusal::value(at, what, "name a day that exists")
    })
}

impl Number {
    pub(super) fn of_text(text: &str) -> Self {
        let unsigned = text.strip_prefix('+').unwrap_or(text);
        unsigned
            .parse()
            .map(Self::Whole)
            .or_else(|_| unsigned.parse().map(Self::Real))
            .unwrap_or(Self::Whole(0))
    }

    /// A number of a JSON document.
    pub(super) fn of_json(number: &serde_json::Number) -> Self {
        match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Self::Whole(whole.into()),
            (None, Some(whole)) => Self::Whole(whole.into()),
            (None, None) => Self::Real(number.as_f64().unwrap_or(f64::NAN)),
        }
    }

    /// The order of two numbers by value; none with what is no number.
    pub(super) fn order(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(left), Self::Whole(right)) => Some(left.cmp(&right)),
            (Self::Real(left), Self::Real(right)) => left.partial_cmp(&right),
            (Self::Whole(left), Self::Real(right)) => order(left, right),
            (Self::Real(left), Self::Whole(right)) => order(right, left).map(Ordering::reverse),
        }
    }
}

/// The order of a whole and a real number, without rounding the whole one.
fn order(whole: i128, real: f64) -> Option<Ordering> {
    /// 2 to the power of 127: what a whole number stays below.
    const BEYOND: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;
    if real.is_nan() {
        return None;
    }
    if real >= BEYOND {
        return Some(Ordering::Less);
    }
    if real < -BEYOND {
        return Some(Ordering::Greater);
    }
    let floor = real.floor();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is whole, and within the range of the type"
    )]
    let by_whole = whole.cmp(&(floor as i128));
    Some(match floor < real {
        true => by_whole.then(Ordering::Less),
        false => by_whole,
    })
}

impl Moment {
    /// Reads a timestamp as [`Timestamp::parse`] does, to the nanosecond.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let micros = Timestamp::parse(text).ok()?.as_micros();
        let nanos = i128::from(micros).saturating_mul(NANOS_PER_MICRO);
        let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
        let finer = fraction.bytes().skip(6).chain(std::iter::repeat(b'0'));
        let finer = finer.take(3).fold(0_i128, |sum, digit| {
            let digit = if digit.is_ascii_digit() { digit } else { b'0' };
            let digit = digit.saturating_sub(b'0');
            sum.saturating_mul(10).saturating_add(digit.into())
        });
        Some(Self(nanos.saturating_add(finer)))
    }
}

/// A number of seconds as written after `WITHIN`, in nanoseconds; what is finer is cut off, and
/// what is longer than time is cut to that.
pub(super) fn nanos(seconds: &str) -> i128 {
    let seconds = seconds.strip_prefix('+').unwrap_or(seconds);
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let digits = fraction.chars().chain(std::iter::repeat('0')).take(9);
    let digits: String = whole.chars().chain(digits).collect();
    digits.parse().unwrap_or(i128::MAX)
}

/// Bytes in base64, padded; the bits of the last digit that say nothing are not looked at.
pub(super) fn base64(text: &str) -> Option<Box<[u8]>> {
    const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
    const ENGINE: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
    ENGINE.decode(text).ok().map(Vec::into_boxed_slice)
}

/// Bytes in hexadecimal.
pub(super) fn hex(text: &str) -> Option<Box<[u8]>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let pairs = text.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| {
        let (high, low) = (digit(*pair.first()?)?, digit(*pair.get(1)?)?);
        Some(high << 4 | low)
    };
    pairs.map(byte).collect()
}

/// Text as bytes where each character is one, as text and bytes are compared; nothing for text
/// with a character above U+00FF.
pub(super) fn latin(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(c).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_by_value_and_without_rounding() {
        let cases = [
            ("5", "5.0", Ordering::Equal),
            ("-0", "0.0", Ordering::Equal),
            ("9007199254740993", "9007199254740992.0", Ordering::Greater),
            ("-3", "-2.5", Ordering::Less),
            ("-2", "-2.5", Ordering::Greater),
            ("2", "2.5", Ordering::Less),
            (
                "99999999999999999999999999999999999999999999",
                "1",
                Ordering::Greater,
            ),
            ("+.5", "0.5", Ordering::Equal),
        ];
        for (left, right, want) in cases {
            let (left, right) = (Number::of_text(left), Number::of_text(right));
            assert_eq!(left.order(right), Some(want), "{left:?} {right:?}");
            assert_eq!(
                right.order(left),
                Some(want.reverse()),
                "{left:?} {right:?}"
            );
        }
    }

    #[test]
    fn moments_go_to_the_nanosecond() {
        let nanos = |text| Moment::parse(text).unwrap().0;
        let whole = nanos("1970-01-01T00:00:01Z");
        assert_eq!(whole, NANOS_PER_SECOND);
        assert_eq!(
            nanos("1970-01-01T00:00:01.123456789999Z"),
            whole + 123_456_789
        );
        assert_eq!(nanos("1970-01-01T00:00:01.5Z"), whole + 500_000_000);
        assert_eq!(nanos("1970-01-01T00:00:01.12345678Z"), whole + 123_456_780);
        assert_eq!(Moment::parse("2024-02-30T00:00:00Z"), None);
    }

    #[test]
    fn seconds_are_read_as_written() {
        for (text, want) in [
            ("1", NANOS_PER_SECOND),
            ("+.0001", 100_000),
            ("4.9999", 4_999_900_000),
            ("0.0", 0),
            ("99999999999999999999999999999999999999999", i128::MAX),
        ] {
            assert_eq!(nanos(text), want, "{text}");
        }
    }

    #[test]
    fn bytes_are_read_from_both_alphabets() {
        assert_eq!(hex("0aF1").as_deref(), Some(&[0x0a, 0xf1][..]));
        assert_eq!((hex("0"), hex("0g")), (None, None));
        assert_eq!(base64("YWxpY2U=").as_deref(), Some(&b"alice"[..]));
        assert_eq!(base64("YR==").as_deref(), Some(&b"a"[..]));
        assert_eq!((base64("YQ"), base64("!!!!")), (None, None));
        assert_eq!((latin("é"), latin("ă")), (Some(vec![0xe9]), None));
    }
}
