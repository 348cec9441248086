//! What every store must do. Each case gets a fresh back-end; `restart` closes and opens it again.

pub(crate) mod backup;
pub(crate) mod erase;
pub(crate) mod log;
pub(crate) mod registry;
pub(crate) mod revoke;
pub(crate) mod search;
pub(crate) mod writers;

use exchange::dump::{Input, Restored};
use exchange::{EitherStore, Store, StoreError};

use crate::postgres::Postgres;
use crate::sqlite::Sqlite;

/// A place for one store, whichever: so that the suite is one program and not two.
pub(crate) enum Place {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Backend for Place {
    type Store = EitherStore;

    async fn try_open(&self) -> Result<EitherStore, StoreError> {
        Ok(match self {
            Self::Sqlite(place) => EitherStore::Sqlite(place.try_open().await?),
            Self::Postgres(place) => EitherStore::Postgres(place.try_open().await?),
        })
    }

    async fn open_admin(&self) -> EitherStore {
        match self {
            Self::Sqlite(place) => EitherStore::Sqlite(place.open_admin().await),
            Self::Postgres(place) => EitherStore::Postgres(place.open_admin().await),
        }
    }

    async fn renew_epoch(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(place) => place.renew_epoch().await,
            Self::Postgres(place) => place.renew_epoch().await,
        }
    }

    async fn close(&self, store: EitherStore) {
        match (self, store) {
            (Self::Sqlite(place), EitherStore::Sqlite(store)) => place.close(store).await,
            (Self::Postgres(place), EitherStore::Postgres(store)) => place.close(store).await,
            (Self::Sqlite(_) | Self::Postgres(_), store) => panic!("{store:?} is another's"),
        }
    }

    fn another(&self) -> Self {
        match self {
            Self::Sqlite(place) => Self::Sqlite(place.another()),
            Self::Postgres(place) => Self::Postgres(place.another()),
        }
    }

    async fn restore(
        &self,
        input: &mut Input,
        epoch: u64,
        replace: bool,
    ) -> Result<Restored, StoreError> {
        match self {
            Self::Sqlite(place) => place.restore(input, epoch, replace).await,
            Self::Postgres(place) => place.restore(input, epoch, replace).await,
        }
    }
}

/// A place for the store of one back-end.
pub(crate) trait Backend {
    type Store: Store;

    /// Opens the store of this place as its writer, new the first time.
    async fn try_open(&self) -> Result<Self::Store, StoreError>;

    /// Opens it beside a writer.
    async fn open_admin(&self) -> Self::Store;

    /// Begins a new epoch.
    async fn renew_epoch(&self) -> Result<(), StoreError>;

    /// Closes it.
    async fn close(&self, store: Self::Store);

    /// A place for another store.
    fn another(&self) -> Self;

    /// Restores a dump into the store of this place, which is closed.
    async fn restore(
        &self,
        input: &mut Input,
        epoch: u64,
        replace: bool,
    ) -> Result<Restored, StoreError>;

    async fn open(&self) -> Self::Store {
        self.try_open().await.unwrap()
    }

    async fn restart(&self, store: Self::Store) -> Self::Store {
        self.close(store).await;
        self.open().await
    }
}

/// Makes one test of each case. `$make` takes the test's name and makes its back-end, or says why
/// there is none and returns none.
macro_rules! conformance {
    ($make:expr) => {
        crate::conformance::conformance! { $make;
            log::{
                positions_are_contiguous_and_dates_increase,
                merged_dates_increase_when_batches_start_after_the_latest,
                pages_of_any_size_join_to_the_whole_view,
                a_reader_at_the_end_gets_exactly_what_follows,
                the_same_bytes_are_a_duplicate_and_others_a_conflict,
                another_source_of_the_same_id_is_another_assertion,
                hidden_objects_change_no_byte_of_a_view,
                versions_are_those_that_the_reader_may_see,
                filters_pass_over_what_they_do_not_admit,
                a_revoked_version_is_a_revoke_event,
                live_are_latest_versions_not_expired,
                an_older_version_is_stale_in_the_lanes_that_had_a_newer_one,
                a_restart_changes_nothing,
                what_append_returns_is_what_can_be_read,
                an_audience_of_nobody_sees_nothing_and_of_several_has_no_cursor,
            }
            backup::{
                a_restored_dump_is_the_same_log,
                what_was_erased_since_is_not_restored,
                a_store_in_use_or_with_a_log_is_not_overwritten,
                a_damaged_dump_is_refused_and_changes_nothing,
                the_list_of_erasures_follows_the_log,
            }
            erase::{
                an_erased_object_is_gone_from_every_view,
                only_those_who_held_it_are_told,
                erasing_what_is_not_ones_own_or_gone_does_nothing,
                an_erased_identity_is_never_taken_again,
                versions_are_erased_as_asked,
                followers_old_and_new_come_to_the_same_live_set,
                many_versions_take_several_transactions,
            }
            registry::{
                partners_come_and_go,
                an_invitation_is_good_once_and_for_its_partner,
                of_two_that_use_an_invitation_at_once_one_enrols,
                tokens_and_certificates_end_by_time_and_by_revocation,
                a_revoked_partner_has_no_good_credential,
                the_first_value_of_a_key_stays,
            }
            revoke::{
                a_narrower_revocation_reaches_all_who_hold_a_version,
                a_wider_revocation_stays_with_those_who_hold_a_version,
                a_revocation_of_the_unknown_goes_by_its_own_reach,
                a_late_revocation_does_not_reach_those_who_hold_only_newer_versions,
                a_revocation_in_the_batch_of_its_object_reaches_the_same_lanes,
                pages_show_a_revocation_of_both_lanes_once_and_in_order,
            }
            search::{
                an_erased_object_leaves_nothing_to_find,
                a_newer_version_is_found_by_what_it_says,
                a_revocation_of_both_lanes_is_found_once,
                times_bound_what_is_found,
                patterns_that_say_the_same_are_found_together,
                what_refers_to_an_object_is_found,
                addresses_come_in_order_and_pages_go_on_behind_a_place,
                an_audience_of_nobody_finds_nothing,
            }
            writers::{
                a_second_writer_is_kept_out_and_administration_is_not,
                a_new_epoch_is_later_and_not_begun_beside_a_hub,
                a_dump_is_of_one_moment_while_others_write,
            }
        }
    };
    ($make:expr; $($module:ident::{$($case:ident),* $(,)?})*) => {
        $(mod $module {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let name = concat!(module_path!(), "::", stringify!($case));
                if let Some(backend) = $make(name) {
                    crate::conformance::$module::$case(backend).await;
                }
            })*
        })*
    };
}
pub(crate) use conformance;
