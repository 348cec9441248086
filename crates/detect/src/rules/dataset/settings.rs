//! `datasets` of the settings: bounds of all sets, and sets that stand there by name.
//!
//! ```yaml
//! datasets:
//!   defaults: {memcap: 100 MiB}
//!   limits: {single-hashsize: 65536}
//!   seen-names: {type: string, state: seen-names.lst}
//! ```
//!
//! `hashsize` and what bounds it are taken for compatibility: tables grow as they fill.

use packet::settings::{Setting, Settings};

use super::option::Declaration;
use super::value::Kind;
use super::{Limits, TEXT_BYTES_MAX};
use crate::rules::state::Names;

/// Parts of `datasets` that name no set.
const NO_SETS: [&str; 3] = ["defaults", "limits", "rules"];

impl Limits {
    /// From the settings.
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let default = Self::default();
        let of = settings.at("datasets");
        let memcap = of.at("defaults.memcap").bytes().unwrap_or(default.memcap);
        let hashsize = of.at("limits.single-hashsize").number();
        Self {
            memcap,
            memcap_max: memcap.max(default.memcap_max),
            bytes_max: memcap.max(default.bytes_max),
            hashsize_max: hashsize
                .and_then(|size| u32::try_from(size).ok())
                .unwrap_or(default.hashsize_max),
            ..default
        }
    }
}

/// The sets that the settings name, each with its name, or what is wrong with it.
pub(crate) fn declared<'s>(
    settings: &'s Settings,
    names: &mut Names,
) -> Vec<(&'s str, Result<Declaration, String>)> {
    let entries = settings.at("datasets").entries();
    let sets = entries.filter(|(name, _)| !NO_SETS.contains(name));
    sets.map(|(name, set)| (name, declaration(name, set, names)))
        .collect()
}

fn declaration(name: &str, set: Setting<'_>, names: &mut Names) -> Result<Declaration, String> {
    let is_name = !name.is_empty() && !name.contains([',', ' ', '\t']);
    let id = is_name.then(|| names.intern(name)).flatten();
    let id = id.ok_or("a name has no comma and no white space, and is not too long")?;
    let kind = set.at("type").text();
    let kind = kind
        .and_then(Kind::of)
        .ok_or("type is string, md5, sha256, ipv4 or ip")?;
    let file = |key: &str| match set.at(key).text() {
        Some(file) if file.is_empty() || file.len() > TEXT_BYTES_MAX => {
            Err(format!("{key} names no file"))
        }
        file => Ok(file.map(str::to_owned)),
    };
    let (load, save, state) = (file("load")?, file("save")?, file("state")?);
    if state.is_some() && (load.is_some() || save.is_some()) {
        return Err("state stands for load and save: it goes without them".to_owned());
    }
    let memcap = set.at("memcap");
    let bytes = memcap.bytes();
    if memcap.is_set() && bytes.is_none() {
        return Err("memcap is a size, as 10 MiB".to_owned());
    }
    Ok(Declaration {
        name: id,
        kind: Some(kind),
        state: state.is_some(),
        load: load.or_else(|| state.clone()),
        save: save.or(state),
        memcap: bytes,
        ..Declaration::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Vec<(String, Result<Declaration, String>)> {
        let settings = Settings::parse(yaml).unwrap();
        let all = declared(&settings, &mut Names::default());
        let owned = all.into_iter().map(|(name, set)| (name.to_owned(), set));
        owned.collect()
    }

    #[test]
    fn sets_and_bounds_stand_in_the_settings() {
        let yaml = "datasets:\n  defaults: {memcap: 1 MiB, hashsize: 2048}\n  \
                    limits: {single-hashsize: 1000}\n  rules: {allow-write: false}\n  \
                    seen: {type: string, state: seen.lst}\n  bad: {type: md5, load: /x/bad.lst, memcap: 10mb}\n";
        let limits = Limits::from_settings(&Settings::parse(yaml).unwrap());
        assert_eq!((limits.memcap, limits.hashsize_max), (1 << 20, 1000));
        let all = read(yaml);
        let [(seen, state), (bad, load)] = &all[..] else {
            panic!("{all:?}");
        };
        assert_eq!((&**seen, &**bad), ("seen", "bad"));
        let (state, load) = (state.as_ref().unwrap(), load.as_ref().unwrap());
        assert_eq!(
            (state.state, state.load.as_deref()),
            (true, Some("seen.lst"))
        );
        assert_eq!(state.save, state.load);
        assert_eq!((load.kind, load.memcap), (Some(Kind::Md5), Some(10 << 20)));
        assert_eq!(
            (load.load.as_deref(), &load.save),
            (Some("/x/bad.lst"), &None)
        );
    }

    #[test]
    fn what_is_no_set_is_told() {
        for wrong in [
            "datasets: {x: {load: a}}",
            "datasets: {x: {type: colour}}",
            "datasets: {x: {type: ip, memcap: much}}",
            "datasets: {x: {type: ip, load: a, state: b}}",
            "datasets: {\"x y\": {type: ip}}",
            "datasets: [x]",
        ] {
            let all = read(wrong);
            assert!(all.iter().all(|(_, set)| set.is_err()), "{wrong}");
        }
        assert!(read("a: b").is_empty());
    }
}
