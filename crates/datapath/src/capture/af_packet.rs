//! Capture by an AF_PACKET socket with a shared ring.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use packet::{Frame, LinkType, Way};

use super::ring::{Ring, Slot, TAG, restore};
use super::socket::{Socket, Woken};
use super::{Capture, CaptureError, Stats};
use crate::interface::{ARPHRD_ETHER, ARPHRD_LOOPBACK, Interface};
use crate::privilege::{self, Capability};

/// How to capture.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bytes of one ring slot, kernel header (about 80) included; a power of two from 256 to 65,536.
    /// Longer packets come whole on a slower way.
    pub slot_bytes: usize,
    /// Slots of the ring: how many packets may wait. The ring takes `slots * slot_bytes` of kernel memory.
    pub slots: usize,
    /// Bytes of packets longer than a slot that may wait.
    pub oversize_bytes_max: usize,
    /// Also capture what is not addressed to this host, as on a mirror port; then nothing is said of the way that a
    /// frame went.
    pub promiscuous: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            slot_bytes: 2_048,
            slots: 8_192,
            oversize_bytes_max: 32 << 20,
            promiscuous: false,
        }
    }
}

/// Longest packet that is handed over whole, bytes: segmentation offload builds 65,536, "BIG TCP" more.
const PACKET_MAX: usize = 512 << 10;
/// Frames that one call of `next` hands over at most.
const BATCH_MAX: usize = 1_024;
const BLOCK_BYTES: usize = 65_536;

/// Captures both directions of one interface, each packet the moment the kernel has it.
///
/// Time stamps are the kernel's (nanoseconds); VLAN tags that the kernel took out are put back; packets longer
/// than a ring slot (as segmentation and receive offload make them) come whole. On the loopback interface each
/// packet is handed over once. What XDP drops is dropped before, and is not seen.
#[derive(Debug)]
pub struct AfPacket {
    socket: Socket,
    ring: Ring,
    link: LinkType,
    skip_outgoing: bool,
    /// Whether it means something that a frame comes in or goes out.
    has_ways: bool,
    oversize: Vec<u8>,
    stats: Stats,
}

impl AfPacket {
    /// Opens a capture on `interface` of this thread's network namespace. Needs CAP_NET_RAW.
    ///
    /// # Errors
    /// No such interface, no privilege, a ring that the kernel cannot make.
    pub fn open(interface: &str, options: &Options) -> Result<Self, CaptureError> {
        privilege::require(&[Capability::NetRaw]).map_err(|missing| CaptureError::Privilege {
            interface: interface.into(),
            missing,
        })?;
        let blocks = blocks(options)?;
        let kernel = |step| {
            move |source| CaptureError::Kernel {
                interface: interface.into(),
                step,
                source,
            }
        };
        let found = Interface::named(interface).map_err(kernel("interface look-up"))?;
        let found = found.ok_or_else(|| CaptureError::NoInterface(interface.into()))?;
        let socket = Socket::open().map_err(kernel("packet socket"))?;
        prepare(&socket, options, blocks).map_err(kernel("packet ring"))?;
        let slots = usize_of(blocks.tp_frame_nr);
        let ring = Ring::map(socket.as_fd(), options.slot_bytes, slots);
        let ring = ring.map_err(kernel("mapping the packet ring"))?;
        socket.bind(found.index).map_err(kernel("bind"))?;
        if options.promiscuous {
            promiscuous(&socket, found.index).map_err(kernel("promiscuous mode"))?;
        }
        Ok(Self {
            socket,
            ring,
            link: link_of(found.hardware),
            skip_outgoing: found.hardware == ARPHRD_LOOPBACK,
            has_ways: found.hardware != ARPHRD_LOOPBACK && !options.promiscuous,
            oversize: vec![0; TAG.saturating_add(PACKET_MAX)],
            stats: Stats::default(),
        })
    }

