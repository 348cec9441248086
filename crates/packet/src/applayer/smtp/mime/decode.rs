//! Content-Transfer-Encodings (RFC 2045 section 6), decoded piece by piece.

/// How a part is encoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Not at all: 7bit, 8bit, binary, and what is not known.
    #[default]
    Plain,
    Base64,
    QuotedPrintable,
}

impl Encoding {
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"base64" => Some(Self::Base64),
            b"quoted-printable" => Some(Self::QuotedPrintable),
            _ => None,
        }
    }
}

/// Decodes one part.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    encoding: Encoding,
    /// The CRLF of the line before, which belongs to a boundary if one follows; quoted-printable:
    /// of an empty line, as Suricata has it. Base64: the first `=` of a padding was read.
    held: bool,
    /// Base64: bits that do not make bytes yet, and how many digits they came in.
    bits: u32,
    digits: u8,
    /// Quoted-printable: a `=` at the end of a piece, with what follows it.
    escape: Vec<u8>,
}

impl Decoder {
    pub(super) fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            ..Self::default()
        }
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Takes a line or a piece of one, and its end if it is there; adds what it says to `out`.
    /// False when something in it is wrong.
    pub(super) fn line(&mut self, text: &[u8], end: &[u8], out: &mut Vec<u8>) -> bool {
        match self.encoding {
            Encoding::Plain => {
                self.release(out);
                out.extend_from_slice(text);
                self.held = end == b"\r\n";
                if !self.held {
                    out.extend_from_slice(end);
                }
                true
            }
            Encoding::Base64 => {
                let mut sound = true;
                for byte in text {
                    sound &= self.digit(*byte, out);
                }
                sound
            }
            Encoding::QuotedPrintable => self.quoted(text, end, out),
        }
    }

    /// The part is over: adds what is left. What a boundary follows gives up its line end.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        // lenient decoders take a last group without its padding
        if self.encoding == Encoding::Base64 {
            self.flush_group(out);
        }
        self.held = false;
    }

    fn release(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.held) {
            out.extend_from_slice(b"\r\n");
        }
    }

    /// A digit of Base64; anything else is passed over. False for padding without digits.
    fn digit(&mut self, byte: u8, out: &mut Vec<u8>) -> bool {
        let value = match byte {
            b'A'..=b'Z' => byte.wrapping_sub(b'A'),
            b'a'..=b'z' => byte.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => byte.wrapping_sub(b'0').wrapping_add(52),
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                let sound = self.digits > 0 || self.held;
                // the second `=` of a padding follows a group that is already over
                self.held = self.digits == 2;
                self.flush_group(out);
                return sound;
            }
            _ => return true,
        };
        self.held = false;
        self.bits = (self.bits << 6) | u32::from(value);
        self.digits = self.digits.saturating_add(1);
        if self.digits == 4 {
            self.flush_group(out);
        }
        true
    }

    /// Puts out the whole bytes of a group of two to four digits.
    fn flush_group(&mut self, out: &mut Vec<u8>) {
        let (bits, digits) = (
            std::mem::take(&mut self.bits),
            std::mem::take(&mut self.digits),
        );
        let [_, a, b, c] = match digits {
            2 => (bits << 12).to_be_bytes(),
            3 => (bits << 6).to_be_bytes(),
            4 => bits.to_be_bytes(),
            _ => return,
        };
        let bytes = [a, b, c];
        let whole = usize::from(digits).saturating_sub(1);
        out.extend_from_slice(bytes.get(..whole).unwrap_or(&bytes));
    }

    fn quoted(&mut self, text: &[u8], end: &[u8], out: &mut Vec<u8>) -> bool {
        let mut sound = true;
        self.release(out);
        if text.is_empty() && self.escape.is_empty() {
            self.held = !end.is_empty();
            return sound;
        }
        for byte in text {
            if self.escape.is_empty() && *byte != b'=' {
                out.push(*byte);
                continue;
            }
            self.escape.push(*byte);
            // blanks behind a soft line break get lost or added on the way
            let is_break = self
                .escape
                .iter()
                .skip(1)
                .all(|byte| matches!(byte, b' ' | b'\t'));
            if is_break && self.escape.len() < ESCAPE_BYTES_MAX {
                continue;
            }
            if let [_, digits @ ..] = self.escape.as_slice()
                && digits.len() >= 2
            {
                match hex(digits) {
                    Some(coded) => out.push(coded),
                    None => sound = false,
                }
                sound &= !digits.iter().any(u8::is_ascii_lowercase);
                self.escape.clear();
            }
        }
        if end.is_empty() {
            return sound;
        }
        let escape = std::mem::take(&mut self.escape);
        let is_break = escape
            .iter()
            .skip(1)
            .all(|byte| matches!(byte, b' ' | b'\t'));
        if escape.is_empty() || !is_break {
            out.extend_from_slice(end);
        }
        sound && is_break
    }
}

