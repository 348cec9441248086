//! The patterns of a set: without duplicates, and in the order in which a scan meets them.

use super::Pattern;

/// A pattern, with all ids that it has.
#[derive(Debug)]
pub(super) struct Unique {
    /// In lower case where `nocase`.
    pub(super) bytes: Vec<u8>,
    /// Whether it has letters that match in either case.
    pub(super) nocase: bool,
    ids: Vec<u32>,
}

impl Unique {
    /// The patterns that have bytes, in an order of their own.
    pub(super) fn of(patterns: &[Pattern<'_>]) -> Vec<Self> {
        let mut uniques: Vec<Self> = Vec::new();
        let mut all = (0..).zip(patterns).map(Self::new).collect::<Vec<_>>();
        all.sort_unstable_by(|a, b| {
            (a.nocase, &a.bytes, &a.ids).cmp(&(b.nocase, &b.bytes, &b.ids))
        });
        for pattern in all {
            match uniques.last_mut() {
                Some(last) if last.nocase == pattern.nocase && last.bytes == pattern.bytes => {
                    last.ids.extend(pattern.ids);
                }
                _ if pattern.bytes.is_empty() => {}
                _ => uniques.push(pattern),
            }
        }
        uniques
    }

    fn new((id, pattern): (u32, &Pattern<'_>)) -> Self {
        let nocase = pattern.nocase && pattern.bytes.iter().any(u8::is_ascii_alphabetic);
        let bytes = match nocase {
            true => pattern.bytes.to_ascii_lowercase(),
            false => pattern.bytes.to_vec(),
        };
        Self {
            bytes,
            nocase,
            ids: vec![id],
        }
    }
}

/// The patterns as a scan reads them.
#[derive(Debug, Default)]
pub(super) struct Members {
    members: Vec<Member>,
    patterns: Vec<Stored>,
    bytes: Vec<u8>,
    ids: Vec<u32>,
}

/// A pattern under one of its grams.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    /// The folded gram.
    pub(super) gram: u32,
    /// Where the gram stands in the pattern.
    offset: u32,
    /// The number of the pattern.
    pub(super) pattern: u32,
}

/// Where a pattern stands.
#[derive(Clone, Copy, Debug)]
struct Stored {
    /// Where its bytes start in [`Members::bytes`], and how many there are.
    start: u32,
    len: u32,
    /// Where its ids start in [`Members::ids`]; they end where those of the next start.
    ids: u32,
    nocase: bool,
}

impl Members {
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// How many patterns there are.
    pub(super) fn patterns(&self) -> usize {
        self.patterns.len()
    }

    pub(super) fn get(&self, member: u32) -> Option<&Member> {
        self.members.get(usize_of(member))
    }

    /// Adds a pattern, which is not found before it has members; its number.
    pub(super) fn store(&mut self, unique: &Unique) -> u32 {
        self.patterns.push(Stored {
            start: u32_of(self.bytes.len()),
            len: u32_of(unique.bytes.len()),
            ids: u32_of(self.ids.len()),
            nocase: unique.nocase,
        });
        self.bytes.extend_from_slice(&unique.bytes);
        self.ids.extend_from_slice(&unique.ids);
        u32_of(self.patterns.len().saturating_sub(1))
    }

    /// Adds a member: a pattern under its gram, which stands at `offset`.
    pub(super) fn push(&mut self, pattern: u32, gram: u32, offset: usize) {
        self.members.push(Member {
            gram,
            offset: u32_of(offset),
            pattern,
        });
    }

    pub(super) fn shrink(&mut self) {
        self.members.shrink_to_fit();
        self.patterns.shrink_to_fit();
        self.bytes.shrink_to_fit();
        self.ids.shrink_to_fit();
    }

    /// Whether all of a member stands in a buffer that has its gram at offset `at`, and ends behind
    /// `from`.
    pub(super) fn stands(&self, member: &Member, hay: &[u8], at: usize, from: usize) -> bool {
        let Some(pattern) = self.patterns.get(usize_of(member.pattern)) else {
            return false;
        };
        let len = usize_of(pattern.len);
        let start = at.checked_sub(usize_of(member.offset));
        let range = start.map(|start| start..start.saturating_add(len));
        let here = range.filter(|range| range.end > from);
        let first = usize_of(pattern.start);
        let bytes = self.bytes.get(first..first.saturating_add(len));
        let pair = here.and_then(|range| hay.get(range)).zip(bytes);
        pair.is_some_and(|(here, bytes)| match pattern.nocase {
            true => bytes.eq_ignore_ascii_case(here),
            false => bytes == here,
        })
    }

    /// The ids of a pattern.
    pub(super) fn ids(&self, pattern: u32) -> &[u32] {
        let pattern = usize_of(pattern);
        let start = |pattern: usize| {
            self.patterns
                .get(pattern)
                .map(|stored| usize_of(stored.ids))
        };
        let last = start(pattern.saturating_add(1)).unwrap_or(self.ids.len());
        let range = start(pattern).unwrap_or(last)..last;
        self.ids.get(range).unwrap_or_default()
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        let members = self.members.capacity().saturating_mul(size_of::<Member>());
        let patterns = self.patterns.capacity().saturating_mul(size_of::<Stored>());
        let ids = self.ids.capacity().saturating_mul(size_of::<u32>());
        members
            .saturating_add(patterns)
            .saturating_add(ids)
            .saturating_add(self.bytes.capacity())
    }
}

#[cfg(test)]
impl Members {
    /// Bytes of a member's pattern.
    pub(super) fn len_of(&self, member: &Member) -> usize {
        usize_of(self.patterns[usize_of(member.pattern)].len)
    }
}

/// A count or an offset of a set, none of which reaches 4 GiB.
pub(super) fn u32_of(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

pub(super) fn usize_of(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
