//! The registry: partners and credentials.

use std::sync::Arc;

use exchange::{Certificate, NewPartner, Registry, StoreError};

use super::{Backend as _, Place};
use crate::support::at;

async fn add(store: &impl Registry, name: &str) {
    let partner = NewPartner {
        name: name.into(),
        role: "operator".into(),
    };
    store.add_partner(&partner, at(0)).await.unwrap();
}

fn certificate(serial: u8, partner: &str) -> Certificate {
    Certificate {
        serial: vec![serial, 0],
        partner: partner.into(),
        not_after: at(1000),
    }
}

pub(crate) async fn partners_come_and_go(backend: Place) {
    let store = backend.open().await;
    add(&store, "bravo").await;
    add(&store, "alpha").await;
    let again = NewPartner {
        name: "alpha".into(),
        role: "agency".into(),
    };
    let refused = store.add_partner(&again, at(1)).await;
    assert!(matches!(refused, Err(StoreError::PartnerExists(_))));
    for name in ["", "Alpha", "a b", "a/b", "ä", &"x".repeat(65)] {
        let partner = NewPartner {
            name: name.into(),
            role: String::new(),
        };
        let refused = store.add_partner(&partner, at(1)).await;
        assert!(matches!(refused, Err(StoreError::BadName(_))), "{name:?}");
    }
    assert!(store.revoke_partner("bravo", at(7)).await.unwrap());
    assert!(!store.revoke_partner("bravo", at(8)).await.unwrap());
    assert!(!store.revoke_partner("nobody", at(8)).await.unwrap());
    let store = backend.restart(store).await;
    let partners = store.partners().await.unwrap();
    let names: Vec<&str> = partners.iter().map(|partner| &*partner.name).collect();
    assert_eq!(names, ["alpha", "bravo"]);
    assert_eq!(
        (partners[0].revoked, partners[1].revoked),
        (None, Some(at(7)))
    );
    assert_eq!(
        store.partner("alpha").await.unwrap().unwrap().role,
        "operator"
    );
    assert!(store.partner("nobody").await.unwrap().is_none());
    backend.close(store).await;
}

pub(crate) async fn an_invitation_is_good_once_and_for_its_partner(backend: Place) {
    let store = backend.open().await;
    add(&store, "alpha").await;
    let unknown = store.invite("nobody", at(100), at(0)).await;
    assert!(matches!(unknown, Err(StoreError::UnknownPartner(_))));
    let secret = store.invite("alpha", at(100), at(0)).await.unwrap();
    let invited = async |now| store.invitation(secret.bytes(), at(now)).await.unwrap();
    assert_eq!(&*invited(99).await.unwrap().name, "alpha");
    assert!(invited(100).await.is_none(), "expired");
    let bad = |outcome| assert!(matches!(outcome, Err(StoreError::BadInvitation)));
    bad(store.enrol(&[0; 32], &certificate(1, "alpha"), at(1)).await);
    bad(store
        .enrol(secret.bytes(), &certificate(1, "bravo"), at(1))
        .await);
    bad(store
        .enrol(secret.bytes(), &certificate(1, "alpha"), at(100))
        .await);
    assert!(
        store
            .partner_by_certificate(&[1, 0], at(1))
            .await
            .unwrap()
            .is_none()
    );
    let enrolled = store
        .enrol(secret.bytes(), &certificate(1, "alpha"), at(1))
        .await
        .unwrap();
    assert_eq!(&*enrolled.name, "alpha");
    assert!(
        store
            .partner_by_certificate(&[1, 0], at(1))
            .await
            .unwrap()
            .is_some()
    );
    bad(store
        .enrol(secret.bytes(), &certificate(2, "alpha"), at(2))
        .await);
    assert!(
        store
            .partner_by_certificate(&[2, 0], at(2))
            .await
            .unwrap()
            .is_none()
    );
    backend.close(store).await;
}

