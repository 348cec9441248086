//! `hub.toml`, read and checked.

use crate::collections::{self, Collection};
use crate::error::HubError;
use crate::packs::{self, PackRepository};
use crate::storage::{Storage, StorageFile};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use stix::Tlp;

/// The configuration of one hub.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data folder: keys and the embedded store. Readable by the hub's user alone.
    pub data: PathBuf,
    /// Where the log and the partners are.
    pub store: Storage,
    /// Where the hub listens with TLS.
    pub listen: SocketAddr,
    /// DNS names and addresses of the server's certificate; the first one goes into invitations.
    pub names: Vec<String>,
    /// Where the console listens, plain HTTP on loopback; `None`: no console.
    pub console: Option<SocketAddr>,
    /// The partners whose view the console shows.
    pub console_partners: Vec<String>,
    /// The community's name.
    pub community: String,
    /// What an object without any marking counts as.
    pub default_tlp: Tlp,
    /// The TAXII collections; none is the same as [`Collection::all`] alone.
    pub collections: Vec<Collection>,
    /// The repositories of packs; none is the same as [`PackRepository::community`] alone.
    pub packs: Vec<PackRepository>,
    /// The bounds.
    pub limits: Limits,
}

/// Every bound of the hub. Each one that is hit is counted in [`crate::Counters`].
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Open TLS connections.
    pub connections_max: usize,
    /// Milliseconds for a TLS handshake.
    pub handshake_ms_max: u64,
    /// Milliseconds for the head of an HTTP/1.1 request.
    pub header_ms_max: u64,
    /// Bytes of one request body; TAXII clients read it as `max_content_length`.
    pub body_bytes_max: usize,
    /// Bytes of all request bodies that are being taken in.
    pub bodies_bytes_max: usize,
    /// Objects of one bundle or envelope.
    pub objects_max: usize,
    /// Objects of one page that a client gets at most, whatever it asks for.
    pub page_max: usize,
    /// Open push streams of one partner.
    pub push_streams_max: usize,
    /// Seconds between digests on a push stream.
    pub digest_s: u64,
    /// Shields of one partner whose state is kept.
    pub shields_max: usize,
    /// Bytes of one state report.
    pub state_bytes_max: usize,
    /// Requests of one partner in a second, in the long run; ten seconds' worth at once. 0: any.
    pub requests_per_s_max: u32,
    /// Objects that one partner hands in in a second, alike.
    pub objects_per_s_max: u32,
    /// Bytes of bodies with objects of one partner in a second, alike.
    pub bytes_per_s_max: u32,
    /// Objects of a TAXII addition that are decided before it is answered; more are pending then.
    pub answered_objects_max: usize,
    /// Additions of one partner that are pending.
    pub pending_max: usize,
    /// Bytes of one pack that is published.
    pub pack_bytes_max: usize,
    /// Bytes of all packs of one partner in one repository.
    pub packs_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            handshake_ms_max: 10_000,
            header_ms_max: 10_000,
            body_bytes_max: 8 * 1024 * 1024,
            bodies_bytes_max: 1024 * 1024 * 1024,
            objects_max: 10_000,
            page_max: 1_000,
            push_streams_max: 20_000,
            digest_s: 5,
            shields_max: 256,
            state_bytes_max: 2 * 1024 * 1024,
            requests_per_s_max: 5_000,
            objects_per_s_max: 50_000,
            bytes_per_s_max: 64 * 1024 * 1024,
            answered_objects_max: 1_000,
            pending_max: 8,
            pack_bytes_max: 64 * 1024 * 1024,
            packs_bytes_max: 512 * 1024 * 1024,
        }
    }
}

impl Config {
    /// Reads `hub.toml`.
    ///
    /// # Errors
    /// Names the key (and, for bad TOML, line and column) and what mends it.
    pub fn from_toml(text: &str) -> Result<Self, HubError> {
        let file: ConfigFile = toml::from_str(text)
            .map_err(|error| HubError::config(error.to_string(), "correct hub.toml there"))?;
        file.checked()
    }

