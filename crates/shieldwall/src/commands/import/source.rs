//! Where a source's bytes come from: a file, standard input, or the folder of a MISP feed.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use feeds::{
    Refused, Told,
    import::{Import, ReadError},
};
use tokio::sync::mpsc::Sender;

use super::Piece;

/// A source that is there.
#[derive(Debug)]
pub(super) enum Source {
    Standard,
    File(PathBuf),
    Feed(PathBuf),
}

/// Longest `manifest.json` of a feed, in bytes.
const MANIFEST_BYTES_MAX: u64 = MANIFEST_MIB_MAX << 20;
const MANIFEST_MIB_MAX: u64 = 64;

impl Source {
    /// What `typed` names.
    pub(super) fn find(format: &str, typed: &str) -> io::Result<Self> {
        if typed == "-" {
            return Ok(Self::Standard);
        }
        let path = PathBuf::from(typed);
        let metadata = std::fs::metadata(&path)?;
        match (metadata.is_dir(), format) {
            (true, "misp") => Ok(Self::Feed(path)),
            (true, _) => Err(io::Error::other("is a folder; name a file")),
            (false, _) => Ok(Self::File(path)),
        }
    }

    /// The name of the source unless told otherwise.
    pub(super) fn name(&self) -> Option<String> {
        match self {
            Self::Standard => None,
            Self::File(path) | Self::Feed(path) => {
                let path = path.canonicalize().unwrap_or_else(|_| path.clone());
                path.file_name()
                    .map(|name| name.to_string_lossy().into_owned())
            }
        }
    }

    /// Reads it all, and sends what it tells.
    pub(super) fn read(&self, reader: &dyn Import, to: &Sender<Piece>) -> Result<(), ReadError> {
        match self {
            Self::Standard => pour(reader, &mut io::stdin().lock(), None, to),
            Self::File(path) => pour(reader, &mut BufReader::new(File::open(path)?), None, to),
            Self::Feed(folder) => feed(reader, folder, to),
        }
    }
}

fn pour(
    reader: &dyn Import,
    input: &mut dyn BufRead,
    file: Option<&Arc<str>>,
    to: &Sender<Piece>,
) -> Result<(), ReadError> {
    reader.read(input, &mut |told| {
        let file = file.map(Arc::clone);
        to.blocking_send(Piece { file, told })
            .map_err(|_| ReadError::Stopped)
    })
}

/// The events that the manifest names, in the order of their identifiers. One that cannot be read
/// is refused, and the others go on.
fn feed(reader: &dyn Import, folder: &Path, to: &Sender<Piece>) -> Result<(), ReadError> {
    let manifest = File::open(folder.join("manifest.json"))
        .map_err(|e| ReadError::Form(format!("manifest.json of the feed: {e}")))?;
    let mut text = Vec::new();
    let most = MANIFEST_BYTES_MAX.saturating_add(1);
    manifest.take(most).read_to_end(&mut text)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > MANIFEST_BYTES_MAX {
        let why =
            format!("manifest.json of the feed: more than {MANIFEST_MIB_MAX} MiB; split the feed");
        return Err(ReadError::Form(why));
    }
    let events = feeds::import::manifest(&text)?;
    for event in events {
        let name: Arc<str> = format!("{event}.json").into();
        let read = File::open(folder.join(&*name))
            .map_err(ReadError::from)
            .and_then(|file| pour(reader, &mut BufReader::new(file), Some(&name), to));
        match read {
            Ok(()) => {}
            Err(ReadError::Stopped) => return Err(ReadError::Stopped),
            Err(error) => {
                let place = feeds::Place::Item("$".into());
                // What is wrong with the form says what mends it.
                let mend = match error {
                    ReadError::Form(_) => "",
                    ReadError::Io(_) | ReadError::Stopped => "fetch the event again",
                };
                let refused = Refused {
                    place,
                    reason: error.to_string(),
                    mend: mend.into(),
                };
                let piece = Piece {
                    file: Some(name),
                    told: Told::Refused(refused),
                };
                to.blocking_send(piece).map_err(|_| ReadError::Stopped)?;
            }
        }
    }
    Ok(())
}
