//! Chooses a batch file: folders to walk through, a filter to type, a path to paste.

use std::path::{Path, PathBuf};

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::chooser::{Chooser, Did};
use super::{Dialog, Enqueue, Heard, Reaction};
use crate::base::{Stamp, bytes};
use crate::tui::canvas::Canvas;
use crate::tui::errand::{Entry, Errand, Kind, Listing, News};
use crate::tui::key::{Code, Key};
use crate::tui::layout;
use crate::tui::msg::Ask;
use crate::tui::text::{left, outside, right, sentence, wrapped};
use crate::tui::theme::Meaning;
use crate::tui::ui::Start;

/// Columns and rows where there is room.
const SIZE: (u16, u16) = (112, 26);
/// Columns from which a preview is shown.
const WITH_PREVIEW: u16 = 70;
/// Columns of a size and of a date.
const BYTES_COLUMNS: usize = 10;
const DATE_COLUMNS: usize = 16;
/// Rows that each line of a preview takes at most.
const PREVIEW_ROWS: usize = 12;

/// The file picker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picker {
    start: Start,
    folder: PathBuf,
    /// Nothing while it is being read.
    listing: Option<Result<Listing, String>>,
    preview: Option<(PathBuf, Vec<String>)>,
    chooser: Chooser,
}

impl Picker {
    /// A picker in the folder where the program was started, and what it needs first.
    pub fn open(start: &Start) -> (Self, Vec<Ask>) {
        let picker = Self {
            start: start.clone(),
            folder: start.folder.clone(),
            listing: None,
            preview: None,
            chooser: Chooser::default(),
        };
        let ask = Ask::Errand(Errand::List(start.folder.clone()));
        (picker, vec![ask])
    }

    pub(super) fn react(&mut self, heard: Heard<'_>) -> Reaction {
        match heard {
            Heard::Key(key, _) => self.key(key),
            Heard::Paste(text) => {
                self.chooser.filter.insert(unquoted(text));
                self.chooser.at = 0;
                Reaction::Ask(self.follow())
            }
            Heard::Wheel(rows) => {
                let all = self.rows().len() + self.first();
                self.chooser.wheel(rows, all);
                Reaction::Ask(self.look())
            }
            Heard::Choice(row) if row == self.chooser.at => self.take(),
            Heard::Choice(row) => {
                self.chooser.at = row;
                Reaction::Ask(self.look())
            }
            Heard::Click(_) => Reaction::Stay,
        }
    }

    pub(super) fn news(&mut self, news: &News) -> Vec<Ask> {
        match news {
            News::Listed { folder, listing } if *folder == self.folder => {
                self.listing = Some(listing.clone());
                return self.look();
            }
            News::Previewed { path, lines } => self.preview = Some((path.clone(), lines.clone())),
            _ => {}
        }
        Vec::new()
    }

    pub(super) fn draw(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let inner = canvas.dialog(area, "Add a batch file", SIZE);
        let (path, rest) = layout::top(inner, 1);
        let folder = self.folder.display().to_string();
        let folder = outside(&folder, usize::from(path.width).saturating_sub(2));
        let line = Line::from(canvas.span(Meaning::Title, format!(" {folder}")));
        canvas.line(path, 0, &line);
        let (field, rest) = layout::top(rest, 1);
        self.chooser
            .draw_filter(canvas, field, "filter or path; `.` shows hidden files");
        let (body, hints) = layout::top(rest, rest.height.saturating_sub(1));
        let words = " enter opens · backspace the folder above · esc leaves";
        let hint = Line::from(canvas.span(Meaning::Dim, words));
        canvas.line(hints, 0, &hint);
        if body.width < WITH_PREVIEW {
            return self.draw_list(canvas, body);
        }
        let half = body.width / 2 + 4;
        let list = Rect {
            width: half,
            ..body
        };
        self.draw_list(canvas, list);
        let preview = Rect {
            x: body.x + half + 1,
            width: body.width.saturating_sub(half + 1),
            ..body
        };
        self.draw_preview(canvas, preview);
    }

    fn key(&mut self, key: Key) -> Reaction {
        let is_empty = self.chooser.filter.text().is_empty();
        if is_empty && matches!(key.code, Code::Named("backspace" | "left")) {
            return Reaction::Ask(self.rise());
        }
        match self.chooser.key(key, self.rows().len() + 1) {
            Did::Moved => Reaction::Ask(self.look()),
            Did::Typed => Reaction::Ask(self.follow()),
            Did::Taken => self.take(),
            Did::Left => Reaction::Close(Vec::new()),
            Did::Nothing => Reaction::Stay,
        }
    }

    /// The entries that fit what was typed. Row 0 of the list is the folder above, unless
    /// something was typed.
    fn rows(&self) -> Vec<&Entry> {
        let Some(Ok(listing)) = &self.listing else {
            return Vec::new();
        };
        let with_hidden = self.chooser.filter.text().starts_with('.');
        listing
            .entries
            .iter()
            .filter(|entry| with_hidden || !entry.name.starts_with('.'))
            .filter(|entry| self.chooser.takes(&entry.name))
            .collect()
    }

    fn first(&self) -> usize {
        usize::from(self.chooser.filter.text().is_empty() && self.folder.parent().is_some())
    }

    fn chosen(&self) -> Option<Entry> {
        let at = self.chooser.at.checked_sub(self.first())?;
        self.rows().get(at).map(|entry| (*entry).clone())
    }

    /// What the row under the cursor needs: a look into the file.
    fn look(&mut self) -> Vec<Ask> {
        let last = (self.rows().len() + self.first()).saturating_sub(1);
        self.chooser.at = self.chooser.at.min(last);
        match self.chosen() {
            Some(entry) if entry.kind == Kind::Batch => {
                vec![Ask::Errand(Errand::Preview(entry.path))]
            }
            _ => Vec::new(),
        }
    }

