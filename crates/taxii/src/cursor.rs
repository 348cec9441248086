//! Cursors: where a reader stands, opaque to it.
//!
//! A cursor is a function of the reader's own view, its filters and the log's epoch, and of
//! nothing else: objects that the reader may not see change no byte of it. It is authenticated, so
//! that nobody probes positions, and bound, so that a cursor of one view or filter is refused
//! elsewhere with an error that says so.

use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};

/// Longest text that [`decode`] looks at; what [`encode`] writes is shorter.
pub const CURSOR_BYTES_MAX: usize = 128;

/// How far a reader has come in the two lanes of its view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Last position read of the community lane; 0 is the start.
    pub community: u64,
    /// Last position read of the addressed lane; 0 is the start.
    pub addressed: u64,
}

/// The key that a hub authenticates its cursors with.
#[derive(Clone)]
pub struct Key(hmac::Key);

impl Key {
    /// From 32 secret bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Why a cursor is refused. In every case the reader starts anew without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// Not a cursor that this hub wrote.
    #[error("not a cursor of this hub; start again without one")]
    Malformed,
    /// A cursor of another reader or another resource.
    #[error("the cursor belongs to another view; start again without one")]
    Foreign,
    /// A cursor of the same view under other filters (TAXII 2.1 section 3.5: `next` goes with the
    /// filters of the first request).
    #[error("the cursor belongs to other filters; repeat the filters of the first request")]
    OtherFilters,
    /// The log was replaced since, for instance restored from a backup.
    #[error("the log is in epoch {now}, the cursor is of epoch {was}; start again without one")]
    OtherEpoch {
        /// Epoch in the cursor.
        was: u64,
        /// Epoch of the log.
        now: u64,
    },
    /// The log no longer reaches back to the cursor, or never reached it.
    #[error("the log no longer reaches back to the cursor; start again without one")]
    Trimmed,
}

/// Writes a cursor: URL-safe base64 without padding.
pub fn encode(position: Position, view: &str, filters: &str, epoch: u64, key: &Key) -> String {
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.push(VERSION);
    for number in [epoch, position.community, position.addressed] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    bytes.extend_from_slice(&tag(key, "view", view));
    bytes.extend_from_slice(&tag(key, "filters", filters));
    sealed(bytes, key)
}

/// Writes a cursor for a place that is not a position; of a place of more than [`PLACE_BYTES_MAX`]
/// bytes the rest is left out.
pub fn encode_place(place: &[u8], view: &str, filters: &str, epoch: u64, key: &Key) -> String {
    let mut bytes = Vec::with_capacity(LENGTH.saturating_add(PLACE_BYTES_MAX));
    bytes.push(VERSION_OF_PLACES);
    bytes.extend_from_slice(&epoch.to_be_bytes());
    bytes.extend_from_slice(&tag(key, "view", view));
    bytes.extend_from_slice(&tag(key, "filters", filters));
    bytes.extend_from_slice(place.get(..PLACE_BYTES_MAX).unwrap_or(place));
    sealed(bytes, key)
}

/// Reads a cursor that [`encode`] wrote for the same view and filters.
///
/// # Errors
/// Any [`CursorError`] but `Trimmed`, which only the log can tell.
pub fn decode(
    text: &str,
    view: &str,
    filters: &str,
    epoch: u64,
    key: &Key,
) -> Result<Position, CursorError> {
    if text.len() > CURSOR_BYTES_MAX {
        return Err(CursorError::Malformed);
    }
    let bytes = BASE64.decode(text).map_err(|_| CursorError::Malformed)?;
    let fields = Fields::read(&bytes).ok_or(CursorError::Malformed)?;
    if constant_time::verify_slices_are_equal(fields.mac, &mac(key, fields.covered)).is_err() {
        return Err(CursorError::Malformed);
    }
    let bound = (fields.epoch, fields.view, fields.filters);
    check(bound, view, filters, epoch, key)?;
    Ok(fields.position)
}

