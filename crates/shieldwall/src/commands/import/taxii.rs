//! Reading a collection of another TAXII 2.1 server, page by page, and where to go on next time.
//!
//! A page is remembered when the hub has taken what stands in it, never before: whatever is cut off,
//! nothing is lost, and what is told again changes nothing.

use std::{
    fs::File,
    io::{self, Read as _},
    path::PathBuf,
    time::Duration,
};

use anyhow::anyhow;
use feeds::{Place, Refused, Told};
use serde::{Deserialize, Serialize};
use stix::{Limits, Object, Timestamp};

use super::{super::state::replace, Piece, session::Session};
use crate::{
    outcome::Failure,
    remote::{Found, Page, Remote},
    text::complain,
};

/// What was added this long before the last that is known is asked for again: many servers stamp an
/// object before it can be seen, and what was stamped first may come second.
const OVERLAP: Duration = Duration::from_secs(300);
/// Pages in a row without anything new, after which a server goes in circles.
const STALE_PAGES_MAX: u32 = 100;
/// Longest file of a cursor, in bytes.
const CURSOR_BYTES_MAX: u64 = 1 << 20;
const MICROSECOND: Duration = Duration::from_micros(1);

/// Where reading goes on: a small file beside the state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// The collection that it is of.
    collection: String,
    /// What was added after this is asked for; without it, everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    added_after: Option<Timestamp>,
    /// A reading that was cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    within: Option<Within>,
}

/// How far a reading has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Within {
    /// What the server said to ask for the next page with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// When the last of what was read was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Timestamp>,
}

/// The cursor's file.
#[derive(Debug)]
pub(super) struct CursorFile {
    path: PathBuf,
    preview: bool,
}

impl CursorFile {
    /// The file beside a state. A preview only reads it.
    pub(super) fn beside(state: &std::path::Path, preview: bool) -> Self {
        let path = state.with_extension("cursor");
        Self { path, preview }
    }

    /// The cursor for a collection; its beginning where there is none, or with `anew`.
    pub(super) fn load(&self, collection: &str, anew: bool) -> Result<Cursor, Failure> {
        let what = || format!("read {}", self.path.display());
        let begin = Cursor {
            collection: collection.to_owned(),
            ..Cursor::default()
        };
        let mut text = Vec::new();
        match File::open(&self.path) {
            Ok(file) => file
                .take(CURSOR_BYTES_MAX)
                .read_to_end(&mut text)
                .map_err(|e| Failure::input(what(), e))?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(begin),
            Err(e) => return Err(Failure::input(what(), e)),
        };
        let cursor: Cursor = serde_json::from_slice(&text)
            .map_err(|e| Failure::input(format!("{}; remove it to begin anew", what()), e))?;
        match (cursor.collection == collection, anew) {
            (true, false) => Ok(cursor),
            (true, true) => Ok(begin),
            (false, _) => Err(Failure::Input(anyhow!(
                "{}: of {}, and not of {collection}; give each collection a --state of its own",
                self.path.display(),
                cursor.collection
            ))),
        }
    }

    fn save(&self, cursor: &Cursor) -> Result<(), Failure> {
        if self.preview {
            return Ok(());
        }
        let text = serde_json::to_vec(cursor).unwrap_or_default();
        replace(&self.path, &mut |out| out.write_all(&text))
            .map_err(|e| Failure::system(format!("write {}", self.path.display()), e))
    }
}

/// Reads all that is new in a collection.
pub(super) async fn poll(
    remote: &Remote,
    found: &Found,
    session: &mut Session<'_>,
    (file, mut cursor): (CursorFile, Cursor),
    limit: usize,
) -> Result<(), Failure> {
    let mut reading = Reading::new(&cursor);
    loop {
        let url = Page::url(&found.url, limit, reading.after, reading.next.as_deref());
        let answer = remote.get(&url).await?;
        if reading.resumed && answer.status.is_client_error() {
            // The place is forgotten, as servers do after a while or a restart.
            reading = Reading::again(&cursor);
            continue;
        }
        let page = Page::read(&answer.good(&url)?, &url)?;
        let before = session.met;
        for (index, raw) in page.objects.iter().enumerate() {
            session.take(piece(raw.get(), index)).await?;
        }
        session.flush().await?;
        let more = reading.take(&page, session.met > before)?;
        if !more {
            break;
        }
        cursor.within = Some(reading.within());
        file.save(&cursor)?;
    }
    cursor.within = None;
    cursor.added_after = reading.end(cursor.added_after);
    file.save(&cursor)
}

