//! The XDP enforcer against a real kernel: what it drops, what it lets pass, and for how long.
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use crate::lab::{
    INSIDE4, INSIDE6, Lab, OUTSIDE4, OUTSIDE6, delivered, lab, send_frames, udp_frame,
};
use datapath::clock::mono_ns;
use datapath::enforce::xdp::{Wanted, XdpEnforcer};
use datapath::enforce::{Action, EnforceError, Enforcer, Key, Lease, Mode, Service};
use packet::{FiveTuple, Proto};

const SECOND: u64 = 1_000_000_000;
const UDP: u8 = 17;
const PORT: u16 = 5_000;
const OTHER_PORT: u16 = 5_001;

fn key(source: &str) -> Key {
    Key {
        source: source.parse().unwrap(),
        service: None,
    }
}

fn to_port(source: &str, port: u16) -> Key {
    Key {
        service: Some(Service { proto: UDP, port }),
        ..key(source)
    }
}

fn lease(key: Key, action: Action, lasts_ns: u64) -> Lease {
    Lease {
        key,
        action,
        expires_ns: mono_ns() + lasts_ns,
        reason: 7,
    }
}

/// Gives a lease a near end, and waits for it.
fn end_soon(enforcer: &mut XdpEnforcer, lease: &Lease) {
    let expires_ns = mono_ns() + SECOND / 20;
    enforcer
        .install(&Lease {
            expires_ns,
            ..*lease
        })
        .unwrap();
    sleep_until(expires_ns);
}

fn sleep_until(moment_ns: u64) {
    std::thread::sleep(Duration::from_nanos(moment_ns.saturating_sub(mono_ns())));
}

fn drop_for(key: Key, lasts_ns: u64) -> Lease {
    lease(key, Action::Drop, lasts_ns)
}

/// An attacker and a bystander outside, two services inside.
struct Street {
    attacker: UdpSocket,
    bystander: UdpSocket,
    service: UdpSocket,
    other_service: UdpSocket,
}

impl Street {
    fn new(lab: &Lab, attacker: &str, bystander: &str, inside: &str) -> Self {
        Self {
            attacker: lab.sender(attacker),
            bystander: lab.sender(bystander),
            service: lab.receiver(inside, PORT),
            other_service: lab.receiver(inside, OTHER_PORT),
        }
    }

    fn v4(lab: &Lab) -> Self {
        lab.add_outside("10.9.0.66/24");
        Self::new(lab, "10.9.0.66", OUTSIDE4, INSIDE4)
    }

    fn v6(lab: &Lab) -> Self {
        lab.add_outside("2001:db8:9::66/64");
        Self::new(lab, "2001:db8:9::66", OUTSIDE6, INSIDE6)
    }

    /// How many of `count` attacks reach the two services.
    fn attack(&self, count: usize) -> (usize, usize) {
        let one = delivered(&self.attacker, &self.service, count, &self.bystander);
        let other = delivered(&self.attacker, &self.other_service, count, &self.bystander);
        (one, other)
    }
}

fn drops_by_address_prefix_and_service(lab: &Lab, mode: Wanted) {
    let streets = [
        (Street::v4(lab), "10.9.0.66/32", "10.9.0.64/26"),
        (Street::v6(lab), "2001:db8:9::66/128", "2001:db8:9::40/122"),
    ];
    let mut enforcer = lab.enforcer(mode);
    for (street, address, prefix) in &streets {
        assert_eq!(
            street.attack(3),
            (3, 3),
            "nothing is dropped without a lease"
        );
        for source in [address, prefix] {
            enforcer
                .install(&drop_for(key(source), SECOND * 60))
                .unwrap();
            assert_eq!(street.attack(3), (0, 0), "{source}");
            assert!(enforcer.remove(&key(source)).unwrap());
            enforcer
                .install(&drop_for(to_port(source, PORT), SECOND * 60))
                .unwrap();
            assert_eq!(street.attack(3), (0, 3), "{source} to one port");
            assert!(enforcer.remove(&to_port(source, PORT)).unwrap());
            enforcer
                .install(&drop_for(to_port(source, 0), SECOND * 60))
                .unwrap();
            assert_eq!(street.attack(3), (0, 0), "{source}, the whole protocol");
            assert!(enforcer.remove(&to_port(source, 0)).unwrap());
            assert_eq!(street.attack(3), (3, 3), "{source} is forgiven");
        }
    }
    let counters = enforcer.counters();
    assert_eq!(counters.drop_lease, 2 * 2 * (6 + 3 + 6));
    assert_eq!(counters.drop_over_rate, 0);
}

