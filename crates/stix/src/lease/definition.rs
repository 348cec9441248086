//! The objects that publish the extension.

use serde_json::{Value, json};

use super::{EXTENSION_ID, NAME, VERSION};

/// The extension-definition object that is published for this extension (STIX 2.1 section 7.3).
/// The times are those of this version of the schema.
#[must_use]
pub fn definition_object() -> Value {
    let author = crate::StixId::v5("identity", "shieldwall");
    json!({
        "type": "extension-definition",
        "spec_version": "2.1",
        "id": EXTENSION_ID,
        "created_by_ref": author,
        "created": "2026-11-22T00:00:00.000Z",
        "modified": "2026-11-22T00:00:00.000Z",
        "name": NAME,
        "description": "What the author of an indicator or a sighting asks others to enforce, for how long, and how sure the origin of the traffic is.",
        "schema": SCHEMA,
        "version": VERSION,
        "extension_types": ["property-extension"],
    })
}

/// The identity that [`definition_object`] names as its author.
#[must_use]
pub fn definition_author() -> Value {
    json!({
        "type": "identity",
        "spec_version": "2.1",
        "id": crate::StixId::v5("identity", "shieldwall"),
        "created": "2026-11-22T00:00:00.000Z",
        "modified": "2026-11-22T00:00:00.000Z",
        "name": "Shieldwall",
        "identity_class": "system",
    })
}

/// The schema in words; section 7.3 allows a text or the location of a JSON schema.
const SCHEMA: &str = "Properties, on indicator and sighting. \
extension_type: 'property-extension'. \
selector (required): an object with one of source, destination (network in CIDR notation, host bits zero), domain, url, sha256, ja3, ja4. \
service: {address: IP address, protocol (required): 'tcp' | 'udp' | 'icmp' | 'ipv6-icmp', port: 0-65535}. \
action (required): 'monitor' | 'tag' | 'rate-limit' | 'reject' | 'drop'. \
ttl_s (required): integer, 1 to 2592000, seconds. \
evidence (required): 'unproven' | 'path-proven' | 'exploit' | 'token'. \
detector (required): 'name@version'. \
audience: list of partner names; absent: the marking alone decides. \
Unknown properties are ignored.";
