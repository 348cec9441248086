//! Where a PostgreSQL database is.

use std::fmt;
use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use crate::StoreError;

/// Where a PostgreSQL database is, and as whom it is used:
/// `postgres://USER@HOST[:PORT]/DATABASE[?key=value&…]`. A password may stand behind the user, in
/// `PGPASSWORD` or in `~/.pgpass`; it is never shown, neither by `Debug` nor by `Display`.
///
/// A server that is reached over the network must show a certificate for its name, unless
/// `sslmode` says otherwise.
#[derive(Clone)]
pub struct PostgresUrl {
    text: String,
    options: Box<PgConnectOptions>,
    shown: String,
}

impl PostgresUrl {
    /// The text that it was read from, with the password if one stands in it: for files that only
    /// the hub's user may read.
    pub fn secret_text(&self) -> &str {
        &self.text
    }

    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.options
    }
}

/// What a URL may say behind `?`. Others are refused: sqlx would only warn of them, with their
/// values.
const KEYS: [&str; 11] = [
    "application_name",
    "dbname",
    "host",
    "options[search_path]",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];

impl FromStr for PostgresUrl {
    type Err = StoreError;

    /// # Errors
    /// `BadUrl`, which does not repeat the text: it may hold a password.
    fn from_str(text: &str) -> Result<Self, StoreError> {
        let bad = |why: String| StoreError::BadUrl(why);
        let url = Url::parse(text).map_err(|error| bad(error.to_string()))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(bad(format!("{:?} is no scheme of it", url.scheme())));
        }
        let mut keys = url.query_pairs().map(|(key, _)| key);
        if let Some(key) = keys.find(|key| !KEYS.contains(&&**key)) {
            let known = KEYS.join(", ");
            return Err(bad(format!("no parameter {key:?}; there are {known}")));
        }
        let mut options: PgConnectOptions = text
            .parse()
            .map_err(|error: sqlx::Error| bad(error.to_string()))?;
        let says_ssl = url.query_pairs().any(|(key, _)| key == "sslmode");
        if !says_ssl && !is_local(&options) {
            options = options.ssl_mode(PgSslMode::VerifyFull);
        }
        let shown = shown(&options);
        Ok(Self {
            text: text.to_owned(),
            options: Box::new(options),
            shown,
        })
    }
}

/// Whether the server is reached without a network.
fn is_local(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    let loopback = |host: &str| {
        let address: Result<std::net::IpAddr, _> = host.trim_matches(['[', ']']).parse();
        address.is_ok_and(|address| address.is_loopback())
    };
    options.get_socket().is_some() || host.starts_with('/') || host == "localhost" || loopback(host)
}

fn shown(options: &PgConnectOptions) -> String {
    let user = options.get_username();
    let database = options.get_database().unwrap_or(user);
    match options.get_socket() {
        Some(socket) => format!("PostgreSQL database {database} at {}", socket.display()),
        None => format!(
            "PostgreSQL database {database} at {}:{}",
            options.get_host(),
            options.get_port()
        ),
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let url: PostgresUrl = "postgres://hub:sesame@db.example/exchange".parse().unwrap();
        let shown = format!("{url} {url:?}");
        assert!(!shown.contains("sesame"), "{shown}");
        assert!(shown.contains("exchange at db.example:5432"), "{shown}");
        for wrong in [
            "postgres://hub:sesame@db.example:port/x",
            "mysql://hub:sesame@h/x",
            "postgres://hub@h/x?pasword=sesame",
        ] {
            let error = wrong.parse::<PostgresUrl>().unwrap_err().to_string();
            assert!(!error.contains("sesame"), "{error}");
        }
    }

    #[test]
    fn a_server_across_the_network_must_prove_its_name() {
        let mode = |text: &str| {
            let url: PostgresUrl = text.parse().unwrap();
            url.options.get_ssl_mode()
        };
        assert!(matches!(
            mode("postgres://h@db.example/x"),
            PgSslMode::VerifyFull
        ));
        assert!(matches!(
            mode("postgres://h@192.0.2.7/x"),
            PgSslMode::VerifyFull
        ));
        for local in [
            "postgres://h@localhost/x",
            "postgres://h@[::1]/x",
            "postgres://h@127.0.0.1/x",
            "postgres:///x?user=h&host=/run/postgresql",
        ] {
            assert!(matches!(mode(local), PgSslMode::Prefer), "{local}");
        }
        let said = mode("postgres://h@db.example/x?sslmode=disable");
        assert!(matches!(said, PgSslMode::Disable));
    }
}
