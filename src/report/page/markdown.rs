//! The report as Markdown: tables that any viewer of GitHub's dialect shows. Outside text is
//! escaped, so that it is neither a link, nor HTML, nor the end of a cell.

use std::fmt::Write as _;

use super::Report;
use super::outline::{Block, Column, Progress, Table, Tile, lead, outline, title};
use crate::base::{count, share, shown};

/// The bars of a small graph, the lowest first.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Columns of a small graph at most.
const COLUMNS: usize = 60;
/// Columns of the longest bar of a histogram.
const BAR_COLUMNS: usize = 30;

pub(super) fn page(report: &Report) -> String {
    let (title, lead) = (escaped(&title(report)), escaped(&lead(report)));
    let mut page = format!("# {title}\n\n{lead}\n");
    for section in outline(report) {
        let _ = write!(page, "\n## {}\n", section.title);
        for block in &section.blocks {
            page.push('\n');
            write(&mut page, block);
        }
    }
    page
}

fn write(page: &mut String, block: &Block) {
    match block {
        Block::Progress(progress) => bar(page, *progress),
        Block::Tiles(all) => tiles(page, all),
        Block::Facts(facts) => {
            let row = |(name, value): &(&str, String)| vec![(*name).to_owned(), value.clone()];
            table(page, &[Column::Words(""); 2], facts.iter().map(row));
        }
        Block::Table(Table { head, rows }) => table(page, head, rows.iter().cloned()),
        Block::Note(text) => {
            let _ = writeln!(page, "{}", escaped(text));
        }
        Block::Command(text) => {
            // A fence that is longer than any row of backticks inside.
            let fence = "`".repeat(3 + text.matches('`').count());
            let _ = writeln!(page, "{fence}sh\n{}\n{fence}", shown(text));
        }
        Block::Lines(chart) => {
            let most = chart
                .most()
                .map_or_else(|| "n/a".to_owned(), super::outline::number);
            let _ = writeln!(page, "{}, at most {most}:\n", escaped(&chart.title));
            for (name, points) in &chart.lines {
                let graph = graph(points, chart.span, chart.most().unwrap_or(1.0));
                let _ = writeln!(page, "- `{graph}` {}", escaped(name));
            }
        }
        Block::Bars(chart) => {
            let most = chart.bars.iter().map(|bar| bar.count).max().unwrap_or(0);
            let rows = chart.bars.iter().map(|bar| {
                let blocks = bar.count as usize * BAR_COLUMNS / (most as usize).max(1);
                vec![bar.label.clone(), count(bar.count), "█".repeat(blocks)]
            });
            let head = [
                Column::Figures("Score"),
                Column::Figures("Answers"),
                Column::Words(""),
            ];
            table(page, &head, rows);
        }
        Block::Marks(_) => page.push_str("The marks of the time line, in words:\n"),
    }
}

/// How far it is, as a bar of blocks.
fn bar(page: &mut String, progress: Progress) {
    let Progress {
        done,
        failed,
        total,
    } = progress;
    let part = (done + failed) as f64 / total.max(1) as f64;
    let full = ((part * COLUMNS as f64) as usize).min(COLUMNS);
    let (full, rest) = ("█".repeat(full), "░".repeat(COLUMNS - full));
    let _ = writeln!(page, "`{full}{rest}` {}", share(done + failed, total));
}

fn tiles(page: &mut String, tiles: &[Tile]) {
    let head: Vec<_> = tiles.iter().map(|tile| Column::Words(tile.name)).collect();
    let values = tiles.iter().map(|tile| tile.value.clone()).collect();
    let details = tiles.iter().map(|tile| tile.detail.clone()).collect();
    table(page, &head, [values, details].into_iter());
}

fn table(page: &mut String, head: &[Column], rows: impl Iterator<Item = Vec<String>>) {
    let titles: Vec<_> = head.iter().map(|column| column.title()).collect();
    let _ = writeln!(page, "| {} |", titles.join(" | "));
    page.push('|');
    for column in head {
        page.push_str(match column {
            Column::Words(_) => " --- |",
            Column::Figures(_) => " ---: |",
        });
    }
    page.push('\n');
    for row in rows {
        let cells: Vec<_> = row.iter().map(|cell| escaped(cell)).collect();
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
}

/// The highest value of each column as a bar; a blank is a gap.
fn graph(points: &[(i64, Option<f64>)], span: i64, most: f64) -> String {
    let width = points.len().clamp(1, COLUMNS);
    let mut columns = vec![None::<f64>; width];
    for (at, value) in points {
        let place = (*at as f64 / span.max(1) as f64 * width as f64) as usize;
        if let (Some(column), Some(value)) = (columns.get_mut(place.min(width - 1)), value) {
            *column = Some(column.map_or(*value, |before| before.max(*value)));
        }
    }
    let bar = |value: Option<f64>| {
        let step = |value: f64| (value / most.max(f64::MIN_POSITIVE) * 7.0).round() as usize;
        value.map_or('·', |value| BARS.get(step(value)).copied().unwrap_or('█'))
    };
    columns.into_iter().map(bar).collect()
}

/// Outside text that stands for itself (`CommonMark` 0.31, "Backslash escapes": any ASCII
/// punctuation may be escaped). A bare address is no link without its `://` or its dots.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let text = shown(text);
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        let is_name = rest
            .get(..4)
            .is_some_and(|head| head.eq_ignore_ascii_case("www."));
        let is_address = is_name || rest.starts_with("://");
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            'w' | 'W' if is_address => safe.extend([c, '\u{2060}']),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' | '@' => safe.extend(['\\', c]),
            ':' if is_address => safe.push_str("\\:"),
            c => safe.push(c),
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    safe
}
