//! Words and names for what imitates: ordinary ones, and brands that lures borrow.

use crate::Chance;

/// Ordinary words.
pub(crate) const WORDS: [&str; 48] = [
    "amber", "anchor", "apron", "autumn", "bakery", "basil", "beacon", "birch", "bridge", "candle",
    "canyon", "cedar", "circle", "cobalt", "copper", "coral", "cotton", "crane", "daisy", "ember",
    "fabric", "falcon", "garden", "ginger", "harbor", "hazel", "island", "ivory", "jasmine",
    "juniper", "lantern", "lemon", "maple", "meadow", "mirror", "olive", "orchid", "pepper",
    "pillow", "quartz", "river", "saddle", "silver", "spruce", "thistle", "timber", "velvet",
    "willow",
];

/// Names that lures borrow.
pub(crate) const BRANDS: [&str; 24] = [
    "paypal",
    "amazon",
    "apple",
    "icloud",
    "microsoft",
    "office365",
    "outlook",
    "google",
    "facebook",
    "instagram",
    "whatsapp",
    "netflix",
    "linkedin",
    "dropbox",
    "docusign",
    "adobe",
    "coinbase",
    "metamask",
    "binance",
    "chase",
    "wellsfargo",
    "dhl",
    "fedex",
    "usps",
];

/// A word of letters and digits.
pub(crate) fn random(length: usize, chance: &mut Chance) -> String {
    let letters = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let drawn = (0..length).filter_map(|_| chance.pick(letters));
    drawn.map(|byte| char::from(*byte)).collect()
}

/// A host name taken apart: what is left of the registered label, the label, the public suffix.
pub(crate) fn parts(host: &str) -> Option<(&str, &str, &str)> {
    let suffix = psl::suffix_str(host)?;
    let rest = host.strip_suffix(suffix)?.strip_suffix('.')?;
    let (below, label) = rest.rsplit_once('.').unwrap_or(("", rest));
    (!label.is_empty()).then_some((below, label, suffix))
}

/// Whether a name may be looked up (RFC 1035, section 2.3.1): labels of letters, digits and
/// hyphens inside.
pub(crate) fn is_legal(name: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let label = |label: &str| {
        let bytes = label.as_bytes();
        (1..=63).contains(&bytes.len())
            && bytes
                .iter()
                .all(|byte| inside(*byte) || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.contains('.') && name.split('.').all(label)
}
