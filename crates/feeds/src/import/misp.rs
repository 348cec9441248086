//! MISP: an event, several, the attributes of a search, an event of a feed.
//!
//! Taken are attributes that are for detection (`to_ids`) and of a type that can be looked for.
//! What MISP keeps to an organisation (distribution 0) or to a sharing group (4) is passed over;
//! tags of the Traffic Light Protocol become markings, the strictest counts. Texts that people
//! wrote (comments, names of objects) and addresses of receivers of mail are left behind: they may
//! name persons. A time stamp makes a version, so that an event that is read again changes nothing.

use std::collections::BTreeMap;
use std::io::{BufRead, Read as _};

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use stix::{Timestamp, Tlp};

use super::{Import, OptionError, Options, ReadError, Tell};
use crate::claim::{Claim, Place, Refused, Told};
use crate::value::{Kind, Value};

/// Longest document, in bytes.
const DOCUMENT_BYTES_MAX: u64 = DOCUMENT_MIB_MAX << 20;
const DOCUMENT_MIB_MAX: u64 = 256;

struct Misp {
    texts: bool,
    groups: bool,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of all readers' makers")]
pub(super) fn new(options: &Options) -> Result<Box<dyn Import>, OptionError> {
    Ok(Box::new(Misp {
        texts: options.texts,
        groups: options.groups,
    }))
}

/// The identifiers of the events that the `manifest.json` of a feed names. Each is a file.
///
/// # Errors
/// [`ReadError::Form`], when it is no manifest. A key that is no UUID is one: a file's name is
/// made of it.
pub fn manifest(text: &[u8]) -> Result<Vec<String>, ReadError> {
    let wrong = |why: String| ReadError::Form(format!("manifest.json: {why}"));
    let events: BTreeMap<String, IgnoredAny> =
        serde_json::from_slice(text).map_err(|error| wrong(error.to_string()))?;
    let uuid =
        |key: &String| key.len() == 36 && key.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit());
    match events.keys().find(|key| !uuid(key)) {
        Some(key) => Err(wrong(format!(
            "{:?} is not a UUID",
            crate::value::shortened(key)
        ))),
        None => Ok(events.into_keys().collect()),
    }
}

impl Import for Misp {
    fn read(&self, input: &mut dyn BufRead, tell: &mut Tell<'_>) -> Result<(), ReadError> {
        let mut text = Vec::new();
        input
            .take(DOCUMENT_BYTES_MAX.saturating_add(1))
            .read_to_end(&mut text)?;
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > DOCUMENT_BYTES_MAX {
            let why = format!(
                "more than {DOCUMENT_MIB_MAX} MiB, which is read at once; export events one by one, or as \
                 the folder of a feed"
            );
            return Err(ReadError::Form(why));
        }
        let mut events = Vec::new();
        if text.trim_ascii_start().starts_with(b"[") {
            let documents: Vec<Document> = json(&text)?;
            documents
                .into_iter()
                .for_each(|document| document.events("$", &mut events));
        } else {
            json::<Document>(&text)?.events("$", &mut events);
        }
        if events.is_empty() {
            let why = "holds no \"Event\" and no \"Attribute\"; export it from MISP as JSON";
            return Err(ReadError::Form(why.to_owned()));
        }
        events
            .iter()
            .try_for_each(|(path, event)| self.event(path, event, tell))
    }
}

fn json<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, ReadError> {
    serde_json::from_slice(text)
        .map_err(|error| ReadError::Form(format!("not MISP's JSON: {error}")))
}

impl Misp {
    fn event(&self, path: &str, event: &Event, tell: &mut Tell<'_>) -> Result<(), ReadError> {
        let outer = Around {
            distributions: vec![&event.distribution],
            tags: vec![&event.tags],
            title: &event.info,
        };
        for (index, attribute) in event.attributes.iter().enumerate() {
            self.attribute(
                &format!("{path}.Attribute[{index}]"),
                attribute,
                &outer,
                tell,
            )?;
        }
        for (at, object) in event.objects.iter().enumerate() {
            let Lenient::Good(object) = object else {
                tell(Told::Refused(not_one(
                    &format!("{path}.Object[{at}]"),
                    "an object of MISP",
                )))?;
                continue;
            };
            let mut outer = outer.clone();
            outer.distributions.push(&object.distribution);
            for (index, attribute) in object.attributes.iter().enumerate() {
                let path = format!("{path}.Object[{at}].Attribute[{index}]");
                self.attribute(&path, attribute, &outer, tell)?;
            }
        }
        Ok(())
    }

