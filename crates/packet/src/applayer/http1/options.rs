//! What the settings say of HTTP/1.

use crate::settings::Settings;

/// Options of the parser.
#[derive(Debug, Clone)]
pub struct Options {
    /// Most decoded bytes of a request body that are inspected and followed as a file; 0 for all.
    pub request_body_max: u64,
    /// Most decoded bytes of a response body, likewise.
    pub response_body_max: u64,
    /// Most layers of content coding that are taken off.
    pub layers_max: usize,
    /// Decode the path of a target twice.
    pub double_decode_path: bool,
    /// Decode the query of a target twice.
    pub double_decode_query: bool,
    /// `+` in a query stands for a space.
    pub plus_is_space: bool,
    /// The normalised URI begins with scheme and host where they were sent.
    pub uri_include_all: bool,
    /// Take off LZMA.
    pub lzma: bool,
    /// Most memory for an LZMA dictionary, bytes.
    pub lzma_mem_max: usize,
    /// Most decoded bytes of a body once they are more than [`BOMB_RATIO_MAX`] times what was sent.
    pub bomb_bytes_max: u64,
    /// Most header fields of a head.
    pub headers_max: usize,
    /// Most bytes of a start line or header field.
    pub field_bytes_max: usize,
}

/// Times that a decoded body may be larger than what was sent.
pub const BOMB_RATIO_MAX: u64 = 2048;

impl Default for Options {
    fn default() -> Self {
        Self {
            request_body_max: 100 << 10,
            response_body_max: 100 << 10,
            layers_max: 2,
            double_decode_path: false,
            double_decode_query: false,
            plus_is_space: false,
            uri_include_all: false,
            lzma: false,
            lzma_mem_max: 1 << 20,
            bomb_bytes_max: 1 << 20,
            headers_max: 1024,
            field_bytes_max: 18_000,
        }
    }
}

impl Options {
    /// From `app-layer.protocols.http.libhtp.default-config`.
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let http = settings.at("app-layer.protocols.http.libhtp.default-config");
        let mut default = Self::default();
        if http.is_set() {
            // as sensors of the field have it where the limits are left out
            (default.request_body_max, default.response_body_max) = (4096, 4096);
        }
        let bytes = |name: &str, default: u64| http.at(name).bytes().unwrap_or(default);
        let size = |name: &str, default: usize| {
            let bytes = http.at(name).bytes();
            bytes.map_or(default, |bytes| usize::try_from(bytes).unwrap_or(default))
        };
        let flag = |name: &str| http.at(name).flag().unwrap_or(false);
        Self {
            request_body_max: bytes("request-body-limit", default.request_body_max),
            response_body_max: bytes("response-body-limit", default.response_body_max),
            layers_max: size("response-body-decompress-layer-limit", default.layers_max),
            double_decode_path: flag("double-decode-path"),
            double_decode_query: flag("double-decode-query"),
            plus_is_space: flag("query-plusspace-decode"),
            uri_include_all: flag("uri-include-all"),
            lzma: flag("lzma-enabled"),
            lzma_mem_max: size("lzma-memlimit", default.lzma_mem_max),
            bomb_bytes_max: bytes("compression-bomb-limit", default.bomb_bytes_max),
            headers_max: size("headers-limit", default.headers_max),
            field_bytes_max: size("meta-field-limit", default.field_bytes_max),
        }
    }
}
