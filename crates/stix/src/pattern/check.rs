//! What a pattern must keep to beyond the grammar.

use super::HashKind;
use super::error::Refusal;
use super::lexer::Constant;
use super::tree::{Comparison, Observation, Operand, Qualifier, Relation, Test};

/// Checks a pattern: qualifiers of one kind do not stand side by side, comparisons joined by `AND`
/// can be true of one object, and a hash is one of its algorithm.
pub(super) fn check(observation: &Observation<'_>) -> Result<(), Refusal> {
    match observation {
        Observation::Test(comparison) => types(comparison).map(|_| ()),
        Observation::Joined { parts, .. } => parts.iter().try_for_each(check),
        Observation::Qualified {
            inner,
            qualifier,
            at,
            direct,
        } => {
            check(inner)?;
            match *direct && stands_in(inner, qualifier) {
                true => {
                    let what = format!("a second {} of one observation", qualifier.keyword());
                    let mend = "keep one, or put the observation and the first into parentheses";
                    Err(Refusal::syntax(*at, what, mend))
                }
                false => Ok(()),
            }
        }
    }
}

/// Whether a qualifier of this kind already stands after the observation.
fn stands_in(observation: &Observation<'_>, wanted: &Qualifier<'_>) -> bool {
    match observation {
        Observation::Qualified {
            inner, qualifier, ..
        } => qualifier.keyword() == wanted.keyword() || stands_in(inner, wanted),
        Observation::Test(_) | Observation::Joined { .. } => false,
    }
}

/// The object types of which the comparison can be true, in order.
fn types<'a>(comparison: &Comparison<'a>) -> Result<Vec<&'a str>, Refusal> {
    match comparison {
        Comparison::Test(test) => hash(test).map(|()| vec![test.path.object]),
        Comparison::Or(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(types(part)?);
            }
            all.sort_unstable();
            all.dedup();
            Ok(all)
        }
        Comparison::And { parts, .. } => {
            let mut common: Option<Vec<&str>> = None;
            for part in parts {
                let of_part = types(part)?;
                let kept = match common {
                    None => of_part,
                    Some(before) => before
                        .into_iter()
                        .filter(|object| of_part.binary_search(object).is_ok())
                        .collect(),
                };
                if kept.is_empty() {
                    let what = "AND joins comparisons of objects of different types";
                    let mend = "one object must fulfil all of them: make observations of their own, \
                                [a:x = 1] AND [b:y = 2]";
                    return Err(Refusal::syntax(part.at(), what, mend));
                }
                common = Some(kept);
            }
            Ok(common.unwrap_or_default())
        }
    }
}

/// A constant that is compared for equality with a hash must be one.
fn hash(test: &Test<'_>) -> Result<(), Refusal> {
    use Relation as R;
    let Some(algorithm) = test.path.hash_algorithm() else {
        return Ok(());
    };
    let Some(digits) = digits(algorithm) else {
        return Ok(());
    };
    if !matches!(test.relation, R::Equal | R::Unequal | R::In) {
        return Ok(());
    }
    let is_hash = |operand: &Operand<'_>| {
        operand.constant == Constant::Text
            && operand.value.len() == digits
            && operand.value.bytes().all(|b| b.is_ascii_hexdigit())
    };
    match test.operands.iter().find(|operand| !is_hash(operand)) {
        None => Ok(()),
        Some(wrong) => {
            let what = format!("this is no {algorithm} hash, which has {digits} digits");
            let mend = "write the whole hash in hexadecimal as a string; for a part use LIKE";
            Err(Refusal::value(wrong.at, what, mend))
        }
    }
}

/// The digits of a hash of this algorithm, however that is written; nothing for those whose hashes
/// are of any length, and for unknown ones.
fn digits(algorithm: &str) -> Option<usize> {
    let plain: String = algorithm.chars().filter(|c| *c != '-').collect();
    Some(match plain.to_ascii_uppercase().as_str() {
        "MD5" | "MD6" => HashKind::Md5.digits(),
        "SHA1" | "RIPEMD160" => HashKind::Sha1.digits(),
        "SHA224" | "SHA3224" => 56,
        "SHA256" | "SHA3256" => HashKind::Sha256.digits(),
        "SHA384" | "SHA3384" => 96,
        "SHA512" | "SHA3512" | "WHIRLPOOL" => 128,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::pattern::Expression;

    /// Column of what is wrong and part of its text, or `ok`, and a pattern.
    const CHECKED: &str = r"
ok |  | ([a:b = 1]) WITHIN 5 SECONDS WITHIN 6 SECONDS
ok |  | ([a:b = 1] REPEATS 2 TIMES) REPEATS 2 TIMES
ok |  | [a:b = 1] REPEATS 2 TIMES WITHIN 2 SECONDS START t'2024-01-01T00:00:00Z' STOP t'2024-01-02T00:00:00Z'
ok |  | [a:b = 1] START t'2024-01-02T00:00:00Z' STOP t'2024-01-01T00:00:00Z'
28 | WITHIN | [a:b = 1] WITHIN 5 SECONDS WITHIN 6 SECONDS
28 | REPEATS | ([a:b = 1] REPEATS 2 TIMES REPEATS 3 TIMES)
44 | REPEATS | [a:b = 1] REPEATS 2 TIMES WITHIN 2 SECONDS REPEATS 2 TIMES
ok |  | [a:b = 1 OR c:d = 2]
ok |  | [(a:b = 1 OR c:d = 2) AND a:e = 3]
14 | different types | [a:b = 1 AND c:d = 2]
27 | different types | [(a:b = 1 OR c:d = 2) AND e:e = 3]
18 | different types | [EXISTS a:b AND (c:d = 2 OR e:f = 1)]
ok |  | [file:hashes.MD5 = 'cead3f77f6cda6ec00f57d76c9a69faa']
ok |  | [file:hashes.MD5 IN ('cead3f77f6cda6ec00f57d76c9a69faa')]
ok |  | [file:hashes.MD5 LIKE 'cead%']
ok |  | [file:hashes.ssdeep = 'x'] AND [file:hashes.TLSH = 'x'] AND [file:hashes.other = 'x']
ok |  | [x:y.MD5 = 'f'] AND [file:hashes[*] = 'f']
20 | MD5 | [file:hashes.MD5 = 'f']
21 | MD5 | [file:hashes.MD5 != 'f']
60 | md5 | [file:hashes.'md5' IN ('cead3f77f6cda6ec00f57d76c9a69faa', 'f')]
25 | SHA256 | [x:y[0].hashes.SHA256 = h'aa']
26 | RIPEMD | [x:hashes.'RIPEMD-160' = 'cead3f77f6cda6ec00f57d76c9a69faa']
";

    #[test]
    fn what_the_grammar_cannot_say_is_checked() {
        for row in CHECKED.trim().lines() {
            let [column, what, text] = row.splitn(3, " | ").collect::<Vec<_>>().try_into().unwrap();
            let checked = Expression::parse(text).unwrap().check();
            match checked {
                Ok(()) => assert_eq!(column, "ok", "{text}"),
                Err(error) => {
                    assert_eq!(error.column.to_string(), column, "{text}: {error}");
                    assert!(error.what.contains(what), "{text}: {error}");
                }
            }
        }
    }
}
