//! Streams put together from pieces.

use proptest::prelude::*;

use super::*;

const WIDE: Terms = Terms {
    segments_max: 64,
    bytes_max: 1 << 16,
    depth: u64::MAX,
    on_ack: false,
    patient: false,
    compare: false,
    policy: Policy::First,
};

#[test]
fn out_of_order_pieces_come_out_in_order() {
    let mut bench = Bench::from(10);
    assert!(bench.push(13, b"def").buffered);
    assert!(bench.push(16, b"ghi").buffered);
    assert_eq!(bench.out, "");
    bench.push(10, b"abc");
    assert_eq!(bench.out, "abc|def|ghi");
    bench.push(11, b"bcd");
    assert_eq!(bench.out, "abc|def|ghi", "old bytes are passed once");
    assert_eq!(bench.stream.buffered(), 0);
}

#[test]
fn what_came_first_counts() {
    let mut bench = Bench::from(0);
    bench.push(2, b"CD");
    let pushed = bench.push(0, b"abcdef");
    assert!(pushed.differs);
    assert_eq!(bench.out, "ab|CD|ef");
    assert!(bench.push(8, b"IJ").buffered);
    assert!(
        bench.push(7, b"hxjk").differs,
        "differs from a kept segment"
    );
    bench.push(6, b"g");
    assert_eq!(bench.out, "ab|CD|ef|g|h|IJ|k");
}

#[test]
fn same_bytes_again_are_no_trouble() {
    let mut bench = Bench::from(0);
    bench.push(4, b"ef");
    assert_eq!(
        bench.push(3, b"defg"),
        Pushed {
            buffered: true,
            overlaps: true,
            ..Pushed::default()
        }
    );
    let pushed = bench.push(0, b"abcdefgh");
    assert!(!pushed.differs && !pushed.buffered && !pushed.full);
    assert_eq!(bench.text(), "abcdefgh");
}

#[test]
fn a_full_buffer_declares_the_gap() {
    let mut bench = Bench::from(0);
    bench.terms.segments_max = 2;
    bench.push(10, b"a");
    bench.push(20, b"b");
    let pushed = bench.push(30, b"c");
    assert!(pushed.full && pushed.buffered);
    assert_eq!(bench.out, "<10>|a");
    bench.terms.bytes_max = 3;
    bench.push(40, b"wxyz");
    assert_eq!(
        bench.out, "<10>|a|<9>|b|<9>|c|<9>|wxyz",
        "too large to be kept at all"
    );
}

#[test]
fn what_the_receiver_has_will_not_come_again() {
    let mut bench = Bench::from(0);
    bench.push(5, b"f");
    bench.ack(3);
    assert_eq!(bench.out, "<3>");
    bench.ack(6);
    assert_eq!(bench.out, "<3>|<2>|f");
    bench.ack(6);
    bench.ack(0);
    assert_eq!(bench.out, "<3>|<2>|f");
    bench.ack(8);
    assert_eq!(bench.out, "<3>|<2>|f|<2>");
}

#[test]
fn on_acknowledgement_bytes_come_when_the_receiver_has_them() {
    let mut bench = Bench::from(0);
    (bench.terms.on_ack, bench.terms.patient) = (true, true);
    bench.push(0, b"abc");
    bench.push(3, b"def");
    assert_eq!(bench.out, "");
    bench.ack(4);
    assert_eq!(bench.out, "abc|d");
    assert!(bench.push(3, b"dXf").differs, "not acknowledged yet");
    assert!(!bench.push(0, b"abc").differs);
    bench.ack(6);
    assert_eq!(bench.out, "abc|d|ef");
    assert_eq!(bench.stream.buffered(), 0);
    bench.push(8, b"ij");
    bench.ack(10);
    assert_eq!(bench.out, "abc|d|ef|<2>|ij");
    bench.push(10, b"kl");
    bench.push(14, b"op");
    bench.flush();
    assert_eq!(
        bench.out, "abc|d|ef|<2>|ij|kl",
        "what follows a hole is not passed on"
    );
}

