//! From admission to the end of a pack's life.

use std::time::Duration;

use detect::models::betting::Trials;
use pack::manifest::Task;
use serde_json::json;

use super::*;
use crate::packs::gauge::ModelMeasured;
use crate::packs::testing::{now, repacked, verified};

const FILE: &str = "models/model.onnx";

fn cause(why: &str) -> Cause<'_> {
    Cause {
        now: now(),
        by: "ana",
        why,
    }
}

/// Takes what is asked of a pack in a test: no waiting.
fn admission() -> Admission {
    Admission::read("[promotion]\ndwell_s = 0").unwrap()
}

/// So many benign sessions, scored 0.1 but for one in a thousand, with hits.
fn seen(sessions: u64, hits: u64) -> Measured {
    let mut sketch = Sketch::default();
    for number in 0..sessions {
        sketch.add(if number % 2_000 == 0 { 0.9995 } else { 0.1 });
    }
    Measured {
        since: now(),
        models: vec![ModelMeasured {
            file: FILE.to_owned(),
            scores: sketch.kept(),
            trials: Trials {
                trials: sessions,
                hits,
            },
            ..ModelMeasured::default()
        }],
    }
}

fn clauses(refused: &Refused) -> Vec<&'static str> {
    refused.0.iter().map(|failed| failed.clause).collect()
}

fn stages(state: &State) -> Vec<(u64, Stage)> {
    let packs = state.packs.iter();
    packs.map(|entry| (entry.sequence, entry.stage)).collect()
}

#[test]
fn every_clause_that_a_pack_fails_is_named_with_what_mends_it() {
    let bytes = repacked(1, |manifest| {
        manifest["capabilities"] = json!(["tag", "alert", "rate-limit", "block"]);
        manifest["limits"]["memory_bytes_max"] = json!(1_000_000_000);
        manifest["models"][0]["training"]["date"] = json!("2024-01-01T00:00:00.000Z");
    });
    let strict = Admission {
        publishers: Some(BTreeSet::from(["Others".parse().unwrap()])),
        tasks: Some(BTreeSet::from([Task::DgaDomain])),
        licences: Some(BTreeSet::from(["MIT".parse().unwrap()])),
        fpr_max: 0.0001,
        evidence: true,
        ..Admission::default()
    };
    let refused = State::default().admit(&verified(&bytes), &strict, &cause("try"), true);
    let refused = refused.unwrap_err();
    assert_eq!(
        clauses(&refused),
        [
            "publishers",
            "licences",
            "capabilities",
            "capabilities",
            "memory_bytes_max",
            "evidence",
            "tasks",
            "fpr_max",
            "trained_days_max",
        ]
    );
    let text = refused.to_string();
    for mend in [
        "add \"Example CERT\" to publishers",
        "add \"block\" to capabilities, or ask Example CERT for a pack that asks less",
        "set memory_bytes_max = 1000000000 if this machine has it to spare",
        "no threshold for 0.0001 or less, the strictest is for 0.001",
        "was trained 1065 days ago",
    ] {
        assert!(text.contains(mend), "{mend}: {text}");
    }
    // what needs more than it asked for is told by the model itself
    let small = repacked(1, |manifest| {
        manifest["limits"]["memory_bytes_max"] = json!(1000)
    });
    let refused = State::default().admit(&verified(&small), &admission(), &cause("try"), true);
    assert_eq!(clauses(&refused.unwrap_err()), ["model"]);
}

