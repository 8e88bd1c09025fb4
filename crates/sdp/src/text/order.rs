/// The place of a line of type `kind` among those of its section (RFC 8866 §9), for writing.
///
/// `t=`, `r=` and `z=` share one place, because they repeat as a group. An unknown type goes last.
pub(crate) fn rank(kind: char) -> usize {
    const ORDER: &str = "vmosiuepcbtka";
    let place = match kind {
        'r' | 'z' => 't',
        kind => kind,
    };
    ORDER.find(place).unwrap_or(ORDER.len())
}
