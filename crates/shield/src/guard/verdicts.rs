//! What this shield saw for itself: verdicts are enforced at once, then shared, then told.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

use detect::Verdict;
use detect::models::Found;
use ipnet::IpNet;
use pack::manifest::Capability;
use sharing::scrub;
use stix::lease::{self, EvidenceClass, LeaseRequest, Selector, Service};
use stix::{StixId, Tlp};

use super::{Guard, Install, OWN_TTL_S, Sink};
use crate::clock::Now;
use crate::journal::Event;
use crate::leases::{Asker, Origin};
use crate::policy::{self, Ask, Decision, Naming, Why, Word};
use crate::signals;

impl Sink for Guard {
    /// # Failure bias
    /// Open: policy decides, and what it refuses is only told.
    fn verdict(&self, verdict: &Verdict) {
        let now = Now::read();
        self.take(verdict, self.word_of(verdict), now);
    }

    /// # Failure bias
    /// Open: as for every verdict; and a model's word is policy's to weaken.
    fn found(&self, found: &Found) {
        let blocks = found.model.most >= Capability::Block;
        self.take(&found.verdict, Word::Model { blocks }, Now::read());
    }
}

impl Guard {
    /// Enforces a verdict, shares it and tells it.
    fn take(&self, verdict: &Verdict, word: Word<'_>, now: Now) {
        let credible = self.is_credible(verdict, now);
        if let Some(offender) = verdict.offender.filter(|_| credible) {
            self.block(verdict, (offender, verdict.victim), word, now);
        }
        // what comes back from there, to whatever port it goes
        if let Some(far_end) = verdict.far_end {
            self.block(verdict, (far_end, None), word, now);
        }
        let derived_from = self.derived_from(verdict);
        // a model is no witness: others are told, and asked for nothing
        let hearsay = word.is_foreign() && verdict.evidence <= EvidenceClass::PathProven;
        let naming = verdict.offender.map_or(Naming::Free, |offender| {
            policy::naming(&self.policy.load(), &IpNet::from(offender))
        });
        let hearsay = hearsay || !credible || naming == Naming::Sighting;
        let signal = signals::signal_of(verdict, derived_from, hearsay, now);
        let object = signal
            .filter(|_| naming != Naming::Withheld)
            .and_then(|signal| self.signals.offer(signal, now));
        let detect_us = detect_us(verdict);
        let reasons: Vec<String> = verdict
            .reasons
            .iter()
            .map(|reason| format!("{}: {}", reason.buffer, reason.what))
            .collect();
        self.memory()
            .judged(verdict, object.clone(), detect_us, &reasons, now);
        let event = Event::Verdict {
            detect_us,
            evidence: verdict.evidence,
            offender: verdict.offender,
            detector: verdict.detector,
            object,
            reasons,
        };
        self.journal.write(now, event);
        self.changed.notify_one();
    }

