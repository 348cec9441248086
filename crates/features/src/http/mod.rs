//! `http-field@1`: the fields of a request, decoded, in windows.
//!
//! A request is taken apart as an application would (`fields`, `multipart`), each value is decoded
//! to a fixed point and folded to one form (`normal`), what is wrapped in base64 or JSON is looked
//! at as well (`wrapped`), and each window of 128 bytes (`window`) is a row: what it holds, word by
//! word (`lexer`, `lexicon`), in columns (`columns`) and n-grams.

mod columns;
mod fields;
mod lexer;
mod lexicon;
mod multipart;
mod window;
mod wrapped;

use crate::{
    Column, Extractor, Samples, Subject, Unfit,
    gram::{Grams, Hash},
    normal::{Carried, Normal, Undone, VALUE_MAX},
};
use lexer::Token;

/// The extractor.
pub(super) struct Fields;

/// Ids of a window at most.
const IDS_MAX: usize = 384;
/// Rows of a request at most: of more windows those with most signs in them, wherever they stand, so
/// that nobody hides one behind harmless ones.
const ROWS_MAX: usize = 192;
/// Windows that are held before those with fewest signs are let go.
const WINDOWS_MAX: usize = 2048;
/// Pieces of long values that are looked at, over all values of a request.
const PIECES_MAX: usize = 16;
/// Bytes that two pieces share, so that nothing is cut in two: a window, and a whole number of groups
/// of Base64.
const SHARED: usize = window::WIDTH;
/// How deep values are looked for in values.
const NESTED_MAX: u8 = 3;

impl Extractor for Fields {
    fn name(&self) -> &'static str {
        "http-field@1"
    }

    fn columns(&self) -> &'static [Column] {
        columns::all()
    }

    fn ids_max(&self) -> usize {
        IDS_MAX
    }

    fn extract(&self, subject: &Subject<'_>, samples: &mut Samples) -> Result<(), Unfit> {
        let Subject::Request(request) = subject else {
            let (extractor, given) = (self.name(), subject.kind());
            return Err(Unfit {
                extractor,
                wants: "a request",
                given,
            });
        };
        let mut scan = Scan {
            windows: Vec::new(),
            pieces: PIECES_MAX,
            samples,
            normal: Normal::default(),
            grams: Grams::new(IDS_MAX),
            numbers: Vec::with_capacity(self.columns().len()),
        };
        fields::walk(request, |place, value, carried| {
            scan.value(place, value, carried)
        });
        scan.rows();
        Ok(())
    }
}

/// A window that may become a row.
struct Window {
    place: Box<[u8]>,
    text: Box<[u8]>,
    /// Bytes of the whole value.
    length: usize,
    undone: Undone,
}

struct Scan<'a> {
    windows: Vec<Window>,
    pieces: usize,
    samples: &'a mut Samples,
    normal: Normal,
    grams: Grams,
    numbers: Vec<f32>,
}

