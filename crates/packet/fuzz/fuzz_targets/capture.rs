//! Capture files: pcap and pcapng as such; what is in them goes to the decoders only.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packet::{decode::decode, pcap::Reader};

fuzz_target!(|data: &[u8]| {
    let Ok(mut reader) = Reader::new(data) else {
        return;
    };
    while let Ok(Some(frame)) = reader.next() {
        let _decoded = decode(frame.link, frame.data);
    }
});
