//! Measures of text.

/// Shannon entropy in bits per byte.
pub(crate) fn entropy(text: &[u8]) -> f32 {
    let mut counts = [0_u16; 256];
    for byte in text {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count = count.saturating_add(1);
        }
    }
    let total = count(text.len());
    if total == 0.0 {
        return 0.0;
    }
    let bits = |count: &u16| {
        let share = f32::from(*count) / total;
        -share * share.log2()
    };
    counts.iter().filter(|count| **count > 0).map(bits).sum()
}

/// A count as a number; beyond 65,535 it stays there.
pub(crate) fn count(count: usize) -> f32 {
    f32::from(u16::try_from(count).unwrap_or(u16::MAX))
}

/// A share of a whole; 0 of nothing.
pub(crate) fn share(part: usize, whole: usize) -> f32 {
    if whole == 0 {
        0.0
    } else {
        count(part) / count(whole)
    }
}

/// Bytes for which this holds.
pub(crate) fn tally(text: &[u8], holds: impl Fn(u8) -> bool) -> usize {
    text.iter().filter(|byte| holds(**byte)).count()
}

/// The longest run of bytes for which this holds.
pub(crate) fn longest(text: &[u8], holds: impl Fn(u8) -> bool) -> usize {
    text.split(|byte| !holds(*byte))
        .map(<[u8]>::len)
        .max()
        .unwrap_or(0)
}

/// Edits (insert, delete, replace) from one short text to another; more than `most` are `None`.
pub(crate) fn edits(one: &[u8], other: &[u8], most: usize) -> Option<usize> {
    if one.len().abs_diff(other.len()) > most {
        return None;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, byte) in one.iter().enumerate() {
        let mut corner = line;
        let mut left = line.saturating_add(1);
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, with) in row.iter_mut().skip(1).zip(other) {
            let replaced = corner.saturating_add(usize::from(byte != with));
            corner = *cell;
            left = replaced
                .min(left.saturating_add(1))
                .min(cell.saturating_add(1));
            *cell = left;
        }
    }
    row.last().copied().filter(|edits| *edits <= most)
}