fn piece(raw: &str, index: usize) -> Piece {
    let told = match Object::parse(raw.as_bytes(), &Limits::default()) {
        Ok(object) => Told::Object(object),
        Err(error) => Told::Refused(Refused {
            place: Place::Item(format!("$.objects[{index}]{}", named(raw)).into()),
            reason: format!("{}: {} ({})", error.path, error.fault, error.rule()),
            mend: error.mend().to_owned().into(),
        }),
    };
    Piece { file: None, told }
}

/// The identifier of an object that is none, for people to find it by.
fn named(raw: &str) -> String {
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    let named: Option<Named> = serde_json::from_str(raw).ok();
    named.map_or_else(String::new, |named| {
        format!(" {}", crate::remote::plain(&named.id))
    })
}

/// One reading, from its first page to its last.
#[derive(Debug)]
struct Reading {
    /// The filter of all its pages.
    after: Option<Timestamp>,
    next: Option<String>,
    /// Whether `next` is of an earlier run.
    resumed: bool,
    /// Whether the server gave another `next` with each page. One that stays the same is used up by
    /// asking: to ask with it again would leave a page out.
    moves: bool,
    /// Whether pages came in the order in which objects were added, and said so.
    ordered: bool,
    last: Option<Timestamp>,
    stale: u32,
}

impl Reading {
    /// Goes on where the cursor is.
    fn new(cursor: &Cursor) -> Self {
        let within = cursor.within.clone().unwrap_or_default();
        match within.next {
            Some(next) => Self {
                next: Some(next),
                resumed: true,
                moves: true,
                last: within.last,
                ..Self::from(cursor.added_after)
            },
            None => Self::again(cursor),
        }
    }

    /// Goes on by the time of what was read.
    fn again(cursor: &Cursor) -> Self {
        let last = cursor.within.as_ref().and_then(|within| within.last);
        let last = last.map(|last| last.minus(OVERLAP));
        Self::from(cursor.added_after.max(last))
    }

    fn from(after: Option<Timestamp>) -> Self {
        Self {
            after,
            next: None,
            resumed: false,
            moves: false,
            ordered: true,
            last: None,
            stale: 0,
        }
    }

    /// What comes after a page, if anything does.
    fn take(&mut self, page: &Page, news: bool) -> Result<bool, Failure> {
        self.resumed = false;
        if !page.objects.is_empty() {
            let (first, last) = (page.first.or(page.last), page.last.or(page.first));
            self.ordered &= last.is_some() && first <= last && self.last <= first;
            self.last = self.last.max(last);
        }
        if !page.more {
            return Ok(false);
        }
        self.stale = match news {
            true => 0,
            false => self.stale.saturating_add(1),
        };
        if self.stale > STALE_PAGES_MAX {
            return Err(Failure::System(anyhow!(
                "the server goes in circles: {STALE_PAGES_MAX} pages without anything new"
            )));
        }
        match &page.next {
            Some(next) => {
                self.moves = self.next.as_ref().is_some_and(|before| before != next);
                self.next = Some(next.clone());
            }
            None => self.after_page(page)?,
        }
        Ok(true)
    }

    /// A server that says there is more and not where: by time, with what was added at the very last
    /// moment again, since it may not all have been in the page.
    fn after_page(&mut self, page: &Page) -> Result<(), Failure> {
        let wrong = |why: &str| {
            Err(Failure::System(anyhow!(
                "the server says that there is more and gives no `next`, and {why}"
            )))
        };
        match (page.first, page.last) {
            (Some(first), Some(last)) if first < last => {
                self.after = Some(last.minus(MICROSECOND));
                self.next = None;
                Ok(())
            }
            (Some(_), Some(_)) => {
                wrong("all of the page was added at one moment; ask for more at once with --page")
            }
            (None, _) | (_, None) => {
                wrong("no X-TAXII-Date-Added-First and -Last; it cannot be read further")
            }
        }
    }

