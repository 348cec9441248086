//! The envelope of every message (RFC 4511 section 4.1.1).

use super::operation::Operation;
use crate::applayer::der::{BOOLEAN, INTEGER, OCTETS, Reader, SEQUENCE};

/// A request or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Number that ties answers to their request.
    pub id: u32,
    /// What is asked or answered.
    pub operation: Operation,
    /// What goes along with it.
    pub controls: Vec<Control>,
}

/// A control (RFC 4511 section 4.1.11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Its object identifier, in dots.
    pub kind: Vec<u8>,
    /// The request fails where it is not known.
    pub is_critical: bool,
    /// What it says.
    pub value: Option<Vec<u8>>,
}

/// Most controls read of a message.
pub(super) const CONTROLS_MAX: usize = 64;

impl Message {
    /// Reads one message; `None` where it is damaged.
    pub(super) fn of(data: &[u8]) -> Option<Self> {
        let mut message = Reader::new(data).enter(SEQUENCE)?;
        let id = u32::try_from(message.integer(INTEGER)?).ok()?;
        let operation = Operation::of(message.next()?)?;
        let mut controls = Vec::new();
        if let Some(mut list) = message.enter(CONTROLS) {
            while !list.is_empty() && controls.len() < CONTROLS_MAX {
                controls.push(Control::of(list.enter(SEQUENCE)?)?);
            }
        }
        Some(Self {
            id,
            operation,
            controls,
        })
    }
}

impl Control {
    fn of(mut control: Reader<'_>) -> Option<Self> {
        let kind = control.expect(OCTETS)?.to_vec();
        let is_critical = control
            .expect(BOOLEAN)
            .is_some_and(|body| body.iter().any(|byte| *byte != 0));
        Some(Self {
            kind,
            is_critical,
            value: control.expect(OCTETS).map(<[u8]>::to_vec),
        })
    }
}

/// Tag of the controls.
pub(super) const CONTROLS: u8 = 0xa0;
