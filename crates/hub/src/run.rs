//! Starting and stopping a hub.

use crate::admin::{About, Admin};
use crate::app::{self, Hub};
use crate::backup;
use crate::body::Room;
use crate::collections::{Collection, Collections};
use crate::config::Config;
use crate::console::{self, Board, Console};
use crate::counters::Counters;
use crate::error::HubError;
use crate::packs;
use crate::push::{Live, Signer, Streams};
use crate::quota::Quotas;
use crate::secrets;
use crate::state::States;
use crate::taxii2::{self, Pending, Spool, Statuses};
use crate::tls;
use crate::tls::authority::Authority;
use crate::tls::listen::{self, Service};
use exchange::{EitherStore, Erasures, Exchange, Log as _};
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};
use taxii::cursor;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A running hub. Dropping the handle does not stop it; cancelling the token it was started with
/// does.
#[derive(Debug)]
pub struct Handle {
    tls_addr: SocketAddr,
    console: Option<(SocketAddr, Console)>,
    url: String,
    admin: Admin,
    counters: Arc<Counters>,
    tasks: TaskTracker,
    hub: Weak<Hub>,
}

impl Handle {
    /// Where partners connect.
    pub fn tls_addr(&self) -> SocketAddr {
        self.tls_addr
    }

    /// `https://` and the first of the configured names: what invitations carry.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where the console listens, if there is one.
    pub fn console_addr(&self) -> Option<SocketAddr> {
        self.console.as_ref().map(|(address, _)| *address)
    }

    /// The link that opens the console once; after its use there is a new one. It also stands in
    /// the file `console.link` of the data folder.
    pub fn console_link(&self) -> Option<String> {
        self.console.as_ref().map(|(_, console)| console.link())
    }

    /// Partners, invitations and tokens of this hub.
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// What the hub counts.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Returns when the hub has stopped and everything acknowledged is on disk. Another hub can use
    /// the data folder once this handle is dropped, too.
    pub async fn stopped(&self) {
        self.tasks.wait().await;
        // Streams of HTTP/2 are tasks of their own and end a moment after their connection.
        let gone = async {
            while self.hub.strong_count() > 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        if tokio::time::timeout(STRAGGLERS_WAIT_MAX, gone)
            .await
            .is_err()
        {
            tracing::warn!("requests are still being answered");
        }
    }
}

/// How long a stopped hub waits for requests that outlive their connection.
const STRAGGLERS_WAIT_MAX: Duration = Duration::from_secs(2);

/// Starts a hub: returns when both listeners accept.
///
/// # Errors
/// [`HubError`] says what is wrong with the configuration, the data folder or the addresses.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<Handle, HubError> {
    config.check()?;
    secrets::private_folder(&config.data)?;
    let listener = listen::bind(config.listen)?;
    let console_listener = config.console.map(listen::bind).transpose()?;
    let tls_addr = local(&listener, config.listen)?;
    let ca = Authority::open_or_create(&config.data, &config.community)?;
    let identity = ca.server_identity(&config.names, SystemTime::now())?;
    let acceptor = TlsAcceptor::from(tls::server_config(&ca, identity)?);
    secrets::replace(&config.data.join("ca.pem"), ca.pem().as_bytes())?;
    let authority = authority(&config, tls_addr);
    let url = format!("https://{authority}");
    let about = About {
        url: url.clone(),
        community: config.community.clone(),
        postgres: config.store.secret_text(),
    };
    let store = Arc::new(config.store.open().await?);
    about.write(&config.data)?;
    let admin = Admin::over(&config.data, Arc::clone(&store));
    let erasures = backup::erasures(&config.data, &store).await?;
    backup::remember(&config.data, &store).await?;
    let hub = assemble(config, (authority, ca), (store, erasures), shutdown.clone())?;
    let hub = Arc::new(hub);
    taxii2::resume(&hub)?;
    packs::renew_all(&hub.config, crate::clock::now());
    let tasks = TaskTracker::new();
    let console = console_listener
        .map(|listener| start_console(&hub, listener, &tasks, &shutdown))
        .transpose()?;
    let service = service(
        &hub,
        app::routes(Arc::clone(&hub)),
        Some(acceptor),
        &shutdown,
    );
    tasks.spawn(serve_and_close(Arc::clone(&hub), listener, service));
    tasks.spawn({
        let hub = Arc::clone(&hub);
        async move { hub.streams.watch(&hub).await }
    });
    tasks.spawn(packs::run(Arc::clone(&hub), shutdown.clone()));
    tasks.close();
    tracing::info!(%tls_addr, community = %hub.config.community, "hub listens");
    let counters = Arc::clone(&hub.counters);
    Ok(Handle {
        tls_addr,
        console,
        url,
        admin,
        counters,
        tasks,
        hub: Arc::downgrade(&hub),
    })
}

