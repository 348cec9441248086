//! `flowint`: numbers of a flow.

use super::flowbits::PER_FLOW_MAX;
use super::names::Names;
use super::option::{Field, OptionError};

/// What a `flowint` option does, and to which number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowInt {
    /// The number's name.
    pub name: u32,
    /// What is done.
    pub operation: Operation,
}

/// What is done to a number of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Adds, with 32 bits that wrap; a number that has no value gets the operand's.
    Add(Operand),
    /// Subtracts, with 32 bits that wrap; a number that has no value keeps none.
    Subtract(Operand),
    /// Gives a value.
    Assign(Operand),
    /// Matches when the comparison holds; never while the number has no value.
    Compare(Comparison, Operand),
    /// Matches when the number has a value.
    IsSet,
    /// Matches when the number has no value.
    IsNotSet,
}

/// The other side of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A number.
    Value(u32),
    /// The value of another number of the flow; 0 when that has none.
    Name(u32),
}

/// How two numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// Whether `left` compares to `right` like this.
    #[must_use]
    pub fn holds<T: PartialOrd>(self, left: T, right: T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }

    pub(super) fn of(text: &str) -> Option<Self> {
        Some(match text {
            "==" => Self::Equal,
            "!=" => Self::NotEqual,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return None,
        })
    }
}

/// Reads the value of a `flowint` option: `name,operation[,number or name]`.
///
/// # Errors
/// An unknown operation, a missing operand, a number beyond 32 bits, or a name that is not a
/// letter followed by letters, digits, `_` or `.` (no `.` in an operand's).
pub fn parse(value: &str, names: &mut Names) -> Result<FlowInt, OptionError> {
    let (name, rest) = Field::new(0, value).split_once(',');
    let rest = rest.ok_or_else(|| name.error("an operation is expected after the name"))?;
    let (operation, operand) = rest.split_once(',');
    if !is_name(name.text, true) {
        return Err(name.error("a name is a letter, then letters, digits, '_' or '.'"));
    }
    let mut operand = || match operand {
        Some(field) => operand_of(field, names),
        None => Err(operation.error("the operation needs a number or a name")),
    };
    let operation = match operation.text {
        "+" => Operation::Add(operand()?),
        "-" => Operation::Subtract(operand()?),
        "=" => Operation::Assign(operand()?),
        "isset" => Operation::IsSet,
        "isnotset" | "notset" => Operation::IsNotSet,
        text => match Comparison::of(text) {
            Some(comparison) => Operation::Compare(comparison, operand()?),
            None => return Err(operation.error(format!("{text:?} is no operation of flowint"))),
        },
    };
    let name = name.name(names)?;
    Ok(FlowInt { name, operation })
}

fn operand_of(field: Field<'_>, names: &mut Names) -> Result<Operand, OptionError> {
    if is_name(field.text, false) {
        return field.name(names).map(Operand::Name);
    }
    field.number().map(Operand::Value)
}

/// Two characters at least, as to Suricata.
fn is_name(text: &str, dots: bool) -> bool {
    text.len() > 1
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || dots && byte == b'.')
}

/// The numbers of a flow. None takes no memory beyond its own size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowInts {
    /// Names and values, in ascending order of names.
    values: Box<[(u32, u32)]>,
}

impl FlowInts {
    /// The value of a number.
    #[must_use]
    pub fn get(&self, name: u32) -> Option<u32> {
        let at = self.find(name).ok()?;
        self.values.get(at).map(|(_, value)| *value)
    }

