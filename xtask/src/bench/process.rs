//! What a process took, from outside, so that peers are measured alike.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

/// What a process took from start to end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken {
    /// User and system time of all its threads, seconds.
    pub(super) cpu_s: f64,
    pub(super) wall_s: f64,
    /// Most resident memory.
    pub(super) peak_rss_bytes: u64,
}

/// How often a running process is looked at.
const POLL: Duration = Duration::from_millis(5);
/// Linux counts processor time for user space in hundredths of a second.
const TICKS_PER_S: f64 = 100.0;

/// Runs a command to its end.
///
/// # Errors
///
/// When it does not start or fails.
pub(super) fn measure(command: &mut Command) -> anyhow::Result<Taken> {
    let what = format!("{command:?}");
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("starting {what}"))?;
    let folder = format!("/proc/{}", child.id());
    let mut taken = Taken::default();
    loop {
        let stat = fs::read_to_string(format!("{folder}/stat")).context("reading a process")?;
        // a process that ended keeps its times until it is waited for
        let (state, cpu_s) = state(&stat).context("/proc/PID/stat has another shape")?;
        taken.cpu_s = cpu_s;
        let status = fs::read_to_string(format!("{folder}/status")).unwrap_or_default();
        taken.peak_rss_bytes = taken.peak_rss_bytes.max(peak_rss_bytes(&status));
        if state == 'Z' {
            break;
        }
        thread::sleep(POLL);
    }
    taken.wall_s = started.elapsed().as_secs_f64();
    let status = child.wait()?;
    if !status.success() {
        bail!("{what}: {status}");
    }
    Ok(taken)
}

/// State and CPU-seconds (proc(5): fields 3, 14 and 15).
fn state(stat: &str) -> Option<(char, f64)> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    let state = fields.first()?.chars().next()?;
    Some((state, (ticks(11)? + ticks(12)?) / TICKS_PER_S))
}

fn peak_rss_bytes(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default().saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_took_is_seen_from_outside() {
        let mut command = Command::new("sh");
        command.args(["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"]);
        let taken = measure(&mut command).unwrap();
        assert!(
            taken.cpu_s > 0.0 && taken.cpu_s <= taken.wall_s * 2.0 + 0.1,
            "{taken:?}"
        );
        assert!(taken.peak_rss_bytes > 100_000, "{taken:?}");
        assert!(measure(&mut Command::new("false")).is_err());
    }

    #[test]
    fn names_with_blanks_and_brackets_are_passed_by() {
        let stat = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0";
        assert_eq!(state(stat), Some(('S', 2.0)));
    }
}
