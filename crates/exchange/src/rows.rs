//! Entries as databases hand them over: a few numbers and texts, then the object, in one value, and a
//! page of them in one row. A row with a value a column would cost more than all else that a page costs.
//!
//! ```text
//! seq lane position date_added stale event key version valid_until bytes S I V N source id spec_version object
//! ```
//!
//! The first fourteen are decimal numbers or empty, each ended by a space; `S`, `I`, `V` and `N` are the bytes
//! of the four texts, which follow without anything between them. `bytes` is the length of the object, empty where
//! a filter does not admit it or it was erased. An object longer than `here_bytes_max` is not in
//! the row (`N` is empty) and is read by its key when it is wanted.

use std::sync::Arc;

use bytes::Bytes;
use stix::{StixId, Timestamp};

use crate::view::{Windows, damaged, number};
use crate::{Entry, EventKind, Lane, StoreError};

/// Longest object that comes with its row, for statements: what is read in one go stays small, whatever
/// objects there are.
macro_rules! here_bytes_max {
    () => {
        "16384"
    };
}
pub(crate) use here_bytes_max;

/// One entry that was read.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// What orders the lanes.
    pub(crate) seq: i64,
    /// The entry; its object is empty unless it is [`Payload::Here`].
    pub(crate) entry: Entry,
    pub(crate) payload: Payload,
    /// Bytes of the object, wherever it is.
    pub(crate) bytes: usize,
}

/// Where the object of an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Nowhere: a filter does not admit it, or it was erased.
    None,
    /// With the entry.
    Here,
    /// In the store, under this key.
    Apart(i64),
}

impl Row {
    /// The entry as an event of its lane; that of an object which was erased since tells of the
    /// erasure.
    pub(crate) async fn event(mut self, store: &impl Windows) -> Result<Entry, StoreError> {
        Ok(match self.object(store).await? {
            Some(raw) => Entry { raw, ..self.entry },
            None => self.entry.erased(),
        })
    }

    /// The entry with its object; none where it has none.
    pub(crate) async fn admitted(
        mut self,
        store: &impl Windows,
    ) -> Result<Option<Entry>, StoreError> {
        let raw = self.object(store).await?;
        Ok(raw.map(|raw| Entry { raw, ..self.entry }))
    }

    async fn object(&mut self, store: &impl Windows) -> Result<Option<Bytes>, StoreError> {
        match self.payload {
            Payload::None => Ok(None),
            Payload::Here => Ok(Some(std::mem::take(&mut self.entry.raw))),
            Payload::Apart(key) => store.payload(key).await,
        }
    }
}

/// Reads all entries in a value, in the order of the log.
pub(crate) fn unpack(bytes: &Bytes) -> Result<Vec<Row>, StoreError> {
    let mut reader = Reader { bytes, at: 0 };
    let mut rows: Vec<Row> = Vec::new();
    while reader.at < bytes.len() {
        let source = rows.last().map(|row| Arc::clone(&row.entry.source));
        rows.push(reader.row(source)?);
    }
    rows.sort_by_key(|row| row.seq);
    Ok(rows)
}

/// Reads the one entry in a value.
pub(crate) fn unpack_one(bytes: Bytes) -> Result<Row, StoreError> {
    Reader {
        bytes: &bytes,
        at: 0,
    }
    .row(None)
}

