//! `import`: what another tool wrote becomes indicators of ours in the exchange.

mod session;
mod source;
mod state;

use std::{path::PathBuf, sync::Arc};

use anyhow::anyhow;
use feeds::{
    Author, Told,
    import::{self as formats, Options, ReadError},
    protected::Protected,
};
use tokio::sync::mpsc;

use self::{session::Session, source::Source, state::State};
use crate::{
    cli::Import,
    client::HubClient,
    outcome::{Failure, Outcome},
    text::seconds,
};

/// Pieces that wait between reading and sharing.
const WAITING_MAX: usize = 1024;

/// A piece of a source, and the file it stands in where there are several.
#[derive(Debug)]
struct Piece {
    file: Option<Arc<str>>,
    told: Told,
}

pub(super) async fn run(args: Import, json: bool) -> Result<Outcome, Failure> {
    let hub = HubClient::new(&args.peer)?;
    let format = formats::FORMATS
        .iter()
        .find(|format| format.name == args.format);
    let Some(format) = format else {
        return Err(Failure::Input(anyhow!("{}: not a format", args.format)));
    };
    let named = |e| Failure::input(&args.source, e);
    let source = Source::find(format.name, &args.source).map_err(named)?;
    let name = args.name.clone().or_else(|| source.name());
    let name =
        name.ok_or_else(|| Failure::Input(anyhow!("--name: name what standard input is")))?;
    let reader = (format.new)(&options(&args)).map_err(Failure::bad)?;
    let mut session = session(&args, &hub, &name, json)?;
    let (to, mut pieces) = mpsc::channel(WAITING_MAX);
    let reading = tokio::task::spawn_blocking(move || source.read(&*reader, &to));
    while let Some(piece) = pieces.recv().await {
        session.take(piece).await?;
    }
    session.flush().await?;
    let read = reading
        .await
        .map_err(|e| Failure::system("read the source", e))?;
    // What was read before is shared; what a source no longer tells is only known at its end.
    let read: Result<(), ReadError> = read;
    let whole = read.is_ok();
    if args.sync && whole {
        session.sync(args.force).await?;
    }
    let outcome = session.finish();
    read.map_err(|e| Failure::input(&args.source, e))
        .map(|()| outcome)
}

fn options(args: &Import) -> Options {
    Options {
        kind: args.kind,
        columns: args.column.clone(),
        separator: args.separator,
        texts: args.texts,
        groups: args.sharing_groups,
        whole: args.sync,
        now: Some(super::now()),
    }
}

fn session<'a>(
    args: &Import,
    hub: &'a HubClient,
    name: &str,
    json: bool,
) -> Result<Session<'a>, Failure> {
    let partner = &*hub.identity.partner;
    let wrong =
        |text: &String| Failure::Input(anyhow!("--ttl {text}: write it as 30s, 15m, 1h or 7d"));
    let ttl = args
        .ttl
        .as_ref()
        .map(|text| seconds(text).ok_or_else(|| wrong(text)));
    let author = Author {
        partner: partner.into(),
        identity: sharing::scrub::author_id(partner),
        source: name.into(),
        tlp: args.tlp,
        confidence: args.confidence,
        ttl: ttl.transpose()?.map(std::time::Duration::from_secs),
        why: args.why.as_deref().map(Into::into),
        audience: args
            .audience
            .iter()
            .map(|name| name.as_str().into())
            .collect(),
    };
    let path = args.state.clone().unwrap_or_else(|| state_path(args, name));
    let (state, ledger) = State::open(path, args.preview)?;
    let protected = Protected::new(&args.own);
    let hub = (!args.preview).then_some(hub);
    let mut session = Session::new(author, ledger, state, protected, hub);
    session.json = json;
    session.skip_protected = args.skip_protected;
    Ok(session)
}

/// In the folder of the identity that shares: another identity has told nothing yet.
fn state_path(args: &Import, name: &str) -> PathBuf {
    let plain = |c: char| match c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') {
        true => c,
        false => '_',
    };
    let name: String = name.chars().map(plain).take(100).collect();
    let file = format!("{}-{name}.jsonl", args.format);
    args.peer.identity.join("sources").join(file)
}
