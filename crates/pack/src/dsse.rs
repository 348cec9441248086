//! DSSE: what is signed is a payload with its type (Dead Simple Signing Envelope, version 1.0.2).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::{Deserialize, Serialize};

use crate::json::{self, DocumentError, Fault};

/// The type of an in-toto statement.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";

/// What is signed in place of `body`: the pre-authentication encoding.
///
/// ```
/// let signed = pack::dsse::pae("http://example.com/HelloWorld", b"hello world");
/// assert_eq!(signed, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
/// ```
#[must_use]
pub fn pae(payload_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A payload and signatures over it. Nothing here was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What is signed.
    pub payload: Vec<u8>,
    /// How to read it.
    pub payload_type: String,
    /// By whom, as they say.
    pub signatures: Vec<Signature>,
}

/// A signature as it stands in an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Which key to try; says nothing by itself.
    pub keyid: Option<String>,
    /// The signature.
    pub sig: Vec<u8>,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    payload: String,
    payload_type: String,
    signatures: Vec<WrittenSignature>,
}

#[derive(Serialize, Deserialize)]
struct WrittenSignature {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keyid: Option<String>,
    sig: String,
}

impl Envelope {
    /// Reads an envelope in any form of JSON, with standard or URL-safe base64. Fields that the
    /// protocol does not name are passed over.
    ///
    /// # Errors
    /// [`DocumentError`] with path and what mends it.
    pub fn read(
        raw: &[u8],
        bytes_max: usize,
        signatures_max: usize,
    ) -> Result<Self, DocumentError> {
        let written: Written = json::read_any_form(raw, bytes_max)?;
        let count = written.signatures.len();
        if count > signatures_max {
            let max = signatures_max;
            return Err(DocumentError::new(
                "$.signatures",
                Fault::TooMany { count, max },
            ));
        }
        let payload = decode(&written.payload, "$.payload")?;
        let signatures = written.signatures.into_iter().enumerate();
        let signatures = signatures.map(|(index, signature)| {
            Ok(Signature {
                keyid: signature.keyid,
                sig: decode(&signature.sig, &format!("$.signatures[{index}].sig"))?,
            })
        });
        Ok(Self {
            payload,
            payload_type: written.payload_type,
            signatures: signatures.collect::<Result<_, _>>()?,
        })
    }

    /// Writes it in canonical JSON with standard base64.
    ///
    /// # Errors
    /// [`DocumentError`], which these fields rule out.
    pub fn write(&self) -> Result<String, DocumentError> {
        let signatures = self.signatures.iter().map(|signature| WrittenSignature {
            keyid: signature.keyid.clone(),
            sig: STANDARD.encode(&signature.sig),
        });
        json::write(&Written {
            payload: STANDARD.encode(&self.payload),
            payload_type: self.payload_type.clone(),
            signatures: signatures.collect(),
        })
    }

    /// The bytes that its signatures are over.
    #[must_use]
    pub fn signed(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload)
    }
}

/// "Either standard or URL-safe base64 encodings are allowed [...] verifiers MUST accept either."
fn decode(text: &str, path: &str) -> Result<Vec<u8>, DocumentError> {
    let bytes = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text));
    bytes.map_err(|_| DocumentError::new(path, Fault::Shape("is not base64".into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Envelope, DocumentError> {
        Envelope::read(text.as_bytes(), 1000, 2)
    }

    #[test]
    fn lengths_are_of_bytes() {
        assert_eq!(pae("é", b""), "DSSEv1 2 é 0 ".as_bytes());
        // Moving a byte from one part to the other gives other bytes.
        assert_ne!(pae("a b", b"c"), pae("a", b"b c"));
    }

    #[test]
    fn both_alphabets_are_read_and_one_is_written() {
        let text = r#"{"payload":"-_8=","payloadType":"t","signatures":[{"sig":"+/8="},{"keyid":"k","sig":""}],"more":1}"#;
        let envelope = read(text).unwrap();
        assert_eq!(envelope.payload, [0xfb, 0xff]);
        assert_eq!(envelope.signatures[0].sig, [0xfb, 0xff]);
        let written = envelope.write().unwrap();
        let want = r#"{"payload":"+/8=","payloadType":"t","signatures":[{"sig":"+/8="},{"keyid":"k","sig":""}]}"#;
        assert_eq!(written, want);
        assert_eq!(read(&written).unwrap(), envelope);
    }

    #[test]
    fn faults_have_a_place() {
        for (text, path) in [
            (
                r#"{"payload":"?","payloadType":"t","signatures":[]}"#,
                "$.payload",
            ),
            (
                r#"{"payload":"","payloadType":"t","signatures":[{"sig":"AB="}]}"#,
                "$.signatures[0].sig",
            ),
            (
                r#"{"payload":"","payload":"","payloadType":"t","signatures":[]}"#,
                "$.payload",
            ),
            (
                r#"{"payload":"","payloadType":"t","signatures":[{"sig":""},{"sig":""},{"sig":""}]}"#,
                "$.signatures",
            ),
            (r#"{"payload":"","payloadType":"t"}"#, "$"),
        ] {
            assert_eq!(&*read(text).unwrap_err().path, path, "{text}");
        }
    }
}
