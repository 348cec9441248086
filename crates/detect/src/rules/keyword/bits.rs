//! What rules remember: bits and numbers of flows and hosts, counts, sets.

use std::sync::Arc;

use super::{Arg, Keyword};
use crate::rules::builder::Builder;
use crate::rules::dataset::{
    self, Command, DatarepOption, DatasetOption, Datasets, Declaration, SetId,
};
use crate::rules::diagnostic::Problem;
use crate::rules::effect::Apply;
use crate::rules::memory::Memory;
use crate::rules::note::Note;
use crate::rules::rule::{Check, Condition, Step, Subject};
use crate::rules::scene::Scene;
use crate::rules::state::flowbits::{self, FlowBit};
use crate::rules::state::flowint::{self, FlowInt, Operation};
use crate::rules::state::hostbits::{self, HostBit};
use crate::rules::state::iprep::IpRep;
use crate::rules::state::{Ends, OptionError, Reputations, threshold};
use crate::rules::walk::Walk;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "flowbits",
        "set|unset|toggle|isset|isnotset|noalert[,name]",
        "A bit of the flow.",
        flowbits,
    ),
    Keyword::call(
        "flowint",
        "name,operation[,value]",
        "A number of the flow.",
        flowint,
    ),
    Keyword::call(
        "xbits",
        "set|unset|toggle|isset|isnotset,name,track ip_src|ip_dst|ip_pair[,expire seconds]",
        "A bit of a host or a pair of hosts.",
        xbits,
    ),
    Keyword::call(
        "hostbits",
        "set|unset|toggle|isset|isnotset,name[,src|dst]",
        "A bit of a host.",
        hostbits,
    ),
    Keyword::call(
        "iprep",
        "any|src|dst|both,category,<|<=|>|>=|==|!=,score, or isset or isnotset for the last two",
        "What is known of an address, in files that the settings name.",
        iprep,
    ),
    Keyword::call(
        "threshold",
        "type limit|threshold|both,track by_src|by_dst|by_both|by_rule|by_flow,count N,seconds N, or type backoff,track by_flow,count N,multiplier N",
        "How often the rule alerts.",
        threshold,
    ),
    Keyword::call(
        "detection_filter",
        "track by_src|by_dst|by_flow,count N,seconds N",
        "How often it must match before it alerts.",
        detection_filter,
    ),
    Keyword::call(
        "dataset",
        "set|unset|isset|isnotset,name[,type string|md5|sha256|ipv4|ip][,load FILE][,state FILE][,save FILE][,format json|ndjson,context_key KEY[,value_key KEY][,array_key KEY][,remove_key]]",
        "The buffer is in a set. What a set of JSON says of it is shown with the alert.",
        dataset,
    ),
    Keyword::call(
        "datarep",
        "name,>|<|==,value[,type string|md5|sha256|ipv4|ip][,load FILE]",
        "The buffer's reputation in a set.",
        datarep,
    ),
];

/// A problem of an option's value, at its place: the part of it between commas.
fn placed(arg: Arg<'_>, error: OptionError) -> Problem {
    let value = arg.value.unwrap_or(arg.name);
    let rest = value.text.get(error.at..).unwrap_or_default();
    let len = rest
        .split(',')
        .next()
        .map_or(0, |part| part.trim_end().len());
    let at = value.at.saturating_add(error.at);
    let (name, usage) = (arg.name.text, Keyword::usage(arg.name.text));
    Problem::wrong(at..at.saturating_add(len.max(1)), error.reason)
        .mend(format!("write {name}:{usage};"))
}

fn flowbits(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let bit = flowbits::parse(value.text, rule.around.names).map_err(|error| placed(arg, error))?;
    match &bit {
        FlowBit::IsSet(_) | FlowBit::IsNotSet(_) => {
            rule.bits_rank = if rule.bits_rank >= SETS {
                READS_AND_SETS
            } else {
                READS
            };
            rule.conditions.push(Box::new(OfFlow(bit)));
        }
        FlowBit::Set(_) | FlowBit::Unset(_) | FlowBit::Toggle(_) => {
            rule.bits_rank = if rule.bits_rank == READS {
                READS_AND_SETS
            } else {
                SETS
            };
            rule.effects.push(Box::new(OfFlow(bit)));
        }
        FlowBit::NoAlert => rule.silent = true,
        FlowBit::Nothing => {}
    }
    Ok(())
}

