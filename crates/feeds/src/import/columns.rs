//! From the rows of a table to claims: which column says what.

use stix::Timestamp;

use super::{ReadError, Tell};
use crate::claim::{Claim, Place, Refused, Told};
use crate::table::{Field, Row};
use crate::value::{Kind, Value};

/// What a column says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// A value of this kind.
    Of(Kind),
    /// A value of the kind that another column names, or that its form shows.
    Value,
    /// The kind of the value.
    Type,
    /// The port of the address in the row.
    Port,
    /// A few words for people.
    Name,
    /// Who may see it.
    Tlp,
    /// How sure the source is, 0 to 100.
    Confidence,
    /// When the source wrote it first.
    Created,
    /// From when on it holds.
    From,
    /// Until when it holds.
    Until,
}

/// Fields by their names, kinds apart.
pub(super) const FIELDS: [(&str, Says); 9] = [
    ("value", Says::Value),
    ("type", Says::Type),
    ("port", Says::Port),
    ("name", Says::Name),
    ("tlp", Says::Tlp),
    ("confidence", Says::Confidence),
    ("created", Says::Created),
    ("from", Says::From),
    ("until", Says::Until),
];

/// Which column, from 0, says what.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    pub(super) columns: Vec<(usize, Says)>,
    /// The kind of values that no column names.
    pub(super) kind: Option<Kind>,
}

impl Columns {
    /// Whether there is anything to look for.
    pub(super) fn has_value(&self) -> bool {
        let value = |says: &Says| matches!(says, Says::Of(_) | Says::Value);
        self.columns.iter().any(|(_, says)| value(says))
    }

    /// Tells what a row says: a claim for each of its values.
    pub(super) fn row(&self, (line, fields): &Row, tell: &mut Tell<'_>) -> Result<(), ReadError> {
        let mut any = false;
        for (column, says) in &self.columns {
            let kind = match says {
                Says::Of(kind) => Some(*kind),
                Says::Value => None,
                Says::Type
                | Says::Port
                | Says::Name
                | Says::Tlp
                | Says::Confidence
                | Says::Created
                | Says::From
                | Says::Until => continue,
            };
            let Some(field) = fields.get(*column).filter(|field| !field.text.is_empty()) else {
                continue;
            };
            any = true;
            let told = self.claim(*line, fields, field, kind);
            tell(told.map_or_else(Told::Refused, |claim| Told::Claim(Box::new(claim))))?;
        }
        match any {
            true => Ok(()),
            false => {
                let place = Place::Line(*line, 1);
                let mend = "see that the columns are the right ones";
                tell(Told::Refused(Refused::new(
                    place,
                    "the row has no value",
                    mend,
                )))
            }
        }
    }

    fn field<'a>(&self, fields: &'a [Field], wanted: Says) -> Option<&'a Field> {
        let (column, _) = self.columns.iter().find(|(_, says)| *says == wanted)?;
        fields
            .get(*column)
            .filter(|field| !field.text.is_empty() && field.text != "None")
    }

    fn claim(
        &self,
        line: u64,
        fields: &[Field],
        field: &Field,
        kind: Option<Kind>,
    ) -> Result<Claim, Refused> {
        let place = |field: &Field| Place::Line(line, field.column);
        let kind = match (kind, self.field(fields, Says::Type)) {
            (Some(kind), _) => Some(kind),
            (None, Some(named)) => {
                let kind = named.text.parse().map_err(|why: String| {
                    let reason = format!("type {:?}: {why}", crate::value::shortened(&named.text));
                    Refused::new(place(named), reason, "correct the type")
                });
                Some(kind?)
            }
            (None, None) => self.kind,
        };
        let text = match (kind, self.field(fields, Says::Port)) {
            (Some(Kind::Endpoint), Some(port)) => format!("{}|{}", field.text, port.text),
            _ => field.text.clone(),
        };
        let value = match kind {
            Some(kind) => Value::parse(kind, &text),
            None => Value::guess(&text),
        };
        let value = value.map_err(|error| Refused::value(place(field), &error))?;
        let mut claim = Claim::new(value, place(field));
        claim.name = self
            .field(fields, Says::Name)
            .map(|field| field.text.as_str().into());
        let wrong = |field: &Field, what: &str, mend| {
            let reason = format!("{:?} is not {what}", crate::value::shortened(&field.text));
            Refused::new(place(field), reason, mend)
        };
        if let Some(field) = self.field(fields, Says::Tlp) {
            let tlp = field.text.parse();
            claim.tlp =
                Some(tlp.map_err(|_| {
                    wrong(field, "a TLP label", "write TLP:GREEN or another label")
                })?);
        }
        if let Some(field) = self.field(fields, Says::Confidence) {
            let number = field.text.parse().ok().filter(|number| *number <= 100);
            claim.confidence = Some(
                number
                    .ok_or_else(|| wrong(field, "a confidence", "write a number from 0 to 100"))?,
            );
        }
        let time = |says| -> Result<Option<Timestamp>, Refused> {
            let Some(field) = self.field(fields, says) else {
                return Ok(None);
            };
            let read = time(&field.text);
            read.map(Some)
                .ok_or_else(|| wrong(field, "a time", "write 2026-11-26T12:00:00Z"))
        };
        claim.created = time(Says::Created)?;
        claim.valid_from = time(Says::From)?;
        claim.valid_until = time(Says::Until)?;
        Ok(claim)
    }
}

/// A time as tables write it: RFC 3339 in UTC, `2026-11-26 12:00:00`, with or without `UTC`, a day
/// alone, or seconds since 1970.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<i64>() {
        let micros = seconds
            .checked_mul(1_000_000)
            .filter(|_| seconds > 100_000_000)?;
        return Some(Timestamp::from_micros(micros));
    }
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    let text = text.strip_suffix("+00:00").unwrap_or(text);
    let text = text.strip_suffix('Z').unwrap_or(text);
    match text.len() {
        10 => Timestamp::parse(&format!("{text}T00:00:00Z")),
        _ => Timestamp::parse(&format!("{}Z", text.replacen(' ', "T", 1))),
    }
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_tables_write_them() {
        let want = Timestamp::parse("2026-11-26T12:00:00Z").ok();
        for text in [
            "2026-11-26T12:00:00Z",
            "2026-11-26 12:00:00",
            "2026-11-26 12:00:00 UTC",
            "2026-11-26T12:00:00+00:00",
            "1795694400",
        ] {
            assert_eq!(time(text), want, "{text}");
        }
        assert_eq!(
            time("2026-11-26"),
            Timestamp::parse("2026-11-26T00:00:00Z").ok()
        );
        for bad in [
            "",
            "5",
            "yesterday",
            "26.11.2026",
            "2026-11-26T12:00:00+02:00",
        ] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }
}