    /// Checks what types cannot: the console's address and the names.
    pub(crate) fn check(&self) -> Result<(), HubError> {
        if let Some(address) = self.console.filter(|address| !address.ip().is_loopback()) {
            return Err(HubError::ConsoleNotLoopback(address));
        }
        let most = self.limits.body_bytes_max.max(self.limits.pack_bytes_max);
        if self.limits.bodies_bytes_max < most {
            let mend = "make it at least body_bytes_max and pack_bytes_max";
            return Err(HubError::config(
                "bodies_bytes_max is too small for one body",
                mend,
            ));
        }
        if self.names.is_empty() {
            let mend = "name the DNS names or addresses partners reach the hub under";
            return Err(HubError::config("names is empty", mend));
        }
        packs::check(&self.packs)?;
        collections::check(&self.collections)
    }
}

/// The file as written, before any check.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    data: PathBuf,
    listen: SocketAddr,
    #[serde(default = "default_names")]
    names: Vec<String>,
    console: Option<SocketAddr>,
    #[serde(default)]
    console_partners: Vec<String>,
    #[serde(default = "default_community")]
    community: String,
    #[serde(default = "default_tlp")]
    default_tlp: String,
    #[serde(default)]
    collection: Vec<Collection>,
    #[serde(default)]
    packs: Vec<PackRepository>,
    #[serde(default)]
    store: StorageFile,
    #[serde(default)]
    limits: Limits,
}

impl ConfigFile {
    fn checked(self) -> Result<Config, HubError> {
        let default_tlp = self.default_tlp.parse::<Tlp>().map_err(|_| {
            let mend = "use TLP:CLEAR, TLP:GREEN, TLP:AMBER, TLP:AMBER+STRICT or TLP:RED";
            HubError::config(
                format!("default_tlp = {:?} is no TLP label", self.default_tlp),
                mend,
            )
        })?;
        let config = Config {
            store: self.store.checked(&self.data)?,
            data: self.data,
            listen: self.listen,
            names: self.names,
            console: self.console,
            console_partners: self.console_partners,
            community: self.community,
            default_tlp,
            collections: self.collection,
            packs: match self.packs.is_empty() {
                true => vec![PackRepository::community()],
                false => self.packs,
            },
            limits: self.limits,
        };
        config.check()?;
        Ok(config)
    }
}

fn default_names() -> Vec<String> {
    vec!["127.0.0.1".to_owned(), "localhost".to_owned()]
}

fn default_community() -> String {
    "default".to_owned()
}

fn default_tlp() -> String {
    "TLP:AMBER".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_file_is_enough() {
        let config = Config::from_toml("data = \"/d\"\nlisten = \"127.0.0.1:8443\"\n").unwrap();
        assert_eq!(config.default_tlp, Tlp::Amber);
        assert_eq!(config.names, ["127.0.0.1", "localhost"]);
        assert!(config.console.is_none());
    }

    #[test]
    fn errors_say_what_mends_them() {
        let text = |extra: &str| format!("data = \"/d\"\nlisten = \"127.0.0.1:1\"\n{extra}\n");
        let error = |extra: &str| Config::from_toml(&text(extra)).unwrap_err().to_string();
        assert!(error("console = \"0.0.0.0:8080\"").contains("not a loopback address"));
        assert!(error("console = \"192.0.2.1:8080\"").contains("127.0.0.1"));
        assert!(error("default_tlp = \"GREENISH\"").contains("TLP:AMBER+STRICT"));
        assert!(error("lissten = 1").contains("lissten"));
        assert!(error("names = []").contains("names"));
        let both = error("[store]\nsqlite = \"/x\"\npostgres = \"postgres://h@h/x\"");
        assert!(both.contains("leave one of them out"), "{both}");
        let url = error("[store]\npostgres = \"postgres://hub:sesame@h:port/x\"");
        assert!(url.contains("[store]") && !url.contains("sesame"), "{url}");
    }

    #[test]
    fn the_store_is_beside_the_keys_unless_said_otherwise() {
        let store = |extra: &str| {
            let text = format!("data = \"/d\"\nlisten = \"127.0.0.1:1\"\n{extra}\n");
            format!("{:?}", Config::from_toml(&text).unwrap().store)
        };
        assert_eq!(store(""), r#"Sqlite("/d/exchange.db")"#);
        assert_eq!(
            store("[store]\nsqlite = \"/e/x.db\""),
            r#"Sqlite("/e/x.db")"#
        );
        let url = store("[store]\npostgres = \"postgres://hub:sesame@127.0.0.1/x\"");
        assert!(
            url.starts_with("Postgres(") && !url.contains("sesame"),
            "{url}"
        );
    }
}
