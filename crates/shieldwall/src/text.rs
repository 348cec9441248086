//! Writing to the terminal. A reader that went away (`| head`) ends us quietly.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// One line on standard output.
pub(crate) fn say(line: impl Display) {
    let mut out = io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        #[expect(
            clippy::exit,
            reason = "nobody reads: there is nothing left to do for this command"
        )]
        std::process::exit(0);
    }
}

/// One line on standard error; if that is gone, nobody can be told.
pub(crate) fn complain(line: impl Display) {
    drop(writeln!(io::stderr().lock(), "{line}"));
}

/// A duration as people type it: `30s`, `15m`, `1h`, `7d`. In seconds.
pub(crate) fn seconds(typed: &str) -> Option<u64> {
    let unit = match typed.chars().next_back()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let number: u64 = typed.get(..typed.len().checked_sub(1)?)?.parse().ok()?;
    number.checked_mul(unit).filter(|s| *s > 0)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(seconds("30s"), Some(30));
        assert_eq!(seconds("2h"), Some(7200));
        for bad in ["", "s", "30", "0s", "-1s", "1w", "1.5h", "ßs"] {
            assert_eq!(seconds(bad), None, "{bad:?}");
        }
    }
}
