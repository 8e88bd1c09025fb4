//! Candidates and pairs by the names of the W3C's identifiers for WebRTC statistics.

use std::time::Duration;

use pinhole_ice::{
    Agent, Candidate, CandidateAddress, CandidateInfo, CandidateKind, CandidateTransport, PairInfo,
    PairState, TcpType,
};
use pinhole_sansio::{Instant, Transport};
use serde::Serialize;

/// All that is known about candidates and pairs.
#[derive(Debug, Serialize)]
pub(crate) struct Stats {
    candidates: Vec<CandidateStats>,
    pairs: Vec<PairStats>,
}

/// `RTCIceCandidateStats`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CandidateStats {
    id: String,
    r#type: &'static str,
    address: String,
    port: u16,
    protocol: &'static str,
    candidate_type: &'static str,
    priority: u32,
    foundation: String,
    username_fragment: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    related_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    related_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relay_protocol: Option<&'static str>,
}

/// `RTCIceCandidatePairStats`. Times are in seconds, points in time in milliseconds since the program began.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PairStats {
    id: String,
    local_candidate_id: String,
    remote_candidate_id: String,
    state: &'static str,
    nominated: bool,
    packets_sent: u64,
    packets_received: u64,
    bytes_sent: u64,
    bytes_received: u64,
    requests_sent: u64,
    requests_received: u64,
    responses_sent: u64,
    responses_received: u64,
    consent_requests_sent: u64,
    total_round_trip_time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_round_trip_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_packet_sent_timestamp: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_packet_received_timestamp: Option<f64>,
}

impl Stats {
    pub(crate) fn of(agent: &Agent) -> Self {
        let locals: Vec<_> = agent.local_candidate_infos().collect();
        let remotes: Vec<_> = agent.remote_candidate_infos().collect();
        let pairs = agent.pairs().map(|pair| PairStats::of(&pair, &locals, &remotes)).collect();
        let locals = locals.iter().enumerate();
        let locals = locals.map(|(at, info)| CandidateStats::of("local-candidate", at, info));
        let remotes = remotes.iter().enumerate();
        let remotes = remotes.map(|(at, info)| CandidateStats::of("remote-candidate", at, info));
        Self { candidates: locals.chain(remotes).collect(), pairs }
    }
}

impl CandidateStats {
    fn of(r#type: &'static str, at: usize, info: &CandidateInfo<'_>) -> Self {
        let Candidate { kind, transport, priority, foundation, related, .. } = info.candidate;
        let (address, port) = match &info.candidate.address {
            CandidateAddress::Ip(at) => (at.ip().to_string(), at.port()),
            CandidateAddress::Name { host, port } => (host.clone(), *port),
        };
        let (protocol, tcp_type) = match transport {
            CandidateTransport::Udp => ("udp", None),
            CandidateTransport::Tcp(TcpType::Active) => ("tcp", Some("active")),
            CandidateTransport::Tcp(TcpType::Passive) => ("tcp", Some("passive")),
            CandidateTransport::Tcp(TcpType::SimultaneousOpen) => ("tcp", Some("so")),
        };
        Self {
            id: id(r#type, at),
            r#type,
            address,
            port,
            protocol,
            candidate_type: kind.as_str(),
            priority: priority.0,
            foundation: foundation.to_string(),
            username_fragment: info.username_fragment.to_owned(),
            tcp_type,
            related_address: related.map(|related| related.ip().to_string()),
            related_port: related.map(|related| related.port()),
            url: url(info),
            relay_protocol: info.relay_protocol.map(protocol_name),
        }
    }
}

impl PairStats {
    fn of(
        pair: &PairInfo<'_>,
        locals: &[CandidateInfo<'_>],
        remotes: &[CandidateInfo<'_>],
    ) -> Self {
        let place = |infos: &[CandidateInfo<'_>], candidate: &Candidate| {
            infos.iter().position(|info| info.candidate == candidate).unwrap_or(infos.len())
        };
        let since_start = |at: Instant| (at - Instant::ZERO).as_secs_f64() * 1_000.0;
        let stats = &pair.stats;
        Self {
            id: format!("candidate-pair-{}", pair.id),
            local_candidate_id: id("local-candidate", place(locals, pair.local)),
            remote_candidate_id: id("remote-candidate", place(remotes, pair.remote)),
            state: match pair.state {
                PairState::Frozen => "frozen",
                PairState::Waiting => "waiting",
                PairState::InProgress => "in-progress",
                PairState::Succeeded => "succeeded",
                PairState::Failed => "failed",
            },
            nominated: pair.nominated,
            packets_sent: stats.packets_sent,
            packets_received: stats.packets_received,
            bytes_sent: stats.bytes_sent,
            bytes_received: stats.bytes_received,
            requests_sent: stats.requests_sent,
            requests_received: stats.requests_received,
            responses_sent: stats.responses_sent,
            responses_received: stats.responses_received,
            consent_requests_sent: stats.consent_requests_sent,
            total_round_trip_time: stats.total_round_trip_time.as_secs_f64(),
            current_round_trip_time: stats
                .current_round_trip_time
                .as_ref()
                .map(Duration::as_secs_f64),
            last_packet_sent_timestamp: stats.last_packet_sent.map(since_start),
            last_packet_received_timestamp: stats.last_packet_received.map(since_start),
        }
    }
}

fn id(r#type: &str, at: usize) -> String {
    format!("{}-{at}", r#type)
}

/// The server that it was learned from, as far as that has an address of its own.
fn url(info: &CandidateInfo<'_>) -> Option<String> {
    let server = info.server?;
    Some(match (info.candidate.kind, info.relay_protocol) {
        (CandidateKind::Relayed, Some(Transport::Tls)) => format!("turns:{server}?transport=tcp"),
        (CandidateKind::Relayed, protocol) => {
            format!("turn:{server}?transport={}", protocol.map_or("udp", protocol_name))
        }
        _ => format!("stun:{server}"),
    })
}

const fn protocol_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp | Transport::Dtls => "udp",
        Transport::Tcp => "tcp",
        Transport::Tls => "tls",
    }
}
