//! The body of one direction of a stream, as a file.

use super::doh;
use super::transaction::{BODY_BYTES_MAX, Transaction};
use crate::applayer::http1::{BOMB_RATIO_MAX, content_range, disposition_name};
use crate::applayer::{Context, Options};
use crate::coding::{Bounds, Coding, Damage, Layer};
use crate::file::{File, FileInfo, FileState};
use crate::flow::Direction;
use crate::ranges::Range;

#[derive(Debug)]
pub(super) struct Content {
    direction: Direction,
    layer: Option<Layer>,
    file: Option<File>,
    /// The file is over, but was not told of.
    closed: Option<FileInfo>,
    /// The range as it comes, to be put together with others.
    part: Option<(Range, Vec<u8>)>,
    over: bool,
}

impl Content {
    /// For a body behind these header fields.
    pub(super) fn new(cx: &mut Context<'_, '_>, direction: Direction, tx: &Transaction) -> Self {
        let message = tx.message(direction);
        let coding = message.header(b"content-encoding").and_then(coding);
        let bounds = bounds(&cx.config.apps);
        let disposition = message.header(b"content-disposition");
        let name = disposition.and_then(disposition_name).unwrap_or_default();
        let file = File::open(cx, direction, name);
        let range = message.header(b"content-range").and_then(content_range);
        let part = range.and_then(|[first, last, total]| {
            let target = tx.target().unwrap_or_default();
            let path = target
                .split(|byte| *byte == b'?')
                .next()
                .unwrap_or_default();
            let key = [tx.host().unwrap_or_default(), path].concat();
            last?;
            Some((Range::new(&key, first?, total?), path.to_vec()))
        });
        Self {
            direction,
            layer: coding.map(|coding| Layer::new(coding, bounds)),
            file: Some(file),
            closed: None,
            part,
            over: false,
        }
    }

    pub(super) fn size(&self) -> usize {
        let kept = self.part.as_ref().map_or(0, |(part, _)| part.size());
        self.layer
            .as_ref()
            .map_or(kept, |layer| layer.size().saturating_add(kept))
    }

    pub(super) fn data(&mut self, cx: &mut Context<'_, '_>, tx: &mut Transaction, data: &[u8]) {
        if self.over {
            return;
        }
        let Some(mut layer) = self.layer.take() else {
            return self.content(cx, tx, data);
        };
        let result = layer.push(data, &mut |bytes| self.content(cx, tx, bytes));
        self.layer = Some(layer);
        match result {
            Ok(()) => {}
            Err(Damage::Undecodable) => cx.anomaly_in(tx.tx_id, "failed_decompression"),
            Err(Damage::Bomb) => {
                cx.counters.decompression_max_hit =
                    cx.counters.decompression_max_hit.saturating_add(1);
                cx.anomaly_in(tx.tx_id, "compression_bomb");
                self.finish(cx, tx, FileState::Truncated);
            }
        }
    }

    pub(super) fn gap(&mut self, cx: &mut Context<'_, '_>, tx: &mut Transaction, len: u64) {
        if self.layer.is_some() {
            return self.finish(cx, tx, FileState::Truncated);
        }
        self.part = None;
        if let Some(file) = &mut self.file {
            file.skip(len);
        }
    }

    pub(super) fn finish(
        &mut self,
        cx: &mut Context<'_, '_>,
        tx: &mut Transaction,
        state: FileState,
    ) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        self.layer = None;
        if state == FileState::Closed {
            doh::look_at_body(cx, self.direction, tx);
        }
        if state != FileState::Closed {
            self.part = None;
        }
        self.closed = self.file.take().map(|file| file.end(state));
    }

    /// Whether there is a file to tell of.
    pub(super) fn is_untold(&self) -> bool {
        self.closed.is_some()
    }

    /// Tells of the file that is over.
    pub(super) fn tell(&mut self, cx: &mut Context<'_, '_>, tx: &Transaction) {
        if let Some(file) = self.closed.take() {
            if let Some((part, name)) = self.part.take() {
                part.close(cx, tx, self.direction, &name);
            }
            file.tell(cx, tx);
        }
    }

    fn content(&mut self, cx: &mut Context<'_, '_>, tx: &mut Transaction, data: &[u8]) {
        let message = tx.message_mut(self.direction);
        let body = &mut message.body;
        let room = BODY_BYTES_MAX.saturating_sub(body.len()).min(data.len());
        body.extend_from_slice(data.get(..room).unwrap_or_default());
        let before = message.body_len;
        let len = u64::try_from(data.len()).unwrap_or(u64::MAX);
        message.body_len = before.saturating_add(len);
        let is_long = message.body_len > doh::MESSAGE_BYTES_MAX;
        if is_long && before <= doh::MESSAGE_BYTES_MAX && doh::is_announced(cx, self.direction, tx)
        {
            cx.too_large_in(
                tx.tx_id,
                match self.direction {
                    Direction::ToServer => "dns_request_too_long",
                    Direction::ToClient => "dns_response_too_long",
                },
            );
        }
        if let Some(file) = &mut self.file {
            file.data(cx, tx, data);
        }
        if let Some((part, _)) = &mut self.part {
            part.data(data);
        }
    }
}

fn bounds(options: &Options) -> Bounds {
    Bounds {
        bomb_bytes_max: options.http2.bomb_bytes_max,
        ratio_max: BOMB_RATIO_MAX,
        lzma_mem_max: options.http.lzma_mem_max,
    }
}

fn coding(value: &[u8]) -> Option<Coding> {
    match value.trim_ascii().to_ascii_lowercase().as_slice() {
        b"gzip" | b"x-gzip" => Some(Coding::Gzip),
        b"deflate" => Some(Coding::Deflate),
        b"br" => Some(Coding::Brotli),
        _ => None,
    }
}
