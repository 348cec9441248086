//! What the status of a response says of what follows it.

use super::head::Head;

/// The status code where it is a number that one can be.
pub(super) fn status_of(head: &Head) -> Option<u16> {
    let code = std::str::from_utf8(head.start_part(1).bytes).ok()?;
    code.parse()
        .ok()
        .filter(|status| (100..1000).contains(status))
}

/// Whether another response to the same request follows.
pub(super) fn is_interim(status: u16) -> bool {
    (100..200).contains(&status) && status != SWITCHING_PROTOCOLS
}

/// What a connection becomes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Switch {
    /// What its next bytes say.
    Any,
    Http2,
    Websocket,
    /// Nothing that is known.
    Other,
}

/// What follows a response after which the connection speaks something else.
pub(super) fn switch_of(head: &Head, status: Option<u16>, to_connect: bool) -> Option<Switch> {
    let status = status?;
    if to_connect && matches!(status, 200..300) {
        return Some(Switch::Any);
    }
    if status != SWITCHING_PROTOCOLS {
        return None;
    }
    let protocol = head.header(b"upgrade");
    let is = |name: &[u8]| protocol.is_some_and(|field| field.bytes.eq_ignore_ascii_case(name));
    Some(if is(b"h2c") {
        Switch::Http2
    } else if is(b"websocket") {
        Switch::Websocket
    } else {
        Switch::Other
    })
}

const SWITCHING_PROTOCOLS: u16 = 101;
