//! `domain` and `tld`, by the public suffix list (publicsuffix.org). A name without either becomes empty.

/// The public suffix and one label before it.
pub(super) fn domain(input: &[u8], out: &mut Vec<u8>) {
    if let Some(domain) = psl::domain(input) {
        out.extend(domain.as_bytes());
    }
}

/// The public suffix of a name that has a label before it.
pub(super) fn tld(input: &[u8], out: &mut Vec<u8>) {
    if let Some(domain) = psl::domain(input) {
        out.extend(domain.suffix().as_bytes());
    }
}
