//! Getting a certificate, and the next one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Serialize;
use taxii::enrol::{EnrolRequest, EnrolResponse, Invitation, RotateRequest, token_text};
use taxii::push::PublicKey;

use super::pin::PinnedAuthority;
use super::{
    ALPN, CA_FILE, CERTIFICATE_FILE, Identity, IdentityError, KEY_FILE, NEW, PARTNER_FILE,
    PartnerFile, at, mutual_tls, provider, read, rename, write,
};

/// Longest answer of the hub that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// Longest wait for the hub.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);

/// Enrols with an invitation: makes a key, has the hub certify it, and writes the folder.
/// The hub is known by the hash in the invitation before its secret is sent.
///
/// # Errors
/// The folder holds an identity already, the hub is not the one that invited, or it refuses.
/// Nothing is written then.
pub async fn enrol(invitation: &Invitation, folder: &Path) -> Result<Identity, IdentityError> {
    if folder.join(PARTNER_FILE).exists() {
        return Err(IdentityError::Exists(folder.to_owned()));
    }
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let request = EnrolRequest {
        token: token_text(&invitation.token),
        csr_pem: csr(&key)?,
    };
    let pin = Arc::new(PinnedAuthority::new(invitation.ca_sha256, provider()));
    let url = format!("{}/exchange/v1/enrol", invitation.hub.trim_end_matches('/'));
    let answer = post(pinned_tls(Arc::clone(&pin))?, &url, &request).await?;
    check(&answer, &key, |ca| pin.is(ca))?;
    std::fs::create_dir_all(folder).map_err(at(folder))?;
    write(&folder.join(KEY_FILE), key.serialize_pem().as_bytes())?;
    write(
        &folder.join(CERTIFICATE_FILE),
        answer.certificate_pem.as_bytes(),
    )?;
    write(&folder.join(CA_FILE), answer.ca_pem.as_bytes())?;
    write(
        &folder.join(PARTNER_FILE),
        &partner_file(&answer, &invitation.hub)?,
    )?;
    Identity::load(folder)
}

/// Gets the next certificate, with a new key, over a connection with the present one.
///
/// # Errors
/// The present identity cannot be used, or the hub refuses. The present one then stays.
pub async fn rotate(folder: &Path) -> Result<Identity, IdentityError> {
    let identity = Identity::load(folder)?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let url = format!("{}/exchange/v1/rotate", identity.hub.trim_end_matches('/'));
    let request = RotateRequest {
        csr_pem: csr(&key)?,
    };
    let answer = post(identity.client_config()?, &url, &request).await?;
    let ca = read(&folder.join(CA_FILE))?;
    check(&answer, &key, |new| {
        CertificateDer::from_pem_slice(&ca).is_ok_and(|old| old == *new)
    })?;
    let (key_path, cert_path) = (folder.join(KEY_FILE), folder.join(CERTIFICATE_FILE));
    write(
        &cert_path.with_extension(NEW),
        answer.certificate_pem.as_bytes(),
    )?;
    write(
        &key_path.with_extension(NEW),
        key.serialize_pem().as_bytes(),
    )?;
    rename(&key_path.with_extension(NEW), &key_path)?;
    rename(&cert_path.with_extension(NEW), &cert_path)?;
    Identity::load(folder)
}

fn csr(key: &KeyPair) -> Result<String, IdentityError> {
    Ok(CertificateParams::default().serialize_request(key)?.pem()?)
}

/// TLS without a certificate of ours, towards the pinned authority only.
fn pinned_tls(pin: Arc<PinnedAuthority>) -> Result<ClientConfig, IdentityError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(pin)
        .with_no_client_auth();
    config.alpn_protocols = ALPN.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

async fn post<T: Serialize + Sync>(
    tls: ClientConfig,
    url: &str,
    request: &T,
) -> Result<EnrolResponse, IdentityError> {
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(ANSWER_WAIT_MAX)
        .build()
        .map_err(hub)?;
    let mut response = client.post(url).json(request).send().await.map_err(hub)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(hub)? {
        if body.len().saturating_add(chunk.len()) > ANSWER_BYTES_MAX {
            return Err(IdentityError::Answer(format!(
                "more than {ANSWER_BYTES_MAX} bytes"
            )));
        }
        body.extend_from_slice(&chunk);
    }
    if !status.is_success() {
        let why = String::from_utf8_lossy(&body).trim().to_owned();
        return Err(IdentityError::Refused {
            status: status.as_u16(),
            why,
        });
    }
    serde_json::from_slice(&body).map_err(|error| IdentityError::Answer(error.to_string()))
}

/// Checks that the answer is usable before anything is written: the authority is the one that is
/// trusted, the certificate belongs to our key, the signing key is one.
fn check(
    answer: &EnrolResponse,
    key: &KeyPair,
    trusted: impl Fn(&CertificateDer<'_>) -> bool,
) -> Result<(), IdentityError> {
    let ca = CertificateDer::from_pem_slice(answer.ca_pem.as_bytes())
        .map_err(|error| IdentityError::Answer(format!("an unreadable authority: {error}")))?;
    if !trusted(&ca) {
        return Err(IdentityError::Answer(
            "another authority than the trusted one".to_owned(),
        ));
    }
    PublicKey::from_text(&answer.hub_key)
        .map_err(|error| IdentityError::Answer(format!("an unreadable signing key: {error}")))?;
    let key = key.serialize_pem();
    mutual_tls(
        answer.ca_pem.as_bytes(),
        answer.certificate_pem.as_bytes(),
        key.as_bytes(),
    )?;
    Ok(())
}

fn partner_file(answer: &EnrolResponse, hub: &str) -> Result<Vec<u8>, IdentityError> {
    let file = PartnerFile {
        partner: answer.partner.clone(),
        hub: hub.trim_end_matches('/').to_owned(),
        hub_key: answer.hub_key.clone(),
    };
    serde_json::to_vec_pretty(&file).map_err(|error| IdentityError::Answer(error.to_string()))
}

fn hub(error: reqwest::Error) -> IdentityError {
    IdentityError::Hub(Box::new(error))
}
