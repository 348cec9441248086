//! Many objects, written and read at the same time over TLS by several partners, while the hub and its database
//! are killed: whoever follows `next`, or goes by `added_after`, gets each object once. `SHIELDWALL_MANY` is how many
//! objects, where neither the quick nor the long run's number suits.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::common::HubFolder;
use serde::Deserialize;
use testkit::postgres::{Server, unavailable};

/// Objects in one request, and in one page.
const POST: usize = 100;
/// Who shares and reads.
const PARTNERS: [&str; 2] = ["alpha", "bravo"];
/// Of so many objects one is for its source alone.
const OWN: usize = 10;
/// How long nothing may move forward, whatever was killed.
const STALL_MAX: Duration = Duration::from_secs(60);

#[test]
fn nothing_is_missed_or_repeated_over_a_killed_hub() {
    let _turn = crate::common::alone();
    println!("sqlite: {}", run(None));
}

#[test]
fn nothing_is_missed_or_repeated_over_a_killed_hub_and_postgresql() {
    let name = "many::nothing_is_missed_or_repeated_over_a_killed_hub_and_postgresql";
    if let Some(why) = unavailable() {
        return testkit::skip(name, &why);
    }
    let _turn = crate::common::alone();
    let server = Server::start(Path::new("/tmp"), &[]).unwrap();
    println!("postgres: {}", run(Some(&server)));
}

/// What was done.
fn run(server: Option<&Server>) -> String {
    let (mut objects, kills) = if testkit::long() {
        (1_000_000, 40)
    } else {
        (6_000, 4)
    };
    if let Ok(asked) = std::env::var("SHIELDWALL_MANY") {
        objects = asked.parse().unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let hub = HubFolder::new(folder.path());
    if let Some(server) = server {
        hub.configure(&format!("[store]\npostgres = {:?}\n", server.url("public")));
    }
    let begun = Instant::now();
    let mut process = hub.start();
    let url = format!("https://127.0.0.1:{}", hub.port);
    let identities = PARTNERS.map(|name| hub.enrol(name));
    let all = Arc::new(Progress::new(objects));
    let clients = std::thread::spawn({
        let all = Arc::clone(&all);
        move || clients(&identities, &url, &all)
    });
    for kill in 1..=kills {
        let reached = objects * kill / (kills + 1);
        crate::common::wait_for("writers go on", Duration::from_secs(7200), || {
            // Clients that ended have failed, or there is nothing left to do.
            let far = all.acknowledged.load(Ordering::Relaxed) >= reached;
            (far || clients.is_finished()).then_some(())
        });
        if let Some(server) = server
            && kill % 2 == 0
        {
            server.kill().unwrap();
            server.run_again().unwrap();
        } else {
            process.kill();
            process = hub.start();
        }
    }
    let pages = clients.join().unwrap();
    let seconds = begun.elapsed().as_secs();
    format!("{objects} objects, {kills} kills, {pages} pages by four readers in {seconds} s")
}

/// How far the writers are.
struct Progress {
    objects: usize,
    acknowledged: AtomicUsize,
    /// Counts what moves, so that a standstill is seen.
    moved: AtomicU64,
}

impl Progress {
    fn new(objects: usize) -> Self {
        Self {
            objects,
            acknowledged: AtomicUsize::new(0),
            moved: AtomicU64::new(0),
        }
    }
}

/// All writers and readers; how many pages were read.
fn clients(identities: &[PathBuf; 2], url: &str, all: &Arc<Progress>) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut writers = Vec::new();
        let mut readers = Vec::new();
        for (partner, identity) in identities.iter().enumerate() {
            let client = Client::new(identity, url, all);
            for lane in 0..2 {
                writers.push(tokio::spawn(write(client.clone(), partner, lane)));
            }
            readers.push(tokio::spawn(read(client.clone(), partner, Way::Next)));
            readers.push(tokio::spawn(read(client.clone(), partner, Way::AddedAfter)));
        }
        for writer in writers {
            writer.await.unwrap();
        }
        let mut pages = 0;
        for reader in readers {
            pages += reader.await.unwrap();
        }
        pages
    })
}

#[derive(Clone)]
struct Client {
    http: reqwest::Client,
    url: String,
    all: Arc<Progress>,
}

impl Client {
    fn new(identity: &Path, url: &str, all: &Arc<Progress>) -> Self {
        let identity = shield::identity::Identity::load(identity).unwrap();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(identity.client_config().unwrap())
            .no_proxy()
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap();
        Self {
            http,
            url: url.to_owned(),
            all: Arc::clone(all),
        }
    }

