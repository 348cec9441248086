//! What a body says once chunk sizes and content codings are off it: for inspection, and as files.

use super::head::Head;
use super::multipart::{Multipart, Part};
use super::name::{content_range, disposition_name};
use super::options::BOMB_RATIO_MAX;
use super::transaction::Transaction;
use crate::applayer::{Context, Options};
use crate::coding::{Bounds, Coding, Damage, Layer};
use crate::file::{File, FileInfo, FileState};
use crate::flow::Direction;
use crate::ranges::Range;

/// The body of one message as it comes.
#[derive(Debug)]
pub(super) struct Content {
    direction: Direction,
    /// Content codings, the outermost first.
    layers: Vec<Layer>,
    multipart: Option<Multipart>,
    name: Vec<u8>,
    range: Option<(u64, u64)>,
    /// The range as it comes, to be put together with others.
    part: Option<Range>,
    file: Option<File>,
    /// Decoded bytes so far.
    decoded: u64,
    /// Most of them that are followed; 0 for all.
    max: u64,
    files: Files,
    /// Its files are followed.
    has_files: bool,
    /// No more is followed.
    over: bool,
    /// That it cannot be decoded was reported.
    reported: bool,
}

/// Files of a body that are over but not told of yet: they are told of with a packet that goes their
/// way, unless bytes come with their own packet. An idle connection may keep them for as long as it
/// is open, so nothing else of the body is kept with them.
#[derive(Debug, Default)]
pub(super) struct Files {
    over: Vec<FileInfo>,
    /// The range that the body was, and the name of the file that it is a part of.
    part: Option<Box<(Range, Vec<u8>)>>,
}

impl Content {
    /// Of a request; `name` is the path that it asks for.
    pub(super) fn of_request(
        head: &Head,
        name: &[u8],
        options: &Options,
        oddities: &mut Vec<&'static str>,
    ) -> Self {
        let kind = head.header(b"content-type");
        let multipart = kind.and_then(|kind| Multipart::of(kind.bytes));
        let method = head.start_part(0).bytes;
        Self {
            multipart: multipart.filter(|_| method == b"POST"),
            has_files: matches!(method, b"POST" | b"PUT"),
            ..Self::new(head, Direction::ToServer, name, options, oddities)
        }
    }

    /// Of the response to a request.
    pub(super) fn of_response(
        head: &Head,
        request: &Transaction,
        options: &Options,
        oddities: &mut Vec<&'static str>,
    ) -> Self {
        let disposition = head.header(b"content-disposition");
        let named = disposition.and_then(|value| disposition_name(value.bytes));
        let range = head.header(b"content-range");
        let range = range.and_then(|value| content_range(value.bytes));
        let name = named.unwrap_or(request.path());
        let mut content = Self::new(head, Direction::ToClient, name, options, oddities);
        content.range = range.and_then(part_of);
        content.part = content.range.map(|(first, total)| {
            let host = request.host().unwrap_or_default();
            Range::new(&[host, request.path()].concat(), first, total)
        });
        content
    }

    /// Of a response that has no head.
    pub(super) fn of_headless_response(name: &[u8], options: &Options) -> Self {
        Self::plain(Direction::ToClient, name, options)
    }

    fn new(
        head: &Head,
        direction: Direction,
        name: &[u8],
        options: &Options,
        oddities: &mut Vec<&'static str>,
    ) -> Self {
        let bounds = Bounds {
            bomb_bytes_max: options.http.bomb_bytes_max,
            ratio_max: BOMB_RATIO_MAX,
            lzma_mem_max: options.http.lzma_mem_max,
        };
        let codings = codings(head, options, oddities);
        let layers = codings.into_iter().map(|coding| Layer::new(coding, bounds));
        Self {
            layers: layers.collect(),
            ..Self::plain(direction, name, options)
        }
    }

    fn plain(direction: Direction, name: &[u8], options: &Options) -> Self {
        let name = name.get(..NAME_BYTES_MAX.min(name.len()));
        Self {
            direction,
            layers: Vec::new(),
            multipart: None,
            name: name.unwrap_or_default().to_vec(),
            range: None,
            part: None,
            file: None,
            decoded: 0,
            max: match direction {
                Direction::ToServer => options.http.request_body_max,
                Direction::ToClient => options.http.response_body_max,
            },
            files: Files::default(),
            has_files: true,
            over: false,
            reported: false,
        }
    }

    /// Memory in use, about, bytes.
    pub(super) fn size(&self) -> usize {
        let layers = self.layers.iter().map(Layer::size);
        let multipart = self.multipart.as_ref().map_or(0, Multipart::size);
        let kept = self.part.as_ref().map_or(multipart, Range::size);
        layers.fold(
            kept.saturating_add(self.files.size()),
            usize::saturating_add,
        )
    }

