use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Plan, RtpPlan, SectionPlan, SimulcastPlan, Use};
use crate::{
    Alternative, Builder, BundleOnly, Candidate, Connection, Description, EndOfCandidates, Extmap,
    Fingerprint, Fmtp, Group, IceOptions, IcePassword, IceUfrag, MaxMessageSize, Mid, Origin, Rid,
    RtcpFb, RtcpMux, RtcpRsize, Rtpmap, SctpPort, Setup, Simulcast, Stream, Way, WriteError,
};

/// The transport of this side: its ICE agent and its certificate. Sections that are not bundled need
/// one each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transport<'a> {
    /// The username fragment.
    pub ufrag: &'a str,
    /// The password.
    pub password: &'a str,
    /// The ICE options, such as `trickle`; empty for none.
    pub options: &'a str,
    /// The hash of the certificate.
    pub fingerprint: Fingerprint<'a>,
    /// The candidates that are known, with `candidate:` in front or not.
    pub candidates: Vec<String>,
    /// Whether no more follow.
    pub end_of_candidates: bool,
}

/// Which side of DTLS this one takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SetupRule {
    /// "The offerer SHOULD use actpass" (RFC 8842 §5.2).
    Offer,
    /// The client's, unless the offer takes it (RFC 8842 §5.3).
    Answer,
}

impl SetupRule {
    fn setup(self, offered: Option<Setup>) -> Setup {
        match (self, offered) {
            (Self::Offer, _) => Setup::ActPass,
            (Self::Answer, Some(Setup::Active)) => Setup::Passive,
            (Self::Answer, _) => Setup::Active,
        }
    }
}

impl Plan {
    /// Writes the description. `transport` gives the transport of the section with an index, and is
    /// asked once for each section whose transport is its own.
    ///
    /// # Errors
    /// Where a value of the plan or the transport cannot be written.
    pub fn write<'t>(
        &self,
        origin: Origin<'_>,
        mut transport: impl FnMut(usize) -> Transport<'t>,
    ) -> Result<Description<'static>, WriteError> {
        let bundles = self.live_bundles();
        let groups = bundles.iter().map(|mids| Group::bundle(mids.iter().copied()));
        let mut builder = Builder::new(origin).attributes(groups);
        for (index, section) in self.sections.iter().enumerate() {
            let mid = section.mid.as_deref();
            let rides_along =
                bundles.iter().any(|mids| mids.iter().skip(1).any(|own| Some(*own) == mid));
            builder = self.begin(section, rides_along, builder);
            let Ok(usage) = &section.outcome else { continue };
            if !rides_along {
                builder = with_transport(
                    builder,
                    &transport(index),
                    self.setup.setup(section.offered_setup),
                );
            }
            builder = match usage {
                Use::Rtp(plan) => with_rtp(builder, plan),
                Use::Data(plan) => builder
                    .attribute(SctpPort(plan.sctp_port))
                    .attribute(MaxMessageSize(plan.max_message_size)),
            };
        }
        builder.finish()
    }

    /// The `m=` line, `c=` and mid. In an offer, a section that rides along is wanted only that way
    /// (RFC 9143 §7.2.1); port 9 stands for "the candidates will tell".
    fn begin(&self, section: &SectionPlan, rides_along: bool, builder: Builder) -> Builder {
        let bundle_only = rides_along && self.setup == SetupRule::Offer;
        let formats = match &section.outcome {
            Ok(Use::Rtp(plan)) => {
                let numbers: Vec<String> =
                    plan.formats.iter().map(|(number, _)| number.to_string()).collect();
                numbers.join(" ")
            }
            Ok(Use::Data(_)) => "webrtc-datachannel".to_string(),
            Err(_) => section.offered_formats.clone(),
        };
        let port = if section.outcome.is_err() || bundle_only { 0 } else { 9 };
        let mut builder = builder
            .media(&section.kind, port, &section.protocol, &formats)
            .field(Connection::UNSPECIFIED)
            .attributes(section.mid.as_deref().map(Mid));
        if bundle_only && section.outcome.is_ok() {
            builder = builder.attribute(BundleOnly);
        }
        builder
    }
}

fn with_transport(builder: Builder, transport: &Transport<'_>, setup: Setup) -> Builder {
    let options = Some(IceOptions(transport.options)).filter(|options| !options.0.is_empty());
    builder
        .attribute(IceUfrag(transport.ufrag))
        .attribute(IcePassword(transport.password))
        .attributes(options)
        .attribute(transport.fingerprint)
        .attribute(setup)
        .attributes(transport.candidates.iter().map(|text| Candidate::from_line(text)))
        .attributes(transport.end_of_candidates.then_some(EndOfCandidates))
}

fn with_rtp(builder: Builder, plan: &RtpPlan) -> Builder {
    let extensions = plan.extensions.iter();
    let extensions =
        extensions.map(|(id, uri)| Extmap { id: *id, direction: None, uri, attributes: "" });
    let mut builder = builder
        .direction(plan.direction)
        .attributes(plan.rtcp_mux.then_some(RtcpMux))
        .attributes(plan.rtcp_rsize.then_some(RtcpRsize))
        .attributes(extensions);
    for (payload_type, codec) in &plan.formats {
        let format = payload_type.to_string();
        let parameters = codec.parameters.as_str();
        let fmtp = Some(Fmtp { format: &format, parameters }).filter(|_| !parameters.is_empty());
        builder = builder
            .attribute(Rtpmap {
                payload_type: *payload_type,
                encoding: &codec.name,
                clock_rate: codec.clock_rate,
                channels: Some(codec.channels).filter(|channels| *channels > 1),
            })
            .attributes(codec.feedback.iter().map(|feedback| RtcpFb { format: &format, feedback }))
            .attributes(fmtp);
    }
    match &plan.simulcast {
        Some(simulcast) => with_simulcast(builder, simulcast),
        None => builder,
    }
}

fn with_simulcast(builder: Builder, plan: &SimulcastPlan) -> Builder {
    let rids = plan.streams.iter().flatten();
    let rids = rids.map(|id| Rid { id, way: plan.way, restrictions: "" });
    let streams = plan
        .streams
        .iter()
        .map(|names| Stream(names.iter().map(|rid| Alternative { rid, paused: false }).collect()));
    let streams = streams.collect();
    let simulcast = match plan.way {
        Way::Send => Simulcast { send: streams, recv: Vec::new() },
        Way::Recv => Simulcast { send: Vec::new(), recv: streams },
    };
    builder.attributes(rids).attribute(simulcast)
}
