//! A table of values (RFC 4180), with the headings that `import csv` knows.
//!
//! Names are what partners wrote. One that a spreadsheet would take for a formula gets an apostrophe
//! before it, which spreadsheets do not show.

use std::borrow::Cow;
use std::io;

use ::stix::Timestamp;

use super::{Export, Folder, Options};
use crate::live::{Entry, Live};
use crate::value::Value;

const HEADINGS: &str = "value,type,confidence,from,until,tlp,id,name";

struct Csv;

pub(super) fn new() -> Box<dyn Export> {
    Box::new(Csv)
}

impl Export for Csv {
    fn write(&self, live: &Live, _: &Options, out: &mut dyn Folder) -> io::Result<()> {
        out.file("shieldwall.csv", &mut |file| {
            // RFC 4180 ends lines so.
            write!(file, "{HEADINGS}\r\n")?;
            live.entries
                .iter()
                .try_for_each(|(value, entry)| write!(file, "{}\r\n", row(value, entry)))
        })
    }

    fn unsaid(&self, _: &Value) -> Option<&'static str> {
        None
    }
}

fn row(value: &Value, entry: &Entry) -> String {
    let time = |at: Option<Timestamp>| at.map_or_else(String::new, |at| at.to_string());
    let confidence = entry.confidence;
    let confidence = confidence.map_or_else(String::new, |number| number.to_string());
    let fields = [
        value.to_string(),
        value.kind().to_string(),
        confidence,
        time(entry.from),
        time(entry.until),
        entry.tlp.to_string(),
        entry.id.to_string(),
        harmless(&entry.name).into_owned(),
    ];
    fields.map(|field| quoted(&field)).join(",")
}

/// A text that no spreadsheet calculates with.
fn harmless(name: &str) -> Cow<'_, str> {
    match name.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        true => format!("'{name}").into(),
        false => name.into(),
    }
}

fn quoted(field: &str) -> String {
    match field.contains(['"', ',', '\r', '\n', ' ', '#']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::only_file;
    use super::*;
    use crate::import;

    #[test]
    fn rows_are_quoted_and_hold_no_formulas() {
        let text = only_file(&Csv);
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(lines[0], HEADINGS);
        let id = |name: &str| ::stix::StixId::v5("indicator", name);
        let want = format!(
            "192.0.2.1,ip,80,2026-11-01T00:00:00.000Z,2026-11-02T01:00:00.000Z,TLP:AMBER,{},\"one address\"",
            id("one address")
        );
        assert!(lines.contains(&want.as_str()), "{text}");
        let url = "\"http://evil.example:8080/a;b?c=%22d%22\"";
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with(url) || line.starts_with(url.trim_matches('"'))),
            "{text}"
        );
        assert!(text.contains(",'=ja4\r\n"), "{text}");
    }

    #[test]
    fn import_csv_reads_it() {
        let text = only_file(&Csv);
        let options = import::Options::default();
        let format = import::FORMATS.iter().find(|format| format.name == "csv");
        let reader = (format.unwrap().new)(&options).unwrap();
        let told = import::tests::told(&*reader, &text);
        assert_eq!(told.len(), 14, "{told:#?}");
        assert!(
            told.iter().all(|line| !line.starts_with("refused")),
            "{told:#?}"
        );
        let want = "ip-port 203.0.113.5:443 from 2026-11-01T00:00:00.000Z until 2026-11-02T01:00:00.000Z TLP:AMBER 80% (c2)";
        assert!(told.iter().any(|line| line == want), "{told:#?}");
    }
}
