//! Channels that one of ours keeps up: a tunnel in DNS, and a beacon. The far end is dropped: nothing
//! comes back from it.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{alone, wait_for};
use crate::tools::{ATTACKER, Place, SITE, VISITOR, place, reasons};

/// Starts a tunnel: a client of ours asks the tunnel's server itself, which speaks for its own name.
fn tunnel(place: &mut Place) {
    let (base, secret) = ("t.tunnel.example", ["-f", "-P", "secret"]);
    place.attack(&[&["iodined"], &secret[..], &["10.99.0.1", base]].concat());
    wait_for("iodined listens", Duration::from_secs(20), || {
        let sockets = place.attacker.exec("ss", &["-Huln", "sport = :53"]);
        sockets.is_ok_and(|said| !said.is_empty()).then_some(())
    });
    let mut site = place.attacker.command("python3");
    place.start(site.args([SITE, "8080"]));
    let mut client = place.server.command("iodine");
    client.args(secret).args(["-r", ATTACKER, base]);
    place.start(&mut client);
}

/// Whether a server of the attacker's answers through the tunnel.
fn goes_through(place: &Place) -> bool {
    let ask = "import socket; socket.create_connection(('10.99.0.1', 8080), 3).close()";
    place.server.exec("python3", &["-c", ask]).is_ok()
}

fn place_with_tunnel(test: &str) -> Option<Place> {
    let place = place(test, &["iodine", "iodined", "ss"])?;
    if !Path::new("/dev/net/tun").exists() {
        testkit::skip(test, "there is no /dev/net/tun");
        return None;
    }
    Some(place)
}

#[test]
fn iodine_is_stopped_by_dropping_the_far_end_of_its_tunnel() {
    let _turn = alone();
    let test = "iodine_is_stopped_by_dropping_the_far_end_of_its_tunnel";
    let Some(mut place) = place_with_tunnel(test) else {
        return;
    };
    place.defend("[behaviour]\ndns-tunnel = \"drop\"\n");
    let bystander = place.bystander(false);
    tunnel(&mut place);
    let lease = place.leased("drop", Duration::from_secs(60));
    let service = lease["key"].get("service");
    assert!(service.is_none_or(Value::is_null), "{lease}");
    let alert = place.alert(9_400_002, Duration::from_secs(10));
    assert!(reasons(&alert).contains("look like a tunnel"), "{alert}");
    assert_eq!(alert["src_ip"], "198.51.100.10", "{alert}");
    assert_eq!(alert["shieldwall"]["far_end"], ATTACKER, "{alert}");
    assert!(alert["shieldwall"].get("offender").is_none(), "{alert}");
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        assert!(!goes_through(&place), "the tunnel goes on");
        std::thread::sleep(Duration::from_secs(1));
    }
    place.is_unharmed(bystander);
}

/// Unless the operator says more, the far end is slowed down: who carries data in names on purpose works on.
#[test]
fn iodine_is_slowed_down_where_nobody_said_more() {
    let _turn = alone();
    let test = "iodine_is_slowed_down_where_nobody_said_more";
    let Some(mut place) = place_with_tunnel(test) else {
        return;
    };
    place.defend("");
    tunnel(&mut place);
    let lease = place.leased("rate-limit", Duration::from_secs(60));
    let why = lease["why"].as_str().unwrap();
    assert!(why.contains("only slows down"), "{lease}");
    wait_for("the tunnel is there", Duration::from_secs(90), || {
        goes_through(&place).then_some(())
    });
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
    println!(
        "beacon: {} answered, then none; updates: {} answered",
        since.0, since.1
    );
    place.is_unharmed(bystander);
}
