//! A receive ring of TPACKET_V2: fixed slots, each handed over by its status word the moment it is filled
//! (Documentation/networking/packet_mmap.rst of the kernel). Version 3 is not used: its blocks are handed
//! over when full or by a timer, and the packet that completes an attack must not wait for either.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::mapping::Mapping;

/// Bytes of struct tpacket2_hdr before the link-layer address.
const ADDRESS: usize = 32;
const STATUS_BYTES: usize = 4;
/// Bytes of one VLAN tag; each slot keeps as many free before the packet (PACKET_RESERVE).
pub(super) const TAG: usize = 4;
/// Bytes of the two Ethernet addresses.
const ADDRESSES: usize = 12;
const DEFAULT_TPID: u16 = 0x8100;

/// The slots, and which one the kernel fills next.
#[derive(Debug)]
pub(super) struct Ring {
    memory: Mapping,
    slot_bytes: usize,
    slots: usize,
    at: usize,
}

impl Ring {
    pub(super) fn map(socket: BorrowedFd<'_>, slot_bytes: usize, slots: usize) -> io::Result<Self> {
        let length = slot_bytes
            .checked_mul(slots)
            .ok_or(io::ErrorKind::OutOfMemory)?;
        let memory = Mapping::shared(socket, length)?;
        Ok(Self {
            memory,
            slot_bytes,
            slots,
            at: 0,
        })
    }

    /// The next slot, if the kernel has filled it; dropping it gives it back.
    pub(super) fn take(&mut self) -> Option<Slot<'_>> {
        let offset = self.at.checked_mul(self.slot_bytes)?;
        let status = self.memory.half_word(offset)?;
        let flags = status.load(Ordering::Acquire);
        if flags & libc::TP_STATUS_USER == 0 {
            return None;
        }
        let rest = offset.checked_add(STATUS_BYTES)?;
        let length = self.slot_bytes.checked_sub(STATUS_BYTES)?;
        let start = self.memory.at(rest, length, 1)?;
        // SAFETY: in bounds; the kernel leaves the slot alone while its status says USER, which only dropping
        // the slot changes; `&mut self` keeps a second slot from being taken meanwhile; the status word is apart.
        #[expect(unsafe_code, reason = "memory shared with the kernel")]
        let bytes = unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), length) };
        self.at = self
            .at
            .checked_add(1)
            .filter(|&next| next < self.slots)
            .unwrap_or(0);
        Some(Slot {
            status,
            flags,
            bytes,
        })
    }
}

/// A filled slot, ours until it is dropped.
pub(super) struct Slot<'a> {
    status: &'a AtomicU32,
    flags: u32,
    /// The slot after its status word.
    bytes: &'a mut [u8],
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
    }
}

/// A VLAN tag that the kernel took out of the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag {
    protocol: u16,
    control: u16,
}

impl Slot<'_> {
    /// Length of the packet, bytes, without a tag that was taken out.
    pub(super) fn wire_len(&self) -> u32 {
        self.u32_at(4)
    }

    /// Whether the whole packet waits in the socket's queue because it is longer than the slot.
    pub(super) fn is_copied(&self) -> bool {
        self.flags & libc::TP_STATUS_COPY != 0
    }

    /// Whether this host sent it.
    pub(super) fn is_outgoing(&self) -> bool {
        let at = ADDRESS.saturating_add(10).saturating_sub(STATUS_BYTES);
        self.bytes.get(at).copied() == Some(libc::PACKET_OUTGOING)
    }

    /// When the kernel took it, nanoseconds since the Unix epoch.
    pub(super) fn ts_ns(&self) -> u64 {
        let seconds = u64::from(self.u32_at(16));
        seconds
            .saturating_mul(1_000_000_000)
            .saturating_add(u64::from(self.u32_at(20)))
    }

    /// The VLAN tag that the packet had on the wire.
    pub(super) fn tag(&self) -> Option<Tag> {
        if self.flags & libc::TP_STATUS_VLAN_VALID == 0 {
            return None;
        }
        let known = self.flags & libc::TP_STATUS_VLAN_TPID_VALID != 0;
        let protocol = if known { self.u16_at(26) } else { DEFAULT_TPID };
        Some(Tag {
            protocol,
            control: self.u16_at(24),
        })
    }

    /// The bytes captured, with the tag back in its place.
    pub(super) fn packet(&mut self) -> &[u8] {
        let tag = self.tag();
        let start = usize::from(self.u16_at(12)).saturating_sub(STATUS_BYTES);
        let captured = usize::try_from(self.u32_at(8)).unwrap_or(0);
        let end = start.saturating_add(captured);
        let Some(tag) = tag else {
            return self.bytes.get(start..end).unwrap_or_default();
        };
        let start = start.saturating_sub(TAG);
        let Some(packet) = self.bytes.get_mut(start..end) else {
            return &[];
        };
        restore(packet, tag);
        packet
    }

    fn u16_at(&self, offset: usize) -> u16 {
        let at = offset.saturating_sub(STATUS_BYTES);
        let chunk = self.bytes.get(at..).and_then(|rest| rest.first_chunk());
        chunk.copied().map_or(0, u16::from_ne_bytes)
    }

    fn u32_at(&self, offset: usize) -> u32 {
        let at = offset.saturating_sub(STATUS_BYTES);
        let chunk = self.bytes.get(at..).and_then(|rest| rest.first_chunk());
        chunk.copied().map_or(0, u32::from_ne_bytes)
    }
}

/// Puts `tag` behind the addresses of a packet that begins `TAG` bytes into `space`.
pub(super) fn restore(space: &mut [u8], tag: Tag) {
    let addresses_end = TAG.saturating_add(ADDRESSES);
    if space.len() < addresses_end {
        return;
    }
    space.copy_within(TAG..addresses_end, 0);
    let [p0, p1] = tag.protocol.to_be_bytes();
    let [c0, c1] = tag.control.to_be_bytes();
    if let Some(place) = space.get_mut(ADDRESSES..addresses_end) {
        place.copy_from_slice(&[p0, p1, c0, c1]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_goes_behind_the_addresses() {
        let mut space = *b"....DDDDDDSSSSSS\x08\x00payload";
        restore(
            &mut space,
            Tag {
                protocol: 0x88a8,
                control: 0x2007,
            },
        );
        assert_eq!(&space, b"DDDDDDSSSSSS\x88\xa8\x20\x07\x08\x00payload");
    }

    #[test]
    fn a_packet_too_short_for_a_tag_stays_as_it_is() {
        let mut space = *b"....DDDD";
        restore(
            &mut space,
            Tag {
                protocol: 0x8100,
                control: 1,
            },
        );
        assert_eq!(&space, b"....DDDD");
    }
}
