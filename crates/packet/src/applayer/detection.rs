//! Which protocol does a flow speak? Its first bytes tell, in either direction and on any port.

use super::{AppLayer, AppProto, Context, Next, PROTOCOLS, Probe, Protocol, dnp3, dns};
use crate::flow::{Direction, FiveTuple, Proto};
use crate::sensor::Config;

/// Most first bytes of a direction that are looked at; what is not known by then is not known.
pub(crate) const PROBE_BYTES_MAX: usize = 512;

/// The application layer of one flow.
#[derive(Debug)]
pub(crate) enum App {
    /// The first bytes are being looked at. Boxed: most flows are past this soon.
    Detecting(Box<[First; 2]>),
    /// The protocol is known.
    Parsing(Box<dyn AppLayer>),
    /// Nothing of interest follows.
    Over,
}

/// The first bytes of one direction.
#[derive(Debug, Default)]
pub(crate) struct First {
    bytes: Vec<u8>,
    /// Time of the packet that the first of them came with.
    ts_ns: u64,
    /// Bytes passed by after no protocol knew the first ones, or lost in gaps.
    lost: u64,
    /// No protocol knows these bytes.
    foreign: bool,
}

/// Whether bytes that come as from one side are those of the other side of some protocol, and of
/// none as they come.
pub(crate) fn speaks_reversed(
    config: &Config,
    tuple: &FiveTuple,
    direction: Direction,
    data: &[u8],
) -> bool {
    let proto = tuple.proto;
    match look(config, proto, direction, data) {
        // of those whose sides speak alike a flag tells
        Look::Found(found) if is_kin(found.app, tuple) => false,
        Look::Found(found) if found.app == AppProto::Dns => {
            !dns::is_multicast(tuple) && dns::is_reversed(proto, direction, data)
        }
        Look::Found(found) => found.app == AppProto::Dnp3 && dnp3::is_reversed(direction, data),
        Look::Open => false,
        Look::Foreign => matches!(
            look(config, proto, direction.reversed(), data),
            Look::Found(_)
        ),
    }
}

