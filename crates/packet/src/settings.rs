//! Settings as sensors of the field write them: a tree of YAML, asked by dotted paths.
//!
//! The names and their meaning are those of `suricata.yaml`, so that who has one brings it along.
//! This module reads the tree; what a setting means stands where it is used.

use yaml_rust2::parser::{Event, EventReceiver, Parser};
use yaml_rust2::{Yaml, YamlLoader};

/// Deepest nesting taken.
pub const DEPTH_MAX: usize = 32;
/// Most aliases taken: each is a copy of what it stands for, aliases within it included.
pub const ALIASES_MAX: usize = 16;

/// A tree of settings.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    root: Node,
}

/// One place of the tree. Scalars keep the text that they were written as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Node {
    #[default]
    Nothing,
    Text(String),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

/// Why settings cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No YAML.
    #[error("not YAML: {0}")]
    Yaml(#[from] yaml_rust2::ScanError),
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// More than [`ALIASES_MAX`] aliases.
    #[error("more than {ALIASES_MAX} aliases: write out what they stand for")]
    TooManyAliases,
    /// An assignment without `=`.
    #[error("{0:?} is no assignment: write KEY=VALUE, as in stream.midstream=true")]
    NoAssignment(String),
}

impl Settings {
    /// Reads YAML; nothing in it means that nothing is set.
    ///
    /// # Errors
    /// What is wrong with the text, with line and column.
    pub fn parse(yaml: &str) -> Result<Self, SettingsError> {
        let mut aliases = Aliases(0);
        Parser::new_from_str(yaml).load(&mut aliases, true)?;
        if aliases.0 > ALIASES_MAX {
            return Err(SettingsError::TooManyAliases);
        }
        let documents = YamlLoader::load_from_str(yaml)?;
        let root = documents.into_iter().next();
        let root = root.map_or(Ok(Node::Nothing), |root| node(root, 0))?;
        Ok(Self { root })
    }

    /// Sets one value over what is there: `stream.midstream=true`; list items are named by number.
    ///
    /// # Errors
    /// An assignment without `=`.
    pub fn set(&mut self, assignment: &str) -> Result<(), SettingsError> {
        let Some((path, value)) = assignment.split_once('=') else {
            return Err(SettingsError::NoAssignment(assignment.to_owned()));
        };
        let mut path = path.trim().split('.').take(DEPTH_MAX);
        self.root.assign(&mut path, value.trim());
        Ok(())
    }

    /// All of it.
    #[must_use]
    pub fn root(&self) -> Setting<'_> {
        Setting(Some(&self.root))
    }

    /// What stands at a dotted path.
    #[must_use]
    pub fn at(&self, path: &str) -> Setting<'_> {
        self.root().at(path)
    }
}

/// Counts aliases.
struct Aliases(usize);

impl EventReceiver for Aliases {
    fn on_event(&mut self, event: Event) {
        self.0 = self
            .0
            .saturating_add(usize::from(matches!(event, Event::Alias(_))));
    }
}

/// What stands at one place, if anything.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a>(Option<&'a Node>);

impl<'a> Setting<'a> {
    /// Nothing.
    pub const NOTHING: Setting<'static> = Setting(None);

    /// What stands at a dotted path below.
    #[must_use]
    pub fn at(self, path: &str) -> Self {
        path.split('.').fold(self, |setting, key| {
            Self(setting.0.and_then(|node| node.find(key)))
        })
    }

    /// A copy of what stands here and below.
    #[must_use]
    pub fn to_settings(self) -> Settings {
        Settings {
            root: self.0.cloned().unwrap_or_default(),
        }
    }

    /// Whether anything stands here.
    #[must_use]
    pub fn is_set(self) -> bool {
        self.0.is_some_and(|node| *node != Node::Nothing)
    }

    /// Whether there is no such place: everything is as its default, not as an empty entry has it.
    #[must_use]
    pub fn is_absent(self) -> bool {
        self.0.is_none()
    }

    /// The scalar here.
    #[must_use]
    pub fn text(self) -> Option<&'a str> {
        match self.0? {
            Node::Text(text) => Some(text),
            Node::Nothing | Node::List(_) | Node::Map(_) => None,
        }
    }

    /// Yes or no, as YAML 1.1 has it.
    #[must_use]
    pub fn flag(self) -> Option<bool> {
        match self.text()?.to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" | "1" => Some(true),
            "no" | "false" | "off" | "0" => Some(false),
            _ => None,
        }
    }

    /// A number.
    #[must_use]
    pub fn number(self) -> Option<u64> {
        self.text()?.trim().parse().ok()
    }

    /// A size in bytes: `65536`, `64kb`, `1 MiB`.
    #[must_use]
    pub fn bytes(self) -> Option<u64> {
        let text = self.text()?.trim().to_ascii_lowercase();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits)?;
        let scale = match unit.trim() {
            "" | "b" => 0,
            "k" | "kb" | "kib" => 10,
            "m" | "mb" | "mib" => 20,
            "g" | "gb" | "gib" => 30,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(1_u64 << scale)
    }

    /// The items of a list; of a scalar, itself.
    pub fn items(self) -> impl Iterator<Item = Setting<'a>> {
        let items = match self.0 {
            Some(Node::List(items)) => items.as_slice(),
            Some(node @ Node::Text(_)) => std::slice::from_ref(node),
            Some(Node::Nothing | Node::Map(_)) | None => &[],
        };
        items.iter().map(|item| Setting(Some(item)))
    }

    /// The entries of a map, in the order written; an item that is a scalar is a key with nothing
    /// behind it. Lists of one-entry maps, as in `outputs`, are read with [`Setting::items`] first.
    pub fn entries(self) -> impl Iterator<Item = (&'a str, Setting<'a>)> {
        let (entries, lone) = match self.0 {
            Some(Node::Map(entries)) => (entries.as_slice(), None),
            Some(Node::Text(text)) => (&[][..], Some((text.as_str(), Setting(None)))),
            Some(Node::Nothing | Node::List(_)) | None => (&[][..], None),
        };
        let entries = entries.iter();
        entries
            .map(|(key, node)| (key.as_str(), Setting(Some(node))))
            .chain(lone)
    }
}

