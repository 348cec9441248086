use super::*;
use crate::Request;

fn rows(request: Request<'_>) -> Vec<(String, String)> {
    let mut samples = Samples::default();
    Fields
        .extract(&Subject::Request(request), &mut samples)
        .unwrap();
    let numbers = samples.numbers().chunks(Fields.columns().len());
    let ids = samples.ids().chunks(Fields.ids_max());
    assert_eq!((numbers.len(), ids.len()), (samples.rows(), samples.rows()));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (0..samples.rows())
        .map(|row| (text(samples.field(row)), text(samples.text(row))))
        .collect()
}

fn query(value: &str) -> Vec<String> {
    let target = format!("/?q={value}");
    let request = Request {
        method: b"GET",
        target: target.as_bytes(),
        ..Request::default()
    };
    rows(request)
        .into_iter()
        .filter(|(place, _)| place == "query q")
        .map(|(_, text)| text)
        .collect()
}

#[test]
fn what_means_the_same_reads_the_same() {
    for spelled in [
        "1%20union%20select%202",
        "1+UNION+SELECT+2",
        "1/**/union/*x*/select%0b2",
        "1%2520union%2520select%25202",
        "1%u0020union select 2",
        "1%26%23x20;union%26%2332;select 2",
        "1 \\x75nion se\\u006cect 2",
        "1 /*!50000union*/ select 2",
        "1 un''ion sel\\ect 2",
        "１ ｕｎｉｏｎ ｓｅｌｅｃｔ ２",
        "1 uni\u{043e}n s\u{0435}lect 2",
    ] {
        assert_eq!(query(spelled), ["1 union select 2"], "{spelled}");
    }
}

#[test]
fn fields_are_those_that_an_application_reads() {
    let headers: [(&[u8], &[u8]); 4] = [
        (b"Host", b"shop.example"),
        (b"Content-Type", b"application/json"),
        (b"Cookie", b"a=1; b=<x>"),
        (b"X-Api-Version", b"${jndi:ldap://x/a}"),
    ];
    let found = rows(Request {
        method: b"POST",
        target: b"/p?a=b&c[]=d",
        headers: &headers,
        body: br#"{"id": 7, "text": {"in": "e\u0027"}}"#,
    });
    let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
    let expected = [
        "path",
        "query a",
        "query c[]",
        "header content-type",
        "cookie a",
        "cookie b",
        "header x-api-version",
        "json in",
    ];
    assert_eq!(places, expected);
    assert_eq!(found.last().unwrap().1, "e'");
}

#[test]
fn what_is_wrapped_is_looked_at() {
    // base64 of `{"q": "1 union select 2"}`
    let texts = query("eyJxIjogIjEgdW5pb24gc2VsZWN0IDIifQ==");
    assert!(
        texts
            .iter()
            .any(|text| text == "eyjxijogijegdw5pb24gc2vszwn0idiifq=="),
        "{texts:?}"
    );
    let target = "/?q=eyJxIjogIjEgdW5pb24gc2VsZWN0IDIifQ==";
    let all = rows(Request {
        target: target.as_bytes(),
        ..Request::default()
    });
    assert!(
        all.iter().any(|(_, text)| text == "1 union select 2"),
        "{all:?}"
    );
}

#[test]
fn padding_leaves_what_is_among_it_alone() {
    let padded = format!(
        "{}' or 1=1--{}",
        "word ".repeat(2_000),
        " word".repeat(2_000)
    );
    assert!(
        query(&padded)
            .iter()
            .any(|text| text.contains("' or 1=1--"))
    );
}

#[test]
fn rows_are_bounded() {
    let target = format!("/?{}", "a=%2e&".repeat(100_000));
    assert!(
        rows(Request {
            target: target.as_bytes(),
            ..Request::default()
        })
        .len()
            <= ROWS_MAX
    );
}

/// Whether something of the request reads as the attack.
fn seen(target: &str, headers: &[(&[u8], &[u8])], body: &str) -> bool {
    let found = rows(Request {
        method: b"POST",
        target: target.as_bytes(),
        headers,
        body: body.as_bytes(),
    });
    found.iter().any(|(_, text)| text.contains("1' or 1=1--"))
}

