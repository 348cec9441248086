//! Content codings (RFC 9110 section 8.4.1) taken off as a stream: gzip, deflate, br, lzma.
//!
//! Senders lie about codings and receivers guess, so what is declared is only tried first. A layer
//! that fits nothing passes its bytes on as they are.

use std::io::Write as _;

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    /// zlib (RFC 1950) by name, raw deflate (RFC 1951) as often as not.
    Deflate,
    Brotli,
    Lzma,
}

/// Bounds of decoding one body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Most decoded bytes once they are more than `ratio_max` times what was sent.
    pub(crate) bomb_bytes_max: u64,
    pub(crate) ratio_max: u64,
    /// Most memory for an LZMA dictionary, bytes.
    pub(crate) lzma_mem_max: usize,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage {
    /// It decodes to far more than it is.
    Bomb,
    /// It is broken in the midst.
    Undecodable,
}

/// One layer being taken off.
pub(crate) struct Layer {
    coding: Coding,
    state: State,
    /// What came before the first byte came out: for another try.
    tried: Vec<u8>,
    tries: u8,
    bounds: Bounds,
    sent: u64,
    decoded: u64,
    /// Bytes of a Brotli window.
    window: usize,
}

enum State {
    /// The header of a gzip member.
    GzipHead(Vec<u8>),
    Inflate(Box<Inflate>),
    Brotli(Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>),
    Lzma(Box<lzma_rs::decompress::Stream<Vec<u8>>>, usize),
    /// Not what it was said to be: bytes pass.
    Plain,
    /// The coded bytes are over; what follows is not content.
    Over,
}

struct Inflate {
    core: DecompressorOxide,
    window: Vec<u8>,
    at: usize,
    zlib: bool,
}

impl std::fmt::Debug for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Layer")
            .field("coding", &self.coding)
            .finish_non_exhaustive()
    }
}

impl Layer {
    pub(crate) fn new(coding: Coding, bounds: Bounds) -> Self {
        Self {
            coding,
            state: State::GzipHead(Vec::new()),
            tried: Vec::new(),
            tries: 0,
            bounds,
            sent: 0,
            decoded: 0,
            window: 0,
        }
        .first_try()
    }

    fn first_try(mut self) -> Self {
        self.state = match self.coding {
            Coding::Gzip => State::GzipHead(Vec::new()),
            Coding::Deflate => inflate(false),
            Coding::Brotli => State::Brotli(Box::new(BrotliState::new(
                StandardAlloc::default(),
                StandardAlloc::default(),
                StandardAlloc::default(),
            ))),
            Coding::Lzma => {
                let options = lzma_rs::decompress::Options {
                    memlimit: Some(self.bounds.lzma_mem_max),
                    allow_incomplete: true,
                    ..lzma_rs::decompress::Options::default()
                };
                let stream = lzma_rs::decompress::Stream::new_with_options(&options, Vec::new());
                State::Lzma(Box::new(stream), 0)
            }
        };
        self
    }

    /// Memory in use, about, bytes.
    pub(crate) fn size(&self) -> usize {
        let state = match &self.state {
            State::GzipHead(head) => head.len(),
            State::Inflate(_) => WINDOW_BYTES.saturating_add(size_of::<Inflate>()),
            State::Brotli(_) => BROTLI_BYTES.saturating_add(self.window),
            State::Lzma(_, given) => self.bounds.lzma_mem_max.saturating_add(*given),
            State::Plain | State::Over => 0,
        };
        state.saturating_add(self.tried.len())
    }

    /// Whether the coded bytes are over.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Takes the next coded bytes and hands on what comes out.
    pub(crate) fn push(&mut self, data: &[u8], out: &mut dyn FnMut(&[u8])) -> Result<(), Damage> {
        if self.sent == 0 && self.coding == Coding::Brotli {
            self.window = data.first().map_or(0, |byte| brotli_window(*byte));
        }
        self.sent = self.sent.saturating_add(to_u64(data.len()));
        if self.decoded == 0 {
            let room = TRIED_BYTES_MAX.saturating_sub(self.tried.len());
            let front = data.get(..room.min(data.len())).unwrap_or_default();
            self.tried.extend_from_slice(front);
        }
        let failed = self.decode(data, out)?;
        if !failed {
            if self.decoded > 0 {
                self.tried = Vec::new();
            }
            return Ok(());
        }
        self.try_again(out)
    }

