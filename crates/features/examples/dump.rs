//! Features of JSON lines on standard input, for training: `dump EXTRACTOR PREFIX` writes
//! `PREFIX.x` (f32), `PREFIX.ids` (i32), `PREFIX.row` (i32: which line), `PREFIX.text` and
//! `PREFIX.columns`.
use std::{
    env, fs,
    io::{self, BufRead as _, BufWriter, Write as _},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = env::args().skip(1);
    let extractor =
        features::find(&arguments.next().ok_or("EXTRACTOR PREFIX")?).ok_or("unknown extractor")?;
    let prefix = arguments.next().ok_or("PREFIX")?;
    let file = |end: &str| fs::File::create(format!("{prefix}.{end}")).map(BufWriter::new);
    let names: Vec<&str> = extractor
        .columns()
        .iter()
        .map(|column| column.name)
        .collect();
    writeln!(
        file("columns")?,
        "{}\n{}",
        names.join(","),
        extractor.ids_max()
    )?;
    let (mut numbers, mut ids, mut rows, mut texts) =
        (file("x")?, file("ids")?, file("row")?, file("text")?);
    let mut samples = features::Samples::default();
    for (at, line) in io::stdin().lock().lines().enumerate() {
        samples.clear();
        let row = features::Row::read(line?.as_bytes())?;
        row.with(|subject| extractor.extract(subject, &mut samples))?;
        for number in samples.numbers() {
            numbers.write_all(&number.to_le_bytes())?;
        }
        for id in samples.ids() {
            ids.write_all(&i32::try_from(*id)?.to_le_bytes())?;
        }
        for sample in 0..samples.rows() {
            rows.write_all(&i32::try_from(at)?.to_le_bytes())?;
            let text = [samples.field(sample), b"\t", samples.text(sample), b"\n"].concat();
            texts.write_all(&text)?;
        }
    }
    Ok(())
}