impl App {
    pub(crate) fn new() -> Self {
        Self::Detecting(Default::default())
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self, Self::Over)
    }

    /// Bytes kept.
    pub(crate) fn buffered(&self) -> usize {
        match self {
            Self::Detecting(firsts) => {
                let kept = firsts.iter().map(|first| first.bytes.len());
                kept.fold(0, usize::saturating_add)
            }
            Self::Parsing(parser) => parser.buffered(),
            Self::Over => 0,
        }
    }

    pub(crate) fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) {
        match self {
            Self::Detecting(firsts) => {
                let is_first = firsts.iter().all(First::is_untouched);
                if let Some(parser) = is_first.then(|| cx.take_expected()).flatten() {
                    *self = Self::Parsing(parser);
                    return self.data(cx, direction, data);
                }
                let first = firsts.get_mut(direction.at());
                if let Some(protocol) = first.and_then(|first| first.look(cx, direction, data)) {
                    self.start(cx, direction, protocol);
                } else if firsts.iter().all(|first| first.foreign) {
                    fail(cx);
                    *self = Self::Over;
                }
            }
            Self::Parsing(parser) => {
                find_again(cx, direction, data);
                cx.data_begins(direction, data.len());
                let next = parser.data(cx, direction, data);
                self.go_on(cx, direction, data, next);
            }
            Self::Over => {}
        }
    }

    pub(crate) fn gap(&mut self, cx: &mut Context<'_, '_>, direction: Direction, len: u64) {
        match self {
            Self::Detecting(firsts) => {
                if let Some(first) = firsts.get_mut(direction.at()) {
                    first.give_up(len);
                }
            }
            Self::Parsing(parser) => {
                let next = parser.gap(cx, direction, len);
                self.go_on(cx, direction, &[], next);
            }
            Self::Over => {}
        }
    }

    /// A packet went that way and is dealt with.
    pub(crate) fn packet(&mut self, cx: &mut Context<'_, '_>, direction: Direction) {
        if let Self::Parsing(parser) = self {
            parser.packet(cx, direction);
        }
    }

    /// Whether there is anything to tell with a packet that brings nothing new.
    pub(crate) fn waits_for_packet(&self) -> bool {
        match self {
            Self::Parsing(parser) => parser.waits_for_packet(),
            Self::Detecting(_) | Self::Over => false,
        }
    }

    pub(crate) fn end(&mut self, cx: &mut Context<'_, '_>) {
        match self {
            Self::Parsing(parser) => parser.end(cx),
            Self::Detecting(firsts) => {
                let is_changed = cx.flow.app_before != AppProto::Unknown;
                let mut sides = firsts.iter().map(|first| !first.is_untouched());
                let is_heard = if is_changed {
                    sides.any(|heard| heard)
                } else {
                    sides.all(|heard| heard)
                };
                if is_heard && cx.flow.app == AppProto::Unknown {
                    fail(cx);
                }
            }
            Self::Over => {}
        }
        *self = Self::Over;
    }

    fn go_on(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8], next: Next) {
        match next {
            Next::More => {}
            Next::Done => *self = Self::Over,
            Next::Error => {
                cx.flow.app_error = true;
                cx.counters.apps.error(cx.flow);
                *self = Self::Over;
            }
            Next::Redetect(used) => {
                *self = match cx.successor.take() {
                    Some((app, parser)) => {
                        cx.change_protocol();
                        cx.flow.app = app;
                        cx.flow.app_found = [app; 2];
                        cx.counters.apps.flow(cx.flow);
                        Self::Parsing(parser)
                    }
                    None => {
                        cx.change_protocol();
                        cx.restart_transactions();
                        Self::new()
                    }
                };
                let rest = data.get(used..).unwrap_or_default();
                if !rest.is_empty() {
                    self.data(cx, direction, rest);
                }
            }
        }
    }

    /// The protocol is known: its parser gets all that was kept, in the order in which the sides
    /// began.
    fn start(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        protocol: &'static Protocol,
    ) {
        let parser = (protocol.start)(cx.flow.tuple.proto, cx.config);
        let Self::Detecting(firsts) = std::mem::replace(self, Self::Parsing(parser)) else {
            return;
        };
        if !matches!(cx.flow.app, AppProto::Unknown | AppProto::Failed) {
            cx.flow.app_before = cx.flow.app;
        }
        cx.flow.app = protocol.app;
        cx.counters.apps.flow(cx.flow);
        if let Some(found) = cx.flow.app_found.get_mut(direction.at()) {
            *found = protocol.app;
        }
        let other = cx.flow.app_found.get(direction.reversed().at());
        if other == Some(&AppProto::Failed) && cx.flow.tuple.proto == Proto::Tcp {
            cx.odd_protocol(ONE_SIDE_KNOWN);
        }
        let now_ns = cx.ts_ns;
        let [client, server] = *firsts;
        let mut sides = [(client, Direction::ToServer), (server, Direction::ToClient)];
        sides.sort_by_key(|(first, _)| first.ts_ns);
        for (first, direction) in sides {
            if first.lost > 0 {
                self.gap(cx, direction, first.lost);
            } else if !first.bytes.is_empty() {
                cx.ts_ns = first.ts_ns;
                self.data(cx, direction, &first.bytes);
                cx.ts_ns = now_ns;
            }
        }
    }
}

/// Anomalies: what one side sends is of a known protocol, and what the other sends is of none, or of
/// another.
const ONE_SIDE_KNOWN: &str = "APPLAYER_DETECT_PROTOCOL_ONLY_ONE_DIRECTION";
const SIDES_DIFFER: &str = "APPLAYER_MISMATCH_PROTOCOL_BOTH_DIRECTIONS";

/// No protocol knows either direction.
fn fail(cx: &mut Context<'_, '_>) {
    cx.flow.app = AppProto::Failed;
    if cx.flow.app_expected != AppProto::Unknown {
        cx.odd_protocol("APPLAYER_UNEXPECTED_PROTOCOL");
        if cx.flow.app_expected == AppProto::Tls {
            cx.odd_protocol("APPLAYER_NO_TLS_AFTER_STARTTLS");
        }
    }
    cx.counters.apps.flow(cx.flow);
}

