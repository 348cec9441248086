//! The keywords of rules: one table, read by the compiler and by the reference page.
//!
//! A family of keywords is a module with a list of rows. To add a keyword, add a row;
//! `docs/recipes/add-keyword.md` goes through it.

mod app;
mod app_layer;
mod asn1;
mod base64;
mod bits;
mod buffer;
mod bytes;
mod content;
mod dcerpc;
mod dhcp;
mod digest;
mod dnp3;
mod dns;
mod enip;
pub(crate) mod events;
mod field;
mod file;
mod flow;
mod ftp;
mod http;
mod http2;
mod icmp;
mod ike;
mod ip;
mod ja3;
mod krb5;
mod ldap;
mod link;
mod meta;
mod modbus;
mod mqtt;
mod nfs;
mod ntp;
pub(crate) mod number;
mod payload;
mod pgsql;
mod quic;
mod rfb;
mod rpc;
mod sip;
mod smb;
mod smtp;
mod snmp;
mod ssh;
mod tag;
mod tcp;
mod tls;
mod unknown;
mod websocket;

use packet::Direction;

pub(crate) use file::FILE;
pub(crate) use unknown::unknown;

use super::builder::Builder;
use super::diagnostic::Problem;
use super::scene::Buffer;
use super::syntax::Piece;
use super::transform::REFERENCE;

/// All families of keywords.
pub(crate) const FAMILIES: &[Family] = &[
    Family {
        name: "What a rule says",
        keywords: meta::KEYWORDS,
    },
    Family {
        name: "Contents",
        keywords: content::KEYWORDS,
    },
    Family {
        name: "Sizes and expressions",
        keywords: payload::KEYWORDS,
    },
    Family {
        name: "Numbers in buffers",
        keywords: bytes::KEYWORDS,
    },
    Family {
        name: "Base64",
        keywords: base64::KEYWORDS,
    },
    Family {
        name: "ASN.1",
        keywords: asn1::KEYWORDS,
    },
    Family {
        name: "Buffers as a whole",
        keywords: buffer::KEYWORDS,
    },
    Family {
        name: "Links",
        keywords: link::KEYWORDS,
    },
    Family {
        name: "IP",
        keywords: ip::KEYWORDS,
    },
    Family {
        name: "TCP and UDP",
        keywords: tcp::KEYWORDS,
    },
    Family {
        name: "ICMP",
        keywords: icmp::KEYWORDS,
    },
    Family {
        name: "Events",
        keywords: events::KEYWORDS,
    },
    Family {
        name: "What rules remember",
        keywords: bits::KEYWORDS,
    },
    Family {
        name: "Flows",
        keywords: flow::KEYWORDS,
    },
    Family {
        name: "Application protocols",
        keywords: app_layer::KEYWORDS,
    },
    Family {
        name: "What follows from a match",
        keywords: tag::KEYWORDS,
    },
    Family {
        name: "HTTP",
        keywords: http::KEYWORDS,
    },
    Family {
        name: "HTTP/2",
        keywords: http2::KEYWORDS,
    },
    Family {
        name: "DNS",
        keywords: dns::KEYWORDS,
    },
    Family {
        name: "TLS",
        keywords: tls::KEYWORDS,
    },
    Family {
        name: "JA3 and JA4",
        keywords: ja3::KEYWORDS,
    },
    Family {
        name: "SSH",
        keywords: ssh::KEYWORDS,
    },
    Family {
        name: "QUIC",
        keywords: quic::KEYWORDS,
    },
    Family {
        name: "SMTP and mails",
        keywords: smtp::KEYWORDS,
    },
    Family {
        name: "FTP",
        keywords: ftp::KEYWORDS,
    },
    Family {
        name: "DHCP",
        keywords: dhcp::KEYWORDS,
    },
    Family {
        name: "Kerberos",
        keywords: krb5::KEYWORDS,
    },
    Family {
        name: "LDAP",
        keywords: ldap::KEYWORDS,
    },
    Family {
        name: "MQTT",
        keywords: mqtt::KEYWORDS,
    },
    Family {
        name: "NFS",
        keywords: nfs::KEYWORDS,
    },
    Family {
        name: "NTP",
        keywords: ntp::KEYWORDS,
    },
    Family {
        name: "PostgreSQL",
        keywords: pgsql::KEYWORDS,
    },
    Family {
        name: "RFB",
        keywords: rfb::KEYWORDS,
    },
    Family {
        name: "SIP and SDP",
        keywords: sip::KEYWORDS,
    },
    Family {
        name: "SNMP",
        keywords: snmp::KEYWORDS,
    },
    Family {
        name: "WebSocket",
        keywords: websocket::KEYWORDS,
    },
    Family {
        name: "DCE/RPC",
        keywords: dcerpc::KEYWORDS,
    },
    Family {
        name: "DNP3",
        keywords: dnp3::KEYWORDS,
    },
    Family {
        name: "EtherNet/IP and CIP",
        keywords: enip::KEYWORDS,
    },
    Family {
        name: "IKE",
        keywords: ike::KEYWORDS,
    },
    Family {
        name: "Modbus",
        keywords: modbus::KEYWORDS,
    },
    Family {
        name: "Remote procedure calls",
        keywords: rpc::KEYWORDS,
    },
    Family {
        name: "SMB",
        keywords: smb::KEYWORDS,
    },
    Family {
        name: "Files",
        keywords: file::KEYWORDS,
    },
];

