//! A STIX 2.1 bundle of the indicators themselves, byte for byte as they were shared.

use std::io;

use ::stix::bundle;

use super::{Export, Folder, Options};
use crate::live::Live;
use crate::value::Value;

struct Stix;

pub(super) fn new() -> Box<dyn Export> {
    Box::new(Stix)
}

impl Export for Stix {
    fn write(&self, live: &Live, _: &Options, out: &mut dyn Folder) -> io::Result<()> {
        let document = bundle::bundle_of(&live.objects);
        out.file("shieldwall.json", &mut |file| file.write_all(&document))
    }

    fn unsaid(&self, _: &Value) -> Option<&'static str> {
        None
    }
}

#[cfg(test)]
mod tests {
    use ::stix::Limits;

    use super::super::tests::{only_file, sample};
    use super::*;

    #[test]
    fn objects_are_in_it_byte_for_byte() {
        let text = only_file(&Stix);
        let objects = bundle::parse_valid(text.as_bytes(), &Limits::default()).unwrap();
        let mut raw: Vec<Vec<u8>> = objects
            .into_iter()
            .map(|object| object.unwrap().raw().to_vec())
            .collect();
        let mut want: Vec<Vec<u8>> = sample().iter().map(|one| one.raw().to_vec()).collect();
        raw.sort();
        want.sort();
        assert_eq!(raw, want);
    }
}
