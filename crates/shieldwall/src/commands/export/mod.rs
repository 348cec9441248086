//! `export`: what is in force, for another tool.

mod out;
mod taxii;

use anyhow::anyhow;
use feeds::{
    Filter, Gather, Live, Value,
    export::{self as formats, Options},
    protected::Protected,
};
use stix::{Limits, Object};

use self::out::Out;
use crate::{
    cli::{Export, Wanted},
    client::HubClient,
    outcome::{Failure, Outcome},
    text::complain,
};

/// The format that is no file but a server.
const TAXII: &str = "taxii";

pub(super) async fn run(args: Export, json: bool) -> Result<Outcome, Failure> {
    fits(&args)?;
    if let (TAXII, Some(to)) = (args.format.as_str(), &args.to) {
        return taxii::push(&args, to, json).await;
    }
    let format = formats::FORMATS
        .iter()
        .find(|format| format.name == args.format);
    let Some(format) = format else {
        return Err(Failure::Input(anyhow!("{}: not a format", args.format)));
    };
    let mut out = Out::new(args.out.as_deref());
    if format.folder && !matches!(out, Out::Folder(_)) {
        let why = "this format is several files; name a folder that exists, or end it with /";
        return Err(Failure::Input(anyhow!("--out: {why}")));
    }
    let hub = HubClient::new(&args.peer)?;
    let now = super::now();
    let wanted = filter(&args.wanted, now);
    let mut live = gather(&hub, wanted, format.objects, &mut |_| {}).await?;
    let writer = (format.new)();
    let unsaid = set_apart(
        &mut live,
        &|value| writer.unsaid(value),
        protected(&args).as_ref(),
    );
    let options = Options {
        now,
        sid_base: args.sid_base,
    };
    writer
        .write(&live, &options, &mut out)
        .map_err(|e| Failure::system("write the export", e))?;
    report(&live, &unsaid, json);
    Ok(Outcome::Done)
}

/// What `wanted` lets through now.
pub(super) fn filter(wanted: &Wanted, now: stix::Timestamp) -> Filter {
    Filter {
        kinds: wanted.kinds.clone(),
        confidence_min: wanted.min_confidence,
        restricted: wanted.include_restricted,
        now,
    }
}

/// Refuses what means nothing to the format.
fn fits(args: &Export) -> Result<(), Failure> {
    let server = args.format == TAXII;
    let others = [
        ("--preview", args.preview),
        ("--state", args.state.is_some()),
        ("URL", args.to.is_some()),
    ];
    let others = others
        .into_iter()
        .find_map(|(flag, given)| given.then_some(flag));
    match (server, args.remote.given().or(others)) {
        (false, Some(flag)) => Err(Failure::Input(anyhow!(
            "{flag}: of the format taxii alone; leave it out"
        ))),
        (true, _) if args.to.is_none() => Err(Failure::Input(anyhow!(
            "taxii: name the address of the server"
        ))),
        (true, _) if args.out.is_some() => Err(Failure::Input(anyhow!(
            "--out: this format goes to a server; leave it out"
        ))),
        (true | false, _) => Ok(()),
    }
}

/// What nobody is to be told to block.
fn protected(args: &Export) -> Option<Protected> {
    (!args.include_protected).then(|| Protected::new(&args.own))
}

/// Reads all that this partner may see, and shows `also` each object.
async fn gather(
    hub: &HubClient,
    filter: Filter,
    objects: bool,
    also: &mut dyn FnMut(&Object),
) -> Result<Live, Failure> {
    let mut gather = Gather::new(filter, objects);
    for collection in hub.collections().await? {
        let mut next: Option<String> = None;
        loop {
            let page = hub.page(&collection, next.as_deref()).await?;
            for raw in &page.objects {
                // What the hub serves it has read itself; what we cannot read is no indicator.
                let Ok(object) = Object::parse(raw.get().as_bytes(), &Limits::default()) else {
                    continue;
                };
                also(&object);
                if !gather.take(&object) {
                    let most = feeds::live::OBJECTS_MAX;
                    return Err(Failure::System(anyhow!(
                        "more than {most} indicators; narrow it with --kinds"
                    )));
                }
            }
            let more = page.next.filter(|_| page.more);
            if more.is_none() || more == next {
                break;
            }
            next = more;
        }
    }
    Ok(gather.finish())
}

