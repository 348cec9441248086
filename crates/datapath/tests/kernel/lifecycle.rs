//! What stays when a shield dies, what the next one takes over, and what `detach` leaves: nothing.
use std::io::{BufRead, BufReader, Lines};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::lab::{IFACE, INSIDE4, Lab, OUTSIDE4, delivered, in_namespace, ip, lab};
use datapath::capture::{AfPacket, Options as CaptureOptions};
use datapath::clock::mono_ns;
use datapath::enforce::xdp::{OBJECT_SHA256, Options, Wanted, XdpEnforcer, detach, standing};
use datapath::enforce::{Action, EnforceError, Enforcer, Key, Lease, Mode, Service};

const SECOND: u64 = 1_000_000_000;
const ATTACKER: &str = "10.9.0.66";

fn drop_for(source: &str, lasts_ns: u64) -> Lease {
    let key = Key {
        source: source.parse().unwrap(),
        service: None,
    };
    Lease {
        key,
        action: Action::Drop,
        expires_ns: mono_ns() + lasts_ns,
        reason: 7,
    }
}

/// How many of two attacks come through.
fn attack(lab: &Lab) -> usize {
    let (attacker, bystander) = (lab.sender(ATTACKER), lab.sender(OUTSIDE4));
    let service = lab.receiver(INSIDE4, 5_000);
    delivered(&attacker, &service, 2, &bystander)
}

fn lab_with_attacker(test: &str) -> Option<Lab> {
    let lab = lab(test)?;
    lab.add_outside("10.9.0.66/24");
    Some(lab)
}

fn program_id(lab: &Lab) -> Option<u64> {
    let link = lab.link_json();
    let (_, after) = link.split_once(r#""prog":{"id":"#)?;
    after
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

/// Folders of interfaces. Others put things of their own beside them: the kernel `maps.debug`, and iproute2, which
/// takes any BPF file system that it finds mounted, `ip`, `tc` and `xdp`.
fn pinned_folders(lab: &Lab) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(lab.pin_dir()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.is_dir() && path.to_string_lossy().contains(&format!("/{IFACE}-")))
        .collect()
}

/// Starts this file's `child` in a process of its own, after the words of `before`, and waits until it says what it has to say.
fn start_child(job: &str, before: &[&str]) -> Started {
    let binary = std::env::current_exe().unwrap();
    let mut words: Vec<&str> = before.to_vec();
    words.push(binary.to_str().unwrap());
    let mut child = Command::new(words[0])
        .args(&words[1..])
        .args(["lifecycle::child", "--exact", "--ignored", "--nocapture"])
        .env("SHIELDWALL_TEST_CHILD", job)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| Some(line.split_once("CHILD ")?.1.to_owned()));
    Started {
        child,
        said: said.unwrap_or_default(),
        _more: lines,
    }
}

struct Started {
    child: Child,
    said: String,
    _more: Lines<BufReader<ChildStdout>>,
}

