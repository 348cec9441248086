//! How far each place where a pattern can be put to use does what it says.

use super::enforceable;
use super::error::{PatternError, Refusal};
use super::property::Property;
use super::tree::{Comparison, Observation, Operator, Path, Relation, Step, Test};

/// Where a pattern can be put to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// The index of addresses, names, URLs, hashes and fingerprints, looked up for each packet and
    /// transaction.
    Index,
    /// A rule in Suricata's language, judged on one transaction.
    Rule,
    /// [`super::Matcher`], over observed data.
    Matcher,
}

/// How far a target does what a pattern says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// It finds what the pattern matches, no more and no less.
    Exact,
    /// It finds all that the pattern matches, and more.
    Over,
    /// It finds only what the pattern matches, and not all of it.
    Under,
    /// Nothing can be said for what it would find.
    NotEnforceable,
}

/// A grade, and what keeps it from being exact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// How far.
    pub grade: Grade,
    /// The first thing that is left out, by name; nothing where the grade is exact.
    pub why: Option<Box<str>>,
}

impl Grade {
    /// As it is written in answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Over => "over",
            Self::Under => "under",
            Self::NotEnforceable => "not enforceable",
        }
    }
}

impl Fit {
    const EXACT: Self = Self {
        grade: Grade::Exact,
        why: None,
    };

    fn not(why: impl Into<Box<str>>) -> Self {
        Self {
            grade: Grade::NotEnforceable,
            why: Some(why.into()),
        }
    }

    /// Any of them: what cannot be found of some leaves less; what is too much of some, more.
    fn any(parts: impl Iterator<Item = Self>) -> Self {
        Self::fold(parts, |left, right| match (left, right) {
            (Grade::NotEnforceable, Grade::Exact | Grade::Under)
            | (Grade::Exact | Grade::Under, Grade::NotEnforceable)
            | (Grade::Under, Grade::Exact | Grade::Under)
            | (Grade::Exact, Grade::Under) => Grade::Under,
            (Grade::Over, Grade::Exact | Grade::Over) | (Grade::Exact, Grade::Over) => Grade::Over,
            (Grade::Exact, Grade::Exact) => Grade::Exact,
            _ => Grade::NotEnforceable,
        })
    }

    /// All of them: a part that cannot be looked for is left out, which finds more.
    fn all(parts: impl Iterator<Item = Self>) -> Self {
        Self::fold(parts, |left, right| match (left, right) {
            (Grade::NotEnforceable, Grade::Exact | Grade::Over)
            | (Grade::Exact | Grade::Over, Grade::NotEnforceable)
            | (Grade::Over, Grade::Exact | Grade::Over)
            | (Grade::Exact, Grade::Over) => Grade::Over,
            (Grade::Under, Grade::Exact | Grade::Under) | (Grade::Exact, Grade::Under) => {
                Grade::Under
            }
            (Grade::Exact, Grade::Exact) => Grade::Exact,
            _ => Grade::NotEnforceable,
        })
    }

    fn fold(parts: impl Iterator<Item = Self>, join: fn(Grade, Grade) -> Grade) -> Self {
        let joined = parts.reduce(|left, right| Self {
            grade: join(left.grade, right.grade),
            why: left.why.or(right.why),
        });
        joined.unwrap_or(Self::EXACT)
    }

    /// Whether nothing that matches is missed.
    fn finds_all(&self) -> bool {
        matches!(self.grade, Grade::Exact | Grade::Over)
    }

    /// As it is where a condition is left out.
    fn without(self, why: impl Into<Box<str>>) -> Self {
        let grade = match self.grade {
            Grade::Exact | Grade::Over => Grade::Over,
            Grade::Under | Grade::NotEnforceable => Grade::NotEnforceable,
        };
        let why = self.why.or_else(|| Some(why.into()));
        Self { grade, why }
    }
}

/// The matcher does all that it can be made for.
pub(super) fn matcher(error: Option<PatternError>) -> Fit {
    error.map_or(Fit::EXACT, |error| Fit::not(error.to_string()))
}

/// How far a target that looks at one observation at a time does what the pattern says.
pub(super) fn fit(observation: &Observation<'_>, target: Target) -> Fit {
    match observation {
        Observation::Test(comparison) => match enforceable::alternatives_of(comparison) {
            Ok(()) => Fit::EXACT,
            Err(_) => compared(comparison, target),
        },
        Observation::Joined {
            operator, parts, ..
        } => {
            let parts = parts.iter().map(|part| fit(part, target));
            match operator {
                Operator::Or => Fit::any(parts),
                // One that can be found is there whenever all of them are.
                Operator::And | Operator::FollowedBy => {
                    let why = format!("{} between observations", operator.keyword());
                    parts
                        .max_by_key(Fit::finds_all)
                        .map_or(Fit::EXACT, |best| best.without(why))
                }
            }
        }
        Observation::Qualified {
            inner, qualifier, ..
        } => fit(inner, target).without(format!("the qualifier {}", qualifier.keyword())),
    }
}