/// Reads the place in a cursor that [`encode_place`] wrote for the same view and filters.
///
/// # Errors
/// As [`decode`].
pub fn decode_place(
    text: &str,
    view: &str,
    filters: &str,
    epoch: u64,
    key: &Key,
) -> Result<Vec<u8>, CursorError> {
    if text.len() > CURSOR_BYTES_MAX {
        return Err(CursorError::Malformed);
    }
    let bytes = BASE64.decode(text).map_err(|_| CursorError::Malformed)?;
    let fields = PlaceFields::read(&bytes).ok_or(CursorError::Malformed)?;
    if constant_time::verify_slices_are_equal(fields.mac, &mac(key, fields.covered)).is_err() {
        return Err(CursorError::Malformed);
    }
    let bound = (fields.epoch, fields.view, fields.filters);
    check(bound, view, filters, epoch, key)?;
    Ok(fields.place.to_vec())
}

/// Compares what a cursor is bound to.
fn check(
    (was, of_view, of_filters): (u64, &[u8; TAG_LENGTH], &[u8; TAG_LENGTH]),
    view: &str,
    filters: &str,
    epoch: u64,
    key: &Key,
) -> Result<(), CursorError> {
    if *of_view != tag(key, "view", view) {
        return Err(CursorError::Foreign);
    }
    if *of_filters != tag(key, "filters", filters) {
        return Err(CursorError::OtherFilters);
    }
    if was != epoch {
        return Err(CursorError::OtherEpoch { was, now: epoch });
    }
    Ok(())
}

fn sealed(mut bytes: Vec<u8>, key: &Key) -> String {
    let mac = mac(key, &bytes);
    bytes.extend_from_slice(&mac);
    BASE64.encode(bytes)
}

/// Longest place in a cursor, in bytes.
pub const PLACE_BYTES_MAX: usize = 54;

const VERSION: u8 = 1;
const VERSION_OF_PLACES: u8 = 2;
const TAG_LENGTH: usize = 8;
const MAC_LENGTH: usize = 16;
const LENGTH: usize = 1 + 3 * 8 + 2 * TAG_LENGTH + MAC_LENGTH;

struct Fields<'a> {
    epoch: u64,
    position: Position,
    view: &'a [u8; TAG_LENGTH],
    filters: &'a [u8; TAG_LENGTH],
    covered: &'a [u8],
    mac: &'a [u8; MAC_LENGTH],
}

impl<'a> Fields<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (epoch, rest) = rest.split_first_chunk::<8>()?;
        let (community, rest) = rest.split_first_chunk::<8>()?;
        let (addressed, rest) = rest.split_first_chunk::<8>()?;
        let (view, rest) = rest.split_first_chunk::<TAG_LENGTH>()?;
        let (filters, rest) = rest.split_first_chunk::<TAG_LENGTH>()?;
        let mac = <&[u8; MAC_LENGTH]>::try_from(rest).ok()?;
        let (covered, _) = bytes.split_last_chunk::<MAC_LENGTH>()?;
        (*version == VERSION).then_some(Self {
            epoch: u64::from_be_bytes(*epoch),
            position: Position {
                community: u64::from_be_bytes(*community),
                addressed: u64::from_be_bytes(*addressed),
            },
            view,
            filters,
            covered,
            mac,
        })
    }
}

struct PlaceFields<'a> {
    epoch: u64,
    view: &'a [u8; TAG_LENGTH],
    filters: &'a [u8; TAG_LENGTH],
    place: &'a [u8],
    covered: &'a [u8],
    mac: &'a [u8; MAC_LENGTH],
}

impl<'a> PlaceFields<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (covered, mac) = bytes.split_last_chunk::<MAC_LENGTH>()?;
        let (version, rest) = covered.split_first()?;
        let (epoch, rest) = rest.split_first_chunk::<8>()?;
        let (view, rest) = rest.split_first_chunk::<TAG_LENGTH>()?;
        let (filters, place) = rest.split_first_chunk::<TAG_LENGTH>()?;
        (*version == VERSION_OF_PLACES).then_some(Self {
            epoch: u64::from_be_bytes(*epoch),
            view,
            filters,
            place,
            covered,
            mac,
        })
    }
}

fn tag(key: &Key, domain: &str, text: &str) -> [u8; TAG_LENGTH] {
    first(&hmac_of(key, domain, text.as_bytes()))
}

