//! The walk over a buffer: steps in order, each from where the one before it ended, back to another
//! place of an earlier one where a later one fails.

use super::content::Content;
use super::note::{NOTES_BYTES_MAX, NOTES_MAX, Note};
use super::pcre::Steps;
use super::rule::{Find, Found, Inspection, Step};
use super::scene::Scene;

/// Most variables of a rule (`byte_extract`, `byte_math`).
pub const VARIABLES_MAX: usize = 16;
/// Most places tried in one walk over a buffer. Other sensors call it the inspection recursion limit.
pub const PLACES_MAX: u32 = 3000;
/// Most steps of regular expressions that need backtracking, in one walk over a buffer.
pub const PCRE_STEPS_MAX: u64 = 100_000;
/// Most bytes that are searched in one walk over a buffer, over all the places that it tries; those that
/// an automaton reads count [`AUTOMATON`] times. A rule that needs more asks for a place within each of
/// many places.
pub const SEARCHED_BYTES_MAX: usize = 64 << 20;
/// Most bytes that are searched with one event, over all rules.
pub const EVENT_BYTES_MAX: usize = 1 << 30;
/// How much slower an automaton is than a search for a literal.
pub(crate) const AUTOMATON: usize = 8;

/// State of a walk.
#[derive(Debug)]
pub(crate) struct Walk<'w, 's> {
    /// The buffer.
    pub(crate) bytes: &'w [u8],
    /// Behind the latest match.
    pub(crate) cursor: usize,
    /// Values of variables.
    pub(crate) variables: [u64; VARIABLES_MAX],
    /// What `base64_decode` made of it.
    pub(crate) decoded: Vec<u8>,
    /// What is being looked at.
    pub(crate) scene: &'w Scene<'s>,
    /// Budget of regular expressions.
    pub(crate) pcre: Steps,
    /// The first match: what is shown as the reason.
    pub(crate) matched: Option<(usize, usize)>,
    /// What is noted where all holds.
    pub(crate) notes: Vec<Note>,
    /// The entropy that was measured of the buffer, whether or not the rest holds.
    pub(crate) entropy: Option<f64>,
    places: u32,
    /// Bytes that may still be searched, and how many they were at first.
    searchable: usize,
    granted: usize,
    /// Bytes of what is noted.
    noted_bytes: usize,
    /// A bound was hit.
    pub(crate) exhausted: bool,
}

/// What looks into buffers may still cost with the event at hand, and what was spent on all before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Work {
    /// Bytes that may still be searched.
    pub(crate) left: usize,
    /// Walks over buffers.
    pub(crate) walks: u64,
    /// Bytes that were searched.
    pub(crate) searched: u64,
}

impl Default for Work {
    fn default() -> Self {
        Self {
            left: EVENT_BYTES_MAX,
            walks: 0,
            searched: 0,
        }
    }
}

impl Work {
    /// Another event is looked at.
    pub(crate) fn renew(&mut self) {
        self.left = EVENT_BYTES_MAX;
    }

    /// Counts what a walk cost.
    pub(crate) fn spend(&mut self, walk: &Walk<'_, '_>) {
        let spent = walk.granted.saturating_sub(walk.searchable);
        self.left = self.left.saturating_sub(spent);
        self.walks = self.walks.saturating_add(1);
        let spent = u64::try_from(spent).unwrap_or(u64::MAX);
        self.searched = self.searched.saturating_add(spent);
    }
}

impl<'w, 's> Walk<'w, 's> {
    pub(crate) fn new(scene: &'w Scene<'s>) -> Self {
        Self {
            bytes: &[],
            cursor: 0,
            variables: [0; VARIABLES_MAX],
            decoded: Vec::new(),
            scene,
            pcre: Steps {
                left: PCRE_STEPS_MAX,
                exhausted: false,
            },
            matched: None,
            notes: Vec::new(),
            entropy: None,
            places: PLACES_MAX,
            searchable: SEARCHED_BYTES_MAX,
            granted: SEARCHED_BYTES_MAX,
            noted_bytes: 0,
            exhausted: false,
        }
    }

    /// With no more to spend than is left.
    pub(crate) fn within(mut self, work: &Work) -> Self {
        self.granted = work.left.min(SEARCHED_BYTES_MAX);
        self.searchable = self.granted;
        self
    }

    /// Notes something, as far as there is room.
    pub(crate) fn note(&mut self, note: Note) {
        let bytes = self.noted_bytes.saturating_add(note.len());
        if self.notes.len() < NOTES_MAX && bytes <= NOTES_BYTES_MAX {
            self.noted_bytes = bytes;
            self.notes.push(note);
        } else {
            self.exhausted = true;
        }
    }

    /// Takes what was noted back to what it was.
    fn forget(&mut self, notes: usize) {
        let gone = self.notes.get(notes..).unwrap_or_default();
        let bytes = gone.iter().map(Note::len).fold(0, usize::saturating_add);
        self.noted_bytes = self.noted_bytes.saturating_sub(bytes);
        self.notes.truncate(notes);
    }

