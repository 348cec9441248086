//! Telling in the terminal what happens, as it happens.

use std::{collections::HashSet, time::Duration};

use shield::Handle;
use taxii::state::{LeaseState, StateReport, VerdictState};

use crate::text::say;

/// Pause between looks at the shields.
const PAUSE: Duration = Duration::from_millis(200);
/// A lease that comes later than this after a verdict is not its doing.
const LOOP_MAX: Duration = Duration::from_secs(2);
/// Most lines told of one kind; the console goes on.
const TOLD_MAX: usize = 40;

/// What has been told already.
#[derive(Default)]
pub(super) struct Story {
    told: HashSet<String>,
    ended: bool,
}

impl Story {
    /// Tells until cancelled.
    pub(super) async fn tell(&mut self, alpha: &Handle, bravo: &Handle) {
        loop {
            tokio::time::sleep(PAUSE).await;
            let (seen, heard) = (alpha.state(), bravo.state());
            self.verdicts(&seen);
            self.leases("bravo", &heard, &seen.verdicts);
            self.refusals("bravo", &heard);
            if alpha.inspected_all() && !self.ended {
                self.ended = true;
                say("The capture is over. The console stays; Ctrl-C ends it.");
            }
        }
    }

    fn verdicts(&mut self, state: &StateReport) {
        for verdict in &state.verdicts {
            let key = format!(
                "verdict {} {} {:?}",
                verdict.at, verdict.detector, verdict.object
            );
            if self.is_new(key) {
                say(verdict_line(verdict));
            }
        }
    }

    fn leases(&mut self, who: &str, state: &StateReport, verdicts: &[VerdictState]) {
        for lease in &state.leases {
            if self.is_new(format!("lease {who} {}", lease.object)) {
                say(lease_line(who, lease, verdicts));
            }
        }
    }

    fn refusals(&mut self, who: &str, state: &StateReport) {
        for refused in &state.refused {
            if self.is_new(format!("refused {who} {} {}", refused.object, refused.at)) {
                say(format_args!(
                    "  {who}: not enforced, {}: {}",
                    refused.selector, refused.why
                ));
            }
        }
    }

    fn is_new(&mut self, key: String) -> bool {
        self.told.len() < TOLD_MAX && self.told.insert(key)
    }
}

fn verdict_line(verdict: &VerdictState) -> String {
    let who = verdict
        .offender
        .map_or_else(|| "nobody named".to_owned(), |ip| ip.to_string());
    let why = verdict.reasons.first().cloned().unwrap_or_default();
    format!(
        "  alpha: {} by {who}: {why} ({})",
        verdict.detector,
        text(&verdict.evidence)
    )
}

fn lease_line(who: &str, lease: &LeaseState, verdicts: &[VerdictState]) -> String {
    let mut line = format!("  {who}: {} {}", text(&lease.action), lease.selector.term());
    if let Some(port) = lease.service.as_ref().and_then(|service| service.port) {
        line.push_str(&format!(" at port {port}"));
    }
    let verdict = verdicts
        .iter()
        .rfind(|v| v.object.as_deref() == Some(lease.object.as_str()));
    // A lease that is renewed much later has no verdict of its own beside it.
    let took = verdict.map(|verdict| lease.installed_at.since(verdict.at));
    if let Some(took) = took.filter(|took| *took < LOOP_MAX) {
        line.push_str(&format!(
            ", {:.1} ms after alpha's verdict",
            took.as_secs_f64() * 1000.0
        ));
    }
    if !lease.why.is_empty() {
        line.push_str(&format!(" ({})", lease.why));
    }
    line
}

/// A kebab-case word of the wire formats.
fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|v| v.as_str().map(str::to_owned))
        .unwrap_or_default()
}
