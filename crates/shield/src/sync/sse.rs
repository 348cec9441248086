//! Server-Sent Events (WHATWG HTML, section 9.2.6), as bytes arrive: sans-IO and bounded.

/// Largest event, in bytes of its data: a signed frame and its field name.
pub const EVENT_BYTES_MAX: usize = taxii::push::FRAME_BYTES_MAX;
/// Longest `event` or `id` field that is kept, in bytes.
pub const FIELD_BYTES_MAX: usize = 4_096;

/// One event of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its name; empty: the default, `message`.
    pub name: String,
    /// Its data, lines joined by line feeds.
    pub data: Vec<u8>,
    /// The last identifier that the stream gave, in this event or before it.
    pub id: Option<String>,
}

/// Why a stream cannot be followed further: the sender's fault. The connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// An event is larger than any frame.
    #[error("an event is larger than {EVENT_BYTES_MAX} bytes")]
    EventTooLarge,
    /// A name or an identifier is too long.
    #[error("an event's name or identifier is longer than {FIELD_BYTES_MAX} bytes")]
    FieldTooLong,
    /// A name or an identifier is not UTF-8.
    #[error("an event's name or identifier is not UTF-8")]
    NotText,
}

/// Collects bytes into events.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    event: Event,
    has_data: bool,
    after_cr: bool,
    started: bool,
}

impl Parser {
    /// A parser at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes and gives each event that they complete to `each`.
    ///
    /// # Errors
    /// A bound is exceeded; the stream is of no use from here.
    pub fn push(&mut self, mut bytes: &[u8], each: &mut dyn FnMut(Event)) -> Result<(), SseError> {
        while let Some(at) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (head, rest) = bytes.split_at(at);
            let (end, rest) = rest.split_first().unwrap_or((&b'\n', &[]));
            bytes = rest;
            let second_half = std::mem::replace(&mut self.after_cr, *end == b'\r')
                && *end == b'\n'
                && head.is_empty();
            if !second_half {
                self.extend(head)?;
                self.end_line(each)?;
            }
        }
        if !bytes.is_empty() {
            self.after_cr = false;
        }
        self.extend(bytes)
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), SseError> {
        let len = self.line.len().saturating_add(bytes.len());
        if len.saturating_add(self.event.data.len()) > EVENT_BYTES_MAX.saturating_add(LINE_EXTRA) {
            return Err(SseError::EventTooLarge);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self, each: &mut dyn FnMut(Event)) -> Result<(), SseError> {
        let line = std::mem::take(&mut self.line);
        let result = self.take_line(&line, each);
        self.line = line;
        self.line.clear();
        if self.line.capacity() > LINE_KEPT_MAX {
            self.line = Vec::new();
        }
        result
    }

    fn take_line(&mut self, line: &[u8], each: &mut dyn FnMut(Event)) -> Result<(), SseError> {
        let first = !std::mem::replace(&mut self.started, true);
        let line = if first {
            line.strip_prefix(BOM).unwrap_or(line)
        } else {
            line
        };
        if line.is_empty() {
            self.dispatch(each);
            return Ok(());
        }
        let colon = line
            .iter()
            .position(|byte| *byte == b':')
            .unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        self.field(name, value.strip_prefix(b" ").unwrap_or(value))
    }

    fn field(&mut self, name: &[u8], value: &[u8]) -> Result<(), SseError> {
        match name {
            b"data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push(b'\n');
                }
                self.event.data.extend_from_slice(value);
            }
            b"event" => self.event.name = text(value)?,
            b"id" if !value.contains(&0) => self.event.id = Some(text(value)?),
            // Comments have no name; `retry` is ours to decide; others are to be ignored.
            _ => {}
        }
        Ok(())
    }

    /// An event without data is dropped, and its name with it.
    fn dispatch(&mut self, each: &mut dyn FnMut(Event)) {
        let name = std::mem::take(&mut self.event.name);
        let data = std::mem::take(&mut self.event.data);
        if std::mem::replace(&mut self.has_data, false) {
            each(Event {
                name,
                data,
                id: self.event.id.clone(),
            });
        }
    }
}

fn text(value: &[u8]) -> Result<String, SseError> {
    if value.len() > FIELD_BYTES_MAX {
        return Err(SseError::FieldTooLong);
    }
    String::from_utf8(value.to_vec()).map_err(|_| SseError::NotText)
}

const BOM: &[u8] = b"\xef\xbb\xbf";
/// Room on a line besides the data: `data: `.
const LINE_EXTRA: usize = 16;
/// A line buffer larger than this is given back after its line.
const LINE_KEPT_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(chunks: &[&[u8]]) -> Result<Vec<Event>, SseError> {
        let mut parser = Parser::new();
        let mut events = Vec::new();
        for chunk in chunks {
            parser.push(chunk, &mut |event| events.push(event))?;
        }
        Ok(events)
    }

    fn event(name: &str, data: &str, id: Option<&str>) -> Event {
        Event {
            name: name.into(),
            data: data.into(),
            id: id.map(Into::into),
        }
    }

    const STREAM: &[u8] = b"\xef\xbb\xbf: hello\r\n\r\nevent: frame\nid: c1\ndata: {\"a\":1}\n\n\
        data:x\ndata\ndata:  y\n\nevent: lost\n\nid\rdata: z\r\r:\n\ndata: p\rdata: q\n\nretry: 5\nodd: 1\ndata: tail\n\ndata: never ends";

    #[test]
    fn the_standards_cases() {
        let expected = vec![
            event("frame", "{\"a\":1}", Some("c1")),
            event("", "x\n\n y", Some("c1")),
            event("", "z", Some("")),
            event("", "p\nq", Some("")),
            event("", "tail", Some("")),
        ];
        assert_eq!(read(&[STREAM]).unwrap(), expected);
    }

    #[test]
    fn chopped_anywhere_it_reads_the_same() {
        let whole = read(&[STREAM]).unwrap();
        for at in 0..STREAM.len() {
            let (head, tail) = STREAM.split_at(at);
            assert_eq!(read(&[head, tail]).unwrap(), whole, "cut at {at}");
        }
        let bytes: Vec<&[u8]> = STREAM.chunks(1).collect();
        assert_eq!(read(&bytes).unwrap(), whole);
    }

    #[test]
    fn bounds_are_kept() {
        let endless = vec![b'x'; EVENT_BYTES_MAX + 17];
        assert_eq!(read(&[&endless]), Err(SseError::EventTooLarge));
        let half = vec![b'x'; EVENT_BYTES_MAX / 2];
        let parts: [&[u8]; 7] = [
            b"data:", &half, b"\ndata:", &half, b"\ndata:", &half, b"\n\n",
        ];
        assert_eq!(read(&parts), Err(SseError::EventTooLarge));
        let name = vec![b'n'; FIELD_BYTES_MAX + 1];
        assert_eq!(
            read(&[b"event:", &name, b"\n"]),
            Err(SseError::FieldTooLong)
        );
        assert_eq!(read(&[b"id: \xff\n"]), Err(SseError::NotText));
    }

    proptest! {
        #[test]
        fn any_bytes_cut_anywhere(bytes in prop::collection::vec(
            prop::sample::select(b"data:evntid \r\n\0\xef\xbb\xbf1".to_vec()), 0..200), cut in 0..200_usize) {
            let cut = cut.min(bytes.len());
            let (head, tail) = bytes.split_at(cut);
            prop_assert_eq!(read(&[head, tail]), read(&[&bytes]));
        }
    }
}
