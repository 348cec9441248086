//! With settings, flows are what they are for other sensors: what ends a connection, which errors
//! belong to it, and what is no longer looked at.
#![expect(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests")]

#[path = "common/wire.rs"]
mod wire;

use etherparse::{Icmpv4Type, PacketBuilder};
use packet::settings::Settings;
use packet::{Config, Event, Flow, FlowState, Sensor, TcpState};
use wire::{CLIENT, SERVER, Wire, build, feed};

#[test]
fn what_was_read_to_its_depth_is_only_counted() {
    let yaml = "stream: {bypass: yes, reassembly: {depth: 100}}";
    let mut wire = Wire::new();
    let mut frames = wire.handshake();
    for _ in 0..5 {
        frames.push(wire.data(true, &[b'x'; 60]));
        frames.push(wire.data(false, b""));
    }
    frames.extend([wire.fin(true), wire.fin(false)]);
    let flows = flows(yaml, &frames);
    assert_eq!(flows.len(), 1);
    let flow = &flows[0];
    assert_eq!(flow.state, FlowState::Bypassed);
    assert_eq!(
        flow.tcp_state,
        Some(TcpState::Established),
        "followed no further"
    );
    let counted = flow.to_server.packets + flow.to_client.packets;
    assert_eq!(counted, u64::try_from(frames.len()).unwrap());
    let followed = self::flows("", &frames);
    assert_eq!(followed[0].state, FlowState::Closed);
}

/// Else the next connection on the same ports would hide behind the one that is bypassed.
#[test]
fn a_new_connection_is_not_bypassed_with_the_old_one() {
    let yaml = "stream: {bypass: yes, reassembly: {depth: 100}}";
    let mut wire = Wire::new();
    let mut frames = wire.handshake();
    frames.push(wire.data(true, &[b'x'; 200]));
    frames.push(wire.data(false, b""));
    frames.push(wire.data(false, b"y"));
    frames.push(build(true, 77_000, |tcp| tcp.syn(), &[]));
    let states: Vec<_> = flows(yaml, &frames).iter().map(|flow| flow.state).collect();
    assert_eq!(states, [FlowState::Bypassed, FlowState::New]);
}

/// One byte far ahead is no reason to look at nothing before it.
#[test]
fn a_byte_at_the_depth_bypasses_nothing_before_it() {
    let yaml = "stream: {bypass: yes, reassembly: {depth: 100}}";
    let mut wire = Wire::new();
    let mut frames = wire.handshake();
    frames.push(wire.data_at(true, 100, b"x"));
    frames.push(wire.data(false, b""));
    assert_ne!(flows(yaml, &frames)[0].state, FlowState::Bypassed);
}

#[test]
fn what_is_encrypted_is_bypassed_where_settings_say_so() {
    // RFC 4253 section 6: a packet of 12 bytes, 10 of them padding, that says NEWKEYS
    let new_keys = [&b"SSH-2.0-x\r\n"[..], &[0, 0, 0, 12, 10, 21], &[0; 10]].concat();
    let mut wire = Wire::new();
    let mut frames = wire.handshake();
    for side in [true, false] {
        frames.push(wire.data(side, &new_keys));
        frames.push(wire.data(!side, b""));
    }
    frames.push(wire.data(true, b"secret"));
    let state = |yaml| flows(yaml, &frames)[0].state;
    let yaml = "app-layer: {protocols: {ssh: {encryption-handling: bypass}}}";
    assert_eq!(state(yaml), FlowState::Bypassed);
    assert_eq!(
        state("app-layer: {protocols: {ssh: {}}}"),
        FlowState::Established
    );
}

