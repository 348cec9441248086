//! STIX 2.1: a bundle, an envelope, an object, or lines of them. Objects go on as they are, byte
//! for byte, with their own identifiers, markings and authors.
//!
//! A short document is read whole; from a long one objects are taken one at a time.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use stix::{Limits, Object, bundle};

use super::{Import, OptionError, Options, ReadError, Tell};
use crate::claim::{Place, Refused, Told};
use crate::lines::{Line, Lines};

/// Longest document that is read whole, in bytes.
const WHOLE_BYTES_MAX: usize = 16 << 20;

struct Stix;

#[expect(clippy::unnecessary_wraps, reason = "the type of all readers' makers")]
pub(super) fn new(_: &Options) -> Result<Box<dyn Import>, OptionError> {
    Ok(Box::new(Stix))
}

impl Import for Stix {
    fn read(&self, input: &mut dyn BufRead, tell: &mut Tell<'_>) -> Result<(), ReadError> {
        let mut start = Vec::new();
        let most = u64::try_from(WHOLE_BYTES_MAX).unwrap_or(u64::MAX);
        Read::take(&mut *input, most).read_to_end(&mut start)?;
        let more = start.len() == WHOLE_BYTES_MAX;
        if !more && let Ok(objects) = bundle::parse(&start, &limits()) {
            return objects
                .into_iter()
                .enumerate()
                .try_for_each(|(index, object)| {
                    tell(told(object, || {
                        Place::Item(format!("$.objects[{index}]").into())
                    }))
                });
        }
        if is_lines(&start) {
            return lines(&mut (&*start).chain(input), tell);
        }
        if !more {
            let error = bundle::parse(&start, &limits()).err();
            let why = error.map_or_else(String::new, |error| error.to_string());
            return Err(ReadError::Form(why));
        }
        long(&mut (&*start).chain(input), tell)
    }
}

/// One document may have as many objects as it has.
fn limits() -> Limits {
    Limits {
        objects_max: usize::MAX,
        ..Limits::default()
    }
}

/// Whether the first line is a document of its own.
fn is_lines(start: &[u8]) -> bool {
    let mut lines = start.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.find(|line| !line.is_empty()).unwrap_or_default();
    serde_json::from_slice::<IgnoredAny>(first).is_ok() && first.starts_with(b"{")
}

fn lines(input: &mut dyn BufRead, tell: &mut Tell<'_>) -> Result<(), ReadError> {
    let mut lines = Lines::with_max(input, limits().object_bytes_max);
    while let Some(line) = lines.next()? {
        let (text, number) = match line {
            Line::Text(text, number) => (text.trim_ascii(), number),
            Line::TooLong(number) => {
                let place = Place::Line(number, 1);
                let mend = "write one object per line";
                tell(Told::Refused(Refused::new(
                    place,
                    "the line is too long",
                    mend,
                )))?;
                continue;
            }
        };
        if text.is_empty() {
            continue;
        }
        let place = || Place::Line(number, 1);
        match bundle::parse(text, &limits()) {
            Ok(objects) => objects
                .into_iter()
                .try_for_each(|object| tell(told(object, place)))?,
            Err(error) => {
                let mend = "write one object per line";
                tell(Told::Refused(Refused::new(
                    place(),
                    error.to_string(),
                    mend,
                )))?;
            }
        }
    }
    Ok(())
}

fn told(object: Result<Object, stix::ObjectError>, place: impl FnOnce() -> Place) -> Told {
    match object {
        Ok(object) => Told::Object(object),
        Err(error) => {
            // The path of the error says where in the document; the place says which document.
            let reason = format!("{}: {} ({})", error.path, error.fault, error.rule());
            Told::Refused(Refused {
                place: place(),
                reason,
                mend: error.mend().to_owned().into(),
            })
        }
    }
}

/// Objects of a document that is not held whole.
fn long(input: &mut dyn BufRead, tell: &mut Tell<'_>) -> Result<(), ReadError> {
    let left = Rc::new(Cell::new(limits().object_bytes_max));
    let reader = Metered {
        input,
        left: Rc::clone(&left),
    };
    let mut stopped = None;
    let mut json = serde_json::Deserializer::from_reader(reader);
    let document = Document {
        tell,
        left: &left,
        stopped: &mut stopped,
    };
    let read = json.deserialize_map(document);
    match (read, stopped) {
        (_, Some(error)) => Err(error),
        (Ok(true), None) => Ok(()),
        (Ok(false), None) => Err(ReadError::Form(
            "no \"objects\" in it; write a bundle or lines of objects".to_owned(),
        )),
        (Err(error), None) => Err(ReadError::Form(format!("not one JSON object: {error}"))),
    }
}

