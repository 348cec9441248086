//! Where the files of an export go.

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use feeds::export::Folder;

use super::super::state::replace;

/// Where files go.
pub(super) enum Out {
    /// Standard output.
    Standard,
    /// One file.
    File(PathBuf),
    /// A folder of files.
    Folder(PathBuf),
}

impl Out {
    /// What `--out` means.
    pub(super) fn new(typed: Option<&Path>) -> Self {
        match typed {
            None => Self::Standard,
            Some(path) if path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") => {
                Self::Folder(path.to_owned())
            }
            Some(path) => Self::File(path.to_owned()),
        }
    }
}

impl Folder for Out {
    fn is_folder(&self) -> bool {
        matches!(self, Self::Folder(_))
    }

    fn file(
        &mut self,
        name: &str,
        write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let path = match self {
            Self::Standard => {
                let mut out = BufWriter::new(io::stdout().lock());
                return write(&mut out).and_then(|()| out.flush());
            }
            Self::File(path) => path.clone(),
            Self::Folder(folder) => {
                std::fs::create_dir_all(&*folder)?;
                folder.join(name)
            }
        };
        replace(&path, write)
    }
}
