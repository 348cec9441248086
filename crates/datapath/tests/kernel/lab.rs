//! Two network namespaces joined by a pair of interfaces: `outside`, where attackers are, and `inside`.

use std::fs::File;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use datapath::enforce::xdp::{Options, Wanted, XdpEnforcer};
use tempfile::TempDir;

pub(crate) const OUTSIDE4: &str = "10.9.0.1";
pub(crate) const INSIDE4: &str = "10.9.0.2";
pub(crate) const OUTSIDE6: &str = "2001:db8:9::1";
pub(crate) const INSIDE6: &str = "2001:db8:9::2";
/// The interface inside, on which shields enforce.
pub(crate) const IFACE: &str = "in0";
/// Its peer outside.
pub(crate) const PEER: &str = "out0";

/// Namespaces, interfaces and a folder for pins; gone when dropped.
pub(crate) struct Lab {
    pub(crate) outside: String,
    pub(crate) inside: String,
    pub(crate) folder: TempDir,
}

/// A lab, or `None` after saying that the test is skipped.
pub(crate) fn lab(test: &str) -> Option<Lab> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let uid = std::fs::metadata("/proc/self").unwrap().uid();
    if uid != 0 {
        println!("SKIPPED {test}: needs root for network namespaces and XDP");
        return None;
    }
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("swdp-{}-{number}", std::process::id());
    let lab = Lab {
        outside: format!("{name}-out"),
        inside: format!("{name}-in"),
        folder: tempfile::tempdir().unwrap(),
    };
    for namespace in [&lab.outside, &lab.inside] {
        if !Command::new("ip")
            .args(["netns", "add", namespace])
            .status()
            .is_ok_and(|s| s.success())
        {
            println!("SKIPPED {test}: `ip netns add` does not work here");
            return None;
        }
    }
    lab.wire();
    Some(lab)
}

impl Lab {
    fn wire(&self) {
        let (outside, inside) = (&self.outside, &self.inside);
        ip(&format!(
            "-n {outside} link add {PEER} type veth peer name {IFACE} netns {inside}"
        ));
        for (namespace, interface, v4, v6) in [
            (outside, PEER, OUTSIDE4, OUTSIDE6),
            (inside, IFACE, INSIDE4, INSIDE6),
        ] {
            ip(&format!("-n {namespace} link set lo up"));
            ip(&format!("-n {namespace} link set {interface} up"));
            ip(&format!("-n {namespace} addr add {v4}/24 dev {interface}"));
            ip(&format!(
                "-n {namespace} addr add {v6}/64 dev {interface} nodad"
            ));
        }
        ip(&format!("-n {inside} route add default via {OUTSIDE4}"));
        ip(&format!("-n {inside} -6 route add default via {OUTSIDE6}"));
    }

    /// Gives the outside one more address to send from.
    pub(crate) fn add_outside(&self, address: &str) {
        let v6 = if address.contains(':') { " nodad" } else { "" };
        ip(&format!(
            "-n {} addr add {address} dev {PEER}{v6}",
            self.outside
        ));
    }

    pub(crate) fn options(&self, mode: Wanted) -> Options {
        Options {
            mode,
            pin_dir: self.pin_dir(),
            leases_max: 1_024,
        }
    }

    pub(crate) fn pin_dir(&self) -> PathBuf {
        self.folder.path().join("bpf")
    }

    pub(crate) fn enforcer(&self, mode: Wanted) -> XdpEnforcer {
        self.inside(|| XdpEnforcer::attach(IFACE, &self.options(mode)).unwrap())
    }

    pub(crate) fn inside<T: Send>(&self, run: impl FnOnce() -> T + Send) -> T {
        in_namespace(&self.inside, run)
    }

    pub(crate) fn outside<T: Send>(&self, run: impl FnOnce() -> T + Send) -> T {
        in_namespace(&self.outside, run)
    }

    /// A socket outside to send from `address`.
    pub(crate) fn sender(&self, address: &str) -> UdpSocket {
        self.outside(|| udp(address, 0))
    }

    /// A socket inside that receives on `port`.
    pub(crate) fn receiver(&self, address: &str, port: u16) -> UdpSocket {
        self.inside(|| udp(address, port))
    }

