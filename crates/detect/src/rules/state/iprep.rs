//! `iprep`: what lists say about addresses.
//!
//! A file of categories, `1,CnC,known command and control`, and files of scores,
//! `192.0.2.1,1,100` or `192.0.2.0/24,1,50`: the address or network, the category, and a score of
//! up to 127, where 0 is no score.
//!
//! A host that is listed by itself has the scores of its own lines only, 0 where there is none.
//! Any other has in each category the score of the longest network that lists it there.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use hashbrown::HashSet;

use super::Ends;
use super::flowint::Comparison;
use super::networks::network;
use super::option::{Field, OptionError};

/// Largest number of a category.
pub const CATEGORY_MAX: u8 = 59;

/// Largest score.
pub const SCORE_MAX: u8 = 127;

/// Most scores that are held; lines beyond are refused.
pub const SCORES_MAX: usize = 1 << 22;

/// Most lines that are told as refused; there may be more.
const LINES_TOLD_MAX: usize = 20;

/// What an `iprep` option looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpRep {
    /// Whose score.
    pub side: Side,
    /// The category's number.
    pub category: u8,
    /// What the score has to be.
    pub test: Test,
}

/// Whose score is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The sender's.
    Source,
    /// The receiver's.
    Destination,
    /// One of the two matches.
    Any,
    /// Both match.
    Both,
}

/// What a score has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// There is one, and it compares like this.
    Compare(Comparison, u8),
    /// There is one, if only 0.
    IsSet,
    /// There is none, or 0. With [`Side::Any`] as with [`Side::Both`]: at neither end.
    IsNotSet,
}

/// What became of a file's lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// How many were taken.
    pub taken: usize,
    /// How many were refused.
    pub refused: usize,
    /// Numbers of the first that were refused, from 1.
    pub refused_first: Vec<usize>,
}

/// Categories and scores.
#[derive(Debug, Default)]
pub struct Reputations {
    categories: HashMap<String, u8>,
    hosts: hashbrown::HashMap<(IpAddr, u8), u8>,
    /// Hosts that are listed in any category.
    listed: HashSet<IpAddr>,
    /// By category.
    networks: Vec<Networks>,
    /// How many lines of scores were taken.
    held: usize,
}

/// The networks of one category, as bits of IPv6 (IPv4 mapped).
#[derive(Debug, Default)]
struct Networks {
    scores: hashbrown::HashMap<(u128, u8), u8>,
    /// Which lengths there are, the longest first.
    lengths: Vec<u8>,
}

impl Reputations {
    /// Reads a file of categories.
    pub fn read_categories(&mut self, file: &str) -> Read {
        read(file, |line| {
            let (number, rest) = line.split_once(',')?;
            let name = rest.split(',').next()?.trim();
            let number: u8 = number.trim().parse().ok()?;
            if !(1..=CATEGORY_MAX).contains(&number) || name.is_empty() {
                return None;
            }
            self.categories.insert(name.to_owned(), number);
            Some(())
        })
    }

    /// Reads a file of scores. A host's later line takes the place of an earlier one, a network's
    /// does not.
    pub fn read_scores(&mut self, file: &str) -> Read {
        read(file, |line| {
            let mut fields = line.split(',').map(str::trim);
            let address = network(fields.next()?)?;
            let category: u8 = fields.next()?.parse().ok()?;
            let score: u8 = fields.next()?.parse().ok()?;
            if !(1..=CATEGORY_MAX).contains(&category) || score > SCORE_MAX {
                return None;
            }
            if self.held >= SCORES_MAX {
                return None;
            }
            self.held = self.held.saturating_add(1);
            if address.prefix_len() == address.max_prefix_len() {
                let host = address.addr().to_canonical();
                self.listed.insert(host);
                self.hosts.insert((host, category), score);
                return Some(());
            }
            let at = usize::from(category);
            if self.networks.len() <= at {
                self.networks
                    .resize_with(at.saturating_add(1), Networks::default);
            }
            let longer = if address.addr().is_ipv4() { 96 } else { 0 };
            let length = address.prefix_len().saturating_add(longer);
            self.networks
                .get_mut(at)?
                .add(bits(address.addr()), length, score);
            Some(())
        })
    }

