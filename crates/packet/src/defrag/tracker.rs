//! The fragments of one packet.

use std::ops::Range;

use super::policy::Policy;
use super::{OVERHEAD, Whole};
use crate::bytes::len32;
use crate::decode::{Decoded, Fragment, Front, Ip, header_checksum};

#[derive(Debug)]
pub(super) struct Tracker {
    /// Of all trackers, from 1: tells it from a later one of the same key.
    pub(super) number: u64,
    pub(super) deadline_ns: u64,
    /// Fragments taken.
    pub(super) fragments: u64,
    /// Bytes kept.
    pub(super) bytes: u64,
    policy: Policy,
    /// In the order of their place; where two overlap, the one behind counts.
    pieces: Vec<Piece>,
    /// A last fragment came.
    has_last: bool,
    first: Option<First>,
}

/// Bytes that count.
#[derive(Debug)]
struct Piece {
    start: u32,
    data: Vec<u8>,
    /// More fragments follow.
    more: bool,
}

impl Piece {
    fn range(&self) -> Range<u32> {
        self.start..self.end()
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end() && other.start < self.end()
    }

    /// Takes bytes away from its front, up to `start`.
    fn trim(&mut self, start: u32) {
        let len = usize::try_from(start.saturating_sub(self.start)).unwrap_or(usize::MAX);
        self.data.drain(..len.min(self.data.len()));
        self.start = start;
    }

    fn end(&self) -> u32 {
        self.start.saturating_add(len32(self.data.len()))
    }
}

/// What the first fragment had in front of its payload.
#[derive(Debug)]
struct First {
    front: Front,
    /// Up to the IP header, and the IP header without a fragment header.
    head: Vec<u8>,
    ip_start: usize,
    protocol: u8,
    protocol_at: usize,
    is_v4: bool,
}

/// What became of a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Sound,
    Overlap,
}

impl Tracker {
    pub(super) fn new(number: u64, deadline_ns: u64, policy: Policy) -> Self {
        Self {
            number,
            deadline_ns,
            fragments: 0,
            bytes: 0,
            policy,
            pieces: Vec::new(),
            has_last: false,
            first: None,
        }
    }

    pub(super) fn insert(
        &mut self,
        decoded: &Decoded<'_>,
        ip: &Ip<'_>,
        fragment: &Fragment,
    ) -> Taken {
        let mut payload = ip.payload;
        if fragment.more && ip.src.is_ipv6() {
            // all but the last are in units of eight bytes (RFC 8200 section 4.5)
            payload = payload.get(..payload.len() & !7).unwrap_or_default();
        }
        if fragment.offset == 0 && self.first.is_none() {
            self.first = First::of(decoded, ip, fragment);
            let head = self.first.as_ref().map_or(0, |first| first.head.len());
            self.bytes = self.bytes.saturating_add(u64::from(len32(head)));
        }
        self.has_last |= !fragment.more;
        self.fragments = self.fragments.saturating_add(1);
        self.bytes = self.bytes.saturating_add(u64::from(len32(OVERHEAD)));
        if payload.is_empty() {
            return Taken::Sound;
        }
        let piece = Piece {
            start: fragment.offset,
            data: payload.to_vec(),
            more: fragment.more,
        };
        self.place(piece)
    }

    /// Whether the pieces reach from the front to a last one without a gap.
    pub(super) fn is_complete(&self) -> bool {
        self.has_last && self.first.is_some() && self.payload_len().is_some()
    }

    #[cfg(test)]
    pub(super) fn lacks(&self, place: u32) -> bool {
        !self
            .pieces
            .iter()
            .any(|piece| piece.range().contains(&place))
    }

    /// Length of the payload up to the first piece that no more follow; `None` with a gap before it.
    fn payload_len(&self) -> Option<u32> {
        let mut end = 0;
        for piece in &self.pieces {
            if piece.start > end {
                return None;
            }
            end = end.max(piece.end());
            if !piece.more {
                return Some(end);
            }
        }
        None
    }

