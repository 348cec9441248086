//! What can be typed of another TAXII 2.1 server.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

/// Another TAXII 2.1 server, and who we are there.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("secret"))]
pub(crate) struct Remote {
    /// taxii: the collection, by its identifier, alias or title; not needed where there is but one.
    #[arg(long, value_name = "ID|TITLE")]
    pub(crate) collection: Option<String>,
    /// taxii: the user of HTTP Basic; without one, the secret is a bearer token.
    #[arg(long, value_name = "NAME", requires = "secret")]
    pub(crate) user: Option<String>,
    /// taxii: the environment variable with the password or token.
    #[arg(long, value_name = "VAR", group = "secret")]
    pub(crate) secret_env: Option<String>,
    /// taxii: the file with the password or token.
    #[arg(long, value_name = "FILE", group = "secret")]
    pub(crate) secret_file: Option<PathBuf>,
    /// taxii: our certificate there (PEM).
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// taxii: the private key of the certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// taxii: the authorities that the server's certificate may be of (PEM) [default: the system's].
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// taxii: objects in one request [default: 500].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) page: Option<u16>,
}

/// Objects in one request unless told otherwise.
const PAGE_DEFAULT: u16 = 500;

impl Remote {
    /// Objects in one request.
    pub(crate) fn page(&self) -> usize {
        usize::from(self.page.unwrap_or(PAGE_DEFAULT))
    }

    /// A flag of these that was given: they mean nothing to other formats.
    pub(crate) fn given(&self) -> Option<&'static str> {
        [
            ("--collection", self.collection.is_some()),
            ("--user", self.user.is_some()),
            ("--secret-env", self.secret_env.is_some()),
            ("--secret-file", self.secret_file.is_some()),
            ("--cert", self.cert.is_some()),
            ("--ca", self.ca.is_some()),
            ("--page", self.page.is_some()),
        ]
        .into_iter()
        .find_map(|(flag, given)| given.then_some(flag))
    }
}
