//! pcapng: sections of blocks; each section has its byte order, each interface its link type and
//! clock.

use std::io::Read;

use pcap_parser::{Block, InterfaceDescriptionBlock, OptionCode, parse_block_be, parse_block_le};

use super::buffer::Buffer;
use super::{INTERFACES_MAX, NS_PER_S, PcapError, RECORD_BYTES_MAX, Record};
use crate::bytes::{be32, len32};
use crate::frame::LinkType;

/// The block type of a section header reads the same in both byte orders.
pub(super) const MAGIC: u32 = 0x0a0d_0d0a;

#[derive(Debug, Default)]
pub(super) struct Section {
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// Simple packets carry no time: they get that of the packet before.
    last_ns: u64,
}

#[derive(Debug)]
struct Interface {
    link: LinkType,
    /// Clock ticks in a second.
    resolution: u64,
    offset_s: i64,
    snaplen: u32,
}

impl Section {
    /// The next packet, past blocks of other kinds.
    pub(super) fn next<R: Read>(
        &mut self,
        buffer: &mut Buffer<R>,
    ) -> Result<Option<Record>, PcapError> {
        while let Some(len) = self.whole_block(buffer)? {
            let offset = buffer.offset();
            buffer.take(len);
            let found = self.block(buffer.taken());
            if let Some(record) = found.map_err(|what| PcapError::Damaged { offset, what })? {
                self.last_ns = record.ts_ns;
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Length of the next block, which is whole in the buffer then.
    fn whole_block<R: Read>(&mut self, buffer: &mut Buffer<R>) -> Result<Option<usize>, PcapError> {
        let offset = buffer.offset();
        let damaged = |what| PcapError::Damaged { offset, what };
        let Some(head) = buffer.peek(BLOCK_MIN)? else {
            return Ok(None);
        };
        if be32(head, 0) == Some(MAGIC) {
            self.start_section(be32(head, 8))
                .ok_or(damaged("a section without byte order"))?;
        }
        let len = be32(head, 4).unwrap_or(0);
        let len = if self.big_endian {
            len
        } else {
            len.swap_bytes()
        };
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if !(BLOCK_MIN..=RECORD_BYTES_MAX).contains(&len) {
            return Err(damaged(
                "a block shorter than 12 bytes or longer than 16 MiB",
            ));
        }
        Ok(buffer.peek(len)?.map(|_| len))
    }

    fn start_section(&mut self, byte_order: Option<u32>) -> Option<()> {
        self.big_endian = match byte_order? {
            0x1a2b_3c4d => true,
            0x4d3c_2b1a => false,
            _ => return None,
        };
        self.interfaces.clear();
        Some(())
    }

    fn block(&mut self, bytes: &[u8]) -> Result<Option<Record>, &'static str> {
        let parse = if self.big_endian {
            parse_block_be
        } else {
            parse_block_le
        };
        let (_, block) = parse(bytes).map_err(|_| "a block that contradicts itself")?;
        match block {
            Block::InterfaceDescription(interface) => self.add_interface(&interface).map(|()| None),
            Block::EnhancedPacket(packet) => {
                let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let interface = usize::try_from(packet.if_id).unwrap_or(usize::MAX);
                let interface = self
                    .interfaces
                    .get(interface)
                    .ok_or("a packet of an unknown interface")?;
                Ok(Some(Record {
                    ts_ns: interface.ts_ns(ticks),
                    link: interface.link,
                    wire_len: packet.origlen,
                    data: range(ENHANCED_HEADER, packet.caplen, bytes),
                }))
            }
            Block::SimplePacket(packet) => {
                let interface = self
                    .interfaces
                    .first()
                    .ok_or("a packet of an unknown interface")?;
                let snaplen = if interface.snaplen == 0 {
                    u32::MAX
                } else {
                    interface.snaplen
                };
                let room = len32(bytes.len().saturating_sub(SIMPLE_HEADER).saturating_sub(4));
                let captured = packet.origlen.min(snaplen).min(room);
                Ok(Some(Record {
                    ts_ns: self.last_ns,
                    link: interface.link,
                    wire_len: packet.origlen,
                    data: range(SIMPLE_HEADER, captured, bytes),
                }))
            }
            Block::SectionHeader(_)
            | Block::NameResolution(_)
            | Block::InterfaceStatistics(_)
            | Block::SystemdJournalExport(_)
            | Block::DecryptionSecrets(_)
            | Block::ProcessInformation(_)
            | Block::Custom(_)
            | Block::Unknown(_) => Ok(None),
        }
    }

    fn add_interface(&mut self, block: &InterfaceDescriptionBlock<'_>) -> Result<(), &'static str> {
        if self.interfaces.len() >= INTERFACES_MAX {
            return Err("more interfaces than INTERFACES_MAX");
        }
        let link = u32::from_ne_bytes(block.linktype.0.to_ne_bytes());
        self.interfaces.push(Interface {
            link: LinkType::from_code(link),
            resolution: block.ts_resolution().unwrap_or(1_000_000).max(1),
            offset_s: self.offset_s(block),
            snaplen: block.snaplen,
        });
        Ok(())
    }
}

impl Section {
    /// Seconds to add to all time stamps. Read here because `pcap-parser` takes the option for
    /// little-endian in every section.
    fn offset_s(&self, block: &InterfaceDescriptionBlock<'_>) -> i64 {
        let option = block
            .options
            .iter()
            .find(|option| option.code == OptionCode::IfTsoffset);
        let bytes = option
            .and_then(|option| option.value().first_chunk::<8>())
            .copied();
        let bytes = bytes.unwrap_or_default();
        if self.big_endian {
            i64::from_be_bytes(bytes)
        } else {
            i64::from_le_bytes(bytes)
        }
    }
}

impl Interface {
    fn ts_ns(&self, ticks: u64) -> u64 {
        let ns = u128::from(ticks)
            .saturating_mul(u128::from(NS_PER_S))
            .checked_div(u128::from(self.resolution))
            .unwrap_or(0);
        let ns = u64::try_from(ns).unwrap_or(u64::MAX);
        let offset_ns = self.offset_s.unsigned_abs().saturating_mul(NS_PER_S);
        if self.offset_s < 0 {
            ns.saturating_sub(offset_ns)
        } else {
            ns.saturating_add(offset_ns)
        }
    }
}

/// Where `len` bytes behind a block's header stand; no further than the block.
fn range(start: usize, len: u32, block: &[u8]) -> std::ops::Range<usize> {
    let end = start.saturating_add(usize::try_from(len).unwrap_or(usize::MAX));
    start..end.min(block.len())
}

/// Type, length, and length again (a section header: byte order).
const BLOCK_MIN: usize = 12;
const ENHANCED_HEADER: usize = 28;
const SIMPLE_HEADER: usize = 12;
