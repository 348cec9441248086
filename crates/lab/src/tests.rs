//! The lab without hub and shields: topology, address sharing, bystanders, probe, impaired links.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use crate::{
    Options,
    journal::Tail,
    link::{self, Impairment, Means},
    node::{Arrival, Carrier, Change, Sent, Tally, mono_ns},
    process::{until, wait},
    state::{Lab, read_json},
    topology::{Attacker, HUB, Partner, Place},
    up::{self, ECHO_PORT, SINK_PORT, WEB_PORT},
};

const BOUND: Duration = Duration::from_secs(10);

/// A lab's network, removed on drop.
struct Network {
    lab: Lab,
    _folder: tempfile::TempDir,
}

impl Network {
    /// `None`, said aloud, where there are no namespaces.
    fn up(test: &str) -> Option<Self> {
        if let Err(why) = testkit::netns::available() {
            testkit::skip(test, &why);
            return None;
        }
        for tool in ["nft", "nsenter"] {
            if !testkit::has_program(tool) {
                testkit::skip(test, &format!("needs {tool}"));
                return None;
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let lab = Lab::new(&Options::new(node_binary(), folder.path()));
        std::fs::create_dir_all(lab.logs()).unwrap();
        let network = Self {
            lab,
            _folder: folder,
        };
        up::network(&network.lab, &mut std::io::sink()).unwrap();
        Some(network)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let options = Options::new(&self.lab.binary, &self.lab.dir);
        up::down(&options, &mut std::io::sink()).unwrap();
        assert!(self.lab.topology.spaces().all(|space| !space.exists()));
    }
}

/// The example beside this test binary.
fn node_binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let binary = test
        .ancestors()
        .nth(2)
        .map(|target| target.join("examples/lab-node"))
        .unwrap();
    assert!(
        binary.is_file(),
        "{} is built by `cargo test -p lab`",
        binary.display()
    );
    binary
}

/// The source address that B's server sees when the place connects.
fn seen_source(lab: &Lab, place: Place, to: IpAddr) -> SocketAddr {
    let listener = lab.topology.space(Place::Server(Partner::B));
    // any port: a process that another test is starting may still hold the last one's listener
    let listener = listener.enter(|| Ok(TcpListener::bind("[::]:0")?)).unwrap();
    let to = SocketAddr::new(to, listener.local_addr().unwrap().port());
    let accepted = thread::spawn(move || listener.accept().unwrap().1);
    let client = lab.topology.space(place);
    let _stream = client
        .enter(|| Ok(TcpStream::connect_timeout(&to, BOUND)?))
        .unwrap();
    accepted.join().unwrap()
}

#[test]
fn attackers_look_outside_as_they_should() {
    let Some(network) = Network::up("attackers_look_outside_as_they_should") else {
        return;
    };
    let places = Attacker::ALL.map(|attacker| (Place::Attacker(attacker), attacker.seen_as()));
    let shared = [(Place::Bystanders, Attacker::SharedAddress.seen_as())];
    for (place, seen_as) in places.into_iter().chain(shared) {
        let to = Partner::B.server_like(seen_as);
        let source = seen_source(&network.lab, place, to).ip().to_canonical();
        assert_eq!(source, seen_as, "{place:?}");
    }
}

#[test]
fn bystanders_hold_their_sessions_and_notice_a_cut() {
    let Some(network) = Network::up("bystanders_hold_their_sessions_and_notice_a_cut") else {
        return;
    };
    let lab = &network.lab;
    up::servers(lab).unwrap();
    up::bystanders(lab).unwrap();
    thread::sleep(Duration::from_millis(600));
    let calm = up::tally(lab).unwrap();
    assert_eq!((calm.open, calm.lost), (9, 0), "{calm:?}");
    let gateway = lab.topology.space(Place::Gateway(Partner::A));
    gateway.ip("link set wan0 down").unwrap();
    let cut = until("losses", BOUND, || {
        let tally: Tally = read_json(&lab.path("bystanders.json"))?;
        Ok((tally.lost >= 4).then_some(tally))
    });
    let cut = cut.unwrap();
    // Four of the eight speak with A; those with B go on.
    assert_eq!(cut.lost, 4, "{cut:?}");
    assert!(
        cut.losses.iter().all(|loss| loss.why.contains("3 s")),
        "{cut:?}"
    );
}

#[test]
fn the_probe_keeps_ten_thousand_a_second_and_the_sink_sees_a_gap() {
    let name = "the_probe_keeps_ten_thousand_a_second_and_the_sink_sees_a_gap";
    let Some(network) = Network::up(name) else {
        return;
    };
    up::servers(&network.lab).unwrap();
    probe_with_a_gap(&network.lab, Attacker::OwnAddress, Carrier::Udp, SINK_PORT);
    probe_with_a_gap(
        &network.lab,
        Attacker::SharedAddress,
        Carrier::Tcp,
        WEB_PORT,
    );
    probe_with_a_gap(&network.lab, Attacker::SharedPrefix, Carrier::Tcp, WEB_PORT);
}

fn probe_with_a_gap(lab: &Lab, attacker: Attacker, carrier: Carrier, port: u16) {
    let mut log = Tail::from_end(up::sink_log(lab));
    let to = SocketAddr::new(Partner::B.server_like(attacker.seen_as()), port).to_string();
    let mut command = lab.node(Place::Attacker(attacker), "prober");
    command.args([
        "--to",
        &to,
        "--rate",
        "12000",
        "--stream",
        &mono_ns().to_string(),
    ]);
    command.args(["--carrier", carrier.name()]);
    let mut prober = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut wait_for = |what: Change| {
        until("a change of the stream", BOUND, || {
            Ok(log
                .poll::<Arrival>()?
                .into_iter()
                .find(|arrival| arrival.what == what))
        })
        .unwrap()
    };
    wait_for(Change::Started);
    thread::sleep(Duration::from_millis(200));
    let gateway = lab.topology.space(Place::Gateway(Partner::B));
    let cut = Instant::now();
    gateway
        .exec(
            "nft",
            &[
                "add table inet cut; add chain inet cut in { type filter hook forward \
        priority 0 ; policy drop ; }",
            ],
        )
        .unwrap();
    thread::sleep(Duration::from_millis(300));
    gateway.exec("nft", &["delete table inet cut"]).unwrap();
    let lasted = cut.elapsed();
    // The last gap is ours: a machine this busy may lose a datagram before.
    let changes = until("the end of the gap", BOUND, || {
        let changes = log.poll::<Arrival>()?;
        let clear = changes.iter().any(|arrival| arrival.what == Change::Clear);
        Ok(clear.then_some(changes))
    });
    let changes = changes.unwrap();
    let at = |what| {
        changes
            .iter()
            .rfind(|arrival| arrival.what == what)
            .unwrap()
            .mono_ns
    };
    let gap = Duration::from_nanos(at(Change::Clear).saturating_sub(at(Change::Blocked)));
    assert!(
        gap >= Duration::from_millis(280) && gap <= lasted,
        "{gap:?} of {lasted:?}"
    );
    drop(prober.stdin.take());
    wait(&mut prober, BOUND).unwrap();
    let sent: Sent = serde_json::from_reader(prober.stdout.take().unwrap()).unwrap();
    assert!(
        sent.per_s > 5_000.0,
        "{sent:?}: a machine this busy cannot measure"
    );
}

#[test]
fn an_impaired_link_adds_its_round_trip_and_loses_its_share() {
    let name = "an_impaired_link_adds_its_round_trip_and_loses_its_share";
    let Some(network) = Network::up(name) else {
        return;
    };
    let lab = &network.lab;
    up::servers(lab).unwrap();
    let plain = round_trip(lab);
    let impairment = Impairment {
        rtt_ms: 40.0,
        loss_pct: 0.0,
        seed: 1,
    };
    let means = link::set(lab, &impairment).unwrap();
    assert_ne!(means, Means::Plain);
    let late = round_trip(lab);
    assert!(plain < Duration::from_millis(20), "{plain:?}");
    assert!(
        late > Duration::from_millis(39) && late < Duration::from_millis(90),
        "{late:?}"
    );
    let impairment = Impairment {
        rtt_ms: 1.0,
        loss_pct: 20.0,
        seed: 1,
    };
    link::set(lab, &impairment).unwrap();
    let arrived = arrived_of_thousand(lab);
    assert!(
        (740..860).contains(&arrived),
        "{arrived} of 1000 at 20 % loss"
    );
    assert_eq!(
        link::set(lab, &Impairment::default()).unwrap(),
        Means::Plain
    );
    assert!(round_trip(lab) < Duration::from_millis(20));
}

/// A handshake and one echo between the hub and A's gateway, the faster half of it.
fn round_trip(lab: &Lab) -> Duration {
    let gateway = lab.topology.space(Place::Gateway(Partner::A));
    let listener = gateway
        .enter(|| Ok(TcpListener::bind("0.0.0.0:0")?))
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    let echo = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        stream.write_all(&byte).unwrap();
    });
    let to: SocketAddr = format!("{}:{port}", Partner::A.hub_side()).parse().unwrap();
    let hub = lab.topology.space(Place::Hub);
    let mut stream = hub
        .enter(|| Ok(TcpStream::connect_timeout(&to, BOUND)?))
        .unwrap();
    stream.set_nodelay(true).unwrap();
    let started = Instant::now();
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    echo.join().unwrap();
    started.elapsed()
}

fn arrived_of_thousand(lab: &Lab) -> usize {
    let hub = lab.topology.space(Place::Hub);
    let receiver = hub
        .enter(|| Ok(UdpSocket::bind((HUB, ECHO_PORT))?))
        .unwrap();
    receiver
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let gateway = lab.topology.space(Place::Gateway(Partner::B));
    let sender = gateway.enter(|| Ok(UdpSocket::bind("0.0.0.0:0")?)).unwrap();
    let counting =
        thread::spawn(move || std::iter::from_fn(|| receiver.recv(&mut [0; 16]).ok()).count());
    for _ in 0..1000 {
        sender.send_to(b"x", (HUB, ECHO_PORT)).unwrap();
        thread::sleep(Duration::from_micros(200));
    }
    counting.join().unwrap()
}

#[test]
fn attacking_without_a_lab_says_how_to_make_one() {
    let options = Options::new(Path::new("/bin/true"), Path::new("/tmp/no-lab-here"));
    let error = crate::attack(&options, crate::AttackKind::Loop, &mut std::io::sink());
    assert!(error.unwrap_err().to_string().contains("lab up"));
}