/// A reader that gives only so many bytes between two refills: an object that is too long ends the
/// reading instead of filling the memory.
struct Metered<'a> {
    input: &'a mut dyn BufRead,
    left: Rc<Cell<usize>>,
}

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.left.get());
        let Some(space) = buffer.get_mut(..most).filter(|space| !space.is_empty()) else {
            let max = limits().object_bytes_max;
            return Err(io::Error::other(format!(
                "more than {max} bytes in one piece"
            )));
        };
        let read = self.input.read(space)?;
        self.left.set(self.left.get().saturating_sub(read));
        Ok(read)
    }
}

fn refill(left: &Cell<usize>) {
    left.set(limits().object_bytes_max);
}

struct Document<'a, 'b> {
    tell: &'a mut Tell<'b>,
    left: &'a Cell<usize>,
    stopped: &'a mut Option<ReadError>,
}

impl<'de> Visitor<'de> for Document<'_, '_> {
    /// Whether there were objects.
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bundle or an envelope")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let Self {
            tell,
            left,
            stopped,
        } = self;
        let mut any = false;
        refill(left);
        while let Some(key) = map.next_key::<String>()? {
            refill(left);
            if key == "objects" {
                any = true;
                map.next_value_seed(Objects {
                    tell,
                    left,
                    stopped,
                })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
            refill(left);
        }
        Ok(any)
    }
}

struct Objects<'a, 'b> {
    tell: &'a mut Tell<'b>,
    left: &'a Cell<usize>,
    stopped: &'a mut Option<ReadError>,
}

impl<'de> DeserializeSeed<'de> for Objects<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Objects<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0_u64;
        refill(self.left);
        while let Some(raw) = list.next_element::<Box<RawValue>>()? {
            refill(self.left);
            let object = Object::parse(raw.get().as_bytes(), &limits());
            let piece = told(object, || Place::Item(format!("$.objects[{index}]").into()));
            if let Err(error) = (self.tell)(piece) {
                *self.stopped = Some(error);
                return Err(serde::de::Error::custom("stopped"));
            }
            index = index.saturating_add(1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::told;
    use super::*;

    const FILE: &str =
        r#"{"type":"file","id":"file--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","name":"x"}"#;
    const ID: &str = "object file--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f";

    #[test]
    fn bundles_envelopes_objects_and_lines_are_read() {
        let texts = [
            format!(
                "{{\"type\":\"bundle\",\"id\":\"bundle--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f\",\n\"objects\":[{FILE},\n{FILE}]}}"
            ),
            format!("{{\"objects\":[{FILE},{FILE}]}}"),
            format!("{FILE}\n\n{FILE}\n"),
            format!("{{\"objects\":[{FILE}]}}\n{FILE}"),
        ];
        for text in texts {
            assert_eq!(told(&Stix, &text), [ID, ID], "{text}");
        }
    }

    #[test]
    fn bad_objects_are_told_and_the_rest_goes_on() {
        let told_of = told(
            &Stix,
            &format!("{FILE}\n{{\"type\":\"file\"}}\n7\n{FILE}\n"),
        );
        assert_eq!((&*told_of[0], &*told_of[3]), (ID, ID));
        assert!(
            told_of[1].starts_with("refused line 2, column 1: $.id: "),
            "{}",
            told_of[1]
        );
        assert!(told_of[2].starts_with("refused line 3"), "{}", told_of[2]);
        let document = format!("{{\"objects\":[{FILE},{{\"type\":\"file\"}}]}}");
        assert!(told(&Stix, &document)[1].starts_with("refused $.objects[1]"));
        assert!(told(&Stix, "[]")[0].starts_with("error: "));
    }

    #[test]
    fn a_long_document_is_read_one_object_at_a_time() {
        let big = format!(
            "{{\"type\":\"file\",\"id\":\"file--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f\",\"name\":\"{}\"}}",
            "x".repeat(1000)
        );
        let count = WHOLE_BYTES_MAX / big.len() + 10;
        let text = format!(
            "{{\"type\":\"bundle\",\n\"objects\":[{}]}}",
            vec![big; count].join(",")
        );
        assert_eq!(told(&Stix, &text).len(), count);
        let long = format!(
            "{{\"type\":\"bundle\",\n\"objects\":[{FILE},\"{}\"]}}",
            "x".repeat(WHOLE_BYTES_MAX)
        );
        let told = told(&Stix, &long);
        assert_eq!(told[0], ID);
        assert!(
            told[1].contains("bytes in one piece"),
            "{}",
            told[1].chars().take(100).collect::<String>()
        );
    }
}
