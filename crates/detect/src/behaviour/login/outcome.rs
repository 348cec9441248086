//! What a transaction says of a login: whether it failed, of whom, with what.

use packet::applayer::{ftp, krb5, ldap, mqtt, pgsql, pop3, rfb, smb};
use packet::{Transaction, http1};

/// A login that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) outcome: Outcome,
    /// Whose account, as far as it was said.
    pub(super) account: Option<Vec<u8>>,
    /// What was tried, where it can be read: the same again tells nothing new.
    pub(super) secret: Option<Vec<u8>>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The server said no.
    Refused,
    /// The server said yes.
    Accepted,
    /// An encrypted session that ended as if it was refused.
    Short,
    /// One that went on.
    Long,
}

/// Names what a transaction tells.
type Reader = fn(&dyn Transaction) -> Option<Told>;

/// What a transaction tells of logins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The account of the login that comes later in the flow.
    Account(Vec<u8>),
    /// A login.
    Login(Login),
}

/// One line per protocol. Of SSH and RDP there are only sessions.
const READERS: [Reader; 8] = [
    of_ftp,
    of_http,
    of_krb5,
    of_ldap,
    of_mqtt,
    of_pgsql,
    of_pop3,
    of_smb_or_rfb,
];

/// What a transaction tells, if anything.
pub(super) fn told(transaction: &dyn Transaction) -> Option<Told> {
    READERS.iter().find_map(|reader| reader(transaction))
}

fn login(failed: bool, account: Option<&[u8]>, secret: Option<&[u8]>) -> Option<Told> {
    let outcome = if failed {
        Outcome::Refused
    } else {
        Outcome::Accepted
    };
    let (account, secret) = (account.map(<[u8]>::to_vec), secret.map(<[u8]>::to_vec));
    Some(Told::Login(Login {
        outcome,
        account,
        secret,
    }))
}

/// 230 and 530 to PASS (RFC 959 section 5.4).
fn of_ftp(transaction: &dyn Transaction) -> Option<Told> {
    let exchange = transaction.downcast_ref::<ftp::Exchange>()?;
    let code = exchange.completion_codes.last();
    match (exchange.command?, code) {
        ("USER", _) => Some(Told::Account(exchange.command_data.clone())),
        ("PASS", Some(b"230")) => login(false, None, Some(&exchange.command_data)),
        ("PASS", Some(b"530")) => login(true, None, Some(&exchange.command_data)),
        _ => None,
    }
}

/// Words in paths that logins are sent to.
const LOGIN_PATHS: [&[u8]; 7] = [
    b"login",
    b"signin",
    b"sign-in",
    b"logon",
    b"auth",
    b"session",
    b"xmlrpc.php",
];
/// Names of fields that hold passwords.
const PASSWORD_FIELDS: [&[u8]; 5] = [b"password", b"passwd", b"pwd", b"pass=", b"<methodname>wp."];

/// 401 to credentials (RFC 9110 section 11), and what answers a form with a password: a refusal, the
/// form again, or a redirect to what is behind it.
fn of_http(transaction: &dyn Transaction) -> Option<Told> {
    let http = transaction.downcast_ref::<http1::Transaction>()?;
    let status = http
        .status
        .filter(|_| http.phase == http1::Phase::Complete)?;
    if let Some(credentials) = http.header(b"authorization") {
        return match status {
            401 => login(true, None, Some(credentials)),
            200..=399 => login(false, None, Some(credentials)),
            _ => None,
        };
    }
    let has = |text: &[u8], words: &[&[u8]]| {
        let text = text.to_ascii_lowercase();
        words
            .iter()
            .any(|word| memchr::memmem::find(&text, word).is_some())
    };
    let body = http.request_body();
    if http.method() != b"POST" || !has(http.path(), &LOGIN_PATHS) || !has(body, &PASSWORD_FIELDS) {
        return None;
    }
    let is_form = !body.trim_ascii_start().starts_with(b"{");
    match status {
        400 | 401 | 403 | 422 | 429 => login(true, None, Some(body)),
        200 if is_form => login(true, None, Some(body)),
        200 | 201 | 204 | 300..=399 => login(false, None, Some(body)),
        _ => None,
    }
}

/// Errors to a request for a first ticket (RFC 4120 section 7.5.9): 6 no such client, 18 locked,
/// 24 wrong password.
fn of_krb5(transaction: &dyn Transaction) -> Option<Told> {
    let message = transaction.downcast_ref::<krb5::Krb5>()?;
    let account = message.cname.as_deref();
    match (message.kind, message.error) {
        (krb5::MessageType::Error, Some(krb5::ErrorCode(6 | 18 | 24))) => {
            login(true, account, None)
        }
        (krb5::MessageType::AsRep, _) => login(false, account, None),
        _ => None,
    }
}

