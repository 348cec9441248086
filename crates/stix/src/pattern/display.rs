//! Object paths as text, quoted where the grammar needs it.

use std::fmt::{self, Display, Formatter};

use super::lexer::is_name_alone;
use super::print::Quoted;
use super::tree::Step;

/// An object path: its object type and its steps.
pub(super) struct PathText<'s, 'a>(pub(super) &'s str, pub(super) &'s [Step<'a>]);

impl Display for PathText<'_, '_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(object, steps) = self;
        f.write_str(object)?;
        for (index, step) in steps.iter().enumerate() {
            match step {
                Step::Any => f.write_str("[*]")?,
                Step::Index(number) => write!(f, "[{number}]")?,
                Step::Key(key) => {
                    f.write_str(if index == 0 { ":" } else { "." })?;
                    match is_name_alone(key) {
                        true => f.write_str(key)?,
                        false => write!(f, "{}", Quoted(key))?,
                    }
                }
            }
        }
        Ok(())
    }
}
