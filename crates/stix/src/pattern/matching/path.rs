//! From an object along a path to values (STIX 2.1 section 9.7).

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{MatchError, Steps};
use crate::pattern::literal::{base64, hex};
use crate::pattern::tree::Step;

/// Objects by the names that references have for them.
pub(super) type Scope<'v> = HashMap<&'v str, &'v Value>;

/// Where a path leads to.
#[derive(Debug)]
pub(super) enum Place<'v> {
    Value(&'v Value),
    /// What a property that ends in `_bin` or `_hex` stands for.
    Bytes(Box<[u8]>),
}

/// What a value that has been reached may be a reference by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reference {
    No,
    /// It is one.
    One,
    /// It is a list of them.
    List,
}

/// All that a path leads to, each value once.
pub(super) fn walk<'v>(
    object: &'v Value,
    path: &[Step<'_>],
    scope: &Scope<'v>,
    steps: &mut Steps,
) -> Result<Vec<Place<'v>>, MatchError> {
    let mut reached = vec![object];
    let mut reference = Reference::No;
    for step in path {
        steps.take(reached.len().saturating_add(1))?;
        let before = reached.len();
        reached = match step {
            Step::Key(key) => {
                let next = reached.iter().filter_map(|value| {
                    let holder = match (reference, value) {
                        (Reference::One, Value::String(name)) => scope.get(&**name).copied()?,
                        _ => *value,
                    };
                    holder.as_object()?.get(&**key)
                });
                next.collect()
            }
            Step::Index(index) => reached
                .iter()
                .filter_map(|value| value.as_array()?.get(*index))
                .collect(),
            Step::Any => {
                let mut all = Vec::new();
                for list in reached.iter().filter_map(|value| value.as_array()) {
                    steps.take(list.len())?;
                    all.extend(list);
                }
                all
            }
        };
        // Only references lead to one value on several ways.
        if before > 1 && reference == Reference::One {
            let mut known = HashSet::new();
            reached.retain(|value| known.insert(std::ptr::from_ref(*value)));
        }
        reference = match step {
            Step::Key(key) if key.ends_with("_ref") => Reference::One,
            Step::Key(key) if key.ends_with("_refs") => Reference::List,
            Step::Key(_) => Reference::No,
            Step::Index(_) | Step::Any if reference == Reference::List => Reference::One,
            Step::Index(_) | Step::Any => Reference::No,
        };
    }
    let last = match path.last() {
        Some(Step::Key(key)) => key,
        _ => "",
    };
    reached
        .into_iter()
        .map(|value| place(last, value))
        .collect()
}

/// A value; decoded, when the name of the property says that it is bytes as text.
fn place<'v>(key: &str, value: &'v Value) -> Result<Place<'v>, MatchError> {
    let Value::String(text) = value else {
        return Ok(Place::Value(value));
    };
    let (decoded, name) = match key {
        _ if key.ends_with("_hex") => (hex(text), "hexadecimal"),
        _ if key.ends_with("_bin") => (base64(text), "base64"),
        _ => return Ok(Place::Value(value)),
    };
    let bytes = decoded.ok_or_else(|| {
        let key: String = key.chars().take(80).collect();
        let what = format!("a property {key} holds no {name}");
        MatchError::data(what, "correct the observed data")
    });
    bytes.map(Place::Bytes)
}
