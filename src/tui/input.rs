//! What the terminal sends, in the program's own words. Bytes that are no key are dropped.
//!
//! A thread of its own reads, because crossterm 0.29 reads for ever from a terminal that was closed,
//! and would never come back to whoever asked.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
    poll, read,
};
use tokio::sync::mpsc;

use super::key::{Code, Key, Mouse, MouseDid};
use super::msg::Msg;

/// Errors in a row after which the terminal counts as gone.
const MOST_ERRORS: u32 = 16;
/// Bytes of a paste that are looked at.
const LONGEST_PASTE: usize = 64 * 1024;
/// Events that may wait for the loop.
const WAITING: usize = 64;
/// How often the thread looks whether it is still wanted.
const GLANCE: Duration = Duration::from_millis(100);

/// The keyboard and the mouse.
#[derive(Debug)]
pub(super) struct Input {
    events: mpsc::Receiver<io::Result<Event>>,
    errors: u32,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Input {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn new() -> io::Result<Self> {
        let (heard, events) = mpsc::channel(WAITING);
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        let thread = thread::Builder::new()
            .name("keys".to_owned())
            .spawn(move || listen(&heard, &ends))?;
        Ok(Self {
            events,
            errors: 0,
            is_over,
            thread: Some(thread),
        })
    }

    /// The next thing that means something; `None` once the terminal is gone.
    pub(super) async fn next(&mut self) -> Option<Msg> {
        loop {
            match self.events.recv().await? {
                Ok(event) => {
                    self.errors = 0;
                    if let Some(msg) = msg(event) {
                        return Some(msg);
                    }
                }
                Err(_) if self.errors < MOST_ERRORS => self.errors += 1,
                Err(_) => return None,
            }
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        self.events.close();
        let Some(thread) = self.thread.take() else {
            return;
        };
        // One that reads from a closed terminal never ends, and is left behind.
        for _ in 0..20 {
            if thread.is_finished() {
                let _ = thread.join();
                return;
            }
            thread::sleep(GLANCE / 10);
        }
    }
}

/// Passes on what happens until nobody listens any more.
fn listen(heard: &mpsc::Sender<io::Result<Event>>, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Acquire) {
        let event = match poll(GLANCE) {
            Ok(false) => continue,
            Ok(true) => read(),
            Err(error) => Err(error),
        };
        if heard.blocking_send(event).is_err() {
            return;
        }
    }
}

fn msg(event: Event) -> Option<Msg> {
    match event {
        Event::Key(event) => key(event).map(Msg::Key),
        Event::Mouse(event) => mouse(event).map(Msg::Mouse),
        Event::Paste(mut text) => {
            let end = (0..=LONGEST_PASTE.min(text.len()))
                .rev()
                .find(|at| text.is_char_boundary(*at));
            text.truncate(end.unwrap_or(0));
            Some(Msg::Paste(text))
        }
        Event::Resize(..) => Some(Msg::Resize),
        Event::FocusGained | Event::FocusLost => None,
    }
}

fn key(event: KeyEvent) -> Option<Key> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let code = match event.code {
        KeyCode::Char(' ') => Code::Named("space"),
        KeyCode::Char(c) => Code::Char(c),
        KeyCode::F(number) => Code::Function(number),
        KeyCode::BackTab | KeyCode::Tab => Code::Named("tab"),
        code => Code::Named(named(code)?),
    };
    let held = |modifier| event.modifiers.contains(modifier);
    let is_back_tab = event.code == KeyCode::BackTab;
    Some(Key {
        code,
        ctrl: held(KeyModifiers::CONTROL),
        alt: held(KeyModifiers::ALT),
        shift: is_back_tab || held(KeyModifiers::SHIFT) && !matches!(code, Code::Char(_)),
    })
}

const fn named(code: KeyCode) -> Option<&'static str> {
    Some(match code {
        KeyCode::Up => "up",
        KeyCode::Down => "down",
        KeyCode::Left => "left",
        KeyCode::Right => "right",
        KeyCode::Home => "home",
        KeyCode::End => "end",
        KeyCode::PageUp => "pgup",
        KeyCode::PageDown => "pgdn",
        KeyCode::Enter => "enter",
        KeyCode::Esc => "esc",
        KeyCode::Backspace => "backspace",
        KeyCode::Delete => "delete",
        KeyCode::Insert => "insert",
        _ => return None,
    })
}

fn mouse(event: MouseEvent) -> Option<Mouse> {
    let did = match event.kind {
        MouseEventKind::Down(MouseButton::Left) => MouseDid::Click,
        MouseEventKind::ScrollUp => MouseDid::WheelUp,
        MouseEventKind::ScrollDown => MouseDid::WheelDown,
        _ => return None,
    };
    Some(Mouse {
        column: event.column,
        row: event.row,
        did,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::action::Action;
    use crate::tui::keymap::KeyMap;
    use rstest::rstest;

    #[rstest]
    #[case(KeyCode::Char('q'), KeyModifiers::NONE, "q")]
    #[case(KeyCode::Char('G'), KeyModifiers::SHIFT, "G")]
    #[case(KeyCode::Char('c'), KeyModifiers::CONTROL, "ctrl-c")]
    #[case(KeyCode::BackTab, KeyModifiers::SHIFT, "shift-tab")]
    #[case(KeyCode::BackTab, KeyModifiers::NONE, "shift-tab")]
    #[case(KeyCode::Char(' '), KeyModifiers::NONE, "space")]
    #[case(KeyCode::Up, KeyModifiers::ALT, "alt-up")]
    #[case(KeyCode::F(5), KeyModifiers::NONE, "f5")]
    fn keys_are_named_as_in_the_file(
        #[case] code: KeyCode,
        #[case] modifiers: KeyModifiers,
        #[case] name: &str,
    ) {
        let key = key(KeyEvent::new(code, modifiers)).unwrap();
        assert_eq!(key.to_string(), name);
        assert_eq!(key, name.parse().unwrap());
    }

    #[test]
    fn keys_that_mean_nothing_here_are_dropped() {
        assert_eq!(
            key(KeyEvent::new(KeyCode::CapsLock, KeyModifiers::NONE)),
            None
        );
        assert_eq!(key(KeyEvent::new(KeyCode::Null, KeyModifiers::NONE)), None);
    }

    #[test]
    fn a_paste_has_an_end() {
        let Some(Msg::Paste(text)) = msg(Event::Paste("ü".repeat(1 << 20))) else {
            panic!("no paste");
        };
        assert!(text.len() <= LONGEST_PASTE);
    }

    #[test]
    fn every_default_key_can_be_typed() {
        for &action in Action::ALL {
            assert!(!KeyMap::built_in().keys(action).is_empty());
        }
    }
}
