//! Enrolment, credentials, revocation.

use crate::support::{World, client, csr};
use rcgen::KeyPair;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use taxii::enrol::{EnrolRequest, EnrolResponse, Invitation, token_text};

#[tokio::test]
async fn an_invitation_is_good_once_and_pins_the_authority() {
    let world = World::start().await;
    let text = world
        .hub
        .admin()
        .invite("agency-a", "agency", None)
        .await
        .unwrap();
    let invitation: Invitation = text.parse().unwrap();
    assert_eq!(invitation.hub, world.hub.url());
    let ca = pem_to_der(&std::fs::read_to_string(world.data().join("ca.pem")).unwrap());
    let sha256 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &ca);
    assert_eq!(sha256.as_ref(), invitation.ca_sha256);

    let key = KeyPair::generate().unwrap();
    let bad = EnrolRequest {
        token: token_text(&invitation.token),
        csr_pem: "rubbish".to_owned(),
    };
    assert_eq!(
        world.enrol(&bad).await.status(),
        422,
        "and the invitation is not used up by it"
    );
    let good = EnrolRequest {
        csr_pem: csr(&key),
        ..bad
    };
    assert_eq!(world.enrol(&good).await.status(), 200);
    let again = world.enrol(&good).await;
    assert_eq!(again.status(), 403);
    let error: Value = again.json().await.unwrap();
    assert_eq!(error["title"], "invitation not valid");
    let guess = EnrolRequest {
        token: token_text(&[1; 32]),
        csr_pem: csr(&key),
    };
    let guessed: Value = world.enrol(&guess).await.json().await.unwrap();
    assert_eq!(error, guessed, "used and unknown look alike");
}

#[tokio::test]
async fn strangers_get_a_taxii_error_and_no_redirect() {
    let world = World::start().await;
    let paths = [
        "/taxii2/",
        "/taxii2",
        "/taxii2/api/collections/",
        "/exchange/v1/push",
        "/nothing",
    ];
    for path in paths {
        let answer = world.stranger().get(world.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{path}");
        assert_eq!(
            answer.headers()["content-type"],
            "application/taxii+json;version=2.1"
        );
        assert!(answer.headers().get_all("www-authenticate").iter().count() >= 1);
        let error: Value = answer.json().await.unwrap();
        assert_eq!(error["http_status"], "401", "{path}");
    }
    assert!(
        world
            .hub
            .counters()
            .unauthenticated
            .load(std::sync::atomic::Ordering::Relaxed)
            >= 5
    );
}

#[tokio::test]
async fn tokens_come_as_bearer_basic_and_token() {
    let world = World::start().await;
    let token = world.hub.admin().token("agency-a", "agency").await.unwrap();
    let ask = || world.stranger().get(world.url("/taxii2/"));
    for scheme in ["Bearer", "Token"] {
        let header = format!("{scheme} {token}");
        assert_eq!(
            ask()
                .header("authorization", header)
                .send()
                .await
                .unwrap()
                .status(),
            200
        );
    }
    let basic = |name: &'static str| ask().basic_auth(name, Some(&token)).send();
    assert_eq!(basic("agency-a").await.unwrap().status(), 200);
    assert_eq!(
        basic("agency-b").await.unwrap().status(),
        401,
        "a token names its partner"
    );
    assert_eq!(
        ask()
            .bearer_auth(token_text(&[1; 32]))
            .send()
            .await
            .unwrap()
            .status(),
        401
    );
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused_in_the_handshake() {
    let (here, elsewhere) = (World::start().await, World::start().await);
    let foreign = elsewhere.partner("agency-a").await;
    let imposter = client(&here.data().join("ca.pem"), Some(&foreign.pem));
    assert!(imposter.get(here.url("/taxii2/")).send().await.is_err());
    let trusting_the_wrong_hub = client(&elsewhere.data().join("ca.pem"), None);
    assert!(
        trusting_the_wrong_hub
            .get(here.url("/taxii2/"))
            .send()
            .await
            .is_err()
    );
}

#[tokio::test]
async fn rotation_needs_the_certificate_and_gives_another() {
    let world = World::start().await;
    let partner = world.partner("agency-a").await;
    let key = KeyPair::generate().unwrap();
    let answer = partner
        .post("/exchange/v1/rotate", &json!({ "csr_pem": csr(&key) }))
        .await;
    assert_eq!(answer.status(), 200);
    let rotated: EnrolResponse = answer.json().await.unwrap();
    assert_eq!(rotated.partner, "agency-a");
    let pem = format!("{}{}", key.serialize_pem(), rotated.certificate_pem);
    let fresh = client(&world.data().join("ca.pem"), Some(&pem));
    assert_eq!(
        fresh
            .get(world.url("/taxii2/"))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );

    let token = world.hub.admin().token("agency-a", "agency").await.unwrap();
    let by_token = world
        .stranger()
        .post(world.url("/exchange/v1/rotate"))
        .bearer_auth(token);
    let answer = by_token
        .json(&json!({ "csr_pem": csr(&key) }))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 403);
}

#[tokio::test]
async fn revocation_by_another_process_ends_requests_and_open_streams() {
    let world = World::start().await;
    let (gone, stays) = (
        world.partner("agency-a").await,
        world.partner("agency-b").await,
    );
    let (mut stream, mut other) = (gone.follow(None).await, stays.follow(None).await);
    assert_eq!(stream.next().await.unwrap().name, "hello");
    assert_eq!(other.next().await.unwrap().name, "hello");

    let admin = hub::Admin::open(&world.data()).await.unwrap();
    assert!(admin.revoke("agency-a").await.unwrap());
    let revoked = Instant::now();
    assert_eq!(
        gone.get("/taxii2/").await.status(),
        401,
        "at once, on an open connection"
    );
    while stream.next().await.is_some() {}
    assert!(
        revoked.elapsed() < Duration::from_secs(2),
        "{:?}",
        revoked.elapsed()
    );
    assert_eq!(stays.get("/taxii2/").await.status(), 200);
    assert!(
        !admin.revoke("agency-a").await.unwrap(),
        "there is nothing left to revoke"
    );
    assert!(admin.invite("agency-a", "agency", None).await.is_err());
    for name in ["", "-a", "Agency", "a b", "ä"] {
        assert!(
            admin.token(name, "agency").await.is_err(),
            "{name:?} is no name"
        );
    }
}

fn pem_to_der(pem: &str) -> Vec<u8> {
    use base64::Engine as _;
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    base64::engine::general_purpose::STANDARD
        .decode(body)
        .unwrap()
}
