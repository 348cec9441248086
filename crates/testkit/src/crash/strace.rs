//! Running strace (6.1 and later) and reading what it wrote.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

/// One thing that a program did to a file of the folder, in the order in which it began (syncs:
/// ended).
#[derive(Debug)]
pub(super) enum Event {
    Open {
        name: String,
        truncate: bool,
    },
    Write {
        name: String,
        offset: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        name: String,
        length: usize,
    },
    Sync {
        name: String,
    },
    SyncFolder,
    Unlink {
        name: String,
    },
    Rename {
        from: String,
        to: String,
    },
    Mark(Vec<u8>),
}

impl Event {
    pub(super) fn mark(&self) -> Option<&[u8]> {
        if let Self::Mark(bytes) = self {
            Some(bytes)
        } else {
            None
        }
    }

    pub(super) fn syncs(&self, file: &str) -> bool {
        matches!(self, Self::Sync { name } if name == file)
    }

    pub(super) fn is_write(&self) -> bool {
        matches!(self, Self::Write { .. })
    }
}

/// Runs a program under strace; the trace goes to a file.
pub(super) fn run(program: Command, trace: &Path) -> Result<()> {
    let mut strace = Command::new("strace");
    // -y names the file behind each descriptor, -xx writes every byte as hexadecimal.
    strace
        .args(["-f", "-y", "-xx", "-s", "16777216", "-e", CALLS, "-o"])
        .arg(trace);
    strace.arg(program.get_program()).args(program.get_args());
    if let Some(folder) = program.get_current_dir() {
        strace.current_dir(folder);
    }
    for (key, value) in program.get_envs() {
        match value {
            Some(value) => strace.env(key, value),
            None => strace.env_remove(key),
        };
    }
    let output = strace
        .stdin(Stdio::null())
        .output()
        .context("strace does not start")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "the traced program failed: {}\n{said}",
        output.status
    );
    Ok(())
}

/// Every call by which a file can change or be synced, but mapping it.
const CALLS: &str = "trace=open,openat,creat,close,read,write,pwrite64,writev,pwritev,pwritev2,\
    lseek,fsync,fdatasync,sync_file_range,ftruncate,truncate,fallocate,unlink,unlinkat,rename,\
    renameat,renameat2,link,linkat";

/// Reads a trace; only what lies directly in the folder counts.
pub(super) fn parse(text: &str, folder: &Path, marks: &str) -> Result<Vec<Event>> {
    let mut reader = Reader {
        folder: folder.to_str().context("the folder's name is not UTF-8")?,
        marks,
        positions: BTreeMap::new(),
        unfinished: BTreeMap::new(),
        events: Vec::new(),
    };
    for line in text.lines() {
        reader
            .line(line)
            .with_context(|| line.chars().take(300).collect::<String>())?;
    }
    Ok(reader.events)
}

