//! The way through a packet: each layer's method reads its header and calls the next layer's.

use super::layer::{Layer, Layers};
use super::tunnel::{Inner, Start};
use super::{Damage, Damages, Decoded, Options, Source, Transport, Vlans};

/// `Err`: the packet cannot be used, for this reason.
pub(super) type Step = Result<(), Damage>;

pub(super) struct Walk<'a, 'o> {
    pub(super) options: &'o Options,
    pub(super) decoded: &'o mut Decoded<'a>,
}

impl<'a> Walk<'a, '_> {
    /// Begins a layer that can hold others.
    pub(super) fn enter(&mut self, layer: Layer) -> Step {
        self.decoded.layers.enter(layer, self.options.layers_max)
    }

    /// Notes a layer that ends the packet; what comes after a packet was found unusable does not
    /// count.
    pub(super) fn note(&mut self, layer: Layer) {
        if self.decoded.damages.is_invalid() {
            return;
        }
        self.decoded.layers.note(layer);
    }

    /// Something is odd, but hosts take it.
    pub(super) fn odd(&mut self, damage: Damage) {
        self.decoded.damages.add(damage);
    }

    /// The rest is a packet of its own.
    pub(super) fn inner(&mut self, start: Start, source: Source, data: &'a [u8]) {
        self.decoded.inner = Some(Inner {
            start,
            source,
            data,
            counts: None,
        });
    }

    /// The layer that the packet within stands for, where it can be used.
    pub(super) fn count_inner(&mut self, layer: Layer) {
        if let Some(inner) = &mut self.decoded.inner {
            inner.counts = Some(layer);
        }
    }

    /// The packet cannot be used, and there is no event that says so.
    pub(super) fn unusable(&mut self) -> Step {
        self.decoded.damages.invalidate();
        self.decoded.inner = None;
        Ok(())
    }

    /// Where `rest`, the end of the packet, begins in it.
    pub(super) fn offset_of(&self, rest: &[u8]) -> usize {
        self.decoded.data.len().saturating_sub(rest.len())
    }
}

impl<'a> Decoded<'a> {
    /// No packet at all.
    pub const NOTHING: Self = Self {
        data: &[],
        ether: None,
        vlans: Vlans::NONE,
        arp: None,
        ip_start: 0,
        ip: None,
        transport: Transport::Absent,
        inner: None,
        depth: 0,
        layers: Layers::NONE,
        damages: Damages::NONE,
    };

    pub(super) fn new(data: &'a [u8], layers: Layers) -> Self {
        Self {
            data,
            layers,
            ..Self::NOTHING
        }
    }
}
