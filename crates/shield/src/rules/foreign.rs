//! The rules of partners, compiled: where one of them shares a rule more, that one is compiled, and the
//! others are taken over.

use std::collections::BTreeMap;
use std::sync::Arc;

use detect::rules::state::Names;
use detect::rules::{Origin, RuleSet};

use super::partners::Shared;
use super::read::{Wanted, compiler};
use crate::leases::Asker;

/// Most names of variables that partners' rules leave behind before all are compiled anew.
const NAMES_MAX: usize = 4096;

/// What partners share, as far as it is compiled.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    set: Option<Arc<RuleSet>>,
    /// Of what it was compiled.
    shared: BTreeMap<Asker, Shared>,
    /// What was refused, so that each is told once.
    refused: BTreeMap<Asker, Arc<str>>,
    /// What their rules remember is nobody else's.
    names: Names,
}

/// Tells that rules are refused, and why.
type Refuse<'r> = &'r mut dyn FnMut(&Asker, String);

impl Foreign {
    /// The rules; none where there are none.
    pub(super) fn set(&self) -> Option<Arc<RuleSet>> {
        self.set.clone()
    }

    /// How many indicators have rules that are refused.
    pub(super) fn refused(&self) -> usize {
        self.refused.len()
    }

    /// Compiles what partners share from now on; what did not change is taken over, unless all is to be
    /// compiled `anew`. Returns the set of before.
    pub(super) fn take(
        &mut self,
        shared: Vec<(Asker, Shared)>,
        wanted: &Wanted<'_>,
        anew: bool,
        refuse: Refuse<'_>,
    ) -> Option<Arc<RuleSet>> {
        let shared = shared.into_iter().collect();
        let known = std::mem::replace(&mut self.shared, shared);
        self.refused
            .retain(|asker, _| self.shared.contains_key(asker));
        let anew = anew || self.names.all().len() > NAMES_MAX;
        let base = self.set.as_deref().filter(|_| !anew);
        let base =
            base.map(|set| set.without(|rule| !self.is_as_before(rule.origin.as_deref(), &known)));
        let set = base.and_then(|base| {
            let all = self.shared.clone();
            let news = all
                .iter()
                .filter(|(asker, shared)| known.get(asker) != Some(shared));
            self.compile(news, Some(&base), wanted, refuse)
        });
        let set = set.or_else(|| {
            self.names = Names::default();
            let all = self.shared.clone();
            self.compile(all.iter(), None, wanted, refuse)
        });
        let set = set.filter(|set| !set.is_empty()).map(Arc::new);
        std::mem::replace(&mut self.set, set)
    }

    /// Whether what a rule comes from is shared as it was.
    fn is_as_before(&self, origin: Option<&Origin>, known: &BTreeMap<Asker, Shared>) -> bool {
        origin.is_some_and(|origin| {
            let asker = Asker {
                source: Arc::clone(&origin.source),
                object: origin.object.clone(),
            };
            known.get(&asker) == self.shared.get(&asker)
        })
    }

    /// The rules of `base`, if there is one, and these. None where all should be compiled without one.
    fn compile<'s>(
        &mut self,
        shared: impl Iterator<Item = (&'s Asker, &'s Shared)>,
        base: Option<&RuleSet>,
        wanted: &Wanted<'_>,
        refuse: Refuse<'_>,
    ) -> Option<RuleSet> {
        // they name no file and no set
        let mut notes = Vec::new();
        let mut compiler = compiler(wanted, &mut self.names, &|_| None, &mut notes);
        for (asker, shared) in shared {
            let origin = Origin {
                source: Arc::clone(&asker.source),
                object: asker.object.clone(),
                confidence: shared.confidence,
            };
            if compiler.foreign(Arc::new(origin), &shared.text) == 0 {
                self.refused.remove(asker);
            } else if self.refused.get(asker) != Some(&shared.text)
                && let Some(problem) = compiler.diagnostics().last()
            {
                refuse(asker, problem.to_string());
                self.refused.insert(asker.clone(), Arc::clone(&shared.text));
            }
        }
        match base {
            Some(base) => compiler.finish_onto(base),
            None => Some(compiler.finish()),
        }
    }
}

#[cfg(test)]
mod tests {
    use packet::settings::Settings;
    use stix::StixId;

    use super::super::partners::Partners;
    use super::*;

    fn asker(source: &str, object: &str) -> Asker {
        Asker {
            source: source.into(),
            object: StixId::v5("indicator", object),
        }
    }

    fn rule(content: &str, sid: u32) -> String {
        format!("alert tcp any any -> any any (content:\"{content}\"; sid:{sid};)\n")
    }

    /// What is there after a change: the partners and numbers of the rules, and what was told.
    struct Bench {
        partners: Partners,
        foreign: Foreign,
        told: Vec<String>,
    }

    impl Bench {
        fn set(&mut self, source: &str, object: &str, text: &str) -> Vec<String> {
            let text: Arc<str> = text.into();
            self.partners
                .set(&asker(source, object), &text, 60)
                .unwrap();
            self.take(false)
        }

        fn take(&mut self, anew: bool) -> Vec<String> {
            let settings = Settings::default();
            let wanted = Wanted {
                files: &[],
                settings: &settings,
                configured: false,
            };
            let told = &mut self.told;
            let refuse = &mut |_: &Asker, why| told.push(why);
            self.foreign
                .take(self.partners.all(), &wanted, anew, refuse);
            let set = self.foreign.set();
            let rules = (0..4096).filter_map(|number| {
                let rule = set.as_ref()?.rule(number)?;
                Some(format!("{} {}", rule.origin.as_ref()?.source, rule.id.sid))
            });
            let mut rules: Vec<_> = rules.collect();
            rules.sort();
            rules
        }
    }

    #[test]
    fn what_did_not_change_is_taken_over() {
        let mut bench = Bench {
            partners: Partners::default(),
            foreign: Foreign::default(),
            told: Vec::new(),
        };
        assert_eq!(bench.set("alpha", "one", &rule("attack", 1)), ["alpha 1"]);
        let first = bench.foreign.set().unwrap();
        let two = rule("attack", 1) + &rule("other", 2);
        assert_eq!(
            bench.set("bravo", "two", &two),
            ["alpha 1", "bravo 1", "bravo 2"]
        );
        let set = bench.foreign.set().unwrap();
        let same = (set.rule(0).unwrap(), first.rule(0).unwrap());
        assert!(std::ptr::eq(same.0, same.1), "it is not compiled again");
        // the same number in another object of the same partner stands beside it
        let three = bench.set("alpha", "three", &rule("third", 1));
        assert_eq!(three, ["alpha 1", "alpha 1", "bravo 1", "bravo 2"]);
        // a new text replaces all of the old one
        let fewer = bench.set("bravo", "two", &rule("other", 2));
        assert_eq!(fewer, ["alpha 1", "alpha 1", "bravo 2"]);
        let wrong = bench.set("bravo", "two", "nonsense");
        assert_eq!(
            (wrong.len(), bench.told.len(), bench.foreign.refused()),
            (2, 1, 1)
        );
        // it is told once, and the others stand
        assert_eq!(bench.take(true), ["alpha 1", "alpha 1"]);
        assert_eq!(bench.told.len(), 1);
        bench.partners.remove(&asker("bravo", "two"));
        bench.partners.remove(&asker("alpha", "one"));
        assert_eq!(bench.take(false), ["alpha 1"]);
        assert_eq!(bench.foreign.refused(), 0);
        bench.partners.remove(&asker("alpha", "three"));
        assert!(bench.take(false).is_empty());
        assert!(bench.foreign.set().is_none());
    }
}
