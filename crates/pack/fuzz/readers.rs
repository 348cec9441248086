//! What must hold of any bytes that are read as a pack or as a part of one. A fuzzer and a test look
//! at it.

use pack::dsse::Envelope;
use pack::{Limits, Manifest, Trust, Unverified, archive, mlbom, oms};

/// Reads bytes as everything that they could be; as how many things they were read. What has one
/// form is written as it was read.
pub(crate) fn run(bytes: &[u8]) -> usize {
    let limits = Limits::default();
    let mut read = 0_usize;
    let mut count = |was_read: bool| read = read.saturating_add(usize::from(was_read));
    let files = archive::read(bytes, &limits);
    count(files.is_ok());
    if let Ok(files) = files {
        let written = archive::write(&files, &limits);
        assert_eq!(written.as_deref(), Ok(bytes), "an archive has one form");
    }
    count(Unverified::read(bytes, &limits).is_ok());
    let manifest = Manifest::read(bytes, &limits);
    count(manifest.is_ok());
    if let Ok(manifest) = manifest {
        let written = manifest.write(&limits);
        assert_eq!(
            written.as_deref().map(str::as_bytes),
            Ok(bytes),
            "a manifest has one form"
        );
    }
    let envelope = Envelope::read(bytes, limits.envelope_bytes_max, limits.signatures_max);
    count(envelope.is_ok());
    if let Ok(Ok(written)) = envelope.as_ref().map(Envelope::write) {
        let again = Envelope::read(written.as_bytes(), usize::MAX, limits.signatures_max);
        assert_eq!(again, envelope, "an envelope is read as it is written");
    }
    count(mlbom::read(bytes).is_ok());
    count(oms::verify(bytes, &[]).is_ok());
    count(std::str::from_utf8(bytes).is_ok_and(|text| Trust::read(text).is_ok()));
    read
}
