//! After two machines have met: lines typed on one side appear on the other.

use anyhow::Result;
use pinhole_ice::Event as AgentEvent;
use pinhole_io::Event;
use pinhole_stun::{PacketKind, classify};
use signaling_server::ServerMessage;

use crate::Outcome;
use crate::cli::Network;
use crate::input;
use crate::network::NetworkSettings;
use crate::report::failure;
use crate::report::timeline::{Timeline, milliseconds};
use crate::room::{self, Ended, Meeting};

/// Meets the other peer in a room and carries lines until one side ends it.
pub(crate) async fn run(url: &str, room: &str, create: bool, network: &Network) -> Result<Outcome> {
    let settings = NetworkSettings::find(network, true)?;
    let timeline = Timeline::new(settings.clock, "");
    let mut meeting = room::meet(url, room, create, &settings, &timeline).await?;
    if meeting.connect(&timeline).await? == Ended::Failed {
        println!("{}", meeting.connection.inspect(failure::in_full));
        meeting.signaling.leave(Some("no path was found".to_owned())).await;
        return Ok(Outcome::NotConnected);
    }
    print_selected(&meeting);
    talk(meeting, &timeline).await
}

async fn talk(mut meeting: Meeting, timeline: &Timeline) -> Result<Outcome> {
    let mut lines = input::lines();
    loop {
        tokio::select! {
            line = lines.recv() => match line.transpose()? {
                Some(line) if line.is_empty() => {}
                Some(line) => say(&meeting, &line, timeline).await,
                None => {
                    meeting.signaling.leave(None).await;
                    return Ok(Outcome::Connected);
                }
            },
            payload = meeting.connection.recv() => println!("{}", show(&payload)),
            (at, event) = meeting.connection.next_event() => {
                // Where there is no signaling any more, the path has to last by itself.
                if let Err(error) = meeting.on_event(at, &event, timeline).await {
                    timeline.note(&format!("not signalled: {error:#}"));
                }
                if meeting.has_failed(&event) {
                    return Ok(Outcome::NotConnected);
                }
                if matches!(event, Event::Agent(AgentEvent::PairSelected { .. })) {
                    print_selected(&meeting);
                }
            }
            message = meeting.signaling.next_message() => match message {
                ServerMessage::Bye { reason, .. } => {
                    println!("{}", room::ended_by_peer(reason));
                    return Ok(Outcome::Connected);
                }
                message => meeting.on_message(message).await?,
            }
        }
    }
}

/// A line that finds no path is lost, and its writer is told.
async fn say(meeting: &Meeting, line: &str, timeline: &Timeline) {
    if let Err(error) = meeting.connection.send(line.as_bytes()).await {
        timeline.note(&format!("not sent: {error}"));
    }
}

fn print_selected(meeting: &Meeting) {
    meeting.connection.inspect(|agent| {
        let Some(pair) = agent.selected_pair().and_then(|id| agent.pair(id)) else { return };
        let rtt =
            pair.rtt.map_or_else(String::new, |rtt| format!(", round trip {}", milliseconds(rtt)));
        let (local, remote) = (pair.local, pair.remote);
        println!(
            "connected: {} {} <-> {} {}{rtt}; type lines, end with Ctrl-D",
            local.kind, local.address, remote.kind, remote.address
        );
    });
}

/// Text as it is; what a browser sends, by its class (RFC 7983).
fn show(payload: &[u8]) -> String {
    let kind = payload.first().map_or(PacketKind::Unknown, |first| classify(*first));
    match (kind, std::str::from_utf8(payload)) {
        (PacketKind::Dtls, _) => format!("[{} bytes of DTLS]", payload.len()),
        (_, Ok(text)) if !text.contains(char::is_control) => format!("< {text}"),
        _ => format!("[{} bytes]", payload.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_and_the_rest_is_told() {
        assert_eq!(show("grüezi".as_bytes()), "< grüezi");
        assert_eq!(show(&[22, 254, 253]), "[3 bytes of DTLS]");
        assert_eq!(show(&[200, 1]), "[2 bytes]");
        assert_eq!(
            show(b"\x1b[2J"),
            "[4 bytes of DTLS]",
            "no control sequence of a stranger's reaches the terminal"
        );
    }
}
