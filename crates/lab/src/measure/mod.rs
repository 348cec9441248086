//! The measurement of the time to shield: attack A, watch B, revoke, and again.

mod leftover;
mod round;
mod summary;
mod table;

use std::{io::Write, path::PathBuf, thread, time::Duration};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

pub use round::Round;
pub use summary::{Spread, Summary};

use crate::{
    Options,
    attack::Trigger,
    link::{self, Impairment, Means},
    node::Tally,
    state::{Lab, read_json, write_json},
    topology::Attacker,
    up,
};

/// How long connections get to recover after the hub's links were changed under them.
const SETTLE: Duration = Duration::from_secs(3);
/// The probe's rate; above 10,000 so that a round that keeps 10,000 has margin.
pub(crate) const PROBE_PER_S: u32 = 12_000;
/// The rate below which a round does not count.
pub(crate) const PROBE_PER_S_MIN: f64 = 10_000.0;
/// What the last measurement is kept as.
const FILE: &str = "measurement.json";

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many rounds; attackers and triggers take turns.
    pub rounds: u32,
    /// Round trip added between hub and each shield, in milliseconds.
    pub rtt_ms: f64,
    /// Packets lost on those links, in percent.
    pub loss_pct: f64,
    /// Which packets are lost.
    pub seed: u64,
    /// Also write the measurement here.
    pub json: Option<PathBuf>,
}

/// What came out.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Measurement {
    /// Round trip that was added, in milliseconds.
    pub rtt_ms: f64,
    /// Packets that were lost, in percent.
    pub loss_pct: f64,
    /// What impaired the links.
    pub links: Means,
    /// Every round, failed ones too.
    pub rounds: Vec<Round>,
    /// What happened to the bystanders during the rounds.
    pub bystanders: Bystanders,
    /// Percentiles over the rounds that did not fail.
    pub summary: Summary,
}

/// What happened to the bystanders.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Bystanders {
    /// Sessions held open at the end.
    pub open: u64,
    /// Held sessions that were reset, closed, or had an echo later than 3 s.
    pub lost: u64,
    /// `SESSION: WHY` of the first of them.
    pub losses: Vec<String>,
    /// Echoes exchanged.
    pub echoes: u64,
    /// Short sessions opened anew that were served.
    pub new_served: u64,
    /// Short sessions opened anew that were not.
    pub new_failed: u64,
}

impl Measurement {
    /// Whether every round finished, at the rate asked for.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.rounds.iter().all(|round| round.failure.is_none())
    }
}

pub(crate) fn measure(
    options: &Options,
    plan: &Plan,
    out: &mut dyn Write,
) -> anyhow::Result<Measurement> {
    let own = !Lab::new(options).is_up();
    if own {
        up::up(options, out)?;
    }
    let measured = run(options, plan, out);
    if own {
        up::down(options, out).context("taking the lab down after the measurement")?;
    }
    let measurement = measured?;
    table::print(&measurement, out)?;
    Ok(measurement)
}

pub(crate) fn report(options: &Options, out: &mut dyn Write) -> anyhow::Result<()> {
    let path = Lab::new(options).path(FILE);
    let measurement = read_json(&path).context("no measurement yet: `shieldwall lab measure`")?;
    table::print(&measurement, out)
}

fn run(options: &Options, plan: &Plan, out: &mut dyn Write) -> anyhow::Result<Measurement> {
    let lab = Lab::running(options)?;
    let links = links(&lab, plan, out)?;
    leftover::lift(&lab, out)?;
    let before = up::tally(&lab)?;
    let mut rounds = Vec::new();
    for number in 1..=plan.rounds {
        let (attacker, trigger) = turn(number.saturating_sub(1));
        let round = round::run(&lab, number, attacker, trigger);
        writeln!(out, "{}", table::progress(&round, plan.rounds))?;
        out.flush()?;
        rounds.push(round);
    }
    let bystanders = between(&before, &up::tally(&lab)?);
    let summary = Summary::of(&rounds);
    let Plan {
        rtt_ms, loss_pct, ..
    } = *plan;
    let measurement = Measurement {
        rtt_ms,
        loss_pct,
        links,
        rounds,
        bystanders,
        summary,
    };
    write_json(&lab.path(FILE), &measurement)?;
    if let Some(path) = &plan.json {
        write_json(path, &measurement)?;
    }
    Ok(measurement)
}

/// Attackers take turns; each time round, the trigger changes.
fn turn(number: u32) -> (Attacker, Trigger) {
    let pairs = Trigger::ALL.into_iter().flat_map(|trigger| {
        Attacker::ALL
            .into_iter()
            .map(move |attacker| (attacker, trigger))
    });
    let number = usize::try_from(number).unwrap_or(0);
    pairs
        .cycle()
        .nth(number % PAIRS)
        .unwrap_or((Attacker::OwnAddress, Trigger::Scan))
}

/// Attackers times triggers.
const PAIRS: usize = 6;

/// Sets the hub's links as the plan wants them, if they are not yet.
fn links(lab: &Lab, plan: &Plan, out: &mut dyn Write) -> anyhow::Result<Means> {
    let Plan {
        rtt_ms,
        loss_pct,
        seed,
        ..
    } = *plan;
    let wanted = Impairment {
        rtt_ms,
        loss_pct,
        seed,
    };
    let mut state = lab.state()?;
    if state.impairment == wanted && wanted == Impairment::default() {
        return Ok(Means::Plain);
    }
    let means = link::set(lab, &wanted)?;
    writeln!(
        out,
        "hub links: {rtt_ms} ms round trip, {loss_pct} % loss: {}",
        means.describe()
    )?;
    state.impairment = wanted;
    lab.save(&state)?;
    thread::sleep(SETTLE);
    Ok(means)
}

fn between(before: &Tally, after: &Tally) -> Bystanders {
    let new_losses = after.losses.iter().skip(before.losses.len());
    Bystanders {
        open: after.open,
        lost: after.lost.saturating_sub(before.lost),
        losses: new_losses
            .map(|loss| format!("{}: {}", loss.session, loss.why))
            .collect(),
        echoes: after.echoes.saturating_sub(before.echoes),
        new_served: after.new_served.saturating_sub(before.new_served),
        new_failed: after.new_failed.saturating_sub(before.new_failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_attackers_and_triggers_have_their_turn() {
        let turns: Vec<_> = (0..6).map(turn).collect();
        assert!(turns.contains(&(Attacker::SharedPrefix, Trigger::Url)));
        assert_eq!(turns[0].0, Attacker::SharedAddress);
        assert_eq!(
            turns
                .iter()
                .filter(|(_, trigger)| *trigger == Trigger::Scan)
                .count(),
            3
        );
        assert_eq!(turn(6), turns[0]);
    }
}
