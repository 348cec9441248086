//! `pack receipts`.

use taxii::packs::{Receipt, Receipts, Stage};

use crate::{
    cli::Peer,
    client::HubClient,
    outcome::{Failure, Outcome},
    text::say,
};

pub(super) async fn run(peer: &Peer, json: bool) -> Result<Outcome, Failure> {
    let hub = HubClient::new(peer)?;
    let told: Receipts = hub.ask("receipts", &[]).await?;
    for receipt in &told.receipts {
        match json {
            true => say(serde_json::json!(receipt)),
            false => show(receipt),
        }
    }
    if told.receipts.is_empty() && !json {
        say("no shield has told what became of your packs");
    }
    Ok(Outcome::Done)
}

fn show(receipt: &Receipt) {
    let stages = receipt.shields.iter();
    let stages: Vec<String> = stages
        .map(|(stage, shields)| format!("{shields} {}", word(*stage)))
        .collect();
    say(format_args!(
        "{} {}: {} partners tell; shields: {}",
        receipt.pack,
        receipt.version,
        receipt.partners,
        stages.join(", ")
    ));
    for model in &receipt.models {
        let over = model.sum.over.iter();
        let over: Vec<String> = over
            .map(|(stage, count)| format!("{count} ({})", word(*stage)))
            .collect();
        let over = match over.is_empty() {
            true => "0".to_owned(),
            false => over.join(", "),
        };
        say(format_args!(
            "  {}: {} scored, over the threshold: {over}",
            model.sum.model, model.sum.scored
        ));
        if let Some(rate) = model.false_alarm_rate {
            say(format_args!(
                "    false alarms: {} of {} known benign, {:.2e} ({:.2e} to {:.2e})",
                model.sum.false_alarms, model.sum.benign, rate.value, rate.low, rate.high
            ));
        }
    }
}

const fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Shadow => "shadow",
        Stage::Canary => "canary",
        Stage::Enforce => "enforce",
        Stage::RolledBack => "rolled back",
    }
}
