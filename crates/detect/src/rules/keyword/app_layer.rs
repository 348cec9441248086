//! What is asked of the application protocol of a flow.

use packet::{AppProto, Direction, Flow};

use super::{Arg, Keyword};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::header::{Apps, apps};
use crate::rules::memory::Memory;
use crate::rules::rule::{Condition, Subject};
use crate::rules::scene::Scene;

pub(super) const KEYWORDS: &[Keyword] = &[Keyword::call(
    "app-layer-protocol",
    "[!]protocol|failed|unknown[,direction|to_server|to_client|either|final|original]",
    "The application protocol that was found: in the packet's direction, in another, as it is parsed, or as it was before it changed.",
    protocol,
)];

/// Where the protocol was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// In the packet's direction.
    Direction,
    To(Direction),
    Either,
    /// What is parsed.
    Final,
    /// What was, before it changed.
    Original,
}

/// Which protocols are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Unknown,
    Failed,
    Of(Apps),
}

/// The application protocol of the flow.
#[derive(Debug)]
struct Protocol {
    which: Which,
    negated: bool,
    mode: Mode,
}

impl Protocol {
    fn is(&self, app: AppProto) -> bool {
        let is = match self.which {
            Which::Unknown => app == AppProto::Unknown,
            Which::Failed => app == AppProto::Failed,
            Which::Of(apps) => apps.contains(app),
        };
        // what is not known yet may still become what it must not be
        is != self.negated && !(self.negated && app == AppProto::Unknown)
    }

    /// `before` is the protocol that was before the change that the packet before knew of.
    fn holds_of(&self, flow: &Flow, direction: Direction, before: AppProto) -> bool {
        let [to_server, to_client] = flow.app_found;
        let found = |direction| match direction {
            Direction::ToServer => to_server,
            Direction::ToClient => to_client,
        };
        match self.mode {
            Mode::Direction => self.is(found(direction)),
            Mode::To(direction) => self.is(found(direction)),
            Mode::Either if self.negated => self.is(to_server) && self.is(to_client),
            Mode::Either => self.is(to_server) || self.is(to_client),
            Mode::Final if before != flow.app_before => self.is(flow.app_before),
            Mode::Final => self.is(flow.app),
            Mode::Original => self.is(before),
        }
    }
}

impl Condition for Protocol {
    fn holds(&self, scene: &Scene<'_>, memory: &mut Memory<'_>) -> bool {
        let before = memory.flow.protocol_before;
        let flow = scene.flow;
        flow.is_some_and(|flow| self.holds_of(flow, scene.direction, before))
    }

    fn subject(&self) -> Subject {
        Subject::Protocol
    }
}

fn protocol(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.unquoted()?;
    if rule.apps != Apps::NONE {
        return Err(arg
            .name
            .wrong("app-layer-protocol in a rule that is of a protocol already")
            .mend("write tcp, udp or ip as the protocol of the rule's header"));
    }
    let (name, mode) = match value.text.split_once(',') {
        Some((name, mode)) => (name, Some(mode)),
        None => (value.text, None),
    };
    let (negated, name) = match name.strip_prefix('!') {
        Some(name) => (true, value.part(name)),
        None => (false, value.part(name)),
    };
    let mode = match mode {
        None | Some("direction") => Mode::Direction,
        Some("to_server") => Mode::To(Direction::ToServer),
        Some("to_client") => Mode::To(Direction::ToClient),
        Some("either") => Mode::Either,
        Some("final") => Mode::Final,
        Some("original") => Mode::Original,
        Some(other) => {
            return Err(value
                .part(other)
                .wrong(format!("{other:?} is no place of a protocol"))
                .mend("write direction, to_server, to_client, either, final or original"));
        }
    };
    let which = match name.text {
        "failed" => Which::Failed,
        "unknown" if negated => {
            return Err(name
                .wrong("what is known cannot be asked for")
                .mend("name the protocols"));
        }
        "unknown" => Which::Unknown,
        named => Which::Of(apps(named).ok_or_else(|| {
            name.wrong(format!(
                "{named:?} is no application protocol that is known"
            ))
            .mend("write its name in lower case, as http, dns or tls")
        })?),
    };
    rule.conditions.push(Box::new(Protocol {
        which,
        negated,
        mode,
    }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use packet::{FiveTuple, FlowId, Proto, Vlans};

    use super::*;

    fn holds(value: &str, negated: bool, mode: Mode, flow: &Flow, direction: Direction) -> bool {
        let which = match value {
            "failed" => Which::Failed,
            "unknown" => Which::Unknown,
            name => Which::Of(apps(name).unwrap()),
        };
        let protocol = Protocol {
            which,
            negated,
            mode,
        };
        protocol.holds_of(flow, direction, flow.app_before)
    }

    #[test]
    fn protocols_are_those_of_their_place() {
        let tuple = FiveTuple {
            src: "192.0.2.1".parse().unwrap(),
            src_port: 1,
            dst: "192.0.2.2".parse().unwrap(),
            dst_port: 2,
            proto: Proto::Tcp,
        };
        let mut flow = Flow::new(FlowId(1), tuple, Vlans::NONE, 0);
        let (to, from) = (Direction::ToServer, Direction::ToClient);
        assert!(!holds("tls", true, Mode::Direction, &flow, to));
        assert!(holds("unknown", false, Mode::Direction, &flow, to));
        flow.app = AppProto::Http;
        flow.app_found = [AppProto::Http, AppProto::Failed];
        flow.app_before = AppProto::Tls;
        assert!(holds("http", false, Mode::Direction, &flow, to));
        assert!(holds("http1", false, Mode::Either, &flow, from));
        assert!(holds("failed", false, Mode::Direction, &flow, from));
        assert!(holds("http", true, Mode::Direction, &flow, from));
        assert!(!holds("http", true, Mode::Either, &flow, from));
        assert!(holds("tls", false, Mode::Original, &flow, to));
        assert!(!holds("http2", false, Mode::Final, &flow, to));
    }
}
