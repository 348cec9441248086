//! Channels that one of ours keeps up: a tunnel in DNS, and a beacon. The far end is dropped: nothing
//! comes back from it.

use std::path::Path;
use std::time::Duration;

use crate::common::alone;
use crate::tools::{ATTACKER, SITE, VISITOR, place, reasons};

/// A client of ours asks the tunnel's server itself, which speaks for its own name.
#[test]
fn iodine_is_stopped_by_dropping_the_far_end_of_its_tunnel() {
    let _turn = alone();
    let test = "iodine_is_stopped_by_dropping_the_far_end_of_its_tunnel";
    let Some(mut place) = place(test, &["iodine", "iodined"]) else {
        return;
    };
    if !Path::new("/dev/net/tun").exists() {
        return testkit::skip(test, "there is no /dev/net/tun");
    }
    place.defend("[behaviour]\ndns-tunnel = \"drop\"\n");
    let bystander = place.bystander(false);
    let base = "t.tunnel.example";
    let secret = ["-f", "-P", "secret"];
    let its = [&["iodined"], &secret[..], &["10.99.0.1", base]].concat();
    place.attack(&its);
    let mut client = place.server.command("iodine");
    client.args(secret).args(["-r", ATTACKER, base]);
    place.start(&mut client);
    let lease = place.leased("drop", Duration::from_secs(60));
    assert!(
        lease["key"]
            .get("service")
            .is_none_or(serde_json::Value::is_null),
        "{lease}"
    );
    let alert = place.alert(9_400_002, Duration::from_secs(10));
    assert!(reasons(&alert).contains("look like a tunnel"), "{alert}");
    assert_eq!(alert["src_ip"], "198.51.100.10", "{alert}");
    assert_eq!(alert["shieldwall"]["far_end"], ATTACKER, "{alert}");
    assert!(alert["shieldwall"].get("offender").is_none(), "{alert}");
    for _ in 0..5 {
        let through = place
            .server
            .exec("ping", &["-c", "1", "-W", "2", "10.99.0.1"]);
        assert!(through.is_err(), "the tunnel goes on");
    }
    place.is_unharmed(bystander);
}

/// Unless the operator says more, the far end of a tunnel is slowed down, and of a beacon it is told.
#[test]
fn iodine_is_slowed_down_where_nobody_said_more() {
    let _turn = alone();
    let test = "iodine_is_slowed_down_where_nobody_said_more";
    let Some(mut place) = place(test, &["iodine", "iodined"]) else {
        return;
    };
    if !Path::new("/dev/net/tun").exists() {
        return testkit::skip(test, "there is no /dev/net/tun");
    }
    place.defend("");
    let base = "t.tunnel.example";
    let secret = ["-f", "-P", "secret"];
    let its = [&["iodined"], &secret[..], &["10.99.0.1", base]].concat();
    place.attack(&its);
    let mut client = place.server.command("iodine");
    client.args(secret).args(["-r", ATTACKER, base]);
    place.start(&mut client);
    let lease = place.leased("rate-limit", Duration::from_secs(60));
    let why = lease["why"].as_str().unwrap();
    assert!(why.contains("only slows down"), "{lease}");
}

/// A program that beats every three seconds, and writes down which beats were answered.
const BEATS: &str = "import sys, time, urllib.request\nurl, host, log = sys.argv[1:]\nwhile True:\n \
    time.sleep(3)\n try:\n  ask = urllib.request.Request(url, headers={'Host': host})\n  \
    urllib.request.urlopen(ask, timeout=2).read()\n  said = 'answered'\n except OSError:\n  \
    said = 'failed'\n open(log, 'a').write(said + '\\n')\n";

/// It takes a minute, so only long runs look. Beside it a program asks for updates as regularly, by name.
#[test]
fn a_beacon_is_stopped_and_who_asks_for_updates_as_regularly_is_not() {
    let _turn = alone();
    let test = "a_beacon_is_stopped_and_who_asks_for_updates_as_regularly_is_not";
    if !testkit::long() {
        return testkit::skip(test, "it takes more than a minute");
    }
    let Some(mut place) = place(test, &[]) else {
        return;
    };
    place.defend("[behaviour]\nbeacon = \"drop\"\n");
    let bystander = place.bystander(false);
    place.attack(&["python3", SITE, "8080"]);
    let mut updates = place.bystander.command("python3");
    place.start(updates.args([SITE, "8081"]));
    for (url, host, log) in [
        (format!("http://{ATTACKER}:8080/"), ATTACKER, "beacon.log"),
        (
            format!("http://{VISITOR}:8081/"),
            "updates.example",
            "updates.log",
        ),
    ] {
        let mut program = place.server.command("python3");
        program.args(["-c", BEATS, &url, host]).arg(place.at(log));
        place.start(&mut program);
    }
    let answered = |name: &str, said: &str| {
        let log = std::fs::read_to_string(place.at(name)).unwrap_or_default();
        log.lines().filter(|line| *line == said).count()
    };
    place.leased("drop", Duration::from_secs(150));
    let alert = place.alert(9_400_003, Duration::from_secs(10));
    assert!(reasons(&alert).contains("gap_median"), "{alert}");
    assert_eq!(alert["src_ip"], "198.51.100.10", "{alert}");
    let before = (
        answered("beacon.log", "answered"),
        answered("updates.log", "answered"),
    );
    std::thread::sleep(Duration::from_secs(20));
    let since = (
        answered("beacon.log", "answered"),
        answered("updates.log", "answered"),
    );
    assert!(
        since.0 <= before.0 + 1,
        "the beacon goes on: {before:?} {since:?}"
    );
    assert!(
        since.1 >= before.1 + 4,
        "updates stopped: {before:?} {since:?}"
    );
    assert_eq!(answered("updates.log", "failed"), 0);
    eprintln!(
        "beacon: {} answered, then none; updates: {} answered",
        since.0, since.1
    );
    place.is_unharmed(bystander);
}