#[test]
fn native_drops_by_address_prefix_and_service() {
    let Some(lab) = lab("native_drops") else {
        return;
    };
    drops_by_address_prefix_and_service(&lab, Wanted::Native);
    assert!(
        lab.link_json().contains(r#""xdp":{"mode":1"#),
        "still there after the enforcer is dropped"
    );
}

#[test]
fn generic_drops_by_address_prefix_and_service() {
    let Some(lab) = lab("generic_drops") else {
        return;
    };
    drops_by_address_prefix_and_service(&lab, Wanted::Generic);
    assert!(lab.link_json().contains(r#""xdp":{"mode":2"#), "generic");
}

#[test]
fn auto_says_which_mode_it_got() {
    let Some(lab) = lab("auto_mode") else { return };
    assert_eq!(lab.enforcer(Wanted::Auto).mode(), Mode::XdpNative);
    assert_eq!(
        lab.enforcer(Wanted::Generic).mode(),
        Mode::XdpGeneric,
        "it changes if asked"
    );
    assert_eq!(
        lab.enforcer(Wanted::Auto).mode(),
        Mode::XdpGeneric,
        "and stays if not"
    );
    let loopback = lab.inside(|| XdpEnforcer::attach("lo", &lab.options(Wanted::Auto)).unwrap());
    assert_eq!(
        loopback.mode(),
        Mode::XdpGeneric,
        "loopback has no native XDP"
    );
}

#[test]
fn a_lease_ends_in_the_kernel_without_anybody() {
    let Some(lab) = lab("expiry") else { return };
    let street = Street::v4(&lab);
    let mut enforcer = lab.enforcer(Wanted::Native);
    let lease = drop_for(key("10.9.0.66/32"), SECOND * 60);
    enforcer.install(&lease).unwrap();
    assert_eq!(
        delivered(&street.attacker, &street.service, 2, &street.bystander),
        0
    );
    end_soon(&mut enforcer, &lease);
    assert_eq!(
        delivered(&street.attacker, &street.service, 2, &street.bystander),
        2
    );
    assert_eq!(enforcer.counters().expired_skipped, 2);
    assert_eq!(enforcer.leases().unwrap().len(), 1);
    assert_eq!(enforcer.sweep(mono_ns()).unwrap(), 1);
    assert_eq!(enforcer.leases().unwrap(), []);
    assert_eq!(enforcer.hits(&lease.key).unwrap(), None);
}

#[test]
fn hits_are_counted_and_timed_and_kept_when_a_lease_is_extended() {
    let Some(lab) = lab("hits") else { return };
    let street = Street::v4(&lab);
    let mut enforcer = lab.enforcer(Wanted::Native);
    let lease = drop_for(key("10.9.0.66/32"), SECOND * 60);
    enforcer.install(&lease).unwrap();
    assert_eq!(enforcer.hits(&lease.key).unwrap(), Some(Default::default()));
    let before = mono_ns();
    delivered(&street.attacker, &street.service, 5, &street.bystander);
    let after = mono_ns();
    let hits = enforcer.hits(&lease.key).unwrap().unwrap();
    assert_eq!((hits.hits, hits.drops), (5, 5));
    assert!(
        (before..after).contains(&hits.first_hit_ns),
        "{before} {hits:?} {after}"
    );
    assert_eq!(hits.first_hit_ns, hits.first_drop_ns);

    let extended = Lease {
        action: Action::Monitor,
        expires_ns: lease.expires_ns + SECOND,
        ..lease
    };
    enforcer.install(&extended).unwrap();
    assert_eq!(enforcer.hits(&lease.key).unwrap(), Some(hits));
    assert_eq!(
        delivered(&street.attacker, &street.service, 2, &street.bystander),
        2
    );
    let (kept, more) = enforcer.leases().unwrap()[0];
    assert_eq!(kept, extended);
    assert_eq!(
        (more.hits, more.drops, more.first_hit_ns),
        (7, 5, hits.first_hit_ns)
    );

    end_soon(&mut enforcer, &extended);
    enforcer.install(&drop_for(lease.key, SECOND)).unwrap();
    let anew = enforcer.hits(&lease.key).unwrap().unwrap();
    assert_eq!(
        anew.first_hit_ns, 0,
        "a lease after one that ran out begins anew"
    );
}

#[test]
fn the_longest_live_prefix_wins_and_a_dead_one_hides_nothing() {
    let Some(lab) = lab("overlap") else { return };
    let street = Street::v4(&lab);
    let mut enforcer = lab.enforcer(Wanted::Native);
    let inner = lease(key("10.9.0.66/32"), Action::Monitor, SECOND * 60);
    enforcer
        .install(&drop_for(key("10.9.0.64/26"), SECOND * 60))
        .unwrap();
    assert_eq!(street.attack(2), (0, 0));
    enforcer.install(&inner).unwrap();
    assert_eq!(street.attack(2), (2, 2), "the inner lease only watches");
    end_soon(&mut enforcer, &inner);
    assert_eq!(
        street.attack(2),
        (0, 0),
        "it has run out, and the outer drops again"
    );
}

/// The program looks at a bounded number of lengths: those no longer in use must not take up the places.
#[test]
fn lengths_no_longer_in_use_are_forgotten() {
    let Some(lab) = lab("lengths") else { return };
    let street = Street::v4(&lab);
    let mut enforcer = lab.enforcer(Wanted::Native);
    enforcer.protect(&["10.9.0.1/32".parse().unwrap()]).unwrap();
    let wide = drop_for(key("10.0.0.0/8"), SECOND * 60);
    let of_length = |length| drop_for(key(&format!("10.9.0.0/{length}")), SECOND);
    for length in 17..=32 {
        enforcer.install(&of_length(length)).unwrap();
        assert!(enforcer.remove(&of_length(length).key).unwrap());
    }
    enforcer.install(&wide).unwrap();
    assert_eq!(street.attack(1), (0, 0), "after removals");
    assert!(enforcer.remove(&wide.key).unwrap());
    for length in 17..=32 {
        enforcer.install(&of_length(length)).unwrap();
    }
    assert_eq!(enforcer.sweep(mono_ns() + SECOND).unwrap(), 16);
    enforcer.install(&wide).unwrap();
    assert_eq!(street.attack(1), (0, 0), "after a sweep");
}

#[test]
fn a_service_goes_before_all_packets_at_the_same_length() {
    let Some(lab) = lab("service_first") else {
        return;
    };
    let street = Street::v4(&lab);
    let mut enforcer = lab.enforcer(Wanted::Native);
    enforcer
        .install(&drop_for(key("10.9.0.66/32"), SECOND * 60))
        .unwrap();
    enforcer
        .install(&lease(
            to_port("10.9.0.66/32", PORT),
            Action::Monitor,
            SECOND * 60,
        ))
        .unwrap();
    assert_eq!(street.attack(2), (2, 0));
    enforcer
        .install(&lease(
            to_port("10.9.0.66/32", 0),
            Action::Monitor,
            SECOND * 60,
        ))
        .unwrap();
    assert_eq!(
        street.attack(2),
        (2, 2),
        "the protocol goes between the two"
    );
}

#[test]
fn protected_sources_pass_whatever_the_leases_say() {
    let Some(lab) = lab("protected") else { return };
    let streets = [
        (Street::v4(&lab), "10.9.0.66/32"),
        (Street::v6(&lab), "2001:db8:9::66/128"),
    ];
    let mut enforcer = lab.enforcer(Wanted::Native);
    for (_, source) in &streets {
        enforcer
            .install(&drop_for(key(source), SECOND * 60))
            .unwrap();
    }
    let nets = |list: &[&str]| {
        list.iter()
            .map(|net| net.parse().unwrap())
            .collect::<Vec<_>>()
    };
    enforcer
        .protect(&nets(&["10.9.0.66/26", "2001:db8:9::/64"]))
        .unwrap();
    for (street, source) in &streets {
        assert_eq!(street.attack(2), (2, 2), "{source} is protected");
    }
    assert!(enforcer.counters().pass_protected >= 8);
    enforcer
        .protect(&nets(&["10.9.0.66/32", "2001:db8:77::/64"]))
        .unwrap();
    assert_eq!(streets[0].0.attack(2), (2, 2));
    assert_eq!(streets[1].0.attack(2), (0, 0), "no longer protected");
    enforcer.protect(&[]).unwrap();
    assert_eq!(streets[0].0.attack(2), (0, 0));
}

#[test]
fn an_exempt_session_passes_while_others_of_the_source_drop() {
    let Some(lab) = lab("exempt") else { return };
    for (street, source) in [
        (Street::v4(&lab), "10.9.0.66/32"),
        (Street::v6(&lab), "2001:db8:9::66/128"),
    ] {
        let mut enforcer = lab.enforcer(Wanted::Native);
        let other_session = lab.sender(source.split('/').next().unwrap());
        enforcer
            .install(&drop_for(key(source), SECOND * 60))
            .unwrap();
        let (client, server) = (
            street.attacker.local_addr().unwrap(),
            street.service.local_addr().unwrap(),
        );
        let session = FiveTuple {
            src: client.ip(),
            src_port: client.port(),
            dst: server.ip(),
            dst_port: server.port(),
            proto: Proto::Udp,
        };
        let reversed = FiveTuple {
            src: session.dst,
            src_port: session.dst_port,
            dst: session.src,
            dst_port: session.src_port,
            ..session
        };
        let another = FiveTuple {
            src_port: 9,
            ..session
        };
        let until = mono_ns() + SECOND * 60;
        enforcer.exempt(&another, until).unwrap();
        assert_eq!(
            street.attack(2),
            (0, 0),
            "{source}: that is another session"
        );
        for session in [session, reversed] {
            enforcer.exempt(&session, until).unwrap();
            assert_eq!(
                street.attack(2),
                (2, 0),
                "{source}: this session to this service only"
            );
            assert_eq!(
                delivered(&other_session, &street.service, 2, &street.bystander),
                0
            );
            enforcer.unexempt(&session);
            assert_eq!(street.attack(2), (0, 0), "{source}: no longer exempt");
        }
        let soon = mono_ns() + SECOND / 20;
        enforcer.exempt(&session, soon).unwrap();
        sleep_until(soon);
        assert_eq!(street.attack(2), (0, 0), "{source}: exemptions end too");
    }
}

#[test]
fn a_rate_limit_lets_about_its_rate_through() {
    let Some(lab) = lab("rate_limit") else { return };
    let street = Street::v4(&lab);
    let mut enforcer = lab.enforcer(Wanted::Native);
    let action = Action::RateLimit {
        packets_per_s: 200,
        burst: 10,
    };
    let lease = lease(key("10.9.0.66/32"), action, SECOND * 60);
    enforcer.install(&lease).unwrap();
    let target = street.service.local_addr().unwrap();
    let begun = Instant::now();
    let mut sent = 0_u64;
    while begun.elapsed() < Duration::from_millis(500) {
        street.attacker.send_to(b"attack", target).unwrap();
        sent += 1;
        std::thread::sleep(Duration::from_micros(300));
    }
    let seconds = begun.elapsed().as_secs_f64();
    let hits = enforcer.hits(&lease.key).unwrap().unwrap();
    let passed = (hits.hits - hits.drops) as f64;
    let expected = 10.0 + 200.0 * seconds;
    assert_eq!(hits.hits, sent);
    // Fewer when the machine was too busy to send all the time: unused tokens are lost.
    assert!(
        (0.5 * expected..=1.05 * expected).contains(&passed),
        "{passed} of {sent} passed, not {expected}"
    );
    assert!(
        hits.first_drop_ns > hits.first_hit_ns,
        "the first ones passed"
    );
    let counters = enforcer.counters();
    assert_eq!(counters.drop_over_rate, hits.drops);
    assert_eq!(counters.pass_within_rate, hits.hits - hits.drops);
}

#[test]
fn packets_with_vlan_tags_are_judged_too() {
    for mode in [Wanted::Native, Wanted::Generic] {
        let Some(lab) = lab("vlan") else { return };
        let mut enforcer = lab.enforcer(mode);
        let lease = drop_for(to_port("10.9.0.66/32", PORT), SECOND * 60);
        enforcer.install(&lease).unwrap();
        for (at, tags) in [vec![], vec![(0x8100, 7)], vec![(0x88a8, 7), (0x8100, 8)]]
            .iter()
            .enumerate()
        {
            let to = |port| udp_frame(tags, [10, 9, 0, 66], port, b"attack");
            send_frames(&lab, &[to(PORT), to(OTHER_PORT)]);
            wait_for(|| enforcer.counters().pass_no_lease > at as u64);
            let hits = enforcer.hits(&lease.key).unwrap().unwrap();
            assert_eq!(hits.drops, at as u64 + 1, "{mode:?} {tags:?}");
        }
    }
}

/// Frames that are cut short, or of which the headers lie, pass and are counted; none stops the program.
#[test]
fn malformed_packets_pass_and_are_counted() {
    let Some(lab) = lab("malformed") else { return };
    let mut enforcer = lab.enforcer(Wanted::Native);
    enforcer
        .install(&drop_for(to_port("10.9.0.66/32", PORT), SECOND * 60))
        .unwrap();
    let good = udp_frame(&[], [10, 9, 0, 66], PORT, b"");
    let with = |at: usize, byte: u8| {
        let mut frame = good.clone();
        frame[at] = byte;
        frame
    };
    let arp = with(13, 6);
    let wrong_version = with(14, 0x65);
    let short_header = with(14, 0x44);
    let long_header = with(14, 0x4f);
    let cut = good[..30].to_vec();
    let cut_ports = good[..36].to_vec();
    let tags_without_end = udp_frame(&[(0x8100, 1); 3], [10, 9, 0, 66], PORT, b"");
    send_frames(
        &lab,
        &[
            arp,
            wrong_version,
            short_header,
            long_header,
            cut,
            cut_ports,
            tags_without_end,
        ],
    );
    wait_for(|| enforcer.counters().pass_not_ip >= 2);
    let counters = enforcer.counters();
    assert_eq!(counters.pass_malformed, 3);
    assert_eq!(counters.pass_no_ports, 2);
    assert_eq!(counters.drop_lease, 0);
}

fn wait_for(mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(2), "waited in vain");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn fragments_without_ports_are_judged_by_address() {
    let Some(lab) = lab("fragments") else { return };
    let streets = [
        (Street::v4(&lab), "10.9.0.66/32"),
        (Street::v6(&lab), "2001:db8:9::66/128"),
    ];
    let mut enforcer = lab.enforcer(Wanted::Native);
    let long = [b'x'; 4_000]; // three fragments
    for (street, source) in &streets {
        let target = street.service.local_addr().unwrap();
        enforcer
            .install(&drop_for(to_port(source, PORT), SECOND * 60))
            .unwrap();
        let before = enforcer.counters();
        street.attacker.send_to(&long, target).unwrap();
        assert_eq!(
            delivered(&street.attacker, &street.service, 0, &street.bystander),
            0
        );
        let after = enforcer.counters();
        assert_eq!(
            after.drop_lease - before.drop_lease,
            1,
            "{source}: the one with the ports"
        );
        assert_eq!(
            after.pass_no_ports - before.pass_no_ports,
            2,
            "{source}: the others pass"
        );
        enforcer
            .install(&drop_for(key(source), SECOND * 60))
            .unwrap();
        street.attacker.send_to(&long, target).unwrap();
        assert_eq!(
            delivered(&street.attacker, &street.service, 0, &street.bystander),
            0
        );
        assert_eq!(
            enforcer.counters().drop_lease - after.drop_lease,
            3,
            "{source}: all"
        );
    }
}

#[test]
fn ipv6_extension_headers_do_not_hide_the_service() {
    let Some(lab) = lab("extension_headers") else {
        return;
    };
    let street = Street::v6(&lab);
    let mut enforcer = lab.enforcer(Wanted::Native);
    let lease = drop_for(to_port("2001:db8:9::66/128", PORT), SECOND * 60);
    enforcer.install(&lease).unwrap();
    // Hop-by-hop (54) and destination (59) options of padding only.
    let script = "import socket\n\
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n\
        s.bind(('2001:db8:9::66', 0))\n\
        for option in (54, 59): s.setsockopt(41, option, bytes([0, 0, 1, 4, 0, 0, 0, 0]))\n\
        s.sendto(b'attack', ('2001:db8:9::2', 5000))\n\
        s.sendto(b'attack', ('2001:db8:9::2', 5001))\n";
    let python = ["netns", "exec", &lab.outside, "python3", "-c", script];
    let ran = std::process::Command::new("ip").args(python).output();
    if !ran.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED extension_headers: no python3 to send them");
        return;
    }
    assert_eq!(
        delivered(
            &street.attacker,
            &street.other_service,
            0,
            &street.bystander
        ),
        1
    );
    assert_eq!(enforcer.hits(&lease.key).unwrap().unwrap().drops, 1);
}

#[test]
fn bounds_are_kept_and_said() {
    let Some(lab) = lab("bounds") else { return };
    let options = datapath::enforce::xdp::Options {
        leases_max: 2,
        ..lab.options(Wanted::Native)
    };
    let mut enforcer = lab.inside(|| XdpEnforcer::attach(crate::lab::IFACE, &options).unwrap());
    enforcer
        .install(&drop_for(key("192.0.2.1/32"), SECOND))
        .unwrap();
    enforcer
        .install(&drop_for(key("192.0.2.2/32"), SECOND))
        .unwrap();
    let full = enforcer.install(&drop_for(key("192.0.2.3/32"), SECOND));
    assert!(
        matches!(full, Err(EnforceError::Full { max: 2, .. })),
        "{full:?}"
    );
    enforcer
        .install(&drop_for(key("192.0.2.2/32"), SECOND * 2))
        .expect("extending needs no room");
    let missing = lab.inside(|| XdpEnforcer::attach("nothere0", &options).unwrap_err());
    assert!(matches!(missing, EnforceError::NoInterface(_)), "{missing}");
}

/// A lease costs one system call; this prints what that is here and fails only when something else crept in.
#[test]
fn installing_a_lease_takes_microseconds() {
    let Some(lab) = lab("install_latency") else {
        return;
    };
    let begun = Instant::now();
    drop(lab.enforcer(Wanted::Native));
    let attach = begun.elapsed();
    let begun = Instant::now();
    let mut enforcer = lab.enforcer(Wanted::Native);
    println!("attach: {attach:?}, take over: {:?}", begun.elapsed());
    let mut times: Vec<_> = (0..1_000_u32)
        .map(|host| {
            let source = format!("198.18.{}.{}/32", host / 250, host % 250);
            let lease = drop_for(key(&source), SECOND * 60);
            let begun = Instant::now();
            enforcer.install(&lease).unwrap();
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!("install: p50 {:?} p99 {:?}", times[500], times[990]);
    assert!(
        times[500] < Duration::from_micros(500),
        "p50 {:?}",
        times[500]
    );
}
