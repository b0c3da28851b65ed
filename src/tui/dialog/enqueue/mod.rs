//! What is in a batch file and how it is to be run. Nothing is enqueued before Enter.

mod draw;
mod fit;
mod setting;

use std::path::PathBuf;

use self::fit::Fit;
use super::{Heard, Reaction};
use crate::base::count;
use crate::engine::{Admit, AdmitProgress};
use crate::model::JobSettings;
use crate::tui::action::Action;
use crate::tui::errand::{Errand, Found, News, Planned};
use crate::tui::key::{Code, Key};
use crate::tui::msg::Ask;
use crate::tui::ui::Start;
use setting::{Setting, digit, rub, step};

/// The enqueue dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enqueue {
    path: PathBuf,
    settings: JobSettings,
    state: State,
    /// The server's models; empty until it has told.
    models: Vec<String>,
    /// Whether the model fits.
    fit: Fit,
    /// The setting under the cursor, by its place in [`Setting::ALL`].
    at: usize,
    /// The first remark that is shown.
    scrolled: usize,
    /// Why Enter did nothing.
    refusal: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// So many lines were read.
    Reading(u64),
    /// It cannot be read.
    Unreadable(String),
    /// It was read.
    Found(Box<Found>),
    /// It is on its way into the queue.
    Admitting(Box<Found>, AdmitProgress),
}

impl Enqueue {
    /// The dialog for a file, and what it needs first.
    pub fn open(path: PathBuf, start: &Start) -> (Self, Vec<Ask>) {
        let asks = vec![
            Ask::Errand(Errand::Check(path.clone())),
            Ask::Errand(Errand::Models),
        ];
        let dialog = Self {
            path,
            settings: start.settings.clone(),
            state: State::Reading(0),
            models: Vec::new(),
            fit: Fit::default(),
            at: 0,
            scrolled: 0,
            refusal: None,
        };
        (dialog, asks)
    }

    pub(super) fn react(&mut self, heard: Heard<'_>) -> Reaction {
        match self.hear(heard) {
            Reaction::Stay => match self.ask_fit() {
                Some(ask) => Reaction::Ask(vec![ask]),
                None => Reaction::Stay,
            },
            other => other,
        }
    }

    fn hear(&mut self, heard: Heard<'_>) -> Reaction {
        match heard {
            Heard::Key(key, _) => self.key(key),
            Heard::Click(Action::Yes) => self.enqueue(),
            Heard::Click(Action::No) => self.leave(),
            Heard::Choice(row) => {
                self.at = row.min(Setting::ALL.len() - 1);
                Reaction::Stay
            }
            Heard::Wheel(rows) => {
                let there = self.scrolled.saturating_add_signed(rows);
                self.scrolled = there.min(self.remarks());
                Reaction::Stay
            }
            Heard::Click(_) | Heard::Paste(_) => Reaction::Stay,
        }
    }

    pub(super) fn news(&mut self, news: &News) -> Vec<Ask> {
        match news {
            News::Planned { asked, planned } => self.fit.planned(asked, planned),
            News::Checking { path, lines } if *path == self.path => {
                if let State::Reading(read) = &mut self.state {
                    *read = *lines;
                }
            }
            News::Checked { path, found } if *path == self.path => {
                self.state = match found {
                    Ok(found) => State::Found(found.clone()),
                    Err(why) => State::Unreadable(why.clone()),
                };
            }
            News::Admitting { path, progress } if *path == self.path => {
                if let State::Admitting(_, reached) = &mut self.state {
                    *reached = *progress;
                }
            }
            News::Models(models) => self.models.clone_from(models),
            News::Enqueued {
                path,
                result: Err(rejection),
            } if *path == self.path => {
                self.refusal = Some(rejection.why.clone());
                if let State::Admitting(found, _) = &self.state {
                    let mut found = found.clone();
                    if !rejection.problems.is_empty() {
                        found.problems.clone_from(&rejection.problems);
                    }
                    self.scrolled = 0;
                    self.state = State::Found(found);
                }
            }
            _ => {}
        }
        self.ask_fit().into_iter().collect()
    }

