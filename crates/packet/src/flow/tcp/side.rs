//! One side of a connection as a sender: what it sent, what it acknowledged, what that proves.

use crate::decode::Tcp;

/// What is known of one side as a sender.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Side {
    /// Its initial sequence number if `ISN`, else the first sequence number seen of it.
    pub(super) base: u32,
    /// The highest sequence number it sent, plus one.
    pub(super) next: u32,
    /// The highest valid acknowledgement it sent.
    pub(super) ack: u32,
    window: u16,
    /// The marks below, and its window scale in the four upper bits: there are millions of these.
    marks: u16,
    /// Of its TSvals, if `TIMED`, the latest that counts for the other side.
    timestamp: u32,
    /// The latest of its TSvals that was seen.
    timestamp_sent: u32,
}

impl Side {
    /// A packet of it was seen.
    pub(super) const SEEN: u16 = 1;
    /// `base` is its initial sequence number, from its own SYN.
    pub(super) const ISN: u16 = 2;
    /// `ack` is set.
    pub(super) const ACKED: u16 = 4;
    /// It sent a FIN.
    pub(super) const FIN: u16 = 8;
    /// It sent a second SYN with another number.
    pub(super) const OTHER_ISN: u16 = 16;
    /// It sent two SYN/ACKs with different numbers, or came in on the same way as the other side.
    pub(super) const CONFLICT: u16 = 32;
    /// A packet of it came in from the network.
    pub(super) const CAME_IN: u16 = 64;
    /// A packet of it went out to the network.
    pub(super) const WENT_OUT: u16 = 128;
    /// Its SYN carried a timestamp.
    pub(super) const TIMED: u16 = 256;

    pub(super) fn is(&self, mark: u16) -> bool {
        self.marks & mark != 0
    }

    pub(super) fn mark(&mut self, mark: u16) {
        self.marks |= mark;
    }

    /// Its SYN.
    pub(super) fn start(&mut self, tcp: &Tcp<'_>) {
        self.base = tcp.seq;
        self.next = tcp.seq.wrapping_add(tcp.seq_len());
        self.window = tcp.window;
        let options = tcp.options();
        self.set_wscale(options.wscale.unwrap_or(0));
        self.mark(Self::SEEN | Self::ISN);
        if let Some(timestamp) = options.timestamp {
            (self.timestamp, self.timestamp_sent) = (timestamp, timestamp);
            self.mark(Self::TIMED);
        }
    }

    /// First sight of it midstream.
    pub(super) fn taken_up(seq: u32) -> Self {
        let mut side = Self {
            base: seq,
            next: seq,
            marks: Self::SEEN,
            ..Self::default()
        };
        side.set_wscale(WSCALE_MAX);
        side
    }

    /// RFC 7323 section 2.3: a shift above 14 counts as 14.
    fn set_wscale(&mut self, wscale: u8) {
        let scale = u16::from(wscale.min(WSCALE_MAX)) << WSCALE_AT;
        self.marks = self.marks & ((1 << WSCALE_AT) - 1) | scale;
    }

    fn wscale(&self) -> u32 {
        u32::from(self.marks >> WSCALE_AT)
    }

    pub(super) fn send(&mut self, tcp: &Tcp<'_>) {
        let end = tcp.seq.wrapping_add(tcp.seq_len());
        if is_after(end, self.next) {
            self.next = end;
        }
        self.update_window(tcp.window, tcp.ack);
        if tcp.flags.fin() {
            self.mark(Self::FIN);
        }
    }

    /// RFC 9293 section 3.8.6.2.1: a window does not shrink. What an acknowledgement that says nothing
    /// new takes back of it may be on its way already.
    fn update_window(&mut self, window: u16, ack: u32) {
        let is_news = !self.is(Self::ACKED) || is_after(ack, self.ack);
        if is_news || ack == self.ack && window > self.window {
            self.window = window;
        }
    }

    /// Whether a segment of it is older than what counts for the other side (PAWS, RFC 7323 section 5):
    /// its receiver drops it. Linux lets a difference of one pass (`TCP_PAWS_WINDOW`), and any while
    /// the last time was 0, as some hosts say in their SYN.
    pub(super) fn is_before_last(&self, timestamp: u32) -> bool {
        let back = self.timestamp.wrapping_sub(timestamp);
        self.timestamp != 0 && (2..1 << 31).contains(&back)
    }

    /// One of its TSvals was seen.
    pub(super) fn saw_time(&mut self, timestamp: u32) {
        if is_no_older(timestamp, self.timestamp_sent) {
            self.timestamp_sent = timestamp;
        }
    }

