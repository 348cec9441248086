//! What a file is, by its first bytes, in the words that libmagic has for it.
//!
//! Only what can be told from a fixed signature or from the text itself; anything else is `data`,
//! as libmagic says.

mod json;

/// Describes a file that begins with these bytes.
#[must_use]
pub fn describe(head: &[u8]) -> String {
    if head.is_empty() {
        return "empty".to_owned();
    }
    if let Some(found) = elf(head).or_else(|| image(head)).or_else(|| dos(head)) {
        return found;
    }
    let known = SIGNATURES.iter().find(|(at, bytes, _)| {
        let end = at.saturating_add(bytes.len());
        head.get(*at..end) == Some(*bytes)
    });
    match known {
        Some((_, b"%PDF-", name)) => format!("{name}{}", pdf_version(head)),
        Some((_, b"\x1f\x8b", name)) => format!("{name}{}", gzip_system(head)),
        Some((_, b"\xca\xfe\xba\xbe\0\0\0", name)) => format!("{name}{}", java_version(head)),
        Some((_, b"PK\x03\x04", name)) => format!("{name}{}", zip_method(head)),
        Some((_, b"ftyp", name)) => format!("{name}{}", brand(head)),
        Some((_, _, name)) => (*name).to_owned(),
        None => text(head),
    }
}

fn pdf_version(head: &[u8]) -> String {
    let version = head.get(5..8).unwrap_or_default();
    let version = String::from_utf8_lossy(version);
    if version.starts_with(|c: char| c.is_ascii_digit()) {
        format!(", version {version}")
    } else {
        String::new()
    }
}

/// The system that a gzip file comes from (RFC 1952 section 2.3.1).
fn gzip_system(head: &[u8]) -> &'static str {
    match head.get(9) {
        Some(0) => ", from FAT filesystem (MS-DOS, OS/2, NT)",
        Some(3) => ", from Unix",
        Some(_) | None => "",
    }
}

/// What the first entry of a ZIP archive takes.
fn zip_method(head: &[u8]) -> String {
    let (Some(version), Some(method)) = (head.get(4), head.get(8)) else {
        return String::new();
    };
    let method = match method {
        0 => "store",
        8 => "deflate",
        _ => return String::new(),
    };
    let (major, minor) = (version / 10, version % 10);
    format!(", at least v{major}.{minor} to extract, compression method={method}")
}

fn java_version(head: &[u8]) -> String {
    let number = |at: usize| {
        let bytes = head.get(at..).and_then(|rest| rest.first_chunk::<2>());
        bytes.map_or(0, |bytes| u16::from_be_bytes(*bytes))
    };
    let (minor, major) = (number(4), number(6));
    let java = major.saturating_sub(44);
    let java = if java < 9 {
        format!("1.{java}")
    } else {
        java.to_string()
    };
    format!(", version {major}.{minor} (Java {java})")
}

/// The major brand of an ISO base media file.
fn brand(head: &[u8]) -> &'static str {
    match head.get(8..12).unwrap_or_default() {
        b"isom" => ", MP4 Base Media v1 [ISO 14496-12:2003]",
        b"iso2" => ", MP4 Base Media v2 [ISO 14496-12:2005]",
        b"iso5" => ", MP4 Base Media v5",
        b"iso6" => ", MP4 Base Media v6",
        b"mp41" => ", MP4 v1 [ISO 14496-1:ch13]",
        b"mp42" => ", MP4 v2 [ISO 14496-14]",
        b"avif" => ", AVIF Image",
        b"qt  " => ", Apple QuickTime movie, Apple QuickTime (.MOV/QT)",
        _ => "",
    }
}

/// A JPEG picture: what its JFIF segment and its frame header say.
fn jpeg(head: &[u8]) -> Option<String> {
    let rest = head.strip_prefix(b"\xff\xd8\xff")?;
    let be16 = |at: usize| Some(u16::from_be_bytes(*head.get(at..)?.first_chunk()?));
    let mut text = "JPEG image data".to_owned();
    if rest.get(3..8) == Some(b"JFIF\0") {
        let unit = match head.get(13)? {
            0 => "aspect ratio",
            1 => "resolution (DPI)",
            _ => "resolution (DPCM)",
        };
        let (major, minor) = (head.get(11)?, head.get(12)?);
        let (x, y, len) = (be16(14)?, be16(16)?, be16(4)?);
        text += &format!(
            " JFIF standard {major}.{minor:02}, {unit}, density {x}x{y}, segment length {len}"
        );
        text = text.replacen(" JFIF", ", JFIF", 1);
    }
    Some(text + &jpeg_frame(head).unwrap_or_default())
}

