use std::collections::BTreeSet;
use std::io::{self, Write};

use pinhole_ice::{Candidate, CandidateAddress, CandidateTransport, TcpType};
use pinhole_sdp::{Description, Media};

use crate::input::Input;

/// Prints each candidate of each section in words; good is when all could be read.
pub(crate) fn run(files: &[String], out: &mut impl Write) -> io::Result<bool> {
    let mut good = true;
    for file in files {
        let input = Input::read(file)?;
        match input.parse() {
            Ok(description) => good &= description_of(file, &description, out)?,
            Err(error) => {
                good = false;
                writeln!(out, "{}", input.show("error", error))?;
            }
        }
    }
    Ok(good)
}

fn description_of(
    file: &str,
    description: &Description<'_>,
    out: &mut impl Write,
) -> io::Result<bool> {
    let mut good = true;
    for media in description.media() {
        let mid = media.mid().map(|mid| format!(", mid {mid}")).unwrap_or_default();
        writeln!(out, "{file}: section {}, {}{mid}", media.index(), media.kind())?;
        good &= section(&media, out)?;
    }
    Ok(good)
}

fn section(media: &Media<'_>, out: &mut impl Write) -> io::Result<bool> {
    let mut good = true;
    let mut foundations = BTreeSet::new();
    for text in media.candidates() {
        match text.parse::<Candidate>() {
            Ok(candidate) => {
                foundations.insert(candidate.foundation.as_str().to_owned());
                show(&candidate, out)?;
            }
            // RFC 8839 §5.1: what is well formed and unknown is passed over.
            Err(error) => {
                good &= error.is_unsupported();
                writeln!(out, "  unreadable: {error}: {text}")?;
            }
        }
    }
    let count = media.candidates().count();
    let more = if media.end_of_candidates() { "no more follow" } else { "more may follow" };
    writeln!(out, "  {count} candidates, {} foundations, {more}", foundations.len())?;
    Ok(good)
}

fn show(candidate: &Candidate, out: &mut impl Write) -> io::Result<()> {
    let address = match &candidate.address {
        CandidateAddress::Ip(address) => address.to_string(),
        CandidateAddress::Name { host, port } => format!("{host}:{port}"),
    };
    let transport = match candidate.transport {
        CandidateTransport::Udp => "udp".to_owned(),
        CandidateTransport::Tcp(TcpType::Active) => "tcp active".to_owned(),
        CandidateTransport::Tcp(TcpType::Passive) => "tcp passive".to_owned(),
        CandidateTransport::Tcp(TcpType::SimultaneousOpen) => "tcp so".to_owned(),
    };
    let (kind, foundation) = (candidate.kind, &candidate.foundation);
    let component = candidate.component;
    writeln!(
        out,
        "  {kind} {transport} {address}, foundation {foundation}, component {component}"
    )?;
    // The parts of RFC 8445 §5.1.2.1, which a peer that computes otherwise does not have.
    let [kind_preference, high, low, component_part] = candidate.priority.0.to_be_bytes();
    let local = u16::from_be_bytes([high, low]);
    let component_part = 256 - u16::from(component_part);
    let usual = if kind_preference == kind.type_preference() && component_part == component.get() {
        ""
    } else {
        "; not what its type and component give"
    };
    writeln!(
        out,
        "    priority {}: type {kind_preference}, local {local}, component {component_part}{usual}",
        candidate.priority
    )?;
    if let Some(related) = candidate.related {
        writeln!(out, "    related to {related}")?;
    }
    for (name, value) in &candidate.extensions {
        writeln!(out, "    {name} {value}")?;
    }
    Ok(())
}
