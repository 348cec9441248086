//! `search`: what of all that this partner may see is as asked, and how an object hangs together
//! with others.

use std::{collections::BTreeSet, time::Duration};

use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{
    cli::Search,
    client::HubClient,
    commands::watch::summary,
    outcome::{Failure, Outcome},
    text::{complain, say, seconds},
};

/// Objects that are asked for in one page.
const PAGE: usize = 100;

pub(super) async fn run(args: Search, json: bool) -> Result<Outcome, Failure> {
    let hub = HubClient::new(&args.peer)?;
    let shown = match &args.related {
        Some(id) => related(&hub, id, args.limit, json).await?,
        None => search(&hub, &args, json).await?,
    };
    Ok(if shown == 0 {
        Outcome::No
    } else {
        Outcome::Done
    })
}

/// An object as the hub shows it.
#[derive(Deserialize)]
struct Item {
    source: String,
    date_added: String,
    object: Box<RawValue>,
    told_by: Option<ToldBy>,
}

#[derive(Deserialize)]
struct ToldBy {
    sources: usize,
    more: bool,
    indicators: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    source: String,
    id: String,
}

#[derive(Deserialize)]
struct Page {
    next: Option<String>,
    objects: Vec<Box<RawValue>>,
}

async fn search(hub: &HubClient, args: &Search, json: bool) -> Result<usize, Failure> {
    let mut parameters = parameters(args)?;
    parameters.push(("limit", PAGE.min(args.limit).to_string()));
    let (mut shown, mut next) = (0_usize, None::<String>);
    while shown < args.limit {
        let mut asked = parameters.clone();
        asked.extend(next.take().map(|next| ("next", next)));
        let page: Page = hub.ask("search", &asked).await?;
        for item in page.objects {
            if shown >= args.limit {
                break;
            }
            shown = shown.saturating_add(1);
            if json {
                // an object comes as it was shared, and line breaks in JSON are white space
                say(item.get().replace(['\n', '\r'], " "));
            } else {
                show(&read(&item)?);
            }
        }
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    if next.is_some() && !json {
        complain(format_args!("there may be more; raise --limit"));
    }
    Ok(shown)
}

fn read(item: &RawValue) -> Result<Item, Failure> {
    serde_json::from_str(item.get()).map_err(|e| Failure::system("read the hub's answer", e))
}

fn show(item: &Item) {
    say(item.line());
    let Some(told) = &item.told_by else { return };
    let more = if told.more { " or more" } else { "" };
    say(format_args!("  told by {}{more} partners:", told.sources));
    for one in &told.indicators {
        say(format_args!("    {} {}", one.source, one.id));
    }
}

fn line(added: &str, source: &str, object: &RawValue) -> String {
    format!("{added} {source} {}", summary(object.get()))
}

impl Item {
    fn line(&self) -> String {
        line(&self.date_added, &self.source, &self.object)
    }
}

#[derive(Deserialize)]
struct Related {
    objects: Vec<Item>,
    refers_to: Vec<Referred>,
    referred_to_by: Vec<Referring>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Referred {
    by: BTreeSet<String>,
    id: String,
    objects: Vec<Item>,
    #[serde(default)]
    unread: bool,
}

#[derive(Deserialize)]
struct Referring {
    by: BTreeSet<String>,
    source: String,
    date_added: String,
    object: Box<RawValue>,
    #[serde(default)]
    ends: Vec<Referred>,
}

async fn related(hub: &HubClient, id: &str, limit: usize, json: bool) -> Result<usize, Failure> {
    let (mut shown, mut next) = (0_usize, None::<String>);
    loop {
        let mut asked = vec![
            ("id", id.to_owned()),
            ("limit", PAGE.min(limit).to_string()),
        ];
        asked.extend(next.take().map(|next| ("next", next)));
        let page: Box<RawValue> = hub.ask("related", &asked).await?;
        let found: Related = serde_json::from_str(page.get())
            .map_err(|e| Failure::system("read the hub's answer", e))?;
        let referring = found.referred_to_by.len();
        shown = shown
            .saturating_add(referring)
            .saturating_add(found.objects.len());
        if json {
            say(&page);
        } else {
            show_related(&found);
        }
        next = found.next;
        if next.is_none() {
            return Ok(shown);
        }
        if shown >= limit {
            complain(format_args!("there may be more; raise --limit"));
            return Ok(shown);
        }
    }
}

fn show_related(related: &Related) {
    for item in &related.objects {
        say(item.line());
    }
    for to in &related.refers_to {
        show_referred("  -> ", to);
    }
    for from in &related.referred_to_by {
        let told = line(&from.date_added, &from.source, &from.object);
        say(format_args!("  <- {}: {told}", words(&from.by)));
        for end in &from.ends {
            show_referred("       -> ", end);
        }
    }
}

fn show_referred(indent: &str, to: &Referred) {
    let by = words(&to.by);
    if to.objects.is_empty() {
        let why = match to.unread {
            true => "too many here: ask for it with --related",
            false => "nothing for you here",
        };
        say(format_args!("{indent}{by}: {} ({why})", to.id));
    }
    for item in &to.objects {
        say(format_args!("{indent}{by}: {}", item.line()));
    }
}

fn words(by: &BTreeSet<String>) -> String {
    by.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// What was typed, as the hub's route wants it.
fn parameters(args: &Search) -> Result<Vec<(&'static str, String)>, Failure> {
    let texts = [
        ("value", &args.value),
        ("prefix", &args.prefix),
        ("under", &args.under),
        ("in", &args.inside),
        ("covers", &args.covers),
        ("pattern", &args.pattern),
        ("type", &args.kind),
        ("source", &args.source),
        ("marking", &args.marking),
        ("refers_to", &args.refers_to),
    ];
    let texts = texts.into_iter();
    let mut all: Vec<(&'static str, String)> = texts
        .filter_map(|(name, text)| Some((name, text.clone()?)))
        .collect();
    all.extend(args.technique.iter().map(|id| ("technique", id.clone())));
    all.extend(args.label.iter().map(|label| ("label", label.clone())));
    let times = [
        ("added_after", &args.added_after),
        ("added_before", &args.added_before),
        ("created_after", &args.created_after),
        ("created_before", &args.created_before),
        ("modified_after", &args.modified_after),
        ("modified_before", &args.modified_before),
    ];
    for (name, typed) in times {
        if let Some(typed) = typed {
            all.push((name, time(name, typed)?));
        }
    }
    if args.sources {
        all.push(("sources", json!(true).to_string()));
    }
    Ok(all)
}

/// A time, or how long ago it was.
fn time(name: &str, typed: &str) -> Result<String, Failure> {
    if let Some(ago) = seconds(typed) {
        let ago = Duration::from_secs(ago).as_micros();
        let ago = i64::try_from(ago).unwrap_or(i64::MAX);
        let at = super::now().as_micros().saturating_sub(ago);
        return Ok(::stix::Timestamp::from_micros(at).fmt_micros());
    }
    ::stix::Timestamp::parse(typed).map_err(|e| {
        let name = name.replace('_', "-");
        Failure::input(
            format!("--{name} {typed}: a time or a duration such as 7d"),
            e,
        )
    })?;
    Ok(typed.to_owned())
}
