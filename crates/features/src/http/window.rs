//! Parts of a value that are looked at on their own, so that no padding dilutes what is among it.

use std::ops::Range;

/// Bytes of a window.
pub(super) const WIDTH: usize = 128;
/// From one window to the next.
const STRIDE: usize = 64;
/// Windows of one value: those with most signs in them, if it is longer than 12 KiB.
const PER_VALUE_MAX: usize = 192;

/// The windows of a folded value.
pub(super) fn windows(text: &[u8]) -> Vec<Range<usize>> {
    if text.len() <= WIDTH {
        return std::iter::once(0..text.len()).collect();
    }
    let starts = (0..text.len().saturating_sub(STRIDE)).step_by(STRIDE);
    let mut windows: Vec<(usize, Range<usize>)> = starts
        .map(|start| {
            let range = start..start.saturating_add(WIDTH).min(text.len());
            let inside = text.get(range.clone()).unwrap_or_default();
            (signs(inside), range)
        })
        .collect();
    if windows.len() > PER_VALUE_MAX {
        windows.sort_by_key(|(signs, range)| (std::cmp::Reverse(*signs), range.start));
        windows.truncate(PER_VALUE_MAX);
    }
    windows.into_iter().map(|(_, range)| range).collect()
}

/// What is neither letter, digit nor space in a text: what attacks are made of.
pub(super) fn signs(text: &[u8]) -> usize {
    crate::text::tally(text, |byte| !byte.is_ascii_alphanumeric() && byte != b' ')
}
