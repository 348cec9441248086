use serde_json::{Value, json};

use super::*;
use crate::pattern::Expression;

/// Observed data with these objects, seen so often, from one second of a day to another.
fn seen(objects: Vec<Value>, times: u64, first: u32, last: u32) -> Value {
    let time = |second: u32| format!("2026-01-01T00:{:02}:{:02}Z", second / 60, second % 60);
    let mut objects = objects;
    for (index, object) in objects.iter_mut().enumerate() {
        if object.get("id").is_none() {
            object["id"] = json!(format!("{}--{index}", object["type"].as_str().unwrap()));
        }
    }
    let refs: Vec<Value> = objects.iter().map(|object| object["id"].clone()).collect();
    let observed = json!({
        "type": "observed-data", "id": "observed-data--1", "number_observed": times,
        "first_observed": time(first), "last_observed": time(last), "object_refs": refs,
    });
    objects.push(observed);
    json!({"type": "bundle", "objects": objects})
}

fn named(name: &str, times: u64, first: u32, last: u32) -> Value {
    seen(vec![json!({"type": "p", "n": name})], times, first, last)
}

fn result(pattern: &str, documents: &[Value]) -> Result<bool, String> {
    let pattern = Expression::parse(pattern).map_err(|error| error.to_string())?;
    let matcher = pattern.matcher().map_err(|error| error.to_string())?;
    let observations = Observations::read(documents).map_err(|error| error.to_string())?;
    let matched = matcher.matches(&observations, &MatchLimits::default());
    matched
        .map(|matched| matched.matched)
        .map_err(|error| error.to_string())
}

/// `yes`, `no`, or `error`, and a pattern.
fn judge(rows: &str, documents: &[Value]) {
    for row in rows.lines().filter(|row| !row.is_empty()) {
        let (want, pattern) = row.split_once(' ').unwrap();
        let result = result(pattern, documents);
        let got = match &result {
            Ok(true) => "yes",
            Ok(false) => "no",
            Err(_) => "error",
        };
        assert_eq!(got, want, "{pattern}: {result:?}");
    }
}

/// Of the object of the test below.
const VALUES: &str = r"
no [a:n = 'x']
yes [a:n != 'x']
yes [a:n NOT = 'x']
no [a:n IN ('x')]
yes [a:n NOT IN ('x')]
no [a:n < 1]
no [a:n NOT < 1]
yes [a:n NOT LIKE '%']
no [a:none != 1]
no [a:none NOT IN (1)]
yes [a:i = 5.0]
yes [a:f = 5]
no [a:i = '5']
no [a:big = 9007199254740992.0]
yes [a:big > 9007199254740992.0]
yes [a:b = true]
no [a:b = 1]
no [a:b IN (1)]
no [a:i = true]
no [a:s NOT > 4]
no [a:s < 'Hello']
yes [a:s < 'i' AND a:s > 'g']
yes [a:s = h'68656c6c6f']
yes [a:s = b'aGVsbG8=']
yes [a:e = h'e9']
no [a:u = h'c482']
yes [a:u != h'c482']
no [a:u > h'00' OR a:u < h'00']
yes [a:x_hex = 'abc']
yes [a:x_hex = h'616263']
no [a:x_hex = '616263']
yes [a:x_bin = b'YWJj' AND a:x_bin IN ('abd', 'abc')]
yes [a:e_hex = 'é']
yes [a:x_hex LIKE 'a_c' AND a:x_hex MATCHES '^\\x61b']
no [a:x_hex < t'2026-01-01T00:00:00Z']
error [a:wrong_hex = 'abc']
error [a:wrong_bin != 'abc']
error [a:i = 6 AND EXISTS a:wrong_hex]
yes [a:num_hex = 5]
yes [a:t = t'2026-01-01T00:00:00.000Z']
yes [a:t < t'2026-01-01T00:00:00.000000001Z']
yes [a:t = '2026-01-01T00:00:00Z']
error [a:s != t'2026-01-01T00:00:00Z']
error [a:odd = t'2026-01-01T00:00:00Z']
error [a:t = t'2026-02-30T00:00:00Z']
yes [a:i != t'2026-01-01T00:00:00Z']
yes [a:l[*] = 1]
yes [a:l[*] != 1]
yes [a:l[0] = 1 AND a:l[3][1] = 8 AND a:l[4].k = 1]
no [a:l[9] = 1]
no [a:l = 1]
no [a:d[*] = 1]
yes [EXISTS a:n AND EXISTS a:el AND EXISTS a:d.x]
no [EXISTS a:none]
yes [NOT EXISTS a:none]
no [NOT EXISTS a:n]
no [NOT EXISTS z:none]
no [EXISTS a:el[*]]
no [a:i IN ()]
yes [a:i NOT IN ()]
error [a:i IN (5, 'x')]
error [a:i IN (true, 5)]
yes [a:i IN (1, 5.0)]
yes [a:s IN (b'aGVsbG8=', h'61')]
yes [a:line LIKE 'a%b' AND a:line LIKE 'a_b']
no [a:line MATCHES 'a.b']
yes [a:end MATCHES 'c$']
error [a:s MATCHES '(']
yes [b:x = 1 OR a:i = 5]
no [b:x = 1 AND a:i = 5]
";

