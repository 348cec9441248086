//! `import`: what another tool wrote becomes indicators of ours in the exchange.

mod session;
mod source;
mod taxii;

use std::sync::Arc;

use anyhow::anyhow;
use feeds::{
    Author, Told,
    import::{self as formats, Options, ReadError},
    protected::Protected,
};
use tokio::sync::mpsc;

use self::{session::Session, source::Source};
use super::state::{State, path_of};
use crate::{
    cli::Import,
    client::HubClient,
    outcome::{Failure, Outcome},
    remote::{Remote, Right},
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

/// The format that is no file but a server.
const TAXII: &str = "taxii";

pub(super) async fn run(args: Import, json: bool) -> Result<Outcome, Failure> {
    fits(&args)?;
    let hub = HubClient::new(&args.peer)?;
    if args.format == TAXII {
        return server(&args, &hub, json).await;
    }
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

/// What a collection of another server tells.
async fn server(args: &Import, hub: &HubClient, json: bool) -> Result<Outcome, Failure> {
    let remote = Remote::new(&args.source, &args.remote)?;
    let wanted = args.remote.collection.as_deref();
    let found = remote.find(wanted, Right::Read).await?;
    let name = args.name.clone().unwrap_or_else(|| found.name());
    let mut session = session(args, hub, &name, json)?;
    session.relayed = true;
    let file = taxii::CursorFile::beside(session.state(), args.preview);
    let anew = args.from_start || args.sync;
    let cursor = file.load(found.url.as_str(), anew)?;
    let read = taxii::poll(
        &remote,
        &found,
        &mut session,
        (file, cursor),
        args.remote.page(),
    )
    .await;
    if args.sync && read.is_ok() {
        session.sync(args.force).await?;
    }
    let outcome = session.finish();
    read.map(|()| outcome)
}

/// Refuses what means nothing to the format: who typed it would believe that it held.
fn fits(args: &Import) -> Result<(), Failure> {
    let verbatim = matches!(args.format.as_str(), "stix" | TAXII);
    let own = [
        ("--tlp", args.tlp.is_some()),
        ("--audience", !args.audience.is_empty()),
        ("--ttl", args.ttl.is_some()),
        ("--confidence", args.confidence.is_some()),
        ("--why", args.why.is_some()),
        ("--type", args.kind.is_some()),
        ("--own", !args.own.is_empty()),
        ("--skip-protected", args.skip_protected),
    ];
    let own = own.into_iter().find(|(_, given)| verbatim && *given);
    if let Some((flag, _)) = own {
        return Err(Failure::Input(anyhow!(
            "{flag}: objects of this format go on byte for byte; leave it out"
        )));
    }
    let remote = args
        .remote
        .given()
        .or(args.from_start.then_some("--from-start"));
    match remote {
        Some(flag) if args.format != TAXII => Err(Failure::Input(anyhow!(
            "{flag}: of the format taxii alone; leave it out"
        ))),
        _ => Ok(()),
    }
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
    let usual = || path_of(&args.peer.identity, "sources", &args.format, name);
    let path = args.state.clone().unwrap_or_else(usual);
    let (state, ledger) = State::open(path, args.preview)?;
    let protected = Protected::new(&args.own);
    let hub = (!args.preview).then_some(hub);
    let mut session = Session::new(author, ledger, state, protected, hub);
    session.json = json;
    session.skip_protected = args.skip_protected;
    Ok(session)
}
