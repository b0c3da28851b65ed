//! What was said already, so that nothing is said every second.

use std::collections::BTreeSet;

/// Collects news, each subject once.
#[derive(Debug, Default)]
pub(super) struct Told {
    subjects: BTreeSet<String>,
    news: Vec<String>,
}

impl Told {
    /// Says `text`, unless something was said on this subject before.
    pub(super) fn once(&mut self, subject: &str, text: impl FnOnce() -> String) {
        if self.subjects.insert(subject.to_owned()) {
            self.news.push(text());
        }
    }

    /// The subject is over: says `text` if it had been told, and it may be told again.
    pub(super) fn over(&mut self, subject: &str, text: impl FnOnce() -> String) {
        if self.subjects.remove(subject) {
            self.news.push(text());
        }
    }

    /// What was said since the last call.
    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_told_once_and_again_after_it_was_over() {
        let mut told = Told::default();
        told.once("lost", || "lost".into());
        told.once("lost", || "lost".into());
        assert_eq!(told.take(), ["lost"]);
        told.over("lost", || "back".into());
        told.over("lost", || "back".into());
        told.once("lost", || "lost".into());
        assert_eq!(told.take(), ["back", "lost"]);
    }
}
