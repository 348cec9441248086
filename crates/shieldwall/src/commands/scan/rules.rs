//! The rules that are looked for.

use std::sync::Arc;

use detect::rules::state::Names;
use detect::rules::{Inspector, Options, RuleSet};
use packet::settings::Settings;
use shield::rules::{Read, Wanted};

use super::engine::{EngineLog, Level};

use crate::{cli::Scan, outcome::Failure, text::complain};

/// Compiled rules, and how they are applied.
pub(super) struct Rules {
    set: Option<Arc<RuleSet>>,
    options: Options,
}

/// Most refused rules that are shown with their reasons.
const SHOWN_MAX: usize = 20;

impl Rules {
    /// Reads the rules that were named. Those that are refused are named; the others stand.
    pub(super) fn read(
        args: &Scan,
        settings: Option<&Settings>,
        engine: &mut EngineLog,
    ) -> Result<Self, Failure> {
        let options = settings.map_or_else(
            || Options {
                inline: args.inline,
                ..Options::default()
            },
            |settings| Options::from_settings(settings, args.inline),
        );
        if args.rules.is_empty() {
            return Ok(Self { set: None, options });
        }
        let nothing = Settings::default();
        let wanted = Wanted {
            files: &args.rules,
            settings: settings.unwrap_or(&nothing),
            configured: args.config.is_some(),
        };
        let read = shield::rules::read(&wanted, &mut Names::default())
            .map_err(|(path, error)| Failure::input(path.display(), error))?;
        tell(&read, engine);
        let set = Some(Arc::new(read.set));
        Ok(Self { set, options })
    }

    /// What must be worked out of files for the rules.
    pub(super) fn digests(&self) -> packet::Digests {
        self.set
            .as_ref()
            .map_or_else(packet::Digests::default, |set| set.digests())
    }

    /// Whether a rule has files stored.
    pub(super) fn stores(&self) -> bool {
        self.set.as_ref().is_some_and(|set| set.stores())
    }

    /// One that judges by the rules, if there are any.
    pub(super) fn inspector(&self) -> Option<Inspector> {
        let set = self.set.as_ref()?;
        Some(Inspector::new(self.options.clone(), Arc::clone(set)))
    }
}

/// Says which rules are refused, and what of the files that they and the settings name is no value.
fn tell(read: &Read, engine: &mut EngineLog) {
    for note in &read.notes {
        complain(format_args!("{note}"));
    }
    for warning in &read.warnings {
        complain(format_args!("{warning}"));
        engine.say(Level::Warning, "datasets", warning);
    }
    for diagnostic in &read.refused {
        engine.say(Level::Error, "detect", &diagnostic.to_string());
    }
    for diagnostic in read.refused.iter().take(SHOWN_MAX) {
        complain(format_args!("{diagnostic}"));
    }
    if read.refused.len() > SHOWN_MAX {
        let more = read.refused.len().saturating_sub(SHOWN_MAX);
        complain(format_args!(
            "{more} more rules are refused; `shieldwall rules check` lists them"
        ));
    }
}