    /// How far it has come, for a run after this one.
    fn within(&self) -> Within {
        Within {
            next: self.next.clone().filter(|_| self.moves),
            last: self.last.filter(|_| self.ordered),
        }
    }

    /// What to ask for after a whole reading: without a word of the server, all of it again.
    fn end(&self, before: Option<Timestamp>) -> Option<Timestamp> {
        let last = self.last.map(|last| last.minus(OVERLAP));
        if !self.ordered && self.last.is_none() {
            complain(
                "note: the server does not say when objects were added (X-TAXII-Date-Added-Last); \
                 the next run asks for all of them again",
            );
        }
        last.max(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Option<Timestamp> {
        Some(Timestamp::from_micros(seconds.saturating_mul(1_000_000)))
    }

    fn page(next: Option<&str>, more: bool, dates: (Option<i64>, Option<i64>)) -> Page {
        let object = serde_json::value::RawValue::from_string("{}".to_owned()).unwrap();
        Page {
            objects: vec![object],
            more,
            next: next.map(str::to_owned),
            first: dates.0.and_then(at),
            last: dates.1.and_then(at),
        }
    }

    const DAY: i64 = 86_400;

    #[test]
    fn a_reading_that_is_cut_off_goes_on_where_it_was() {
        let mut reading = Reading::new(&Cursor::default());
        assert_eq!(
            reading
                .take(&page(Some("a"), true, (Some(1), Some(DAY))), true)
                .ok(),
            Some(true)
        );
        // One `next` alone does not show that it moves.
        let within = reading.within();
        assert_eq!((within.next, within.last), (None, at(DAY)));
        assert!(
            reading
                .take(&page(Some("b"), true, (Some(DAY), Some(2 * DAY))), true)
                .is_ok()
        );
        let cursor = Cursor {
            within: Some(reading.within()),
            ..Cursor::default()
        };
        let resumed = Reading::new(&cursor);
        assert_eq!((resumed.next.as_deref(), resumed.after), (Some("b"), None));
        let again = Reading::again(&cursor);
        assert_eq!((again.next, again.after), (None, at(2 * DAY - 300)));
    }

    #[test]
    fn a_place_that_asking_uses_up_or_pages_out_of_order_are_not_gone_on_from() {
        let mut reading = Reading::new(&Cursor::default());
        for day in 1..4 {
            let dates = (Some(day * DAY), Some(day * DAY + 1));
            assert!(reading.take(&page(Some("same"), true, dates), true).is_ok());
        }
        assert_eq!(reading.within().next, None);
        assert_eq!(reading.within().last, at(3 * DAY + 1));
        assert!(
            reading
                .take(&page(Some("same"), true, (Some(5), Some(6))), true)
                .is_ok()
        );
        assert_eq!(reading.within(), Within::default());
        assert_eq!(
            reading.end(None),
            at(3 * DAY + 1 - 300),
            "all of it was read"
        );
    }

    #[test]
    fn more_without_next_goes_on_by_time_or_says_why_it_cannot() {
        let mut reading = Reading::new(&Cursor::default());
        assert!(
            reading
                .take(&page(None, true, (Some(1), Some(2))), true)
                .is_ok()
        );
        assert_eq!(reading.after, Some(Timestamp::from_micros(1_999_999)));
        for (dates, why) in [
            ((Some(2), Some(2)), "--page"),
            ((None, None), "cannot be read further"),
        ] {
            let Err(Failure::System(error)) = reading.take(&page(None, true, dates), true) else {
                panic!("{dates:?}")
            };
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn a_server_that_goes_in_circles_is_left() {
        let mut reading = Reading::new(&Cursor::default());
        let circle = page(Some("a"), true, (Some(1), Some(1)));
        let mut pages = 0;
        while reading.take(&circle, false).is_ok() {
            pages += 1;
        }
        assert_eq!(pages, STALE_PAGES_MAX);
    }

    #[test]
    fn without_times_the_next_run_asks_for_everything() {
        let mut reading = Reading::new(&Cursor::default());
        assert_eq!(
            reading.take(&page(None, false, (None, None)), true).ok(),
            Some(false)
        );
        assert_eq!(reading.end(None), None);
    }
}
