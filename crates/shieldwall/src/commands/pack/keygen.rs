//! `pack keygen`.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use pack::key::SigningKey;
use serde_json::json;

use crate::{
    outcome::{Failure, Outcome},
    text::say,
};

/// Makes a key in two new files: `out`, and its public half beside it.
pub(in crate::commands) fn make(out: &Path) -> Result<(SigningKey, PathBuf), Failure> {
    let mut seed = [0; 32];
    let drawn = aws_lc_rs::rand::fill(&mut seed);
    drawn.map_err(|error| Failure::system("draw random bytes", error))?;
    let made = |error| Failure::system("make a key", error);
    let key = SigningKey::from_seed(&seed).map_err(made)?;
    let mut beside = out.as_os_str().to_owned();
    beside.push(".pub");
    let beside = PathBuf::from(beside);
    write(out, &key.to_pem().map_err(made)?, 0o600)?;
    write(&beside, &key.public().to_pem(), 0o644)?;
    Ok((key, beside))
}

pub(super) fn run(out: &Path, json: bool) -> Result<Outcome, Failure> {
    let (key, beside) = make(out)?;
    let (id, public) = (key.public().id(), key.public().to_text());
    match json {
        true => say(json!({
            "private": out.display().to_string(),
            "public": beside.display().to_string(),
            "key": public,
            "id": id,
        })),
        false => {
            say(format_args!(
                "{}: keep it secret; who has it signs as you",
                out.display()
            ));
            say(format_args!(
                "{}: for those who are to trust you; key {id}",
                beside.display()
            ));
            say(format_args!("for their trust file: public = \"{public}\""));
        }
    }
    Ok(Outcome::Done)
}

/// Writes a new file; a key that is there is never overwritten.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(mode).open(path);
    let written = file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            let error = anyhow::anyhow!("there is a file already; it is not overwritten");
            return Failure::input(path.display(), error);
        }
        Failure::input(path.display(), error)
    })
}
