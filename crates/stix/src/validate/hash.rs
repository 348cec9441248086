//! Digests by algorithm (section 2.7, vocabulary of section 10.7).

use crate::tree::{Json, Path};

use super::check::{Checker, is_dictionary_key};

const RULE: &str = "STIX 2.1 section 2.7";

/// Checks a value of the type `hashes`.
pub(super) fn check(checker: &mut Checker<'_>, value: &Json<'_>, path: &Path<'_>) {
    let Some(members) = value.as_object() else {
        let mend = "write the value in the type of the property";
        return checker.error(RULE, path, "must be a dictionary of digests", mend);
    };
    if members.is_empty() {
        let what = "a dictionary must have at least one entry";
        checker.error("STIX 2.1 section 2.3", path, what, "leave the property out");
    }
    for (name, digest) in members.iter() {
        let path = path.key(name);
        if name.len() < NAME_BYTES_MIN || !is_dictionary_key(name) {
            let what = "an algorithm's name must be 3 to 250 of a-z, A-Z, 0-9, '-' and '_'";
            checker.error(RULE, &path, what, "rename the algorithm");
        }
        let Some(digest) = digest.as_str() else {
            let mend = "write the digest as the algorithm does";
            checker.error(RULE, &path, "a digest must be a string", mend);
            continue;
        };
        match form(name) {
            Some(is_digest) if is_digest(digest) => {}
            Some(_) => {
                let what = format!("not a digest of {name}");
                let mend = "write the digest as the algorithm does";
                checker.error(RULE, &path, what, mend);
            }
            None => {
                let what = "the algorithm should be one of hash-algorithm-ov";
                let mend = "use MD5, SHA-1, SHA-256, SHA-512, SHA3-256, SHA3-512, SSDEEP or TLSH";
                checker.warn("STIX 2.1 section 10.7", &path, what, mend);
            }
        }
    }
}

const NAME_BYTES_MIN: usize = 3;

fn form(algorithm: &str) -> Option<fn(&str) -> bool> {
    match algorithm {
        "MD5" => Some(|text| is_hex(text, 32)),
        "SHA-1" => Some(|text| is_hex(text, 40)),
        "SHA-256" | "SHA3-256" => Some(|text| is_hex(text, 64)),
        "SHA-512" | "SHA3-512" => Some(|text| is_hex(text, 128)),
        "SSDEEP" => Some(is_ssdeep),
        "TLSH" => Some(is_tlsh),
        _ => None,
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// `blocksize:hash:hash`.
fn is_ssdeep(text: &str) -> bool {
    const BYTES_MAX: usize = 148;
    let mut parts = text.split(':');
    let size = parts
        .next()
        .is_some_and(|size| !size.is_empty() && size.bytes().all(|b| b.is_ascii_digit()));
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    let hashes: Vec<&str> = parts.take(3).collect();
    size && hashes.len() == 2
        && text.len() <= BYTES_MAX
        && hashes.iter().all(|hash| hash.bytes().all(legal))
}

/// 70 digits, with or without the `T1` of the later form.
fn is_tlsh(text: &str) -> bool {
    is_hex(text.strip_prefix("T1").unwrap_or(text), 70)
}
