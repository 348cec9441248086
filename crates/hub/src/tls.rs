//! TLS: the hub's certificate authority, its server identity, and the accept loop.

pub(crate) mod authority;
pub(crate) mod listen;
mod patient;
pub(crate) mod peer;

use crate::error::HubError;
use authority::{Authority, ServerIdentity};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;

/// The one crypto provider of the process, named and never taken from a process-wide default.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The server's side of TLS: client certificates are asked for and optional; one that is shown
/// must come from the hub's own authority.
pub(crate) fn server_config(
    authority: &Authority,
    identity: ServerIdentity,
) -> Result<Arc<ServerConfig>, HubError> {
    let mut roots = RootCertStore::empty();
    roots
        .add(authority.certificate().clone())
        .map_err(unusable)?;
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .allow_unauthenticated()
        .build()
        .map_err(unusable)?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_client_cert_verifier(clients)
        .with_single_cert(identity.chain, identity.key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

pub(crate) fn unusable(error: impl std::fmt::Display) -> HubError {
    HubError::Authority(error.to_string())
}
