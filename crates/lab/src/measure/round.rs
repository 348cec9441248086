//! One round: probe B, attack A, wait for B's shield to drop, revoke, wait for B's server to be
//! reached again.
//!
//! All times are of `CLOCK_MONOTONIC` on one machine: the shields' journals, the kernel's first
//! drop and the sink's log are comparable to the microsecond.

use std::{
    io::Write as _,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{PROBE_PER_S, PROBE_PER_S_MIN};
use crate::{
    attack::{self, ATTACK_MAX, Trigger},
    guard,
    journal::Tail,
    node::{Arrival, Carrier, Change, Sent, mono_ns},
    process::{run as run_to_end, until, wait},
    state::Lab,
    topology::{Attacker, Partner, Place},
    up::{CALL_MAX, SINK_PORT, WEB_PORT, sink_log},
};

/// How long each step after the verdict may take.
const STEP_MAX: Duration = Duration::from_secs(10);
/// How long the probe runs before the attack.
const WARM_UP: Duration = Duration::from_millis(300);

/// What one round measured; times in milliseconds.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Round {
    /// From 1.
    pub number: u32,
    /// How the attacker looks outside.
    pub attacker: Attacker,
    /// What gave it away.
    pub trigger: Trigger,
    /// Why the round failed, when it did.
    pub failure: Option<String>,
    /// Datagrams a second that the probe kept.
    pub probe_per_s: f64,
    /// The evidence of A's verdict.
    pub evidence: Option<String>,
    /// The action of B's lease.
    pub action: Option<String>,
    /// First packet of the completing action to A's verdict.
    pub detect_ms: Option<f64>,
    /// A's verdict to the frame at B.
    pub share_ms: Option<f64>,
    /// Frame at B to the first packet that the lease matched there.
    pub hit_ms: Option<f64>,
    /// Frame at B to the first packet dropped there.
    pub enforce_ms: Option<f64>,
    /// A's verdict to the first packet dropped at B.
    pub shield_ms: Option<f64>,
    /// Revocation sent by A to acknowledged by the hub: one call of the command line.
    pub revoke_call_ms: Option<f64>,
    /// Revocation's frame at B to B's server reached again.
    pub lift_ms: Option<f64>,
    /// Start of the revoking call to B's server reached again.
    pub restore_ms: Option<f64>,
}

/// Runs a round; what goes wrong is in it.
pub(crate) fn run(lab: &Lab, number: u32, attacker: Attacker, trigger: Trigger) -> Round {
    let mut round = Round::new(number, attacker, trigger);
    if let Err(error) = attempt(lab, &mut round) {
        round.failure = Some(format!("{error:#}"));
    }
    round
}

impl Round {
    pub(crate) fn new(number: u32, attacker: Attacker, trigger: Trigger) -> Self {
        Self {
            number,
            attacker,
            trigger,
            failure: None,
            probe_per_s: 0.0,
            evidence: None,
            action: None,
            detect_ms: None,
            share_ms: None,
            hit_ms: None,
            enforce_ms: None,
            shield_ms: None,
            revoke_call_ms: None,
            lift_ms: None,
            restore_ms: None,
        }
    }
}

fn attempt(lab: &Lab, round: &mut Round) -> anyhow::Result<()> {
    let mut watch = Watch::new(lab);
    let probe = Probe::start(lab, round.attacker, round.trigger)?;
    watch.sink_until("the probe's first datagram", |arrival| {
        arrival.stream == probe.stream && arrival.what == Change::Started
    })?;
    thread::sleep(WARM_UP);
    let shielded = shield(lab, round, &mut watch);
    // Whatever happened, the next round must not find this round's leases.
    let restored = match watch.object.clone() {
        Some(object) => restore(lab, round, &mut watch, &probe, &object),
        None => Ok(()),
    };
    let sent = probe.stop()?;
    round.probe_per_s = sent.per_s;
    shielded?;
    restored?;
    if sent.per_s < PROBE_PER_S_MIN {
        bail!(
            "the probe kept {:.0} packets/s, less than {PROBE_PER_S_MIN}",
            sent.per_s
        );
    }
    Ok(())
}