    /// Asks until there is a whole answer: what was killed comes back.
    async fn ask(
        &self,
        request: impl Fn(&reqwest::Client) -> reqwest::RequestBuilder,
    ) -> (Option<String>, Vec<u8>) {
        let mut before = (self.all.moved.load(Ordering::Relaxed), Instant::now());
        loop {
            if let Ok(answer) = request(&self.http).send().await {
                let status = answer.status();
                let last = answer.headers().get("x-taxii-date-added-last");
                let last = last.map(|date| date.to_str().unwrap().to_owned());
                let body = answer.bytes().await;
                match body {
                    Ok(body) if status.is_success() => {
                        self.all.moved.fetch_add(1, Ordering::Relaxed);
                        return (last, body.to_vec());
                    }
                    Ok(body) if status.is_client_error() && status != 429 => {
                        panic!("{status}: {}", String::from_utf8_lossy(&body))
                    }
                    Ok(_) | Err(_) => {}
                }
            }
            let moved = self.all.moved.load(Ordering::Relaxed);
            if moved != before.0 {
                before = (moved, Instant::now());
            }
            assert!(before.1.elapsed() < STALL_MAX, "nothing goes on");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Shares its fourth of the objects.
async fn write(client: Client, partner: usize, lane: usize) {
    let mine = |number: &usize| number / POST % 4 == partner * 2 + lane;
    let numbers: Vec<usize> = (0..client.all.objects).filter(mine).collect();
    for some in numbers.chunks(POST) {
        let body = bundle(partner, some);
        let to = format!("{}/exchange/v1/objects", client.url);
        let (_, answer) = client.ask(|http| http.post(&to).body(body.clone())).await;
        let answer: Answer = serde_json::from_slice(&answer).unwrap();
        // A repeated request whose first answer was lost finds duplicates, which count here.
        assert_eq!(answer.accepted, some.len());
        client
            .all
            .acknowledged
            .fetch_add(some.len(), Ordering::Relaxed);
    }
}

#[derive(Deserialize)]
struct Answer {
    accepted: usize,
}

/// How a reader goes on behind a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// By `next`; where there is no more, by the last date.
    Next,
    /// By the last date alone.
    AddedAfter,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    next: Option<String>,
    #[serde(default)]
    objects: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

/// Reads what the partner may see until it has all of it, each once; the number of pages.
async fn read(client: Client, partner: usize, way: Way) -> usize {
    let objects = client.all.objects;
    let wanted = |number: &usize| !number.is_multiple_of(OWN) || number / POST % 4 / 2 == partner;
    let mut missing = (0..objects).filter(wanted).count();
    let mut seen = vec![false; objects];
    let (mut pages, mut after, mut next) = (0, None::<String>, None::<String>);
    while missing > 0 {
        let mut path = format!("/taxii2/api/collections/all/objects/?limit={POST}");
        // A cursor goes with the filters that it was given for.
        for (name, value) in [("added_after", &after), ("next", &next)] {
            if let Some(value) = value {
                path.push_str(&format!("&{name}={value}"));
            }
        }
        let path = format!("{}{path}", client.url);
        let accept = "application/taxii+json;version=2.1";
        let (last, page) = client
            .ask(|http| http.get(&path).header("Accept", accept))
            .await;
        let page: Page = serde_json::from_slice(&page).unwrap();
        pages += 1;
        for object in &page.objects {
            let number = object.id.rsplit('-').next().unwrap();
            let number = usize::from_str_radix(number, 16).unwrap();
            assert!(wanted(&number), "{way:?}: {number} is another's");
            assert!(!seen[number], "{way:?}: {number} is repeated");
            seen[number] = true;
            missing -= 1;
        }
        next = page.next.filter(|_| way == Way::Next);
        match last {
            Some(last) if next.is_none() => after = Some(last),
            Some(_) => {}
            // What is written meanwhile comes later.
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    pages
}

fn bundle(partner: usize, numbers: &[usize]) -> Vec<u8> {
    let objects: Vec<String> = numbers
        .iter()
        .map(|number| {
            // TLP:RED is for its source alone, TLP:GREEN for all.
            let marking = match number % OWN {
                0 => "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
                _ => "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
            };
            format!(
                r#"{{"type":"indicator","spec_version":"2.1","id":"indicator--00000000-0000-4000-8000-{number:012x}","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","object_marking_refs":["{marking}"],"pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","pattern":"[domain-name:value = 'd{number}.p{partner}.example']"}}"#
            )
        })
        .collect();
    format!(r#"{{"objects":[{}]}}"#, objects.join(",")).into_bytes()
}