/// RFC 5961 section 3.2 and what other sensors make of it: the client's FIN counts in the number
/// of its RST from when it was acknowledged.
#[test]
fn a_reset_behind_a_fin_counts_the_fin_once_it_is_acknowledged() {
    for (acknowledged, ahead, closes) in [
        (false, 0, false),
        (false, u32::MAX, true),
        (true, 0, true),
        (true, u32::MAX, false),
    ] {
        let mut wire = Wire::new();
        let mut frames = wire.handshake();
        frames.push(wire.fin(true));
        if acknowledged {
            frames.push(wire.data(false, b""));
        }
        let seq = wire.client_seq.wrapping_add(ahead);
        frames.push(build(true, seq, |tcp| tcp.rst(), &[]));
        let state = flows("", &frames)[0].tcp_state;
        assert_eq!(
            state == Some(TcpState::Closed),
            closes,
            "{acknowledged} {ahead} {state:?}"
        );
    }
}

#[test]
fn a_new_connection_begins_while_the_old_one_half_closes() {
    let mut wire = Wire::new();
    let mut frames = wire.handshake();
    frames.push(wire.fin(true));
    frames.push(build(true, 77_000, |tcp| tcp.syn(), &[]));
    assert_eq!(flows("", &frames).len(), 2);
}

/// A destination that cannot be reached is a packet of the flow that it is about, time exceeded is
/// nobody's, and neither is an answer.
#[test]
fn icmp_errors_are_packets_of_flows_that_are_known() {
    let query = udp(true);
    let error = |kind, quoted: &[u8]| {
        let kind = Icmpv4Type::Unknown {
            type_u8: kind,
            code_u8: 1,
            bytes5to8: [0; 4],
        };
        let mut frame = Vec::new();
        PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4(SERVER.0, CLIENT.0, 64)
            .icmpv4(kind)
            .write(&mut frame, quoted)
            .unwrap();
        frame
    };
    let quoted = &query[14..];
    let frames = [
        query.clone(),
        error(3, quoted),
        error(11, quoted),
        query.clone(),
    ];
    let found = flows("", &frames);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].to_server.packets, found[0].to_client.packets),
        (2, 1)
    );
    assert_eq!(found[0].state, FlowState::New, "an error is no answer");
    assert_eq!(
        flows("", &[error(3, quoted)]).len(),
        0,
        "about no flow that is known"
    );
    let answered = flows(
        "",
        &[query.clone(), error(3, quoted), udp(false), query.clone()],
    );
    assert_eq!(answered[0].state, FlowState::Established);
}

#[test]
fn esp_flows_are_told_apart_by_their_index() {
    let esp = |from_client, spi: u32| {
        let (src, dst) = match from_client {
            true => (CLIENT.0, SERVER.0),
            false => (SERVER.0, CLIENT.0),
        };
        let mut frame = Vec::new();
        PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4(src, dst, 64)
            .write(
                &mut frame,
                50.into(),
                &[&spi.to_be_bytes()[..], &[0; 12]].concat(),
            )
            .unwrap();
        frame
    };
    let index = 0xdead_0001;
    let frames = [esp(true, index), esp(false, index), esp(true, 5)];
    let mut found: Vec<_> = flows("", &frames)
        .iter()
        .map(|flow| (flow.spi, flow.to_server.packets + flow.to_client.packets))
        .collect();
    found.sort();
    assert_eq!(found, [(Some(5), 1), (Some(index), 2)]);
}

fn udp(from_client: bool) -> Vec<u8> {
    let ((src, src_port), (dst, dst_port)) = match from_client {
        true => (CLIENT, SERVER),
        false => (SERVER, CLIENT),
    };
    let mut frame = Vec::new();
    PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4(src, dst, 64)
        .udp(src_port, dst_port)
        .write(&mut frame, b"hello")
        .unwrap();
    frame
}

/// The flows that frames make under settings.
fn flows(yaml: &str, frames: &[Vec<u8>]) -> Vec<Flow> {
    let settings = Settings::parse(yaml).unwrap();
    let mut sensor = Sensor::new(Config::from_settings(&settings));
    let mut flows = Vec::new();
    let mut note = |event: Event<'_>| {
        if let Event::FlowEnd(flow, _) = event {
            flows.push(*flow);
        }
    };
    feed(&mut sensor, &mut 0, frames, &mut note);
    sensor.finish(&mut note);
    flows
}
