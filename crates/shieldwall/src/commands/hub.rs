//! `hub`: the server of an exchange.

use tokio_util::sync::CancellationToken;

use crate::{
    cli::Hub,
    commands::stop,
    outcome::{Failure, Outcome},
    text::say,
};

pub(super) async fn run(args: Hub, json: bool) -> Result<Outcome, Failure> {
    let Hub::Run { config: file } = args;
    let text = tokio::fs::read_to_string(&file)
        .await
        .map_err(|e| Failure::input(file.display(), e))?;
    let config = hub::Config::from_toml(&text).map_err(|e| Failure::input(file.display(), e))?;
    let ended = CancellationToken::new();
    let handle = hub::run(config, ended.clone())
        .await
        .map_err(|e| Failure::system("start the hub", e))?;
    if json {
        say(serde_json::json!({"listening": handle.tls_addr(), "console": handle.console_link()}));
    } else {
        say(format_args!("hub listens on https://{}", handle.tls_addr()));
        if let Some(link) = handle.console_link() {
            say(format_args!("console, one-time link: {link}"));
        }
    }
    stop::requested().await?;
    ended.cancel();
    handle.stopped().await;
    Ok(Outcome::Done)
}
