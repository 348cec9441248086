//! What sets hold: the types of values, as bytes of a buffer and as text in a file.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::table::Key;

/// The type of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any bytes; base64 in files.
    String,
    /// 16 bytes; hexadecimal in files.
    Md5,
    /// 32 bytes; hexadecimal in files.
    Sha256,
    /// An IPv4 address.
    Ipv4,
    /// An address of either family. Files may write an IPv4 address by itself or mapped into IPv6;
    /// Suricata reads only the latter.
    Ip,
}

impl Kind {
    pub(super) fn of(text: &str) -> Option<Self> {
        Some(match text {
            "string" => Self::String,
            "md5" => Self::Md5,
            "sha256" => Self::Sha256,
            "ipv4" => Self::Ipv4,
            "ip" => Self::Ip,
            _ => return None,
        })
    }

    /// Whether a key is a hash that does not tell its value.
    pub(super) fn is_hashed(self) -> bool {
        matches!(self, Self::String | Self::Sha256)
    }

    /// The bytes that a line of a file stands for.
    pub(super) fn read(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::String => STANDARD.decode(text).ok().filter(|bytes| !bytes.is_empty()),
            Self::Md5 | Self::Sha256 => hexadecimal(text),
            Self::Ipv4 | Self::Ip => self.read_plain(text),
        }
    }

    /// The bytes that a string in JSON stands for.
    pub(super) fn read_plain(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::String => Some(text.as_bytes().to_vec()).filter(|bytes| !bytes.is_empty()),
            Self::Md5 | Self::Sha256 => hexadecimal(text),
            Self::Ipv4 => {
                let address: Ipv4Addr = text.parse().ok()?;
                Some(address.octets().to_vec())
            }
            Self::Ip => match text.parse().ok()? {
                IpAddr::V4(address) => Some(address.octets().to_vec()),
                IpAddr::V6(address) => Some(address.octets().to_vec()),
            },
        }
    }

    /// How a file writes a value that a set keeps.
    pub(super) fn write(self, bytes: &[u8]) -> String {
        match self {
            Self::String => STANDARD.encode(bytes),
            Self::Md5 | Self::Sha256 => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            Self::Ipv4 | Self::Ip => match <[u8; 16]>::try_from(bytes).map(Ipv6Addr::from) {
                // Mapped, for Suricata to read as well.
                Ok(address) if self == Self::Ip => address.to_string(),
                Ok(address) => address.to_canonical().to_string(),
                Err(_) => String::new(),
            },
        }
    }
}

/// Bytes to keys. What is longer than a key is hashed with secrets of this process, so that
/// nobody can choose two values with one key.
#[derive(Debug, Default)]
pub(super) struct Keys {
    secrets: [RandomState; 2],
}

impl Keys {
    /// The key of a buffer, if it can be a value of this type.
    pub(super) fn key(&self, kind: Kind, bytes: &[u8]) -> Option<Key> {
        match kind {
            Kind::String => Some(self.hash(bytes)),
            Kind::Sha256 => (bytes.len() == 32).then(|| self.hash(bytes)),
            Kind::Md5 => bytes.try_into().ok(),
            Kind::Ipv4 => v4(bytes),
            Kind::Ip => v4(bytes).or_else(|| bytes.try_into().ok()),
        }
    }

    fn hash(&self, bytes: &[u8]) -> Key {
        let [high, low] = self.secrets.each_ref().map(|secret| secret.hash_one(bytes));
        (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
    }
}

/// An IPv4 address, mapped into IPv6.
fn v4(bytes: &[u8]) -> Option<Key> {
    let octets: [u8; 4] = bytes.try_into().ok()?;
    Some(Ipv4Addr::from(octets).to_ipv6_mapped().octets())
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digit = |letter: u8| char::from(letter).to_digit(16);
    let bytes = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
        _ => None,
    });
    bytes.collect()
}
