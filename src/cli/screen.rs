//! `batchtop` without a command: the screen over this process's own engine, or over that of the
//! process that owns the queue.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

use super::cards;
use super::context::Context;
use super::outcome::{End, Outcome, Trouble};
use super::run::whole_path;
use super::session::{Session, name_card, owner};
use super::telling::silence;
use crate::config::{Color, ConfigFile, Problem, nearest, print, read_file};
use crate::control;
use crate::engine::Scope;
use crate::model::{RequestId, Snapshot};
use crate::store::Owner;
use crate::tui::keymap::KeyMap;
use crate::tui::theme::{Depth, Theme};
use crate::tui::{self, Desk, Left, Look, Run, Start};

/// Opens the screen; the user is asked about these batch files first.
pub(super) async fn run(files: &[PathBuf], context: &mut Context) -> Outcome {
    let mut look = look(context)?;
    look.start.files = files.iter().map(|file| whole_path(file)).collect();
    let server = context.server()?;
    let ways = context.ways()?;
    match Session::open_if_free(context, server, false).await? {
        Some(session) => {
            let session = session.telling(ways, context);
            let desk = Desk::new(context.paths.data.clone(), context.server()?, cards::look);
            over(session, desk, context, look).await
        }
        None if !files.is_empty() => Err(Trouble::new(
            "another process owns the queue: files cannot be added here",
            "`batchtop enqueue FILE` hands them to it",
        )),
        None => watch(context, look).await,
    }
}

/// Shows a session until the user quits it or a signal ends it. Then the engine has ended and
/// everything is stored.
pub(super) async fn over(
    mut session: Session,
    desk: Desk,
    context: &Context,
    mut look: Look,
) -> Outcome {
    // The demo has a folder of its own, which it makes after the terminal has been looked at.
    look.data.clone_from(&context.paths.data);
    let drain = context.loaded.settings.drain;
    let run = Run::Own {
        handle: session.handle.clone(),
        drain,
        desk: Box::new(desk),
    };
    let handle = session.handle.clone();
    // The first picture does not wait for the driver of a card.
    let begin = async {
        name_card(&handle, context).await;
        handle.work(Scope::Everything).await;
    };
    // The loop of the screen holds all that it draws: too much to pass around by value.
    let alerts = session.telling.give_alerts();
    let screen = Box::pin(async { tokio::join!(begin, tui::run(run, look, alerts)).1 });
    let left = session.beside(screen, drain).await;
    let is_interrupted = session.is_interrupted();
    let ended = session.close().await;
    let left = left.map_err(|error| Trouble::Wrong(error.to_string(), None))?;
    ended?;
    Ok(match left {
        Left::Ended if is_interrupted => End::Interrupted,
        Left::Quit | Left::Ended => End::Done,
    })
}

/// Shows the run of the process that owns the queue.
async fn watch(context: &Context, look: Look) -> Outcome {
    let owner = owner(&context.paths.data).await?;
    let pid = owner.pid;
    let mut watched = control::watch(&owner).await?;
    let first = watched.next().await?;
    let (sender, snapshots) = watch::channel(Arc::new(first));
    let (watching, asked) = watch::channel(None);
    let news = tokio::spawn(async move { forward(&mut watched, &sender).await });
    let asks = tokio::spawn(ask_for_answers(owner, asked));
    let run = Run::Watched {
        snapshots,
        watching,
        pid,
        desk: Box::new(Desk::new(
            context.paths.data.clone(),
            context.server()?,
            cards::look,
        )),
    };
    let left = Box::pin(tui::run(run, look, silence())).await;
    news.abort();
    // It has ended by itself where the owner has.
    let _ = news.await;
    // The screen has let go of its end: the last wish is passed on, and that was all.
    let _ = asks.await;
    left.map_err(|error| Trouble::Wrong(error.to_string(), None))?;
    Ok(End::Done)
}

