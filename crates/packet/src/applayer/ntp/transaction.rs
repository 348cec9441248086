//! A message, and its record.

use crate::applayer::{AppProto, Transaction};
use crate::bytes::be32;
use crate::flow::Direction;
use crate::json::Object;
use crate::sensor::Part;
use crate::settings::Setting;

/// A message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ntp {
    pub(super) tx_id: u32,
    pub(super) first_ts_ns: u64,
    pub(super) direction: Direction,
    /// Version, 1 to 4.
    pub version: u8,
    /// 1 and 2: between equals; 3: asks; 4: answers; 5: tells all.
    pub mode: u8,
    /// How many hops the source of time is away; 0: not told.
    pub stratum: u8,
    /// The source of time: an address, or letters.
    pub reference_id: [u8; 4],
}

/// Length of the header, bytes.
const HEADER: usize = 48;

impl Ntp {
    /// Reads the header; messages of control (modes 6 and 7) have another one.
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let header = data.get(..HEADER)?;
        let first = *header.first()?;
        let (version, mode) = (first >> 3 & 7, first & 7);
        let is_time = matches!((version, mode), (1..=4, 1..=5));
        is_time.then_some(Self {
            tx_id: 0,
            first_ts_ns: 0,
            direction: Direction::ToServer,
            version,
            mode,
            stratum: *header.get(1)?,
            reference_id: be32(header, 12)?.to_be_bytes(),
        })
    }
}

impl Transaction for Ntp {
    fn app(&self) -> AppProto {
        AppProto::Ntp
    }

    fn id(&self) -> u32 {
        self.tx_id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    fn direction(&self) -> Direction {
        self.direction
    }

    fn parts(&self) -> &'static [Part] {
        Part::of(self.direction())
    }

    fn log(&self, record: &mut Object<'_>, _options: Setting<'_>) {
        let [a, b, c, d] = self.reference_id;
        record.object("ntp", |object| {
            object.number("version", self.version);
            object.number("mode", self.mode);
            object.number("stratum", self.stratum);
            object.text("reference_id", &format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}"));
        });
    }
}
