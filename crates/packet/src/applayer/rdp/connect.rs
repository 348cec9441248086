//! The GCC Conference Create Request ([MS-RDPBCGR] section 2.2.1.3): blocks of data, each with its type
//! and length.

/// Most channels read of a request (section 2.2.1.3.4).
const CHANNELS_MAX: usize = 31;

/// What a client tells of itself and asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connect {
    /// Client core data.
    pub client: Option<Client>,
    /// Names of the channels asked for.
    pub channels: Vec<String>,
}

/// Client core data (section 2.2.1.3.2); what follows a field that is missing is missing too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields of the specification by their names"
)]
pub struct Client {
    pub version: u32,
    pub desktop_width: u16,
    pub desktop_height: u16,
    /// Bits per pixel.
    pub color_depth: u16,
    pub keyboard_layout: u32,
    pub build: u32,
    pub client_name: String,
    pub keyboard_type: u32,
    pub keyboard_subtype: u32,
    pub function_keys: u32,
    pub ime: String,
    pub product_id: Option<u16>,
    pub serial_number: u32,
    /// Flags of its capabilities.
    pub capabilities: Option<u16>,
    pub id: String,
    pub connection_hint: Option<u8>,
    /// Millimetres.
    pub physical_width: Option<u32>,
    pub physical_height: Option<u32>,
    /// Degrees.
    pub desktop_orientation: Option<u16>,
    /// Percent.
    pub scale_factor: Option<u32>,
    pub device_scale_factor: Option<u32>,
}

impl Connect {
    /// Finds the request in a T.125 Connect-Initial: behind Microsoft's key stand its length and the
    /// blocks.
    pub(super) fn find(message: &[u8]) -> Option<Self> {
        let key = memchr::memmem::find(message, b"Duca")?;
        let blocks = message.get(key.checked_add(4)?..)?;
        let mut reader = Reader(match blocks.first()? {
            // PER: two bytes where the top bit is set
            first if first & 0x80 != 0 => blocks.get(2..)?,
            _ => blocks.get(1..)?,
        });
        let mut connect = Self::default();
        while let (Some(kind), Some(len)) = (reader.u16(), reader.u16()) {
            let Some(len) = usize::from(len).checked_sub(4) else {
                break;
            };
            let Some(block) = reader.take(len) else { break };
            match kind {
                CORE => connect.client = Client::read(block).or(connect.client.take()),
                NETWORK => connect.channels = channels(block),
                _ => {}
            }
        }
        Some(connect)
    }
}

impl Client {
    fn read(block: &[u8]) -> Option<Self> {
        let mut reader = Reader(block);
        let mut client = Self {
            version: reader.u32()?,
            desktop_width: reader.u16()?,
            desktop_height: reader.u16()?,
            color_depth: if reader.u16()? == 0xca00 { 4 } else { 8 },
            ..Self::default()
        };
        reader.u16()?;
        client.keyboard_layout = reader.u32()?;
        client.build = reader.u32()?;
        client.client_name = reader.text(32)?;
        client.keyboard_type = reader.u32()?;
        client.keyboard_subtype = reader.u32()?;
        client.function_keys = reader.u32()?;
        client.ime = reader.text(64)?;
        let _ends_early = client.read_optional(&mut reader).is_none();
        Some(client)
    }

    fn read_optional(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        match reader.u16()? {
            0xca00 => self.color_depth = 4,
            0xca01 => self.color_depth = 8,
            0xca02 => self.color_depth = 15,
            0xca03 => self.color_depth = 16,
            0xca04 => self.color_depth = 24,
            _ => return None,
        }
        self.product_id = Some(reader.u16()?);
        self.serial_number = reader.u32()?;
        match reader.u16()? {
            depth @ (4 | 8 | 15 | 16 | 24) => self.color_depth = depth,
            _ => return None,
        }
        reader.u16()?;
        let capabilities = reader.u16()?;
        if capabilities & !CAPABILITIES != 0 {
            return None;
        }
        self.capabilities = Some(capabilities);
        self.id = reader.text(64)?;
        let hint = reader.u8()?;
        self.connection_hint = (1..=7).contains(&hint).then_some(hint);
        reader.u8()?;
        reader.u32()?;
        let physical = |size: &u32| (10..=10_000).contains(size);
        self.physical_width = Some(reader.u32().filter(physical)?);
        self.physical_height = Some(reader.u32().filter(physical)?);
        let angle = reader
            .u16()
            .filter(|angle| matches!(angle, 0 | 90 | 180 | 270));
        self.desktop_orientation = Some(angle?);
        let scale = reader.u32().filter(|scale| (100..=500).contains(scale));
        self.scale_factor = Some(scale?);
        let scale = reader
            .u32()
            .filter(|scale| matches!(scale, 100 | 140 | 180));
        self.device_scale_factor = Some(scale?);
        Some(())
    }
}

/// Client network data (section 2.2.1.3.4).
fn channels(block: &[u8]) -> Vec<String> {
    let mut reader = Reader(block);
    let count = reader.u32().unwrap_or(0);
    let mut names = Vec::new();
    for _ in 0..count {
        let Some(name) = reader.take(8).filter(|_| names.len() < CHANNELS_MAX) else {
            break;
        };
        let end = name.iter().position(|byte| *byte == 0);
        let name = name.get(..end.unwrap_or(name.len())).unwrap_or_default();
        names.push(String::from_utf8_lossy(name).into_owned());
        reader.u32();
    }
    names
}

/// Reads little-endian fields.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    /// A UTF-16 text in a field of so many bytes, up to its end.
    fn text(&mut self, len: usize) -> Option<String> {
        let units = self.take(len)?.as_chunks::<2>().0.iter();
        let units = units.map(|unit| u16::from_le_bytes(*unit));
        let units = units.take_while(|unit| *unit != 0);
        let text = char::decode_utf16(units);
        Some(
            text.map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect(),
        )
    }
}

const CORE: u16 = 0xc001;
const NETWORK: u16 = 0xc003;
/// The flags that are defined.
const CAPABILITIES: u16 = 0x07ff;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_damage() {
        let mut core = vec![
            0x04, 0, 8, 0, 0, 4, 0, 3, 0x01, 0xca, 3, 0xaa, 9, 4, 0, 0, 0x28, 10, 0, 0,
        ];
        core.extend(b"P\0C\0".iter().chain(&[0; 28]));
        core.extend([4, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0]);
        core.extend([0; 64]);
        core.extend([1, 0xca, 1, 0]);
        let mut message = b"\x7f\x65..Duca\x80\0".to_vec();
        message.extend([0x01, 0xc0, u8::try_from(core.len() + 4).unwrap(), 0]);
        message.extend(&core);
        message.extend(b"\x03\xc0\x14\0\x01\0\0\0rdpdr\0\0\0\0\0\0\x80");
        let connect = Connect::find(&message).unwrap();
        let client = connect.client.unwrap();
        assert_eq!((client.desktop_width, client.desktop_height), (1024, 768));
        assert_eq!((client.client_name.as_str(), client.build), ("PC", 2600));
        assert_eq!((client.color_depth, client.product_id), (8, Some(1)));
        assert_eq!(connect.channels, ["rdpdr"]);
        for len in 0..message.len() {
            Connect::find(&message[..len]);
        }
    }
}
