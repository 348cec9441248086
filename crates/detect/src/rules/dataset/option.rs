//! The values of `dataset` and `datarep`.

use super::value::Kind;
use crate::rules::state::flowint::Comparison;
use crate::rules::state::{Field, Names, OptionError};

/// Longest part of a value that is kept: names of files and keys, bytes.
pub const TEXT_BYTES_MAX: usize = 1_024;

/// What a `dataset` option does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetOption {
    /// What is done with the set.
    pub command: Command,
    /// What it says about the set.
    pub set: Declaration,
    /// `context_key`: under which name the alert carries what JSON says about the value.
    pub context_key: Option<String>,
    /// `remove_key`: what the alert carries goes without the value itself.
    pub remove_key: bool,
}

/// What a `datarep` option does: it matches when the buffer is in the set, and its reputation
/// there compares like this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatarepOption {
    /// `>`, `<` or `==`.
    pub comparison: Comparison,
    /// What the reputation is compared to.
    pub value: u16,
    /// What it says about the set.
    pub set: Declaration,
}

/// What is done with a set. It is done where the option stands, also when the rule does not match
/// in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Matches when the buffer is in the set.
    IsSet,
    /// Matches when it is not.
    IsNotSet,
    /// Adds the buffer; matches when it was not there.
    Set,
    /// Takes the buffer out; matches when it was there.
    Unset,
}

/// What an option or a setting says about a set. The first that names a type makes the set;
/// others need only its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declaration {
    /// The set's name.
    pub name: u32,
    /// The type of its values.
    pub kind: Option<Kind>,
    /// A file to begin with.
    pub load: Option<String>,
    /// The file that it is written to in the end.
    pub save: Option<String>,
    /// `state`: `load` and `save` are one file, which need not exist yet.
    pub state: bool,
    /// Most memory, bytes.
    pub memcap: Option<u64>,
    /// How many values are expected.
    pub hashsize: Option<u32>,
    /// Values have a reputation.
    pub reputation: bool,
    /// Where values stand in JSON.
    pub json: Option<Json>,
}

/// Where values stand in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Json {
    /// Each line is an object of its own.
    pub lines: bool,
    /// Where the list of objects is in the file, keys with dots between; empty: it is the file.
    pub array_key: String,
    /// Where the value is in an object, keys with dots between.
    pub value_key: String,
}

/// Reads the value of a `dataset` option.
///
/// # Errors
/// An unknown command, part, type or format, a part that is there twice, parts that exclude one
/// another, a `save` outside of its directory.
pub fn parse_dataset(value: &str, names: &mut Names) -> Result<DatasetOption, OptionError> {
    let mut fields = Field::new(0, value).split(',');
    let command_at = fields.next().unwrap_or(Field::new(0, ""));
    let command = match command_at.text {
        "isset" => Command::IsSet,
        "isnotset" => Command::IsNotSet,
        "set" => Command::Set,
        "unset" => Command::Unset,
        _ => return Err(command_at.error("isset, isnotset, set or unset is expected")),
    };
    let mut parts = Parts::named(fields.next(), value, names)?;
    for field in fields {
        parts.take(field)?;
    }
    let end = Field::new(value.len(), "");
    if parts.format.is_some() {
        let writes = matches!(command, Command::Set | Command::Unset);
        if writes || parts.set.save.is_some() {
            return Err(command_at.error("a set of JSON cannot be written"));
        }
        if parts.context_key.is_none() {
            return Err(end.error("JSON needs a context_key"));
        }
    }
    Ok(DatasetOption {
        command,
        context_key: parts.context_key.clone(),
        remove_key: parts.remove_key,
        set: parts.declaration(end)?,
    })
}

/// Reads the value of a `datarep` option: `name, op, value, type T, load FILE`.
///
/// # Errors
/// An unknown operator or part, a value beyond 16 bits, and as for `dataset`.
pub fn parse_datarep(value: &str, names: &mut Names) -> Result<DatarepOption, OptionError> {
    let mut fields = Field::new(0, value).split(',');
    let end = Field::new(value.len(), "");
    let mut parts = Parts::named(fields.next(), value, names)?;
    let operator = fields.next().unwrap_or(end);
    let comparison = match operator.text {
        ">" => Comparison::Greater,
        "<" => Comparison::Less,
        "==" => Comparison::Equal,
        _ => return Err(operator.error("'>', '<' or '==' is expected")),
    };
    let number = fields.next().unwrap_or(end);
    let value = u16::try_from(number.number()?);
    let value = value.map_err(|_too_large| number.error("0 to 65535 is expected"))?;
    for field in fields {
        parts.take(field)?;
    }
    if parts.format.is_some() {
        return Err(end.error("datarep reads no JSON"));
    }
    parts.set.reputation = true;
    Ok(DatarepOption {
        comparison,
        value,
        set: parts.declaration(end)?,
    })
}

