//! The tables of abuse.ch: URLhaus, Feodo Tracker, ThreatFox, MalwareBazaar, SSLBL. They differ in
//! which line of comments or of the table has the headings; what they list is known by these.
//!
//! Their lists tell what is listed now; how long that holds is the caller's word. Who reported is
//! left behind.

use std::io::BufRead;

use super::columns::{Columns, Says};
use super::{Import, OptionError, Options, ReadError, Tell};
use crate::claim::Told;
use crate::table::{self, Field, Table};
use crate::value::Kind;

struct Abuse;

#[expect(clippy::unnecessary_wraps, reason = "the type of all readers' makers")]
pub(super) fn new(_: &Options) -> Result<Box<dyn Import>, OptionError> {
    Ok(Box::new(Abuse))
}

/// Headings in lower case, and what they say.
const HEADINGS: [(&str, Says); 20] = [
    ("url", Says::Of(Kind::Url)),
    ("dst_ip", Says::Of(Kind::Endpoint)),
    ("dstip", Says::Of(Kind::Endpoint)),
    ("dst_port", Says::Port),
    ("dstport", Says::Port),
    ("ioc_value", Says::Value),
    ("ioc", Says::Value),
    ("ioc_type", Says::Type),
    ("sha256_hash", Says::Of(Kind::Sha256)),
    ("ja3_md5", Says::Of(Kind::Ja3)),
    ("dateadded", Says::Created),
    ("first_seen_utc", Says::Created),
    ("firstseen", Says::Created),
    ("confidence_level", Says::Confidence),
    ("threat", Says::Name),
    ("malware", Says::Name),
    ("malware_printable", Says::Name),
    ("signature", Says::Name),
    ("listingreason", Says::Name),
    ("valid_until", Says::Until),
];

impl Import for Abuse {
    fn read(&self, input: &mut dyn BufRead, tell: &mut Tell<'_>) -> Result<(), ReadError> {
        let mut table = Table::new(input, b',');
        let mut columns: Option<Columns> = None;
        while let Some(row) = table.next()? {
            let row = match row {
                Ok(row) => row,
                Err(refused) => {
                    tell(Told::Refused(refused))?;
                    continue;
                }
            };
            if let Some(columns) = &columns {
                columns.row(&row, tell)?;
                continue;
            }
            if let Some(known) = of(&row.1) {
                columns = Some(known);
                continue;
            }
            let commented = table
                .comment
                .as_deref()
                .and_then(|text| table::split(text, b','));
            let known = commented.as_deref().and_then(of).ok_or_else(|| {
                let why = "no line has the headings of a table of abuse.ch; use the CSV download as it is, or import it as csv";
                ReadError::Form(why.to_owned())
            })?;
            known.row(&row, tell)?;
            columns = Some(known);
        }
        Ok(())
    }
}

/// The columns that headings name, if there is one with values.
fn of(headings: &[Field]) -> Option<Columns> {
    let mut columns: Vec<(usize, Says)> = Vec::new();
    for (column, heading) in headings.iter().enumerate() {
        let name = heading.text.to_ascii_lowercase();
        let known = HEADINGS.iter().find(|(heading, _)| *heading == name);
        // The first of two that say the same counts.
        if let Some((_, says)) = known
            && !columns.iter().any(|(_, said)| said == says)
        {
            columns.push((column, *says));
        }
    }
    let port = columns.iter().any(|(_, says)| *says == Says::Port);
    for (_, says) in &mut columns {
        if *says == Says::Of(Kind::Endpoint) && !port {
            *says = Says::Of(Kind::Ip);
        }
    }
    let columns = Columns {
        columns,
        kind: None,
    };
    columns.has_value().then_some(columns)
}

#[cfg(test)]
mod tests {
    use super::super::tests::told;
    use super::*;

    #[test]
    fn headings_stand_in_a_comment_or_in_the_first_row() {
        let urls = "# a list\n#\n# id,dateadded,url,url_status,threat,tags,reporter\n\"7\",\"2026-11-01 10:00:00\",\"http://evil.example/a.exe\",\"online\",\"malware_download\",\"a,b\",\"someone\"\n";
        assert_eq!(
            told(&Abuse, urls),
            ["url http://evil.example/a.exe created 2026-11-01T10:00:00.000Z (malware_download)"]
        );
        let servers = "# a list\n\"first_seen_utc\",\"dst_ip\",\"dst_port\",\"c2_status\",\"last_online\",\"malware\"\n\"2026-11-01 10:00:00\",\"192.0.2.7\",\"447\",\"online\",\"2026-11-02\",\"Bot\"\n# end\n";
        assert_eq!(
            told(&Abuse, servers),
            ["ip-port 192.0.2.7:447 created 2026-11-01T10:00:00.000Z (Bot)"]
        );
        let mixed = "# \"first_seen_utc\",\"ioc_id\",\"ioc_value\",\"ioc_type\",\"threat_type\",\"fk_malware\",\"malware_alias\",\"malware_printable\",\"last_seen_utc\",\"confidence_level\"\n\
            \"2026-11-01 10:00:00\", \"1\", \"192.0.2.7:80\", \"ip:port\", \"botnet_cc\", \"x\", \"None\", \"Bot\", \"\", \"75\"\n\
            \"2026-11-01 10:00:00\", \"2\", \"evil.example\", \"domain\", \"botnet_cc\", \"x\", \"None\", \"None\", \"\", \"100\"\n\
            \"2026-11-01 10:00:00\", \"3\", \"evil.example\", \"asn\", \"botnet_cc\", \"x\", \"None\", \"Bot\", \"\", \"100\"\n";
        let told = told(&Abuse, mixed);
        assert_eq!(
            told[0],
            "ip-port 192.0.2.7:80 created 2026-11-01T10:00:00.000Z 75% (Bot)"
        );
        assert_eq!(
            told[1],
            "domain evil.example created 2026-11-01T10:00:00.000Z 100%"
        );
        assert!(
            told[2].starts_with("refused line 4, column 46: type \"asn\""),
            "{}",
            told[2]
        );
    }

    #[test]
    fn another_table_is_not_guessed_at() {
        assert!(
            told(&Abuse, "# nothing\n1,2,3\n")[0].starts_with("error: no line has the headings")
        );
        assert_eq!(told(&Abuse, "# id,url\n"), [] as [&str; 0]);
    }
}
