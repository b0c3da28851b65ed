//! Which key does what: the built-in map, and a user's file that states only differences.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use toml::Spanned;

use super::action::{Action, Group, Place};
use super::key::{Key, NAMES};
use super::place::Source;
use crate::config::{Problem, nearest};

const DEFAULTS: &str = include_str!("../../assets/keys.toml");

/// Which keys do what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMap {
    keys: BTreeMap<Action, Vec<Key>>,
    actions: BTreeMap<(Place, Key), Action>,
}

type Lines = BTreeMap<Spanned<String>, Spanned<Vec<Spanned<String>>>>;

impl KeyMap {
    /// The built-in map.
    pub fn built_in() -> Self {
        let (map, _) = Self::read(&Source::new(Path::new("assets/keys.toml"), DEFAULTS), None);
        map
    }

    /// The built-in map with the differences that a user's file states.
    ///
    /// # Errors
    /// All that is wrong in the file: names that are no action, texts that are no key, a key that
    /// would do two things in one place.
    pub fn with(path: &Path, text: &str) -> Result<Self, Vec<Problem>> {
        let (map, problems) = Self::read(&Source::new(path, text), Some(&Self::built_in()));
        if problems.is_empty() {
            Ok(map)
        } else {
            Err(problems)
        }
    }

    /// What a key does in the first of these places that knows it.
    pub fn action(&self, places: &[Place], key: Key) -> Option<Action> {
        let found = |place: &Place| self.actions.get(&(*place, key)).copied();
        places.iter().find_map(found)
    }

    /// The keys of an action, the main one first.
    pub fn keys(&self, action: Action) -> &[Key] {
        self.keys.get(&action).map_or(&[], Vec::as_slice)
    }

    /// The main key of an action as text; empty where it has none.
    pub fn hint(&self, action: Action) -> String {
        self.keys(action)
            .first()
            .map(Key::to_string)
            .unwrap_or_default()
    }

    /// All keys of an action as text.
    pub fn text(&self, action: Action) -> String {
        let keys: Vec<String> = self.keys(action).iter().map(Key::to_string).collect();
        keys.join(" ")
    }

    /// The table of all actions and their keys in Markdown: `docs/KEYS.md`.
    pub fn markdown(&self) -> String {
        let mut text = String::from(
            "# Keys\n\n\
             The keys of the screen, written from the table in `src/tui/action.rs` and \
             `assets/keys.toml`; a test keeps this file in step. A file `keys.toml` in the settings \
             folder changes them: `action = [\"key\", …]`, only differences are stated.\n",
        );
        for &group in Group::ALL {
            text += "\n## ";
            text += group.title();
            text += "\n\n| key | action | what it does |\n|---|---|---|\n";
            let members = Action::ALL.iter().filter(|action| action.group() == group);
            text.extend(members.map(|&action| self.table_row(action)));
        }
        text
    }

    fn table_row(&self, action: Action) -> String {
        let keys: Vec<String> = self
            .keys(action)
            .iter()
            .map(|key| format!("`{key}`"))
            .collect();
        let keys = keys.join(" ").replace('|', "\\|");
        format!(
            "| {keys} | `{}` | {} |\n",
            action.name(),
            action.description()
        )
    }

    fn read(source: &Source<'_>, base: Option<&Self>) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut keys = base.map(|base| base.keys.clone()).unwrap_or_default();
        let mut places = BTreeMap::new();
        match toml::from_str::<Lines>(source.text()) {
            Ok(lines) => {
                for (name, listed) in lines {
                    let Some(action) = Action::from_name(name.get_ref()) else {
                        problems.push(no_action(source, &name));
                        continue;
                    };
                    places.insert(action, listed.span());
                    keys.insert(
                        action,
                        parsed(source, &name, listed.get_ref(), &mut problems),
                    );
                }
            }
            Err(error) => problems.push(source.syntax(&error)),
        }
        let mut map = Self {
            keys,
            actions: BTreeMap::new(),
        };
        for (one, two, key) in map.index() {
            // The file's own line is at fault where only one of the two stands in it.
            let (at_fault, other) = if places.contains_key(&two) {
                (two, one)
            } else {
                (one, two)
            };
            let span = places.get(&at_fault).cloned().unwrap_or_default();
            let what = format!("`{key}` is the key of `{}` already", other.name());
            let cure = format!(
                "give `{}` another key, or none with `{} = []`",
                other.name(),
                other.name()
            );
            problems.push(source.problem(span, Some(at_fault.name()), what, Some(cure)));
        }
        (map, problems)
    }

