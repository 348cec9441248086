//! `flowbits`: bits of a flow.

use super::names::Names;
use super::option::{Field, OptionError};

/// Most bits that a flow holds, and most numbers.
pub const PER_FLOW_MAX: usize = 4_096;

/// Most bits in a list.
pub const LIST_MAX: usize = 256;

/// What a `flowbits` option does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowBit {
    /// `isset,a|b`: matches when one of the bits is set.
    IsSet(Box<[u32]>),
    /// `isnotset,a|b`: matches when one of the bits is not set.
    IsNotSet(Box<[u32]>),
    /// Sets the bit.
    Set(u32),
    /// Takes the bit back.
    Unset(u32),
    /// Sets the bit when it is not set, and takes it back when it is.
    Toggle(u32),
    /// Writes a list, which Suricata reads and does not do: `set,a|b` sets neither.
    Nothing,
    /// The rule does not alert.
    NoAlert,
}

/// Reads the value of a `flowbits` option. `&` is part of a name, as it is to Suricata 8.0.
///
/// # Errors
/// An unknown command, a name that is missing or has white space, a list beyond [`LIST_MAX`].
pub fn parse(value: &str, names: &mut Names) -> Result<FlowBit, OptionError> {
    let (command, list) = Field::new(0, value).split_once(',');
    if command.text == "noalert" {
        return match list {
            Some(list) => Err(list.error("noalert takes no name")),
            None => Ok(FlowBit::NoAlert),
        };
    }
    let known = ["set", "unset", "toggle", "isset", "isnotset"].contains(&command.text);
    if !known {
        return Err(command.error(format!("{:?} is no command of flowbits", command.text)));
    }
    let list = list.ok_or_else(|| command.error("a name is expected"))?;
    let bits = bits(list, names)?;
    Ok(match (command.text, &*bits) {
        ("isset", _) => FlowBit::IsSet(bits),
        ("isnotset", _) => FlowBit::IsNotSet(bits),
        ("set", [bit]) => FlowBit::Set(*bit),
        ("unset", [bit]) => FlowBit::Unset(*bit),
        ("toggle", [bit]) => FlowBit::Toggle(*bit),
        _ => FlowBit::Nothing,
    })
}

fn bits(list: Field<'_>, names: &mut Names) -> Result<Box<[u32]>, OptionError> {
    let mut bits = Vec::new();
    for field in list.split('|').filter(|field| !field.text.is_empty()) {
        if bits.len() >= LIST_MAX {
            return Err(field.error("too many names in one list"));
        }
        let bit = field.name(names)?;
        if !bits.contains(&bit) {
            bits.push(bit);
        }
    }
    if bits.is_empty() {
        return Err(list.error("a name is expected"));
    }
    Ok(bits.into())
}

/// The bits of a flow, or of a transaction. None set takes no memory beyond its own size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowBits {
    /// In ascending order.
    set: Box<[u32]>,
}

impl FlowBits {
    /// Whether a bit is set.
    #[must_use]
    pub fn is_set(&self, bit: u32) -> bool {
        self.set.binary_search(&bit).is_ok()
    }

