//! Rules that look into files.
//!
//! A side of a transaction carries files, some of them at a time. Each inspection of a rule is asked
//! of all of them: one may have the name and another the bytes that a rule is after, as with
//! Suricata. What held of a file holds on when the next one comes.

use std::sync::Arc;

use packet::{Direction, FileChunk, FileInfo, Flow, FlowId, Transaction};

use super::super::rule::{Inspection, Rule, Store, StoreScope};
use super::super::scene::{FileScene, Scene, Sides, Stage, Values};
use super::super::set::RuleSet;
use super::candidates::Search;
use super::carrier::{
    CARRIERS_MAX, Carrier, FILE_BYTES_MAX, FILE_OVERLAP, FILES_MAX, HEAD_BYTES_MAX, Known, Passing,
    STORES_MAX,
};
use super::transaction::Look;
use super::{Held, Inspector, values_of};

impl Inspector {
    /// The next bytes of a file.
    pub(super) fn file_data(
        &mut self,
        flow: &Flow,
        transaction: &dyn Transaction,
        chunk: &FileChunk<'_>,
        now_ns: u64,
    ) {
        let look = Look::new(flow, transaction, chunk.file.direction, now_ns);
        let Some(mut carrier) = self.carrier(&look) else {
            return;
        };
        if let Some(file) = self.passing(flow.id, &mut carrier, chunk.file) {
            self.append(file, chunk);
            self.look_at_files(&look, &mut carrier, Some(chunk.file.id));
        }
        self.put_back(flow.id, carrier);
    }

    /// A file is over.
    pub(super) fn file(
        &mut self,
        flow: &Flow,
        transaction: &dyn Transaction,
        info: &FileInfo,
        now_ns: u64,
    ) {
        let look = Look::new(flow, transaction, info.direction, now_ns);
        let Some(mut carrier) = self.carrier(&look) else {
            return;
        };
        if let Some(file) = self.passing(flow.id, &mut carrier, info) {
            let before = std::mem::replace(&mut file.info, info.clone());
            file.info.stored |= before.stored;
            file.info.stored_by = before.stored_by;
            file.is_over = true;
            self.look_at_files(&look, &mut carrier, Some(info.id));
        }
        self.put_back(flow.id, carrier);
    }

    /// All of a side of a transaction is there: what it carries is looked at to its end, or that it
    /// carries nothing.
    pub(super) fn files_of_whole(
        &mut self,
        flow: &Flow,
        transaction: &dyn Transaction,
        direction: Direction,
        now_ns: u64,
    ) {
        let look = Look::new(flow, transaction, direction, now_ns);
        if self
            .rules
            .of_transactions(look.app(), direction, Stage::File)
            .is_none()
        {
            return;
        }
        let state = self.flows.get_mut(flow.id);
        let known = state.and_then(|state| state.files.take(transaction.id(), direction));
        match known {
            Some(mut carrier) => {
                self.look_at_files(&look, &mut carrier, None);
                carrier.rules.is_whole = true;
                self.put_back(flow.id, carrier);
            }
            None => self.look(&look, Stage::File),
        }
    }

    /// What is known of a file that is passing by: which rules have it stored, too.
    #[must_use]
    pub fn file_of(&self, flow: FlowId, id: u32) -> Option<&FileInfo> {
        let files = &self.flows.peek(flow)?.files;
        files.infos().find(|info| info.id == id)
    }

    /// The side of a transaction that carries a file, taken out of its place.
    fn carrier(&mut self, look: &Look<'_>) -> Option<Carrier> {
        let (flow, direction) = (look.flow, look.direction);
        let state = self.flows.get(flow.id);
        let stores = state.is_some_and(|state| !state.files.stores.is_empty());
        if !stores && !self.rules.is_about(look.app(), direction) {
            return None;
        }
        let id = look.transaction.id();
        let files = &mut self
            .flow(flow.id)
            .filter(|state| state.fate.is_none())?
            .files;
        if let Some(known) = files.take(id, direction) {
            return Some(known);
        }
        if files.carriers.len() >= CARRIERS_MAX {
            self.counters.files_max_hit = self.counters.files_max_hit.saturating_add(1);
            return None;
        }
        Some(Carrier {
            transaction: id,
            direction,
            files: Vec::new(),
            rules: Known::default(),
        })
    }

    fn put_back(&mut self, flow: FlowId, carrier: Carrier) {
        if let Some(mut state) = self.take(flow) {
            state.files.carriers.push(carrier);
            self.keep(flow, state);
        }
    }

