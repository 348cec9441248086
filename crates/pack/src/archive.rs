//! The container: a tar archive that has exactly one form for the files that it holds.
//!
//! The form is POSIX ustar, files alone, in order of their paths, with mode 0644, owner 0, time 0,
//! two blocks of zeros at the end, and not compressed. Any tar reads it. So the same files are the
//! same bytes, whoever writes them and with whatever version of whatever library; nothing has to be
//! unpacked before a signature was looked at; and no byte of an archive is without a meaning.
//! Compress a pack on its way, where that pays.

use std::collections::BTreeMap;

use crate::limits::Limits;
use crate::path::{PackPath, PathError};

/// The files of a pack by path, borrowed from its bytes.
pub type Files<'a> = BTreeMap<PackPath, &'a [u8]>;

/// Tar is made of blocks of so many bytes.
const BLOCK: usize = 512;

/// Why bytes are not an archive of ours, or files cannot be in one. The fault is the author's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// Compressed with one of the usual formats.
    #[error("is compressed; a pack is not: decompress it first")]
    Compressed,
    /// More bytes than the limit allows.
    #[error("{bytes} bytes, more than {max}: make it smaller")]
    PackTooLong {
        /// How many there are.
        bytes: usize,
        /// How many there may be.
        max: usize,
    },
    /// More files than the limit allows.
    #[error("more than {max} files: put fewer into a pack")]
    TooMany {
        /// How many there may be.
        max: usize,
    },
    /// A file that is larger than the limit allows.
    #[error("{path}: {bytes} bytes, more than {max}: make it smaller")]
    FileTooLong {
        /// The file.
        path: PackPath,
        /// How many it has.
        bytes: u64,
        /// How many it may have.
        max: usize,
    },
    /// The archive ends before it should, or is no tar at all.
    #[error("byte {at}: the archive is cut off here, or is none: get it again")]
    CutOff {
        /// Where something is missing.
        at: usize,
    },
    /// A link, a folder, a device or an extension of tar.
    #[error(
        "byte {at}: an entry of tar type {kind:?}: a pack has plain files alone: write it with `shieldwall pack build`"
    )]
    NotAFile {
        /// Where its header stands.
        at: usize,
        /// Its type in tar: `1` a hard link, `2` a symbolic one, `5` a folder, `x` more headers.
        kind: char,
    },
    /// A path that a pack cannot have.
    #[error("byte {at}: {text:?}: {error}: rename the file")]
    Path {
        /// Where its header stands; the number of the file when an archive is made.
        at: usize,
        /// The path.
        text: Box<str>,
        /// What is wrong with it.
        error: PathError,
    },
    /// Two paths are one on some systems, or one is a file and a folder.
    #[error("{path} collides with {other}: rename one")]
    Collision {
        /// The later one.
        path: PackPath,
        /// The earlier one.
        other: Box<str>,
    },
    /// The paths are not in order, or one stands twice.
    #[error("{path} is out of order or stands twice: write it with `shieldwall pack build`")]
    Order {
        /// The path that comes too late.
        path: PackPath,
    },
    /// A header or filling that is not as this format writes it: owner, mode, time, checksum.
    #[error(
        "byte {at}: not as a pack is written (owner, mode, time, checksum or filling): write it with `shieldwall pack build`"
    )]
    Form {
        /// Where it begins to differ.
        at: usize,
    },
}

impl ArchiveError {
    /// The refusal in a word, for programs; these words stay.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Compressed => "compressed",
            Self::PackTooLong { .. } | Self::FileTooLong { .. } => "too-large",
            Self::TooMany { .. } => "too-many-files",
            Self::CutOff { .. } => "cut-off",
            Self::NotAFile { .. } => "not-a-file",
            Self::Path { .. } => "path",
            Self::Collision { .. } => "collision",
            Self::Order { .. } | Self::Form { .. } => "form",
        }
    }
}

/// Reads an archive. Nothing is copied.
///
/// # Errors
/// [`ArchiveError`] for anything that [`write`] would not have written.
pub fn read<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Files<'a>, ArchiveError> {
    if is_compressed(bytes) {
        return Err(ArchiveError::Compressed);
    }
    if bytes.len() > limits.pack_bytes_max {
        let (bytes, max) = (bytes.len(), limits.pack_bytes_max);
        return Err(ArchiveError::PackTooLong { bytes, max });
    }
    let mut reader = Reader { bytes, at: 0 };
    let mut tree = Tree::default();
    let mut files = Files::new();
    while let Some((path, content)) = reader.next(limits)? {
        if files.len() >= limits.files_max {
            let max = limits.files_max;
            return Err(ArchiveError::TooMany { max });
        }
        if files
            .last_key_value()
            .is_some_and(|(last, _)| *last >= path)
        {
            return Err(ArchiveError::Order { path });
        }
        tree.add(&path)?;
        files.insert(path, content);
    }
    Ok(files)
}

