//! `beacon@1`: how regular the contacts of one host with one service of another are.
//!
//! The statistics are those of RITA (activecm/rita): Bowley's skewness, and the median absolute
//! deviation, of the gaps between contacts and of the bytes sent. Both rest on quartiles, so that
//! missed beats, a night without any, and a few commands in between change little.

use std::sync::LazyLock;

use crate::{Column, Extractor, Samples, Subject, Unfit, text::count};

/// The extractor.
pub(super) struct Beacon;

/// Most contacts that are kept, the latest ones.
pub const CONTACTS_MAX: usize = 64;

/// Contacts that begin within this of each other are one, milliseconds: a page, not a beat.
const TOGETHER_MS: u64 = 1_000;

const NAMED: [(&str, &str); 9] = [
    (
        "contacts",
        "count of contacts, those within a second as one",
    ),
    ("seconds", "from the first to the last, seconds"),
    ("gap_median", "median gap, seconds"),
    (
        "gap_deviation",
        "median absolute deviation of the gaps by their median",
    ),
    ("gap_skew", "Bowley skewness of the gaps, -1 to 1"),
    (
        "gap_covered",
        "median gap x gaps by the whole time: 1 where none is much longer",
    ),
    ("size_median", "median of the bytes that the client sent"),
    (
        "size_deviation",
        "median absolute deviation of these bytes by their median",
    ),
    ("size_skew", "Bowley skewness of these bytes, -1 to 1"),
];

static COLUMNS: LazyLock<Vec<Column>> = LazyLock::new(|| {
    let named = |(name, meaning): &(&'static str, &'static str)| Column { name, meaning };
    NAMED.iter().map(named).collect()
});

/// Contacts of a host with a service, in the order of their time, in bounded memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contacts {
    /// Milliseconds since the Unix epoch, and bytes from client to server.
    all: Vec<(u64, u32)>,
}

impl Contacts {
    /// Takes a contact that began at `ts_ns` into account, whenever it is told; the oldest is
    /// forgotten where there are [`CONTACTS_MAX`]. False when it is one with the contact before it.
    pub fn add(&mut self, ts_ns: u64, bytes: u64) -> bool {
        let (at, bytes) = (ts_ns / 1_000_000, u32::try_from(bytes).unwrap_or(u32::MAX));
        let place = self.all.partition_point(|(before, _)| *before <= at);
        let before = place.checked_sub(1).and_then(|one| self.all.get_mut(one));
        if let Some((start, sum)) = before
            && at.saturating_sub(*start) < TOGETHER_MS
        {
            *sum = sum.saturating_add(bytes);
            return false;
        }
        self.all.insert(place, (at, bytes));
        if self.all.len() > CONTACTS_MAX {
            self.all.remove(0);
        }
        true
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Nanoseconds from the first to the last.
    #[must_use]
    pub fn span_ns(&self) -> u64 {
        let first = self.all.first().map_or(0, |(at, _)| *at);
        let last = self.all.last().map_or(0, |(at, _)| *at);
        last.saturating_sub(first).saturating_mul(1_000_000)
    }

    /// The numbers of their row, in the order of the extractor's columns.
    #[must_use]
    pub fn numbers(&self) -> [f32; NAMED.len()] {
        let gaps = self.all.windows(2).filter_map(|pair| match pair {
            [(one, _), (other, _)] => Some(thousandth(other.saturating_sub(*one))),
            _ => None,
        });
        let gaps = Quartiles::of(gaps.collect());
        let sizes = self.all.iter().map(|(_, bytes)| number(u64::from(*bytes)));
        let sizes = Quartiles::of(sizes.collect());
        let seconds = thousandth(self.span_ns() / 1_000_000);
        let beats = count(self.all.len().saturating_sub(1));
        let covered = match seconds > 0.0 {
            true => (gaps.median * beats / seconds).min(1.0),
            false => 0.0,
        };
        [
            count(self.all.len()),
            seconds,
            gaps.median,
            gaps.deviation,
            gaps.skew,
            covered,
            sizes.median,
            sizes.deviation,
            sizes.skew,
        ]
    }
}

/// What quartiles say of numbers.
#[derive(Debug, Default)]
struct Quartiles {
    median: f32,
    /// Median absolute deviation by the median.
    deviation: f32,
    /// (Q1 + Q3 - 2 Q2) / (Q3 - Q1), after Bowley; 0 where the quartiles are the same.
    skew: f32,
}

impl Quartiles {
    fn of(mut numbers: Vec<f32>) -> Self {
        numbers.sort_unstable_by(f32::total_cmp);
        let [low, median, high] = [1, 2, 3].map(|quarter| at(&numbers, quarter));
        let mut away: Vec<f32> = numbers.iter().map(|one| (one - median).abs()).collect();
        away.sort_unstable_by(f32::total_cmp);
        let (width, apart) = (high - low, at(&away, 2));
        Self {
            median,
            deviation: if median > 0.0 {
                apart / median
            } else {
                apart.min(1.0)
            },
            skew: if width > 0.0 {
                (low + high - 2.0 * median) / width
            } else {
                0.0
            },
        }
    }
}

/// The number at so many quarters of sorted ones, between two of them where it falls there.
fn at(sorted: &[f32], quarter: usize) -> f32 {
    let end = sorted.len().saturating_sub(1).saturating_mul(quarter);
    let (place, rest) = (end / 4, end % 4);
    let low = sorted.get(place).copied().unwrap_or_default();
    let high = sorted.get(place.saturating_add(1)).copied().unwrap_or(low);
    low + (high - low) * count(rest) / 4.0
}

fn number(value: u64) -> f32 {
    value as f32
}

fn thousandth(ms: u64) -> f32 {
    number(ms) / 1000.0
}

impl Extractor for Beacon {
    fn name(&self) -> &'static str {
        "beacon@1"
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn ids_max(&self) -> usize {
        0
    }

