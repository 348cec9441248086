//! The rules of one place, by the literals that lead to them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;
use packet::AppProto;

use super::super::header::{Apps, Header, Ports};
use super::super::literal::{Literals, Pattern, Seen};
use super::super::rule::{Asked, Fast, Inspection, Rule};
use super::super::scene::Buffer;
use super::super::transform::Transform;
use super::gate::{At, End, Numbers};
use super::guard::{Demand, Guard};
use super::origin::ByAddress;

/// The rules of one place.
#[derive(Debug, Default)]
pub(crate) struct Point {
    pub(crate) lists: Vec<List>,
    /// Those that no literal leads to, by the numbers of their gates.
    pub(crate) always: Vec<(u32, Vec<u32>)>,
    /// Those that ask of nothing but the ends: they are looked at with the first packet of a
    /// direction alone. Lists of addresses make thousands of them.
    pub(crate) of_ends: ByAddress,
}

/// The literals that lead to rules from one buffer.
#[derive(Debug)]
pub(crate) struct List {
    /// The buffer; none for payload.
    pub(crate) buffer: Option<&'static Buffer>,
    pub(crate) transforms: Vec<Transform>,
    /// Those that are looked for whatever the ports, of rules that ask for no protocol.
    of_all: Vec<Group>,
    /// Those that are looked for in a protocol, with those of all unless these are apart.
    of_apps: HashMap<AppProto, Vec<Group>>,
    is_apart: bool,
    /// Those that are looked for with some ports alone, and their numbers by port of the sender and
    /// of the receiver.
    of_ports: Vec<Group>,
    by_port: [HashMap<u16, Vec<u32>>; 2],
}

/// Literals that are looked for together.
#[derive(Debug)]
struct Group {
    /// They stand in so many first bytes; none for anywhere.
    within: Option<usize>,
    /// They are looked for where the ends go one of these courses; most rules have the first.
    courses: Vec<u32>,
    /// They are looked for where this lets them.
    guard: Option<Guard>,
    literals: Literals,
    /// The rules of each literal.
    rules: Vec<Vec<u32>>,
}

/// Literals that stand in so many first bytes of a buffer are not looked for behind them.
const NEAR: [usize; 2] = [16, 256];
/// Most ports of a rule whose literals are looked for with those ports alone.
const PORTS_MAX: usize = 1024;

/// So many times a literal may be stored, on average, for the ports and protocols that it is looked
/// for with.
const COPIES_MAX: usize = 8;

impl List {
    /// Whether they stand in payload as it is.
    pub(crate) fn is_payload(&self) -> bool {
        self.buffer.is_none() && self.transforms.is_empty()
    }

    /// The groups that are looked for with a protocol, and with `ports` of sender and receiver.
    fn groups(
        &self,
        app: Option<AppProto>,
        ports: Option<[u16; 2]>,
    ) -> impl Iterator<Item = &Group> {
        let of_app = app.and_then(|app| self.of_apps.get(&app));
        let of_all = (of_app.is_none() || self.is_apart).then_some(&self.of_all);
        let ports = ports.filter(|_| !self.of_ports.is_empty());
        let of_ports = ports.map(|ports| self.by_port.iter().zip(ports));
        let of_ports = of_ports.into_iter().flatten();
        let of_ports = of_ports.filter_map(|(numbers, port)| numbers.get(&port));
        let of_ports = of_ports.flatten().filter_map(|number| {
            let number = usize::try_from(*number).unwrap_or(usize::MAX);
            self.of_ports.get(number)
        });
        let of_apps = [of_all, of_app].into_iter().flatten().flatten();
        of_apps.chain(of_ports)
    }

    /// Whether a rule may match what is at hand, whatever stands in the buffer.
    pub(crate) fn is_open(
        &self,
        here: &mut At<'_>,
        (app, ports): (Option<AppProto>, Option<[u16; 2]>),
    ) -> bool {
        let mut groups = self.groups(app, ports);
        groups.any(|group| here.goes_any(&group.courses))
    }

