//! Is it SIP?

use super::message::{Start, is_token, split_line};
use crate::applayer::Probe;
use crate::flow::{Direction, Proto};

/// The first line ends, or begins, with the version.
pub(super) fn probe(proto: Proto, _: Direction, data: &[u8]) -> Probe {
    let data = data.trim_ascii_start();
    if let Some((line, _)) = split_line(data) {
        return if Start::parse(line).is_some() {
            Probe::Certain
        } else {
            Probe::No
        };
    }
    if proto == Proto::Udp {
        return Probe::No;
    }
    let known = data.get(..VERSION.len()).unwrap_or(data);
    if VERSION.starts_with(known) {
        return Probe::Unsure;
    }
    let mut parts = data.splitn(2, |byte| *byte == b' ');
    let method = parts.next().unwrap_or_default();
    let is_method = method.len() <= METHOD_MAX && method.iter().all(|byte| is_token(*byte));
    let uri = parts.next().unwrap_or_default();
    let is_uri = SCHEMES
        .iter()
        .any(|scheme| scheme.starts_with(uri.get(..scheme.len()).unwrap_or(uri)));
    if is_method && is_uri {
        Probe::Unsure
    } else {
        Probe::No
    }
}

const VERSION: &[u8] = b"SIP/2.0 ";
/// What addresses begin with.
const SCHEMES: [&[u8]; 3] = [b"sip:", b"sips:", b"tel:"];
/// Longest method waited for.
const METHOD_MAX: usize = 20;
