//! The shape of JSON: names of fields in their order, at every depth.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Fields in order, each with the shape of its value; of a list, the shape of its first item.
#[derive(Debug, PartialEq, Eq, Default)]
pub(super) struct Shape(Vec<(String, Shape)>);

/// The shape of a text in JSON.
pub(super) fn shape(text: &str) -> Shape {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut fields = Vec::new();
        while let Some(entry) = map.next_entry()? {
            fields.push(entry);
        }
        Ok(Shape(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Shape, A::Error> {
        let first = items.next_element()?;
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Shape(vec![("[]".to_owned(), first.unwrap_or_default())]))
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::default())
    }
}

#[test]
fn the_order_of_fields_is_part_of_the_shape() {
    assert_eq!(
        shape(r#"{"a":1,"b":[{"c":2}]}"#),
        shape(r#"{"a":"x","b":[{"c":null},7]}"#)
    );
    assert_ne!(shape(r#"{"a":1,"b":2}"#), shape(r#"{"b":2,"a":1}"#));
    assert_ne!(shape(r#"{"a":{"x":1}}"#), shape(r#"{"a":{}}"#));
}
