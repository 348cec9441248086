//! `xor`: with a key that repeats.

use std::sync::Arc;

use super::Operation;

/// Longest key, in bytes (Suricata's bound).
const KEY_MAX: usize = 255;

#[derive(Debug)]
struct Xor {
    key: Vec<u8>,
}

pub(super) fn parse(value: Option<&str>) -> Result<Arc<dyn Operation>, String> {
    let digits = value.ok_or("xor needs a key in hexadecimal digits")?;
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? << 4 | digit(*low)?).ok();
    let key: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    match key {
        Some(_) if !rest.is_empty() => Err("the key of xor has half a byte".to_owned()),
        Some(key) if key.len() > KEY_MAX => {
            Err(format!("the key of xor is longer than {KEY_MAX} bytes"))
        }
        Some(key) => Ok(Arc::new(Xor { key })),
        None => Err("the key of xor is not in hexadecimal digits".to_owned()),
    }
}

impl Operation for Xor {
    fn apply(&self, input: &[u8], out: &mut Vec<u8>) -> bool {
        out.extend(
            input
                .iter()
                .zip(self.key.iter().cycle())
                .map(|(a, b)| a ^ b),
        );
        true
    }
}
