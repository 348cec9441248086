//! Timestamps: RFC 3339 in UTC (STIX 2.1 section 2.16), at microseconds.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds since 1970-01-01T00:00:00Z, within the years 0000 to 9999.
///
/// STIX requires milliseconds and allows more; what is finer than a microsecond is cut off on
/// reading. Written with three digits of fraction when that is exact, else with six.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// 0000-01-01T00:00:00Z, the earliest that RFC 3339 can write.
    pub const MIN: Self = Self(-62_167_219_200_000_000);
    /// 9999-12-31T23:59:59.999999Z, the latest that RFC 3339 can write.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// Reads `YYYY-MM-DDThh:mm:ss[.fraction]Z`: capital `T` and `Z`, no other offset, a date
    /// that exists (STIX 2.1 section 2.16, RFC 3339 section 5.6). A leap second (`23:59:60`) counts
    /// as the second before it.
    ///
    /// # Errors
    /// [`TimeError`], when the text is anything else.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let text = text.strip_suffix('Z').ok_or(TimeError::NotUtc)?;
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (text, None),
        };
        let micros = fraction.map_or(Ok(0), fraction_micros)?;
        let seconds = civil(whole)?;
        Ok(Self::from_micros(
            seconds
                .saturating_mul(MICROS_PER_SECOND)
                .saturating_add(micros),
        ))
    }

    /// From microseconds since the epoch; outside the years 0000 to 9999 the nearest of
    /// [`Self::MIN`] and [`Self::MAX`].
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        if micros < Self::MIN.0 {
            Self::MIN
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Self(micros)
        }
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This much later; [`Self::MAX`] where that would be beyond it. Below a microsecond is cut.
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        let micros = i64::try_from(later.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// This much earlier; [`Self::MIN`] where that would be beyond it. Below a microsecond is cut.
    #[must_use]
    pub fn minus(self, earlier: Duration) -> Self {
        let micros = i64::try_from(earlier.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_sub(micros))
    }

    /// How much later this is than `earlier`; zero when it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// With six digits of fraction always, as TAXII 2.1 wants them.
    #[must_use]
    pub fn fmt_micros(self) -> String {
        let (date, micros) = self.split();
        format!("{date}.{micros:06}Z")
    }

    /// The civil date and time to the second, and the microseconds within the second.
    fn split(self) -> (DateTime, i64) {
        let seconds = self.0.div_euclid(MICROS_PER_SECOND);
        let micros = self.0.rem_euclid(MICROS_PER_SECOND);
        (
            CIVIL_EPOCH.saturating_add(SignedDuration::from_secs(seconds)),
            micros,
        )
    }
}

/// Civil arithmetic, because `jiff::Timestamp` ends a day before the year 9999 does.
const CIVIL_EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_MILLI: i64 = 1_000;

/// Why a text is not a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The text does not end in a capital `Z`.
    #[error("a timestamp ends in 'Z': it is in UTC")]
    NotUtc,
    /// The text is not of the form `YYYY-MM-DDThh:mm:ss.fractionZ`.
    #[error("not of the form YYYY-MM-DDThh:mm:ss.sssZ")]
    Form,
    /// The form is right, but there is no such day or time of day.
    #[error("there is no such date or time of day")]
    NoSuchTime,
}

/// Seconds since the epoch of `YYYY-MM-DDThh:mm:ss`.
fn civil(text: &str) -> Result<i64, TimeError> {
    let &[
        y1,
        y2,
        y3,
        y4,
        b'-',
        m1,
        m2,
        b'-',
        d1,
        d2,
        b'T',
        h1,
        h2,
        b':',
        n1,
        n2,
        b':',
        s1,
        s2,
    ] = text.as_bytes()
    else {
        return Err(TimeError::Form);
    };
    let two = |a: u8, b: u8| -> Result<i8, TimeError> {
        Ok(digit(a)?.saturating_mul(10).saturating_add(digit(b)?))
    };
    let (century, rest) = (two(y1, y2)?, two(y3, y4)?);
    let year = i16::from(century)
        .saturating_mul(100)
        .saturating_add(rest.into());
    let (month, day) = (two(m1, m2)?, two(d1, d2)?);
    let (hour, minute, second) = match (two(h1, h2)?, two(n1, n2)?, two(s1, s2)?) {
        (23, 59, 60) => (23, 59, 59),
        time => time,
    };
    DateTime::new(year, month, day, hour, minute, second, 0)
        .map(|date| date.duration_since(CIVIL_EPOCH).as_secs())
        .map_err(|_| TimeError::NoSuchTime)
}

fn fraction_micros(text: &str) -> Result<i64, TimeError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(TimeError::Form);
    }
    let digits = text.bytes().chain(std::iter::repeat(b'0')).take(6);
    digits.map(digit).try_fold(0_i64, |sum, digit| {
        Ok(sum.saturating_mul(10).saturating_add(digit?.into()))
    })
}

