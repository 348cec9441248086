//! The system calls of a packet socket (packet(7)), each behind a safe function.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// A raw packet socket.
#[derive(Debug)]
pub(super) struct Socket(OwnedFd);

/// What waiting for packets found.
pub(super) enum Woken {
    Ready,
    TimedOut,
}

impl Socket {
    /// Opens a socket that receives nothing until it is bound: its protocol is 0.
    pub(super) fn open() -> io::Result<Self> {
        // SAFETY: socket(2) has no memory preconditions.
        #[expect(unsafe_code, reason = "std has no packet sockets")]
        let raw = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        check(raw)?;
        // SAFETY: just opened, and owned by nobody else.
        #[expect(unsafe_code, reason = "std has no packet sockets")]
        Ok(Self(unsafe { OwnedFd::from_raw_fd(raw) }))
    }

    /// Sets an option of SOL_PACKET or SOL_SOCKET.
    pub(super) fn set<T: Plain>(&self, level: c_int, option: c_int, value: &T) -> io::Result<()> {
        let length = socklen(size_of::<T>());
        let value: *const T = value;
        // SAFETY: pointer and length are those of `value`, which is plain data.
        #[expect(unsafe_code, reason = "std does not set packet options")]
        check(unsafe { libc::setsockopt(self.0.as_raw_fd(), level, option, value.cast(), length) })
    }

    /// Receives the packets of one interface only, of all protocols.
    pub(super) fn bind(&self, index: u32) -> io::Result<()> {
        let address = libc::sockaddr_ll {
            sll_family: libc::sa_family_t::try_from(libc::AF_PACKET).map_err(io::Error::other)?,
            sll_protocol: u16::try_from(libc::ETH_P_ALL)
                .map_err(io::Error::other)?
                .to_be(),
            sll_ifindex: i32::try_from(index).map_err(io::Error::other)?,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        let length = socklen(size_of::<libc::sockaddr_ll>());
        // SAFETY: pointer and length are those of `address`.
        #[expect(unsafe_code, reason = "std has no packet addresses")]
        check(unsafe { libc::bind(self.0.as_raw_fd(), (&raw const address).cast(), length) })
    }

    /// Packets seen and lost since the last call (PACKET_STATISTICS); the kernel forgets them then.
    pub(super) fn statistics(&self) -> io::Result<libc::tpacket_stats> {
        let mut stats = libc::tpacket_stats {
            tp_packets: 0,
            tp_drops: 0,
        };
        let mut length = socklen(size_of::<libc::tpacket_stats>());
        // SAFETY: pointer and length are those of `stats`, and `length` is writable.
        #[expect(unsafe_code, reason = "std does not read packet options")]
        check(unsafe {
            libc::getsockopt(
                self.0.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut stats).cast(),
                &raw mut length,
            )
        })?;
        Ok(stats)
    }

    /// The error that the kernel noted on the socket, if any; reading clears it.
    fn take_error(&self) -> io::Result<()> {
        let mut error: c_int = 0;
        let mut length = socklen(size_of::<c_int>());
        // SAFETY: pointer and length are those of `error`, and `length` is writable.
        #[expect(unsafe_code, reason = "std does not read this of packet sockets")]
        check(unsafe {
            libc::getsockopt(
                self.0.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ERROR,
                (&raw mut error).cast(),
                &raw mut length,
            )
        })?;
        if error == 0 {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(error))
        }
    }

    /// Waits until a packet is there, an error is noted, or the time is over.
    pub(super) fn wait(&self, timeout: Duration) -> io::Result<Woken> {
        let mut poll = libc::pollfd {
            fd: self.0.as_raw_fd(),
            events: libc::POLLIN | libc::POLLERR,
            revents: 0,
        };
        let timeout = libc::timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        // SAFETY: `poll` is one element and writable; `timeout` outlives the call; no signal mask is given.
        #[expect(unsafe_code, reason = "std does not poll")]
        let ready = unsafe { libc::ppoll(&raw mut poll, 1, &raw const timeout, std::ptr::null()) };
        if ready < 0 {
            let error = io::Error::last_os_error();
            let interrupted = error.kind() == io::ErrorKind::Interrupted;
            return if interrupted {
                Ok(Woken::TimedOut)
            } else {
                Err(error)
            };
        }
        if poll.revents & libc::POLLERR != 0 {
            self.take_error()?;
        }
        Ok(if ready == 0 {
            Woken::TimedOut
        } else {
            Woken::Ready
        })
    }

    /// The next packet of the socket's own queue; its true length, which may exceed `buffer`.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
        // SAFETY: pointer and length are those of `buffer`.
        #[expect(unsafe_code, reason = "std has no packet sockets")]
        let length = unsafe {
            libc::recv(
                self.0.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                flags,
            )
        };
        usize::try_from(length).map_err(|_negative| io::Error::last_os_error())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Option values: numbers and C structures without padding.
pub(super) trait Plain {}
impl Plain for c_int {}
impl Plain for libc::tpacket_req {}
impl Plain for libc::packet_mreq {}

fn check(result: c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

fn socklen(length: usize) -> libc::socklen_t {
    libc::socklen_t::try_from(length).unwrap_or(libc::socklen_t::MAX)
}
