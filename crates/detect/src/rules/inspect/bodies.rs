//! When bodies and files are looked at that are not complete.

use packet::settings::Settings;
use packet::{AppProto, Direction};

/// When bodies and files are looked at that are not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bodies {
    /// With each packet, whatever else is said.
    pub prompt: bool,
    /// When so many bytes are there: of requests, of responses and of mails.
    pub request_bytes_min: usize,
    /// Likewise.
    pub response_bytes_min: usize,
    /// Likewise.
    pub mail_bytes_min: usize,
}

impl Bodies {
    /// From the settings, under which they are looked at as the sensors do that they are written
    /// for.
    #[must_use]
    pub fn from_settings(settings: &Settings, inline: bool) -> Self {
        let http = settings.at("app-layer.protocols.http.libhtp.default-config");
        let mail = settings.at("app-layer.protocols.smtp.inspected-tracker");
        let bytes = |bytes: Option<u64>| {
            let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
            bytes.unwrap_or(32 << 10)
        };
        Self {
            // `auto`, or no word on it
            prompt: http.at("http-body-inline").flag().unwrap_or(inline),
            request_bytes_min: bytes(http.at("request-body-minimal-inspect-size").bytes()),
            response_bytes_min: bytes(http.at("response-body-minimal-inspect-size").bytes()),
            mail_bytes_min: bytes(mail.at("content-inspect-min-size").bytes()),
        }
    }

    /// Whether so many bytes are looked at.
    pub(super) fn is_due(&self, app: AppProto, direction: Direction, len: usize) -> bool {
        let min = match (app, direction) {
            (AppProto::Http | AppProto::Http2 | AppProto::Doh2, Direction::ToServer) => {
                self.request_bytes_min
            }
            (AppProto::Http | AppProto::Http2 | AppProto::Doh2, Direction::ToClient) => {
                self.response_bytes_min
            }
            (AppProto::Smtp, _) => self.mail_bytes_min,
            _ => 0,
        };
        self.prompt || len >= min
    }

    /// Whether what was looked at with `before` bytes is looked at again with `len`: the more there
    /// is, the more must be new, so that nothing is looked at often.
    pub(super) fn has_grown(&self, before: usize, len: usize) -> bool {
        let more = if self.prompt { before / 4 } else { before };
        len > before.saturating_add(more)
    }
}

impl Default for Bodies {
    fn default() -> Self {
        Self {
            prompt: true,
            request_bytes_min: 0,
            response_bytes_min: 0,
            mail_bytes_min: 0,
        }
    }
}

/// Whether settings have files stored that rules name.
pub(super) fn stores_files(settings: &Settings) -> bool {
    let outputs = settings.at("outputs");
    let mut stores = outputs.items().map(|output| output.at("file-store"));
    stores.any(|store| store.at("enabled").flag() == Some(true))
}
