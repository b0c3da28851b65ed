//! A drawn buffer as SVG: cells of one width, lines and gauges as shapes, so that the picture is
//! the same whatever fonts there are.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use crate::base::width;

/// Width and height of a cell; even, so that its middle lies on the grid.
const CELL: (u16, u16) = (8, 18);
/// From the top of a cell to the line that letters stand on.
const BASELINE: u16 = 13;
/// Around the cells.
const MARGIN: u16 = 10;

/// A shape that takes the place of a sign: its path, and how it is drawn.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
enum Ink {
    /// The ground of a cell.
    Ground,
    /// Filled so many quarters.
    Fill(u8),
    /// A line of a border.
    Line,
    /// Dots of braille.
    Dots,
}

/// The picture of a buffer. Cells without a colour of their own get `text` on `ground`.
pub(super) fn of(buffer: &Buffer, text: Color, ground: &str) -> String {
    let colors = |cell: &Cell| {
        let named = |color, other: String| css(color).unwrap_or(other);
        let text = css(text).unwrap_or_else(|| "#fff".to_owned());
        let (fore, back) = (named(cell.fg, text), named(cell.bg, ground.to_owned()));
        if cell.modifier.contains(Modifier::REVERSED) {
            (back, fore)
        } else {
            (fore, back)
        }
    };
    let mut shapes: BTreeMap<(Ink, String), String> = BTreeMap::new();
    let mut words = Words::default();
    for row in buffer.area.rows() {
        let mut hidden = 0;
        for place in row.columns() {
            let cell = &buffer[(place.x, place.y)];
            let (x, y) = (place.x * CELL.0, place.y * CELL.1);
            let (fore, back) = colors(cell);
            if back != ground {
                let path = shapes.entry((Ink::Ground, back)).or_default();
                rectangle(path, (x, y), CELL);
            }
            if hidden > 0 {
                hidden -= 1;
                continue;
            }
            let columns = width(cell.symbol()).max(1) as u16;
            hidden = columns - 1;
            let mut path = String::new();
            match shape(&mut path, cell.symbol(), (x, y)) {
                Some(ink) => shapes.entry((ink, fore)).or_default().push_str(&path),
                None => words.add((x, y), columns, cell, &fore),
            }
        }
        words.end();
    }
    whole(buffer, ground, &shapes, &words.done)
}

fn whole(
    buffer: &Buffer,
    ground: &str,
    shapes: &BTreeMap<(Ink, String), String>,
    words: &str,
) -> String {
    let width = buffer.area.width * CELL.0 + 2 * MARGIN;
    let height = buffer.area.height * CELL.1 + 2 * MARGIN;
    let mut picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace\" font-size=\"13\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{ground}\"/>\n\
         <g transform=\"translate({MARGIN} {MARGIN})\" fill=\"none\">\n"
    );
    for ((ink, color), path) in shapes {
        let how = match ink {
            Ink::Ground | Ink::Fill(4) => format!("fill=\"{color}\""),
            Ink::Fill(quarters) => {
                format!(
                    "fill=\"{color}\" fill-opacity=\".{}\"",
                    u16::from(*quarters) * 25
                )
            }
            Ink::Line => format!("stroke=\"{color}\""),
            Ink::Dots => {
                format!("stroke=\"{color}\" stroke-width=\"2\" stroke-linecap=\"round\"")
            }
        };
        let _ = writeln!(picture, "<path {how} d=\"{path}\"/>");
    }
    picture + words + "</g>\n</svg>\n"
}

/// Pieces of text of one look, each held to the width of its cells.
#[derive(Debug, Default)]
struct Words {
    open: Option<Word>,
    done: String,
}

#[derive(Debug)]
struct Word {
    at: (u16, u16),
    columns: u16,
    look: String,
    text: String,
}

impl Words {
    fn add(&mut self, at: (u16, u16), columns: u16, cell: &Cell, color: &str) {
        let symbol = cell.symbol();
        if symbol.trim().is_empty() {
            return self.end();
        }
        let look = look(cell.modifier, color);
        // Signs that may come from another font keep to themselves: they shift nothing.
        let is_plain = symbol.is_ascii();
        let follows = self.open.as_ref().is_some_and(|word| {
            is_plain
                && word.text.is_ascii()
                && word.look == look
                && word.at == (at.0 - word.columns * CELL.0, at.1)
        });
        if !follows {
            self.end();
        }
        let word = self.open.get_or_insert_with(|| Word {
            at,
            columns: 0,
            look,
            text: String::new(),
        });
        word.columns += columns;
        word.text.push_str(symbol);
    }

    fn end(&mut self) {
        let Some(word) = self.open.take() else {
            return;
        };
        let _ = writeln!(
            self.done,
            "<text x=\"{}\" y=\"{}\" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\" {}>{}</text>",
            word.at.0,
            word.at.1 + BASELINE,
            word.columns * CELL.0,
            word.look,
            escaped(&word.text)
        );
    }
}

fn look(modifier: Modifier, color: &str) -> String {
    let mut look = format!("fill=\"{color}\"");
    for (one, attribute) in [
        (Modifier::BOLD, " font-weight=\"bold\""),
        (Modifier::DIM, " opacity=\".6\""),
        (Modifier::UNDERLINED, " text-decoration=\"underline\""),
    ] {
        if modifier.contains(one) {
            look.push_str(attribute);
        }
    }
    look
}

