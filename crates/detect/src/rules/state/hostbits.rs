//! `xbits` and `hostbits`: bits of hosts, of pairs of hosts and of transactions.

use std::net::IpAddr;

use super::names::Names;
use super::option::{Field, OptionError};
use super::{Ends, FlowBits, SECOND_NS};
use crate::lru::Lru;

/// How long a bit lasts that `xbits` sets without `expire`, seconds.
pub const XBITS_EXPIRE_S: u32 = 30;

/// How long a bit lasts that `hostbits` sets, seconds.
pub const HOSTBITS_EXPIRE_S: u32 = 300;

/// What an `xbits` or `hostbits` option does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostBit {
    /// Reads or writes a bit.
    Bit {
        /// What is done.
        command: Command,
        /// The bit's name.
        name: u32,
        /// Whose bit it is.
        track: Track,
        /// How long it lasts when it is set here, nanoseconds.
        expire_ns: u64,
    },
    /// The rule does not alert.
    NoAlert,
}

/// What is done with a bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Matches when the bit is set.
    IsSet,
    /// Matches when the bit is not set.
    IsNotSet,
    /// Sets the bit; one that is set keeps its end.
    Set,
    /// Takes the bit back.
    Unset,
    /// Sets the bit when it is not set, and takes it back when it is.
    Toggle,
}

impl Command {
    fn parse(field: Field<'_>) -> Result<Self, OptionError> {
        Ok(match field.text {
            "isset" => Self::IsSet,
            "isnotset" => Self::IsNotSet,
            "set" => Self::Set,
            "unset" => Self::Unset,
            "toggle" => Self::Toggle,
            other => return Err(field.error(format!("{other:?} is no command of bits"))),
        })
    }
}

/// Whose bit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    /// The sender of the packet.
    Source,
    /// The receiver of the packet.
    Destination,
    /// Both, whichever of the two sends.
    Pair,
    /// The transaction. Only `set` and `isset`; the bits are [`FlowBits`] beside the transaction,
    /// not in [`HostBits`], and last as long as it does.
    Transaction,
}

/// Reads the value of an `xbits` option: `command,name,track ip_src[,expire seconds]`.
///
/// # Errors
/// An unknown command or `track`, no `track`, a name with white space, `expire` of 0 or beyond 32
/// bits, or another command than `set` and `isset` of a transaction.
pub fn parse_xbits(value: &str, names: &mut Names) -> Result<HostBit, OptionError> {
    let mut fields = Field::new(0, value).split(',');
    let Some((command, name)) = command_and_name(&mut fields)? else {
        return Ok(HostBit::NoAlert);
    };
    let (mut track, mut expire) = (None, None);
    for field in fields {
        let (key, of) = field.word();
        match key.text {
            "track" if track.is_none() => track = Some((of, xbits_track(of)?)),
            "expire" if expire.is_none() => expire = Some(expire_of(of)?),
            _ => return Err(field.error("'track' or 'expire' is expected, each once")),
        }
    }
    let (at, track) = track.ok_or_else(|| OptionError::new(value.len(), "'track' is missing"))?;
    let plain = matches!(command, Command::Set | Command::IsSet);
    if track == Track::Transaction && !plain {
        return Err(at.error("bits of a transaction know only set and isset"));
    }
    Ok(HostBit::Bit {
        command,
        name: name.name(names)?,
        track,
        expire_ns: u64::from(expire.unwrap_or(XBITS_EXPIRE_S)).saturating_mul(SECOND_NS),
    })
}

/// Reads the value of a `hostbits` option: `command,name[,src or dst]`.
///
/// # Errors
/// An unknown command or direction, or a name with white space.
pub fn parse_hostbits(value: &str, names: &mut Names) -> Result<HostBit, OptionError> {
    let mut fields = Field::new(0, value).split(',');
    let Some((command, name)) = command_and_name(&mut fields)? else {
        return Ok(HostBit::NoAlert);
    };
    let track = match fields.next() {
        None => Track::Source,
        Some(field) => match field.text {
            "src" => Track::Source,
            "dst" => Track::Destination,
            _ => return Err(field.error("'src' or 'dst' is expected")),
        },
    };
    if let Some(field) = fields.next() {
        return Err(field.error("nothing is expected after the direction"));
    }
    Ok(HostBit::Bit {
        command,
        name: name.name(names)?,
        track,
        expire_ns: u64::from(HOSTBITS_EXPIRE_S).saturating_mul(SECOND_NS),
    })
}

