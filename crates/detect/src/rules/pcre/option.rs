//! The option around the pattern: `/PATTERN/FLAGS, names of captures`.

use super::{Capture, Error, Of, parse::Options};

/// What the flags behind the pattern say besides how to read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `R`: behind the last match.
    pub relative: bool,
    /// The sticky buffer that a flag names (`U` is `http.uri`).
    pub buffer: Option<&'static str>,
    /// `B`: raw bytes. Accepted for old rules; it changes nothing.
    pub raw_bytes: bool,
    /// Variables that captures go to, as written (`flow:name`, `pkt:name`, `alert:name`).
    pub captures: Vec<String>,
}

/// Flags that name a buffer.
const BUFFERS: [(u8, &str); 13] = [
    (b'U', "http.uri"),
    (b'I', "http.uri.raw"),
    (b'P', "http.request_body"),
    (b'Q', "http.response_body"),
    (b'H', "http.header"),
    (b'D', "http.header.raw"),
    (b'M', "http.method"),
    (b'C', "http.cookie"),
    (b'S', "http.stat_code"),
    (b'Y', "http.stat_msg"),
    (b'V', "http.user_agent"),
    (b'W', "http.host"),
    (b'Z', "http.host.raw"),
];

pub(super) struct PcreOption<'a> {
    pub(super) pattern: &'a [u8],
    /// Offset of the pattern in the text.
    pub(super) at: usize,
    pub(super) options: Options,
    /// `A`: a match starts where the search does.
    pub(super) anchored: bool,
    pub(super) flags: Flags,
}

/// Takes the option apart. As in Suricata, the last `/` ends the pattern.
pub(super) fn split(text: &str) -> Result<PcreOption<'_>, Error> {
    let bytes = text.as_bytes();
    let at = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .count();
    let end = bytes.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    if bytes.get(at) != Some(&b'/') || end <= at {
        return Err(Error::new(
            at,
            "the pattern does not stand between two slashes".to_owned(),
            "write /PATTERN/FLAGS",
        ));
    }
    let at = at.saturating_add(1);
    let mut option = PcreOption {
        pattern: bytes.get(at..end).unwrap_or_default(),
        at,
        options: Options::default(),
        anchored: false,
        flags: Flags::default(),
    };
    let flags_at = end.saturating_add(1);
    let behind = bytes.get(flags_at..).unwrap_or_default();
    let length = behind.iter().take_while(|byte| **byte != b',').count();
    for (index, flag) in behind.iter().take(length).enumerate() {
        option.flag(*flag, flags_at.saturating_add(index))?;
    }
    if behind.len() > length {
        let names_at = flags_at.saturating_add(length).saturating_add(1);
        option.flags.captures = captures(text.get(names_at..).unwrap_or_default(), names_at)?;
    }
    option.refuse_upper_case_host()?;
    Ok(option)
}

impl PcreOption<'_> {
    fn flag(&mut self, flag: u8, at: usize) -> Result<(), Error> {
        match flag {
            b'i' => self.options.caseless = true,
            b's' => self.options.dotall = true,
            b'm' => self.options.multiline = true,
            b'x' => self.options.extended = true,
            b'G' => self.options.ungreedy = true,
            b'E' => self.options.dollar_endonly = true,
            b'A' => self.anchored = true,
            b'R' => self.flags.relative = true,
            b'B' => self.flags.raw_bytes = true,
            // It lifts Suricata's bound on matching; ours is the caller's.
            b'O' => {}
            _ => {
                let known = BUFFERS.iter().find(|(name, _)| *name == flag);
                let Some((_, buffer)) = known else {
                    return Err(Error::new(
                        at,
                        format!("unknown flag {:?}", char::from(flag)),
                        "flags are ismxAEGRBO and one of UIPQHDMCSYVWZ",
                    ));
                };
                if self.flags.buffer.replace(buffer).is_some() {
                    return Err(Error::new(
                        at,
                        "a second flag names a buffer".to_owned(),
                        "use one of them",
                    ));
                }
            }
        }
        Ok(())
    }

    /// `http.host` is in lower case, so that a capital letter would never match; Suricata refuses
    /// such a rule too.
    fn refuse_upper_case_host(&self) -> Result<(), Error> {
        if self.flags.buffer != Some("http.host") || self.options.caseless {
            return Ok(());
        }
        let mut escaped = false;
        for (index, byte) in self.pattern.iter().enumerate() {
            if byte.is_ascii_uppercase() && !escaped {
                return Err(Error::new(
                    self.at.saturating_add(index),
                    "a capital letter never matches in http.host".to_owned(),
                    "write small letters, or use the flag Z",
                ));
            }
            // The digits of `\x4A` are no letters either.
            escaped = match (*byte, escaped) {
                (b'\\', false) => true,
                (byte, true) => byte == b'x' || byte.is_ascii_hexdigit(),
                _ => false,
            };
        }
        Ok(())
    }
}

/// Where groups go: as listed, group by group, or as their names say.
pub(super) fn captures_of(
    names: &[(String, u32)],
    listed: &[String],
    groups: u32,
) -> Result<Vec<Capture>, Error> {
    let capture = |text: &str, group: u32, between: char| {
        let (of, name) = text.split_once(between)?;
        let of = match of {
            "flow" => Of::Flow,
            "pkt" => Of::Packet,
            "alert" => Of::Alert,
            _ => return None,
        };
        let name = name.to_owned();
        Some(Capture { group, of, name }).filter(|capture| !capture.name.is_empty())
    };
    if listed.is_empty() {
        let names = names.iter();
        let captures = names.filter_map(|(name, group)| capture(name, *group, '_'));
        return Ok(captures.collect());
    }
    let numbered = (1..).zip(listed);
    let captures = numbered.filter_map(|(group, text)| capture(text, group, ':'));
    let captures: Vec<_> = captures.collect();
    if groups == 0 {
        return Ok(Vec::new());
    }
    match captures.iter().any(|capture| capture.group > groups) {
        true => Err(Error::new(
            0,
            "the expression has fewer groups than variables are named".to_owned(),
            "name a variable for each group",
        )),
        false => Ok(captures),
    }
}

/// `flow:name, pkt:name`: where the captures go.
fn captures(text: &str, at: usize) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for name in text.split(',') {
        let name = name.trim();
        let known = ["flow:", "pkt:", "alert:"];
        let variable = known.iter().find_map(|kind| name.strip_prefix(kind));
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if !variable.is_some_and(|name| !name.is_empty() && name.bytes().all(is_name)) {
            return Err(Error::new(
                at,
                format!("{name:?} names no variable for a capture"),
                "write flow:NAME, pkt:NAME or alert:NAME",
            ));
        }
        found.push(name.to_owned());
    }
    Ok(found)
}
