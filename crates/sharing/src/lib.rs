//! Who may see what, what may leave, and what one partner's word is enough for.
//!
//! Every rule is a pure function of its arguments and says where it comes from. What is unknown
//! is denied beyond the source. "TLP 2.0" means first.org/tlp of August 2022.
#![forbid(unsafe_code)]

mod audience;
pub mod fastlane;
mod partner;
pub mod scrub;

pub use audience::{Audience, Reach, may_see, reach};
pub use partner::{NameError, Partner, Role};
