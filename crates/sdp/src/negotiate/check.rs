use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::check::missing;
use crate::{Attribute, Description, Error, Extmap, Group, Media, RtcpMux, Setup, TypedAttribute};

impl Description<'_> {
    /// All places where this answer is none to that offer (RFC 3264 §6, RFC 9429 §5.8.3), in order.
    #[must_use]
    pub fn check_answer_to(&self, offer: &Description<'_>) -> Vec<Error> {
        let mut found = Vec::new();
        if self.media().len() != offer.media().len() {
            let what = "as many media sections as the offer has";
            found.push(missing(&self.session(), what, "RFC 3264 §6"));
        }
        check_bundles(self, offer, &mut found);
        for (answered, offered) in self.media().zip(offer.media()) {
            check_identity(&answered, &offered, &mut found);
            if !answered.is_rejected() {
                check_use(&answered, &offered, &mut found);
                check_setup(&answered, &offered, &mut found);
            }
        }
        found.sort_by_key(|error| (error.line(), error.column()));
        found
    }
}

/// Media type, protocol and tag are the offer's.
fn check_identity(answered: &Media<'_>, offered: &Media<'_>, found: &mut Vec<Error>) {
    let mut refuse = |what, rfc| found.push(missing(answered, what, rfc));
    if answered.kind() != offered.kind() {
        refuse("the media type of the offer", "RFC 9429 §5.8.3");
    }
    if answered.protocol() != offered.protocol() {
        refuse("the protocol of the offer", "RFC 9429 §5.8.3");
    }
    // Who does not know what a=mid is leaves it out (RFC 5888 §9.1).
    if answered.mid().is_some() && answered.mid() != offered.mid() {
        refuse("the mid of the offer", "RFC 5888 §9.1");
    }
    if offered.is_rejected() && !answered.is_rejected() {
        refuse("port zero, as in the offer", "RFC 3264 §6");
    }
}

/// A common format, a direction that fits, and nothing that was not offered.
fn check_use(answered: &Media<'_>, offered: &Media<'_>, found: &mut Vec<Error>) {
    let formats: BTreeSet<_> = offered.formats().collect();
    if !answered.formats().any(|format| formats.contains(format)) {
        found.push(missing(answered, "a format of the offer", "RFC 3264 §6.1"));
    }
    let direction = |media: &Media<'_>| {
        media.direction().or_else(|| media.session().direction()).unwrap_or_default()
    };
    let (theirs, ours) = (direction(answered), direction(offered));
    if (theirs.sends() && !ours.receives()) || (theirs.receives() && !ours.sends()) {
        found.push(missing(answered, "a direction that the offer leaves open", "RFC 3264 §6.1"));
    }
    if let Some(mux) = answered.attribute(RtcpMux::NAME).filter(|_| !offered.has(RtcpMux::NAME)) {
        found.push(at(mux, "no a=rtcp-mux, as in the offer", "RFC 5761 §5.1.1"));
    }
    let extensions: BTreeSet<_> =
        offered.get_all::<Extmap<'_>>().flatten().map(|extension| extension.uri).collect();
    for attribute in answered.attributes_named(Extmap::NAME) {
        let extension = attribute.parse::<Extmap<'_>>();
        if extension.is_ok_and(|extension| !extensions.contains(extension.uri)) {
            found.push(at(attribute, "a header extension of the offer", "RFC 8285 §7"));
        }
    }
}

/// One side is the client and the other one the server (RFC 4145 §4.1). A section that rides along in a
/// bundle may say nothing.
fn check_setup(answered: &Media<'_>, offered: &Media<'_>, found: &mut Vec<Error>) {
    let Some(attribute) = answered.attribute(Setup::NAME) else {
        return;
    };
    let offer = offered.get_or_inherit::<Setup>().ok().flatten().unwrap_or(Setup::ActPass);
    let fits = match attribute.parse::<Setup>() {
        Ok(Setup::Active) => matches!(offer, Setup::Passive | Setup::ActPass),
        Ok(Setup::Passive) => matches!(offer, Setup::Active | Setup::ActPass),
        Ok(Setup::HoldConn) => true,
        Ok(Setup::ActPass) | Err(_) => false,
    };
    if !fits {
        found.push(at(attribute, "the other side's part of the connection", "RFC 4145 §4.1"));
    }
}

/// A group of the answer lies within one of the offer, and has no rejected section (RFC 9143 §7.3).
fn check_bundles(answer: &Description<'_>, offer: &Description<'_>, found: &mut Vec<Error>) {
    let groups = |description: &Description<'_>| -> Vec<BTreeSet<alloc::string::String>> {
        let session = description.session();
        let groups = session.get_all::<Group<'_>>().flatten();
        let bundles = groups.filter(|group| group.semantics == Group::BUNDLE);
        bundles.map(|group| group.mids.into_iter().map(Into::into).collect()).collect()
    };
    let offered = groups(offer);
    let session = answer.session();
    for group in
        session.get_all::<Group<'_>>().flatten().filter(|own| own.semantics == Group::BUNDLE)
    {
        let tag = group.mids.first().and_then(|mid| offer.media_with_mid(mid));
        if tag.is_some_and(|media| media.port() == 0) {
            let what = "a BUNDLE group that begins with a section of a transport";
            found.push(missing(&session, what, "RFC 9143 §7.3.1"));
        }
    }
    for group in groups(answer) {
        if !offered.iter().any(|own| group.is_subset(own)) {
            let what = "BUNDLE groups within those of the offer";
            found.push(missing(&answer.session(), what, "RFC 9143 §7.3"));
        }
        let rejected = answer.media().filter(|media| media.is_rejected());
        for media in rejected.filter(|media| media.mid().is_some_and(|mid| group.contains(mid))) {
            found.push(missing(&media, "no rejected section in a BUNDLE group", "RFC 9143 §7.3.3"));
        }
    }
}

fn at(attribute: Attribute<'_>, what: &'static str, section: &'static str) -> Error {
    Error::expected(attribute.line().number() - 1, 0, what, section)
}
