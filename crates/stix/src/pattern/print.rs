//! Terms and patterns as text: what [`super::parse`] reads back as the same value.

use std::fmt::{self, Display, Formatter, Write as _};

use ipnet::IpNet;

use super::{Pattern, Term};

impl Display for Pattern {
    /// Each term as an observation of its own, joined by `OR`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            let separator = if index == 0 { "" } else { " OR " };
            write!(f, "{separator}{term}")?;
        }
        Ok(())
    }
}

impl Display for Term {
    /// One observation, for example `[ipv4-addr:value = '192.0.2.1']`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(net @ IpNet::V4(_)) => write!(f, "[ipv4-addr:value {}]", Net(net)),
            Self::Address(net @ IpNet::V6(_)) => write!(f, "[ipv6-addr:value {}]", Net(net)),
            Self::Domain(name) => write!(f, "[domain-name:value = {}]", Quoted(name)),
            Self::Url(url) => write!(f, "[url:value = {}]", Quoted(url)),
            Self::FileHash { algorithm, value } => {
                write!(
                    f,
                    "[file:hashes.'{}' = {}]",
                    algorithm.name(),
                    Quoted(value)
                )
            }
            Self::Ja3(value) => write!(f, "[{TLS}.ja3 = {}]", Quoted(value)),
            Self::Ja4(value) => write!(f, "[{TLS}.ja4 = {}]", Quoted(value)),
            Self::Traffic {
                src,
                dst,
                dst_port,
                protocol,
            } => {
                let parts = [
                    src.map(|net| format!("network-traffic:src_ref.value {}", Net(&net))),
                    dst.map(|net| format!("network-traffic:dst_ref.value {}", Net(&net))),
                    dst_port.map(|port| format!("network-traffic:dst_port = {port}")),
                    protocol.map(|p| format!("network-traffic:protocols[*] = '{}'", p.name())),
                ];
                let parts: Vec<String> = parts.into_iter().flatten().collect();
                write!(f, "[{}]", parts.join(" AND "))
            }
        }
    }
}

const TLS: &str = "network-traffic:extensions.'tls-ext'";

/// A network with the operator before it.
struct Net<'a>(&'a IpNet);

impl Display for Net<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.prefix_len() == self.0.max_prefix_len() {
            true => write!(f, "= '{}'", self.0.addr()),
            false => write!(f, "ISSUBSET '{}'", self.0),
        }
    }
}

/// A string constant.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('\'')?;
        for c in self.0.chars() {
            if matches!(c, '\'' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(c)?;
        }
        f.write_char('\'')
    }
}
