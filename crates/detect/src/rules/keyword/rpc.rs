//! ONC RPC in packets.

use packet::decode::Transport;

use super::{Arg, Keyword, number};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::memory::Memory;
use crate::rules::rule::Condition;
use crate::rules::scene::Scene;
use crate::rules::syntax::Piece;

pub(super) const KEYWORDS: &[Keyword] = &[Keyword::call(
    "rpc",
    "program[,version|*[,procedure|*]]",
    "The packet is a remote procedure call.",
    rpc,
)];

/// A call (RFC 5531 section 9).
#[derive(Debug)]
struct Call {
    program: u32,
    version: Option<u32>,
    procedure: Option<u32>,
}

impl Condition for Call {
    fn holds(&self, scene: &Scene<'_>, _: &mut Memory<'_>) -> bool {
        let transport = scene.packet.map(|packet| &packet.decoded.transport);
        let message = match transport {
            // behind the mark of its record
            Some(Transport::Tcp(_)) => scene.payload.get(4..),
            Some(Transport::Udp(_)) => Some(scene.payload),
            _ => None,
        };
        let (words, _) = message.unwrap_or_default().as_chunks::<4>();
        let mut words = words.iter().map(|word| u32::from_be_bytes(*word));
        let mut next = || words.next();
        let (Some(_), Some(CALL), Some(RPC)) = (next(), next(), next()) else {
            return false;
        };
        let (program, version, procedure) = (next(), next(), next());
        procedure.is_some()
            && program == Some(self.program)
            && (self.version.is_none() || version == self.version)
            && (self.procedure.is_none() || procedure == self.procedure)
    }
}

fn rpc(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let mut parts = value.split(',');
    let program = number(parts.next().unwrap_or(value))?;
    let wild = |part: Option<Piece<'_>>| match part {
        None => Ok(None),
        Some(part) if part.text == "*" => Ok(None),
        Some(part) => number(part).map(Some),
    };
    let (version, procedure) = (wild(parts.next())?, wild(parts.next())?);
    if let Some(more) = parts.next() {
        return Err(more
            .wrong("more than program, version and procedure")
            .mend("write program,version,procedure"));
    }
    rule.needs_packet = true;
    rule.payload_from.packets_only = true;
    rule.conditions.push(Box::new(Call {
        program,
        version,
        procedure,
    }));
    Ok(())
}

/// The message is a call.
const CALL: u32 = 0;
/// The version of the remote procedure call.
const RPC: u32 = 2;