fn digit(byte: u8) -> Result<i8, TimeError> {
    match byte {
        b'0'..=b'9' => i8::try_from(byte.wrapping_sub(b'0')).map_err(|_| TimeError::Form),
        _ => Err(TimeError::Form),
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, micros) = self.split();
        match micros.rem_euclid(MICROS_PER_MILLI) {
            0 => write!(f, "{date}.{:03}Z", micros.div_euclid(MICROS_PER_MILLI)),
            _ => write!(f, "{date}.{micros:06}Z"),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        Self::parse(text)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn legal_texts_are_read_and_written() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00.000Z"),
            (
                "2016-01-20T12:31:12.12345Z",
                1_453_293_072_123_450,
                "2016-01-20T12:31:12.123450Z",
            ),
            (
                "2016-01-20T12:31:12.1Z",
                1_453_293_072_100_000,
                "2016-01-20T12:31:12.100Z",
            ),
            (
                "1969-12-31T23:59:59.999999999Z",
                -1,
                "1969-12-31T23:59:59.999999Z",
            ),
            (
                "2016-12-31T23:59:60Z",
                1_483_228_799_000_000,
                "2016-12-31T23:59:59.000Z",
            ),
            (
                "0000-01-01T00:00:00Z",
                Timestamp::MIN.0,
                "0000-01-01T00:00:00.000Z",
            ),
            (
                "9999-12-31T23:59:59.999999Z",
                Timestamp::MAX.0,
                "9999-12-31T23:59:59.999999Z",
            ),
        ];
        for (text, micros, written) in cases {
            let time = Timestamp::parse(text).unwrap();
            assert_eq!(time.as_micros(), micros, "{text}");
            assert_eq!(time.to_string(), written);
        }
    }

    #[test]
    fn what_is_not_a_timestamp_is_refused_with_the_reason() {
        let cases = [
            ("2016-01-20T12:31:12", TimeError::NotUtc),
            ("2016-01-20T12:31:12+00:00", TimeError::NotUtc),
            ("2016-01-20T12:31:12z", TimeError::NotUtc),
            ("2016-01-20t12:31:12Z", TimeError::Form),
            ("2016-01-20 12:31:12Z", TimeError::Form),
            ("2016-01-20T12:31:12.Z", TimeError::Form),
            ("2016-01-20T12:31:12.1-Z", TimeError::Form),
            ("2016-01-20T12:31Z", TimeError::Form),
            ("2016-1-20T12:31:12Z", TimeError::Form),
            ("+016-01-20T12:31:12Z", TimeError::Form),
            ("2016-02-30T12:31:12Z", TimeError::NoSuchTime),
            ("2015-02-29T12:31:12Z", TimeError::NoSuchTime),
            ("2016-13-01T12:31:12Z", TimeError::NoSuchTime),
            ("2016-01-20T24:00:00Z", TimeError::NoSuchTime),
            ("2016-01-20T23:59:61Z", TimeError::NoSuchTime),
            ("2016-01-20T12:31:60Z", TimeError::NoSuchTime),
        ];
        for (text, why) in cases {
            assert_eq!(Timestamp::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn taxii_gets_six_digits() {
        let time = Timestamp::parse("2016-01-20T12:31:12Z").unwrap();
        assert_eq!(time.fmt_micros(), "2016-01-20T12:31:12.000000Z");
    }

    #[test]
    fn arithmetic_stays_within_the_calendar() {
        assert_eq!(Timestamp::MAX.plus(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.minus(Duration::MAX), Timestamp::MIN);
        assert_eq!(Timestamp::EPOCH.since(Timestamp::MAX), Duration::ZERO);
        assert_eq!(Timestamp::from_micros(i64::MIN), Timestamp::MIN);
        let later = Timestamp::EPOCH.plus(Duration::from_secs(60));
        assert_eq!(later.since(Timestamp::EPOCH), Duration::from_secs(60));
    }

    proptest! {
        #[test]
        fn reading_what_was_written_gives_the_same(micros: i64) {
            let time = Timestamp::from_micros(micros);
            prop_assert_eq!(Timestamp::parse(&time.to_string()).unwrap(), time);
            prop_assert_eq!(Timestamp::parse(&time.fmt_micros()).unwrap(), time);
        }

        #[test]
        fn written_texts_sort_as_the_times_do(a: i64, b: i64) {
            let (a, b) = (Timestamp::from_micros(a), Timestamp::from_micros(b));
            prop_assert_eq!(a.cmp(&b), a.fmt_micros().cmp(&b.fmt_micros()));
        }

        #[test]
        fn no_text_panics(text in "[0-9TZ:.\\-]{0,30}|\\PC*") {
            if let Ok(time) = Timestamp::parse(&text) {
                prop_assert!((Timestamp::MIN..=Timestamp::MAX).contains(&time));
            }
        }
    }
}
