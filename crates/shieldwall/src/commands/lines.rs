//! Questions in JSON lines, each answered by one line, in order.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    path::PathBuf,
};

use serde_json::Value;

use crate::outcome::{Failure, Outcome};

/// Longest line that is read, in bytes.
pub(super) const LINE_BYTES_MAX: usize = 64 << 20;

/// What is said to a question, and whether that is a yes.
pub(super) struct Answer {
    /// One object.
    pub(super) line: Value,
    /// Whether that is a yes.
    pub(super) yes: bool,
}

/// From a line, or from what is wrong with it, to an answer.
pub(super) trait Judge: FnMut(Result<&[u8], String>) -> Answer {}
impl<J: FnMut(Result<&[u8], String>) -> Answer> Judge for J {}

/// Answers the lines of files, or of standard input.
pub(super) fn each(files: &[PathBuf], mut judge: impl Judge) -> Result<Outcome, Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut yes = true;
    if files.is_empty() {
        let input = BufReader::new(io::stdin().lock());
        yes = answer(input, &mut out, &mut judge).map_err(|error| error.of("standard input"))?;
    }
    for path in files {
        let file = File::open(path).map_err(|error| Failure::input(path.display(), error))?;
        yes &= answer(BufReader::new(file), &mut out, &mut judge)
            .map_err(|error| error.of(path.display()))?;
    }
    Ok(if yes { Outcome::Done } else { Outcome::No })
}

/// What broke off.
pub(super) enum Broken {
    /// The lines could not be read.
    Input(io::Error),
    /// The answers could not be written.
    Output(io::Error),
}

impl Broken {
    fn of(self, what: impl std::fmt::Display) -> Failure {
        match self {
            Self::Input(error) => Failure::input(what, error),
            Self::Output(error) => Failure::system("write the answers", error),
        }
    }
}

/// Answers each line; whether every answer was a yes. Ends early when nobody reads the answers.
pub(super) fn answer<R: Read>(
    mut input: BufReader<R>,
    out: &mut impl Write,
    judge: &mut impl Judge,
) -> Result<bool, Broken> {
    let mut yes = true;
    let mut line = Vec::new();
    while read_line(&mut input, &mut line).map_err(Broken::Input)? {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let answer = judge(bounded(&line));
        yes &= answer.yes;
        let mut written = writeln!(out, "{}", answer.line);
        // Who asks one question at a time gets each answer at once.
        if input.buffer().is_empty() {
            written = written.and_then(|()| out.flush());
        }
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(yes),
            Err(error) => return Err(Broken::Output(error)),
            Ok(()) => {}
        }
    }
    out.flush().map_err(Broken::Output)?;
    Ok(yes)
}

pub(super) fn bounded(line: &[u8]) -> Result<&[u8], String> {
    match line.len() > LINE_BYTES_MAX {
        true => Err(format!("the line has more than {LINE_BYTES_MAX} bytes")),
        false => Ok(line),
    }
}

/// The line as JSON.
pub(super) fn question(line: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(line).map_err(|error| format!("the line is no JSON: {error}"))
}

/// Reads the next line, without its end; of one that is too long, a byte more than is allowed.
/// Whether there was one.
pub(super) fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut any = false;
    loop {
        let bytes = input.fill_buf()?;
        if bytes.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or(bytes);
        let room = LINE_BYTES_MAX.saturating_add(1).saturating_sub(line.len());
        line.extend(part.iter().take(room));
        let taken = end.map_or(bytes.len(), |end| end.saturating_add(1));
        input.consume(taken);
        if end.is_some() {
            return Ok(true);
        }
    }
}
