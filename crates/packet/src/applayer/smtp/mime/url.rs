//! URLs in the texts of a mail.

/// Looks for URLs in a text that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    text: Vec<u8>,
}

impl Scanner {
    /// Takes the next piece of text and calls `found` for each URL in what is complete by now:
    /// lines, or, where lines mean nothing (Base64), what is in front of the last delimiter.
    pub(super) fn text(
        &mut self,
        piece: &[u8],
        by_lines: bool,
        schemes: &[Vec<u8>],
        found: &mut dyn FnMut(&[u8], usize),
    ) {
        if schemes.is_empty() {
            return;
        }
        let is_end = |byte: &u8| {
            if by_lines {
                *byte == b'\n'
            } else {
                is_delimiter(*byte)
            }
        };
        for part in piece.split_inclusive(is_end) {
            let room = TEXT_BYTES_MAX.saturating_sub(self.text.len());
            self.text.extend(part.iter().take(room));
            if part.last().is_some_and(is_end) {
                self.finish(schemes, found);
            }
        }
    }

    /// The text is over.
    pub(super) fn finish(&mut self, schemes: &[Vec<u8>], found: &mut dyn FnMut(&[u8], usize)) {
        let text = std::mem::take(&mut self.text);
        for scheme in schemes {
            let mut rest = text.as_slice();
            while let Some(at) = find(rest, scheme) {
                let url = rest.get(at..).unwrap_or_default();
                let behind = url.get(scheme.len()..).unwrap_or_default();
                let end = behind.iter().position(|byte| is_delimiter(*byte));
                let len = scheme.len().saturating_add(end.unwrap_or(behind.len()));
                found(url.get(..len).unwrap_or(url), scheme.len());
                rest = behind;
            }
        }
        self.text = text;
        self.text.clear();
    }

    /// Bytes kept.
    pub(super) fn buffered(&self) -> usize {
        self.text.len()
    }
}

/// Where `scheme`, lower case and with `://`, stands in a text, in any case.
fn find(text: &[u8], scheme: &[u8]) -> Option<usize> {
    let name = scheme.strip_suffix(SEPARATOR).unwrap_or(scheme);
    let mut found = memchr::memmem::find_iter(text, SEPARATOR);
    found.find_map(|at| {
        let start = at.checked_sub(name.len())?;
        let is_it = text.get(start..at)?.eq_ignore_ascii_case(name);
        is_it.then_some(start)
    })
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'<' | b'>' | b']' | 0)
}

/// What stands behind the name of a scheme.
const SEPARATOR: &[u8] = b"://";
/// Most text that is looked at at once.
const TEXT_BYTES_MAX: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(pieces: &[&str], by_lines: bool, schemes: &[&str]) -> Vec<String> {
        let schemes: Vec<_> = schemes
            .iter()
            .map(|scheme| scheme.as_bytes().to_vec())
            .collect();
        let mut scanner = Scanner::default();
        let mut found = Vec::new();
        let mut add = |url: &[u8], _: usize| found.push(String::from_utf8_lossy(url).into_owned());
        for piece in pieces {
            scanner.text(piece.as_bytes(), by_lines, &schemes, &mut add);
        }
        scanner.finish(&schemes, &mut add);
        found
    }

    #[test]
    fn urls_end_at_delimiters() {
        let found = urls(
            &["a HTTP://A.b/c x <a href=\"http://d\">http:// http://[::1]/\r\n"],
            true,
            &["http://"],
        );
        assert_eq!(
            found,
            ["HTTP://A.b/c", "http://d", "http://", "http://[::1"]
        );
        assert_eq!(
            urls(&["http://a\r\nhttp://b"], true, &["http://"]),
            ["http://a\r\n", "http://b"]
        );
        assert_eq!(
            urls(&["ht", "tp://a", "b c"], false, &["http://"]),
            ["http://ab"]
        );
    }

    #[test]
    fn schemes_come_in_their_order() {
        let found = urls(
            &["ftp://1 http://2 ftp://3\nftp://4"],
            true,
            &["http://", "ftp://"],
        );
        assert_eq!(found, ["http://2", "ftp://1", "ftp://3\n", "ftp://4"]);
        assert!(urls(&["http://a"], true, &[]).is_empty());
    }
}