    /// Reads the value of an `iprep` option: `side,category,operator,score`, or `isset` or
    /// `isnotset` for the latter two. Categories have to be read before.
    ///
    /// # Errors
    /// A side, category or operator that is not known, or a score beyond 8 bits.
    pub fn parse(&self, value: &str) -> Result<IpRep, OptionError> {
        let mut fields = Field::new(0, value).split(',');
        let mut next = || fields.next().unwrap_or(Field::new(value.len(), ""));
        let (side, category, operator) = (next(), next(), next());
        let side = match side.text {
            "src" => Side::Source,
            "dst" => Side::Destination,
            "any" => Side::Any,
            "both" => Side::Both,
            _ => return Err(side.error("any, src, dst or both is expected")),
        };
        let number = self.categories.get(category.text);
        let number =
            number.ok_or_else(|| category.error("the category stands in no file of categories"))?;
        let test = match operator.text {
            "isset" => Test::IsSet,
            "isnotset" => Test::IsNotSet,
            text => {
                let comparison = match text {
                    "=" => Some(Comparison::Equal),
                    text => Comparison::of(text),
                };
                let comparison = comparison.ok_or_else(|| {
                    operator.error(format!("{:?} is no comparison", operator.text))
                })?;
                let score = next();
                let number = u8::try_from(score.number()?);
                let number = number.map_err(|_too_large| score.error("0 to 255 is expected"))?;
                Test::Compare(comparison, number)
            }
        };
        if let Some(more) = fields.next() {
            return Err(more.error("nothing is expected here"));
        }
        Ok(IpRep {
            side,
            category: *number,
            test,
        })
    }

    /// The score of an address in a category.
    #[must_use]
    pub fn score(&self, address: IpAddr, category: u8) -> Option<u8> {
        let address = address.to_canonical();
        if self.listed.contains(&address) {
            let own = self.hosts.get(&(address, category));
            return Some(own.copied().unwrap_or(0));
        }
        let networks = self.networks.get(usize::from(category))?;
        networks.longest(bits(address), address.is_ipv4())
    }

    /// Whether an option lets its rule match a packet.
    #[must_use]
    pub fn check(&self, option: &IpRep, Ends { src, dst }: Ends) -> bool {
        let matches = |address| {
            let score = self.score(address, option.category);
            match option.test {
                Test::IsSet => score.is_some(),
                Test::IsNotSet => score.unwrap_or(0) == 0,
                Test::Compare(comparison, value) => {
                    score.is_some_and(|score| comparison.holds(score, value))
                }
            }
        };
        match option.side {
            Side::Source => matches(src),
            Side::Destination => matches(dst),
            Side::Any if option.test != Test::IsNotSet => matches(src) || matches(dst),
            Side::Any | Side::Both => matches(src) && matches(dst),
        }
    }
}

impl Networks {
    fn add(&mut self, network: u128, length: u8, score: u8) {
        if let Err(at) = self.lengths.binary_search_by(|have| length.cmp(have)) {
            self.lengths.insert(at, length);
        }
        self.scores.entry((network, length)).or_insert(score);
    }

    /// Networks of IPv4 are those within the mapped addresses.
    fn longest(&self, address: u128, v4: bool) -> Option<u8> {
        let of_family = |length: &&u8| !v4 || **length >= 96;
        let mut lengths = self.lengths.iter().filter(of_family);
        lengths.find_map(|length| {
            let rest = 128_u32.saturating_sub(u32::from(*length));
            let mask = u128::MAX.checked_shl(rest).unwrap_or(0);
            self.scores.get(&(address & mask, *length)).copied()
        })
    }
}

fn bits(address: IpAddr) -> u128 {
    let address: Ipv6Addr = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    address.to_bits()
}