struct Reader<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl Reader<'_> {
    /// `before` is the source of the row before: most rows have the same.
    fn row(&mut self, before: Option<Arc<str>>) -> Result<Row, StoreError> {
        let seq = self.needed()?;
        let lane = match self.needed()? {
            0 => Lane::Community,
            _ => Lane::Addressed,
        };
        let position = number(self.needed()?);
        let date_added = Timestamp::from_micros(self.needed()?);
        let stale = self.needed()? != 0;
        let event = i16::try_from(self.needed()?)
            .ok()
            .and_then(EventKind::of_code);
        let key = self.needed()?;
        let version = Timestamp::from_micros(self.needed()?);
        let valid_until = self.number()?.map(Timestamp::from_micros);
        let length = self.number()?;
        let lengths = [
            self.number()?,
            self.number()?,
            self.number()?,
            self.number()?,
        ];
        let [source, id, spec_version, raw] = lengths.map(|length| length.map(number));
        let source = self.text(source)?;
        let source = match before {
            Some(before) if *before == *source => before,
            _ => source.into(),
        };
        let id = StixId::parse(self.text(id)?).map_err(|error| damaged(&error.to_string()))?;
        let spec_version = match spec_version {
            Some(_) => Some(self.text(spec_version)?.into()),
            None => None,
        };
        let raw = self.take(raw)?;
        let bytes = length.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        let payload = match bytes {
            None => Payload::None,
            Some(length) if length == raw.len() => Payload::Here,
            Some(_) => Payload::Apart(key),
        };
        let entry = Entry {
            event: event.ok_or_else(|| damaged("an event of unknown kind"))?,
            lane,
            position,
            source,
            date_added,
            stale,
            id,
            version,
            valid_until,
            spec_version,
            raw,
        };
        Ok(Row {
            seq,
            entry,
            payload,
            bytes: bytes.unwrap_or(0),
        })
    }

    fn needed(&mut self) -> Result<i64, StoreError> {
        self.number()?.ok_or_else(ill_formed)
    }

    /// A decimal number and the space behind it.
    fn number(&mut self) -> Result<Option<i64>, StoreError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b' ');
        let digits = length.and_then(|length| rest.get(..length));
        let digits = digits.ok_or_else(ill_formed)?;
        self.at = self.at.saturating_add(digits.len()).saturating_add(1);
        if digits.is_empty() {
            return Ok(None);
        }
        let text = std::str::from_utf8(digits).map_err(|_| ill_formed())?;
        text.parse().map(Some).map_err(|_| ill_formed())
    }

    fn text(&mut self, length: Option<u64>) -> Result<&str, StoreError> {
        let from = self.skip(length)?;
        let text = self.bytes.get(from..self.at).unwrap_or_default();
        std::str::from_utf8(text).map_err(|_| ill_formed())
    }

    fn take(&mut self, length: Option<u64>) -> Result<Bytes, StoreError> {
        let from = self.skip(length)?;
        Ok(self.bytes.slice(from..self.at))
    }

    /// Goes over so many bytes; where they begin.
    fn skip(&mut self, length: Option<u64>) -> Result<usize, StoreError> {
        let from = self.at;
        let length = usize::try_from(length.unwrap_or(0)).unwrap_or(usize::MAX);
        self.at = from.saturating_add(length);
        if self.at > self.bytes.len() {
            return Err(ill_formed());
        }
        Ok(from)
    }
}

fn ill_formed() -> StoreError {
    damaged("a row is cut off")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "indicator--00000000-0000-4000-8000-000000000001";

    fn packed(seq: i64, bytes: &str, raw: &str) -> String {
        let (id, spec) = (ID.len(), "2.1".len());
        format!(
            "{seq} 1 4 5 0 0 7 8  {bytes} 5 {id} {spec} {} alpha{ID}2.1{raw}",
            raw.len()
        )
    }

    #[test]
    fn rows_are_read_in_the_order_of_the_log() {
        let text = packed(9, "6", "{\"é\"}") + &packed(3, "", "") + &packed(4, "99999", "");
        let rows = unpack(&Bytes::from(text)).unwrap();
        let seen: Vec<_> = rows.iter().map(|row| (row.seq, row.payload)).collect();
        let wanted = [
            (3, Payload::None),
            (4, Payload::Apart(7)),
            (9, Payload::Here),
        ];
        assert_eq!(seen, wanted);
        let last = &rows[2].entry;
        assert_eq!((last.lane, last.position), (Lane::Addressed, 4));
        assert_eq!((&*last.source, last.id.as_str()), ("alpha", ID));
        assert_eq!(last.spec_version.as_deref(), Some("2.1"));
        assert_eq!((last.valid_until, &*last.raw), (None, "{\"é\"}".as_bytes()));
    }

    #[test]
    fn what_is_cut_off_anywhere_is_damaged() {
        let text = packed(9, "2", "{}");
        for length in 1..text.len() {
            let cut = Bytes::copy_from_slice(&text.as_bytes()[..length]);
            let read = unpack(&cut);
            assert!(matches!(read, Err(StoreError::Damaged(_))), "{length}");
        }
    }
}
