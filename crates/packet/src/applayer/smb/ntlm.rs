//! Who the client says it is, in the security blob of a session setup: NTLM or Kerberos, bare or
//! inside SPNEGO (RFC 4178). Both are found by their marks wherever they lie in the blob.

use super::transaction::{Ntlm, SessionSetup};
use super::wire::{le16, le32, part, utf16};
use crate::applayer::der::{GENERAL_STRING, Reader, SEQUENCE};

/// Reads a blob into what is known of a session. Says of a last message of NTLM whether it could
/// be read.
pub(super) fn read(blob: &[u8], setup: &mut SessionSetup) -> Option<bool> {
    if let Some(message) = behind(blob, MARK) {
        if le32(message, 0) != Some(AUTHENTICATE) {
            return None;
        }
        let start = blob
            .len()
            .saturating_sub(message.len())
            .saturating_sub(MARK.len());
        setup.ntlm = authenticate(blob.get(start..).unwrap_or_default());
        return Some(setup.ntlm.is_some());
    }
    if setup.kerberos.is_none()
        && let Some(ticket) = behind(blob, KERBEROS)
    {
        setup.kerberos = kerberos(ticket);
    }
    None
}

/// [MS-NLMP] 2.2.1.3.
fn authenticate(message: &[u8]) -> Option<Ntlm> {
    let flags = le32(message, 60)?;
    let is_unicode = flags & UNICODE != 0;
    let text = |at: usize| {
        let len = usize::from(le16(message, at)?);
        let start = usize::try_from(le32(message, at.checked_add(4)?)?).ok()?;
        let bytes = message.get(start..)?.get(..len)?;
        Some(match is_unicode {
            true => utf16(bytes),
            false => String::from_utf8_lossy(part(bytes, 0, super::wire::NAME_BYTES_MAX)).into(),
        })
    };
    let version = part(message, 64, 8);
    let place = |at: usize| le32(message, at);
    Some(Ntlm {
        domain: text(28)?,
        user: text(36)?,
        host: text(44)?,
        version: match (flags & VERSION != 0, version) {
            (true, [major, minor, low, high, _, _, _, revision]) => {
                let build = u16::from_le_bytes([*low, *high]);
                Some((*major, *minor, build, *revision))
            }
            _ => None,
        },
        // domain, user, host
        is_unusual: place(32) > place(40) || place(40) > place(48),
    })
}

/// Realm and service in the ticket of an application request (RFC 4120 section 5.5.1).
fn kerberos(message: &[u8]) -> Option<(String, Vec<String>)> {
    let mut request = Reader::new(message).enter(0x6e)?.enter(SEQUENCE)?;
    let ticket = loop {
        let element = request.next()?;
        if element.tag == 0xa3 {
            break element.body;
        }
    };
    let mut ticket = Reader::new(ticket).enter(0x61)?.enter(SEQUENCE)?;
    ticket.expect(0xa0)?;
    let realm = ticket.enter(0xa1)?.expect(GENERAL_STRING)?;
    let mut name = ticket.enter(0xa2)?.enter(SEQUENCE)?;
    name.expect(0xa0)?;
    let mut components = name.enter(0xa1)?.enter(SEQUENCE)?;
    let mut names = Vec::new();
    while !components.is_empty() && names.len() < NAMES_MAX {
        let component = components.expect(GENERAL_STRING)?;
        names.push(String::from_utf8_lossy(component).into_owned());
    }
    Some((String::from_utf8_lossy(realm).into_owned(), names))
}

/// What stands behind the first place where a mark is.
fn behind<'a>(data: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let at = memchr::memmem::find(data, mark)?;
    data.get(at.saturating_add(mark.len())..)
}

/// What messages of NTLM begin with.
const MARK: &[u8] = b"NTLMSSP\0";
/// The kind of its last message.
const AUTHENTICATE: u32 = 3;
/// Flags: texts are UTF-16; there is a version.
const UNICODE: u32 = 1;
const VERSION: u32 = 0x0200_0000;
/// Kerberos by its object identifier, and the mark of an application request (RFC 4121 section
/// 4.1).
const KERBEROS: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00";
/// Most components of a service's name.
const NAMES_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Vec<u8> {
        let mut message = b"NTLMSSP\0\x03\0\0\0".to_vec();
        message.extend([0; 16]);
        for (len, at) in [(2_u8, 72_u8), (4, 74), (2, 78)] {
            message.extend([len, 0, len, 0, at, 0, 0, 0]);
        }
        message.extend([0; 8]);
        message.extend((UNICODE | VERSION).to_le_bytes());
        message.extend([6, 1, 0xb0, 0x1d, 0, 0, 0, 15]);
        message.extend(b"D\0u\x000\0H\0");
        message
    }

    #[test]
    fn the_last_message_of_ntlm() {
        let mut blob = b"\xa1\x10junk".to_vec();
        blob.extend(message());
        let mut setup = SessionSetup::default();
        assert_eq!(read(&blob, &mut setup), Some(true));
        let ntlm = setup.ntlm.unwrap();
        assert_eq!((ntlm.domain.as_str(), ntlm.user.as_str()), ("D", "u0"));
        assert_eq!(
            (ntlm.host.as_str(), ntlm.version),
            ("H", Some((6, 1, 7600, 15)))
        );
        assert!(!ntlm.is_unusual);
    }

    #[test]
    fn damaged_messages_are_refused_or_read() {
        let whole = message();
        for at in 0..whole.len() {
            read(&whole[..at], &mut SessionSetup::default());
            let mut bent = whole.clone();
            bent[at] ^= 0xff;
            read(&bent, &mut SessionSetup::default());
        }
    }
}
