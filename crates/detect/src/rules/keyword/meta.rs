//! What a rule says of itself.

use super::{Arg, Keyword};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "requires",
        "[feature name][,keyword name][,version comparison version]",
        "What the engine must be able to do; else the rule is passed over.",
        // answered before the rule is compiled
        |_, _| Ok(()),
    ),
    Keyword::call("msg", "\"text\"", "What the alert says.", msg),
    Keyword::call("sid", "number", "The rule's number.", sid),
    Keyword::call("rev", "number", "The rule's version.", rev),
    Keyword::call(
        "gid",
        "number",
        "Who numbers the rule; 1 where nothing is said.",
        gid,
    ),
    Keyword::call(
        "classtype",
        "name",
        "The rule's class in classification.config: category and priority.",
        classtype,
    ),
    Keyword::call(
        "priority",
        "number",
        "How urgent it is, 1 the most; goes before that of the class.",
        priority,
    ),
    Keyword::call("reference", "system,id", "Where to read more.", reference),
    Keyword::call(
        "metadata",
        "key value, ...",
        "Words about the rule; shown in alerts.",
        metadata,
    ),
    Keyword::call(
        "target",
        "src_ip|dest_ip",
        "Which side is the victim.",
        target,
    ),
    Keyword::call("noalert", "", "The rule matches without an alert.", noalert),
    Keyword::call(
        "alert",
        "",
        "The rule alerts, as all do but those that let pass.",
        alert,
    ),
    Keyword::call(
        "prefilter",
        "",
        "The rule is looked up by the keyword before it; taken as a hint.",
        prefilter,
    ),
];

fn msg(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    rule.about.message = unescaped(arg.unquoted()?.text);
    Ok(())
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let is_escape = letter == '\\'
            && letters
                .peek()
                .is_some_and(|next| matches!(next, '"' | ';' | ':' | '\\'));
        if !is_escape {
            plain.push(letter);
        } else if let Some(escaped) = letters.next() {
            plain.push(escaped);
        }
    }
    plain
}

fn sid(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    rule.sid = Some(arg.number()?);
    Ok(())
}

fn rev(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    rule.rev = Some(arg.number()?);
    Ok(())
}

fn gid(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    rule.gid = Some(arg.number()?);
    Ok(())
}

fn classtype(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let name = arg.value()?;
    // other sensors take a class that is not listed, with the mildest priority
    let (category, priority) = rule
        .around
        .classes
        .class(name.text)
        .unwrap_or(("", super::super::classes::PRIORITY_UNSTATED));
    rule.about.category = category.to_owned();
    if !rule.has_priority {
        rule.about.priority = priority;
    }
    Ok(())
}

fn priority(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    rule.about.priority = arg.number()?;
    rule.has_priority = true;
    Ok(())
}

fn reference(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let (system, id) = value.text.split_once(',').ok_or_else(|| {
        value
            .wrong("a reference names a system and an id")
            .mend("write reference:url,example.com/x;")
    })?;
    let prefix = rule
        .around
        .classes
        .reference(system.trim())
        .unwrap_or_default();
    rule.about.references.push(format!("{prefix}{}", id.trim()));
    Ok(())
}

fn metadata(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    for pair in arg.value()?.split(',') {
        let (key, value) = pair
            .text
            .split_once(char::is_whitespace)
            .unwrap_or((pair.text, ""));
        if !key.is_empty() {
            rule.about
                .metadata
                .push((key.to_owned(), value.trim().to_owned()));
        }
    }
    Ok(())
}

fn target(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    rule.about.target = Some(match value.text {
        "src_ip" => "src_ip",
        "dest_ip" => "dest_ip",
        other => {
            return Err(value
                .wrong(format!("{other:?} is no side"))
                .mend("write src_ip or dest_ip"));
        }
    });
    Ok(())
}

fn noalert(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    arg.nothing()?;
    rule.silent = true;
    Ok(())
}

fn alert(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    arg.nothing()?;
    rule.silent = false;
    Ok(())
}

fn prefilter(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    arg.nothing()?;
    match rule.asks() {
        true => Ok(()),
        false => Err(arg
            .name
            .wrong("prefilter has no keyword before it")
            .mend("write it behind the keyword that it is about")),
    }
}