#[test]
fn values_are_compared_by_their_types() {
    let object = json!({
        "type": "a", "n": null, "i": 5, "f": 5.0, "big": 9_007_199_254_740_993_u64, "b": true,
        "s": "hello", "u": "Ă", "e": "é", "l": [1, "two", null, [7, 8], {"k": 1}], "d": {"x": 1}, "el": [],
        "t": "2026-01-01T00:00:00Z", "odd": "2026-02-30T00:00:00Z", "x_hex": "616263",
        "wrong_hex": "zz", "x_bin": "YWJj", "wrong_bin": "!!", "num_hex": 5, "e_hex": "e9",
        "line": "a\nb", "end": "abc\n",
    });
    judge(VALUES, &[seen(vec![object], 1, 0, 0)]);
}

#[test]
fn addresses_and_networks_hold_each_other() {
    let object = json!({
        "type": "a", "v4": "192.0.2.1", "net4": "192.0.2.77/24", "v6": "2001:db8::1", "net6": "2001:db8::/32",
        "name": "a.example",
    });
    let rows = "
yes [a:v4 ISSUBSET '192.0.2.9/24']
yes [a:v4 ISSUBSET '0.0.0.0/0']
yes [a:v4 ISSUBSET '192.0.2.1']
no [a:v4 ISSUBSET '192.0.2.2']
no [a:v4 ISSUBSET '::/0']
yes [a:v4 NOT ISSUBSET '::/0']
yes [a:net4 ISSUBSET '192.0.2.0/24' AND a:net4 ISSUPERSET '192.0.2.0/24']
no [a:net4 ISSUBSET '192.0.2.0/25']
yes [a:net4 ISSUPERSET '192.0.2.200']
yes [a:v6 ISSUBSET '2001:DB8::/32' AND a:net6 ISSUPERSET '2001:db8:1::/48']
no [a:name ISSUBSET '192.0.2.0/24']
yes [a:name NOT ISSUBSET '192.0.2.0/24']
error [a:v4 ISSUBSET '192.0.2.0/33']
error [a:v4 ISSUPERSET 'a.example']
";
    judge(rows, &[seen(vec![object], 1, 0, 0)]);
}