/// Writes an archive: the same files give the same bytes.
///
/// # Errors
/// [`ArchiveError`], where a limit is hit or two paths collide.
pub fn write(files: &Files<'_>, limits: &Limits) -> Result<Vec<u8>, ArchiveError> {
    if files.len() > limits.files_max {
        let max = limits.files_max;
        return Err(ArchiveError::TooMany { max });
    }
    let mut tree = Tree::default();
    let mut out = Vec::new();
    for (path, content) in files {
        tree.add(path)?;
        let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
        within(path, size, limits)?;
        let bytes = out.len().saturating_add(content.len());
        if bytes > limits.pack_bytes_max {
            let max = limits.pack_bytes_max;
            return Err(ArchiveError::PackTooLong { bytes, max });
        }
        out.extend(header(path, size));
        out.extend_from_slice(content);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    out.resize(out.len().saturating_add(2 * BLOCK), 0);
    match out.len() <= limits.pack_bytes_max {
        true => Ok(out),
        false => Err(ArchiveError::PackTooLong {
            bytes: out.len(),
            max: limits.pack_bytes_max,
        }),
    }
}

/// gzip, zstd, xz and bzip2, by their first bytes.
fn is_compressed(bytes: &[u8]) -> bool {
    let magics: [&[u8]; 4] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh"];
    magics.iter().any(|magic| bytes.starts_with(magic))
}

fn within(path: &PackPath, size: u64, limits: &Limits) -> Result<(), ArchiveError> {
    let max = limits.file_bytes_max;
    match usize::try_from(size).is_ok_and(|size| size <= max) {
        true => Ok(()),
        false => Err(ArchiveError::FileTooLong {
            path: path.clone(),
            bytes: size,
            max,
        }),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// The next file; `None` at a right end.
    fn next(&mut self, limits: &Limits) -> Result<Option<(PackPath, &'a [u8])>, ArchiveError> {
        let at = self.at;
        let found = self.take(BLOCK)?;
        if found.iter().all(|byte| *byte == 0) {
            return self.end().map(|()| None);
        }
        let kind = found.get(field::KIND).and_then(<[u8]>::first);
        if let Some(kind) = kind.filter(|kind| **kind != b'0') {
            let kind = char::from(*kind);
            return Err(ArchiveError::NotAFile { at, kind });
        }
        let path = path_of(found, at)?;
        let size = size_of(found).ok_or(ArchiveError::Form { at })?;
        within(&path, size, limits)?;
        let want = header(&path, size);
        if let Some(differs) = want.iter().zip(found).position(|(a, b)| a != b) {
            let at = at.saturating_add(differs);
            return Err(ArchiveError::Form { at });
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let content = self.take(size)?;
        let filling = size.next_multiple_of(BLOCK).saturating_sub(size);
        self.zeros(filling)?;
        Ok(Some((path, content)))
    }

    /// After the first block of zeros: another one, and nothing more.
    fn end(&mut self) -> Result<(), ArchiveError> {
        self.zeros(BLOCK)?;
        match self.at == self.bytes.len() {
            true => Ok(()),
            false => Err(ArchiveError::Form { at: self.at }),
        }
    }

    fn zeros(&mut self, count: usize) -> Result<(), ArchiveError> {
        let at = self.at;
        let filling = self.take(count)?;
        match filling.iter().position(|byte| *byte != 0) {
            None => Ok(()),
            Some(differs) => Err(ArchiveError::Form {
                at: at.saturating_add(differs),
            }),
        }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], ArchiveError> {
        let end = self.at.checked_add(count);
        let part = end.and_then(|end| self.bytes.get(self.at..end));
        let part = part.ok_or(ArchiveError::CutOff { at: self.at })?;
        self.at = self.at.saturating_add(count);
        Ok(part)
    }
}

fn path_of(header: &[u8], at: usize) -> Result<PackPath, ArchiveError> {
    let name = header.get(field::NAME).unwrap_or_default();
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    // Not UTF-8 is refused below, by the sign that stands for what is not.
    let text = String::from_utf8_lossy(name);
    text.parse().map_err(|error| ArchiveError::Path {
        at,
        text: text.into(),
        error,
    })
}

/// Eleven octal digits.
fn size_of(header: &[u8]) -> Option<u64> {
    let digits = header.get(field::SIZE)?.get(..11)?;
    let digits = std::str::from_utf8(digits).ok()?;
    u64::from_str_radix(digits, 8).ok()
}

/// Where the fields of a ustar header stand.
mod field {
    use std::ops::Range;

    pub(super) const NAME: Range<usize> = 0..100;
    pub(super) const MODE: Range<usize> = 100..108;
    pub(super) const OWNER: Range<usize> = 108..116;
    pub(super) const GROUP: Range<usize> = 116..124;
    pub(super) const SIZE: Range<usize> = 124..136;
    pub(super) const TIME: Range<usize> = 136..148;
    pub(super) const CHECKSUM: Range<usize> = 148..156;
    pub(super) const KIND: Range<usize> = 156..157;
    pub(super) const MAGIC: Range<usize> = 257..265;
    pub(super) const DEVICE: Range<usize> = 329..345;
}

/// The one header of a file.
fn header(path: &PackPath, size: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |field: std::ops::Range<usize>, text: &[u8]| {
        let field = block.get_mut(field).unwrap_or_default();
        for (to, from) in field.iter_mut().zip(text) {
            *to = *from;
        }
    };
    put(field::NAME, path.as_str().as_bytes());
    put(field::MODE, b"0000644\0");
    put(field::OWNER, b"0000000\0");
    put(field::GROUP, b"0000000\0");
    put(field::SIZE, format!("{size:011o}\0").as_bytes());
    put(field::TIME, b"00000000000\0");
    // The sum counts itself as spaces.
    put(field::CHECKSUM, b"        ");
    put(field::KIND, b"0");
    put(field::MAGIC, b"ustar\x0000");
    put(field::DEVICE, b"0000000\x000000000\0");
    let sum = block.iter().map(|byte| u32::from(*byte));
    let sum = sum.fold(0, u32::saturating_add);
    let field = block.get_mut(field::CHECKSUM).unwrap_or_default();
    for (to, from) in field.iter_mut().zip(format!("{sum:06o}\0 ").bytes()) {
        *to = from;
    }
    block
}

/// Files and folders by their lower-case names, to find those that are one on some systems.
#[derive(Default)]
struct Tree {
    known: BTreeMap<String, (String, bool)>,
}

impl Tree {
    fn add(&mut self, path: &PackPath) -> Result<(), ArchiveError> {
        for step in path.steps() {
            let file = step == path.as_str();
            match self.known.get(&step.to_ascii_lowercase()) {
                // The same folder again.
                Some((other, false)) if !file && other == step => {}
                Some((other, _)) => {
                    return Err(ArchiveError::Collision {
                        path: path.clone(),
                        other: other.as_str().into(),
                    });
                }
                None => {
                    let entry = (step.to_owned(), file);
                    self.known.insert(step.to_ascii_lowercase(), entry);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn files<'a>(list: &[(&str, &'a [u8])]) -> Files<'a> {
        let entries = list.iter();
        entries
            .map(|(path, content)| (path.parse().unwrap(), *content))
            .collect()
    }

    fn written(list: &[(&str, &[u8])]) -> Vec<u8> {
        write(&files(list), &Limits::default()).unwrap()
    }

    fn refusal(bytes: &[u8]) -> ArchiveError {
        read(bytes, &Limits::default()).unwrap_err()
    }

    /// An entry as tar writes it, with any name and type.
    fn entry(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
        let path = "x".parse().unwrap();
        let mut block = header(&path, content.len() as u64).to_vec();
        block[..100].fill(0);
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[156] = kind;
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block.extend(content);
        block.resize(block.len().next_multiple_of(512), 0);
        block
    }

    fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
        [entries.concat(), vec![0; 1024]].concat()
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else_is() {
        let list: [(&str, &[u8]); 3] = [("a", b""), ("b/c", &[7; 512]), ("b/d", b"1")];
        let bytes = written(&list);
        assert_eq!(read(&bytes, &Limits::default()).unwrap(), files(&list));
        assert_eq!(
            bytes,
            archive(&[
                entry("a", b'0', b""),
                entry("b/c", b'0', &[7; 512]),
                entry("b/d", b'0', b"1")
            ])
        );
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            // Within a file every byte is content; signatures hold that.
            match read(&other, &Limits::default()) {
                Ok(found) => assert_ne!(found, files(&list), "byte {at}"),
                Err(_) => continue,
            }
        }
        for end in 0..bytes.len() {
            assert!(
                read(&bytes[..end], &Limits::default()).is_err(),
                "cut at {end}"
            );
        }
        for more in [1, 512, 10_240] {
            let mut longer = bytes.clone();
            longer.resize(bytes.len() + more, 0);
            assert_eq!(refusal(&longer), ArchiveError::Form { at: bytes.len() });
        }
    }

    #[test]
    fn links_folders_and_extensions_are_refused() {
        for kind in [
            b'1', b'2', b'3', b'4', b'5', b'6', b'7', b'x', b'g', b'L', b'K', b'S', 0,
        ] {
            let bytes = archive(&[entry("a", b'0', b""), entry("b", kind, b"")]);
            let kind = char::from(kind);
            assert_eq!(refusal(&bytes), ArchiveError::NotAFile { at: 512, kind });
        }
    }

    #[test]
    fn paths_that_leave_collide_or_repeat_are_refused() {
        for (name, error) in [
            ("/etc/cron.d/x", PathError::Absolute),
            ("../x", PathError::Part),
            ("a/../../x", PathError::Part),
            ("", PathError::Length),
            ("a\u{ff0f}b", PathError::Character),
        ] {
            let (at, text) = (0, name.into());
            let bytes = archive(&[entry(name, b'0', b"")]);
            assert_eq!(refusal(&bytes), ArchiveError::Path { at, text, error });
        }
        let order = |path: &str| ArchiveError::Order {
            path: path.parse().unwrap(),
        };
        let collision = |path: &str, other: &str| ArchiveError::Collision {
            path: path.parse().unwrap(),
            other: other.into(),
        };
        for (names, error) in [
            (["a", "a"], order("a")),
            (["b", "a"], order("a")),
            (["A", "a"], collision("a", "A")),
            (["a", "a/b"], collision("a/b", "a")),
            (["A", "a/b"], collision("a/b", "A")),
            (["B/x", "b/y"], collision("b/y", "B")),
        ] {
            let bytes = archive(&names.map(|name| entry(name, b'0', b"")));
            assert_eq!(refusal(&bytes), error, "{names:?}");
            if names[0] < names[1] {
                let list = files(&names.map(|name| (name, b"".as_slice())));
                assert_eq!(write(&list, &Limits::default()), Err(error), "{names:?}");
            }
        }
    }

    #[test]
    fn every_bound_is_held_before_anything_is_kept() {
        let limits = Limits {
            files_max: 2,
            file_bytes_max: 10,
            pack_bytes_max: 4096,
            ..Limits::default()
        };
        let many = archive(&["a", "b", "c"].map(|name| entry(name, b'0', b"")));
        assert_eq!(read(&many, &limits), Err(ArchiveError::TooMany { max: 2 }));
        let large = archive(&[entry("a", b'0', &[0; 11])]);
        let path = "a".parse().unwrap();
        assert_eq!(
            read(&large, &limits),
            Err(ArchiveError::FileTooLong {
                path,
                bytes: 11,
                max: 10
            })
        );
        let bytes = vec![0; 4097];
        assert_eq!(
            read(&bytes, &limits),
            Err(ArchiveError::PackTooLong {
                bytes: 4097,
                max: 4096
            })
        );
        // A header that claims eight gigabytes costs a comparison.
        let mut claims = entry("a", b'0', b"");
        claims[124..135].copy_from_slice(b"77777777777");
        assert!(matches!(
            refusal(&archive(&[claims])),
            ArchiveError::FileTooLong { .. }
        ));
        // One that claims more than is there, within the bound.
        let mut claims = entry("a", b'0', &[1; 100]);
        claims.truncate(512);
        assert_eq!(refusal(&claims), ArchiveError::CutOff { at: 512 });
        for magic in [
            &b"\x1f\x8b\x08\0"[..],
            b"\x28\xb5\x2f\xfd\x04",
            b"\xfd7zXZ\0\0",
            b"BZh9",
        ] {
            assert_eq!(refusal(magic), ArchiveError::Compressed);
        }
        assert_eq!(refusal(b""), ArchiveError::CutOff { at: 0 });
    }

    #[test]
    fn owner_mode_time_and_filling_have_one_form() {
        let good = written(&[("a", b"x")]);
        for (at, byte) in [
            (105, b'5'),
            (114, b'1'),
            (122, b'1'),
            (146, b'1'),
            (160, b'x'),
            (265, b'r'),
            (345, b'p'),
            (511, 1),
            (513, 1),
        ] {
            let mut bytes = good.clone();
            bytes[at] = byte;
            // The checksum stands before most of these, and differs first where it is right for them.
            assert!(
                matches!(refusal(&bytes), ArchiveError::Form { .. }),
                "byte {at}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, at: usize, byte: u8) {
            read(&bytes, &Limits::default()).ok();
            let mut near = written(&[("a/b", b"hello"), ("c", b"")]);
            let at = at.checked_rem(near.len()).unwrap();
            near[at] = byte;
            if let Ok(found) = read(&near, &Limits::default()) {
                prop_assert_eq!(write(&found, &Limits::default()).unwrap(), near);
            }
        }
    }
}
