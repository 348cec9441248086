//! The measurement for people, and its last line for scripts.

use std::io::Write;

use super::{Measurement, Round, Summary, summary::Spread};
use crate::{attack::Trigger, topology::Attacker};

/// One line while it runs.
pub(crate) fn progress(round: &Round, rounds: u32) -> String {
    let head = format!(
        "round {}/{rounds} {} {}",
        round.number,
        round.attacker.label(),
        round.trigger.label()
    );
    match &round.failure {
        Some(why) => format!("{head}: FAILED: {why}"),
        None => format!(
            "{head}: shield {} = share {} + enforce {} ms ({}, {}); detect {} ms; lift {} ms; \
             probe {:.0}/s",
            number(round.shield_ms),
            number(round.share_ms),
            number(round.enforce_ms),
            round.evidence.as_deref().unwrap_or("?"),
            round.action.as_deref().unwrap_or("?"),
            number(round.detect_ms),
            number(round.lift_ms),
            round.probe_per_s
        ),
    }
}

/// Tables, then the last line for scripts.
pub(crate) fn print(measurement: &Measurement, out: &mut dyn Write) -> anyhow::Result<()> {
    let Measurement {
        rtt_ms,
        loss_pct,
        links,
        ..
    } = measurement;
    writeln!(out)?;
    writeln!(
        out,
        "hub links: {rtt_ms} ms round trip, {loss_pct} % loss ({})",
        links.describe()
    )?;
    writeln!(
        out,
        "{:<16} {:<5} {:>6} {:>6}  {:>21}  {:>8} {:>8} {:>8} {:>8}  action at B",
        "attacker",
        "by",
        "rounds",
        "failed",
        "shield p50/p99/max ms",
        "share",
        "enforce",
        "hit",
        "detect"
    )?;
    for attacker in Attacker::ALL {
        for trigger in Trigger::ALL {
            row(measurement, attacker, trigger, out)?;
        }
    }
    revocations(&measurement.summary, out)?;
    bystanders(measurement, out)?;
    writeln!(out, "{}", last_line(measurement))?;
    Ok(())
}

fn row(
    measurement: &Measurement,
    attacker: Attacker,
    trigger: Trigger,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let of_kind = |round: &&Round| round.attacker == attacker && round.trigger == trigger;
    let rounds: Vec<_> = measurement.rounds.iter().filter(of_kind).collect();
    if rounds.is_empty() {
        return Ok(());
    }
    let summary = Summary::of(rounds.iter().copied());
    let mut actions: Vec<_> = rounds
        .iter()
        .filter_map(|round| round.action.as_deref())
        .collect();
    actions.sort_unstable();
    actions.dedup();
    let Spread { p50, p99, max } = summary.time_to_shield_ms;
    let any = |value: f64| number((summary.finished > 0).then_some(value));
    writeln!(
        out,
        "{:<16} {:<5} {:>6} {:>6}  {:>21}  {:>8} {:>8} {:>8} {:>8}  {}",
        attacker.label(),
        trigger.label(),
        rounds.len(),
        summary.failed,
        format!("{}/{}/{}", any(p50), any(p99), any(max)),
        any(summary.t_share_ms.p50),
        any(summary.t_enforce_ms.p50),
        any(summary.t_hit_ms.p50),
        any(summary.t_detect_ms.p50),
        actions.join(", ")
    )?;
    Ok(())
}

fn revocations(summary: &Summary, out: &mut dyn Write) -> anyhow::Result<()> {
    let Spread { p50, p99, max } = summary.t_lift_ms;
    writeln!(
        out,
        "revocation: frame at B to B's server reached again: p50 {p50:.2} p99 {p99:.2} max \
         {max:.2} ms; from the start of the revoking call: p50 {:.2} max {:.2} ms",
        summary.t_restore_ms.p50, summary.t_restore_ms.max
    )?;
    writeln!(
        out,
        "probe: at least {:.0} packets/s in every round",
        summary.probe_per_s_min
    )?;
    Ok(())
}

fn bystanders(measurement: &Measurement, out: &mut dyn Write) -> anyhow::Result<()> {
    let bystanders = &measurement.bystanders;
    writeln!(
        out,
        "bystanders: {} sessions held open, {} lost, {} echoes; opened anew: {} served, {} not",
        bystanders.open,
        bystanders.lost,
        bystanders.echoes,
        bystanders.new_served,
        bystanders.new_failed
    )?;
    for loss in &bystanders.losses {
        writeln!(out, "  lost {loss}")?;
    }
    for round in &measurement.rounds {
        if let Some(why) = &round.failure {
            writeln!(out, "round {} failed: {why}", round.number)?;
        }
    }
    Ok(())
}

/// The line that scripts read; its form is a contract.
fn last_line(measurement: &Measurement) -> String {
    let summary = &measurement.summary;
    let Spread { p50, p99, max } = summary.time_to_shield_ms;
    format!(
        "time_to_shield_ms p50 {p50:.2} p99 {p99:.2} max {max:.2} t_share_p50 {:.2} \
         t_enforce_p50 {:.2} t_detect_p50 {:.2} rounds {} bystanders_lost {}",
        summary.t_share_ms.p50,
        summary.t_enforce_ms.p50,
        summary.t_detect_ms.p50,
        measurement.rounds.len(),
        measurement.bystanders.lost
    )
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{link::Means, measure::Bystanders};

    fn measurement() -> Measurement {
        let mut round = Round::new(1, Attacker::SharedAddress, Trigger::Scan);
        round.share_ms = Some(1.5);
        round.enforce_ms = Some(0.25);
        round.shield_ms = Some(1.75);
        round.detect_ms = Some(0.4);
        let mut failed = Round::new(2, Attacker::OwnAddress, Trigger::Url);
        failed.failure = Some("A's verdict: not within 30 s".to_owned());
        let rounds = vec![round, failed];
        let summary = Summary::of(&rounds);
        let bystanders = Bystanders {
            open: 9,
            lost: 0,
            losses: vec![],
            echoes: 100,
            new_served: 3,
            new_failed: 0,
        };
        let links = Means::Plain;
        Measurement {
            rtt_ms: 0.0,
            loss_pct: 0.0,
            links,
            rounds,
            bystanders,
            summary,
        }
    }

    #[test]
    fn the_last_line_is_the_contract() {
        let mut out = Vec::new();
        print(&measurement(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text.lines().last().unwrap(),
            "time_to_shield_ms p50 1.75 p99 1.75 max 1.75 t_share_p50 1.50 t_enforce_p50 0.25 \
             t_detect_p50 0.40 rounds 2 bystanders_lost 0"
        );
    }

    #[test]
    fn a_failed_round_is_in_the_table_and_named() {
        let mut out = Vec::new();
        print(&measurement(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains("round 2 failed: A's verdict: not within 30 s"),
            "{text}"
        );
        assert!(!measurement().passed());
        assert!(progress(&measurement().rounds[1], 2).contains("FAILED"));
    }
}
