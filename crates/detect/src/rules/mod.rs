//! Suricata's rule language: text to rules, rules against traffic, alerts.
//!
//! ```text
//! text -> syntax -> header, keyword -> builder -> Rule -> RuleSet       (off the packet path)
//! Event -> inspect: buffers -> literal -> walk -> conditions -> Alert   (on it)
//! ```
//!
//! A [`RuleSet`] is immutable and shared; an [`Inspector`] per thread holds what rules remember. A set
//! is replaced by another between two packets.

pub mod alert;
mod builder;
mod classes;
mod compiler;
mod content;
pub mod dataset;
mod diagnostic;
mod effect;
mod handover;
mod header;
mod inspect;
mod keyword;
pub mod literal;
mod memory;
mod note;
pub mod pcre;
mod requires;
mod rule;
mod scene;
mod set;
pub mod state;
mod syntax;
pub mod transform;
mod verdicts;
mod walk;

pub use alert::{Alert, Reason, Told};
pub use classes::Classes;
pub use compiler::{Compiler, FOREIGN_LITERAL_BYTES_MIN, RULES_MAX};
pub use diagnostic::{Diagnostic, Problem, ProblemKind};
pub use header::{Action, NESTED_MAX, RejectTarget, TERMS_MAX, Vars};
pub use inspect::{Bodies, Counters, Fate, Inspector, Options, Outcome};
pub use keyword::reference;
pub use note::Remembered;
pub use rule::{About, Origin, Rule, RuleId};
pub use set::RuleSet;
pub use syntax::{OPTIONS_MAX, RULE_BYTES_MAX};
pub use verdicts::{Verdicts, VerdictsConfig};
pub use walk::{EVENT_BYTES_MAX, PCRE_STEPS_MAX, PLACES_MAX, SEARCHED_BYTES_MAX, VARIABLES_MAX};
