//! `up`: a hub, two shields and a console in one process, and the loop at work between them.

mod places;
mod story;

use std::{net::SocketAddr, path::Path};

use tokio_util::sync::CancellationToken;

use self::{
    places::{Places, Seen},
    story::Story,
};
use crate::{
    cli::{Peer, Up},
    client::HubClient,
    commands::{share, stop},
    outcome::{Failure, Outcome},
    text::say,
};

/// The partners of the demonstration, with their roles.
const AGENCY: (&str, &str) = ("agency", "agency");
const ALPHA: (&str, &str) = ("alpha", "operator");
const BRAVO: (&str, &str) = ("bravo", "operator");
/// The URL that the agency knows to be malicious and that the bundled capture's attacker asks for.
const KNOWN_URL: &str = "http://www.alpha.example/cgi-bin/upload.php?cmd=wget";

pub(super) async fn run(args: Up) -> Result<Outcome, Failure> {
    let places = Places::make(&args)?;
    let stopping = CancellationToken::new();
    let config = places.hub_config(&[ALPHA.0, BRAVO.0]);
    let hub = hub::run(config, stopping.clone())
        .await
        .map_err(|e| Failure::input("start the hub", e))?;
    for (name, role) in [AGENCY, ALPHA, BRAVO] {
        enrol(&hub, &places.identity(name), name, role).await?;
    }
    introduce(&hub, &places);
    if matches!(places.seen, Seen::Bundled) {
        tell_known_url(&places).await?;
    }
    let bravo = start(&places.shield_b(BRAVO.0)?, stopping.clone())?;
    let alpha = start(&places.shield_a(ALPHA.0)?, stopping.clone())?;
    let mut story = Story::default();
    tokio::select! {
        stopped = stop::requested() => stopped?,
        () = story.tell(&alpha, &bravo) => {}
    }
    say("\nstopping");
    stopping.cancel();
    tokio::task::spawn_blocking(move || {
        alpha.stop();
        bravo.stop();
    })
    .await
    .map_err(|e| Failure::system("stop the shields", e))?;
    hub.stopped().await;
    Ok(Outcome::Done)
}

/// Enrols a partner as it would itself, unless an earlier run did.
async fn enrol(hub: &hub::Handle, folder: &Path, name: &str, role: &str) -> Result<(), Failure> {
    if shield::identity::Identity::load(folder).is_ok() {
        return Ok(());
    }
    let text = hub
        .admin()
        .invite(name, role, Some(hub.url()))
        .await
        .map_err(|e| Failure::system(format!("invite {name}"), e))?;
    let invitation = text
        .parse()
        .map_err(|e| Failure::system("read our own invitation", e))?;
    shield::identity::enrol(&invitation, folder)
        .await
        .map_err(|e| Failure::system(format!("enrol {name}"), e))?;
    Ok(())
}

/// The agency tells the exchange of a malicious URL, so that a shield can recognise it.
async fn tell_known_url(places: &Places) -> Result<(), Failure> {
    let peer = Peer {
        hub: None,
        identity: places.identity(AGENCY.0),
    };
    let hub = HubClient::new(&peer)?;
    let shared = hub
        .share(share::url_indicator(AGENCY.0, KNOWN_URL)?)
        .await?;
    let refused = shared.outcomes.iter().find(|o| o.outcome == "refused");
    refused.map_or(Ok(()), |object| {
        let why = object.reason.clone().unwrap_or_default();
        Err(Failure::System(anyhow::anyhow!(
            "the hub refused our own indicator: {why}"
        )))
    })
}

fn start(file: &Path, stopping: CancellationToken) -> Result<shield::Handle, Failure> {
    let config = shield::config::load(file).map_err(Failure::bad)?;
    Ok(shield::run(config, stopping)?)
}

fn introduce(hub: &hub::Handle, places: &Places) {
    let seen = match &places.seen {
        Seen::Bundled => "a recorded attack, again and again".to_owned(),
        Seen::Pcap(file) => file.display().to_string(),
        Seen::Interface(name) => format!("live traffic on {name}"),
    };
    say(format_args!(
        "Shieldwall {}: one hub, two partners, in {}",
        env!("CARGO_PKG_VERSION"),
        places.data.display()
    ));
    say(format_args!(
        "  hub      {} (TAXII 2.1 at /taxii2/, push; mutual TLS)",
        hub.url()
    ));
    say(format_args!(
        "  alpha    its shield watches {seen}; shares signals as TLP:GREEN"
    ));
    say("  bravo    its shield hears of it through the hub and judges for itself (dry run)");
    if let (Some(link), Some(address)) = (hub.console_link(), hub.console_addr()) {
        say(format_args!(
            "  console  {}, good once: {link}",
            page(address)
        ));
    }
    say("\nTry beside it:");
    say(format_args!(
        "  shieldwall watch --identity {}",
        places.identity(BRAVO.0).display()
    ));
    say(format_args!(
        "  shieldwall share --ip 192.0.2.99 --why 'seen at our gateway' --tlp TLP:GREEN --identity {}",
        places.identity(AGENCY.0).display()
    ));
    say("Ctrl-C ends it.\n");
}

fn page(address: SocketAddr) -> String {
    format!("http://{address}/")
}
