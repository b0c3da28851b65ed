//! "Did you mean …?": the known word nearest to one that is not known.

use crate::base::elide;

/// Words longer than this are no slip of the fingers, and comparing them would take long.
const LONGEST: usize = 64;

/// The candidate that takes the fewest slips to turn into `word`, if it is near enough that a
/// person could have meant it: one slip for every three letters.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let letters: Vec<char> = word.to_lowercase().chars().take(LONGEST + 1).collect();
    if letters.len() > LONGEST {
        return None;
    }
    let allowed = (letters.len() / 3).max(1);
    candidates
        .map(|candidate| (slips(&letters, candidate), candidate))
        .filter(|&(slips, _)| slips <= allowed)
        .min_by_key(|&(slips, _)| slips)
        .map(|(_, candidate)| candidate)
}

/// The text, short enough to stand in a message.
pub(super) fn brief(text: &str) -> String {
    elide(text, LONGEST)
}

/// Letters to add, drop, change or swap with their neighbour: Damerau's distance, where no
/// letter is touched twice.
fn slips(word: &[char], candidate: &str) -> usize {
    let other: Vec<char> = candidate.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=other.len()).collect();
    for (row, &letter) in word.iter().enumerate() {
        let mut line = vec![row + 1];
        for (column, &target) in other.iter().enumerate() {
            let changed = above[column] + usize::from(letter != target);
            let mut least = changed.min(above[column + 1] + 1).min(line[column] + 1);
            if row > 0 && column > 0 && letter == other[column - 1] && word[row - 1] == target {
                least = least.min(before[column - 1] + 1);
            }
            line.push(least);
        }
        before = std::mem::replace(&mut above, line);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("num_ctx", Some("num_ctx"))]
    #[case("num_ctxt", Some("num_ctx"))]
    #[case("nmu_ctx", Some("num_ctx"))]
    #[case("NUM_CTX", Some("num_ctx"))]
    #[case("paralel", Some("parallel"))]
    #[case("parallel_requests", None)]
    #[case("x", None)]
    #[case("", None)]
    fn slips_are_forgiven_and_other_words_are_not(
        #[case] word: &str,
        #[case] expected: Option<&str>,
    ) {
        let known = ["num_ctx", "parallel", "retries"];
        assert_eq!(nearest(word, known.into_iter()), expected);
    }

    #[test]
    fn endless_words_are_not_compared() {
        let endless = "n".repeat(1_000_000);
        assert_eq!(nearest(&endless, ["num_ctx"].into_iter()), None);
        assert!(brief(&endless).chars().count() <= LONGEST);
    }

    #[rstest]
    #[case("", "", 0)]
    #[case("", "abc", 3)]
    #[case("abc", "", 3)]
    #[case("abc", "acb", 1)]
    #[case("kitten", "sitting", 3)]
    fn slips_are_counted(#[case] word: &str, #[case] other: &str, #[case] expected: usize) {
        assert_eq!(slips(&word.chars().collect::<Vec<_>>(), other), expected);
    }
}
