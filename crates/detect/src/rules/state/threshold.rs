//! `threshold` and `detection_filter`: how often a rule may alert, or has to match before it does.

use super::option::{Field, OptionError};

/// A rule's threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// What is done with the count.
    pub kind: Kind,
    /// Over what is counted.
    pub track: Track,
    /// How many matches.
    pub count: u32,
    /// In how many seconds: a window starts with a match and lasts this long, its end included.
    pub seconds: u32,
}

/// What is done with the count of matches in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Alerts the first `count` times.
    Limit,
    /// Alerts every `count` times.
    Threshold,
    /// Alerts once, at `count`.
    Both,
    /// Alerts at `count`, then at `multiplier` times as many as the last time. Has no window.
    Backoff {
        /// At least 2.
        multiplier: u32,
    },
    /// Alerts after the first `count` times.
    DetectionFilter,
    /// `rate_filter`: after the first `count` times, another action for `timeout_s` seconds.
    Rate {
        /// What the rule does then.
        action: NewAction,
        /// For how long, seconds.
        timeout_s: u32,
    },
}

/// What a rule does while its rate is exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NewAction {
    /// Alerts, and lets the packet through.
    Alert,
    /// Drops the packet, with an alert.
    Drop,
    /// Lets the packet through, without an alert.
    Pass,
    /// Drops the packet and refuses the connection, with an alert.
    Reject,
}

/// Over what matches are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Track {
    /// The sender of the packet.
    Source,
    /// The receiver of the packet.
    Destination,
    /// Both, whichever of the two sends.
    Both,
    /// All packets.
    Rule,
    /// The flow.
    Flow,
}

/// Reads the value of a `threshold` option:
/// `type limit, track by_src, count 1, seconds 60`, in any order.
///
/// # Errors
/// A part that is unknown, missing, there twice, or no number of 32 bits; `backoff` with `seconds`,
/// with another `track` than `by_flow`, or with `count` and `multiplier` out of range.
pub fn parse(value: &str) -> Result<Threshold, OptionError> {
    let value = Field::new(0, value);
    let mut parts = Parts::default();
    for field in value.split(',') {
        parts.take(field, true)?;
    }
    parts.threshold(value)
}

/// Reads the value of a `detection_filter` option: `track by_src, count 1, seconds 60`.
///
/// # Errors
/// A part that is unknown, missing, there twice, 0, or no number of 32 bits; another `track` than
/// `by_src`, `by_dst` and `by_flow`.
pub fn parse_detection_filter(value: &str) -> Result<Threshold, OptionError> {
    let value = Field::new(0, value);
    let mut parts = Parts::default();
    for field in value.split(',') {
        parts.take(field, false)?;
    }
    let (at, track) = parts.track(value)?;
    if matches!(track, Track::Both | Track::Rule) {
        return Err(at.error("by_src, by_dst or by_flow is expected"));
    }
    let (count, seconds) = (parts.count(value)?, parts.seconds(value)?);
    for (at, number) in [count, seconds] {
        if number == 0 {
            return Err(at.error("at least 1 is expected"));
        }
    }
    Ok(Threshold {
        kind: Kind::DetectionFilter,
        track,
        count: count.1,
        seconds: seconds.1,
    })
}

