//! What can keep a hub from starting or running: whose fault, where, and what mends it.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Why the hub did not start, or an administrative call failed.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The operator's configuration is wrong.
    #[error("configuration: {what}; {mend}")]
    Config {
        /// What is wrong, with the key.
        what: String,
        /// What mends it.
        mend: String,
    },
    /// The console would be reachable from other machines.
    #[error(
        "configuration: console = \"{0}\" is not a loopback address; the console speaks plain HTTP \
         and shows what partners share: use 127.0.0.1 or [::1] and forward the port over SSH"
    )]
    ConsoleNotLoopback(SocketAddr),
    /// A file of the data folder cannot be read or written.
    #[error("{}: {source}; check that the folder exists and belongs to this user", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address of the configuration.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A key or certificate of the data folder, or one being made, is unusable.
    #[error("certificate authority: {0}")]
    Authority(String),
    /// The store refused.
    #[error("store: {0}")]
    Store(String),
    /// An administrative call names something that does not exist or may not be done.
    #[error("{0}")]
    Refused(String),
}

impl HubError {
    pub(crate) fn file(path: &Path, source: io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn config(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::Config {
            what: what.into(),
            mend: mend.into(),
        }
    }
}
