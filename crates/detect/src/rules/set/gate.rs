//! What a rule's header and side ask, in a form that says no at once.
//!
//! Thousands of rules ask the same, and name a few hundred sets of addresses and ports. Whether that
//! fits what is at hand is worked out once for them, however many rules ask; it is remembered for
//! either way that packets go, as those of a conversation take turns.

use std::collections::HashMap;
use std::sync::Arc;

use packet::{AppProto, Direction, FiveTuple};

use super::super::header::{Addresses, Apps, Header, Layer, Ports};
use super::super::rule::{Asked, Rule};
use super::super::scene::{Scene, Sides};

/// The gates of a set of rules, and the sets that they name.
#[derive(Debug, Default, Clone)]
pub(crate) struct Gates {
    /// Each once.
    gates: Vec<Gate>,
    /// By number of the rule: which is its.
    of_rules: Vec<u32>,
    /// Each once.
    courses: Vec<Course>,
    addresses: Vec<Arc<Addresses>>,
    ports: Vec<Arc<Ports>>,
}

/// The number of a rule, and those of its gate and its course.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    pub(super) rule: u32,
    pub(super) gate: u32,
    pub(super) course: u32,
}

/// What a rule asks of the ends, the side and the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Gate {
    apps: Apps,
    /// The number of its course.
    course: u32,
    /// Numbers of sets.
    src_ports: u32,
    dst_ports: u32,
    pub(crate) layer: Layer,
    pub(crate) asked: Asked,
    sides: Sides,
    needs_flow: bool,
    any_ports: bool,
}

/// From which addresses to which: thousands of rules have one of a few.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Course {
    /// Numbers of sets.
    src: u32,
    dst: u32,
    way: Way,
}

/// Which ends source and destination of a rule are held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
        let mut all = Self::default();
        let (mut addresses, mut ports) = (HashMap::new(), HashMap::new());
        let mut courses = HashMap::new();
        let mut gates = HashMap::new();
        for rule in rules {
            let header = &rule.header;
            let mut address = |set| number(set, &mut addresses, &mut all.addresses);
            let course = Course {
                src: address(&header.src),
                dst: address(&header.dst),
                way: Way::of(header),
            };
            let course = *courses.entry(course).or_insert_with(|| {
                all.courses.push(course);
                last(&all.courses)
            });
            let mut port = |set| number(set, &mut ports, &mut all.ports);
            let ports = [port(&header.src_ports), port(&header.dst_ports)];
            let gate = Gate::of(rule, course, ports);
            let number = *gates.entry(gate).or_insert_with(|| {
                all.gates.push(gate);
                last(&all.gates)
            });
            all.of_rules.push(number);
        }
        all
    }

    /// Adds the gate of a rule.
    pub(super) fn push(&mut self, rule: &Rule) {
        let header = &rule.header;
        let mut address = |set| number_of_equal(set, &mut self.addresses);
        let course = Course {
            src: address(&header.src),
            dst: address(&header.dst),
            way: Way::of(header),
        };
        let course = number_of_equal(&course, &mut self.courses);
        let mut port = |set| number_of_equal(set, &mut self.ports);
        let ports = [port(&header.src_ports), port(&header.dst_ports)];
        let gate = Gate::of(rule, course, ports);
        self.of_rules.push(number_of_equal(&gate, &mut self.gates));
    }

    /// A rule's gate.
    pub(crate) fn get(&self, rule: u32) -> Option<&Gate> {
        self.gate(self.number(rule)?)
    }

    /// The number of a rule's gate.
    fn number(&self, rule: u32) -> Option<u32> {
        self.of_rules.get(usize::try_from(rule).ok()?).copied()
    }

    /// A rule's numbers.
    pub(super) fn numbers(&self, rule: u32) -> Option<Numbers> {
        let gate = self.number(rule)?;
        let course = self.gate(gate)?.course;
        Some(Numbers { rule, gate, course })
    }

    fn gate(&self, number: u32) -> Option<&Gate> {
        self.gates.get(usize::try_from(number).ok()?)
    }

    /// Whether a gate lets through what is at hand.
    fn lets(&self, gate: &Gate, here: &Here, known: &mut Sets) -> bool {
        let of_app = gate.apps.is_empty() || here.app.is_some_and(|app| gate.apps.contains(app));
        // without a flow, a packet goes to the server, and damage goes both ways
        let of_side = match here.has_flow {
            true => gate.sides.has(here.direction),
            false if gate.asked == Asked::Damage => !gate.needs_flow,
            false => !gate.needs_flow && gate.sides.has(Direction::ToServer),
        };
        of_app
            && of_side
            && match &here.tuple {
                Some(tuple) => self.of_ends(gate, tuple, here.has_ports, known),
                None => gate.any_ports,
            }
    }

    fn of_ends(&self, gate: &Gate, tuple: &FiveTuple, has_ports: bool, known: &mut Sets) -> bool {
        if !has_ports && !gate.any_ports {
            return false;
        }
        let Some(course) = known.course(self, tuple, gate.course) else {
            return false;
        };
        let mut have_ports = |src: End, dst: End| {
            gate.any_ports
                || known.have_port(self, tuple, dst, gate.dst_ports)
                    && known.have_port(self, tuple, src, gate.src_ports)
        };
        course.straight && have_ports(End::Sender, End::Receiver)
            || course.reversed && have_ports(End::Receiver, End::Sender)
    }
}

