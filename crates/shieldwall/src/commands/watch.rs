//! `watch`: what the exchange says to this partner, as it says it.

use serde_json::json;
use shield::sync::sse::{Event, Parser};
use taxii::push::{self, Frame, Hello};

use crate::{
    cli::Watch,
    client::HubClient,
    commands::stop,
    outcome::{Failure, Outcome},
    text::{complain, say},
};

pub(super) async fn run(args: Watch, json: bool) -> Result<Outcome, Failure> {
    let hub = HubClient::new(&args.peer)?;
    tokio::select! {
        followed = follow(&hub, args.from.as_deref(), json) => followed,
        stopped = stop::requested() => stopped.map(|()| Outcome::Done),
    }
}

async fn follow(hub: &HubClient, from: Option<&str>, json: bool) -> Result<Outcome, Failure> {
    let mut stream = hub.push(from).await?;
    let mut parser = Parser::new();
    let broken = |e: reqwest::Error| Failure::system("follow the stream", e);
    while let Some(bytes) = stream.chunk().await.map_err(broken)? {
        let mut events = Vec::new();
        let pushed = parser.push(&bytes, &mut |event| events.push(event));
        pushed.map_err(|e| Failure::system("read the stream", e))?;
        for event in events {
            if let Some(outcome) = show(hub, &event, json)? {
                return Ok(outcome);
            }
        }
    }
    Err(Failure::System(anyhow::anyhow!(
        "the hub ended the stream; resume with --from"
    )))
}

fn show(hub: &HubClient, event: &Event, json: bool) -> Result<Option<Outcome>, Failure> {
    match event.name.as_str() {
        push::EVENT_FRAME => {
            let frame = push::verify(&event.data, &hub.identity.hub_key)
                .map_err(|e| Failure::system("believe a frame", e))?;
            show_frame(&frame, event.id.as_deref(), json);
            Ok(None)
        }
        push::EVENT_HELLO => {
            let hello: Hello = serde_json::from_slice(&event.data)
                .map_err(|e| Failure::system("read the hub's greeting", e))?;
            if json {
                say(
                    json!({"cursor": hello.cursor, "event": "hello", "community": hello.community}),
                );
            } else {
                complain(format_args!(
                    "following {}; cursor {}",
                    hello.community, hello.cursor
                ));
            }
            Ok(None)
        }
        push::EVENT_TRIMMED => {
            let why = String::from_utf8_lossy(&event.data).into_owned();
            complain(format_args!("the cursor cannot be resumed: {why}"));
            Ok(Some(Outcome::No))
        }
        _ => Ok(None),
    }
}

fn show_frame(frame: &Frame, cursor: Option<&str>, json: bool) {
    for entry in &frame.entries {
        if json {
            say(json!({
                "cursor": cursor, "lane": frame.lane, "event": entry.event, "source": entry.source,
                "date_added": entry.date_added, "object": entry.object,
            }));
        } else {
            say(format_args!(
                "{} {} {}",
                entry.date_added,
                entry.source,
                summary(entry.object.get())
            ));
        }
    }
    if !json && let Some(cursor) = cursor {
        complain(format_args!("cursor {cursor}"));
    }
}

/// An object in one line: what it is and what it looks for.
pub(super) fn summary(object: &str) -> String {
    let object: serde_json::Value = serde_json::from_str(object).unwrap_or_default();
    let word = |key: &str| {
        object
            .get(key)
            .and_then(|v| v.as_str())
            .unwrap_or_default()
            .to_owned()
    };
    let revoked = object.get("revoked").and_then(serde_json::Value::as_bool) == Some(true);
    let parts = [
        if revoked {
            "REVOKED".to_owned()
        } else {
            String::new()
        },
        word("id"),
        word("pattern"),
        word("sighting_of_ref"),
        word("name"),
    ];
    parts
        .iter()
        .filter(|part| !part.is_empty())
        .cloned()
        .collect::<Vec<_>>()
        .join(" ")
}
