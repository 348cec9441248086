//! What a rule's header and side ask, in a form that says no at once.
//!
//! Thousands of rules name a few hundred sets of addresses and ports. Whether a set holds the ends
//! at hand is worked out once for them, however many rules ask.

use std::collections::HashMap;
use std::sync::Arc;

use packet::{AppProto, Direction, FiveTuple};

use super::super::header::{Addresses, Apps, Layer, Ports};
use super::super::rule::{Asked, Rule};
use super::super::scene::{Scene, Sides};

/// The gates of a set of rules, by number, and the sets that they name.
#[derive(Debug, Default, Clone)]
pub(crate) struct Gates {
    gates: Vec<Gate>,
    addresses: Vec<Arc<Addresses>>,
    ports: Vec<Arc<Ports>>,
}

/// What a rule asks of the ends, the side and the protocol.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gate {
    apps: Apps,
    /// Numbers of sets.
    src: u32,
    src_ports: u32,
    dst: u32,
    dst_ports: u32,
    pub(crate) layer: Layer,
    pub(crate) asked: Asked,
    sides: Sides,
    needs_flow: bool,
    any_ports: bool,
    way: Way,
}

/// Which ends source and destination of a rule are held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The sender is the source.
    Straight,
    /// The sender is the destination: a rule over both sides is judged with the answer.
    Reversed,
    /// Either.
    Both,
}

impl Gates {
    /// The gates of rules.
    pub(super) fn of(rules: &[Rule]) -> Self {
        let mut gates = Self::default();
        let (mut addresses, mut ports) = (HashMap::new(), HashMap::new());
        for rule in rules {
            let header = &rule.header;
            let mut address = |set| number(set, &mut addresses, &mut gates.addresses);
            let ends = [address(&header.src), address(&header.dst)];
            let mut port = |set| number(set, &mut ports, &mut gates.ports);
            let ports = [port(&header.src_ports), port(&header.dst_ports)];
            gates.gates.push(Gate::of(rule, ends, ports));
        }
        gates
    }

    /// Adds the gate of a rule.
    pub(super) fn push(&mut self, rule: &Rule) {
        let header = &rule.header;
        let mut address = |set| number_of_equal(set, &mut self.addresses);
        let ends = [address(&header.src), address(&header.dst)];
        let mut port = |set| number_of_equal(set, &mut self.ports);
        let ports = [port(&header.src_ports), port(&header.dst_ports)];
        self.gates.push(Gate::of(rule, ends, ports));
    }

    /// A rule's gate.
    pub(crate) fn get(&self, rule: u32) -> Option<&Gate> {
        self.gates.get(usize::try_from(rule).ok()?)
    }

    /// Whether header, side and protocol of a rule fit. `app` is the protocol that is looked at.
    pub(crate) fn fits(
        &self,
        gate: &Gate,
        scene: &Scene<'_>,
        app: Option<AppProto>,
        ends: &mut Ends,
    ) -> bool {
        let of_app = gate.apps.is_empty() || app.is_some_and(|app| gate.apps.contains(app));
        // without a flow, a packet goes to the server, and damage goes both ways
        let of_side = match scene.flow {
            Some(_) => gate.sides.has(scene.direction),
            None if gate.asked == Asked::Damage => !gate.needs_flow,
            None => !gate.needs_flow && gate.sides.has(Direction::ToServer),
        };
        of_app
            && of_side
            && match &scene.tuple {
                Some(tuple) => self.of_ends(gate, tuple, scene.has_ports(), ends),
                None => gate.any_ports,
            }
    }

    fn of_ends(&self, gate: &Gate, tuple: &FiveTuple, has_ports: bool, ends: &mut Ends) -> bool {
        ends.turn_to(self, tuple);
        if !has_ports && !gate.any_ports {
            return false;
        }
        let mut one_way = |src: End, dst: End| {
            (gate.any_ports
                || ends.has_port(self, dst, gate.dst_ports)
                    && ends.has_port(self, src, gate.src_ports))
                && ends.has_address(self, dst, gate.dst)
                && ends.has_address(self, src, gate.src)
        };
        match gate.way {
            Way::Straight => one_way(End::Sender, End::Receiver),
            Way::Reversed => one_way(End::Receiver, End::Sender),
            Way::Both => one_way(End::Sender, End::Receiver) || one_way(End::Receiver, End::Sender),
        }
    }
}

