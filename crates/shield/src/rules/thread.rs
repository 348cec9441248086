//! The thread that keeps rules up to date: it looks for files that changed and at what partners share,
//! compiles, and hands the new set over by one pointer.
//!
//! A set is taken whole or not at all: files that cannot be read, or of which every rule is refused, leave
//! the rules of before in force. A set that is no more in force is given back here, since that takes
//! longer than a packet may wait.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use detect::rules::state::Names;
use detect::rules::{Options, RuleSet};
use packet::settings::{Settings, SettingsError};
use tokio_util::sync::CancellationToken;

use super::files::{FilesError, Stamps, expand};
use super::foreign::Foreign;
use super::partners::Partners;
use super::read::{Wanted, read, side_files};
use super::{InForce, Link};
use crate::clock::Now;
use crate::config;
use crate::guard::Guard;
use crate::journal::{Event, Journal};
use crate::leases::Asker;

/// Most refused rules that are told with their reasons.
const TOLD_MAX: usize = 20;
/// Pause between looks at whether to stop, and at what partners share.
const PAUSE: Duration = Duration::from_millis(50);
/// Pause between looks at the files.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// Rules of partners are compiled for one part in so many of the time at most.
const PARTNERS_SHARE: u32 = 10;

/// Why rules cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// Files cannot be named.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A file cannot be read.
    #[error("{}: {source}; correct [rules] in the shield's configuration", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The settings cannot be read.
    #[error("{}: {source}; correct the file that [rules] config names", path.display())]
    Settings {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: SettingsError,
    },
    /// Every rule is refused.
    #[error("all {refused} rules are refused, first {first}\n`shieldwall rules check` lists them")]
    Refused {
        /// How many.
        refused: usize,
        /// The first of them.
        first: String,
    },
}

/// Asks the thread to read the files anew.
#[derive(Clone, Debug, Default)]
pub struct Handle(Arc<AtomicBool>);

