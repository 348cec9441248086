//! Messages (PostgreSQL documentation, "Message Formats").

use crate::bytes::Cursor;

/// Most parameters, or fields of an error, that are kept of one exchange.
pub const TEXTS_MAX: usize = 256;

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// TLS.
    Ssl,
    /// Encryption by GSSAPI. Not logged.
    Gss,
    /// A session.
    Startup {
        /// Version of the protocol.
        version: (u16, u16),
        /// Parameters by name, the user among them.
        parameters: Vec<(Vec<u8>, Vec<u8>)>,
    },
    /// A password, or the digest of one.
    Password(Vec<u8>),
    /// First step of SASL.
    SaslInitial {
        /// Name of the mechanism.
        mechanism: Vec<u8>,
        /// What it begins with.
        param: Vec<u8>,
    },
    /// Further step of SASL.
    SaslResponse(Vec<u8>),
    /// Simple query.
    Query(Vec<u8>),
    /// Messages of the extended query protocol up to a synchronisation, or a function call. Not
    /// logged.
    Extended {
        /// The synchronisation was asked for.
        synced: bool,
    },
    /// Data of a COPY to the server.
    Copy {
        /// Messages, and bytes in them.
        data: (u64, u64),
        /// How it ended: with the reason where the client gave up.
        end: Option<Result<(), Vec<u8>>>,
    },
    /// End of another session's query.
    Cancel {
        /// Process of the server.
        process_id: u32,
        /// Key of that session.
        secret_key: u32,
    },
    /// End of the session.
    Terminate,
}

/// Code in place of a version that asks for TLS.
pub(super) const SSL_CODE: u32 = 80_877_103;
/// Likewise, for encryption by GSSAPI.
pub(super) const GSS_CODE: u32 = 80_877_104;
/// Likewise, to cancel a query.
pub(super) const CANCEL_CODE: u32 = 80_877_102;

/// A message that has no type: what a client begins with; without its length.
pub(super) fn startup(body: &[u8]) -> Option<Request> {
    let mut cursor = Cursor::new(body);
    match cursor.u32()? {
        SSL_CODE => return Some(Request::Ssl),
        GSS_CODE => return Some(Request::Gss),
        CANCEL_CODE => {
            return Some(Request::Cancel {
                process_id: cursor.u32()?,
                secret_key: cursor.u32()?,
            });
        }
        _ => {}
    }
    let mut cursor = Cursor::new(body);
    let version = (cursor.u16()?, cursor.u16()?);
    let mut parameters = Vec::new();
    while parameters.len() < TEXTS_MAX {
        let name = text(&mut cursor)?;
        if name.is_empty() {
            break;
        }
        parameters.push((name.to_vec(), text(&mut cursor)?.to_vec()));
    }
    Some(Request::Startup {
        version,
        parameters,
    })
}

/// First step of SASL.
pub(super) fn sasl_initial(body: &[u8]) -> Option<Request> {
    let mut cursor = Cursor::new(body);
    let mechanism = text(&mut cursor)?.to_vec();
    cursor.u32()?; // length, -1 where nothing follows
    Some(Request::SaslInitial {
        mechanism,
        param: cursor.rest().to_vec(),
    })
}

/// Text up to its zero byte.
pub(super) fn text<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let len = memchr::memchr(0, cursor.rest())?;
    let text = cursor.take(len);
    cursor.u8()?;
    text
}

/// Text up to its zero byte, or all where that is missing.
pub(super) fn text_of(body: &[u8]) -> Vec<u8> {
    let text = body.split(|byte| *byte == 0).next();
    text.unwrap_or_default().to_vec()
}

/// Fields of an error: a letter and a text each.
pub(super) fn error(body: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut cursor = Cursor::new(body);
    let mut fields = Vec::new();
    while fields.len() < TEXTS_MAX {
        let Some(kind) = cursor.u8().filter(|kind| *kind != 0) else {
            break;
        };
        let rest = cursor.rest();
        let Some(value) = text(&mut cursor) else {
            // the last text of a message that was cut to its bound has no end
            fields.push((kind, rest.to_vec()));
            break;
        };
        fields.push((kind, value.to_vec()));
    }
    fields
}

/// Name and value of a parameter.
pub(super) fn parameter(body: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut cursor = Cursor::new(body);
    let name = text(&mut cursor)?.to_vec();
    Some((name, text(&mut cursor)?.to_vec()))
}
