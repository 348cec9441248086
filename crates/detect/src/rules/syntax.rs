//! The text of rules taken apart: header fields and options with their places.
//!
//! ```text
//! alert tcp $HOME_NET any -> any 80 (msg:"x"; content:"y"; sid:1;)
//! action proto source port -> destination port (option; option:value; ...)
//! ```

use std::borrow::Cow;
use std::ops::Range;

use super::diagnostic::Problem;

/// Longest rule taken, bytes.
pub const RULE_BYTES_MAX: usize = 64 << 10;
/// Most options of a rule.
pub const OPTIONS_MAX: usize = 1024;

/// A piece of a rule's text and where it stands, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece<'t> {
    pub(crate) text: &'t str,
    pub(crate) at: usize,
}

impl<'t> Piece<'t> {
    /// Its place.
    pub(crate) fn span(self) -> Range<usize> {
        self.at..self.at.saturating_add(self.text.len())
    }

    /// A part of it, which must have been sliced out of its text.
    pub(crate) fn part(self, text: &'t str) -> Self {
        let offset = (text.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        Self {
            text,
            at: self.at.saturating_add(offset),
        }
    }

    /// Without white space at its ends.
    pub(crate) fn trim(self) -> Self {
        self.part(self.text.trim())
    }

    /// Its parts between separators, trimmed.
    pub(crate) fn split(self, separator: char) -> impl Iterator<Item = Self> {
        self.text
            .split(separator)
            .map(move |part| self.part(part).trim())
    }

    /// A problem with it.
    pub(crate) fn wrong(self, message: impl Into<String>) -> Problem {
        Problem::wrong(self.span(), message)
    }

    /// It is not supported.
    pub(crate) fn unsupported(self, message: impl Into<String>) -> Problem {
        Problem::unsupported(self.span(), message)
    }
}

/// A rule's text by its parts.
#[derive(Debug)]
pub(crate) struct RuleText<'t> {
    pub(crate) action: Piece<'t>,
    pub(crate) protocol: Piece<'t>,
    pub(crate) src: Piece<'t>,
    pub(crate) src_ports: Piece<'t>,
    pub(crate) direction: Piece<'t>,
    pub(crate) dst: Piece<'t>,
    pub(crate) dst_ports: Piece<'t>,
    pub(crate) options: Vec<OptionText<'t>>,
}

/// One option.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OptionText<'t> {
    pub(crate) name: Piece<'t>,
    /// What stands behind the colon.
    pub(crate) value: Option<Piece<'t>>,
}

/// The rules of a file: where each begins, and its text with continued lines joined. Comments and
/// empty lines are left out.
pub(crate) fn rules(text: &str) -> impl Iterator<Item = (usize, Cow<'_, str>)> {
    let mut rest = 0_usize;
    std::iter::from_fn(move || {
        loop {
            let tail = text.get(rest..).filter(|tail| !tail.is_empty())?;
            let start = rest;
            let len = line_len(tail);
            rest = rest.saturating_add(len);
            let line = tail.get(..len).unwrap_or_default();
            let indent = line.len().saturating_sub(line.trim_start().len());
            let trimmed = line.trim();
            if !trimmed.is_empty() && !trimmed.starts_with('#') {
                return Some((start.saturating_add(indent), joined(trimmed)));
            }
        }
    })
}

/// Length of a line with its end, and with the lines that it is continued on.
fn line_len(text: &str) -> usize {
    let mut len = 0_usize;
    for line in text.split_inclusive('\n') {
        len = len.saturating_add(line.len());
        if !line.trim_end_matches(['\n', '\r']).ends_with('\\') {
            break;
        }
    }
    len
}

/// Continued lines as one: what joins them becomes spaces, so that places stay.
fn joined(rule: &str) -> Cow<'_, str> {
    if !rule.contains('\n') {
        return Cow::Borrowed(rule);
    }
    let joined = rule.replace("\\\r\n", "   ").replace("\\\n", "  ");
    Cow::Owned(joined.replace('\n', " "))
}

/// Takes a rule apart.
pub(crate) fn parse(text: &str) -> Result<RuleText<'_>, Problem> {
    if text.len() > RULE_BYTES_MAX {
        let message = format!("the rule is longer than {RULE_BYTES_MAX} bytes");
        return Err(Problem::wrong(0..0, message).mend("split it"));
    }
    let whole = Piece { text, at: 0 };
    let open = text.find('(').ok_or_else(|| {
        Problem::wrong(0..text.len(), "no options")
            .mend("write them in parentheses: (msg:\"...\"; sid:1;)")
    })?;
    let (header, body) = text.split_at(open);
    let mut fields = Fields {
        rest: whole.part(header),
    };
    let action = fields.next("action", "alert, drop, reject or pass")?;
    let protocol = fields.next("protocol", "tcp, udp, icmp, ip, http, dns, tls...")?;
    let src = fields.next("source", "any, an address or $HOME_NET")?;
    let src_ports = fields.next("source ports", "any, 80, [80,443] or $HTTP_PORTS")?;
    let direction = fields.next("direction", "->, <> or =>")?;
    let dst = fields.next("destination", "any, an address or $HOME_NET")?;
    let dst_ports = fields.next("destination ports", "any, 80, [80,443] or $HTTP_PORTS")?;
    let left = fields.rest.trim();
    if !left.text.is_empty() {
        return Err(left
            .wrong(format!("{:?} between header and options", left.text))
            .mend("a header is: action protocol source ports -> destination ports"));
    }
    let close = body.trim_end().strip_suffix(')').ok_or_else(|| {
        let end = text.trim_end().len();
        Problem::wrong(end.saturating_sub(1)..end, "the options do not end")
            .mend("end the rule with )")
    })?;
    let options = options(whole.part(close.get(1..).unwrap_or_default()))?;
    Ok(RuleText {
        action,
        protocol,
        src,
        src_ports,
        direction,
        dst,
        dst_ports,
        options,
    })
}

