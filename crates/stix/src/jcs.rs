//! The one form of JSON that digests are made over (RFC 8785, JSON Canonicalization Scheme).

use serde_json::Number;

use crate::error::ObjectError;
use crate::json;
use crate::tree::{Json, Members};

/// The canonical form of any JSON document, nested no deeper than `depth_max`.
///
/// A key that stands twice is refused: readers differ in which of the two they take.
///
/// # Errors
/// [`ObjectError`] with the path: not JSON, a key that stands twice, or nested too deep.
pub fn canonical(raw: &[u8], depth_max: usize) -> Result<String, ObjectError> {
    let value = json::read(raw, depth_max)?;
    let mut out = String::with_capacity(raw.len());
    write(&mut out, &value);
    Ok(out)
}

/// Appends the canonical form of a value.
pub(crate) fn write(out: &mut String, value: &Json<'_>) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Number(number) => write_number(out, number),
        Json::Text(text) => write_text(out, text),
        Json::List(list) => {
            out.push('[');
            for (index, value) in list.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(out, value);
            }
            out.push(']');
        }
        Json::Object(members) => write_members(out, members),
    }
}

fn write_members(out: &mut String, members: &Members<'_>) {
    let entries: Vec<(&str, &Json<'_>)> = members.iter().collect();
    write_entries(out, entries);
}

/// Appends an object of these entries.
pub(crate) fn write_entries(out: &mut String, mut entries: Vec<(&str, &Json<'_>)>) {
    entries.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    out.push('{');
    for (index, (key, value)) in entries.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(out, key);
        out.push(':');
        write(out, value);
    }
    out.push('}');
}

/// Section 3.2.2.2: only what must be escaped is.
fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{9}' => out.push_str("\\t"),
            '\u{a}' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\u{d}' => out.push_str("\\r"),
            '\0'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out.push('"');
}

/// Section 3.2.2.3: as ECMAScript writes a double.
fn write_number(out: &mut String, number: &Number) {
    /// Up to here every whole number is a double of its own.
    const EXACT_MAX: u64 = 1 << 53;
    match number.as_i64() {
        Some(whole) if whole.unsigned_abs() <= EXACT_MAX => out.push_str(&whole.to_string()),
        _ => write_double(out, number.as_f64().unwrap_or_default()),
    }
}

fn write_double(out: &mut String, double: f64) {
    if double == 0.0 {
        return out.push('0');
    }
    // `{:e}` gives the shortest digits that read back as the same double, as ECMAScript asks.
    let text = format!("{double:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    out.push_str(sign);
    // The decimal point stands after so many digits.
    let point = exponent.saturating_add(1);
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    match point {
        1..=21 if point >= count => {
            out.push_str(&digits);
            out.extend(std::iter::repeat_n('0', point.abs_diff(count) as usize));
        }
        1..=21 => {
            let at = usize::try_from(point).unwrap_or_default();
            let (whole, fraction) = digits.split_at_checked(at).unwrap_or((&digits, ""));
            out.push_str(&format!("{whole}.{fraction}"));
        }
        -5..=0 => {
            out.push_str("0.");
            out.extend(std::iter::repeat_n('0', point.unsigned_abs() as usize));
            out.push_str(&digits);
        }
        _ => {
            let (first, rest) = digits.split_at_checked(1).unwrap_or((&digits, ""));
            out.push_str(first);
            if !rest.is_empty() {
                out.push_str(&format!(".{rest}"));
            }
            let sign = if exponent < 0 { '-' } else { '+' };
            out.push_str(&format!("e{sign}{}", exponent.unsigned_abs()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::canonical as read;
    use crate::error::Fault;

    fn canonical(text: &str) -> String {
        read(text.as_bytes(), 9).unwrap()
    }

    #[test]
    fn a_key_that_stands_twice_and_what_is_too_deep_have_no_form() {
        assert_eq!(
            read(br#"{"a":1,"a":1}"#, 9).unwrap_err().fault,
            Fault::DuplicateKey
        );
        let deep = read(b"[[[]]]", 2).unwrap_err();
        assert_eq!(
            (&*deep.path, deep.fault),
            ("$[0][0]", Fault::TooDeep { max: 2 })
        );
    }

    #[test]
    fn numbers_are_written_as_ecmascript_writes_them() {
        let cases = [
            ("0", "0"),
            ("-0.0", "0"),
            ("1.0", "1"),
            ("-1", "-1"),
            ("4.50", "4.5"),
            ("0.002", "0.002"),
            ("1e-27", "1e-27"),
            ("1E30", "1e+30"),
            ("333333333.33333329", "333333333.3333333"),
            ("0.000001", "0.000001"),
            ("0.0000001", "1e-7"),
            ("1e21", "1e+21"),
            ("123456789012345680000", "123456789012345680000"),
            ("9007199254740993", "9007199254740992"),
            ("1.5e300", "1.5e+300"),
            ("-12.5", "-12.5"),
        ];
        for (text, want) in cases {
            assert_eq!(canonical(text), want, "{text}");
        }
    }

    #[test]
    fn keys_are_sorted_by_utf_16_and_texts_escaped_as_little_as_can_be() {
        // U+1F600 is D83D DE00 in UTF-16, and so stands before U+FB33.
        let text = r#"{"\ufb33":1,"\ud83d\ude00":2,"b":[true,null,"€\u0000\u001f\n\"\\/"],"a":{}}"#;
        let want = concat!(
            r#"{"a":{},"b":[true,null,"€\u0000\u001f\n\"\\/"],"#,
            "\"\u{1f600}\":2,\"\u{fb33}\":1}"
        );
        assert_eq!(canonical(text), want);
    }
}
