//! The columns of a table, and one row of it as a template sees it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};
use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};

use super::problem::Flaw;

/// How the fields of a row are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One JSON object on each line.
    JsonLines,
    /// Fields with this character between them.
    Separated(u8),
}

/// Separators that are looked for, in the order in which a tie is decided.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

impl Form {
    /// What the first bytes of a file look like.
    pub(super) fn of(head: &[u8]) -> Self {
        if matches!(head.trim_ascii_start().first(), Some(b'{' | b'[')) {
            return Self::JsonLines;
        }
        Self::Separated(separator(head))
    }

    /// The separator, where there is one.
    pub(super) const fn separator(self) -> Option<u8> {
        match self {
            Self::JsonLines => None,
            Self::Separated(separator) => Some(separator),
        }
    }
}

/// The separator that the first line has most of, outside of quotes.
fn separator(head: &[u8]) -> u8 {
    let mut counts = [0_usize; SEPARATORS.len()];
    let mut is_quoted = false;
    for &byte in head.trim_ascii_start() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\n' if !is_quoted => break,
            _ if is_quoted => {}
            _ => {
                for (count, separator) in counts.iter_mut().zip(SEPARATORS) {
                    *count += usize::from(byte == separator);
                }
            }
        }
    }
    let pairs = counts.into_iter().zip(SEPARATORS).rev();
    pairs
        .max_by_key(|(count, _)| *count)
        .map_or(b',', |(_, found)| found)
}

/// The columns of a table.
#[derive(Debug, Default)]
pub(super) struct Header {
    names: Vec<String>,
    places: HashMap<String, usize>,
}

impl Header {
    /// Columns with these names. Unnamed ones, which spreadsheets leave at the right, cannot be
    /// asked for.
    pub(super) fn new(fields: &Fields) -> Result<Self, Flaw> {
        let names: Vec<String> = fields.iter().map(|name| name.trim().to_owned()).collect();
        let mut places = HashMap::new();
        for (place, name) in names
            .iter()
            .enumerate()
            .filter(|(_, name)| !name.is_empty())
        {
            if let Some(first) = places.insert(name.clone(), place) {
                return Err(Flaw::DuplicateColumn {
                    name: name.clone(),
                    first: first + 1,
                    second: place + 1,
                });
            }
        }
        for (place, name) in names
            .iter()
            .enumerate()
            .filter(|(_, name)| !name.is_empty())
        {
            places.entry(identifier(name)).or_insert(place);
        }
        Ok(Self { names, places })
    }

    /// The names as they stand in the file.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names
            .iter()
            .map(String::as_str)
            .filter(|name| !name.is_empty())
    }

    /// Whether a template may ask for this name.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }
}

/// What a column is called in a template: `Full name` is `Full_name`.
fn identifier(name: &str) -> String {
    let signs = name
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { '_' });
    signs.collect()
}

/// The fields of one row, behind each other.
#[derive(Debug, Default)]
pub(super) struct Fields {
    text: String,
    ends: Vec<usize>,
}

impl Fields {
    fn get(&self, place: usize) -> Option<&str> {
        let end = *self.ends.get(place)?;
        let start = match place.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.text.get(start..end)
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).filter_map(|place| self.get(place))
    }
}

/// Takes rows apart. One is used for many rows.
pub(super) struct Splitter(Reader);

impl Splitter {
    pub(super) fn new(separator: u8) -> Self {
        let mut builder = ReaderBuilder::new();
        // The end of a row was found already; what is left of carriage returns is text.
        builder
            .delimiter(separator)
            .terminator(Terminator::Any(b'\n'));
        Self(builder.build())
    }

    /// The fields of a row.
    pub(super) fn split(&mut self, row: &[u8]) -> Result<Fields, Flaw> {
        if memchr::memchr(0, row).is_some() {
            return Err(Flaw::NulByte);
        }
        if let Err(error) = std::str::from_utf8(row) {
            let offset = error.valid_up_to() + 1;
            return Err(Flaw::InvalidUtf8 { offset });
        }
        self.0.reset();
        let mut text = vec![0; row.len()];
        let mut ends = vec![0; 1 + row.len().min(31)];
        let (mut read, mut written, mut fields) = (0, 0, 0);
        loop {
            let (result, taken, put, ended) = self.0.read_record(
                row.get(read..).unwrap_or_default(),
                text.get_mut(written..).unwrap_or_default(),
                ends.get_mut(fields..).unwrap_or_default(),
            );
            read += taken;
            written += put;
            fields += ended;
            match result {
                ReadRecordResult::OutputEndsFull => ends.resize(2 * ends.len(), 0),
                ReadRecordResult::OutputFull => text.resize(2 * text.len() + 1, 0),
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::Record | ReadRecordResult::End => break,
            }
        }
        text.truncate(written);
        ends.truncate(fields);
        // Every byte that splitting leaves out is a quote or a separator, so this is UTF-8.
        let text = String::from_utf8(text).map_err(|_| Flaw::InvalidUtf8 { offset: 1 })?;
        Ok(Fields { text, ends })
    }
}

/// One row as a template sees it: a map from columns to text. `row` in it is the map itself, for
/// names that are no identifiers, and `row_number` counts rows from 1.
#[derive(Debug)]
pub(super) struct Row {
    cells: Cells,
    number: u64,
    /// The last name that was asked for and is not there.
    missing: Mutex<Option<String>>,
}

#[derive(Debug)]
enum Cells {
    Fields(Arc<Header>, Fields),
    Record(Value),
}

