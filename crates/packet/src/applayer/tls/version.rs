//! Versions of SSL and TLS by their numbers on the wire.

/// SSL 2.0.
pub(crate) const SSL2: u16 = 0x0002;
/// TLS 1.3 (RFC 8446).
pub(crate) const TLS13: u16 = 0x0304;

/// Its name, as logged; `None` for numbers without one.
pub(crate) fn known_name(version: u16) -> Option<&'static str> {
    Some(match version {
        SSL2 => "SSLv2",
        0x0300 => "SSLv3",
        0x0301 => "TLSv1",
        0x0302 => "TLS 1.1",
        0x0303 => "TLS 1.2",
        TLS13 => "TLS 1.3",
        0x7f10 => "TLS 1.3 draft-16",
        0x7f11 => "TLS 1.3 draft-17",
        0x7f12 => "TLS 1.3 draft-18",
        0x7f13 => "TLS 1.3 draft-19",
        0x7f14 => "TLS 1.3 draft-20",
        0x7f15 => "TLS 1.3 draft-21",
        0x7f16 => "TLS 1.3 draft-22",
        0x7f17 => "TLS 1.3 draft-23",
        0x7f18 => "TLS 1.3 draft-24",
        0x7f19 => "TLS 1.3 draft-25",
        0x7f1a => "TLS 1.3 draft-26",
        0x7f1b => "TLS 1.3 draft-27",
        0x7f1c => "TLS 1.3 draft-28",
        0xfb1a => "TLS 1.3 draft-26-fb",
        _ => return None,
    })
}

/// What is logged of a connection's version: drafts before 16 under one name, others by number.
pub(crate) fn name(version: u16) -> String {
    match (version, known_name(version)) {
        (_, Some(name)) => name.to_owned(),
        (0, None) => "UNDETERMINED".to_owned(),
        (0x7f00..=0x7f0f, None) => "TLS 1.3 draft-<16".to_owned(),
        (_, None) => version.to_string(),
    }
}

/// Whether it counts among the versions that a hello offers: SSL 3.0 to TLS 1.3 and the drafts that
/// were in wide use.
pub(crate) fn is_offer(version: u16) -> bool {
    matches!(version, 0x0300..=0x0304 | 0x7f10..=0x7f1c)
}

/// Whether the version hides the certificates.
pub(crate) fn is_tls13(version: u16) -> bool {
    version == TLS13 || version >= 0x7e00
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(name(0x0304), "TLS 1.3");
        assert_eq!(name(0x7f0e), "TLS 1.3 draft-<16");
        assert_eq!(name(0x3230), "12848");
        assert_eq!(name(0), "UNDETERMINED");
        assert!(is_offer(0x7f17) && !is_offer(0xfb1a));
    }
}