/// The frame header behind the segments of a JPEG picture.
fn jpeg_frame(head: &[u8]) -> Option<String> {
    let be16 = |at: usize| Some(u16::from_be_bytes(*head.get(at..)?.first_chunk()?));
    let mut at = 2_usize;
    loop {
        let [0xff, kind] = *head.get(at..)?.first_chunk::<2>()? else {
            return None;
        };
        let name = match kind {
            0xc0 => "baseline",
            0xc1 => "extended sequential",
            0xc2 => "progressive",
            _ => {
                let len = usize::from(be16(at.checked_add(2)?)?);
                at = at.checked_add(2)?.checked_add(len)?;
                continue;
            }
        };
        let frame = head.get(at..)?;
        let (precision, components) = (frame.get(4)?, frame.get(9)?);
        let number = |at: usize| Some(u16::from_be_bytes(*frame.get(at..)?.first_chunk()?));
        let (height, width) = (number(5)?, number(7)?);
        return Some(format!(
            ", {name}, precision {precision}, {width}x{height}, components {components}"
        ));
    }
}

/// The head of an ELF file: class, byte order, type, machine.
fn elf(head: &[u8]) -> Option<String> {
    let rest = head.strip_prefix(b"\x7fELF")?;
    let class = match rest.first()? {
        1 => "32-bit",
        2 => "64-bit",
        _ => "invalid class",
    };
    let little = *rest.get(1)? == 1;
    let order = if little { "LSB" } else { "MSB" };
    let number = |at: usize| {
        let bytes = *head.get(at..)?.first_chunk::<2>()?;
        Some(if little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    };
    let kind = match number(16)? {
        1 => "relocatable",
        2 => "executable",
        3 => "shared object",
        4 => "core file",
        _ => "unknown type",
    };
    let machine = match number(18)? {
        2 => "SPARC",
        3 => "Intel 80386",
        8 => "MIPS, MIPS-I version 1",
        20 => "PowerPC or cisco 4500",
        40 => "ARM, EABI5 version 1",
        42 => "Renesas SH, version 1",
        62 => "x86-64, version 1",
        183 => "ARM aarch64, version 1",
        243 => "UCB RISC-V, version 1",
        _ => "unknown machine",
    };
    let system = if head.get(7) == Some(&3) {
        "GNU/Linux"
    } else {
        "SYSV"
    };
    Some(format!("ELF {class} {order} {kind}, {machine} ({system})"))
}

/// Pictures whose head says how large they are.
fn image(head: &[u8]) -> Option<String> {
    if head.starts_with(b"\xff\xd8\xff") {
        return jpeg(head);
    }
    let be32 = |at: usize| Some(u32::from_be_bytes(*head.get(at..)?.first_chunk()?));
    let le16 = |at: usize| Some(u16::from_le_bytes(*head.get(at..)?.first_chunk()?));
    if head.starts_with(b"\x89PNG\r\n\x1a\n") {
        let colors = match head.get(25)? {
            0 => " grayscale",
            2 => "/color RGB",
            3 => " colormap",
            4 => " gray+alpha",
            6 => "/color RGBA",
            _ => "",
        };
        let laced = if head.get(28) == Some(&1) {
            "interlaced"
        } else {
            "non-interlaced"
        };
        let (width, height, depth) = (be32(16)?, be32(20)?, head.get(24)?);
        return Some(format!(
            "PNG image data, {width} x {height}, {depth}-bit{colors}, {laced}"
        ));
    }
    if head.starts_with(b"GIF8") {
        let version = String::from_utf8_lossy(head.get(3..6)?).into_owned();
        let (width, height) = (le16(6)?, le16(8)?);
        return Some(format!(
            "GIF image data, version {version}, {width} x {height}"
        ));
    }
    None
}

/// Programs for DOS and Windows.
fn dos(head: &[u8]) -> Option<String> {
    if !head.starts_with(b"MZ") {
        return None;
    }
    let at = head.get(0x3c..).and_then(|rest| rest.first_chunk());
    let at = at.and_then(|at| usize::try_from(u32::from_le_bytes(*at)).ok());
    let portable = at.and_then(|at| head.get(at..));
    let Some(portable) = portable.and_then(|rest| rest.strip_prefix(b"PE\0\0")) else {
        return Some("MS-DOS executable".to_owned());
    };
    let le16 = |at: usize| Some(u16::from_le_bytes(*portable.get(at..)?.first_chunk()?));
    let (machine, traits, format) = (le16(0)?, le16(18)?, le16(20)?);
    let format = if format == 0x20b { "PE32+" } else { "PE32" };
    let kind = match le16(88).unwrap_or(0) {
        1 => "native",
        2 => "GUI",
        3 => "console",
        _ => "unknown",
    };
    let library = if traits & 0x2000 != 0 { "(DLL) " } else { "" };
    let machine = match machine {
        0x14c => "Intel 80386",
        0x8664 => "x86-64",
        0x1c0 | 0x1c4 => "ARMv7 Thumb",
        0xaa64 => "Aarch64",
        _ => "unknown processor",
    };
    Some(format!(
        "{format} executable {library}({kind}) {machine}, for MS Windows, {} sections",
        le16(2)?
    ))
}

/// Text by what it says, else `data`.
fn text(head: &[u8]) -> String {
    let Some(charset) = charset(head) else {
        return "data".to_owned();
    };
    let start = head.trim_ascii_start().to_ascii_lowercase();
    let kind = TEXTS.iter().find(|(front, _)| start.starts_with(front));
    if json::is_whole(head) {
        return "JSON text data".to_owned();
    }
    let ends = format!("{}{}", long_lines(head), line_ends(head));
    match kind {
        Some((_, name)) => format!("{name}, {charset}{ends}"),
        None => format!("{charset}{ends}"),
    }
}

fn charset(head: &[u8]) -> Option<&'static str> {
    let control = |byte: &u8| *byte < 7 || matches!(*byte, 14..=26 | 28..=31 | 127);
    if head.iter().any(control) {
        return None;
    }
    if head.is_ascii() {
        return Some("ASCII text");
    }
    // a character may be cut at the end
    match std::str::from_utf8(head) {
        Ok(_) => Some("Unicode text, UTF-8 text"),
        Err(error) if error.error_len().is_none() => Some("Unicode text, UTF-8 text"),
        Err(_) if head.iter().all(|byte| !(0x80..0xa0).contains(byte)) => Some("ISO-8859 text"),
        Err(_) => Some("Non-ISO extended-ASCII text"),
    }
}

