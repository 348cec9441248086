//! Packets of flows that are known cost no allocation.
#![expect(
    unsafe_code,
    reason = "an allocator that counts is unsafe by its trait"
)]
#![expect(
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

#[path = "common/wire.rs"]
mod wire;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use packet::{Config, Event, Sensor};
use wire::{Wire, feed};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn packets_of_known_flows_allocate_nothing() {
    let mut wire = Wire::new();
    let mut frames = wire.handshake();
    frames.push(wire.data(true, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n";
    frames.push(wire.data(false, head));
    let mut body = Vec::new();
    for _ in 0..2000 {
        body.push(wire.data(false, &[b'x'; 1000]));
        body.push(wire.data(true, b""));
    }
    let ends = [wire.fin(false), wire.fin(true)];
    let mut sensor = Sensor::new(Config::default());
    let (mut started, mut ended, mut now_ns) = (0_u64, 0_u64, 0);
    let mut note = |event: Event<'_>| {
        started += u64::from(matches!(event, Event::FlowStart(_)));
        ended += u64::from(matches!(event, Event::Closed(..)));
    };
    feed(&mut sensor, &mut now_ns, &frames, &mut note);
    // the part of a body that is kept for inspection is full after this
    let (first, body) = body.split_at(500);
    feed(&mut sensor, &mut now_ns, first, &mut note);
    let before = ALLOCATIONS.with(Cell::get);
    feed(&mut sensor, &mut now_ns, body, &mut note);
    let allocations = ALLOCATIONS.with(Cell::get) - before;
    feed(&mut sensor, &mut now_ns, &ends, &mut note);
    assert_eq!((started, ended, allocations), (1, 1, 0));
}
