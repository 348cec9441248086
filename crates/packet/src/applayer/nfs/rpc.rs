//! Calls and replies (RFC 5531 section 9).

use super::xdr::Xdr;
use crate::bytes::be32;

/// A call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) xid: u32,
    pub(super) version: u32,
    pub(super) procedure: u32,
    pub(super) credentials: (u32, &'a [u8]),
    pub(super) arguments: &'a [u8],
}

/// A reply.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reply<'a> {
    pub(super) xid: u32,
    pub(super) is_denied: bool,
    pub(super) results: &'a [u8],
}

/// Who calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Credentials {
    /// Nobody.
    #[default]
    Null,
    /// A user of a machine.
    Unix(Unix),
    /// Another kind, by number.
    Other(u32),
}

/// A user of a machine (RFC 5531 appendix A).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unix {
    /// The machine.
    pub machine: Vec<u8>,
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// A message.
#[derive(Debug, Clone, Copy)]
pub(super) enum Message<'a> {
    Call(Call<'a>),
    Reply(Reply<'a>),
}

/// The program of NFS.
pub(super) const NFS: u32 = 100_003;

impl<'a> Message<'a> {
    pub(super) fn of(data: &'a [u8]) -> Option<Self> {
        match be32(data, 4)? {
            0 => Call::of(data).map(Self::Call),
            1 => Reply::of(data).map(Self::Reply),
            _ => None,
        }
    }
}

impl<'a> Call<'a> {
    fn of(data: &'a [u8]) -> Option<Self> {
        let mut xdr = Xdr::new(data);
        let xid = xdr.u32()?;
        xdr.u32()?;
        (xdr.u32()? == RPC).then_some(())?;
        // other programs may share a connection; Suricata takes their calls for those of NFS
        let (_, version, procedure) = (xdr.u32()?, xdr.u32()?, xdr.u32()?);
        let credentials = (xdr.u32()?, xdr.opaque()?);
        xdr.u32()?;
        xdr.opaque()?;
        Some(Self {
            xid,
            version,
            procedure,
            credentials,
            arguments: xdr.rest(data),
        })
    }
}

impl<'a> Reply<'a> {
    fn of(data: &'a [u8]) -> Option<Self> {
        let mut xdr = Xdr::new(data);
        let xid = xdr.u32()?;
        xdr.u32()?;
        let is_denied = match xdr.u32()? {
            0 => false,
            1 => true,
            _ => return None,
        };
        if is_denied {
            return Some(Self {
                xid,
                is_denied,
                results: &[],
            });
        }
        xdr.u32()?;
        xdr.opaque()?;
        xdr.u32()?;
        Some(Self {
            xid,
            is_denied,
            results: xdr.rest(data),
        })
    }
}

impl Credentials {
    pub(super) fn of((kind, body): (u32, &[u8])) -> Self {
        match kind {
            0 => Self::Null,
            1 => Self::unix(body).unwrap_or(Self::Other(1)),
            _ => Self::Other(kind),
        }
    }

    fn unix(body: &[u8]) -> Option<Self> {
        let mut xdr = Xdr::new(body);
        xdr.u32()?;
        let machine = xdr.opaque()?;
        let machine = machine.get(..MACHINE_BYTES_MAX).unwrap_or(machine);
        Some(Self::Unix(Unix {
            machine: machine.to_vec(),
            uid: xdr.u32()?,
            gid: xdr.u32()?,
        }))
    }
}

/// Whether a call of NFS begins here; `None` where more bytes will tell.
pub(super) fn looks_like_call(data: &[u8]) -> Option<bool> {
    let fits = |at: usize, fits: fn(u32) -> bool| be32(data, at).map(fits);
    let checks = [
        fits(4, |kind| kind == 0),
        fits(8, |version| version == RPC),
        fits(12, |program| program == NFS),
        fits(16, |version| (2..=4).contains(&version)),
        fits(20, |procedure| procedure <= PROCEDURES_MAX),
    ];
    if checks.contains(&Some(false)) {
        return Some(false);
    }
    checks.iter().all(Option::is_some).then_some(true)
}

/// Version of the remote procedure call.
const RPC: u32 = 2;
/// Highest number of a procedure.
const PROCEDURES_MAX: u32 = 21;
/// Most bytes of a machine's name (RFC 5531 appendix A).
const MACHINE_BYTES_MAX: usize = 255;
