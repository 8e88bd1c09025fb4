//! Each typed attribute writes what it read, and refuses what is not its grammar where it leaves it.
#![allow(clippy::unwrap_used)]

use pinhole_sdp::{
    BundleOnly, Candidate, Content, Control, Crypto, Dcmap, Decimal, Direction, EndOfCandidates,
    Extmap, ExtmapAllowMixed, Fingerprint, Fmtp, Framerate, Group, IceLite, IceMismatch,
    IceOptions, IcePacing, IcePassword, IceUfrag, Identity, ImageAttr, Label, Lang, MaxMessageSize,
    MaxPtime, MediaClk, Mid, Msid, Ptime, Quality, Range, RemoteCandidates, Rid, Rtcp, RtcpFb,
    RtcpMux, RtcpMuxOnly, RtcpRsize, Rtpmap, SctpPort, Sctpmap, Setup, Simulcast, SourceFilter,
    Ssrc, SsrcGroup, TlsId, TsRefclk, Value,
};

/// For each type: texts that it writes as it read them, and texts with the number of bytes of them that
/// are right.
macro_rules! grammars {
    ($($type:ident: $($good:literal),* ; $(($bad:literal, $offset:literal)),*)*) => {
        $(
            for text in [$($good),*] {
                let value = $type::from_text(text).unwrap_or_else(|e| panic!("{text}: {e}"));
                assert_eq!(value.to_string(), text, "{}", stringify!($type));
            }
            let bad: &[(&str, usize)] = &[$(($bad, $offset)),*];
            for (text, offset) in bad {
                let error = $type::from_text(text).map(|_| ()).unwrap_err();
                assert_eq!(error.offset, *offset, "{}: {text}: {error}", stringify!($type));
            }
        )*
    };
}

#[test]
fn connectivity() {
    grammars! {
        Candidate: "1 1 udp 2130706431 192.0.2.1 49152 typ host"; ("", 0)
        EndOfCandidates: ""; ("x", 0)
        IceLite: ""; ("yes", 0)
        IceMismatch: "";
        IceOptions: "trickle", "ice2 trickle renomination"; ("", 0)
        IcePacing: "50", "0"; ("", 0), ("x", 0), ("4294967296", 0), ("50 ms", 3)
        IcePassword: "asd88fgpdd777uzjYhagZg"; ("asd88fgpdd777uzjYhagZ", 0)
        IceUfrag: "8hhY", "+/+/"; ("8hh", 0), ("", 0), ("8hhY!", 4)
        RemoteCandidates: "1 192.0.2.1 5060", "1 192.0.2.1 5060 2 2001:db8::1 5061";
            ("", 0), ("1", 1), ("1 192.0.2.1", 11), ("1 192.0.2.1 65536", 12), ("1 a 1 x", 6)
        Setup: "active", "passive", "actpass", "holdconn"; ("", 0), ("Active", 0), ("active x", 7)
        Fingerprint: "sha-256 00:FF", "sha-1 A0"; ("sha-256", 7), ("sha-1 0", 6), ("sha-1 00:", 9)
        TlsId: "abcdefghijklmnopqrst"; ("abcdefghijklmnopqrs", 0), ("abcdefghijklmnopqrst.", 20)
    }
}

#[test]
fn sections_and_data() {
    grammars! {
        BundleOnly: "";
        Group: "BUNDLE", "BUNDLE 0 1", "LS audio video"; ("", 0), ("@", 0)
        Mid: "0", "audio-1"; ("", 0), ("a b", 2), ("a/b", 1)
        Dcmap: "0", "2 subprotocol=\"bfcp\";label=\"x\""; ("", 0), ("65536", 0), ("1,", 1)
        MaxMessageSize: "0", "262144"; ("", 0), ("-1", 0), ("18446744073709551616", 0)
        SctpPort: "5000"; ("65536", 0), ("", 0), ("5000 1", 5)
        Sctpmap: "5000 webrtc-datachannel 1024", "5000 webrtc-datachannel"; ("5000", 4), ("5000 x y", 7)
        Label: "slides1"; ("", 0), ("a,b", 1)
        Content: "slides", "main,alt"; ("", 0)
    }
}

