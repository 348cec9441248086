//! A pattern as it was written: to be checked, printed, matched, compared.

use super::error::{PatternError, Refusal};
use super::matching::Matcher;
use super::normal::{self, Wording};
use super::targets::{self, Fit, Target};
use super::tree::Observation;
use super::{Compared, PATTERN_BYTES_MAX, check, compared, syntax};

/// A pattern that keeps to the grammar of STIX 2.1 section 9, whether or not it can be enforced.
#[derive(Clone, Debug)]
pub struct Expression<'a> {
    text: &'a str,
    root: Observation<'a>,
}

impl<'a> Expression<'a> {
    /// Reads a pattern by its grammar alone; [`Self::check`] has the rules beside it.
    ///
    /// # Errors
    /// [`PatternError`] for the first thing that the grammar does not take, or for a bound.
    pub fn parse(text: &'a str) -> Result<Self, PatternError> {
        let root = read(text).map_err(|refusal| refusal.in_text(text))?;
        Ok(Self { text, root })
    }

    /// Checks what the grammar cannot say: no qualifier stands twice after one observation,
    /// comparisons joined by `AND` can be true of one object, hashes have their algorithm's form.
    ///
    /// # Errors
    /// [`PatternError`] for the first that is broken.
    pub fn check(&self) -> Result<(), PatternError> {
        check::check(&self.root).map_err(|refusal| refusal.in_text(self.text))
    }

    /// What decides whether observations match.
    ///
    /// # Errors
    /// [`PatternError`] of kind `Value` where something has no meaning: a time or a network that
    /// does not exist, a set of constants of several types, `WITHIN 0 SECONDS`, a regular
    /// expression that is none.
    pub fn matcher(&self) -> Result<Matcher, PatternError> {
        Matcher::compile(&self.root).map_err(|refusal| refusal.in_text(self.text))
    }

    /// The same pattern in the one wording of all that match the same observations as far as that
    /// follows from the language: order, spacing, quotes, spellings of constants and operators.
    #[must_use]
    pub fn normal(&self) -> String {
        normal::print(&self.root, Wording::Exact)
    }

    /// As [`Self::normal`], with values that name the same thing in one form too, as
    /// [`crate::canonical`] has them: hashes and their algorithms, domain names, addresses and
    /// networks, protocols, URLs. The text that [`Self::fingerprint`] is of.
    #[must_use]
    pub fn canonical(&self) -> String {
        normal::print(&self.root, Wording::Named)
    }

    /// The SHA-256 of [`Self::canonical`]: equal for one indicator told in several ways.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        use sha2::{Digest as _, Sha256};
        Sha256::digest(self.canonical()).into()
    }

    /// The values that it wants to see: what it can be found by.
    #[must_use]
    pub fn compared(&self) -> Vec<Compared<'_>> {
        compared::of(&self.root)
    }

    /// How far a target can do what the pattern says, and why not all of it.
    #[must_use]
    pub fn fit(&self, target: Target) -> Fit {
        match target {
            Target::Matcher => targets::matcher(self.matcher().err()),
            Target::Index | Target::Rule => targets::fit(&self.root, target),
        }
    }
}

/// The tree of a text within the bounds.
pub(super) fn read(text: &str) -> Result<Observation<'_>, Refusal> {
    if text.len() > PATTERN_BYTES_MAX {
        let what = format!("the pattern has more than {PATTERN_BYTES_MAX} bytes");
        return Err(Refusal::bound(0, what, "share it as several indicators"));
    }
    syntax::read(text)
}
