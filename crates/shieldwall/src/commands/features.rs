//! `features`: rows of an extractor, for training.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Write},
    path::Path,
};

use ::features::{Extractor, Row, Samples};
use serde_json::json;

use super::lines;
use crate::{
    cli::Features,
    outcome::{Failure, Outcome},
    text::say,
};

/// Takes the rows of one subject after the other.
trait Table {
    fn add(&mut self, subject: u32, samples: &Samples) -> io::Result<()>;
    fn end(self: Box<Self>) -> io::Result<()>;
}

pub(super) fn run(args: &Features, json: bool) -> Result<Outcome, Failure> {
    let extractor = ::features::find(&args.extractor).ok_or_else(|| {
        let known: Vec<&str> = ::features::EXTRACTORS
            .iter()
            .map(|one| one.name())
            .collect();
        Failure::bad(anyhow::anyhow!(
            "--extractor {}: there are {}",
            args.extractor,
            known.join(", ")
        ))
    })?;
    let out = |error: io::Error| Failure::input(args.out.display(), error);
    let is_folder = args.out.is_dir() || args.out.as_os_str().as_encoded_bytes().ends_with(b"/");
    let mut table: Box<dyn Table> = if is_folder {
        Box::new(Arrays::new(&args.out, extractor).map_err(out)?)
    } else {
        Box::new(Csv::new(&args.out, extractor).map_err(out)?)
    };
    let file =
        File::open(&args.rows).map_err(|error| Failure::input(args.rows.display(), error))?;
    let mut input = BufReader::new(file);
    let (mut line, mut samples, mut subjects, mut rows) =
        (Vec::new(), Samples::default(), 0_u32, 0_usize);
    let at = |number: u32, error: &dyn std::fmt::Display| {
        let number = number.saturating_add(1);
        Failure::bad(anyhow::anyhow!(
            "{}: line {number}: {error}",
            args.rows.display()
        ))
    };
    while lines::read_line(&mut input, &mut line).map_err(|error| at(subjects, &error))? {
        let row = lines::bounded(&line)
            .and_then(|line| Row::read(line).map_err(|error| error.to_string()))
            .map_err(|error| at(subjects, &error))?;
        samples.clear();
        row.with(|subject| extractor.extract(subject, &mut samples))
            .map_err(|error| at(subjects, &error))?;
        rows = rows.saturating_add(samples.rows());
        table.add(subjects, &samples).map_err(out)?;
        subjects = subjects.saturating_add(1);
    }
    table.end().map_err(out)?;
    match json {
        true => say(json!({"subjects": subjects, "rows": rows})),
        false => say(format_args!("{subjects} subjects, {rows} rows")),
    }
    Ok(Outcome::Done)
}

/// A line for each row: `subject`, `field`, the columns by name, and `ids`, separated by spaces.
struct Csv {
    out: BufWriter<File>,
    width: usize,
    ids_max: usize,
}

impl Csv {
    fn new(path: &Path, extractor: &dyn Extractor) -> io::Result<Self> {
        let mut out = BufWriter::new(File::create(path)?);
        let names: Vec<&str> = extractor
            .columns()
            .iter()
            .map(|column| column.name)
            .collect();
        writeln!(out, "subject,field,{},ids", names.join(","))?;
        let (width, ids_max) = (extractor.columns().len(), extractor.ids_max());
        Ok(Self {
            out,
            width,
            ids_max,
        })
    }
}

impl Table for Csv {
    fn add(&mut self, subject: u32, samples: &Samples) -> io::Result<()> {
        let numbers = samples.numbers().chunks(self.width.max(1));
        let ids = samples.ids().chunks(self.ids_max.max(1));
        for (row, (numbers, ids)) in numbers.zip(ids).enumerate() {
            let field = String::from_utf8_lossy(samples.field(row)).replace('"', "\"\"");
            write!(self.out, "{subject},\"{field}\"")?;
            for number in numbers {
                write!(self.out, ",{number}")?;
            }
            let ids: Vec<String> = ids
                .iter()
                .filter(|id| **id != 0)
                .map(i64::to_string)
                .collect();
            writeln!(self.out, ",{}", ids.join(" "))?;
        }
        Ok(())
    }

    fn end(mut self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}

/// `numbers.f32`, `ids.i32` and `subjects.i32`, little endian, row after row, and `columns.json`.
struct Arrays {
    numbers: BufWriter<File>,
    ids: BufWriter<File>,
    subjects: BufWriter<File>,
}

impl Arrays {
    fn new(folder: &Path, extractor: &dyn Extractor) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let columns = extractor.columns().iter();
        let columns = columns.map(|column| json!({"name": column.name, "meaning": column.meaning}));
        let head = json!({
            "extractor": extractor.name(),
            "columns": columns.collect::<Vec<_>>(),
            "ids_max": extractor.ids_max(),
            "ids_below": ::features::IDS,
        });
        fs::write(folder.join("columns.json"), format!("{head}\n"))?;
        let file = |name: &str| File::create(folder.join(name)).map(BufWriter::new);
        Ok(Self {
            numbers: file("numbers.f32")?,
            ids: file("ids.i32")?,
            subjects: file("subjects.i32")?,
        })
    }
}

impl Table for Arrays {
    fn add(&mut self, subject: u32, samples: &Samples) -> io::Result<()> {
        for number in samples.numbers() {
            self.numbers.write_all(&number.to_le_bytes())?;
        }
        for id in samples.ids() {
            // ids are below 2^17
            self.ids
                .write_all(&i32::try_from(*id).unwrap_or(0).to_le_bytes())?;
        }
        for _ in 0..samples.rows() {
            self.subjects.write_all(&subject.to_le_bytes())?;
        }
        Ok(())
    }

    fn end(mut self: Box<Self>) -> io::Result<()> {
        self.numbers.flush()?;
        self.ids.flush()?;
        self.subjects.flush()
    }
}