/// Rules that set bits are looked at first, then those that also read them, then those that only do.
const READS: u8 = 1;
const READS_AND_SETS: u8 = 2;
const SETS: u8 = 3;

/// A bit or a number of the flow.
#[derive(Debug)]
struct OfFlow<T>(T);

impl Condition for OfFlow<FlowBit> {
    fn holds(&self, scene: &Scene<'_>, memory: &mut Memory<'_>) -> bool {
        scene.flow.is_some() && memory.flow.bits.check(&self.0)
    }
}

impl Apply for OfFlow<FlowBit> {
    fn apply(&self, scene: &Scene<'_>, memory: &mut Memory<'_>) {
        if scene.flow.is_some() {
            let is_kept = memory.flow.bits.apply(&self.0);
            count_refused(memory, is_kept);
        }
    }
}

fn count_refused(memory: &mut Memory<'_>, is_kept: bool) {
    let refused = &mut memory.flow.refused;
    *refused = refused.saturating_add(u64::from(!is_kept));
}

fn flowint(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let int = flowint::parse(value.text, rule.around.names).map_err(|error| placed(arg, error))?;
    match int.operation {
        Operation::Add(_) | Operation::Subtract(_) | Operation::Assign(_) => {
            rule.effects.push(Box::new(OfFlow(int)))
        }
        Operation::Compare(..) | Operation::IsSet | Operation::IsNotSet => {
            rule.conditions.push(Box::new(OfFlow(int)));
        }
    }
    Ok(())
}

impl Condition for OfFlow<FlowInt> {
    fn holds(&self, scene: &Scene<'_>, memory: &mut Memory<'_>) -> bool {
        scene.flow.is_some() && memory.flow.ints.check(&self.0)
    }
}

impl Apply for OfFlow<FlowInt> {
    fn apply(&self, scene: &Scene<'_>, memory: &mut Memory<'_>) {
        if scene.flow.is_some() {
            let is_kept = memory.flow.ints.apply(&self.0);
            count_refused(memory, is_kept);
        }
    }
}

fn xbits(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let bit =
        hostbits::parse_xbits(value.text, rule.around.names).map_err(|error| placed(arg, error))?;
    let is_of_transaction = matches!(
        bit,
        HostBit::Bit {
            track: hostbits::Track::Transaction,
            ..
        }
    );
    if is_of_transaction {
        return Err(value
            .unsupported("bits of transactions are not supported")
            .mend("write flowbits, or track ip_pair"));
    }
    host_bit(rule, bit);
    Ok(())
}

fn hostbits(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let bit = hostbits::parse_hostbits(value.text, rule.around.names)
        .map_err(|error| placed(arg, error))?;
    host_bit(rule, bit);
    Ok(())
}

fn host_bit(rule: &mut Builder<'_, '_>, bit: HostBit) {
    match bit {
        HostBit::NoAlert => rule.silent = true,
        HostBit::Bit {
            command: hostbits::Command::IsSet | hostbits::Command::IsNotSet,
            ..
        } => {
            rule.conditions.push(Box::new(OfHost(bit)));
        }
        HostBit::Bit { .. } => rule.effects.push(Box::new(OfHost(bit))),
    }
}

/// A bit of a host.
#[derive(Debug)]
struct OfHost(HostBit);

fn ends(scene: &Scene<'_>) -> Option<Ends> {
    let tuple = scene.tuple?;
    Some(Ends {
        src: tuple.src,
        dst: tuple.dst,
    })
}

