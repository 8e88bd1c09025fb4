//! An agent, a peer that knows the credentials, and noise: each pair of bytes says what is next.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pinhole_fuzz::Meeting;

fuzz_target!(|bytes: &[u8]| {
    let (settings, mut rest) = bytes.split_first().unwrap_or((&0, &[]));
    let mut meeting = Meeting::new(*settings);
    while let Some(([action, value], after)) = rest.split_first_chunk() {
        let taken = match action & 15 {
            0..=3 => meeting.deliver(action & 1, *value),
            4 => meeting.deliver_spoilt(*value),
            5..=6 => meeting.wait(*value),
            7 => meeting.forge_check(*value),
            8 => meeting.forge_answer(*value),
            9 => meeting.exchange(*value),
            10 => meeting.command(*value),
            11 => meeting.add_candidate(*value),
            12 => meeting.add_candidate_line(after),
            13 => meeting.receive(*value, after),
            14 => meeting.server_answers(*value),
            _ => meeting.connection(*value),
        };
        rest = after.get(taken..).unwrap_or_default();
        meeting.settle();
    }
});