/// Lines of more than 300 bytes, and how long the longest is.
fn long_lines(head: &[u8]) -> String {
    let lines = head.split(|byte| *byte == b'\n');
    let longest = lines.map(|line| line.trim_ascii_end().len()).max();
    match longest {
        Some(len) if len > 300 => format!(", with very long lines ({len})"),
        Some(_) | None => String::new(),
    }
}

fn line_ends(head: &[u8]) -> &'static str {
    let count = |wanted: u8| head.iter().filter(|byte| **byte == wanted).count();
    let pairs = memchr::memmem::find_iter(head, b"\r\n").count();
    let (cr, lf) = (count(b'\r'), count(b'\n'));
    match (cr.saturating_sub(pairs), pairs, lf.saturating_sub(pairs)) {
        (0, 0, 0) => ", with no line terminators",
        (0, 0, _) => "",
        (0, _, 0) => ", with CRLF line terminators",
        (0, _, _) => ", with CRLF, LF line terminators",
        (_, 0, 0) => ", with CR line terminators",
        (_, 0, _) => ", with CR, LF line terminators",
        (_, _, 0) => ", with CRLF, CR line terminators",
        (_, _, _) => ", with CRLF, CR, LF line terminators",
    }
}

/// Fronts of texts, in lower case.
const TEXTS: &[(&[u8], &str)] = &[
    (b"<!doctype html", "HTML document"),
    (b"<html", "HTML document"),
    (b"<head", "HTML document"),
    (b"<body", "HTML document"),
    (b"<?xml version=\"1.0\"", "XML 1.0 document"),
    (b"<?xml version='1.0'", "XML 1.0 document"),
    (b"<?php", "PHP script"),
    (b"#!/bin/bash", "Bourne-Again shell script"),
    (b"#!/bin/sh", "POSIX shell script"),
    (b"{\\rtf", "Rich Text Format data"),
];

