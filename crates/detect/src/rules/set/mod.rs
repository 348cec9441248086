//! A compiled set of rules, arranged for look-up. It is immutable, and replaced as a whole.

mod gate;
mod origin;
mod point;

use std::cmp::Reverse;
use std::collections::HashMap;

use packet::{AppProto, Digests, Direction};

use super::dataset::Datasets;
use super::header::Layer;
use super::rule::{Asked, Inspection, Rule};
use super::scene::{Sets, Stage};
pub(crate) use gate::{Ends, Gate, Gates};
use point::Gathering;
pub(crate) use point::{List, Point};

/// Rules in the order in which they are looked at, and what leads to them.
#[derive(Debug, Default)]
pub struct RuleSet {
    pub(crate) rules: Vec<Rule>,
    /// What is asked of them first.
    pub(crate) gates: Gates,
    pub(crate) sets: Sets,
    /// Names of bits and numbers of flows.
    pub(crate) names: Vec<Box<str>>,
    /// Of packets, by what they carry, from client and from server.
    packets: [[Point; 2]; Carried::COUNT],
    /// Of streams, from client and from server.
    streams: [Point; 2],
    /// Some are asked when the application protocol of a flow is known.
    pub(crate) asks_protocol: bool,
    /// About what is wrong with messages, and nothing else of them.
    pub(crate) of_events: Vec<u32>,
    /// Asked once more at the end of a flow.
    pub(crate) of_flow_end: Vec<u32>,
    /// Of transactions, by [`index`] of their places.
    transactions: Vec<Option<Point>>,
}

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
type Place = (AppProto, Direction, Stage);

impl RuleSet {
    /// Arranges rules.
    pub(crate) fn arrange(mut rules: Vec<Rule>, sets: Datasets, action_order: &[String]) -> Self {
        rules.sort_by_key(|rule| rule.order(action_order));
        let mut packets = [(); Carried::COUNT].map(|()| <[Gathering; 2]>::default());
        let mut streams = [(); 2].map(|()| Gathering::default());
        let mut transactions = HashMap::<Place, Gathering>::new();
        let (mut of_events, mut of_flow_end) = (Vec::new(), Vec::new());
        for (number, rule) in rules.iter().enumerate() {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            if rule.stage != Stage::Packet {
                for place in places(rule) {
                    let gathering = transactions.entry(place).or_default();
                    gathering.add(number, rule, |inspection| !inspection.is_of_packet());
                }
                if !rule.is_mixed() {
                    continue;
                }
            }
            if rule.is_of_flow_end() {
                of_flow_end.push(number);
            }
            if rule.stage == Stage::Packet && !rule.app_events.is_empty() {
                of_events.push(number);
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
                        gathering.add(number, rule, Inspection::is_of_packet);
                    }
                }
            }
            if rule.is_of_streams() {
                for (direction, gathering) in DIRECTIONS.iter().zip(&mut streams) {
                    if rule.sides.has(*direction) {
                        gathering.add(number, rule, Inspection::is_of_packet);
                    }
                }
            }
        }
        Self {
            gates: Gates::of(&rules),
            packets: packets.map(|sides| sides.map(Gathering::finish)),
            streams: streams.map(Gathering::finish),
            transactions: by_index(transactions),
            of_events,
            of_flow_end,
            asks_protocol: rules.iter().any(|rule| rule.asked == Asked::Protocol),
            rules,
            sets: Sets::new(sets),
            names: Vec::new(),
        }
    }

    /// What must be worked out of files for the rules.
    #[must_use]
    pub fn digests(&self) -> Digests {
        let wanted = self.rules.iter().map(|rule| rule.digests);
        wanted.fold(Digests::default(), Digests::or)
    }

    /// Whether a rule has files stored.
    #[must_use]
    pub fn stores(&self) -> bool {
        self.rules.iter().any(|rule| rule.store.is_some())
    }

    /// How many rules there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// A rule by its number in this set.
    #[must_use]
    pub fn rule(&self, number: u32) -> Option<&Rule> {
        self.rules.get(usize::try_from(number).ok()?)
    }

    pub(crate) fn of_packets(&self, carried: Carried, direction: Direction) -> Option<&Point> {
        let sides = self.packets.get(carried as usize)?;
        sides.get(usize::from(direction == Direction::ToClient))
    }

    pub(crate) fn of_streams(&self, direction: Direction) -> Option<&Point> {
        self.streams
            .get(usize::from(direction == Direction::ToClient))
    }

    /// Whether there are rules about a side of transactions of a protocol.
    pub(crate) fn is_about(&self, app: AppProto, direction: Direction) -> bool {
        [
            Stage::Line,
            Stage::Head,
            Stage::Body,
            Stage::Message,
            Stage::File,
        ]
        .into_iter()
        .any(|stage| self.of_transactions(app, direction, stage).is_some())
    }

    pub(crate) fn of_transactions(
        &self,
        app: AppProto,
        direction: Direction,
        stage: Stage,
    ) -> Option<&Point> {
        let point = self.transactions.get(index((app, direction, stage)))?;
        point.as_ref()
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

impl Rule {
    /// The order in which rules are looked at: by action, those that set bits before those that ask
    /// for them, the more urgent first.
    fn order(&self, actions: &[String]) -> (usize, Reverse<u8>, u32, u32) {
        let action = self.header.action;
        let named = actions.iter().position(|name| name == action.name());
        let place = named.unwrap_or_else(|| action.order());
        (
            place,
            Reverse(self.bits_rank),
            self.about.priority,
            self.id.sid,
        )
    }

    /// Whether it looks into packets or streams beside parts of transactions.
    pub(crate) fn is_mixed(&self) -> bool {
        self.stage != Stage::Packet && self.inspections.iter().any(Inspection::is_of_packet)
    }

    /// Whether it looks into streams.
    pub(crate) fn is_of_streams(&self) -> bool {
        self.payload().is_some()
            && self.header.protocol.layer.has_streams()
            && !self.payload_from.packets_only
    }
}