/// Takes the lines that say something; `None` refuses one.
fn read(file: &str, mut take: impl FnMut(&str) -> Option<()>) -> Read {
    let mut read = Read::default();
    for (number, line) in (1..).zip(file.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if take(line).is_some() {
            read.taken = read.taken.saturating_add(1);
            continue;
        }
        read.refused = read.refused.saturating_add(1);
        if read.refused_first.len() < LINES_TOLD_MAX {
            read.refused_first.push(number);
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use ipnet::IpNet;
    use proptest::prelude::*;

    use super::*;

    const CATEGORIES: &str = "1,Bad,Known bad\n# no\n\n2, Good\n";

    fn reputations(scores: &str) -> Reputations {
        let mut reputations = Reputations::default();
        assert_eq!(reputations.read_categories(CATEGORIES).taken, 2);
        reputations.read_scores(scores);
        reputations
    }

    /// Which of four packets match.
    fn matching(reputations: &Reputations, value: &str) -> Vec<usize> {
        let option = reputations.parse(value).unwrap();
        let packets = [
            ("10.0.0.1", "10.0.0.2"),
            ("10.0.0.2", "10.0.0.1"),
            ("10.0.0.9", "10.0.0.8"),
            ("10.0.1.9", "10.0.0.1"),
        ];
        let ends = packets.map(|(src, dst)| Ends {
            src: src.parse().unwrap(),
            dst: dst.parse().unwrap(),
        });
        let numbered = (1..)
            .zip(ends)
            .filter(|(_, ends)| reputations.check(&option, *ends));
        numbered.map(|(number, _)| number).collect()
    }

    /// What Suricata 8.0.6 alerts on.
    #[test]
    fn operators_and_sides() {
        let scores = "10.0.0.1,1,100\n10.0.1.0/24,1,50\n10.0.1.9,2,7\n10.0.0.2,2,0\n";
        let reputations = reputations(scores);
        let cases: &[(&str, &[usize])] = &[
            ("src,Bad,>,30", &[1]),
            ("dst,Bad,>,30", &[2, 4]),
            ("any, Bad, >, 30", &[1, 2, 4]),
            ("both,Bad,>,30", &[]),
            ("src,Bad,=,100", &[1]),
            ("src,Bad,==,100", &[1]),
            ("src,Bad,<,101", &[1, 2, 4]),
            ("src,Bad,<,60", &[2, 4]),
            ("src,Bad,>=,100", &[1]),
            ("src,Bad,<=,50", &[2, 4]),
            ("src,Bad,!=,50", &[1, 2, 4]),
            ("src,Bad,isset", &[1, 2, 4]),
            ("src,Bad,isnotset", &[2, 3, 4]),
            ("any,Bad,isset", &[1, 2, 4]),
            ("any,Bad,isnotset", &[3]),
            ("both,Bad,isset", &[1, 2, 4]),
            ("both,Bad,isnotset", &[3]),
            ("src,Good,isset", &[1, 2, 4]),
            ("src,Good,>,0", &[4]),
            ("src,Good,=,0", &[1, 2]),
            ("src,Good,isnotset", &[1, 2, 3]),
            ("src,Bad,>,128", &[]),
        ];
        for (value, expected) in cases {
            assert_eq!(matching(&reputations, value), *expected, "{value}");
        }
    }

    #[test]
    fn the_longest_network_of_a_category() {
        let scores = "10.0.0.0/8,1,10\n10.0.0.7/24,1,20\n10.0.0.1,1,30\n10.0.0.0/8,2,99\n\
                      10.0.0.0/8,1,11\n10.0.0.1,1,31\n";
        let reputations = reputations(scores);
        let cases: &[(&str, &[usize])] = &[
            ("src,Bad,=,10", &[4]),
            ("src,Bad,=,20", &[2, 3]),
            ("src,Bad,=,31", &[1]),
            ("src,Good,isset", &[1, 2, 3, 4]),
            ("src,Good,=,99", &[2, 3, 4]),
        ];
        for (value, expected) in cases {
            assert_eq!(matching(&reputations, value), *expected, "{value}");
        }
    }

    #[test]
    fn lines_that_are_refused() {
        let mut reputations = reputations("");
        let scores = "10.0.0.1, 1, 100\n10.0.0.2,1\nbogus,1,10\n10.0.0.3,60,1\n10.0.0.4,0,1\n\
                      10.0.0.5,1,128\n10.0.0.6,1,-1\n10.0.0.7,1,1,more\n2001:db8::/32,1,5\n# no\n";
        let read = reputations.read_scores(scores);
        assert_eq!((read.taken, read.refused), (3, 6));
        assert_eq!(read.refused_first, [2, 3, 4, 5, 6, 7]);
        assert_eq!(
            reputations.score("2001:db8::9".parse().unwrap(), 1),
            Some(5)
        );
        assert_eq!(
            reputations.score("::ffff:10.0.0.1".parse().unwrap(), 1),
            Some(100)
        );
        let read = reputations.read_categories("0,Zero\n60,Sixty\nx,X\n7\n8,\n59,Last\n");
        assert_eq!((read.taken, read.refused), (1, 5));
    }

    #[test]
    fn refused_with_the_place() {
        let reputations = reputations("");
        for (value, at) in [
            ("SRC,Bad,>,30", 0),
            ("src,bad,>,30", 4),
            ("src,1,>,30", 4),
            ("src,Bad", 7),
            ("src,Bad,>", 9),
            ("src,Bad,>30", 8),
            ("src,Bad,>,256", 10),
            ("src,Bad,>,-1", 10),
            ("src,Bad,isset,1", 14),
            ("", 0),
        ] {
            assert_eq!(reputations.parse(value).unwrap_err().at, at, "{value}");
        }
    }

    proptest! {
        #[test]
        fn behaves_like_a_search_of_all_networks(
            networks in prop::collection::vec((any::<[u8; 2]>(), 1u8..32, 1u8..128), 0..40),
            addresses in prop::collection::vec(any::<[u8; 2]>(), 0..40),
        ) {
            let address = |[a, b]: [u8; 2]| IpAddr::from([10, a & 3, b & 7, b]);
            let mut list: Vec<(IpNet, u8)> = Vec::new();
            let mut file = String::new();
            for (within, length, score) in networks {
                let net = IpNet::new(address(within), length).unwrap().trunc();
                file += &format!("{net},1,{score}\n");
                if list.iter().all(|(have, _)| *have != net) {
                    list.push((net, score));
                }
            }
            let reputations = reputations(&file);
            for of in addresses {
                let of = address(of);
                let within = list.iter().filter(|(net, _)| net.contains(&of));
                let longest = within.max_by_key(|(net, _)| net.prefix_len());
                prop_assert_eq!(reputations.score(of, 1), longest.map(|(_, score)| *score));
            }
        }
    }
}
