//! What the kernel says of a network interface, asked by rtnetlink: index, hardware type, XDP program.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Ethernet hardware (ARPHRD_ETHER).
pub(crate) const ARPHRD_ETHER: u16 = 1;
/// The loopback interface; its frames carry Ethernet headers (ARPHRD_LOOPBACK).
pub(crate) const ARPHRD_LOOPBACK: u16 = 772;

/// An interface of this thread's network namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) index: u32,
    /// ARPHRD_*.
    pub(crate) hardware: u16,
    pub(crate) xdp: Option<Attached>,
}

/// The XDP program of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attached {
    pub(crate) program_id: u32,
    /// Run by the network stack (generic) rather than by the driver.
    pub(crate) generic: bool,
}

impl Interface {
    /// Looks up `name`; `None` if there is none.
    pub(crate) fn named(name: &str) -> io::Result<Option<Self>> {
        let Some(index) = index_of(name) else {
            return Ok(None);
        };
        let answer = ask(&request(index))?;
        Ok(parse(&answer))
    }
}

fn index_of(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: `name` is a string that ends in a null byte and outlives the call.
    #[expect(unsafe_code, reason = "std does not look up interfaces")]
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (index != 0).then_some(index)
}

/// struct nlmsghdr and struct ifinfomsg, both 16 bytes (rtnetlink(7)).
const HEADER: usize = 16;
const INFO: usize = 16;
/// Largest answer read: the attributes of one interface take about 2 kB, with many virtual functions more.
const ANSWER_MAX: usize = 1 << 16;

fn request(index: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32);
    bytes.extend_from_slice(&32_u32.to_ne_bytes());
    bytes.extend_from_slice(&libc::RTM_GETLINK.to_ne_bytes());
    bytes.extend_from_slice(
        &u16::try_from(libc::NLM_F_REQUEST)
            .unwrap_or(1)
            .to_ne_bytes(),
    );
    bytes.extend_from_slice(&[0; 8]); // sequence, port
    bytes.extend_from_slice(&[0; 4]); // family, padding, type
    bytes.extend_from_slice(&index.to_ne_bytes());
    bytes.extend_from_slice(&[0; 8]); // flags, change
    bytes
}

fn ask(request: &[u8]) -> io::Result<Vec<u8>> {
    // SAFETY: socket(2) has no memory preconditions.
    #[expect(unsafe_code, reason = "std has no netlink sockets")]
    let raw = unsafe {
        libc::socket(
            libc::AF_NETLINK,
            libc::SOCK_RAW | libc::SOCK_CLOEXEC,
            libc::NETLINK_ROUTE,
        )
    };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and owned by nobody else.
    #[expect(unsafe_code, reason = "std has no netlink sockets")]
    let socket = unsafe { OwnedFd::from_raw_fd(raw) };
    // SAFETY: pointer and length are those of `request`.
    #[expect(unsafe_code, reason = "std has no netlink sockets")]
    let sent = unsafe {
        libc::send(
            socket.as_raw_fd(),
            request.as_ptr().cast(),
            request.len(),
            0,
        )
    };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut answer = vec![0; ANSWER_MAX];
    // SAFETY: pointer and length are those of `answer`.
    #[expect(unsafe_code, reason = "std has no netlink sockets")]
    let received = unsafe {
        libc::recv(
            socket.as_raw_fd(),
            answer.as_mut_ptr().cast(),
            answer.len(),
            0,
        )
    };
    let length = usize::try_from(received).map_err(|_negative| io::Error::last_os_error())?;
    answer.truncate(length);
    Ok(answer)
}

fn parse(answer: &[u8]) -> Option<Interface> {
    if u16_at(answer, 4)? != libc::RTM_NEWLINK {
        return None;
    }
    let info = answer.get(HEADER..)?;
    let attributes = Attributes(info.get(INFO..)?);
    let xdp = attributes
        .into_iter()
        .find(|&(kind, _)| kind == libc::IFLA_XDP);
    Some(Interface {
        index: u32_at(info, 4)?,
        hardware: u16_at(info, 2)?,
        xdp: xdp.and_then(|(_, value)| parse_xdp(value)),
    })
}

/// Nested attributes of IFLA_XDP (include/uapi/linux/if_link.h).
const IFLA_XDP_ATTACHED: u16 = 2;
const IFLA_XDP_PROG_ID: u16 = 4;
const XDP_ATTACHED_SKB: u8 = 2;

fn parse_xdp(value: &[u8]) -> Option<Attached> {
    let find = |wanted| {
        Attributes(value)
            .find(|&(kind, _)| kind == wanted)
            .map(|(_, value)| value)
    };
    let attached = *find(IFLA_XDP_ATTACHED)?.first()?;
    let program_id = u32_at(find(IFLA_XDP_PROG_ID)?, 0)?;
    Some(Attached {
        program_id,
        generic: attached == XDP_ATTACHED_SKB,
    })
}

/// Netlink attributes (type, value), until the end or the first that does not fit.
struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        const NESTED: u16 = 0x8000;
        let length = usize::from(u16_at(self.0, 0)?);
        let kind = u16_at(self.0, 2)? & !NESTED;
        let value = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_found_and_has_no_program() {
        let lo = Interface::named("lo").unwrap().unwrap();
        assert_eq!((lo.hardware, lo.xdp), (ARPHRD_LOOPBACK, None));
        assert_eq!(Interface::named("no-such-if0").unwrap(), None);
        assert_eq!(Interface::named("nul\0").unwrap(), None);
    }

    #[test]
    fn nested_xdp_attributes_are_parsed() {
        let attached = [5, 0, 2, 0, 2, 0, 0, 0];
        let id = [8, 0, 4, 0, 42, 0, 0, 0];
        let value = [attached, id].concat();
        assert_eq!(
            parse_xdp(&value),
            Some(Attached {
                program_id: 42,
                generic: true
            })
        );
        assert_eq!(parse_xdp(&attached), None);
    }

    #[test]
    fn an_attribute_that_lies_about_its_length_ends_the_list() {
        assert_eq!(Attributes(&[0, 0, 1, 0]).count(), 0);
        assert_eq!(Attributes(&[255, 0, 1, 0, 9]).count(), 0);
    }
}
