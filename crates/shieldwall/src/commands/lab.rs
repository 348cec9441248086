//! `lab`: the loop in namespaces of its own, attacked and measured.

use std::{io::stdout, path::PathBuf};

use lab::{Options, Plan};

use crate::{
    cli::{AttackKind, Lab, LabDir},
    outcome::{Failure, Outcome},
    text::say,
};

pub(super) fn run(args: Lab, json: bool) -> Result<Outcome, Failure> {
    match args {
        Lab::Up(up) => done(lab::up(&options(up.dir)?, &mut stdout())),
        Lab::Attack { kind, dir } => done(lab::attack(&options(dir)?, kind.into(), &mut stdout())),
        Lab::Measure {
            rounds,
            rtt,
            loss,
            out,
            dir,
        } => {
            let plan = Plan {
                rounds,
                rtt_ms: rtt,
                loss_pct: loss,
                seed: 1,
                json: out,
            };
            measure(&options(dir)?, &plan, json)
        }
        Lab::Report { dir } => done(lab::report(&options(dir)?, &mut stdout())),
        Lab::Down { dir } => done(lab::down(&options(dir)?, &mut stdout())),
        Lab::Node { args } => done(lab::node::run(&args)),
    }
}

fn measure(options: &Options, plan: &Plan, json: bool) -> Result<Outcome, Failure> {
    let measured = if json {
        lab::measure(options, plan, &mut std::io::stderr())
    } else {
        lab::measure(options, plan, &mut stdout())
    }
    .map_err(Failure::System)?;
    if json {
        say(serde_json::to_string(&measured)
            .map_err(|e| Failure::system("print the figures", e))?);
    }
    Ok(if measured.passed() {
        Outcome::Done
    } else {
        Outcome::No
    })
}

fn options(dir: LabDir) -> Result<Options, Failure> {
    let binary: PathBuf =
        std::env::current_exe().map_err(|e| Failure::system("find our own binary", e))?;
    Ok(Options {
        binary,
        dir: dir.dir,
    })
}

fn done(result: anyhow::Result<()>) -> Result<Outcome, Failure> {
    result.map(|()| Outcome::Done).map_err(Failure::System)
}

impl From<AttackKind> for lab::AttackKind {
    fn from(kind: AttackKind) -> Self {
        match kind {
            AttackKind::Loop => Self::Loop,
            AttackKind::Syn => Self::Syn,
            AttackKind::Spoofed => Self::Spoofed,
        }
    }
}
