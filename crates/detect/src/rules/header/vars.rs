//! Variables, and the lists in which header fields are written.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use packet::settings::Settings;

use super::address::Addresses;
use super::port::Ports;
use crate::rules::diagnostic::Problem;
use crate::rules::syntax::Piece;

/// Deepest nesting of groups and variables.
pub const NESTED_MAX: u32 = 16;

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
        let read: Addresses = list(text, &self.addresses, 0)?;
        self.known
            .borrow_mut()
            .addresses
            .insert(text.text.to_owned(), read.clone());
        Ok(read)
    }

    /// Whether addresses are written as those that are left of others.
    pub(super) fn negates(&self, text: &str, depth: u32) -> bool {
        let names = text.split('$').skip(1).filter_map(|rest| {
            let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
            self.addresses.get(rest.get(..end.unwrap_or(rest.len()))?)
        });
        let mut values = names.take_while(|_| depth < NESTED_MAX);
        text.contains('!') || values.any(|value| self.negates(value, depth.saturating_add(1)))
    }

    pub(super) fn ports(&self, text: Piece<'_>) -> Result<Ports, Problem> {
        if let Some(known) = self.known.borrow().ports.get(text.text) {
            return Ok(known.clone());
        }
        let read: Ports = list(text, &self.ports, 0)?;
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
    fn union(self, other: &Self) -> Self;
    fn without(&self, other: &Self) -> Self;
    fn term(text: Piece<'_>) -> Term<Self>;
}

/// Reads `term`, `!term`, `$NAME` or `[term, ...]`.
fn list<L: List>(
    text: Piece<'_>,
    vars: &HashMap<String, String>,
    depth: u32,
) -> Result<L, Problem> {
    if depth > NESTED_MAX {
        return Err(text.wrong(format!("groups nested deeper than {NESTED_MAX} levels")));
    }
    let text = text.trim();
    if let Some(negated) = text.text.strip_prefix('!') {
        let negated: L = list(text.part(negated), vars, depth.saturating_add(1))?;
        return nonempty(L::any().without(&negated), text);
    }
    if text.text.eq_ignore_ascii_case("any") {
        return Ok(L::any());
    }
    if let Some(name) = text.text.strip_prefix('$') {
        let Some(value) = vars.get(name) else {
            let message = format!("no variable ${name} of {}", L::WHAT);
            return Err(text
                .wrong(message)
                .mend("define it under vars, or write the value"));
        };
        let value = Piece { text: value, at: 0 };
        return list(value, vars, depth.saturating_add(1)).map_err(|problem| {
            let message = format!("in ${name}: {}", problem.message);
            text.wrong(message).mend(problem.mend)
        });
    }
    let Some(inner) = text.text.strip_prefix('[') else {
        return L::term(text);
    };
    let inner = inner.strip_suffix(']').ok_or_else(|| {
        text.wrong("a group that does not end")
            .mend("end it with ]")
    })?;
    let (mut taken, mut left_out): (Option<L>, Option<L>) = (None, None);
    for term in terms(text.part(inner)) {
        if term.text.is_empty() {
            return Err(term
                .wrong("an empty place in a group")
                .mend("take the comma out"));
        }
        let (into, term) = match term.text.strip_prefix('!') {
            Some(negated) => (&mut left_out, term.part(negated)),
            None => (&mut taken, term),
        };
        let read: L = list(term, vars, depth.saturating_add(1))?;
        *into = Some(match into.take() {
            Some(all) => all.union(&read),
            None => read,
        });
    }
    let taken = taken.unwrap_or_else(L::any);
    nonempty(
        left_out.map_or(taken.clone(), |left_out| taken.without(&left_out)),
        text,
    )
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