    /// Fills `actions` and returns the keys that would do two things in one place.
    fn index(&mut self) -> Vec<(Action, Action, Key)> {
        let mut twice = Vec::new();
        for (&action, keys) in &self.keys {
            for &key in keys.iter().collect::<BTreeSet<_>>() {
                let before = self.actions.insert((action.place(), key), action);
                twice.extend(before.map(|before| (before, action, key)));
            }
        }
        twice
    }
}

fn no_action(source: &Source<'_>, name: &Spanned<String>) -> Problem {
    let names = Action::ALL.iter().map(|action| action.name());
    let suggestion = nearest(name.get_ref(), names).map(|near| format!("did you mean `{near}`?"));
    source.problem(
        name.span(),
        Some(name.get_ref()),
        "is no action",
        suggestion,
    )
}

fn parsed(
    source: &Source<'_>,
    name: &Spanned<String>,
    listed: &[Spanned<String>],
    problems: &mut Vec<Problem>,
) -> Vec<Key> {
    let mut keys = Vec::new();
    for text in listed {
        match text.get_ref().parse() {
            Ok(key) => keys.push(key),
            Err(no_key) => {
                let near = nearest(text.get_ref(), NAMES.iter().copied());
                let cure = near.map_or_else(
                    || "write a character, a name such as `enter`, or `ctrl-x`".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                let what = format!("`{}` {no_key}", text.get_ref());
                problems.push(source.problem(text.span(), Some(name.get_ref()), what, Some(cure)));
            }
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn wrong(text: &str) -> Vec<String> {
        let problems = KeyMap::with(Path::new("keys.toml"), text).unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_built_in_map_is_sound_and_complete() {
        let source = Source::new(Path::new("assets/keys.toml"), DEFAULTS);
        let (map, problems) = KeyMap::read(&source, None);
        assert_eq!(problems, []);
        for &action in Action::ALL {
            assert!(!map.keys(action).is_empty(), "{}", action.name());
        }
    }

    #[test]
    fn each_default_key_reaches_its_action() {
        let map = KeyMap::built_in();
        for &action in Action::ALL {
            for &key in map.keys(action) {
                assert_eq!(map.action(&[action.place()], key), Some(action), "{key}");
            }
        }
    }

    #[test]
    fn a_file_states_only_differences() {
        let map = KeyMap::with(Path::new("keys.toml"), "cancel = [\"X\"]\nretry = []").unwrap();
        let everywhere = [Place::Everywhere];
        assert_eq!(
            map.action(&everywhere, Key::char('X')),
            Some(Action::Cancel)
        );
        assert_eq!(map.action(&everywhere, Key::char('c')), None);
        assert_eq!(map.action(&everywhere, Key::char('r')), None);
        assert_eq!(map.action(&everywhere, Key::char('q')), Some(Action::Quit));
    }

    #[test]
    fn the_inner_place_wins() {
        let map = KeyMap::built_in();
        let places = [Place::Dialog, Place::Everywhere];
        assert_eq!(map.action(&places, Key::char('q')), Some(Action::No));
    }

    #[rstest]
    #[case(
        "cancle = [\"x\"]",
        "keys.toml:1:1: cancle: is no action; did you mean `cancel`?"
    )]
    #[case(
        "\ncancel = [\"entr\"]",
        "keys.toml:2:11: cancel: `entr` is no key; did you mean `enter`?"
    )]
    #[case(
        "cancel = [\"r\"]",
        "keys.toml:1:10: cancel: `r` is the key of `retry` already; give `retry` another key, or none with `retry = []`"
    )]
    #[case(
        "cancel = \"x\"",
        "keys.toml:1:10: invalid type: string \"x\", expected a sequence"
    )]
    fn mistakes_are_told_with_place_and_cure(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(wrong(text), [expected]);
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        assert_eq!(wrong("a = []\nb = []\ncancel = [\"\"]").len(), 3);
    }

    #[test]
    fn the_documented_keys_are_the_real_ones() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/KEYS.md");
        let expected = KeyMap::built_in().markdown();
        if std::fs::read_to_string(path).ok().as_deref() != Some(expected.as_str()) {
            std::fs::write(path, &expected).unwrap();
            panic!(
                "docs/KEYS.md was out of date and has been written anew; look at it and commit it"
            );
        }
    }
}