pub(crate) async fn of_two_that_use_an_invitation_at_once_one_enrols(backend: Place) {
    let store = backend.open().await;
    add(&store, "alpha").await;
    for round in 0..20 {
        let secret = store.invite("alpha", at(100), at(0)).await.unwrap();
        let certificates = [1, 2].map(|n| certificate(2 * round + n, "alpha"));
        let enrol = |certificate| store.enrol(secret.bytes(), certificate, at(1));
        let (one, two) = tokio::join!(enrol(&certificates[0]), enrol(&certificates[1]));
        let outcomes = [one, two];
        let enrolled = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(enrolled, 1, "{outcomes:?}");
        for (outcome, certificate) in outcomes.iter().zip(&certificates) {
            let known = store.partner_by_certificate(&certificate.serial, at(2));
            assert_eq!(known.await.unwrap().is_some(), outcome.is_ok());
        }
    }
    backend.close(store).await;
}

pub(crate) async fn tokens_and_certificates_end_by_time_and_by_revocation(backend: Place) {
    let store = backend.open().await;
    add(&store, "alpha").await;
    let forever = store.create_token("alpha", None, at(0)).await.unwrap();
    let short = store
        .create_token("alpha", Some(at(10)), at(0))
        .await
        .unwrap();
    store
        .add_certificate(&certificate(1, "alpha"), at(0))
        .await
        .unwrap();
    store
        .add_certificate(&certificate(2, "alpha"), at(0))
        .await
        .unwrap();
    assert!(store.create_token("nobody", None, at(0)).await.is_err());
    assert!(
        store
            .add_certificate(&certificate(3, "nobody"), at(0))
            .await
            .is_err()
    );
    let store = backend.restart(store).await;
    let by_token = async |token: &exchange::Secret, now| {
        let found = store
            .partner_by_token(token.bytes(), at(now))
            .await
            .unwrap();
        found.map(|partner| partner.name)
    };
    let by_certificate = async |serial, now| {
        let found = store
            .partner_by_certificate(&[serial, 0], at(now))
            .await
            .unwrap();
        found.map(|partner| partner.name)
    };
    let alpha = Some(Arc::from("alpha"));
    assert_eq!(by_token(&forever, 5).await, alpha);
    assert_eq!(
        (by_token(&short, 9).await, by_token(&short, 10).await),
        (alpha.clone(), None)
    );
    assert_eq!(
        (by_certificate(1, 999).await, by_certificate(1, 1000).await),
        (alpha.clone(), None)
    );
    assert!(store.revoke_certificate(&[1, 0], at(20)).await.unwrap());
    assert!(!store.revoke_certificate(&[1, 0], at(20)).await.unwrap());
    assert_eq!(
        (by_certificate(1, 21).await, by_certificate(2, 21).await),
        (None, alpha)
    );
    assert_eq!(
        store.revoke_tokens("alpha", at(30)).await.unwrap(),
        1,
        "the other has expired"
    );
    assert_eq!(by_token(&forever, 31).await, None);
    backend.close(store).await;
}

pub(crate) async fn a_revoked_partner_has_no_good_credential(backend: Place) {
    let store = backend.open().await;
    add(&store, "alpha").await;
    let token = store.create_token("alpha", None, at(0)).await.unwrap();
    let secret = store.invite("alpha", at(100), at(0)).await.unwrap();
    store
        .add_certificate(&certificate(1, "alpha"), at(0))
        .await
        .unwrap();
    store.revoke_partner("alpha", at(1)).await.unwrap();
    assert!(
        store
            .partner_by_token(token.bytes(), at(2))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        store
            .partner_by_certificate(&[1, 0], at(2))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        store
            .invitation(secret.bytes(), at(2))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        store
            .enrol(secret.bytes(), &certificate(2, "alpha"), at(2))
            .await
            .is_err()
    );
    assert!(store.create_token("alpha", None, at(2)).await.is_err());
    backend.close(store).await;
}

pub(crate) async fn the_first_value_of_a_key_stays(backend: Place) {
    let store = backend.open().await;
    assert_eq!(store.meta("key").await.unwrap(), None);
    assert_eq!(store.meta_init("key", b"one").await.unwrap(), b"one");
    assert_eq!(store.meta_init("key", b"two").await.unwrap(), b"one");
    assert_eq!(
        store.meta_init("token-key", b"x").await.unwrap(),
        b"x",
        "not the store's own"
    );
    let store = backend.restart(store).await;
    assert_eq!(
        store.meta("key").await.unwrap().as_deref(),
        Some(&b"one"[..])
    );
    backend.close(store).await;
}
