//! The kernel's packet path: [`capture`] brings packets in, [`enforce`] keeps them out.
//!
//! The privileges of a shield live here, and all of its `unsafe` code but vector
//! instructions: system calls without a safe
//! wrapper, and memory that the kernel writes too. What each part needs:
//!
//! | part | capability |
//! |---|---|
//! | [`capture::AfPacket`] | CAP_NET_RAW |
//! | [`enforce::xdp::XdpEnforcer`] | CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF; CAP_SYS_ADMIN to mount a BPF file system where there is none |
//! | [`enforce::dry_run::DryRun`] | none |

pub mod capture;
pub mod clock;
pub mod enforce;
mod interface;
mod mapping;
pub mod privilege;
