//! What the engine says of itself, as records in a file: `logging.outputs` of the settings.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use packet::eve::Utc;
use packet::json::Object;
use packet::settings::{Setting, Settings};

use crate::outcome::Failure;

/// How grave it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Error,
    Warning,
    Info,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Error => "Error",
            Self::Warning => "Warning",
            Self::Info => "Info",
        }
    }

    /// The least grave that a setting lets through.
    fn least(name: &str) -> Self {
        match name {
            "emergency" | "alert" | "critical" | "error" => Self::Error,
            "warning" | "notice" => Self::Warning,
            _ => Self::Info,
        }
    }
}

/// Files of records that the settings ask for, of type `json`.
#[derive(Debug, Default)]
pub(super) struct EngineLog(Vec<(File, Level)>);

impl EngineLog {
    /// Creates the files in `folder`.
    pub(super) fn open(settings: &Settings, folder: &Path) -> Result<Self, Failure> {
        let usual = settings.at("logging.default-log-level").text();
        let outputs = settings.at("logging.outputs");
        let outputs = outputs.items().flat_map(Setting::entries);
        let outputs = outputs.filter(|(name, output)| {
            *name == "file"
                && output.at("enabled").flag().unwrap_or(false)
                && output.at("type").text() == Some("json")
        });
        let files = outputs.map(|(_, output)| {
            let path = folder.join(output.at("filename").text().unwrap_or("suricata.json"));
            let file = File::create(&path).map_err(|e| Failure::input(path.display(), e))?;
            let level = output.at("level").text().or(usual);
            Ok((file, Level::least(level.unwrap_or("info"))))
        });
        files.collect::<Result<_, Failure>>().map(Self)
    }

    /// Writes a record, as far as its level is asked for. A log that cannot be written stops nothing.
    pub(super) fn say(&mut self, level: Level, module: &str, message: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now_ns = now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX));
        let mut record = String::new();
        Object::write(&mut record, |object| {
            object.display("timestamp", Utc(now_ns));
            object.text("log_level", level.name());
            object.text("event_type", "engine");
            object.object("engine", |object| {
                object.text("message", message);
                object.text("module", module);
            });
        });
        record.push('\n');
        for (file, _) in self.0.iter_mut().filter(|(_, least)| level <= *least) {
            drop(file.write_all(record.as_bytes()));
        }
    }
}
