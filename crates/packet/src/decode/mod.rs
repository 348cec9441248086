//! Frame -> headers and payload, without copying.
//!
//! [`decode`] walks link, network and transport headers and stops where the bytes stop making
//! sense: what it found so far stands in [`Decoded`], what was wrong stands in its [`Damages`].
//! Nothing here panics, allocates or loops beyond a named bound.

mod checksum;
mod damage;
mod ip;
mod link;
mod transport;

pub use checksum::checksums_valid;
pub use damage::{DAMAGES_MAX, Damage, Damages};
pub use ip::{EXT_HEADERS_MAX, Fragment, Ip};
pub use link::{Ether, MPLS_LABELS_MAX, VLANS_MAX, Vlans};
pub use transport::{Icmp, TCP_OPTIONS_MAX, Tcp, TcpFlags, TcpOptions, Transport, Udp};

use crate::frame::LinkType;

/// A decoded frame; borrows from it.
#[derive(Debug, Clone)]
pub struct Decoded<'a> {
    /// Ethernet addresses and the EtherType after all VLAN tags, where the link has them.
    pub ether: Option<Ether>,
    /// VLAN identifiers, outermost first.
    pub vlans: Vlans,
    /// The IP header.
    pub ip: Option<Ip<'a>>,
    /// What IP carries; [`Transport::Absent`] without IP, in later fragments, and where the header
    /// is damaged.
    pub transport: Transport<'a>,
    /// What was wrong.
    pub damages: Damages,
}

/// Decodes one frame of the given link type.
#[must_use]
pub fn decode(link: LinkType, data: &[u8]) -> Decoded<'_> {
    let mut decoded = Decoded {
        ether: None,
        vlans: Vlans::default(),
        ip: None,
        transport: Transport::Absent,
        damages: Damages::default(),
    };
    if let Err(damage) = decode_into(link, data, &mut decoded) {
        decoded.damages.add(damage);
    }
    decoded
}

fn decode_into<'a>(
    link: LinkType,
    data: &'a [u8],
    decoded: &mut Decoded<'a>,
) -> Result<(), Damage> {
    let Some((version, packet)) = link::strip(link, data, decoded)? else {
        return Ok(());
    };
    let ip = match version {
        link::Version::V4 => ip::decode_v4(packet, &mut decoded.damages)?,
        link::Version::V6 => ip::decode_v6(packet, &mut decoded.damages)?,
    };
    decoded.ip = Some(ip);
    if ip.fragment.is_none_or(|fragment| fragment.offset == 0) {
        decoded.transport = transport::decode(&ip, &mut decoded.damages)?;
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests")]
mod tests;