/// Passes pictures on until the owner ends.
async fn forward(watched: &mut control::Watched, sender: &watch::Sender<Arc<Snapshot>>) {
    while let Ok(snapshot) = watched.next().await {
        sender.send_replace(Arc::new(snapshot));
    }
}

/// Tells the owner whose answer is watched here, until the screen is left.
async fn ask_for_answers(owner: Owner, mut asked: watch::Receiver<Option<RequestId>>) {
    while asked.changed().await.is_ok() {
        let request = *asked.borrow_and_update();
        // An owner that has ended is noticed by its pictures.
        let _ = control::ask(&owner, control::Ask::Answer(request)).await;
    }
}

/// How the screen looks: settings, the user's keys and theme, and what the terminal can show.
pub(super) fn look(context: &mut Context) -> Result<Look, Trouble> {
    if !std::io::stdout().is_terminal() || context.environment.has_dumb_terminal() {
        return Err(Trouble::new(
            "the screen needs a terminal",
            "`batchtop run FILE`, `batchtop work` and `batchtop demo --headless` do without one",
        ));
    }
    let settings = &context.loaded.settings;
    let depth = depth(settings.color, context);
    let keys = keys(context)?;
    let theme = theme(context, depth)?;
    let mouse = context.loaded.settings.mouse;
    Ok(Look {
        keys,
        theme,
        depth,
        mouse,
        data: context.paths.data.clone(),
        limits: context.loaded.settings.guard_limits().unwrap_or_default(),
        start: start(context),
        kill_point: context.kill_point()?,
    })
}

fn start(context: &Context) -> Start {
    Start {
        folder: std::path::absolute(".").unwrap_or_else(|_| PathBuf::from(".")),
        home: std::env::home_dir(),
        settings: context.loaded.settings.job(),
        prices: context.loaded.settings.prices(),
        shown: print(&context.loaded).lines().map(str::to_owned).collect(),
        files: Vec::new(),
    }
}

fn depth(color: Color, context: &Context) -> Depth {
    let environment = &context.environment;
    let is_off = color == Color::Never || color == Color::Auto && environment.no_color();
    if is_off {
        Depth::None
    } else if environment.has_true_color() {
        Depth::True
    } else if environment.has_256_colors() {
        Depth::Indexed
    } else {
        Depth::Ansi
    }
}

fn keys(context: &mut Context) -> Result<KeyMap, Trouble> {
    let Some((path, text)) = beside_settings(context, Path::new("keys.toml"))? else {
        return Ok(KeyMap::built_in());
    };
    KeyMap::with(&path, &text).map_err(|problems| tell(context, &problems))
}

fn theme(context: &mut Context, depth: Depth) -> Result<Theme, Trouble> {
    let settings = &context.loaded.settings;
    let name = settings.theme.clone();
    let ascii = context.environment.draws_ascii(settings.ascii);
    if let Some(theme) = Theme::built_in(&name, depth, ascii) {
        return Ok(theme);
    }
    let file = Path::new("themes").join(&name).with_extension("toml");
    if let Some((path, text)) = beside_settings(context, &file)? {
        return Theme::of_file(&path, &text, depth, ascii)
            .map_err(|problem| tell(context, &[problem]));
    }
    let near = nearest(&name, Theme::names()).map(|near| format!("did you mean `{near}`? "));
    let names: Vec<&str> = Theme::names().collect();
    Err(Trouble::new(
        format!("there is no theme `{name}`"),
        format!(
            "{}built in are {}",
            near.unwrap_or_default(),
            names.join(", ")
        ),
    ))
}

/// A file in the folder of the settings file; nobody needs to have one.
fn beside_settings(context: &Context, name: &Path) -> Result<Option<(PathBuf, String)>, Trouble> {
    let folder = context.paths.config.path.parent().unwrap_or(Path::new("."));
    let file = ConfigFile {
        path: folder.join(name),
        named: false,
    };
    Ok(read_file(&file)?)
}

fn tell(context: &mut Context, problems: &[Problem]) -> Trouble {
    for problem in problems {
        context.say.error(&problem.to_string());
    }
    Trouble::Said
}
