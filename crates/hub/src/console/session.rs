//! Who may look at the console: whoever opens a one-time link, then the cookie it set.

use crate::error::HubError;
use crate::secrets;
use crate::tls::peer::hex;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Browsers that are let in at the same time; the oldest goes when one more comes.
const SESSIONS_MAX: usize = 32;
/// A session that is not used for this long ends.
const SESSION_IDLE: Duration = Duration::from_secs(7 * 24 * 3600);

/// The one-time link that is open now, and the sessions that came of earlier ones.
#[derive(Debug)]
pub(crate) struct Sessions {
    /// Where the present link is written, readable by the hub's user alone.
    link_file: PathBuf,
    base: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    key: String,
    sessions: VecDeque<Session>,
}

#[derive(Debug)]
struct Session {
    cookie: String,
    used: Instant,
}

impl Sessions {
    /// `base` is the console's address, as `http://127.0.0.1:8080`.
    pub(crate) fn new(base: String, link_file: PathBuf) -> Result<Self, HubError> {
        let state = State {
            key: token()?,
            sessions: VecDeque::new(),
        };
        let made = Self {
            link_file,
            base,
            state: Mutex::new(state),
        };
        made.write_link()?;
        Ok(made)
    }

    /// The link that opens the console once.
    pub(crate) fn link(&self) -> String {
        format!("{}/open?key={}", self.base, self.lock().key)
    }

    /// Uses up the one-time link: the cookie of a new session, if the key is the present one.
    pub(crate) fn open(&self, key: &str) -> Result<Option<String>, HubError> {
        let (cookie, next) = (token()?, token()?);
        let mut state = self.lock();
        if verify_slices_are_equal(state.key.as_bytes(), key.as_bytes()).is_err() {
            return Ok(None);
        }
        state.key = next;
        if state.sessions.len() >= SESSIONS_MAX {
            state.sessions.pop_front();
        }
        state.sessions.push_back(Session {
            cookie: cookie.clone(),
            used: Instant::now(),
        });
        drop(state);
        self.write_link()?;
        Ok(Some(cookie))
    }

    /// Whether a cookie belongs to a session; using it keeps it alive.
    pub(crate) fn knows(&self, cookie: &str) -> bool {
        let mut state = self.lock();
        state
            .sessions
            .retain(|session| session.used.elapsed() < SESSION_IDLE);
        let found = state.sessions.iter_mut().find(|session| {
            verify_slices_are_equal(session.cookie.as_bytes(), cookie.as_bytes()).is_ok()
        });
        found.is_some_and(|session| {
            session.used = Instant::now();
            true
        })
    }

    fn write_link(&self) -> Result<(), HubError> {
        secrets::replace(&self.link_file, format!("{}\n", self.link()).as_bytes())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn token() -> Result<String, HubError> {
    Ok(hex(&secrets::random::<32>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(link: &str) -> &str {
        link.split_once("key=").unwrap().1.trim()
    }

    #[test]
    fn a_link_opens_once_and_its_cookie_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("console.link");
        let sessions = Sessions::new("http://127.0.0.1:1".to_owned(), file.clone()).unwrap();
        let link = sessions.link();
        let cookie = sessions
            .open(key_of(&link))
            .unwrap()
            .expect("the first use opens");
        assert!(sessions.knows(&cookie));
        assert!(
            sessions.open(key_of(&link)).unwrap().is_none(),
            "the second use does not"
        );
        assert!(!sessions.knows("guess"));
        let written = std::fs::read_to_string(file).unwrap();
        assert_eq!(
            key_of(&written),
            key_of(&sessions.link()),
            "the file holds the next link"
        );
        assert_ne!(key_of(&written), key_of(&link));
    }

    #[test]
    fn sessions_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let sessions =
            Sessions::new("http://127.0.0.1:1".to_owned(), folder.path().join("link")).unwrap();
        let open = || sessions.open(key_of(&sessions.link())).unwrap().unwrap();
        let first = open();
        let later: Vec<String> = (0..SESSIONS_MAX).map(|_| open()).collect();
        assert!(!sessions.knows(&first));
        assert!(later.iter().all(|cookie| sessions.knows(cookie)));
    }
}
