//! How long bodies are.

use super::*;

#[test]
fn bodies_by_the_fields_of_the_head() {
    for (fields, expected) in [
        ("", Ok(Body::Length(0))),
        ("Content-Length: 12", Ok(Body::Length(12))),
        (
            "content-length:12\r\nContent-Length: 12",
            Ok(Body::Length(12)),
        ),
        (
            "Content-Length: 12\r\nContent-Length: 13",
            Err("http.content_length_differs"),
        ),
        ("Content-Length: -1", Err("http.invalid_content_length")),
        (
            "Content-Length: 99999999999999999999999",
            Err("http.invalid_content_length"),
        ),
        (
            "Content-Length: 3\r\nTransfer-Encoding: gzip, Chunked",
            Ok(Body::CHUNKED),
        ),
        ("Transfer-Encoding: chunked, gzip", Ok(Body::Length(0))),
    ] {
        let raw = format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n");
        let head = Head::parse(raw.as_bytes(), StartLine::Request, 0);
        let (body, damage) = Body::of_request(&head);
        assert_eq!(damage.map_or(Ok(body), Err), expected, "{fields}");
    }
}

#[test]
fn responses_that_have_no_body() {
    let raw = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
    let head = Head::parse(raw, StartLine::Status, 0);
    assert_eq!(Body::of_response(&head, 200, false).0, Body::Length(7));
    assert_eq!(Body::of_response(&head, 200, true).0, Body::Length(0));
    assert_eq!(Body::of_response(&head, 304, false).0, Body::Length(0));
    let bare = Head::parse(b"HTTP/1.1 200 OK\r\n\r\n", StartLine::Status, 0);
    assert_eq!(Body::of_response(&bare, 200, false).0, Body::UntilClose);
}