    fn extract(&self, subject: &Subject<'_>, samples: &mut Samples) -> Result<(), Unfit> {
        let Subject::Contacts(contacts) = subject else {
            let (extractor, given) = (self.name(), subject.kind());
            return Err(Unfit {
                extractor,
                wants: "contacts of a host with a service",
                given,
            });
        };
        samples.push(b"contacts", b"", &contacts.numbers(), &[], 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    #[test]
    fn a_steady_beat_deviates_by_nothing() {
        let mut contacts = Contacts::default();
        for beat in 0..20 {
            contacts.add(beat * 60 * SECOND_NS, 200);
            contacts.add(beat * 60 * SECOND_NS + 5, 100);
        }
        let numbers = contacts.numbers();
        assert_eq!(
            numbers,
            [20.0, 1140.0, 60.0, 0.0, 0.0, 1.0, 300.0, 0.0, 0.0]
        );
    }

    #[test]
    fn the_order_in_which_contacts_are_told_changes_nothing() {
        let (mut forth, mut back) = (Contacts::default(), Contacts::default());
        for beat in 0..40 {
            forth.add(beat * beat * SECOND_NS, beat);
            back.add((39 - beat) * (39 - beat) * SECOND_NS, 39 - beat);
        }
        // the first two are a second apart
        assert_eq!(forth.numbers(), back.numbers());
        assert!(forth.numbers()[3] > 0.3);
    }

    #[test]
    fn a_night_and_missed_beats_change_little() {
        let mut contacts = Contacts::default();
        for beat in (0..30).filter(|beat| beat % 7 != 0) {
            let night = if beat > 15 { 50_000 } else { 0 };
            contacts.add((beat * 60 + night) * SECOND_NS, 200);
        }
        let [_, _, median, deviation, skew, ..] = contacts.numbers();
        assert_eq!((median, deviation, skew), (60.0, 0.0, 0.0));
    }

    #[test]
    fn the_oldest_go() {
        let mut contacts = Contacts::default();
        for beat in 0..1000 {
            contacts.add(beat * 60 * SECOND_NS, beat);
        }
        assert_eq!(contacts.len(), CONTACTS_MAX);
        assert_eq!(contacts.numbers()[1], 63.0 * 60.0);
    }
}
