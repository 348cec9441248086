//! `threshold.config`: thresholds and suppressions from outside of the rules.
//!
//! ```text
//! suppress gen_id 1, sig_id 2000328, track by_src, ip [192.0.2.0/24, $SCANNERS]
//! event_filter gen_id 1, sig_id 0, type limit, track by_src, count 1, seconds 60
//! rate_filter gen_id 1, sig_id 2221, track by_src, count 100, seconds 60, \
//!     new_action drop, timeout 30
//! ```
//!
//! `sig_id 0` is all rules of a generator, and with `gen_id 0` all rules. A line about one rule
//! comes before the rule's own threshold and before lines about all; of two such lines the last
//! holds. A line about all, and a `rate_filter`, is for rules that have no threshold yet.

use std::collections::HashMap;
use std::sync::Arc;

use super::filter::{Filter, Side, Suppressed};
use super::networks::{Networks, Variables};
use super::option::{Field, OptionError};
use super::threshold::{Kind, NewAction, Parts, Threshold};
use super::thresholds::RuleKey;

/// Most lines that are taken; those beyond are errors.
pub const ENTRIES_MAX: usize = 1 << 20;

/// Most errors that are told; there may be more.
pub const ERRORS_MAX: usize = 100;

/// The file of global thresholds.
#[derive(Debug, Default)]
pub struct GlobalThresholds {
    entries: Vec<Entry>,
    /// Which entries are about one rule.
    of_rule: HashMap<RuleKey, Vec<u32>>,
    /// Which are about several.
    of_many: Vec<u32>,
}

#[derive(Debug)]
struct Entry {
    rule: RuleKey,
    what: What,
}

#[derive(Debug)]
enum What {
    Silence,
    Suppress(Suppressed),
    Threshold(Threshold),
}

/// A line of the file that is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}")]
pub struct LineError {
    /// From 1.
    pub line: usize,
    /// In letters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub reason: String,
}

impl GlobalThresholds {
    /// Reads a file. Lines that are refused are told and left out.
    #[must_use]
    pub fn parse(text: &str, variables: Variables<'_>) -> (Self, Vec<LineError>) {
        let (mut read, mut errors) = (Self::default(), Vec::new());
        for line in logical_lines(text) {
            let entry = match read.entries.len() < ENTRIES_MAX {
                true => entry(Field::new(0, &line.text), variables),
                false => Err(OptionError::new(0, "too many lines")),
            };
            match entry {
                Ok(entry) => read.push(entry),
                Err(error) if errors.len() < ERRORS_MAX => errors.push(line.error(error)),
                Err(_) => break,
            }
        }
        (read, errors)
    }

    /// What holds for a rule whose own option is `own`.
    #[must_use]
    pub fn filter(&self, rule: RuleKey, own: Option<Threshold>) -> Filter {
        let mut filter = Filter {
            threshold: own,
            ..Filter::default()
        };
        let of_rule = self.of_rule.get(&rule).map_or(&[][..], Vec::as_slice);
        let mut indices: Vec<u32> = of_rule.iter().chain(&self.of_many).copied().collect();
        indices.sort_unstable();
        let entries = indices
            .iter()
            .filter_map(|at| self.entries.get(*at as usize));
        for entry in entries.filter(|entry| entry.is_about(rule)) {
            match &entry.what {
                What::Silence => filter.silenced = true,
                What::Suppress(suppressed) => filter.suppressed.push(suppressed.clone()),
                What::Threshold(threshold) => {
                    let rate = matches!(threshold.kind, Kind::Rate { .. });
                    if filter.threshold.is_none() || entry.rule.sid != 0 && !rate {
                        filter.threshold = Some(*threshold);
                    }
                }
            }
        }
        filter
    }

    /// The rules that lines are about by their own number, for telling which are unknown.
    pub fn rules(&self) -> impl Iterator<Item = RuleKey> + '_ {
        let rules = self.entries.iter().map(|entry| entry.rule);
        rules.filter(|rule| rule.sid != 0)
    }

    fn push(&mut self, entry: Entry) {
        let Ok(at) = u32::try_from(self.entries.len()) else {
            return;
        };
        match entry.rule.sid {
            0 => self.of_many.push(at),
            _ => self.of_rule.entry(entry.rule).or_default().push(at),
        }
        self.entries.push(entry);
    }
}

impl Entry {
    fn is_about(&self, rule: RuleKey) -> bool {
        let RuleKey { gid, sid } = self.rule;
        (gid == 0 || gid == rule.gid) && (sid == 0 || sid == rule.sid)
    }
}

