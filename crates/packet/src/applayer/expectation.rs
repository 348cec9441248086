//! Flows that another flow has announced: an FTP control connection names the port of the next data
//! connection, which says nothing about itself.
//!
//! What is expected is a parser, ready with all that the announcing flow knows. The flow that comes
//! is recognized when its first data does: its handshake may be over before it is announced.

use hashbrown::HashTable;

use super::{AppLayer, AppProto};
use crate::flow::key::Key;
use crate::flow::{FiveTuple, Flow, FlowId, Scope};

/// A flow that is expected.
#[derive(Debug)]
pub struct Expectation {
    /// Its ends, whichever of them will turn out to be the client; port 0 for any.
    pub tuple: FiveTuple,
    /// What it will speak.
    pub app: AppProto,
    /// Its parser.
    pub parser: Box<dyn AppLayer>,
}

/// Most flows expected at a time; more are not taken.
pub(crate) const EXPECTATIONS_MAX: usize = 4096;

/// How long a flow is expected, nanoseconds.
const LIFETIME_NS: u64 = 30_000_000_000;

/// The flows that are expected.
#[derive(Debug)]
pub(crate) struct Expectations {
    seed: [u64; 2],
    table: HashTable<Entry>,
}

#[derive(Debug)]
struct Entry {
    key: Key,
    since_ns: u64,
    expected: Expected,
}

/// What was announced of a flow.
#[derive(Debug)]
pub(crate) struct Expected {
    /// Who announced it.
    pub(crate) parent: FlowId,
    pub(crate) app: AppProto,
    pub(crate) parser: Box<dyn AppLayer>,
}

impl Expectations {
    pub(crate) fn new(seed: [u64; 2]) -> Self {
        Self {
            seed,
            table: HashTable::new(),
        }
    }

    /// Expects a flow, in place of one that was expected between the same ends; `false` when there
    /// is no room.
    pub(crate) fn add(&mut self, expected: Expectation, parent: &Flow, now_ns: u64) -> bool {
        let key = Key::new(&expected.tuple, parent.scope);
        self.remove(&key);
        if self.table.len() >= EXPECTATIONS_MAX {
            self.table.retain(|entry| entry.is_alive(now_ns));
        }
        if self.table.len() >= EXPECTATIONS_MAX {
            return false;
        }
        let seed = self.seed;
        let entry = Entry {
            key,
            since_ns: now_ns,
            expected: Expected {
                parent: parent.id,
                app: expected.app,
                parser: expected.parser,
            },
        };
        self.table
            .insert_unique(key.hash(seed), entry, |entry| entry.key.hash(seed));
        true
    }

    /// What was expected of a flow between these ends; it is expected once.
    pub(crate) fn take(
        &mut self,
        tuple: &FiveTuple,
        scope: Scope,
        now_ns: u64,
    ) -> Option<Expected> {
        if self.table.is_empty() {
            return None;
        }
        let from_any = FiveTuple {
            src_port: 0,
            ..*tuple
        };
        let to_any = FiveTuple {
            dst_port: 0,
            ..*tuple
        };
        let found = [tuple, &from_any, &to_any]
            .into_iter()
            .find_map(|tuple| self.remove(&Key::new(tuple, scope)))?;
        let is_alive = found.is_alive(now_ns);
        is_alive.then_some(found.expected)
    }

    fn remove(&mut self, key: &Key) -> Option<Entry> {
        let found = self
            .table
            .find_entry(key.hash(self.seed), |entry| entry.key == *key);
        found.ok().map(|found| found.remove().0)
    }
}

impl Entry {
    fn is_alive(&self, now_ns: u64) -> bool {
        now_ns.saturating_sub(self.since_ns) <= LIFETIME_NS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::applayer::{Context, Next};
    use crate::decode::Vlans;
    use crate::flow::{Direction, Proto};

    #[test]
    fn a_flow_is_expected_once_and_from_any_port() {
        let mut expectations = Expectations::new([1, 2]);
        assert!(expectations.add(expectation(0, 50_000), &parent(), 5));
        let data = tuple(41_000, 50_000);
        let mut take =
            |tuple: FiveTuple, now_ns| expectations.take(&tuple, Scope::default(), now_ns);
        assert!(take(tuple(41_000, 50_001), 6).is_none());
        assert_eq!(take(data.reversed(), 6).unwrap().app, AppProto::FtpData);
        assert!(take(data, 6).is_none());
    }

    #[test]
    fn nobody_is_expected_for_ever_and_there_is_a_bound() {
        let mut expectations = Expectations::new([1, 2]);
        let scope = Scope::default();
        for port in 0..5000 {
            let taken = expectations.add(expectation(port, 50_000), &parent(), 5);
            assert_eq!(taken, usize::from(port) < EXPECTATIONS_MAX);
        }
        let late = 5 + LIFETIME_NS + 1;
        assert!(expectations.add(expectation(5000, 50_000), &parent(), late));
        assert_eq!(expectations.table.len(), 1);
        let too_late = late + LIFETIME_NS + 1;
        let taken = expectations.take(&tuple(5000, 50_000), scope, too_late);
        assert!(taken.is_none());
    }

    fn expectation(src_port: u16, dst_port: u16) -> Expectation {
        Expectation {
            tuple: tuple(src_port, dst_port),
            app: AppProto::FtpData,
            parser: Box::new(Nothing),
        }
    }

    fn parent() -> Flow {
        Flow::new(FlowId(1), tuple(1, 21), Vlans::default(), 0)
    }

    fn tuple(src_port: u16, dst_port: u16) -> FiveTuple {
        FiveTuple {
            src: "192.0.2.1".parse().unwrap(),
            src_port,
            dst: "198.51.100.2".parse().unwrap(),
            dst_port,
            proto: Proto::Tcp,
        }
    }

    #[derive(Debug)]
    struct Nothing;

    impl AppLayer for Nothing {
        fn data(&mut self, _: &mut Context<'_, '_>, _: Direction, _: &[u8]) -> Next {
            Next::Done
        }

        fn gap(&mut self, _: &mut Context<'_, '_>, _: Direction, _: u64) -> Next {
            Next::Done
        }

        fn end(&mut self, _: &mut Context<'_, '_>) {}

        fn buffered(&self) -> usize {
            0
        }
    }
}