/// Attack until B drops.
fn shield(lab: &Lab, round: &mut Round, watch: &mut Watch) -> anyhow::Result<()> {
    let attack = attack::start(lab, round.attacker, round.trigger)?;
    let offender = round.attacker.seen_as().to_string();
    let verdict = watch.until(Partner::A, "A's verdict", ATTACK_MAX, |event| {
        let proven = event
            .text("evidence")
            .is_some_and(|evidence| evidence != "unproven");
        event.is("verdict") && event.text("offender") == Some(&offender) && proven
    })?;
    let object = verdict
        .text("object")
        .context("A's verdict names no object to share")?
        .to_owned();
    round.evidence = verdict.text("evidence").map(str::to_owned);
    round.detect_ms = verdict.number("detect_us").map(|us| us / 1000.0);
    watch.object = Some(object.clone());
    let frame = watch.until(Partner::B, "the frame at B", STEP_MAX, |event| {
        event.is("frame") && event.mentions(&object)
    })?;
    round.share_ms = Some(ms(verdict.ns("mono_ns")?, frame.ns("mono_ns")?));
    let dropped = watch.until(Partner::B, "the first drop at B", STEP_MAX, |event| {
        if event.is("lease") && event.mentions(&object) {
            round.action = event.0.get("action").map(action_name);
        }
        event.is("first-hit") && event.mentions(&object) && event.ns("first_drop_ns").is_ok()
    })?;
    drop(attack);
    let (frame_ns, drop_ns) = (frame.ns("mono_ns")?, dropped.ns("first_drop_ns")?);
    round.hit_ms = dropped
        .ns("first_hit_ns")
        .ok()
        .map(|hit_ns| ms(frame_ns, hit_ns));
    round.enforce_ms = Some(ms(frame_ns, drop_ns));
    round.shield_ms = Some(ms(verdict.ns("mono_ns")?, drop_ns));
    Ok(())
}

/// Revoke until the probe arrives again.
fn restore(
    lab: &Lab,
    round: &mut Round,
    watch: &mut Watch,
    probe: &Probe,
    object: &str,
) -> anyhow::Result<()> {
    let started_ns = mono_ns();
    revoke(lab, object)?;
    round.revoke_call_ms = Some(ms(started_ns, mono_ns()));
    let revoked = watch.until(Partner::B, "the revocation at B", STEP_MAX, |event| {
        event.is("revoked") && event.mentions(object)
    })?;
    let frame_ns = revoked.ns("frame_ns")?;
    let clear = watch.sink_until("the probe to arrive again", |arrival| {
        let after = arrival.mono_ns > frame_ns;
        arrival.stream == probe.stream && arrival.what == Change::Clear && after
    })?;
    round.lift_ms = Some(ms(frame_ns, clear.mono_ns));
    round.restore_ms = Some(ms(started_ns, clear.mono_ns));
    watch.until(Partner::A, "the revocation at A", STEP_MAX, |event| {
        event.is("revoked") && event.mentions(object)
    })?;
    Ok(())
}

/// Has A take back what it shared.
pub(crate) fn revoke(lab: &Lab, object: &str) -> anyhow::Result<()> {
    let identity = lab.identity(Partner::A.name()).display().to_string();
    let place = Place::Gateway(Partner::A);
    let mut command = lab.command(place, &["share", "--revoke", object]);
    command.args(["--hub", &Lab::hub_url(), "--identity", &identity]);
    run_to_end(&mut command, CALL_MAX)?
        .text()
        .context("revoking")
        .map(drop)
}

/// The prober, in the attacker's namespace.
#[derive(Debug)]
struct Probe {
    stream: u64,
    child: Child,
}

