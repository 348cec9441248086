//! What tests of rules over made conversations share.

use detect::rules::dataset::Datasets;
use detect::rules::state::Names;
use detect::rules::{Classes, Compiler, Inspector, Vars};
use packet::{Frame, LinkType, Way};
use testkit::conversation::Conversation;

/// A compiler with some rules, none of which is refused.
pub(crate) fn compile<'n>(text: &str, names: &'n mut Names) -> Compiler<'n> {
    let none: &'static (dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync) = &|_| None;
    let (vars, sets) = (Vars::usual(), Datasets::default());
    let mut compiler = Compiler::new(vars, Classes::default(), names, sets, none);
    compiler.file("test", text);
    let wrong = compiler.diagnostics();
    assert!(wrong.is_empty(), "{wrong:?}");
    compiler
}

/// The numbers of the rules that alert now.
pub(crate) fn sids(inspector: &mut Inspector) -> impl Iterator<Item = u32> {
    let alerts = inspector.alerts();
    alerts.filter_map(|alert| Some(alert.rule()?.id.sid))
}

pub(crate) fn frame(ts_ns: u64, data: &[u8]) -> Frame<'_> {
    Frame {
        ts_ns,
        link: LinkType::Ethernet,
        data,
        wire_len: u32::try_from(data.len()).unwrap_or(u32::MAX),
        way: Way::Unknown,
    }
}

/// A request and its response.
pub(crate) fn http() -> Conversation {
    let request: &[u8] =
        b"GET /index.html?x=1 HTTP/1.1\r\nHost: www.example\r\nUser-Agent: test\r\n\r\n";
    let response: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\nthe response is this body";
    Conversation::read(&[chunk(0, request), chunk(1, response)].concat())
}

/// What one side says, as [`Conversation::read`] reads it.
pub(crate) fn chunk(direction: u8, data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[direction][..], &len, data].concat()
}
