//! CrowdSec: `cscli decisions list -o json`, and what the local API's stream tells (`new` and
//! `deleted`).
//!
//! A decision becomes an indicator that ends when the decision does; one that was deleted takes it
//! back. Of several decisions on one value the first counts. Simulated decisions, and those that
//! only let pass, are passed over.

use std::io::{BufRead, Read as _};

use serde::Deserialize;
use stix::Timestamp;

use super::{Import, OptionError, Options, ReadError, Tell};
use crate::claim::{Claim, Place, Refused, Told};
use crate::duration;
use crate::value::{Kind, Value};

/// Longest document, in bytes.
const DOCUMENT_BYTES_MAX: u64 = DOCUMENT_MIB_MAX << 20;
const DOCUMENT_MIB_MAX: u64 = 256;

struct CrowdSec {
    now: Timestamp,
    whole: bool,
}

pub(super) fn new(options: &Options) -> Result<Box<dyn Import>, OptionError> {
    let now = options
        .now
        .ok_or_else(|| OptionError("the time is not known".to_owned()))?;
    Ok(Box::new(CrowdSec {
        now,
        whole: options.whole,
    }))
}

impl Import for CrowdSec {
    fn read(&self, input: &mut dyn BufRead, tell: &mut Tell<'_>) -> Result<(), ReadError> {
        let mut text = Vec::new();
        input
            .take(DOCUMENT_BYTES_MAX.saturating_add(1))
            .read_to_end(&mut text)?;
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > DOCUMENT_BYTES_MAX {
            let why = format!(
                "more than {DOCUMENT_MIB_MAX} MiB, which is read at once; list decisions in parts, as by \
                 --origin or --scope, each with a --name of its own"
            );
            return Err(ReadError::Form(why));
        }
        let document: Document = serde_json::from_slice(&text).map_err(|error| {
            let mend = "use cscli decisions list -o json, or the answer of /v1/decisions/stream";
            ReadError::Form(format!("not CrowdSec's JSON: {error}; {mend}"))
        })?;
        match document {
            // cscli writes `null` where there is none.
            Document::Nothing(()) => Ok(()),
            Document::List(items) => items.iter().enumerate().try_for_each(|(index, item)| {
                let path = format!("$[{index}]");
                match item {
                    Item::Alert(alert) => {
                        let all = alert
                            .decisions
                            .as_deref()
                            .unwrap_or_default()
                            .iter()
                            .enumerate();
                        let scenario = alert.scenario.as_deref();
                        all.map(|(at, one)| (format!("{path}.decisions[{at}]"), one))
                            .try_for_each(|(path, one)| tell(self.told(path, one, scenario, false)))
                    }
                    Item::Decision(decision) => tell(self.told(path, decision, None, false)),
                    Item::Other(_) => tell(Told::Refused(not_one(path))),
                }
            }),
            Document::Stream { .. } if self.whole => Err(ReadError::Form(
                "the stream tells what changed, so nothing is missing from it; leave out --sync, or \
                 use cscli decisions list -o json"
                    .to_owned(),
            )),
            Document::Stream { new, deleted } => {
                // Deleted first: what is told again stays.
                let lists = [("deleted", deleted, true), ("new", new, false)];
                lists.into_iter().try_for_each(|(name, list, gone)| {
                    let all = list.unwrap_or_default();
                    all.iter().enumerate().try_for_each(|(index, item)| {
                        let path = format!("$.{name}[{index}]");
                        match item {
                            Item::Decision(one) => tell(self.told(path, one, None, gone)),
                            Item::Alert(_) | Item::Other(_) => tell(Told::Refused(not_one(path))),
                        }
                    })
                })
            }
        }
    }
}

impl CrowdSec {
    fn told(&self, path: String, decision: &Decision, scenario: Option<&str>, gone: bool) -> Told {
        let place = Place::Item(path.into());
        if decision.simulated == Some(true) {
            return Told::PassedOver("only simulated");
        }
        if decision
            .kind
            .as_deref()
            .is_some_and(|kind| matches!(kind, "bypass" | "allow"))
        {
            return Told::PassedOver("a decision to let pass");
        }
        let scope = decision
            .scope
            .as_deref()
            .unwrap_or("ip")
            .to_ascii_lowercase();
        if !matches!(scope.as_str(), "ip" | "range") {
            return Told::PassedOver("of a scope that is no address");
        }
        let value = match Value::parse(Kind::Ip, &decision.value) {
            Ok(value) => value,
            Err(error) => return Told::Refused(Refused::value(place, &error)),
        };
        let duration = decision.duration.as_deref();
        let mut claim = Claim::new(value, place.clone());
        claim.name = decision.scenario.as_deref().or(scenario).map(Into::into);
        claim.revoked = gone;
        match (duration.map(|text| (text, duration::parse(text))), gone) {
            (Some((_, Some(left))), _) => claim.valid_until = Some(self.now.plus(left)),
            (None, _) | (_, true) => {}
            (Some((text, None)), false) => {
                let reason = format!("{:?} is not a duration", crate::value::shortened(text));
                return Told::Refused(Refused::new(place, reason, "write it as 3h59m30s"));
            }
        }
        Told::Claim(Box::new(claim))
    }
}