#[test]
fn what_was_passed_on_is_compared_until_it_is_acknowledged() {
    let mut bench = Bench::from(0);
    bench.terms.compare = true;
    bench.push(0, b"abcdef");
    assert_eq!(bench.out, "abcdef");
    assert!(!bench.push(2, b"cdefgh").differs);
    assert_eq!(bench.out, "abcdef|gh");
    assert!(bench.push(4, b"eX").differs);
    bench.ack(8);
    assert_eq!(bench.stream.buffered(), 0);
    assert!(!bench.push(4, b"eX").differs, "nobody can tell any more");
    assert_eq!(bench.text(), "abcdefgh");
}

#[test]
fn nothing_is_passed_on_beyond_the_depth() {
    for on_ack in [false, true] {
        let mut bench = Bench::from(0);
        (bench.terms.depth, bench.terms.on_ack) = (5, on_ack);
        bench.push(0, b"abc");
        bench.push(3, b"def");
        bench.ack(6);
        bench.push(6, b"ghi");
        bench.ack(9);
        assert_eq!(bench.text(), "abcde");
        assert_eq!(bench.stream.buffered(), 0);
    }
}

#[test]
fn urgent_bytes_leave_no_gap() {
    for on_ack in [false, true] {
        let mut bench = Bench::from(0);
        bench.terms.on_ack = on_ack;
        bench.push(4, b"ef");
        bench.leave_out(3);
        bench.push(0, b"abc");
        bench.ack(6);
        bench.leave_out(6);
        bench.push(7, b"hi");
        bench.ack(9);
        assert_eq!(bench.text(), "abcefhi");
        assert_eq!(bench.stream.buffered(), 0);
    }
}

/// A later segment overlaps an earlier one, bytes 2 to 6, in nine ways; each host has its own
/// reading.
#[test]
fn overlaps_are_read_as_the_host_reads_them() {
    let kept = [
        "later", "later", "later", "first", "first", "first", "first", "first", "first",
    ];
    let none = ["first"; 9];
    let linux = [
        "later", "later", "later", "first", "first", "later", "first", "first", "first",
    ];
    let old = [
        "later", "later", "later", "first", "later", "later", "first", "first", "first",
    ];
    let solaris = [
        "first", "later", "later", "first", "later", "later", "first", "first", "later",
    ];
    let policies = [
        (Policy::First, none),
        (Policy::Bsd, kept),
        (Policy::Linux, linux),
        (Policy::OldLinux, old),
        (Policy::Solaris, solaris),
    ];
    let ways = [1_u32, 2, 3]
        .into_iter()
        .flat_map(|start| [5_u32, 6, 7].map(|end| (start, end)));
    for (policy, readings) in policies {
        for ((start, end), reading) in ways.clone().zip(readings) {
            let mut bench = Bench::from(0);
            bench.terms.policy = policy;
            bench.push(2, b"OOOO");
            let later = vec![b'N'; usize::try_from(end - start).unwrap()];
            bench.push(start, &later);
            bench.push(
                0,
                b"ab".get(..usize::try_from(start.min(2)).unwrap()).unwrap(),
            );
            let text = bench.text();
            let shared = text
                .get(usize::try_from(start.max(2)).unwrap()..usize::try_from(end.min(6)).unwrap());
            let sign = if reading == "later" { 'N' } else { 'O' };
            assert!(
                shared.unwrap().chars().all(|byte| byte == sign),
                "{policy:?} {start}..{end} {text}"
            );
        }
    }
}

#[test]
fn the_rest_comes_at_the_end() {
    let mut bench = Bench::from(0);
    bench.push(2, b"c");
    bench.push(5, b"f");
    bench.flush();
    assert_eq!(bench.out, "<2>|c|<2>|f");
}

#[test]
fn sequence_numbers_wrap() {
    let mut bench = Bench::from(u32::MAX - 1);
    bench.push(1, b"def");
    bench.push(u32::MAX - 1, b"abc");
    assert_eq!(bench.text(), "abcdef");
}

