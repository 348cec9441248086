//! Rows of features, many subjects after each other, in memory that is used again.

use std::ops::Range;

/// Where in its subject a row comes from: the explanation of a verdict names it.
#[derive(Clone, Debug)]
struct Place {
    /// The field: `query q`, `header user-agent`, `host`.
    field: Range<usize>,
    /// What of it was looked at, as it reads after decoding.
    text: Range<usize>,
}

/// Rows of one extractor.
#[derive(Debug, Default)]
pub struct Samples {
    numbers: Vec<f32>,
    ids: Vec<i64>,
    places: Vec<Place>,
    bytes: Vec<u8>,
}

impl Samples {
    /// Forgets the rows and keeps the memory.
    pub fn clear(&mut self) {
        self.numbers.clear();
        self.ids.clear();
        self.places.clear();
        self.bytes.clear();
    }

    /// How many rows there are.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.places.len()
    }

    /// The numbers of all rows, row after row.
    #[must_use]
    pub fn numbers(&self) -> &[f32] {
        &self.numbers
    }

    /// The ids of all rows, row after row.
    #[must_use]
    pub fn ids(&self) -> &[i64] {
        &self.ids
    }

    /// The field that a row comes from.
    #[must_use]
    pub fn field(&self, row: usize) -> &[u8] {
        self.places
            .get(row)
            .and_then(|place| self.bytes.get(place.field.clone()))
            .unwrap_or_default()
    }

    /// What of the field was looked at, as it reads after decoding.
    #[must_use]
    pub fn text(&self, row: usize) -> &[u8] {
        self.places
            .get(row)
            .and_then(|place| self.bytes.get(place.text.clone()))
            .unwrap_or_default()
    }

    /// Adds a row. Ids beyond `ids_max` are left out, fewer are filled up with 0.
    pub(crate) fn push(
        &mut self,
        field: &[u8],
        text: &[u8],
        numbers: &[f32],
        ids: &[u32],
        ids_max: usize,
    ) {
        let field = self.keep(field);
        let text = self.keep(text);
        self.places.push(Place { field, text });
        self.numbers.extend_from_slice(numbers);
        let filled = self.ids.len();
        self.ids
            .extend(ids.iter().take(ids_max).map(|id| i64::from(*id)));
        self.ids.resize(filled.saturating_add(ids_max), 0);
    }

    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }
}
