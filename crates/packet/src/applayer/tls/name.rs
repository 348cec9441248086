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
            15 => "businessCategory",
            17 => "postalCode",
            41 => "name",
            42 => "givenName",
            43 => "initials",
            44 => "generationQualifier",
            45 => "uniqueIdentifier",
            46 => "dnQualifier",
            65 => "pseudonym",
            97 => "organizationIdentifier",
            _ => "",
        },
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1] => "Email",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 2] => "unstructuredName",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25] => "DC",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1] => "UID",
        [0x2b, 6, 1, 4, 1, 0x82, 0x37, 60, 2, 1, part] => match part {
            1 => "msJurisdictionLocality",
            2 => "msJurisdictionStateOrProvince",
            3 => "msJurisdictionCountry",
            _ => "",
        },
        _ => "",
    };
    if known.is_empty() {
        der::oid_text(oid)
    } else {
        known.to_owned()
    }
}

fn content(tag: u8, value: &[u8]) -> String {
    const BMP_STRING: u8 = 0x1e;
    if tag == BMP_STRING {
        let units = value.as_chunks::<2>().0.iter();
        let units = units.map(|unit| u16::from_be_bytes(*unit));
        return char::decode_utf16(units)
            .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
    }
    String::from_utf8_lossy(value).into_owned()
}
