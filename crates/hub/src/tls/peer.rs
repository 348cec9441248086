//! The certificate a client proved in the handshake, as requests see it.

use std::sync::Arc;

/// Put into the extensions of each request on a connection whose client showed a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerCertificate {
    /// The serial number: the bytes of its DER integer.
    pub(crate) serial: Arc<[u8]>,
}

impl PeerCertificate {
    /// Reads a certificate that the handshake has verified; `None` if it is no X.509.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let (_, parsed) = x509_parser::parse_x509_certificate(der).ok()?;
        Some(Self {
            serial: parsed.raw_serial().into(),
        })
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