/// The protocol is known from the other direction: what do the first bytes of this one look like?
fn find_again(cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) {
    let proto = cx.flow.tuple.proto;
    let Some(found) = cx.flow.app_found.get_mut(direction.at()) else {
        return;
    };
    if *found != AppProto::Unknown {
        return;
    }
    if proto != Proto::Tcp {
        *found = cx.flow.app;
        return;
    }
    let is_known = |app| PROTOCOLS.iter().find(|known| known.app == app);
    let own = is_known(cx.flow.app).map(|known| (known.probe)(proto, direction, data));
    *found = match own {
        Some(Probe::Certain | Probe::Unsure) | None => cx.flow.app,
        Some(Probe::No) => match look(cx.config, proto, direction, data) {
            Look::Found(other) => other.app,
            Look::Open => cx.flow.app,
            Look::Foreign => AppProto::Failed,
        },
    };
    let found = *found;
    if found == AppProto::Failed {
        cx.odd_protocol(ONE_SIDE_KNOWN);
    } else if found != cx.flow.app {
        cx.odd_protocol(SIDES_DIFFER);
    }
}

/// What first bytes look like.
enum Look {
    Found(&'static Protocol),
    /// More bytes will tell.
    Open,
    Foreign,
}

fn look(config: &Config, proto: Proto, direction: Direction, data: &[u8]) -> Look {
    let mut open = false;
    for protocol in PROTOCOLS {
        if !config.apps.is_enabled(protocol.app) {
            continue;
        }
        match (protocol.probe)(proto, direction, data) {
            Probe::Certain => return Look::Found(protocol),
            Probe::Unsure => open = true,
            Probe::No => {}
        }
    }
    if open { Look::Open } else { Look::Foreign }
}

impl First {
    fn is_untouched(&self) -> bool {
        self.bytes.is_empty() && self.lost == 0
    }

    /// Looks at the next bytes; keeps them while a protocol is possible.
    fn look(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        data: &[u8],
    ) -> Option<&'static Protocol> {
        if self.foreign {
            self.keep(data);
            return None;
        }
        if self.bytes.is_empty() {
            self.ts_ns = cx.ts_ns;
        }
        self.bytes.extend_from_slice(data);
        let proto = cx.flow.tuple.proto;
        let open = match look(cx.config, proto, direction, &self.bytes) {
            Look::Found(protocol) if !is_kin(protocol.app, &cx.flow.tuple) => {
                return Some(protocol);
            }
            Look::Open => true,
            Look::Found(_) | Look::Foreign => false,
        };
        let more = open && self.bytes.len() < PROBE_BYTES_MAX && proto == Proto::Tcp;
        if !more && let Some(found) = cx.flow.app_found.get_mut(direction.at()) {
            *found = AppProto::Failed;
        }
        if proto == Proto::Udp {
            if cx.flow.app == AppProto::Unknown {
                fail(cx);
            }
            if is_dns_port(cx.flow.tuple.dst_port) {
                // one odd datagram in front hides none of the messages behind it
                self.bytes = Vec::new();
                return None;
            }
        }
        if !more {
            self.foreign = true;
        }
        None
    }

    /// Bytes that no protocol knows are kept for a while: the other direction may tell what they
    /// are.
    fn keep(&mut self, data: &[u8]) {
        let len = self.bytes.len().saturating_add(data.len());
        if self.lost == 0 && len <= PROBE_BYTES_MAX {
            self.bytes.extend_from_slice(data);
        } else {
            self.give_up(u64::try_from(data.len()).unwrap_or(u64::MAX));
        }
    }

    fn give_up(&mut self, lost: u64) {
        let kept = u64::try_from(self.bytes.len()).unwrap_or(u64::MAX);
        self.lost = self.lost.saturating_add(kept).saturating_add(lost);
        self.bytes = Vec::new();
        self.foreign = true;
    }
}

/// Whether a flow speaks what only looks like a protocol, and is told by its port: LLMNR (RFC 4795),
/// and IKE behind a NAT (RFC 3948), whose port it shares with ESP.
fn is_kin(app: AppProto, tuple: &FiveTuple) -> bool {
    let kin = [(AppProto::Dns, 5355), (AppProto::Ike, 4500)];
    let mut ports = kin.iter().filter(|(kin, _)| *kin == app);
    let is_there = |port: u16| tuple.src_port == port || tuple.dst_port == port;
    tuple.proto == Proto::Udp && ports.any(|(_, port)| is_there(*port))
}

/// DNS, multicast DNS (RFC 6762).
fn is_dns_port(port: u16) -> bool {
    matches!(port, 53 | 5353)
}