fn not_one(path: String) -> Refused {
    Refused::new(
        Place::Item(path.into()),
        "not a decision of CrowdSec",
        "see that it has a value",
    )
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Document {
    Nothing(()),
    List(Vec<Item>),
    Stream {
        new: Option<Vec<Item>>,
        deleted: Option<Vec<Item>>,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Item {
    Decision(Decision),
    Alert(Alert),
    Other(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct Alert {
    decisions: Option<Vec<Decision>>,
    scenario: Option<String>,
}

#[derive(Deserialize)]
struct Decision {
    value: String,
    scope: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    duration: Option<String>,
    scenario: Option<String>,
    simulated: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::super::tests::told;
    use super::*;

    fn crowdsec() -> Box<dyn Import> {
        let now = Timestamp::parse("2026-11-26T12:00:00Z").ok();
        new(&Options {
            now,
            ..Options::default()
        })
        .unwrap()
    }

    #[test]
    fn a_document_that_is_too_long_is_named_as_that() {
        let mut endless = std::io::BufReader::new(std::io::repeat(b' '));
        let read = crowdsec().read(&mut endless, &mut |_| Ok(()));
        let error = read.unwrap_err().to_string();
        assert!(error.starts_with("more than 256 MiB"), "{error}");
    }

    #[test]
    fn decisions_end_when_they_say_so() {
        let text = r#"[{"id":1,"scenario":"crowdsecurity/ssh-bf","decisions":[
            {"duration":"3h59m48.5s","id":9,"origin":"crowdsec","scenario":"crowdsecurity/ssh-bf","scope":"Ip","type":"ban","value":"192.0.2.1"},
            {"duration":"-5s","scope":"Range","type":"ban","value":"198.51.100.0/24","simulated":true},
            {"duration":"soon","scope":"Range","type":"ban","value":"198.51.100.0/24"},
            {"duration":"1h","scope":"AS","type":"ban","value":"64500"}]},
            {"id":2,"decisions":null}, 7]"#;
        let want = [
            "ip 192.0.2.1 until 2026-11-26T15:59:48.500Z (crowdsecurity/ssh-bf)",
            "passed over: only simulated",
            "refused $[0].decisions[2]: \"soon\" is not a duration; write it as 3h59m30s",
            "passed over: of a scope that is no address",
            "refused $[2]: not a decision of CrowdSec; see that it has a value",
        ];
        assert_eq!(told(&*crowdsec(), text), want);
        assert_eq!(told(&*crowdsec(), "null"), [] as [&str; 0]);
    }

    #[test]
    fn the_stream_takes_back_what_was_deleted() {
        let text = r#"{"new":[{"duration":"1h","scope":"ip","type":"ban","value":"192.0.2.1"}],"deleted":[{"duration":"-1h","scope":"ip","type":"ban","value":"192.0.2.2"}]}"#;
        let want = [
            "ip 192.0.2.2 until 2026-11-26T12:00:00.000Z revoked",
            "ip 192.0.2.1 until 2026-11-26T13:00:00.000Z",
        ];
        assert_eq!(told(&*crowdsec(), text), want);
        assert_eq!(
            told(&*crowdsec(), r#"{"new":null,"deleted":null}"#),
            [] as [&str; 0]
        );
        for other in ["7", r#"{"message":"access forbidden"}"#] {
            let told = told(&*crowdsec(), other);
            assert!(
                told[0].starts_with("error: not CrowdSec's JSON"),
                "{told:?}"
            );
        }
        let whole = Options {
            whole: true,
            now: Timestamp::parse("2026-11-26T12:00:00Z").ok(),
            ..Options::default()
        };
        let told = told(&*new(&whole).unwrap(), text);
        assert!(
            told.len() == 1 && told[0].contains("leave out --sync"),
            "{told:?}"
        );
    }
}
