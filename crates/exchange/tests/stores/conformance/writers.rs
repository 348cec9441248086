//! One writes, others administer and look on.

use std::sync::Arc;
use std::time::Duration;

use exchange::dump::Record;
use exchange::{Dump, Log as _, NewPartner, Registry as _, StoreError};

use super::{Backend as _, Place};
use crate::support::{at, indicator, partner, to_all};

pub(crate) async fn a_second_writer_is_kept_out_and_administration_is_not(place: Place) {
    let hub = place.open().await;
    let second = place.try_open().await;
    assert!(matches!(second, Err(StoreError::Locked(_))));
    let admin = place.open_admin().await;
    let alpha = NewPartner {
        name: "alpha".into(),
        role: "agency".into(),
    };
    admin.add_partner(&alpha, at(0)).await.unwrap();
    let token = admin.create_token("alpha", None, at(0)).await.unwrap();
    let known = hub.partner_by_token(token.bytes(), at(1)).await.unwrap();
    assert!(known.is_some());
    let submission = [to_all("alpha", indicator(1, 1, ""))];
    let refused = admin.append(&submission, at(1)).await;
    assert!(matches!(refused, Err(StoreError::NotWriter)));
    hub.append(&submission, at(1)).await.unwrap();
    assert_eq!(admin.head(&partner("alpha")).await.unwrap().community, 1);
    admin.revoke_partner("alpha", at(2)).await.unwrap();
    let known = hub.partner_by_token(token.bytes(), at(3)).await.unwrap();
    assert!(known.is_none());
    place.close(admin).await;
    // Whoever closes it lets go of it.
    let hub = place.restart(hub).await;
    place.close(hub).await;
}

pub(crate) async fn a_new_epoch_is_later_and_not_begun_beside_a_hub(place: Place) {
    let hub = place.open().await;
    let before = hub.epoch();
    let refused = place.renew_epoch().await;
    assert!(matches!(refused, Err(StoreError::Locked(_))));
    place.close(hub).await;
    place.renew_epoch().await.unwrap();
    assert!(place.open().await.epoch() > before);
}

pub(crate) async fn a_dump_is_of_one_moment_while_others_write(place: Place) {
    let hub = Arc::new(place.open().await);
    // More than are read at a time.
    let batch = |from: u32| {
        let numbers = from..from + 300;
        numbers
            .map(|n| to_all("alpha", indicator(n, 1, "")))
            .collect::<Vec<_>>()
    };
    hub.append(&batch(0), at(0)).await.unwrap();
    let beside = place.open_admin().await;
    let (tell, told) = tokio::sync::oneshot::channel();
    let (wrote, written) = std::sync::mpsc::channel();
    let (writer, more) = (Arc::clone(&hub), batch(300));
    tokio::spawn(async move {
        told.await.unwrap();
        writer.append(&more, at(90_000)).await.unwrap();
        wrote.send(()).unwrap();
    });
    let (mut signals, mut events) = (Some((tell, written)), 0);
    let mut each = |record| {
        if let Record::Event(_) = record {
            events += 1;
            if let Some((tell, written)) = signals.take() {
                tell.send(()).unwrap();
                written.recv_timeout(Duration::from_secs(20)).unwrap();
            }
        }
        Ok(())
    };
    beside.dump(&mut each).await.unwrap();
    assert_eq!(events, 300);
    let head = hub.head(&partner("alpha")).await.unwrap();
    assert_eq!(head.community, 600);
}
