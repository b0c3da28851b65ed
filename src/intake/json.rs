//! JSON looked at one level at a time, without copying: what is not asked for stays text.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Fields that one object may have where they are looked at. No request has more; without a
/// limit a line of 64 MiB would cost a multiple of itself.
const MOST_FIELDS: usize = 1_000;

/// Levels of nesting that a line may have. Readers further down, serde's among them, refuse more.
pub(super) const DEEPEST: usize = 128;

/// The types of JSON values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Boolean,
    Number,
    Text,
    List,
    Object,
}

impl Kind {
    /// The type of a valid JSON value, by its first byte.
    pub(super) fn of(raw: &str) -> Self {
        match raw.trim_ascii_start().as_bytes().first() {
            Some(b'n') | None => Self::Null,
            Some(b't' | b'f') => Self::Boolean,
            Some(b'"') => Self::Text,
            Some(b'[') => Self::List,
            Some(b'{') => Self::Object,
            Some(_) => Self::Number,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::Text => "a string",
            Self::List => "a list",
            Self::Object => "an object",
        })
    }
}

/// The fields of one object in the order written, each value still text.
#[derive(Debug, Default)]
pub(super) struct Object<'a> {
    pub(super) fields: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// Whether there were more fields than are looked at.
    pub(super) too_many: bool,
}

impl<'a> Object<'a> {
    /// Reads the top level of an object and checks the syntax of all of it.
    pub(super) fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The same for a value that is known to be a valid object: nothing is lost by taking an
    /// error for an empty object.
    pub(super) fn of(raw: &'a RawValue) -> Self {
        Self::parse(raw.get()).unwrap_or_default()
    }

    /// The first field of this name whose value is not null.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let field = self.fields.iter().find(|(key, _)| key == name)?;
        (Kind::of(field.1.get()) != Kind::Null).then_some(field.1)
    }

    /// The names that stand there more than once.
    pub(super) fn repeated(&self) -> Vec<&str> {
        // Most objects are small: comparing them all costs less than a set.
        if self.fields.len() > 16 {
            let mut seen = HashSet::new();
            let names = self.fields.iter().map(|(key, _)| key.as_ref());
            return names.filter(|name| !seen.insert(*name)).collect();
        }
        let before =
            |at: usize, name: &str| self.fields.iter().take(at).any(|(key, _)| key == name);
        let fields = self.fields.iter().enumerate();
        fields
            .filter(|(at, (name, _))| before(*at, name))
            .map(|(_, (name, _))| name.as_ref())
            .collect()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut object = Object::default();
        while let Some((Key(key), value)) = map.next_entry()? {
            if object.fields.len() < MOST_FIELDS {
                object.fields.push((key, value));
            } else {
                object.too_many = true;
            }
        }
        Ok(object)
    }
}

/// A name that is borrowed where it holds no escape.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Shows each entry of a valid list, with its number from 0, without gathering them. Does nothing
/// when the value is no list.
pub(super) fn each_entry<'a>(raw: &'a RawValue, visit: impl FnMut(usize, &'a RawValue)) {
    let mut parser = serde_json::Deserializer::from_str(raw.get());
    // The text was parsed before, so that the only possible error is "no list".
    let _ = Entries(visit).deserialize(&mut parser);
}

struct Entries<F>(F);

impl<'de, F: FnMut(usize, &'de RawValue)> DeserializeSeed<'de> for Entries<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(usize, &'de RawValue)> Visitor<'de> for Entries<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0;
        while let Some(entry) = list.next_element()? {
            (self.0)(index, entry);
            index += 1;
        }
        Ok(())
    }
}

/// Whether a valid list has no entry.
pub(super) fn is_empty_list(raw: &RawValue) -> bool {
    let inside = raw.get().strip_prefix('[');
    inside.is_some_and(|rest| rest.trim_ascii_start().starts_with(']'))
}

/// The decoded string, borrowed where it holds no escape; nothing when the value is no string.
pub(super) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Key<'_>>(raw.get())
        .ok()
        .map(|Key(text)| text)
}

/// The deepest nesting of lists and objects in a line, valid or not. Brackets are counted first:
/// only a line with many of them is looked at byte by byte.
pub(super) fn is_too_deep(line: &[u8]) -> bool {
    memchr::memchr2_iter(b'[', b'{', line)
        .nth(DEEPEST)
        .is_some()
        && depth(line) > DEEPEST
}

fn depth(line: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_text, mut escaped) = (false, false);
    for &byte in line {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Where a valid JSON text holds half of a surrogate pair (`\ud83d` alone), which is no character.
/// The parser lets it pass in what it only skips.
pub(super) fn lone_surrogate(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let may_be = ["\\ud", "\\uD"];
    may_be
        .iter()
        .filter_map(|start| memchr::memmem::find(bytes, start.as_bytes()))
        .min()?;
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', bytes.get(at..)?) {
        let here = at + found;
        let high = (0xd800..0xdc00).contains(&unit(bytes, here));
        let low = |at| (0xdc00..0xe000).contains(&unit(bytes, at));
        if low(here) || (high && !low(here + 6)) {
            return Some(here);
        }
        at = here + if high { 12 } else { 2 };
    }
    None
}

/// The number of the escape `\uXXXX` at this place; 0 when there is none.
fn unit(bytes: &[u8], at: usize) -> u32 {
    let digits = bytes
        .get(at..at + 6)
        .and_then(|escape| escape.strip_prefix(b"\\u"))
        .and_then(|digits| std::str::from_utf8(digits).ok());
    digits.map_or(0, |digits| u32::from_str_radix(digits, 16).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(r#""plain""#, None)]
    #[case(r#""\ud83d\ude00 fine""#, None)]
    #[case(r#""\\ud83d is text""#, None)]
    #[case(r#""\u00e9\uD7FF""#, None)]
    #[case(r#""\ud83d alone""#, Some(1))]
    #[case(r#""ab\uDE00""#, Some(3))]
    #[case(r#""\ud83d\u0041""#, Some(1))]
    #[case(r#""\ud83d\ude00\ud83d""#, Some(13))]
    fn half_a_pair_is_found(#[case] text: &str, #[case] at: Option<usize>) {
        assert_eq!(lone_surrogate(text), at);
        // What the strict parser says of the same text.
        assert_eq!(serde_json::from_str::<String>(text).is_err(), at.is_some());
    }

    #[test]
    fn brackets_in_text_are_not_nesting() {
        let flat = format!("[\"{}\"]", "[{\\\"".repeat(500));
        assert_eq!(depth(flat.as_bytes()), 1);
        assert!(!is_too_deep(flat.as_bytes()));
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(!is_too_deep(nested(DEEPEST).as_bytes()));
        assert!(is_too_deep(nested(DEEPEST + 1).as_bytes()));
    }

    #[test]
    fn every_second_field_of_a_name_is_a_repetition() {
        let object = Object::parse(r#"{"a":1,"b":2,"a":3,"\u0061":4}"#).unwrap();
        assert_eq!(object.repeated(), ["a", "a"]);
    }

    #[rstest]
    #[case("[ ]", true)]
    #[case("[]", true)]
    #[case("[[]]", false)]
    #[case("[0]", false)]
    #[case("{}", false)]
    fn an_empty_list_is_told(#[case] json: &str, #[case] empty: bool) {
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        assert_eq!(is_empty_list(raw), empty);
    }
}
