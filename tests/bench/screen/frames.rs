//! Figures of drawing and of the lists' questions, without a terminal.

use std::path::Path;
use std::time::Duration;

use batchtop::control::watch;
use batchtop::model::{JobId, RequestState, Snapshot};
use batchtop::store::{Filter, Owner, Reader, Sort};
use batchtop::tui::canvas::Scene;
use batchtop::tui::desk::answer;
use batchtop::tui::keymap::KeyMap;
use batchtop::tui::msg::{Ask, Msg};
use batchtop::tui::query::{At, Query};
use batchtop::tui::theme::{Depth, Theme};
use batchtop::tui::ui::{Seat, Ui};
use batchtop::tui::update::update;
use batchtop::tui::view::view;
use ratatui::backend::{Backend as _, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::queue::{MILLION, Stage};
use super::terminal::Terminal;
use super::{Failure, Times, milliseconds, now, say};

const JOB: JobId = JobId(1);

/// A screen without a terminal: what it would send is made and thrown away.
struct Face {
    ui: Ui,
    keys: KeyMap,
    snapshot: Snapshot,
    shown: Buffer,
    reader: Reader,
    frames: Times,
    answers: Times,
}

impl Face {
    fn new(data: &Path, snapshot: Snapshot, (columns, rows): (u16, u16)) -> Result<Self, Failure> {
        let theme = Theme::built_in("dark", Depth::True, false).ok_or("no such theme")?;
        Ok(Self {
            ui: Ui::new(Seat::Owner, theme, Depth::True),
            keys: KeyMap::built_in(),
            snapshot,
            shown: Buffer::empty(Rect::new(0, 0, columns, rows)),
            reader: Reader::open(data)?.ok_or("no queue")?,
            frames: Times::default(),
            answers: Times::default(),
        })
    }

    /// Draws, and makes the bytes for what differs from the picture before.
    fn draw(&mut self) -> Result<(), Failure> {
        let scene = Scene {
            snapshot: &self.snapshot,
            ui: &self.ui,
            keys: &self.keys,
        };
        let mut next = Buffer::empty(self.shown.area);
        let hits = view(scene, next.area, &mut next);
        self.ui.hits = hits;
        let mut bytes = Vec::new();
        CrosstermBackend::new(&mut bytes).draw(self.shown.diff(&next).into_iter())?;
        self.shown = next;
        Ok(())
    }

    /// Takes something in, draws, and has what was asked answered and drawn, each a frame.
    fn take(&mut self, msg: Msg) -> Result<(), Failure> {
        let mut waiting = vec![msg];
        while let Some(msg) = waiting.pop() {
            let started = now();
            let asks = update(&mut self.ui, msg, &self.snapshot, &self.keys);
            self.draw()?;
            self.frames.add(started.elapsed());
            for ask in asks {
                if let Ask::Query(query) = ask {
                    let started = now();
                    let found = answer(&self.reader, &query).map_err(|error| error.to_string());
                    self.answers.add(started.elapsed());
                    waiting.push(Msg::Found { query, found });
                }
            }
        }
        Ok(())
    }

    fn press(&mut self, key: &str) -> Result<(), Failure> {
        let key = key.parse().map_err(|_| format!("`{key}` is no key"))?;
        self.take(Msg::Key(key))
    }
}

/// The run that the process on this data folder shows.
fn snapshot(stage: &Stage<'_>, data: &Path) -> Result<Snapshot, Failure> {
    let owner = Owner::read(data).ok_or("nobody owns the queue")?;
    stage.runtime.block_on(async {
        let mut watched = watch(&owner).await?;
        Ok(watched.next().await?)
    })
}

/// Frames of a run that is under way.
pub(crate) fn watched(stage: &Stage<'_>, data: &Path) -> Result<(), Failure> {
    let snapshot = snapshot(stage, data)?;
    frames(data, &snapshot, "while it runs")
}

/// Frames of a long queue.
pub(crate) fn sizes(stage: &Stage<'_>) -> Result<(), Failure> {
    let data = stage.half_done(MILLION)?;
    let snapshot = long(stage, &data)?;
    frames(&data, &snapshot, "paused")
}

/// The snapshot of a queue that nothing runs of.
fn long(stage: &Stage<'_>, data: &Path) -> Result<Snapshot, Failure> {
    let terminal = Terminal::open(&stage.home(), data, "http://127.0.0.1:9")?;
    terminal.shows("q quit")?;
    snapshot(stage, data)
}

fn frames(data: &Path, snapshot: &Snapshot, what: &str) -> Result<(), Failure> {
    for (key, name) in [
        ("1", "main"),
        ("2", "requests"),
        ("3", "failures"),
        ("4", "log"),
        ("?", "help"),
    ] {
        let mut face = Face::new(data, snapshot.clone(), (200, 60))?;
        face.press(key)?;
        face.frames = Times::default();
        for _ in 0..500 {
            // Every cell is sent anew, as after a resize.
            face.shown.reset();
            let started = now();
            face.draw()?;
            face.frames.add(started.elapsed());
        }
        let told = face.frames.told();
        say("screen: frames", &format!("200×60 {name}, {what}: {told}"));
    }
    Ok(())
}

/// Walks through a list of a million rows.
pub(crate) fn list(stage: &Stage<'_>) -> Result<(), Failure> {
    let data = stage.half_done(MILLION)?;
    let run = long(stage, &data)?;
    let walks: [(&str, &[&str], usize); 5] = [
        ("by rows", &["j"], 3_000),
        ("by pages", &["pgdn"], 1_000),
        ("to both ends", &["G", "pgup", "g"], 100),
        ("by state", &["s", "G", "g"], 50),
        ("turned round", &["o", "G", "pgup"], 50),
    ];
    for (name, keys, times) in walks {
        let mut face = Face::new(&data, run.clone(), (200, 60))?;
        face.press("2")?;
        for _ in 0..times {
            for key in keys {
                face.press(key)?;
            }
        }
        let (frames, answers) = (face.frames.told(), face.answers.told());
        say(
            "screen: list",
            &format!("1,000,000 rows {name}: frames {frames}; rows from the queue {answers}"),
        );
    }
    Ok(())
}

/// Sorts a million requests by each column, and scrolls to a piece in the middle.
pub(crate) fn sorting(stage: &Stage<'_>) -> Result<(), Failure> {
    let data = stage.half_done(MILLION)?;
    let middle = At::Around(MILLION as i64 / 2);
    for sort in Sort::ALL {
        let mut times = Vec::new();
        for at in [At::First, At::Last, middle] {
            let query = Query::Page {
                job: JOB,
                filter: Filter::default(),
                sort,
                at,
            };
            times.push(milliseconds(ask(&data, &query)?));
        }
        let [first, last, middle] = &times[..] else {
            return Err("three times were measured".into());
        };
        let figures = format!("by {sort:?}: first {first}, last {last}, middle {middle} ms");
        say("screen: sorting", &figures);
    }
    Ok(())
}

/// Looks for texts among a million names, and gives up.
pub(crate) fn text_filter(stage: &Stage<'_>) -> Result<(), Failure> {
    let data = stage.half_done(MILLION)?;
    for (name, text, inverse) in [
        ("often", "cand-00", false),
        ("once", "cand-0999999", false),
        ("never", "nobody", false),
        ("everywhere but once", "cand-0999999", true),
    ] {
        let filter = Filter {
            text: Some(text.to_owned()),
            inverse,
            ..Filter::default()
        };
        let page = ask(&data, &rows(&filter, At::Around(0)))?;
        let middle = ask(&data, &rows(&filter, At::Around(500_000)))?;
        let count = ask(&data, &Query::Count { job: JOB, filter })?;
        let [page, middle, count] = [page, middle, count].map(milliseconds);
        say(
            "screen: text filter",
            &format!("found {name}: rows {page} ms, from the middle {middle} ms, count {count} ms"),
        );
    }
    let filter = Filter {
        state: Some(RequestState::Failed),
        text: Some("nobody".to_owned()),
        ..Filter::default()
    };
    let failed = ask(&data, &rows(&filter, At::First))?;
    say(
        "screen: text filter",
        &format!("among 10,000 failed: {} ms", milliseconds(failed)),
    );
    given_up(&data)
}

/// The question for rows in the order of the file.
fn rows(filter: &Filter, at: At) -> Query {
    Query::Page {
        job: JOB,
        filter: filter.clone(),
        sort: Sort::default(),
        at,
    }
}

fn ask(data: &Path, query: &Query) -> Result<Duration, Failure> {
    let reader = Reader::open(data)?.ok_or("no queue")?;
    let started = now();
    answer(&reader, query)?;
    Ok(started.elapsed())
}

/// How soon a search ends once it is not wanted any more.
fn given_up(data: &Path) -> Result<(), Failure> {
    let mut times = Times::default();
    for _ in 0..20 {
        let reader = Reader::open(data)?.ok_or("no queue")?;
        let interrupt = reader.interrupter();
        let search = std::thread::spawn(move || {
            let filter = Filter {
                text: Some("nobody".to_owned()),
                ..Filter::default()
            };
            let found = answer(&reader, &rows(&filter, At::First));
            (found.is_err(), now())
        });
        std::thread::sleep(Duration::from_millis(20));
        let asked = now();
        interrupt.interrupt();
        let (is_interrupted, ended) = search.join().map_err(|_| "the search panicked")?;
        if is_interrupted {
            times.add(ended.saturating_duration_since(asked));
        }
    }
    say(
        "screen: text filter",
        &format!("cancelled: {}", times.told()),
    );
    Ok(())
}
