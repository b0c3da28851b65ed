//! How often each `custom_id` came: ids should be unique and are not always.

use std::collections::{HashMap, HashSet};

/// Counts of ids. About 15 bytes for each.
#[derive(Debug, Default)]
pub(super) struct Occurrences {
    seen: HashSet<u64>,
    /// How often those came again that did.
    again: HashMap<u64, u32>,
}

impl Occurrences {
    /// Counts an id in, and gives back how often it came before.
    pub(super) fn add(&mut self, custom_id: &str) -> u32 {
        let id = hash(custom_id) as u64;
        if self.seen.insert(id) {
            return 0;
        }
        let times = self.again.entry(id).or_default();
        *times = times.saturating_add(1);
        *times
    }
}

/// A hash that nobody can make collide.
pub(super) fn hash(text: &str) -> u128 {
    let hash = blake3::hash(text.as_bytes());
    let half = hash.as_bytes().first_chunk::<16>();
    u128::from_le_bytes(*half.expect("a hash has 32 bytes"))
}

/// The key under which the results and requests of one id are joined: the first with the first,
/// the second with the second.
pub(super) fn key(custom_id: &str, occurrence: u32) -> u128 {
    hash(custom_id).wrapping_add(occurrence.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn occurrences_are_counted_from_none() {
        let mut ids = Occurrences::default();
        let counted = ["a", "b", "a", "a", "b"].map(|id| ids.add(id));
        assert_eq!(counted, [0, 0, 1, 2, 1]);
    }
}