    /// What was said does not fit: tries the others, and lets it pass when none fits.
    fn try_again(&mut self, out: &mut dyn FnMut(&[u8])) -> Result<(), Damage> {
        let whole = self.sent <= to_u64(self.tried.len());
        if self.decoded > 0 || !whole {
            self.state = State::Over;
            return Err(Damage::Undecodable);
        }
        let tried = std::mem::take(&mut self.tried);
        while self.tries < TRIES_MAX {
            self.tries = self.tries.saturating_add(1);
            let other = match (self.coding, self.tries) {
                (Coding::Gzip | Coding::Deflate, 1) | (Coding::Brotli, 2) => inflate(true),
                (Coding::Deflate, 2) | (Coding::Brotli, 1) => State::GzipHead(Vec::new()),
                // raw deflate has no mark by which text could be told from it
                (Coding::Gzip, 2) if is_deflate(&tried) => inflate(false),
                _ => break,
            };
            self.state = other;
            if !self.decode(&tried, out)? {
                if self.decoded == 0 {
                    self.tried = tried;
                }
                return Ok(());
            }
            if self.decoded > 0 {
                break;
            }
        }
        if self.decoded > 0 {
            self.state = State::Over;
            return Err(Damage::Undecodable);
        }
        self.state = State::Plain;
        out(&tried);
        Ok(())
    }

