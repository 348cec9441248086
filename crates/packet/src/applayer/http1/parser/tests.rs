//! How long bodies are.

use super::*;

#[test]
fn bodies_by_the_fields_of_the_head() {
    for (fields, expected, odd) in [
        ("", Body::Length(0), None),
        ("Content-Length: 12", Body::Length(12), None),
        (
            "Content-Length: 12\r\nContent-Length: 13",
            Body::Length(12),
            Some("DUPLICATE_CONTENT_LENGTH_FIELD_IN_REQUEST"),
        ),
        (
            "Content-Length: 12x",
            Body::Length(12),
            Some("CONTENT_LENGTH_EXTRA_DATA_END"),
        ),
        (
            "Content-Length: 99999999999999999999999",
            Body::Length(0),
            Some("INVALID_CONTENT_LENGTH_FIELD_IN_REQUEST"),
        ),
        (
            "Content-Length: 3\r\nTransfer-Encoding: gzip, Chunked",
            Body::CHUNKED,
            Some("INVALID_TRANSFER_ENCODING_VALUE_IN_REQUEST"),
        ),
    ] {
        let raw = format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n");
        let head = Head::parse(raw.as_bytes(), StartLine::Request, 0);
        let mut oddities = Vec::new();
        assert_eq!(Body::of_request(&head, &mut oddities), expected, "{fields}");
        assert_eq!(oddities.first().copied(), odd, "{fields}");
    }
}

#[test]
fn responses_that_have_no_body() {
    let raw = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
    let head = Head::parse(raw, StartLine::Status, 0);
    let mut odd = Vec::new();
    let mut body = |status, to_head| Body::of_response(&head, Some(status), to_head, &mut odd);
    assert_eq!(body(200, false), Some(Body::Length(7)));
    assert_eq!(body(200, true), Some(Body::Length(0)));
    assert_eq!(body(304, false), Some(Body::Length(0)));
    let bare = Head::parse(b"HTTP/1.1 200 OK\r\n\r\n", StartLine::Status, 0);
    let body = Body::of_response(&bare, Some(200), false, &mut odd);
    assert_eq!(body, Some(Body::UntilClose));
}

#[test]
fn a_response_whose_length_is_none_has_no_end() {
    for (fields, expected) in [
        ("Content-Length: many", None),
        ("Content-Length:", None),
        ("Content-Length: 99999999999999999999999", None),
        (
            "Content-Length: many\r\nTransfer-Encoding: chunked",
            Some(Body::CHUNKED),
        ),
    ] {
        let raw = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
        let head = Head::parse(raw.as_bytes(), StartLine::Status, 0);
        let body = Body::of_response(&head, Some(200), false, &mut Vec::new());
        assert_eq!(body, expected, "{fields}");
    }
}