/// Draws a sign as a shape where it is one.
fn shape(path: &mut String, symbol: &str, (x, y): (u16, u16)) -> Option<Ink> {
    let mut letters = symbol.chars();
    let (Some(sign), None) = (letters.next(), letters.next()) else {
        return None;
    };
    let (width, height) = CELL;
    let eighths = |whole: u16, count: u32| (u32::from(whole) * count / 8) as u16;
    match sign {
        // From the full block each sign is an eighth narrower.
        '\u{2588}'..='\u{258f}' => {
            let columns = eighths(width, 0x2590 - sign as u32);
            rectangle(path, (x, y), (columns, height));
            Some(Ink::Fill(4))
        }
        // From the lowest line each sign is an eighth higher.
        '\u{2581}'..='\u{2587}' => {
            let rows = eighths(height, sign as u32 - 0x2580);
            rectangle(path, (x, y + height - rows), (width, rows));
            Some(Ink::Fill(4))
        }
        '░' | '▒' | '▓' => {
            rectangle(path, (x, y), CELL);
            Some(Ink::Fill((sign as u32 - 0x2590) as u8))
        }
        '\u{2800}'..='\u{28ff}' => {
            dots(path, sign, (x, y));
            Some(Ink::Dots)
        }
        _ => border(path, sign, (x, y)).then_some(Ink::Line),
    }
}

fn rectangle(path: &mut String, (x, y): (u16, u16), (width, height): (u16, u16)) {
    let _ = write!(path, "M{x} {y}h{width}v{height}h-{width}z");
}

/// The eight dots of a braille sign: bits 0 to 2 and 6 go down on the left, the others on the right.
fn dots(path: &mut String, sign: char, (x, y): (u16, u16)) {
    let bits = sign as u32 - 0x2800;
    for (bit, (column, row)) in [
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 0),
        (1, 1),
        (1, 2),
        (0, 3),
        (1, 3),
    ]
    .into_iter()
    .enumerate()
    {
        if bits & (1 << bit) != 0 {
            let (x, y) = (x + 2 + column * CELL.0 / 2, y + 2 + row * CELL.1 / 4);
            let _ = write!(path, "M{x} {y}h0");
        }
    }
}

/// Lines from the middle of a cell to its sides, round where they turn.
fn border(path: &mut String, sign: char, (x, y): (u16, u16)) -> bool {
    let (right, lower) = (CELL.0 / 2, CELL.1 / 2);
    let (middle, centre) = (x + right, y + lower);
    let turn = |path: &mut String, down: bool, to_right: bool| {
        let side = if to_right { x + CELL.0 } else { x };
        let end = if down { y + CELL.1 } else { y };
        let _ = write!(path, "M{side} {centre}Q{middle} {centre} {middle} {end}");
    };
    match sign {
        '─' => drop(write!(path, "M{x} {centre}h{}", CELL.0)),
        '│' => drop(write!(path, "M{middle} {y}v{}", CELL.1)),
        '└' => drop(write!(path, "M{middle} {y}v{lower}h{right}")),
        '╭' => turn(path, true, true),
        '╮' => turn(path, true, false),
        '╰' => turn(path, false, true),
        '╯' => turn(path, false, false),
        _ => return false,
    }
    true
}

fn css(color: Color) -> Option<String> {
    match color {
        Color::Rgb(red, green, blue) => Some(format!("#{red:02x}{green:02x}{blue:02x}")),
        _ => None,
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // XML knows no way to write these.
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use ratatui::style::Style;

    use super::*;

    fn picture(line: &str, style: Style) -> String {
        let mut buffer = Buffer::empty(ratatui::layout::Rect::new(0, 0, 20, 1));
        buffer.set_string(0, 0, line, style);
        of(&buffer, Color::Rgb(200, 200, 200), "#000000")
    }

    #[test]
    fn words_stand_on_the_grid_and_are_escaped() {
        let drawn = picture("ab <c> 日&", Style::new().fg(Color::Rgb(1, 2, 3)));
        for expected in [
            "<text x=\"0\" y=\"13\" textLength=\"16\" lengthAdjust=\"spacingAndGlyphs\" fill=\"#010203\">ab</text>",
            ">&lt;c&gt;</text>",
            "<text x=\"56\" y=\"13\" textLength=\"16\"",
            "<text x=\"72\" y=\"13\" textLength=\"8\"",
            ">&amp;</text>",
        ] {
            assert!(drawn.contains(expected), "{expected}: {drawn}");
        }
    }

    #[test]
    fn gauges_lines_and_graphs_are_shapes() {
        let drawn = picture("█▌▄░│⣀", Style::new());
        for expected in [
            "M0 0h8v18h-8z",
            "M8 0h4v18h-4z",
            "M16 9h8v9h-8z",
            "fill-opacity=\".25\" d=\"M24 0h8v18h-8z\"",
            "M36 0v18",
            "M42 15h0M46 15h0",
        ] {
            assert!(drawn.contains(expected), "{expected}: {drawn}");
        }
        assert!(!drawn.contains("<text"));
    }

    #[test]
    fn looks_are_kept() {
        let style = Style::new().bg(Color::Rgb(9, 9, 9));
        let drawn = picture("x", style.add_modifier(Modifier::BOLD | Modifier::REVERSED));
        assert!(drawn.contains("fill=\"#090909\" font-weight=\"bold\">x<"));
        assert!(drawn.contains("fill=\"#c8c8c8\" d=\"M0 0h8v18h-8z\""));
    }
}
