//! What the settings say of DNP3.

use crate::settings::Settings;

/// Bounds of the DNP3 parser, from `app-layer.protocols.dnp3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Most points of one object header (`max-points`); headers that announce more are not read.
    pub points_max: u32,
    /// Most object headers of one fragment (`max-objects`).
    pub objects_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            points_max: 16_384,
            objects_max: 2048,
        }
    }
}

impl Options {
    /// From the settings; what they do not say is as in [`Options::default`].
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let dnp3 = settings.at("app-layer.protocols.dnp3");
        let defaults = Self::default();
        let points_max = dnp3.at("max-points").number();
        let objects_max = dnp3.at("max-objects").number();
        Self {
            points_max: points_max
                .and_then(|max| u32::try_from(max).ok())
                .unwrap_or(defaults.points_max),
            objects_max: objects_max
                .and_then(|max| usize::try_from(max).ok())
                .unwrap_or(defaults.objects_max),
        }
    }
}