fn entry(line: Field<'_>, variables: Variables<'_>) -> Result<Entry, OptionError> {
    let (command, rest) = line.word();
    if !["suppress", "threshold", "event_filter", "rate_filter"].contains(&command.text) {
        return Err(command.error("suppress, threshold, event_filter or rate_filter is expected"));
    }
    let (gid_at, gid, rest) = numbered(Some(rest), "gen_id", line)?;
    let (_, sid, rest) = numbered(rest, "sig_id", line)?;
    let rule = RuleKey { gid, sid };
    if gid == 0 && sid != 0 {
        return Err(gid_at.error("gen_id 0 is only for sig_id 0"));
    }
    let what = match (command.text, rest) {
        ("suppress", None) => What::Silence,
        ("suppress", Some(rest)) => What::Suppress(suppressed(rest, variables)?),
        ("rate_filter", rest) => What::Threshold(rate_filter(rest.unwrap_or(end(line)))?),
        (_, rest) => What::Threshold(event_filter(rest.unwrap_or(end(line)))?),
    };
    Ok(Entry { rule, what })
}

/// `key number`, where it stands, and what comes after its comma.
fn numbered<'a>(
    part: Option<Field<'a>>,
    key: &str,
    line: Field<'a>,
) -> Result<(Field<'a>, u32, Option<Field<'a>>), OptionError> {
    let (part, rest) = part.unwrap_or(end(line)).split_once(',');
    let (word, number) = part.word();
    if word.text != key {
        return Err(word.error(format!("'{key}' is expected")));
    }
    Ok((number, number.number()?, rest))
}

fn suppressed(rest: Field<'_>, variables: Variables<'_>) -> Result<Suppressed, OptionError> {
    let (track, addresses) = rest.split_once(',');
    let (word, side) = track.word();
    if word.text != "track" {
        return Err(word.error("'track' is expected"));
    }
    let side = match side.text {
        "by_src" => Side::Source,
        "by_dst" => Side::Destination,
        "by_either" => Side::Either,
        _ => return Err(side.error("by_src, by_dst or by_either is expected")),
    };
    let (word, addresses) = addresses.unwrap_or(end(rest)).word();
    if word.text != "ip" {
        return Err(word.error("'ip' is expected"));
    }
    let networks = Arc::new(Networks::read(addresses, variables)?);
    Ok(Suppressed { side, networks })
}

fn event_filter(rest: Field<'_>) -> Result<Threshold, OptionError> {
    let mut parts = Parts::default();
    for field in rest.split(',') {
        parts.take(field, true)?;
    }
    let threshold = parts.threshold(rest)?;
    if matches!(threshold.kind, Kind::Backoff { .. }) {
        return Err(rest.error("backoff is an option of rules only"));
    }
    if threshold.count == 0 {
        return Err(rest.error("count is at least 1"));
    }
    Ok(threshold)
}

fn rate_filter(rest: Field<'_>) -> Result<Threshold, OptionError> {
    let (mut parts, mut action) = (Parts::default(), None);
    for field in rest.split(',') {
        match field.word() {
            (key, _) if key.text == "new_action" && action.is_some() => {
                return Err(key.error("is there twice"));
            }
            (key, value) if key.text == "new_action" => action = Some(new_action(value)?),
            _ => parts.take(field, false)?,
        }
    }
    let action = action.ok_or_else(|| end(rest).error("'new_action' is missing"))?;
    parts.rate(rest, action)
}

fn new_action(field: Field<'_>) -> Result<NewAction, OptionError> {
    Ok(match field.text {
        "alert" => NewAction::Alert,
        "drop" => NewAction::Drop,
        "pass" => NewAction::Pass,
        "reject" => NewAction::Reject,
        _ => return Err(field.error("alert, drop, pass or reject is expected")),
    })
}