#[test]
fn references_lead_to_objects_of_the_bundle() {
    let objects = vec![
        json!({"type": "p", "id": "p--1", "n": "a", "k_ref": "q--2", "own_ref": "p--1", "ks_refs": ["p--1", "q--2", "q--2", "gone"], "d": {"k_ref": "q--2"}, "bad_ref": 5, "gone_ref": "q--9"}),
        json!({"type": "q", "id": "q--2", "n": "b"}),
    ];
    let mut bundle = seen(objects, 1, 0, 0);
    // q is in the bundle, and not among what was seen.
    bundle["objects"][2]["object_refs"] = json!(["p--1"]);
    let rows = "
yes [p:k_ref.n = 'b']
yes [p:d.k_ref.n = 'b']
yes [p:ks_refs[*].n = 'b' AND p:ks_refs[0].n = 'a']
no [p:ks_refs.n = 'a']
yes [p:own_ref.own_ref.own_ref.k_ref.n = 'b']
yes [p:k_ref.type = 'q']
yes [p:k_ref = 'q--2']
no [p:gone_ref.n = 'b']
yes [NOT EXISTS p:gone_ref.n]
no [p:bad_ref.n = 5]
no [q:n = 'b']
no [observed-data:number_observed = 1]
";
    judge(rows, std::slice::from_ref(&bundle));
    // The same in an `objects` dictionary, where all of it was seen.
    let own = json!({
        "type": "observed-data", "number_observed": 1, "first_observed": "2026-01-01T00:00:00Z",
        "last_observed": "2026-01-01T00:00:00Z",
        "objects": {"0": {"type": "p", "n": "a", "k_ref": "1"}, "1": {"type": "q", "n": "b"}},
    });
    judge("yes [p:k_ref.n = 'b']\nyes [q:n = 'b']", &[own]);
}

#[test]
fn each_observation_is_taken_once_and_as_often_as_it_was_made() {
    let documents = [
        named("a", 3, 0, 0),
        named("b", 2, 10, 10),
        named("c", 1, 20, 20),
    ];
    let rows = "
yes [p:n = 'a'] AND [p:n = 'a'] AND [p:n = 'a']
no [p:n = 'a'] AND [p:n = 'a'] AND [p:n = 'a'] AND [p:n = 'a']
yes [p:n = 'a'] FOLLOWEDBY [p:n = 'a']
yes [p:n = 'a'] REPEATS 3 TIMES
no [p:n = 'a'] REPEATS 4 TIMES
error [p:n = 'a'] REPEATS 0 TIMES
yes [p:n IN ('a', 'b')] REPEATS 5 TIMES
no [p:n IN ('a', 'b')] REPEATS 99999999999999999999 TIMES
yes ([p:n = 'a'] OR [p:n = 'b']) REPEATS 5 TIMES
no ([p:n = 'a'] OR [p:n = 'b']) REPEATS 6 TIMES
yes ([p:n = 'a'] AND [p:n = 'b']) REPEATS 2 TIMES
no ([p:n = 'a'] AND [p:n = 'b']) REPEATS 3 TIMES
yes ([p:n = 'a'] FOLLOWEDBY [p:n = 'b']) REPEATS 2 TIMES
no ([p:n = 'a'] FOLLOWEDBY [p:n = 'b']) REPEATS 3 TIMES
yes [p:n = 'a'] REPEATS 2 TIMES AND [p:n = 'a']
no [p:n = 'a'] REPEATS 3 TIMES AND [p:n = 'a']
no [p:n = 'c' OR p:n = 'x'] AND [p:n = 'c']
yes ([p:n = 'c'] OR [p:n = 'b']) AND [p:n = 'c']
yes ([p:n = 'c'] OR ([p:n = 'x'] AND [p:n = 'a'])) AND [p:n = 'b']
no ([p:n = 'c'] OR ([p:n = 'x'] AND [p:n = 'a'])) AND [p:n = 'c']
yes ([p:n = 'c'] OR ([p:n = 'a'] AND [p:n = 'b'])) REPEATS 3 TIMES
no ([p:n = 'c'] OR ([p:n = 'a'] AND [p:n = 'b'])) REPEATS 4 TIMES
yes [p:n = 'x'] OR [p:n = 'y'] OR [p:n = 'c']
yes [p:n IN ('a', 'c')] AND [p:n IN ('b', 'c')] AND [p:n = 'c']
";
    judge(rows, &documents);
}

