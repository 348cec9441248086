//! `url_decode`: `+` is a space, `%HH` a byte.

pub(super) fn decode(input: &[u8], out: &mut Vec<u8>) {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut rest = input;
    while let [first, behind @ ..] = rest {
        rest = behind;
        match (*first, behind) {
            (b'+', _) => out.push(b' '),
            (b'%', [high, low, behind @ ..]) => match (digit(*high), digit(*low)) {
                (Some(large), Some(small)) => {
                    out.extend(u8::try_from(large << 4 | small));
                    rest = behind;
                }
                // What is no escape stays with the byte that shows it, also when that is a `%`.
                (Some(_), None) => {
                    out.extend([b'%', *high, *low]);
                    rest = behind;
                }
                (None, _) => {
                    out.extend([b'%', *high]);
                    rest = rest.get(1..).unwrap_or_default();
                }
            },
            // Too short for an escape.
            (b'%', _) => {
                out.push(b'%');
                out.extend(behind);
                rest = &[];
            }
            (byte, _) => out.push(byte),
        }
    }
}