    /// One of its TSvals came to count for the other side.
    pub(super) fn note_time(&mut self, timestamp: u32) {
        if is_no_older(timestamp, self.timestamp) {
            self.timestamp = timestamp;
        }
    }

    /// The other side says which of its TSvals counts: only one that it sent in our sight can.
    pub(super) fn note_echo(&mut self, echo: u32) {
        if is_no_older(self.timestamp_sent, echo) {
            self.note_time(echo);
        }
    }

    /// The answer to its SYN says which of its SYNs was taken, if there were several: only one that it
    /// sent in our sight can be.
    pub(super) fn start_time(&mut self, echo: u32) {
        if is_no_older(self.timestamp_sent, echo) {
            self.timestamp = echo;
        }
    }

    /// Whether handshake and acknowledgement were seen, and nothing that ends it or speaks against it.
    pub(super) fn is_known(&self) -> bool {
        const WANTED: u16 = Side::SEEN | Side::ISN | Side::ACKED;
        self.marks & (WANTED | Self::FIN | Self::CONFLICT) == WANTED
    }

    /// Takes over a segment's window and acknowledgement, which is no older than the last.
    pub(super) fn go_on(&mut self, tcp: &Tcp<'_>) {
        self.update_window(tcp.window, tcp.ack);
        self.ack = tcp.ack;
    }

    pub(super) fn acknowledge(&mut self, ack: u32) {
        if !self.is(Self::ACKED) || is_after(ack, self.ack) {
            self.ack = ack;
            self.mark(Self::ACKED);
        }
    }

    pub(super) fn has_sent_up_to(&self, ack: u32) -> bool {
        !is_after(ack, self.next)
    }

    /// Whether `ack` is the number right behind its SYN or, with TCP Fast Open, behind the SYN's
    /// data.
    pub(super) fn sent_exactly(&self, ack: u32) -> bool {
        ack == self.base.wrapping_add(1) || ack == self.next
    }

    /// Whether to know `ack` one must have received what it sent: the number lies behind its ISN,
    /// or behind its first byte in our sight, and no further back than [`PROOF_SPAN_MAX`], which
    /// bounds what a guess can hit.
    pub(super) fn proves(&self, ack: u32) -> bool {
        let back = self.next.wrapping_sub(ack);
        back <= PROOF_SPAN_MAX && is_after(ack, self.base) && !is_after(ack, self.next)
    }

    /// What it last said that it would take beyond its acknowledgement.
    pub(super) fn window_exact(&self) -> u32 {
        u32::from(self.window) << self.wscale()
    }

    pub(super) fn window_bytes(&self) -> u32 {
        self.window_exact().max(WINDOW_MIN)
    }
}

/// Where a segment lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In what the receiver waits for.
    Window,
    /// Before it: an old duplicate.
    Behind,
    Outside,
}

/// Where a segment of `sender` that begins at `seq` lies.
pub(super) fn place(sender: &Side, receiver: &Side, seq: u32) -> Place {
    let (from, ahead_max) = if receiver.is(Side::ACKED) {
        (receiver.ack, receiver.window_bytes())
    } else if receiver.is(Side::SEEN) {
        (sender.base, WINDOW_MIN)
    } else {
        // only one direction passes by here: nobody says how far the receiver is
        (sender.next, ONE_WAY_WINDOW)
    };
    let ahead = seq.wrapping_sub(from);
    if ahead <= ahead_max {
        Place::Window
    } else if from.wrapping_sub(seq) <= BEHIND_MAX {
        Place::Behind
    } else {
        Place::Outside
    }
}

/// Serial number arithmetic (RFC 1982): `a` is after `b`.
pub(crate) fn is_after(a: u32, b: u32) -> bool {
    a != b && a.wrapping_sub(b) < 1 << 31
}

/// Whether time `a` is `b` or comes after it (RFC 7323 section 5.2): half way round counts as after.
fn is_no_older(a: u32, b: u32) -> bool {
    a == b || b.wrapping_sub(a) >= 1 << 31
}

const WSCALE_MAX: u8 = 14;
/// Where the window scale stands in the marks.
const WSCALE_AT: u32 = 12;

/// A window is taken to be at least this large, bytes: captures lose acknowledgements.
const WINDOW_MIN: u32 = 1 << 20;
/// How far ahead a segment may be when the other direction is not seen, bytes.
const ONE_WAY_WINDOW: u32 = 1 << 28;
/// How old a duplicate may be, bytes.
const BEHIND_MAX: u32 = 1 << 30;
/// How far behind the newest byte an acknowledgement may be to prove anything, bytes: a blind guess
/// hits with probability 2^-12 at most.
const PROOF_SPAN_MAX: u32 = 1 << 20;
