//! Separated values, with the caller's word on which column says what.
//!
//! `--column ip=src_addr` has addresses in the column with the heading `src_addr`; a number names
//! a column of a table without headings. `value` is of the kind that the column `type` names, that
//! the caller gave, or that its form shows. Without any, columns are known by the names of fields
//! and kinds, as the export writes them.

use std::io::BufRead;

use super::columns::{Columns, FIELDS, Says};
use super::{Import, OptionError, Options, ReadError, Tell};
use crate::claim::Told;
use crate::table::{Field, Table};

struct Csv {
    wanted: Vec<(Says, String)>,
    kind: Option<crate::value::Kind>,
    separator: u8,
    /// Whether columns are named by numbers, so that there are no headings.
    numbered: bool,
}

pub(super) fn new(options: &Options) -> Result<Box<dyn Import>, OptionError> {
    let says = |(field, heading): &(String, String)| match says(field) {
        Some(says) => Ok((says, heading.clone())),
        None => {
            let fields: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
            let fields = fields.join(", ");
            Err(OptionError(format!(
                "--column {field}={heading}: {field:?} is neither a kind nor one of {fields}"
            )))
        }
    };
    let wanted: Vec<(Says, String)> = options.columns.iter().map(says).collect::<Result<_, _>>()?;
    let number = |(_, heading): &(Says, String)| heading.parse::<usize>().is_ok_and(|n| n > 0);
    let numbered = !wanted.is_empty() && wanted.iter().all(number);
    Ok(Box::new(Csv {
        wanted,
        kind: options.kind,
        separator: options.separator.unwrap_or(b','),
        numbered,
    }))
}

fn says(field: &str) -> Option<Says> {
    let lower = field.to_ascii_lowercase();
    let known = FIELDS
        .iter()
        .find(|(name, _)| *name == lower)
        .map(|(_, says)| *says);
    known.or_else(|| lower.parse().ok().map(Says::Of))
}

impl Import for Csv {
    fn read(&self, input: &mut dyn BufRead, tell: &mut Tell<'_>) -> Result<(), ReadError> {
        let mut table = Table::new(input, self.separator);
        let mut columns = None;
        if self.numbered {
            columns = Some(self.numbers());
        }
        while let Some(row) = table.next()? {
            match (row, &columns) {
                (Err(refused), _) => tell(Told::Refused(refused))?,
                (Ok(row), Some(columns)) => columns.row(&row, tell)?,
                (Ok((_, headings)), None) => columns = Some(self.headings(&headings)?),
            }
        }
        Ok(())
    }
}

impl Csv {
    fn numbers(&self) -> Columns {
        let column = |heading: &String| heading.parse::<usize>().unwrap_or(0).saturating_sub(1);
        let columns = self
            .wanted
            .iter()
            .map(|(says, heading)| (column(heading), *says));
        Columns {
            columns: columns.collect(),
            kind: self.kind,
        }
    }

    fn headings(&self, headings: &[Field]) -> Result<Columns, ReadError> {
        let names: Vec<&str> = headings.iter().map(|field| field.text.as_str()).collect();
        let found = |heading: &str| {
            names
                .iter()
                .position(|name| name.eq_ignore_ascii_case(heading))
        };
        let columns: Vec<(usize, Says)> = match self.wanted.is_empty() {
            true => {
                let known = |(column, name): (usize, &&str)| Some((column, says(name)?));
                names.iter().enumerate().filter_map(known).collect()
            }
            false => {
                let column = |(says, heading): &(Says, String)| match found(heading) {
                    Some(column) => Ok((column, *says)),
                    None => Err(ReadError::Form(format!(
                        "no column is called {heading:?}; there are {}",
                        listed(&names)
                    ))),
                };
                self.wanted.iter().map(column).collect::<Result<_, _>>()?
            }
        };
        let columns = Columns {
            columns,
            kind: self.kind,
        };
        match columns.has_value() {
            true => Ok(columns),
            false => Err(ReadError::Form(format!(
                "no column has values; say which with --column ip=HEADING, --column value=HEADING or another kind; there are {}",
                listed(&names)
            ))),
        }
    }
}

fn listed(names: &[&str]) -> String {
    const SHOWN_MAX: usize = 40;
    let names: Vec<String> = names
        .iter()
        .take(SHOWN_MAX)
        .map(|name| crate::value::shortened(name))
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::tests::told;
    use super::*;

    fn csv(columns: &[(&str, &str)]) -> Box<dyn Import> {
        let columns = columns
            .iter()
            .map(|(f, h)| ((*f).to_owned(), (*h).to_owned()))
            .collect();
        new(&Options {
            columns,
            ..Options::default()
        })
        .unwrap()
    }

    #[test]
    fn columns_are_named_by_the_caller_or_by_themselves() {
        let text = "seen,src_addr,host,score\n2026-01-01,192.0.2.1,evil.example,90\n2026-01-02,,b.example,x\n2026-01-03,,,1\n";
        let columns = [
            ("ip", "SRC_addr"),
            ("domain", "host"),
            ("confidence", "score"),
            ("created", "seen"),
        ];
        let want = [
            "ip 192.0.2.1 created 2026-01-01T00:00:00.000Z 90%",
            "domain evil.example created 2026-01-01T00:00:00.000Z 90%",
            "refused line 3, column 23: \"x\" is not a confidence; write a number from 0 to 100",
            "refused line 4, column 1: the row has no value; see that the columns are the right ones",
        ];
        assert_eq!(told(&*csv(&columns), text), want);
        let text = "type,value,tlp,until\nipv4,192.0.2.1,TLP:GREEN,2027-01-01T00:00:00Z\nasn,AS1,,\nsha256,zz,,\n";
        let want = [
            "ip 192.0.2.1 until 2027-01-01T00:00:00.000Z TLP:GREEN",
            "refused line 3, column 1: type \"asn\": not one of ip, ip-port, domain, url, md5, sha1, sha256, ja3, ja4, email; correct the type",
            "refused line 4, column 8: \"zz\" is not a SHA-256; correct the value, or its type",
        ];
        assert_eq!(told(&*csv(&[]), text), want);
    }

    #[test]
    fn numbers_name_columns_without_headings() {
        assert_eq!(
            told(&*csv(&[("value", "2"), ("name", "1")]), "a bot,192.0.2.1\n"),
            ["ip 192.0.2.1 (a bot)"]
        );
        let endpoint = told(&*csv(&[("ip-port", "1"), ("port", "2")]), "192.0.2.1,443\n");
        assert_eq!(endpoint, ["ip-port 192.0.2.1:443"]);
    }

    #[test]
    fn columns_that_are_not_there_are_named() {
        assert_eq!(
            told(&*csv(&[("ip", "addr")]), "a,b\n1,2\n"),
            ["error: no column is called \"addr\"; there are a, b"]
        );
        assert!(told(&*csv(&[]), "a,b\n")[0].starts_with("error: no column has values"));
        let odd = Options {
            columns: vec![("colour".into(), "a".into())],
            ..Options::default()
        };
        assert!(
            new(&odd)
                .err()
                .unwrap()
                .to_string()
                .contains("neither a kind nor one of")
        );
    }
}