/// Nothing, where a line ends.
fn end(line: Field<'_>) -> Field<'_> {
    Field::new(line.at.saturating_add(line.text.len()), "")
}

/// A line, with those that a `\` at the end of the one before joined to it.
struct LogicalLine {
    text: String,
    /// Number of the line, and where in the text it starts.
    starts: Vec<(usize, usize)>,
}

impl LogicalLine {
    fn error(&self, error: OptionError) -> LineError {
        let before = |(_, start): &&(usize, usize)| *start <= error.at;
        let (line, start) = self
            .starts
            .iter()
            .rev()
            .find(before)
            .copied()
            .unwrap_or((1, 0));
        let letters = self
            .text
            .get(start..error.at)
            .map_or(0, |text| text.chars().count());
        LineError {
            line,
            column: letters.saturating_add(1),
            reason: error.reason,
        }
    }
}

/// The lines that say something. Comments are whole lines, and do not go on.
fn logical_lines(text: &str) -> impl Iterator<Item = LogicalLine> {
    let mut lines = (1_usize..).zip(text.lines());
    std::iter::from_fn(move || {
        let (number, mut line) = lines.find(|(_, line)| {
            let line = line.trim_start();
            !line.is_empty() && !line.starts_with('#')
        })?;
        let mut logical = LogicalLine {
            text: String::new(),
            starts: vec![(number, 0)],
        };
        while let Some(more) = line.strip_suffix('\\') {
            logical.text.push_str(more);
            let Some((number, next)) = lines.next() else {
                return Some(logical);
            };
            logical.starts.push((number, logical.text.len()));
            line = next;
        }
        logical.text.push_str(line);
        Some(logical)
    })
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::rules::state::threshold::Track;
    use crate::rules::state::{Ends, Judgement, Thresholds, threshold};

    const RULE: RuleKey = RuleKey { gid: 1, sid: 1 };

    fn variables(name: &str) -> Option<String> {
        (name == "HOME_NET").then(|| "[10.0.0.0/8]".to_owned())
    }

    fn read(text: &str) -> GlobalThresholds {
        let (read, errors) = GlobalThresholds::parse(text, &variables);
        assert_eq!(errors, [], "{text}");
        read
    }

    fn limit(seconds: u32) -> Option<Threshold> {
        let value = format!("type limit, track by_src, count 1, seconds {seconds}");
        threshold::parse(&value).ok()
    }

    fn line(kind: &str, gid: u32, sid: u32, seconds: u32) -> String {
        let what = match kind {
            "rate_filter" => "new_action drop, timeout 5",
            _ => "type limit",
        };
        format!(
            "{kind} gen_id {gid}, sig_id {sid}, {what}, track by_src, count 1, seconds {seconds}\n"
        )
    }

    #[test]
    fn which_threshold_holds() {
        let seconds = |text: &str, own| {
            let filter = read(text).filter(RULE, own);
            filter.threshold.map(|threshold| threshold.seconds)
        };
        let own = line("threshold", 1, 1, 3);
        assert_eq!(seconds("", limit(9)), Some(9));
        assert_eq!(seconds(&own, limit(9)), Some(3));
        assert_eq!(seconds(&line("event_filter", 1, 1, 3), None), Some(3));
        assert_eq!(seconds(&line("threshold", 1, 0, 3), limit(9)), Some(9));
        assert_eq!(seconds(&line("threshold", 1, 0, 3), None), Some(3));
        assert_eq!(seconds(&line("threshold", 0, 0, 3), None), Some(3));
        assert_eq!(seconds(&line("threshold", 2, 0, 3), None), None);
        assert_eq!(seconds(&line("threshold", 1, 2, 3), None), None);
        let two = |a: &str, b: &str| seconds(&format!("{a}{b}"), None);
        assert_eq!(two(&own, &line("threshold", 1, 1, 7)), Some(7));
        assert_eq!(two(&own, &line("threshold", 0, 0, 7)), Some(3));
        assert_eq!(two(&line("threshold", 0, 0, 7), &own), Some(3));
        assert_eq!(
            two(&line("threshold", 1, 0, 7), &line("threshold", 0, 0, 5)),
            Some(7)
        );
        assert_eq!(two(&own, &line("rate_filter", 1, 1, 7)), Some(3));
        assert_eq!(two(&line("rate_filter", 1, 1, 7), &own), Some(3));
        assert_eq!(
            two(&line("rate_filter", 1, 1, 7), &line("rate_filter", 1, 1, 5)),
            Some(7)
        );
        assert_eq!(seconds(&line("rate_filter", 1, 0, 7), limit(9)), Some(9));
    }

    #[test]
    fn rate_filters_are_read() {
        let text = "rate_filter gen_id 1, sig_id 1, track by_rule, count 100, seconds 60, \\\n \
                    new_action alert, timeout 30";
        let expected = Threshold {
            kind: Kind::Rate {
                action: NewAction::Alert,
                timeout_s: 30,
            },
            track: Track::Rule,
            count: 100,
            seconds: 60,
        };
        assert_eq!(read(text).filter(RULE, None).threshold, Some(expected));
    }

    fn judge(filter: &Filter, thresholds: &mut Thresholds, src: u8, dst: u8) -> Judgement {
        let address = |last| IpAddr::from([10, 0, 0, last]);
        let ends = Ends {
            src: address(src),
            dst: address(dst),
        };
        filter.judge(thresholds, RULE, ends, None, 0)
    }

    #[test]
    fn whom_a_rule_is_suppressed_for() {
        for (rest, silent) in [
            ("", "yyyy"),
            (", track by_either, ip 10.0.0.1", "yyny"),
            (", track by_src, ip [10.0.0.1, 10.0.0.3]", "ynyn"),
            (", track by_src, ip 10.0.0.1,10.0.0.3", "ynyn"),
            (", track by_dst, ip 10.0.0.0/31", "nyny"),
            (", track by_src, ip $HOME_NET", "yyyy"),
            (", track by_src, ip any", "yyyy"),
            (", track by_src, ip 10.0.0.9", "nnnn"),
        ] {
            let filter = read(&format!("suppress gen_id 1, sig_id 1{rest}")).filter(RULE, None);
            let judged = [(1, 2), (2, 1), (3, 4), (4, 1)].map(|(src, dst)| {
                let judgement = judge(&filter, &mut Thresholds::new(9), src, dst);
                if judgement == Judgement::Silent {
                    'y'
                } else {
                    'n'
                }
            });
            assert_eq!(String::from_iter(judged), silent, "{rest}");
        }
    }

    #[test]
    fn suppressed_by_address_is_not_counted_and_silenced_is() {
        let text = "suppress gen_id 1, sig_id 1, track by_src, ip 10.0.0.1\n\
                    threshold gen_id 1, sig_id 1, type limit, track by_rule, count 1, seconds 9";
        let (filter, mut thresholds) = (read(text).filter(RULE, None), Thresholds::new(9));
        assert_eq!(judge(&filter, &mut thresholds, 1, 2), Judgement::Silent);
        assert_eq!(judge(&filter, &mut thresholds, 3, 2), Judgement::Alert);
        let text = "suppress gen_id 0, sig_id 0\n\
                    rate_filter gen_id 1, sig_id 0, track by_rule, count 1, seconds 9, \
                    new_action drop, timeout 9";
        let (filter, mut thresholds) = (read(text).filter(RULE, None), Thresholds::new(9));
        assert_eq!(judge(&filter, &mut thresholds, 1, 2), Judgement::Silent);
        let dropped = Judgement::NewAction {
            action: NewAction::Drop,
            alert: false,
        };
        assert_eq!(judge(&filter, &mut thresholds, 1, 2), dropped);
    }

    #[test]
    fn lines() {
        for text in [
            "suppress gen_id 1,sig_id 1",
            "  suppress  gen_id  1 , sig_id  1",
            "suppress gen_id 1, \\\n sig_id 1",
            "suppress gen_id 1, \\\r\n sig_id 1\r\n",
            "# c \\\nsuppress gen_id 1, sig_id 1",
            "\n\n#x\nsuppress gen_id 1, sig_id 1\n\n",
        ] {
            assert!(read(text).filter(RULE, None).silenced, "{text}");
        }
        let read = read("suppress gen_id 1, sig_id 7\nsuppress gen_id 0, sig_id 0");
        assert_eq!(
            read.rules().collect::<Vec<_>>(),
            [RuleKey { gid: 1, sid: 7 }]
        );
    }

    #[test]
    fn refused_with_the_place() {
        for (text, line, column) in [
            ("bogus", 1, 1),
            ("SUPPRESS gen_id 1, sig_id 1", 1, 1),
            ("\nsuppress sig_id 1, gen_id 1", 2, 10),
            ("suppress gen_id 1, \\\n  sig_id x", 2, 10),
            ("suppress gen_id 1, \\\n\n sig_id 1", 1, 19),
            ("suppress gen_id 0, sig_id 1", 1, 17),
            ("suppress gen_id 1, sig_id 4294967296", 1, 27),
            ("suppress gen_id 1, sig_id 1 # no comment", 1, 27),
            ("suppress gen_id 1, sig_id 1, track by_src", 1, 42),
            ("suppress gen_id 1, sig_id 1, ip 10.0.0.1", 1, 30),
            (
                "suppress gen_id 1, sig_id 1, track by_src, ip 10.0.0.1,ö",
                1,
                56,
            ),
            ("suppress gen_id 1, sig_id 1, track by_src, ip $NOPE", 1, 47),
            ("threshold gen_id 1, sig_id 1", 1, 29),
            (
                "threshold gen_id 1, sig_id 1, type limit, track by_src, count 0, seconds 9",
                1,
                31,
            ),
            (
                "rate_filter gen_id 1, sig_id 1, track by_src, count 1, seconds 9",
                1,
                65,
            ),
            ("rate_filter gen_id 1, sig_id 1, new_action log", 1, 44),
        ] {
            let (_, errors) = GlobalThresholds::parse(text, &variables);
            let places: Vec<_> = errors
                .iter()
                .map(|error| (error.line, error.column))
                .collect();
            assert_eq!(places.first(), Some(&(line, column)), "{text} {errors:?}");
        }
        let (read, errors) =
            GlobalThresholds::parse("bogus\nsuppress gen_id 1, sig_id 1", &variables);
        assert!(errors.len() == 1 && read.filter(RULE, None).silenced);
        let (_, errors) = GlobalThresholds::parse(&"x\n".repeat(100_000), &variables);
        assert_eq!(errors.len(), ERRORS_MAX);
    }
}