/// Keywords that belong together.
#[derive(Debug)]
pub(crate) struct Family {
    /// The title of its part of the reference page.
    pub(crate) name: &'static str,
    pub(crate) keywords: &'static [Keyword],
}

/// One keyword.
#[derive(Debug)]
pub(crate) struct Keyword {
    pub(crate) name: &'static str,
    /// How its value is written; empty for none.
    pub(crate) usage: &'static str,
    /// What it means, in a sentence.
    pub(crate) summary: &'static str,
    pub(crate) does: Does,
}

/// What a keyword does to the rule that it stands in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Does {
    /// What this says.
    Call(fn(&mut Builder<'_, '_>, Arg<'_>) -> Result<(), Problem>),
    /// Contents behind it look into a buffer.
    Enter(&'static Buffer),
    /// The content before it looks into a buffer.
    Move(&'static Buffer),
}

/// The reference page of all keywords, in Markdown.
#[must_use]
pub fn reference() -> String {
    let mut page = String::new();
    for family in FAMILIES {
        page.push_str(&format!(
            "\n## {}\n\n| keyword | value | meaning |\n|---|---|---|\n",
            family.name
        ));
        for keyword in family.keywords {
            page.push_str(&row(keyword.name, keyword.usage, keyword.summary));
        }
    }
    page.push_str(
        "\n## Transforms\n\nBehind a buffer: contents then look into what it becomes.\n\n\
         | keyword | value | meaning |\n|---|---|---|\n",
    );
    for (name, usage, summary) in REFERENCE {
        page.push_str(&row(name, usage, summary));
    }
    page
}

fn row(name: &str, usage: &str, summary: &str) -> String {
    let usage = usage.replace('|', "\\|");
    let usage = match usage.is_empty() {
        true => usage,
        false => format!("`{usage}`"),
    };
    format!("| `{name}` | {usage} | {summary} |\n")
}

impl Keyword {
    pub(crate) const fn call(
        name: &'static str,
        usage: &'static str,
        summary: &'static str,
        call: fn(&mut Builder<'_, '_>, Arg<'_>) -> Result<(), Problem>,
    ) -> Self {
        Self {
            name,
            usage,
            summary,
            does: Does::Call(call),
        }
    }

    /// Contents behind `name` look into `buffer`.
    pub(crate) const fn sticky(
        name: &'static str,
        summary: &'static str,
        buffer: &'static Buffer,
    ) -> Self {
        Self {
            name,
            usage: "",
            summary,
            does: Does::Enter(buffer),
        }
    }

    /// The content before `name` looks into `buffer`.
    pub(crate) const fn modifier(
        name: &'static str,
        summary: &'static str,
        buffer: &'static Buffer,
    ) -> Self {
        Self {
            name,
            usage: "",
            summary,
            does: Does::Move(buffer),
        }
    }

    /// The keyword of that name.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        let mut all = FAMILIES.iter().flat_map(|family| family.keywords);
        all.find(|keyword| keyword.name == name)
    }

    /// How the value of the keyword of that name is written.
    pub(crate) fn usage(name: &str) -> &'static str {
        Self::find(name).map_or("", |keyword| keyword.usage)
    }

    /// Does to a rule what the keyword means.
    pub(crate) fn apply(&self, rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
        match self.does {
            Does::Call(call) => call(rule, arg),
            Does::Enter(buffer) => match arg.value.map(|value| value.text) {
                Some("to_server") => rule.enter_side(buffer, Direction::ToServer, arg.name),
                Some("to_client") => rule.enter_side(buffer, Direction::ToClient, arg.name),
                _ => {
                    arg.nothing()?;
                    rule.enter(Some(buffer), arg.name)
                }
            },
            Does::Move(buffer) => {
                arg.nothing()?;
                rule.move_to(buffer, arg.name)
            }
        }
    }
}

/// A keyword as it stands in a rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arg<'t> {
    pub(crate) name: Piece<'t>,
    pub(crate) value: Option<Piece<'t>>,
}

impl<'t> Arg<'t> {
    /// Its value, which it must have.
    pub(crate) fn value(self) -> Result<Piece<'t>, Problem> {
        let value = self.value.filter(|value| !value.text.is_empty());
        value.ok_or_else(|| {
            let usage = Keyword::usage(self.name.text);
            let name = self.name.text;
            self.name
                .wrong(format!("{name} needs a value"))
                .mend(format!("write {name}:{usage};"))
        })
    }

    /// It must have no value.
    pub(crate) fn nothing(self) -> Result<(), Problem> {
        match self.value {
            None => Ok(()),
            Some(value) => {
                let name = self.name.text;
                Err(value
                    .wrong(format!("{name} takes no value"))
                    .mend(format!("write {name};")))
            }
        }
    }

    /// Its value without the quotes around it.
    pub(crate) fn unquoted(self) -> Result<Piece<'t>, Problem> {
        let value = self.value()?;
        let inner = value
            .text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        Ok(inner.map_or(value, |inner| value.part(inner)))
    }

    /// Its value as a number.
    pub(crate) fn number<N: std::str::FromStr>(self) -> Result<N, Problem> {
        number(self.value()?)
    }
}

/// A number.
pub(crate) fn number<N: std::str::FromStr>(text: Piece<'_>) -> Result<N, Problem> {
    text.text.parse().map_err(|_e| match text.text {
        "" => text.wrong("no number").mend("write one"),
        other => text
            .wrong(format!("{other:?} is no number that fits"))
            .mend("write a whole number, and not too large a one"),
    })
}