/// Fields of a header: separated by white space, lists in brackets may hold some.
struct Fields<'t> {
    rest: Piece<'t>,
}

impl<'t> Fields<'t> {
    fn next(&mut self, what: &str, such: &str) -> Result<Piece<'t>, Problem> {
        let rest = self.rest.part(self.rest.text.trim_start());
        let mut depth = 0_u32;
        let end = rest.text.find(|letter: char| {
            match letter {
                '[' => depth = depth.saturating_add(1),
                ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && letter.is_ascii_whitespace()
        });
        let (field, behind) = rest.text.split_at(end.unwrap_or(rest.text.len()));
        let field = rest.part(field);
        self.rest = rest.part(behind);
        if field.text.is_empty() {
            return Err(field
                .wrong(format!("no {what}"))
                .mend(format!("write {such}")));
        }
        if depth > 0 {
            return Err(field
                .wrong(format!("a group of the {what} does not end"))
                .mend("end it with ]"));
        }
        Ok(field)
    }
}

/// Options: each ends with a semicolon; `\;` is part of a value.
fn options(body: Piece<'_>) -> Result<Vec<OptionText<'_>>, Problem> {
    let mut options = Vec::new();
    let mut rest = body;
    loop {
        rest = rest.part(rest.text.trim_start());
        if rest.text.is_empty() {
            return Ok(options);
        }
        let end = semicolon(rest.text).ok_or_else(|| {
            let last = rest.text.trim_end();
            let shown: String = last.chars().take(40).collect();
            rest.part(last)
                .wrong(format!("option {shown:?} does not end"))
                .mend("end each option with ;")
        })?;
        let (option, behind) = rest.text.split_at(end);
        let (option, behind) = (
            rest.part(option).trim(),
            behind.get(1..).unwrap_or_default(),
        );
        rest = rest.part(behind);
        if option.text.is_empty() {
            continue;
        }
        if options.len() >= OPTIONS_MAX {
            return Err(option
                .wrong(format!("more than {OPTIONS_MAX} options"))
                .mend("split the rule"));
        }
        options.push(match option.text.split_once(':') {
            Some((name, value)) => OptionText {
                name: option.part(name).trim(),
                value: Some(option.part(value).trim()),
            },
            None => OptionText {
                name: option,
                value: None,
            },
        });
    }
}

/// Where the first semicolon stands that no backslash is before.
fn semicolon(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let is_end = byte == b';' && !escaped;
        escaped = byte == b'\\' && !escaped;
        is_end
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_taken_apart() {
        let text = r#"alert tcp [10.0.0.0/8, 1.1.1.1] any -> $HOME_NET [80,443] (msg:"a \; b"; nocase ; sid : 7;)"#;
        let rule = parse(text).unwrap();
        assert_eq!(rule.src.text, "[10.0.0.0/8, 1.1.1.1]");
        assert_eq!(rule.dst_ports.text, "[80,443]");
        let options: Vec<_> = rule
            .options
            .iter()
            .map(|o| (o.name.text, o.value.map(|v| v.text)))
            .collect();
        assert_eq!(
            options,
            [
                ("msg", Some(r#""a \; b""#)),
                ("nocase", None),
                ("sid", Some("7"))
            ]
        );
        let sid = rule.options.last().unwrap().value.unwrap();
        assert_eq!(text.get(sid.span()), Some("7"));
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, message) in [
            ("alert tcp any any -> any any", "no options"),
            ("alert tcp any -> any any (sid:1;)", "no destination ports"),
            (
                "alert tcp any any -> any any (sid:1;",
                "the options do not end",
            ),
            (
                "alert tcp any any -> any any (sid:1)",
                "option \"sid:1\" does not end",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().message, message, "{text}");
        }
    }

    #[test]
    fn comments_are_left_out_and_lines_joined() {
        let text = "# x\n\n  alert a \\\n  b (c;)\n#y\nalert d (e;)";
        let rules: Vec<_> = rules(text).collect();
        assert_eq!(rules.len(), 2);
        let (start, joined) = &rules[0];
        assert_eq!(
            (text.as_bytes()[*start], joined.len()),
            (b'a', "alert a \\\n  b (c;)".len())
        );
        assert_eq!(rules[1].1, "alert d (e;)");
    }
}