impl Handle {
    /// Has the files read anew, whether they changed or not. What comes of it stands in the journal.
    pub fn reload(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Reads rules and compiles them.
pub(crate) struct Ruler {
    config: config::Rules,
    settings: Settings,
    names: Names,
    link: Link,
    own: Option<Arc<RuleSet>>,
    of_partners: Foreign,
    partners: Arc<Partners>,
    /// The files as they were when they were read, and at the latest look.
    read_at: Stamps,
    seen: Stamps,
    retired: Vec<Arc<RuleSet>>,
}

impl Ruler {
    /// Reads the rules that the configuration names, and tells what is refused.
    pub(crate) fn start(
        config: config::Rules,
        partners: Arc<Partners>,
        journal: &Journal,
    ) -> Result<Self, RulesError> {
        let mut ruler = Self {
            link: Link {
                in_force: Arc::new(ArcSwap::from_pointee(InForce::default())),
                options: Options::default(),
                drops: config.drop,
            },
            config,
            settings: Settings::default(),
            names: Names::default(),
            own: None,
            of_partners: Foreign::default(),
            partners,
            read_at: Stamps::default(),
            seen: Stamps::default(),
            retired: Vec::new(),
        };
        let event = ruler.read_own()?;
        if ruler.config.config.is_some() {
            ruler.link.options = Options {
                // a shield sees copies, whatever the configuration was written for, and stores no file
                inline: false,
                stores_files: false,
                ..Options::from_settings(&ruler.settings, false)
            };
        }
        if !ruler.config.files.is_empty() {
            tell(journal, event);
        }
        Ok(ruler)
    }

    /// What packet threads need.
    pub(crate) fn link(&self) -> Link {
        self.link.clone()
    }

    /// Reads the operator's files and puts their rules in force.
    fn read_own(&mut self) -> Result<Event, RulesError> {
        let started = Instant::now();
        let (settings, configured) = settings(self.config.config.as_deref())?;
        let mut others: Vec<PathBuf> = self.config.config.iter().cloned().collect();
        others.append(&mut side_files(&settings));
        // before they are read: what changes meanwhile is seen at the next look
        self.read_at = Stamps::of(&self.config.files, &others);
        let files = expand(&self.config.files)?;
        let wanted = Wanted {
            files: &files,
            settings: &settings,
            configured,
        };
        let read = read(&wanted, &mut self.names)
            .map_err(|(path, source)| RulesError::File { path, source })?;
        if let Some(first) = read.refused.first().filter(|_| read.set.is_empty()) {
            return Err(RulesError::Refused {
                refused: read.refused.len(),
                first: first.to_string(),
            });
        }
        self.settings = settings;
        let refused_first = read.refused.iter().take(TOLD_MAX);
        let mut notes = [read.notes, read.warnings].concat();
        notes.truncate(TOLD_MAX);
        if read.set.stores() {
            notes.push("a rule has files stored: a shield stores none".to_owned());
        }
        if read.passed_over > 0 {
            let count = read.passed_over;
            notes.push(format!(
                "{count} rules require what is not here, and are passed over as they ask"
            ));
        }
        let event = Event::Rules {
            whose: "own",
            taken: true,
            rules: read.set.len(),
            refused: read.refused.len(),
            refused_first: refused_first.map(ToString::to_string).collect(),
            notes,
            took_ms: millis(started),
        };
        let set = (!read.set.is_empty()).then(|| Arc::new(read.set));
        let before = std::mem::replace(&mut self.own, set);
        self.put_in_force();
        if let (Some(set), Some(before)) = (&self.own, &before) {
            set.take_over(before);
        }
        self.retired.extend(before);
        Ok(event)
    }

    /// Compiles what partners share and puts it in force; tells each refusal once.
    fn take_partners(&mut self, guard: &Guard, anew: bool) {
        let started = Instant::now();
        let wanted = Wanted {
            files: &[],
            settings: &self.settings,
            configured: self.config.config.is_some(),
        };
        let refuse = &mut |asker: &Asker, why| guard.undetectable(asker, why);
        let shared = self.partners.all();
        let before = self.of_partners.take(shared, &wanted, anew, refuse);
        let set = self.of_partners.set();
        let event = Event::Rules {
            whose: "partners",
            taken: true,
            rules: set.as_ref().map_or(0, |set| set.len()),
            refused: self.of_partners.refused(),
            refused_first: Vec::new(),
            notes: Vec::new(),
            took_ms: millis(started),
        };
        self.put_in_force();
        self.retired.extend(before);
        tell(guard.journal(), event);
    }

    fn put_in_force(&self) {
        self.link.in_force.store(Arc::new(InForce {
            own: self.own.clone(),
            partners: self.of_partners.set(),
        }));
    }

    /// Whether files changed and have come to rest: one that is still being written changes again.
    fn has_changed(&mut self) -> bool {
        let mut others: Vec<PathBuf> = self.config.config.iter().cloned().collect();
        others.append(&mut side_files(&self.settings));
        let now = Stamps::of(&self.config.files, &others);
        let rests = now == self.seen;
        self.seen = now;
        rests && self.seen != self.read_at
    }

    fn read_anew(&mut self, guard: &Guard) {
        let started = Instant::now();
        let event = self.read_own().unwrap_or_else(|error| {
            // told once: it is tried again when something changes
            self.read_at = self.seen.clone();
            Event::Rules {
                whose: "own",
                taken: false,
                rules: self.own.as_ref().map_or(0, |set| set.len()),
                refused: 0,
                refused_first: Vec::new(),
                notes: vec![error.to_string()],
                took_ms: millis(started),
            }
        });
        tell(guard.journal(), event);
    }
}

/// Starts the thread; it runs until `stop`.
pub(crate) fn spawn(
    mut ruler: Ruler,
    guard: Arc<Guard>,
    stop: CancellationToken,
) -> std::io::Result<(Handle, JoinHandle<()>)> {
    let handle = Handle::default();
    let asked = Arc::clone(&handle.0);
    let thread = std::thread::Builder::new().name("rules".to_owned());
    let thread = thread.spawn(move || {
        let mut looked = Instant::now();
        let (mut compiled, mut pause) = (Instant::now(), Duration::ZERO);
        let (mut partners_due, mut anew) = (false, false);
        ruler.seen = ruler.read_at.clone();
        while !stop.is_cancelled() {
            let look = ruler.config.watch && looked.elapsed() >= LOOK_PAUSE;
            if look {
                looked = Instant::now();
            }
            if asked.swap(false, Ordering::AcqRel) || (look && ruler.has_changed()) {
                ruler.read_anew(&guard);
                // their variables may be others now
                anew |= ruler.of_partners.set().is_some();
            }
            partners_due |= ruler.partners.take_changed();
            if (partners_due || anew) && compiled.elapsed() >= pause {
                let started = Instant::now();
                ruler.take_partners(&guard, anew);
                (partners_due, anew) = (false, false);
                compiled = Instant::now();
                pause = started.elapsed().saturating_mul(PARTNERS_SHARE);
            }
            ruler.retired.retain(|set| Arc::strong_count(set) > 1);
            std::thread::sleep(PAUSE);
        }
    })?;
    Ok((handle, thread))
}

fn settings(path: Option<&Path>) -> Result<(Settings, bool), RulesError> {
    let Some(path) = path else {
        return Ok((Settings::default(), false));
    };
    let text = std::fs::read_to_string(path).map_err(|source| RulesError::File {
        path: path.to_owned(),
        source,
    })?;
    let settings = Settings::parse(&text).map_err(|source| RulesError::Settings {
        path: path.to_owned(),
        source,
    })?;
    Ok((settings, true))
}

/// Says on the console and in the journal what became of rules.
fn tell(journal: &Journal, event: Event) {
    if let Event::Rules {
        whose,
        taken,
        rules,
        refused,
        refused_first,
        notes,
        ..
    } = &event
    {
        for refused in refused_first {
            tracing::warn!("rule refused: {refused}");
        }
        for note in notes {
            tracing::warn!("rules: {note}");
        }
        match taken {
            true => tracing::info!(whose, rules, refused, "rules taken"),
            false => tracing::error!(rules, "rules not taken; those of before stay in force"),
        }
    }
    journal.write(Now::read(), event);
}

fn millis(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

impl std::fmt::Debug for Ruler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ruler")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