    /// What `ip -j link` says of the interface inside.
    pub(crate) fn link_json(&self) -> String {
        let args = ["-n", &self.inside, "-j", "link", "show", IFACE];
        String::from_utf8(Command::new("ip").args(args).output().unwrap().stdout).unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for namespace in [&self.outside, &self.inside] {
            let _ = Command::new("ip")
                .args(["netns", "del", namespace])
                .status();
        }
        if self.pin_dir().exists() {
            let _ = Command::new("umount")
                .arg(self.pin_dir())
                .stderr(std::process::Stdio::null())
                .status();
        }
    }
}

pub(crate) fn ip(arguments: &str) {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "ip {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Runs on a thread of its own that is in a named network namespace.
#[expect(unsafe_code, reason = "std does not change namespaces")]
pub(crate) fn in_namespace<T: Send>(name: &str, run: impl FnOnce() -> T + Send) -> T {
    let file = File::open(format!("/run/netns/{name}")).unwrap();
    std::thread::scope(|scope| {
        let work = || {
            // SAFETY: setns(2) changes this thread's network namespace only; the thread ends with `run`.
            let result = unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) };
            assert_eq!(result, 0, "setns: {}", std::io::Error::last_os_error());
            run()
        };
        match scope.spawn(work).join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Sends whole Ethernet frames from the interface outside.
#[expect(unsafe_code, reason = "std has no packet sockets")]
pub(crate) fn send_frames(lab: &Lab, frames: &[Vec<u8>]) {
    lab.outside(|| {
        let name = std::ffi::CString::new(PEER).unwrap();
        // SAFETY: `name` ends in a null byte and outlives the call.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        // SAFETY: socket(2) has no memory preconditions.
        let raw = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0) };
        assert!(raw >= 0);
        // SAFETY: just opened, and owned by nobody else.
        let socket = unsafe { OwnedFd::from_raw_fd(raw) };
        // SAFETY: all zeroes is a valid address.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_ifindex = index as i32;
        for frame in frames {
            // SAFETY: pointers and lengths are those of `frame` and `address`.
            let sent = unsafe {
                libc::sendto(
                    socket.as_raw_fd(),
                    frame.as_ptr().cast(),
                    frame.len(),
                    0,
                    (&raw const address).cast(),
                    size_of::<libc::sockaddr_ll>() as u32,
                )
            };
            assert_eq!(
                sent,
                frame.len() as isize,
                "{}",
                std::io::Error::last_os_error()
            );
        }
    });
}

/// An Ethernet frame (broadcast) with tags (protocol, control), and a UDP packet in it.
pub(crate) fn udp_frame(
    tags: &[(u16, u16)],
    source: [u8; 4],
    port: u16,
    payload: &[u8],
) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, 1]);
    for (protocol, control) in tags {
        frame.extend(protocol.to_be_bytes());
        frame.extend(control.to_be_bytes());
    }
    frame.extend([0x08, 0x00]);
    let udp_length = 8 + payload.len() as u16;
    frame.extend([0x45, 0]);
    frame.extend((20 + udp_length).to_be_bytes());
    frame.extend([0, 0, 0x40, 0, 64, 17, 0, 0]); // the checksum is left out: nobody here checks it
    frame.extend(source);
    frame.extend([10, 9, 0, 2]);
    frame.extend(1_234_u16.to_be_bytes());
    frame.extend(port.to_be_bytes());
    frame.extend(udp_length.to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(payload);
    frame
}

fn udp(address: &str, port: u16) -> UdpSocket {
    let address: std::net::IpAddr = address.parse().unwrap();
    let socket = UdpSocket::bind((address, port)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    socket
}

/// Sends `count` datagrams and then one from `control`, which nothing may stop; returns how many of the first came.
pub(crate) fn delivered(
    from: &UdpSocket,
    to: &UdpSocket,
    count: usize,
    control: &UdpSocket,
) -> usize {
    let target = to.local_addr().unwrap();
    for _ in 0..count {
        from.send_to(b"attack", target).unwrap();
    }
    control.send_to(b"control", target).unwrap();
    let (mut attacks, mut control_seen) = (0, false);
    let mut buffer = [0_u8; 65_536];
    while let Ok(length) = to.recv(&mut buffer) {
        if &buffer[..length] == b"control" {
            control_seen = true;
            // What went another way through the kernel's queues may still be on it.
            to.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        } else {
            attacks += 1;
        }
    }
    to.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    assert!(
        control_seen,
        "the way itself is broken: not even the control arrived"
    );
    attacks
}
