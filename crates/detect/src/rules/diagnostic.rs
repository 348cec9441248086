//! What is wrong with a rule, where, and what would mend it.

use std::fmt;
use std::ops::Range;

/// Something wrong with one rule. `at` are bytes of the rule's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where in the rule's text, bytes.
    pub at: Range<usize>,
    /// Whether the rule is wrong, or only more than is supported.
    pub kind: ProblemKind,
    /// What is wrong.
    pub message: String,
    /// What would mend it; empty when nothing the author could write would.
    pub mend: String,
}

/// Whose fault a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// The rule's author's: it is no rule of the language.
    Wrong,
    /// Ours: a part of the language that is not supported.
    Unsupported,
}

impl Problem {
    /// The rule is wrong at `at`.
    pub(crate) fn wrong(at: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            at,
            kind: ProblemKind::Wrong,
            message: message.into(),
            mend: String::new(),
        }
    }

    /// The rule uses what is not supported.
    pub(crate) fn unsupported(at: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            kind: ProblemKind::Unsupported,
            ..Self::wrong(at, message)
        }
    }

    /// With what would mend it.
    #[must_use]
    pub(crate) fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = mend.into();
        self
    }
}

/// A problem of a rule in a file, as it is shown to its author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file.
    pub file: String,
    /// Line of the file, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// The line itself, where it is not too long to show.
    pub source: String,
    /// How many characters of it are meant.
    pub width: u32,
    /// The rule's number, where it could be read.
    pub sid: Option<u32>,
    /// What is wrong.
    pub problem: Problem,
}

/// Most characters of what is said to be wrong.
const MESSAGE_CHARS_MAX: usize = 300;
/// Most characters of a line that are shown around the place that is meant.
const SHOWN_MAX: usize = 120;

/// Lines of a file, counted once from its start to its end.
#[derive(Debug)]
pub(crate) struct Lines<'t> {
    text: &'t str,
    /// Up to where they were counted, and how many.
    counted: usize,
    line: usize,
}

impl<'t> Lines<'t> {
    pub(crate) fn of(text: &'t str) -> Self {
        Self {
            text,
            counted: 0,
            line: 1,
        }
    }

    /// The line of a place, from 1. It must not lie before one that was asked for earlier.
    fn of_place(&mut self, at: usize) -> usize {
        let between = self
            .text
            .as_bytes()
            .get(self.counted..at)
            .unwrap_or_default();
        let more = between.iter().filter(|byte| **byte == b'\n').count();
        self.counted = self.counted.max(at);
        self.line = self.line.saturating_add(more);
        self.line
    }

    /// Places a problem of the rule that stands at `start`. Each rule has one at most.
    pub(crate) fn place(
        &mut self,
        file: &str,
        start: usize,
        sid: Option<u32>,
        problem: Problem,
    ) -> Diagnostic {
        let text = self.text;
        let problem = Problem {
            message: shortened(problem.message),
            ..problem
        };
        let at = start.saturating_add(problem.at.start).min(text.len());
        let end = start.saturating_add(problem.at.end).clamp(at, text.len());
        let before = text.get(..at).unwrap_or_default();
        let line_start = before
            .rfind('\n')
            .map_or(0, |newline| newline.saturating_add(1));
        let line = self.of_place(at);
        let line_end = text.get(at..).and_then(|rest| rest.find('\n'));
        let line_end = line_end.map_or(text.len(), |len| at.saturating_add(len));
        let in_line = text.get(line_start..at).unwrap_or_default();
        let meant = text.get(at..end.min(line_end)).unwrap_or_default();
        Diagnostic {
            file: file.to_owned(),
            line: count32(line),
            column: count32(in_line.chars().count().saturating_add(1)),
            source: text
                .get(line_start..line_end)
                .unwrap_or_default()
                .to_owned(),
            width: count32(meant.chars().count().max(1)),
            sid,
            problem,
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.problem.kind {
            ProblemKind::Wrong => "error",
            ProblemKind::Unsupported => "unsupported",
        };
        write!(
            f,
            "{}:{}:{}: {kind}: {}",
            self.file, self.line, self.column, self.problem.message
        )?;
        if let Some(sid) = self.sid {
            write!(f, " (sid {sid})")?;
        }
        let column = usize::try_from(self.column).unwrap_or(1).saturating_sub(1);
        let from = column.saturating_sub(SHOWN_MAX / 2);
        let shown: String = self.source.chars().skip(from).take(SHOWN_MAX).collect();
        let width = usize::try_from(self.width).unwrap_or(1).min(SHOWN_MAX / 2);
        let indent = column.saturating_sub(from);
        write!(f, "\n  | {shown}\n  | {:indent$}{}", "", "^".repeat(width))?;
        if !self.problem.mend.is_empty() {
            write!(f, "\n  = {}", self.problem.mend)?;
        }
        Ok(())
    }
}

/// What is wrong repeats what the author wrote: not all of it, where it is long.
fn shortened(message: String) -> String {
    match message.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}...", message.get(..end).unwrap_or_default()),
        None => message,
    }
}

fn count32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