#[test]
fn times_are_those_that_an_observation_may_have_been_made_at() {
    let at = |a: (u32, u32), b: (u32, u32)| [named("a", 1, a.0, a.1), named("b", 1, b.0, b.1)];
    let ordered = "[p:n = 'a'] FOLLOWEDBY [p:n = 'b']";
    for (a, b, want) in [
        ((0, 1), (2, 3), true),
        ((2, 3), (0, 1), false),
        ((0, 2), (1, 3), true),
        ((1, 3), (0, 2), true),
        ((0, 0), (0, 0), true),
        ((1, 2), (0, 1), true),
    ] {
        assert_eq!(result(ordered, &at(a, b)), Ok(want), "{a:?} {b:?}");
    }
    for (start, stop, want) in [
        (0, 5, false),
        (0, 6, true),
        (6, 7, true),
        (10, 11, true),
        (11, 12, false),
        (7, 7, false),
        (8, 6, false),
    ] {
        let time = |second| format!("t'2026-01-01T00:00:{second:02}Z'");
        let pattern = format!("[p:n = 'a'] START {} STOP {}", time(start), time(stop));
        let documents = at((5, 10), (50, 50));
        assert_eq!(result(&pattern, &documents), Ok(want), "{pattern}");
    }
    let rows = "
yes [p:n = 'a'] WITHIN .0000000001 SECONDS
error [p:n = 'a'] WITHIN 0 SECONDS
error [p:n = 'a'] WITHIN 0.0 SECONDS
yes ([p:n = 'a'] AND [p:n = 'b']) WITHIN 5 SECONDS
no ([p:n = 'a'] AND [p:n = 'b']) WITHIN 4.999999999 SECONDS
yes ([p:n = 'a'] FOLLOWEDBY [p:n = 'b']) WITHIN 5 SECONDS
yes [p:n = 'a'] FOLLOWEDBY [p:n = 'b'] WITHIN 1 SECONDS
no ([p:n = 'b'] FOLLOWEDBY [p:n = 'a']) WITHIN 5 SECONDS
yes [p:n LIKE '_'] REPEATS 2 TIMES WITHIN 5 SECONDS
no [p:n LIKE '_'] REPEATS 2 TIMES WITHIN 4 SECONDS
error [p:n = 'a'] START t'2026-02-30T00:00:00Z' STOP t'2026-03-01T00:00:00Z'
no ([p:n = 'a'] AND [p:n = 'b']) START t'2026-01-01T00:00:00Z' STOP t'2026-01-01T00:00:15Z'
yes ([p:n = 'a'] AND [p:n = 'b']) START t'2026-01-01T00:00:00Z' STOP t'2026-01-01T00:00:16Z'
";
    judge(rows, &at((5, 10), (15, 20)));
}

#[test]
fn what_is_in_time_is_found_among_much_that_is_not() {
    // b at 0, a at 10, 100, 200, c at 195: only one a has a c before it in time.
    let mut documents = vec![named("b", 1, 0, 0), named("c", 1, 195, 195)];
    documents.extend([10, 100, 200].map(|at| named("a", 1, at, at)));
    let rows = "
yes ([p:n = 'c'] FOLLOWEDBY [p:n = 'a']) WITHIN 5 SECONDS
no ([p:n = 'a'] FOLLOWEDBY [p:n = 'c']) WITHIN 5 SECONDS
yes ([p:n = 'b'] FOLLOWEDBY [p:n = 'a']) WITHIN 10 SECONDS AND [p:n = 'c']
yes ([p:n = 'b'] AND [p:n = 'a']) WITHIN 10 SECONDS FOLLOWEDBY ([p:n = 'c'] AND [p:n = 'a']) WITHIN 5 SECONDS
no ([p:n = 'c'] AND [p:n = 'a']) WITHIN 5 SECONDS FOLLOWEDBY ([p:n = 'b'] AND [p:n = 'a']) WITHIN 10 SECONDS
yes [p:n = 'a'] REPEATS 2 TIMES WITHIN 90 SECONDS
no [p:n = 'a'] REPEATS 2 TIMES WITHIN 89 SECONDS
";
    judge(rows, &documents);
}

