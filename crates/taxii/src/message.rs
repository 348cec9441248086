//! The messages of TAXII 2.1 (OASIS standard, sections 3 to 5), as far as the hub speaks them.

use serde::{Deserialize, Serialize};
use stix::{StixId, Timestamp};

/// Header with the `date_added` of the first object of a page (section 1.6.5).
pub const HEADER_DATE_ADDED_FIRST: &str = "X-TAXII-Date-Added-First";
/// Header with the `date_added` of the last object of a page (section 1.6.5).
pub const HEADER_DATE_ADDED_LAST: &str = "X-TAXII-Date-Added-Last";

/// What a server offers (section 4.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discovery {
    /// Name of the server.
    pub title: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whom to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// API root to use when in doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// URLs of the API roots that the asker may see.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub api_roots: Vec<String>,
}

/// One API root (section 4.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiRoot {
    /// Name of the root.
    pub title: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Media types of the protocol versions spoken.
    pub versions: Vec<String>,
    /// Longest request body accepted, in bytes.
    pub max_content_length: u64,
}

/// The collections of a root (section 5.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collections {
    /// Those that the asker may read or write.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collections: Vec<Collection>,
}

/// One collection (section 5.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// A UUID.
    pub id: String,
    /// Name of the collection.
    pub title: String,
    /// What it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Readable name usable in URLs instead of the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Whether the asker may read it.
    pub can_read: bool,
    /// Whether the asker may add to it.
    pub can_write: bool,
    /// Media types of the objects.
    pub media_types: Vec<String>,
}

/// One page of a listing: `manifest` (section 5.3) and `versions` (section 5.8).
///
/// The standard leaves `next` out of these two by oversight (cti-taxii2 issue 110); it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing<T> {
    /// Whether there is more.
    pub more: bool,
    /// Cursor to what follows; present when `more` is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The records: of a manifest.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<T>,
    /// The versions: of a versions resource.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<Timestamp>,
}

/// A listing of a manifest.
pub type Manifest = Listing<ManifestRecord>;

/// One object of a manifest (section 5.3.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestRecord {
    /// The object's identifier.
    pub id: StixId,
    /// When it was added; strictly increasing within a view.
    pub date_added: Timestamp,
    /// Its version: `modified`, else `created`, else `date_added`.
    pub version: Timestamp,
    /// Media type of the object.
    pub media_type: String,
}

/// What became of objects that a partner added (section 4.3.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Identifier of the status: a UUID, the same for a repeated request.
    pub id: String,
    /// Whether there is more to do.
    pub status: Progress,
    /// When the request was received.
    pub request_timestamp: Timestamp,
    /// Objects in the request.
    pub total_count: u64,
    /// Objects accepted, or there already.
    pub success_count: u64,
    /// Which.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub successes: Vec<StatusDetail>,
    /// Objects refused.
    pub failure_count: u64,
    /// Which and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<StatusDetail>,
    /// Objects not decided yet.
    pub pending_count: u64,
    /// Which.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pendings: Vec<StatusDetail>,
}

/// Progress of a request (section 4.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Progress {
    /// Every object is decided.
    Complete,
    /// Some are not.
    Pending,
}

/// One object of a status (section 4.3.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusDetail {
    /// The object's identifier as it was sent, legal or not.
    pub id: String,
    /// Its version as it was sent.
    pub version: String,
    /// For people: why it was refused, what would mend it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// An error (section 3.6.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorMessage {
    /// What went wrong, in a few words.
    pub title: String,
    /// Whose fault, where, and what would mend it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Names this occurrence in the server's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_id: Option<String>,
    /// Names the kind of error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// Status of the response, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<String>,
    /// What a program may use of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
}

/// Writes an envelope (section 3.7) around objects without touching their bytes.
///
/// `more` and `next` go together: `next` is there exactly when more objects follow.
pub fn envelope<'a>(objects: impl IntoIterator<Item = &'a [u8]>, next: Option<&str>) -> Vec<u8> {
    let mut out = format!("{{\"more\":{}", next.is_some()).into_bytes();
    if let Some(next) = next {
        out.extend_from_slice(b",\"next\":");
        out.extend_from_slice(serde_json::Value::from(next).to_string().as_bytes());
    }
    let mut separator: &[u8] = b",\"objects\":[";
    let mut any = false;
    for object in objects {
        out.extend_from_slice(separator);
        out.extend_from_slice(object);
        separator = b",";
        any = true;
    }
    out.extend_from_slice(if any { b"]}" } else { b"}" });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_keeps_objects_byte_for_byte() {
        let objects: [&[u8]; 2] = [br#"{"a" : 1.0}"#, br#"{"b":"\u00e9"}"#];
        let text = String::from_utf8(envelope(objects, Some("c\"1"))).unwrap();
        let expected = r#"{"more":true,"next":"c\"1","objects":[{"a" : 1.0},{"b":"\u00e9"}]}"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn an_empty_envelope_has_no_objects_property() {
        assert_eq!(
            envelope([], None),
            br#"{"more":false}"#,
            "lists are never empty (section 1.3)"
        );
    }

    #[test]
    fn messages_use_the_names_of_the_standard() {
        let status = Status {
            id: "2d086da7-4bdc-4f91-900e-d77486753710".into(),
            status: Progress::Complete,
            request_timestamp: Timestamp::from_micros(1),
            total_count: 1,
            success_count: 0,
            successes: vec![],
            failure_count: 1,
            failures: vec![StatusDetail {
                id: "indicator--x".into(),
                version: String::new(),
                message: Some("id: not a UUID".into()),
            }],
            pending_count: 0,
            pendings: vec![],
        };
        let json = serde_json::to_value(&status).unwrap();
        assert_eq!(json["status"], "complete");
        assert_eq!(json["request_timestamp"], "1970-01-01T00:00:00.000001Z");
        assert!(json.get("successes").is_none());
        assert_eq!(serde_json::from_value::<Status>(json).unwrap(), status);
    }

    #[test]
    fn a_versions_listing_has_no_objects() {
        let versions: Listing<ManifestRecord> = Listing {
            more: false,
            next: None,
            objects: vec![],
            versions: vec![Timestamp::from_micros(1_000)],
        };
        let json = serde_json::to_string(&versions).unwrap();
        assert_eq!(
            json,
            r#"{"more":false,"versions":["1970-01-01T00:00:00.001Z"]}"#
        );
    }
}