/// The parts of a value.
#[derive(Default)]
struct Parts {
    set: Declaration,
    /// `Some` is JSON; whether each line is an object.
    format: Option<bool>,
    csv: bool,
    array_key: Option<String>,
    value_key: Option<String>,
    context_key: Option<String>,
    remove_key: bool,
}

impl Parts {
    fn named(
        field: Option<Field<'_>>,
        value: &str,
        names: &mut Names,
    ) -> Result<Self, OptionError> {
        let field = field.unwrap_or(Field::new(value.len(), ""));
        let mut parts = Self::default();
        parts.set.name = field.name(names)?;
        Ok(parts)
    }

    fn take(&mut self, field: Field<'_>) -> Result<(), OptionError> {
        let (key, of) = field.word();
        let again = match key.text {
            "" => false,
            "type" => {
                let kind = Kind::of(of.text);
                let kind =
                    kind.ok_or_else(|| of.error("string, md5, sha256, ipv4 or ip is expected"))?;
                self.set.kind.replace(kind).is_some()
            }
            "load" => self.set.load.replace(text(of)?).is_some(),
            "save" => self.set.save.replace(file_within(of)?).is_some(),
            "state" => {
                let file = file_within(of)?;
                self.set.state = true;
                self.set.load.replace(file.clone()).is_some()
                    || self.set.save.replace(file).is_some()
            }
            "memcap" => self.set.memcap.replace(size(of)?).is_some(),
            "hashsize" => self.set.hashsize.replace(of.number()?).is_some(),
            "format" => return self.format(of),
            "array_key" => self.array_key.replace(text(of)?).is_some(),
            "value_key" => self.value_key.replace(text(of)?).is_some(),
            "context_key" | "enrichment_key" => self.context_key.replace(key_of(of)?).is_some(),
            "remove_key" => std::mem::replace(&mut self.remove_key, true),
            other => return Err(key.error(format!("{other:?} is no part of a set"))),
        };
        match again {
            true => Err(key.error(format!(
                "{} is there twice, or 'state' beside 'load' or 'save'",
                key.text
            ))),
            false => Ok(()),
        }
    }

    fn format(&mut self, of: Field<'_>) -> Result<(), OptionError> {
        if self.csv || self.format.is_some() {
            return Err(of.error("format is there twice"));
        }
        match of.text {
            "csv" => self.csv = true,
            "json" => self.format = Some(false),
            "ndjson" | "jsonline" => self.format = Some(true),
            _ => return Err(of.error("csv, json or ndjson is expected")),
        }
        Ok(())
    }

    fn declaration(self, end: Field<'_>) -> Result<Declaration, OptionError> {
        let mut set = self.set;
        if let Some(lines) = self.format {
            let missing = || end.error("JSON needs a value_key");
            set.json = Some(Json {
                lines,
                array_key: self.array_key.unwrap_or_default(),
                value_key: self.value_key.ok_or_else(missing)?,
            });
        }
        Ok(set)
    }
}

fn text(field: Field<'_>) -> Result<String, OptionError> {
    if field.text.is_empty() || field.text.len() > TEXT_BYTES_MAX {
        return Err(field.error("a text of 1 to 1024 bytes is expected"));
    }
    Ok(field.text.to_owned())
}

/// A key of a record: what reads records takes such names everywhere.
fn key_of(field: Field<'_>) -> Result<String, OptionError> {
    let is_of_key = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    match field.text.bytes().all(is_of_key) {
        true => text(field),
        false => Err(field.error("a key has letters, digits, '_', '-' and '.' alone")),
    }
}

/// A file below a directory: rules come from elsewhere and do not choose what is overwritten.
fn file_within(field: Field<'_>) -> Result<String, OptionError> {
    let absolute = field.text.starts_with(['/', '\\']);
    if absolute || field.text.split(['/', '\\']).any(|part| part == "..") {
        return Err(field.error("the file has to be below the data directory"));
    }
    text(field)
}

