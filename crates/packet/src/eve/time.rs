//! Time as EVE writes it: `2026-11-22T00:40:15.123456+0000`.

use std::fmt;

/// Nanoseconds since the Unix epoch, printed in UTC to the microsecond.
#[derive(Clone, Copy, Debug)]
pub struct Utc(
    /// Nanoseconds.
    pub u64,
);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0 / 1_000;
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let mut text = *b"0000-00-00T00:00:00.000000+0000";
        for (start, digits, number) in [
            (0, 4, year),
            (5, 2, month),
            (8, 2, day),
            (11, 2, hour),
            (14, 2, minute),
            (17, 2, second),
            (20, 6, micros),
        ] {
            write_digits(text.get_mut(start..).unwrap_or_default(), digits, number);
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// Writes the last digits of a number to the front of `text`.
fn write_digits(text: &mut [u8], digits: usize, mut number: u64) {
    for place in text.iter_mut().take(digits).rev() {
        *place = b"0123456789"
            .get(usize::try_from(number % 10).unwrap_or(0))
            .copied()
            .unwrap_or(b'0');
        number /= 10;
    }
}

/// Days since 1970-01-01 as year, month and day of the Gregorian calendar, by eras of 400 years
/// that begin on 1 March.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "64 bits of nanoseconds are 213,504 days: nothing here comes near a bound"
)]
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000000+0000"),
            (951_782_400, "2000-02-29T00:00:00.000000+0000"),
            (1_704_067_199, "2023-12-31T23:59:59.000000+0000"),
            (1_709_164_800, "2024-02-29T00:00:00.000000+0000"),
            (1_795_307_415, "2026-11-22T00:30:15.000000+0000"),
        ] {
            assert_eq!(Utc(seconds * 1_000_000_000).to_string(), text);
        }
        assert_eq!(
            Utc(1_999_999).to_string(),
            "1970-01-01T00:00:00.001999+0000"
        );
    }

    #[test]
    fn every_day_follows_the_day_before() {
        let mut last = civil(0);
        for days in 1..200_000 {
            let (year, month, day) = civil(days);
            let next_day = (last.0, last.1, last.2 + 1) == (year, month, day);
            let next_month = (last.0, last.1 + 1, 1) == (year, month, day) && last.2 >= 28;
            let next_year =
                (last.0 + 1, 1, 1) == (year, month, day) && (last.1, last.2) == (12, 31);
            assert!(
                next_day || next_month || next_year,
                "{last:?} {year}-{month}-{day}"
            );
            last = (year, month, day);
        }
    }
}
