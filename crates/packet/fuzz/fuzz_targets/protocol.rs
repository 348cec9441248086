//! The parser of the protocol that `FUZZ_PROTOCOL` names, or all of them, without packets around.
//!
//! An input is a conversation (`testkit::conversation`). In the byte that tells a chunk's direction,
//! 2 says that its bytes are missing, and 4 that they come one at a time.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use packet::applayer::PROTOCOLS;
use packet::applayer::bare::{Bare, Piece};
use packet::json::Object;
use packet::settings::{Setting, Settings};
use packet::{Config, Direction, Event, Proto};

fuzz_target!(|data: &[u8]| {
    run(Proto::Tcp, data);
    run(Proto::Udp, data);
});

fn run(proto: Proto, mut data: &[u8]) {
    let mut bare = Bare::new(proto, &CONFIG);
    let mut record = String::new();
    let mut log = |event: Event<'_>| {
        if let Event::Transaction(_, transaction) = event {
            record.clear();
            Object::write(&mut record, |object| {
                transaction.log(object, Setting::NOTHING);
            });
        }
    };
    while let [kind, high, low, rest @ ..] = data {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (bytes, rest) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        data = rest;
        let direction = match kind & 1 {
            0 => Direction::ToServer,
            _ => Direction::ToClient,
        };
        if kind & 2 != 0 && proto == Proto::Tcp {
            bare.take(direction, Piece::Gap(bytes.len() as u64), &mut log);
        } else if kind & 4 != 0 && proto == Proto::Tcp {
            for byte in bytes.chunks(1) {
                bare.take(direction, Piece::Data(byte), &mut log);
            }
        } else {
            bare.take(direction, Piece::Data(bytes), &mut log);
        }
        if bare.is_over() {
            break;
        }
    }
    bare.end(&mut log);
}

static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let mut settings = Settings::default();
    let wanted = std::env::var("FUZZ_PROTOCOL").ok();
    for known in PROTOCOLS {
        let is_wanted = wanted
            .as_deref()
            .is_none_or(|name| is_folder(name, known.name));
        let assignment = format!("app-layer.protocols.{}.enabled={is_wanted}", known.name);
        settings.set(&assignment).expect("an assignment");
    }
    Config::from_settings(&settings)
});

/// Folders have no hyphens, and tell versions apart.
fn is_folder(folder: &str, name: &str) -> bool {
    let folder = folder.replace('_', "-");
    folder == name || folder.trim_end_matches('1') == name
}