    /// Goes to the folder of a path that is being typed.
    fn follow(&mut self) -> Vec<Ask> {
        let typed = self.chooser.filter.text();
        let Some((folder, name)) = typed.rsplit_once('/') else {
            return self.look();
        };
        let start = Start {
            folder: self.folder.clone(),
            ..self.start.clone()
        };
        let folder = expand(&format!("{folder}/"), &start);
        self.chooser = Chooser::default();
        self.chooser.filter.insert(name);
        self.go(folder)
    }

    fn rise(&mut self) -> Vec<Ask> {
        match self.folder.parent().map(Path::to_path_buf) {
            Some(above) => self.go(above),
            None => Vec::new(),
        }
    }

    fn go(&mut self, folder: PathBuf) -> Vec<Ask> {
        self.chooser.at = 0;
        self.listing = None;
        self.preview = None;
        self.folder.clone_from(&folder);
        vec![Ask::Errand(Errand::List(folder))]
    }

    fn take(&mut self) -> Reaction {
        if self.first() == 1 && self.chooser.at == 0 {
            return Reaction::Ask(self.rise());
        }
        match self.chosen() {
            Some(entry) if entry.kind == Kind::Folder => {
                self.chooser = Chooser::default();
                Reaction::Ask(self.go(entry.path))
            }
            Some(entry) if entry.kind == Kind::Batch => {
                let (dialog, asks) = Enqueue::open(entry.path, &self.start);
                Reaction::Become(Box::new(Dialog::Enqueue(dialog)), asks)
            }
            _ => Reaction::Stay,
        }
    }

    fn draw_list(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let columns = usize::from(area.width);
        let said = match &self.listing {
            None => Some("reading the folder …".to_owned()),
            Some(Err(why)) => Some(why.clone()),
            Some(Ok(_)) if self.rows().is_empty() => {
                Some("no folder or .jsonl file here that fits".to_owned())
            }
            Some(Ok(_)) => None,
        };
        let (rows, first) = (self.rows(), self.first());
        self.chooser
            .draw_rows(canvas, area, rows.len() + first, |canvas, row| {
                let entry = row.checked_sub(first).and_then(|row| rows.get(row));
                entry.map_or_else(
                    || Line::from(canvas.span(Meaning::Accent, left(" ../", columns))),
                    |entry| line(canvas, entry, columns),
                )
            });
        if let Some(said) = said {
            let text = sentence(&said, columns.saturating_sub(1));
            let line = Line::from(canvas.span(Meaning::Dim, format!(" {text}")));
            canvas.line(area, first as u16, &line);
        }
    }

    fn draw_preview(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let Some(entry) = self.chosen() else {
            return;
        };
        let columns = usize::from(area.width);
        let mut lines = Vec::new();
        match &self.preview {
            _ if entry.kind == Kind::Table => lines.push("a table cannot be run yet".to_owned()),
            Some((path, shown)) if *path == entry.path => {
                for text in shown {
                    lines.extend(wrapped(&sentence(text, columns * PREVIEW_ROWS), columns));
                }
            }
            _ => {}
        }
        let lines: Vec<Line<'_>> = lines
            .into_iter()
            .map(|text| Line::from(canvas.span(Meaning::Dim, text)))
            .collect();
        canvas.lines(area, &lines);
    }
}

/// A typed path: `~` is the home folder, and what does not begin at the root begins in the
/// folder that is open.
pub(super) fn expand(typed: &str, start: &Start) -> PathBuf {
    let home = start.home.as_deref();
    match (typed.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            home.join(rest.trim_start_matches('/'))
        }
        _ => start.folder.join(typed),
    }
}

/// A pasted path without the quotes and the address form in which file managers give it.
pub(super) fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let text = text.strip_prefix("file://").unwrap_or(text);
    for quote in ['\'', '"'] {
        let inner = text
            .strip_prefix(quote)
            .and_then(|text| text.strip_suffix(quote));
        if let Some(inner) = inner {
            return inner;
        }
    }
    text
}

fn line(canvas: &Canvas<'_>, entry: &Entry, columns: usize) -> Line<'static> {
    let is_wide = columns > BYTES_COLUMNS + DATE_COLUMNS + 20;
    let fixed = if is_wide {
        BYTES_COLUMNS + DATE_COLUMNS + 3
    } else {
        BYTES_COLUMNS + 2
    };
    let room = columns.saturating_sub(fixed + 2);
    let meaning = match entry.kind {
        Kind::Folder => Meaning::Accent,
        Kind::Batch => Meaning::Text,
        Kind::Table => Meaning::Dim,
    };
    let slash = if entry.kind == Kind::Folder { "/" } else { "" };
    let name = outside(&entry.name, room.saturating_sub(1)) + slash;
    let size = entry.bytes.map(bytes).unwrap_or_default();
    let mut spans = vec![
        canvas.span(meaning, format!(" {}", left(&name, room))),
        canvas.span(Meaning::Dim, format!(" {}", right(&size, BYTES_COLUMNS))),
    ];
    if is_wide {
        let date = entry.changed.map(|at| date(canvas, at)).unwrap_or_default();
        spans.push(canvas.span(Meaning::Dim, format!(" {}", right(&date, DATE_COLUMNS))));
    }
    Line::from(spans)
}

fn date(canvas: &Canvas<'_>, at: Stamp) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map(|at| at.to_zoned(canvas.scene.ui.zone.clone()))
        .map(|at| at.strftime("%Y-%m-%d %H:%M").to_string())
        .unwrap_or_default()
}
