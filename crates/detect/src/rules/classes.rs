//! `classification.config` and `reference.config`: what classes of rules and references mean.

use std::collections::HashMap;

/// Priority of a rule that names neither a class nor a priority.
pub(crate) const PRIORITY_UNSTATED: u32 = 3;

/// Classes of rules, and the systems that references point into.
#[derive(Debug, Default)]
pub struct Classes {
    classes: HashMap<String, (String, u32)>,
    references: HashMap<String, String>,
}

impl Classes {
    /// Reads lines `config classification: name,description,priority`. Returns how many lines are
    /// none.
    pub fn read_classes(&mut self, text: &str) -> usize {
        lines(text, "config classification:", |line| {
            let (name, rest) = line.split_once(',')?;
            let (description, priority) = rest.rsplit_once(',')?;
            let priority = priority.trim().parse().ok()?;
            let description = description.trim().to_owned();
            self.classes
                .insert(name.trim().to_ascii_lowercase(), (description, priority));
            Some(())
        })
    }

    /// Reads lines `config reference: name prefix`. Returns how many lines are none.
    pub fn read_references(&mut self, text: &str) -> usize {
        lines(text, "config reference:", |line| {
            let (name, prefix) = line.split_once(char::is_whitespace)?;
            self.references
                .insert(name.trim().to_ascii_lowercase(), prefix.trim().to_owned());
            Some(())
        })
    }

    /// Description and priority of a class.
    pub(crate) fn class(&self, name: &str) -> Option<(&str, u32)> {
        let class = self.classes.get(&name.to_ascii_lowercase());
        class.map(|(description, priority)| (&**description, *priority))
    }

    /// What a reference of a system begins with.
    pub(crate) fn reference(&self, system: &str) -> Option<&str> {
        self.references
            .get(&system.to_ascii_lowercase())
            .map(|prefix| &**prefix)
    }
}

fn lines(text: &str, start: &str, mut read: impl FnMut(&str) -> Option<()>) -> usize {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .filter(|line| {
            let rest = line.strip_prefix(start).map(str::trim);
            rest.and_then(&mut read).is_none()
        })
        .count()
}
