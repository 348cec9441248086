//! OpenSSF Model Signing (OMS, version 1.0): signatures over models that other tools make.
//!
//! A bundle holds a DSSE envelope of an in-toto statement with the digest of every file, and what
//! claims to be the key: a certificate, a key, or a hint at one. Who owns a certificate is not
//! looked at here (chains, transparency logs, times): that a signature is right says that somebody
//! signed these files, and [`Signer::pinned`] whether it is somebody whose key was given.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1,
    EcdsaVerificationAlgorithm, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use x509_parser::prelude::{FromDer as _, SubjectPublicKeyInfo, X509Certificate};

use crate::dsse::{Envelope, IN_TOTO};
use crate::json::{self, DocumentError, Fault};
use crate::key::unwrap_pem;
use crate::statement::STATEMENT;
use crate::value::Digest;

/// Largest bundle that is read, in bytes.
pub const BUNDLE_BYTES_MAX: usize = 4 << 20;
/// Most files of a bundle.
pub const RESOURCES_MAX: usize = 10_000;
/// What an OMS statement says.
pub const PREDICATE: &str = "https://model_signing/signature/v1.0";
/// How the type of a bundle begins.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";

/// A bundle whose signature is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Who signed, as far as that is known.
    pub signer: Signer,
    /// The name of the model.
    pub model: String,
    /// Digests of its files by name; `.` is a model that is one file.
    pub files: BTreeMap<String, Digest>,
    /// Paths that were not signed on purpose.
    pub ignored: BTreeSet<String>,
}

/// Who signed a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Where the key was found.
    pub source: KeySource,
    /// Its curve.
    pub curve: Curve,
    /// SHA-256 of the key in SPKI form (DER).
    pub key: Digest,
    /// Whether the key is one of those that were given. Otherwise anybody may have signed.
    pub pinned: bool,
}

/// Where the key of a bundle was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// In the certificate of a bundle with one; its chain was not verified.
    Certificate,
    /// In the first certificate of a chain; the chain was not verified.
    Chain,
    /// In the bundle itself: the signer says that it is the signer.
    Embedded,
    /// Among the keys that were given.
    Given,
}

/// A curve that is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// NIST P-256 with SHA-256.
    P256,
    /// NIST P-384 with SHA-384.
    P384,
    /// NIST P-521 with SHA-512.
    P521,
}

/// What became of a file of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It has the digest that was signed.
    Same,
    /// It has another one.
    Changed,
    /// It is not there.
    Missing,
    /// It is there, and neither signed nor ignored.
    NotSigned,
}

