//! The hub's certificate authority: made on first start, it issues the server's own certificate
//! and the short-lived certificates of partners. Private keys of partners never reach it.

use super::unusable;
use crate::error::HubError;
use crate::secrets;
use aws_lc_rs::digest::{SHA256, digest};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
    date_time_ymd,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a partner's certificate is good for.
pub const PARTNER_LIFETIME: Duration = Duration::from_secs(30 * DAY_S);
/// How long the server's certificate is good for; it is made anew at each start.
const SERVER_LIFETIME: Duration = Duration::from_secs(90 * DAY_S);
/// How long the authority's own certificate is good for.
const AUTHORITY_LIFETIME: Duration = Duration::from_secs(3650 * DAY_S);
/// Certificates begin this much before now, for partners whose clocks are behind.
const CLOCK_SLACK: Duration = Duration::from_secs(600);
const DAY_S: u64 = 24 * 3600;
/// The longest certificate request that is read, bytes.
const CSR_BYTES_MAX: usize = 16 * 1024;

/// The certificate authority of one community.
#[derive(Debug)]
pub(crate) struct Authority {
    certificate: CertificateDer<'static>,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// What the server shows and proves in the handshake.
pub(crate) struct ServerIdentity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// A certificate that was just made for a partner.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) pem: String,
    /// The bytes of its DER integer, as [`super::peer::PeerCertificate`] reads them back.
    pub(crate) serial: Vec<u8>,
    pub(crate) not_after: SystemTime,
}

/// Why a certificate request is refused: the partner's fault, in words for the partner.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CsrError {
    #[error("the certificate request is longer than {CSR_BYTES_MAX} bytes")]
    Long,
    #[error("not a PKCS#10 certificate request in PEM whose signature verifies: {0}")]
    Unreadable(String),
    #[error("the certificate could not be made: {0}")]
    Ours(String),
}

impl Authority {
    /// Opens the authority of a data folder; the first caller makes it.
    pub(crate) fn open_or_create(data: &Path, community: &str) -> Result<Self, HubError> {
        let path = data.join("keys/authority.pem");
        let bytes = secrets::load_or_create(&path, || create(community))?;
        let text = std::str::from_utf8(&bytes).map_err(unusable)?;
        let certificate = CertificateDer::from_pem_slice(&bytes).map_err(unusable)?;
        let key = KeyPair::from_pem(text).map_err(unusable)?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(unusable)?;
        let pem = certificate_pem(&certificate);
        Ok(Self {
            certificate,
            pem,
            issuer,
        })
    }

    /// The authority's own certificate.
    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The authority's own certificate in PEM: what partners verify the hub against.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// SHA-256 of the authority's certificate, which invitations carry.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        sha256(&self.certificate)
    }

    /// A fresh key and certificate for the names (DNS names or addresses) the hub answers to.
    pub(crate) fn server_identity(
        &self,
        names: &[String],
        now: SystemTime,
    ) -> Result<ServerIdentity, HubError> {
        let key = KeyPair::generate().map_err(unusable)?;
        let mut params = CertificateParams::new(names.to_vec()).map_err(unusable)?;
        params.distinguished_name = name(names.first().map_or("hub", String::as_str));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.leaf(&mut params, now, SERVER_LIFETIME)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(unusable)?;
        Ok(ServerIdentity {
            chain: vec![certificate.der().clone(), self.certificate.clone()],
            key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        })
    }

    /// A certificate for a partner. Of the request only the public key is used: the name in the
    /// certificate is the partner's, whatever the request asks for.
    pub(crate) fn issue(
        &self,
        csr_pem: &str,
        partner: &str,
        now: SystemTime,
    ) -> Result<Issued, CsrError> {
        if csr_pem.len() > CSR_BYTES_MAX {
            return Err(CsrError::Long);
        }
        let request = CertificateSigningRequestParams::from_pem(csr_pem)
            .map_err(|error| CsrError::Unreadable(error.to_string()))?;
        let ours = |error: HubError| CsrError::Ours(error.to_string());
        let mut params = CertificateParams::default();
        params.distinguished_name = name(partner);
        params.subject_alt_names = vec![partner_uri(partner).map_err(ours)?];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let serial = self
            .leaf(&mut params, now, PARTNER_LIFETIME)
            .map_err(ours)?;
        let certificate = params
            .signed_by(&request.public_key, &self.issuer)
            .map_err(|error| CsrError::Ours(error.to_string()))?;
        Ok(Issued {
            pem: certificate.pem(),
            serial,
            not_after: now.checked_add(PARTNER_LIFETIME).unwrap_or(now),
        })
    }

    fn leaf(
        &self,
        params: &mut CertificateParams,
        now: SystemTime,
        lifetime: Duration,
    ) -> Result<Vec<u8>, HubError> {
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        validity(params, now, lifetime)?;
        serial(params)
    }
}

