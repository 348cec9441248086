//! The console in a real browser: headless Chromium, where it is installed.
//!
//! With `SHIELDWALL_SCREENSHOTS` set to a folder the pictures stay there for people to look at.

use crate::browser::Browser;
use crate::support::{Partner, World, client_of_nobody, indicator};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use stix::{StixId, Timestamp, Tlp};

const CONSOLE: &str = "console = \"127.0.0.1:0\"\nconsole_partners = [\"alpha\", \"bravo\"]\n";

#[tokio::test]
async fn the_page_shows_the_exchange_and_stays_live() {
    let name = "the_page_shows_the_exchange_and_stays_live";
    let Some(mut browser) = Browser::start(name).await else {
        return;
    };
    let world = World::with(CONSOLE).await;
    let scene = Scene::play(&world).await;
    browser.open(&world.hub.console_link().unwrap()).await;
    browser
        .until("document.querySelector('#link:not(.lost) b')?.textContent === 'live'")
        .await;
    browser
        .until("document.querySelector('#shields [data-since]').textContent.endsWith('ago')")
        .await;
    let page = browser.eval("document.documentElement.outerHTML").await;
    let page = page.as_str().unwrap();
    for shown in [
        "<code>192.0.2.41 → tcp/80</code>",
        "scan-trw@1",
        "25 of 26 first contacts refused",
        "path-proven",
        "TLP:GREEN",
        "203.0.113.9",
        "shield-a",
        "drops nothing: CAP_NET_ADMIN is missing",
        "disconnected",
        "10.2.0.0/24 is protected",
        "36 rounds",
    ] {
        assert!(page.contains(shown), "{shown:?} is missing in\n{page}");
    }
    assert!(
        !page.contains("198.51.100.77"),
        "what the view may not see is not shown"
    );
    assert!(
        !page.contains("<script>alert"),
        "text of partners is escaped"
    );

    let fresh = indicator("fresh", "192.0.2.200", Tlp::Green, &[]);
    scene.alpha.share(&[fresh]).await;
    browser
        .until("document.querySelector('#signals td code').textContent.includes('192.0.2.200')")
        .await;
    assert_eq!(
        browser.complaints,
        Vec::<String>::new(),
        "no error, nothing against the policy"
    );
    browser.press("Tab").await;
    let outline = "getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(
        browser.eval(outline).await,
        "solid",
        "keyboard focus is visible"
    );
    world.stop().await;
    browser
        .until("document.querySelector('#link').classList.contains('lost')")
        .await;
}

#[tokio::test]
async fn it_fits_a_small_screen_in_light_and_dark() {
    let name = "it_fits_a_small_screen_in_light_and_dark";
    let Some(mut browser) = Browser::start(name).await else {
        return;
    };
    let world = World::with(CONSOLE).await;
    let _scene = Scene::play(&world).await;
    browser.open(&world.hub.console_link().unwrap()).await;
    browser
        .until("document.querySelectorAll('#signals tr').length > 30")
        .await;
    browser.until("document.readyState === 'complete'").await;
    let scrolls = "document.documentElement.scrollWidth > innerWidth \
         || document.documentElement.scrollHeight > innerHeight";
    assert_eq!(
        browser.eval(scrolls).await,
        false,
        "the page itself never scrolls at 1280 x 800"
    );
    let mut pictures = vec![];
    for theme in ["light", "dark"] {
        browser.theme(theme).await;
        let picture = browser.screenshot().await;
        assert_eq!(
            picture.get(16..24).unwrap(),
            [0, 0, 5, 0, 0, 0, 3, 32],
            "1280 x 800"
        );
        if let Some(folder) = std::env::var_os("SHIELDWALL_SCREENSHOTS") {
            let file = PathBuf::from(folder).join(format!("console-{theme}.png"));
            std::fs::write(file, &picture).unwrap();
        }
        pictures.push(picture);
    }
    assert_ne!(pictures[0], pictures[1], "the themes differ");
}

