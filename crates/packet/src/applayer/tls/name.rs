//! Distinguished names (RFC 5280 section 4.1.2.4) as text.

use super::der::{self, Der};

/// Most attributes read of a name.
const ATTRIBUTES_MAX: usize = 128;

/// `C=US, O=Example, CN=www.example.com`, in the order sent; parts of one step are joined by `+`.
pub(crate) fn text(mut name: Der<'_>) -> Option<String> {
    let mut text = String::new();
    let mut count = 0_usize;
    while !name.is_empty() {
        let mut step = Der::new(name.expect(der::SET)?);
        let mut between = ", ";
        while !step.is_empty() && count < ATTRIBUTES_MAX {
            let mut attribute = step.sequence()?;
            let oid = attribute.expect(der::OID)?;
            let (tag, value) = attribute.next()?;
            if !text.is_empty() {
                text.push_str(between);
            }
            text.push_str(&label(oid));
            text.push('=');
            text.push_str(&content(tag, value));
            between = " + ";
            count = count.saturating_add(1);
        }
    }
    Some(text)
}

/// Short names of X.520, RFC 4519, PKCS #9 and of the jurisdictions of extended validation.
fn label(oid: &[u8]) -> String {
    let known = match oid {
        [0x55, 4, attribute] => match attribute {
            0 => "objectClass",
            1 => "aliasedEntryName",
            2 => "knowledgeInformation",
            3 => "CN",
            4 => "surname",
            5 => "serialNumber",
            6 => "C",
            7 => "L",
            8 => "ST",
            9 => "streetAddress",
            10 => "O",
            11 => "OU",
            12 => "title",
            13 => "description",
            14 => "searchGuide",
            15 => "businessCategory",
            16 => "postalAddress",
            17 => "postalCode",
            41 => "name",
            42 => "givenName",
            43 => "initials",
            44 => "generationQualifier",
            45 => "uniqueIdentifier",
            46 => "dnQualifier",
            _ => "",
        },
        // extensions, which some put into names
        [0x55, 0x1d, extension] => match extension {
            14 => "subjectKeyIdentifier",
            15 => "keyUsage",
            17 => "subjectAltName",
            18 => "issuerAltName",
            19 => "basicConstraints",
            31 => "crlDistributionPoints",
            32 => "certificatePolicies",
            35 => "authorityKeyIdentifier",
            37 => "extendedKeyUsage",
            _ => "",
        },
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, attribute] => match attribute {
            1 => "Email",
            2 => "unstructuredName",
            3 => "contentType",
            4 => "id-messageDigest",
            5 => "signing-time",
            7 => "challengePassword",
            14 => "extensionRequest",
            15 => "smimeCapabilities",
            20 => "friendlyName",
            _ => "",
        },
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25] => "DC",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1] => "uid",
        [0x2b, 6, 1, 4, 1, 0x82, 0x37, 60, 2, 1, part] => match part {
            1 => "msJurisdictionLocality",
            2 => "msJurisdictionStateOrProvince",
            3 => "msJurisdictionCountry",
            _ => "",
        },
        _ => "",
    };
    if known.is_empty() {
        format!("OID({})", der::oid_text(oid))
    } else {
        known.to_owned()
    }
}

/// A text of any of ASN.1's kinds; other values are written in hexadecimal.
fn content(tag: u8, value: &[u8]) -> String {
    const BMP_STRING: u8 = 0x1e;
    if tag == BMP_STRING {
        let units = value.as_chunks::<2>().0.iter();
        let units = units.map(|unit| u16::from_be_bytes(*unit));
        return char::decode_utf16(units)
            .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
    }
    if !matches!(tag, 0x0c | 0x12..=0x16 | 0x1a | 0x1b) {
        return crate::bytes::hex(value).to_ascii_uppercase();
    }
    String::from_utf8_lossy(value).into_owned()
}