impl Condition for OfHost {
    fn holds(&self, scene: &Scene<'_>, memory: &mut Memory<'_>) -> bool {
        let ends = ends(scene);
        ends.is_some_and(|ends| memory.hosts.check(&self.0, ends, None, scene.now_ns))
    }
}

impl Apply for OfHost {
    fn apply(&self, scene: &Scene<'_>, memory: &mut Memory<'_>) {
        if let Some(ends) = ends(scene) {
            memory.hosts.apply(&self.0, ends, None, scene.now_ns);
        }
    }
}

fn iprep(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let reputations = Arc::clone(rule.around.reputations);
    let option = reputations
        .parse(value.text)
        .map_err(|error| placed(arg, error))?;
    rule.conditions.push(Box::new(OfReputation {
        option,
        reputations,
    }));
    Ok(())
}

/// What is known of an address.
#[derive(Debug)]
struct OfReputation {
    option: IpRep,
    reputations: Arc<Reputations>,
}

impl Condition for OfReputation {
    fn holds(&self, scene: &Scene<'_>, _: &mut Memory<'_>) -> bool {
        ends(scene).is_some_and(|ends| self.reputations.check(&self.option, ends))
    }

    fn subject(&self) -> Subject {
        Subject::Ends
    }
}

fn threshold(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    rule.threshold = Some(threshold::parse(value.text).map_err(|error| placed(arg, error))?);
    Ok(())
}

fn detection_filter(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let filter =
        threshold::parse_detection_filter(value.text).map_err(|error| placed(arg, error))?;
    rule.detection_filter = Some(filter);
    Ok(())
}

fn dataset(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let around = &mut rule.around;
    let option =
        dataset::parse_dataset(value.text, around.names).map_err(|error| placed(arg, error))?;
    within_bounds(around.datasets, &option.set, arg)?;
    let set = around.declare(&option.set, value)?;
    let context = option.context_key.as_deref().map(Arc::from);
    rule.ask(Step::Check(Box::new(InSet {
        set,
        option,
        context,
    })));
    Ok(())
}

/// A rule does not choose how much memory is taken.
fn within_bounds(sets: &Datasets, set: &Declaration, arg: Arg<'_>) -> Result<(), Problem> {
    let max = sets.memcap_max();
    match set.memcap.is_some_and(|memcap| memcap > max) {
        true => Err(arg
            .value
            .unwrap_or(arg.name)
            .wrong(format!("memcap is beyond {max} bytes"))
            .mend("name a smaller one, or the set under datasets in the settings")),
        false => Ok(()),
    }
}

/// The buffer is in a set.
#[derive(Debug)]
struct InSet {
    set: SetId,
    option: DatasetOption,
    /// Under which key the alert tells what the set says of the value.
    context: Option<Arc<str>>,
}

impl Check for InSet {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        let command: Command = self.option.command;
        let (holds, json) = walk.scene.sets.with(|sets| {
            let holds = sets.dataset(self.set, command, walk.bytes);
            let wanted = holds && self.context.is_some();
            let json = wanted.then(|| sets.context(self.set, &self.option, walk.bytes));
            (holds, json.flatten())
        });
        if let (Some(key), Some(json)) = (&self.context, json) {
            let key = Arc::clone(key);
            walk.note(Note::Context { key, json });
        }
        holds
    }

    fn reads(&self, len: usize) -> usize {
        len
    }
}

fn datarep(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let around = &mut rule.around;
    let option =
        dataset::parse_datarep(value.text, around.names).map_err(|error| placed(arg, error))?;
    within_bounds(around.datasets, &option.set, arg)?;
    let set = around.declare(&option.set, value)?;
    rule.ask(Step::Check(Box::new(HasReputation { set, option })));
    Ok(())
}

/// The buffer's reputation in a set.
#[derive(Debug)]
struct HasReputation {
    set: SetId,
    option: DatarepOption,
}

impl Check for HasReputation {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        walk.scene
            .sets
            .with(|sets| sets.datarep(self.set, &self.option, walk.bytes))
    }

    fn reads(&self, len: usize) -> usize {
        len
    }
}
