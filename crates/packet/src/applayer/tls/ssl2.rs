//! SSL 2.0 hellos (draft-hickman-netscape-ssl-00 section 1.2; RFC 5246 appendix E.2): of clients that
//! offer newer versions in the old form, and of those that know nothing else.

use super::hello::{Hello, words};
use super::version::SSL2;
use crate::applayer::Probe;
use crate::bytes::{Cursor, be16};

/// Length of the record, header included, if its header of two bytes is there and is one.
pub(super) fn record_len(data: &[u8]) -> Option<usize> {
    let header = be16(data, 0)?;
    (header & 0x8000 != 0).then(|| usize::from(header & 0x7fff).saturating_add(2))
}

/// Whether a client's first bytes are a hello of this form.
pub(super) fn probe(data: &[u8]) -> Probe {
    let fits = |at: usize, fits: &dyn Fn(u8) -> bool| data.get(at).copied().is_none_or(fits);
    let possible = fits(0, &|first| first & 0x80 != 0)
        && fits(2, &|kind| kind == CLIENT_HELLO)
        && be16(data, 3).is_none_or(is_version);
    let lens = [5, 7, 9].map(|at| be16(data, at).map(usize::from));
    match (possible, lens) {
        (false, _) => Probe::No,
        (true, [Some(ciphers), Some(session), Some(challenge)]) => {
            let body = [ciphers, session, challenge].iter().sum::<usize>();
            let fits = record_len(data) == body.checked_add(11);
            if fits && ciphers > 0 && ciphers.is_multiple_of(3) {
                Probe::Certain
            } else {
                Probe::No
            }
        }
        (true, _) => Probe::Unsure,
    }
}

/// Reads a whole record with a client's hello; `None` when it is none.
pub(super) fn client_hello(record: &[u8], first_ts_ns: u64) -> Option<Hello> {
    let mut cursor = Cursor::new(record.get(2..)?);
    (cursor.u8()? == CLIENT_HELLO).then_some(())?;
    let version = cursor.u16().filter(|version| is_version(*version))?;
    let ciphers = usize::from(cursor.u16()?);
    cursor.take(4)?;
    let ciphers = cursor.take(ciphers)?.as_chunks::<3>().0.iter();
    // those that begin with 0 are suites of SSL 3.0 and TLS
    let known = ciphers.filter(|cipher| cipher.first() == Some(&0));
    let suites: Vec<u8> = known.flat_map(|[_, high, low]| [*high, *low]).collect();
    Some(Hello::of_ssl2(version, words(&suites), first_ts_ns))
}

/// Reads a whole record with a server's hello: its version and certificate.
pub(super) fn server_hello(record: &[u8]) -> Option<(u16, &[u8])> {
    let mut cursor = Cursor::new(record.get(2..)?);
    (cursor.u8()? == SERVER_HELLO).then_some(())?;
    cursor.u16()?;
    let version = cursor.u16().filter(|version| *version == SSL2)?;
    let certificate = usize::from(cursor.u16()?);
    cursor.take(4)?;
    Some((version, cursor.take(certificate)?))
}

fn is_version(version: u16) -> bool {
    matches!(version, SSL2 | 0x0300..=0x0304)
}

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_of_three_ciphers() {
        let mut record = vec![0x80, 34, 1, 3, 1, 0, 9, 0, 0, 0, 16];
        record.extend([0, 0, 4, 1, 0, 0x80, 0, 0, 10]);
        record.extend([7; 16]);
        assert_eq!(probe(&record), Probe::Certain);
        assert_eq!(probe(&record[..4]), Probe::Unsure);
        assert_eq!(probe(&[0x80, 34, 2]), Probe::No);
        let hello = client_hello(&record, 0).unwrap();
        assert_eq!((hello.version, &hello.ciphers[..]), (0x0301, &[4, 10][..]));
        for len in 0..record.len() {
            client_hello(&record[..len], 0);
            server_hello(&record[..len]);
        }
    }
}
