//! What one partner may ask of the hub: requests, objects and bytes in a second, so that none takes
//! what others need.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Seconds' worth that a partner may take at once after it was quiet.
const BURST_S: f64 = 10.0;
/// Longest wait that is told to a client.
const WAIT_MAX: Duration = Duration::from_secs(3_600);

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Requests of any route.
    Requests,
    /// Objects handed in.
    Objects,
    /// Bytes of bodies with objects.
    Bytes,
}

/// The quotas of all partners, each counted by itself; how many there are is the operator's choice.
#[derive(Debug)]
pub(crate) struct Quotas {
    requests_per_s_max: u32,
    objects_per_s_max: u32,
    bytes_per_s_max: u32,
    partners: Mutex<BTreeMap<Arc<str>, [Bucket; 3]>>,
}

/// How much a partner may take now. What is taken beyond it is a debt, and nothing more is given
/// until that is paid off: so a request that is larger than a burst is taken, but not two.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Quotas {
    /// Of these numbers in a second; 0 means any.
    pub(crate) fn new(requests: u32, objects: u32, bytes: u32) -> Self {
        Self {
            requests_per_s_max: requests,
            objects_per_s_max: objects,
            bytes_per_s_max: bytes,
            partners: Mutex::default(),
        }
    }

    /// Takes so many.
    ///
    /// # Errors
    /// How long to wait, when the partner has taken too much before; then nothing is taken.
    pub(crate) fn take(
        &self,
        partner: &Arc<str>,
        kind: Kind,
        amount: usize,
        now: Instant,
    ) -> Result<(), Duration> {
        let rate = f64::from(self.rate(kind));
        if rate <= 0.0 {
            return Ok(());
        }
        let mut partners = self.partners.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |rate: u32| Bucket {
            tokens: f64::from(rate) * BURST_S,
            at: now,
        };
        let buckets = partners.entry(Arc::clone(partner)).or_insert_with(|| {
            [Kind::Requests, Kind::Objects, Kind::Bytes].map(|kind| full(self.rate(kind)))
        });
        let [requests, objects, bytes] = buckets;
        let bucket = match kind {
            Kind::Requests => requests,
            Kind::Objects => objects,
            Kind::Bytes => bytes,
        };
        bucket.take(rate, amount, now)
    }

    fn rate(&self, kind: Kind) -> u32 {
        match kind {
            Kind::Requests => self.requests_per_s_max,
            Kind::Objects => self.objects_per_s_max,
            Kind::Bytes => self.bytes_per_s_max,
        }
    }
}

impl Bucket {
    fn take(&mut self, rate: f64, amount: usize, now: Instant) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = passed.mul_add(rate, self.tokens).min(rate * BURST_S);
        self.at = now.max(self.at);
        if self.tokens <= 0.0 {
            // Until there is one to take.
            let wait = Duration::try_from_secs_f64((1.0 - self.tokens) / rate);
            return Err(wait.unwrap_or(WAIT_MAX).min(WAIT_MAX));
        }
        let amount = u32::try_from(amount).unwrap_or(u32::MAX);
        self.tokens -= f64::from(amount);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quotas() -> (Quotas, Arc<str>, Instant) {
        (Quotas::new(1, 10, 0), "a".into(), Instant::now())
    }

    #[test]
    fn after_a_burst_a_partner_waits_and_others_do_not() {
        let (quotas, a, now) = quotas();
        for _ in 0..10 {
            quotas.take(&a, Kind::Requests, 1, now).unwrap();
        }
        let wait = quotas.take(&a, Kind::Requests, 1, now).unwrap_err();
        assert_eq!(wait, Duration::from_secs(1));
        assert!(quotas.take(&"b".into(), Kind::Requests, 1, now).is_ok());
        assert!(
            quotas.take(&a, Kind::Objects, 1, now).is_ok(),
            "each by itself"
        );
        let later = now + wait;
        assert!(quotas.take(&a, Kind::Requests, 1, later).is_ok());
        assert!(quotas.take(&a, Kind::Requests, 1, later).is_err());
    }

    #[test]
    fn more_than_a_burst_is_taken_once_and_paid_off() {
        let (quotas, a, now) = quotas();
        quotas.take(&a, Kind::Objects, 1_099, now).unwrap();
        let wait = quotas.take(&a, Kind::Objects, 1, now).unwrap_err();
        assert_eq!(wait, Duration::from_secs(100));
        assert!(quotas.take(&a, Kind::Objects, 1, now + wait).is_ok());
    }

    #[test]
    fn what_is_not_bounded_is_never_refused() {
        let (quotas, a, now) = quotas();
        for _ in 0..100 {
            quotas.take(&a, Kind::Bytes, usize::MAX, now).unwrap();
        }
    }

    #[test]
    fn a_long_rest_gives_no_more_than_a_burst_and_a_clock_that_goes_back_nothing() {
        let (quotas, a, now) = quotas();
        let later = now + Duration::from_secs(1_000);
        for _ in 0..10 {
            quotas.take(&a, Kind::Requests, 1, later).unwrap();
        }
        assert!(quotas.take(&a, Kind::Requests, 1, later).is_err());
        assert!(quotas.take(&a, Kind::Requests, 1, now).is_err());
    }
}