proptest! {
    /// Any pieces that cover the text, in any order, overlapping or twice, give the text.
    #[test]
    fn any_cover_gives_the_text(
        len in 1_usize..200,
        pieces in proptest::collection::vec((0_usize..200, 1_usize..40), 0..60),
        start: u32,
    ) {
        let text: Vec<u8> = (0..len).map(|at| b'a' + (at % 26) as u8).collect();
        let mut bench = Bench::from(start);
        for (at, size) in pieces {
            let end = (at + size).min(len);
            if at < end {
                let pushed = bench.push(start.wrapping_add(at as u32), &text[at..end]);
                prop_assert!(!pushed.differs && !pushed.full);
            }
        }
        bench.push(start, &text);
        prop_assert_eq!(bench.text(), String::from_utf8(text).unwrap());
        prop_assert_eq!(bench.stream.buffered(), 0);
    }

    /// Whatever comes, what is kept stays in bounds and every byte of the way is passed on or
    /// declared missing.
    #[test]
    fn bounds_hold(
        pieces in proptest::collection::vec((0_u32..5000, 1_usize..50), 1..200),
        segments_max in 1_usize..8,
        bytes_max in 1_usize..200,
        on_ack: bool,
        compare: bool,
        policy in proptest::sample::select(&[Policy::First, Policy::OldLinux, Policy::Linux, Policy::Solaris]),
        acks in proptest::collection::vec((0_usize..200, 0_u32..5000), 0..20),
    ) {
        let mut bench = Bench::from(0);
        bench.terms = Terms { segments_max, bytes_max, on_ack, compare, policy, ..WIDE };
        for (number, (at, size)) in pieces.into_iter().enumerate() {
            bench.push(at, &vec![b'x'; size]);
            for (_, ack) in acks.iter().filter(|(when, _)| *when == number) {
                bench.ack(*ack);
            }
            prop_assert!(bench.stream.segments.len() <= segments_max);
            prop_assert!(bench.stream.buffered() <= bytes_max);
        }
        bench.flush();
        prop_assert_eq!(bench.stream.next, Some(bench.passed));
    }
}

/// A stream and what it passed on: pieces with `|` between them, gaps as `<length>`.
struct Bench {
    stream: Stream,
    terms: Terms,
    out: String,
    passed: u32,
}

impl Bench {
    fn from(start: u32) -> Self {
        let mut stream = Stream::default();
        stream.start(start);
        Self {
            stream,
            terms: WIDE,
            out: String::new(),
            passed: start,
        }
    }

    fn push(&mut self, seq: u32, data: &[u8]) -> Pushed {
        let (out, passed) = (&mut self.out, &mut self.passed);
        self.stream.push(seq, data, 0, self.terms, &mut |chunk| {
            note(out, passed, &chunk)
        })
    }

    fn leave_out(&mut self, seq: u32) {
        let (out, passed) = (&mut self.out, &mut self.passed);
        self.stream
            .leave_out(seq, 0, self.terms, &mut |chunk| note(out, passed, &chunk));
    }

    fn ack(&mut self, ack: u32) {
        let (out, passed) = (&mut self.out, &mut self.passed);
        self.stream
            .acknowledged(ack, self.terms, &mut |chunk| note(out, passed, &chunk));
    }

    fn flush(&mut self) {
        let (out, passed) = (&mut self.out, &mut self.passed);
        self.stream
            .flush(self.terms, &mut |chunk| note(out, passed, &chunk));
    }

    fn text(&self) -> String {
        self.out.replace('|', "")
    }
}

fn note(out: &mut String, passed: &mut u32, chunk: &Chunk<'_>) {
    if matches!(chunk, Chunk::Beyond(..)) {
        return;
    }
    if !out.is_empty() {
        out.push('|');
    }
    match chunk {
        Chunk::Data(data, _) => {
            out.push_str(std::str::from_utf8(data).unwrap());
            *passed = passed.wrapping_add(data.len() as u32);
        }
        Chunk::Beyond(..) => {}
        Chunk::Gap(len) => {
            out.push_str(&format!("<{len}>"));
            *passed = passed.wrapping_add(*len as u32);
        }
    }
}