    /// A file of a side, new or known.
    fn passing<'c>(
        &mut self,
        flow: FlowId,
        carrier: &'c mut Carrier,
        info: &FileInfo,
    ) -> Option<&'c mut Passing> {
        let known = carrier
            .files
            .iter()
            .position(|file| file.info.id == info.id);
        let place = match known {
            Some(place) => place,
            None if carrier.files.len() >= FILES_MAX => {
                self.counters.files_max_hit = self.counters.files_max_hit.saturating_add(1);
                return None;
            }
            None => {
                // rules that have files stored are asked anew
                let rules = &self.rules;
                carrier.rules.forget(|number| {
                    let rule = rules.rule(number);
                    rule.is_some_and(|rule| rule.store.is_some())
                });
                let mut info = FileInfo {
                    head: Vec::new(),
                    ..info.clone()
                };
                let stores = self.flows.get(flow).map(|state| &state.files.stores);
                info.stored |= stores.into_iter().flatten().any(|(of, sides)| {
                    of.is_none_or(|of| of == carrier.transaction) && sides.has(carrier.direction)
                });
                carrier.files.push(Passing {
                    info,
                    head: Vec::new(),
                    window: Vec::new(),
                    looked_at: 0,
                    knows: 0,
                    cannot_wait: false,
                    is_over: false,
                });
                carrier.files.len().saturating_sub(1)
            }
        };
        carrier.files.get_mut(place)
    }

    /// Takes the next bytes of a file, as far as there is room.
    fn append(&mut self, file: &mut Passing, chunk: &FileChunk<'_>) {
        let len = chunk.data.len();
        let room = HEAD_BYTES_MAX.saturating_sub(file.head.len()).min(len);
        file.head
            .extend_from_slice(chunk.data.get(..room).unwrap_or_default());
        let more = u64::try_from(len).unwrap_or(u64::MAX);
        file.info.size = chunk.file.size.saturating_add(more);
        file.info.gaps = chunk.file.gaps;
        if file.window.len().saturating_add(len) > FILE_BYTES_MAX {
            let gone = file.window.len().saturating_sub(FILE_OVERLAP);
            file.window.drain(..gone);
            // it is next looked at when it is full again
            file.looked_at = FILE_BYTES_MAX / 2;
        }
        if self.window_bytes.saturating_add(len) > self.options.window_bytes_max {
            let hit = &mut self.counters.window_bytes_max_hit;
            *hit = hit.saturating_add(1);
            file.window.clear();
            file.cannot_wait = true;
        }
        file.window.extend_from_slice(chunk.data);
    }

    /// Looks at the files of a side; `news` names the one that something new is known of, none at the
    /// end of the side.
    fn look_at_files(&mut self, look: &Look<'_>, carrier: &mut Carrier, news: Option<u32>) {
        let rules = Arc::clone(&self.rules);
        let app = look.app();
        let Some(points) = rules.of_transactions(app, look.direction, Stage::File) else {
            return;
        };
        let bodies = self.options.bodies;
        let is_due = |file: &Passing| {
            let len = file.window.len();
            let is_long = bodies.is_due(app, look.direction, len);
            let must = file.cannot_wait || file.is_over || news.is_none();
            must || is_long && bodies.has_grown(file.looked_at, len)
        };
        let is_news = |file: &Passing| news.is_none_or(|news| news == file.info.id);
        let mut files = carrier.files.iter().filter(|file| is_news(file));
        if !files.any(|file| is_due(file) || file.knows_more()) && news.is_some() {
            return;
        }
        let scene = look.scene(&rules);
        let files = carrier.files.iter();
        let files: Vec<_> = files.map(|file| file.scene(is_due(file))).collect();
        let all = carrier.files.iter().zip(&files);
        let changed = all.filter(|(file, _)| is_news(file)).map(|pair| *pair.1);
        let numbers = self.candidates_of_files(
            &look.search(&rules, points, &scene),
            &changed.collect::<Vec<_>>(),
        );
        let has_news = carrier.files.iter().any(Passing::has_news);
        let measured = (!has_news).then(|| self.measured.clone());
        let found = self.ask_of_files(numbers, &rules, look, &files, &mut carrier.rules);
        // bytes that were looked at before are not measured again
        if let Some(measured) = measured {
            self.measured = measured;
        }
        for file in &mut carrier.files {
            let is_due = is_due(file);
            file.looked_at(is_due);
        }
        for (number, held) in found {
            carrier.rules.matched(number);
            self.store_files(&rules, look, carrier, number);
            self.found(look, number, held);
        }
    }

    /// The rules that may match files that something new is known of.
    fn candidates_of_files(&mut self, search: &Search<'_>, files: &[FileScene<'_>]) -> Vec<u32> {
        self.finder.find(search, |list, each| {
            let buffer = list.buffer;
            let is_of_file = buffer.is_some_and(|buffer| buffer.stage == Stage::File);
            // what is of no file is looked at once
            let once = files.len().min(1);
            let files = if is_of_file {
                Some(files)
            } else {
                files.get(..once)
            };
            for file in files.unwrap_or_default() {
                let scene = Scene {
                    file: Some(*file),
                    ..*search.scene
                };
                let mut values = Values::default();
                values_of(buffer, &list.transforms, &scene, &mut values);
                values.iter().for_each(&mut *each);
            }
        })
    }

    /// Those of the candidates that match; of the others it is noted what of them held.
    fn ask_of_files(
        &mut self,
        candidates: Vec<u32>,
        rules: &RuleSet,
        look: &Look<'_>,
        files: &[FileScene<'_>],
        known: &mut Known,
    ) -> Vec<(u32, Held)> {
        let scene = look.scene(rules);
        let mut found = Vec::new();
        for number in known.asked(candidates) {
            let Some(rule) = rules.rule(number) else {
                continue;
            };
            let before = known.held(number);
            // the transaction may have been shortened since all of its side was there
            let is_late = known.is_whole && before == 0 && !rule.is_of_files();
            if is_late || !self.has_events(look.flow, look.transaction, rule) {
                continue;
            }
            match self.holds_of_files(rule, &scene, files, before) {
                Ok(held) => found.push((number, held)),
                Err(held) => known.note(number, held),
            }
        }
        found
    }

    /// Whether all that a rule asks holds of a transaction and its files; else what does, a bit for
    /// each inspection. `before` is what held before.
    fn holds_of_files(
        &mut self,
        rule: &Rule,
        scene: &Scene<'_>,
        files: &[FileScene<'_>],
        before: u64,
    ) -> Result<Held, u64> {
        let mut all = Held::default();
        let (mut held, mut is_all) = (before, true);
        let bits = (0..u64::BITS).map(|bit| 1_u64.checked_shl(bit).unwrap_or(0));
        let bits = bits.chain(std::iter::repeat(0));
        let inspections = rule.inspections.iter().zip(bits);
        for (inspection, bit) in inspections.filter(|(one, _)| !one.is_of_packet()) {
            if before & bit != 0 || self.holds_of_file(inspection, scene, files, &mut all) {
                held |= bit;
            } else {
                is_all = false;
            }
        }
        if is_all { Ok(all) } else { Err(held) }
    }

    fn holds_of_file(
        &mut self,
        inspection: &Inspection,
        scene: &Scene<'_>,
        files: &[FileScene<'_>],
        all: &mut Held,
    ) -> bool {
        let is_of_file = inspection
            .buffer
            .is_some_and(|buffer| buffer.stage == Stage::File);
        if !is_of_file {
            return self.inspect(inspection, scene, all);
        }
        files.iter().any(|file| {
            // what is not looked at yet is not absent
            let is_there = !inspection.or_absent || file.data.is_some();
            let scene = Scene {
                file: Some(*file),
                ..*scene
            };
            is_there && self.inspect(inspection, &scene, all)
        })
    }

    /// Has files stored where a rule says so, if all else that it asks of the flow holds already.
    fn store_files(
        &mut self,
        rules: &RuleSet,
        look: &Look<'_>,
        carrier: &mut Carrier,
        number: u32,
    ) {
        let rule = rules.rule(number);
        let Some((rule, store)) = rule.and_then(|rule| Some((rule, rule.store?))) else {
            return;
        };
        if !self.options.stores_files {
            return;
        }
        let Some(mut state) = self.take(look.flow.id) else {
            return;
        };
        let holds = self.conditions_hold(rule, &look.scene(rules), &mut state);
        self.keep(look.flow.id, state);
        if !holds {
            return;
        }
        let is_meant = carrier.files.iter().map(|file| {
            let scene = Scene {
                file: Some(file.scene(true)),
                ..look.scene(rules)
            };
            let of_file = |inspection: &Inspection| {
                let buffer = inspection.buffer;
                buffer.is_some_and(|buffer| std::ptr::eq(buffer, &crate::rules::keyword::FILE))
            };
            self.holds(rule, &scene, of_file).is_some()
        });
        let is_meant: Vec<bool> = is_meant.collect();
        let Store { sides, scope } = store;
        let is_of_side = sides.is_none_or(|sides| sides.has(look.direction));
        for (file, is_meant) in carrier.files.iter_mut().zip(is_meant) {
            if is_meant && file.info.stored_by.len() < STORES_MAX {
                file.info.stored_by.push(rule.id.sid);
            }
            let of_scope = is_meant || scope != StoreScope::File;
            file.info.stored |= is_of_side && of_scope;
        }
        if let Some(state) = self.flow(look.flow.id) {
            state.files.has_stored = true;
        }
        let sides = sides.unwrap_or(Sides::Both);
        let of = match scope {
            StoreScope::File => return,
            StoreScope::Transaction => Some(look.transaction.id()),
            StoreScope::Flow => None,
        };
        if let Some(state) = self.flow(look.flow.id)
            && state.files.stores.len() < STORES_MAX
            && !state.files.stores.contains(&(of, sides))
        {
            state.files.stores.push((of, sides));
        }
    }
}

impl Rule {
    /// Whether it asks nothing but of files.
    fn is_of_files(&self) -> bool {
        self.inspections.iter().all(|inspection| {
            inspection
                .buffer
                .is_none_or(|buffer| buffer.stage == Stage::File)
        })
    }
}
