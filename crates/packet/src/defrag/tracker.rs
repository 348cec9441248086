//! The fragments of one packet.

use std::ops::Range;

use super::Whole;
use super::policy::Policy;
use crate::bytes::len32;
use crate::decode::{Decoded, Fragment, Front, Ip, header_checksum};

/// What an empty fragment costs beside its bytes.
const OVERHEAD: u64 = 64;

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
    /// In the order of their place, without overlaps.
    pieces: Vec<Piece>,
    /// Length of the whole payload, once the last fragment came.
    total: Option<u32>,
    /// Bytes of the payload that are there.
    there: u32,
    first: Option<First>,
}

/// Bytes that count.
#[derive(Debug)]
struct Piece {
    start: u32,
    data: Vec<u8>,
    /// The fragment that they came with.
    of: Range<u32>,
}

impl Piece {
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
            total: None,
            there: 0,
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
        let range = fragment.offset..fragment.offset.saturating_add(len32(payload.len()));
        if fragment.offset == 0 && self.first.is_none() {
            self.first = First::of(decoded, ip, fragment);
            let head = self.first.as_ref().map_or(0, |first| first.head.len());
            self.bytes = self.bytes.saturating_add(u64::from(len32(head)));
        }
        if !fragment.more && self.total.is_none() {
            self.total = Some(range.end);
        }
        self.fragments = self.fragments.saturating_add(1);
        self.bytes = self.bytes.saturating_add(OVERHEAD);
        if payload.is_empty() {
            return Taken::Sound;
        }
        self.place(range, payload)
    }

    /// Whether all of the payload is there.
    pub(super) fn is_complete(&self) -> bool {
        let Some(total) = self.total.filter(|total| self.there >= *total) else {
            return false;
        };
        let mut end = 0;
        for piece in &self.pieces {
            if piece.start > end {
                break;
            }
            end = piece.end();
        }
        end >= total && self.first.is_some()
    }

    /// The packet, with an IP header as if it had never been in pieces.
    pub(super) fn whole(self) -> Option<Whole> {
        let (first, total) = (self.first?, usize::try_from(self.total?).ok()?);
        let mut data = first.head;
        let head_len = data.len();
        for piece in &self.pieces {
            data.extend_from_slice(&piece.data);
        }
        data.truncate(head_len.saturating_add(total));
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

    /// Puts bytes in their place: where they overlap others, the policy decides for each.
    fn place(&mut self, range: Range<u32>, payload: &[u8]) -> Taken {
        let from = self
            .pieces
            .partition_point(|piece| piece.end() <= range.start);
        let to = self.pieces.partition_point(|piece| piece.start < range.end);
        let overlapped: Vec<Piece> = self.pieces.drain(from..to.max(from)).collect();
        let taken = if overlapped.is_empty() {
            Taken::Sound
        } else {
            Taken::Overlap
        };
        let mut placed = Vec::with_capacity(overlapped.len().saturating_add(1));
        // the next byte of the new fragment that is not placed yet
        let mut next = range.start;
        for piece in overlapped {
            self.uncount(piece.data.len());
            let new = |bounds: Range<u32>| part(payload, &range, range.clone(), bounds);
            let old = |bounds: Range<u32>| {
                part(
                    &piece.data,
                    &(piece.start..piece.end()),
                    piece.of.clone(),
                    bounds,
                )
            };
            let shared = piece.start.max(range.start)..piece.end().min(range.end);
            placed.extend(old(piece.start..shared.start));
            placed.extend(new(next..shared.start));
            if self.policy.prefers_later(&piece.of, &range) {
                placed.extend(new(shared.clone()));
            } else {
                placed.extend(old(shared.clone()));
            }
            placed.extend(old(shared.end..piece.end()));
            next = shared.end;
        }
        placed.extend(part(payload, &range, range.clone(), next..range.end));
        for piece in &placed {
            self.count(piece.data.len());
        }
        self.pieces.splice(from..from, placed);
        taken
    }

    fn count(&mut self, len: usize) {
        self.there = self.there.saturating_add(len32(len));
        self.bytes = self.bytes.saturating_add(u64::from(len32(len)));
    }

    fn uncount(&mut self, len: usize) {
        self.there = self.there.saturating_sub(len32(len));
        self.bytes = self.bytes.saturating_sub(u64::from(len32(len)));
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

/// The part of a fragment's bytes that stands within `bounds`; nothing where that is empty.
fn part(data: &[u8], at: &Range<u32>, of: Range<u32>, bounds: Range<u32>) -> Option<Piece> {
    let index = |place: u32| usize::try_from(place.saturating_sub(at.start)).ok();
    let data = data.get(index(bounds.start)?..index(bounds.end)?)?;
    (!data.is_empty()).then(|| Piece {
        start: bounds.start,
        data: data.to_vec(),
        of,
    })
}

fn put16(header: &mut [u8], at: usize, value: u16) {
    if let Some(field) = header.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *field = value.to_be_bytes();
    }
}

const IPV6_HEADER_LEN: usize = 40;
const FRAGMENT_HEADER_LEN: usize = 8;
