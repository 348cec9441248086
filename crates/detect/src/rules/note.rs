//! What rules note of the bytes that they matched: variables of a flow and of a packet, the context of
//! an alert, entropies. Records show them.

use std::sync::Arc;

use packet::FlowId;
use packet::json::Object;

use super::memory::FlowMemory;

/// Most notes of one walk over a buffer.
pub(crate) const NOTES_MAX: usize = 64;
/// Most bytes of the notes of one walk, and of those of one rule over its buffers: what the context of an
/// alert holds at most.
pub(crate) const NOTES_BYTES_MAX: usize = 64 << 10;
/// Most variables of a flow.
pub(crate) const FLOW_VARIABLES_MAX: usize = 64;
/// Most bytes of the variables of a flow, and of those of a packet.
pub(crate) const VARIABLES_BYTES_MAX: usize = 16 << 10;
/// Most buffers of a flow of which the entropy is kept.
const ENTROPIES_MAX: usize = 64;
/// Bits of flows with these prefixes are labels: where they stand in a record's `traffic`.
const LABELS: [(&str, &str); 2] = [("id", "traffic/id/"), ("label", "traffic/label/")];

/// Something noted while a rule matches; it counts once the rule matched as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    /// A member of the `context` of the alert, its value as JSON.
    Context { key: Arc<str>, json: String },
    /// A variable of the flow.
    Flow { name: Arc<str>, value: Vec<u8> },
    /// A variable of the packet.
    Packet { name: Arc<str>, value: Vec<u8> },
}

impl Note {
    /// Bytes of it.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Context { key, json } => key.len().saturating_add(json.len()),
            Self::Flow { name, value } | Self::Packet { name, value } => {
                name.len().saturating_add(value.len())
            }
        }
    }
}

/// Takes notes together, as far as there is room. False where something was left out, for the caller to
/// count.
pub(crate) fn join(notes: &mut Vec<Note>, more: &mut dyn Iterator<Item = Note>) -> bool {
    let mut bytes = notes.iter().map(Note::len).fold(0, usize::saturating_add);
    let mut is_whole = true;
    for note in more {
        bytes = bytes.saturating_add(note.len());
        if notes.len() >= NOTES_MAX || bytes > NOTES_BYTES_MAX {
            is_whole = false;
            break;
        }
        notes.push(note);
    }
    is_whole
}

/// Variables by name, within bounds.
#[derive(Debug, Default)]
pub(crate) struct Variables(Vec<(Arc<str>, Vec<u8>)>);

impl Variables {
    /// Gives one a value. False where there is no room for it, for the caller to count.
    pub(crate) fn set(&mut self, name: &Arc<str>, value: &[u8]) -> bool {
        let others = self.0.iter().filter(|(known, _)| known != name);
        let sizes = others.map(|(_, value)| value.len());
        let (count, bytes) = sizes.fold((0_usize, value.len()), |(count, bytes), len| {
            (count.saturating_add(1), bytes.saturating_add(len))
        });
        if count >= FLOW_VARIABLES_MAX || bytes > VARIABLES_BYTES_MAX {
            return false;
        }
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value.to_vec(),
            None => self.0.push((Arc::clone(name), value.to_vec())),
        }
        true
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    fn write(&self, object: &mut Object<'_>, key: &str) {
        if !self.is_empty() {
            object.objects(key, &self.0, |object, (name, value)| {
                object.bytes(name, value);
            });
        }
    }
}

