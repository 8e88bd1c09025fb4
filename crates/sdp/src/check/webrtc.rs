//! What RFC 9429 §5 asks of every description beyond RFC 8866.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::missing;
use crate::{
    Description, Error, Fingerprint, Group, Media, Rid, RtcpMux, RtcpMuxOnly, SctpPort, Setup,
    Simulcast, TypedAttribute,
};

pub(super) fn check(description: &Description<'_>, found: &mut Vec<Error>) {
    let bundled = bundled_with_another(description);
    for media in description.media().filter(|media| !media.is_rejected()) {
        check_protocol(&media, found);
        if media.mid().is_none_or(|mid| !bundled.contains(mid)) {
            check_transport(&media, found);
        }
        check_simulcast(&media, found);
        check_prohibited(&media, found);
        if media.has(RtcpMuxOnly::NAME) && !media.has(RtcpMux::NAME) {
            found.push(missing(&media, "a=rtcp-mux beside a=rtcp-mux-only", "RFC 9429 §5.8.3"));
        }
    }
}

/// The mids of all BUNDLE groups but the first of each, whose section tells the transport of all
/// (RFC 9143 §7.1.3, §7.3.3).
fn bundled_with_another<'d>(description: &'d Description<'_>) -> BTreeSet<&'d str> {
    let groups = description.session().get_all::<Group<'_>>().flatten();
    let bundles = groups.filter(|group| group.semantics == Group::BUNDLE);
    bundles.flat_map(|group| group.mids.into_iter().skip(1)).collect()
}

/// RFC 9429 §5.1.2 for RTP, RFC 8841 §4.1 for data, and what was sent before it.
fn check_protocol(media: &Media<'_>, found: &mut Vec<Error>) {
    match media.protocol() {
        "UDP/TLS/RTP/SAVPF" | "TCP/DTLS/RTP/SAVPF" | "UDP/TLS/RTP/SAVP" | "TCP/DTLS/RTP/SAVP"
        | "RTP/AVP" | "RTP/AVPF" | "RTP/SAVP" | "RTP/SAVPF" | "DTLS/SCTP" => {}
        "UDP/DTLS/SCTP" | "TCP/DTLS/SCTP" => {
            if !media.has(SctpPort::NAME) {
                found.push(missing(media, "a=sctp-port in this section", "RFC 9429 §5.8.2"));
            }
        }
        _ => found.push(missing(media, "an m= line with a protocol of WebRTC", "RFC 9429 §5.1.2")),
    }
}

/// RFC 9429 §5.8.3: ICE credentials, a DTLS role, a fingerprint, of the section or the session. The
/// `a=tls-id` that it lists as well is not asked for, because no browser sends it.
fn check_transport(media: &Media<'_>, found: &mut Vec<Error>) {
    const SECTION: &str = "RFC 9429 §5.8.3";
    match media.ice() {
        Ok(Some(_)) => {}
        Ok(None) => {
            found.push(missing(media, "a=ice-ufrag and a=ice-pwd for this section", SECTION))
        }
        Err(error) => found.push(error),
    }
    if !(media.has(Setup::NAME) || media.session().has(Setup::NAME)) {
        found.push(missing(media, "a=setup for this section", SECTION));
    }
    if !(media.has(Fingerprint::NAME) || media.session().has(Fingerprint::NAME)) {
        found.push(missing(media, "a=fingerprint for this section", SECTION));
    }
}

/// RFC 9429 §5.8.3: "All rid-ids referenced in an a=simulcast line MUST exist as a=rid lines."
fn check_simulcast(media: &Media<'_>, found: &mut Vec<Error>) {
    let Ok(Some(simulcast)) = media.get::<Simulcast<'_>>() else {
        return;
    };
    let known: BTreeSet<_> = media.get_all::<Rid<'_>>().flatten().map(|rid| rid.id).collect();
    let mut named = simulcast.send.iter().chain(&simulcast.recv).flat_map(|stream| &stream.0);
    if named.any(|alternative| !known.contains(alternative.rid)) {
        let what = "an a=rid for each name in a=simulcast";
        found.push(missing(media, what, "RFC 9429 §5.8.3"));
    }
}

/// RFC 9429 §5.1.1, §5.2.1: keys in the description are not used.
fn check_prohibited(media: &Media<'_>, found: &mut Vec<Error>) {
    for attribute in ["crypto", "key-mgmt"].iter().flat_map(|name| media.attributes_named(name)) {
        let line = attribute.line().number() - 1;
        found.push(Error::expected(line, 0, "no key in the description", "RFC 9429 §5.1.1"));
    }
}
