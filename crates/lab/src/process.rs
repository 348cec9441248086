//! Processes: run to their end within a bound, or left running with their output in a log file.

use std::{
    fs::{self, File},
    io::Read,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

/// Lines of a log that an error shows.
const LOG_LINES_MAX: usize = 15;
/// How often a wait looks again.
const POLL: Duration = Duration::from_millis(5);

/// What a finished process left.
#[derive(Debug)]
pub(crate) struct Finished {
    what: String,
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

impl Finished {
    /// Its standard output.
    ///
    /// # Errors
    ///
    /// When it failed, with the end of what it said.
    pub(crate) fn text(self) -> anyhow::Result<String> {
        if !self.status.success() {
            let said = format!("{}\n{}", self.stdout.trim(), self.stderr.trim());
            bail!(
                "{} failed ({})\n{}",
                self.what,
                self.status,
                last_lines(&said)
            );
        }
        Ok(self.stdout)
    }
}

/// Runs a command to its end, killing it at the bound.
pub(crate) fn run(command: &mut Command, bound: Duration) -> anyhow::Result<Finished> {
    let what = describe(command);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .with_context(|| format!("starting {what}"))?;
    let stdout = reader(child.stdout.take());
    let stderr = reader(child.stderr.take());
    let status = wait(&mut child, bound).with_context(|| format!("running {what}"))?;
    let text = |thread: thread::JoinHandle<String>| thread.join().unwrap_or_default();
    Ok(Finished {
        what,
        status,
        stdout: text(stdout),
        stderr: text(stderr),
    })
}

/// Waits for a process, killing it at the bound.
pub(crate) fn wait(child: &mut Child, bound: Duration) -> anyhow::Result<ExitStatus> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if started.elapsed() > bound {
            child.kill()?;
            child.wait()?;
            bail!("did not end within {} s", bound.as_secs_f32());
        }
        thread::sleep(POLL);
    }
}

/// Looks again and again until the closure yields something.
///
/// # Errors
///
/// The closure's, or that the bound passed.
pub(crate) fn until<T>(
    what: &str,
    bound: Duration,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if started.elapsed() > bound {
            bail!("{what}: not within {} s", bound.as_secs_f32());
        }
        thread::sleep(POLL);
    }
}

/// A process that stays when we end, with a log.
#[derive(Debug)]
pub(crate) struct Daemon {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Daemon {
    /// Starts a command with its output in `folder/NAME.log`, in a process group of its own so that
    /// an interrupt on the terminal leaves it alone.
    pub(crate) fn start(name: &str, folder: &Path, command: &mut Command) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).with_context(|| format!("creating {}", log.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0);
        let child = command
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            log,
            child,
        })
    }

    /// Waits until a condition holds, failing at once when the process ends before.
    pub(crate) fn ready(
        &mut self,
        bound: Duration,
        mut look: impl FnMut() -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let what = format!("{} becoming ready", self.name);
        let waited = until(&what, bound, || match self.child.try_wait()? {
            Some(status) => bail!("{} ended ({status})", self.name),
            None => Ok(look()?.then_some(())),
        });
        waited.with_context(|| format!("last lines of {}:\n{}", self.log.display(), self.tail()))
    }

    /// The end of its log.
    fn tail(&self) -> String {
        last_lines(&fs::read_to_string(&self.log).unwrap_or_default())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

/// Kills a process; one that is gone already is fine.
pub(crate) fn kill(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // ESRCH: it went by itself.
        kill_process(pid, Signal::KILL).ok();
    }
}

/// The last lines of a text.
pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    let from = lines.len().saturating_sub(LOG_LINES_MAX);
    lines.get(from..).unwrap_or_default().join("\n")
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read until the pipe broke is what there is.
            pipe.read_to_end(&mut bytes).ok();
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The program and its arguments, without the `nsenter` in front.
fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let inside = words
        .iter()
        .position(|word| word == "--")
        .map_or(0, |at| at.saturating_add(1));
    words.get(inside..).unwrap_or_default().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_what_was_run_and_what_it_said() {
        let mut command = Command::new("sh");
        let finished = run(command.args(["-c", "echo oh no >&2; exit 3"]), POLL * 1000).unwrap();
        let error = finished.text().unwrap_err().to_string();
        assert!(
            error.contains("oh no") && error.contains("sh -c"),
            "{error}"
        );
    }

    #[test]
    fn a_process_that_does_not_end_is_killed_at_the_bound() {
        let error = run(Command::new("sleep").arg("60"), POLL).unwrap_err();
        assert!(
            format!("{error:#}").contains("did not end within"),
            "{error:#}"
        );
    }

    #[test]
    fn a_daemon_that_dies_shows_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo cannot listen; exit 1"]);
        let mut daemon = Daemon::start("hub", folder.path(), &mut command).unwrap();
        let error = daemon.ready(POLL * 1000, || Ok(false)).unwrap_err();
        let text = format!("{error:#}");
        assert!(
            text.contains("cannot listen") && text.contains("hub ended"),
            "{text}"
        );
    }
}
