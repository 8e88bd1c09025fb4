//! What an agent says in answer to an input.

use alloc::format;
use alloc::vec::Vec;
use core::iter::from_fn;

use pinhole_sansio::Transmit;

use crate::agent::Agent;
use crate::event::{Command, Event};

/// Something that an agent has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// It sends.
    Transmit(Transmit),
    /// It wants something done.
    Command(Command),
    /// It tells.
    Event(Event),
}

/// All that the agent has to say: what it sends first, then its commands, then its events.
pub(super) fn take(agent: &mut Agent) -> Vec<Output> {
    let mut outputs: Vec<Output> =
        from_fn(|| agent.poll_transmit()).map(Output::Transmit).collect();
    outputs.extend(from_fn(|| agent.poll_command()).map(Output::Command));
    outputs.extend(from_fn(|| agent.poll_event()).map(Output::Event));
    outputs
}

/// FNV-1a of the result of a call and of what the agent has to say: enough to find where two runs part, no seal.
pub(super) fn digest(result: &str, outputs: &[Output]) -> u64 {
    outputs.iter().fold(fnv(BASIS, result.as_bytes()), |digest, output| {
        let digest = fnv(digest, format!("{output:?}").as_bytes());
        match output {
            Output::Transmit(transmit) => fnv(digest, &transmit.payload),
            Output::Command(_) | Output::Event(_) => digest,
        }
    })
}

pub(super) fn fnv(digest: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(digest, |digest, byte| (digest ^ u64::from(*byte)).wrapping_mul(PRIME))
}

/// The offset basis and the prime of FNV-1a with 64 bits.
pub(super) const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;