    /// Whether no bit is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// The bits that are set, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.set.iter().copied()
    }

    /// Sets a bit. False when there are [`PER_FLOW_MAX`] others, for the caller to count.
    pub fn set(&mut self, bit: u32) -> bool {
        let Err(at) = self.set.binary_search(&bit) else {
            return true;
        };
        if self.set.len() >= PER_FLOW_MAX {
            return false;
        }
        let mut set = std::mem::take(&mut self.set).into_vec();
        set.reserve_exact(1);
        set.insert(at, bit);
        self.set = set.into();
        true
    }

    /// Takes a bit back.
    pub fn unset(&mut self, bit: u32) {
        if let Ok(at) = self.set.binary_search(&bit) {
            let mut set = std::mem::take(&mut self.set).into_vec();
            set.remove(at);
            self.set = set.into();
        }
    }

    /// Whether an option lets its rule match; what writes always does.
    #[must_use]
    pub fn check(&self, option: &FlowBit) -> bool {
        match option {
            FlowBit::IsSet(bits) => bits.iter().any(|bit| self.is_set(*bit)),
            FlowBit::IsNotSet(bits) => bits.iter().any(|bit| !self.is_set(*bit)),
            FlowBit::Set(_)
            | FlowBit::Unset(_)
            | FlowBit::Toggle(_)
            | FlowBit::Nothing
            | FlowBit::NoAlert => true,
        }
    }

    /// Does what an option writes, after its rule matched. False when the flow is full, for the
    /// caller to count.
    pub fn apply(&mut self, option: &FlowBit) -> bool {
        match option {
            FlowBit::Set(bit) => return self.set(*bit),
            FlowBit::Toggle(bit) if !self.is_set(*bit) => return self.set(*bit),
            FlowBit::Unset(bit) | FlowBit::Toggle(bit) => self.unset(*bit),
            FlowBit::IsSet(_) | FlowBit::IsNotSet(_) | FlowBit::Nothing | FlowBit::NoAlert => {}
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn option(value: &str, names: &mut Names) -> FlowBit {
        parse(value, names).unwrap()
    }

    #[test]
    fn commands() {
        let mut names = Names::default();
        assert_eq!(option("set,a", &mut names), FlowBit::Set(0));
        assert_eq!(option("unset, a", &mut names), FlowBit::Unset(0));
        assert_eq!(option(" toggle , b ", &mut names), FlowBit::Toggle(1));
        assert_eq!(
            option("isset,a | b|", &mut names),
            FlowBit::IsSet([0, 1].into())
        );
        assert_eq!(
            option("isnotset,b||a|b", &mut names),
            FlowBit::IsNotSet([1, 0].into())
        );
        assert_eq!(option("set,a|b", &mut names), FlowBit::Nothing);
        assert_eq!(option("noalert", &mut names), FlowBit::NoAlert);
        // These are names to Suricata too.
        for name in ["a&b", "a,b", "\"a\"", "!a", "traffic/id/mozilla", "a.b-c:d"] {
            let bit = option(&format!("set,{name}"), &mut names);
            assert_eq!(bit, FlowBit::Set(names.get(name).unwrap()), "{name}");
        }
    }

    #[test]
    fn refused_with_the_place() {
        let mut names = Names::default();
        for (value, at) in [
            ("SET,a", 0),
            ("set", 0),
            ("isset,", 6),
            ("isset, | ", 7),
            ("set,a b", 4),
            ("noalert,a", 8),
            ("reset", 0),
            ("isset,a|b c", 8),
            ("", 0),
        ] {
            assert_eq!(parse(value, &mut names).unwrap_err().at, at, "{value}");
        }
        let long = format!("isset,{}", vec!["a"; 100_000].join("|"));
        assert_eq!(option(&long, &mut names), FlowBit::IsSet([0].into()));
        let many: Vec<_> = (0..=LIST_MAX).map(|n| n.to_string()).collect();
        assert!(parse(&format!("isset,{}", many.join("|")), &mut names).is_err());
    }

    #[test]
    fn lists_of_checks_are_any() {
        let mut names = Names::default();
        let mut bits = FlowBits::default();
        assert!(bits.apply(&option("set,a", &mut names)));
        for (check, matches) in [
            ("isset,a", true),
            ("isset,b", false),
            ("isset,b|a", true),
            ("isset,b|c", false),
            ("isnotset,a", false),
            ("isnotset,a|b", true),
            ("isnotset,b|c", true),
        ] {
            assert_eq!(bits.check(&option(check, &mut names)), matches, "{check}");
        }
    }

    #[test]
    fn a_flow_is_bounded() {
        let mut bits = FlowBits::default();
        let taken = (0..10_000).filter(|bit| bits.apply(&FlowBit::Set(*bit)));
        assert_eq!(taken.count(), PER_FLOW_MAX);
        bits.unset(3);
        assert!(bits.set(9_999));
        assert!(!bits.apply(&FlowBit::Toggle(3)));
    }

    proptest! {
        #[test]
        fn behaves_like_a_set(operations in prop::collection::vec((0u8..4, 0u32..9), 0..100)) {
            let (mut bits, mut model) = (FlowBits::default(), HashSet::new());
            for (operation, bit) in operations {
                match operation {
                    0 => {
                        bits.apply(&FlowBit::Set(bit));
                        model.insert(bit);
                    }
                    1 => {
                        bits.apply(&FlowBit::Unset(bit));
                        model.remove(&bit);
                    }
                    2 => {
                        bits.apply(&FlowBit::Toggle(bit));
                        if !model.remove(&bit) {
                            model.insert(bit);
                        }
                    }
                    _ => {
                        let list = [bit, bit.wrapping_add(1)];
                        let any = list.iter().any(|bit| model.contains(bit));
                        prop_assert_eq!(bits.check(&FlowBit::IsSet(list.into())), any);
                        let all = list.iter().all(|bit| model.contains(bit));
                        prop_assert_eq!(bits.check(&FlowBit::IsNotSet(list.into())), !all);
                    }
                }
                prop_assert_eq!(bits.is_empty(), model.is_empty());
                prop_assert_eq!(bits.iter().collect::<HashSet<_>>(), model.clone());
            }
        }
    }
}
