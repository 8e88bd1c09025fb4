//! The commands, as a user runs them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{env, fs, process};

const OFFER: &str = "v=0\r\no=- 7 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:8hhY\r\n\
    a=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=ice-options:trickle ice2\r\na=fingerprint:sha-256 00:FF\r\n\
    a=setup:actpass\r\na=candidate:1 1 udp 2130706431 192.0.2.1 49152 typ host\r\n\
    a=end-of-candidates\r\na=sendonly\r\na=rtpmap:111 opus/48000/2\r\n\
    a=fmtp:111 minptime=10;useinbandfec=1\r\na=rtcp-fb:111 transport-cc\r\na=rtcp-mux\r\n\
    m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=sctp-port:5000\r\n";

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("sdp-tool-{name}-{}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether it succeeded, and all that it printed.
fn run(arguments: &[&str], input: &str) -> (bool, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sdp-tool"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn inspect_shows_everything_but_the_password() {
    let (good, said) = run(&["inspect", "-"], OFFER);
    assert!(good, "{said}");
    for wanted in [
        "-: 2 media sections, 24 lines",
        "group       BUNDLE 0 1",
        "0: audio, UDP/TLS/RTP/SAVPF, port 9, sendonly, mid 0",
        "ice         fragment 8hhY, password of 22 characters",
        "candidate   1 1 udp 2130706431 192.0.2.1 49152 typ host",
        "candidates  no more follow",
        "format      111 opus/48000/2; minptime=10;useinbandfec=1; feedback transport-cc",
        "1: application, UDP/DTLS/SCTP, rejected, sendrecv, mid 1",
    ] {
        assert!(said.contains(wanted), "{wanted} is missing in\n{said}");
    }
    assert!(!said.contains("asd88fgpdd777uzjYhagZg"), "{said}");
}

#[test]
fn candidates_are_decoded_down_to_the_parts_of_the_priority() {
    let host = "a=candidate:1 1 udp 2130706431 192.0.2.1 49152 typ host\r\n";
    let more = "a=candidate:2 1 tcp 7 192.0.2.1 9 typ srflx raddr 10.0.0.1 rport 5 tcptype active\r\n\
        a=candidate:3 1 sctp 7 192.0.2.1 9 typ host\r\n";
    let offer = OFFER.replace(host, &format!("{host}{more}"));
    let (good, said) = run(&["candidates", "-"], &offer);
    let expected = "-: section 0, audio, mid 0\n\
        \x20 host udp 192.0.2.1:49152, foundation 1, component 1\n\
        \x20   priority 2130706431: type 126, local 65535, component 1\n\
        \x20 srflx tcp active 192.0.2.1:9, foundation 2, component 1\n\
        \x20   priority 7: type 0, local 0, component 249; not what its type and component give\n\
        \x20   related to 10.0.0.1:5\n\
        \x20 unreadable: the transport is neither UDP nor TCP: 3 1 sctp 7 192.0.2.1 9 typ host\n\
        \x20 3 candidates, 2 foundations, no more follow\n\
        -: section 1, application, mid 1\n\
        \x20 0 candidates, 0 foundations, more may follow\n";
    assert_eq!((good, said.as_str()), (true, expected));
    let (good, said) = run(&["candidates", "-"], &OFFER.replace("2130706431", "much"));
    assert!(!good && said.contains("priority is malformed"), "{said}");
}

#[test]
fn check_warns_or_fails_by_the_rules_asked_for() {
    let sloppy = OFFER.replace("\r\n", "\n");
    let (good, said) = run(&["check", "-"], &sloppy);
    assert!(
        good && said.contains("-: warning: line 1, column 4: expected CRLF (RFC 8866 §5)"),
        "{said}"
    );
    assert!(said.ends_with("1 files, 0 errors, 1 warnings\n"), "{said}");
    let (good, said) = run(&["check", "--profile", "strict", "-"], &sloppy);
    assert!(!good && said.ends_with("1 files, 1 errors, 0 warnings\n"), "{said}");
    assert!(run(&["check", "--profile", "webrtc", "-"], OFFER).0);
    let keyless = OFFER.replace("a=setup:actpass\r\n", "");
    let (good, said) = run(&["check", "--profile", "webrtc", "-"], &keyless);
    assert!(!good && said.contains("6 | m=audio 9 UDP/TLS/RTP/SAVPF 111\n  | ^"), "{said}");
}

#[test]
fn round_trip_counts_and_fails_where_a_file_cannot_be_read() {
    let folder = Folder::new("round-trip");
    let good = folder.file("good.sdp", &format!("{OFFER}a=odd \n\n"));
    let bad = folder.file("bad.sdp", "v=0\r\nrubbish\r\n");
    let (success, said) = run(&["round-trip", &good], "");
    assert!(success && said == "1 files, 1 byte-exact, 0 errors\n", "{said}");
    let (success, said) = run(&["round-trip", &good, &bad], "");
    assert!(!success && said.ends_with("2 files, 1 byte-exact, 1 errors\n"), "{said}");
    assert!(said.contains("bad.sdp: error: line 2, column 2"), "{said}");
}

#[test]
fn diff_sees_meaning_and_not_order() {
    let folder = Folder::new("diff");
    let a = folder.file("a.sdp", OFFER);
    let shuffled = OFFER
        .replace("minptime=10;useinbandfec=1", "useinbandfec=1; minptime=10")
        .replace("trickle ice2", "ice2  trickle")
        .replace("a=mid:0\r\na=ice-ufrag:8hhY\r\n", "a=ice-ufrag:8hhY\na=mid:0\n");
    let b = folder.file("b.sdp", &shuffled);
    assert_eq!(run(&["diff", &a, &b], ""), (true, String::new()));
    let c = folder.file("c.sdp", &shuffled.replace("sendonly", "inactive").replace("s=-", "s=x"));
    let expected =
        "session\n  - s=-\n  + s=x\nmedia section with mid 0\n  - a=sendonly\n  + a=inactive\n";
    assert_eq!(run(&["diff", &a, &c], ""), (false, expected.to_owned()));
}

#[test]
fn answer_takes_what_both_can_do_and_says_why_not() {
    let folder = Folder::new("answer");
    let own = OFFER.replace("opus/48000/2", "OPUS/48000/2").replace("sendonly", "sendrecv");
    let own = folder.file("own.sdp", &own);
    let (good, said) = run(&["answer", "--caps", &own, "-"], OFFER);
    assert!(good, "{said}");
    for wanted in [
        "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n",
        "a=recvonly\r\n",
        "a=setup:active\r\n",
        "section 1, application, is rejected: the offer itself rejects it\n",
    ] {
        assert!(said.contains(wanted), "{wanted} is missing in\n{said}");
    }
    let answer = folder.file("answer.sdp", said.split("section 1").next().unwrap());
    let (good, said) = run(&["check", "--profile", "webrtc", &answer], "");
    assert!(good, "{said}");
    let (good, said) = run(&["answer", "--caps", &own, "-"], &OFFER.replace("opus", "sonus"));
    assert!(!good && said.contains("section 0, audio, is rejected: no codec is common"), "{said}");
    let with_association = |id: &str, text: &str| {
        text.replace("a=setup:actpass\r\n", &format!("a=setup:actpass\r\na=tls-id:{id}\r\n"))
    };
    let own = folder.file("association.sdp", &with_association(&"own".repeat(8), OFFER));
    let offer = with_association(&"their".repeat(5), OFFER);
    let (_, said) = run(&["answer", "--caps", &own, "-"], &offer);
    assert!(said.contains("a=tls-id:ownownownownownownownown\r\n"), "{said}");
    let (_, said) = run(&["answer", "--caps", &own, "-"], OFFER);
    assert!(!said.contains("tls-id"), "none was offered: {said}");
    let bare = folder.file("bare.sdp", "v=0\r\n");
    let (good, said) = run(&["answer", "--caps", &bare, "-"], OFFER);
    assert!(!good && said.contains("bare.sdp has no ICE credentials"), "{said}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let (good, said) = run(&["inspect", "/nonexistent/offer.sdp"], "");
    assert!(!good && said.contains("/nonexistent/offer.sdp: No such file"), "{said}");
}