/// The byte of two hexadecimal digits.
pub(super) fn hex(digits: &[u8]) -> Option<u8> {
    let [high, low] = digits else { return None };
    let high = char::from(*high).to_digit(16)?;
    let low = char::from(*low).to_digit(16)?;
    u8::try_from((high << 4) | low).ok()
}

/// Most bytes kept behind a `=`: the blanks of a soft line break.
const ESCAPE_BYTES_MAX: usize = 76;

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(encoding: Encoding, lines: &[&str]) -> (String, bool) {
        let mut decoder = Decoder::new(encoding);
        let (mut out, mut sound) = (Vec::new(), true);
        for line in lines {
            let (text, end) = crate::applayer::lines::split_end(line.as_bytes());
            sound &= decoder.line(text, end, &mut out);
        }
        decoder.finish(&mut out);
        (String::from_utf8_lossy(&out).into_owned(), sound)
    }

    #[test]
    fn base64_is_read_through_junk() {
        let read = |lines: &[&str]| decode(Encoding::Base64, lines);
        for lines in [
            &["aGVsbG8="][..],
            &["aGVsbG8"],
            &["aGVs\r\n", "b\r\n", "G8=\r\n"],
            &["a G\tV-s_b.G8="],
            &["a!G@V#s$b%G^8&="],
        ] {
            assert_eq!(read(lines), ("hello".to_owned(), true), "{lines:?}");
        }
        assert_eq!(read(&["aGVsbG8=aGVsbG8="]).0, "hellohello");
        assert_eq!(read(&["aA==\r\n"]), ("h".to_owned(), true));
        assert_eq!(read(&["a"]).0, "");
        assert!(!read(&["===="]).1);
    }

    #[test]
    fn quoted_printable_is_read_as_lenient_readers_do() {
        let read = |lines: &[&str]| decode(Encoding::QuotedPrintable, lines);
        for (lines, text, sound) in [
            (&["a=3Db=\r\n", "c\r\n"][..], "a=bc\r\n", true),
            (&["x=ZZy\r\n"], "xy\r\n", false),
            (&["x=4\r\n"], "x\r\n", false),
            (&["=4a=4B\r\n"], "JK\r\n", false),
            (&["abc  \r\n", "d\n"], "abc  \r\nd\n", true),
            (&["abc= \t\r\n", "d"], "abcd", true),
            (&["a=", "3", "Db"], "a=b", true),
            (&["a\r\n", "\r\n"], "a\r\n", true),
            (&["a\r\n", "\r\n", "b"], "a\r\n\r\nb", true),
        ] {
            assert_eq!(read(lines), (text.to_owned(), sound), "{lines:?}");
        }
    }

    #[test]
    fn the_line_end_in_front_of_a_boundary_is_no_content() {
        let read = |lines: &[&str]| decode(Encoding::Plain, lines).0;
        assert_eq!(read(&["a\r\n", "\r\n"]), "a\r\n");
        assert_eq!(read(&["a\r\n"]), "a");
        assert_eq!(read(&["a\n", "b", "c\r\n"]), "a\nbc");
    }
}