#[test]
#[ignore = "a part of other tests, which run it as a process of its own"]
fn child() {
    let Ok(job) = std::env::var("SHIELDWALL_TEST_CHILD") else {
        return;
    };
    if job == "unprivileged" {
        let capture = AfPacket::open("lo", &CaptureOptions::default()).unwrap_err();
        let enforce = XdpEnforcer::attach("lo", &Options::default()).unwrap_err();
        println!("CHILD {capture} | {enforce}");
        return;
    }
    if let Some(pin_dir) = job.strip_prefix("capable ") {
        let options = Options {
            pin_dir: pin_dir.into(),
            ..Options::default()
        };
        let capture = AfPacket::open(IFACE, &CaptureOptions::default()).map(|_| ());
        let enforce = XdpEnforcer::attach(IFACE, &options).map(|enforcer| enforcer.mode());
        println!("CHILD {capture:?} {enforce:?}");
        return;
    }
    let (namespace, pin_dir) = job.split_once(' ').unwrap();
    let options = Options {
        pin_dir: pin_dir.into(),
        leases_max: 1_024,
        mode: Wanted::Native,
    };
    let mut enforcer = in_namespace(namespace, || XdpEnforcer::attach(IFACE, &options).unwrap());
    enforcer
        .install(&drop_for("10.9.0.66/32", SECOND * 60))
        .unwrap();
    enforcer.protect(&["10.9.0.1/32".parse().unwrap()]).unwrap();
    println!("CHILD ready");
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn a_killed_shield_still_enforces_and_then_ages_out_or_is_taken_over() {
    let Some(lab) = lab_with_attacker("killed") else {
        return;
    };
    let job = format!("{} {}", lab.inside, lab.pin_dir().display());
    let mut shield = start_child(&job, &[]);
    assert_eq!(shield.said, "ready");
    let busy = lab.inside(|| XdpEnforcer::attach(IFACE, &lab.options(Wanted::Auto)).unwrap_err());
    assert!(
        matches!(busy, EnforceError::Busy(_)),
        "two shields on one interface: {busy}"
    );
    shield.child.kill().unwrap();
    shield.child.wait().unwrap();
    let program = program_id(&lab).expect("the program stays");
    assert_eq!(attack(&lab), 0, "dead, and still enforcing");

    let found = standing(&lab.pin_dir()).unwrap();
    let (interface, leases) = &found[0];
    assert_eq!(
        (found.len(), interface.as_str(), leases.len()),
        (1, IFACE, 1)
    );
    assert_eq!(leases[0].1.drops, 2, "anybody can look without taking over");

    let mut next = lab.enforcer(Wanted::Auto);
    assert!(next.taken_over());
    assert_eq!(program_id(&lab), Some(program), "the same program goes on");
    let (lease, hits) = next.leases().unwrap()[0];
    assert_eq!(lease.key.source, "10.9.0.66/32".parse().unwrap());
    assert_eq!(
        (lease.reason, lease.action, hits.drops),
        (7, Action::Drop, 2)
    );
    assert_eq!(attack(&lab), 0);
    assert_eq!(
        next.hits(&lease.key).unwrap().unwrap().drops,
        4,
        "it goes on counting"
    );
    next.install(&drop_for("10.9.0.1/32", SECOND * 60)).unwrap();
    let soon = drop_for("10.9.0.66/32", SECOND / 20);
    next.install(&soon).unwrap();
    drop(next);

    std::thread::sleep(Duration::from_nanos(
        soon.expires_ns.saturating_sub(mono_ns()),
    ));
    assert_eq!(
        attack(&lab),
        2,
        "blocks age out with no shield alive; the protected bystander always passed"
    );
    assert!(program_id(&lab).is_some());
}

#[test]
fn detach_leaves_nothing() {
    let Some(lab) = lab_with_attacker("detach") else {
        return;
    };
    let begun = Instant::now();
    while !lab.link_json().contains(r#""operstate":"UP""#) {
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{}",
            lab.link_json()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    let before = lab.link_json();
    for mode in [Wanted::Native, Wanted::Generic] {
        let mut enforcer = lab.enforcer(mode);
        enforcer
            .install(&drop_for("10.9.0.66/32", SECOND * 60))
            .unwrap();
        assert_eq!(attack(&lab), 0);
        assert_ne!(lab.link_json(), before);
        assert!(
            lab.inside(|| detach(IFACE, &lab.pin_dir()).unwrap()),
            "even beside a running shield"
        );
        assert_eq!(lab.link_json(), before, "as it was");
        assert_eq!(pinned_folders(&lab), Vec::<PathBuf>::new(), "no pins");
        assert_eq!(attack(&lab), 2);
        assert!(
            !lab.inside(|| detach(IFACE, &lab.pin_dir()).unwrap()),
            "there was nothing left"
        );
    }
}

#[test]
fn somebody_elses_program_is_left_alone() {
    let Some(lab) = lab("foreign") else { return };
    let object = concat!(env!("CARGO_MANIFEST_DIR"), "/../../ebpf/shield.bpf.o");
    let attach = format!(
        "-n {} link set dev {IFACE} xdpdrv obj {object} sec xdp.frags",
        lab.inside
    );
    let output = Command::new("ip")
        .args(attach.split_whitespace())
        .output()
        .unwrap();
    if !output.status.success() {
        println!(
            "SKIPPED foreign: iproute2 cannot load XDP programs: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        return;
    }
    let foreign = program_id(&lab).unwrap();
    for mode in [Wanted::Auto, Wanted::Native, Wanted::Generic] {
        let error = lab.inside(|| XdpEnforcer::attach(IFACE, &lab.options(mode)).unwrap_err());
        assert!(
            error
                .to_string()
                .contains(&format!("XDP program {foreign} of somebody else")),
            "{error}"
        );
    }
    assert!(lab.inside(|| detach(IFACE, &lab.pin_dir())).is_ok());
    assert_eq!(program_id(&lab), Some(foreign));
}

#[test]
fn a_new_object_replaces_the_program_without_a_gap_and_keeps_the_leases() {
    if Command::new("bpftool").arg("version").output().is_err() {
        println!("SKIPPED new_object: no bpftool");
        return;
    }
    let Some(lab) = lab_with_attacker("new_object") else {
        return;
    };
    let mut enforcer = lab.enforcer(Wanted::Native);
    enforcer
        .install(&drop_for("10.9.0.66/32", SECOND * 60))
        .unwrap();
    assert_eq!(attack(&lab), 0);
    drop(enforcer);
    let old = program_id(&lab).unwrap();
    set_running_object(&pinned_folders(&lab).remove(0).join("maps-1/settings"));

    let (attacker, service) = (lab.sender(ATTACKER), lab.receiver(INSIDE4, 5_000));
    let target = service.local_addr().unwrap();
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut next = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                attacker.send_to(b"attack", target).unwrap();
                sent.fetch_add(1, Ordering::Relaxed);
            }
        });
        let next = lab.enforcer(Wanted::Auto);
        stop.store(true, Ordering::Relaxed);
        next
    });
    let flood = sent.load(Ordering::Relaxed);
    assert!(flood > 100, "packets all the while: {flood}");
    let bystander = lab.sender(OUTSIDE4);
    assert_eq!(
        delivered(&attacker, &service, 0, &bystander),
        0,
        "none of them came through"
    );
    drop(service);
    assert!(next.taken_over());
    assert_ne!(program_id(&lab).unwrap(), old, "another program");
    assert_eq!(next.mode(), Mode::XdpNative, "on the same link");
    assert_eq!(attack(&lab), 0);
    assert_eq!(
        next.leases().unwrap()[0].1.drops,
        4 + flood,
        "with the same counters"
    );
}

