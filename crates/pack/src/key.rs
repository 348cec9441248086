//! Keys: Ed25519 (RFC 8032), in the forms that openssl reads and writes.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::value::Digest;

/// Longest text that is read as a key, in bytes.
pub const KEY_BYTES_MAX: usize = 4096;

/// What stands before the 32 bytes of a public key in SPKI (RFC 8410 section 4).
const SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// Why a text is not a key. It never says what the text was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A public key is something else.
    #[error(
        "not an Ed25519 public key: give PEM (\"BEGIN PUBLIC KEY\") or base64 of its 32 bytes or of its SPKI form"
    )]
    Public,
    /// A private key is something else.
    #[error(
        "not an Ed25519 private key: give PKCS#8 in PEM (\"BEGIN PRIVATE KEY\"), as `shieldwall pack keygen` and `openssl genpkey -algorithm ed25519` write it, not encrypted"
    )]
    Private,
    /// A private key stands where a public one belongs.
    #[error("this is a private key: give the public one here, and keep this one to yourself")]
    Secret,
}

/// A public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// From its 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads PEM, or base64 of the 32 bytes or of the SPKI form.
    ///
    /// # Errors
    /// [`KeyError`] for anything else.
    pub fn read(text: &str) -> Result<Self, KeyError> {
        if text.contains("PRIVATE KEY") {
            return Err(KeyError::Secret);
        }
        let der = match unwrap_pem(text, "PUBLIC KEY") {
            Some(der) => der,
            None if text.len() <= KEY_BYTES_MAX => {
                BASE64.decode(text.trim()).map_err(|_| KeyError::Public)?
            }
            None => return Err(KeyError::Public),
        };
        let raw = der.strip_prefix(&SPKI).unwrap_or(&der);
        raw.try_into().map(Self).map_err(|_| KeyError::Public)
    }

    /// What names the key: the SHA-256 of its SPKI form, as
    /// `openssl pkey -pubin -outform DER | sha256sum` gives it.
    #[must_use]
    pub fn id(&self) -> Digest {
        Digest::of(&self.to_spki())
    }

    /// The SPKI form (DER).
    #[must_use]
    pub fn to_spki(&self) -> Vec<u8> {
        [SPKI.as_slice(), &self.0].concat()
    }

    /// PEM of the SPKI form.
    #[must_use]
    pub fn to_pem(&self) -> String {
        wrap_pem(&self.to_spki(), "PUBLIC KEY")
    }

    /// Base64 of the 32 bytes.
    #[must_use]
    pub fn to_text(&self) -> String {
        BASE64.encode(self.0)
    }

    /// Whether `signature` is this key's over `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, self.0);
        key.verify(message, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

/// A private key. Nothing prints it but [`SigningKey::to_pem`].
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// From 32 random bytes.
    ///
    /// # Errors
    /// [`KeyError::Private`], when the cryptographic library takes none.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed);
        pair.map(Self).map_err(|_| KeyError::Private)
    }

    /// Reads PKCS#8 in PEM, versions 1 and 2.
    ///
    /// # Errors
    /// [`KeyError::Private`] for anything else.
    pub fn read(text: &str) -> Result<Self, KeyError> {
        let der = unwrap_pem(text, "PRIVATE KEY").ok_or(KeyError::Private)?;
        let pair = Ed25519KeyPair::from_pkcs8(&der);
        pair.map(Self).map_err(|_| KeyError::Private)
    }

    /// PKCS#8 version 1 in PEM, which every openssl reads. Keep it secret.
    ///
    /// # Errors
    /// [`KeyError::Private`], when the cryptographic library writes none.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        let der = self.0.to_pkcs8v1().map_err(|_| KeyError::Private)?;
        Ok(wrap_pem(der.as_ref(), "PRIVATE KEY"))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(self.0.public_key().as_ref()) {
            *to = *from;
        }
        PublicKey(bytes)
    }

    /// Signs; the same message gives the same signature.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?})", self.public())
    }
}

/// PEM (RFC 7468): base64 in lines of 64 between two marks.
pub(crate) fn wrap_pem(der: &[u8], label: &str) -> String {
    let text = BASE64.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.extend(line.iter().map(|byte| char::from(*byte)));
        pem.push('\n');
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}

/// What is in the first PEM block of this label.
pub(crate) fn unwrap_pem(text: &str, label: &str) -> Option<Vec<u8>> {
    if text.len() > KEY_BYTES_MAX {
        return None;
    }
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    BASE64.decode(body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410 section 10.1 and 10.3.
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";

    #[test]
    fn keys_are_read_and_written_as_rfc_8410_writes_them() {
        let private = SigningKey::read(PRIVATE).unwrap();
        let public = PublicKey::read(PUBLIC).unwrap();
        assert_eq!(private.public(), public);
        assert_eq!(
            (private.to_pem().unwrap().as_str(), public.to_pem().as_str()),
            (PRIVATE, PUBLIC)
        );
        assert_eq!(PublicKey::read(&public.to_text()), Ok(public));
        assert_eq!(
            PublicKey::read(&BASE64.encode(public.to_spki())),
            Ok(public)
        );
        assert_eq!(
            format!("{private:?}"),
            format!("SigningKey({})", public.to_text())
        );
        let signature = private.sign(b"message");
        assert!(public.verifies(b"message", &signature));
        assert!(!public.verifies(b"massage", &signature));
    }

    #[test]
    fn what_is_no_key_is_refused_without_telling_what_it_was() {
        assert_eq!(PublicKey::read(PRIVATE), Err(KeyError::Secret));
        assert_eq!(SigningKey::read(PUBLIC).unwrap_err(), KeyError::Private);
        let cut = PUBLIC.replace("MCow", "");
        for bad in ["", "AAAA", "not base64!", &cut, &"A".repeat(5000)] {
            assert_eq!(PublicKey::read(bad), Err(KeyError::Public), "{bad}");
            assert_eq!(
                SigningKey::read(bad).unwrap_err(),
                KeyError::Private,
                "{bad}"
            );
        }
    }
}
