//! A report for people.

use redteam::{
    Report,
    bounds::Share,
    report::{Searched, Single},
};

use crate::text::{complain, say};

/// Points of recall that a mutation may cost before it is said with a mark.
const LOSS_POINTS_MAX: f64 = 2.0;

/// Prints a report.
pub(super) fn print(report: &Report) {
    let (subject, suite, results) = (&report.subject, &report.suite, &report.results);
    say(format_args!(
        "{} {} of {}: suite {} (seed {}), {} malicious and {} harmless samples, detected from {}",
        subject.pack,
        subject.version,
        subject.publisher,
        suite.name,
        suite.seed,
        suite.malicious,
        suite.benign,
        report.threshold
    ));
    shown("as they are", results.clean, results.clean_false_alarms);
    shown("under every mutation that applies", results.robust, None);
    say("");
    singles(&results.mutations);
    say("");
    if let Some(chains) = &results.chains {
        let [least, most] = chains.depth;
        let what = format!("chains of {least} to {most}, all");
        shown(&what, Some(chains.detected), Some(chains.false_alarms));
        shown(
            &format!("under {} chains each", chains.each),
            Some(chains.robust),
            None,
        );
    }
    for search in &results.search {
        found(&format!("search, {} scores", search.budget), search);
    }
    if let Some(guided) = &results.guided {
        found("search with the model at hand", guided);
    }
    for other in &results.transfer {
        say(format_args!(
            "{:<34} {}",
            format!("bypasses that pass {} too", other.pack),
            bounds(other.carried)
        ));
    }
    if results.invalid > 0 {
        complain(format_args!(
            "{} samples changed their meaning and count nowhere: a fault of a mutation",
            results.invalid
        ));
    }
}

/// A line for each mutation alone.
fn singles(rows: &[Single]) {
    say(format_args!(
        "{:<22} {:>6} {:>7} {:>7} {:>6}  {:<15} {:>8}  of",
        "mutation", "of", "before", "after", "loss", "  95 %", "alarms"
    ));
    for row in rows {
        let loss = row.loss_points();
        let mark = match (loss > LOSS_POINTS_MAX, row.held_out) {
            (true, _) => " <",
            (false, true) => " (held out)",
            (false, false) => "",
        };
        say(format_args!(
            "{:<22} {:>6} {:>7} {:>7} {:>6.1}  {:<15} {:>8}  {}{mark}",
            row.mutation,
            row.detected.of,
            percent(row.clean.rate),
            percent(row.detected.rate),
            loss,
            format!(
                "{}-{}",
                percent(row.detected.low),
                percent(row.detected.high)
            ),
            row.false_alarms.hits,
            row.false_alarms.of
        ));
    }
}

fn shown(what: &str, detected: Option<Share>, alarms: Option<Share>) {
    let detected = detected.map(bounds).unwrap_or_default();
    let alarms = alarms
        .map(|share| format!("; false alarms {}", bounds(share)))
        .unwrap_or_default();
    say(format_args!("{what:<34} {detected}{alarms}"));
}

fn found(what: &str, search: &Searched) {
    let asked = search
        .queries_median
        .map(|asked| format!("; found after {asked} scores (median)"))
        .unwrap_or_default();
    say(format_args!("{what:<34} {}{asked}", bounds(search.robust)));
}

fn bounds(share: Share) -> String {
    format!(
        "{} of {} = {} ({}-{})",
        share.hits,
        share.of,
        percent(share.rate),
        percent(share.low),
        percent(share.high)
    )
}

fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}