/// Makes it look as if another object ran.
fn set_running_object(settings: &Path) {
    let path = settings.display();
    let element: String = (0..128).map(|_| " 1").collect();
    let update = format!("map update pinned {path} key 0 0 0 0 value{element}");
    let done = Command::new("bpftool")
        .args(update.split_whitespace())
        .output();
    let done = done.unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

#[test]
fn leases_are_copied_from_maps_of_another_layout() {
    let Some(lab) = lab_with_attacker("new_layout") else {
        return;
    };
    let mut enforcer = lab.enforcer(Wanted::Native);
    enforcer
        .install(&drop_for("10.9.0.66/32", SECOND * 60))
        .unwrap();
    enforcer
        .install(&drop_for("10.9.0.67/32", 1_000_000))
        .unwrap();
    drop(enforcer);
    let folder = pinned_folders(&lab).remove(0);
    std::fs::rename(folder.join("maps-1"), folder.join("maps-0")).unwrap();
    let old = program_id(&lab).unwrap();

    let mut next = lab.enforcer(Wanted::Auto);
    assert!(next.taken_over());
    assert_ne!(program_id(&lab).unwrap(), old);
    assert_eq!(next.leases().unwrap().len(), 1, "live ones only");
    assert_eq!(attack(&lab), 0);
    assert!(!folder.join("maps-0").exists());
}

#[test]
fn leases_outlive_their_interface() {
    let Some(lab) = lab_with_attacker("recreated") else {
        return;
    };
    let mut enforcer = lab.enforcer(Wanted::Native);
    let service = Some(Service {
        proto: 17,
        port: 5_000,
    });
    let mut lease = drop_for("10.9.0.0/26", SECOND * 60);
    lease.key.service = service;
    enforcer.install(&lease).unwrap();
    drop(enforcer);
    ip(&format!("-n {} link del {IFACE}", lab.inside));
    ip(&format!(
        "-n {} link add {IFACE} type veth peer name gone0",
        lab.inside
    ));
    let mut next = lab.enforcer(Wanted::Native);
    assert!(!next.taken_over(), "the program went with the interface");
    assert_eq!(next.leases().unwrap()[0].0, lease);
    assert!(program_id(&lab).is_some());
    ip(&format!("-n {} link del {IFACE}", lab.inside));
    assert!(
        lab.inside(|| detach(IFACE, &lab.pin_dir()).unwrap()),
        "works without the interface"
    );
    assert_eq!(pinned_folders(&lab), Vec::<PathBuf>::new(), "no pins");
}

#[test]
fn an_interface_may_have_dots_in_its_name_and_carry_ethernet_only() {
    let Some(lab) = lab("names") else { return };
    ip(&format!(
        "-n {} link add lan0.7 type veth peer name gone0",
        lab.inside
    ));
    let enforcer =
        lab.inside(|| XdpEnforcer::attach("lan0.7", &lab.options(Wanted::Auto)).unwrap());
    drop(enforcer);
    assert!(lab.inside(|| detach("lan0.7", &lab.pin_dir()).unwrap()));
    let tun = format!("-n {} tuntap add tun9 mode tun", lab.inside);
    if !Command::new("ip")
        .args(tun.split_whitespace())
        .output()
        .unwrap()
        .status
        .success()
    {
        println!("SKIPPED names: no tun devices here");
        return;
    }
    let error = lab.inside(|| XdpEnforcer::attach("tun9", &lab.options(Wanted::Auto)).unwrap_err());
    assert!(matches!(error, EnforceError::NotEthernet { .. }), "{error}");
}

#[test]
fn missing_privileges_are_named() {
    let nobody = ["setpriv", "--reuid=65534", "--clear-groups"];
    let can = Command::new(nobody[0])
        .args(&nobody[1..])
        .arg(std::env::current_exe().unwrap())
        .arg("--list")
        .output();
    if !can.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED missing_privileges: cannot run as nobody");
        return;
    }
    let mut started = start_child("unprivileged", &nobody);
    started.child.wait().unwrap();
    let said = &started.said;
    assert!(
        said.contains("cannot capture on lo: missing CAP_NET_RAW: run as root, or"),
        "{said}"
    );
    assert!(
        said.contains("cannot enforce on lo: missing CAP_NET_ADMIN and CAP_PERFMON and CAP_BPF: run as root, or"),
        "{said}"
    );
}