    /// Asks whether the model fits, where that has changed.
    fn ask_fit(&mut self) -> Option<Ask> {
        let State::Found(found) = &self.state else {
            return None;
        };
        let wanted = fit::wanted(found, &self.settings)?;
        self.fit
            .ask(wanted)
            .map(|asked| Ask::Errand(Errand::Plan(asked)))
    }

    /// What is known of the fit with the settings as they are.
    fn known_fit(&self) -> Option<&Planned> {
        let (State::Found(found) | State::Admitting(found, _)) = &self.state else {
            return None;
        };
        self.fit.known(&fit::wanted(found, &self.settings)?)
    }

    /// Whether this dialog has nothing left to do after the news.
    pub(super) fn is_done(&self, news: &News) -> bool {
        matches!(news, News::Enqueued { path, result: Ok(_) } if *path == self.path)
    }

    fn key(&mut self, key: Key) -> Reaction {
        self.refusal = None;
        let last = Setting::ALL.len() - 1;
        let setting = self.setting();
        match key.code {
            Code::Named("esc") => return self.leave(),
            Code::Char('c') if key.ctrl => return self.leave(),
            Code::Named("enter") => return self.enqueue(),
            Code::Named("up") => self.at = self.at.saturating_sub(1),
            Code::Named("tab") if key.shift => self.at = self.at.saturating_sub(1),
            Code::Named("down" | "tab") => self.at = (self.at + 1).min(last),
            Code::Named("left") => step(setting, &mut self.settings, &self.models, -1),
            Code::Named("right" | "space") => step(setting, &mut self.settings, &self.models, 1),
            Code::Named("backspace") => rub(setting, &mut self.settings),
            Code::Named("pgdn") => self.scrolled = (self.scrolled + 1).min(self.remarks()),
            Code::Named("pgup") => self.scrolled = self.scrolled.saturating_sub(1),
            Code::Char(c) => {
                if let Some(typed) = c.to_digit(10) {
                    digit(setting, &mut self.settings, typed);
                }
            }
            _ => {}
        }
        Reaction::Stay
    }

    fn setting(&self) -> Setting {
        Setting::ALL
            .get(self.at)
            .copied()
            .unwrap_or(Setting::Parallel)
    }

    fn remarks(&self) -> usize {
        match &self.state {
            State::Found(found) => {
                let plan = self.known_fit().map_or(0, |planned| planned.lines.len());
                (plan + found.problems.len() + found.remarks.len()).saturating_sub(1)
            }
            _ => 0,
        }
    }

    fn leave(&self) -> Reaction {
        Reaction::Close(vec![Ask::Errand(Errand::Leave(self.path.clone()))])
    }

    fn enqueue(&mut self) -> Reaction {
        let State::Found(found) = &self.state else {
            return Reaction::Stay;
        };
        self.refusal = refusal(found, &self.settings);
        if self.refusal.is_some() {
            return Reaction::Stay;
        }
        let mut settings = self.settings.clone();
        // Who has read that part would run on the CPU and goes on has agreed to it.
        settings.allow_spill |= self.known_fit().is_some_and(|planned| planned.spills);
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        let admit = Admit {
            path: self.path.clone(),
            name: name.to_string_lossy().into_owned(),
            settings,
            hash: found.hash.clone(),
            receipt: None,
        };
        self.state = State::Admitting(found.clone(), AdmitProgress::default());
        Reaction::Ask(vec![Ask::Errand(Errand::Enqueue(Box::new(admit)))])
    }
}