#[test]
fn data_that_say_not_what_was_seen_are_refused() {
    let good = named("a", 1, 0, 0);
    let broken = |change: fn(&mut Value)| {
        let mut document = good.clone();
        change(&mut document["objects"][1]);
        document
    };
    let documents = [
        json!("x"),
        json!({"type": "p"}),
        json!({"type": "bundle"}),
        broken(|observed| observed["number_observed"] = json!(0)),
        broken(|observed| observed["number_observed"] = json!("1")),
        broken(|observed| observed["first_observed"] = json!("x")),
        broken(|observed| drop(observed.as_object_mut().unwrap().remove("last_observed"))),
        broken(|observed| drop(observed.as_object_mut().unwrap().remove("object_refs"))),
    ];
    for document in documents {
        let error = result("[p:n = 'a']", &[good.clone(), document.clone()]).unwrap_err();
        assert!(error.contains("; "), "{document}: {error}");
    }
    assert_eq!(result("[p:n = 'a']", &[]), Ok(false));
    assert_eq!(
        result("[p:n = 'a']", &[json!({"type": "bundle", "objects": []})]),
        Ok(false)
    );
}

#[test]
fn the_work_is_bounded_and_the_bound_is_told() {
    let many: Vec<Value> = (0..400).map(|at| named("a", 1, at, at)).collect();
    let copies = "([p:n = 'a'] FOLLOWEDBY [p:n = 'a']) REPEATS 150 TIMES WITHIN 100 SECONDS";
    let cases = [
        copies,
        "([p:n = 'a'] FOLLOWEDBY [p:n = 'a']) REPEATS 99999999999 TIMES",
        "([p:n = 'a'] OR ([p:n = 'b'] AND [p:n = 'a'])) REPEATS 401 TIMES",
    ];
    for pattern in cases {
        let told = result(pattern, &many);
        let bounded = told
            .as_ref()
            .is_err_and(|error| error.contains("more than"));
        assert!(bounded || told == Ok(false), "{pattern}: {told:?}");
    }
    let hostile = format!(
        "[{}]",
        vec!["p:ks_refs[*].n LIKE '%a%a%a%a%a%b'"; 100].join(" OR ")
    );
    let refs: Vec<&str> = vec!["p--0"; 2000];
    let object = json!({"type": "p", "id": "p--0", "n": "a".repeat(5000), "ks_refs": refs});
    assert_eq!(result(&hostile, &[seen(vec![object], 1, 0, 0)]), Ok(false));
    let pattern = Expression::parse("[p:n = 'a'] REPEATS 9 TIMES").unwrap();
    let observations = Observations::read(&many).unwrap();
    let limits = MatchLimits {
        steps_max: 100,
        observations_max: 1000,
    };
    let error = pattern.matcher().unwrap().matches(&observations, &limits);
    assert!(error.unwrap_err().to_string().contains("steps_max"));
    let limits = MatchLimits {
        observations_max: 399,
        ..MatchLimits::default()
    };
    let error = pattern.matcher().unwrap().matches(&observations, &limits);
    assert!(error.unwrap_err().to_string().contains("observations_max"));
}

#[test]
fn regular_expressions_are_counted() {
    let many = |count| format!("[{}]", vec!["a:b MATCHES 'x'"; count].join(" OR "));
    assert_eq!(result(&many(EXPRESSIONS_MAX), &[]), Ok(false));
    let error = result(&many(EXPRESSIONS_MAX + 1), &[]).unwrap_err();
    assert!(error.contains("MATCHES"), "{error}");
}

#[test]
fn many_observations_are_no_trouble() {
    let many: Vec<Value> = (0..3000).map(|at| named("a", 1, at, at)).collect();
    let rows = "
yes [p:n = 'a'] REPEATS 3000 TIMES
no [p:n = 'a'] REPEATS 3001 TIMES
yes [p:n = 'a'] REPEATS 101 TIMES WITHIN 100 SECONDS
no [p:n = 'a'] REPEATS 102 TIMES WITHIN 100 SECONDS
yes [p:n = 'a'] REPEATS 1000 TIMES FOLLOWEDBY [p:n = 'a'] REPEATS 1000 TIMES
";
    judge(rows, &many);
}
