//! One module for each subcommand; each turns what was typed into a call of the crate that does it.

mod export;
mod features;
mod hub;
mod import;
mod lab;
mod lines;
mod pack;
mod partner;
mod redteam;
mod rules;
mod scan;
mod score;
mod search;
mod share;
mod shield;
mod state;
mod stix;
mod stop;
mod up;
mod watch;

use crate::{
    cli::{Cli, Command},
    outcome::{Failure, Outcome},
};

/// Runs what was typed.
pub(crate) fn run(cli: Cli) -> Result<Outcome, Failure> {
    let json = cli.json;
    match cli.command {
        Command::Up(args) => crate::block_on(up::run(args)),
        Command::Hub(args) => crate::block_on(hub::run(args, json)),
        Command::Shield(args) => shield::run(args, json),
        Command::Scan(args) => scan::run(&args, json),
        Command::Stix(args) => stix::run(&args, json),
        Command::Share(args) => crate::block_on(share::run(args, json)),
        Command::Import(args) => crate::block_on(import::run(*args, json)),
        Command::Export(args) => crate::block_on(export::run(*args, json)),
        Command::Search(args) => crate::block_on(search::run(*args, json)),
        Command::Watch(args) => crate::block_on(watch::run(args, json)),
        Command::Partner(args) => crate::block_on(partner::run(args, json)),
        Command::Pack(args) => crate::block_on(pack::run(&args, json)),
        Command::Features(args) => features::run(&args, json),
        Command::Score(args) => score::run(&args),
        Command::Redteam(args) => redteam::run(&args, json),
        Command::Rules(args) => rules::run(&args, json),
        Command::Lab(args) => lab::run(args, json),
    }
}

/// The time.
fn now() -> ::stix::Timestamp {
    ::stix::Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
}
