//! What rules remember: the options that write, count and look up state.
//!
//! | option | parser | state | lives |
//! |---|---|---|---|
//! | `flowbits` | [`flowbits`] | [`FlowBits`] | in a flow |
//! | `flowint` | [`flowint`] | [`FlowInts`] | in a flow |
//! | `xbits`, `hostbits` | [`hostbits`] | [`HostBits`] | one table, by address or pair of addresses |
//! | `tag` | | [`tags`] | in a flow, and one table by address |
//! | `threshold`, `detection_filter` | [`threshold`] | [`Thresholds`] | one table, by rule and address or flow |
//! | the file `threshold.config` | [`GlobalThresholds`] | [`Filter`] | made for each rule when it is read |
//! | `iprep` | [`Reputations::parse`] | [`Reputations`] | read from files |
//!
//! **When.** A check (`isset`, a comparison) is part of whether a rule matches, wherever it stands
//! among the options. What writes is done after a rule matched as a whole, before its threshold is
//! judged: a rule that a threshold silences still sets its bits.
//!
//! **Bounds.** What lives in a flow is bounded by [`flowbits::PER_FLOW_MAX`], tables by their
//! settings; they forget what was used least recently and count it. Times are nanoseconds since
//! the Unix epoch.

pub mod filter;
pub mod flowbits;
pub mod flowint;
pub mod global;
pub mod hostbits;
pub mod iprep;
mod names;
pub mod networks;
mod option;
pub mod tags;
pub mod threshold;
mod thresholds;

pub use filter::Filter;
pub use flowbits::FlowBits;
pub use flowint::FlowInts;
pub use global::{GlobalThresholds, LineError};
pub use hostbits::HostBits;
pub use iprep::Reputations;
pub use names::{NAME_BYTES_MAX, NAMES_MAX, Names};
pub(crate) use option::Field;
pub use option::OptionError;
pub use thresholds::{Ends, Judgement, RuleKey, Thresholds};

/// Nanoseconds in a second.
const SECOND_NS: u64 = 1_000_000_000;