#[test]
fn a_pack_goes_from_shadow_to_enforce_and_back_to_the_one_before() {
    let (mut state, admission) = (State::default(), admission());
    let first = verified(&repacked(1, |_| {}));
    let steps = state
        .admit(&first, &admission, &cause("try"), true)
        .unwrap();
    assert_eq!((steps[0].from, steps[0].to), (None, Stage::Shadow));
    assert_eq!(
        (steps[0].by.as_str(), steps[0].why.as_str()),
        ("ana", "try")
    );
    let again = state
        .admit(&first, &admission, &cause("again"), true)
        .unwrap_err();
    assert_eq!(clauses(&again), ["stage"]);

    let go = |state: &mut State, measured: Measured, why| {
        state.promote(
            "web",
            |_| measured.clone(),
            &admission,
            &cause(why),
            Some(10),
        )
    };
    let refused = go(&mut state, seen(200, 0), "early").unwrap_err();
    assert_eq!(clauses(&refused), ["sessions"]);
    assert!(
        refused.to_string().contains("wait for 100 more"),
        "{refused}"
    );
    go(&mut state, seen(400, 0), "seen enough").unwrap();
    assert_eq!(
        (state.packs[0].stage, state.packs[0].percent),
        (Stage::Canary, 10)
    );
    let refused = go(&mut state, seen(1_500, 0), "early").unwrap_err();
    assert_eq!(clauses(&refused), ["sessions", "budget.share_max"]);
    go(&mut state, seen(4_000, 0), "within its budget").unwrap();
    assert_eq!(stages(&state), [(1, Stage::Enforce)]);

    let second = verified(&repacked(2, |_| {}));
    state
        .admit(&second, &admission, &cause("newer"), true)
        .unwrap();
    go(&mut state, seen(400, 0), "seen enough").unwrap();
    assert_eq!(stages(&state), [(1, Stage::Enforce), (2, Stage::Canary)]);
    go(&mut state, seen(4_000, 0), "within its budget").unwrap();
    assert_eq!(stages(&state), [(1, Stage::Retired), (2, Stage::Enforce)]);
    let steps = state.roll_back("web", &cause("it hits our own")).unwrap();
    assert_eq!(steps.len(), 2);
    assert_eq!(
        stages(&state),
        [(1, Stage::Enforce), (2, Stage::RolledBack)]
    );
    // a program does not bring back what was taken back; a person may
    let by_itself = state.admit(&second, &admission, &cause("named"), false);
    assert_eq!(clauses(&by_itself.unwrap_err()), ["stage"]);
    state
        .admit(&second, &admission, &cause("mended"), true)
        .unwrap();
    assert_eq!(stages(&state), [(1, Stage::Enforce), (2, Stage::Shadow)]);
    // what is tried goes first
    state.roll_back("web", &cause("no")).unwrap();
    assert_eq!(
        stages(&state),
        [(1, Stage::Enforce), (2, Stage::RolledBack)]
    );
    state.roll_back("web", &cause("none at all")).unwrap();
    assert!(state.roll_back("web", &cause("again")).is_err());
    assert_eq!(*state.seen().values().next().unwrap(), 2);
    let kept: State = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
    assert_eq!(kept, state);
}

#[test]
fn time_must_pass_and_hits_stand_against_a_step() {
    let admission = Admission::default();
    let mut state = State::default();
    let pack = verified(&repacked(1, |_| {}));
    state.admit(&pack, &admission, &cause("try"), true).unwrap();
    let entry = &state.packs[0];
    let against = |measured: &Measured, days: u64| {
        let later = now().as_micros()
            + i64::try_from(Duration::from_secs(days * 86_400).as_micros()).unwrap();
        let failed = entry.against_promotion(measured, &admission, Timestamp::from_micros(later));
        failed.into_iter().map(|one| one.clause).collect::<Vec<_>>()
    };
    assert_eq!(against(&seen(400, 0), 0), ["promotion.dwell_s"]);
    assert!(against(&seen(400, 0), 1).is_empty());
    assert_eq!(against(&seen(400, 20), 1), ["budget.share_max"]);
    assert!(entry.over_budget(&seen(4_000, 8), &admission).is_none());
    let why = entry.over_budget(&seen(4_000, 40), &admission).unwrap();
    assert!(why.contains("hit 40 of 4000 benign sessions"), "{why}");
}

#[test]
fn a_threshold_follows_our_own_traffic_and_never_falls_below_the_publishers() {
    let admission = admission();
    let mut state = State::default();
    let pack = verified(&repacked(1, |_| {}));
    state.admit(&pack, &admission, &cause("try"), true).unwrap();
    let published = state.packs[0].thresholds[0].clone();
    // one session in a hundred scores 0.9999 here
    let mut sketch = Sketch::default();
    (0..4_000).for_each(|number| sketch.add(if number % 100 == 0 { 0.9999 } else { 0.1 }));
    let mut measured = seen(4_000, 0);
    measured.models[0].scores = sketch.kept();
    state.packs[0].calibrate(&measured, &admission);
    let own = state.packs[0].thresholds[0].clone();
    assert!(own.score > 0.9999, "{own:?}");
    assert_eq!(own.set, "4000 benign sessions of this shield");
    state.packs[0].thresholds[0] = published.clone();
    state.packs[0].calibrate(&seen(4_000, 0), &admission);
    assert!(state.packs[0].thresholds[0].score >= published.score);
    // nothing measured changes nothing
    state.packs[0].thresholds[0] = published.clone();
    state.packs[0].calibrate(&Measured::default(), &admission);
    assert_eq!(state.packs[0].thresholds[0], published);
}

#[test]
fn only_evidence_lets_a_pack_block() {
    let admission = Admission {
        capabilities: BTreeSet::from([
            Capability::Tag,
            Capability::Alert,
            Capability::RateLimit,
            Capability::Block,
        ]),
        ..admission()
    };
    let pack = verified(&repacked(1, |manifest| {
        manifest["capabilities"] = json!(["tag", "alert", "rate-limit", "block"]);
    }));
    let mut state = State::default();
    state.admit(&pack, &admission, &cause("try"), true).unwrap();
    assert_eq!(state.packs[0].most(), Capability::RateLimit);
    state.packs[0].evidence = true;
    assert_eq!(state.packs[0].most(), Capability::Block);
}
