//! Rules that partners share: they look, and do nothing else.
//!
//! Whatever would change what other rules see, leave something behind, read this host's files or cost
//! more than a look is refused by name. Their numbers are their own: each partner's have a generator of
//! their own, so that no two partners' rules are taken for each other.

use std::sync::Arc;

use super::super::builder::Builder;
use super::super::diagnostic::Problem;
use super::super::pcre::Pcre;
use super::super::rule::{Origin, Rule};
use super::super::syntax::{OptionText, Piece, RuleText};
use super::Compiler;

/// Shortest literal that a partner's rule is looked up by, bytes: shorter ones are everywhere.
pub const FOREIGN_LITERAL_BYTES_MIN: usize = 4;

/// Generators of partners' rules have this bit; nobody else's do.
const GENERATOR_BIT: u32 = 1 << 31;

/// Keywords that do more than look, and what they would do.
const REFUSED: &[(&str, &str)] = &[
    ("bypass", "ends the inspection of a flow"),
    ("datarep", "reads sets of this host"),
    ("dataset", "reads and writes sets of this host"),
    ("filemd5", "reads a file of this host"),
    ("filesha1", "reads a file of this host"),
    ("filesha256", "reads a file of this host"),
    ("filestore", "stores files"),
    ("flowbits", "reads and writes what rules remember"),
    ("flowint", "reads and writes what rules remember"),
    ("hostbits", "reads and writes what rules remember"),
    ("iprep", "reads what this host knows of addresses"),
    ("noalert", "would match without a word"),
    ("tag", "has packets shown that do not match"),
    ("tls.store", "stores certificates"),
    ("tls_store", "stores certificates"),
    ("xbits", "reads and writes what rules remember"),
];

impl Compiler<'_> {
    /// Compiles rules that a partner shared. What is refused is told under the names of partner and
    /// object; how many were, beyond what was told before, is returned.
    pub fn foreign(&mut self, origin: Arc<Origin>, text: &str) -> usize {
        let before = self.diagnostics.len();
        let name = format!("{}/{}", origin.source, origin.object);
        self.origin = Some(origin);
        self.file(&name, text);
        self.origin = None;
        self.diagnostics.len().saturating_sub(before)
    }
}

/// Refuses what a partner's rule may not ask, before any of it is compiled.
pub(super) fn check_text(parts: &RuleText<'_>) -> Result<(), Problem> {
    if parts.action.text == "pass" {
        return Err(parts
            .action
            .wrong("a partner's rule lets nothing pass")
            .mend("only the operator's own rules say what is not looked at"));
    }
    parts.options.iter().try_for_each(check_option)
}

fn check_option(option: &OptionText<'_>) -> Result<(), Problem> {
    let name = option.name.text;
    if let Some((_, what)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
        let message = format!("{name} {what}: a partner's rule only looks");
        return Err(option.name.wrong(message));
    }
    match (name, option.value) {
        ("pcre", Some(value)) if !is_linear(value) => Err(value
            .wrong("this expression needs backtracking, which partners' rules do not get")
            .mend("write it without look-around, back references and possessive repeats")),
        _ => Ok(()),
    }
}

/// Whether an expression takes no more than a step a byte. One that is none is told by its keyword.
fn is_linear(value: Piece<'_>) -> bool {
    let text = value.text.trim();
    let text = text.strip_prefix('!').unwrap_or(text).trim();
    let quoted = text.strip_prefix('"');
    let text = quoted
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    Pcre::parse(&text.replace("\\;", ";")).map_or(true, |(pcre, _)| pcre.is_linear())
}

/// The rule, if a literal leads to it: one that is asked of every packet is refused.
pub(super) fn build(
    mut builder: Builder<'_, '_>,
    origin: &Arc<Origin>,
    whole: Piece<'_>,
) -> Result<Rule, Problem> {
    builder.gid = Some(generator(&origin.source));
    let mut rule = builder.build(whole)?;
    let longest = rule.fast.iter().map(|fast| fast.bytes.len()).max();
    if longest.unwrap_or(0) < FOREIGN_LITERAL_BYTES_MIN {
        let message = format!(
            "no content of {FOREIGN_LITERAL_BYTES_MIN} bytes leads to it: it would be asked of everything"
        );
        return Err(whole
            .wrong(message)
            .mend("add such a content, or share addresses and names as a pattern of type stix"));
    }
    rule.origin = Some(Arc::clone(origin));
    Ok(rule)
}

/// The generator of a partner's rules: the same at each start (FNV-1a of its name).
fn generator(source: &str) -> u32 {
    let hash = source.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash | GENERATOR_BIT
}

#[cfg(test)]
mod tests {
    use stix::StixId;

    use super::super::super::classes::Classes;
    use super::super::super::dataset::Datasets;
    use super::super::super::header::Vars;
    use super::super::super::set::RuleSet;
    use super::super::super::state::Names;
    use super::*;