    /// Takes the next bytes of the body.
    pub(super) fn data(&mut self, cx: &mut Context<'_, '_>, tx: &mut Transaction, data: &[u8]) {
        if self.over || data.is_empty() {
            return;
        }
        if self.layers.is_empty() {
            return self.content(cx, tx, data);
        }
        let mut layers = std::mem::take(&mut self.layers);
        let mut damage = None;
        unlayer(&mut layers, data, &mut damage, &mut |bytes| {
            self.content(cx, tx, bytes);
        });
        self.layers = layers;
        match damage {
            Some(Damage::Bomb) => {
                cx.counters.decompression_max_hit =
                    cx.counters.decompression_max_hit.saturating_add(1);
                cx.anomaly_in(tx.tx_id, "COMPRESSION_BOMB");
                self.finish(cx, tx, FileState::Truncated);
            }
            Some(Damage::Undecodable) if !std::mem::replace(&mut self.reported, true) => {
                cx.anomaly_in(tx.tx_id, "GZIP_DECOMPRESSION_FAILED");
            }
            Some(Damage::Undecodable) | None => {}
        }
    }

    /// So many bytes of the body are missing.
    pub(super) fn gap(&mut self, cx: &mut Context<'_, '_>, tx: &Transaction, len: u64) {
        if self.over {
            return;
        }
        if self.multipart.is_some() || !self.layers.is_empty() {
            // what follows cannot be placed
            return self.finish(cx, tx, FileState::Truncated);
        }
        // what is missing does not count for the limit: it takes nobody's time
        self.part = None;
        self.open(cx);
        if let Some(file) = &mut self.file {
            file.skip(len);
        }
    }

    /// The body is over, or nothing more of it will come.
    pub(super) fn finish(&mut self, cx: &mut Context<'_, '_>, tx: &Transaction, state: FileState) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        if let Some(mut multipart) = self.multipart.take() {
            multipart.end(&mut |part| self.part(cx, tx, part));
        }
        self.layers = Vec::new();
        let (part, name) = (self.part.take(), std::mem::take(&mut self.name));
        if state == FileState::Closed {
            self.files.part = part.map(|part| Box::new((part, name)));
        }
        self.close(cx, tx, state);
    }

    /// The body ended where its sender did not end it: nobody can tell what it was to be.
    pub(super) fn abandon(&mut self, cx: &mut Context<'_, '_>, tx: &Transaction) {
        if let Some(file) = &mut self.file {
            file.forget_digests();
        }
        self.finish(cx, tx, FileState::Truncated);
    }

    /// What follows does not belong to it: what is coded ends here, and is not whole.
    pub(super) fn end_coded(&mut self, cx: &mut Context<'_, '_>, tx: &Transaction) {
        if !self.layers.is_empty() {
            self.abandon(cx, tx);
        }
    }

    /// Whether no more of it is followed.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Whether there are files to tell of.
    pub(super) fn is_untold(&self) -> bool {
        self.files.is_untold()
    }

    /// Tells of the files that are over.
    pub(super) fn tell(&mut self, cx: &mut Context<'_, '_>, tx: &Transaction) {
        self.files.tell(cx, tx, self.direction);
    }

    /// The files that are over, when no more of the body will come.
    pub(super) fn into_files(self) -> Files {
        self.files
    }

    fn close(&mut self, cx: &mut Context<'_, '_>, tx: &Transaction, state: FileState) {
        let Some(file) = self.file.take() else { return };
        let over = &mut self.files.over;
        if over.is_empty() {
            // most bodies are one file: room for four would be kept on each open connection
            over.reserve_exact(1);
        }
        over.push(file.end(state));
        if cx.is_prompt() || over.len() > CLOSED_MAX {
            self.tell(cx, tx);
        }
    }

    fn content(&mut self, cx: &mut Context<'_, '_>, tx: &mut Transaction, data: &[u8]) {
        if self.over {
            return;
        }
        let room = match self.max {
            0 => usize::MAX,
            _ if cx.flow.keeps_files => usize::MAX,
            max => usize::try_from(max.saturating_sub(self.decoded)).unwrap_or(usize::MAX),
        };
        let (data, beyond) = data.split_at_checked(room).unwrap_or((data, &[]));
        let len = u64::try_from(data.len()).unwrap_or(u64::MAX);
        self.decoded = self.decoded.saturating_add(len);
        tx.keep_body(self.direction, data);
        if let Some(mut multipart) = self.multipart.take() {
            multipart.push(data, &mut |part| self.part(cx, tx, part));
            self.multipart = Some(multipart);
        } else {
            self.open(cx);
            if let Some(file) = &mut self.file {
                file.data(cx, tx, data);
            }
            if let Some(part) = &mut self.part {
                part.data(data);
            }
        }
        if !beyond.is_empty() {
            cx.counters.bodies_max_hit = cx.counters.bodies_max_hit.saturating_add(1);
            if let Some(file) = &mut self.file {
                file.cut();
            }
            self.finish(cx, tx, FileState::Truncated);
        }
    }

    fn open(&mut self, cx: &mut Context<'_, '_>) {
        if self.file.is_none() && self.has_files {
            let mut file = File::open(cx, self.direction, &self.name);
            if let Some((first, total)) = self.range {
                file.set_range(first, total);
            }
            self.file = Some(file);
        }
    }

    fn part(&mut self, cx: &mut Context<'_, '_>, tx: &Transaction, part: Part<'_>) {
        match part {
            Part::Begin(name) => {
                let name = name.get(..NAME_BYTES_MAX.min(name.len()));
                self.file = Some(File::open(cx, self.direction, name.unwrap_or_default()));
            }
            Part::Data(data) => {
                if let Some(file) = &mut self.file {
                    file.data(cx, tx, data);
                }
            }
            Part::End => self.close(cx, tx, FileState::Closed),
            Part::Damage(name) => cx.anomaly_in(tx.tx_id, name),
        }
    }
}