    /// Whether it failed.
    fn decode(&mut self, mut data: &[u8], out: &mut dyn FnMut(&[u8])) -> Result<bool, Damage> {
        if let State::GzipHead(head) = &mut self.state {
            let before = head.len();
            head.extend_from_slice(data);
            match gzip_head(head) {
                GzipHead::Unsure if head.len() <= GZIP_HEAD_BYTES_MAX => return Ok(false),
                GzipHead::Unsure | GzipHead::No => return Ok(true),
                GzipHead::Len(len) => {
                    data = data.get(len.saturating_sub(before)..).unwrap_or_default();
                    self.state = inflate(false);
                }
            }
        }
        let (bounds, sent) = (self.bounds, self.sent);
        let decoded = &mut self.decoded;
        let mut bomb = false;
        let mut take = |bytes: &[u8]| {
            let len = decoded.saturating_add(to_u64(bytes.len()));
            bomb |= len > bounds.bomb_bytes_max && len > sent.saturating_mul(bounds.ratio_max);
            *decoded = len;
            if !bomb && !bytes.is_empty() {
                out(bytes);
            }
            !bomb
        };
        let end = match &mut self.state {
            State::Inflate(inflate) => inflate.push(data, &mut take),
            State::Brotli(state) => brotli(state, data, &mut take),
            State::Lzma(stream, given) => lzma(stream, given, data, &mut take),
            State::Plain => {
                take(data);
                End::More
            }
            State::GzipHead(_) | State::Over => End::More,
        };
        if bomb {
            self.state = State::Over;
            return Err(Damage::Bomb);
        }
        if end == End::Over {
            self.state = State::Over;
        }
        Ok(end == End::Failed)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    More,
    Over,
    Failed,
}

type Take<'t> = dyn FnMut(&[u8]) -> bool + 't;

fn inflate(zlib: bool) -> State {
    State::Inflate(Box::new(Inflate {
        core: DecompressorOxide::new(),
        window: vec![0; WINDOW_BYTES],
        at: 0,
        zlib,
    }))
}

impl Inflate {
    fn push(&mut self, mut data: &[u8], take: &mut Take<'_>) -> End {
        let zlib = if self.zlib {
            inflate_flags::TINFL_FLAG_PARSE_ZLIB_HEADER
        } else {
            0
        };
        let flags = zlib
            | inflate_flags::TINFL_FLAG_HAS_MORE_INPUT
            | inflate_flags::TINFL_FLAG_IGNORE_ADLER32;
        loop {
            let (status, used, len) =
                decompress(&mut self.core, data, &mut self.window, self.at, flags);
            data = data.get(used..).unwrap_or_default();
            let end = self.at.saturating_add(len);
            if !take(self.window.get(self.at..end).unwrap_or_default()) {
                return End::Over;
            }
            self.at = end % WINDOW_BYTES;
            match status {
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput => return End::More,
                TINFLStatus::Done => return End::Over,
                TINFLStatus::FailedCannotMakeProgress if data.is_empty() => return End::More,
                TINFLStatus::FailedCannotMakeProgress
                | TINFLStatus::BadParam
                | TINFLStatus::Adler32Mismatch
                | TINFLStatus::Failed => return End::Failed,
            }
        }
    }
}

/// Whether all of these bytes, or enough of them, may be raw deflate.
fn is_deflate(data: &[u8]) -> bool {
    let State::Inflate(mut inflate) = inflate(false) else {
        return false;
    };
    let mut len = 0_usize;
    let end = inflate.push(data, &mut |bytes| {
        len = len.saturating_add(bytes.len());
        len < DEFLATE_SURE_BYTES
    });
    end != End::Failed
}

fn brotli(
    state: &mut BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    data: &[u8],
    take: &mut Take<'_>,
) -> End {
    let (mut left, mut offset, mut total) = (data.len(), 0, 0);
    let mut buffer = vec![0; BROTLI_OUT_BYTES];
    loop {
        let (mut room, mut at) = (buffer.len(), 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut offset,
            data,
            &mut room,
            &mut at,
            &mut buffer,
            &mut total,
            state,
        );
        if !take(buffer.get(..at).unwrap_or_default()) {
            return End::Over;
        }
        match result {
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::NeedsMoreInput => return End::More,
            BrotliResult::ResultSuccess => return End::Over,
            BrotliResult::ResultFailure => return End::Failed,
        }
    }
}

/// The window that the first byte of a Brotli stream asks for (RFC 7932 section 9.1), bytes.
fn brotli_window(first: u8) -> usize {
    let bits = match (first & 1, first >> 1 & 7, first >> 4 & 7) {
        (0, ..) => 16,
        (_, 0, 0) => 17,
        (_, 0, n) => n.saturating_add(8),
        (_, n, _) => n.saturating_add(17),
    };
    1_usize.checked_shl(bits.into()).unwrap_or(usize::MAX)
}

fn lzma(
    stream: &mut lzma_rs::decompress::Stream<Vec<u8>>,
    given: &mut usize,
    data: &[u8],
    take: &mut Take<'_>,
) -> End {
    for part in data.chunks(LZMA_IN_BYTES) {
        let written = stream.write_all(part);
        let bytes = stream.get_output().map(|all| {
            let new = all.get(*given..).unwrap_or_default().to_vec();
            *given = all.len();
            new
        });
        let more = take(&bytes.unwrap_or_default());
        match written {
            Ok(()) if more && *given <= LZMA_OUT_BYTES_MAX => {}
            Ok(()) => return End::Over,
            Err(_) => return End::Failed,
        }
    }
    End::More
}

#[derive(Debug, PartialEq, Eq)]
enum GzipHead {
    Unsure,
    No,
    Len(usize),
}

/// RFC 1952 section 2.3; flags that it does not know are passed over.
fn gzip_head(data: &[u8]) -> GzipHead {
    let front = data.get(..3.min(data.len())).unwrap_or_default();
    if !b"\x1f\x8b\x08".starts_with(front) {
        return GzipHead::No;
    }
    let Some(flags) = data.get(3).copied().filter(|_| data.len() >= 10) else {
        return GzipHead::Unsure;
    };
    let len = gzip_fields(data, flags);
    len.filter(|len| *len <= data.len())
        .map_or(GzipHead::Unsure, GzipHead::Len)
}

fn gzip_fields(data: &[u8], flags: u8) -> Option<usize> {
    let mut at = 10_usize;
    if flags & 4 != 0 {
        let len = data.get(at..)?.first_chunk::<2>()?;
        at = at
            .checked_add(2)?
            .checked_add(usize::from(u16::from_le_bytes(*len)))?;
    }
    for flag in [8, 16] {
        if flags & flag != 0 {
            let text = memchr::memchr(0, data.get(at..)?)?;
            at = at.checked_add(text)?.checked_add(1)?;
        }
    }
    if flags & 2 != 0 {
        at = at.checked_add(2)?;
    }
    Some(at)
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

const WINDOW_BYTES: usize = 32 << 10;
const BROTLI_OUT_BYTES: usize = 16 << 10;
/// About what a Brotli decoder holds besides its window, which the format bounds to 16 MiB.
const BROTLI_BYTES: usize = 256 << 10;
const LZMA_IN_BYTES: usize = 256;
/// Most bytes that come out of LZMA, which keeps its output.
const LZMA_OUT_BYTES_MAX: usize = 4 << 20;
/// Most ways in which a layer is tried after the declared one.
const TRIES_MAX: u8 = 2;
/// Most coded bytes kept for another try.
const TRIED_BYTES_MAX: usize = 64 << 10;
/// Bytes that came out of what is no deflate are fewer.
const DEFLATE_SURE_BYTES: usize = 4 << 10;
const GZIP_HEAD_BYTES_MAX: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        bomb_bytes_max: 1 << 20,
        ratio_max: 2048,
        lzma_mem_max: 1 << 20,
    };