impl Row {
    /// A row of a table.
    pub(super) fn of_fields(
        header: &Arc<Header>,
        fields: Fields,
        number: u64,
    ) -> Result<Arc<Self>, Flaw> {
        let (found, expected) = (fields.ends.len(), header.names.len());
        // An unnamed column at the right may be missing.
        let named = header.names.iter().rposition(|name| !name.is_empty());
        let least = named.map_or(0, |place| place + 1);
        if found > expected || found < least {
            let missing = header.names.get(found).cloned();
            return Err(Flaw::Ragged {
                found,
                expected,
                missing,
            });
        }
        let cells = Cells::Fields(Arc::clone(header), fields);
        Ok(Self::new(cells, number))
    }

    /// A line of JSON.
    pub(super) fn of_json(line: &[u8], number: u64) -> Result<Arc<Self>, Flaw> {
        let not_an_object = |what: String| Flaw::NotAnObject { what };
        if !line.trim_ascii_start().starts_with(b"{") {
            return Err(not_an_object("it does not begin with `{`".to_owned()));
        }
        let record = serde_json::from_slice(line).map_err(|error| {
            let what = error.to_string();
            // The parser counts lines within this line.
            not_an_object(what.replace(" at line 1 column", " at column"))
        })?;
        Ok(Self::new(Cells::Record(record), number))
    }

    fn new(cells: Cells, number: u64) -> Arc<Self> {
        Arc::new(Self {
            cells,
            number,
            missing: Mutex::new(None),
        })
    }

    /// The last name that was asked for and is not there.
    pub(super) fn missing(&self) -> Option<String> {
        let missing = self.missing.lock();
        missing.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The names of what is there.
    pub(super) fn names(&self) -> Vec<String> {
        match &self.cells {
            Cells::Fields(header, _) => header.names().map(str::to_owned).collect(),
            Cells::Record(record) => record
                .try_iter()
                .map(|keys| keys.map(|key| key.to_string()).collect())
                .unwrap_or_default(),
        }
    }

    /// Its place in the table, from 1.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// The first of these columns that is there, as text.
    pub(super) fn first_of(&self, names: &[&str]) -> Option<String> {
        let cell = names.iter().find_map(|name| self.cell(name))?;
        Some(if cell.is_none() {
            String::new()
        } else {
            cell.to_string()
        })
    }

    fn cell(&self, name: &str) -> Option<Value> {
        match &self.cells {
            Cells::Fields(header, fields) => {
                let place = *header.places.get(name)?;
                fields.get(place).map(Value::from)
            }
            Cells::Record(record) => {
                let value = record.get_attr(name).ok();
                value.filter(|value| !value.is_undefined())
            }
        }
    }
}

impl Object for Row {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        if let Some(cell) = self.cell(name) {
            return Some(cell);
        }
        match name {
            "row" => Some(Value::from_dyn_object(Arc::clone(self))),
            "row_number" => Some(Value::from(self.number)),
            _ => {
                let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
                *missing = Some(name.to_owned());
                None
            }
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.names().into_iter().map(Value::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("a,b;c,d\n", b',')]
    #[case("a;b;c,d\n1,2,3,4,5", b';')]
    #[case("a\tb c\n", b'\t')]
    #[case("\"a,b,c\";d\n", b';')]
    #[case("alone\n", b',')]
    #[case("a,b;c", b',')]
    #[case("", b',')]
    fn the_separator_is_what_the_header_has_most_of(#[case] head: &str, #[case] expected: u8) {
        assert_eq!(Form::of(head.as_bytes()), Form::Separated(expected));
    }

    #[test]
    fn an_object_is_json() {
        assert_eq!(Form::of(b" \n{\"a\":1}"), Form::JsonLines);
    }

    fn header(row: &str) -> Result<Header, Flaw> {
        Header::new(&Splitter::new(b',').split(row.as_bytes()).unwrap())
    }

    #[test]
    fn a_column_is_found_by_its_name_and_by_what_a_template_can_write() {
        let header = header("id, Full name,,").unwrap();
        assert_eq!(header.names().collect::<Vec<_>>(), ["id", "Full name"]);
        assert!(header.knows("Full name") && header.knows("Full_name"));
        assert!(!header.knows("name"));
    }

    #[test]
    fn a_name_must_not_stand_there_twice() {
        let flaw = header("a,b,a").unwrap_err();
        assert_eq!(
            flaw.to_string(),
            "the column `a` stands there twice, as number 1 and 3"
        );
    }

    #[rstest]
    #[case("1,2,x", true)]
    #[case("1,2,x,", true)]
    #[case("1,2", false)]
    #[case("1,2,3,4,5", false)]
    fn a_row_has_what_the_header_names(#[case] row: &str, #[case] is_good: bool) {
        let header = Arc::new(header("a,b,c,").unwrap());
        let fields = Splitter::new(b',').split(row.as_bytes()).unwrap();
        assert_eq!(Row::of_fields(&header, fields, 1).is_ok(), is_good);
    }

    proptest! {
        #[test]
        fn fields_read_back(record in prop::collection::vec("[a\",; \n\r\té]{0,12}", 1..70), separator in prop::sample::select(&SEPARATORS[..])) {
            let mut writer = csv::WriterBuilder::new().delimiter(separator).from_writer(Vec::new());
            writer.write_record(&record).unwrap();
            let bytes = writer.into_inner().unwrap();
            let row = bytes.strip_suffix(b"\n").unwrap();
            let fields = Splitter::new(separator).split(row).unwrap();
            prop_assert_eq!(fields.iter().collect::<Vec<_>>(), record);
        }

        #[test]
        fn nothing_makes_splitting_panic(row in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Splitter::new(b',').split(&row);
            let _ = Row::of_json(&row, 1);
        }
    }
}
