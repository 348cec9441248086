//! What is asked of TCP and UDP headers.

use packet::decode::Transport;

use super::field::{compared, header, holds, single, tcp};
use super::ip::{Bits, buffer};
use super::{Arg, Keyword};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::scene::Buffer;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call("tcp.flags", FLAGS, FLAGS_SUMMARY, flags),
    Keyword::call("flags", FLAGS, FLAGS_SUMMARY, flags),
    Keyword::call("tcp.seq", "number", "The sequence number.", seq),
    Keyword::call("seq", "number", "The sequence number.", seq),
    Keyword::call("tcp.ack", "number", "The acknowledgement number.", ack),
    Keyword::call("ack", "number", "The acknowledgement number.", ack),
    Keyword::call("tcp.window", "[!]number", "The window, not scaled.", window),
    Keyword::call("window", "[!]number", "The window, not scaled.", window),
    Keyword::call(
        "tcp.mss",
        "number",
        "The maximum segment size, an option of SYNs.",
        |rule, arg| {
            compared(rule, arg, 0..=65_535, |decoded| {
                Some(tcp(decoded)?.options().mss?.into())
            })
        },
    ),
    Keyword::call(
        "tcp.wscale",
        "number",
        "The window scale, an option of SYNs.",
        |rule, arg| {
            compared(rule, arg, 0..=255, |decoded| {
                let wscale = tcp(decoded)?.options().wscale?;
                // other sensors take what is more for nothing
                Some(if wscale > WSCALE_MAX {
                    0
                } else {
                    wscale.into()
                })
            })
        },
    ),
    Keyword::call(
        "tcp.hdr",
        "",
        "The TCP header with its options.",
        |rule, arg| header(rule, arg, &TCP, Some(6)),
    ),
    Keyword::call("udp.hdr", "", "The UDP header.", |rule, arg| {
        header(rule, arg, &UDP, Some(17))
    }),
];

/// The most that a window is shifted (RFC 7323 section 2.3).
const WSCALE_MAX: u8 = 14;

const FLAGS: &str = "[+|*|!]FSRPAUCE[,ignored]";
const FLAGS_SUMMARY: &str =
    "The flags: exactly these, + these and others, * any of them, ! not these; 0 for none.";

fn seq(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    single::<u32>(rule, arg, false, |decoded| Some(tcp(decoded)?.seq.into()))
}

fn ack(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    single::<u32>(rule, arg, false, |decoded| Some(tcp(decoded)?.ack.into()))
}

fn window(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    single::<u16>(rule, arg, true, |decoded| Some(tcp(decoded)?.window.into()))
}

fn flags(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let (flags, ignored) = match value.text.split_once(',') {
        Some((flags, ignored)) => (flags.trim(), Some(ignored.trim())),
        None => (value.text, None),
    };
    let wrong = || {
        value
            .wrong(format!("{:?} are no flags of TCP", value.text))
            .mend("write letters of FSRPAUCE, or 0 for none, one of + * ! in front, and behind a comma those that do not count")
    };
    let (mut wanted, mut how, mut none) = (0, Bits::Exactly, false);
    for letter in flags.chars() {
        match flag(letter) {
            Some(flag) => wanted |= flag,
            None if letter == '0' => none = true,
            None => {
                how = Bits::of(letter)
                    .filter(|_| how == Bits::Exactly)
                    .ok_or_else(wrong)?;
            }
        }
    }
    let ignored = match ignored {
        None => 0,
        Some(letters) => letters
            .chars()
            .map(flag)
            .reduce(|bits, flag| Some(bits? | flag?))
            .flatten()
            .ok_or_else(wrong)?,
    };
    if !none && wanted == 0 {
        return Err(wrong());
    }
    let test = match none {
        true => Flags {
            how,
            wanted: 0,
            ignored: 0,
        },
        false => Flags {
            how,
            wanted,
            ignored,
        },
    };
    holds(rule, move |decoded| {
        tcp(decoded).is_some_and(|tcp| test.holds(tcp.flags.0))
    });
    Ok(())
}

/// How flags must be set.
#[derive(Debug, Clone, Copy)]
struct Flags {
    how: Bits,
    wanted: u8,
    ignored: u8,
}

impl Flags {
    /// Other sensors ask a rule that names flags which begin or end a connection, or are seldom
    /// used, only of packets that have one of that kind, whatever else the rule says.
    fn holds(self, flags: u8) -> bool {
        let is_asked = |kind: u8| self.wanted & kind == 0 || flags & kind != 0;
        let counted = flags & !self.ignored;
        match (self.wanted, self.how) {
            (0, Bits::Exactly | Bits::All) => flags == 0,
            (0, Bits::Not) => flags != 0,
            (wanted, how) => {
                is_asked(FIN_SYN_RST) && is_asked(URG_ECE_CWR) && how.hold(counted, wanted)
            }
        }
    }
}

const FIN_SYN_RST: u8 = 0x07;
const URG_ECE_CWR: u8 = 0xe0;

/// The bit of a flag (RFC 9293 section 3.1, RFC 3168); 1 and 2 are old names of CWR and ECE.
fn flag(letter: char) -> Option<u8> {
    Some(match letter {
        'F' => 0x01,
        'S' => 0x02,
        'R' => 0x04,
        'P' => 0x08,
        'A' => 0x10,
        'U' => 0x20,
        'E' | '2' => 0x40,
        'C' | '1' => 0x80,
        _ => return None,
    })
}

static TCP: Buffer = buffer("tcp.hdr", |scene, values| {
    let Some(decoded) = scene.packet.map(|packet| packet.decoded) else {
        return;
    };
    if let (Some(ip), Some(tcp)) = (decoded.ip, tcp(decoded)) {
        let len = tcp.options.len().saturating_add(20);
        values.maybe(ip.payload.get(..len));
    }
});

static UDP: Buffer = buffer("udp.hdr", |scene, values| {
    let Some(decoded) = scene.packet.map(|packet| packet.decoded) else {
        return;
    };
    if let (Some(ip), Transport::Udp(_)) = (decoded.ip, decoded.transport) {
        values.maybe(ip.payload.get(..8));
    }
});

#[cfg(test)]
mod tests {
    use super::*;

    fn matching(how: Bits, wanted: u8, ignored: u8) -> Vec<u8> {
        let test = Flags {
            how,
            wanted,
            ignored,
        };
        (0..=255).filter(|flags| test.holds(*flags)).collect()
    }

    #[test]
    fn flags_are_compared_as_other_sensors_do() {
        let (syn, ack, syn_ack, ecn) = (0x02, 0x10, 0x12, 0xc0);
        assert_eq!(matching(Bits::Exactly, syn, 0), [0x02]);
        assert_eq!(
            matching(Bits::Exactly, syn_ack, ecn),
            [0x12, 0x52, 0x92, 0xd2]
        );
        assert_eq!(matching(Bits::Exactly, syn, ack), [0x02, 0x12]);
        assert!(matching(Bits::Exactly, syn_ack, syn).is_empty());
        assert_eq!(matching(Bits::All, ack, 0).len(), 128);
        assert_eq!(matching(Bits::Any, syn_ack, 0).len(), 176);
        assert_eq!(matching(Bits::Not, syn, 0).len(), 96);
        assert_eq!(matching(Bits::Not, syn_ack, 0).len(), 160);
        assert_eq!(matching(Bits::Exactly, 0, 0), [0]);
        assert_eq!(matching(Bits::Not, 0, 0).len(), 255);
        assert!(matching(Bits::Any, 0, 0).is_empty());
    }
}
