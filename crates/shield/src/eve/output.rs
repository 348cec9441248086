//! Where records go: a bounded buffer, emptied by a thread of its own.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Lines are handed over by so many bytes at a time, or when [`Output::flush`] says so: waking a
/// thread costs more than a line.
const BATCH_BYTES: usize = 256 << 10;
/// Most bytes that wait to be written.
pub const BUFFER_BYTES_MAX: usize = 8 << 20;

/// What happens to a record when [`BUFFER_BYTES_MAX`] is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It is dropped and counted: packets do not wait for a disk.
    Drop,
    /// Its writer waits: a file that is read can.
    Wait,
}

/// The writing end.
#[derive(Debug)]
pub(super) struct Output {
    shared: Arc<Shared>,
    when_full: WhenFull,
    /// Lines not handed over yet.
    batch: Vec<u8>,
    /// How many.
    lines: u64,
    dropped: u64,
    thread: Option<JoinHandle<io::Result<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Something to write, or room again.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    closed: bool,
    failed: bool,
}

impl Output {
    /// Starts the thread that writes to `sink`.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub(super) fn new(sink: Box<dyn Write + Send>, when_full: WhenFull) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let reader = Arc::clone(&shared);
        let builder = std::thread::Builder::new().name("eve".to_owned());
        let thread = builder.spawn(move || reader.write_all(sink))?;
        Ok(Self {
            shared,
            when_full,
            batch: Vec::new(),
            lines: 0,
            dropped: 0,
            thread: Some(thread),
        })
    }

    /// Another writing end to the same sink, which ends with this one.
    pub(super) fn beside(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            when_full: self.when_full,
            batch: Vec::new(),
            lines: 0,
            dropped: 0,
            thread: None,
        }
    }

    /// Adds one line.
    pub(super) fn line(&mut self, line: &str) {
        self.batch.extend_from_slice(line.as_bytes());
        self.batch.push(b'\n');
        self.lines = self.lines.saturating_add(1);
        if self.batch.len() >= BATCH_BYTES {
            self.flush();
        }
    }

    /// Hands over what was added.
    pub(super) fn flush(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        if lines == 0 {
            return;
        }
        let mut state = self.shared.lock();
        let bytes = self.batch.len();
        while self.when_full == WhenFull::Wait && !state.has_room(bytes) && !state.failed {
            state = self.shared.wait(state);
        }
        if state.has_room(bytes) && !state.failed {
            state.waiting.append(&mut self.batch);
        } else {
            self.dropped = self.dropped.saturating_add(lines);
            self.batch.clear();
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Records lost: the buffer was full, or nothing can be written any more.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Writes what waits and ends the thread.
    ///
    /// # Errors
    /// The first error of the sink; records after it are lost.
    pub(super) fn close(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        self.flush();
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        let ended = thread.join();
        ended.unwrap_or_else(|_panic| Err(io::Error::other("eve thread")))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::error!(%error, "EVE records are lost");
        }
    }
}

impl Shared {
    fn write_all(&self, mut sink: Box<dyn Write + Send>) -> io::Result<()> {
        let mut batch = Vec::new();
        loop {
            let closed = self.take(&mut batch);
            let written = sink.write_all(&batch).and_then(|()| sink.flush());
            if let Err(error) = written {
                self.lock().failed = true;
                self.changed.notify_all();
                return Err(error);
            }
            batch.clear();
            if closed {
                return Ok(());
            }
        }
    }

    /// Waits for records and swaps them into `batch`; true when they are the last.
    fn take(&self, batch: &mut Vec<u8>) -> bool {
        let mut state = self.lock();
        while state.waiting.is_empty() && !state.closed {
            state = self.wait(state);
        }
        std::mem::swap(batch, &mut state.waiting);
        let closed = state.closed;
        drop(state);
        self.changed.notify_all();
        closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'g>(&self, guard: MutexGuard<'g, State>) -> MutexGuard<'g, State> {
        self.changed
            .wait(guard)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// One record always fits, however long, so that none waits for ever.
    fn has_room(&self, bytes: usize) -> bool {
        self.waiting.is_empty() || self.waiting.len().saturating_add(bytes) <= BUFFER_BYTES_MAX
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("waiting", &self.waiting.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// A sink that writes nothing before it is told to.
    struct Gate {
        open: Receiver<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.open.recv().map_err(io::Error::other)?;
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_slow_disk_costs_records_and_no_time() {
        let (open, gate) = channel();
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let sink = Gate {
            open: gate,
            written: Arc::clone(&written),
        };
        let mut output = Output::new(Box::new(sink), WhenFull::Drop).unwrap();
        let line = "x".repeat(1 << 20);
        for _ in 0..32 {
            output.line(&line);
        }
        assert!(output.dropped() >= 14, "{}", output.dropped());
        let kept = 32 - usize::try_from(output.dropped()).unwrap();
        for _ in 0..32 {
            open.send(()).unwrap();
        }
        output.close().unwrap();
        assert_eq!(written.lock().unwrap().len(), kept * ((1 << 20) + 1));
    }

    #[test]
    fn a_sink_that_fails_is_reported_and_blocks_nobody() {
        let (open, gate) = channel();
        drop(open);
        let sink = Gate {
            open: gate,
            written: Arc::default(),
        };
        let mut output = Output::new(Box::new(sink), WhenFull::Wait).unwrap();
        let line = "x".repeat(5 << 20);
        for _ in 0..8 {
            output.line(&line);
        }
        assert!(output.dropped() > 0);
        assert!(output.close().is_err());
    }
}
