//! A buffer that keeps the newest entries.

use std::collections::VecDeque;

/// Keeps the last `limit` entries pushed; older ones are dropped.
#[derive(Debug, Clone, PartialEq)]
pub struct Ring<T> {
    entries: VecDeque<T>,
    limit: usize,
}

impl<T> Ring<T> {
    /// An empty ring that holds at most `limit` entries.
    pub const fn new(limit: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            limit,
        }
    }

    /// Adds an entry, dropping the oldest when the ring is full.
    pub fn push(&mut self, entry: T) {
        if self.limit == 0 {
            return;
        }
        if self.entries.len() == self.limit {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    /// The entries, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.entries.iter()
    }

    /// How many entries are held.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Ring;

    #[test]
    fn the_oldest_entry_goes_first() {
        let mut ring = Ring::new(3);
        for n in 0..5 {
            ring.push(n);
        }
        assert_eq!(ring.iter().copied().collect::<Vec<_>>(), [2, 3, 4]);
    }

    #[test]
    fn a_ring_of_nothing_keeps_nothing() {
        let mut ring = Ring::new(0);
        ring.push(1);
        assert!(ring.is_empty());
    }
}
