//! One direction of a connection as frames. Data frames pass in pieces; all others are gathered.

use std::borrow::Cow;

use super::frame::{CONTINUATION, DATA, HEAD_BYTES, Head, PREFACE};

#[derive(Debug, Default)]
pub(super) struct Side {
    /// The front of a preface or frame that is not complete yet.
    kept: Vec<u8>,
    /// The data frame that is passing.
    data: Option<Data>,
    /// Bytes to pass over.
    skip: usize,
    /// The client's preface was seen, or is not to come.
    begun: bool,
    /// Frames are not found any more.
    pub(super) lost: bool,
}

#[derive(Debug, Clone, Copy)]
struct Data {
    head: Head,
    content: usize,
    padding: usize,
}

/// What some bytes came to.
#[derive(Debug)]
pub(super) enum Item<'d> {
    /// More bytes are needed.
    More,
    Frame(Head, Cow<'d, [u8]>),
    /// Bytes of a data frame; whether they are its last.
    Data(Head, &'d [u8], bool),
    /// A frame of a kind that is not known; its payload is passed over.
    Unknown(Head),
    /// A frame that is passed over for its size.
    TooLarge,
    /// No frame can be here.
    Invalid,
}

impl Side {
    /// `begun` when no preface is to come.
    pub(super) fn new(begun: bool) -> Self {
        Self {
            begun,
            ..Self::default()
        }
    }

    /// Whether the next bytes are those of a data frame that has begun.
    pub(super) fn is_passing(&self) -> bool {
        self.data.is_some()
    }

    pub(super) fn buffered(&self) -> usize {
        self.kept.len()
    }

    /// Takes some of the next bytes: how many, and what they came to. Frames other than data have
    /// `max` bytes at most.
    pub(super) fn step<'d>(&mut self, data: &'d [u8], max: usize) -> (usize, Item<'d>) {
        if self.lost {
            return (data.len(), Item::More);
        }
        if self.skip > 0 {
            let used = self.skip.min(data.len());
            self.skip = self.skip.saturating_sub(used);
            return (used, Item::More);
        }
        if let Some(passing) = self.data {
            return self.pass(passing, data);
        }
        if !self.begun {
            return self.preface(data);
        }
        self.frame(data, max)
    }

    /// Takes a gap inside a data frame: the frame's head and whether the frame is over; `None` when
    /// frames are lost.
    pub(super) fn gap(&mut self, len: u64) -> Option<(Head, bool)> {
        let len = usize::try_from(len).ok();
        let passing = self.data.as_mut().zip(len);
        let Some((passing, len)) = passing.filter(|(passing, len)| *len <= passing.content) else {
            self.lost = true;
            self.kept = Vec::new();
            return None;
        };
        passing.content = passing.content.saturating_sub(len);
        let (head, over) = (passing.head, passing.content == 0);
        if over {
            self.skip = passing.padding;
            self.data = None;
        }
        Some((head, over))
    }

    fn preface<'d>(&mut self, data: &'d [u8]) -> (usize, Item<'d>) {
        let Some(used) = self.fill(data, PREFACE.len()) else {
            return (data.len(), Item::More);
        };
        self.begun = true;
        if self.kept == PREFACE {
            self.kept = Vec::new();
            return (used, Item::More);
        }
        self.lost = true;
        (data.len(), Item::Invalid)
    }

    fn frame<'d>(&mut self, data: &'d [u8], max: usize) -> (usize, Item<'d>) {
        if self.kept.is_empty()
            && let Some(head) = Head::parse(data)
            && head.kind != DATA
            && head.kind <= CONTINUATION
            && head.len <= max
            && let Some(end) = HEAD_BYTES.checked_add(head.len)
            && let Some(payload) = data.get(HEAD_BYTES..end)
        {
            return (end, Item::Frame(head, Cow::Borrowed(payload)));
        }
        let Some(used) = self.fill(data, HEAD_BYTES) else {
            return (data.len(), Item::More);
        };
        let Some(head) = Head::parse(&self.kept) else {
            return (used, Item::More);
        };
        if head.kind == DATA {
            return self.begin_data(head, used, data);
        }
        if head.len > max || head.kind > CONTINUATION {
            self.skip = head.len;
            self.kept = Vec::new();
            let known = head.kind <= CONTINUATION;
            let item = if known {
                Item::TooLarge
            } else {
                Item::Unknown(head)
            };
            return (used, item);
        }
        let rest = data.get(used..).unwrap_or_default();
        let Some(more) = self.fill(rest, HEAD_BYTES.saturating_add(head.len)) else {
            return (data.len(), Item::More);
        };
        let kept = std::mem::take(&mut self.kept);
        let payload = kept.get(HEAD_BYTES..).unwrap_or_default().to_vec();
        (
            used.saturating_add(more),
            Item::Frame(head, Cow::Owned(payload)),
        )
    }

    fn begin_data<'d>(&mut self, head: Head, used: usize, data: &'d [u8]) -> (usize, Item<'d>) {
        let (mut used, mut padding, mut content) = (used, 0, head.len);
        if head.padded() && head.len > 0 {
            let rest = data.get(used..).unwrap_or_default();
            let Some(more) = self.fill(rest, HEAD_BYTES.saturating_add(1)) else {
                return (data.len(), Item::More);
            };
            used = used.saturating_add(more);
            content = content.saturating_sub(1);
            padding = self.kept.last().copied().map_or(0, usize::from);
            if padding > content {
                // no padding is longer than its frame
                padding = 0;
            }
            content = content.saturating_sub(padding);
        }
        self.kept = Vec::new();
        if content == 0 {
            self.skip = padding;
            return (used, Item::Data(head, &[], true));
        }
        self.data = Some(Data {
            head,
            content,
            padding,
        });
        (used, Item::More)
    }

    fn pass<'d>(&mut self, passing: Data, data: &'d [u8]) -> (usize, Item<'d>) {
        let used = passing.content.min(data.len());
        let content = passing.content.saturating_sub(used);
        self.data = (content > 0).then_some(Data { content, ..passing });
        if content == 0 {
            self.skip = passing.padding;
        }
        let bytes = data.get(..used).unwrap_or_default();
        (used, Item::Data(passing.head, bytes, content == 0))
    }

    /// Gathers bytes until there are so many; how many of `data` that took, or `None` when all of
    /// them were not enough.
    fn fill(&mut self, data: &[u8], want: usize) -> Option<usize> {
        let missing = want.saturating_sub(self.kept.len());
        let taken = data.get(..missing.min(data.len())).unwrap_or_default();
        self.kept.extend_from_slice(taken);
        (self.kept.len() >= want).then_some(taken.len())
    }
}
