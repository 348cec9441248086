//! Names of commands, dialects and the like.

use super::transaction::Command;
use super::transaction::FileId;
use super::wire::guid;

impl Command {
    /// Its name, as logged.
    #[must_use]
    pub fn name(self) -> String {
        let (prefix, name, number) = match self {
            Self::V1(number) => {
                let name = COMMANDS_1.iter().find(|(known, _)| *known == number);
                ("SMB1", name.map(|(_, name)| *name), u16::from(number))
            }
            Self::V2(number) => {
                let name = COMMANDS_2.get(usize::from(number)).copied();
                ("SMB2", name, number)
            }
        };
        name.map_or_else(
            || number.to_string(),
            |name| format!("{prefix}_COMMAND_{name}"),
        )
    }
}

impl FileId {
    /// As logged.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Guid(bytes) => guid(&bytes),
            Self::Fid(fid) => format!("{fid:04x}"),
        }
    }
}

/// The name of a dialect of version 2 or 3, as logged.
pub(super) fn dialect_name(dialect: u16) -> String {
    let name = match dialect {
        0x0202 => "2.02",
        0x0210 => "2.10",
        0x0222 => "2.22",
        0x0224 => "2.24",
        0x02ff => "2.??",
        0x0300 => "3.00",
        0x0302 => "3.02",
        0x0310 => "3.10",
        0x0311 => "3.11",
        _ => return dialect.to_string(),
    };
    name.to_owned()
}

/// The name of a disposition, as logged ([MS-SMB2] 2.2.13).
pub(super) fn disposition_name(disposition: u32) -> &'static str {
    const NAMES: [&str; 6] = [
        "FILE_SUPERSEDE",
        "FILE_OPEN",
        "FILE_CREATE",
        "FILE_OPEN_IF",
        "FILE_OVERWRITE",
        "FILE_OVERWRITE_IF",
    ];
    let at = usize::try_from(disposition).unwrap_or(usize::MAX);
    NAMES.get(at).copied().unwrap_or("UNKNOWN")
}

/// The name of a kind of share, as logged ([MS-SMB2] 2.2.10).
pub(super) fn share_name(kind: u8) -> &'static str {
    match kind {
        1 => "FILE",
        2 => "PIPE",
        3 => "PRINT",
        _ => "UNKNOWN",
    }
}

/// [MS-CIFS] 2.2.2.1.
const COMMANDS_1: &[(u8, &str)] = &[
    (0x00, "CREATE_DIRECTORY"),
    (0x01, "DELETE_DIRECTORY"),
    (0x02, "OPEN"),
    (0x03, "CREATE"),
    (0x04, "CLOSE"),
    (0x05, "FLUSH"),
    (0x06, "DELETE"),
    (0x07, "RENAME"),
    (0x08, "QUERY_INFORMATION"),
    (0x09, "SET_INFORMATION"),
    (0x0a, "READ"),
    (0x0b, "WRITE"),
    (0x0c, "LOCK_BYTE_RANGE"),
    (0x0d, "UNLOCK_BYTE_RANGE"),
    (0x0e, "CREATE_TEMPORARY"),
    (0x0f, "CREATE_NEW"),
    (0x10, "CHECK_DIRECTORY"),
    (0x11, "PROCESS_EXIT"),
    (0x12, "SEEK"),
    (0x13, "LOCK_AND_READ"),
    (0x14, "WRITE_AND_UNLOCK"),
    (0x24, "LOCKING_ANDX"),
    (0x25, "TRANS"),
    (0x2b, "ECHO"),
    (0x2c, "WRITE_AND_CLOSE"),
    (0x2d, "OPEN_ANDX"),
    (0x2e, "READ_ANDX"),
    (0x2f, "WRITE_ANDX"),
    (0x32, "TRANS2"),
    (0x33, "TRANS2_SECONDARY"),
    (0x34, "FIND_CLOSE2"),
    (0x71, "TREE_DISCONNECT"),
    (0x72, "NEGOTIATE_PROTOCOL"),
    (0x73, "SESSION_SETUP_ANDX"),
    (0x74, "LOGOFF_ANDX"),
    (0x75, "TREE_CONNECT_ANDX"),
    (0x80, "QUERY_INFO_DISK"),
    (0xa0, "NT_TRANS"),
    (0xa1, "NT_TRANS_SECONDARY"),
    (0xa2, "NT_CREATE_ANDX"),
    (0xa4, "NT_CANCEL"),
];

/// [MS-SMB2] 2.2.1.2, by number.
const COMMANDS_2: &[&str] = &[
    "NEGOTIATE_PROTOCOL",
    "SESSION_SETUP",
    "SESSION_LOGOFF",
    "TREE_CONNECT",
    "TREE_DISCONNECT",
    "CREATE",
    "CLOSE",
    "FLUSH",
    "READ",
    "WRITE",
    "LOCK",
    "IOCTL",
    "CANCEL",
    "KEEPALIVE",
    "FIND",
    "CHANGE_NOTIFY",
    "GET_INFO",
    "SET_INFO",
    "OPLOCK_BREAK",
];
