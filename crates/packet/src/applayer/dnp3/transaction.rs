//! Application fragments.

use super::object::{End, Object, objects};
use super::options::Options;
use crate::bytes::Cursor;

/// Header of the link frame that a fragment began in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkHeader {
    /// Control octet.
    pub control: u8,
    /// Address of the destination.
    pub dst: u16,
    /// Address of the source.
    pub src: u16,
}

/// An application fragment: a request, a response, or a response that nobody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    pub(super) id: u32,
    pub(super) first_ts_ns: u64,
    /// Header of the link frame that it began in.
    pub link: LinkHeader,
    /// Application control octet.
    pub control: u8,
    /// Function code.
    pub function_code: u8,
    /// Internal indications, of responses.
    pub iin: Option<u16>,
    /// Headers of its objects.
    pub objects: Vec<Object>,
    /// What stands behind the application header, where the headers' offsets point into.
    pub data: Vec<u8>,
    /// All objects could be read.
    pub complete: bool,
}

impl Fragment {
    /// Reads a fragment; `None` when its header is cut.
    pub(super) fn parse(link: LinkHeader, data: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(data);
        let (control, function_code) = (cursor.u8()?, cursor.u8()?);
        let iin = if function_code >= RESPONSE {
            Some(cursor.u16()?)
        } else {
            None
        };
        Some(Self {
            id: 0,
            first_ts_ns: 0,
            link,
            control,
            function_code,
            iin,
            objects: Vec::new(),
            data: cursor.rest().to_vec(),
            complete: false,
        })
    }

    /// Reads its objects.
    pub(super) fn read_objects(&mut self, options: Options) -> End {
        let (objects, end) = objects(&self.data, options);
        self.complete = end == End::Complete;
        self.objects = objects;
        end
    }
}

/// Function codes from here on are responses.
const RESPONSE: u8 = 129;
/// A response that nobody asked for.
pub(super) const UNSOLICITED_RESPONSE: u8 = 130;
/// Function code of a confirmation.
pub(super) const CONFIRM: u8 = 0;