impl Node {
    fn find(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => {
                let found = entries.iter().rfind(|(name, _)| name == key);
                found.map(|(_, node)| node)
            }
            Self::List(items) => items.get(key.parse::<usize>().ok()?),
            Self::Nothing | Self::Text(_) => None,
        }
    }

    /// Puts a text at the end of a path, making what is missing on the way.
    fn assign<'p>(&mut self, path: &mut impl Iterator<Item = &'p str>, value: &str) {
        let Some(key) = path.next() else {
            *self = Self::Text(value.to_owned());
            return;
        };
        if let Self::List(items) = self
            && let Some(item) = key.parse().ok().and_then(|at: usize| items.get_mut(at))
        {
            return item.assign(path, value);
        }
        if !matches!(self, Self::Map(_)) {
            *self = Self::Map(Vec::new());
        }
        let Self::Map(entries) = self else { return };
        match entries.iter_mut().rfind(|(name, _)| name == key) {
            Some((_, node)) => node.assign(path, value),
            None => {
                let mut node = Self::Nothing;
                node.assign(path, value);
                entries.push((key.to_owned(), node));
            }
        }
    }
}

fn node(yaml: Yaml, depth: usize) -> Result<Node, SettingsError> {
    if depth > DEPTH_MAX {
        return Err(SettingsError::TooDeep);
    }
    let deeper = depth.saturating_add(1);
    Ok(match yaml {
        Yaml::String(text) | Yaml::Real(text) => Node::Text(text),
        Yaml::Integer(number) => Node::Text(number.to_string()),
        Yaml::Boolean(flag) => Node::Text(flag.to_string()),
        Yaml::Array(items) => {
            let items = items.into_iter().map(|item| node(item, deeper));
            Node::List(items.collect::<Result<_, _>>()?)
        }
        Yaml::Hash(entries) => {
            let mut map = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                if let Node::Text(key) = node(key, deeper)? {
                    map.push((key, node(value, deeper)?));
                }
            }
            Node::Map(map)
        }
        Yaml::Null | Yaml::BadValue | Yaml::Alias(_) => Node::Nothing,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "%YAML 1.1\n---\nstream:\n  midstream: yes\n  memcap: 64 MiB\noutputs:\n  \
        - eve-log:\n      enabled: yes\n      types:\n        - dns\n        - http:\n            extended: no\n";

    #[test]
    fn settings_are_found_by_their_path() {
        let settings = Settings::parse(YAML).unwrap();
        assert_eq!(settings.at("stream.midstream").flag(), Some(true));
        assert_eq!(settings.at("stream.memcap").bytes(), Some(64 << 20));
        assert_eq!(settings.at("stream.depth").text(), None);
        let types: Vec<_> = settings.at("outputs.0.eve-log.types").items().collect();
        let names: Vec<_> = types.iter().flat_map(|entry| entry.entries()).collect();
        assert_eq!(names[0].0, "dns");
        assert_eq!(names[1].1.at("extended").flag(), Some(false));
    }

    #[test]
    fn an_assignment_goes_over_what_is_there() {
        let mut settings = Settings::parse(YAML).unwrap();
        for assignment in [
            "stream.midstream=false",
            "a.b = 7",
            "outputs.0.eve-log.enabled=no",
        ] {
            settings.set(assignment).unwrap();
        }
        assert_eq!(settings.at("stream.midstream").flag(), Some(false));
        assert_eq!(settings.at("stream.memcap").bytes(), Some(64 << 20));
        assert_eq!(settings.at("a.b").number(), Some(7));
        assert_eq!(settings.at("outputs.0.eve-log.enabled").flag(), Some(false));
        assert!(settings.set("stream").is_err());
    }

    #[test]
    fn what_is_no_yaml_says_where() {
        let error = Settings::parse("a: [1\nb: }").unwrap_err().to_string();
        assert!(error.contains("line"), "{error}");
    }

    #[test]
    fn aliases_do_not_multiply() {
        let few = Settings::parse("a: &a [1, 2]\nb: *a").unwrap();
        assert_eq!(few.at("b").items().count(), 2);
        let nine = |name| [name; 9].join(", ");
        let many = format!("a: &a [1]\nb: &b [{}]\nc: [{}]", nine("*a"), nine("*b"));
        let refused = Settings::parse(&many);
        assert!(matches!(refused, Err(SettingsError::TooManyAliases)));
    }
}
