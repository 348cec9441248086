//! `export`: what is in force, for another tool.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::anyhow;
use feeds::{
    Filter, Gather, Live,
    export::{self as formats, Folder, Options},
    protected::Protected,
};
use stix::{Limits, Object};

use crate::{
    cli::{Export, Wanted},
    client::HubClient,
    outcome::{Failure, Outcome},
    text::complain,
};

pub(super) async fn run(args: Export, json: bool) -> Result<Outcome, Failure> {
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
    let mut live = gather(&hub, filter(&args.wanted, now), format.objects).await?;
    let writer = (format.new)();
    let protected = (!args.include_protected).then(|| Protected::new(&args.own));
    let unsaid = set_apart(&mut live, &*writer, protected.as_ref());
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

/// Reads all that this partner may see.
async fn gather(hub: &HubClient, filter: Filter, objects: bool) -> Result<Live, Failure> {
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

/// Takes out what the format cannot say, and what is protected; gives how many and why.
fn set_apart(
    live: &mut Live,
    writer: &dyn formats::Export,
    protected: Option<&Protected>,
) -> Vec<(usize, &'static str)> {
    let mut unsaid: Vec<(usize, &'static str)> = Vec::new();
    live.entries.retain(|value, _| {
        let harm = || protected.and_then(|protected| protected.harm(value));
        let why = writer.unsaid(value).or_else(|| harm().map(|_| PROTECTED));
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
            "values": live.entries.len(), "kinds": kinds, "unsaid": unsaid,
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

/// Where files go.
enum Out {
    Standard,
    File(PathBuf),
    Folder(PathBuf),
}

impl Out {
    fn new(typed: Option<&Path>) -> Self {
        match typed {
            None => Self::Standard,
            Some(path) if path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") => {
                Self::Folder(path.to_owned())
            }
            Some(path) => Self::File(path.to_owned()),
        }
    }
}

impl Folder for Out {
    fn is_folder(&self) -> bool {
        matches!(self, Self::Folder(_))
    }

    fn file(
        &mut self,
        name: &str,
        write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let path = match self {
            Self::Standard => {
                let mut out = BufWriter::new(io::stdout().lock());
                return write(&mut out).and_then(|()| out.flush());
            }
            Self::File(path) => path.clone(),
            Self::Folder(folder) => {
                std::fs::create_dir_all(&*folder)?;
                folder.join(name)
            }
        };
        replace(&path, write)
    }
}

/// Whoever reads the file sees it whole, of before or of now.
pub(super) fn replace(
    path: &Path,
    write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut out = BufWriter::new(File::create(&beside)?);
    write(&mut out)?;
    out.into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()?;
    std::fs::rename(&beside, path)
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
            let unsaid = set_apart(&mut left, &*writer, Some(&own));
            let values: Vec<String> = left.entries.keys().map(ToString::to_string).collect();
            assert_eq!(values, ["203.0.113.9"], "{}", format.name);
            assert_eq!(unsaid, [(2, PROTECTED)], "{}", format.name);
            let mut all = live(pattern);
            assert_eq!(set_apart(&mut all, &*writer, None), []);
            assert_eq!(all.entries.len(), 3, "{}", format.name);
        }
    }
}
