//! The report as one HTML page: no script, nothing from outside, and a policy that says so to the
//! browser. Well-formed as XML, so that a test can hold it to that.

use std::fmt::Write as _;

use super::Report;
use super::chart::{COLOURS, LineChart};
use super::outline::{Block, Column, Progress, Table, Tile, lead, outline, title};
use crate::base::{count, share, shown};

const STYLE: &str = include_str!("../../../assets/report.css");

pub(super) fn page(report: &Report) -> String {
    let title = escaped(&title(report));
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header>\n<h1>{title}</h1>\n<p class=\"lead\">{}</p>\n</header>\n",
        escaped(&lead(report))
    );
    for section in outline(report) {
        let _ = writeln!(page, "<section>\n<h2>{}</h2>", section.title);
        for stretch in section.blocks.chunk_by(|a, b| is_narrow(a) && is_narrow(b)) {
            // Charts stand beside each other where there is room.
            let are_charts = stretch.first().is_some_and(is_narrow);
            page.push_str(if are_charts {
                "<div class=\"charts\">\n"
            } else {
                ""
            });
            for block in stretch {
                write(&mut page, block);
            }
            page.push_str(if are_charts { "</div>\n" } else { "" });
        }
        page.push_str("</section>\n");
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

const fn is_narrow(block: &Block) -> bool {
    matches!(block, Block::Lines(_) | Block::Bars(_))
}

fn write(page: &mut String, block: &Block) {
    match block {
        Block::Progress(progress) => bar(page, *progress),
        Block::Tiles(all) => tiles(page, all),
        Block::Facts(all) => facts(page, all),
        Block::Table(all) => table(page, all),
        Block::Note(text) => {
            let _ = writeln!(page, "<p>{}</p>", escaped(text));
        }
        Block::Command(text) => {
            let _ = writeln!(page, "<pre><code>{}</code></pre>", escaped(text));
        }
        Block::Lines(chart) => figure(
            page,
            &(escaped(&chart.title) + &legend(chart)),
            &chart.svg(),
        ),
        Block::Bars(chart) => figure(page, &escaped(&chart.title), &chart.svg()),
        Block::Marks(chart) => {
            page.push_str("<div class=\"wide\">\n");
            figure(page, &escaped(&chart.title), &chart.svg());
            page.push_str("</div>\n");
        }
    }
}

fn bar(page: &mut String, progress: Progress) {
    let Progress {
        done,
        failed,
        total,
    } = progress;
    let part = |count: u64| count as f64 * 100.0 / total.max(1) as f64;
    let text = format!("{} of the requests have ended", share(done + failed, total));
    let _ = writeln!(
        page,
        "<svg role=\"img\" class=\"progress\" viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\"><title>{text}</title><desc>{}, {}</desc>\
         <rect class=\"left\" x=\"0\" y=\"0\" width=\"100\" height=\"1\"/>\
         <rect class=\"done\" x=\"0\" y=\"0\" width=\"{:.3}\" height=\"1\"/>\
         <rect class=\"failed\" x=\"{:.3}\" y=\"0\" width=\"{:.3}\" height=\"1\"/></svg>",
        format_args!("{} answered", count(done)),
        format_args!("{} failed", count(failed)),
        part(done),
        part(done),
        part(failed)
    );
}

fn tiles(page: &mut String, tiles: &[Tile]) {
    page.push_str("<ul class=\"tiles\">\n");
    for tile in tiles {
        let _ = writeln!(
            page,
            "<li><span class=\"name\">{}</span><strong>{}</strong><span class=\"detail\">{}</span></li>",
            tile.name,
            escaped(&tile.value),
            escaped(&tile.detail)
        );
    }
    page.push_str("</ul>\n");
}

fn facts(page: &mut String, facts: &[(&str, String)]) {
    page.push_str("<dl class=\"facts\">\n");
    for (name, value) in facts {
        let _ = writeln!(
            page,
            "<div><dt>{name}</dt><dd>{}</dd></div>",
            escaped(value)
        );
    }
    page.push_str("</dl>\n");
}

/// The names of the lines; what a single one is stands in the title.
fn legend(chart: &LineChart) -> String {
    let mut legend = String::new();
    if chart.lines.len() < 2 {
        return legend;
    }
    for (number, (name, _)) in chart.lines.iter().enumerate() {
        let _ = write!(
            legend,
            " <span class=\"key key{}\">{}</span>",
            number % COLOURS,
            escaped(name)
        );
    }
    legend
}

fn figure(page: &mut String, caption: &str, svg: &str) {
    let _ = writeln!(
        page,
        "<figure><figcaption>{caption}</figcaption>{svg}</figure>"
    );
}

fn table(page: &mut String, table: &Table) {
    page.push_str("<div class=\"table\"><table>\n<thead><tr>");
    for column in &table.head {
        let (class, title) = (class(*column), column.title());
        let _ = write!(page, "<th scope=\"col\"{class}>{title}</th>");
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        page.push_str("<tr>");
        for (column, cell) in table.head.iter().zip(row) {
            let _ = write!(page, "<td{}>{}</td>", class(*column), escaped(cell));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table></div>\n");
}

const fn class(column: Column) -> &'static str {
    match column {
        Column::Words(_) => "",
        Column::Figures(_) => " class=\"figure\"",
    }
}

/// Outside text as text: control characters shown, and nothing left that begins a tag, an entity or
/// ends an attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in shown(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
