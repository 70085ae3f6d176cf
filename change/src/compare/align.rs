//! Lays two sequences against each other.

/// Cells of the table; 4 MB of numbers. Argument lists and rules have tens of items, and beyond it the middle is paired by position.
const MAX_CELLS: usize = 1 << 20;

/// One row of the alignment, as positions in the old and in the new sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Row {
    /// The same in both.
    Same(usize, usize),
    /// Only in the old one.
    Gone(usize),
    /// Only in the new one.
    Come(usize),
}

/// The longest common subsequence of `0..old` and `0..new`, in order.
pub(super) fn align(old: usize, new: usize, mut same: impl FnMut(usize, usize) -> bool) -> Vec<Row> {
    let head = (0..old.min(new)).take_while(|&at| same(at, at)).count();
    let tail = (0..old.min(new) - head).take_while(|&at| same(old - 1 - at, new - 1 - at)).count();
    let (rows, columns) = (old - head - tail, new - head - tail);
    let mut out: Vec<Row> = (0..head).map(|at| Row::Same(at, at)).collect();
    if rows.saturating_mul(columns) <= MAX_CELLS {
        middle(head, rows, columns, &mut same, &mut out);
    } else {
        out.extend((head..head + rows).map(Row::Gone));
        out.extend((head..head + columns).map(Row::Come));
    }
    out.extend((0..tail).map(|at| Row::Same(old - tail + at, new - tail + at)));
    out
}

fn middle(head: usize, rows: usize, columns: usize, same: &mut impl FnMut(usize, usize) -> bool, out: &mut Vec<Row>) {
    // `best[row][column]`: length of the longest common subsequence of what is left from there.
    let width = columns + 1;
    let mut equal = vec![false; rows * columns];
    let mut best = vec![0_u32; (rows + 1) * width];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            let is_same = same(head + row, head + column);
            equal[row * columns + column] = is_same;
            best[row * width + column] = if is_same {
                best[(row + 1) * width + column + 1] + 1
            } else {
                best[(row + 1) * width + column].max(best[row * width + column + 1])
            };
        }
    }
    let (mut row, mut column) = (0, 0);
    while row < rows && column < columns {
        if equal[row * columns + column] {
            out.push(Row::Same(head + row, head + column));
            (row, column) = (row + 1, column + 1);
        } else if best[(row + 1) * width + column] >= best[row * width + column + 1] {
            out.push(Row::Gone(head + row));
            row += 1;
        } else {
            out.push(Row::Come(head + column));
            column += 1;
        }
    }
    out.extend((row..rows).map(|row| Row::Gone(head + row)));
    out.extend((column..columns).map(|column| Row::Come(head + column)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(old: &str, new: &str) -> String {
        let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
        align(old.len(), new.len(), |a, b| old[a] == new[b])
            .into_iter()
            .map(|row| match row {
                Row::Same(at, _) => format!("{}", old[at]),
                Row::Gone(at) => format!("-{}", old[at]),
                Row::Come(at) => format!("+{}", new[at]),
            })
            .collect()
    }

    #[test]
    fn an_item_in_between_is_one_row() {
        for (old, new, expected) in [
            ("abc", "abc", "abc"),
            ("abc", "axbc", "a+xbc"),
            ("abc", "ac", "a-bc"),
            ("", "ab", "+a+b"),
            ("ab", "", "-a-b"),
            ("abcd", "axcy", "a-b+xc-d+y"),
            ("ab", "ba", "-ab+a"),
        ] {
            assert_eq!(rows(old, new), expected, "{old} to {new}");
        }
    }

    #[test]
    fn two_that_are_too_long_to_lay_out_are_told_whole() {
        let rows = align(2_000, 2_000, |_, _| false);
        assert_eq!(rows.len(), 4_000);
        assert_eq!(rows[0], Row::Gone(0));
        assert_eq!(rows[2_000], Row::Come(0));
    }
}
