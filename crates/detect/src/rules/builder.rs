//! A rule as its keywords put it together.

mod finish;

use std::ops::Range;
use std::sync::Arc;

use packet::{Digests, Direction};

use super::classes::Classes;
use super::content::Content;
use super::dataset::{Declaration, Loaded, OBJECT_BYTES_MAX, SetId};
use super::diagnostic::Problem;
use super::effect::Effect;
use super::header::{Action, Apps, Header, Hook};
use super::keyword::events::AppEvent;
use super::keyword::number::Number;
use super::memory::Memory;
use super::rule::{About, Check, Condition, Inspection, PayloadFrom, Step, Store};
use super::scene::{Buffer, Scene, Sides, Stage};
use super::state::threshold::Threshold;
use super::state::{GlobalThresholds, Names, Reputations};
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
    /// What is known of addresses.
    pub(crate) reputations: &'e Arc<Reputations>,
    /// What was wrong with files that rules name, though their rules stand.
    pub(crate) warnings: &'e mut Vec<String>,
}

/// Most warnings that are kept.
pub(super) const WARNINGS_MAX: usize = 1000;

impl Surroundings<'_> {
    /// Tells what of a file was not taken into its set.
    fn warn_of(&mut self, file: &str, loaded: &Loaded, declared: &Declaration) {
        let of_list = declared.json.as_ref().is_some_and(|json| !json.lines);
        let what = if of_list { "object" } else { "line" };
        let told = loaded.refused_first.iter();
        let mut said: Vec<String> = told
            .map(|number| format!("{file}: {what} {number} holds no value of the set's type"))
            .collect();
        let more = loaded.refused.saturating_sub(loaded.refused_first.len());
        if more > 0 {
            said.push(format!(
                "{file}: {more} more hold no value of the set's type"
            ));
        }
        if loaded.left_out > 0 {
            let count = loaded.left_out;
            said.push(format!(
                "{file}: {count} values have no room within the set's memcap"
            ));
        }
        if loaded.too_long > 0 {
            let count = loaded.too_long;
            said.push(format!(
                "{file}: {count} objects are longer than {OBJECT_BYTES_MAX} bytes"
            ));
        }
        let room = WARNINGS_MAX.saturating_sub(self.warnings.len());
        self.warnings.extend(said.into_iter().take(room));
    }

    /// The set that an option is about, with what its file holds where it is new.
    pub(crate) fn declare(
        &mut self,
        declared: &Declaration,
        at: Piece<'_>,
    ) -> Result<SetId, Problem> {
        let known = self.datasets.known(declared.name);
        let set = self.datasets.declare(declared).map_err(|message| {
            at.wrong(message).mend(
                "say the same of a set wherever it is named, and its type where it is named first",
            )
        })?;
        if known.is_none()
            && let Some(file) = &declared.load
        {
            match (self.files)(file) {
                Some(bytes) => {
                    let loaded = self.datasets.load(set, &String::from_utf8_lossy(&bytes));
                    if let Some(error) = &loaded.error {
                        return Err(at.wrong(format!("the file {file:?}: {error}")).mend(
                            "name a file of the format, and with array_key its list of objects",
                        ));
                    }
                    self.warn_of(file, &loaded, declared);
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
    pub(crate) payload_size: Option<Number>,
    pub(crate) needs_flow: bool,
    pub(crate) payload_from: PayloadFrom,
    /// Events of messages that it asks for.
    pub(crate) app_events: Vec<AppEvent>,
    pub(crate) store: Option<Store>,
    pub(crate) digests: Digests,
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

#[derive(Debug, Clone, Default)]
struct Current {
    buffer: Option<&'static Buffer>,
    /// Where it is named in the rule.
    at: Range<usize>,
    transforms: Vec<Transform>,
    /// Whose, in a rule over both sides of a transaction.
    side: Option<Direction>,
    /// Its inspection; none before anything was asked of it.
    place: Option<usize>,
    /// What `base64_decode` made of it is meant.
    decoded: bool,
}

impl<'b, 'e> Builder<'b, 'e> {
    pub(crate) fn new(header: Header, around: &'b mut Surroundings<'e>) -> Self {
        let hook = header.protocol.hook;
        let hook = hook.map(|hook| Box::new(OfHook(hook)) as Box<dyn Condition>);
        Self {
            silent: header.action == Action::Pass,
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
            needs_packet: false,
            payload_size: None,
            needs_flow: false,
            payload_from: PayloadFrom::default(),
            app_events: Vec::new(),
            store: None,
            digests: Digests::default(),
            bits_rank: 0,
            inspections: Vec::new(),
            absent: None,
            variables: Vec::new(),
            current: Current::default(),
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
        self.current = match buffer {
            Some(buffer) => self.current_of(buffer, None, at)?,
            None => Current::default(),
        };
        self.latest = None;
        Ok(())
    }

    /// What follows is asked of a buffer of that side, in a rule over both sides of a transaction.
    pub(crate) fn enter_side(
        &mut self,
        buffer: &'static Buffer,
        side: Direction,
        at: Piece<'_>,
    ) -> Result<(), Problem> {
        self.current = self.current_of(buffer, Some(side), at)?;
        self.latest = None;
        Ok(())
    }

    /// A buffer to be asked something of; the rule is about the protocols and the side that have it.
    fn current_of(
        &mut self,
        buffer: &'static Buffer,
        side: Option<Direction>,
        at: Piece<'_>,
    ) -> Result<Current, Problem> {
        self.restrict(buffer, at)?;
        let side = match (self.header.of_both_sides, buffer.sides, side) {
            (false, _, None) => None,
            (false, _, Some(_)) => {
                return Err(at
                    .wrong("a side, where the rule has but one")
                    .mend("write => between source and destination, or take the side out"));
            }
            (true, Sides::Client, _) => Some(Direction::ToServer),
            (true, Sides::Server, _) => Some(Direction::ToClient),
            (true, Sides::Both, Some(side)) => Some(side),
            (true, Sides::Both, None) => {
                let name = buffer.name;
                return Err(at
                    .wrong(format!("{name} can be of either side"))
                    .mend(format!("write {name}:to_server; or {name}:to_client;")));
            }
        };
        if side == Some(Direction::ToServer) && buffer.stage == Stage::File {
            return Err(at
                .unsupported("files of the client are not supported in rules over both sides")
                .mend("write -> for =>, or look at the server's files"));
        }
        Ok(Current {
            buffer: Some(buffer),
            at: at.span(),
            side,
            ..Current::default()
        })
    }

    /// The buffer that things are asked of now.
    pub(crate) fn buffer(&self) -> Option<&'static Buffer> {
        self.current.buffer
    }

    /// Whether contents look at what transforms made of the buffer.
    pub(crate) fn is_transformed(&self) -> bool {
        !self.current.transforms.is_empty()
    }

    /// A rule that looks into a buffer is about the protocols and the side that have it.
    fn restrict(&mut self, buffer: &'static Buffer, at: Piece<'_>) -> Result<(), Problem> {
        self.narrow(buffer.apps, at)?;
        match self.header.of_both_sides {
            true => Ok(()),
            false => self.side(buffer.sides, at),
        }
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
        // behind contents, it begins a new look at the buffer
        if self.current.place.take().is_some() {
            self.current.transforms.clear();
            self.latest = None;
        }
        self.current.transforms.push(transform);
        Ok(())
    }

    /// What follows is asked of what `base64_decode` made of the buffer at hand.
    pub(crate) fn enter_decoded(&mut self, at: Piece<'_>) -> Result<(), Problem> {
        let of = self.latest.map(|(place, ..)| place);
        let Some(place) = of.or(self.current.place) else {
            return Err(at
                .wrong("base64_data without base64_decode")
                .mend("write base64_decode before it"));
        };
        self.current.place = Some(place);
        self.current.decoded = true;
        self.latest = None;
        Ok(())
    }

    /// Asks something of the buffer at hand.
    pub(crate) fn ask(&mut self, step: Step) {
        let (place, decoded) = match self.follows(&step) {
            Some(place) => (place, false),
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

    /// The buffer that an old modifier moved the latest step to, where a step that stands in no buffer
    /// looks behind it.
    fn follows(&self, step: &Step) -> Option<usize> {
        let is_behind = step.is_relative() && self.current.buffer.is_none();
        let (place, _, decoded) = self.latest.filter(|_| is_behind && !self.current.decoded)?;
        let inspection = self.inspections.get(place)?;
        (inspection.buffer.is_some() && !decoded).then_some(place)
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
            buffer,
            transforms,
            side,
            ..
        } = self.current.clone();
        let is_same = |known: &Inspection| {
            let same_buffer = match (known.buffer, buffer) {
                (None, None) => true,
                (Some(known), Some(buffer)) => std::ptr::eq(known, buffer) && !buffer.multiple,
                (None, Some(_)) | (Some(_), None) => false,
            };
            same_buffer && known.transforms == transforms && known.side == side
        };
        let place = self
            .inspections
            .iter()
            .position(is_same)
            .unwrap_or_else(|| {
                self.inspections.push(Inspection {
                    buffer,
                    side,
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
        let current = self.current_of(buffer, None, at)?;
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
        let before = std::mem::replace(&mut self.current, current);
        self.ask(step);
        self.current = before;
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
        let current = self.current_of(buffer, None, at)?;
        let is_at_hand = self.current.transforms.is_empty() && !self.current.decoded;
        let at_hand = self.current.buffer.filter(|_| is_at_hand);
        if at_hand.is_some_and(|at_hand| std::ptr::eq(at_hand, buffer) && !buffer.multiple) {
            self.ask(step);
            return Ok(());
        }
        let before = std::mem::replace(&mut self.current, current);
        self.ask(step);
        self.current = before;
        Ok(())
    }

    /// The number of a variable that is set here.
    pub(crate) fn set_variable(&mut self, name: Piece<'_>) -> Result<usize, Problem> {
        if let Some(known) = self.variables.iter().position(|known| known == name.text) {
            return Ok(known);
        }
        if self.variables.len() >= VARIABLES_MAX {
            return Err(name
                .wrong(format!("more than {VARIABLES_MAX} variables"))
                .mend("use a name again that is not needed any more"));
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
            Hook::FlowStart => scene.is_first() == Some(true),
        }
    }
}
