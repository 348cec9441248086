//! The accept loop: one task per connection, bounded in number, in handshake time and in
//! header time; HTTP/1.1 and HTTP/2 by ALPN, or plain HTTP/1.1 for the console.

use super::patient::Patient;
use super::peer::PeerCertificate;
use crate::config::Limits;
use crate::counters::Counters;
use crate::error::HubError;
use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// Connections that may wait to be accepted: a community that reconnects at once must not see
/// its SYNs dropped. The kernel caps it at net.core.somaxconn.
const BACKLOG: u32 = 8192;
/// Streams that one HTTP/2 connection may have open.
const STREAMS_MAX: u32 = 256;
/// Header bytes of one HTTP/2 request.
const HEADER_BYTES_MAX: u32 = 32 * 1024;
/// Bytes that wait in a connection or stream for a slow reader; beyond it nothing more is made.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// How long the loop pauses when the system has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long open connections get to finish at shutdown.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// What a listener needs besides its socket.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) router: Router,
    /// `None`: plain HTTP.
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) limits: Limits,
    pub(crate) counters: Arc<Counters>,
    pub(crate) shutdown: CancellationToken,
}

/// Opens a listening socket.
pub(crate) fn bind(address: SocketAddr) -> Result<TcpListener, HubError> {
    let open = || {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()
        } else {
            TcpSocket::new_v6()
        }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    open().map_err(|source| HubError::Listen { address, source })
}

/// Accepts until shutdown, then lets open connections finish.
pub(crate) async fn serve(listener: TcpListener, service: Service) {
    let slots = Arc::new(Semaphore::new(service.limits.connections_max));
    let tracker = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = service.shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => admit(stream, &slots, &tracker, &service),
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    tracker.close();
    if timeout(DRAIN_TIMEOUT, tracker.wait()).await.is_err() {
        tracing::info!(left = tracker.len(), "connections cut at shutdown");
    }
}

/// At the bound a connection is closed at once, which clients see and retry, instead of left
/// waiting.
fn admit(stream: TcpStream, slots: &Arc<Semaphore>, tracker: &TaskTracker, service: &Service) {
    let Ok(slot) = Arc::clone(slots).try_acquire_owned() else {
        service.counters.connections_refused.fetch_add(1, Relaxed);
        return;
    };
    tracker.spawn(connection(stream, slot, service.clone()));
}

async fn connection(stream: TcpStream, slot: OwnedSemaphorePermit, service: Service) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    match &service.tls {
        None => exchange(stream, None, &service).await,
        Some(acceptor) => match timeout(handshake_timeout(&service), acceptor.accept(stream)).await
        {
            Ok(Ok(stream)) => {
                let peer = stream.get_ref().1.peer_certificates();
                let peer = peer
                    .and_then(<[_]>::first)
                    .and_then(|der| PeerCertificate::read(der));
                exchange(stream, peer, &service).await;
            }
            Ok(Err(error)) => refused_handshake(&service, &error.to_string()),
            Err(_) => refused_handshake(&service, "too slow"),
        },
    }
    drop(slot);
}

fn handshake_timeout(service: &Service) -> Duration {
    Duration::from_millis(service.limits.handshake_ms_max)
}

fn refused_handshake(service: &Service, why: &str) {
    service.counters.handshakes_failed.fetch_add(1, Relaxed);
    tracing::debug!(why, "handshake failed");
}

async fn exchange<S>(stream: S, peer: Option<PeerCertificate>, service: &Service)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = service.router.clone();
    let handler = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        if let Some(peer) = &peer {
            request.extensions_mut().insert(peer.clone());
        }
        router.clone().oneshot(request)
    });
    let builder = http(&service.limits);
    let stream = Patient::new(stream, Arc::clone(&service.counters));
    let served = builder.serve_connection(TokioIo::new(stream), handler);
    tokio::pin!(served);
    let outcome = tokio::select! {
        outcome = &mut served => outcome,
        () = service.shutdown.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = outcome {
        tracing::trace!(%error, "connection ended");
    }
}

fn http(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .max_buf_size(BUFFER_BYTES_MAX)
        .header_read_timeout(Duration::from_millis(limits.header_ms_max));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX)
        .max_send_buf_size(BUFFER_BYTES_MAX)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}