/// `None` is `noalert`.
fn command_and_name<'a>(
    fields: &mut impl Iterator<Item = Field<'a>>,
) -> Result<Option<(Command, Field<'a>)>, OptionError> {
    let command = fields.next().unwrap_or(Field::new(0, ""));
    let name = fields.next();
    match (command.text, name) {
        ("noalert", None) => Ok(None),
        ("noalert", Some(name)) => Err(name.error("noalert takes no name")),
        (_, None) => {
            Command::parse(command)?;
            Err(command.error("a name is expected"))
        }
        (_, Some(name)) => Ok(Some((Command::parse(command)?, name))),
    }
}

fn xbits_track(field: Field<'_>) -> Result<Track, OptionError> {
    Ok(match field.text {
        "ip_src" => Track::Source,
        "ip_dst" => Track::Destination,
        "ip_pair" => Track::Pair,
        "tx" => Track::Transaction,
        _ => return Err(field.error("ip_src, ip_dst, ip_pair or tx is expected")),
    })
}

fn expire_of(field: Field<'_>) -> Result<u32, OptionError> {
    match field.number()? {
        0 => Err(field.error("expire is at least 1 second")),
        seconds => Ok(seconds),
    }
}

/// The bits of hosts and of pairs of hosts.
///
/// A bit that is over is not set, for every command. (Suricata 8.0.6 does not set a bit again
/// that is over until a check found it so.)
///
/// **Failure bias: open.** When the table is full the bit used least recently is lost: a rule that
/// waits for it does not match.
#[derive(Debug)]
pub struct HostBits {
    /// Until when a bit is set, nanoseconds since the Unix epoch, that one included.
    until_ns: Lru<(Subject, u32), u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Host(IpAddr),
    /// In ascending order.
    Pair(IpAddr, IpAddr),
}

impl HostBits {
    /// At most `bits_max` bits over all hosts and pairs.
    #[must_use]
    pub fn new(bits_max: usize) -> Self {
        Self {
            until_ns: Lru::new(bits_max),
        }
    }

    /// How many bits are held, those among them that are over and were not looked up since.
    #[must_use]
    pub fn len(&self) -> usize {
        self.until_ns.len()
    }

    /// Whether no bit is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bits were lost because the table was full.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.until_ns.evicted()
    }

    /// Whether an option lets its rule match; what writes always does. `transaction` is where the
    /// bits of the transaction are, when there is one.
    pub fn check(
        &mut self,
        option: &HostBit,
        ends: Ends,
        transaction: Option<&FlowBits>,
        now_ns: u64,
    ) -> bool {
        let HostBit::Bit {
            command,
            name,
            track,
            ..
        } = *option
        else {
            return true;
        };
        let expected = match command {
            Command::IsSet => true,
            Command::IsNotSet => false,
            Command::Set | Command::Unset | Command::Toggle => return true,
        };
        let set = match subject(track, ends) {
            Some(subject) => self.is_set(subject, name, now_ns),
            None => transaction.is_some_and(|bits| bits.is_set(name)),
        };
        set == expected
    }

    /// Does what an option writes, after its rule matched.
    pub fn apply(
        &mut self,
        option: &HostBit,
        ends: Ends,
        transaction: Option<&mut FlowBits>,
        now_ns: u64,
    ) {
        let HostBit::Bit {
            command,
            name,
            track,
            expire_ns,
        } = *option
        else {
            return;
        };
        let Some(subject) = subject(track, ends) else {
            if let (Command::Set, Some(bits)) = (command, transaction) {
                bits.set(name);
            }
            return;
        };
        let set = match command {
            Command::IsSet | Command::IsNotSet => return,
            Command::Set => true,
            Command::Unset => false,
            Command::Toggle => !self.is_set(subject, name, now_ns),
        };
        if !set {
            self.until_ns.remove(&(subject, name));
        } else if !self.is_set(subject, name, now_ns) {
            *self.until_ns.entry((subject, name)) = now_ns.saturating_add(expire_ns);
        }
    }

    fn is_set(&mut self, subject: Subject, name: u32, now_ns: u64) -> bool {
        let key = (subject, name);
        match self.until_ns.get(&key) {
            None => false,
            Some(until_ns) if now_ns <= *until_ns => true,
            Some(_) => {
                self.until_ns.remove(&key);
                false
            }
        }
    }
}