/// The parts of a value, and where they stand.
#[derive(Debug, Default)]
pub(super) struct Parts<'a> {
    kind: Option<(Field<'a>, &'a str)>,
    track: Option<(Field<'a>, Track)>,
    count: Option<(Field<'a>, u32)>,
    seconds: Option<(Field<'a>, u32)>,
    multiplier: Option<(Field<'a>, u32)>,
    timeout: Option<(Field<'a>, u32)>,
}

impl<'a> Parts<'a> {
    /// Takes a part. An empty one, as behind a comma at the end, is none.
    pub(super) fn take(&mut self, field: Field<'a>, with_type: bool) -> Result<(), OptionError> {
        let (key, value) = field.word();
        let again = match key.text {
            "" => false,
            "type" if with_type => self.kind.replace((value, value.text)).is_some(),
            "track" => self.track.replace((value, track_of(value)?)).is_some(),
            "count" => self.count.replace((value, value.number()?)).is_some(),
            "seconds" => self.seconds.replace((value, value.number()?)).is_some(),
            "timeout" => self.timeout.replace((value, value.number()?)).is_some(),
            "multiplier" if with_type => {
                self.multiplier.replace((value, value.number()?)).is_some()
            }
            other => return Err(key.error(format!("{other:?} is no part of a threshold"))),
        };
        match again {
            true => Err(key.error(format!("{} is there twice", key.text))),
            false => Ok(()),
        }
    }

    /// The threshold that the parts make. `value` is where they come from.
    pub(super) fn threshold(&self, value: Field<'_>) -> Result<Threshold, OptionError> {
        let (at, kind) = self.kind.ok_or_else(|| missing(value, "type"))?;
        let kind = match kind {
            "limit" => Kind::Limit,
            "threshold" => Kind::Threshold,
            "both" => Kind::Both,
            "backoff" => return self.backoff(value, at),
            _ => return Err(at.error("limit, threshold, both or backoff is expected")),
        };
        Ok(Threshold {
            kind,
            track: self.track(value)?.1,
            count: self.count(value)?.1,
            seconds: self.seconds(value)?.1,
        })
    }

    /// The rate filter that the parts make.
    pub(super) fn rate(
        &self,
        value: Field<'_>,
        action: NewAction,
    ) -> Result<Threshold, OptionError> {
        let timeout = self.timeout.ok_or_else(|| missing(value, "timeout"))?;
        let (count_at, count) = self.count(value)?;
        if count == 0 {
            return Err(count_at.error("at least 1 is expected"));
        }
        Ok(Threshold {
            kind: Kind::Rate {
                action,
                timeout_s: timeout.1,
            },
            track: self.track(value)?.1,
            count,
            seconds: self.seconds(value)?.1,
        })
    }

    fn track(&self, value: Field<'_>) -> Result<(Field<'a>, Track), OptionError> {
        self.track.ok_or_else(|| missing(value, "track"))
    }

    fn count(&self, value: Field<'_>) -> Result<(Field<'a>, u32), OptionError> {
        self.count.ok_or_else(|| missing(value, "count"))
    }

    fn seconds(&self, value: Field<'_>) -> Result<(Field<'a>, u32), OptionError> {
        self.seconds.ok_or_else(|| missing(value, "seconds"))
    }

    fn backoff(&self, value: Field<'_>, at: Field<'_>) -> Result<Threshold, OptionError> {
        let multiplier = self
            .multiplier
            .ok_or_else(|| missing(value, "multiplier"))?;
        let (track_at, track) = self.track(value)?;
        if track != Track::Flow {
            return Err(track_at.error("backoff counts only by_flow"));
        }
        if self.seconds.is_some() {
            return Err(at.error("backoff takes no seconds"));
        }
        let (count_at, count) = self.count(value)?;
        if !(1..=u32::from(u16::MAX)).contains(&count) {
            return Err(count_at.error("1 to 65535 is expected"));
        }
        if !(2..=u32::from(u16::MAX)).contains(&multiplier.1) {
            return Err(multiplier.0.error("2 to 65535 is expected"));
        }
        Ok(Threshold {
            kind: Kind::Backoff {
                multiplier: multiplier.1,
            },
            track,
            count,
            seconds: 0,
        })
    }
}

fn track_of(field: Field<'_>) -> Result<Track, OptionError> {
    Ok(match field.text {
        "by_src" => Track::Source,
        "by_dst" => Track::Destination,
        "by_both" => Track::Both,
        "by_rule" => Track::Rule,
        "by_flow" => Track::Flow,
        _ => return Err(field.error("by_src, by_dst, by_both, by_rule or by_flow is expected")),
    })
}

fn missing(value: Field<'_>, part: &str) -> OptionError {
    let end = value.at.saturating_add(value.text.len());
    OptionError::new(end, format!("'{part}' is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_any_order() {
        let expected = Threshold {
            kind: Kind::Limit,
            track: Track::Source,
            count: 5,
            seconds: 60,
        };
        for value in [
            "type limit, track by_src, count 5, seconds 60",
            "type limit,track by_src,count 5,seconds 60",
            "seconds 60, count 5, track by_src, type limit",
            " type  limit , track  by_src , count  5 , seconds  60 ",
            "type limit, track by_src, count 5, seconds 60, multiplier 3",
            "type limit, track by_src, count 5, seconds 60,",
        ] {
            assert_eq!(parse(value), Ok(expected), "{value}");
        }
        let backoff = parse("type backoff, track by_flow, count 1, multiplier 10").unwrap();
        assert_eq!(backoff.kind, Kind::Backoff { multiplier: 10 });
        let filter = parse_detection_filter("count 3, seconds 4, track by_dst").unwrap();
        let expected = Threshold {
            kind: Kind::DetectionFilter,
            track: Track::Destination,
            count: 3,
            seconds: 4,
        };
        assert_eq!(filter, expected);
    }

    #[test]
    fn refused_with_the_place() {
        for (value, at) in [
            ("type limit, track by_src, count 1", 33),
            ("type limit, track by_src, seconds 1", 35),
            ("type limit, count 1, seconds 1", 30),
            ("track by_src, count 1, seconds 1", 32),
            ("type LIMIT, track by_src, count 1, seconds 1", 5),
            ("type limit, track by_src, count 4294967296, seconds 1", 32),
            ("type limit, track by_src, count -1, seconds 1", 32),
            ("type limit, track by_src, count 0x10, seconds 1", 32),
            ("type limit, track by_either, count 1, seconds 1", 18),
            ("type limit track by_src count 1 seconds 1", 5),
            ("type limit, track by_src, count 1, seconds 60, count 2", 47),
            // Suricata reads this as one second.
            ("type limit, track by_src, count 1, seconds 1m", 43),
            ("type backoff, track by_src, count 1, multiplier 2", 20),
            ("type backoff, track by_flow, count 1, seconds 60", 48),
            ("type backoff, track by_flow, count 0, multiplier 2", 35),
            ("type backoff, track by_flow, count 1, multiplier 1", 49),
            ("", 0),
        ] {
            assert_eq!(parse(value).unwrap_err().at, at, "{value}");
        }
        for (value, at) in [
            ("track by_both, count 1, seconds 60", 6),
            ("track by_rule, count 1, seconds 60", 6),
            ("track by_src, count 0, seconds 60", 20),
            ("track by_src, count 1, seconds 0", 31),
            ("type limit, track by_src, count 1, seconds 60", 0),
        ] {
            assert_eq!(parse_detection_filter(value).unwrap_err().at, at, "{value}");
        }
    }
}
