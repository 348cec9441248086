//! `dns-window@1`: what one client asked of the names below one base, within a window.
//!
//! A tunnel has to carry its bytes in names that were not asked for before, since an answer from a
//! cache never reaches its server. What the distinct names of a window can carry is therefore what
//! the window is about; query types and rates, by which captures of one place are told apart and
//! those of another are not, are left out.

use std::{hash::BuildHasher, sync::LazyLock};

use crate::{
    Column, Extractor, Samples, Subject, Unfit,
    text::{count, entropy},
};

/// The extractor.
pub(super) struct Window;

/// Most queries of a window: the next one opens another.
pub const WINDOW_QUERIES_MAX: usize = 64;

/// Bytes that an identifier of a window's names has at most; longer ones are cut.
const NAME_MAX: usize = 255;

const NAMED: [(&str, &str); 9] = [
    ("queries", "count of queries in the window"),
    ("seconds", "from its first query to its last, seconds"),
    (
        "distinct",
        "share of queries for a name not asked before in it",
    ),
    (
        "length_mean",
        "mean length of its distinct names, bytes below the base",
    ),
    ("length_max", "longest of its names, bytes below the base"),
    ("labels_mean", "mean count of labels below the base"),
    (
        "entropy_mean",
        "mean Shannon entropy of its distinct names, bits per byte",
    ),
    (
        "name_bytes",
        "mean of length x entropy / 8 over its distinct names: bytes that one carries",
    ),
    (
        "upstream_bytes",
        "the same, summed over its distinct names: bytes that the window carries",
    ),
];

static COLUMNS: LazyLock<Vec<Column>> = LazyLock::new(|| {
    let named = |(name, meaning): &(&'static str, &'static str)| Column { name, meaning };
    NAMED.iter().map(named).collect()
});

/// Queries of one client below one base; grows by them, in bounded memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DnsWindow {
    first_ns: u64,
    last_ns: u64,
    queries: usize,
    /// Hashes of the distinct names.
    names: Vec<u32>,
    bytes: usize,
    longest: usize,
    labels: usize,
    entropy: f32,
    carried: f32,
}

impl DnsWindow {
    /// Takes a query at `ts_ns` for `below`, what stands left of the base, into account. False when
    /// the window is full and takes no more.
    pub fn add(&mut self, ts_ns: u64, below: &[u8], hasher: &impl BuildHasher) -> bool {
        if self.queries >= WINDOW_QUERIES_MAX {
            return false;
        }
        if self.queries == 0 {
            (self.first_ns, self.last_ns) = (ts_ns, ts_ns);
        }
        self.queries = self.queries.saturating_add(1);
        self.last_ns = self.last_ns.max(ts_ns);
        let below = below.get(..NAME_MAX).unwrap_or(below).to_ascii_lowercase();
        let [.., a, b, c, d] = hasher.hash_one(&below).to_be_bytes();
        let hash = u32::from_be_bytes([a, b, c, d]);
        if self.names.contains(&hash) {
            return true;
        }
        self.names.push(hash);
        let labels = below
            .split(|byte| *byte == b'.')
            .filter(|label| !label.is_empty());
        let bits = entropy(&below);
        self.bytes = self.bytes.saturating_add(below.len());
        self.longest = self.longest.max(below.len());
        self.labels = self.labels.saturating_add(labels.count());
        self.entropy += bits;
        self.carried += count(below.len()) * bits / 8.0;
        true
    }

    /// How many queries it holds.
    #[must_use]
    pub const fn queries(&self) -> usize {
        self.queries
    }

    /// How many different names they ask for.
    #[must_use]
    pub const fn names(&self) -> usize {
        self.names.len()
    }

    /// Time of its first query, nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn first_ns(&self) -> u64 {
        self.first_ns
    }

    /// Nanoseconds from its first query to its last.
    #[must_use]
    pub const fn span_ns(&self) -> u64 {
        self.last_ns.saturating_sub(self.first_ns)
    }

    /// Bytes of its distinct names, below the base.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The numbers of its row, in the order of the extractor's columns.
    #[must_use]
    pub fn numbers(&self) -> [f32; NAMED.len()] {
        let names = count(self.names.len().max(1));
        [
            count(self.queries),
            seconds(self.span_ns()),
            names / count(self.queries.max(1)),
            count(self.bytes) / names,
            count(self.longest),
            count(self.labels) / names,
            self.entropy / names,
            self.carried / names,
            self.carried,
        ]
    }
}

/// Nanoseconds as seconds, to the millisecond.
fn seconds(ns: u64) -> f32 {
    let ms = u32::try_from(ns / 1_000_000).unwrap_or(u32::MAX);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a time as a feature may lose digits"
    )]
    let seconds = (f64::from(ms) / 1000.0) as f32;
    seconds
}

impl Extractor for Window {
    fn name(&self) -> &'static str {
        "dns-window@1"
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn ids_max(&self) -> usize {
        0
    }

    fn extract(&self, subject: &Subject<'_>, samples: &mut Samples) -> Result<(), Unfit> {
        let Subject::DnsWindow(window) = subject else {
            let (extractor, given) = (self.name(), subject.kind());
            return Err(Unfit {
                extractor,
                wants: "a window of DNS queries",
                given,
            });
        };
        samples.push(b"window", b"", &window.numbers(), &[], 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::hash::RandomState;

    use super::*;

    #[test]
    fn a_name_that_comes_again_carries_nothing() {
        let (mut window, hasher) = (DnsWindow::default(), RandomState::new());
        for at in 0..10 {
            assert!(window.add(at * 1_000_000_000, b"WWW", &hasher));
            assert!(window.add(at * 1_000_000_000, b"www", &hasher));
        }
        assert_eq!(
            (window.queries(), window.names(), window.bytes()),
            (20, 1, 3)
        );
        let [queries, seconds, distinct, length, ..] = window.numbers();
        assert_eq!((queries, seconds, distinct, length), (20.0, 9.0, 0.05, 3.0));
    }

    #[test]
    fn a_window_is_full_once() {
        let (mut window, hasher) = (DnsWindow::default(), RandomState::new());
        for at in 0..64_u64 {
            assert!(window.add(at, &at.to_be_bytes(), &hasher));
        }
        let before = window.numbers();
        assert!(!window.add(64, b"more", &hasher));
        assert_eq!(window.numbers(), before);
    }
}