#[test]
fn the_named_privileges_suffice_where_a_bpf_file_system_is_mounted() {
    let Some(lab) = lab("privileges_suffice") else {
        return;
    };
    std::fs::create_dir(lab.pin_dir()).unwrap();
    let pin_dir = lab.pin_dir().display().to_string();
    let mount = ["-t", "bpf", "-o", "mode=0777", "bpf", &pin_dir];
    assert!(
        Command::new("mount")
            .args(mount)
            .status()
            .unwrap()
            .success()
    );
    open_to_all(lab.folder.path());
    let namespace = format!("--net=/run/netns/{}", lab.inside);
    let capabilities = "+net_raw,+net_admin,+perfmon,+bpf";
    let (inheritable, ambient) = (
        format!("--inh-caps={capabilities}"),
        format!("--ambient-caps={capabilities}"),
    );
    let before = [
        "nsenter",
        &namespace,
        "setpriv",
        "--reuid=65534",
        "--clear-groups",
        &inheritable,
        &ambient,
    ];
    let trial = Command::new(before[0])
        .args(&before[1..])
        .arg("true")
        .output();
    if !trial.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED privileges_suffice: nsenter and setpriv do not work here");
        return;
    }
    let mut started = start_child(&format!("capable {pin_dir}"), &before);
    started.child.wait().unwrap();
    assert_eq!(started.said, "Ok(()) Ok(XdpNative)");
    assert!(program_id(&lab).is_some());
}

/// Temporary folders are for their owner alone.
fn open_to_all(folder: &Path) {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn the_object_is_named_by_its_hash() {
    assert_eq!(OBJECT_SHA256.len(), 64);
    assert!(OBJECT_SHA256.bytes().all(|byte| byte.is_ascii_hexdigit()));
}