    /// Takes bytes that were searched off the budget; whether some are left.
    pub(crate) fn searched(&mut self, bytes: usize) -> bool {
        self.searchable = self.searchable.saturating_sub(bytes);
        self.exhausted |= self.searchable == 0;
        self.searchable > 0
    }

    /// Takes a search off the budget that began at `from` and found something, or came to `to`.
    pub(crate) fn searched_to(&mut self, from: usize, to: usize, found: Option<Found>) -> bool {
        let end = found.map_or(to, |found| found.end);
        self.searched(end.saturating_sub(from).saturating_add(1))
    }

    /// Gives a variable a value.
    pub(crate) fn set_variable(&mut self, at: usize, value: u64) {
        if let Some(place) = self.variables.get_mut(at) {
            *place = value;
        }
    }

    /// Whether all steps of an inspection hold of these bytes.
    pub(crate) fn over(&mut self, bytes: &'w [u8], inspection: &Inspection) -> bool {
        self.bytes = bytes;
        self.cursor = 0;
        self.places = PLACES_MAX;
        self.steps(&inspection.steps) && self.over_decoded(inspection)
    }

    /// Whether what is asked of decoded Base64 holds.
    fn over_decoded(&mut self, inspection: &Inspection) -> bool {
        if inspection.decoded.is_empty() {
            return true;
        }
        let decoded = std::mem::take(&mut self.decoded);
        let mut inner = Walk::new(self.scene);
        inner.variables = self.variables;
        inner.bytes = &decoded;
        let holds = inner.steps(&inspection.decoded);
        self.exhausted |= inner.exhausted;
        self.pcre.exhausted |= inner.pcre.exhausted;
        let noted = std::mem::take(&mut inner.notes);
        noted.into_iter().for_each(|note| self.note(note));
        holds
    }

    /// Whether these steps hold from here on.
    pub(crate) fn steps(&mut self, mut steps: &[Step]) -> bool {
        while let Some((step, rest)) = steps.split_first() {
            let holds = match step {
                Step::Check(check) => {
                    self.searched(check.reads(self.bytes.len())) && check.holds(self)
                }
                Step::Content(content) if content.is_negated() => self.lacks(content),
                Step::Find(find) if find.is_negated() => {
                    let from = find.first(self);
                    let found = from.and_then(|from| find.next(self, from));
                    found.is_none() && self.searchable > 0
                }
                Step::Content(content) => return self.content_and(content, rest),
                Step::Find(find) => return self.found_and(&**find, rest),
            };
            if !holds {
                return false;
            }
            steps = rest;
        }
        true
    }

    /// Whether a literal does not stand in its window.
    fn lacks(&mut self, content: &Content) -> bool {
        let Some((from, to)) = content.window(self) else {
            return true;
        };
        let found = content.find(self, from, to);
        self.searched_to(from, to, found) && found.is_none()
    }

    /// Whether a literal stands there and the steps behind it hold, at one of its places.
    fn content_and(&mut self, content: &Content, rest: &[Step]) -> bool {
        let Some((mut from, to)) = content.window(self) else {
            return false;
        };
        let again = rest.first().is_some_and(Step::is_relative);
        let noted = self.notes.len();
        loop {
            let found = content.find(self, from, to);
            if !self.searched_to(from, to, found) {
                return false;
            }
            let Some(found) = found else { return false };
            if self.goes_on(found, rest) {
                return true;
            }
            self.forget(noted);
            if !again || !self.spend() {
                return false;
            }
            from = found.again;
        }
    }

    /// The same of what can be found in several places.
    fn found_and(&mut self, find: &dyn Find, rest: &[Step]) -> bool {
        let Some(mut from) = find.first(self) else {
            return false;
        };
        let again = rest.first().is_some_and(Step::is_relative);
        let noted = self.notes.len();
        while let Some(found) = find.next(self, from) {
            if self.searchable > 0 && self.goes_on(found, rest) {
                return true;
            }
            self.forget(noted);
            if !again || self.searchable == 0 || !self.spend() {
                return false;
            }
            from = found.again;
        }
        false
    }

    fn goes_on(&mut self, found: Found, rest: &[Step]) -> bool {
        let before = self.cursor;
        self.cursor = found.end;
        self.matched.get_or_insert((found.start, found.end));
        let holds = self.steps(rest);
        if !holds {
            self.cursor = before;
            self.matched = self
                .matched
                .filter(|matched| *matched != (found.start, found.end));
        }
        holds
    }

    /// Takes one place off the budget; whether one was left.
    fn spend(&mut self) -> bool {
        self.places = self.places.saturating_sub(1);
        self.exhausted |= self.places == 0;
        self.places > 0
    }
}
