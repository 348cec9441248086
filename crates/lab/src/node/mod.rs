//! What runs inside the namespaces: `shieldwall lab node ROLE ...`, hidden from the help.
//!
//! Every role ends by itself after [`LIFETIME_S_DEFAULT`] at the latest, should nobody end it.

mod bystander;
mod impair;
mod prober;
mod segment;
mod server;
mod sink;

use std::{collections::VecDeque, str::FromStr, time::Duration};

use anyhow::{Context as _, bail};

pub(crate) use bystander::Tally;
pub(crate) use impair::READY as LINKS_READY;
pub(crate) use prober::{Carrier, Sent};
pub(crate) use sink::{Arrival, Change};

/// Runs a role until its end.
///
/// # Errors
///
/// When the arguments make no sense, a target is outside the lab, or a socket fails.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let (role, rest) = arguments.split_first().context("lab node needs a role")?;
    let mut arguments = Arguments(rest.iter().cloned().collect());
    let lifetime = arguments
        .optional("--lifetime-s")?
        .unwrap_or(LIFETIME_S_DEFAULT);
    let lifetime = Duration::from_secs(lifetime);
    match role.as_str() {
        "server" => server::run(arguments, lifetime),
        "sink" => sink::run(arguments, lifetime),
        "bystander" => bystander::run(arguments, lifetime),
        "prober" => prober::run(arguments, lifetime),
        "impair" => impair::run(arguments, lifetime),
        other => {
            bail!("no role {other:?}; there are server, sink, bystander, prober and impair")
        }
    }
}

/// Nanoseconds of `CLOCK_MONOTONIC`, the clock of the kernel's `bpf_ktime_get_ns` and of journals.
pub(crate) fn mono_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// Four hours.
const LIFETIME_S_DEFAULT: u64 = 4 * 3600;

/// `--key value` pairs.
#[derive(Debug)]
struct Arguments(VecDeque<String>);

impl Arguments {
    /// Takes the value of a key that must be there.
    fn required<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
        &mut self,
        key: &str,
    ) -> anyhow::Result<T> {
        self.optional(key)?
            .with_context(|| format!("{key} is missing"))
    }

    /// Takes the value of a key.
    fn optional<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
        &mut self,
        key: &str,
    ) -> anyhow::Result<Option<T>> {
        let Some(at) = self.0.iter().position(|word| word == key) else {
            return Ok(None);
        };
        self.0.remove(at);
        let value = self
            .0
            .remove(at)
            .with_context(|| format!("{key} needs a value"))?;
        value
            .parse()
            .map(Some)
            .with_context(|| format!("{key} {value:?}"))
    }

    /// Takes all values of a key that may come several times.
    fn all<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
        &mut self,
        key: &str,
    ) -> anyhow::Result<Vec<T>> {
        std::iter::from_fn(|| self.optional(key).transpose()).collect()
    }

    /// Refuses what nobody took.
    fn done(self) -> anyhow::Result<()> {
        match self.0.front() {
            None => Ok(()),
            Some(word) => bail!("unexpected argument {word:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(text: &str) -> Arguments {
        Arguments(text.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn arguments_are_taken_by_key_and_the_rest_is_refused() {
        let mut given = arguments("--port 80 --rate 5 --port 81");
        assert_eq!(given.all::<u16>("--port").unwrap(), [80, 81]);
        assert_eq!(given.required::<u32>("--rate").unwrap(), 5);
        given.done().unwrap();
        assert!(arguments("--port x").optional::<u16>("--port").is_err());
        assert!(arguments("--port").optional::<u16>("--port").is_err());
        assert!(arguments("--prot 1").done().is_err());
    }

    #[test]
    fn an_unknown_role_names_the_known_ones() {
        let error = run(&["ghost".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("prober"), "{error}");
    }
}
