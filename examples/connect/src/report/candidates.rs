//! Candidates in a table.

use std::fmt::Write as _;

use pinhole_ice::Candidate;

/// One row a candidate, the best first, indented so that it stands inside a timeline.
pub(crate) fn table<'a>(candidates: impl Iterator<Item = &'a Candidate>) -> String {
    let mut candidates: Vec<_> = candidates.collect();
    candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.priority));
    let header = ["type", "address", "priority", "foundation"].map(str::to_owned);
    let rows = candidates.into_iter().map(|candidate| {
        let Candidate { kind, address, priority, foundation, .. } = candidate;
        [kind.to_string(), address.to_string(), priority.to_string(), foundation.to_string()]
    });
    let rows: Vec<_> = std::iter::once(header).chain(rows).collect();
    let [kind, address, priority, _] = widths(&rows);
    let mut table = String::new();
    for [a, b, c, d] in &rows {
        let row = format!("{a:kind$}  {b:address$}  {c:>priority$}  {d}");
        let _ = writeln!(table, "             {row}");
    }
    table.truncate(table.trim_end().len());
    table
}

fn widths<const N: usize>(rows: &[[String; N]]) -> [usize; N] {
    std::array::from_fn(|column| {
        rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_the_best_candidate_stands_first() {
        let candidates = [
            "2 1 udp 1694498815 203.0.113.5 40000 typ srflx raddr 192.0.2.1 rport 5000",
            "1 1 udp 2130706431 192.0.2.1 5000 typ host",
        ]
        .map(|text| text.parse::<Candidate>().unwrap());
        let expected = "             type   address              priority  foundation
             host   192.0.2.1:5000     2130706431  1
             srflx  203.0.113.5:40000  1694498815  2";
        assert_eq!(table(candidates.iter()), expected);
    }
}
