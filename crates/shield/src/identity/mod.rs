//! Who we are to the hub, and who the hub is to us: a folder that `partner enrol` writes.
//!
//! | file | what |
//! |---|---|
//! | `cert.pem` | our certificate |
//! | `key.pem` | its private key, which never leaves this machine (mode 0600) |
//! | `ca.pem` | the hub's certificate authority, the only one that is trusted |
//! | `partner.json` | our name, the hub's URL and the key that it signs frames with |

mod enrol;
mod pin;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};
use taxii::push::PublicKey;

pub use enrol::{enrol, rotate};

/// An enrolled partner's identity, as far as it is not secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The folder.
    pub folder: PathBuf,
    /// Our name in the exchange.
    pub partner: Arc<str>,
    /// URL of the hub that enrolled us.
    pub hub: String,
    /// The key that the hub signs frames with.
    pub hub_key: PublicKey,
}

/// `partner.json`.
#[derive(Debug, Serialize, Deserialize)]
struct PartnerFile {
    partner: String,
    hub: String,
    hub_key: String,
}

/// Why an identity cannot be used or got.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file of the folder cannot be read or written: the operator's to mend.
    #[error("{}: {source}; enrol with `shieldwall partner enrol`, or name the right folder", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the folder does not hold what it should: enrol anew.
    #[error("{}: {what}; enrol anew with `shieldwall partner enrol`", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// An identity is there already, and enrolling would destroy it.
    #[error("{} holds an identity already; name another folder, or use `partner rotate`", .0.display())]
    Exists(PathBuf),
    /// TLS cannot be set up with what is there: enrol anew.
    #[error("TLS refuses this identity: {0}; enrol anew with `shieldwall partner enrol`")]
    Tls(#[from] rustls::Error),
    /// A key or a certificate request could not be made: ours.
    #[error("the certificate request could not be made: {0}")]
    Request(#[from] rcgen::Error),
    /// The hub could not be reached or is not the one that the invitation names.
    #[error(
        "the hub did not answer: {0}; check its address, and that it is the one that invited you"
    )]
    Hub(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The hub refused, in its own words.
    #[error("the hub refused ({status}): {why}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What the hub said.
        why: String,
    },
    /// What the hub answered is not what it should: the hub's fault, or not the hub.
    #[error("the hub answered with {0}; nothing was written")]
    Answer(String),
}

impl Identity {
    /// Reads the identity in `folder`.
    ///
    /// # Errors
    /// A file is missing or wrong.
    pub fn load(folder: &Path) -> Result<Self, IdentityError> {
        finish_rotation(folder)?;
        let path = folder.join(PARTNER_FILE);
        let text = read(&path)?;
        let content = |what: String| IdentityError::Content {
            path: path.clone(),
            what,
        };
        let file: PartnerFile =
            serde_json::from_slice(&text).map_err(|error| content(error.to_string()))?;
        let hub_key = PublicKey::from_text(&file.hub_key).map_err(|e| content(e.to_string()))?;
        let partner = file.partner.into();
        Ok(Self {
            folder: folder.to_owned(),
            partner,
            hub: file.hub,
            hub_key,
        })
    }

    /// Mutual TLS with this identity: the hub's authority is the only one that is trusted.
    ///
    /// # Errors
    /// A file is missing or wrong, or key and certificate do not belong together.
    pub fn client_config(&self) -> Result<ClientConfig, IdentityError> {
        let ca = read(&self.folder.join(CA_FILE))?;
        let certificate = read(&self.folder.join(CERTIFICATE_FILE))?;
        let key = read(&self.folder.join(KEY_FILE))?;
        mutual_tls(&ca, &certificate, &key)
    }
}

/// A client configuration from PEM texts; HTTP/2 is preferred.
fn mutual_tls(ca: &[u8], certificate: &[u8], key: &[u8]) -> Result<ClientConfig, IdentityError> {
    let pem = |error: rustls::pki_types::pem::Error| {
        IdentityError::Tls(rustls::Error::General(error.to_string()))
    };
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca).map_err(pem)?)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
    let key = PrivateKeyDer::from_pem_slice(key).map_err(pem)?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain.map_err(pem)?, key)?;
    config.alpn_protocols = ALPN.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

/// The one crypto provider of the project.
fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Ends a rotation that was cut off between its two renames: the new key is in place and its
/// certificate still waits beside the old one.
fn finish_rotation(folder: &Path) -> Result<(), IdentityError> {
    let waiting = folder.join(CERTIFICATE_FILE).with_extension(NEW);
    let key_waits = folder.join(KEY_FILE).with_extension(NEW).exists();
    if waiting.exists() && !key_waits {
        rename(&waiting, &folder.join(CERTIFICATE_FILE))?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, IdentityError> {
    std::fs::read(path).map_err(at(path))
}

/// Writes a file that nobody else may read, and makes sure that it is on the disk.
fn write(path: &Path, bytes: &[u8]) -> Result<(), IdentityError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(at(path))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(at(path))
}

fn rename(from: &Path, to: &Path) -> Result<(), IdentityError> {
    std::fs::rename(from, to).map_err(at(to))
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> IdentityError {
    move |source| IdentityError::File {
        path: path.to_owned(),
        source,
    }
}

const CERTIFICATE_FILE: &str = "cert.pem";
const KEY_FILE: &str = "key.pem";
const CA_FILE: &str = "ca.pem";
const PARTNER_FILE: &str = "partner.json";
const NEW: &str = "new";
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];