    fn origin(source: &str) -> Arc<Origin> {
        Arc::new(Origin {
            source: source.into(),
            object: StixId::v5("indicator", source),
            confidence: 60,
        })
    }

    /// The rules of partners, each with what it shares, and why others are refused.
    fn compile(shared: &[(&str, &str)]) -> (RuleSet, Vec<String>) {
        let mut names = Names::default();
        let (classes, sets) = (Classes::default(), Datasets::default());
        let mut compiler = Compiler::new(Vars::usual(), classes, &mut names, sets, &|_| None);
        for (source, text) in shared {
            compiler.foreign(origin(source), text);
        }
        let refused = compiler.diagnostics().iter().map(ToString::to_string);
        let refused = refused.collect();
        (compiler.finish(), refused)
    }

    fn refused(rule: &str) -> String {
        let (set, refused) = compile(&[("alpha", rule)]);
        assert!(set.is_empty(), "{rule}");
        refused.concat()
    }

    #[test]
    fn what_does_more_than_look_is_refused_by_name() {
        let rule = |options: &str| {
            format!("alert tcp any any -> any any (content:\"attack\"; {options} sid:7;)")
        };
        for (name, _) in REFUSED {
            let why = refused(&rule(&format!("{name}:x;")));
            assert!(why.contains("a partner's rule only looks"), "{why}");
            assert!(why.starts_with("alpha/indicator--"), "{why}");
        }
        let pass = refused(&rule("").replacen("alert", "pass", 1));
        assert!(pass.contains("lets nothing pass"), "{pass}");
        let slow = refused(&rule("pcre:\"/(a+)+\\1$/\";"));
        assert!(slow.contains("backtracking"), "{slow}");
        let (set, refused) = compile(&[("alpha", &rule("pcre:\"/a+b/\";"))]);
        assert_eq!((set.len(), refused.as_slice()), (1, &[][..]));
    }

    #[test]
    fn a_rule_that_would_be_asked_of_everything_is_refused() {
        for rule in [
            "alert ip any any -> any any (sid:7;)",
            "alert tcp any any -> any any (content:\"abc\"; sid:7;)",
            "alert tcp any any -> any any (content:!\"attack\"; sid:7;)",
        ] {
            let why = refused(rule);
            assert!(why.contains("no content of 4 bytes"), "{why}");
        }
    }

    #[test]
    fn rules_of_two_partners_are_not_taken_for_each_other() {
        let rule = "alert tcp any any -> any any (content:\"attack\"; gid:1; sid:7;)";
        let (set, refused) = compile(&[("alpha", rule), ("bravo", rule)]);
        assert!(refused.is_empty(), "{refused:?}");
        let [one, two] = [0, 1].map(|number| set.rule(number).unwrap());
        assert_ne!(one.key(), two.key());
        assert!(one.id.gid & two.id.gid & GENERATOR_BIT != 0);
        let sources = [one, two].map(|rule| rule.origin.as_ref().unwrap().source.to_string());
        assert!(sources.contains(&"alpha".to_owned()) && sources.contains(&"bravo".to_owned()));
    }

    #[test]
    fn no_file_is_read_for_a_partners_rule() {
        let mut names = Names::default();
        let (classes, sets) = (Classes::default(), Datasets::default());
        let read = |path: &str| -> Option<Vec<u8>> { panic!("{path} is read") };
        let mut compiler = Compiler::new(Vars::usual(), classes, &mut names, sets, &read);
        for option in [
            "filemd5:hosts.lst",
            "filesha1:!hosts.lst",
            "filesha256:hosts.lst",
            "content:\"attack\"; dataset:isset,hosts,type string,load hosts.lst",
            "content:\"attack\"; http.host; dataset:set,hosts,type string,state hosts.lst",
            "content:\"attack\"; http.host; datarep:hosts,>,1,type string,load hosts.lst",
        ] {
            let rule = format!("alert http any any -> any any ({option}; sid:7;)");
            assert_eq!(compiler.foreign(origin("alpha"), &rule), 1, "{option}");
        }
        assert!(compiler.finish().is_empty());
    }

    #[test]
    fn own_rules_compiled_behind_a_partners_are_the_operators() {
        let mut names = Names::default();
        let (classes, sets) = (Classes::default(), Datasets::default());
        let mut compiler = Compiler::new(Vars::usual(), classes, &mut names, sets, &|_| None);
        assert_eq!(compiler.foreign(origin("alpha"), "nonsense"), 1);
        compiler.file("own", "pass ip any any -> any any (sid:1;)");
        let set = compiler.finish();
        let rule = set.rule(0).unwrap();
        assert_eq!((rule.origin.as_ref(), rule.id.gid), (None, 1));
    }
}