impl Gate {
    /// The gate of a rule with a course and with ports in sets of these numbers.
    fn of(rule: &Rule, course: u32, [src_ports, dst_ports]: [u32; 2]) -> Self {
        let header = &rule.header;
        Self {
            apps: rule.apps,
            course,
            src_ports,
            dst_ports,
            layer: header.protocol.layer,
            asked: rule.asked,
            sides: rule.sides,
            needs_flow: rule.needs_flow,
            any_ports: header.has_any_ports(),
        }
    }
}

impl Way {
    fn of(header: &Header) -> Self {
        match (header.of_both_sides, header.both_ways) {
            (true, _) => Self::Reversed,
            (false, true) => Self::Both,
            (false, false) => Self::Straight,
        }
    }
}

/// The number of something that is there already, or from now on.
fn number_of_equal<T: PartialEq + Clone>(one: &T, all: &mut Vec<T>) -> u32 {
    if let Some(known) = all.iter().position(|known| known == one) {
        return u32::try_from(known).unwrap_or(u32::MAX);
    }
    all.push(one.clone());
    last(all)
}

/// The number of a set that rules share.
fn number<T>(set: &Arc<T>, known: &mut HashMap<*const T, u32>, all: &mut Vec<Arc<T>>) -> u32 {
    *known.entry(Arc::as_ptr(set)).or_insert_with(|| {
        all.push(Arc::clone(set));
        last(all)
    })
}

/// The number of what was added last.
fn last<T>(all: &[T]) -> u32 {
    u32::try_from(all.len().saturating_sub(1)).unwrap_or(u32::MAX)
}

/// An end of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum End {
    Sender,
    Receiver,
}

/// What gates are held against.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Here {
    tuple: Option<FiveTuple>,
    direction: Direction,
    /// The protocol that is looked at.
    app: Option<AppProto>,
    has_flow: bool,
    has_ports: bool,
}

/// Which gates let through what is at hand, as far as that was asked: of what went either way last.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    ways: [Known; 2],
}

/// What is known of one way.
#[derive(Debug, Default)]
struct Known {
    here: Option<Here>,
    /// Counts what was at hand; what was noted of something else does not count.
    round: u32,
    gates: Vec<Answer>,
    sets: Sets,
}

/// Which sets hold the ends at hand.
#[derive(Debug, Default)]
struct Sets {
    round: u32,
    courses: Vec<Run>,
    addresses: [Vec<Answer>; 2],
    ports: [Vec<Answer>; 2],
}

/// Whether the ends at hand go a course, the sender as its source or as its destination, and of which
/// round that is known.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    round: u32,
    straight: bool,
    reversed: bool,
}

/// An answer, and of which round it is.
#[derive(Debug, Clone, Copy, Default)]
struct Answer {
    round: u32,
    is_yes: bool,
}

impl Passed {
    /// What asks whether gates let a scene through, with this protocol.
    pub(crate) fn at<'p>(
        &'p mut self,
        gates: &'p Gates,
        scene: &Scene<'_>,
        app: Option<AppProto>,
    ) -> At<'p> {
        let here = Here {
            tuple: scene.tuple,
            direction: scene.direction,
            app,
            has_flow: scene.flow.is_some(),
            has_ports: scene.has_ports(),
        };
        let [to_server, to_client] = &mut self.ways;
        let known = match scene.direction {
            Direction::ToServer => to_server,
            Direction::ToClient => to_client,
        };
        known.turn_to(gates, here);
        At { gates, known }
    }

    /// Forgets all: gates and sets have other numbers.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Gates, and what is at hand.
#[derive(Debug)]
pub(crate) struct At<'p> {
    gates: &'p Gates,
    known: &'p mut Known,
}

