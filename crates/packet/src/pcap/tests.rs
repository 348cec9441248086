//! Files in both formats and both byte orders, whole and cut.

use super::*;

#[test]
fn what_is_written_is_read() {
    let frames = [
        frame(1_700_000_000_123_456_789, b"one"),
        frame(1_700_000_001_000_000_001, b""),
    ];
    let mut file = Vec::new();
    write_header(&mut file, LinkType::Ethernet).unwrap();
    frames
        .iter()
        .for_each(|frame| write_packet(&mut file, frame).unwrap());
    let (read, truncated) = read(&file);
    assert!(!truncated);
    assert_eq!(
        read,
        frames.map(|frame| (frame.ts_ns, frame.link, frame.data.to_vec(), 60))
    );
}

#[test]
fn classic_files_of_all_magics() {
    for (magic, ns) in [(0xa1b2_c3d4_u32, 7_000), (0xa1b2_3c4d, 7)] {
        for big_endian in [false, true] {
            let words = [
                magic,
                if big_endian { 0x2_0004 } else { 0x4_0002 },
                0,
                0,
                65535,
                101,
            ];
            let record = [3, 7, 4, 99];
            let word = |word: &u32| {
                if big_endian {
                    word.to_be_bytes()
                } else {
                    word.to_le_bytes()
                }
            };
            let mut file: Vec<u8> = words.iter().chain(&record).flat_map(word).collect();
            file.extend(b"data");
            let (read, truncated) = read(&file);
            let expected = (3 * NS_PER_S + ns, LinkType::Raw, b"data".to_vec(), 99);
            assert_eq!(
                (read, truncated),
                (vec![expected], false),
                "{magic:#x} {big_endian}"
            );
        }
    }
}

#[test]
fn a_cut_file_ends_cleanly_wherever_it_is_cut() {
    let mut classic = Vec::new();
    write_header(&mut classic, LinkType::Ethernet).unwrap();
    write_packet(&mut classic, &frame(1, b"first")).unwrap();
    let end_of_first = classic.len();
    write_packet(&mut classic, &frame(2, b"second")).unwrap();
    for len in 24..classic.len() {
        let (frames, truncated) = read(&classic[..len]);
        assert_eq!(
            frames.len(),
            usize::from(len >= end_of_first),
            "cut at {len}"
        );
        assert_eq!(truncated, len != 24 && len != end_of_first, "cut at {len}");
    }
    let ng = ng_file(false);
    for len in 28..ng.len() {
        read(&ng[..len]);
    }
}

#[test]
fn several_interfaces_with_their_own_clocks() {
    for big_endian in [false, true] {
        let (frames, truncated) = read(&ng_file(big_endian));
        assert!(!truncated);
        let expected = [
            (5_000_000, LinkType::Ethernet, b"us".to_vec(), 60),
            (5_000 + 2 * NS_PER_S, LinkType::Raw, b"ns1".to_vec(), 3),
            (
                5_000 + 2 * NS_PER_S,
                LinkType::Ethernet,
                b"simple".to_vec(),
                6,
            ),
        ];
        assert_eq!(frames, expected, "big endian: {big_endian}");
    }
}

#[test]
fn other_files_are_refused_by_name() {
    let error = Reader::new(&b"\x1f\x8b\x08\x00 gzip"[..]).unwrap_err();
    assert!(
        matches!(error, PcapError::NotACapture(0x1f8b_0800)),
        "{error}"
    );
    for len in 0..4 {
        let error = Reader::new(&b"\xd4\xc3\xb2"[..len.min(3)]).unwrap_err();
        assert!(matches!(error, PcapError::Empty), "{error}");
    }
    let mut header = Vec::new();
    write_header(&mut header, LinkType::Ethernet).unwrap();
    for len in 4..header.len() {
        let error = Reader::new(&header[..len]).unwrap_err();
        assert!(matches!(error, PcapError::NoHeader), "{len}: {error}");
    }
}

#[test]
fn absurd_lengths_are_damage() {
    let mut file = Vec::new();
    write_header(&mut file, LinkType::Ethernet).unwrap();
    file.extend([0xff; 40]);
    let error = Reader::new(&file[..]).unwrap().next().unwrap_err();
    assert!(
        matches!(error, PcapError::Damaged { offset: 24, .. }),
        "{error}"
    );
    let mut file = ng_file(false);
    file.truncate(28);
    file.extend([6, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0]);
    let error = Reader::new(&file[..]).unwrap().next().unwrap_err();
    assert!(
        matches!(error, PcapError::Damaged { offset: 28, .. }),
        "{error}"
    );
}

type Read = (u64, LinkType, Vec<u8>, u32);

fn read(file: &[u8]) -> (Vec<Read>, bool) {
    let mut reader = Reader::new(file).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = reader.next().unwrap() {
        frames.push((frame.ts_ns, frame.link, frame.data.to_vec(), frame.wire_len));
    }
    (frames, reader.is_truncated())
}

fn frame(ts_ns: u64, data: &[u8]) -> Frame<'_> {
    Frame {
        ts_ns,
        link: LinkType::Ethernet,
        data,
        wire_len: 60,
        way: Way::Unknown,
    }
}

/// A section with an Ethernet interface in microseconds and a raw one in nanoseconds with an offset
/// of two seconds; a packet of each, a block of unknown kind, and a simple packet.
fn ng_file(big_endian: bool) -> Vec<u8> {
    let file = Ng { big_endian };
    let option = |code: u16, value: &[u8]| {
        let len = u16::try_from(value.len()).unwrap();
        let padding = vec![0; value.len().next_multiple_of(4) - value.len()];
        [&file.b16(code)[..], &file.b16(len), value, &padding].concat()
    };
    let offset = if big_endian {
        2_i64.to_be_bytes()
    } else {
        2_i64.to_le_bytes()
    };
    let clock = [option(9, &[9]), option(14, &offset), option(0, &[])].concat();
    let section = [
        &file.b32(0x1a2b_3c4d)[..],
        &file.b16(1),
        &file.b16(0),
        &[0xff; 8],
    ]
    .concat();
    let ethernet = [&file.b16(1)[..], &file.b16(0), &file.b32(0)].concat();
    let raw = [&file.b16(101)[..], &file.b16(0), &file.b32(0), &clock].concat();
    [
        file.block(0x0a0d_0d0a, &section),
        file.block(1, &ethernet),
        file.block(1, &raw),
        file.block(6, &file.packet(0, 5_000, b"us", 60)),
        file.block(0x0bad, b"unknown!"),
        file.block(6, &file.packet(1, 5_000, b"ns1", 3)),
        file.block(3, &[&file.b32(6)[..], b"simple\0\0"].concat()),
    ]
    .concat()
}

struct Ng {
    big_endian: bool,
}

impl Ng {
    fn b16(&self, value: u16) -> [u8; 2] {
        if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    fn b32(&self, value: u32) -> [u8; 4] {
        if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    fn block(&self, kind: u32, body: &[u8]) -> Vec<u8> {
        let len = self.b32(u32::try_from(body.len() + 12).unwrap());
        [&self.b32(kind)[..], &len, body, &len].concat()
    }

    fn packet(&self, interface: u32, ticks: u32, data: &[u8], wire_len: u32) -> Vec<u8> {
        let captured = u32::try_from(data.len()).unwrap();
        let words = [interface, 0, ticks, captured, wire_len].map(|word| self.b32(word));
        let padding = vec![0; data.len().next_multiple_of(4) - data.len()];
        [&words.concat()[..], data, &padding].concat()
    }
}
