//! What the tests of all formats share.

use super::*;

/// What a reader tells of a text, a line each.
pub(crate) fn told(reader: &dyn Import, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut input = text.as_bytes();
    let read = reader.read(&mut input, &mut |told| {
        lines.push(shown(&told));
        Ok(())
    });
    if let Err(error) = read {
        lines.push(format!("error: {error}"));
    }
    lines
}

/// A piece in one line.
pub(crate) fn shown(told: &Told) -> String {
    match told {
        Told::Refused(refused) => format!("refused {refused}"),
        Told::PassedOver(why) => format!("passed over: {why}"),
        Told::Object(object) => format!("object {}", object.head().id),
        Told::Claim(claim) => {
            let mut line = format!("{} {}", claim.value.kind(), claim.value);
            let times = [
                ("created", claim.created),
                ("modified", claim.modified),
                ("from", claim.valid_from),
                ("until", claim.valid_until),
            ];
            for (name, time) in times {
                if let Some(time) = time {
                    line.push_str(&format!(" {name} {time}"));
                }
            }
            if let Some(key) = &claim.key {
                line.push_str(&format!(" key {key}"));
            }
            if let Some(tlp) = claim.tlp {
                line.push_str(&format!(" {tlp}"));
            }
            if let Some(confidence) = claim.confidence {
                line.push_str(&format!(" {confidence}%"));
            }
            if claim.revoked {
                line.push_str(" revoked");
            }
            if let Some(name) = &claim.name {
                line.push_str(&format!(" ({name})"));
            }
            line
        }
    }
}

#[test]
fn formats_have_different_names() {
    let mut names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), FORMATS.len());
}
