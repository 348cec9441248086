//! What extractors look at.

use crate::{Contacts, DnsWindow};

/// An HTTP request as it went over the wire.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// `GET`.
    pub method: &'a [u8],
    /// The request target as sent: `/path?query`.
    pub target: &'a [u8],
    /// Names and values, in order.
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// As far as it was taken.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// The value of the first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| *value)
    }
}

/// One thing to be judged.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A request to a web server.
    Request(Request<'a>),
    /// A URL that somebody is led to; the scheme may be missing.
    Url(&'a str),
    /// A name that is looked up.
    Domain(&'a str),
    /// What a client asked of the names below one base.
    DnsWindow(&'a DnsWindow),
    /// When a host turned to a service of another.
    Contacts(&'a Contacts),
}

impl Subject<'_> {
    /// What it is, for messages.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Request(_) => "a request",
            Self::Url(_) => "a URL",
            Self::Domain(_) => "a domain name",
            Self::DnsWindow(_) => "a window of DNS queries",
            Self::Contacts(_) => "contacts of a host with a service",
        }
    }
}
