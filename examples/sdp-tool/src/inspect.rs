use std::collections::BTreeMap;
use std::io::{self, Write};

use pinhole_sdp::{
    Connection, Description, Error, Extmap, Fingerprint, Fmtp, Group, Media, Msid, Origin, RtcpFb,
    Rtpmap, SctpPort, SessionName, Setup, Simulcast, Ssrc,
};

use crate::input::Input;

/// Prints a summary of each file; good is when all could be read.
pub(crate) fn run(files: &[String], out: &mut impl Write) -> io::Result<bool> {
    let mut good = true;
    for file in files {
        let input = Input::read(file)?;
        match input.parse() {
            Ok(description) => {
                let (lines, media) = (description.lines().count(), description.media().len());
                let bytes = input.bytes.len();
                writeln!(out, "{file}: {media} media sections, {lines} lines, {bytes} bytes")?;
                session(&description, out)?;
                for media in description.media() {
                    section(&media, out)?;
                }
            }
            Err(error) => {
                good = false;
                writeln!(out, "{}", input.show("error", error))?;
            }
        }
    }
    Ok(good)
}

fn session(description: &Description<'_>, out: &mut impl Write) -> io::Result<()> {
    let session = description.session();
    let name = session.field::<SessionName<'_>>().ok().flatten();
    writeln!(out, "  session       {}", name.map_or("-", |name| name.0))?;
    row(out, "origin", session.field::<Origin<'_>>())?;
    row(out, "connection", session.field::<Connection<'_>>())?;
    for group in session.get_all::<Group<'_>>() {
        row(out, "group", group.map(Some))?;
    }
    Ok(())
}

fn section(media: &Media<'_>, out: &mut impl Write) -> io::Result<()> {
    let state = if media.is_rejected() { "rejected".to_owned() } else { port(media) };
    let direction = media.direction().or_else(|| media.session().direction()).unwrap_or_default();
    let mid = media.mid().map(|mid| format!(", mid {mid}")).unwrap_or_default();
    let (index, kind, protocol) = (media.index(), media.kind(), media.protocol());
    writeln!(out, "  {index}: {kind}, {protocol}, {state}, {direction}{mid}")?;
    row(out, "connection", media.field::<Connection<'_>>())?;
    ice(media, out)?;
    row(out, "dtls setup", media.get_or_inherit::<Setup>())?;
    row(out, "fingerprint", media.get_or_inherit::<Fingerprint<'_>>())?;
    row(out, "sctp port", media.get::<SctpPort>())?;
    formats(media, out)?;
    for extension in media.get_all::<Extmap<'_>>() {
        row(out, "extension", extension.map(Some))?;
    }
    row(out, "stream", media.get::<Msid<'_>>())?;
    row(out, "simulcast", media.get::<Simulcast<'_>>())?;
    sources(media, out)
}

fn port(media: &Media<'_>) -> String {
    match media.port_count() {
        1 => format!("port {}", media.port()),
        count => format!("{count} ports from {}", media.port()),
    }
}

/// The credentials' names and sizes; the password is nobody's business.
fn ice(media: &Media<'_>, out: &mut impl Write) -> io::Result<()> {
    let description = match media.ice() {
        Ok(Some(ice)) => ice,
        Ok(None) => return Ok(()),
        Err(error) => return row::<String>(out, "ice", Err(error)),
    };
    let lite = if description.lite { ", lite" } else { "" };
    let (ufrag, length) = (description.ufrag, description.password.len());
    let text = format!("fragment {ufrag}, password of {length} characters{lite}");
    row(out, "ice", Ok(Some(text)))?;
    row(out, "ice options", Ok(Some(description.options).filter(|options| !options.0.is_empty())))?;
    for candidate in media.candidates() {
        row(out, "candidate", Ok(Some(candidate)))?;
    }
    let end = media.end_of_candidates().then_some("no more follow");
    row(out, "candidates", Ok(end))
}

/// Each format with its name, its parameters, and the feedback for it.
fn formats(media: &Media<'_>, out: &mut impl Write) -> io::Result<()> {
    let names: BTreeMap<u8, Rtpmap<'_>> =
        media.get_all::<Rtpmap<'_>>().flatten().map(|map| (map.payload_type, map)).collect();
    let parameters: Vec<Fmtp<'_>> = media.get_all().flatten().collect();
    let feedback: Vec<RtcpFb<'_>> = media.get_all().flatten().collect();
    for format in media.formats() {
        let mut text = format.to_owned();
        if let Some(map) = format.parse().ok().and_then(|payload_type| names.get(&payload_type)) {
            text = map.to_string();
        }
        for own in parameters.iter().filter(|own| own.format == format) {
            text = format!("{text}; {}", own.parameters);
        }
        let wanted: Vec<_> =
            feedback.iter().filter(|own| own.applies_to(format)).map(|own| own.feedback).collect();
        if !wanted.is_empty() {
            text = format!("{text}; feedback {}", wanted.join(", "));
        }
        row(out, "format", Ok(Some(text)))?;
    }
    Ok(())
}

fn sources(media: &Media<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut ids: Vec<u32> = media.get_all::<Ssrc<'_>>().flatten().map(|ssrc| ssrc.id).collect();
    ids.dedup();
    let text: Vec<_> = ids.iter().map(u32::to_string).collect();
    row(out, "sources", Ok((!text.is_empty()).then(|| text.join(" "))))
}

/// A line with a value, or with what is wrong with it; nothing where there is none.
fn row<T: std::fmt::Display>(
    out: &mut impl Write,
    name: &str,
    value: Result<Option<T>, Error>,
) -> io::Result<()> {
    match value {
        Ok(None) => Ok(()),
        Ok(Some(value)) => writeln!(out, "     {name:<12}{value}"),
        Err(error) => writeln!(out, "     {name:<12}unreadable: {error}"),
    }
}