impl Gate {
    /// The gate of a rule whose source and destination are in sets of these numbers.
    fn of(rule: &Rule, [src, dst]: [u32; 2], [src_ports, dst_ports]: [u32; 2]) -> Self {
        let header = &rule.header;
        Self {
            apps: rule.apps,
            src,
            src_ports,
            dst,
            dst_ports,
            layer: header.protocol.layer,
            asked: rule.asked,
            sides: rule.sides,
            needs_flow: rule.needs_flow,
            any_ports: header.has_any_ports(),
            way: match (header.of_both_sides, header.both_ways) {
                (true, _) => Way::Reversed,
                (false, true) => Way::Both,
                (false, false) => Way::Straight,
            },
        }
    }
}

/// The number of a set that is there already, or from now on.
fn number_of_equal<T: PartialEq>(set: &Arc<T>, all: &mut Vec<Arc<T>>) -> u32 {
    let known = all.iter().position(|known| known == set);
    let number = known.unwrap_or_else(|| {
        all.push(Arc::clone(set));
        all.len().saturating_sub(1)
    });
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The number of a set that rules share.
fn number<T>(set: &Arc<T>, known: &mut HashMap<*const T, u32>, all: &mut Vec<Arc<T>>) -> u32 {
    *known.entry(Arc::as_ptr(set)).or_insert_with(|| {
        all.push(Arc::clone(set));
        u32::try_from(all.len().saturating_sub(1)).unwrap_or(u32::MAX)
    })
}

/// An end of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum End {
    Sender,
    Receiver,
}

/// Which sets hold the ends at hand, as far as that was asked.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    tuple: Option<FiveTuple>,
    /// Counts the ends that were at hand; what was noted for others does not count.
    round: u32,
    addresses: [Vec<Answer>; 2],
    ports: [Vec<Answer>; 2],
}

/// Whether a set holds an end, and of which round that is.
#[derive(Debug, Clone, Copy, Default)]
struct Answer {
    round: u32,
    holds: bool,
}

impl Ends {
    /// Other ends are at hand, unless they are the same.
    fn turn_to(&mut self, gates: &Gates, tuple: &FiveTuple) {
        if self.tuple.as_ref() == Some(tuple) {
            return;
        }
        self.tuple = Some(*tuple);
        self.round = self.round.wrapping_add(1);
        let is_new = self.round == 0 || self.addresses[0].len() != gates.addresses.len();
        if is_new || self.ports[0].len() != gates.ports.len() {
            self.round = 1;
            self.addresses = [(); 2].map(|()| vec![Answer::default(); gates.addresses.len()]);
            self.ports = [(); 2].map(|()| vec![Answer::default(); gates.ports.len()]);
        }
    }

    fn has_address(&mut self, gates: &Gates, end: End, set: u32) -> bool {
        let Some(tuple) = &self.tuple else {
            return false;
        };
        let (known, address) = match end {
            End::Sender => (&mut self.addresses[0], tuple.src),
            End::Receiver => (&mut self.addresses[1], tuple.dst),
        };
        ask(known, set, self.round, |set| {
            let set = gates.addresses.get(set);
            set.is_some_and(|set| set.contains(address))
        })
    }

    fn has_port(&mut self, gates: &Gates, end: End, set: u32) -> bool {
        let Some(tuple) = &self.tuple else {
            return false;
        };
        let (known, port) = match end {
            End::Sender => (&mut self.ports[0], tuple.src_port),
            End::Receiver => (&mut self.ports[1], tuple.dst_port),
        };
        ask(known, set, self.round, |set| {
            let set = gates.ports.get(set);
            set.is_some_and(|set| set.contains(port))
        })
    }

    /// Forgets all: the sets have other numbers.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// What is known of a set, or is found out now.
fn ask(known: &mut [Answer], set: u32, round: u32, holds: impl FnOnce(usize) -> bool) -> bool {
    let set = usize::try_from(set).unwrap_or(usize::MAX);
    let Some(answer) = known.get_mut(set) else {
        return false;
    };
    if answer.round != round {
        *answer = Answer {
            round,
            holds: holds(set),
        };
    }
    answer.holds
}
