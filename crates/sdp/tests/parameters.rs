//! Parameters of payload formats.
#![allow(clippy::unwrap_used)]

use pinhole_sdp::{
    Av1Parameters, H264Parameters, H264ProfileLevel, H265Parameters, OpusParameters, RedParameters,
    RtxParameters, TelephoneEventParameters, Value, Vp8Parameters, Vp9Parameters,
};

/// What is read and written again.
fn again<'a, T: Value<'a>>(text: &'a str) -> String {
    T::from_text(text).unwrap().to_string()
}

#[test]
fn what_each_format_says_is_read_and_written() {
    let opus = "maxplaybackrate=16000;minptime=10;stereo=1;cbr=0;useinbandfec=1;usedtx=0";
    assert_eq!(again::<OpusParameters>(opus), opus);
    assert_eq!(again::<Vp8Parameters>("max-fr=30; max-fs=3600"), "max-fr=30;max-fs=3600");
    assert_eq!(again::<Vp9Parameters>("profile-id=2"), "profile-id=2");
    assert_eq!(again::<Av1Parameters>("tier=0;profile=1"), "profile=1;tier=0");
    assert_eq!(again::<RtxParameters>("apt=96;rtx-time=3000"), "apt=96;rtx-time=3000");
    assert_eq!(again::<RedParameters<'_>>("111/111"), "111/111");
    assert_eq!(again::<TelephoneEventParameters<'_>>("0-15,66"), "0-15,66");
    let h265 = "profile-id=1;tier-flag=0;level-id=93;tx-mode=SRST;sprop-vps=QAEM,QAEN==";
    assert_eq!(again::<H265Parameters<'_>>(h265), h265);
}

#[test]
fn names_have_no_case_and_unknown_ones_are_passed_over() {
    let text = "Packetization-Mode=1;x-unknown=7;;profile-level-id=42E01F;flag; sprop-parameter-sets=Z0==,aM4=";
    let h264 = H264Parameters::from_text(text).unwrap();
    assert_eq!(h264.packetization_mode, Some(1));
    assert_eq!(h264.profile_level_id, H264ProfileLevel::parse("42e01f"));
    assert_eq!(h264.sprop_parameter_sets, Some("Z0==,aM4="));
    assert_eq!(h264.level_asymmetry_allowed, None);
}

#[test]
fn a_value_that_is_none_is_refused_where_it_stands() {
    for (text, offset) in [
        ("minptime=10;stereo=2", 19),
        ("minptime=ten", 9),
        ("minptime=10x", 11),
        ("useinbandfec", 12),
        ("maxplaybackrate=4294967296", 16),
    ] {
        assert_eq!(OpusParameters::from_text(text).unwrap_err().offset, offset, "{text}");
    }
    assert_eq!(H264Parameters::from_text("profile-level-id=42e0").unwrap_err().offset, 17);
    assert_eq!(RedParameters::from_text("111/300").unwrap_err().offset, 4);
    for (text, offset) in [("0-15,", 5), ("15-0", 2), ("", 0), ("0-300", 2)] {
        let error = TelephoneEventParameters::from_text(text).unwrap_err();
        assert_eq!(error.offset, offset, "{text}");
    }
}

#[test]
fn red_and_events_answer_questions() {
    let red = RedParameters::from_text("111/63/0").unwrap();
    assert_eq!(red.payload_types().collect::<Vec<_>>(), [111, 63, 0]);
    assert_eq!(RedParameters::from_text("").unwrap().payload_types().count(), 0);
    let events = TelephoneEventParameters::from_text("0-11, 70").unwrap();
    assert!(events.has(0) && events.has(11) && events.has(70) && !events.has(12));
}