impl Probe {
    fn start(lab: &Lab, attacker: Attacker, trigger: Trigger) -> anyhow::Result<Self> {
        let target = Partner::B.server_like(attacker.seen_as());
        guard::address_of_a_lab(target)?;
        let (carrier, port) = carrier_of(trigger);
        let to = std::net::SocketAddr::new(target, port);
        let stream = mono_ns();
        let mut command = lab.node(Place::Attacker(attacker), "prober");
        command.args(["--to", &to.to_string(), "--rate", &PROBE_PER_S.to_string()]);
        command.args(["--stream", &stream.to_string(), "--lifetime-s", "120"]);
        command.args(["--carrier", carrier.name()]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let child = command.spawn().context("starting the prober")?;
        Ok(Self { stream, child })
    }

    /// Ends it by closing its input.
    fn stop(mut self) -> anyhow::Result<Sent> {
        if let Some(mut input) = self.child.stdin.take() {
            input.flush().ok();
        }
        wait(&mut self.child, CALL_MAX).context("the prober")?;
        let output = self.child.stdout.take().context("the prober's output")?;
        serde_json::from_reader(output).context("the prober's last line")
    }
}

/// What a lease that follows from the trigger matches: a scanner is cut off from everything, who
/// asked for a listed URL from web servers.
fn carrier_of(trigger: Trigger) -> (Carrier, u16) {
    match trigger {
        Trigger::Scan => (Carrier::Udp, SINK_PORT),
        Trigger::Url => (Carrier::Tcp, WEB_PORT),
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The journals of both shields and the sink's log, from the round's start.
#[derive(Debug)]
struct Watch {
    a: Stream<Event>,
    b: Stream<Event>,
    sink: Stream<Arrival>,
    /// What A shared in this round.
    object: Option<String>,
}

impl Watch {
    fn new(lab: &Lab) -> Self {
        Self {
            a: Stream::new(Tail::from_end(lab.journal(Partner::A))),
            b: Stream::new(Tail::from_end(lab.journal(Partner::B))),
            sink: Stream::new(Tail::from_end(sink_log(lab))),
            object: None,
        }
    }

    fn until(
        &mut self,
        partner: Partner,
        what: &str,
        bound: Duration,
        is: impl FnMut(&Event) -> bool,
    ) -> anyhow::Result<Event> {
        match partner {
            Partner::A => self.a.until(what, bound, is),
            Partner::B => self.b.until(what, bound, is),
        }
    }

    fn sink_until(
        &mut self,
        what: &str,
        is: impl FnMut(&Arrival) -> bool,
    ) -> anyhow::Result<Arrival> {
        self.sink.until(what, STEP_MAX, is)
    }
}

/// All lines of one file since the round's start. A search begins at the first of them: shields
/// tell what they did before they tell why.
#[derive(Debug)]
struct Stream<T> {
    tail: Tail,
    lines: Vec<T>,
}

impl<T: serde::de::DeserializeOwned + Clone> Stream<T> {
    fn new(tail: Tail) -> Self {
        Self {
            tail,
            lines: Vec::new(),
        }
    }

    fn until(
        &mut self,
        what: &str,
        bound: Duration,
        mut is: impl FnMut(&T) -> bool,
    ) -> anyhow::Result<T> {
        let mut looked = 0;
        until(what, bound, || {
            self.lines.extend(self.tail.poll::<T>()?);
            let found = self
                .lines
                .iter()
                .skip(looked)
                .find(|line| is(line))
                .cloned();
            looked = self.lines.len();
            Ok(found)
        })
    }
}

/// One line of a shield's journal.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
struct Event(Value);

impl Event {
    fn is(&self, name: &str) -> bool {
        self.text("event") == Some(name)
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.0.get(field)?.as_str()
    }

    fn number(&self, field: &str) -> Option<f64> {
        self.0.get(field)?.as_f64()
    }

    /// A time in nanoseconds; zero means none.
    fn ns(&self, field: &str) -> anyhow::Result<u64> {
        let value = self
            .0
            .get(field)
            .and_then(Value::as_u64)
            .filter(|ns| *ns > 0);
        value.with_context(|| format!("no {field} in the journal's line {}", self.0))
    }

    /// Whether an id stands anywhere in it.
    fn mentions(&self, object: &str) -> bool {
        mentions(&self.0, object)
    }
}

fn mentions(value: &Value, object: &str) -> bool {
    match value {
        Value::String(text) => text == object,
        Value::Array(values) => values.iter().any(|value| mentions(value, object)),
        Value::Object(fields) => fields.values().any(|value| mentions(value, object)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// `"drop"`, or the name of an action with parameters.
fn action_name(action: &Value) -> String {
    let name = action.as_str().map(str::to_owned);
    let key = || action.as_object()?.keys().next().cloned();
    name.or_else(key).unwrap_or_else(|| action.to_string())
}

/// Milliseconds from one time to another.
fn ms(from_ns: u64, to_ns: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "spans of seconds")]
    let span = to_ns.abs_diff(from_ns) as f64 / 1e6;
    if to_ns < from_ns { -span } else { span }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Event {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn ids_are_found_in_lists_and_zero_is_no_time() {
        let frame = event(r#"{"event":"frame","mono_ns":5,"objects":["indicator--a"],"drop":0}"#);
        assert!(frame.is("frame") && frame.mentions("indicator--a"));
        assert!(!frame.mentions("indicator--b"));
        assert_eq!(frame.ns("mono_ns").unwrap(), 5);
        assert!(frame.ns("drop").is_err());
    }

    #[test]
    fn actions_have_a_name_with_and_without_parameters() {
        let limit = serde_json::json!({"rate-limit": {"packets_per_s": 100}});
        assert_eq!(action_name(&limit), "rate-limit");
        assert_eq!(action_name(&"drop".into()), "drop");
    }

    #[test]
    fn spans_keep_their_sign() {
        assert!((ms(1_000_000, 3_500_000) - 2.5).abs() < 1e-9);
        assert!(ms(2, 1) < 0.0);
    }
}