/// Said of values that who blocks them may harm the innocent with: other tools need not have a
/// protection of their own.
const PROTECTED: &str = "private, your own or used by everybody (--include-protected)";

/// Takes out what the format cannot say, and what is protected; gives how many and why. An object
/// goes whole: one with a protected value among its values does not.
fn set_apart(
    live: &mut Live,
    unsayable: &dyn Fn(&Value) -> Option<&'static str>,
    protected: Option<&Protected>,
) -> Vec<(usize, &'static str)> {
    let mut unsaid: Vec<(usize, &'static str)> = Vec::new();
    let harms = |value: &Value| protected.is_some_and(|protected| protected.harm(value).is_some());
    live.objects.retain(|object| {
        let values = feeds::live::values(object).unwrap_or_default();
        !values.iter().any(harms)
    });
    live.entries.retain(|value, _| {
        let why = unsayable(value).or_else(|| harms(value).then_some(PROTECTED));
        let Some(why) = why else {
            return true;
        };
        match unsaid.iter_mut().find(|(_, known)| *known == why) {
            Some((count, _)) => *count = count.saturating_add(1),
            None => unsaid.push((1, why)),
        }
        false
    });
    unsaid
}

fn report(live: &Live, unsaid: &[(usize, &'static str)], json: bool) {
    let left = live.left_out;
    if json {
        let kinds: std::collections::BTreeMap<&str, usize> = live
            .kinds()
            .into_iter()
            .map(|(kind, count)| (kind.name(), count))
            .collect();
        complain(serde_json::json!({
            "objects": live.objects.len(), "values": live.entries.len(), "kinds": kinds, "unsaid": unsaid,
            "left_out": {
                "restricted": left.restricted, "over": left.over, "unsure": left.unsure,
                "other_kinds": left.other_kinds, "not_values": left.not_values,
            },
        }));
        return;
    }
    let kinds: Vec<String> = live
        .kinds()
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    complain(format_args!(
        "{} values: {}",
        live.entries.len(),
        kinds.join(", ")
    ));
    complain(format_args!("indicators left out: {left}"));
    for (count, why) in unsaid {
        complain(format_args!("values left out: {count}: {why}"));
    }
}

#[cfg(test)]
mod tests {
    use feeds::export::FORMATS;

    use super::*;

    const NOW: &str = "2026-11-26T12:00:00.000Z";

    fn live(pattern: &str) -> Live {
        let id = ::stix::StixId::v5("indicator", "a");
        let raw = format!(
            r#"{{"type":"indicator","spec_version":"2.1","id":"{id}","created":"{NOW}","modified":"{NOW}","pattern":"{pattern}","pattern_type":"stix","valid_from":"{NOW}"}}"#
        );
        let object = Object::parse(raw.as_bytes(), &Limits::default()).unwrap();
        let mut gather = Gather::new(
            Filter {
                kinds: vec![],
                confidence_min: None,
                restricted: false,
                now: ::stix::Timestamp::parse(NOW).unwrap(),
            },
            false,
        );
        assert!(gather.take(&object));
        gather.finish()
    }

    #[test]
    fn no_format_says_what_is_protected_unless_it_is_asked_for() {
        let pattern = "[ipv4-addr:value = '10.0.0.1' OR ipv4-addr:value = '198.51.100.7' OR ipv4-addr:value = '203.0.113.9']";
        let own = Protected::new(&["198.51.100.0/24".parse().unwrap()]);
        for format in FORMATS {
            let writer = (format.new)();
            let mut left = live(pattern);
            let unsaid = set_apart(&mut left, &|value| writer.unsaid(value), Some(&own));
            let values: Vec<String> = left.entries.keys().map(ToString::to_string).collect();
            assert_eq!(values, ["203.0.113.9"], "{}", format.name);
            assert_eq!(unsaid, [(2, PROTECTED)], "{}", format.name);
            let mut all = live(pattern);
            assert_eq!(set_apart(&mut all, &|value| writer.unsaid(value), None), []);
            assert_eq!(all.entries.len(), 3, "{}", format.name);
        }
    }
}
