//! The session descriptions: one data channel (RFC 8841), and the ICE session that carries it (RFC 8839).

use anyhow::{Context as _, Result, anyhow, ensure};
use pinhole_ice::{Abilities, Candidate, Credentials};
use pinhole_sdp::{
    Builder, Connection, Description, EndOfCandidates, Fingerprint, Group, IceOptions, IcePacing,
    IcePassword, IceUfrag, MaxMessageSize, Media, Mid, Origin, SctpPort, Setup,
    TypedAttribute as _,
};

/// What the other side's description tells.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) mid: String,
    pub(crate) credentials: Credentials,
    pub(crate) abilities: Abilities,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) end_of_candidates: bool,
}

/// This side's description, which stays the same session through all offers and answers (RFC 3264 §8).
#[derive(Debug)]
pub(crate) struct Local {
    mid: String,
    session: u64,
    version: u64,
    fingerprint: [u8; 32],
}

impl Local {
    /// Of a data channel with this `mid`.
    pub(crate) fn new(mid: &str) -> Self {
        // A browser insists on a fingerprint. Nobody has the certificate: DTLS is not what this shows.
        let (session, fingerprint) = (rand::random::<u64>() >> 2, rand::random());
        Self { mid: mid.to_owned(), session, version: 0, fingerprint }
    }

    pub(crate) fn mid(&self) -> &str {
        &self.mid
    }

    /// The next offer or answer, with a version of its own.
    pub(crate) fn write(
        &mut self,
        local: &Credentials,
        abilities: Abilities,
        setup: Setup,
    ) -> Result<String> {
        self.version += 1;
        let description = Builder::new(Origin::anonymous(self.session, self.version))
            .attribute(Group::bundle([self.mid.as_str()]))
            .attribute(IcePacing(abilities.pacing))
            .media("application", 9, "UDP/DTLS/SCTP", "webrtc-datachannel")
            .field(Connection::UNSPECIFIED)
            .attribute(Mid(&self.mid))
            .attribute(IceUfrag(local.ufrag.as_str()))
            .attribute(IcePassword(local.password.as_str()))
            .attribute(IceOptions(&abilities.options()))
            .attribute(Fingerprint::sha256(self.fingerprint))
            .attribute(setup)
            .attribute(SctpPort(5_000))
            .attribute(MaxMessageSize(262_144))
            .finish()?;
        Ok(description.to_string())
    }
}

/// Reads an offer or answer. An error shows the place in the text.
pub(crate) fn read(text: &str) -> Result<Remote> {
    read_section(text).map_err(|error| match error.downcast_ref::<pinhole_sdp::Error>() {
        Some(sdp) => {
            anyhow!("the other side's session description is malformed\n{}", sdp.pointing_at(text))
        }
        None => error.context("the other side's session description is of no use"),
    })
}

fn read_section(text: &str) -> Result<Remote> {
    let description = Description::parse(text)?;
    let media: Vec<Media<'_>> = description.media().collect();
    ensure!(
        media.len() == 1,
        "it has {} media sections, and only one data channel is spoken here",
        media.len()
    );
    let media = media.first().filter(|media| media.kind() == "application");
    let media = media.context("it has no data channel")?;
    let ice = media.ice()?.context("it has no ICE credentials")?;
    let candidates = media.candidates().filter_map(|candidate| candidate.parse().ok()).collect();
    Ok(Remote {
        mid: media.mid().unwrap_or("0").to_owned(),
        credentials: Credentials::new(ice.ufrag, ice.password)?,
        abilities: Abilities {
            lite: ice.lite,
            pacing: ice.pacing,
            ..Abilities::from_options(ice.options.0)
        },
        candidates,
        end_of_candidates: media.has(EndOfCandidates::NAME),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        Credentials::new("8hhY", "asd88fgpdd777uzjYhagZg").unwrap()
    }

    fn abilities() -> Abilities {
        let pacing = std::time::Duration::from_millis(5);
        Abilities { renomination2: true, pacing, ..Abilities::default() }
    }

    #[test]
    fn what_is_written_reads_back() {
        let remote =
            read(&Local::new("data").write(&credentials(), abilities(), Setup::ActPass).unwrap())
                .unwrap();
        assert_eq!((remote.mid.as_str(), remote.credentials), ("data", credentials()));
        assert_eq!(remote.abilities, abilities());
        assert!(remote.candidates.is_empty() && !remote.end_of_candidates);
    }

    #[test]
    fn a_malformed_description_is_shown_with_line_and_column() {
        let text = Local::new("0")
            .write(&credentials(), abilities(), Setup::ActPass)
            .unwrap()
            .replace("m=application 9", "m=application x");
        let error = read(&text).unwrap_err().to_string();
        let line = text.lines().position(|line| line.starts_with("m=")).unwrap() + 1;
        assert!(error.contains("malformed") && error.contains(&line.to_string()), "{error}");
        assert!(error.contains("m=application x"), "{error}");
    }

    #[test]
    fn a_description_without_ice_says_so() {
        let text = Local::new("0").write(&credentials(), abilities(), Setup::ActPass).unwrap();
        let text: String =
            text.split_inclusive('\n').filter(|line| !line.starts_with("a=ice-")).collect();
        let error = format!("{:#}", read(&text).unwrap_err());
        assert!(error.contains("no ICE credentials"), "{error}");
    }
}
