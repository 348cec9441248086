//! `LIKE`: `%` is any text, `_` any one character (STIX 2.1 section 9.6.1).

use super::{MatchError, Steps};

/// What a `LIKE` asks for.
#[derive(Debug)]
pub(super) struct Wildcard(Vec<Glyph>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Glyph {
    /// Any text, also none.
    Any,
    /// Any one character.
    One,
    Char(char),
}

impl Wildcard {
    pub(super) fn new(pattern: &str) -> Self {
        let glyphs = pattern.chars().map(|c| match c {
            '%' => Glyph::Any,
            '_' => Glyph::One,
            c => Glyph::Char(c),
        });
        let mut glyphs: Vec<Glyph> = glyphs.collect();
        glyphs.dedup_by(|left, right| (*left, *right) == (Glyph::Any, Glyph::Any));
        Self(glyphs)
    }

    /// Whether the whole text is like the pattern. A `%` that took too little takes one more; only
    /// the last one can have to.
    pub(super) fn is_match(&self, text: &[char], steps: &mut Steps) -> Result<bool, MatchError> {
        let (mut glyph, mut at) = (0_usize, 0_usize);
        let mut retry: Option<(usize, usize)> = None;
        while at < text.len() {
            steps.take(1)?;
            let fits = match self.0.get(glyph) {
                Some(Glyph::Any) => {
                    retry = Some((glyph, at));
                    glyph = glyph.saturating_add(1);
                    continue;
                }
                Some(Glyph::One) => true,
                Some(Glyph::Char(c)) => text.get(at) == Some(c),
                None => false,
            };
            if fits {
                (glyph, at) = (glyph.saturating_add(1), at.saturating_add(1));
                continue;
            }
            let Some((any, from)) = retry else {
                return Ok(false);
            };
            let from = from.saturating_add(1);
            retry = Some((any, from));
            (glyph, at) = (any.saturating_add(1), from);
        }
        let rest = self.0.get(glyph..).unwrap_or_default();
        Ok(rest.iter().all(|glyph| *glyph == Glyph::Any))
    }
}
