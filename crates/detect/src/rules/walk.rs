//! The walk over a buffer: steps in order, each from where the one before it ended, back to another
//! place of an earlier one where a later one fails.

use super::note::{NOTES_MAX, Note};
use super::pcre::Steps;
use super::rule::{Found, Inspection, Step};
use super::scene::Scene;

/// Most variables of a rule (`byte_extract`, `byte_math`).
pub const VARIABLES_MAX: usize = 16;
/// Most places tried in one walk over a buffer. Other sensors call it the inspection recursion limit.
pub const PLACES_MAX: u32 = 3000;
/// Most steps of regular expressions that need backtracking, in one walk over a buffer.
pub const PCRE_STEPS_MAX: u64 = 100_000;

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
    /// A bound was hit.
    pub(crate) exhausted: bool,
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
            exhausted: false,
        }
    }

    /// Notes something, as far as there is room.
    pub(crate) fn note(&mut self, note: Note) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push(note);
        } else {
            self.exhausted = true;
        }
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
        let noted = std::mem::take(&mut inner.notes);
        noted.into_iter().for_each(|note| self.note(note));
        holds
    }

    /// Whether these steps hold from here on.
    pub(crate) fn steps(&mut self, steps: &[Step]) -> bool {
        let Some((step, rest)) = steps.split_first() else {
            return true;
        };
        match step {
            Step::Check(check) => check.holds(self) && self.steps(rest),
            Step::Content(content) if content.is_negated() => {
                !content.occurs(self) && self.steps(rest)
            }
            Step::Find(find) if find.is_negated() => {
                let from = find.first(self);
                from.and_then(|from| find.next(self, from)).is_none() && self.steps(rest)
            }
            Step::Content(content) => {
                let Some((mut from, to)) = content.window(self) else {
                    return false;
                };
                let again = rest.first().is_some_and(Step::is_relative);
                let noted = self.notes.len();
                while let Some(found) = content.find(self, from, to) {
                    if self.goes_on(found, rest) {
                        return true;
                    }
                    self.notes.truncate(noted);
                    if !again || !self.spend() {
                        return false;
                    }
                    from = found.again;
                }
                false
            }
            Step::Find(find) => {
                let again = rest.first().is_some_and(Step::is_relative);
                let Some(mut from) = find.first(self) else {
                    return false;
                };
                let noted = self.notes.len();
                while let Some(found) = find.next(self, from) {
                    if self.goes_on(found, rest) {
                        return true;
                    }
                    self.notes.truncate(noted);
                    if !again || !self.spend() {
                        return false;
                    }
                    from = found.again;
                }
                false
            }
        }
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
