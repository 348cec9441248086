//! Attacks in requests: how they are written otherwise and mean the same.
//!
//! An attack is kept as what the interpreter behind the application gets ([`Web::text`]), the
//! encodings that the application undoes on the way to it, and the place in the request. Mutations
//! change one of these, so that any order of them makes a request that can be read back: decoding
//! by other code than encoded must give the same text, and texts must have the same normal form.

mod carriage;
mod layer;
mod request;
mod script;
mod sql;
mod table;
mod text;

use features::Request;
pub use layer::Layer;
pub use request::{Body, Frame, Pair, Place, Spelling, Wire};
pub(crate) use table::TABLE;
pub use text::Dialect;

/// Encodings around a value at most; an application that decodes more often is not known.
const LAYERS_MAX: usize = 5;
/// Bytes of a request that is made.
const BYTES_MAX: usize = 1 << 20;

/// A request with an attack, or with a harmless value in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Web {
    /// What the interpreter behind the application gets.
    pub text: Vec<u8>,
    /// Its language.
    pub dialect: Dialect,
    /// Encodings around it, from the inside.
    pub layers: Vec<Layer>,
    /// How it is written in its place.
    pub spelling: Spelling,
    /// The place.
    pub place: Place,
    /// Its name there.
    pub name: Vec<u8>,
    /// The rest of the request.
    pub frame: Frame,
}

impl Web {
    /// The values of a request that may be the attacked one, each with the rest around it.
    #[must_use]
    pub fn of(request: &Request<'_>, malicious: bool) -> Vec<Self> {
        let found = request::found(request).into_iter();
        found
            .map(|found| Self {
                dialect: match malicious {
                    true => Dialect::of(&found.value),
                    false => Dialect::Prose,
                },
                text: found.value,
                layers: Vec::new(),
                spelling: Spelling::Plain,
                place: found.place,
                name: found.name,
                frame: found.frame,
            })
            .collect()
    }

    /// The value as a parameter of a request that has nothing else.
    #[must_use]
    pub fn alone(&self) -> Self {
        Self {
            place: Place::Query,
            name: b"q".to_vec(),
            frame: Frame {
                method: b"GET".to_vec(),
                path: b"/".to_vec(),
                ..Frame::default()
            },
            ..self.clone()
        }
    }

    /// The value as it is handed to its place: the text in all its encodings.
    #[must_use]
    pub fn value(&self) -> Option<Vec<u8>> {
        let mut value = self.text.clone();
        for layer in &self.layers {
            value = layer.encode(&value)?;
            if value.len() > BYTES_MAX {
                return None;
            }
        }
        Some(value)
    }

    /// The request; `None` where the value cannot stand in its place.
    #[must_use]
    pub fn wire(&self) -> Option<Wire> {
        let value = self.value()?;
        request::write(&self.frame, self.place, &self.name, &value, self.spelling)
    }

    /// Whether an application that undoes the encodings gets the text out of the request.
    #[must_use]
    pub fn reads_back(&self) -> bool {
        let read = self.wire().and_then(|wire| {
            let mut value = request::read(&wire, self.place, &self.name)?;
            // a path begins with a slash, whatever the value does
            if self.place == Place::Path && !self.value()?.starts_with(b"/") {
                value.remove(0);
            }
            for layer in self.layers.iter().rev() {
                value = layer.decode(&value)?;
            }
            Some(value)
        });
        read.is_some_and(|read| read == self.text)
    }
}

/// Undoes percent encoding.
pub(crate) fn unescaped(text: &[u8]) -> Vec<u8> {
    request::unescaped(text, false)
}
