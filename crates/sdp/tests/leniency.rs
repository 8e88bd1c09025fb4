//! What the crate docs say is accepted, row by row: it is read as the row says, and what of it the RFCs do
//! not allow is a warning with a line and a section.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use pinhole_sdp::negotiate::{Capabilities, Plan, Rejection};
use pinhole_sdp::{
    Connection, Description, ErrorKind, Fingerprint, IceUfrag, Profile, Sctpmap, Setup, Simulcast,
};
use support::{capabilities, written};

/// A row of the docs, and for each text in its manner the warnings: line, column, section.
struct Row {
    what: &'static str,
    texts: &'static [(&'static str, &'static [Warning])],
}

type Warning = (usize, usize, &'static str);

const GRAMMAR: &str = "RFC 8866 §9";
const ORDER: &str = "RFC 8866 §5";

/// `@` stands for lines that make a description whole, `|` for a line's end.
const ROWS: &[Row] = &[
    Row {
        what: "LF, or CR CR LF, or no ending at the end",
        texts: &[
            ("v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nt=0 0\n", &[(1, 4, ORDER)]),
            ("@a=x\r\r\na=y|", &[(5, 4, ORDER)]),
            ("@a=x", &[(5, 4, ORDER)]),
        ],
    },
    Row {
        what: "blank lines, letters that are unknown",
        texts: &[("@|a=x|", &[(5, 1, ORDER)]), ("@y=x|", &[(5, 1, ORDER)])],
    },
    Row {
        what: "no `t=`, no `o=`, an empty `s=`, lines in another order",
        texts: &[
            ("v=0|o=- 1 1 IN IP4 192.0.2.1|s=-|", &[(3, 4, ORDER)]),
            ("v=0|s=-|t=0 0|", &[(2, 1, ORDER)]),
            ("v=0|o=- 1 1 IN IP4 192.0.2.1|s=|t=0 0|", &[(3, 3, GRAMMAR)]),
            ("@a=x|b=AS:1|", &[(6, 1, ORDER)]),
        ],
    },
    Row {
        what: "blanks at the end of a line, or after the colon",
        texts: &[
            ("@m=audio 9 RTP/AVP 0 |c=IN IP4 192.0.2.1|", &[(5, 20, GRAMMAR)]),
            ("@a=setup: actpass|", &[(5, 9, GRAMMAR)]),
        ],
    },
    Row {
        what: "an `m=` line without formats",
        texts: &[("@m=audio 9 RTP/AVP|c=IN IP4 192.0.2.1|", &[(5, 18, "RFC 8866 §5.14")])],
    },
    Row {
        what: "bytes that are not UTF-8",
        texts: &[("@a=x-name:caf\u{1}|", &[(5, 13, "RFC 8866 §6.10")])],
    },
    Row {
        what: "`-`, `_`, `=`, `#` in ICE credentials",
        texts: &[
            ("@a=ice-ufrag:ab-d|", &[(5, 15, "RFC 8839 §5.4")]),
            ("@a=ice-ufrag:ab_d|", &[(5, 15, "RFC 8839 §5.4")]),
            ("@a=ice-ufrag:abc=|", &[(5, 16, "RFC 8839 §5.4")]),
            ("@a=ice-ufrag:#bcd|", &[(5, 13, "RFC 8839 §5.4")]),
        ],
    },
    Row {
        what: "fingerprints in lower case",
        texts: &[("@a=fingerprint:sha-1 0A:0b|", &[(5, 25, "RFC 8122 §5")])],
    },
    Row {
        what: "`a=simulcast:send rid=1;2`, `a=sctpmap`",
        texts: &[
            (
                "@m=video 9 RTP/AVP 31|c=IN IP4 192.0.2.1|a=simulcast:send rid=1;2|",
                &[(7, 18, "RFC 8853 §5.1")],
            ),
            // An attribute that no RFC has is one that readers ignore.
            ("@m=application 9 DTLS/SCTP 5000|c=IN IP4 192.0.2.1|a=sctpmap:5000 x 16|", &[]),
        ],
    },
    Row {
        what: "plan B: all tracks of a kind in one section",
        // By the letter of RFC 5576 there is nothing wrong with it.
        texts: &[(
            "@m=video 9 RTP/AVP 31|c=IN IP4 192.0.2.1|a=ssrc:1 msid:s a|a=ssrc:2 msid:s b|",
            &[],
        )],
    },
    Row {
        what: "ICE and DTLS attributes for the whole session",
        // RFC 8839 §5.4, RFC 8842 §5: both levels are allowed.
        texts: &[("@a=setup:active|m=video 9 RTP/AVP 31|c=IN IP4 192.0.2.1|", &[])],
    },
    Row {
        what: "an attribute that is unknown, or breaks its own grammar",
        texts: &[
            ("@a=x-unknown:whatever|", &[]),
            (
                "@m=audio 9 RTP/AVP 96|c=IN IP4 192.0.2.1|a=rtpmap:200 x/1|",
                &[(7, 10, "RFC 8866 §6.6")],
            ),
            ("@a=ice-pwd:short|", &[(5, 11, "RFC 8839 §5.4")]),
        ],
    },
];

fn whole(text: &str) -> Vec<u8> {
    let head = "v=0|o=- 1 1 IN IP4 192.0.2.1|s=-|t=0 0|";
    let text = text.replace('@', head).replace('|', "\r\n");
    // A byte that no `str` can have.
    text.bytes().map(|byte| if byte == 1 { 0xe9 } else { byte }).collect()
}

fn warnings(text: &[u8]) -> Vec<Warning> {
    let description = Description::parse(text).unwrap();
    assert_eq!(description.as_bytes(), text);
    let found = description.check(Profile::Strict);
    let places = found.iter().map(|error| {
        assert!(error.pointing_at(text).to_string().ends_with('^'));
        let ErrorKind::Expected { section, .. } = error.kind() else { panic!("{error}") };
        (error.line(), error.column(), section)
    });
    places.collect()
}

#[test]
fn each_leniency_is_a_warning_with_a_line_and_a_section() {
    for Row { what, texts } in ROWS {
        for (text, expected) in *texts {
            assert_eq!(warnings(&whole(text)), *expected, "{what}: {text}");
        }
    }
}

#[test]
fn each_row_of_the_docs_is_shown_here() {
    let docs = include_str!("../src/lib.rs");
    let table = docs.split("| what | who sends it | how it is read |").nth(1).unwrap();
    let rows = table.lines().skip(2).map_while(|line| line.strip_prefix("//! | "));
    let documented: Vec<&str> = rows.map(|row| row.split(" | ").next().unwrap()).collect();
    let shown: Vec<&str> = ROWS.iter().map(|row| row.what).collect();
    assert_eq!(documented, shown);
}

#[test]
fn what_is_lenient_is_read_as_the_docs_say() {
    let read = |text: &str| Description::parse(&whole(text)).unwrap().into_owned();
    assert_eq!(read("@a=setup: active |").session().get(), Ok(Some(Setup::Active)));
    assert_eq!(read("@a=ice-ufrag:a_-=|").session().get(), Ok(Some(IceUfrag("a_-="))));
    let upper = read("@a=fingerprint:sha-1 0A:0B|");
    let lower = read("@a=fingerprint:sha-1 0a:0b|");
    let fingerprint = |text: &Description<'_>| {
        let fingerprint: Fingerprint<'_> = text.session().get().unwrap().unwrap();
        fingerprint.to_string().to_uppercase()
    };
    assert_eq!(fingerprint(&upper), fingerprint(&lower));
    let draft = read("@m=video 9 RTP/AVP 31|a=simulcast:send rid=1;2|a=sctpmap:5000 x 16|");
    let media = draft.media().next().unwrap();
    let simulcast: Simulcast<'_> = media.get().unwrap().unwrap();
    assert_eq!(simulcast.to_string(), "send 1;2");
    assert_eq!(media.get::<Sctpmap<'_>>().unwrap().unwrap().port, 5000);
    assert_eq!(read("@m=audio 9 RTP/AVP|").media().next().unwrap().formats().count(), 0);
    assert_eq!(read("|@").media().count(), 0, "blank lines may come first");
}

/// The second table of the docs: what some servers do, and what becomes of it.
#[test]
fn asterisk_without_bundle_and_with_two_ports_is_answered_where_that_is_allowed() {
    let section = |port: u16| {
        format!(
            "m=audio {port} RTP/SAVP 0|c=IN IP4 192.0.2.1|a=rtcp:{}|a=ice-ufrag:Aste|\
             a=ice-pwd:AsteAsteAsteAsteAsteAste|a=setup:actpass|",
            port + 1
        )
    };
    let text = whole(&format!("@{}{}", section(18_000), section(18_010)));
    let offer = Description::parse(&text).unwrap();
    let own = capabilities(&[]);
    let refused = Plan::answer(&own, &offer);
    assert!(refused.sections.iter().all(|own| own.outcome == Err(Rejection::NoRtcpMux)));
    let answer = written(&Plan::answer(&Capabilities { require_rtcp_mux: false, ..own }, &offer));
    assert_eq!(answer.check_answer_to(&offer), []);
    for media in answer.media() {
        assert!(!media.is_rejected() && media.has("ice-ufrag") && !media.has("rtcp-mux"));
        assert_eq!(media.protocol(), "RTP/SAVP");
    }
}

#[test]
fn kurento_offers_dtls_under_an_older_name_and_is_found_out_when_it_answers_so() {
    let section = |protocol: &str| {
        format!(
            "m=audio 1 {protocol} 0|c=IN IP4 192.0.2.1|a=mid:audio0|a=rtcp-mux|a=ice-ufrag:Kure|\
             a=ice-pwd:KureKureKureKureKureKure|a=fingerprint:sha-1 02:02|a=setup:active|"
        )
    };
    let text = whole(&format!("@a=fingerprint:sha-1 01:01|{}", section("RTP/SAVPF")));
    let older = Description::parse(&text).unwrap();
    assert_eq!(Plan::answer(&capabilities(&[]), &older).sections[0].outcome.as_ref().err(), None);
    let media = older.media().next().unwrap();
    let counts: Fingerprint<'_> = media.get_or_inherit().unwrap().unwrap();
    assert_eq!(counts.to_string(), "sha-1 02:02", "the section's");

    let offer = whole(&format!("@{}", section("UDP/TLS/RTP/SAVPF").replace("active", "actpass")));
    let found = older.check_answer_to(&Description::parse(&offer).unwrap());
    let [error] = &found[..] else { panic!("{found:?}") };
    assert_eq!(error.line(), 6);
    assert!(error.to_string().contains("RFC 9429 §5.8.3"), "{error}");
}

#[test]
fn janus_has_its_address_after_the_attributes_and_rejects_with_inactive() {
    let text = whole(
        "@a=ice-lite|m=video 9 UDP/TLS/RTP/SAVPF 96|a=mid:0|c=IN IP4 192.0.2.1|\
         a=rtpmap:96 VP8/90000|m=audio 0 UDP/TLS/RTP/SAVPF 0|a=inactive|c=IN IP4 192.0.2.1|a=mid:1|",
    );
    assert_eq!(warnings(&text), [(8, 1, ORDER), (12, 1, ORDER)]);
    let description = Description::parse(&text).unwrap();
    let [video, audio] = &description.media().collect::<Vec<_>>()[..] else { panic!("two") };
    let connection = Connection { address_type: "IP4", address: "192.0.2.1" };
    assert_eq!(video.field(), Ok(Some(connection)));
    assert!(audio.is_rejected() && !video.is_rejected());
    assert!(video.session().has("ice-lite"));
}
