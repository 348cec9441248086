//! Who was found by models again and again: one score alone accuses nobody.

use std::net::IpAddr;

use crate::lru::Lru;

/// What it takes to accuse a source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Transactions, each in a packet of its own.
    pub(super) transactions_min: u32,
    /// Within this long, nanoseconds.
    pub(super) window_ns: u64,
    /// Most pairs of model and source that are remembered.
    pub(super) max: usize,
}

/// Sources that models found something of.
#[derive(Debug)]
pub(super) struct Suspects {
    bounds: Bounds,
    table: Lru<(u32, IpAddr), Suspect>,
}

#[derive(Debug, Default)]
struct Suspect {
    since_ns: u64,
    first_packet_ns: u64,
    packet: u64,
    count: u32,
}

impl Suspects {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            table: Lru::new(bounds.max),
            bounds,
        }
    }

    /// Counts something found. Gives the count and the time of the first packet of the first one when
    /// it is enough; then it begins anew.
    pub(super) fn count(
        &mut self,
        (model, source): (u32, IpAddr),
        packet: u64,
        first_packet_ns: u64,
        now_ns: u64,
    ) -> Option<(u32, u64)> {
        let suspect = self.table.entry((model, source));
        let is_old = now_ns.saturating_sub(suspect.since_ns) > self.bounds.window_ns;
        if suspect.count == 0 || is_old {
            *suspect = Suspect {
                since_ns: now_ns,
                first_packet_ns,
                packet,
                count: 1,
            };
        } else if suspect.packet != packet {
            suspect.packet = packet;
            suspect.count = suspect.count.saturating_add(1);
        }
        if suspect.count < self.bounds.transactions_min.max(2) {
            return None;
        }
        let told = (suspect.count, suspect.first_packet_ns);
        suspect.count = 0;
        Some(told)
    }

    pub(super) fn forgive(&mut self, source: IpAddr) {
        self.table.retain(|(_, address)| *address != source);
    }

    pub(super) fn forget(&mut self) {
        self.table.retain(|_| false);
    }

    pub(super) fn evicted(&self) -> u64 {
        self.table.evicted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_several_packets_within_the_window_are_enough() {
        let mut suspects = Suspects::new(Bounds {
            transactions_min: 3,
            window_ns: 100,
            max: 16,
        });
        let source = (0, IpAddr::from([198, 51, 100, 7]));
        for now in 0..5 {
            assert_eq!(suspects.count(source, 1, 7, now), None, "one packet");
        }
        assert_eq!(suspects.count(source, 2, 8, 50), None);
        assert_eq!(
            suspects.count((1, source.1), 3, 8, 50),
            None,
            "another model"
        );
        assert_eq!(suspects.count(source, 3, 9, 99), Some((3, 7)));
        assert_eq!(suspects.count(source, 4, 10, 99), None, "it begins anew");
        assert_eq!(suspects.count(source, 5, 11, 120), None);
        assert_eq!(suspects.count(source, 6, 12, 300), None, "too late");
        suspects.forgive(source.1);
        assert_eq!(suspects.count(source, 7, 13, 301), None);
        assert_eq!(suspects.count(source, 8, 14, 302), None);
    }
}
