use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::plan::{Part, Standing};
use super::{BundlePolicy, Plan, RtpPlan, SectionPlan, SimulcastPlan, Use};
use crate::{
    Alternative, Builder, BundleOnly, Candidate, Connection, Description, EndOfCandidates, Extmap,
    Fingerprint, Fmtp, Group, IceOptions, IcePassword, IceUfrag, MaxMessageSize, Mid, Msid, Origin,
    Rid, Rtcp, RtcpFb, RtcpMux, RtcpMuxOnly, RtcpRsize, Rtpmap, SctpPort, Setup, Simulcast, Stream,
    TlsId, Way, WriteError,
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
    /// Names the DTLS association: another one, from a strong generator, wants a new association (RFC 8842 §4). An
    /// answer tells it only where the offer tells one (§5.3). Browsers tell none.
    pub tls_id: Option<&'a str>,
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
    /// Where a value of the plan or the transport cannot be written; [`WriteError::StaleIce`] where the offer restarts
    /// ICE and the transport repeats what this side had before.
    pub fn write<'t>(
        &self,
        origin: Origin<'_>,
        mut transport: impl FnMut(usize) -> Transport<'t>,
    ) -> Result<Description<'static>, WriteError> {
        let mut plan = self.clone();
        plan.make_consistent();
        plan.write_consistent(origin, &mut transport)
    }

    /// Writes the description that follows one that this side gave before, in the same session: its version is the next
    /// one if anything is different, and the same if nothing is (RFC 3264 §8).
    ///
    /// # Errors
    /// As [`write`](Self::write), and where the description before has no origin.
    pub fn write_after<'t>(
        &self,
        before: &Description<'_>,
        mut transport: impl FnMut(usize) -> Transport<'t>,
    ) -> Result<Description<'static>, WriteError> {
        let session = before.session();
        let origin: Origin<'_> = session.field().ok().flatten().ok_or(WriteError::NoOrigin)?;
        let same = self.write(origin, &mut transport)?;
        if same.as_bytes() == before.as_bytes() {
            return Ok(same);
        }
        let session_version = origin.session_version.saturating_add(1);
        self.write(Origin { session_version, ..origin }, transport)
    }

    fn write_consistent<'t>(
        &self,
        origin: Origin<'_>,
        transport: &mut impl FnMut(usize) -> Transport<'t>,
    ) -> Result<Description<'static>, WriteError> {
        let bundles = self.live_bundles();
        let groups = bundles.iter().map(|mids| Group::bundle(mids.iter().copied()));
        let carriages = self.carriages(&bundles);
        let mut builder = Builder::new(origin)
            .attributes(groups)
            .attributes(self.session_fingerprint(&carriages, transport));
        for (index, (section, carriage)) in self.sections.iter().zip(carriages).enumerate() {
            builder = begin(section, carriage, builder);
            let Ok(usage) = &section.outcome else { continue };
            let part = self.transport_part(section);
            builder = match carriage {
                Carriage::Own => {
                    let transport = transport(index);
                    refuse_stale(index, section, &transport)?;
                    with_transport(builder, &transport, part)
                }
                Carriage::Repeated(first) => with_transport(builder, &transport(first), part),
                Carriage::BundleOnly => builder.attribute(BundleOnly),
                Carriage::Along => builder,
            };
            builder = match usage {
                Use::Rtp(plan) => {
                    let tells_rtcp = match self.part {
                        Part::Offer(_) => section.standing == Standing::New,
                        Part::Answer => !plan.rtcp_mux,
                    };
                    // These stand where the transport does (RFC 9429 §5.2.1, §5.3.1).
                    let has_transport = matches!(carriage, Carriage::Own | Carriage::Repeated(_));
                    let builder = with_rtcp(builder, plan, has_transport, tells_rtcp);
                    with_rtp(builder, plan)
                }
                Use::Data(plan) => builder
                    .attribute(SctpPort(plan.sctp_port))
                    .attribute(MaxMessageSize(plan.max_message_size)),
            };
        }
        builder.finish()
    }

    fn carriages(&self, bundles: &[Vec<&str>]) -> Vec<Carriage> {
        let (mut places, mut kinds) = (BTreeMap::new(), BTreeMap::new());
        for (index, section) in self.sections.iter().enumerate() {
            if let Some(mid) = section.mid.as_deref() {
                places.entry(mid).or_insert(index);
            }
            if section.outcome.is_ok() {
                kinds.entry(section.kind.as_str()).or_insert(index);
            }
        }
        let tags = bundles.iter().flat_map(|group| {
            let tag = group.first().and_then(|mid| places.get(mid).copied());
            group.iter().map(move |mid| (*mid, tag))
        });
        let tags: BTreeMap<&str, Option<usize>> = tags.collect();
        let sections = self.sections.iter().enumerate();
        let carriages = sections.map(|(index, section)| {
            let tag = section.mid.as_deref().and_then(|mid| tags.get(mid).copied());
            let is_first_of_kind = kinds.get(section.kind.as_str()) == Some(&index);
            tag.map_or(Carriage::Own, |tag| {
                let first = tag.unwrap_or(index);
                self.carriage(section, first, first == index, is_first_of_kind)
            })
        });
        carriages.collect()
    }

    /// The fingerprint for the whole session, for an offer with sections that tell no transport. Chromium
    /// holds such a section for unprotected, and rejects what follows it in the bundle, unless it inherits
    /// one (RFC 8122 §5).
    fn session_fingerprint<'t>(
        &self,
        carriages: &[Carriage],
        transport: &mut impl FnMut(usize) -> Transport<'t>,
    ) -> Option<Fingerprint<'t>> {
        let tells_none = |(section, carriage): (&SectionPlan, &Carriage)| {
            section.outcome.is_ok() && matches!(carriage, Carriage::BundleOnly | Carriage::Along)
        };
        let is_needed = self.sections.iter().zip(carriages).any(tells_none);
        let own = (0..).zip(&self.sections).zip(carriages).find(|((_, section), carriage)| {
            section.outcome.is_ok() && **carriage == Carriage::Own
        });
        let ((first, _), _) = own.filter(|_| self.part != Part::Answer && is_needed)?;
        Some(transport(first).fingerprint)
    }

    fn transport_part(&self, section: &SectionPlan) -> TransportPart {
        let tells_tls_id = self.part != Part::Answer || section.offered_tls_id;
        TransportPart { setup: self.setup(section), tells_tls_id }
    }

    /// The transport of a section in a group whose transport the section `first` tells.
    fn carriage(
        &self,
        section: &SectionPlan,
        first: usize,
        is_first: bool,
        is_first_of_kind: bool,
    ) -> Carriage {
        match self.part {
            _ if is_first => Carriage::Own,
            Part::Answer => Carriage::Along,
            Part::Offer(BundlePolicy::Never | BundlePolicy::MaxCompat) => Carriage::Own,
            Part::Offer(BundlePolicy::MaxBundle) => Carriage::Repeated(first),
            Part::Offer(_) if section.standing == Standing::Bundled => Carriage::Along,
            Part::Offer(_) if section.standing == Standing::Alone => Carriage::Own,
            Part::Offer(BundlePolicy::Balanced) if is_first_of_kind => Carriage::Own,
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

/// What the exchange decides about a transport.
#[derive(Clone, Copy)]
struct TransportPart {
    setup: Setup,
    tells_tls_id: bool,
}

/// "the agent MUST perform ICE restart" with new credentials (RFC 8839 §4.4.2, §4.4.1.1.1).
fn refuse_stale(
    index: usize,
    section: &SectionPlan,
    transport: &Transport<'_>,
) -> Result<(), WriteError> {
    let is_stale = section.own_ice.as_ref().is_some_and(|before| {
        before.ufrag == transport.ufrag || before.password == transport.password
    });
    if section.restarts_ice && is_stale { Err(WriteError::StaleIce(index)) } else { Ok(()) }
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

fn with_transport(builder: Builder, transport: &Transport<'_>, part: TransportPart) -> Builder {
    let options = Some(IceOptions(transport.options)).filter(|options| !options.0.is_empty());
    builder
        .attribute(IceUfrag(transport.ufrag))
        .attribute(IcePassword(transport.password))
        .attributes(options)
        .attribute(transport.fingerprint)
        .attribute(part.setup)
        .attributes(transport.tls_id.filter(|_| part.tells_tls_id).map(TlsId))
        .attributes(transport.candidates.iter().map(|text| Candidate::from_line(text)))
        .attributes(transport.end_of_candidates.then_some(EndOfCandidates))
}

fn with_rtcp(builder: Builder, plan: &RtpPlan, has_transport: bool, tells_rtcp: bool) -> Builder {
    let insists = plan.rtcp_mux && plan.rtcp_mux_only && has_transport;
    // "containing the default value "9 IN IP4 0.0.0.0", because no candidates have yet been gathered".
    let nowhere = Rtcp { port: 9, address: Some(Connection::UNSPECIFIED) };
    builder
        .attributes((has_transport && tells_rtcp).then_some(nowhere))
        .attributes(plan.rtcp_mux.then_some(RtcpMux))
        .attributes(insists.then_some(RtcpMuxOnly))
        .attributes(plan.rtcp_rsize.then_some(RtcpRsize))
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
    let mut builder = builder.direction(plan.direction).attributes(streams).attributes(extensions);
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
    let rids = [(Way::Send, &plan.send), (Way::Recv, &plan.recv)].into_iter().flat_map(
        |(way, streams)| streams.iter().flatten().map(move |id| Rid { id, way, restrictions: "" }),
    );
    builder
        .attributes(rids)
        .attribute(Simulcast { send: streams(&plan.send), recv: streams(&plan.recv) })
}

fn streams(names: &[Vec<String>]) -> Vec<Stream<'_>> {
    names.iter().map(|names| stream(names)).collect()
}

fn stream(names: &[String]) -> Stream<'_> {
    Stream(names.iter().map(|rid| Alternative { rid, paused: false }).collect())
}