struct Reader<'a> {
    folder: &'a str,
    marks: &'a str,
    /// Where the next `write` to a file goes.
    positions: BTreeMap<String, usize>,
    /// Syncs that have begun, by thread.
    unfinished: BTreeMap<&'a str, &'a str>,
    events: Vec<Event>,
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: &'a str) -> Result<()> {
        let Some((thread, rest)) = line.split_once(' ') else {
            return Ok(());
        };
        let rest = rest.trim_start();
        if rest.starts_with("<...") {
            // The rest of a call: only syncs take effect when they end.
            let begun = self.unfinished.remove(thread);
            return if rest.ends_with("= 0") {
                begun.map_or(Ok(()), |call| self.sync(call))
            } else {
                Ok(())
            };
        }
        let Some((call, arguments)) = rest.split_once('(') else {
            return Ok(());
        };
        let failed = rest
            .rsplit_once(" = ")
            .is_some_and(|(_, result)| result.starts_with('-'));
        if failed {
            return Ok(());
        }
        match call {
            "open" | "creat" | "openat" => self.open(call, arguments),
            "write" | "pwrite64" => self.write(call, arguments),
            "read" => self.read(arguments, rest),
            "lseek" => self.seek(arguments, rest),
            "ftruncate" => self.truncate(arguments),
            "fsync" | "fdatasync" if rest.ends_with("<unfinished ...>") => {
                self.unfinished.insert(thread, arguments);
                Ok(())
            }
            "fsync" | "fdatasync" => self.sync(arguments),
            "unlink" | "unlinkat" => self.unlink(arguments),
            "rename" | "renameat" | "renameat2" => self.rename(arguments),
            "close" => Ok(()),
            _ => self.refuse(call, arguments),
        }
    }

    fn open(&mut self, call: &str, arguments: &str) -> Result<()> {
        let Some(name) = self.paths(arguments)?.pop() else {
            return Ok(());
        };
        let creates = call == "creat" || arguments.contains("O_CREAT");
        let truncate = call == "creat" || arguments.contains("O_TRUNC");
        ensure!(
            !arguments.contains("O_APPEND") || name == self.marks,
            "O_APPEND is not known"
        );
        self.positions.insert(name.clone(), 0);
        if name != self.marks && (creates || truncate) {
            self.events.push(Event::Open { name, truncate });
        }
        Ok(())
    }

    fn write(&mut self, call: &str, arguments: &str) -> Result<()> {
        let Some(name) = self.descriptor(arguments)? else {
            return Ok(());
        };
        let (bytes, after) = quoted(arguments)?;
        if name == self.marks {
            self.events.push(Event::Mark(bytes));
            return Ok(());
        }
        let numbers = numbers(after);
        let offset = match call {
            "pwrite64" => *numbers.get(1).context("no offset")?,
            _ => self.advance(&name, bytes.len()),
        };
        ensure!(
            numbers.first() == Some(&bytes.len()),
            "a write was cut short in the trace"
        );
        self.events.push(Event::Write {
            name,
            offset,
            bytes,
        });
        Ok(())
    }

    fn read(&mut self, arguments: &str, line: &str) -> Result<()> {
        let Some(name) = self.descriptor(arguments)? else {
            return Ok(());
        };
        self.advance(&name, result(line).unwrap_or(0));
        Ok(())
    }

    fn seek(&mut self, arguments: &str, line: &str) -> Result<()> {
        let Some(name) = self.descriptor(arguments)? else {
            return Ok(());
        };
        let position = result(line).context("an lseek without its end")?;
        self.positions.insert(name, position);
        Ok(())
    }

    fn truncate(&mut self, arguments: &str) -> Result<()> {
        let Some(name) = self.descriptor(arguments)? else {
            return Ok(());
        };
        let after = arguments.split_once('>').map_or("", |(_, after)| after);
        let length = *numbers(after).first().context("no length")?;
        self.events.push(Event::Truncate { name, length });
        Ok(())
    }

    fn sync(&mut self, arguments: &str) -> Result<()> {
        if descriptor_path(arguments)?.as_deref() == Some(self.folder) {
            self.events.push(Event::SyncFolder);
        } else if let Some(name) = self.descriptor(arguments)? {
            self.events.push(Event::Sync { name });
        }
        Ok(())
    }

    fn unlink(&mut self, arguments: &str) -> Result<()> {
        let Some(name) = self.paths(arguments)?.pop() else {
            return Ok(());
        };
        self.events.push(Event::Unlink { name });
        Ok(())
    }

    fn rename(&mut self, arguments: &str) -> Result<()> {
        match <[String; 2]>::try_from(self.paths(arguments)?) {
            Ok([from, to]) => self.events.push(Event::Rename { from, to }),
            Err(names) => ensure!(names.is_empty(), "a rename into or out of the folder"),
        }
        Ok(())
    }

    /// Calls that are not modelled must not touch the folder.
    fn refuse(&self, call: &str, arguments: &str) -> Result<()> {
        if self.descriptor(arguments).ok().flatten().is_some() {
            bail!("{call} is not modelled");
        }
        Ok(())
    }

    fn advance(&mut self, name: &str, by: usize) -> usize {
        let position = self.positions.entry(name.into()).or_default();
        let before = *position;
        *position = position.saturating_add(by);
        before
    }

    /// Name within the folder of the file behind the first descriptor.
    fn descriptor(&self, arguments: &str) -> Result<Option<String>> {
        Ok(descriptor_path(arguments)?.and_then(|path| self.name(&path)))
    }

    /// Names within the folder among the quoted paths.
    fn paths(&self, mut arguments: &str) -> Result<Vec<String>> {
        let mut names = Vec::new();
        while arguments.contains('"') {
            let base = arguments.split_once('"').map_or("", |(before, _)| before);
            let base = base
                .rsplit_once('<')
                .map(|(_, base)| unhex(base.trim_end_matches(">, ")));
            let (path, after) = quoted(arguments)?;
            let path = String::from_utf8(path)?;
            let path = match base.transpose()? {
                Some(base) if !path.starts_with('/') => {
                    format!("{}/{}", String::from_utf8(base)?, path)
                }
                _ if !path.starts_with('/') => format!("{}/{path}", self.folder),
                _ => path,
            };
            names.extend(self.name(&path));
            arguments = after;
        }
        Ok(names)
    }

    fn name(&self, path: &str) -> Option<String> {
        let name = path.strip_prefix(self.folder)?.strip_prefix('/')?;
        let counts = !name.is_empty() && !name.contains('/') && !name.ends_with("-shm");
        (counts && name != ".").then(|| name.into())
    }
}

/// Path in `12<\x2f…>`.
fn descriptor_path(arguments: &str) -> Result<Option<String>> {
    let Some((_, rest)) = arguments.split_once('<') else {
        return Ok(None);
    };
    let Some((path, _)) = rest.split_once('>') else {
        return Ok(None);
    };
    Ok(String::from_utf8(unhex(path)?).ok())
}

/// The first quoted string, and what follows it.
fn quoted(arguments: &str) -> Result<(Vec<u8>, &str)> {
    let (_, rest) = arguments.split_once('"').context("no string")?;
    let (hex, after) = rest.split_once('"').context("a string without end")?;
    ensure!(
        !after.starts_with("..."),
        "a string was cut short in the trace"
    );
    Ok((unhex(hex)?, after))
}

fn unhex(text: &str) -> Result<Vec<u8>> {
    let byte = |hex: &str| u8::from_str_radix(hex, 16).with_context(|| format!("not hex: {hex}"));
    text.split("\\x")
        .skip(1)
        .map(|hex| byte(hex.get(..2).unwrap_or(hex)))
        .collect()
}

fn numbers(text: &str) -> Vec<usize> {
    let arguments = text
        .split_once(')')
        .map_or(text, |(arguments, _)| arguments);
    arguments
        .split([',', ' '])
        .filter_map(|part| part.parse().ok())
        .collect()
}

fn result(line: &str) -> Option<usize> {
    line.rsplit_once(" = ")?
        .1
        .split([' ', '<'])
        .next()?
        .parse()
        .ok()
}
