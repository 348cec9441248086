//! Rules arranged by where they are looked at.

use std::collections::HashMap;

use packet::{AppProto, Direction};

use super::super::header::Layer;
use super::super::rule::{Asked, Inspection, Rule};
use super::super::scene::Stage;
use super::gate::Gates;
use super::point::{Gathering, Point};

/// What a packet carries, as far as rules are told apart by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carried {
    Tcp,
    Udp,
    Icmp,
    Other,
}

impl Carried {
    const COUNT: usize = 4;
    const ALL: [Self; Self::COUNT] = [Self::Tcp, Self::Udp, Self::Icmp, Self::Other];

    pub(crate) fn of(protocol: u8) -> Self {
        match protocol {
            6 => Self::Tcp,
            17 => Self::Udp,
            1 | 58 => Self::Icmp,
            _ => Self::Other,
        }
    }

    fn is_of(self, layer: Layer) -> bool {
        match self {
            Self::Tcp => layer.takes(6, 4) || layer.takes(6, 6),
            Self::Udp => layer.takes(17, 4) || layer.takes(17, 6),
            Self::Icmp => layer.takes(1, 4) || layer.takes(58, 6),
            Self::Other => !matches!(
                layer,
                Layer::Tcp | Layer::TcpPacket | Layer::TcpStream | Layer::Udp | Layer::Icmp(_)
            ),
        }
    }
}

/// Where in a conversation rules are looked at.
pub(super) type Place = (AppProto, Direction, Stage);

/// Rules by where they are looked at.
#[derive(Debug, Default)]
pub(super) struct Arrangement {
    /// Of packets, by what they carry, from client and from server.
    packets: [[Point; 2]; Carried::COUNT],
    /// Of streams, from client and from server.
    streams: [Point; 2],
    /// Of transactions, by [`index`] of their places.
    transactions: Vec<Option<Point>>,
}

impl Arrangement {
    /// Arranges rules under their numbers; `gates` are theirs.
    pub(super) fn of<'r>(rules: impl Iterator<Item = (u32, &'r Rule)>, gates: &Gates) -> Self {
        let mut packets = [(); Carried::COUNT].map(|()| <[Gathering; 2]>::default());
        let mut streams = [(); 2].map(|()| Gathering::default());
        let mut transactions = HashMap::<Place, Gathering>::new();
        for (number, rule) in rules {
            let Some(numbers) = gates.numbers(number) else {
                continue;
            };
            if rule.stage != Stage::Packet {
                for place in places(rule) {
                    let gathering = transactions.entry(place).or_default();
                    gathering.add(numbers, rule, |inspection| !inspection.is_of_packet());
                }
                if !rule.is_mixed() {
                    continue;
                }
            }
            if rule.is_of_events() {
                continue;
            }
            for (carried, gathering) in Carried::ALL.iter().zip(&mut packets) {
                let in_stream =
                    *carried == Carried::Tcp && rule.is_of_streams() && !rule.needs_packet;
                if !carried.is_of(rule.header.protocol.layer) || in_stream {
                    continue;
                }
                for (direction, gathering) in DIRECTIONS.iter().zip(gathering) {
                    // damage goes both ways
                    if rule.sides.has(*direction) || rule.asked == Asked::Damage {
                        gathering.add(numbers, rule, Inspection::is_of_packet);
                    }
                }
            }
            if rule.is_of_streams() {
                for (direction, gathering) in DIRECTIONS.iter().zip(&mut streams) {
                    if rule.sides.has(*direction) {
                        gathering.add(numbers, rule, Inspection::is_of_packet);
                    }
                }
            }
        }
        Self {
            packets: packets.map(|sides| sides.map(Gathering::finish)),
            streams: streams.map(Gathering::finish),
            transactions: by_index(transactions),
        }
    }

    pub(super) fn of_packets(&self, carried: Carried, direction: Direction) -> Option<&Point> {
        let sides = self.packets.get(carried as usize)?;
        sides.get(usize::from(direction == Direction::ToClient))
    }

    pub(super) fn of_streams(&self, direction: Direction) -> Option<&Point> {
        self.streams
            .get(usize::from(direction == Direction::ToClient))
    }

    pub(super) fn of_transactions(&self, place: Place) -> Option<&Point> {
        self.transactions.get(index(place))?.as_ref()
    }
}

pub(crate) const DIRECTIONS: [Direction; 2] = [Direction::ToServer, Direction::ToClient];

/// The number of a place.
fn index((app, direction, stage): Place) -> usize {
    let of_app = (app as usize).saturating_mul(DIRECTIONS.len());
    let of_side = of_app.saturating_add(usize::from(direction == Direction::ToClient));
    of_side
        .saturating_mul(Stage::COUNT)
        .saturating_add(stage as usize)
}

/// Points by the number of their place.
#[expect(
    clippy::iter_over_hash_type,
    reason = "each has a place of its own: their order does not show"
)]
fn by_index(gathered: HashMap<Place, Gathering>) -> Vec<Option<Point>> {
    let mut points = Vec::new();
    for (place, gathering) in gathered {
        let index = index(place);
        if points.len() <= index {
            points.resize_with(index.saturating_add(1), || None);
        }
        if let Some(point) = points.get_mut(index) {
            *point = Some(gathering.finish());
        }
    }
    points
}

/// The places of a rule about transactions.
fn places(rule: &Rule) -> impl Iterator<Item = Place> {
    let sides = DIRECTIONS
        .into_iter()
        .filter(move |direction| rule.sides.has(*direction));
    sides.flat_map(move |direction| {
        rule.apps
            .iter()
            .map(move |app| (app, direction, rule.stage))
    })
}
