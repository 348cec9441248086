//! Memory shared with the kernel: a packet ring, or the elements of a BPF array.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// A shared, writable mapping of a file descriptor, unmapped on drop.
///
/// The kernel writes to it at any time, so safe access is by atomics only.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping belongs to this value alone and is not bound to a thread; what the kernel
// shares is reached by atomics, or by raw pointers whose users say why they may.
#[expect(unsafe_code, reason = "a raw pointer is not Send of itself")]
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps the first `length` bytes of `file`.
    pub(crate) fn shared(file: BorrowedFd<'_>, length: usize) -> io::Result<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address that the kernel chooses touches no other memory.
        #[expect(unsafe_code, reason = "std does not map files")]
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                access,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, length })
    }

    /// The 64-bit word at byte `offset`; none if it is outside or not aligned.
    pub(crate) fn word(&self, offset: usize) -> Option<&AtomicU64> {
        let at = self.at(offset, 8, 8)?;
        // SAFETY: in bounds and aligned (checked above), alive as long as `self`, and all access to it is atomic.
        #[expect(unsafe_code, reason = "memory shared with the kernel")]
        Some(unsafe { AtomicU64::from_ptr(at.cast().as_ptr()) })
    }

    /// The 32-bit word at byte `offset`; none if it is outside or not aligned.
    pub(crate) fn half_word(&self, offset: usize) -> Option<&AtomicU32> {
        let at = self.at(offset, 4, 4)?;
        // SAFETY: in bounds and aligned (checked above), alive as long as `self`, and all access to it is atomic.
        #[expect(unsafe_code, reason = "memory shared with the kernel")]
        Some(unsafe { AtomicU32::from_ptr(at.cast().as_ptr()) })
    }

    /// Where `length` bytes at `offset` begin, if they are inside and `offset` is a multiple of `align`.
    pub(crate) fn at(&self, offset: usize, length: usize, align: usize) -> Option<NonNull<u8>> {
        if offset.checked_add(length)? > self.length || !offset.is_multiple_of(align) {
            return None;
        }
        // SAFETY: `offset` lies within the mapping.
        #[expect(unsafe_code, reason = "memory shared with the kernel")]
        Some(unsafe { self.start.add(offset) })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `shared` with this address and length; no reference outlives `self`.
        #[expect(unsafe_code, reason = "std does not unmap files")]
        unsafe {
            libc::munmap(self.start.as_ptr().cast(), self.length);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::os::fd::AsFd;
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn words_are_shared_and_bounds_hold() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shared");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .unwrap();
        file.set_len(4096).unwrap();
        let mapping = Mapping::shared(file.as_fd(), 4096).unwrap();
        mapping.word(8).unwrap().store(7, Ordering::Relaxed);
        assert_eq!(std::fs::read(&path).unwrap()[8], 7);
        assert!(mapping.word(4096).is_none());
        assert!(mapping.word(4092).is_none());
        assert!(mapping.word(usize::MAX).is_none());
        assert!(mapping.word(4).is_none(), "not aligned");
        assert!(mapping.half_word(4092).is_some());
    }
}