impl Files {
    /// Whether there are files to tell of.
    pub(super) fn is_untold(&self) -> bool {
        !self.over.is_empty()
    }

    /// Memory in use, about, bytes.
    pub(super) fn size(&self) -> usize {
        let part = self.part.as_ref().map_or(0, |part| part.0.size());
        let over = self.over.len().saturating_mul(size_of::<FileInfo>());
        part.saturating_add(over)
    }

    /// Tells of them, the file first that the body completes.
    pub(super) fn tell(
        &mut self,
        cx: &mut Context<'_, '_>,
        tx: &Transaction,
        direction: Direction,
    ) {
        if let Some(part) = self.part.take_if(|_| !self.over.is_empty()) {
            let (range, name) = *part;
            range.close(cx, tx, direction, &name);
        }
        for file in std::mem::take(&mut self.over) {
            file.tell(cx, tx);
        }
    }
}

/// Takes all layers off.
fn unlayer(
    layers: &mut [Layer],
    data: &[u8],
    damage: &mut Option<Damage>,
    out: &mut dyn FnMut(&[u8]),
) {
    let Some((layer, inner)) = layers.split_first_mut() else {
        return out(data);
    };
    let mut deeper = None;
    let result = layer.push(data, &mut |bytes| unlayer(inner, bytes, &mut deeper, out));
    if let Some(found) = result.err().or(deeper) {
        *damage = Some(found);
    }
}

/// The content codings to take off, the outermost first: sent last, it was put on last.
fn codings(head: &Head, options: &Options, oddities: &mut Vec<&'static str>) -> Vec<Coding> {
    let mut codings = Vec::new();
    let (mut layers, mut abnormal) = (0_usize, false);
    let mut tokens = 0_usize;
    for value in head.values(b"content-encoding") {
        for token in value.bytes.split(|byte| *byte == b',') {
            let token: Vec<u8> = token.iter().copied().filter(|byte| *byte != 0).collect();
            let token = token.trim_ascii();
            if token.is_empty() {
                continue;
            }
            tokens = tokens.saturating_add(1);
            for part in token.split(|byte| *byte == b' ') {
                layers = layers.saturating_add(1);
                codings.extend(coding(part, options, &mut abnormal));
            }
        }
    }
    let layers_max = options.http.layers_max.min(LAYERS_MAX);
    if layers > layers_max && codings.len() > 1 {
        oddities.push("TOO_MANY_ENCODING_LAYERS");
    } else if abnormal && tokens == 1 {
        oddities.push("ABNORMAL_CE_HEADER");
    }
    codings.reverse();
    codings.truncate(layers_max);
    codings
}

/// A coding by its name, or by something like it.
fn coding(token: &[u8], options: &Options, abnormal: &mut bool) -> Option<Coding> {
    let is = |names: &[&str]| {
        let same = |name: &&str| token.eq_ignore_ascii_case(name.as_bytes());
        names.iter().any(same)
    };
    let holds = |name: &[u8]| {
        token
            .windows(name.len())
            .any(|part| part.eq_ignore_ascii_case(name))
    };
    if is(&["gzip", "x-gzip"]) {
        return Some(Coding::Gzip);
    }
    if is(&["deflate", "x-deflate"]) {
        return Some(Coding::Deflate);
    }
    if is(&["br"]) {
        return Some(Coding::Brotli);
    }
    if is(&["lzma"]) {
        return options.http.lzma.then_some(Coding::Lzma);
    }
    if is(&["identity", "none"]) {
        return None;
    }
    *abnormal = true;
    if holds(b"gzip") {
        Some(Coding::Gzip)
    } else if holds(b"deflate") {
        Some(Coding::Deflate)
    } else {
        None
    }
}

/// The place of a part in the whole, where it is not all of it.
fn part_of([first, last, total]: [Option<u64>; 3]) -> Option<(u64, u64)> {
    let (first, last) = (first?, last?);
    let whole = first == 0 && total.is_some_and(|total| last.checked_add(1) == Some(total));
    (!whole).then(|| (first, total.unwrap_or(0)))
}

/// Most files of a message that are held back until a packet goes their way.
const CLOSED_MAX: usize = 64;
/// Most layers whatever the settings say.
const LAYERS_MAX: usize = 8;
/// Longest file name kept.
const NAME_BYTES_MAX: usize = 1024;
