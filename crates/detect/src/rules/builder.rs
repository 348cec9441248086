//! A rule as its keywords put it together.

use std::sync::Arc;

use super::classes::Classes;
use super::content::Content;
use super::dataset::{Declaration, SetId};
use super::diagnostic::Problem;
use super::effect::Effect;
use super::header::{Apps, Header, Hook, Layer};
use super::keyword::events::AppEvent;
use super::memory::Memory;
use super::rule::{
    About, Asked, Check, Condition, Fast, Inspection, PayloadFrom, Rule, RuleId, Step, Subject,
};
use super::scene::{Buffer, Scene, Sides, Stage};
use super::state::threshold::Threshold;
use super::state::{GlobalThresholds, Names, RuleKey};
use super::syntax::Piece;
use super::transform::Transform;
use super::walk::{VARIABLES_MAX, Walk};

/// Reads a file that a rule names.
pub(super) type ReadFile = dyn Fn(&str) -> Option<Vec<u8>>;

/// What rules refer to beside themselves.
pub(crate) struct Surroundings<'e> {
    pub(crate) classes: &'e Classes,
    pub(crate) thresholds: &'e GlobalThresholds,
    pub(crate) names: &'e mut Names,
    pub(crate) datasets: &'e mut super::dataset::Datasets,
    /// Files that rules name.
    pub(crate) files: &'e ReadFile,
}

impl Surroundings<'_> {
    /// The set that an option is about, with what its file holds where it is new.
    pub(crate) fn declare(
        &mut self,
        declared: &Declaration,
        at: Piece<'_>,
    ) -> Result<SetId, Problem> {
        let known = self.datasets.known(declared.name);
        let set = self
            .datasets
            .declare(declared)
            .map_err(|message| at.wrong(message))?;
        if known.is_none()
            && let Some(file) = &declared.load
        {
            match (self.files)(file) {
                Some(bytes) => {
                    self.datasets.load(set, &String::from_utf8_lossy(&bytes));
                }
                None if declared.state => {}
                None => {
                    let message = format!("the file {file:?} cannot be read");
                    return Err(at
                        .wrong(message)
                        .mend("name a file beside the rules, or make it readable"));
                }
            }
        }
        Ok(set)
    }
}

/// A rule in the making.
pub(crate) struct Builder<'b, 'e> {
    pub(crate) around: &'b mut Surroundings<'e>,
    pub(crate) header: Header,
    pub(crate) sid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) rev: Option<u32>,
    pub(crate) about: About,
    pub(crate) has_priority: bool,
    pub(crate) apps: Apps,
    pub(crate) sides: Sides,
    pub(crate) conditions: Vec<Box<dyn Condition>>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) threshold: Option<Threshold>,
    pub(crate) detection_filter: Option<Threshold>,
    pub(crate) silent: bool,
    pub(crate) needs_packet: bool,
    pub(crate) needs_flow: bool,
    pub(crate) payload_from: PayloadFrom,
    /// Events of messages that it asks for.
    pub(crate) app_events: Vec<AppEvent>,
    pub(crate) bits_rank: u8,
    inspections: Vec<Inspection>,
    /// Of which of them the buffer must not be there.
    absent: Option<usize>,
    /// Names of variables, by number.
    variables: Vec<String>,
    /// The buffer that contents go to: its place among the inspections, once something went there.
    current: Current,
    /// The content that modifiers change: they may stand behind other keywords.
    latest: Option<Latest>,
    /// The content that was named as the fast pattern.
    fast: Option<Latest>,
}

/// A step by its place: inspection, step, and whether it is asked of decoded Base64.
type Latest = (usize, usize, bool);

#[derive(Debug, Clone)]
struct Current {
    buffer: Option<&'static Buffer>,
    transforms: Vec<Transform>,
    /// Its inspection; none before anything was asked of it.
    place: Option<usize>,
    /// What `base64_decode` made of it is meant.
    decoded: bool,
}

