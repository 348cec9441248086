//! What a scan remembers.

/// Scratch space of a thread for [`scan`](super::Literals::scan), of use for any set, one scan
/// after another. It grows to the largest set and is never cleared: a mark counts while it bears
/// the number of the scan.
#[derive(Debug, Default)]
pub struct Seen {
    scan: u32,
    /// By member: the scan that told it last.
    marks: Vec<u32>,
    /// Nodes of a tree that are still to be visited; empty between positions.
    pub(super) pending: Vec<u32>,
    /// What the last scan did behind the bitmap.
    #[cfg(test)]
    pub(super) steps: usize,
}

impl Seen {
    /// Begins a scan of a set of so many members.
    pub(super) fn begin(&mut self, members: usize) {
        if self.marks.len() < members {
            self.marks.resize(members, 0);
        }
        self.scan = self.scan.wrapping_add(1);
        if self.scan == 0 {
            self.marks.fill(0);
            self.scan = 1;
        }
        #[cfg(test)]
        {
            self.steps = 0;
        }
    }

    /// Whether this scan told a member.
    pub(super) fn has(&self, member: usize) -> bool {
        self.marks.get(member) == Some(&self.scan)
    }

    pub(super) fn mark(&mut self, member: usize) {
        if let Some(mark) = self.marks.get_mut(member) {
            *mark = self.scan;
        }
    }

    /// Counts what tests bound.
    #[cfg(test)]
    pub(super) fn step(&mut self, steps: usize) {
        self.steps = self.steps.saturating_add(steps);
    }
}
