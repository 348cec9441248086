//! The protocol of a rule's header.

use packet::AppProto;
use packet::applayer::PROTOCOLS;

use crate::rules::diagnostic::Problem;
use crate::rules::syntax::Piece;

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Protocol {
    pub(crate) layer: Layer,
    /// The application protocols that it is of; empty for any.
    pub(crate) apps: Apps,
    /// Which packets alone.
    pub(crate) hook: Option<Hook>,
}

/// Of which packets a rule is asked, where its header says so behind the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    /// All, as `tcp:all`.
    All,
    /// The first of its flow that goes its way, as `tcp:flow_start`.
    FlowStart,
}

impl Hook {
    fn of(text: Piece<'_>) -> Result<Self, Problem> {
        match text.text {
            "all" => Ok(Self::All),
            "flow_start" => Ok(Self::FlowStart),
            other => Err(text
                .unsupported(format!("the hook {other:?} is not supported"))
                .mend("write all or flow_start, or the protocol alone")),
        }
    }
}

/// Which packets a rule is about, below the application layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Layer {
    /// Whatever has an IP header, of that version if one is named.
    Ip(Option<u8>),
    /// TCP, in packets and streams.
    Tcp,
    /// TCP in packets alone.
    TcpPacket,
    /// TCP in streams alone.
    TcpStream,
    /// UDP.
    Udp,
    /// ICMP, of that IP version if one is named.
    Icmp(Option<u8>),
    /// SCTP.
    Sctp,
    /// ARP.
    Arp,
    /// Any frame.
    Frame,
}

impl Layer {
    /// Whether a packet of that IP protocol and version is meant.
    pub(crate) fn takes(self, protocol: u8, version: u8) -> bool {
        match self {
            Self::Ip(of) => of.is_none_or(|of| of == version),
            Self::Tcp | Self::TcpPacket | Self::TcpStream => protocol == 6,
            Self::Udp => protocol == 17,
            Self::Icmp(of) => matches!(protocol, 1 | 58) && of.is_none_or(|of| of == version),
            Self::Sctp => protocol == 132,
            Self::Arp => false,
            Self::Frame => true,
        }
    }

    /// Whether streams are looked at.
    pub(crate) fn has_streams(self) -> bool {
        matches!(self, Self::Ip(_) | Self::Tcp | Self::TcpStream)
    }
}

/// A set of application protocols.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Apps(u64);

impl Apps {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) const fn of(apps: &[AppProto]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < apps.len() {
            #[expect(
                clippy::indexing_slicing,
                clippy::arithmetic_side_effects,
                reason = "within a const loop"
            )]
            {
                bits |= bit(apps[at]);
                at += 1;
            }
        }
        Self(bits)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in either.
    pub(crate) fn with(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    pub(crate) fn contains(self, app: AppProto) -> bool {
        self.0 & bit(app) != 0
    }

    /// Each of them.
    pub(crate) fn iter(self) -> impl Iterator<Item = AppProto> {
        let others = [AppProto::Doh2, AppProto::FtpData, AppProto::Mdns];
        let all = PROTOCOLS.iter().map(|known| known.app).chain(others);
        all.filter(move |app| self.contains(*app))
    }

    /// Those in both; all of the other where one is empty. None where they have none in common.
    pub(crate) fn narrowed(self, to: Self) -> Option<Self> {
        if self.is_empty() || to.is_empty() {
            return Some(Self(self.0 | to.0));
        }
        let both = self.0 & to.0;
        (both != 0).then_some(Self(both))
    }
}

const fn bit(app: AppProto) -> u64 {
    1 << (app as u64)
}

/// Names of layers.
const LAYERS: &[(&str, Layer)] = &[
    ("tcp", Layer::Tcp),
    ("tcp-pkt", Layer::TcpPacket),
    ("tcp-stream", Layer::TcpStream),
    ("udp", Layer::Udp),
    ("icmp", Layer::Icmp(None)),
    ("icmpv4", Layer::Icmp(Some(4))),
    ("icmpv6", Layer::Icmp(Some(6))),
    ("sctp", Layer::Sctp),
    ("ip", Layer::Ip(None)),
    ("ipv4", Layer::Ip(Some(4))),
    ("ip4", Layer::Ip(Some(4))),
    ("ipv6", Layer::Ip(Some(6))),
    ("ip6", Layer::Ip(Some(6))),
    ("pkthdr", Layer::Frame),
    ("ether", Layer::Frame),
    ("arp", Layer::Arp),
];

/// Names that stand for other protocols than the one of that name, or for several.
const ALIASES: &[(&str, &[AppProto])] = &[
    ("http", &[AppProto::Http, AppProto::Http2, AppProto::Doh2]),
    ("http1", &[AppProto::Http]),
    ("http2", &[AppProto::Http2, AppProto::Doh2]),
    ("dcerpc", &[AppProto::Dcerpc, AppProto::Smb]),
    ("dns", &[AppProto::Dns, AppProto::Doh2]),
    ("dcerpc", &[AppProto::Dcerpc, AppProto::Smb]),
    ("ssl", &[AppProto::Tls]),
    ("ikev2", &[AppProto::Ike]),
    ("ftp-data", &[AppProto::FtpData]),
    ("mdns", &[AppProto::Mdns]),
    ("doh2", &[AppProto::Doh2]),
];

/// The application protocols of a name.
pub(crate) fn apps(name: &str) -> Option<Apps> {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    alias.map(|(_, apps)| Apps::of(apps)).or_else(|| {
        let named = PROTOCOLS.iter().find(|known| known.name == name);
        named.map(|known| Apps::of(&[known.app]))
    })
}

impl Protocol {
    pub(super) fn parse(text: Piece<'_>) -> Result<Self, Problem> {
        let name = text.text.to_ascii_lowercase();
        let (layer, hook) = match name.split_once(':') {
            Some((layer, _)) => (layer, text.text.get(layer.len().saturating_add(1)..)),
            None => (&*name, None),
        };
        if let Some((_, layer)) = LAYERS.iter().find(|(known, _)| *known == layer) {
            return Ok(Self {
                layer: *layer,
                apps: Apps::NONE,
                hook: hook.map(|hook| Hook::of(text.part(hook))).transpose()?,
            });
        }
        if hook.is_some() {
            return Err(text
                .unsupported("hooks behind this protocol are not supported")
                .mend("write the protocol alone"));
        }
        let apps = apps(&name).ok_or_else(|| {
            let message = format!("{:?} is no protocol that is known", text.text);
            text.wrong(message)
                .mend("write tcp, udp, icmp, ip, or an application protocol as http, dns or tls")
        })?;
        Ok(Self {
            layer: Layer::Ip(None),
            apps,
            hook: None,
        })
    }
}
