//! What a scan remembers.

use super::set::usize_of;

/// Scratch space of a thread for [`scan`](super::Literals::scan), of use for any set, one scan
/// after another. It grows to the largest set and is never cleared: a mark counts while it bears
/// the number of the scan.
#[derive(Debug, Default)]
pub struct Seen {
    scan: u32,
    /// By member.
    marks: Vec<Mark>,
    /// By pattern: the scan that told it last.
    patterns: Vec<u32>,
    /// Nodes of a tree that are still to be visited; empty between positions.
    pub(super) pending: Vec<u32>,
    /// What the last scan did behind the bitmap.
    #[cfg(test)]
    pub(super) steps: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    /// The scan that told the member last.
    scan: u32,
    /// A later member such that all before it were told.
    next: u32,
}

impl Seen {
    /// Begins a scan of a set of so many members of so many patterns.
    pub(super) fn begin(&mut self, members: usize, patterns: usize) {
        if self.marks.len() < members {
            self.marks.resize(members, Mark::default());
        }
        if self.patterns.len() < patterns {
            self.patterns.resize(patterns, 0);
        }
        self.scan = self.scan.wrapping_add(1);
        if self.scan == 0 {
            self.marks.fill(Mark::default());
            self.patterns.fill(0);
            self.scan = 1;
        }
        #[cfg(test)]
        {
            self.steps = 0;
        }
    }

    /// The first member, from this one on, that this scan did not tell.
    pub(super) fn untold(&mut self, mut member: u32) -> u32 {
        while let Some(next) = self.told(member) {
            // Halving the way for those who come after.
            let after = self.told(next).unwrap_or(next);
            if let Some(mark) = self.marks.get_mut(usize_of(member)) {
                mark.next = after;
            }
            member = after;
        }
        member
    }

    /// Whether a pattern was told.
    pub(super) fn is_told(&self, pattern: u32) -> bool {
        self.patterns.get(usize_of(pattern)) == Some(&self.scan)
    }

    /// Notes that a pattern is told.
    pub(super) fn tell_pattern(&mut self, pattern: u32) {
        if let Some(scan) = self.patterns.get_mut(usize_of(pattern)) {
            *scan = self.scan;
        }
    }

    /// Notes that a member is done with.
    pub(super) fn tell(&mut self, member: u32) {
        if let Some(mark) = self.marks.get_mut(usize_of(member)) {
            *mark = Mark {
                scan: self.scan,
                next: member.saturating_add(1),
            };
        }
    }

    fn told(&self, member: u32) -> Option<u32> {
        let mark = self.marks.get(usize_of(member))?;
        (mark.scan == self.scan).then_some(mark.next)
    }

    /// Counts what tests bound.
    #[cfg(test)]
    pub(super) fn step(&mut self, steps: usize) {
        self.steps = self.steps.saturating_add(steps);
    }
}