    fn attribute(
        &self,
        path: &str,
        attribute: &Lenient<Attribute>,
        outer: &Around<'_>,
        tell: &mut Tell<'_>,
    ) -> Result<(), ReadError> {
        let Lenient::Good(attribute) = attribute else {
            return tell(Told::Refused(not_one(path, "an attribute of MISP")));
        };
        let mut around = outer.clone();
        around.distributions.push(&attribute.distribution);
        around.tags.push(&attribute.tags);
        if let Some(event) = &attribute.event {
            around.distributions.push(&event.distribution);
            around.tags.push(&event.tags);
            around.title = &event.info;
        }
        if !is_true(&attribute.to_ids) {
            return tell(Told::PassedOver("not for detection (to_ids)"));
        }
        if let Some(why) = around.withheld(self.groups) {
            return tell(Told::PassedOver(why));
        }
        let tlp = match around.tlp() {
            Ok(tlp) => tlp,
            Err(why) => return tell(Told::PassedOver(why)),
        };
        let kind = attribute.kind.as_deref().unwrap_or_default();
        let text = attribute.value.as_deref().unwrap_or_default();
        let parts = parts(kind, text);
        if parts.is_empty() {
            return tell(Told::PassedOver("of a type that is not looked for"));
        }
        for (kind, text) in parts {
            tell(self.claim(path, attribute, &around, tlp, (kind, text)))?;
        }
        Ok(())
    }

    fn claim(
        &self,
        path: &str,
        attribute: &Attribute,
        around: &Around<'_>,
        tlp: Option<Tlp>,
        (kind, text): (Kind, &str),
    ) -> Told {
        let place = Place::Item(path.into());
        let value = match Value::parse(kind, text) {
            Ok(value) => value,
            Err(error) => return Told::Refused(Refused::value(place, &error)),
        };
        let mut claim = Claim::new(value, place);
        claim.key = attribute.uuid.as_deref().map(Into::into);
        claim.tlp = tlp;
        claim.modified = attribute.timestamp.as_deref().and_then(unix);
        claim.valid_from = attribute.first_seen.as_deref().and_then(iso);
        claim.revoked = is_true(&attribute.deleted);
        if self.texts {
            claim.name = around.title.as_deref().map(Into::into);
        }
        Told::Claim(Box::new(claim))
    }
}

/// The values in an attribute.
fn parts<'a>(kind: &str, text: &'a str) -> Vec<(Kind, &'a str)> {
    let (first, second) = text.split_once('|').unwrap_or((text, text));
    let last = text.rsplit_once('|').map_or(text, |(_, last)| last);
    let kind = match kind.strip_prefix("filename|") {
        Some("md5") => return vec![(Kind::Md5, last)],
        Some("sha1") => return vec![(Kind::Sha1, last)],
        Some("sha256") => return vec![(Kind::Sha256, last)],
        Some(_) => return vec![],
        None => kind,
    };
    match kind {
        "ip-src" | "ip-dst" => vec![(Kind::Ip, text)],
        "ip-src|port" => vec![(Kind::Ip, first)],
        "ip-dst|port" => vec![(Kind::Endpoint, text)],
        "domain" | "hostname" => vec![(Kind::Domain, text)],
        "hostname|port" => vec![(Kind::Domain, first)],
        "domain|ip" => vec![(Kind::Domain, first), (Kind::Ip, second)],
        "url" | "uri" => vec![(Kind::Url, text)],
        "md5" => vec![(Kind::Md5, text)],
        "sha1" => vec![(Kind::Sha1, text)],
        "sha256" => vec![(Kind::Sha256, text)],
        "malware-sample" => vec![(Kind::Md5, last)],
        "email" | "email-src" => vec![(Kind::Email, text)],
        "ja3-fingerprint-md5" => vec![(Kind::Ja3, text)],
        _ => vec![],
    }
}

