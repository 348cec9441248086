//! `stix`: STIX 2.1, without an exchange.

mod validate;

use crate::{
    cli::Stix,
    outcome::{Failure, Outcome},
};

pub(super) fn run(args: &Stix, json: bool) -> Result<Outcome, Failure> {
    match args {
        Stix::Validate(args) => validate::run(args, json),
    }
}
