//! The whole state of a store as lines of JSON: what a backup is made of, and what is compared.
//!
//! The lines are the same for the same log, whatever keeps it: the registry first, each kind by its
//! key, then the events in the log's order, each with its object and with its place in every lane.
//! The SHA-256 of all lines is the **state digest**. What says nothing about the state is left out:
//! the numbers that a back-end gives its rows, and the epoch, which a restored log begins anew.
//!
//! A dump is for the operator alone: it answers no reader, and holds everything, the keyed hashes of
//! credentials and their key included.

mod check;
mod input;
mod record;
mod tables;

use std::io::Write;

use aws_lc_rs::digest::{Context, SHA256};

use self::check::Checker;
pub(crate) use self::input::rows_of;
pub use self::input::{Input, Restored};
pub use self::record::{
    CertificateRecord, EventRecord, InvitationRecord, MetaRecord, PartnerRecord, Record,
    TokenRecord,
};
pub(crate) use self::record::{PlaceOfPartner, bytes_of};
pub(crate) use self::tables::{Each, Queries, erased, is_empty, read_out, register, tally};
use crate::StoreError;

/// A store that can be written out.
pub trait Dump: Send + Sync {
    /// Gives every record of the state in its order, as of one moment, while others write. The
    /// memory that it takes does not grow with the log.
    fn dump(
        &self,
        each: &mut (dyn FnMut(Record) -> Result<(), StoreError> + Send),
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Events that are read, or written, at a time. Each may bring an object of a mebibyte.
pub(crate) const CHUNK_EVENTS_MAX: usize = 128;

/// What a state comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Events in the log.
    pub events: u64,
    /// Versions of objects that are there.
    pub objects: u64,
    /// Versions that were erased, or of which only the identity is kept.
    pub erased: u64,
    /// Partners, revoked or not.
    pub partners: u64,
    /// Bytes of the lines.
    pub bytes: u64,
    /// SHA-256 of the lines.
    pub digest: [u8; 32],
}

/// Writes the state of a store, and checks it: that the lanes are whole and in order, and that every
/// object is the one that the log committed to.
///
/// # Errors
/// `Damaged` for a state that no hub has written; errors of the database and of `to`.
pub async fn write_out(
    store: &impl Dump,
    to: &mut (dyn Write + Send),
) -> Result<Summary, StoreError> {
    let mut tally = Tally::default();
    let mut each = |record: Record| {
        let line = tally.add(&record)?;
        to.write_all(line).map_err(|error| StoreError::File {
            path: "the dump".into(),
            error,
        })
    };
    store.dump(&mut each).await?;
    Ok(tally.done())
}

/// Checks records, counts them, and sums them up.
pub(crate) struct Tally {
    checker: Checker,
    context: Context,
    summary: Summary,
    line: Vec<u8>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            checker: Checker::default(),
            context: Context::new(&SHA256),
            summary: Summary::default(),
            line: Vec::new(),
        }
    }
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tally")
            .field("summary", &self.summary)
            .finish_non_exhaustive()
    }
}

impl Tally {
    /// Takes one record in; its line, with the end of the line.
    pub(crate) fn add(&mut self, record: &Record) -> Result<&[u8], StoreError> {
        self.checker.take(record)?;
        self.count(record);
        self.line.clear();
        serde_json::to_writer(&mut self.line, record)
            .map_err(|error| StoreError::Damaged(error.to_string()))?;
        self.line.push(b'\n');
        self.context.update(&self.line);
        let length = u64::try_from(self.line.len()).unwrap_or(u64::MAX);
        self.summary.bytes = self.summary.bytes.saturating_add(length);
        Ok(&self.line)
    }

    fn count(&mut self, record: &Record) {
        let counts = &mut self.summary;
        let add = |count: &mut u64| *count = count.saturating_add(1);
        match record {
            Record::Partner(_) => add(&mut counts.partners),
            Record::Event(event) => {
                add(&mut counts.events);
                match (&event.commitment, &event.raw) {
                    (None, _) => {}
                    (Some(_), Some(_)) => add(&mut counts.objects),
                    (Some(_), None) => add(&mut counts.erased),
                }
            }
            Record::Meta(_) | Record::Invitation(_) | Record::Token(_) | Record::Certificate(_) => {
            }
        }
    }

    pub(crate) fn done(self) -> Summary {
        Summary {
            digest: digest_of(self.context),
            ..self.summary
        }
    }
}

/// What was summed up.
pub(crate) fn digest_of(context: Context) -> [u8; 32] {
    let mut digest = [0; 32];
    for (to, from) in digest.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    digest
}
