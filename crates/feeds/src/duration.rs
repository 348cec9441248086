//! Durations as programs in Go write them.

use std::time::Duration;

/// `3h59m48.5s`; `None` for a text that is none, a zero duration for a negative one.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at_checked(digits)?;
        let letters = behind
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(behind.len());
        let (unit, next) = behind.split_at_checked(letters)?;
        let unit_s = match unit {
            "d" => 86_400.0,
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        let number: f64 = number.parse().ok()?;
        total = total.checked_add(Duration::try_from_secs_f64(number * unit_s).ok()?)?;
        rest = next;
    }
    Some(if negative { Duration::ZERO } else { total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_sums_of_numbers_with_units() {
        assert_eq!(parse("3h59m48.5s"), Some(Duration::from_millis(14_388_500)));
        assert_eq!(parse("4h"), Some(Duration::from_secs(14_400)));
        assert_eq!(parse("1m0.25s"), Some(Duration::from_millis(60_250)));
        assert_eq!(parse("-5s"), Some(Duration::ZERO));
        for bad in [
            "",
            "-",
            "5",
            "h",
            "5x",
            "1e9h",
            ".h",
            "999999999999999999999999h",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