impl At<'_> {
    /// Whether header, side and protocol of a rule fit.
    pub(crate) fn fits(&mut self, rule: u32) -> bool {
        let number = self.gates.number(rule);
        number.is_some_and(|number| self.opens(number))
    }

    /// Whether what is at hand goes one of these courses, by their numbers.
    pub(super) fn goes_any(&mut self, courses: &[u32]) -> bool {
        let Known { here, sets, .. } = &mut *self.known;
        let Some(tuple) = here.as_ref().and_then(|here| here.tuple.as_ref()) else {
            return true;
        };
        courses.iter().any(|course| {
            let run = sets.course(self.gates, tuple, *course);
            run.is_some_and(|run| run.straight || run.reversed)
        })
    }

    /// Whether a gate, by its number, lets through what is at hand.
    pub(crate) fn opens(&mut self, number: u32) -> bool {
        let Known {
            here,
            gates,
            sets,
            round,
        } = &mut *self.known;
        ask(gates, number, *round, |_| {
            let gate = self.gates.gate(number).zip(here.as_ref());
            gate.is_some_and(|(gate, here)| self.gates.lets(gate, here, sets))
        })
    }
}

impl Known {
    fn turn_to(&mut self, gates: &Gates, here: Here) {
        if self.here.as_ref() == Some(&here) {
            return;
        }
        let before = self.here.replace(here);
        self.round = self.round.wrapping_add(1);
        if self.round == 0 || self.gates.len() != gates.gates.len() {
            self.round = 1;
            self.gates = vec![Answer::default(); gates.gates.len()];
        }
        if before.and_then(|before| before.tuple) != self.here.as_ref().and_then(|here| here.tuple)
        {
            self.sets.turn(gates);
        }
    }
}

impl Sets {
    /// Other ends are at hand.
    fn turn(&mut self, gates: &Gates) {
        self.round = self.round.wrapping_add(1);
        let is_new = self.round == 0 || self.addresses[0].len() != gates.addresses.len();
        let is_new = is_new || self.courses.len() != gates.courses.len();
        if is_new || self.ports[0].len() != gates.ports.len() {
            self.round = 1;
            self.courses = vec![Run::default(); gates.courses.len()];
            self.addresses = [(); 2].map(|()| vec![Answer::default(); gates.addresses.len()]);
            self.ports = [(); 2].map(|()| vec![Answer::default(); gates.ports.len()]);
        }
    }

    /// Whether the ends at hand go a course.
    fn course(&mut self, gates: &Gates, tuple: &FiveTuple, number: u32) -> Option<Run> {
        let place = usize::try_from(number).ok()?;
        let known = *self.courses.get(place)?;
        if known.round == self.round {
            return Some(known);
        }
        let Course { src, dst, way } = *gates.courses.get(place)?;
        let mut have = |of: End, to: End| {
            self.have_address(gates, tuple, to, dst) && self.have_address(gates, tuple, of, src)
        };
        let run = Run {
            straight: way != Way::Reversed && have(End::Sender, End::Receiver),
            reversed: way != Way::Straight && have(End::Receiver, End::Sender),
            round: self.round,
        };
        if let Some(known) = self.courses.get_mut(place) {
            *known = run;
        }
        Some(run)
    }

    fn have_address(&mut self, gates: &Gates, tuple: &FiveTuple, end: End, set: u32) -> bool {
        let [senders, receivers] = &mut self.addresses;
        let (known, address) = match end {
            End::Sender => (senders, tuple.src),
            End::Receiver => (receivers, tuple.dst),
        };
        ask(known, set, self.round, |set| {
            let set = gates.addresses.get(set);
            set.is_some_and(|set| set.contains(address))
        })
    }

    fn have_port(&mut self, gates: &Gates, tuple: &FiveTuple, end: End, set: u32) -> bool {
        let [senders, receivers] = &mut self.ports;
        let (known, port) = match end {
            End::Sender => (senders, tuple.src_port),
            End::Receiver => (receivers, tuple.dst_port),
        };
        ask(known, set, self.round, |set| {
            let set = gates.ports.get(set);
            set.is_some_and(|set| set.contains(port))
        })
    }
}

/// What is known, or is found out now.
fn ask(known: &mut [Answer], of: u32, round: u32, find: impl FnOnce(usize) -> bool) -> bool {
    let of = usize::try_from(of).unwrap_or(usize::MAX);
    let Some(answer) = known.get_mut(of) else {
        return false;
    };
    if answer.round != round {
        *answer = Answer {
            round,
            is_yes: find(of),
        };
    }
    answer.is_yes
}
