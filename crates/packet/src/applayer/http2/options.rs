//! What the settings say of HTTP/2.

use crate::settings::Settings;

/// Options of the parser.
#[derive(Debug, Clone)]
pub struct Options {
    /// Most streams of a connection at a time.
    pub streams_max: usize,
    /// Most bytes of a header table.
    pub table_bytes_max: usize,
    /// Most bytes of the frames of a header block together.
    pub reassembly_bytes_max: usize,
    /// Most decoded bytes of a body once they are far more than what was sent.
    pub bomb_bytes_max: u64,
    /// Look for DNS in it (`app-layer.protocols.doh2.enabled`).
    pub doh: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            streams_max: 4096,
            table_bytes_max: 65_536,
            reassembly_bytes_max: 102_400,
            bomb_bytes_max: 1 << 20,
            doh: true,
        }
    }
}

impl Options {
    /// From `app-layer.protocols.http2`.
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let http2 = settings.at("app-layer.protocols.http2");
        let default = Self::default();
        let size = |name: &str, default: usize| {
            let bytes = http2.at(name).bytes();
            bytes.map_or(default, |bytes| usize::try_from(bytes).unwrap_or(default))
        };
        Self {
            streams_max: size("max-streams", default.streams_max),
            table_bytes_max: size("max-table-size", default.table_bytes_max),
            reassembly_bytes_max: size("max-reassembly-size", default.reassembly_bytes_max),
            bomb_bytes_max: http2
                .at("compression-bomb-limit")
                .bytes()
                .unwrap_or(default.bomb_bytes_max),
            doh: settings
                .at("app-layer.protocols.doh2.enabled")
                .flag()
                .unwrap_or(default.doh),
        }
    }
}