/// Why a bundle is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OmsError {
    /// The bundle, or what is in it, cannot be read.
    #[error("{part}: {error}")]
    Document {
        /// Which part.
        part: &'static str,
        /// What is wrong, and where.
        error: DocumentError,
    },
    /// A certificate or key that cannot be read.
    #[error("{0}: neither a certificate nor a key on P-256, P-384 or P-521")]
    Key(&'static str),
    /// The bundle hints at a key that was not given.
    #[error("the bundle hints at the key {0}, which was not given: give it")]
    Hint(Box<str>),
    /// The signature is not that of the key.
    #[error("the signature is not that of the key that the bundle names")]
    Signature,
    /// Files were hashed in a way that is not supported.
    #[error("{what} is {found:?}; only {want:?} is supported")]
    Unsupported {
        /// What it is.
        what: &'static str,
        /// What it says.
        found: Box<str>,
        /// What is supported.
        want: &'static str,
    },
    /// The digest of the whole is not that of its parts.
    #[error("the digest of the model is not that of its files")]
    Root,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    media_type: String,
    verification_material: Material,
    dsse_envelope: serde_json::Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    public_key: Option<EmbeddedKey>,
    certificate: Option<RawBytes>,
    x509_certificate_chain: Option<Chain>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EmbeddedKey {
    hint: Option<String>,
    raw_bytes: Option<String>,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Vec<RawBytes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBytes {
    raw_bytes: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Deserialize)]
struct Subject {
    name: String,
    digest: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Predicate {
    resources: Vec<Resource>,
    serialization: Serialization,
}

#[derive(Deserialize)]
struct Resource {
    name: String,
    algorithm: String,
    digest: Digest,
}

#[derive(Deserialize)]
struct Serialization {
    method: String,
    hash_type: String,
    #[serde(default)]
    ignore_paths: BTreeSet<String>,
}

/// Reads a bundle and verifies its signature. `given` are public keys (SPKI, DER) that the caller
/// knows by another way; only they make a signer known.
///
/// # Errors
/// [`OmsError`], when it cannot be read or its signature is not right.
pub fn verify(raw: &[u8], given: &[Vec<u8>]) -> Result<Signed, OmsError> {
    let bundle: Bundle = json::read_any_form(raw, BUNDLE_BYTES_MAX).map_err(in_part("bundle"))?;
    if !bundle.media_type.starts_with(BUNDLE) {
        return Err(unsupported("mediaType", &bundle.media_type, BUNDLE));
    }
    let envelope = json::write(&bundle.dsse_envelope).map_err(in_part("dsseEnvelope"))?;
    let envelope = Envelope::read(envelope.as_bytes(), BUNDLE_BYTES_MAX, 1);
    let envelope = envelope.map_err(in_part("dsseEnvelope"))?;
    let (source, spki) = key(&bundle.verification_material, given)?;
    let curve = check_signature(&envelope, &spki)?;
    // What was verified is what is read, and nothing else of the bundle.
    let statement = statement(&envelope)?;
    check_root(&statement)?;
    let model = statement
        .subject
        .into_iter()
        .next()
        .map(|subject| subject.name);
    Ok(Signed {
        signer: Signer {
            source,
            curve,
            key: Digest::of(&spki),
            pinned: given.contains(&spki),
        },
        model: model.unwrap_or_default(),
        files: statement
            .predicate
            .resources
            .into_iter()
            .map(|resource| (resource.name, resource.digest))
            .collect(),
        ignored: statement.predicate.serialization.ignore_paths,
    })
}

impl Signed {
    /// Holds the files that are there against those that were signed. Without a list of what to
    /// ignore (before version 1.1.0 of the format), files that are not signed may be there.
    #[must_use]
    pub fn compare<'a>(&'a self, files: &'a BTreeMap<String, Vec<u8>>) -> BTreeMap<&'a str, Found> {
        let signed = self.files.iter().map(|(name, digest)| {
            let found = match files.get(name) {
                None => Found::Missing,
                Some(content) if Digest::of(content) == *digest => Found::Same,
                Some(_) => Found::Changed,
            };
            (name.as_str(), found)
        });
        let others = files.keys().filter(|name| {
            let named = self.files.contains_key(*name) || self.is_ignored(name);
            !named && !self.ignored.is_empty()
        });
        let others = others.map(|name| (name.as_str(), Found::NotSigned));
        signed.chain(others).collect()
    }

    fn is_ignored(&self, name: &str) -> bool {
        self.ignored.iter().any(|ignored| {
            let rest = name.strip_prefix(ignored.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

fn in_part(part: &'static str) -> impl Fn(DocumentError) -> OmsError {
    move |error| OmsError::Document { part, error }
}

fn unsupported(what: &'static str, found: &str, want: &'static str) -> OmsError {
    OmsError::Unsupported {
        what,
        found: found.chars().take(100).collect::<String>().into(),
        want,
    }
}

/// The key of a bundle in SPKI form, and where it was found.
fn key(material: &Material, given: &[Vec<u8>]) -> Result<(KeySource, Vec<u8>), OmsError> {
    let first = |chain: &Chain| {
        chain
            .certificates
            .first()
            .map(|first| first.raw_bytes.clone())
    };
    let certificate = material.certificate.as_ref();
    if let Some(certificate) = certificate {
        let spki = of_certificate(&certificate.raw_bytes)?;
        return Ok((KeySource::Certificate, spki));
    }
    if let Some(chain) = &material.x509_certificate_chain {
        let leaf = first(chain).ok_or(OmsError::Key("x509CertificateChain"))?;
        return Ok((KeySource::Chain, of_certificate(&leaf)?));
    }
    let key = material.public_key.as_ref();
    let key = key.ok_or(OmsError::Key("verificationMaterial"))?;
    if let Some(text) = &key.raw_bytes {
        let bytes = BASE64
            .decode(text)
            .map_err(|_| OmsError::Key("publicKey"))?;
        // Some writers put DER there, others PEM.
        let pem = std::str::from_utf8(&bytes).ok();
        let pem = pem.and_then(|text| unwrap_pem(text, "PUBLIC KEY"));
        return Ok((KeySource::Embedded, pem.unwrap_or(bytes)));
    }
    let hint = key.hint.as_deref().unwrap_or_default();
    let hinted = given.iter().find(|spki| is_hinted(spki, hint));
    match hinted {
        Some(spki) => Ok((KeySource::Given, spki.clone())),
        None => Err(OmsError::Hint(
            hint.chars().take(100).collect::<String>().into(),
        )),
    }
}

/// A hint is the SHA-256 of the key, of its SPKI form or of the PEM of that.
fn is_hinted(spki: &[u8], hint: &str) -> bool {
    Digest::of(spki).to_string() == hint
        || Digest::of(crate::key::wrap_pem(spki, "PUBLIC KEY").as_bytes()).to_string() == hint
}

fn of_certificate(text: &str) -> Result<Vec<u8>, OmsError> {
    let bad = || OmsError::Key("certificate");
    let der = BASE64.decode(text).map_err(|_| bad())?;
    let (rest, certificate) = X509Certificate::from_der(&der).map_err(|_| bad())?;
    match rest {
        [] => Ok(certificate.public_key().raw.to_vec()),
        [..] => Err(bad()),
    }
}

fn check_signature(envelope: &Envelope, spki: &[u8]) -> Result<Curve, OmsError> {
    if envelope.payload_type != IN_TOTO {
        return Err(unsupported("payloadType", &envelope.payload_type, IN_TOTO));
    }
    let (_, parsed) = SubjectPublicKeyInfo::from_der(spki).map_err(|_| OmsError::Key("the key"))?;
    let point = parsed.subject_public_key.data.as_ref();
    // An uncompressed point: one byte, and two coordinates.
    let (curve, algorithm): (_, &EcdsaVerificationAlgorithm) = match point.len() {
        65 => (Curve::P256, &ECDSA_P256_SHA256_ASN1),
        97 => (Curve::P384, &ECDSA_P384_SHA384_ASN1),
        133 => (Curve::P521, &ECDSA_P521_SHA512_ASN1),
        _ => return Err(OmsError::Key("the key")),
    };
    let signature = envelope.signatures.first().ok_or(OmsError::Signature)?;
    let key = UnparsedPublicKey::new(algorithm, point);
    key.verify(&envelope.signed(), &signature.sig)
        .map_err(|_| OmsError::Signature)?;
    Ok(curve)
}

fn statement(envelope: &Envelope) -> Result<Statement, OmsError> {
    let statement: Statement =
        json::read_any_form(&envelope.payload, BUNDLE_BYTES_MAX).map_err(in_part("statement"))?;
    if statement.kind != STATEMENT {
        return Err(unsupported("_type", &statement.kind, STATEMENT));
    }
    if statement.predicate_type != PREDICATE {
        return Err(unsupported(
            "predicateType",
            &statement.predicate_type,
            PREDICATE,
        ));
    }
    let how = &statement.predicate.serialization;
    if how.method != "files" {
        return Err(unsupported("serialization.method", &how.method, "files"));
    }
    if how.hash_type != "sha256" {
        return Err(unsupported(
            "serialization.hash_type",
            &how.hash_type,
            "sha256",
        ));
    }
    let resources = &statement.predicate.resources;
    let (count, max) = (resources.len(), RESOURCES_MAX);
    let refuse = |fault| in_part("statement")(DocumentError::new("$.predicate.resources", fault));
    if count > max {
        return Err(refuse(Fault::TooMany { count, max }));
    }
    let names: BTreeSet<&str> = resources.iter().map(|file| file.name.as_str()).collect();
    if names.len() != count {
        let order = "one entry for each name";
        return Err(refuse(Fault::Order { order }));
    }
    match resources.iter().find(|file| file.algorithm != "sha256") {
        None => Ok(statement),
        Some(file) => Err(unsupported("algorithm", &file.algorithm, "sha256")),
    }
}

/// The digest of the whole is that of the digests of its files, one after the other. A model of one
/// file has that too.
fn check_root(statement: &Statement) -> Result<(), OmsError> {
    let resources = statement.predicate.resources.iter();
    let digests: Vec<u8> = resources.flat_map(|file| *file.digest.as_bytes()).collect();
    let root = Digest::of(&digests).to_string();
    match statement.subject.as_slice() {
        [subject] if subject.digest.get("sha256") == Some(&root) => Ok(()),
        [..] => Err(OmsError::Root),
    }
}
