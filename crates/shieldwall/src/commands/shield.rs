//! `shield`: the sensor and enforcer of a partner.

use std::path::Path;

use datapath::enforce::{Hits, Lease, xdp};
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::Shield,
    commands::stop,
    outcome::{Failure, Outcome},
    text::say,
};

pub(super) fn run(args: Shield, json: bool) -> Result<Outcome, Failure> {
    match args {
        Shield::Run { config } => start(&config, json),
        Shield::Detach { iface, pin } => {
            let was = xdp::detach(&iface, &pin).map_err(|e| Failure::system(&iface, e))?;
            let what = if was {
                "detached"
            } else {
                "nothing of ours was attached"
            };
            if json {
                say(json!({"interface": iface, "detached": was}));
            } else {
                say(format_args!("{iface}: {what}"));
            }
            Ok(Outcome::Done)
        }
        Shield::Status { pin } => status(&pin, json),
    }
}

fn start(file: &Path, json: bool) -> Result<Outcome, Failure> {
    let config = shield::config::load(file).map_err(Failure::bad)?;
    let name = config.name.clone();
    // from here on it ends nothing, also while the shield starts
    crate::block_on(async { hang_ups().map(drop) })?;
    let stopping = CancellationToken::new();
    let handle = shield::run(config, stopping)?;
    let state = handle.state();
    if json {
        say(json!({"shield": name, "mode": state.mode, "inspects": state.iface}));
    } else {
        say(format_args!(
            "shield {name}: {}, inspects {}",
            state.mode, state.iface
        ));
    }
    crate::block_on(until_stopped(&handle))?;
    handle.stop();
    Ok(Outcome::Done)
}

/// Waits to be told to stop. At SIGHUP the rules are read anew.
async fn until_stopped(handle: &shield::Handle) -> Result<(), Failure> {
    let mut again = hang_ups()?;
    let stopped = stop::requested();
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            stopped = &mut stopped => return stopped,
            _ = again.recv() => handle.reload_rules(),
        }
    }
}

fn hang_ups() -> Result<Signal, Failure> {
    signal(SignalKind::hangup()).map_err(|e| Failure::system("listen for SIGHUP", e))
}

/// Reads what is pinned; exit status 1 when nothing is.
fn status(pin: &Path, json: bool) -> Result<Outcome, Failure> {
    let standing = xdp::standing(pin).map_err(|e| Failure::system(pin.display(), e))?;
    if standing.is_empty() && !json {
        say("no shield enforces here");
    }
    for (iface, leases) in &standing {
        if !json {
            say(format_args!("{iface}: {} leases", leases.len()));
        }
        for (lease, hits) in leases {
            show(iface, lease, hits, json);
        }
    }
    Ok(if standing.is_empty() {
        Outcome::No
    } else {
        Outcome::Done
    })
}

fn show(iface: &str, lease: &Lease, hits: &Hits, as_json: bool) {
    let left_s = lease.expires_ns.saturating_sub(datapath::clock::mono_ns()) / 1_000_000_000;
    let (source, action) = (lease.key.source, format!("{:?}", lease.action));
    if as_json {
        say(json!({
            "interface": iface, "source": source, "action": action, "left_s": left_s,
            "hits": hits.hits, "drops": hits.drops,
        }));
    } else {
        let (seen, dropped) = (hits.hits, hits.drops);
        say(format_args!(
            "  {source:<44} {action} {left_s} s left, {seen} hits, {dropped} drops"
        ));
    }
}