    /// Calls `found` with each rule whose literal ends in `value` behind the first `from` bytes, as far
    /// as the protocol, and `ports` of sender and receiver, may be the rule's.
    pub(crate) fn scan(
        &self,
        (value, from): (&[u8], usize),
        (app, ports): (Option<AppProto>, Option<[u16; 2]>),
        here: &mut At<'_>,
        seen: &mut Seen,
        found: &mut dyn FnMut(u32),
    ) {
        if value.len() <= from {
            return;
        }
        self.groups(app, ports).for_each(|group| {
            if here.goes_any(&group.courses) {
                group.scan(value, from, seen, found);
            }
        });
    }
}

impl Group {
    /// Groups as one.
    fn of<'g>(groups: impl IntoIterator<Item = &'g GatheredGroup>) -> Self {
        let mut within = None;
        let mut demands = Vec::new();
        let mut courses = BTreeMap::new();
        let mut literals: HashMap<&Literal, Vec<u32>> = HashMap::new();
        for group in groups {
            for (course, rules) in &group.courses {
                let all: &mut usize = courses.entry(*course).or_default();
                *all = all.saturating_add(*rules);
            }
            within = within.max(group.within);
            demands.extend(&group.demands);
            for (literal, rules) in &group.literals {
                literals.entry(literal).or_default().extend(rules);
            }
        }
        let (keys, rules): (Vec<_>, Vec<_>) = literals.into_iter().unzip();
        let patterns = keys.iter().map(|(bytes, nocase)| Pattern {
            bytes,
            nocase: *nocase,
        });
        let mut courses: Vec<_> = courses.into_iter().collect();
        courses.sort_by_key(|(_, rules)| Reverse(*rules));
        Self {
            within,
            courses: courses.into_iter().map(|(course, _)| course).collect(),
            guard: (!demands.is_empty()).then(|| Guard::of(demands)),
            literals: Literals::build(&patterns.collect::<Vec<_>>()),
            rules,
        }
    }

    fn scan(&self, value: &[u8], from: usize, seen: &mut Seen, found: &mut dyn FnMut(u32)) {
        if self.guard.as_ref().is_some_and(|guard| !guard.lets(value)) {
            return;
        }
        let part = self.within.and_then(|within| value.get(..within));
        let part = part.unwrap_or(value);
        self.literals.scan(part, from, seen, &mut |literal| {
            let literal = usize::try_from(literal).unwrap_or(usize::MAX);
            let rules = self.rules.get(literal).into_iter().flatten();
            rules.for_each(|rule| found(*rule));
        });
    }
}

impl Point {
    /// Whether there are no rules.
    pub(crate) fn is_empty(&self) -> bool {
        self.lists.is_empty() && self.always.is_empty() && self.of_ends.is_empty()
    }
}

/// A point in the making.
#[derive(Default)]
pub(super) struct Gathering {
    lists: Vec<GatheredList>,
    always: BTreeMap<u32, Vec<u32>>,
    of_ends: ByAddress,
}

struct GatheredList {
    buffer: Option<&'static Buffer>,
    transforms: Vec<Transform>,
    groups: HashMap<Key, GatheredGroup>,
}

/// What the rules of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    tier: Tier,
    ports: Option<(End, Arc<Ports>)>,
    /// The protocols that they ask for, where they look into payload and name no ports.
    apps: Apps,
}

/// What is looked for in one pass, the quickest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Tier {
    /// In at most so many first bytes, as a bound in [`NEAR`].
    Near(usize),
    /// Anywhere, where a [`Guard`] lets it.
    Guarded,
    Anywhere,
}

/// A literal, and whether case does not count.
type Literal = (Arc<[u8]>, bool);

#[derive(Default)]
struct GatheredGroup {
    within: Option<usize>,
    /// What its rules ask, in the tier of those that ask something.
    demands: Vec<Demand>,
    /// How many rules have a course, by its number.
    courses: HashMap<u32, usize>,
    literals: HashMap<Literal, Vec<u32>>,
}

impl GatheredList {
    fn is_of(&self, inspection: &Inspection) -> bool {
        let same = match (self.buffer, inspection.buffer) {
            (None, None) => true,
            (Some(one), Some(other)) => std::ptr::eq(one, other),
            (None, Some(_)) | (Some(_), None) => false,
        };
        same && self.transforms == inspection.transforms
    }