    fn decode(coding: Coding, data: &[u8], step: usize) -> (Vec<u8>, Result<(), Damage>) {
        let mut layer = Layer::new(coding, BOUNDS);
        let (mut all, mut result) = (Vec::new(), Ok(()));
        for part in data.chunks(step) {
            let pushed = layer.push(part, &mut |bytes| all.extend_from_slice(bytes));
            result = result.and(pushed);
        }
        (all, result)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut all = b"\x1f\x8b\x08\x08\0\0\0\0\0\x03name\0".to_vec();
        all.extend(miniz_oxide::deflate::compress_to_vec(text, 6));
        all.extend([0; 8]);
        all
    }

    #[test]
    fn what_is_declared_need_not_be_what_it_is() {
        let text = b"hello hello hello hello".repeat(9);
        let raw = miniz_oxide::deflate::compress_to_vec(&text, 6);
        let zlib = miniz_oxide::deflate::compress_to_vec_zlib(&text, 6);
        for coding in [Coding::Gzip, Coding::Deflate] {
            for data in [&gzip(&text), &raw, &zlib] {
                for step in [1, 7, 10_000] {
                    if coding == Coding::Gzip && *data == raw && step == 1 {
                        // the first byte is no gzip, and says nothing more
                        continue;
                    }
                    let (all, result) = decode(coding, data, step);
                    assert_eq!(all, text, "{coding:?} in steps of {step}");
                    assert_eq!(result, Ok(()));
                }
            }
        }
    }

    #[test]
    fn what_is_said_to_be_brotli_may_be_something_else() {
        let text = b"hello hello hello hello".repeat(9);
        let zlib = miniz_oxide::deflate::compress_to_vec_zlib(&text, 6);
        for data in [&gzip(&text), &zlib] {
            assert_eq!(decode(Coding::Brotli, data, 10_000), (text.clone(), Ok(())));
        }
    }

    #[test]
    fn what_is_not_coded_passes() {
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli] {
            let (all, result) = decode(coding, b"X5O! plain text, no coding at all", 100);
            assert_eq!(all, b"X5O! plain text, no coding at all", "{coding:?}");
            assert_eq!(result, Ok(()));
        }
    }

    #[test]
    fn brotli() {
        let sent = b"\x0b\x02\x80hello\x03";
        for step in [1, 3, 100] {
            let (all, result) = decode(Coding::Brotli, sent, step);
            assert_eq!((&all[..], result), (&b"hello"[..], Ok(())));
        }
        assert_eq!(brotli_window(0x0b), 1 << 22);
        assert_eq!(brotli_window(0x00), 1 << 16);
    }

    #[test]
    fn bombs_are_stopped() {
        let bounds = Bounds {
            bomb_bytes_max: 50_000,
            ratio_max: 100,
            ..BOUNDS
        };
        let sent = miniz_oxide::deflate::compress_to_vec(&[0; 1_000_000], 9);
        let mut layer = Layer::new(Coding::Deflate, bounds);
        let mut len = 0;
        let result = layer.push(&sent, &mut |bytes| len += bytes.len());
        assert_eq!(result, Err(Damage::Bomb));
        assert!(len <= 200_000, "{len}");
    }

    #[test]
    fn truncated_data_gives_what_is_there() {
        let sent = gzip(&b"abcdefgh".repeat(1000));
        let (all, result) = decode(Coding::Gzip, &sent[..sent.len() - 12], 5);
        assert!(all.len() > 10 && result.is_ok());
    }
}
