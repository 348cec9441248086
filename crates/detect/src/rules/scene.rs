//! What a rule is judged on: a packet, a piece of a stream, a part of a transaction, a file.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use smallvec::SmallVec;

use super::dataset::Datasets;
use super::header::Apps;
use packet::{AppProto, Direction, FileInfo, FiveTuple, Flow, Packet, Transaction};

/// What there is to look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'s> {
    /// The packet at hand; none when a flow's time is over.
    pub(crate) packet: Option<&'s Packet<'s>>,
    /// Its flow.
    pub(crate) flow: Option<&'s Flow>,
    /// Which way it goes.
    pub(crate) direction: Direction,
    /// Its ends, the sender first.
    pub(crate) tuple: Option<FiveTuple>,
    /// The flow was established before the packet.
    pub(crate) established: bool,
    /// The payload of the packet, or the piece of the stream.
    pub(crate) payload: &'s [u8],
    /// The transaction.
    pub(crate) transaction: Option<&'s dyn Transaction>,
    /// The sets of the rules.
    pub(crate) sets: &'s Sets,
    /// The file.
    pub(crate) file: Option<FileScene<'s>>,
    /// Time of the packet, nanoseconds since the Unix epoch.
    pub(crate) now_ns: u64,
}

/// Sets, which all threads share.
#[derive(Debug, Default)]
pub(crate) struct Sets(Mutex<Datasets>);

impl Sets {
    pub(crate) fn new(sets: Datasets) -> Self {
        Self(Mutex::new(sets))
    }

    /// Does something with them.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Datasets) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// So many first bytes tell what a file is, before all of it is there.
pub(crate) const MAGIC_BYTES_MIN: usize = 512;

/// A file, or the part of it that is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileScene<'s> {
    /// What is known of it.
    pub(crate) info: &'s FileInfo,
    /// The latest bytes of it; none while too few are there to look at.
    pub(crate) data: Option<&'s [u8]>,
    /// Its first bytes.
    pub(crate) head: &'s [u8],
    /// No more of it will come.
    pub(crate) is_over: bool,
}

impl<'s> Scene<'s> {
    /// Whether the packet is the first of its flow that goes its way; none without a flow.
    pub(crate) fn is_first(&self) -> Option<bool> {
        let counts = self.flow.map(|flow| flow.counts(self.direction));
        counts.map(|counts| self.packet.is_some() && counts.packets == 1)
    }

    /// Whether there are ports: in fragments and damaged packets there are none.
    pub(crate) fn has_ports(&self) -> bool {
        match self.packet {
            Some(packet) => packet.decoded.transport.has_ports(),
            None => self
                .tuple
                .is_some_and(|tuple| matches!(tuple.proto.number(), 6 | 17 | 132)),
        }
    }

    /// A side of a flow without a packet.
    pub(crate) fn of_flow(
        flow: &'s Flow,
        direction: Direction,
        sets: &'s Sets,
        now_ns: u64,
    ) -> Self {
        Self {
            packet: None,
            flow: Some(flow),
            direction,
            tuple: Some(match direction {
                Direction::ToServer => flow.tuple,
                Direction::ToClient => flow.tuple.reversed(),
            }),
            established: true,
            payload: &[],
            transaction: None,
            sets,
            file: None,
            now_ns,
        }
    }

    /// The application protocol: that of the transaction, whatever the flow became since.
    pub(crate) fn app(&self) -> Option<AppProto> {
        let own = self.transaction.map(|transaction| transaction.app());
        own.or(self.flow.map(|flow| flow.app))
    }

    /// The transaction as one of a protocol.
    pub(crate) fn of<T: Transaction>(&self) -> Option<&'s T> {
        self.transaction
            .and_then(|transaction| transaction.downcast_ref())
    }
}

/// The values of a buffer: most have one, some none or several.
#[derive(Debug, Default)]
pub(crate) struct Values<'s>(SmallVec<[Cow<'s, [u8]>; 2]>);

impl<'s> Values<'s> {
    /// Adds a value that stands somewhere.
    pub(crate) fn push(&mut self, value: &'s [u8]) {
        self.0.push(Cow::Borrowed(value));
    }

    /// Adds a value if there is one.
    pub(crate) fn maybe(&mut self, value: Option<&'s [u8]>) {
        self.0.extend(value.map(Cow::Borrowed));
    }

    /// Adds a value that stands somewhere or was put together.
    pub(crate) fn either(&mut self, value: Cow<'s, [u8]>) {
        self.0.push(value);
    }

    /// Adds a value that was put together.
    pub(crate) fn made(&mut self, value: Vec<u8>) {
        self.0.push(Cow::Owned(value));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|value| &**value)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each value through transforms.
    pub(crate) fn map(&mut self, mut change: impl FnMut(&[u8]) -> Vec<u8>) {
        for value in &mut self.0 {
            *value = Cow::Owned(change(value));
        }
    }
}

/// A buffer that rules look into.
#[derive(Debug)]
pub(crate) struct Buffer {
    /// Its name, that of its keyword.
    pub(crate) name: &'static str,
    /// Which protocols have it; none named for packets.
    pub(crate) apps: Apps,
    /// Which side of a conversation it is of.
    pub(crate) sides: Sides,
    /// When it is there.
    pub(crate) stage: Stage,
    /// It can have several values: each use of its keyword looks at all of them for itself.
    pub(crate) multiple: bool,
    /// Its values.
    pub(crate) get: for<'s> fn(&Scene<'s>, &mut Values<'s>),
}

/// When a buffer is there, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stage {
    /// With the packet.
    Packet,
    /// The first line of a message.
    Line,
    /// The head of a message, before its body.
    Head,
    /// A message as it comes, from its head to its end.
    Body,
    /// All of a message.
    Message,
    /// A file of it.
    File,
}

impl Stage {
    /// How many there are.
    pub(crate) const COUNT: usize = Self::File as usize + 1;
}

/// Which sides of a conversation something is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Sides {
    /// The client's.
    Client,
    /// The server's.
    Server,
    /// Either's.
    Both,
}

impl Sides {
    pub(crate) fn has(self, direction: Direction) -> bool {
        match self {
            Self::Client => direction == Direction::ToServer,
            Self::Server => direction == Direction::ToClient,
            Self::Both => true,
        }
    }

    /// Those in both; none when they exclude each other.
    pub(crate) fn narrowed(self, to: Self) -> Option<Self> {
        match (self, to) {
            (Self::Both, other) | (other, Self::Both) => Some(other),
            (one, other) => (one == other).then_some(one),
        }
    }
}