/// The latest entropies of buffers of a flow.
#[derive(Debug, Default)]
pub(crate) struct Entropies(Vec<(&'static str, f64)>);

impl Entropies {
    pub(crate) fn set(&mut self, buffer: &'static str, entropy: f64) {
        if let Some((_, known)) = self.0.iter_mut().find(|(known, _)| *known == buffer) {
            *known = entropy;
        } else if self.0.len() < ENTROPIES_MAX {
            self.0.push((buffer, entropy));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn write(&self, object: &mut Object<'_>) {
        if !self.is_empty() {
            object.object("entropy", |object| {
                for (buffer, entropy) in &self.0 {
                    object.float(&buffer.replace('.', "_"), *entropy);
                }
            });
        }
    }
}

/// What is to be said of a flow in its records, and of a packet in those that come with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remembered {
    /// The flow.
    pub flow: Option<FlowId>,
    /// Members of `traffic`, as written.
    pub traffic: String,
    /// Members of `metadata`, as written; none where nothing but labels is known.
    pub metadata: String,
    /// Members of `metadata` of the packet's records alone.
    pub of_packet: String,
}

impl Remembered {
    /// What rules remember. `names` are those of bits and numbers.
    pub(crate) fn of(
        flow: Option<FlowId>,
        memory: &FlowMemory,
        packet: &Variables,
        names: &[Box<str>],
    ) -> Self {
        let name_of = |id: u32| {
            let name = names.get(usize::try_from(id).ok()?)?;
            Some(&**name)
        };
        let bits: Vec<&str> = memory.bits.iter().filter_map(name_of).collect();
        let label = |bit: &str| LABELS.iter().any(|(_, prefix)| bit.starts_with(prefix));
        let traffic = members(|object| {
            for (key, prefix) in LABELS {
                let labels = bits.iter().filter_map(|bit| bit.strip_prefix(prefix));
                let labels: Vec<&str> = labels.collect();
                if !labels.is_empty() {
                    object.texts(key, labels);
                }
            }
        });
        let metadata = members(|object| {
            let bits: Vec<&&str> = bits.iter().filter(|bit| !label(bit)).collect();
            if !bits.is_empty() {
                object.texts("flowbits", bits);
            }
            let ints = memory.ints.iter();
            let ints: Vec<_> = ints
                .filter_map(|(id, value)| Some((name_of(id)?, value)))
                .collect();
            if !ints.is_empty() {
                object.object("flowints", |object| {
                    for (name, value) in ints {
                        object.number(name, value);
                    }
                });
            }
            memory.entropies.write(object);
            memory.variables.write(object, "flowvars");
        });
        Self {
            flow,
            traffic,
            metadata,
            of_packet: members(|object| packet.write(object, "pktvars")),
        }
    }
}

/// The `context` of an alert: members as written, of each key the first.
pub(crate) fn context(notes: &[Note]) -> String {
    let mut told: Vec<&str> = Vec::new();
    members(|object| {
        for note in notes {
            if let Note::Context { key, json } = note
                && !told.contains(&&**key)
            {
                told.push(key);
                object.json(key, json);
            }
        }
    })
}

/// Members of an object without its braces.
fn members(fill: impl FnOnce(&mut Object<'_>)) -> String {
    let mut written = String::new();
    Object::write(&mut written, fill);
    let inner = written.strip_prefix('{');
    let inner = inner.and_then(|inner| inner.strip_suffix('}'));
    inner.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_bounded() {
        let mut variables = Variables::default();
        let name = |number: usize| -> Arc<str> { number.to_string().into() };
        let taken = (0..1000).filter(|number| variables.set(&name(*number), b"v"));
        assert_eq!(taken.count(), FLOW_VARIABLES_MAX);
        assert!(variables.set(&name(3), b"another"));
        assert!(!variables.set(&name(3), &vec![0; VARIABLES_BYTES_MAX]));
        variables.clear();
        assert!(variables.set(&name(3), &vec![0; VARIABLES_BYTES_MAX]));
        assert!(!variables.set(&name(4), b"v"));
    }

    #[test]
    fn labels_stand_apart_from_bits() {
        let names: Vec<Box<str>> = ["a", "traffic/id/web", "traffic/label/x", "traffic/y", "n"]
            .map(Box::from)
            .into();
        let mut memory = FlowMemory::default();
        (0..4).for_each(|bit| assert!(memory.bits.set(bit)));
        assert!(memory.ints.set(4, 7));
        memory.entropies.set("http.uri", 2.5);
        memory.variables.set(&"v".into(), b"a\"b");
        let mut packet = Variables::default();
        packet.set(&"p".into(), b"\xff");
        let said = Remembered::of(None, &memory, &packet, &names);
        assert_eq!(said.traffic, r#""id":["web"],"label":["x"]"#);
        assert_eq!(
            said.metadata,
            r#""flowbits":["a","traffic/y"],"flowints":{"n":7},"entropy":{"http_uri":2.5},"flowvars":[{"v":"a\"b"}]"#
        );
        assert_eq!(said.of_packet, r#""pktvars":[{"p":"\\xff"}]"#);
    }

    #[test]
    fn a_context_has_each_key_once() {
        let note = |key: &str, json: &str| Note::Context {
            key: key.into(),
            json: json.to_owned(),
        };
        let notes = [note("a", r#"{"x":1}"#), note("b", "\"t\""), note("a", "2")];
        assert_eq!(context(&notes), r#""a":{"x":1},"b":"t""#);
    }
}
