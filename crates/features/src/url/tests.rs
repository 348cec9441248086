use super::*;

fn row(url: &str) -> Vec<(&'static str, f32)> {
    let mut samples = Samples::default();
    Url.extract(&Subject::Url(url), &mut samples).unwrap();
    assert_eq!(samples.rows(), 1);
    Url.columns()
        .iter()
        .map(|column| column.name)
        .zip(samples.numbers().iter().copied())
        .collect()
}

fn number(url: &str, name: &str) -> f32 {
    row(url)
        .into_iter()
        .find(|(column, _)| *column == name)
        .unwrap()
        .1
}

#[test]
fn scheme_and_www_say_nothing() {
    assert_eq!(
        row("http://www.Example.org/a"),
        row("https://example.org/a")
    );
    assert_eq!(row("example.org/a"), row("https://example.org/a"));
}

#[test]
fn what_somebody_chose_is_told_from_where_it_is_hosted() {
    assert_eq!(
        number("https://login.example.github.io/x", "suffix_private"),
        1.0
    );
    assert_eq!(
        number("https://login.example.github.io/x", "label_length"),
        7.0
    );
    assert_eq!(
        number("https://login.example.github.io/x", "labels_below"),
        1.0
    );
    assert_eq!(number("http://192.0.2.7:8080/", "address"), 1.0);
    assert_eq!(number("http://192.0.2.7:8080/", "port"), 1.0);
    assert_eq!(number("http://paypal.com@evil.example/", "userinfo"), 1.0);
    assert_eq!(number("http://emercoin.bazar/", "label_length"), 8.0);
}

#[test]
fn brands_and_their_neighbours_are_seen() {
    assert_eq!(number("https://paypal.com/", "brands_registered"), 1.0);
    assert_eq!(number("https://paypal.com/", "brands_label"), 0.0);
    assert_eq!(number("https://paypal-help.example/", "brands_label"), 1.0);
    assert_eq!(number("https://paypa1.example/", "brands_near"), 1.0);
    assert_eq!(number("https://paypal.evil.example/", "brands_below"), 1.0);
}

#[test]
fn nothing_is_too_odd() {
    for odd in [
        "",
        "://",
        "http://",
        "@",
        "a:b:c",
        "http://[::1]/",
        "%00",
        "\u{1f600}.example/\u{1f600}",
        "....",
        "http:///x",
    ] {
        row(odd);
    }
}

#[test]
fn the_digits_of_an_address_are_no_name() {
    assert_eq!(
        row("http://192.0.2.17:8080/status"),
        row("http://198.51.100.2:8080/status")
            .into_iter()
            .map(|(name, value)| match name {
                "host_length" => (name, 10.0),
                _ => (name, value),
            })
            .collect::<Vec<_>>()
    );
    assert_eq!(number("http://192.0.2.17/", "label_digits"), 0.0);
    assert_eq!(number("http://192.0.2.17/", "address"), 1.0);
}
