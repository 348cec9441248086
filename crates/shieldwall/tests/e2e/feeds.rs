//! `import` and `export` as processes, against a hub.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{HubFolder, Process, output};

/// How a command ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// Checks the exit status, and shows what was said where it is another.
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }

    /// The last line of JSON.
    pub(crate) fn summary(&self) -> Value {
        let last = self.out.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|e| panic!("{e}: {}\n{}", self.out, self.err))
    }
}

/// A hub, and a partner of it.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) hub: HubFolder,
    pub(crate) me: PathBuf,
    _hub: Process,
}

impl World {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hub = HubFolder::new(folder.path());
        let process = hub.start();
        let me = hub.enrol("alpha");
        Self {
            folder,
            hub,
            me,
            _hub: process,
        }
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn at(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// A command of ours.
    pub(crate) fn command(&self, args: &[&str]) -> Ended {
        command(&self.me, args)
    }

    /// What a command says in JSON at last; it ends well.
    pub(crate) fn done(&self, args: &[&str]) -> Value {
        self.command(&[args, &["--json"]].concat())
            .with(0)
            .summary()
    }

    /// What is in force, as `export list` has it.
    pub(crate) fn listed(&self) -> Vec<String> {
        let args = [
            "export",
            "list",
            "--include-protected",
            "--include-restricted",
        ];
        let ended = self.command(&args).with(0);
        ended.out.lines().map(str::to_owned).collect()
    }
}

/// A command with an identity.
pub(crate) fn command(identity: &Path, args: &[&str]) -> Ended {
    let output = output(&[args, &["--identity", identity.to_str().unwrap()]].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended {
        code: output.status.code(),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}

/// Numbers of a summary, by their names.
pub(crate) fn counts<const N: usize>(summary: &Value, names: [&str; N]) -> [u64; N] {
    names.map(|name| {
        summary[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}: {summary}"))
    })
}
