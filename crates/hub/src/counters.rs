//! What the hub counts: every bound that was hit, and the traffic of the exchange.

use std::sync::atomic::AtomicU64;

/// Counters since start. Read them with relaxed loads.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections closed because `connections_max` was reached.
    pub connections_refused: AtomicU64,
    /// TLS handshakes that failed or were too slow.
    pub handshakes_failed: AtomicU64,
    /// Requests without valid credentials.
    pub unauthenticated: AtomicU64,
    /// Requests refused for a body above `body_bytes_max`, or while `bodies_bytes_max` was reached.
    pub bodies_refused: AtomicU64,
    /// Requests refused because a partner's quota was used up.
    pub quota_refused: AtomicU64,
    /// Additions refused because `pending_max` was reached.
    pub pending_refused: AtomicU64,
    /// Objects made durable.
    pub objects_accepted: AtomicU64,
    /// Objects refused, each with a reason to its sender.
    pub objects_refused: AtomicU64,
    /// Push streams open now.
    pub push_streams: AtomicU64,
    /// Push streams refused because `push_streams_max` was reached.
    pub push_refused: AtomicU64,
    /// Connections closed because their peer took nothing for too long; push streams resume.
    pub readers_stalled: AtomicU64,
    /// Publications of packs refused, each with a reason to its sender.
    pub packs_refused: AtomicU64,
    /// State reports refused for their size.
    pub states_refused: AtomicU64,
}
