//! What a scan came to.

use std::collections::BTreeMap;

use serde_json::json;

use crate::text::complain;

/// What was seen, over all captures.
#[derive(Default)]
pub(super) struct Summary {
    counters: BTreeMap<&'static str, u64>,
}

impl Summary {
    pub(super) fn add(&mut self, counters: &[(&'static str, u64)]) {
        for (name, count) in counters {
            let sum = self.counters.entry(name).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    /// All counters.
    pub(super) fn all(&self) -> Vec<(&'static str, u64)> {
        let counters = self.counters.iter();
        counters.map(|(name, count)| (*name, *count)).collect()
    }

    pub(super) fn count(&self, name: &str) -> u64 {
        self.counters.get(name).copied().unwrap_or_default()
    }

    pub(super) fn print(&self, json: bool) {
        let (packets, bytes) = (self.count("pipeline.frames"), self.count("pipeline.bytes"));
        let flows = self.count("flow.total");
        let transactions = self.count("app_layer.transactions");
        let alerts = self.count("pipeline.verdicts");
        let bad_checksums = self.count("decoder.bad_checksums");
        if bad_checksums > 0 {
            complain(format_args!(
                "note: {bad_checksums} packets with wrong checksums were not inspected, as their receiver \
                 would not take them; --checksums off inspects them (network cards fill checksums in \
                 after a capture on the sending machine)"
            ));
        }
        let cpu_s = datapath::clock::process_cpu_s();
        if json {
            complain(json!({
                "packets": packets, "bytes": bytes, "flows": flows, "transactions": transactions,
                "alerts": alerts, "cpu_s": cpu_s, "peak_rss_bytes": peak_rss_bytes(),
            }));
        } else {
            complain(format_args!(
                "{packets} packets, {bytes} bytes, {flows} flows, {transactions} transactions, \
                 {alerts} alerts, {cpu_s:.3} CPU-seconds"
            ));
        }
    }
}

/// Most memory that was resident (proc(5): `VmHWM`), bytes.
fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}