/// Place, bytes, name.
const SIGNATURES: &[(usize, &[u8], &str)] = &[
    (
        0,
        b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR",
        "EICAR virus test files",
    ),
    (0, b"%PDF-", "PDF document"),
    (0, b"PK\x03\x04", "Zip archive data"),
    (0, b"PK\x05\x06", "Zip archive data (empty)"),
    (0, b"Rar!\x1a\x07", "RAR archive data"),
    (0, b"7z\xbc\xaf\x27\x1c", "7-zip archive data"),
    (0, b"\x1f\x8b", "gzip compressed data"),
    (0, b"BZh", "bzip2 compressed data"),
    (0, b"\xfd7zXZ\0", "XZ compressed data"),
    (0, b"\x28\xb5\x2f\xfd", "Zstandard compressed data"),
    (
        0,
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "Composite Document File V2 Document",
    ),
    (0, b"\xca\xfe\xba\xbe\0\0\0", "compiled Java class data"),
    (0, b"FWS", "Macromedia Flash data"),
    (0, b"CWS", "Macromedia Flash data (compressed)"),
    (0, b"ZWS", "Macromedia Flash data (lzma compressed)"),
    (0, b"MSCF\0\0\0\0", "Microsoft Cabinet archive data"),
    (0, b"OggS", "Ogg data"),
    (0, b"ID3", "Audio file with ID3"),
    (0, b"\0\0\x01\0", "MS Windows icon resource"),
    (0, b"BM", "PC bitmap"),
    (0, b"wOFF", "Web Open Font Format"),
    (0, b"wOF2", "Web Open Font Format (Version 2)"),
    (0, b"\0asm", "WebAssembly (wasm) binary module"),
    (0, b"SQLite format 3\0", "SQLite 3.x database"),
    (
        0,
        b"\xd4\xc3\xb2\xa1",
        "pcap capture file, microsecond ts (little-endian)",
    ),
    (0, b"L\0\0\0\x01\x14\x02\0", "MS Windows shortcut"),
    (4, b"ftyp", "ISO Media"),
    (8, b"WEBP", "RIFF (little-endian) data, Web/P image"),
    (8, b"AVI ", "RIFF (little-endian) data, AVI"),
    (8, b"WAVE", "RIFF (little-endian) data, WAVE audio"),
    (257, b"ustar", "POSIX tar archive"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_by_their_first_bytes() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x24\0\0\0\x24\x08\x06\0\0\0";
        let mut program = b"MZ".to_vec();
        program.resize(0x3c, 0);
        program.extend([0x40, 0, 0, 0]);
        program.extend(b"PE\0\0\x4c\x01\x03\0");
        program.resize(0x40 + 4 + 18, 0);
        program.extend([0x02, 0x21, 0x0b, 0x01]);
        program.resize(0x40 + 4 + 88, 0);
        program.extend([2, 0]);
        for (head, expected) in [
            (
                &png[..],
                "PNG image data, 36 x 36, 8-bit/color RGBA, non-interlaced",
            ),
            (b"%PDF-1.5\n", "PDF document, version 1.5"),
            (b"GIF89a\x01\0\x02\0", "GIF image data, version 89a, 1 x 2"),
            (
                &program,
                "PE32 executable (DLL) (GUI) Intel 80386, for MS Windows, 3 sections",
            ),
            (b"MZ", "MS-DOS executable"),
            (b"", "empty"),
            (b"{\"a\": [1, \"x\", null]}\n", "JSON text data"),
            (b"{\"a\": [1}", "ASCII text, with no line terminators"),
            (b"hello\n", "ASCII text"),
            (b"hello", "ASCII text, with no line terminators"),
            (b"a\r\nb\r\n", "ASCII text, with CRLF line terminators"),
            (b"<!DOCTYPE html>\n", "HTML document, ASCII text"),
            (b"\xc3\xa9\n", "Unicode text, UTF-8 text"),
            (b"\0\x01\x02", "data"),
        ] {
            assert_eq!(describe(head), expected);
        }
    }
}
