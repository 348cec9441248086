//! `domain@1`: how a name that is looked up looks.
//!
//! One name alone never says that its client is infected: what is made of names is judged by
//! client, over many of them.

use std::sync::LazyLock;

use crate::{
    Column, Extractor, Samples, Subject, Unfit,
    gram::{Grams, Hash},
    label::{self, Parts},
    text::{count, entropy},
};

/// The extractor.
pub(super) struct Domain;

/// Ids of a name at most.
const IDS_MAX: usize = 256;
/// Bytes of a name (RFC 1035, section 2.3.4).
const NAME_MAX: usize = 255;

const OWN: [(&str, &str); 8] = [
    (
        "labels_below",
        "count of labels left of the registrable name",
    ),
    ("below_length", "bytes left of the registrable name"),
    (
        "below_entropy",
        "Shannon entropy of what is left of it, bits per byte",
    ),
    ("suffix_length", "bytes of the public suffix"),
    ("suffix_labels", "count of its labels"),
    (
        "suffix_known",
        "1 where the suffix is in the public suffix list",
    ),
    (
        "suffix_private",
        "1 where anybody gets names under the suffix",
    ),
    ("international", "1 where a label is encoded (xn--)"),
];

static COLUMNS: LazyLock<Vec<Column>> = LazyLock::new(|| {
    let named = |(name, meaning): &(&'static str, &'static str)| Column { name, meaning };
    label::COLUMNS.iter().chain(&OWN).map(named).collect()
});

impl Extractor for Domain {
    fn name(&self) -> &'static str {
        "domain@1"
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn ids_max(&self) -> usize {
        IDS_MAX
    }

    fn extract(&self, subject: &Subject<'_>, samples: &mut Samples) -> Result<(), Unfit> {
        let Subject::Domain(name) = subject else {
            let (extractor, given) = (self.name(), subject.kind());
            return Err(Unfit {
                extractor,
                wants: "a domain name",
                given,
            });
        };
        let name: String = name
            .trim_matches('.')
            .chars()
            .take(NAME_MAX)
            .collect::<String>()
            .to_ascii_lowercase();
        let parts = label::parts(&name);
        let mut numbers = label::look(parts.label.as_bytes()).to_vec();
        let flag = |holds: bool| if holds { 1.0 } else { 0.0 };
        numbers.extend([
            count(
                parts
                    .below
                    .split('.')
                    .filter(|label| !label.is_empty())
                    .count(),
            ),
            count(parts.below.len()),
            entropy(parts.below.as_bytes()),
            count(parts.suffix.len()),
            count(parts.suffix.split('.').count()),
            flag(parts.known),
            flag(parts.private),
            flag(name.contains("xn--")),
        ]);
        let mut grams = Grams::new(IDS_MAX);
        spell(&parts, &mut grams);
        samples.push(b"name", name.as_bytes(), &numbers, grams.ids(), IDS_MAX);
        Ok(())
    }
}

/// Two to five characters of the label, its ends marked; its suffix; its shape.
fn spell(parts: &Parts<'_>, grams: &mut Grams) {
    let label = parts.label.as_bytes();
    let ended = [&b"^"[..], label, b"$"].concat();
    for length in 2..=5 {
        for characters in ended.windows(length) {
            grams.add(Hash::of(b'c').bytes(characters));
        }
    }
    grams.add(Hash::of(b'x').bytes(parts.suffix.as_bytes()));
    grams.add(Hash::of(b'l').number(u64::try_from(label.len()).unwrap_or(u64::MAX)));
    let shape = label.iter().fold(Hash::of(b'h'), |hash, byte| match byte {
        b'0'..=b'9' => hash.byte(b'0'),
        b'a' | b'e' | b'i' | b'o' | b'u' => hash.byte(b'a'),
        b'a'..=b'z' => hash.byte(b'b'),
        _ => hash.byte(*byte),
    });
    grams.add(shape);
}