fn compared(comparison: &Comparison<'_>, target: Target) -> Fit {
    let parts = |parts: &[Comparison<'_>]| -> Vec<Fit> {
        parts.iter().map(|part| compared(part, target)).collect()
    };
    match comparison {
        Comparison::Or(of) => Fit::any(parts(of).into_iter()),
        Comparison::And { parts: of, .. } => {
            let all = Fit::all(parts(of).into_iter());
            match target {
                // Keys stand alone: only traits of one traffic are looked for together.
                Target::Index if all.grade == Grade::Exact => {
                    all.without("AND of these properties")
                }
                Target::Index | Target::Rule | Target::Matcher => all,
            }
        }
        Comparison::Test(test) => match enforceable::alternatives_of(comparison) {
            Ok(()) => Fit::EXACT,
            Err(_) if target == Target::Rule && has_keyword(test) => Fit::EXACT,
            Err(refusal) => Fit::not(refusal.what()),
        },
    }
}

/// Whether rules have a keyword for a test that the index has no key for: text that is looked for
/// in names, URLs and requests, and numbers of traffic.
fn has_keyword(test: &Test<'_>) -> bool {
    use Relation as R;
    let text = matches!(
        test.relation,
        R::Equal | R::Unequal | R::In | R::Like | R::Matches
    );
    match Property::of(&test.path) {
        Ok(Property::Domain | Property::Url) => text,
        Ok(Property::DstPort) => is_order(test.relation),
        Ok(property) => property.is_address() && test.relation == R::Subset,
        Err(_) => has_buffer(&test.path) && text || is_port(&test.path) && is_order(test.relation),
    }
}

const fn is_order(relation: Relation) -> bool {
    use Relation as R;
    matches!(
        relation,
        R::Equal | R::Unequal | R::In | R::Less | R::AtMost | R::Greater | R::AtLeast
    )
}

fn is_port(path: &Path<'_>) -> bool {
    let source = [Step::Key("src_port".into())];
    path.object == "network-traffic" && path.steps.as_slice() == source
}

/// Whether rules look into a buffer that has this property's text.
fn has_buffer(path: &Path<'_>) -> bool {
    const HTTP: &str = "http-request-ext";
    let keys = path.steps.iter().map(|step| match step {
        Step::Key(key) => Some(&**key),
        Step::Any | Step::Index(_) => None,
    });
    let keys: Vec<&str> = keys.map(Option::unwrap_or_default).collect();
    path.object == "network-traffic"
        && matches!(
            keys.as_slice(),
            ["extensions", HTTP, "request_method" | "request_value"]
                | [
                    "extensions",
                    HTTP,
                    "request_header",
                    "User-Agent" | "Host" | "Referer"
                ]
        )
}

impl Refusal {
    /// What stands there, by name.
    pub(super) fn what(&self) -> Box<str> {
        self.what.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Expression;

    /// Grade for the index, for a rule, for the matcher, and a pattern.
    const GRADES: &str = r"
exact | exact | exact | [ipv4-addr:value = '192.0.2.1']
exact | exact | exact | [domain-name:value IN ('a.example', 'b.example')] OR [url:value = 'http://a.example/']
exact | exact | exact | [network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:dst_port = 443]
under | under | exact | [domain-name:value = 'a.example' OR file:name = 'x']
under | under | exact | [domain-name:value = 'a.example'] OR [file:name = 'x']
over | over | exact | [network-traffic:dst_port = 443 AND network-traffic:src_byte_count > 5]
over | over | exact | [domain-name:value = 'a.example'] AND [file:name = 'x']
over | over | exact | [domain-name:value = 'a.example'] REPEATS 5 TIMES WITHIN 60 SECONDS
over | over | exact | [file:name = 'x'] FOLLOWEDBY [domain-name:value = 'a.example']
not enforceable | not enforceable | exact | [file:name = 'x']
not enforceable | not enforceable | exact | [domain-name:value = 'a.example'] REPEATS 2 TIMES OR [file:name = 'x']
not enforceable | exact | exact | [url:value LIKE 'http://a.example/%']
under | exact | exact | [url:value MATCHES '^http' OR url:value = 'http://a.example/']
not enforceable | exact | exact | [network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'x']
not enforceable | not enforceable | not enforceable | [file:name = 'x'] WITHIN 0 SECONDS
";

    #[test]
    fn each_target_says_how_far_it_does_what_the_pattern_says() {
        for row in GRADES.trim().lines() {
            let [index, rule, matcher, text] =
                row.splitn(4, " | ").collect::<Vec<_>>().try_into().unwrap();
            let pattern = Expression::parse(text).unwrap();
            for (target, want) in [
                (Target::Index, index),
                (Target::Rule, rule),
                (Target::Matcher, matcher),
            ] {
                let fit = pattern.fit(target);
                assert_eq!(fit.grade.name(), want, "{target:?} {text}: {fit:?}");
                assert_eq!(
                    fit.why.is_none(),
                    fit.grade == Grade::Exact,
                    "{text}: {fit:?}"
                );
            }
        }
    }

    /// What a target that enforces a part finds is more, or less, as its grade says.
    #[test]
    fn a_pattern_that_becomes_terms_is_exact_in_the_index() {
        for text in [
            "[ipv4-addr:value = '192.0.2.1'] OR [file:name = 'x']",
            "[url:value = 'http://a.example/']",
            "[a:b = 1]",
        ] {
            let exact = Expression::parse(text).unwrap().fit(Target::Index).grade == Grade::Exact;
            assert_eq!(exact, crate::pattern::parse(text).is_ok(), "{text}");
        }
    }
}
