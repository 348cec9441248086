//! What was wrong with a packet, a connection or a message.

use packet::decode::Damage;
use packet::{AnomalyKind, AppProto, StreamTrouble};

use super::{Arg, Keyword};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::header::{Apps, apps};
use crate::rules::memory::Memory;
use crate::rules::rule::{Condition, Subject};
use crate::rules::scene::Scene;
use crate::rules::syntax::Piece;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "decode-event",
        "name",
        "What was wrong with the packet, by the name of its anomaly without decoder.",
        |rule, arg| {
            let name = arg.value()?;
            named(rule, name, decoder(name.text))
        },
    ),
    Keyword::call(
        "stream-event",
        "name",
        "What was wrong with the connection, by the name of its anomaly without stream.",
        |rule, arg| {
            let name = arg.value()?;
            named(rule, name, stream(name.text))
        },
    ),
    Keyword::call(
        "engine-event",
        "decoder.name|stream.name",
        "What was wrong with the packet or the connection, by the name of its anomaly.",
        engine,
    ),
    Keyword::call(
        "app-layer-event",
        "[protocol.]name",
        "What was wrong with a message, or with the protocol that was found.",
        app,
    ),
];

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Kind(AnomalyKind),
    /// Something that does not happen here.
    Never,
}

/// Names of other sensors for what does not happen here: their own interfaces, threads and bounds.
const NEVER: &[&str] = &[
    "decoder.afpacket.trunc_pkt",
    "stream.est_ack_zwp_data",
    "stream.reassembly_insert_invalid",
    "stream.reassembly_insert_limit",
    "stream.reassembly_insert_memcap",
    "stream.reassembly_no_segment",
    "stream.wrong_thread",
];

/// Older names.
const OLD: &[(&str, &str)] = &[
    (
        "3whs_synack_resend_with_different_ack",
        "3whs_synack_resend_with_diff_ack",
    ),
    (
        "est_synack_resend_with_different_ack",
        "est_synack_resend_with_diff_ack",
    ),
];

fn decoder(name: &str) -> Option<Named> {
    let is = |known: &str| is_in(known, "decoder.", name);
    let damage = Damage::ALL.iter().find(|damage| is(damage.name()));
    let damage = damage.map(|damage| Named::Kind(AnomalyKind::Decode(*damage)));
    damage.or_else(|| NEVER.iter().any(|known| is(known)).then_some(Named::Never))
}

fn stream(name: &str) -> Option<Named> {
    let old = OLD.iter().find(|(old, _)| old.eq_ignore_ascii_case(name));
    let name = old.map_or(name, |(_, new)| new);
    let is = |known: &str| is_in(known, "stream.", name);
    let trouble = StreamTrouble::ALL.iter().find(|trouble| is(trouble.name()));
    let trouble = trouble.map(|trouble| Named::Kind(AnomalyKind::Stream(*trouble)));
    trouble.or_else(|| NEVER.iter().any(|known| is(known)).then_some(Named::Never))
}

fn is_in(known: &str, layer: &str, name: &str) -> bool {
    let known = known.strip_prefix(layer);
    known.is_some_and(|known| known.eq_ignore_ascii_case(name))
}

fn engine(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let event = match value.text.split_once('.') {
        Some(("decoder", name)) => decoder(name),
        Some(("stream", name)) => stream(name),
        Some(_) | None => None,
    };
    // unlike decode-event, it is asked of sound packets
    let event = event.ok_or_else(|| unknown(value))?;
    rule.conditions.push(Box::new(Event {
        event,
        of_damage: false,
    }));
    Ok(())
}

fn named(rule: &mut Builder<'_, '_>, name: Piece<'_>, event: Option<Named>) -> Result<(), Problem> {
    let event = event.ok_or_else(|| unknown(name))?;
    let of_damage = matches!(event, Named::Kind(AnomalyKind::Decode(_)));
    rule.conditions.push(Box::new(Event { event, of_damage }));
    Ok(())
}

fn unknown(name: Piece<'_>) -> Problem {
    name.wrong(format!("{:?} is no event that is known", name.text))
        .mend("write the name of an anomaly, as ipv4.pkt_too_small")
}

/// Something was wrong with the packet or its connection.
#[derive(Debug)]
struct Event {
    event: Named,
    of_damage: bool,
}

impl Condition for Event {
    fn holds(&self, _: &Scene<'_>, memory: &mut Memory<'_>) -> bool {
        match self.event {
            Named::Kind(kind) => memory.events.contains(&kind),
            Named::Never => false,
        }
    }

    fn subject(&self) -> Subject {
        match self.of_damage {
            true => Subject::Damage,
            false => Subject::Packet,
        }
    }
}

/// Events of the detection of protocols, which name none.
const OF_DETECTION: &[&str] = &[
    "applayer_mismatch_protocol_both_directions",
    "applayer_wrong_direction_first_data",
    "applayer_detect_protocol_only_one_direction",
    "applayer_proto_detection_skipped",
    "applayer_no_tls_after_starttls",
    "applayer_unexpected_protocol",
];

fn app(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let Some((protocol, name)) = value.text.split_once('.') else {
        let name = value.text.to_ascii_lowercase();
        if !OF_DETECTION.contains(&&*name) {
            return Err(unknown(value));
        }
        rule.conditions.push(Box::new(OfDetection(name)));
        return Ok(());
    };
    let of = apps(protocol).ok_or_else(|| {
        let at = value.part(protocol);
        at.wrong(format!(
            "{protocol:?} is no application protocol that is known"
        ))
        .mend("write its name in lower case, as http, dns or tls")
    })?;
    rule.narrow(of, arg.name)?;
    rule.app_events.push(AppEvent {
        apps: of,
        name: name.to_ascii_lowercase(),
    });
    Ok(())
}

/// Something about the protocol that was found.
#[derive(Debug)]
struct OfDetection(String);

impl Condition for OfDetection {
    fn holds(&self, _: &Scene<'_>, memory: &mut Memory<'_>) -> bool {
        memory.events.iter().any(|event| match event {
            AnomalyKind::AppLayer(_, name) => name.eq_ignore_ascii_case(&self.0),
            AnomalyKind::Decode(_) | AnomalyKind::Fragment | AnomalyKind::Stream(_) => false,
        })
    }
}

/// Something was wrong with a message of a protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AppEvent {
    apps: Apps,
    /// In lower case.
    name: String,
}

impl AppEvent {
    /// Whether it is what an anomaly says.
    pub(crate) fn is(&self, app: AppProto, name: &str) -> bool {
        self.apps.contains(app) && self.name.eq_ignore_ascii_case(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_anomalies() {
        for damage in Damage::ALL {
            let name = damage.name().strip_prefix("decoder.").unwrap();
            let event = Named::Kind(AnomalyKind::Decode(*damage));
            assert_eq!(decoder(&name.to_ascii_uppercase()), Some(event), "{name}");
        }
        for trouble in StreamTrouble::ALL {
            let name = trouble.name().strip_prefix("stream.").unwrap();
            let event = Named::Kind(AnomalyKind::Stream(*trouble));
            assert_eq!(stream(name), Some(event), "{name}");
        }
        for (old, new) in OLD {
            assert_eq!(stream(old), stream(new));
            assert!(stream(old).is_some());
        }
        assert_eq!(stream("wrong_thread"), Some(Named::Never));
        assert_eq!(stream("stream.pkt_broken_ack"), None);
        assert_eq!(decoder("stream.pkt_broken_ack"), None);
    }
}