fn assemble(
    config: Config,
    (authority, ca): (String, Authority),
    (store, erasures): (Arc<EitherStore>, Erasures),
    shutdown: CancellationToken,
) -> Result<Hub, HubError> {
    let signer = Signer::open(&config.data, &config.community, store.epoch())?;
    let secret = secrets::load_or_create(&config.data.join("keys/cursors.key"), || {
        secrets::random::<32>().map(|bytes| bytes.to_vec())
    })?;
    let secret: [u8; 32] = secret
        .try_into()
        .map_err(|_| HubError::Authority("keys/cursors.key is not 32 bytes".to_owned()))?;
    let limits = config.limits;
    let collections = match config.collections.as_slice() {
        [] => Collections::new(&config.community, &[Collection::all()]),
        configured => Collections::new(&config.community, configured),
    };
    let settings = exchange::Config {
        digest_every: Duration::from_secs(limits.digest_s.max(1)),
        erasures: Some(Arc::new(erasures)),
        ..exchange::Config::new(Live::empty)
    };
    Ok(Hub {
        exchange: Exchange::start(store, settings),
        cursor_key: cursor::Key::new(&secret),
        counters: Arc::default(),
        room: Room::new(limits.bodies_bytes_max),
        quotas: Quotas::new(
            limits.requests_per_s_max,
            limits.objects_per_s_max,
            limits.bytes_per_s_max,
        ),
        pending: Pending::new(limits.pending_max),
        spool: Spool::open(&config.data, shutdown.clone())?,
        collections,
        states: States::new(limits.shields_max),
        statuses: Statuses::default(),
        streams: Streams::new(limits.push_streams_max, shutdown),
        board: config
            .console
            .map(|_| Arc::new(Board::new(&config.console_partners))),
        config,
        authority,
        ca,
        signer,
    })
}

fn start_console(
    hub: &Arc<Hub>,
    listener: TcpListener,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) -> Result<(SocketAddr, Console), HubError> {
    let address = local(&listener, hub.config.listen)?;
    let board = hub
        .board
        .clone()
        .unwrap_or_else(|| Arc::new(Board::new(&[])));
    let feed = console::feed::run(Arc::clone(hub), Arc::clone(&board), shutdown.clone());
    let (data, community) = (&hub.config.data, &hub.config.community);
    let console = Console::new(board, address, data, community, shutdown.clone())?;
    tasks.spawn(feed);
    let service = service(hub, console.clone().router(), None, shutdown);
    tasks.spawn(listen::serve(listener, service));
    tracing::info!(%address, "console listens");
    Ok((address, console))
}

fn service(
    hub: &Hub,
    router: axum::Router,
    tls: Option<TlsAcceptor>,
    shutdown: &CancellationToken,
) -> Service {
    Service {
        router,
        tls,
        limits: hub.config.limits,
        counters: Arc::clone(&hub.counters),
        shutdown: shutdown.clone(),
    }
}

/// Serves until shutdown; what was taken until then is on disk when this returns.
async fn serve_and_close(hub: Arc<Hub>, listener: TcpListener, service: Service) {
    listen::serve(listener, service).await;
    hub.exchange.close().await;
}

fn local(listener: &TcpListener, asked: SocketAddr) -> Result<SocketAddr, HubError> {
    listener.local_addr().map_err(|source| HubError::Listen {
        address: asked,
        source,
    })
}

/// The first configured name with the port that is listened on.
fn authority(config: &Config, tls_addr: SocketAddr) -> String {
    let name = config.names.first().map_or("localhost", String::as_str);
    let port = tls_addr.port();
    if name.contains(':') {
        format!("[{name}]:{port}")
    } else {
        format!("{name}:{port}")
    }
}
