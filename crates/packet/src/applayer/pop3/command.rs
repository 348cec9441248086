//! Which commands there are, and what their responses look like.

use super::transaction::Request;

/// What is known of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    name: &'static str,
    args: (usize, usize),
    /// Its response has several lines, where it has as few arguments as this at most.
    lines_up_to: Option<usize>,
}

const fn known(name: &'static str, args: (usize, usize), lines_up_to: Option<usize>) -> Known {
    Known {
        name,
        args,
        lines_up_to,
    }
}

const KNOWN: [Known; 15] = [
    known("USER", (1, 1), None),
    known("PASS", (1, 1), None),
    known("STAT", (0, 0), None),
    known("LIST", (0, 1), Some(0)),
    known("RETR", (1, 1), Some(1)),
    known("DELE", (1, 1), None),
    known("NOOP", (0, 0), None),
    known("RSET", (0, 0), None),
    known("QUIT", (0, 0), None),
    known("TOP", (2, 2), Some(2)),
    known("UIDL", (0, 1), Some(0)),
    known("APOP", (2, 2), None),
    known("CAPA", (0, 0), Some(0)),
    known("STLS", (0, 0), None),
    known("AUTH", (1, 2), Some(0)),
];

impl Request {
    /// Reads a line without its end.
    pub(super) fn parse(line: &[u8]) -> Self {
        let mut words = line
            .split(|byte| matches!(byte, b' ' | b'\t'))
            .filter(|word| !word.is_empty())
            .map(<[u8]>::to_vec);
        Self {
            command: words.next().unwrap_or_default(),
            args: words.take(ARGS_MAX).collect(),
        }
    }

    /// Whether bytes can begin a command, as far as they go.
    pub(super) fn is_begun(data: &[u8]) -> bool {
        let word = data.split(|byte| byte.is_ascii_whitespace()).next();
        let word = word.unwrap_or_default();
        let is_whole = word.len() < data.len();
        KNOWN.iter().any(|known| {
            let begin = known.name.as_bytes().get(..word.len());
            begin.is_some_and(|begin| begin.eq_ignore_ascii_case(word))
                && (!is_whole || word.len() == known.name.len())
        })
    }

    /// A line of an authentication.
    pub(super) fn sasl() -> Self {
        Self {
            command: b"<SASL DATA>".to_vec(),
            args: Vec::new(),
        }
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.command.eq_ignore_ascii_case(name.as_bytes())
    }

    fn known(&self) -> Option<&'static Known> {
        KNOWN.iter().find(|known| self.is(known.name))
    }

    /// What is wrong with it, by the name of the anomaly.
    pub(super) fn trouble(&self) -> Option<&'static str> {
        let Some(known) = self.known() else {
            return Some("unknown_command");
        };
        // RFC 1939 section 3 knows keywords in any case; Suricata does not
        if self.command != known.name.as_bytes() {
            return Some("unknown_command");
        }
        let (min, max) = known.args;
        let fits = (min..=max).contains(&self.args.len());
        (!fits).then_some("incorrect_argument_count")
    }

    /// Whether a positive response goes on up to a line with a dot.
    pub(super) fn has_lines(&self) -> bool {
        let up_to = self.known().and_then(|known| known.lines_up_to);
        up_to.is_some_and(|up_to| self.args.len() <= up_to)
    }

    /// Bytes kept.
    pub(super) fn len(&self) -> usize {
        let args = self.args.iter().map(Vec::len).sum::<usize>();
        args.saturating_add(self.command.len())
    }
}

/// Most words kept behind a command.
const ARGS_MAX: usize = 64;