    fn add(&mut self, numbers: Numbers, rule: &Rule, (fast, inspection): (&Fast, &Inspection)) {
        let near = NEAR
            .iter()
            .position(|near| fast.within.is_some_and(|within| within <= *near));
        let within = fast.within.filter(|_| near.is_some());
        let is_payload = self.buffer.is_none();
        let is_bare = is_payload && self.transforms.is_empty();
        let demand = match near {
            None if is_bare => Demand::of(rule, inspection),
            None | Some(_) => None,
        };
        let tier = match (near, &demand) {
            (Some(near), _) => Tier::Near(near),
            (None, Some(_)) => Tier::Guarded,
            (None, None) => Tier::Anywhere,
        };
        let ports = is_payload.then(|| telling(&rule.header)).flatten();
        let apps = match &ports {
            None if is_payload => rule.apps,
            None | Some(_) => Apps::NONE,
        };
        let key = Key { tier, ports, apps };
        let group = self.groups.entry(key).or_default();
        group.within = group.within.max(within);
        group.demands.extend(demand);
        let rules = group.courses.entry(numbers.course).or_default();
        *rules = rules.saturating_add(1);
        let literal = (Arc::clone(&fast.bytes), fast.nocase);
        group
            .literals
            .entry(literal)
            .or_default()
            .push(numbers.rule);
    }

    fn finish(self) -> List {
        let (of_ports, anywhere): (Vec<_>, Vec<_>) = self
            .groups
            .into_iter()
            .partition(|(key, _)| key.ports.is_some());
        let (of_all, of_apps, is_apart) = by_app(&anywhere);
        let mut list = List {
            buffer: self.buffer,
            transforms: self.transforms,
            of_all,
            of_apps,
            is_apart,
            of_ports: Vec::new(),
            by_port: Default::default(),
        };
        for (end, by_port) in [End::Sender, End::Receiver]
            .into_iter()
            .zip(&mut list.by_port)
        {
            for (ports, groups) in together(end, &of_ports) {
                for tier in groups.chunk_by(|one, other| one.0.tier == other.0.tier) {
                    let number = u32::try_from(list.of_ports.len()).unwrap_or(u32::MAX);
                    let groups = tier.iter().map(|(_, group)| group);
                    list.of_ports.push(Group::of(groups));
                    for port in &ports {
                        by_port.entry(*port).or_default().push(number);
                    }
                }
            }
        }
        list
    }
}

/// Groups for what has none of the protocols that rules ask for, and for each of those; and whether
/// the first are apart from the others.
fn by_app(groups: &[(Key, GatheredGroup)]) -> (Vec<Group>, HashMap<AppProto, Vec<Group>>, bool) {
    let size = |is_its: &dyn Fn(Apps) -> bool| {
        let its = groups.iter().filter(|(key, _)| is_its(key.apps));
        its.map(|(_, group)| group.literals.len()).sum::<usize>()
    };
    let of_tiers = |is_its: &dyn Fn(Apps) -> bool| {
        let tiers = (0..NEAR.len()).map(Tier::Near);
        let tiers = tiers.chain([Tier::Guarded, Tier::Anywhere]);
        let of_tier = |tier| {
            let its = groups
                .iter()
                .filter(move |(key, _)| key.tier == tier && is_its(key.apps));
            let mut its = its.map(|(_, group)| group).peekable();
            its.peek().is_some().then(|| Group::of(its))
        };
        tiers.filter_map(of_tier).collect::<Vec<_>>()
    };
    let apps = groups
        .iter()
        .fold(Apps::NONE, |all, (key, _)| all.with(key.apps));
    let (all, of_all) = (size(&|_| true), size(&|apps| apps.is_empty()));
    // many protocols would make many copies
    let copied = of_all.saturating_mul(apps.iter().count());
    let is_apart = copied > all.saturating_mul(COPIES_MAX);
    let of_apps = apps.iter().map(|app| {
        let is_its = |apps: Apps| apps.contains(app) || apps.is_empty() && !is_apart;
        (app, of_tiers(&is_its))
    });
    (
        of_tiers(&|apps| apps.is_empty()),
        of_apps.collect(),
        is_apart,
    )
}