/// SHA-256 of a certificate in DER.
pub(crate) fn sha256(der: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(digest(&SHA256, der).as_ref()) {
        *to = *from;
    }
    out
}

fn create(community: &str) -> Result<Vec<u8>, HubError> {
    let key = KeyPair::generate().map_err(unusable)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = name(&format!("Shieldwall {community}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    validity(&mut params, SystemTime::now(), AUTHORITY_LIFETIME)?;
    serial(&mut params)?;
    let certificate = params.self_signed(&key).map_err(unusable)?;
    Ok(format!("{}{}", key.serialize_pem(), certificate.pem()).into_bytes())
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

fn partner_uri(partner: &str) -> Result<SanType, HubError> {
    format!("urn:shieldwall:partner:{partner}")
        .try_into()
        .map(SanType::URI)
        .map_err(unusable)
}

fn validity(
    params: &mut CertificateParams,
    now: SystemTime,
    lifetime: Duration,
) -> Result<(), HubError> {
    let start = now.checked_sub(CLOCK_SLACK).unwrap_or(UNIX_EPOCH);
    let at = |time: SystemTime| {
        let since = time.duration_since(UNIX_EPOCH).ok()?;
        date_time_ymd(1970, 1, 1).checked_add(since.try_into().ok()?)
    };
    let end = now.checked_add(lifetime).and_then(at);
    let (Some(from), Some(to)) = (at(start), end) else {
        return Err(HubError::Authority(
            "the system clock is out of range".to_owned(),
        ));
    };
    params.not_before = from;
    params.not_after = to;
    Ok(())
}

/// Sets a random serial number (positive, 16 bytes) and returns it.
fn serial(params: &mut CertificateParams) -> Result<Vec<u8>, HubError> {
    let mut bytes: [u8; 16] = secrets::random()?;
    // DER integers are signed and minimal: a first byte of 0x40..=0x7f needs no padding.
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    params.serial_number = Some(SerialNumber::from_slice(&bytes));
    Ok(bytes.to_vec())
}

fn certificate_pem(der: &CertificateDer<'_>) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::peer::PeerCertificate;

    fn csr() -> String {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["evil.example".to_owned()]).unwrap();
        params.distinguished_name = name("someone else");
        params.serialize_request(&key).unwrap().pem().unwrap()
    }

    #[test]
    fn the_authority_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let first = Authority::open_or_create(folder.path(), "test").unwrap();
        let second = Authority::open_or_create(folder.path(), "test").unwrap();
        assert_eq!(first.pem(), second.pem());
        assert_eq!(first.fingerprint(), second.fingerprint());
    }

    #[test]
    fn a_partner_gets_its_own_name_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(folder.path(), "test").unwrap();
        let issued = authority
            .issue(&csr(), "agency-a", SystemTime::now())
            .unwrap();
        let der = CertificateDer::from_pem_slice(issued.pem.as_bytes()).unwrap();
        let peer = PeerCertificate::read(&der).unwrap();
        assert_eq!(*peer.serial, *issued.serial);
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).unwrap();
        assert_eq!(parsed.subject().to_string(), "CN=agency-a");
        assert!(!format!("{parsed:?}").contains("evil.example"));
        assert!(!parsed.is_ca());
    }

    #[test]
    fn rubbish_is_refused_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(folder.path(), "test").unwrap();
        let now = SystemTime::now();
        assert!(matches!(
            authority.issue("no", "a", now),
            Err(CsrError::Unreadable(_))
        ));
        let long = "x".repeat(CSR_BYTES_MAX + 1);
        assert!(matches!(
            authority.issue(&long, "a", now),
            Err(CsrError::Long)
        ));
    }
}