impl Current {
    /// A buffer, or the payload, of which nothing was asked yet.
    fn of(buffer: Option<&'static Buffer>) -> Self {
        Self {
            buffer,
            transforms: Vec::new(),
            place: None,
            decoded: false,
        }
    }
}

impl<'b, 'e> Builder<'b, 'e> {
    pub(crate) fn new(header: Header, around: &'b mut Surroundings<'e>) -> Self {
        let hook = header.protocol.hook;
        let hook = hook.map(|hook| Box::new(OfHook(hook)) as Box<dyn Condition>);
        Self {
            apps: header.protocol.apps,
            around,
            header,
            sid: None,
            gid: None,
            rev: None,
            about: About {
                priority: super::classes::PRIORITY_UNSTATED,
                ..About::default()
            },
            has_priority: false,
            sides: Sides::Both,
            conditions: hook.into_iter().collect(),
            effects: Vec::new(),
            threshold: None,
            detection_filter: None,
            silent: false,
            needs_packet: false,
            needs_flow: false,
            payload_from: PayloadFrom::default(),
            app_events: Vec::new(),
            bits_rank: 0,
            inspections: Vec::new(),
            absent: None,
            variables: Vec::new(),
            current: Current::of(None),
            latest: None,
            fast: None,
        }
    }

    /// What follows is asked of a buffer.
    pub(crate) fn enter(
        &mut self,
        buffer: Option<&'static Buffer>,
        at: Piece<'_>,
    ) -> Result<(), Problem> {
        if let Some(buffer) = buffer {
            self.restrict(buffer, at)?;
        }
        self.current = Current::of(buffer);
        self.latest = None;
        Ok(())
    }

