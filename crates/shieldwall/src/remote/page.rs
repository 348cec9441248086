//! A page of a collection (TAXII 2.1 sections 3.4, 3.7, 5.4), as servers in the field write it.

use std::fmt;

use reqwest::Url;
use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};
use serde_json::{Value, value::RawValue};
use stix::Timestamp;
use taxii::message::{HEADER_DATE_ADDED_FIRST, HEADER_DATE_ADDED_LAST};

use super::{Answer, find::child};
use crate::outcome::Failure;

/// Objects that one page may have, whatever was asked for.
const PAGE_OBJECTS_MAX: usize = 100_000;

/// A page of objects.
#[derive(Debug)]
pub(crate) struct Page {
    /// The objects, byte for byte.
    pub(crate) objects: Vec<Box<RawValue>>,
    /// Whether there are more.
    pub(crate) more: bool,
    /// What to ask for them with, where the server says.
    pub(crate) next: Option<String>,
    /// When the first object was added, where the server says.
    pub(crate) first: Option<Timestamp>,
    /// When the last one was.
    pub(crate) last: Option<Timestamp>,
}

/// An envelope, or a bundle where an envelope ought to be.
#[derive(Deserialize)]
struct Envelope {
    more: Option<bool>,
    next: Option<Value>,
    #[serde(default, deserialize_with = "bounded")]
    objects: Vec<Box<RawValue>>,
}

impl Page {
    /// The address of a page of at most `limit` objects. What is behind `next` is asked for with the
    /// same filters, as servers want it.
    pub(crate) fn url(
        collection: &Url,
        limit: usize,
        added_after: Option<Timestamp>,
        next: Option<&str>,
    ) -> Url {
        let mut url = child(collection, &["objects"]);
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("limit", &limit.to_string());
            if let Some(after) = added_after {
                query.append_pair("added_after", &after.fmt_micros());
            }
            if let Some(next) = next {
                query.append_pair("next", next);
            }
        }
        url
    }

    /// Reads a good answer.
    pub(crate) fn read(answer: &Answer, url: &Url) -> Result<Self, Failure> {
        let envelope: Envelope = serde_json::from_slice(&answer.body).map_err(|e| {
            let mut place = url.clone();
            place.set_query(None);
            Failure::system(format!("{place} answers with no envelope"), e)
        })?;
        // Some servers count.
        let text = |next: &Value| match next.as_str() {
            Some(text) => text.to_owned(),
            None if next.is_number() => next.to_string(),
            None => String::new(),
        };
        let next = envelope.next.as_ref().map(text);
        let next = next.filter(|next| !next.is_empty());
        let date = |name| answer.header(name).and_then(date);
        Ok(Self {
            more: envelope.more.unwrap_or(next.is_some()),
            objects: envelope.objects,
            next,
            first: date(HEADER_DATE_ADDED_FIRST),
            last: date(HEADER_DATE_ADDED_LAST),
        })
    }
}

/// A time as the standard wants it, or as others write RFC 3339.
fn date(text: &str) -> Option<Timestamp> {
    let odd = || {
        text.parse()
            .ok()
            .map(|at: jiff::Timestamp| at.as_microsecond())
    };
    Timestamp::parse(text)
        .ok()
        .or_else(|| odd().map(Timestamp::from_micros))
}

fn bounded<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Box<RawValue>>, D::Error> {
    struct Bounded;
    impl<'de> Visitor<'de> for Bounded {
        type Value = Vec<Box<RawValue>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of objects")
        }

        /// `null` where there are none.
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut objects = Vec::new();
            while let Some(object) = list.next_element()? {
                if objects.len() >= PAGE_OBJECTS_MAX {
                    return Err(serde::de::Error::custom(format!(
                        "more than {PAGE_OBJECTS_MAX} objects in one page"
                    )));
                }
                objects.push(object);
            }
            Ok(objects)
        }
    }
    from.deserialize_any(Bounded)
}

#[cfg(test)]
mod tests {
    use reqwest::{StatusCode, header::HeaderMap};

    use super::*;

    fn read(body: &str) -> Result<Page, String> {
        let mut headers = HeaderMap::new();
        let date = "2026-11-26T12:00:00.5+00:00".parse().unwrap();
        headers.insert("x-taxii-date-added-last", date);
        let answer = Answer {
            status: StatusCode::OK,
            headers,
            body: body.into(),
        };
        let url = Url::parse("https://peer.example/").unwrap();
        Page::read(&answer, &url).map_err(|failure| match failure {
            Failure::Input(e) | Failure::System(e) => format!("{e:#}"),
        })
    }

    #[test]
    fn envelopes_of_the_field_are_read() {
        let cases: [(&str, usize, bool, Option<&str>); 9] = [
            ("{}", 0, false, None),
            (r#"{"more":false}"#, 0, false, None),
            (
                r#"{"more":false,"objects":null,"next":null}"#,
                0,
                false,
                None,
            ),
            (
                r#"{"more":true,"next":"a","objects":[{"a":1}]}"#,
                1,
                true,
                Some("a"),
            ),
            (r#"{"more":true,"next":7,"objects":[]}"#, 0, true, Some("7")),
            (r#"{"next":"b","objects":[{}]}"#, 1, true, Some("b")),
            (r#"{"more":true,"objects":[{}]}"#, 1, true, None),
            (r#"{"more":true,"next":"","objects":[{}]}"#, 1, true, None),
            (
                r#"{"type":"bundle","id":"x","objects":[{}, {}]}"#,
                2,
                false,
                None,
            ),
        ];
        for (body, objects, more, next) in cases {
            let page = read(body).unwrap();
            let got = (page.objects.len(), page.more, page.next.as_deref());
            assert_eq!(got, (objects, more, next), "{body}");
            let last = page.last.unwrap().to_string();
            assert_eq!(
                (last.as_str(), page.first),
                ("2026-11-26T12:00:00.500Z", None)
            );
        }
        assert_eq!(
            read(r#"{"objects":[{"b" : 1.0}]}"#).unwrap().objects[0].get(),
            r#"{"b" : 1.0}"#
        );
        assert!(read("[]").unwrap_err().contains("no envelope"));
        let many = format!("{{\"objects\":[{}1]}}", "1,".repeat(PAGE_OBJECTS_MAX));
        assert!(read(&many).unwrap_err().contains("objects in one page"));
    }

    #[test]
    fn what_follows_is_asked_for_with_the_same_filters() {
        let url = Url::parse("https://peer.example/a/collections/c/").unwrap();
        let after = Timestamp::parse("2026-11-26T12:00:00Z").unwrap();
        let url = Page::url(&url, 10, Some(after), Some("a+b/c="));
        assert_eq!(
            url.as_str(),
            "https://peer.example/a/collections/c/objects/?limit=10&added_after=2026-11-26T12%3A00%3A00.000000Z&next=a%2Bb%2Fc%3D"
        );
    }
}
