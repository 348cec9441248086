//! A running shield's packs, changed from outside and by itself.

use std::collections::BTreeMap;

use detect::models;
use taxii::packs;

use super::*;
use crate::packs::testing::{digest, repacked, trust_text};
use crate::packs::{Measured, ModelMeasured, Stage};

/// A shield's folder with a trust file, an admission file without waiting, and a pack.
fn place() -> (tempfile::TempDir, config::Packs, pack::Digest) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let bytes = repacked(1, |_| {});
    std::fs::write(at("web.swpack"), &bytes).unwrap();
    std::fs::write(at("trust.toml"), trust_text()).unwrap();
    let admission = "trained_days_max = 100000\n[promotion]\ndwell_s = 0\n";
    std::fs::write(at("admission.toml"), admission).unwrap();
    let config = config::Packs {
        files: vec![at("*.swpack")],
        trust: at("trust.toml"),
        admission: Some(at("admission.toml")),
    };
    (folder, config, digest(&bytes))
}

/// The pack as a hub's repository brings it.
fn delivered_by_acme(data: &Path) {
    let incoming = data.join(crate::repository::INCOMING);
    std::fs::create_dir_all(&incoming).unwrap();
    std::fs::write(incoming.join("acme.web.swpack"), repacked(1, |_| {})).unwrap();
}

/// Stage, benign sessions and false alarms of the one pack that a contributor is told of.
fn told_to_acme(receipts: &Receipts) -> (packs::Stage, u64, u64) {
    let all = receipts.all();
    let [pack] = all.as_slice() else {
        panic!("{all:?}");
    };
    assert_eq!(pack.source, "acme");
    let models = pack.models.first();
    let model = models.cloned().unwrap_or_default();
    (pack.stage, model.benign, model.false_alarms)
}

fn stages(link: &Link) -> Vec<models::Stage> {
    let loaded = link.loaded.load();
    let models = loaded.in_force.models.iter();
    models.map(|model| model.stage).collect()
}

/// Waits for what is to come; a test that waits in vain fails.
fn wait(what: &str, mut is_there: impl FnMut() -> bool) {
    for _ in 0..600 {
        if is_there() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("waited in vain: {what}");
}

#[test]
fn steps_take_effect_while_it_runs_and_a_pack_over_its_budget_is_taken_back() {
    let (folder, config, digest) = place();
    let data = folder.path().join("data");
    std::fs::create_dir_all(&data).unwrap();
    delivered_by_acme(&data);
    let (journal, writer) = Journal::open(&data).unwrap();
    let receipts = Arc::<Receipts>::default();
    let packer = Packer::start(config.clone(), &data, &journal, Arc::clone(&receipts)).unwrap();
    let link = packer.link();
    assert_eq!(stages(&link), [models::Stage::Shadow]);
    assert_eq!(told_to_acme(&receipts), (packs::Stage::Shadow, 0, 0));
    let stop = CancellationToken::new();
    let thread = spawn(packer, journal.clone(), stop.clone()).unwrap();

    let place = Folder::open(&data).unwrap();
    let admission = settings(&config).unwrap().1;
    let enough = Measured {
        since: Now::read().wall,
        models: vec![ModelMeasured {
            file: "models/model.onnx".to_owned(),
            scores: BTreeMap::from([(100, 5_000)]),
            ..ModelMeasured::default()
        }],
    };
    let cause = Cause {
        now: Now::read().wall,
        by: "ana",
        why: "seen enough",
    };
    place
        .change(|state| state.promote("web", |_| enough.clone(), &admission, &cause, None))
        .unwrap();
    wait("the canary", || stages(&link) == [models::Stage::Canary]);

    let gauge = Arc::clone(&link.loaded.load().gauges[0]);
    (0..300).for_each(|number| gauge.add(0.9999, number % 10 == 0));
    wait("the rollback", || stages(&link).is_empty());
    let state = place.state().unwrap();
    let entry = state.entry(&digest).unwrap();
    assert_eq!(
        (entry.stage, entry.by.as_str()),
        (Stage::RolledBack, SHIELD)
    );
    assert!(
        entry.why.contains("hit 30 of 300 benign sessions"),
        "{}",
        entry.why
    );
    let kept = place.measured(&digest).unwrap();
    assert_eq!(kept.of("models/model.onnx").trials.hits, 30);
    wait("the receipt", || {
        told_to_acme(&receipts) == (packs::Stage::RolledBack, 300, 30)
    });

    stop.cancel();
    thread.join().unwrap();
    drop(journal);
    writer.join().unwrap();
    is_told(&data);
}

/// The log and the journal name each step.
fn is_told(data: &Path) {
    let lines = |path: &Path| -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let steps: Vec<_> = lines(&data.join("packs/log.jsonl"))
        .iter()
        .map(|line| (line["to"].clone(), line["by"].clone()))
        .collect();
    let want = [
        ("shadow", SHIELD),
        ("canary", "ana"),
        ("rolled-back", SHIELD),
    ];
    let want: Vec<_> = want
        .iter()
        .map(|(to, by)| ((*to).into(), (*by).into()))
        .collect();
    assert_eq!(steps, want);
    let told = lines(&data.join("journal.jsonl"));
    let told: Vec<_> = told
        .iter()
        .filter(|line| line["event"] == "pack")
        .map(|line| line["stage"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(told, ["shadow", "canary", "rolled-back"]);
}

#[test]
fn a_pack_whose_key_is_taken_back_is_out_of_force_and_told_so() {
    let (folder, config, _) = place();
    let data = folder.path().join("data");
    std::fs::create_dir_all(&data).unwrap();
    let (journal, writer) = Journal::open(&data).unwrap();
    let mut packer = Packer::start(config.clone(), &data, &journal, Arc::default()).unwrap();
    let text = trust_text();
    let key = Trust::read(&text).unwrap().keys[0].key.id();
    std::fs::write(&config.trust, format!("revoked_keys = [\"{key}\"]\n{text}")).unwrap();
    assert_ne!(packer.stamps(), packer.read_at);
    packer.reload(&journal).unwrap();
    assert!(stages(&packer.link()).is_empty());
    // a file that cannot be read leaves all as it is
    std::fs::write(&config.trust, "treshold = 1").unwrap();
    let error = packer.reload(&journal).unwrap_err().to_string();
    assert!(
        error.contains("trust.toml") && error.contains("correct [packs]"),
        "{error}"
    );
    drop((packer, journal));
    writer.join().unwrap();
    let told = std::fs::read_to_string(data.join("journal.jsonl")).unwrap();
    assert!(told.contains("is not in force: revoked-key: "), "{told}");
}