    /// The buffer that things are asked of now.
    pub(crate) fn buffer(&self) -> Option<&'static Buffer> {
        self.current.buffer
    }

    /// A rule that looks into a buffer is about the protocols and the side that have it.
    fn restrict(&mut self, buffer: &'static Buffer, at: Piece<'_>) -> Result<(), Problem> {
        self.narrow(buffer.apps, at)?;
        self.side(buffer.sides, at)
    }

    /// The rule is about these protocols alone.
    pub(crate) fn narrow(&mut self, apps: Apps, at: Piece<'_>) -> Result<(), Problem> {
        self.apps = self.apps.narrowed(apps).ok_or_else(|| {
            at.wrong(format!("{} is of another protocol than the rule", at.text))
                .mend("change the protocol in the rule's header, or split the rule")
        })?;
        Ok(())
    }

    /// The rule is about this side alone.
    pub(crate) fn side(&mut self, sides: Sides, at: Piece<'_>) -> Result<(), Problem> {
        self.sides = self.sides.narrowed(sides).ok_or_else(|| {
            at.wrong(format!(
                "{} is of the other direction than the rest of the rule",
                at.text
            ))
            .mend("write two rules that share a flowbit")
        })?;
        Ok(())
    }

    /// A transform of the buffer at hand.
    pub(crate) fn transform(&mut self, transform: Transform, at: Piece<'_>) -> Result<(), Problem> {
        if self.current.buffer.is_none() {
            return Err(at
                .wrong("a transform without a buffer")
                .mend("name a buffer before it, as http.uri"));
        }
        if self.current.place.is_some() {
            return Err(at
                .wrong("a transform behind contents")
                .mend("write transforms right behind the buffer"));
        }
        self.current.transforms.push(transform);
        Ok(())
    }

    /// What follows is asked of what `base64_decode` made of the buffer at hand.
    pub(crate) fn enter_decoded(&mut self, at: Piece<'_>) -> Result<(), Problem> {
        if self.current.place.is_none() {
            return Err(at
                .wrong("base64_data without base64_decode")
                .mend("write base64_decode before it"));
        }
        self.current.decoded = true;
        self.latest = None;
        Ok(())
    }

    /// Asks something of the buffer at hand.
    pub(crate) fn ask(&mut self, step: Step) {
        // what looks behind the match before it stands with it, also where that was moved to a buffer
        let behind = self
            .latest
            .filter(|_| self.current.buffer.is_none() && step.is_relative());
        let (place, decoded) = match behind {
            Some((place, _, decoded)) => (place, decoded),
            None => (self.place(), self.current.decoded),
        };
        if let Some(steps) = self.steps_mut(place, decoded) {
            let is_content = matches!(step, Step::Content(_));
            steps.push(step);
            let last = steps.len().saturating_sub(1);
            if is_content {
                self.latest = Some((place, last, decoded));
            }
        }
    }

    /// Asks something of the packet itself: contents then look into its payload alone.
    pub(crate) fn of_packet(&mut self, condition: Box<dyn Condition>) {
        self.needs_packet = true;
        self.payload_from.packets_only = true;
        self.conditions.push(condition);
    }

    /// Whether nothing was asked of the buffer at hand since its keyword.
    pub(crate) fn is_at_start(&self) -> bool {
        self.current.place.is_none()
    }

    /// Whether anything was asked at all.
    pub(crate) fn asks(&self) -> bool {
        !(self.inspections.is_empty() && self.conditions.is_empty() && self.app_events.is_empty())
    }

    /// The buffer at hand is not there.
    pub(crate) fn absent(&mut self) {
        self.or_absent();
        self.ask(Step::Check(Box::new(Never)));
        self.absent = self.current.place;
    }

    fn steps_mut(&mut self, place: usize, decoded: bool) -> Option<&mut Vec<Step>> {
        let inspection = self.inspections.get_mut(place)?;
        Some(match decoded {
            true => &mut inspection.decoded,
            false => &mut inspection.steps,
        })
    }

    /// It holds where the buffer at hand is not there.
    pub(crate) fn or_absent(&mut self) {
        let place = self.place();
        if let Some(inspection) = self.inspections.get_mut(place) {
            inspection.or_absent = true;
        }
    }

    fn place(&mut self) -> usize {
        if let Some(place) = self.current.place {
            return place;
        }
        let Current {
            buffer, transforms, ..
        } = self.current.clone();
        let is_same = |known: &Inspection| {
            let same_buffer = match (known.buffer, buffer) {
                (None, None) => true,
                (Some(known), Some(buffer)) => std::ptr::eq(known, buffer) && !buffer.multiple,
                (None, Some(_)) | (Some(_), None) => false,
            };
            same_buffer && known.transforms == transforms
        };
        let place = self
            .inspections
            .iter()
            .position(is_same)
            .unwrap_or_else(|| {
                self.inspections.push(Inspection {
                    buffer,
                    transforms,
                    steps: Vec::new(),
                    decoded: Vec::new(),
                    or_absent: false,
                });
                self.inspections.len().saturating_sub(1)
            });
        self.current.place = Some(place);
        place
    }

    /// The content that a modifier changes.
    pub(crate) fn content(&mut self, at: Piece<'_>) -> Result<&mut Content, Problem> {
        let latest = self.latest;
        let step =
            latest.and_then(|(place, step, decoded)| self.steps_mut(place, decoded)?.get_mut(step));
        match step {
            Some(Step::Content(content)) => Ok(content),
            Some(Step::Find(_) | Step::Check(_)) | None => Err(at
                .wrong(format!("{} has no content before it", at.text))
                .mend("write it behind the content that it is about")),
        }
    }

    /// The content at hand is what the rule is looked up by.
    pub(crate) fn name_fast(&mut self) {
        self.fast = self.latest;
    }

    /// Moves the latest step to another buffer: old modifiers stand behind their content.
    pub(crate) fn move_to(
        &mut self,
        buffer: &'static Buffer,
        at: Piece<'_>,
    ) -> Result<(), Problem> {
        self.content(at)?;
        self.restrict(buffer, at)?;
        let Some((place, number, decoded)) = self.latest else {
            return Ok(());
        };
        let is_fast = self.fast == self.latest;
        let from = self
            .steps_mut(place, decoded)
            .filter(|from| number < from.len());
        let Some(step) = from.map(|from| from.remove(number)) else {
            return Ok(());
        };
        self.ask_in(buffer, step);
        if is_fast {
            self.fast = self.latest;
        }
        Ok(())
    }

    /// Asks something of another buffer than the one at hand.
    pub(crate) fn ask_of(
        &mut self,
        buffer: &'static Buffer,
        step: Step,
        at: Piece<'_>,
    ) -> Result<(), Problem> {
        self.restrict(buffer, at)?;
        self.ask_in(buffer, step);
        Ok(())
    }

    /// Asks something of a buffer, and goes on with the one at hand.
    fn ask_in(&mut self, buffer: &'static Buffer, step: Step) {
        let before = std::mem::replace(&mut self.current, Current::of(Some(buffer)));
        self.ask(step);
        self.current = before;
    }

    /// The number of a variable that is set here.
    pub(crate) fn set_variable(&mut self, name: Piece<'_>) -> Result<usize, Problem> {
        if let Some(known) = self.variables.iter().position(|known| known == name.text) {
            return Ok(known);
        }
        if self.variables.len() >= VARIABLES_MAX {
            return Err(name.wrong(format!("more than {VARIABLES_MAX} variables")));
        }
        self.variables.push(name.text.to_owned());
        Ok(self.variables.len().saturating_sub(1))
    }

    /// The number of a variable that was set before.
    pub(crate) fn variable(&self, name: Piece<'_>) -> Result<usize, Problem> {
        let known = self.variables.iter().position(|known| known == name.text);
        known.ok_or_else(|| {
            name.wrong(format!("no variable {:?}", name.text))
                .mend("set it before with byte_extract or byte_math, or write a number")
        })
    }

    /// The rule, complete. `whole` is its text.
    pub(crate) fn build(mut self, whole: Piece<'_>) -> Result<Rule, Problem> {
        let Some(sid) = self.sid else {
            return Err(whole.wrong("no sid").mend("number the rule: sid:1000001;"));
        };
        self.inspections_without_steps(whole)?;
        let fast = [true, false]
            .into_iter()
            .filter_map(|of_packet| self.fast_pattern(of_packet));
        let fast = fast.collect();
        let payload_placed = self.inspections.iter().any(|inspection| {
            inspection.buffer.is_none()
                && inspection
                    .steps
                    .iter()
                    .any(|step| matches!(step, Step::Content(content) if content.is_placed()))
        });
        let stage = self
            .inspections
            .iter()
            .filter_map(|inspection| Some(inspection.buffer?.stage));
        let stage = stage.max().unwrap_or(Stage::Packet);
        let has_payload = self
            .inspections
            .iter()
            .any(|inspection| inspection.buffer.is_none());
        if has_payload && !self.app_events.is_empty() {
            return Err(whole
                .unsupported("contents of the payload beside app-layer-event are not supported")
                .mend("look into a buffer of the protocol"));
        }
        if self.needs_packet && (stage != Stage::Packet || !self.app_events.is_empty()) {
            return Err(whole
                .wrong("packets and messages in one rule")
                .mend("take out what is asked of the packet's headers, or of messages"));
        }
        let layer = self.header.protocol.layer;
        Ok(Rule {
            asked: self.asked(),
            app_events: self.app_events,
            id: RuleId {
                gid: self.gid.unwrap_or(1),
                sid,
                rev: self.rev.unwrap_or(0),
            },
            about: self.about,
            apps: self.apps,
            sides: self.sides,
            stage,
            conditions: self.conditions,
            inspections: self.inspections,
            fast,
            effects: self.effects,
            filter: self.around.thresholds.filter(
                RuleKey {
                    gid: self.gid.unwrap_or(1),
                    sid,
                },
                self.threshold.or(self.detection_filter),
            ),
            silent: self.silent,
            needs_packet: (self.needs_packet || payload_placed || layer == Layer::TcpPacket)
                && !self.payload_from.streams_only,
            needs_flow: self.needs_flow,
            payload_from: PayloadFrom {
                packets_only: self.payload_from.packets_only || layer == Layer::TcpPacket,
                ..self.payload_from
            },
            bits_rank: self.bits_rank,
            header: self.header,
        })
    }

    /// Of which packets it is asked.
    fn asked(&self) -> Asked {
        if !self.inspections.is_empty() || !self.apps.is_empty() || !self.app_events.is_empty() {
            return Asked::Packets;
        }
        let mut subjects = self.conditions.iter().map(|condition| condition.subject());
        let subject = subjects.next().unwrap_or(Subject::Ends);
        match subject {
            _ if subjects.any(|other| other != subject) => Asked::Packets,
            Subject::Ends
                if !self.needs_flow && self.sides == Sides::Both && !self.header.negated =>
            {
                Asked::Ends
            }
            // what is asked of the state of a flow is asked of all its packets
            Subject::Protocol if self.needs_flow => Asked::Packets,
            Subject::Protocol => Asked::Protocol,
            Subject::Damage => Asked::Damage,
            Subject::Ends | Subject::Packet => Asked::Packets,
        }
    }

    fn inspections_without_steps(&mut self, whole: Piece<'_>) -> Result<(), Problem> {
        let absent = self.absent.and_then(|place| self.inspections.get(place));
        if absent.is_some_and(|inspection| inspection.steps.len() > 1) {
            return Err(whole
                .wrong("something is asked of a buffer that must not be there")
                .mend("take out absent, or write absent:or_else"));
        }
        self.inspections
            .retain(|inspection| !inspection.steps.is_empty() || inspection.or_absent);
        if self.current.buffer.is_some() && self.current.place.is_none() {
            let name = self.current.buffer.map_or("", |buffer| buffer.name);
            return Err(whole
                .wrong(format!("nothing is asked of {name}"))
                .mend("write a content behind it"));
        }
        Ok(())
    }

    /// The content that was named, else the longest of those that must be there; of packets and
    /// streams, or of transactions.
    fn fast_pattern(&self, of_packet: bool) -> Option<Fast> {
        let content_at = |inspection: usize, step: usize| {
            let of = self.inspections.get(inspection)?;
            if of.is_of_packet() != of_packet {
                return None;
            }
            match of.steps.get(step)? {
                Step::Content(content) if !content.is_negated() && !of.or_absent => Some(content),
                Step::Content(_) | Step::Find(_) | Step::Check(_) => None,
            }
        };
        let named = self
            .fast
            .filter(|(_, _, decoded)| !decoded)
            .map(|(inspection, step, _)| (inspection, step));
        let named = named.filter(|(inspection, step)| content_at(*inspection, *step).is_some());
        let all = self.inspections.iter().enumerate();
        let all = all.flat_map(|(number, inspection)| {
            (0..inspection.steps.len()).map(move |step| (number, step))
        });
        let longest = || {
            all.filter_map(|(inspection, step)| {
                let content = content_at(inspection, step)?;
                Some((content.bytes().len(), std::cmp::Reverse((inspection, step))))
            })
            .max()
            .map(|(_, std::cmp::Reverse(at))| at)
        };
        let (inspection, step) = named.or_else(longest)?;
        let content = content_at(inspection, step)?;
        Some(Fast {
            inspection,
            bytes: Arc::from(content.bytes()),
            nocase: content.is_nocase(),
        })
    }
}

/// What no bytes are.
#[derive(Debug)]
struct Never;

impl Check for Never {
    fn holds(&self, _: &mut Walk<'_, '_>) -> bool {
        false
    }
}

/// Of which packets a rule is asked, as its header says.
#[derive(Debug)]
struct OfHook(Hook);

impl Condition for OfHook {
    fn holds(&self, scene: &Scene<'_>, _: &mut Memory<'_>) -> bool {
        match self.0 {
            Hook::All => true,
            Hook::FlowStart => scene.is_first(),
        }
    }
}
