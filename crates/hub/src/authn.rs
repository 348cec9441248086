//! Who is asking: the partner of a certificate, or of an API token.
//!
//! Both are looked up in the store on each request, so a revocation holds from the next request
//! on, whatever connection it comes over.

use crate::app::Hub;
use crate::clock;
use crate::quota::Kind;
use crate::reply::Problem;
use crate::tls::peer::PeerCertificate;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use exchange::Registry as _;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;
use taxii::enrol::token_bytes;

/// The partner that a request comes from.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) partner: Arc<str>,
    pub(crate) credential: Credential,
}

/// How the partner showed who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A certificate of the hub's authority.
    Certificate(PeerCertificate),
    /// An API token.
    Token([u8; 32]),
}

impl FromRequestParts<Arc<Hub>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, hub: &Arc<Hub>) -> Result<Self, Problem> {
        let peer = parts.extensions.get::<PeerCertificate>();
        let caller = match Shown::read(peer, &parts.headers) {
            Some(shown) => hub.identify(&shown).await?,
            None => None,
        };
        let caller = caller.ok_or_else(|| {
            hub.counters.unauthenticated.fetch_add(1, Relaxed);
            Problem::unauthenticated()
        })?;
        hub.within(&caller, Kind::Requests, 1)?;
        parts.extensions.insert(caller.clone());
        Ok(caller)
    }
}

/// What a request shows, before anyone has looked it up.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shown {
    credential: Credential,
    /// The name in an `Authorization: Basic`, which must be the token's partner.
    claimed: Option<String>,
}

impl Shown {
    /// A certificate decides alone: a revoked one is not made good by a token beside it.
    fn read(peer: Option<&PeerCertificate>, headers: &HeaderMap) -> Option<Self> {
        if let Some(peer) = peer {
            let credential = Credential::Certificate(peer.clone());
            return Some(Self {
                credential,
                claimed: None,
            });
        }
        let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, rest) = value.trim().split_once(' ')?;
        let (claimed, token) = match scheme.to_ascii_lowercase().as_str() {
            "bearer" | "token" => (None, token_bytes(rest)?),
            "basic" => {
                let bytes = BASE64.decode(rest.trim()).ok()?;
                let (name, token) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
                (Some(name.to_owned()), token_bytes(token)?)
            }
            _ => return None,
        };
        Some(Self {
            credential: Credential::Token(token),
            claimed,
        })
    }
}

impl Hub {
    /// Takes from a partner's quota.
    pub(crate) fn within(&self, caller: &Caller, kind: Kind, amount: usize) -> Result<(), Problem> {
        let taken = self
            .quotas
            .take(&caller.partner, kind, amount, Instant::now());
        taken.map_err(|wait| {
            self.counters.quota_refused.fetch_add(1, Relaxed);
            let what = match kind {
                Kind::Requests => "requests",
                Kind::Objects => "objects",
                Kind::Bytes => "bytes",
            };
            let seconds = wait.as_secs_f64().ceil();
            let mend = format!("your quota of {what} is used up; go on in {seconds} s");
            Problem::wait(wait, mend)
        })
    }

    async fn identify(&self, shown: &Shown) -> Result<Option<Caller>, Problem> {
        let found = self.partner_of(&shown.credential).await?;
        let named = |partner: &Arc<str>| {
            shown
                .claimed
                .as_deref()
                .is_none_or(|claimed| claimed == partner.as_ref())
        };
        let credential = shown.credential.clone();
        Ok(found.filter(named).map(|partner| Caller {
            partner,
            credential,
        }))
    }

    /// The partner a credential belongs to now; `None` once it is revoked.
    pub(crate) async fn partner_of(
        &self,
        credential: &Credential,
    ) -> Result<Option<Arc<str>>, Problem> {
        let (store, now) = (self.exchange.store(), clock::now());
        let found = match credential {
            Credential::Certificate(peer) => store.partner_by_certificate(&peer.serial, now).await,
            Credential::Token(token) => store.partner_by_token(token, now).await,
        };
        found
            .map(|found| found.map(|partner| partner.name))
            .map_err(|error| Problem::store(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use taxii::enrol::token_text;

    fn shown(value: &str) -> Option<Shown> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        Shown::read(None, &headers)
    }

    #[test]
    fn tokens_come_in_three_ways() {
        let text = token_text(&[7; 32]);
        let token = Credential::Token([7; 32]);
        let anonymous = Some(Shown {
            credential: token.clone(),
            claimed: None,
        });
        assert_eq!(shown(&format!("Bearer {text}")), anonymous);
        assert_eq!(shown(&format!("Token {text}")), anonymous);
        let basic = format!("Basic {}", BASE64.encode(format!("agency-a:{text}")));
        let named = Shown {
            credential: token,
            claimed: Some("agency-a".to_owned()),
        };
        assert_eq!(shown(&basic), Some(named));
    }

    #[test]
    fn anything_else_is_nobody() {
        for value in [
            "",
            "Bearer",
            "Bearer x",
            "Basic !!!",
            "Negotiate abc",
            "Basic YWJj",
        ] {
            assert_eq!(shown(value), None, "{value:?}");
        }
        assert_eq!(Shown::read(None, &HeaderMap::new()), None);
    }

    #[test]
    fn a_certificate_decides_alone() {
        let peer = PeerCertificate {
            serial: [0x41].into(),
        };
        let mut headers = HeaderMap::new();
        let token = format!("Bearer {}", token_text(&[7; 32]));
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&token).unwrap());
        let read = Shown::read(Some(&peer), &headers).unwrap();
        assert_eq!(read.credential, Credential::Certificate(peer));
    }
}
