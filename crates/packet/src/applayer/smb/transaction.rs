//! A request with its response.

use super::status::Status;
use crate::applayer::dcerpc::{Interface, Stubs};

/// A request with its response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smb {
    pub(super) tx_id: u32,
    pub(super) first_ts_ns: u64,
    /// The dialect spoken.
    pub dialect: String,
    /// The command.
    pub command: Command,
    /// How it fared.
    pub status: Option<Status>,
    /// The session; in version 1 the user.
    pub session_id: u64,
    /// The share that it goes to.
    pub tree_id: u32,
    /// Number that ties the response to its request.
    pub message_id: u64,
    /// What the command says.
    pub detail: Detail,
}

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Of version 1.
    V1(u8),
    /// Of versions 2 and 3.
    V2(u16),
}

/// What a transaction is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// Nothing that is told.
    Generic,
    /// Which dialect to speak.
    Negotiate(Box<Negotiate>),
    /// Who the client is.
    SessionSetup(Box<SessionSetup>),
    /// Opens a share.
    TreeConnect(Box<TreeConnect>),
    /// Opens or makes a file.
    Create(Box<Create>),
    /// Reads or writes a file.
    File {
        /// Its name.
        name: String,
        /// The share.
        share: String,
        /// The open file.
        id: FileId,
    },
    /// Asks a file system or device for a function, by number.
    Ioctl(u32),
    /// Gives a file a new name.
    Rename {
        /// The old one.
        from: String,
        /// The new one.
        to: String,
        /// The open file.
        id: Option<FileId>,
        /// By which class and level of information (version 2).
        is_set_info: bool,
    },
    /// Whether a file goes when it is closed.
    Disposition {
        /// Its name.
        name: String,
        /// It goes.
        delete: bool,
        /// The open file.
        id: Option<FileId>,
        /// The way that version 1 says it.
        subcommand: Option<&'static str>,
    },
    /// A remote procedure call through a pipe.
    Dcerpc(Box<Call>),
}

/// An open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileId {
    /// Of versions 2 and 3.
    Guid([u8; 16]),
    /// Of version 1.
    Fid(u16),
}

/// Dialects offered and chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Negotiate {
    /// What the client offers.
    pub dialects: Vec<String>,
    /// Who the client is (version 2).
    pub client: Option<[u8; 16]>,
    /// Who the server is.
    pub server: Option<[u8; 16]>,
    /// Largest read and write, bytes (version 2).
    pub sizes: Option<(u32, u32)>,
}

/// Who wants to work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionSetup {
    /// What NTLM says.
    pub ntlm: Option<Ntlm>,
    /// Realm and service of a ticket of Kerberos.
    pub kerberos: Option<(String, Vec<String>)>,
    /// The client's system and LAN manager (version 1).
    pub request: Option<(String, String)>,
    /// The server's.
    pub response: Option<(String, String)>,
}

/// The last message of NTLM ([MS-NLMP] 2.2.1.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ntlm {
    /// Domain.
    pub domain: String,
    /// User.
    pub user: String,
    /// Workstation.
    pub host: String,
    /// Version: major, minor, build, revision.
    pub version: Option<(u8, u8, u16, u8)>,
    /// The fields do not lie in their usual order.
    pub is_unusual: bool,
}

/// A share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TreeConnect {
    /// Its name.
    pub share: String,
    /// It leads to pipes.
    pub is_pipe: bool,
    /// Its kind (version 2): 1 disk, 2 pipe, 3 printer.
    pub kind: Option<u8>,
    /// The service that is asked for and the one that is given (version 1).
    pub service: Option<(String, Option<String>)>,
}

/// A file that is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Create {
    /// Its name.
    pub name: String,
    /// What to do whether it is there or not.
    pub disposition: u32,
    /// How to open it.
    pub options: u32,
    /// Created, accessed, modified and changed, seconds since the Unix epoch.
    pub times_s: [u64; 4],
    /// Bytes in it.
    pub size: u64,
    /// The open file.
    pub id: Option<FileId>,
}

/// A remote procedure call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The pipe.
    pub id: Option<FileId>,
    /// Number of the call.
    pub call_id: u32,
    /// What is asked, by kind.
    pub request: Option<u8>,
    /// What is answered.
    pub response: Option<u8>,
    /// The operation.
    pub opnum: u16,
    /// Fragments and bytes of data of the request.
    pub asked: (u32, u32),
    /// Of the response.
    pub answered: (u32, u32),
    /// Interfaces that are bound, or the one that is called.
    pub interfaces: Vec<Interface>,
    /// The data of request and response, where somebody looks into it.
    pub stubs: Stubs,
    /// The function that carries it, where that is told too: through pipes of which Suricata does
    /// not know that calls go through them.
    pub function: Option<u32>,
}
