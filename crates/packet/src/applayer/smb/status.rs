//! How a request fared: a status of NT ([MS-ERREF] 2.3), or a class and a code of old
//! ([MS-CIFS] 2.2.2.4).

use super::wire::{le16, le32};

/// A status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Of NT.
    Nt(u32),
    /// A class and a code.
    Dos(u8, u16),
}

/// Statuses that the parser acts on.
pub(super) const SUCCESS: Status = Status::Nt(0);
pub(super) const PENDING: Status = Status::Nt(0x103);
/// More follows with a read.
pub(super) const BUFFER_OVERFLOW: Status = Status::Nt(0x8000_0005);
pub(super) const END_OF_FILE: Status = Status::Nt(0xc000_0011);

impl Status {
    /// From the field of a header of version 1; `is_nt` as its flags say.
    pub(super) fn version_1(header: &[u8], is_nt: bool) -> Option<Self> {
        if is_nt {
            return le32(header, 5).map(Self::Nt);
        }
        Some(Self::Dos(*header.get(5)?, le16(header, 7)?))
    }

    pub(super) fn is_success(self) -> bool {
        matches!(self, Self::Nt(0) | Self::Dos(0, 0))
    }

    /// Its name, as logged.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Nt(code) => {
                nt_name(code).map_or_else(|| code.to_string(), |name| format!("STATUS_{name}"))
            }
            Self::Dos(class, code) => {
                let names = match class {
                    1 => DOS,
                    2 => SERVER,
                    _ => return format!("UNKNOWN_{class:02x}_{code:04x}"),
                };
                let name = names.iter().find(|(known, _)| *known == code);
                name.map_or_else(|| code.to_string(), |(_, name)| (*name).to_owned())
            }
        }
    }

    /// Its number, as logged.
    #[must_use]
    pub fn code(self) -> String {
        match self {
            Self::Nt(code) => format!("0x{code:x}"),
            Self::Dos(_, code) => format!("0x{code:04x}"),
        }
    }
}

fn nt_name(code: u32) -> Option<&'static str> {
    let digits = format!("{code:08x} ");
    NT.lines().find_map(|line| line.strip_prefix(&digits))
}

/// A line each: the number in hexadecimal digits, and the name without `STATUS_`.
const NT: &str = include_str!("ntstatus.txt");

const DOS: &[(u16, &str)] = &[
    (0, "DOS_SUCCESS"),
    (1, "DOS_BAD_FUNC"),
    (2, "DOS_BAD_FILE"),
    (3, "DOS_BAD_PATH"),
    (4, "DOS_TOO_MANY_OPEN_FILES"),
    (5, "DOS_ACCESS_DENIED"),
];

const SERVER: &[(u16, &str)] = &[
    (1, "SRV_ERROR"),
    (2, "SRV_BADPW"),
    (3, "SRV_BADTYPE"),
    (4, "SRV_ACCESS"),
    (91, "SRV_BADUID"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(SUCCESS.name(), "STATUS_SUCCESS");
        let more = Status::Nt(0xc000_0016);
        assert_eq!(more.name(), "STATUS_MORE_PROCESSING_REQUIRED");
        assert_eq!(more.code(), "0xc0000016");
        assert_eq!(Status::Nt(0xdead).name(), "57005");
        assert_eq!(Status::Dos(2, 91).name(), "SRV_BADUID");
        assert_eq!(Status::Dos(2, 91).code(), "0x005b");
        assert_eq!(Status::Dos(0, 1).name(), "UNKNOWN_00_0001");
    }
}