#[tokio::test]
async fn it_opens_once_by_link_and_to_loopback_names_alone() {
    let world = World::with(CONSOLE).await;
    let nobody = client_of_nobody();
    let base = format!("http://{}", world.hub.console_addr().unwrap());
    let link = world.hub.console_link().unwrap();
    let get = |url: String| nobody.get(url).send();
    for path in ["/", "/live"] {
        assert_eq!(
            get(format!("{base}{path}")).await.unwrap().status(),
            403,
            "{path}"
        );
    }
    assert_eq!(
        get(format!("{base}/open?key=guess"))
            .await
            .unwrap()
            .status(),
        403
    );
    let opened = get(link.clone()).await.unwrap();
    assert_eq!(opened.status(), 200);
    let cookie = opened.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    assert_eq!(get(link).await.unwrap().status(), 403, "a link works once");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let with_cookie = |host: &'static str| {
        nobody
            .get(format!("{base}/"))
            .header("cookie", &cookie)
            .header("host", host)
            .send()
    };
    let page = with_cookie("localhost:8080").await.unwrap();
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    let text = page.text().await.unwrap();
    assert!(
        !text.contains(" style=") && !text.contains("onclick"),
        "nothing is inline"
    );
    assert_eq!(
        with_cookie("evil.example").await.unwrap().status(),
        421,
        "DNS rebinding"
    );
}

#[tokio::test]
async fn a_console_for_everyone_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "data = {:?}\nlisten = \"127.0.0.1:0\"\nconsole = \"0.0.0.0:0\"\n",
        folder.path()
    );
    let error = hub::Config::from_toml(&text).unwrap_err().to_string();
    assert!(error.contains("not a loopback address"), "{error}");
}

/// Two operators and a third partner, as they would look after some minutes.
struct Scene {
    alpha: Partner,
}

impl Scene {
    async fn play(world: &World) -> Self {
        let alpha = world.partner("alpha").await;
        let bravo = world.partner("bravo").await;
        let other = world.partner("charlie").await;
        let mut attackers = vec![];
        for n in 0..36_u8 {
            let address = format!("192.0.2.{}", 10 + n);
            let object = indicator(&format!("scan from {address}"), &address, Tlp::Green, &[]);
            alpha
                .share(&[object.clone(), sighting(&object, 1 + u64::from(n % 4))])
                .await;
            attackers.push(object);
        }
        let url = json!({
            "type": "indicator", "spec_version": "2.1",
            "id": StixId::v5("indicator", "phish"),
            "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
            "name": "Credential phishing <script>alert(1)</script>",
            "pattern": "[url:value = 'http://login.example/session?id=1']",
            "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z",
            "object_marking_refs": [Tlp::Clear.marking_id()],
        });
        other.share(&[url]).await;
        let hidden = indicator("hidden", "198.51.100.77", Tlp::AmberStrict, &[]);
        other.share(&[hidden]).await;
        let between = indicator("amber", "203.0.113.9", Tlp::AmberStrict, &["bravo"]);
        alpha.share(&[between]).await;
        report(&alpha, &at_alpha(&attackers)).await;
        report(&bravo, &at_bravo(&attackers)).await;
        report(&bravo, &gateway()).await;
        // The board follows the log on its own; a moment is enough for the last entries.
        tokio::time::sleep(Duration::from_millis(200)).await;
        Self { alpha }
    }
}

async fn report(partner: &Partner, report: &Value) {
    assert_eq!(
        partner.post("/exchange/v1/state", report).await.status(),
        204
    );
}

