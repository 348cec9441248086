//! A request and its response.

use std::net::IpAddr;

use super::head::Head;
use super::lines::trim;
use super::log::CARRIER_FIELDS;
use super::uri::{Rules, Uri};
use crate::applayer::{Context, Field};
use crate::flow::Direction;

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
    /// Body of the request as sent, with chunk sizes, bytes; complete in [`Phase::Complete`].
    pub request_len: u64,
    /// Body of the response as sent, likewise.
    pub response_len: u64,
    pub(super) request: Option<Head>,
    pub(super) response: Option<Head>,
    pub(super) uri: Uri,
    pub(super) request_body: Vec<u8>,
    pub(super) response_body: Vec<u8>,
    /// Bodies of which no more is followed.
    pub(super) bodies_over: [bool; 2],
    pub(super) server: (IpAddr, u16),
}

/// Most decoded bytes of a body that are kept for inspection, whatever the settings say.
pub const BODY_BYTES_MAX: usize = 100 << 10;

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
            .or_else(|| self.connect_target())
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

    /// The normalised URI: path, query and fragment, percent-encodings decoded, dot segments and
    /// doubled slashes removed.
    #[must_use]
    pub fn uri(&self) -> &[u8] {
        self.uri.bytes()
    }

    /// The target as sent.
    #[must_use]
    pub fn raw_uri(&self) -> &[u8] {
        self.target()
    }

    /// The path of [`Transaction::uri`].
    #[must_use]
    pub fn path(&self) -> &[u8] {
        self.uri.path()
    }

    /// The host without its port, in lower case: from an absolute target, else from the Host fields.
    #[must_use]
    pub fn host_name(&self) -> Option<Vec<u8>> {
        if let Some(name) = self.target_host() {
            return Some(name);
        }
        let hosts = self.request.as_ref()?.merged_header(b"host")?;
        let name = without_port(&hosts);
        (!name.is_empty()).then(|| name.to_ascii_lowercase())
    }

    /// The host that an absolute target or that of CONNECT names, in lower case, without user and port.
    #[must_use]
    pub fn target_host(&self) -> Option<Vec<u8>> {
        let of_target = authority(self.target_field());
        let authority = of_target.or_else(|| self.connect_target())?.bytes;
        let user = memchr::memrchr(b'@', authority).map_or(0, |at| at.saturating_add(1));
        let name = without_port(authority.get(user..)?);
        let end = name.iter().rposition(|byte| *byte != b'.');
        let name = name.get(..=end?)?;
        Some(name.to_ascii_lowercase())
    }

    /// Host and port that CONNECT is asked for.
    fn connect_target(&self) -> Option<Field<'_>> {
        let target = self.target_field();
        let is_host = self.method() == b"CONNECT" && !target.bytes.starts_with(b"/");
        let end = memchr::memchr(b' ', target.bytes).unwrap_or(target.bytes.len());
        let bytes = target.bytes.get(..end).filter(|_| is_host)?;
        Some(Field { bytes, ..target })
    }

    /// The request line without its end.
    #[must_use]
    pub fn request_line(&self) -> &[u8] {
        self.request
            .as_ref()
            .map_or(&[], |head| head.start_line().bytes)
    }

    /// The status line with its end.
    #[must_use]
    pub fn response_line(&self) -> &[u8] {
        self.response.as_ref().map_or(&[], Head::start_line_as_sent)
    }

    /// Version of the response: `HTTP/1.1`.
    #[must_use]
    pub fn response_version(&self) -> &[u8] {
        self.response_part(|head| head.start_part(0))
    }

    /// The status code as sent, which need not be a number.
    #[must_use]
    pub fn status_code(&self) -> &[u8] {
        self.response_part(|head| head.start_part(1))
    }

    /// The reason phrase.
    #[must_use]
    pub fn status_message(&self) -> &[u8] {
        self.response_part(|head| head.start_part(2))
    }

    /// The cookies of the request, and those that the response sets.
    #[must_use]
    pub fn cookies(&self, direction: Direction) -> Option<&[u8]> {
        match direction {
            Direction::ToServer => self.header(b"cookie"),
            Direction::ToClient => self.response_header(b"set-cookie"),
        }
    }

    /// The user agent.
    #[must_use]
    pub fn user_agent(&self) -> Option<&[u8]> {
        self.header(b"user-agent")
    }

    /// The value of the response's first header field of that name, whatever its case.
    #[must_use]
    pub fn response_header(&self, name: &[u8]) -> Option<&[u8]> {
        self.response
            .as_ref()?
            .header(name)
            .map(|field| field.bytes)
    }

    /// The content type of a direction's body without parameters.
    #[must_use]
    pub fn content_type(&self, direction: Direction) -> Option<&[u8]> {
        let value = match direction {
            Direction::ToServer => self.header(b"content-type"),
            Direction::ToClient => self.response_header(b"content-type"),
        }?;
        let end = value.iter().position(|byte| *byte == b';');
        Some(trim(value.get(..end.unwrap_or(value.len()))?))
    }

    /// The head of a direction.
    #[must_use]
    pub fn head(&self, direction: Direction) -> Option<&Head> {
        match direction {
            Direction::ToServer => self.request.as_ref(),
            Direction::ToClient => self.response.as_ref(),
        }
    }

    /// The first bytes of the body of a direction.
    #[must_use]
    pub fn body(&self, direction: Direction) -> &[u8] {
        match direction {
            Direction::ToServer => &self.request_body,
            Direction::ToClient => &self.response_body,
        }
    }

    /// Whether no more of a body is followed, since it is long.
    #[must_use]
    pub fn is_body_over(&self, direction: Direction) -> bool {
        self.bodies_over
            .get(direction.at())
            .copied()
            .unwrap_or(true)
    }

    pub(super) fn note_body(&mut self, direction: Direction, is_over: bool) {
        if let Some(over) = self.bodies_over.get_mut(direction.at()) {
            *over = is_over;
        }
    }

    /// The first bytes of the request's body, chunk sizes and content codings taken off; at most
    /// [`BODY_BYTES_MAX`].
    #[must_use]
    pub fn request_body(&self) -> &[u8] {
        &self.request_body
    }

    /// The first bytes of the response's body, likewise.
    #[must_use]
    pub fn response_body(&self) -> &[u8] {
        &self.response_body
    }

    fn response_part<'t>(&'t self, part: impl Fn(&'t Head) -> Field<'t>) -> &'t [u8] {
        self.response.as_ref().map_or(&[], |head| part(head).bytes)
    }

    /// Keeps decoded bytes of a body, as far as they are wanted.
    pub(super) fn keep_body(&mut self, direction: Direction, data: &[u8]) {
        let body = match direction {
            Direction::ToServer => &mut self.request_body,
            Direction::ToClient => &mut self.response_body,
        };
        let room = BODY_BYTES_MAX.saturating_sub(body.len()).min(data.len());
        body.extend_from_slice(data.get(..room).unwrap_or_default());
    }

    /// Frees what is not written of a carrier of files.
    pub(super) fn shrink_to_carrier(&mut self) {
        for head in [&mut self.request, &mut self.response]
            .into_iter()
            .flatten()
        {
            head.shrink_to(CARRIER_FIELDS);
        }
        self.uri = Uri::default();
        (self.request_body, self.response_body) = (Vec::new(), Vec::new());
    }

    /// Bytes in memory, about.
    pub(super) fn size(&self) -> usize {
        let heads = [&self.request, &self.response];
        let heads = heads.into_iter().flatten().map(Head::size);
        let kept = self
            .request_body
            .len()
            .saturating_add(self.response_body.len());
        let own = size_of::<Self>().saturating_add(kept);
        heads.fold(own, usize::saturating_add)
    }
}

