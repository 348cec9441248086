//! Rules against traffic, both from one input: the text of rules, a zero byte, a conversation as
//! [`testkit::conversation`] reads it. A fuzzer and a test look at it.

use std::sync::Arc;

use detect::rules::dataset::{Datasets, Limits};
use detect::rules::state::{Names, Reputations};
use detect::rules::{
    Classes, Compiler, EVENT_BYTES_MAX, Inspector, Options, RuleSet, SEARCHED_BYTES_MAX, Vars,
};
use packet::{Config, Frame, LinkType, Sensor, Way};
use testkit::capture::Frames;
use testkit::conversation::{Conversation, Plan};

/// Longest text of rules.
const TEXT_BYTES_MAX: usize = 16 << 10;
/// Most rules that are judged.
const RULES_MAX: usize = 64;

/// What came of an input.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) compiled: usize,
    pub(crate) refused: usize,
    pub(crate) alerts: u64,
}

pub(crate) fn run(data: &[u8]) -> Judged {
    let end = data.iter().position(|byte| *byte == 0);
    let (text, talk) = data.split_at(end.unwrap_or(data.len()));
    let text = text.get(..TEXT_BYTES_MAX).unwrap_or(text);
    let text = String::from_utf8_lossy(text);
    let talk = Conversation::read(talk.get(1..).unwrap_or_default());
    let (rules, mut judged) = compiled(&text);
    if rules.len() > RULES_MAX {
        return judged;
    }
    // the length chooses how the bytes come
    let is_inline = data.len() % 2 == 1;
    let plan = Plan {
        segment_bytes_max: if data.len() % 4 < 2 { 1400 } else { 48 },
        ..Plan::WHOLE
    };
    let in_stream = look(&rules, is_inline, &talk.tcp(80, plan));
    let in_datagrams = look(&rules, is_inline, &talk.udp(53));
    judged.alerts = in_stream.saturating_add(in_datagrams);
    judged
}

fn compiled(text: &str) -> (Arc<RuleSet>, Judged) {
    let mut names = Names::default();
    // every file is there: a value, an object, and what is neither
    let file = |_: &str| Some(b"d3d3LmV4YW1wbGU=,5\n{\"a\": \"www.example\"}\n".to_vec());
    let limits = Limits {
        memcap: 64 << 10,
        ..Limits::default()
    };
    let mut reputations = Reputations::default();
    reputations.read_categories("1,Bad,of ill fame\n");
    reputations.read_scores("0.0.0.0/1,1,50\n");
    let mut compiler = Compiler::new(
        Vars::usual(),
        Classes::default(),
        &mut names,
        Datasets::new(limits),
        &file,
    )
    .with_reputations(reputations);
    compiler.file("fuzz.rules", text);
    for diagnostic in compiler.diagnostics() {
        let shown = diagnostic.to_string();
        assert!(shown.len() < 4096, "{shown}");
        assert!(!diagnostic.problem.message.is_empty());
    }
    let judged = Judged {
        compiled: compiler.compiled(),
        refused: compiler.diagnostics().len(),
        alerts: 0,
    };
    (Arc::new(compiler.finish()), judged)
}

fn look(rules: &Arc<RuleSet>, inline: bool, frames: &Frames) -> u64 {
    let mut sensor = Sensor::new(Config {
        inspect: true,
        inline,
        ..Config::default()
    });
    let options = Options {
        inline,
        stream_bytes_min: if inline { 0 } else { 2560 },
        guesses: true,
        ..Options::default()
    };
    let mut inspector = Inspector::new(options, Arc::clone(rules));
    let (mut events, mut alerts) = (0_u64, 0_u64);
    for (ts_ns, data) in frames.iter() {
        let frame = Frame {
            ts_ns,
            link: LinkType::Ethernet,
            data,
            wire_len: u32::try_from(data.len()).unwrap_or(u32::MAX),
            way: Way::Unknown,
        };
        sensor.packet(&frame, &mut |event| {
            events = events.saturating_add(1);
            inspector.event(&event, ts_ns);
            alerts = alerts.saturating_add(inspector.alerts().count() as u64);
        });
    }
    sensor.finish(&mut |event| {
        events = events.saturating_add(1);
        inspector.event(&event, 0);
        alerts = alerts.saturating_add(inspector.alerts().count() as u64);
    });
    let counters = inspector.counters();
    // what ends at a bound is spent and no more
    let of_walks = counters.walks.saturating_mul(SEARCHED_BYTES_MAX as u64);
    let of_events = events.saturating_mul(EVENT_BYTES_MAX as u64);
    assert!(
        counters.searched_bytes <= of_walks.min(of_events),
        "{counters:?}"
    );
    assert!(
        alerts <= events.saturating_mul(64),
        "{alerts} alerts of {events} events"
    );
    alerts
}