/// What stands around an attribute.
#[derive(Clone)]
struct Around<'a> {
    distributions: Vec<&'a Text>,
    tags: Vec<&'a Vec<Tag>>,
    title: &'a Text,
}

impl Around<'_> {
    /// Why it is kept from sharing; each level may keep it.
    fn withheld(&self, groups: bool) -> Option<&'static str> {
        self.distributions
            .iter()
            .find_map(|distribution| match distribution.as_deref() {
                // A feed is made to be shared, and leaves it out.
                None | Some("1" | "2" | "3" | "5") => None,
                Some("4") if groups => None,
                Some("0") => Some("kept to an organisation (distribution 0)"),
                Some("4") => Some("kept to a sharing group (distribution 4): see --sharing-groups"),
                Some(_) => Some("of a distribution that is not known"),
            })
    }

    /// The strictest of the tags.
    fn tlp(&self) -> Result<Option<Tlp>, &'static str> {
        let mut strictest = None;
        for tag in self.tags.iter().flat_map(|tags| tags.iter()) {
            let name = tag.name.as_deref().unwrap_or_default().to_ascii_lowercase();
            if name.starts_with("tlp:") {
                let tlp = name.parse().map_err(|_| "of a TLP tag that is not known")?;
                strictest = strictest.max(Some(tlp));
            }
        }
        Ok(strictest)
    }
}

fn is_true(text: &Text) -> bool {
    matches!(text.as_deref(), Some("true" | "1"))
}

fn unix(text: &str) -> Option<Timestamp> {
    let seconds: i64 = text.parse().ok().filter(|seconds| *seconds > 0)?;
    Some(Timestamp::from_micros(seconds.checked_mul(1_000_000)?))
}

fn iso(text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix("+00:00").map(|text| format!("{text}Z"));
    Timestamp::parse(&text?).ok()
}

fn not_one(path: &str, what: &str) -> Refused {
    Refused::new(
        Place::Item(path.into()),
        format!("not {what}"),
        "export it from MISP as JSON",
    )
}

/// Numbers and truth values are texts in some of MISP's exports.
type Text = Option<String>;

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
    Ok(match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Number(number) => Some(number.to_string()),
        serde_json::Value::Bool(truth) => Some(truth.to_string()),
        serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
            None
        }
    })
}

/// An element of a list, whose fault is its own.
#[derive(Deserialize)]
#[serde(untagged)]
enum Lenient<T> {
    Good(T),
    Bad(IgnoredAny),
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "Event")]
    event: Option<Event>,
    response: Option<Response>,
    #[serde(rename = "Attribute")]
    attributes: Option<Vec<Lenient<Attribute>>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Response {
    Several(Vec<Document>),
    One(Box<Document>),
}

impl Document {
    fn events(self, path: &str, into: &mut Vec<(String, Event)>) {
        into.extend(self.event.map(|event| (format!("{path}.Event"), event)));
        if let Some(attributes) = self.attributes {
            into.push((
                path.to_owned(),
                Event {
                    attributes,
                    ..Event::default()
                },
            ));
        }
        match self.response {
            Some(Response::Several(all)) => {
                for (index, document) in all.into_iter().enumerate() {
                    document.events(&format!("{path}.response[{index}]"), into);
                }
            }
            Some(Response::One(document)) => document.events(&format!("{path}.response"), into),
            None => {}
        }
    }
}

#[derive(Default, Deserialize)]
struct Event {
    #[serde(default, deserialize_with = "text")]
    info: Text,
    #[serde(default, deserialize_with = "text")]
    distribution: Text,
    #[serde(default, rename = "Tag")]
    tags: Vec<Tag>,
    #[serde(default, rename = "Attribute")]
    attributes: Vec<Lenient<Attribute>>,
    #[serde(default, rename = "Object")]
    objects: Vec<Lenient<Object>>,
}

#[derive(Deserialize)]
struct Object {
    #[serde(default, deserialize_with = "text")]
    distribution: Text,
    #[serde(default, rename = "Attribute")]
    attributes: Vec<Lenient<Attribute>>,
}