fn mac(key: &Key, covered: &[u8]) -> [u8; MAC_LENGTH] {
    first(&hmac_of(key, "cursor", covered))
}

fn hmac_of(key: &Key, domain: &str, bytes: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&key.0);
    context.update(domain.as_bytes());
    context.update(&[0]);
    context.update(bytes);
    context.sign()
}

fn first<const N: usize>(tag: &hmac::Tag) -> [u8; N] {
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HERE: Position = Position {
        community: 41,
        addressed: 3,
    };

    fn key() -> Key {
        Key::new(&[9; 32])
    }

    #[test]
    fn each_way_of_being_wrong_is_its_own_error() {
        let cursor = encode(HERE, "alpha/all", "type=indicator", 5, &key());
        let read = |view, filters, epoch, key: Key| decode(&cursor, view, filters, epoch, &key);
        assert_eq!(read("alpha/all", "type=indicator", 5, key()), Ok(HERE));
        assert_eq!(
            read("bravo/all", "type=indicator", 5, key()),
            Err(CursorError::Foreign)
        );
        assert_eq!(
            read("alpha/all", "", 5, key()),
            Err(CursorError::OtherFilters)
        );
        let epoch = CursorError::OtherEpoch { was: 5, now: 6 };
        assert_eq!(read("alpha/all", "type=indicator", 6, key()), Err(epoch));
        let other = Key::new(&[8; 32]);
        assert_eq!(
            read("alpha/all", "type=indicator", 5, other),
            Err(CursorError::Malformed)
        );
    }

    #[test]
    fn a_place_comes_back_to_whom_it_was_given() {
        let place = [7; PLACE_BYTES_MAX];
        let cursor = encode_place(&place, "alpha", "value=x", 5, &key());
        assert!(cursor.len() <= CURSOR_BYTES_MAX);
        let read = |view, filters, epoch| decode_place(&cursor, view, filters, epoch, &key());
        assert_eq!(read("alpha", "value=x", 5), Ok(place.to_vec()));
        assert_eq!(read("bravo", "value=x", 5), Err(CursorError::Foreign));
        assert_eq!(read("alpha", "value=y", 5), Err(CursorError::OtherFilters));
        let epoch = CursorError::OtherEpoch { was: 5, now: 6 };
        assert_eq!(read("alpha", "value=x", 6), Err(epoch));
        // Neither kind of cursor passes for the other.
        let malformed = Err(CursorError::Malformed);
        assert_eq!(decode(&cursor, "alpha", "value=x", 5, &key()), malformed);
        let position = encode(HERE, "alpha", "value=x", 5, &key());
        let read = decode_place(&position, "alpha", "value=x", 5, &key());
        assert_eq!(read, Err(CursorError::Malformed));
        let mut forged = BASE64.decode(&cursor).unwrap();
        for at in 0..forged.len() {
            forged[at] ^= 1;
            let verdict = decode_place(&BASE64.encode(&forged), "alpha", "value=x", 5, &key());
            assert_eq!(verdict, Err(CursorError::Malformed), "byte {at}");
            forged[at] ^= 1;
        }
    }

    #[test]
    fn no_changed_byte_passes() {
        let cursor = BASE64.decode(encode(HERE, "alpha", "", 1, &key())).unwrap();
        for at in 0..cursor.len() {
            let mut forged = cursor.clone();
            forged[at] ^= 1;
            let verdict = decode(&BASE64.encode(forged), "alpha", "", 1, &key());
            assert_eq!(verdict, Err(CursorError::Malformed), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn positions_come_back(community: u64, addressed: u64, epoch: u64, view in ".{0,20}") {
            let position = Position { community, addressed };
            let cursor = encode(position, &view, "f", epoch, &key());
            prop_assert!(cursor.len() <= CURSOR_BYTES_MAX);
            prop_assert_eq!(decode(&cursor, &view, "f", epoch, &key()), Ok(position));
        }

        #[test]
        fn any_text_is_refused_without_panic(text in ".{0,200}") {
            prop_assert_eq!(decode(&text, "v", "f", 1, &key()), Err(CursorError::Malformed));
        }
    }
}
