//! A TCP connection as frames.
#![allow(dead_code, reason = "each test file uses some of it")]

use etherparse::PacketBuilder;
use packet::{Event, Frame, LinkType, Sensor};

pub(crate) const CLIENT: ([u8; 4], u16) = ([192, 0, 2, 1], 40000);
pub(crate) const SERVER: ([u8; 4], u16) = ([198, 51, 100, 2], 8080);

/// A connection between `CLIENT` and `SERVER` with honest numbers.
pub(crate) struct Wire {
    pub(crate) client_seq: u32,
    pub(crate) server_seq: u32,
}

impl Wire {
    pub(crate) fn new() -> Self {
        Self {
            client_seq: 1000,
            server_seq: u32::MAX - 20,
        }
    }

    /// SYN, SYN/ACK and ACK.
    pub(crate) fn handshake(&mut self) -> Vec<Vec<u8>> {
        let syn = self.frame(true, |tcp| tcp.syn(), &[]);
        self.client_seq = self.client_seq.wrapping_add(1);
        let ack = self.client_seq;
        let syn_ack = self.frame(false, |tcp| tcp.syn().ack(ack), &[]);
        self.server_seq = self.server_seq.wrapping_add(1);
        vec![syn, syn_ack, self.data(true, &[])]
    }

    /// The next bytes of a side.
    pub(crate) fn data(&mut self, from_client: bool, data: &[u8]) -> Vec<u8> {
        let frame = self.data_at(from_client, 0, data);
        let seq = if from_client {
            &mut self.client_seq
        } else {
            &mut self.server_seq
        };
        *seq = seq.wrapping_add(u32::try_from(data.len()).unwrap());
        frame
    }

    /// Bytes of a side so far behind its next.
    pub(crate) fn data_at(&self, from_client: bool, ahead: u32, data: &[u8]) -> Vec<u8> {
        let ack = if from_client {
            self.server_seq
        } else {
            self.client_seq
        };
        let seq = if from_client {
            self.client_seq
        } else {
            self.server_seq
        };
        build(
            from_client,
            seq.wrapping_add(ahead),
            |tcp| tcp.ack(ack),
            data,
        )
    }

    pub(crate) fn fin(&mut self, from_client: bool) -> Vec<u8> {
        let ack = if from_client {
            self.server_seq
        } else {
            self.client_seq
        };
        let frame = self.frame(from_client, |tcp| tcp.fin().ack(ack), &[]);
        let seq = if from_client {
            &mut self.client_seq
        } else {
            &mut self.server_seq
        };
        *seq = seq.wrapping_add(1);
        frame
    }

    pub(crate) fn frame(
        &self,
        from_client: bool,
        flags: impl FnOnce(Step) -> Step,
        data: &[u8],
    ) -> Vec<u8> {
        let seq = if from_client {
            self.client_seq
        } else {
            self.server_seq
        };
        build(from_client, seq, flags, data)
    }
}

type Step = etherparse::PacketBuilderStep<etherparse::TcpHeader>;

pub(crate) fn build(
    from_client: bool,
    seq: u32,
    flags: impl FnOnce(Step) -> Step,
    data: &[u8],
) -> Vec<u8> {
    let (src, dst) = if from_client {
        (CLIENT, SERVER)
    } else {
        (SERVER, CLIENT)
    };
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4(src.0, dst.0, 64)
        .tcp(src.1, dst.1, seq, 65000);
    let builder = flags(builder);
    let mut frame = Vec::with_capacity(builder.size(data.len()));
    builder.write(&mut frame, data).unwrap();
    frame
}

/// Gives frames to a sensor, a millisecond apart.
pub(crate) fn feed(
    sensor: &mut Sensor,
    now_ns: &mut u64,
    frames: &[Vec<u8>],
    out: &mut dyn FnMut(Event<'_>),
) {
    for frame in frames {
        *now_ns += 1_000_000;
        let wire_len = u32::try_from(frame.len()).unwrap();
        let link = LinkType::Ethernet;
        sensor.packet(
            &Frame {
                ts_ns: *now_ns,
                link,
                data: frame,
                wire_len,
                way: packet::Way::Unknown,
            },
            out,
        );
    }
}
