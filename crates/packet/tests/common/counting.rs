//! An allocator that counts what the thread at hand allocates and keeps.
#![allow(dead_code, reason = "each test file uses some of it")]
#![expect(
    unsafe_code,
    clippy::undocumented_unsafe_blocks,
    clippy::let_underscore_must_use,
    reason = "an allocator that counts is unsafe by its trait"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// What a thread has allocated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Heap {
    /// Calls for memory, and for more or less of it.
    pub(crate) calls: u64,
    /// Bytes asked for, all together.
    pub(crate) bytes: u64,
    /// Bytes held now.
    pub(crate) live: u64,
    /// Most bytes held at a time.
    pub(crate) peak: u64,
}

impl Heap {
    const NONE: Self = Self {
        calls: 0,
        bytes: 0,
        live: 0,
        peak: 0,
    };

    pub(crate) fn now() -> Self {
        HEAP.with(Cell::get)
    }

    /// From now on the peak is one of what follows.
    pub(crate) fn reset_peak() -> Self {
        let now = Self::now();
        let now = Self {
            peak: now.live,
            ..now
        };
        HEAP.with(|heap| heap.set(now));
        now
    }

    fn took(&mut self, len: usize) {
        self.calls = self.calls.wrapping_add(1);
        self.bytes = self.bytes.wrapping_add(len as u64);
        self.live = self.live.wrapping_add(len as u64);
        self.peak = self.peak.max(self.live);
    }

    fn gave(&mut self, len: usize) {
        // another thread may have taken it
        self.live = self.live.saturating_sub(len as u64);
    }
}

struct Counting;

thread_local! {
    static HEAP: Cell<Heap> = const { Cell::new(Heap::NONE) };
}

fn note(change: impl FnOnce(&mut Heap)) {
    // a thread that ends may have lost its count
    let _ = HEAP.try_with(|heap| {
        let mut now = heap.get();
        change(&mut now);
        heap.set(now);
    });
}

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(|heap| heap.took(layout.size()));
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(|heap| heap.took(layout.size()));
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, len: usize) -> *mut u8 {
        note(|heap| {
            heap.gave(layout.size());
            heap.took(len);
        });
        unsafe { System.realloc(place, layout, len) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        note(|heap| heap.gave(layout.size()));
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
