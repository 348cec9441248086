//! Settings of SMB: `app-layer.protocols.smb`.

use crate::settings::Settings;

/// Bounds of the parser. Of sizes and counts 0 means: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Most transactions of one flow that are not complete; the oldest is yielded as it is.
    pub transactions_max: usize,
    /// Largest read that is no anomaly, bytes.
    pub read_bytes_max: u32,
    /// Largest write that is no anomaly, bytes.
    pub write_bytes_max: u32,
    /// Most bytes read out of order that are kept of a file.
    pub read_queue_bytes_max: usize,
    /// Most pieces read out of order that are kept of a file.
    pub read_queue_pieces_max: usize,
    /// Most bytes written out of order that are kept of a file.
    pub write_queue_bytes_max: usize,
    /// Most pieces written out of order that are kept of a file.
    pub write_queue_pieces_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            transactions_max: 1024,
            read_bytes_max: 16 << 20,
            write_bytes_max: 16 << 20,
            read_queue_bytes_max: 64 << 20,
            read_queue_pieces_max: 64,
            write_queue_bytes_max: 64 << 20,
            write_queue_pieces_max: 64,
        }
    }
}

impl Options {
    /// From the settings; what they do not say is as in [`Options::default`].
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let smb = settings.at("app-layer.protocols.smb");
        let size = |key: &str, default: u32| {
            let size = smb
                .at(key)
                .bytes()
                .and_then(|size| u32::try_from(size).ok());
            size.unwrap_or(default)
        };
        let count = |key: &str, default: usize| {
            let count = smb.at(key).bytes();
            let count = count.and_then(|count| usize::try_from(count).ok());
            count.unwrap_or(default)
        };
        let default = Self::default();
        Self {
            transactions_max: count("max-tx", default.transactions_max).max(1),
            read_bytes_max: size("max-read-size", default.read_bytes_max),
            write_bytes_max: size("max-write-size", default.write_bytes_max),
            read_queue_bytes_max: count("max-read-queue-size", default.read_queue_bytes_max),
            read_queue_pieces_max: count("max-read-queue-cnt", default.read_queue_pieces_max),
            write_queue_bytes_max: count("max-write-queue-size", default.write_queue_bytes_max),
            write_queue_pieces_max: count("max-write-queue-cnt", default.write_queue_pieces_max),
        }
    }
}
