//! What partners say: objects are judged and installed, withdrawals lift what they asked for.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use datapath::enforce::Key;
use ipnet::IpNet;
use stix::Object;
use stix::lease::{LeaseRequest, Selector};
use stix::pattern::Pattern;

use super::{Guard, Install};
use crate::clock::Now;
use crate::journal::Event;
use crate::leases::{Asker, Claim, Origin};
use crate::policy::{self, Ask, Decision, Standing, Why, Word};
use crate::sync::known::OwnLease;

impl Guard {
    /// Judges an object of a partner and carries the decision out. `frame_ns` is when it was read
    /// off the wire. Returns whether to detect with it.
    pub fn object(
        &self,
        source: &Arc<str>,
        object: &Object,
        pattern: Option<&Pattern>,
        frame_ns: u64,
    ) -> bool {
        let head = object.head();
        let asker = Asker {
            source: Arc::clone(source),
            object: head.id.clone(),
        };
        if *head.kind != *"indicator" || self.is_echo(&asker, head.lease.is_some()) {
            return false;
        }
        let now = Now::read();
        let ask = Ask {
            word: Word::Partner(source),
            head: Some(head),
            request: head.lease.as_ref(),
            pattern,
            confidence: head.confidence,
            strikes: 0,
        };
        let standing = self.standing(head.lease.as_ref(), now);
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
                    frame_ns,
                };
                self.install(&asker, Origin::Exchange, &install, &standing, now);
                pattern.is_some()
            }
            Decision::Index { why } => {
                self.supersede(&asker, why.as_ref(), head.lease.as_ref(), now);
                true
            }
            Decision::Refuse { why } => {
                self.supersede(&asker, Some(&why), head.lease.as_ref(), now);
                false
            }
        }
    }

    /// A partner withdrew an object, or we may not see it any longer: its lease goes at once. When
    /// it is our own object, what this shield itself held against the address is forgotten too. `selector` is what the
    /// object asked for, if it is known.
    pub fn withdraw(&self, asker: &Asker, selector: Option<&Selector>, frame_ns: u64) {
        let ended = self.book().release(asker, datapath::clock::mono_ns());
        let now = Now::read();
        let asked = match selector {
            Some(Selector::Source(source)) => Some(*source),
            Some(_) | None => None,
        };
        // Only our own word takes back what we hold against an address: else whoever shared its
        // name could clear an attacker with every shield.
        let address = ended.as_ref().map(|ended| ended.claim.key.source).or(asked);
        if let Some(source) = address.filter(|_| *asker.source == *self.partner) {
            self.pardon(source);
        }
        let Some(ended) = ended else { return };
        if ended.claim.origin == Origin::Local {
            self.keep(&asker.object, &ended.claim, now.wall);
        }
        self.journal.write(
            now,
            Event::Revoked {
                object: asker.object.clone(),
                frame_ns,
            },
        );
        self.memory().end(ended, now);
        self.changed.notify_one();
    }

    /// Takes back a lease of an own verdict that an earlier run of this shield had installed, for
    /// no longer than the longest lease from now: the wall clock may have gone back since.
    pub fn restore(&self, lease: &OwnLease) {
        let now = Now::read();
        let source = policy::canonical(lease.network);
        let protected = self.policy.load().protected.touched_by(&source).is_some();
        if protected || lease.ends_at <= now.wall {
            return;
        }
        let service = lease
            .service
            .map(|(proto, port)| datapath::enforce::Service { proto, port });
        let key = Key { source, service };
        let action = self.kernel_action(lease.action);
        let last = now.wall.plus(self.policy.load().settings.lease_max);
        let asker = Asker {
            source: Arc::clone(&self.partner),
            object: lease.object.clone(),
        };
        let why = [];
        let install = Install {
            key,
            action,
            until: lease.ends_at.min(last),
            why: &why,
            frame_ns: now.mono_ns,
        };
        self.install(&asker, Origin::Local, &install, &Standing::default(), now);
    }

    /// Own objects come back through the hub. What we already enforce on our own verdict, and
    /// what was only ever a request to others, is neither installed nor detected with twice.
    fn is_echo(&self, asker: &Asker, asks_lease: bool) -> bool {
        *asker.source == *self.partner
            && asks_lease
            && self
                .book()
                .claim_of(asker)
                .is_some_and(|claim| claim.origin == Origin::Local)
    }

    /// A new version that gets no lease ends what the version before it had.
    fn supersede(
        &self,
        asker: &Asker,
        why: Option<&Why>,
        request: Option<&LeaseRequest>,
        now: Now,
    ) {
        let before = {
            let mut book = self.book();
            let foreign = |claim: &Claim| claim.origin == Origin::Exchange;
            let held = book.claim_of(asker).is_some_and(foreign);
            if held {
                book.release(asker, now.mono_ns)
            } else {
                None
            }
        };
        if let Some(ended) = before {
            self.journal.write(
                now,
                Event::Expired {
                    object: asker.object.clone(),
                },
            );
            self.memory().end(ended, now);
        }
        if let (Some(why), Some(request)) = (why, request)
            && !matches!(why, Why::Expired | Why::Revoked)
        {
            self.refuse(asker, request.selector.to_string(), why.to_string(), now);
        }
    }

    /// Forgets what was held against a single address: by detection, as a repeated offender, and
    /// as something that others were told of lately.
    fn pardon(&self, source: IpNet) {
        if source.prefix_len() != source.max_prefix_len() {
            return;
        }
        let address = policy::canonical(source).addr();
        if self.forgive.try_send(address).is_err() {
            self.forgiven_lost.fetch_add(1, Ordering::Relaxed);
        }
        self.memory().forgive(address);
        self.signals.forget(&Selector::Source(IpNet::from(address)));
    }
}
