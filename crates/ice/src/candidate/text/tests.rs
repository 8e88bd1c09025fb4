use super::*;
use alloc::string::ToString;

fn parse(text: &str) -> Candidate {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn the_example_of_rfc_8839_reads_and_writes_back() {
    let text =
        "candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998";
    let candidate = parse(text);
    assert_eq!(candidate.kind, CandidateKind::ServerReflexive);
    assert_eq!(candidate.priority, Priority(1_694_498_815));
    assert_eq!(candidate.udp_address(), Some("192.0.2.3:45664".parse().unwrap()));
    assert_eq!(candidate.related, Some("203.0.113.141:8998".parse().unwrap()));
    assert_eq!(candidate.to_string(), text.replace("UDP", "udp"));
}

#[test]
fn the_attribute_name_may_stand_in_front_or_not() {
    let bare = "1 1 udp 2130706431 2001:db8::7 5000 typ host";
    let candidate = parse(bare);
    assert_eq!(parse(&alloc::format!("candidate:{bare}")), candidate);
    assert_eq!(parse(&alloc::format!("a=candidate:{bare}\r\n")), candidate);
}

#[test]
fn extensions_keep_their_order_and_unknown_ones_survive() {
    let text = "candidate:842163049 1 udp 1677729535 198.51.100.7 40000 typ srflx raddr 0.0.0.0 rport 0 \
                generation 0 ufrag EEtu network-id 3 x-unknown yes";
    let candidate = parse(text);
    assert_eq!(candidate.extension("ufrag"), Some("EEtu"));
    assert_eq!(candidate.extension("network-id"), Some("3"));
    assert_eq!(candidate.to_string(), text);
}

#[test]
fn a_local_name_of_a_browser_is_kept_as_a_name() {
    let text =
        "candidate:1 1 udp 2113937151 a9c2d5e2-6a0f-4a7c-9f0e-0d9d6b5c1d22.local 53001 typ host";
    let candidate = parse(text);
    assert!(matches!(&candidate.address, CandidateAddress::Name { port: 53001, .. }));
    assert_eq!(candidate.udp_address(), None);
    assert_eq!(candidate.to_string(), text);
}

#[test]
fn tcp_candidates_need_their_type() {
    let candidate =
        parse("candidate:1 1 TCP 1518280447 192.0.2.1 9 typ host tcptype active generation 0");
    assert_eq!(candidate.transport, CandidateTransport::Tcp(TcpType::Active));
    assert!(candidate.to_string().ends_with("typ host tcptype active generation 0"));
    let error = "candidate:1 1 TCP 1 192.0.2.1 9 typ host".parse::<Candidate>();
    assert_eq!(error, Err(CandidateTextError::Missing("tcptype")));
}

#[test]
fn unknown_kinds_and_transports_are_told_from_broken_lines() {
    for text in ["1 1 sctp 1 192.0.2.1 9 typ host", "1 1 udp 1 192.0.2.1 9 typ future"] {
        assert!(text.parse::<Candidate>().unwrap_err().is_unsupported(), "{text}");
    }
}

#[test]
fn broken_lines_name_the_field() {
    for (text, field) in [
        ("", CandidateTextError::Missing("foundation")),
        ("1 0 udp 1 192.0.2.1 9 typ host", CandidateTextError::Malformed("component")),
        ("1 257 udp 1 192.0.2.1 9 typ host", CandidateTextError::Malformed("component")),
        ("1 1 udp 4294967296 192.0.2.1 9 typ host", CandidateTextError::Malformed("priority")),
        ("1 1 udp 1 192.0.2.999 9 typ host", CandidateTextError::Malformed("address")),
        ("1 1 udp 1 host.. 9 typ host", CandidateTextError::Malformed("address")),
        ("1 1 udp 1 192.0.2.1 9 typ host x \u{b}", CandidateTextError::Malformed("text")),
        ("1 1 udp 1 192.0.2.1 9 typ host x\0 y", CandidateTextError::Malformed("text")),
        ("1 1 udp 1 192.0.2.1 65536 typ host", CandidateTextError::Malformed("port")),
        ("1 1 udp 1 192.0.2.1 9 type host", CandidateTextError::Malformed("typ")),
        ("1 1 udp 1 192.0.2.1 9 typ", CandidateTextError::Missing("candidate type")),
        (
            "1 1 udp 1 192.0.2.1 9 typ srflx raddr 1.2.3.4 rport x",
            CandidateTextError::Malformed("rport"),
        ),
    ] {
        assert_eq!(text.parse::<Candidate>(), Err(field), "{text}");
    }
    let long = "1 ".repeat(MAX_LENGTH);
    assert_eq!(long.parse::<Candidate>(), Err(CandidateTextError::TooLong(long.len())));
}

#[test]
fn every_prefix_of_a_line_is_a_decision() {
    let line = "a=candidate:2 1 udp 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998 ufrag x";
    for end in 0..line.len() {
        if let Ok(candidate) = line[..end].parse::<Candidate>() {
            assert_eq!(candidate.to_string().parse(), Ok(candidate), "{}", &line[..end]);
        }
    }
}