/// Result codes of a bind (RFC 4511 appendix A): 49 wrong credentials.
fn of_ldap(transaction: &dyn Transaction) -> Option<Told> {
    let exchange = transaction.downcast_ref::<ldap::Ldap>()?;
    let request = exchange.request.as_ref().map(|message| &message.operation);
    let Some(ldap::Operation::Bind { name, .. }) = request else {
        return None;
    };
    let code = exchange.responses.iter().find_map(|message| {
        let ldap::Operation::BindResponse(outcome, _) = &message.operation else {
            return None;
        };
        Some(outcome.code)
    });
    match code? {
        0 if name.is_empty() => None,
        0 => login(false, Some(name), None),
        49 => login(true, Some(name), None),
        _ => None,
    }
}

/// Return codes of CONNACK: 4 and 5 before version 5, 134 and 135 in it.
fn of_mqtt(transaction: &dyn Transaction) -> Option<Told> {
    let exchange = transaction.downcast_ref::<mqtt::Exchange>()?;
    let connect = exchange.packets.iter().find_map(|packet| {
        let mqtt::Body::Connect(connect) = &packet.body else {
            return None;
        };
        Some(connect)
    })?;
    let code = exchange.packets.iter().find_map(|packet| {
        let mqtt::Body::Connack { return_code, .. } = &packet.body else {
            return None;
        };
        Some(*return_code)
    })?;
    connect.username.as_ref()?;
    let (account, secret) = (connect.username.as_deref(), connect.password.as_deref());
    match code {
        0 => login(false, account, secret),
        4 | 5 | 134 | 135 => login(true, account, secret),
        _ => None,
    }
}

/// SQLSTATE 28P01 and 28000 to a password; AuthenticationOk (0).
fn of_pgsql(transaction: &dyn Transaction) -> Option<Told> {
    let exchange = transaction.downcast_ref::<pgsql::Exchange>()?;
    let (pgsql::Request::Password(secret) | pgsql::Request::SaslResponse(secret)) =
        exchange.request.as_ref()?
    else {
        return None;
    };
    let state = exchange
        .response
        .error
        .iter()
        .find(|(letter, _)| *letter == b'C');
    let is_over = exchange
        .response
        .authentication
        .iter()
        .any(|(code, _)| *code == 0);
    match state.map(|(_, state)| state.as_slice()) {
        Some(b"28P01" | b"28000") => login(true, None, Some(secret)),
        None if is_over => login(false, None, Some(secret)),
        _ => None,
    }
}

/// The answer to PASS (RFC 1939 section 7).
fn of_pop3(transaction: &dyn Transaction) -> Option<Told> {
    let exchange = transaction.downcast_ref::<pop3::Exchange>()?;
    let request = exchange.request.as_ref()?;
    let word = request.args.first().cloned().unwrap_or_default();
    if request.command.eq_ignore_ascii_case(b"USER") {
        return Some(Told::Account(word));
    }
    let is_password = request.command.eq_ignore_ascii_case(b"PASS");
    let response = exchange.response.as_ref().filter(|_| is_password)?;
    login(!response.is_success, None, Some(&word))
}

/// Statuses of a session set-up ([MS-ERREF] 2.3.1), and the end of VNC's authentication.
fn of_smb_or_rfb(transaction: &dyn Transaction) -> Option<Told> {
    if let Some(session) = transaction.downcast_ref::<rfb::Session>() {
        let result = session
            .security_result
            .filter(|_| session.challenge.is_some())?;
        return login(result != 0, None, None);
    }
    let smb = transaction.downcast_ref::<smb::Smb>()?;
    let smb::Detail::SessionSetup(setup) = &smb.detail else {
        return None;
    };
    let user = setup.ntlm.as_ref().map(|ntlm| ntlm.user.as_bytes());
    let user = user.filter(|user| !user.is_empty());
    match smb.status? {
        // no such user, wrong password, logon failure, locked, disabled
        smb::Status::Nt(0xc000_0064 | 0xc000_006a | 0xc000_006d | 0xc000_0234 | 0xc000_0072) => {
            login(true, user, None)
        }
        smb::Status::Nt(0) if user.is_some() => login(false, user, None),
        smb::Status::Nt(_) | smb::Status::Dos(..) => None,
    }
}