#[derive(Deserialize)]
struct Attribute {
    #[serde(default, deserialize_with = "text")]
    uuid: Text,
    #[serde(default, rename = "type", deserialize_with = "text")]
    kind: Text,
    #[serde(default, deserialize_with = "text")]
    value: Text,
    #[serde(default, deserialize_with = "text")]
    to_ids: Text,
    #[serde(default, deserialize_with = "text")]
    timestamp: Text,
    #[serde(default, deserialize_with = "text")]
    distribution: Text,
    #[serde(default, deserialize_with = "text")]
    deleted: Text,
    #[serde(default, deserialize_with = "text")]
    first_seen: Text,
    #[serde(default, rename = "Tag")]
    tags: Vec<Tag>,
    /// In the answer of a search, the event that it is of.
    #[serde(rename = "Event")]
    event: Option<Box<Event>>,
}

#[derive(Deserialize)]
struct Tag {
    #[serde(default, deserialize_with = "text")]
    name: Text,
}

#[cfg(test)]
mod tests {
    use super::super::tests::told;
    use super::*;

    fn misp() -> Box<dyn Import> {
        new(&Options::default()).unwrap()
    }

    fn event(more: &str, attribute: &str) -> String {
        format!(
            r#"{{"Event":{{"info":"a campaign",{more}"Attribute":[{{"uuid":"5f1b2c3d-0000-4000-8000-000000000001","type":"ip-dst","to_ids":true,"timestamp":"1760000000"{attribute},"value":"192.0.2.1"}}]}}}}"#
        )
    }

    const UUID: &str = "5f1b2c3d-0000-4000-8000-000000000001";

    #[test]
    fn a_document_that_is_too_long_is_named_as_that() {
        let mut endless = std::io::BufReader::new(std::io::repeat(b' '));
        let read = misp().read(&mut endless, &mut |_| Ok(()));
        let error = read.unwrap_err().to_string();
        assert!(error.starts_with("more than 256 MiB"), "{error}");
    }

    #[test]
    fn a_time_stamp_makes_a_version_and_tags_make_markings() {
        let text = event(
            r#""distribution":"3","Tag":[{"name":"tlp:green"},{"name":"type:OSINT"}],"#,
            "",
        );
        let want = format!("ip 192.0.2.1 modified 2025-10-09T08:53:20.000Z key {UUID} TLP:GREEN");
        assert_eq!(told(&*misp(), &text), [want]);
    }

