use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::plan::{Part, Standing};
use super::{BundlePolicy, Plan, RtpPlan, SectionPlan, SimulcastPlan, Use};
use crate::{
    Alternative, Builder, BundleOnly, Candidate, Connection, Description, EndOfCandidates, Extmap,
    Fingerprint, Fmtp, Group, IceOptions, IcePassword, IceUfrag, MaxMessageSize, Mid, Msid, Origin,
    Rid, RtcpFb, RtcpMux, RtcpRsize, Rtpmap, SctpPort, Setup, Simulcast, Stream, Way, WriteError,
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

/// How a section gets its transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carriage {
    /// It has one of its own.
    Own,
    /// It repeats that of the section with this index.
    Repeated(usize),
    /// It has none, and is wanted only bundled.
    BundleOnly,
    /// The section that comes first in its group tells it.
    Along,
}

impl Plan {
    /// Writes the description. `transport` gives the transport of the section with an index; it is asked
    /// for those that have one of their own, and again where others repeat that one. The first section of a
    /// BUNDLE group tells the group's transport; another one may become the first where that is closed.
    ///
    /// # Errors
    /// Where a value of the plan or the transport cannot be written.
    pub fn write<'t>(
        &self,
        origin: Origin<'_>,
        mut transport: impl FnMut(usize) -> Transport<'t>,
    ) -> Result<Description<'static>, WriteError> {
        let mut plan = self.clone();
        plan.make_consistent();
        plan.write_consistent(origin, &mut transport)
    }

    fn write_consistent<'t>(
        &self,
        origin: Origin<'_>,
        transport: &mut impl FnMut(usize) -> Transport<'t>,
    ) -> Result<Description<'static>, WriteError> {
        let bundles = self.live_bundles();
        let groups = bundles.iter().map(|mids| Group::bundle(mids.iter().copied()));
        let mut builder = Builder::new(origin).attributes(groups);
        for (index, section) in self.sections.iter().enumerate() {
            let carriage = self.carriage(index, section, &bundles);
            builder = begin(section, carriage, builder);
            let Ok(usage) = &section.outcome else { continue };
            let setup = self.setup(section);
            builder = match carriage {
                Carriage::Own => with_transport(builder, &transport(index), setup),
                Carriage::Repeated(first) => with_transport(builder, &transport(first), setup),
                Carriage::BundleOnly => builder.attribute(BundleOnly),
                Carriage::Along => builder,
            };
            builder = match usage {
                Use::Rtp(plan) => with_rtp(builder, plan),
                Use::Data(plan) => builder
                    .attribute(SctpPort(plan.sctp_port))
                    .attribute(MaxMessageSize(plan.max_message_size)),
            };
        }
        builder.finish()
    }

    fn carriage(&self, index: usize, section: &SectionPlan, bundles: &[Vec<&str>]) -> Carriage {
        let mid = section.mid.as_deref();
        let group = bundles.iter().find(|mids| mids.iter().any(|own| Some(*own) == mid));
        let Some(first) = group.and_then(|mids| mids.first().copied()) else {
            return Carriage::Own;
        };
        let place =
            |mid| self.sections.iter().position(|section| section.mid.as_deref() == Some(mid));
        let first = place(first).unwrap_or(index);
        let is_first_of_kind = || {
            let same = |other: &SectionPlan| other.outcome.is_ok() && other.kind == section.kind;
            self.sections.iter().position(same) == Some(index)
        };
        match self.part {
            _ if first == index => Carriage::Own,
            Part::Answer => Carriage::Along,
            Part::Offer(BundlePolicy::Never | BundlePolicy::MaxCompat) => Carriage::Own,
            Part::Offer(BundlePolicy::MaxBundle) => Carriage::Repeated(first),
            Part::Offer(_) if section.standing == Standing::Bundled => Carriage::Along,
            Part::Offer(_) if section.standing == Standing::Alone => Carriage::Own,
            Part::Offer(BundlePolicy::Balanced) if is_first_of_kind() => Carriage::Own,
            Part::Offer(BundlePolicy::Balanced | BundlePolicy::MustBundle) => Carriage::BundleOnly,
        }
    }

    /// Which side of DTLS this one takes. An offer leaves it open (RFC 8842 §5.2); an answer takes the one
    /// that it has, or else the client's, unless the offer does (§5.3).
    fn setup(&self, section: &SectionPlan) -> Setup {
        match (self.part, section.offered_setup) {
            (Part::Offer(_), _) => Setup::ActPass,
            (Part::Answer, Some(Setup::Active)) => Setup::Passive,
            (Part::Answer, Some(Setup::Passive)) => Setup::Active,
            (Part::Answer, _) => section.role.unwrap_or(Setup::Active),
        }
    }
}

/// The `m=` line, `c=` and mid. Port 9 stands for "the candidates will tell", zero for a section that is
/// rejected, or wanted only bundled (RFC 9143 §7.2.1).
fn begin(section: &SectionPlan, carriage: Carriage, builder: Builder) -> Builder {
    let formats = match &section.outcome {
        Ok(Use::Rtp(plan)) => {
            let numbers: Vec<String> =
                plan.formats.iter().map(|(number, _)| number.to_string()).collect();
            numbers.join(" ")
        }
        Ok(Use::Data(_)) => "webrtc-datachannel".to_string(),
        Err(_) => section.offered_formats.clone(),
    };
    let is_open = section.outcome.is_ok() && carriage != Carriage::BundleOnly;
    builder
        .media(&section.kind, if is_open { 9 } else { 0 }, &section.protocol, &formats)
        .field(Connection::UNSPECIFIED)
        .attributes(section.mid.as_deref().map(Mid))
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
    // "a=msid" stands where media is sent, with "-" for no stream (RFC 9429 §5.2.1).
    let alone = plan.streams.is_empty().then_some("-");
    let streams = plan.streams.iter().map(String::as_str).chain(alone);
    let streams =
        streams.filter(|_| plan.direction.sends()).map(|stream| Msid { stream, track: None });
    let mut builder = builder
        .direction(plan.direction)
        .attributes(streams)
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
