//! Models on the packet path: what they find becomes records, and accusations for who acts on them; what
//! benign sessions say of them is counted.

use std::sync::Arc;

use detect::models::{Config, Inspector};
use packet::{Event, Flow};

use super::{Judge, Pipeline};
use crate::eve::Now;
use crate::guard::Sink;
use crate::packs::Loaded;

/// Models of one inspection point.
#[derive(Debug, Default)]
pub(super) struct Modelled {
    pub(super) inspector: Option<Inspector>,
    /// Who acts on accusations; none: they are only recorded.
    sink: Option<Arc<dyn Sink>>,
    loaded: Arc<Loaded>,
    /// Recent benign sessions of a source from which on another one of it counts as benign.
    history_min: u32,
    /// Benign sessions that counted, and those of them that a model would have hit.
    sessions: u64,
    hits: u64,
}

impl Modelled {
    pub(super) fn counters(&self) -> Vec<(&'static str, u64)> {
        let Some(inspector) = &self.inspector else {
            return Vec::new();
        };
        let mut counters = inspector.counters().to_vec();
        counters.push(("model.benign_sessions", self.sessions));
        counters.push(("model.benign_hits", self.hits));
        counters
    }
}

impl Pipeline {
    /// Judges by models what is seen from here on. Accusations go to `sink`; a session counts as benign
    /// when its source has had `history_min` others of late.
    #[must_use]
    pub fn with_models(
        mut self,
        config: Config,
        loaded: Arc<Loaded>,
        sink: Option<Arc<dyn Sink>>,
        history_min: u32,
    ) -> Self {
        if loaded.names.is_some() {
            self.set_names(loaded.names.as_ref());
        }
        self.judge.modelled = Modelled {
            inspector: Some(Inspector::new(config, Arc::clone(&loaded.in_force))),
            sink,
            loaded,
            history_min,
            ..Modelled::default()
        };
        self
    }

    /// Replaces the models, between two packets.
    pub fn set_models(&mut self, loaded: Arc<Loaded>) {
        let before = std::mem::replace(&mut self.judge.modelled.loaded, Arc::clone(&loaded));
        if let Some(inspector) = &mut self.judge.modelled.inspector {
            inspector.set(Arc::clone(&loaded.in_force));
        }
        let names = loaded.names.as_ref();
        let is_same = match (&before.names, names) {
            (Some(before), Some(now)) => Arc::ptr_eq(before, now),
            (None, None) => true,
            (None, Some(_)) | (Some(_), None) => false,
        };
        if !is_same {
            self.set_names(names);
        }
    }

    /// The models that were set last.
    #[must_use]
    pub fn models(&self) -> &Arc<Loaded> {
        &self.judge.modelled.loaded
    }
}

impl Judge {
    /// Shows an event to the models, and tells what comes of it.
    pub(super) fn models(&mut self, event: &Event<'_>, now: Now, mono_ns: u64) {
        let Some(inspector) = &mut self.modelled.inspector else {
            return;
        };
        if let Event::Closed(flow, _) | Event::FlowEnd(flow, _) = event {
            return self.model_trial(flow, now, mono_ns);
        }
        inspector.event(event, now.ts_ns);
        // whoever was found out speaks for nobody
        for (flow, tuple) in inspector.flagged() {
            self.watch.accuse(flow, &tuple);
        }
        for found in inspector.found() {
            self.watch.name(&found.verdict);
            let is_alert = u64::from(found.is_alert());
            self.given = self.given.saturating_add(is_alert);
            if let Some(sink) = &self.modelled.sink
                && found.verdict.offender.is_some()
            {
                sink.found(&found);
            }
            if let Some(log) = &mut self.log {
                log.found(&found, event, now.packet);
            }
        }
    }

    /// A flow is over: if it was benign as far as anybody else knows, it says how often models are wrong.
    fn model_trial(&mut self, flow: &Flow, now: Now, mono_ns: u64) {
        let is_benign = self
            .watch
            .is_benign(flow, self.modelled.history_min, mono_ns);
        let modelled = &mut self.modelled;
        let Some(inspector) = &mut modelled.inspector else {
            return;
        };
        for trial in inspector.ended(flow, is_benign, now.ts_ns) {
            modelled.sessions = modelled.sessions.saturating_add(1);
            modelled.hits = modelled.hits.saturating_add(trial.hit.into());
            if let Some(gauge) = modelled.loaded.gauges.get(trial.model) {
                gauge.add(trial.score, trial.hit);
            }
        }
    }
}