/// A host and its port, where it has one.
pub(super) fn split_port(host: &[u8]) -> (&[u8], Option<u16>) {
    let colon = host.iter().rposition(|byte| *byte == b':');
    let split = colon.and_then(|colon| host.split_at_checked(colon));
    let port = split.and_then(|(_, port)| std::str::from_utf8(port.get(1..)?).ok()?.parse().ok());
    match split {
        Some((name, _)) if port.is_some() => (name, port),
        Some(_) | None => (host, None),
    }
}

/// A host without what stands behind its last colon, whether that is a port or not.
fn without_port(host: &[u8]) -> &[u8] {
    let colon = memchr::memrchr(b':', host);
    let split = colon.and_then(|colon| host.split_at_checked(colon));
    // the colons of an address in brackets are its own
    let is_port = |port: &[u8]| memchr::memchr(b']', port).is_none();
    split.map_or(host, |(name, port)| if is_port(port) { name } else { host })
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

/// The transaction that a request begins, or a response whose request was not seen.
pub(super) fn new_transaction(
    cx: &Context<'_, '_>,
    (tx_id, first_ts_ns): (u32, u64),
    request: Option<Head>,
) -> Transaction {
    let tuple = cx.flow().tuple;
    let http = &cx.config.apps.http;
    let rules = Rules {
        double_decode_path: http.double_decode_path,
        double_decode_query: http.double_decode_query,
        plus_is_space: http.plus_is_space,
        include_all: http.uri_include_all,
    };
    let uri = match &request {
        Some(head) => Uri::parse(head.start_part(1).bytes, rules),
        None => Uri::parse(UNSEEN, Rules::default()),
    };
    Transaction {
        first_ts_ns,
        tx_id,
        phase: Phase::Request,
        status: None,
        request_len: 0,
        response_len: 0,
        request,
        response: None,
        uri,
        request_body: Vec::new(),
        response_body: Vec::new(),
        bodies_over: [false; 2],
        server: (tuple.dst, tuple.dst_port),
    }
}

/// What stands for the target of a request that was not seen, as Suricata has it.
pub(super) const UNSEEN: &[u8] = b"/libhtp::request_uri_not_seen";

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::head::StartLine;
    use super::*;
    use crate::applayer::Transaction as _;
    use crate::json::Object;

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
    fn what_is_kept_for_files_writes_the_same_record() {
        let heads = [
            (
                "GET / HTTP/1.1\r\nA: b\r\nhOSt: a:8080\r\nUser-Agent:  u\r\n",
                200,
            ),
            (
                "\r\n \r\nGET http://b/x HTTP/1.1\r\nReferer: r\r\n s\r\nHost:\r\n",
                206,
            ),
            (
                "get\r\nX-Forwarded-For: 192.0.2.1\r\nHo\0st: n\r\nno colon\r\n",
                301,
            ),
        ];
        let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/html; a=b\r\nContent-Type: x\r\n\
            Set-Cookie: c\r\nContent-Range: bytes 1-2/3\r\nLocation: /there\r\n\r\n";
        for (head, status) in heads {
            let mut carrier = Transaction {
                status: Some(status),
                response: Some(Head::parse(answer.as_bytes(), StartLine::Status, 0)),
                request_body: vec![0; 9],
                ..transaction(&format!("{head}\r\n"))
            };
            let record = |carrier: &Transaction| {
                let mut record = String::new();
                Object::write(&mut record, |object| carrier.log_as_carrier(object));
                record
            };
            let (before, size) = (record(&carrier), carrier.size());
            carrier.shrink_to_carrier();
            assert_eq!(record(&carrier), before);
            assert!(carrier.size() < size && !before.is_empty());
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
            uri: Uri::default(),
            request_body: Vec::new(),
            response_body: Vec::new(),
            bodies_over: [false; 2],
            server: (IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 8000),
        }
    }
}
