//! A schema of its own for each test, on a server that tests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use exchange::PostgresUrl;
use exchange::postgres::Options;
use testkit::postgres::{Server, unavailable};

pub(crate) struct Postgres {
    pub(crate) server: Arc<Server>,
    pub(crate) schema: String,
}

impl Postgres {
    /// For the test of that name; none, and said, where there is no server.
    pub(crate) fn new(test: &str) -> Option<Self> {
        if let Some(why) = unavailable() {
            testkit::skip(test, &why);
            return None;
        }
        Some(Self::on(Server::shared().unwrap()))
    }

    pub(crate) fn on(server: Arc<Server>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let schema = format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed));
        server.sql(&format!("CREATE SCHEMA {schema}")).unwrap();
        Self { server, schema }
    }

    pub(crate) fn url(&self) -> PostgresUrl {
        self.server.url(&self.schema).parse().unwrap()
    }

    pub(crate) fn options() -> Options {
        Options {
            readers: 2,
            ..Options::default()
        }
    }
}
