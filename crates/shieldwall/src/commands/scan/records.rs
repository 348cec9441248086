//! Where the records go.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use packet::{Exceptions, settings::Settings};
use shield::eve::{ALERTS, Log, Records, WhenFull};

use crate::{cli::Scan, outcome::Failure};

/// The log of the records, if any are asked for: with a configuration its `eve-log` outputs in the
/// folder given, else everything in one file.
pub(super) fn log(args: &Scan, settings: Option<&Settings>) -> Result<Option<Log>, Failure> {
    let (records, folder) = match (&args.eve, &args.eve_dir) {
        (Some(path), _) => (vec![one_output(args, path)], None),
        (None, Some(folder)) => {
            std::fs::create_dir_all(folder).map_err(|e| Failure::input(folder.display(), e))?;
            let configured = settings.filter(|_| args.config.is_some());
            let configured = configured.map(|settings| {
                let exceptions = Exceptions::from_settings(settings, args.inline);
                let records = Records::from_settings(settings).into_iter();
                records
                    .map(|records| records.with_exceptions(exceptions))
                    .collect()
            });
            let everything = || vec![one_output(args, Path::new("eve.json"))];
            (configured.unwrap_or_else(everything), Some(folder))
        }
        (None, None) => return Ok(None),
    };
    let mut refused = None;
    let log = Log::new(records, WhenFull::Wait, |name| {
        let path = folder.map_or_else(|| PathBuf::from(name), |folder| folder.join(name));
        open(args, &path).map_err(|failure| {
            refused = Some(failure);
            io::Error::other(name)
        })
    });
    match (log, refused) {
        (_, Some(failure)) => Err(failure),
        (Err(error), None) => Err(Failure::system("start the log", error)),
        (Ok(log), None) => Ok(Some(log)),
    }
}

fn one_output(args: &Scan, path: &Path) -> Records {
    let name = path.to_string_lossy();
    match args.alerts_only {
        true => Records::of(&name, ALERTS),
        false => Records::all(&name),
    }
}

/// Opens a file of records; `-` is standard output.
fn open(args: &Scan, path: &Path) -> Result<Box<dyn Write + Send>, Failure> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdout()));
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| Failure::input(folder.display(), e))?;
    }
    create(args, path)
}

/// Creates the file of the records, which must not be one that is read.
fn create(args: &Scan, path: &Path) -> Result<Box<dyn Write + Send>, Failure> {
    let is_same = |input: &&PathBuf| {
        let both = std::fs::metadata(input).and_then(|a| Ok((a, std::fs::metadata(path)?)));
        both.is_ok_and(|(a, b)| b.is_file() && (a.dev(), a.ino()) == (b.dev(), b.ino()))
    };
    if args
        .captures
        .iter()
        .chain(&args.indicators)
        .chain(&args.pack)
        .any(|input| is_same(&input))
    {
        return Err(Failure::input(
            path.display(),
            anyhow::anyhow!("this file is read: name another one for the records"),
        ));
    }
    let file = File::create(path).map_err(|e| Failure::input(path.display(), e))?;
    Ok(Box::new(BufWriter::new(file)))
}

/// A reader that has enough (`| head`) is no failure.
pub(super) fn close(log: Log) -> Result<(), Failure> {
    match log.close() {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        closed => closed.map_err(|e| Failure::system("write the records", e)),
    }
}
