//! The report as one HTML page: no script, nothing from outside, and a policy that says so to the
//! browser. Well-formed as XML, so that a test can hold it to that.

use std::fmt::Write as _;

use super::Report;
use super::outline::{Block, outline, title};
use crate::base::shown;

const STYLE: &str = include_str!("../../../assets/report.css");

pub(super) fn page(report: &Report) -> String {
    let title = escaped(&title(report));
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    );
    for section in outline(report) {
        let _ = writeln!(page, "<section>\n<h2>{}</h2>", section.title);
        for block in &section.blocks {
            write(&mut page, block);
        }
        page.push_str("</section>\n");
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn write(page: &mut String, block: &Block) {
    match block {
        Block::Facts(facts) => {
            page.push_str("<table class=\"facts\">\n");
            for (name, value) in facts {
                let _ = writeln!(
                    page,
                    "<tr><th scope=\"row\">{name}</th><td>{}</td></tr>",
                    escaped(value)
                );
            }
            page.push_str("</table>\n");
        }
        Block::Table(head, rows) => table(page, head, rows),
        Block::Note(text) => {
            let _ = writeln!(page, "<p>{}</p>", escaped(text));
        }
        Block::Command(text) => {
            let _ = writeln!(page, "<pre><code>{}</code></pre>", escaped(text));
        }
        Block::Lines(chart) => {
            figure(page, &chart.title, &chart.svg());
            page.push_str("<p class=\"legend\">");
            for (number, (name, _)) in chart.lines.iter().enumerate() {
                let _ = write!(
                    page,
                    "<span class=\"key key{}\">{}</span> ",
                    number % 4,
                    escaped(name)
                );
            }
            page.push_str("</p>\n");
        }
        Block::Bars(chart) => figure(page, &chart.title, &chart.svg()),
        Block::Marks(chart) => figure(page, &chart.title, &chart.svg()),
    }
}

fn figure(page: &mut String, title: &str, svg: &str) {
    let _ = writeln!(
        page,
        "<figure><figcaption>{}</figcaption>{svg}</figure>",
        escaped(title)
    );
}

fn table(page: &mut String, head: &[&str], rows: &[Vec<String>]) {
    page.push_str("<table>\n<thead><tr>");
    for cell in head {
        let _ = write!(page, "<th scope=\"col\">{cell}</th>");
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        page.push_str("<tr>");
        for cell in row {
            let _ = write!(page, "<td>{}</td>", escaped(cell));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table>\n");
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
