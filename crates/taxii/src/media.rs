//! Media types and their negotiation (TAXII 2.1 sections 1.6.8 and 3.1).

/// Media type of every TAXII 2.1 message.
pub const TAXII: &str = "application/taxii+json;version=2.1";
/// Media type of the objects in a collection.
pub const STIX: &str = "application/stix+json;version=2.1";

/// Whether a request with this `Accept` header may be answered with [`TAXII`]; without the header
/// anything may be. A server answers 406 otherwise.
///
/// Accepted are `application/taxii+json`, with version 2.1 or none, and the wildcards; a range
/// with `q=0` refuses (RFC 9110 section 12.5.1).
pub fn accepts_taxii(accept: Option<&str>) -> bool {
    let Some(accept) = accept else { return true };
    accept.split(',').any(|range| {
        let range = MediaRange::of(range);
        !range.refused && range.is_any_of(&["application/taxii+json", "application/*", "*/*"])
    })
}

/// Whether a body with this `Content-Type` is a TAXII 2.1 message. A server answers 415 otherwise.
pub fn is_taxii(content_type: Option<&str>) -> bool {
    content_type.is_some_and(|value| MediaRange::of(value).is_any_of(&["application/taxii+json"]))
}

struct MediaRange {
    essence: String,
    other_version: bool,
    refused: bool,
}

impl MediaRange {
    fn of(text: &str) -> Self {
        let mut parts = text.split(';').map(|part| part.trim().to_ascii_lowercase());
        let essence = parts.next().unwrap_or_default();
        let mut range = Self {
            essence,
            other_version: false,
            refused: false,
        };
        for parameter in parts {
            let (name, value) = parameter.split_once('=').unwrap_or((&parameter, ""));
            let value = value.trim().trim_matches('"');
            match name.trim() {
                "version" => range.other_version = value != "2.1",
                "q" => range.refused = value.parse::<f32>().is_ok_and(|weight| weight <= 0.0),
                _ => {}
            }
        }
        range
    }

    fn is_any_of(&self, essences: &[&str]) -> bool {
        !self.other_version && essences.contains(&self.essence.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_headers() {
        let yes = [
            "application/taxii+json;version=2.1",
            "application/taxii+json; version=2.1",
            "application/taxii+json",
            "text/html, application/taxii+json; version=\"2.1\"; q=0.5",
            "*/*",
            "application/*;q=0.1",
        ];
        let no = [
            "application/taxii+json;version=2.0",
            "application/vnd.oasis.taxii+json; version=2.0",
            "application/json",
            "application/taxii+json;version=2.1;q=0",
            "text/html",
            "",
        ];
        assert!(accepts_taxii(None));
        for header in yes {
            assert!(accepts_taxii(Some(header)), "{header}");
        }
        for header in no {
            assert!(!accepts_taxii(Some(header)), "{header}");
        }
    }

    #[test]
    fn content_types() {
        assert!(is_taxii(Some("application/taxii+json;version=2.1")));
        assert!(is_taxii(Some("Application/TAXII+JSON")));
        assert!(!is_taxii(Some("application/taxii+json;version=2.0")));
        assert!(!is_taxii(Some("application/stix+json;version=2.1")));
        assert!(!is_taxii(Some("*/*")));
        assert!(!is_taxii(None));
    }
}
