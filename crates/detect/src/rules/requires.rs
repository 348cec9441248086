//! `requires`: what an engine must be able to do for a rule to be meant for it. A rule that asks for more
//! is passed over without a word against it.

use super::diagnostic::Problem;
use super::keyword::Keyword;
use super::syntax::Piece;

/// The version of Suricata whose rules are understood.
const VERSION: [u32; 3] = [8, 0, 6];
/// Features that rules ask for and that are there.
const FEATURES: &[&str] = &["output::file-store"];

/// Whether all that the value of `requires` names is there.
///
/// # Errors
/// Something else than a feature, a version or a keyword; a version that is none.
pub(super) fn are_met(value: Piece<'_>) -> Result<bool, Problem> {
    let mut all = true;
    for part in value.split(',') {
        let (word, rest) = part.text.split_once(' ').unwrap_or((part.text, ""));
        let rest = part.part(rest).trim();
        all &= match word {
            "feature" => FEATURES.contains(&rest.text),
            "keyword" => Keyword::find(rest.text).is_some(),
            "version" => version_fits(rest)?,
            other => {
                return Err(part
                    .wrong(format!("{other:?} is nothing that can be required"))
                    .mend("write feature, version or keyword"));
            }
        };
    }
    Ok(all)
}

/// `>= 7.0.3 < 8 | >= 8.0.1`: one of the alternatives has to fit.
fn version_fits(text: Piece<'_>) -> Result<bool, Problem> {
    let mut any = false;
    for alternative in text.split('|') {
        let mut all = true;
        let mut words = alternative.text.split_whitespace();
        while let Some(operator) = words.next() {
            let version = words.next().and_then(version);
            let version = version.ok_or_else(|| {
                alternative
                    .wrong("a version that is none")
                    .mend("write an operator and a version, as >= 7.0.3")
            })?;
            all &= match operator {
                ">=" => VERSION >= version,
                ">" => VERSION > version,
                "<=" => VERSION <= version,
                "<" => VERSION < version,
                _ => {
                    return Err(alternative
                        .wrong(format!("{operator:?} is no comparison of versions"))
                        .mend("write >=, >, < or <="));
                }
            };
        }
        any |= all;
    }
    Ok(any)
}

fn version(text: &str) -> Option<[u32; 3]> {
    let mut version = [0; 3];
    let mut parts = text.split('.');
    for part in &mut version {
        match parts.next() {
            Some(text) => *part = text.parse().ok()?,
            None => break,
        }
    }
    parts.next().is_none().then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_required() {
        let met = |text: &str| are_met(Piece { text, at: 0 }).ok();
        assert_eq!(met("version >= 7"), Some(true));
        assert_eq!(met("version >= 7.0.3 < 8"), Some(false));
        assert_eq!(met("version >= 7.0.3 < 8 | >= 8.0.3"), Some(true));
        assert_eq!(met("version > 9"), Some(false));
        assert_eq!(
            met("feature output::file-store, version >= 8.0.0"),
            Some(true)
        );
        assert_eq!(met("feature geoip"), Some(false));
        assert_eq!(met("keyword http.uri"), Some(true));
        assert_eq!(met("keyword no.such"), Some(false));
        assert_eq!(met("version = 8"), None);
        assert_eq!(met("version >= x"), None);
        assert_eq!(met("colour red"), None);
    }
}
