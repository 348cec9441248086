//! Which parts of a transaction indicators are looked up by.

use std::net::IpAddr;

use packet::applayer::dns::{Kind, Message, RData, Record};

/// Calls `each` with every name of a DNS message that can be listed, and its buffer. An answer
/// repeats the question, which was looked up when it was asked, unless it is `unasked`: nothing was
/// seen of who asks.
pub(crate) fn dns_names(
    message: &Message,
    unasked: bool,
    mut each: impl FnMut(&'static str, &[u8]),
) {
    if message.kind == Kind::Query || unasked {
        for question in &message.questions {
            each("dns.query", question.name.bytes());
        }
    }
    if message.kind == Kind::Query {
        return;
    }
    let asked = message
        .questions
        .first()
        .map(|question| question.name.bytes());
    for record in &message.answers {
        if Some(record.name.bytes()) != asked {
            each("dns.answers.rrname", record.name.bytes());
        }
        if let Some(name) = target(record) {
            each("dns.answers.rdata", name);
        }
    }
}

/// The addresses that a DNS answer gives.
pub(crate) fn dns_addresses(message: &Message) -> impl Iterator<Item = IpAddr> {
    message
        .answers
        .iter()
        .filter_map(|record| match &record.data {
            RData::A(address) => Some(IpAddr::V4(*address)),
            RData::Aaaa(address) => Some(IpAddr::V6(*address)),
            RData::Cname(_)
            | RData::Mx { .. }
            | RData::Ns(_)
            | RData::Ptr(_)
            | RData::Soa { .. }
            | RData::Srv { .. }
            | RData::Txt(_)
            | RData::Other(_) => None,
        })
}

/// The name that a record leads to. PTR is left out: whoever holds an address writes there what
/// they like.
fn target(record: &Record) -> Option<&[u8]> {
    match &record.data {
        RData::Cname(name) | RData::Ns(name) => Some(name.bytes()),
        RData::Mx { exchange, .. } => Some(exchange.bytes()),
        RData::Srv { target, .. } => Some(target.bytes()),
        RData::A(_)
        | RData::Aaaa(_)
        | RData::Ptr(_)
        | RData::Soa { .. }
        | RData::Txt(_)
        | RData::Other(_) => None,
    }
}

/// The host of an HTTP Host field without its port, and the address if it is one.
pub(crate) fn host_without_port(field: &[u8]) -> (&[u8], Option<IpAddr>) {
    let field = field.trim_ascii();
    let literal = field.strip_prefix(b"[").and_then(|rest| {
        let end = rest.iter().position(|byte| *byte == b']')?;
        rest.get(..end)
    });
    let port = field.iter().rposition(|byte| *byte == b':');
    let host = literal
        .or(field.get(..port.unwrap_or(field.len())))
        .unwrap_or_default();
    let address = std::str::from_utf8(host)
        .ok()
        .and_then(|host| host.parse().ok());
    (host, address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_cut_off_hosts() {
        for (field, host, is_address) in [
            ("example.com:8080", "example.com", false),
            (" example.com ", "example.com", false),
            ("192.0.2.1:80", "192.0.2.1", true),
            ("[2001:db8::1]:80", "2001:db8::1", true),
            ("[broken", "[broken", false),
            ("", "", false),
        ] {
            let (found, address) = host_without_port(field.as_bytes());
            assert_eq!(
                (found, address.is_some()),
                (host.as_bytes(), is_address),
                "{field}"
            );
        }
    }
}