    /// The packet, with an IP header as if it had never been in pieces.
    pub(super) fn whole(self) -> Option<Whole> {
        let payload_len = usize::try_from(self.payload_len()?).ok()?;
        let first = self.first?;
        let mut data = first.head;
        let head_len = data.len();
        data.resize(head_len.saturating_add(payload_len), 0);
        for piece in &self.pieces {
            let start = head_len.saturating_add(usize::try_from(piece.start).ok()?);
            let end = start.saturating_add(piece.data.len());
            data.get_mut(start..end)?.copy_from_slice(&piece.data);
            if !piece.more {
                break;
            }
        }
        let ip_len = data.len().saturating_sub(first.ip_start);
        let header_len = head_len.saturating_sub(first.ip_start);
        let header = data.get_mut(first.ip_start..head_len)?;
        if first.is_v4 {
            put16(header, 2, u16::try_from(ip_len).ok()?);
            put16(header, 6, 0);
            put16(header, 10, 0);
            let checksum = header_checksum(header);
            put16(header, 10, checksum);
        } else {
            let len = ip_len.saturating_sub(IPV6_HEADER_LEN.min(header_len));
            put16(header, 4, u16::try_from(len).ok()?);
            *header.get_mut(first.protocol_at)? = first.protocol;
        }
        Some(Whole {
            front: first.front,
            data,
        })
    }

    /// Puts a piece in its place. Hosts settle an overlap with the first piece that they find one
    /// with; what is left of the new one behind an old one goes over what follows. At the end they
    /// copy what they have in the order of its place.
    fn place(&mut self, mut new: Piece) -> Taken {
        let Some(at) = self.pieces.iter().position(|old| new.overlaps(old)) else {
            self.keep(new);
            return Taken::Sound;
        };
        let old = self.pieces.get(at).map(Piece::range).unwrap_or_default();
        if self.policy.prefers_later(&old, &new.range()) {
            if new.start <= old.start {
                self.take_away(at, new.end());
            }
        } else if old.start <= new.start {
            new.trim(old.end);
            let next = self.pieces.iter().position(|old| new.overlaps(old));
            if let Some(next) = next {
                self.take_away(next, new.end());
            }
        }
        self.keep(new);
        Taken::Overlap
    }

    /// Takes bytes away from the front of a piece, up to `end`.
    fn take_away(&mut self, at: usize, end: u32) {
        let Some(piece) = self.pieces.get_mut(at) else {
            return;
        };
        let before = piece.data.len();
        if end < piece.end() {
            piece.trim(end);
        } else {
            piece.data.clear();
        }
        let gone = len32(before.saturating_sub(piece.data.len()));
        self.bytes = self.bytes.saturating_sub(u64::from(gone));
        // where the payload ends is known from it all the same
        if piece.data.is_empty() && piece.more {
            self.pieces.remove(at);
        }
    }

    fn keep(&mut self, new: Piece) {
        if new.data.is_empty() {
            return;
        }
        self.bytes = self.bytes.saturating_add(u64::from(len32(new.data.len())));
        let at = self
            .pieces
            .partition_point(|piece| piece.start <= new.start);
        self.pieces.insert(at, new);
    }
}

impl First {
    fn of(decoded: &Decoded<'_>, ip: &Ip<'_>, fragment: &Fragment) -> Option<Self> {
        let is_v4 = ip.src.is_ipv4();
        let fragment_header_len = if is_v4 { 0 } else { FRAGMENT_HEADER_LEN };
        let header_len = ip.header.len().saturating_sub(fragment_header_len);
        let end = decoded.ip_start.saturating_add(header_len);
        Some(Self {
            front: Front::of(decoded),
            head: decoded.data.get(..end)?.to_vec(),
            ip_start: decoded.ip_start,
            protocol: fragment.protocol,
            protocol_at: fragment.protocol_at,
            is_v4,
        })
    }
}

fn put16(header: &mut [u8], at: usize, value: u16) {
    if let Some(field) = header.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *field = value.to_be_bytes();
    }
}

const IPV6_HEADER_LEN: usize = 40;
const FRAGMENT_HEADER_LEN: usize = 8;
