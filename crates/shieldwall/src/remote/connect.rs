//! Who we are to another server, and who it has to be.

use std::{fs::File, io::Read as _, path::Path};

use anyhow::{Context as _, anyhow};
use reqwest::{Certificate, Client, Identity, RequestBuilder, Url, redirect};

use super::{CONNECT_WAIT_MAX, Remote};
use crate::{cli, outcome::Failure};

/// Longest file of a secret, a key or certificates, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Redirects that are followed, within one origin.
const REDIRECTS_MAX: usize = 5;

/// What is shown with each request.
pub(super) enum Auth {
    Nothing,
    Basic { user: String, password: String },
    Bearer(String),
}

impl Auth {
    pub(super) fn show(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Nothing => request,
            Self::Basic { user, password } => request.basic_auth(user, Some(password)),
            Self::Bearer(token) => request.bearer_auth(token),
        }
    }
}

impl Remote {
    /// The server at `typed`.
    pub(crate) fn new(typed: &str, args: &cli::Remote) -> Result<Self, Failure> {
        let url = address(typed)?;
        let auth = auth(args)?;
        let client = client(&url, args)?;
        Ok(Self { client, auth, url })
    }
}

/// Secrets and intelligence go over TLS, or stay on this machine.
fn address(typed: &str) -> Result<Url, Failure> {
    let wrong = |why: String| Failure::Input(anyhow!("{typed}: {why}"));
    let url = Url::parse(typed).map_err(|e| wrong(format!("{e}; write https://server/taxii2/")))?;
    if !url.username().is_empty() || url.password().is_some() {
        let mend = "a secret on the command line is everybody's; use --user with --secret-env or --secret-file";
        return Err(Failure::Input(anyhow!("the address names a user: {mend}")));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_here(&url) => Ok(url),
        "http" => Err(wrong(
            "write https; only a server on this machine may do without".into(),
        )),
        other => Err(wrong(format!("{other} is no scheme of TAXII; write https"))),
    }
}

/// Whether the server is on this machine.
fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address: Option<std::net::IpAddr> = bare.parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}

fn auth(args: &cli::Remote) -> Result<Auth, Failure> {
    let secret = match (&args.secret_env, &args.secret_file) {
        (Some(name), _) => std::env::var(name)
            .map(Some)
            .map_err(|e| Failure::input(format!("--secret-env {name}"), e))?,
        (None, Some(path)) => Some(secret_file(path)?),
        (None, None) => None,
    };
    let Some(secret) = secret.map(|secret| secret.trim_end_matches(['\r', '\n']).to_owned()) else {
        return Ok(Auth::Nothing);
    };
    match &args.user {
        Some(user) if user.contains(':') => Err(Failure::Input(anyhow!(
            "--user {user}: HTTP Basic has no users with a colon"
        ))),
        Some(user) => Ok(Auth::Basic {
            user: user.clone(),
            password: secret,
        }),
        None if secret.bytes().all(|b| b.is_ascii_graphic()) && !secret.is_empty() => {
            Ok(Auth::Bearer(secret))
        }
        None => Err(Failure::Input(anyhow!(
            "the token has signs that no token has; name the user with --user, if it is a password"
        ))),
    }
}

fn secret_file(path: &Path) -> Result<String, Failure> {
    let bytes = file("--secret-file", path)?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::Input(anyhow!("--secret-file {}: not text", path.display())))
}

fn client(url: &Url, args: &cli::Remote) -> Result<Client, Failure> {
    let mut client = Client::builder()
        .redirect(within_origin())
        .connect_timeout(CONNECT_WAIT_MAX)
        .tcp_nodelay(true)
        .user_agent(concat!("shieldwall/", env!("CARGO_PKG_VERSION")));
    if is_here(url) {
        client = client.no_proxy();
    }
    if let Some(path) = &args.ca {
        let what = || format!("--ca {}", path.display());
        let trusted = Certificate::from_pem_bundle(&file("--ca", path)?);
        let trusted = trusted.map_err(|e| Failure::input(what(), e))?;
        if trusted.is_empty() {
            let why = anyhow!("no certificate in it; name a file of PEM");
            return Err(Failure::input(what(), why));
        }
        client = client.tls_certs_only(trusted);
    }
    if let (Some(cert), Some(key)) = (&args.cert, &args.key) {
        let mut pem = file("--cert", cert)?;
        pem.push(b'\n');
        pem.extend(file("--key", key)?);
        let what = || format!("--cert {} --key {}", cert.display(), key.display());
        let identity = Identity::from_pem(&pem).map_err(|e| Failure::input(what(), e))?;
        client = client.identity(identity);
    }
    client.build().map_err(|e| Failure::input("set up TLS", e))
}

/// Nothing is shown to an origin that nobody typed.
fn within_origin() -> redirect::Policy {
    redirect::Policy::custom(|attempt| {
        let before = attempt.previous();
        let same = before
            .first()
            .is_some_and(|first| first.origin() == attempt.url().origin());
        match same && before.len() <= REDIRECTS_MAX {
            true => attempt.follow(),
            false => attempt.stop(),
        }
    })
}

fn file(flag: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    let read = || -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = File::open(path)?;
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read()
        .with_context(|| format!("{flag} {}", path.display()))
        .map_err(Failure::Input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_off_the_network_and_the_command_line() {
        for good in [
            "https://peer.example/taxii2/",
            "http://127.0.0.1:5000/taxii2/",
            "http://[::1]/",
            "http://localhost:5000",
        ] {
            assert!(address(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("http://peer.example/", "write https"),
            ("http://127.0.0.1.example/", "write https"),
            ("ftp://peer.example/", "no scheme"),
            ("peer.example", "write https"),
            ("https://me:pw@peer.example/", "--secret-env"),
        ] {
            let Err(Failure::Input(error)) = address(bad) else {
                panic!("{bad}")
            };
            assert!(error.to_string().contains(why), "{bad}: {error}");
            assert!(!error.to_string().contains("pw"), "{error}");
        }
    }
}