    #[test]
    fn the_strictest_tag_and_the_narrowest_distribution_count() {
        let cases = [
            (
                r#""Tag":[{"name":"tlp:green"}],"#,
                r#","Tag":[{"name":"tlp:amber+strict"}]"#,
                "TLP:AMBER+STRICT",
            ),
            (
                r#""Tag":[{"name":"tlp:amber"}],"#,
                r#","Tag":[{"name":"tlp:white"}]"#,
                "TLP:AMBER",
            ),
            (r#""Tag":[{"name":"tlp:purple"}],"#, "", "not known"),
            (
                r#""distribution":0,"#,
                r#","distribution":"5""#,
                "distribution 0",
            ),
            (
                r#""distribution":"3","#,
                r#","distribution":"0""#,
                "distribution 0",
            ),
            (
                r#""distribution":"3","#,
                r#","distribution":"4""#,
                "distribution 4",
            ),
            (r#""distribution":"7","#, "", "not known"),
        ];
        for (more, attribute, want) in cases {
            let told = told(&*misp(), &event(more, attribute));
            assert!(
                told.len() == 1 && told[0].contains(want),
                "{more} {attribute}: {told:?}"
            );
            assert_eq!(
                told[0].starts_with("ip"),
                want.starts_with("TLP"),
                "{told:?}"
            );
        }
        let groups = new(&Options {
            groups: true,
            texts: true,
            ..Options::default()
        })
        .unwrap();
        let told = told(&*groups, &event(r#""distribution":4,"#, ""));
        assert!(told[0].ends_with("(a campaign)"), "{told:?}");
    }

    #[test]
    fn types_give_values_and_what_is_not_for_detection_is_passed_over() {
        let one = |kind: &str, value: &str| {
            let text = event("", "")
                .replace("ip-dst", kind)
                .replace("192.0.2.1", value);
            let told = told(&*misp(), &text);
            told.iter()
                .map(|line| line.split(" modified").next().unwrap().to_owned())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let md5 = "0123456789abcdef0123456789abcdef";
        let cases = [
            ("ip-src|port", "192.0.2.1|4711", "ip 192.0.2.1"),
            (
                "ip-dst|port",
                "2001:db8::1|443",
                "ip-port [2001:db8::1]:443",
            ),
            (
                "domain|ip",
                "evil.example|192.0.2.9",
                "domain evil.example, ip 192.0.2.9",
            ),
            (
                "filename|md5",
                "a|b.exe|0123456789abcdef0123456789abcdef",
                &format!("md5 {md5}"),
            ),
            ("hostname", "www.evil.example", "domain www.evil.example"),
            (
                "email-dst",
                "victim@example.com",
                "passed over: of a type that is not looked for",
            ),
            (
                "comment",
                "text",
                "passed over: of a type that is not looked for",
            ),
            (
                "sha256",
                "short",
                "refused $.Event.Attribute[0]: \"short\" is not a SHA-256; correct the value, or its type",
            ),
        ];
        for (kind, value, want) in cases {
            assert_eq!(one(kind, value), want, "{kind}");
        }
        let text = event("", "").replace("\"to_ids\":true", "\"to_ids\":false");
        assert_eq!(
            told(&*misp(), &text),
            ["passed over: not for detection (to_ids)"]
        );
    }

    #[test]
    fn all_of_misps_documents_are_read() {
        let attribute = |n: u8| {
            format!(
                r#"{{"type":"ip-src","value":"192.0.2.{n}","to_ids":"1","deleted":{}}}"#,
                n == 2
            )
        };
        let (one, two) = (attribute(1), attribute(2));
        let texts = [
            format!(
                r#"{{"Event":{{"Attribute":[{one}],"Object":[{{"name":"x","Attribute":[{two}]}}]}}}}"#
            ),
            format!(
                r#"{{"response":[{{"Event":{{"Attribute":[{one}]}}}},{{"Event":{{"Attribute":[{two}]}}}}]}}"#
            ),
            format!(r#"[{{"Event":{{"Attribute":[{one},{two}]}}}}]"#),
            format!(r#"{{"response":{{"Attribute":[{one},{two}]}}}}"#),
            format!(r#"{{"Attribute":[{one},{two}]}}"#),
        ];
        for text in texts {
            assert_eq!(
                told(&*misp(), &text),
                ["ip 192.0.2.1", "ip 192.0.2.2 revoked"],
                "{text}"
            );
        }
        let kept = r#"{"response":{"Attribute":[{"type":"ip-src","value":"192.0.2.1","to_ids":true,"Event":{"distribution":"0"}}]}}"#;
        assert!(told(&*misp(), kept)[0].contains("distribution 0"));
    }

    #[test]
    fn one_bad_attribute_does_not_spoil_the_rest() {
        let text = r#"{"Event":{"Attribute":[7,{"type":"ip-src","value":["x"],"to_ids":true},{"type":"ip-src","value":"192.0.2.1","to_ids":true}]}}"#;
        let told = told(&*misp(), text);
        assert_eq!(told.len(), 3);
        assert!(told[0].starts_with("refused $.Event.Attribute[0]: not an attribute of MISP"));
        assert!(told[1].starts_with("refused $.Event.Attribute[1]"));
        assert_eq!(told[2], "ip 192.0.2.1");
    }

    #[test]
    fn what_is_no_event_is_an_error_that_says_so() {
        for text in ["{}", "[]", "7", "", "{\"Event\":7}", "not json"] {
            assert!(told(&*misp(), text)[0].starts_with("error: "), "{text}");
        }
    }

    #[test]
    fn a_manifest_names_files_by_uuid_alone() {
        let text = format!(r#"{{"{UUID}":{{"info":"x"}}}}"#);
        assert_eq!(manifest(text.as_bytes()).unwrap(), [UUID]);
        for bad in [r#"{"../../etc/passwd":{}}"#, "[]", ""] {
            assert!(manifest(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