    fn drain(&mut self, each: &mut dyn FnMut(Frame<'_>)) -> usize {
        let mut handed = 0_usize;
        for _ in 0..BATCH_MAX {
            let Some(mut slot) = self.ring.take() else {
                break;
            };
            let whole = if slot.is_copied() {
                receive_oversize(&self.socket, &slot, &mut self.oversize)
            } else {
                None
            };
            if self.skip_outgoing && slot.is_outgoing() {
                continue;
            }
            let (ts_ns, way) = (slot.ts_ns(), way(self.has_ways, slot.is_outgoing()));
            let tag_len = slot.tag().map_or(0, |_| 4_u32);
            let wire_len = slot.wire_len().saturating_add(tag_len);
            let data = match whole {
                Some(data) => {
                    self.stats.oversize = self.stats.oversize.saturating_add(1);
                    data
                }
                None => slot.packet(),
            };
            if data.len() < usize_of(wire_len) {
                self.stats.truncated = self.stats.truncated.saturating_add(1);
            }
            each(Frame {
                ts_ns,
                link: self.link,
                data,
                wire_len,
                way,
            });
            handed = handed.saturating_add(1);
        }
        handed
    }
}

impl Capture for AfPacket {
    fn next(&mut self, timeout: Duration, each: &mut dyn FnMut(Frame<'_>)) -> io::Result<usize> {
        let handed = self.drain(each);
        if handed > 0 {
            return Ok(handed);
        }
        match self.socket.wait(timeout)? {
            Woken::Ready => Ok(self.drain(each)),
            Woken::TimedOut => Ok(0),
        }
    }

    fn stats(&mut self) -> Stats {
        if let Ok(new) = self.socket.statistics() {
            let received = new.tp_packets.saturating_sub(new.tp_drops);
            self.stats.received = self.stats.received.saturating_add(u64::from(received));
            self.stats.dropped = self.stats.dropped.saturating_add(u64::from(new.tp_drops));
        }
        self.stats
    }
}

/// Reads the whole packet of a slot that holds only its beginning; the kernel queues them in the same order.
fn receive_oversize<'a>(socket: &Socket, slot: &Slot<'_>, space: &'a mut [u8]) -> Option<&'a [u8]> {
    let length = socket.receive(space.get_mut(TAG..)?).ok()?;
    let end = TAG.saturating_add(length).min(space.len());
    let Some(tag) = slot.tag() else {
        return space.get(TAG..end);
    };
    let packet = space.get_mut(..end)?;
    restore(packet, tag);
    Some(packet)
}

/// The ring as whole blocks of slots.
fn blocks(options: &Options) -> Result<libc::tpacket_req, CaptureError> {
    let slot = options.slot_bytes;
    if !(256..=BLOCK_BYTES).contains(&slot) || !slot.is_power_of_two() {
        return Err(CaptureError::Options(
            "slot_bytes must be a power of two from 256 to 65536",
        ));
    }
    let per_block = BLOCK_BYTES.checked_div(slot).unwrap_or(1);
    let blocks = options.slots.div_ceil(per_block).max(1);
    let number = |n: usize| {
        let too_large = |_| CaptureError::Options("slots: more than the kernel can count");
        libc::c_uint::try_from(n).map_err(too_large)
    };
    Ok(libc::tpacket_req {
        tp_block_size: number(BLOCK_BYTES)?,
        tp_block_nr: number(blocks)?,
        tp_frame_size: number(slot)?,
        tp_frame_nr: number(blocks.saturating_mul(per_block))?,
    })
}

fn prepare(socket: &Socket, options: &Options, blocks: libc::tpacket_req) -> io::Result<()> {
    const TPACKET_V2: i32 = libc::tpacket_versions::TPACKET_V2 as i32;
    let reserve = i32::try_from(TAG).unwrap_or(4);
    let copy_from = i32::try_from(options.slot_bytes).unwrap_or(i32::MAX);
    let queue = i32::try_from(options.oversize_bytes_max).unwrap_or(i32::MAX);
    socket.set(libc::SOL_PACKET, libc::PACKET_VERSION, &TPACKET_V2)?;
    socket.set(libc::SOL_PACKET, libc::PACKET_RESERVE, &reserve)?;
    socket.set(libc::SOL_PACKET, libc::PACKET_COPY_THRESH, &copy_from)?;
    // Without CAP_NET_ADMIN the queue of long packets keeps to the system's limit.
    if socket
        .set(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &queue)
        .is_err()
    {
        socket.set(libc::SOL_SOCKET, libc::SO_RCVBUF, &queue)?;
    }
    socket.set(libc::SOL_PACKET, libc::PACKET_RX_RING, &blocks)
}

fn promiscuous(socket: &Socket, index: u32) -> io::Result<()> {
    let member = libc::packet_mreq {
        mr_ifindex: i32::try_from(index).map_err(io::Error::other)?,
        mr_type: u16::try_from(libc::PACKET_MR_PROMISC).map_err(io::Error::other)?,
        mr_alen: 0,
        mr_address: [0; 8],
    };
    socket.set(libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &member)
}

/// Interfaces without a link-layer header (tunnels) hand over bare IP packets.
fn way(known: bool, outgoing: bool) -> Way {
    match (known, outgoing) {
        (false, _) => Way::Unknown,
        (true, false) => Way::In,
        (true, true) => Way::Out,
    }
}

fn link_of(hardware: u16) -> LinkType {
    match hardware {
        ARPHRD_ETHER | ARPHRD_LOOPBACK => LinkType::Ethernet,
        _ => LinkType::Raw,
    }
}

fn usize_of(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_rounded_up_to_whole_blocks() {
        let options = Options {
            slots: 33,
            ..Options::default()
        };
        let ring = blocks(&options).unwrap();
        assert_eq!((ring.tp_block_nr, ring.tp_frame_nr), (2, 64));
    }

    #[test]
    fn a_slot_that_does_not_fit_is_refused() {
        for slot_bytes in [0, 100, 3_000, 131_072] {
            let options = Options {
                slot_bytes,
                ..Options::default()
            };
            assert!(
                matches!(blocks(&options), Err(CaptureError::Options(_))),
                "{slot_bytes}"
            );
        }
    }
}
