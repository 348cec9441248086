//! A request and its response.

use std::net::IpAddr;

use super::head::Head;
use crate::applayer::Field;

/// How much of a transaction is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The head of the request; nobody waits for the server.
    Request,
    /// All that will come of request and response.
    Complete,
}

/// An HTTP request, and later its response. A response whose request was not seen has empty request
/// parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Time of the first packet of the request (of the response, if the request was not seen),
    /// nanoseconds since the Unix epoch.
    pub first_ts_ns: u64,
    /// Number of the transaction within its flow.
    pub tx_id: u32,
    /// How much of it is there.
    pub phase: Phase,
    /// Status code of the response, once there.
    pub status: Option<u16>,
    /// Body of the request as sent, bytes; complete in [`Phase::Complete`].
    pub request_len: u64,
    /// Body of the response as sent (chunk sizes not counted), bytes.
    pub response_len: u64,
    pub(super) request: Option<Head>,
    pub(super) response: Option<Head>,
    pub(super) server: (IpAddr, u16),
}

impl Transaction {
    /// Method.
    #[must_use]
    pub fn method(&self) -> &[u8] {
        self.start_part(0).bytes
    }

    /// Request target as sent: a path with its query, mostly.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        self.target_field().bytes
    }

    /// Request target and where it stands in the head.
    #[must_use]
    pub fn target_field(&self) -> Field<'_> {
        self.start_part(1)
    }

    /// Version of the request: `HTTP/1.1`; empty in HTTP/0.9.
    #[must_use]
    pub fn version(&self) -> &[u8] {
        self.start_part(2).bytes
    }

    /// The host asked for, with its port if sent: from an absolute target, else from the Host
    /// field.
    #[must_use]
    pub fn host(&self) -> Option<&[u8]> {
        self.host_field().map(|field| field.bytes)
    }

    /// [`Transaction::host`] and where it stands in the head.
    #[must_use]
    pub fn host_field(&self) -> Option<Field<'_>> {
        let target = self.target_field();
        authority(target)
            .or_else(|| (self.method() == b"CONNECT").then_some(target))
            .or_else(|| self.request.as_ref()?.header(b"host"))
            .filter(|host| !host.bytes.is_empty())
    }

    /// Header fields of the request in the order sent.
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let fields = self.request.iter().flat_map(Head::headers);
        fields.map(|(name, value)| (name.bytes, value.bytes))
    }

    /// The value of the request's first header field of that name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &[u8]) -> Option<&[u8]> {
        self.request.as_ref()?.header(name).map(|field| field.bytes)
    }

    /// Head of the request.
    #[must_use]
    pub fn request(&self) -> Option<&Head> {
        self.request.as_ref()
    }

    /// Head of the response.
    #[must_use]
    pub fn response(&self) -> Option<&Head> {
        self.response.as_ref()
    }

    /// The URL asked for: `http://host/path`; the server's address stands in for a host that was
    /// not sent. Bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn url(&self) -> String {
        let target = String::from_utf8_lossy(self.target());
        if authority(self.target_field()).is_some() {
            return target.into_owned();
        }
        let path = if self.method() == b"CONNECT" {
            "/"
        } else {
            &*target
        };
        match self.host() {
            Some(host) => format!("http://{}{path}", String::from_utf8_lossy(host)),
            None => format!("http://{}{path}", self.server_authority()),
        }
    }

    fn server_authority(&self) -> String {
        match self.server {
            (IpAddr::V4(address), 80) => address.to_string(),
            (IpAddr::V6(address), 80) => format!("[{address}]"),
            (address, port) => std::net::SocketAddr::new(address, port).to_string(),
        }
    }

    fn start_part(&self, part: usize) -> Field<'_> {
        let none = Field {
            bytes: &[],
            offset: 0,
        };
        self.request
            .as_ref()
            .map_or(none, |head| head.start_part(part))
    }

    /// Bytes in memory, about.
    pub(super) fn size(&self) -> usize {
        let heads = [&self.request, &self.response];
        let heads = heads.into_iter().flatten().map(Head::size);
        heads.fold(size_of::<Self>(), usize::saturating_add)
    }
}

/// The authority of an absolute target: `http://HOST/path`.
fn authority(target: Field<'_>) -> Option<Field<'_>> {
    let scheme_end = memchr::memmem::find(target.bytes, b"://")?;
    let scheme = target.bytes.get(..scheme_end)?;
    if scheme.is_empty() || !scheme.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    let start = scheme_end.checked_add(3)?;
    let rest = target.bytes.get(start..)?;
    let len = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
        .unwrap_or(rest.len());
    let offset = target.offset.saturating_add(crate::bytes::len32(start));
    Some(Field {
        bytes: rest.get(..len)?,
        offset,
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::head::StartLine;
    use super::*;

    #[test]
    fn urls() {
        for (head, url) in [
            (
                "GET /x?y HTTP/1.1\r\nHost: a.example:81\r\n\r\n",
                "http://a.example:81/x?y",
            ),
            (
                "GET http://b.example/x HTTP/1.1\r\nHost: a.example\r\n\r\n",
                "http://b.example/x",
            ),
            ("GET /x HTTP/1.0\r\n\r\n", "http://192.0.2.1:8000/x"),
            (
                "CONNECT c.example:443 HTTP/1.1\r\nHost: a\r\n\r\n",
                "http://c.example:443/",
            ),
            (
                "GET /redirect?to=http://d.example/ HTTP/1.1\r\nHost: a\r\n\r\n",
                "http://a/redirect?to=http://d.example/",
            ),
        ] {
            assert_eq!(transaction(head).url(), url, "{head}");
        }
    }

    #[test]
    fn the_host_of_an_absolute_target_counts() {
        let sent = "GET http://b.example/x HTTP/1.1\r\nHost: a.example\r\n\r\n";
        let transaction = transaction(sent);
        let host = transaction.host_field().unwrap();
        assert_eq!(host.bytes, b"b.example");
        assert_eq!(&sent.as_bytes()[host.offset as usize..][..9], b"b.example");
    }

    fn transaction(head: &str) -> Transaction {
        Transaction {
            first_ts_ns: 0,
            tx_id: 0,
            phase: Phase::Request,
            status: None,
            request_len: 0,
            response_len: 0,
            request: Some(Head::parse(head.as_bytes(), StartLine::Request, 0)),
            response: None,
            server: (IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 8000),
        }
    }
}
