//! Variables, and the lists in which header fields are written.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use packet::settings::Settings;

use super::address::Addresses;
use super::port::Ports;
use crate::rules::diagnostic::Problem;
use crate::rules::syntax::Piece;

/// Deepest nesting of groups and variables.
pub const NESTED_MAX: u32 = 16;
/// Most terms of a field, those of its variables included as often as they stand there.
pub const TERMS_MAX: u32 = 1 << 20;

/// What variables of rules stand for: `vars.address-groups` and `vars.port-groups` of the settings.
#[derive(Debug, Default)]
pub struct Vars {
    addresses: HashMap<String, String>,
    ports: HashMap<String, String>,
    /// Fields read before: rules repeat them.
    known: RefCell<Known>,
}

#[derive(Debug, Default)]
struct Known {
    addresses: HashMap<String, Addresses>,
    ports: HashMap<String, Ports>,
}

/// Address variables that rules of the field name, and what they stand for where nobody says
/// otherwise: our networks are the private ones (RFC 1918), and every service may be on any of them.
const ADDRESSES: &[(&str, &str)] = &[
    ("HOME_NET", "[10.0.0.0/8,172.16.0.0/12,192.168.0.0/16]"),
    ("EXTERNAL_NET", "!$HOME_NET"),
    ("AIM_SERVERS", "$EXTERNAL_NET"),
    ("DC_SERVERS", "$HOME_NET"),
    ("DNP3_CLIENT", "$HOME_NET"),
    ("DNP3_SERVER", "$HOME_NET"),
    ("DNS_SERVERS", "$HOME_NET"),
    ("ENIP_CLIENT", "$HOME_NET"),
    ("ENIP_SERVER", "$HOME_NET"),
    ("HTTP_SERVERS", "$HOME_NET"),
    ("MODBUS_CLIENT", "$HOME_NET"),
    ("MODBUS_SERVER", "$HOME_NET"),
    ("SMTP_SERVERS", "$HOME_NET"),
    ("SQL_SERVERS", "$HOME_NET"),
    ("TELNET_SERVERS", "$HOME_NET"),
];

/// Port variables, likewise: the assigned ports of their services.
const PORTS: &[(&str, &str)] = &[
    ("DNP3_PORTS", "20000"),
    ("FILE_DATA_PORTS", "[80,110,143]"),
    ("FTP_PORTS", "21"),
    ("GENEVE_PORTS", "6081"),
    ("HTTP_PORTS", "80"),
    ("MODBUS_PORTS", "502"),
    ("ORACLE_PORTS", "1521"),
    ("SHELLCODE_PORTS", "!80"),
    ("SSH_PORTS", "22"),
    ("TEREDO_PORTS", "3544"),
    ("VXLAN_PORTS", "4789"),
];

impl Vars {
    /// The variables that rules of the field name, as they mostly are.
    #[must_use]
    pub fn usual() -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            addresses: ADDRESSES.iter().map(owned).collect(),
            ports: PORTS.iter().map(owned).collect(),
            known: RefCell::default(),
        }
    }

    /// From the settings.
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let group = |path: &str| {
            let entries = settings.at(path).entries();
            let texts = entries
                .filter_map(|(name, value)| Some((name.to_owned(), value.text()?.to_owned())));
            texts.collect()
        };
        Self {
            addresses: group("vars.address-groups"),
            ports: group("vars.port-groups"),
            known: RefCell::default(),
        }
    }

    /// Sets an address variable.
    pub fn set_addresses(&mut self, name: &str, value: &str) {
        self.addresses.insert(name.to_owned(), value.to_owned());
    }

    /// Sets a port variable.
    pub fn set_ports(&mut self, name: &str, value: &str) {
        self.ports.insert(name.to_owned(), value.to_owned());
    }

    pub(super) fn addresses(&self, text: Piece<'_>) -> Result<Addresses, Problem> {
        if let Some(known) = self.known.borrow().addresses.get(text.text) {
            return Ok(known.clone());
        }
        let read: Addresses = Lists::of(&self.addresses).list(text, 0)?;
        self.known
            .borrow_mut()
            .addresses
            .insert(text.text.to_owned(), read.clone());
        Ok(read)
    }

    /// Whether addresses are written as those that are left of others.
    pub(super) fn negates(&self, text: &str) -> bool {
        let mut names = HashSet::new();
        let mut texts = vec![text];
        while let Some(text) = texts.pop() {
            if text.contains('!') {
                return true;
            }
            for rest in text.split('$').skip(1) {
                let is_behind = |letter: char| !letter.is_ascii_alphanumeric() && letter != '_';
                let name = rest.split(is_behind).next().unwrap_or_default();
                let value = self.addresses.get(name).filter(|_| names.insert(name));
                texts.extend(value.map(String::as_str));
            }
        }
        false
    }

    pub(super) fn ports(&self, text: Piece<'_>) -> Result<Ports, Problem> {
        if let Some(known) = self.known.borrow().ports.get(text.text) {
            return Ok(known.clone());
        }
        let read: Ports = Lists::of(&self.ports).list(text, 0)?;
        self.known
            .borrow_mut()
            .ports
            .insert(text.text.to_owned(), read.clone());
        Ok(read)
    }
}

