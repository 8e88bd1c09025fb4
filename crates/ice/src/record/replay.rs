//! Telling an agent all of it once more.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use pinhole_sansio::Instant;

use super::input::{Hex, Input, read_hex};
use super::output::{self, Output};
use crate::agent::Agent;
use crate::config::{Config, TurnServer};

/// What a recording came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Replayed {
    /// The agent as it was at the end, for [`Agent::explain`] and the like.
    pub agent: Agent,
    /// The inputs in their order.
    pub steps: Vec<Step>,
}

/// One input, and what the agent said to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// Its line of the recording, the first being 1.
    pub line: usize,
    /// When it came.
    pub at: Instant,
    /// What followed: datagrams, commands, events.
    pub outputs: Vec<Output>,
}

/// Why a recording cannot be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// It does not begin like a recording of this version.
    #[error("line 1: not the beginning of a recording, or of another version")]
    NoRecording,
    /// The agent had other settings.
    #[error("line 1: recorded with other settings")]
    OtherConfig,
    /// A part of a line cannot be read.
    #[error("line {line}: {what} is malformed")]
    Malformed {
        /// The first line is 1.
        line: usize,
        /// Which part.
        what: &'static str,
    },
    /// The TURN server that was added here is not the next of those that were given.
    #[error("line {0}: the TURN server that was added here is not the next one given")]
    UnknownServer(usize),
    /// The agent does otherwise than when it was recorded.
    #[error("line {0}: the agent does otherwise than it did")]
    Diverged(usize),
}

/// Feeds a new agent what was recorded. `config` is what the recorded one had, `turn_servers` those that it was told
/// later, in their order.
///
/// # Errors
/// [`ReplayError`], with the line.
pub fn replay(
    config: Config,
    turn_servers: &[TurnServer],
    recording: &str,
) -> Result<Replayed, ReplayError> {
    let config = Config { shared_pacer: None, ..config };
    let mut lines = (1..).zip(recording.lines());
    let (_, first) = lines.next().ok_or(ReplayError::NoRecording)?;
    let (start, seed, digest) = read_first_line(first).ok_or(ReplayError::NoRecording)?;
    if digest != config_digest(&config) {
        return Err(ReplayError::OtherConfig);
    }
    let mut agent = Agent::new(config, seed, start);
    let mut servers = turn_servers.iter().cloned();
    let mut steps = Vec::new();
    for (line, text) in lines {
        let (at, input, digest) =
            read_line(text).map_err(|what| ReplayError::Malformed { line, what })?;
        let result = input.apply(&mut agent, &mut servers, at);
        let result = result.ok_or(ReplayError::UnknownServer(line))?;
        let outputs = output::take(&mut agent);
        if output::digest(&result, &outputs) != digest {
            return Err(ReplayError::Diverged(line));
        }
        steps.push(Step { line, at, outputs });
    }
    Ok(Replayed { agent, steps })
}

/// `pinhole-ice recording 1: nanoseconds seed digest-of-the-settings`.
pub(super) fn first_line(config: &Config, seed: &[u8; 32], now: Instant) -> String {
    format!("{TITLE}{} {} {:016x}\n", now.as_nanos(), Hex(seed), config_digest(config))
}

fn read_first_line(text: &str) -> Option<(Instant, [u8; 32], u64)> {
    let mut fields = text.strip_prefix(TITLE)?.split_ascii_whitespace();
    let start = Instant::from_nanos(fields.next()?.parse().ok()?);
    let seed = read_hex(fields.next()?)?.try_into().ok()?;
    let digest = u64::from_str_radix(fields.next()?, 16).ok()?;
    fields.next().is_none().then_some((start, seed, digest))
}

/// `nanoseconds input = digest`.
fn read_line(text: &str) -> Result<(Instant, Input, u64), &'static str> {
    let (time, rest) = text.split_once(' ').ok_or("the time")?;
    let at = Instant::from_nanos(time.parse().map_err(|_| "the time")?);
    let (input, digest) = rest.rsplit_once(" = ").ok_or("the digest")?;
    let digest = u64::from_str_radix(digest, 16).map_err(|_| "the digest")?;
    Ok((at, input.parse()?, digest))
}

/// Passwords, which `Debug` does not show, have no part in it.
fn config_digest(config: &Config) -> u64 {
    output::fnv(output::BASIS, format!("{config:?}").as_bytes())
}

const TITLE: &str = "pinhole-ice recording 1: ";