/// Ports, and the groups that they have in common.
type Together<'g> = (Vec<u16>, Vec<&'g (Key, GatheredGroup)>);

/// Groups that some ports have in common: what is looked for together with those, the nearest first.
fn together(end: End, of_ports: &[(Key, GatheredGroup)]) -> Vec<Together<'_>> {
    let its = of_ports
        .iter()
        .enumerate()
        .filter_map(|(number, (key, _))| {
            let (of, ports) = key.ports.as_ref()?;
            (*of == end).then_some((number, ports))
        });
    let its: Vec<_> = its.collect();
    let mut by_port: HashMap<u16, Vec<usize>> = HashMap::new();
    for (number, ports) in &its {
        for port in ports.iter() {
            by_port.entry(port).or_default().push(*number);
        }
    }
    let mut by_groups: HashMap<Vec<usize>, Vec<u16>> = HashMap::new();
    for (port, groups) in by_port {
        by_groups.entry(groups).or_default().push(port);
    }
    let size = |number: &usize| {
        of_ports
            .get(*number)
            .map_or(0, |(_, group)| group.literals.len())
    };
    let all: usize = its.iter().map(|(number, _)| size(number)).sum();
    let joined: usize = by_groups.keys().flatten().map(size).sum();
    // sets of ports that overlap in many ways would make many copies
    if joined > all.saturating_mul(COPIES_MAX) {
        by_groups = its
            .iter()
            .map(|(number, ports)| (vec![*number], ports.iter().collect()))
            .collect();
    }
    let by_groups = by_groups.into_iter().map(|(numbers, ports)| {
        let groups = numbers.iter().filter_map(|number| of_ports.get(*number));
        let mut groups: Vec<_> = groups.collect();
        groups.sort_by_key(|(key, _)| key.tier);
        (ports, groups)
    });
    by_groups.collect()
}

/// The ports by which a rule is found, where it names few.
fn telling(header: &Header) -> Option<(End, Arc<Ports>)> {
    let of = |end, ports: &Arc<Ports>| {
        (ports.iter().take(PORTS_MAX.saturating_add(1)).count() <= PORTS_MAX)
            .then(|| (end, Arc::clone(ports)))
    };
    let is_straight = !header.both_ways && !header.of_both_sides;
    is_straight
        .then(|| {
            of(End::Receiver, &header.dst_ports).or_else(|| of(End::Sender, &header.src_ports))
        })
        .flatten()
}

impl Gathering {
    /// Adds a rule; `here` says what of it is looked at at this point.
    pub(super) fn add(
        &mut self,
        numbers: Numbers,
        rule: &Rule,
        here: impl Fn(&Inspection) -> bool,
    ) {
        let of = |fast: &'_ Fast| rule.inspections.get(fast.inspection).filter(|of| here(of));
        let led = rule.fast.iter().find_map(|fast| Some((fast, of(fast)?)));
        let Some((fast, inspection)) = led else {
            match rule.asked {
                Asked::Ends => self.of_ends.add(numbers.rule, &rule.header),
                Asked::Damage | Asked::Packets | Asked::Protocol => {
                    let its = self.always.entry(numbers.gate).or_default();
                    its.push(numbers.rule);
                }
            }
            return;
        };
        let known = self.lists.iter().position(|list| list.is_of(inspection));
        let at = known.unwrap_or_else(|| {
            self.lists.push(GatheredList {
                buffer: inspection.buffer,
                transforms: inspection.transforms.clone(),
                groups: HashMap::new(),
            });
            self.lists.len().saturating_sub(1)
        });
        if let Some(list) = self.lists.get_mut(at) {
            list.add(numbers, rule, (fast, inspection));
        }
    }

    pub(super) fn finish(self) -> Point {
        let lists = self.lists.into_iter().map(GatheredList::finish);
        Point {
            lists: lists.collect(),
            always: self.always.into_iter().collect(),
            of_ends: self.of_ends,
        }
    }
}