impl Scan<'_> {
    /// A value in pieces of [`VALUE_MAX`]; nearly every value is one.
    fn value(&mut self, place: &[u8], value: &[u8], carried: Carried) {
        let mut rest = value;
        loop {
            self.field(place, rest, carried, 0);
            if rest.len() <= VALUE_MAX || self.pieces == 0 {
                break;
            }
            self.pieces = self.pieces.saturating_sub(1);
            let next = VALUE_MAX.saturating_sub(SHARED);
            rest = rest.get(next..).unwrap_or_default();
        }
    }

    fn field(&mut self, place: &[u8], value: &[u8], carried: Carried, nested: u8) {
        let decoded = self.normal.decode(value, carried);
        let mut inner: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        if nested < NESTED_MAX {
            let leaf = |place: &[u8], value: &[u8], _: Carried| {
                inner.push((place.to_vec(), value.to_vec()))
            };
            fields::json(place, decoded, leaf);
            let texts = wrapped::unwrapped(decoded);
            self.whole(place, &texts, nested);
            inner.extend(texts.into_iter().map(|text| (place.to_vec(), text)));
        } else {
            self.whole(place, &[], nested);
        }
        for (place, value) in inner {
            self.field(&place, &value, Carried::Plain, nested.saturating_add(1));
        }
    }

    /// The windows of the value that was decoded last.
    fn whole(&mut self, place: &[u8], wrapped: &[Vec<u8>], nested: u8) {
        let folded = self.normal.fold().to_vec();
        let mut undone = self.normal.undone;
        undone.rounds = undone.rounds.saturating_add(nested);
        undone.wrapped = u32::try_from(wrapped.len()).unwrap_or(u32::MAX);
        for range in window::windows(&folded) {
            self.windows.push(Window {
                place: place.into(),
                text: folded.get(range).unwrap_or_default().into(),
                length: folded.len(),
                undone,
            });
        }
        if self.windows.len() > WINDOWS_MAX {
            self.prune();
        }
    }

    /// Lets all but [`ROWS_MAX`] windows go, and leaves the order of the rest.
    fn prune(&mut self) {
        let signs = |window: &Window| std::cmp::Reverse(window::signs(&window.text));
        let mut order: Vec<_> = self.windows.iter().map(signs).zip(0_usize..).collect();
        order.sort_unstable();
        let kept: std::collections::BTreeSet<usize> = order
            .into_iter()
            .take(ROWS_MAX)
            .map(|(_, index)| index)
            .collect();
        let mut index = 0_usize;
        self.windows.retain(|_| {
            let keeps = kept.contains(&index);
            index = index.saturating_add(1);
            keeps
        });
    }

    /// A row for each window; one for a request that has none.
    fn rows(&mut self) {
        if self.windows.len() > ROWS_MAX {
            self.prune();
        }
        let windows = std::mem::take(&mut self.windows);
        for window in &windows {
            self.row(&window.place, &window.text, window.length, window.undone);
        }
        if windows.is_empty() {
            self.row(b"path", b"", 0, Undone::default());
        }
    }

    fn row(&mut self, place: &[u8], text: &[u8], length: usize, undone: Undone) {
        let tokens: Vec<Token<'_>> = lexer::tokens(text).collect();
        self.numbers.clear();
        columns::measure(text, &tokens, length, &undone, &mut self.numbers);
        self.grams.clear();
        syntax(&tokens, &mut self.grams);
        signs(text, &mut self.grams);
        self.samples
            .push(place, text, &self.numbers, self.grams.ids(), IDS_MAX);
    }
}

/// N-grams of one to four tokens, in which any word that means nothing is the same word; and the
/// words by themselves.
fn syntax(tokens: &[Token<'_>], grams: &mut Grams) {
    for start in 0..tokens.len() {
        let mut hash = Hash::of(b't');
        for token in tokens.iter().skip(start).take(4) {
            hash = match token {
                Token::Known(word, _) => hash.bytes(word).byte(0),
                Token::Word(_) => hash.byte(b'w').byte(1),
                Token::Number(_) => hash.byte(b'n').byte(1),
                Token::Sign(sign) => hash.bytes(sign).byte(2),
            };
            grams.add(hash);
        }
        if let Some(Token::Word(word)) = tokens.get(start) {
            grams.add(Hash::of(b'w').bytes(word));
        }
    }
}

/// Three and four bytes with a sign among them; all digits are the same digit.
fn signs(text: &[u8], grams: &mut Grams) {
    for length in [3, 4] {
        for bytes in text.windows(length) {
            if bytes
                .iter()
                .any(|byte| !byte.is_ascii_alphanumeric() && *byte != b' ')
            {
                let digits = bytes
                    .iter()
                    .map(|byte| if byte.is_ascii_digit() { b'0' } else { *byte });
                grams.add(digits.fold(Hash::of(b's'), Hash::byte));
            }
        }
    }
}

#[cfg(test)]
mod tests;