    /// On whose word a verdict rests.
    fn word_of(&self, verdict: &Verdict) -> Word<'static> {
        let sources = verdict.reasons.iter().map(|reason| reason.source.as_ref());
        let mut partners = BTreeSet::new();
        for source in sources {
            match source {
                Some(source) if **source != *self.partner => partners.insert(source),
                Some(_) | None => return Word::Own,
            };
        }
        if partners.is_empty() {
            Word::Own
        } else {
            Word::OwnSight {
                partners: partners.len(),
            }
        }
    }

    /// Whether the partners whose word a verdict rests on have not had too many convicted of late.
    /// A listed single address convicts nobody but itself, and is not counted.
    fn is_credible(&self, verdict: &Verdict, now: Now) -> bool {
        let Some(offender) = verdict.offender else {
            return true;
        };
        let foreign = foreign(verdict, &self.partner);
        let addresses = verdict
            .reasons
            .iter()
            .all(|r| r.exact && r.buffer.starts_with("ip."));
        if foreign.is_empty() || addresses {
            return true;
        }
        let admitted = self
            .blast
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .admit(&foreign, offender, now);
        if !admitted {
            let reason = verdict
                .reasons
                .iter()
                .find_map(|r| r.source.clone().zip(r.object.clone()));
            if let Some((source, object)) = reason {
                let asker = Asker { source, object };
                let why =
                    "it would block too many different sources: taken for a mistake".to_owned();
                self.refuse(
                    &asker,
                    Selector::Source(IpNet::from(offender)).to_string(),
                    why,
                    now,
                );
            }
        }
        admitted
    }

    /// The most restrictive marking among the partners' objects that a verdict rests on. One that
    /// is not known here is taken for the most restrictive of all.
    fn derived_from(&self, verdict: &Verdict) -> Option<Tlp> {
        let markings = self.markings.load();
        let marking = |source: &Arc<str>, object: &StixId| {
            let asker = Asker {
                source: Arc::clone(source),
                object: object.clone(),
            };
            markings.of(&asker).unwrap_or(Tlp::Red)
        };
        let objects = verdict
            .reasons
            .iter()
            .filter_map(|reason| reason.source.as_ref().zip(reason.object.as_ref()));
        objects
            .map(|(source, object)| marking(source, object))
            .max()
    }

    /// Judges an own verdict about an address, and carries the decision out.
    fn block(
        &self,
        verdict: &Verdict,
        (address, service): (IpAddr, Option<Service>),
        word: Word<'_>,
        now: Now,
    ) {
        let request = LeaseRequest {
            selector: Selector::Source(policy::canonical(IpNet::from(address))),
            service,
            action: lease::Action::Drop,
            ttl_s: OWN_TTL_S,
            evidence: match verdict.far_end {
                // only one whose path is sure is named
                Some(far_end) if far_end == address => EvidenceClass::PathProven,
                _ => verdict.evidence,
            },
            detector: verdict.detector.into(),
            audience: Vec::new(),
        };
        let id = scrub::indicator_id(&self.partner, &request.selector, request.service.as_ref());
        let asker = Asker {
            source: Arc::clone(&self.partner),
            object: id,
        };
        let ask = Ask {
            word,
            head: None,
            request: Some(&request),
            pattern: None,
            confidence: Some(verdict.confidence),
            strikes: self.memory().strikes(address, now),
        };
        let standing = self.standing(Some(&request), now);
        match policy::decide(&self.policy.load(), &ask, &standing, now.wall) {
            Decision::Install {
                key,
                action,
                until,
                why,
            } => {
                let install = Install {
                    key,
                    action,
                    until,
                    why: &why,
                    frame_ns: now.mono_ns,
                };
                let fresh = self.book().claim_of(&asker).is_none();
                if self.install(&asker, Origin::Local, &install, &standing, now) {
                    self.keep(&asker.object, &install.claim(Origin::Local, now), until);
                    if fresh {
                        self.memory().strike(address, now);
                    }
                }
            }
            Decision::Index {
                why: Some(Why::Unproven),
            }
            | Decision::Refuse {
                why: Why::Unproven | Why::OnlyTold,
            } => {}
            Decision::Index { why: Some(why) } | Decision::Refuse { why } => {
                self.refuse(&asker, request.selector.to_string(), why.to_string(), now);
            }
            Decision::Index { why: None } => {}
        }
    }
}

/// The partners whose objects a verdict rests on, unless something of our own is among its reasons.
fn foreign<'v>(verdict: &'v Verdict, own: &str) -> BTreeSet<&'v Arc<str>> {
    let sources = verdict.reasons.iter().map(|reason| reason.source.as_ref());
    let foreign: Option<BTreeSet<_>> = sources.map(|s| s.filter(|s| ***s != *own)).collect();
    foreign.unwrap_or_default()
}

/// From the first packet of the completing action to now, microseconds.
fn detect_us(verdict: &Verdict) -> u64 {
    datapath::clock::realtime_ns().saturating_sub(verdict.first_packet_ns) / 1_000
}
