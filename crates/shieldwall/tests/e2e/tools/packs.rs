//! Packs in the lab: one that may block, and one that errs and is taken back by its budget.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{alone, run, wait_for};
use crate::tools::{BYSTANDER, Place, ROOT, place};

/// Signs the bundled pack anew with leave to block and evidence of a red team; gives the shield's
/// section that takes it.
pub(super) fn that_may_block(place: &Place) -> String {
    let key = place.at("lab.pem");
    let key = key.to_str().unwrap();
    let public = run(&["pack", "keygen", "--out", key]);
    let public = public
        .split("public = \"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap();
    let trust = format!("threshold = 1\n[[key]]\nholder = \"Lab\"\npublic = \"{public}\"\n");
    let trust = place.write("trust.toml", &trust);
    let admission = "capabilities = [\"tag\", \"alert\", \"rate-limit\", \"block\"]\nevidence = true\n\
                     trained_days_max = 100000\n\
                     [promotion]\ndwell_s = 0\ncanary_sessions_min = 0\n";
    let admission = place.write("admission.toml", admission);
    let folder = place.at("pack");
    std::fs::create_dir(&folder).unwrap();
    let bundled = format!("{ROOT}/models/packs/web-attack.swpack");
    let at = ["-C", folder.to_str().unwrap()];
    let files = ["models/model.onnx", "pack.json"];
    let mut tar = Command::new("tar");
    let done = tar.args(["xf", &bundled]).args(at).args(files).status();
    assert!(done.unwrap().success());
    let text = std::fs::read(folder.join("pack.json")).unwrap();
    let mut manifest: Value = serde_json::from_slice(&text).unwrap();
    manifest["publisher"] = "Lab".into();
    manifest["capabilities"] = serde_json::json!(["tag", "alert", "rate-limit", "block"]);
    let fields = manifest.as_object_mut().unwrap();
    fields.remove("schema");
    fields.remove("files");
    std::fs::write(folder.join("pack.json"), manifest.to_string()).unwrap();
    let (folder, pack) = (folder.to_str().unwrap(), place.at("web.swpack"));
    let pack = pack.to_str().unwrap();
    let sign = || {
        run(&["pack", "build", folder, "--out", pack]);
        run(&["pack", "sign", pack, "--key", key]);
    };
    sign();
    let suite = place.write("suite.toml", SUITE);
    std::fs::copy(
        format!("{ROOT}/models/suites/web-own.jsonl"),
        place.at("web-own.jsonl"),
    )
    .unwrap();
    run(&[
        "redteam", "run", "--pack", pack, "--trust", &trust, "--suite", &suite, "--out", folder,
    ]);
    sign();
    format!("[packs]\ntrust = {trust:?}\nadmission = {admission:?}\n")
}

/// What evidence takes a second.
const SUITE: &str = "schema = \"https://shieldwall.dev/redteam-suite/v1\"\nname = \"web-own\"\n\
                     task = \"web-attack\"\nseed = 1\nsamples = \"web-own.jsonl\"\nfpr = 0.001\n\
                     malicious_max = 20\nbenign_max = 20\n";

/// A day at the office, and a wiki that begins to explain SQL in its addresses: harmless, and what the
/// model takes for attacks. Nobody touches the shield, and nobody is blocked.
#[test]
fn a_pack_that_begins_to_err_is_taken_back_by_its_budget() {
    let _turn = alone();
    let test = "a_pack_that_begins_to_err_is_taken_back_by_its_budget";
    let Some(mut place) = place(test, &[]) else {
        return;
    };
    let more = that_may_block(&place);
    place.defend(&more);
    for office in 100..140 {
        let address = format!("addr add 192.0.2.{office}/24 dev eth0");
        place.bystander.ip(&address).unwrap();
    }
    let visit = |office: u8, page: &str| {
        let from = format!("192.0.2.{office}");
        let visited = place
            .bystander
            .exec("python3", &[BYSTANDER, "from", &from, page]);
        assert!(
            visited.is_ok(),
            "{from} saw a failure at {page}: {visited:?}"
        );
    };
    for office in 100..140 {
        for page in 0..4 {
            visit(office, &format!("page/{page}"));
        }
    }
    let stage = |stage: &str| {
        let mut steps = place.events("pack").into_iter();
        steps.find(|step| step["stage"] == stage)
    };
    assert_eq!(stage("rolled-back"), None);
    let begun = Instant::now();
    let lesson = "page/1?example=1%27%20UNION%20SELECT%20name,password%20FROM%20users--%20-";
    for office in 100..140 {
        visit(office, lesson);
        if stage("rolled-back").is_some() {
            break;
        }
    }
    let step = wait_for("the pack is taken back", Duration::from_secs(30), || {
        stage("rolled-back")
    });
    println!("taken back after {:?}: {step}", begun.elapsed());
    assert_eq!(step["by"], "shield", "{step}");
    assert!(
        step["why"].as_str().unwrap().contains("benign sessions"),
        "{step}"
    );
    // what it finds counts no more
    let alerts = || {
        let eve = std::fs::read_to_string(place.at("eve.json")).unwrap_or_default();
        eve.matches("9300001").count()
    };
    let before = alerts();
    for _ in 0..5 {
        visit(139, lesson);
    }
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(alerts(), before);
    assert_eq!(place.events("lease"), Vec::<Value>::new());
}