#[test]
fn nobody_hides_an_attack_behind_harmless_values() {
    let attack = "1' or 1=1--";
    let parameters: String = (0..900)
        .map(|number| format!("p{number}=some+words&"))
        .collect();
    assert!(seen("/", &[], &format!("{parameters}q={attack}")));
    assert!(seen(&format!("/?{parameters}q={attack}"), &[], ""));
    let deep = format!("{}\"{attack}\"{}", "{\"v\":".repeat(100), "}".repeat(100));
    assert!(seen("/", &[], &deep));
    let deeper = format!("{}\"{attack}\"{}", "[".repeat(300), "]".repeat(300));
    assert!(seen("/", &[], &deeper));
    let kind: [(&[u8], &[u8]); 1] = [(b"Content-Type", b"multipart/form-data; boundary=xyz")];
    let part = |name: usize, value: &str| {
        format!("--xyz\r\nContent-Disposition: form-data; name=\"n{name}\"\r\n\r\n{value}\r\n")
    };
    let mut parts: String = (0..300).map(|name| part(name, "some words")).collect();
    parts.push_str(&part(300, attack));
    parts.push_str("--xyz--\r\n");
    assert!(seen("/", &kind, &parts));
    for before in [60_000, 65_530, 131_000, 300_000] {
        let padding = "word ".repeat(before / 5);
        assert!(
            seen("/", &[], &format!("q={padding}{attack} {padding}")),
            "{before}"
        );
    }
}

/// The numbers of the row whose text is this.
fn numbers(request: Request<'_>, text: &str) -> Vec<f32> {
    let mut samples = Samples::default();
    Fields
        .extract(&Subject::Request(request), &mut samples)
        .unwrap();
    let row = (0..samples.rows())
        .find(|row| samples.text(*row) == text.as_bytes())
        .unwrap();
    let width = Fields.columns().len();
    let mut all = samples.numbers().chunks(width);
    all.nth(row).unwrap().to_vec()
}

#[test]
fn what_a_place_needs_is_no_evidence() {
    let attack = "1' or 1=1--";
    let json: [(&[u8], &[u8]); 1] = [(b"Content-Type", b"application/json")];
    let sent = |target: &'static [u8], headers, body: &'static [u8]| Request {
        method: b"POST",
        target,
        headers,
        body,
    };
    let plain = numbers(sent(b"/", &json, br#"{"a": "1' or 1=1--"}"#), attack);
    let query = b"/?a=1%27%20or%201%3d1--";
    assert_eq!(numbers(sent(query, &[], b""), attack), plain);
    assert_eq!(
        numbers(sent(b"/", &[], b"a=1%27+or+1%3d1--&b=c"), attack),
        plain
    );
    // once more than the place needs is counted
    let twice = b"/?a=1%2527%20or%201%253d1--";
    assert_ne!(numbers(sent(twice, &[], b""), attack), plain);
}

#[test]
fn signs_that_code_pages_map_to_ascii_are_those() {
    let spelled = "1%CA%BC or %CA%BAa%CA%BA=1 %E3%80%88script%E3%80%89 2%E2%88%B63";
    assert_eq!(query(spelled), ["1' or \"a\"=1 <script> 2:3"]);
}

#[test]
fn no_window_of_a_page_is_crowded_out() {
    let signed = "x: (2, 3) [4] 10.5% a/b/c; ".repeat(200);
    let text = format!("{signed}' or 1=1--{signed}");
    let request = Request {
        method: b"POST",
        target: b"/",
        body: text.as_bytes(),
        ..Request::default()
    };
    assert!(
        rows(request)
            .iter()
            .any(|(_, text)| text.contains("' or 1=1--"))
    );
}

#[test]
fn the_own_name_of_a_server_says_nothing() {
    let page = |referer: &'static [u8]| {
        let headers: [(&[u8], &[u8]); 2] = [(b"Host", b"10.0.0.7:81"), (b"Referer", referer)];
        rows(Request {
            target: b"/",
            headers: &headers,
            ..Request::default()
        })
    };
    let own = [("header referer".to_owned(), "/a".to_owned())];
    assert_eq!(page(b"http://10.0.0.7:81/a"), own);
    assert_eq!(page(b"https://10.0.0.7:81/a"), own);
    assert_eq!(page(b"http://10.0.0.7:812/a")[0].1, "http://10.0.0.7:812/a");
}