/// One term of a list, or what is wrong with it.
pub(super) type Term<L> = Result<L, Problem>;

/// What lists of terms are read into.
pub(super) trait List: Sized + Clone {
    const WHAT: &'static str;
    fn any() -> Self;
    fn is_nothing(&self) -> bool;
    fn union(all: Vec<Self>) -> Self;
    fn without(&self, other: &Self) -> Self;
    fn term(text: Piece<'_>) -> Term<Self>;
}

/// Reads the lists of one field.
struct Lists<'v> {
    vars: &'v HashMap<String, String>,
    /// How many terms may still be read.
    terms: Cell<u32>,
}

impl<'v> Lists<'v> {
    fn of(vars: &'v HashMap<String, String>) -> Self {
        Self {
            vars,
            terms: Cell::new(TERMS_MAX),
        }
    }

    /// Reads `term`, `!term`, `$NAME` or `[term, ...]`.
    fn list<L: List>(&self, text: Piece<'_>, depth: u32) -> Result<L, Problem> {
        if depth > NESTED_MAX {
            return Err(text
                .wrong(format!("groups nested deeper than {NESTED_MAX} levels"))
                .mend("flatten the groups, or take out a variable that names itself"));
        }
        let left = self.terms.get().checked_sub(1).ok_or_else(|| {
            text.wrong(format!(
                "more than {TERMS_MAX} {} with those of the variables",
                L::WHAT
            ))
            .mend("name each variable once")
        })?;
        self.terms.set(left);
        let deeper = depth.saturating_add(1);
        let text = text.trim();
        if let Some(negated) = text.text.strip_prefix('!') {
            let negated: L = self.list(text.part(negated), deeper)?;
            return nonempty(L::any().without(&negated), text);
        }
        if text.text.eq_ignore_ascii_case("any") {
            return Ok(L::any());
        }
        if let Some(name) = text.text.strip_prefix('$') {
            return self.variable(name, text, deeper);
        }
        match text.text.strip_prefix('[') {
            Some(inner) => self.group(text.part(inner), text, deeper),
            None => L::term(text),
        }
    }

    fn variable<L: List>(&self, name: &str, at: Piece<'_>, depth: u32) -> Result<L, Problem> {
        let Some(value) = self.vars.get(name) else {
            let message = format!("no variable ${name} of {}", L::WHAT);
            return Err(at
                .wrong(message)
                .mend("define it under vars, or write the value"));
        };
        let value = Piece { text: value, at: 0 };
        self.list(value, depth).map_err(|problem| {
            let message = match problem.message.starts_with("in $") {
                false => format!("in ${name}: {}", problem.message),
                true => problem.message,
            };
            at.wrong(message).mend(problem.mend)
        })
    }

    /// `inner` is what follows the bracket that opens `whole`.
    fn group<L: List>(&self, inner: Piece<'_>, whole: Piece<'_>, depth: u32) -> Result<L, Problem> {
        let inner = inner.text.strip_suffix(']').map(|text| inner.part(text));
        let inner = inner.ok_or_else(|| {
            whole
                .wrong("a group that does not end")
                .mend("end it with ]")
        })?;
        let (mut taken, mut left_out) = (Vec::<L>::new(), Vec::<L>::new());
        for term in terms(inner) {
            if term.text.is_empty() {
                return Err(term
                    .wrong("an empty place in a group")
                    .mend("take a comma out, or write what is missing"));
            }
            match term.text.strip_prefix('!') {
                Some(negated) => left_out.push(self.list(term.part(negated), depth)?),
                None => taken.push(self.list(term, depth)?),
            }
        }
        let taken = match taken.is_empty() {
            true => L::any(),
            false => L::union(taken),
        };
        let left = match left_out.is_empty() {
            true => taken,
            false => taken.without(&L::union(left_out)),
        };
        nonempty(left, whole)
    }
}

fn nonempty<L: List>(list: L, text: Piece<'_>) -> Result<L, Problem> {
    if list.is_nothing() {
        let message = format!("{:?} leaves no {}", text.text, L::WHAT);
        return Err(text
            .wrong(message)
            .mend("take out the negation that excludes all"));
    }
    Ok(list)
}

/// The terms of a group: commas within inner brackets separate nothing.
fn terms(text: Piece<'_>) -> impl Iterator<Item = Piece<'_>> {
    let mut depth = 0_u32;
    text.text
        .split(move |letter| {
            match letter {
                '[' => depth = depth.saturating_add(1),
                ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            letter == ',' && depth == 0
        })
        .map(move |term| text.part(term).trim())
}

/// A field that many rules share, kept once.
#[derive(Debug, Default)]
pub(crate) struct Shared<T>(RefCell<HashMap<Arc<T>, ()>>);

impl<T: std::hash::Hash + Eq> Shared<T> {
    pub(crate) fn one(&self, value: T) -> Arc<T> {
        let mut known = self.0.borrow_mut();
        if let Some((one, ())) = known.get_key_value(&value) {
            return Arc::clone(one);
        }
        let one = Arc::new(value);
        known.insert(Arc::clone(&one), ());
        one
    }
}