fn at_alpha(attackers: &[Value]) -> Value {
    let verdicts: Vec<Value> = attackers
        .iter()
        .zip(0_u64..)
        .map(|(object, n)| {
            json!({
                "object": object["id"], "at": ago(90_000 - n * 2_000), "detect_us": 180 + n * 7,
                "offender": "192.0.2.10", "detector": "scan-trw@1", "evidence": "path-proven",
                "reasons": ["25 of 26 first contacts refused", "handshake completed by the same clock"],
            })
        })
        .collect();
    let mut report = shield("shield-a", "xdp-native");
    report["verdicts"] = json!(verdicts);
    report["leases"] = json!(leases(attackers, false));
    report
}

fn at_bravo(attackers: &[Value]) -> Value {
    let mut report = shield("shield-b", "xdp-generic");
    report["leases"] = json!(leases(attackers, true));
    report["refused"] = json!([
        { "object": "indicator--x", "source": "alpha", "selector": "source:10.2.0.7/32",
          "why": "10.2.0.0/24 is protected: never blocked on a partner's word", "at": ago(41_000) },
        { "object": "indicator--y", "source": "charlie", "selector": "source:203.0.113.0/24",
          "why": "wider than one address: the fast lane takes a single address", "at": ago(65_500) },
    ]);
    report
}

fn gateway() -> Value {
    let mut report = shield("gateway-2", "dry-run: CAP_NET_ADMIN is missing");
    report["sync"] = json!({ "connected": false, "complete": false, "spooled": 3 });
    report
}

fn shield(name: &str, mode: &str) -> Value {
    json!({
        "shield": name, "at": ago(400), "mode": mode, "iface": "eth0", "version": "0.1.0",
        "leases": [], "refused": [], "counters": {}, "verdicts": [],
        "sync": { "connected": true, "complete": true, "spooled": 0 },
    })
}

fn leases(attackers: &[Value], from_the_exchange: bool) -> Vec<Value> {
    let lease = |(object, n): (&Value, u64)| {
        let verdict = 90_000 - n * 2_000;
        let share = 2_400 + (n * 977) % 2_100;
        let enforce = 350 + (n * 313) % 900;
        let frame = us_ago(verdict * 1_000 - share);
        let mut lease = json!({
            "object": object["id"], "source": "alpha",
            "selector": object["extensions"][stix::lease::EXTENSION_ID]["selector"],
            "service": { "protocol": "tcp", "port": 80 },
            "action": if n % 9 == 8 { "rate-limit" } else { "drop" },
            "ends_at": in_ms(2_000 + n * 1_700), "installed_at": ago(verdict),
            "hits": 40 + n * 13, "drops": 38 + n * 13,
            "why": if n % 9 == 8 { "looks shared: 3 benign sessions in 10 min" }
                   else { "path-proven scan, no benign session in 10 min" },
        });
        if from_the_exchange {
            lease["frame_at"] = json!(frame);
            lease["first_hit_at"] = json!(us_ago(verdict * 1_000 - share - enforce));
            lease["first_drop_at"] = lease["first_hit_at"].clone();
        }
        lease
    };
    attackers.iter().zip(0_u64..).map(lease).collect()
}

fn sighting(of: &Value, count: u64) -> Value {
    json!({
        "type": "sighting", "spec_version": "2.1",
        "id": StixId::v5("sighting", of["id"].as_str().unwrap()),
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
        "sighting_of_ref": of["id"], "count": count,
        "object_marking_refs": [Tlp::Green.marking_id()],
    })
}

fn ago(ms: u64) -> Timestamp {
    us_ago(ms * 1_000)
}

fn us_ago(us: u64) -> Timestamp {
    scene_start().minus(Duration::from_micros(us))
}

fn in_ms(ms: u64) -> Timestamp {
    scene_start().plus(Duration::from_millis(ms))
}

/// One moment for the whole scene, so that verdicts and frames of different shields fit.
fn scene_start() -> Timestamp {
    static START: std::sync::OnceLock<Timestamp> = std::sync::OnceLock::new();
    *START.get_or_init(|| {
        let since = std::time::UNIX_EPOCH.elapsed().unwrap();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap())
    })
}
