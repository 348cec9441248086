//! The binary: command line, configuration and wiring. No policy and no detection live here.
#![forbid(unsafe_code)]

mod cli;
mod client;
mod commands;
mod outcome;
mod remote;
mod text;

use clap::Parser as _;

use crate::{cli::Cli, outcome::Failure};

fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    log_to_standard_error();
    match commands::run(cli) {
        Ok(outcome) => outcome.into(),
        Err(failure) => {
            failure.print();
            failure.into()
        }
    }
}

/// `SHIELDWALL_LOG` takes the usual directives (`info`, `hub=debug`); warnings are the default.
fn log_to_standard_error() {
    let directives = std::env::var("SHIELDWALL_LOG").unwrap_or_else(|_| "warn".to_owned());
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(directives))
        .with_writer(std::io::stderr)
        .init();
}

/// The runtime that the network side of a command runs on.
fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::system("start the async runtime", error))?
        .block_on(future)
}
