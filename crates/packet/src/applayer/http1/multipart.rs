//! Uploads: the parts of a multipart/form-data body (RFC 7578).

use super::name::{disposition_name, parameter};

/// A multipart body as a stream.
#[derive(Debug)]
pub(super) struct Multipart {
    /// The boundary with the two dashes before it.
    boundary: Vec<u8>,
    state: State,
    /// What cannot be told yet: the head of a part, or what may be the front of a boundary.
    kept: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a boundary, in nothing of interest.
    Between,
    /// Behind a boundary, in the head of a part.
    Head,
    /// In a part with a file name.
    File,
    Over,
}

/// What comes out of a multipart body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// A file of that name begins.
    Begin(&'a [u8]),
    /// Its next bytes.
    Data(&'a [u8]),
    /// It is over.
    End,
    /// The head of a part is no head.
    Damage(&'static str),
}

impl Multipart {
    /// For a body of that content type, if it is multipart.
    pub(super) fn of(content_type: &[u8]) -> Option<Self> {
        let kind = content_type.get(..MULTIPART.len())?;
        if !kind.eq_ignore_ascii_case(MULTIPART) {
            return None;
        }
        let value = parameter(content_type, b"boundary")?;
        let len = value.len().min(BOUNDARY_BYTES_MAX);
        let boundary = [b"--", value.get(..len)?].concat();
        (boundary.len() > 2).then_some(Self {
            boundary,
            state: State::Between,
            kept: Vec::new(),
        })
    }

    pub(super) fn size(&self) -> usize {
        self.kept.len()
    }

    /// Takes the next bytes of the body.
    pub(super) fn push(&mut self, data: &[u8], each: &mut dyn FnMut(Part<'_>)) {
        let mut kept = std::mem::take(&mut self.kept);
        let all = if kept.is_empty() {
            data
        } else {
            kept.extend_from_slice(data);
            &kept
        };
        let mut at = 0_usize;
        while let Some(rest) = all.get(at..).filter(|rest| !rest.is_empty()) {
            let Some(used) = self.step(rest, each) else {
                self.kept = rest.to_vec();
                return;
            };
            at = at.saturating_add(used);
        }
    }

    /// The body is over: what was held back belongs to the file.
    pub(super) fn end(&mut self, each: &mut dyn FnMut(Part<'_>)) {
        if self.state == State::File {
            each(Part::Data(&self.kept));
            each(Part::End);
        }
        self.state = State::Over;
    }

    /// Takes some bytes; `None` when it needs more.
    fn step(&mut self, data: &[u8], each: &mut dyn FnMut(Part<'_>)) -> Option<usize> {
        match self.state {
            State::Over => Some(data.len()),
            State::Between | State::File => self.pass_to_boundary(data, each),
            State::Head => self.head(data, each),
        }
    }

    fn pass_to_boundary(&mut self, data: &[u8], each: &mut dyn FnMut(Part<'_>)) -> Option<usize> {
        let in_file = self.state == State::File;
        let found = memchr::memmem::find(data, &self.boundary);
        let end = found.unwrap_or(self.content_end(data));
        let before = data.get(..end).unwrap_or_default();
        if found.is_none() {
            if in_file && !before.is_empty() {
                each(Part::Data(before));
            }
            return (!before.is_empty()).then_some(end);
        }
        if in_file {
            let content = before.strip_suffix(b"\n").unwrap_or(before);
            let content = content.strip_suffix(b"\r").unwrap_or(content);
            each(Part::Data(content));
            each(Part::End);
        }
        self.state = State::Head;
        Some(end.saturating_add(self.boundary.len()))
    }

    /// Where the bytes end that cannot be part of a boundary that goes on behind them.
    fn content_end(&self, data: &[u8]) -> usize {
        let tail = self.boundary.len().saturating_add(1);
        let from = data.len().saturating_sub(tail);
        let begins = |at: &usize| {
            let rest = data.get(*at..).unwrap_or_default();
            rest.starts_with(b"\r") || rest.starts_with(b"\n") || self.boundary.starts_with(rest)
        };
        (from..data.len()).find(begins).unwrap_or(data.len())
    }

    fn head(&mut self, data: &[u8], each: &mut dyn FnMut(Part<'_>)) -> Option<usize> {
        if b"--".starts_with(data.get(..2.min(data.len()))?) {
            if data.len() < 2 {
                return None;
            }
            self.state = State::Over;
            return Some(data.len());
        }
        let Some(end) = super::lines::end_of_head(data, 0) else {
            if data.len() > HEAD_BYTES_MAX {
                each(Part::Damage("MULTIPART_INVALID_HEADER"));
                self.state = State::Between;
                return Some(data.len());
            }
            return None;
        };
        let head = data.get(..end).unwrap_or_default();
        match head_name(head) {
            Some(name) => {
                each(Part::Begin(name));
                self.state = State::File;
            }
            None => self.state = State::Between,
        }
        Some(end)
    }
}

fn head_name(head: &[u8]) -> Option<&[u8]> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let colon = memchr::memchr(b':', line)?;
        let (name, value) = line.split_at_checked(colon)?;
        if !name
            .trim_ascii()
            .eq_ignore_ascii_case(b"content-disposition")
        {
            return None;
        }
        disposition_name(value.get(1..)?)
    })
}

const MULTIPART: &[u8] = b"multipart/form-data";
const BOUNDARY_BYTES_MAX: usize = 200;
/// Longest head of a part.
const HEAD_BYTES_MAX: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"--B\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\ntext\r\n--B\r\n\
        Content-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n\
        one\r\n--not\r\n\r\n--B\r\nContent-Disposition: form-data; filename=b\r\n\r\ntwo\r\n--B--\r\n";

    fn files(step: usize) -> Vec<(Vec<u8>, Vec<u8>, bool)> {
        let mut multipart = Multipart::of(b"multipart/form-data; boundary=B").unwrap();
        let mut files: Vec<(Vec<u8>, Vec<u8>, bool)> = Vec::new();
        let mut each = |part: Part<'_>| match part {
            Part::Begin(name) => files.push((name.to_vec(), Vec::new(), false)),
            Part::Data(data) => files.last_mut().unwrap().1.extend_from_slice(data),
            Part::End => files.last_mut().unwrap().2 = true,
            Part::Damage(name) => panic!("{name}"),
        };
        for part in BODY.chunks(step) {
            multipart.push(part, &mut each);
        }
        multipart.end(&mut each);
        files
    }

    #[test]
    fn files_are_found_however_the_body_comes() {
        let expected = vec![
            (b"a.txt".to_vec(), b"one\r\n--not\r\n".to_vec(), true),
            (b"b".to_vec(), b"two".to_vec(), true),
        ];
        for step in [1, 2, 3, 5, 17, 64, 1000] {
            assert_eq!(files(step), expected, "in steps of {step}");
        }
    }
}