fn subject(track: Track, Ends { src, dst }: Ends) -> Option<Subject> {
    Some(match track {
        Track::Source => Subject::Host(src),
        Track::Destination => Subject::Host(dst),
        Track::Pair => Subject::Pair(src.min(dst), src.max(dst)),
        Track::Transaction => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn ends(src: u8, dst: u8) -> Ends {
        let address = |last| IpAddr::from([10, 0, 0, last]);
        Ends {
            src: address(src),
            dst: address(dst),
        }
    }

    struct Bench {
        names: Names,
        bits: HostBits,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                names: Names::default(),
                bits: HostBits::new(100),
            }
        }

        /// An option that starts with "host" is of `hostbits`.
        fn option(&mut self, value: &str) -> HostBit {
            match value.strip_prefix("host ") {
                Some(value) => parse_hostbits(value, &mut self.names).unwrap(),
                None => parse_xbits(value, &mut self.names).unwrap(),
            }
        }

        fn write(&mut self, value: &str, ends: Ends, at_ms: u64) {
            let option = self.option(value);
            self.bits
                .apply(&option, ends, None, at_ms.saturating_mul(1_000_000));
        }

        fn check(&mut self, value: &str, ends: Ends, at_ms: u64) -> bool {
            let option = self.option(value);
            self.bits
                .check(&option, ends, None, at_ms.saturating_mul(1_000_000))
        }
    }

    #[test]
    fn who_is_tracked() {
        let mut bench = Bench::new();
        bench.write("set,k,track ip_src", ends(1, 2), 0);
        assert!(bench.check("isset,k,track ip_dst", ends(3, 1), 1_000));
        assert!(!bench.check("isset,k,track ip_dst", ends(1, 3), 1_000));
        assert!(bench.check("host isset,k", ends(1, 3), 1_000));
        assert!(bench.check("host isnotset,k,dst", ends(1, 3), 1_000));
        bench.write("set,k,track ip_pair", ends(8, 9), 0);
        assert!(bench.check("isset,k,track ip_pair", ends(9, 8), 1_000));
        assert!(!bench.check("isset,k,track ip_src", ends(9, 8), 1_000));
        bench.write("unset,k,track ip_pair", ends(9, 8), 2_000);
        assert!(bench.check("isnotset,k,track ip_pair", ends(8, 9), 3_000));
    }

    #[test]
    fn until_when_a_bit_is_set() {
        for (set, check, last) in [
            ("set,k,track ip_src", "isset,k,track ip_src", 30_500),
            (
                "set,k,track ip_src,expire 10",
                "isset,k,track ip_src",
                10_500,
            ),
            (
                "toggle,k,track ip_pair, expire 10",
                "isset,k,track ip_pair",
                10_500,
            ),
            ("host set,k", "host isset,k,src", 300_500),
        ] {
            let mut bench = Bench::new();
            bench.write(set, ends(1, 2), 500);
            assert!(bench.check(check, ends(1, 2), last), "{set}");
            assert!(
                !bench.check(check, ends(1, 2), last.saturating_add(1)),
                "{set}"
            );
        }
    }

    #[test]
    fn a_bit_that_is_set_keeps_its_end_and_one_that_is_over_is_set_anew() {
        let mut bench = Bench::new();
        let (set, check) = ("set,k,track ip_src,expire 10", "isset,k,track ip_src");
        bench.write(set, ends(1, 2), 0);
        bench.write(set, ends(1, 2), 8_000);
        assert!(!bench.check(check, ends(1, 2), 12_000));
        bench.write(set, ends(1, 2), 20_000);
        bench.write(set, ends(1, 2), 31_000);
        assert!(bench.check(check, ends(1, 2), 35_000));
    }

    #[test]
    fn bits_of_transactions_live_with_the_transaction() {
        let mut bench = Bench::new();
        let (set, check) = (
            bench.option("set,k,track tx"),
            bench.option("isset,k,track tx"),
        );
        let mut of_transaction = FlowBits::default();
        assert!(
            !bench
                .bits
                .check(&check, ends(1, 2), Some(&of_transaction), 0)
        );
        bench
            .bits
            .apply(&set, ends(1, 2), Some(&mut of_transaction), 0);
        assert!(
            bench
                .bits
                .check(&check, ends(1, 2), Some(&of_transaction), u64::MAX)
        );
        assert!(!bench.bits.check(&check, ends(1, 2), None, 0));
        assert!(bench.bits.is_empty());
    }

    #[test]
    fn refused_with_the_place() {
        let mut names = Names::default();
        for (value, at) in [
            ("set,a", 5),
            ("SET,a,track ip_src", 0),
            ("set", 0),
            ("set,,track ip_src", 4),
            ("set,a b,track ip_src", 4),
            ("set,a,track by_src", 12),
            ("set,a,track ip_src,expire 0", 26),
            ("set,a,track ip_src,expire 5s", 26),
            ("set,a,track ip_src, expire 4294967296", 27),
            ("set,a,track ip_src,track ip_dst", 19),
            ("unset,a,track tx", 14),
            ("noalert,a", 8),
            ("", 0),
        ] {
            assert_eq!(
                parse_xbits(value, &mut names).unwrap_err().at,
                at,
                "{value}"
            );
        }
        for (value, at) in [
            ("set,a,both", 6),
            ("set,a,src,expire 5", 10),
            ("noalert,a", 8),
        ] {
            assert_eq!(
                parse_hostbits(value, &mut names).unwrap_err().at,
                at,
                "{value}"
            );
        }
        assert_eq!(parse_xbits("noalert", &mut names), Ok(HostBit::NoAlert));
        assert_eq!(parse_hostbits("noalert", &mut names), Ok(HostBit::NoAlert));
        assert!(parse_xbits("isset,a,expire 3,track  ip_dst ", &mut names).is_ok());
    }

    #[test]
    fn the_table_is_bounded_and_counts() {
        let mut bits = HostBits::new(1_000);
        let set = parse_xbits(
            "set,a,track ip_src,expire 4294967295",
            &mut Names::default(),
        );
        for n in 0..50_000_u32 {
            let src = IpAddr::from(n.to_be_bytes());
            bits.apply(
                set.as_ref().unwrap(),
                Ends { src, dst: src },
                None,
                u64::MAX,
            );
        }
        assert_eq!((bits.len(), bits.evicted()), (1_000, 49_000));
    }

    proptest! {
        #[test]
        fn behaves_like_a_map_of_ends(
            steps in prop::collection::vec((0u8..5, 0u8..3, 0u8..3, 0u32..2, 0u64..4), 0..80),
        ) {
            let (mut bits, mut model) = (HostBits::new(1_000), HashMap::new());
            let mut now = 0_u64;
            for (command, src, dst, name, passed) in steps {
                now = passed.saturating_mul(SECOND_NS).saturating_add(now);
                let command = [
                    Command::Set,
                    Command::Unset,
                    Command::Toggle,
                    Command::IsSet,
                    Command::IsNotSet,
                ][usize::from(command)];
                let option = HostBit::Bit {
                    command,
                    name,
                    track: Track::Pair,
                    expire_ns: 5_000_000_000,
                };
                let key = (src.min(dst), src.max(dst), name);
                let set = model.get(&key).is_some_and(|until| now <= *until);
                let matches = bits.check(&option, ends(src, dst), None, now);
                bits.apply(&option, ends(src, dst), None, now);
                match command {
                    Command::IsSet => prop_assert_eq!(matches, set),
                    Command::IsNotSet => prop_assert_eq!(matches, !set),
                    Command::Unset => {
                        model.remove(&key);
                    }
                    Command::Toggle if set => {
                        model.remove(&key);
                    }
                    Command::Set | Command::Toggle => {
                        if !set {
                            model.insert(key, now.saturating_add(5_000_000_000));
                        }
                    }
                }
            }
        }
    }
}
