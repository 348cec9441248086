//! Enrolment: how a partner gets its certificate without the hub ever seeing a private key.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};

/// Longest invitation read, in bytes of its text.
pub const INVITATION_BYTES_MAX: usize = 2048;

/// An invitation: where the hub is, how to know it, and a secret that is good for one enrolment.
///
/// Its text form, `sw1.` and base64, is what `partner invite` prints and `partner enrol` takes.
#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    /// URL of the hub, without a path.
    pub hub: String,
    /// Secret, used once.
    pub token: [u8; 32],
    /// SHA-256 of the DER of the hub's CA certificate; the hub sends it in its TLS chain.
    pub ca_sha256: [u8; 32],
}

/// Why a text is no invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvitationError {
    /// Cut, mistyped, or something else altogether.
    #[error("not an invitation: it starts with \"sw1.\" and must be copied whole")]
    Malformed,
    /// Of a later program.
    #[error("an invitation of a newer kind; update this program")]
    Newer,
}

impl fmt::Display for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(self.hub.len().saturating_add(64));
        bytes.extend_from_slice(&self.token);
        bytes.extend_from_slice(&self.ca_sha256);
        bytes.extend_from_slice(self.hub.as_bytes());
        write!(f, "{PREFIX}{}", BASE64.encode(bytes))
    }
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invitation")
            .field("hub", &self.hub)
            .finish_non_exhaustive()
    }
}

impl FromStr for Invitation {
    type Err = InvitationError;

    fn from_str(text: &str) -> Result<Self, InvitationError> {
        let text = text.trim();
        let Some(body) = text.strip_prefix(PREFIX) else {
            let newer = text.starts_with("sw") && text.contains('.');
            return Err(if newer {
                InvitationError::Newer
            } else {
                InvitationError::Malformed
            });
        };
        if body.len() > INVITATION_BYTES_MAX {
            return Err(InvitationError::Malformed);
        }
        let bytes = BASE64
            .decode(body)
            .map_err(|_| InvitationError::Malformed)?;
        let (token, rest) = bytes
            .split_first_chunk::<32>()
            .ok_or(InvitationError::Malformed)?;
        let (ca, hub) = rest
            .split_first_chunk::<32>()
            .ok_or(InvitationError::Malformed)?;
        let hub = std::str::from_utf8(hub).map_err(|_| InvitationError::Malformed)?;
        if !hub.starts_with("https://") {
            return Err(InvitationError::Malformed);
        }
        Ok(Self {
            hub: hub.into(),
            token: *token,
            ca_sha256: *ca,
        })
    }
}

/// Request for a first certificate.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolRequest {
    /// The invitation's secret, as [`token_text`].
    pub token: String,
    /// PKCS #10 certificate request (RFC 2986) in PEM; only its public key counts.
    pub csr_pem: String,
}

impl fmt::Debug for EnrolRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrolRequest").finish_non_exhaustive()
    }
}

/// Request for the next certificate, over a connection with the present one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotateRequest {
    /// PKCS #10 certificate request in PEM, with a new key.
    pub csr_pem: String,
}

/// What an enrolled partner keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolResponse {
    /// Name of the partner in the exchange.
    pub partner: String,
    /// The partner's certificate.
    pub certificate_pem: String,
    /// The hub's CA certificate.
    pub ca_pem: String,
    /// The key that frames are signed with: [`crate::push::PublicKey::to_text`].
    pub hub_key: String,
}

/// Text form of a 32-byte secret (an invitation's, or an API token): URL-safe base64.
pub fn token_text(token: &[u8; 32]) -> String {
    BASE64.encode(token)
}

/// Reads what [`token_text`] wrote; none if it is anything else.
pub fn token_bytes(text: &str) -> Option<[u8; 32]> {
    BASE64.decode(text.trim()).ok()?.try_into().ok()
}

const PREFIX: &str = "sw1.";

#[cfg(test)]
mod tests {
    use super::*;

    fn invitation() -> Invitation {
        let hub = "https://hub.example:8443".into();
        Invitation {
            hub,
            token: [7; 32],
            ca_sha256: [9; 32],
        }
    }

    #[test]
    fn invitations_come_back_from_text_even_with_white_space_around() {
        let text = format!(" {}\n", invitation());
        assert_eq!(text.parse(), Ok(invitation()));
    }

    #[test]
    fn what_is_cut_or_foreign_is_refused() {
        let text = invitation().to_string();
        let cut = text.get(..80).unwrap();
        assert_eq!(cut.parse::<Invitation>(), Err(InvitationError::Malformed));
        assert_eq!(
            "hello".parse::<Invitation>(),
            Err(InvitationError::Malformed)
        );
        assert_eq!(
            "sw2.AAAA".parse::<Invitation>(),
            Err(InvitationError::Newer)
        );
        let plain = Invitation {
            hub: "http://hub.example".into(),
            ..invitation()
        };
        assert_eq!(
            plain.to_string().parse::<Invitation>(),
            Err(InvitationError::Malformed)
        );
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let request = EnrolRequest {
            token: token_text(&[7; 32]),
            csr_pem: "PEM".into(),
        };
        assert!(!format!("{request:?}").contains(&request.token));
        assert!(!format!("{:?}", invitation()).contains("7, 7"));
        assert_eq!(token_bytes(&request.token), Some([7; 32]));
    }
}