#[test]
fn rtp() {
    grammars! {
        Rtpmap: "0 PCMU/8000", "111 opus/48000/2"; ("128 x/1", 0), ("0", 1), ("0 x", 3), ("0 x/", 4)
        Fmtp: "111 minptime=10;useinbandfec=1", "101 0-15"; ("", 0), ("111", 3), (" ", 0)
        Ptime: "20", "2.5"; ("", 0), ("-1", 0), ("20ms", 2)
        MaxPtime: "120"; ("x", 0)
        Extmap: "1 urn:x", "2/sendonly urn:y long off"; ("", 0), ("1/up urn:x", 2), ("1", 1), ("65536 x", 0)
        ExtmapAllowMixed: "";
        ImageAttr: "97 send [x=800,y=640]"; ("", 0)
        Msid: "stream track", "-", "{a-b} c"; ("", 0), ("a b c", 4)
        Rid: "hi send", "1 recv pt=96,97;max-fps=30"; ("", 0), ("1", 1), ("1 both", 2), ("a.b send", 1)
        Rtcp: "9", "9 IN IP4 0.0.0.0"; ("", 0), ("65536", 0), ("9 ATM x y", 2)
        RtcpFb: "96 nack pli", "* transport-cc"; ("", 0), ("96", 2)
        RtcpMux: ""; ("x", 0)
        RtcpMuxOnly: "";
        RtcpRsize: "";
        Simulcast: "send a;~b,c recv d"; ("send", 4)
        Ssrc: "1 cname:a b", "4294967295 mslabel"; ("4294967296 a", 0), ("1", 1), ("1 :x", 2)
        SsrcGroup: "FID 1 2", "FID"; ("", 0), ("FID x", 4)
        Crypto: "1 AES_CM_128_HMAC_SHA1_80 inline:abc|2^20 KDR=1"; ("x", 0), ("1 A", 3)
    }
}

#[test]
fn streaming() {
    grammars! {
        Control: "*", "rtsp://camera.example/track1"; ("", 0), ("a b", 2)
        Framerate: "25", "29.97"; ("", 0), ("0S", 1)
        Identity: "ZXhhbXBsZQ=="; ("", 0)
        Lang: "de"; ("", 0)
        MediaClk: "direct=0", "direct=963214424 rate=1000/1001"; ("", 0)
        Quality: "0", "10"; ("11", 0), ("", 0)
        Range: "npt=0-", "npt=0- 596.48"; ("", 0)
        TsRefclk: "ntp=203.0.113.10"; ("", 0)
    }
    let filter =
        SourceFilter::from_text("incl IN IP4 233.252.0.1 198.51.100.1 198.51.100.2").unwrap();
    assert_eq!(filter.to_string(), " incl IN IP4 233.252.0.1 198.51.100.1 198.51.100.2");
    assert_eq!(SourceFilter::from_text(&filter.to_string()), Ok(filter));
    for (text, offset) in [("", 0), ("incl IP4", 4), ("excl IN IP4 *", 13)] {
        assert_eq!(SourceFilter::from_text(text).unwrap_err().offset, offset, "{text}");
    }
}

#[test]
fn parameters_are_found_by_name() {
    let opus = Fmtp::from_text("111 minptime=10; useinbandfec = 1;;stereo=0").unwrap();
    assert_eq!(
        opus.pairs().collect::<Vec<_>>(),
        [("minptime", "10"), ("useinbandfec", "1"), ("stereo", "0")]
    );
    assert_eq!(opus.get("UseInbandFEC"), Some("1"));
    assert_eq!(opus.get("maxptime"), None);
    let events = Fmtp::from_text("101 0-16").unwrap();
    assert_eq!(events.pairs().collect::<Vec<_>>(), [("", "0-16")]);
}

#[test]
fn values_mean_what_they_say() {
    assert_eq!(Ptime::from_text("2.5"), Ok(Ptime(Decimal::from_millionths(2_500_000))));
    let extmap = Extmap::from_text("3/recvonly urn:x").unwrap();
    assert_eq!((extmap.id, extmap.direction), (3, Some(Direction::RecvOnly)));
    assert!(RtcpFb::from_text("* nack").unwrap().applies_to("96"));
    assert!(!RtcpFb::from_text("97 nack").unwrap().applies_to("96"));
    let secret = Crypto::from_text("1 AES_CM_128_HMAC_SHA1_80 inline:secret").unwrap();
    assert!(!format!("{secret:?}").contains("secret"));
}
