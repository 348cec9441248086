//! What every store must do. Each case gets a fresh back-end; `restart` closes and opens it again.

pub(crate) mod log;
pub(crate) mod registry;
pub(crate) mod revoke;

use exchange::Store;

/// A place for one store.
pub(crate) trait Backend {
    type Store: Store;

    /// Opens the store of this place, new the first time.
    async fn open(&self) -> Self::Store;

    /// Closes it.
    async fn close(&self, store: Self::Store);

    async fn restart(&self, store: Self::Store) -> Self::Store {
        self.close(store).await;
        self.open().await
    }
}

/// Makes one test of each case for the back-end that `$make` makes.
macro_rules! conformance {
    ($make:expr; $($module:ident::{$($case:ident),* $(,)?})*) => {
        $(mod $module {
            use super::*;
            $(#[tokio::test]
            async fn $case() {
                crate::conformance::$module::$case($make).await;
            })*
        })*
    };
}
pub(crate) use conformance;
