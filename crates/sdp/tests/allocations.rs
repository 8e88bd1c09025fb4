//! How much memory a view costs.
#![allow(clippy::unwrap_used)]

mod counting;

use counting::counted;
use pinhole_sdp::Description;

fn offer(sections: usize) -> String {
    let mut text =
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE\r\n".to_owned();
    for mid in 0..sections {
        text.push_str(&format!("m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:{mid}\r\n"));
        text.push_str(
            "a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=rtpmap:96 VP8/90000\r\n",
        );
        text.push_str(&"a=candidate:1 1 udp 2130706431 192.0.2.1 49152 typ host\r\n".repeat(30));
    }
    text
}

#[test]
fn a_browsers_offer_is_viewed_with_few_allocations_and_less_memory_than_its_text() {
    for sections in [1, 2, 3] {
        let text = offer(sections);
        let (description, calls, bytes) = counted(|| Description::parse(&text).unwrap());
        assert!(calls <= 2, "{calls} allocations for {sections} sections");
        assert!(bytes <= text.len(), "{bytes} bytes for {} bytes of text", text.len());
        let (found, calls, _) = counted(|| {
            let media = description.media().last().unwrap();
            (media.ice().unwrap().is_some(), media.candidates().count())
        });
        assert_eq!((found, calls), ((true, 30), 0), "looking at it costs nothing");
    }
}
