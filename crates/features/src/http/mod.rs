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
    normal::{Normal, Undone},
};
use lexer::Token;

/// The extractor.
pub(super) struct Fields;

/// Ids of a window at most.
const IDS_MAX: usize = 384;
/// Rows of a request at most; what comes after them is not looked at.
const ROWS_MAX: usize = 192;
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
            rows_max: samples.rows().saturating_add(ROWS_MAX),
            samples,
            normal: Normal::default(),
            grams: Grams::new(IDS_MAX),
            numbers: Vec::with_capacity(self.columns().len()),
        };
        let before = scan.samples.rows();
        fields::walk(request, |place, value, plus| {
            scan.field(place, value, plus, 0)
        });
        if scan.samples.rows() == before {
            scan.row(b"path", b"", 0, Undone::default());
        }
        Ok(())
    }
}

struct Scan<'a> {
    samples: &'a mut Samples,
    rows_max: usize,
    normal: Normal,
    grams: Grams,
    numbers: Vec<f32>,
}

impl Scan<'_> {
    fn field(&mut self, place: &[u8], value: &[u8], plus: bool, nested: u8) {
        if self.samples.rows() >= self.rows_max {
            return;
        }
        let decoded = self.normal.decode(value, plus);
        let mut inner: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        if nested < NESTED_MAX {
            let leaf =
                |place: &[u8], value: &[u8], _: bool| inner.push((place.to_vec(), value.to_vec()));
            fields::json(place, decoded, leaf);
            let texts = wrapped::unwrapped(decoded);
            self.whole(place, &texts, nested);
            inner.extend(texts.into_iter().map(|text| (place.to_vec(), text)));
        } else {
            self.whole(place, &[], nested);
        }
        for (place, value) in inner {
            self.field(&place, &value, false, nested.saturating_add(1));
        }
    }

    /// The windows of the value that was decoded last.
    fn whole(&mut self, place: &[u8], wrapped: &[Vec<u8>], nested: u8) {
        let folded = self.normal.fold().to_vec();
        let mut undone = self.normal.undone;
        undone.rounds = undone.rounds.saturating_add(nested);
        undone.wrapped = u32::try_from(wrapped.len()).unwrap_or(u32::MAX);
        for range in window::windows(&folded) {
            if self.samples.rows() >= self.rows_max {
                return;
            }
            self.row(
                place,
                folded.get(range).unwrap_or_default(),
                folded.len(),
                undone,
            );
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