/// `10mb`: bytes, with `kb`, `mb` or `gb` (or `kib`...) behind the number, each 1024 times the one
/// before.
fn size(field: Field<'_>) -> Result<u64, OptionError> {
    let unit = field
        .text
        .trim_start_matches(|letter: char| letter.is_ascii_digit());
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1_u64,
        "kb" | "kib" => 1 << 10,
        "mb" | "mib" => 1 << 20,
        "gb" | "gib" => 1 << 30,
        _ => return Err(field.error("a size in kb, mb or gb is expected")),
    };
    let digits = field.text.strip_suffix(unit).unwrap_or(field.text);
    let number = u64::from(Field::new(field.at, digits).number()?);
    number
        .checked_mul(factor)
        .ok_or_else(|| field.error("the size is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset(value: &str) -> DatasetOption {
        parse_dataset(value, &mut Names::default()).unwrap()
    }

    #[test]
    fn datasets() {
        let option = dataset("set,dns-seen, type string");
        assert_eq!(
            (option.command, option.set.kind),
            (Command::Set, Some(Kind::String))
        );
        let option = dataset("isset,s,load s.lst,type ip,memcap 10mb,hashsize 1024");
        assert_eq!(option.set.load.as_deref(), Some("s.lst"));
        assert_eq!(
            (option.set.memcap, option.set.hashsize),
            (Some(10 << 20), Some(1_024))
        );
        let option = dataset("set,s,type md5,state seen.lst");
        assert_eq!(
            (&option.set.load, option.set.state),
            (&option.set.save, true)
        );
        assert_eq!(dataset("unset,s").set.kind, None);
        let option = dataset(
            "isset,badhost,type string,load hosts.json,format json, context_key bad,\
             value_key host.fqdn, array_key info.threat,remove_key",
        );
        let json = Json {
            lines: false,
            array_key: "info.threat".to_owned(),
            value_key: "host.fqdn".to_owned(),
        };
        assert_eq!((option.set.json, option.remove_key), (Some(json), true));
        assert_eq!(option.context_key.as_deref(), Some("bad"));
    }

    #[test]
    fn datareps() {
        let option = parse_datarep(
            "dns_md5, >, 200, load dns_md5.rep, type md5",
            &mut Names::default(),
        );
        let option = option.unwrap();
        assert_eq!(
            (option.comparison, option.value),
            (Comparison::Greater, 200)
        );
        assert!(option.set.reputation);
    }

    #[test]
    fn refused_with_the_place() {
        let mut names = Names::default();
        for (value, at) in [
            ("toggle,s", 0),
            ("isset", 5),
            ("isset,", 6),
            ("isset,s 1,type string", 6),
            ("isset,s,type STRING", 13),
            ("isset,s,bogus x", 8),
            ("isset,s,type string,type md5", 20),
            ("set,s,type string,save ../x", 23),
            ("set,s,type string,save /etc/x", 23),
            ("set,s,type string,state a/../../x", 24),
            ("isset,s,type string,load a,state b", 27),
            ("isset,s,type string,memcap x", 27),
            ("isset,s,type string,memcap 4294967295pb", 27),
            ("isset,s,type string,load j,format xml", 34),
            ("isset,s,type string,load j,format json,value_key h", 50),
            ("isset,s,type string,load j,format json,context_key c", 52),
            (
                "set,s,type string,load j,format json,value_key h,context_key c",
                0,
            ),
            (
                "isset,s,type string,load j,format json,value_key h,context_key a b",
                63,
            ),
            (
                "isset,s,type string,load j,format json,value_key h,context_key \"",
                63,
            ),
            ("isset,s,load ", 12),
        ] {
            assert_eq!(
                parse_dataset(value, &mut names).unwrap_err().at,
                at,
                "{value}"
            );
        }
        for (value, at) in [
            ("r", 1),
            ("r,>=,1", 2),
            ("r,=,1", 2),
            ("r,>,65536", 4),
            ("r,>,-1", 4),
            ("r,isset,type string", 2),
        ] {
            assert_eq!(
                parse_datarep(value, &mut names).unwrap_err().at,
                at,
                "{value}"
            );
        }
    }
}