    /// Names and values, in ascending order of names.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.values.iter().copied()
    }

    /// Gives a value. False when there are [`PER_FLOW_MAX`] others, for the caller to count.
    pub fn set(&mut self, name: u32, value: u32) -> bool {
        match self.find(name) {
            Ok(at) => {
                if let Some(slot) = self.values.get_mut(at) {
                    slot.1 = value;
                }
            }
            Err(_) if self.values.len() >= PER_FLOW_MAX => return false,
            Err(at) => {
                let mut values = std::mem::take(&mut self.values).into_vec();
                values.reserve_exact(1);
                values.insert(at, (name, value));
                self.values = values.into();
            }
        }
        true
    }

    /// Whether an option lets its rule match; what writes always does.
    #[must_use]
    pub fn check(&self, option: &FlowInt) -> bool {
        let value = self.get(option.name);
        match option.operation {
            Operation::IsSet => value.is_some(),
            Operation::IsNotSet => value.is_none(),
            Operation::Compare(comparison, operand) => {
                value.is_some_and(|value| comparison.holds(value, self.operand(operand)))
            }
            Operation::Add(_) | Operation::Subtract(_) | Operation::Assign(_) => true,
        }
    }

    /// Does what an option writes, after its rule matched. False when the flow is full, for the
    /// caller to count.
    pub fn apply(&mut self, option: &FlowInt) -> bool {
        let value = self.get(option.name);
        let written = match option.operation {
            Operation::Assign(other) => self.operand(other),
            Operation::Add(other) => value.unwrap_or(0).wrapping_add(self.operand(other)),
            Operation::Subtract(other) => match value {
                Some(value) => value.wrapping_sub(self.operand(other)),
                None => return true,
            },
            Operation::Compare(..) | Operation::IsSet | Operation::IsNotSet => return true,
        };
        self.set(option.name, written)
    }

    fn operand(&self, operand: Operand) -> u32 {
        match operand {
            Operand::Value(value) => value,
            Operand::Name(name) => self.get(name).unwrap_or(0),
        }
    }

    fn find(&self, name: u32) -> Result<usize, usize> {
        self.values.binary_search_by_key(&name, |(name, _)| *name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn run(writes: &[&str], check: &str) -> bool {
        let (mut names, mut ints) = (Names::default(), FlowInts::default());
        for write in writes {
            let option = parse(write, &mut names).unwrap();
            assert!(ints.check(&option) && ints.apply(&option), "{write}");
        }
        ints.check(&parse(check, &mut names).unwrap())
    }

    #[test]
    fn comparisons() {
        for (check, matches) in [
            ("vv,==,5", true),
            ("vv, != , 5", false),
            ("vv,>,4", true),
            ("vv,>=,6", false),
            ("vv,<,6", true),
            ("vv,<=,5", true),
            ("vv,isset", true),
            ("vv,isset,", true),
            ("vv,isnotset", false),
            ("ww,notset", true),
            ("ww,==,0", false),
            ("ww,!=,5", false),
            ("vv,==,ww", false),
            ("vv,>,ww", true),
            ("ww,<,vv", false),
            ("vv,==,vv", true),
        ] {
            assert_eq!(run(&["vv,=,5"], check), matches, "{check}");
        }
    }

    #[test]
    fn arithmetic_as_in_suricata() {
        for (writes, check) in [
            (&["vv,+,5"][..], "vv,==,5"),
            (&["vv,-,5"], "vv,isnotset"),
            (&["vv,=,3", "vv,-,5"], "vv,==,4294967294"),
            (&["vv,=,4294967295", "vv,+,5"], "vv,==,4"),
            (&["vv,=,7", "ww,=,vv", "ww,+,vv"], "ww,==,14"),
            (&["vv,=,7", "vv,=,zz"], "vv,==,0"),
            (&["vv,+,zz"], "vv,isset"),
        ] {
            assert!(run(writes, check), "{writes:?} {check}");
        }
    }

    #[test]
    fn refused_with_the_place() {
        let mut names = Names::default();
        for (value, at) in [
            ("aa", 0),
            ("a,+,1", 0),
            ("1a,+,1", 0),
            ("aa b,+,1", 0),
            ("aa-b,+,1", 0),
            ("aa,<>,1", 3),
            ("aa,ISSET", 3),
            ("aa, set", 4),
            ("aa,+", 3),
            ("aa,=,", 5),
            ("aa,=,4294967296", 5),
            ("aa,=, -1", 6),
            ("aa,=,0x10", 5),
            ("aa,=,1b", 5),
            ("aa,==,c.d", 6),
            ("aa,=,99999999999999999999999999", 5),
            ("", 0),
        ] {
            assert_eq!(parse(value, &mut names).unwrap_err().at, at, "{value}");
        }
        assert!(parse("smtp.anomaly.count,+,1", &mut names).is_ok());
    }

    #[test]
    fn a_flow_is_bounded() {
        let mut ints = FlowInts::default();
        let taken = (0..10_000).filter(|name| ints.set(*name, 1));
        assert_eq!(taken.count(), PER_FLOW_MAX);
        assert!(ints.set(5, 2) && !ints.set(20_000, 2));
    }

    proptest! {
        #[test]
        fn behaves_like_a_map(
            operations in prop::collection::vec((0u8..4, 0u32..6, any::<u32>(), 0u32..12), 0..60),
        ) {
            let (mut ints, mut model) = (FlowInts::default(), HashMap::new());
            for (operation, name, number, other) in operations {
                let operand = if other < 6 { Operand::Name(other) } else { Operand::Value(number) };
                let right = if other < 6 { model.get(&other).copied() } else { Some(number) };
                let left = model.get(&name).copied();
                let operation = match operation {
                    0 => {
                        model.insert(name, right.unwrap_or(0));
                        Operation::Assign(operand)
                    }
                    1 => {
                        let sum = left.unwrap_or(0).wrapping_add(right.unwrap_or(0));
                        model.insert(name, sum);
                        Operation::Add(operand)
                    }
                    2 => {
                        if let Some(value) = model.get_mut(&name) {
                            *value = value.wrapping_sub(right.unwrap_or(0));
                        }
                        Operation::Subtract(operand)
                    }
                    _ => Operation::Compare(Comparison::Less, operand),
                };
                let option = FlowInt { name, operation };
                if let Operation::Compare(..) = operation {
                    let holds = left.is_some_and(|left| left < right.unwrap_or(0));
                    prop_assert_eq!(ints.check(&option), holds);
                }
                prop_assert!(ints.apply(&option));
                prop_assert_eq!(ints.iter().collect::<HashMap<_, _>>(), model.clone());
            }
        }
    }
}