/// Why the file cannot be enqueued with these settings, and what to do.
fn refusal(found: &Found, settings: &JobSettings) -> Option<String> {
    if found.requests == 0 {
        return Some("there is no valid request in it".to_owned());
    }
    if found.invalid > 0 && !settings.skip_invalid {
        let invalid = count(found.invalid);
        return Some(format!(
            "{invalid} lines are invalid: mend them, or skip invalid"
        ));
    }
    if found.without_model > 0 && settings.model.is_none() {
        let missing = count(found.without_model);
        return Some(format!("{missing} requests name no model: choose one"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Parallel;
    use crate::tui::errand::PlanAsked;

    fn dialog(found: Found) -> Enqueue {
        let start = Start::default();
        let (mut dialog, asks) = Enqueue::open("/tmp/a.jsonl".into(), &start);
        assert_eq!(asks.len(), 2);
        dialog.news(&News::Checked {
            path: "/tmp/a.jsonl".into(),
            found: Ok(Box::new(found)),
        });
        dialog
    }

    fn press(dialog: &mut Enqueue, key: &str) -> Reaction {
        dialog.react(Heard::Key(key.parse().unwrap(), None))
    }

    #[test]
    fn enter_enqueues_what_was_found_and_only_then() {
        let mut dialog = dialog(Found {
            requests: 3,
            hash: Some("abc".into()),
            ..Found::default()
        });
        press(&mut dialog, "down");
        press(&mut dialog, "right");
        let Reaction::Ask(asks) = press(&mut dialog, "enter") else {
            panic!("nothing asked");
        };
        let [Ask::Errand(Errand::Enqueue(admit))] = asks.as_slice() else {
            panic!("{asks:?}");
        };
        assert_eq!(
            (admit.name.as_str(), admit.settings.parallel),
            ("a.jsonl", Parallel::Fixed(1))
        );
        assert_eq!(admit.hash.as_deref(), Some("abc"));
        assert_eq!(press(&mut dialog, "enter"), Reaction::Stay);
    }

    #[test]
    fn invalid_lines_and_missing_models_are_refused_until_settled() {
        let mut dialog = dialog(Found {
            requests: 3,
            invalid: 1,
            without_model: 3,
            ..Found::default()
        });
        assert_eq!(press(&mut dialog, "enter"), Reaction::Stay);
        assert!(dialog.refusal.as_ref().unwrap().contains("invalid"));
        dialog.settings.skip_invalid = true;
        press(&mut dialog, "enter");
        assert!(dialog.refusal.as_ref().unwrap().contains("no model"));
        dialog.news(&News::Models(vec!["m".into()]));
        press(&mut dialog, "right");
        assert!(matches!(press(&mut dialog, "enter"), Reaction::Ask(_)));
    }

    #[test]
    fn the_plan_is_asked_again_when_what_it_depends_on_changes() {
        let mut dialog = dialog(Found {
            requests: 3,
            ..Found::default()
        });
        dialog.news(&News::Models(vec!["m".into()]));
        let asked = |window, slots| PlanAsked {
            model: "m".into(),
            window,
            slots,
        };
        let ask =
            |window, slots| Reaction::Ask(vec![Ask::Errand(Errand::Plan(asked(window, slots)))]);
        let planned = |spills| Planned {
            lines: vec!["m: does not fit".into()],
            spills,
        };
        assert_eq!(press(&mut dialog, "right"), ask(None, 1));
        press(&mut dialog, "down");
        // While one question is on its way, no other is asked.
        assert_eq!(press(&mut dialog, "right"), Reaction::Stay);
        assert_eq!(press(&mut dialog, "right"), Reaction::Stay);
        let next = dialog.news(&News::Planned {
            asked: asked(None, 1),
            planned: planned(false),
        });
        assert_eq!(next, [Ask::Errand(Errand::Plan(asked(None, 2)))]);
        assert_eq!(dialog.known_fit(), None);
        let next = dialog.news(&News::Planned {
            asked: asked(None, 2),
            planned: planned(true),
        });
        assert!(next.is_empty());
        assert_eq!(dialog.known_fit(), Some(&planned(true)));
        assert_eq!(press(&mut dialog, "down"), Reaction::Stay);
        let Reaction::Ask(asks) = press(&mut dialog, "enter") else {
            panic!("nothing asked");
        };
        let [Ask::Errand(Errand::Enqueue(admit))] = asks.as_slice() else {
            panic!("{asks:?}");
        };
        assert!(admit.settings.allow_spill);
    }

    #[test]
    fn leaving_stops_the_reading_and_enqueues_nothing() {
        let (mut dialog, _) = Enqueue::open("/a".into(), &Start::default());
        assert_eq!(press(&mut dialog, "enter"), Reaction::Stay);
        assert_eq!(
            press(&mut dialog, "esc"),
            Reaction::Close(vec![Ask::Errand(Errand::Leave("/a".into()))])
        );
    }
}
