//! What lies where on the screen: drawing returns it, and the next click is looked up in it.

use std::sync::Arc;

use ratatui::layout::{Position, Rect};

use super::action::Action;
use super::key::Mouse;
use super::lists::Side;
use super::reading::RequestText;
use super::theme::Meaning;
use super::ui::{Pane, Row, Tab};
use crate::store::Sort;

/// What a place on the screen means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A pane: a click focuses it, the wheel scrolls it.
    Pane(Pane),
    /// A row in a pane: a click selects it.
    Row(Pane, Row),
    /// A tab that stands for a pane.
    Tab(Tab),
    /// A hint or a button: a click does it.
    Action(Action),
    /// A row of the list that fills the view: a click selects it, another opens it.
    Item(usize),
    /// The head of a column: a click sorts by it, another turns the order.
    Head(Sort),
    /// The list that fills the view.
    List,
    /// A side of a request: a click gives it the keys, the wheel scrolls it.
    Side(Side),
    /// A row of a dialog's list, from 0.
    Choice(usize),
    /// A scrolled text that fills the view.
    Text,
    /// Nothing: what lies under a dialog must not be hit through it.
    Nothing,
}

/// The rows of a list that are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The list.
    pub of: Listed,
    /// The first row drawn, from 0.
    pub first: usize,
    /// Rows that fit.
    pub height: usize,
    /// Rows there are.
    pub length: usize,
}

/// What has rows to move in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Listed {
    /// The rows of a pane.
    Pane(Pane),
    /// The requests of a job.
    Requests,
    /// The failures of a job.
    Failures,
    /// A side of a request.
    Side(Side),
    /// The text that fills the view.
    Text,
}

/// A row of a text and what it means.
pub type TextRow = (Meaning, String);

/// How a side of a request is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// Which side.
    pub side: Side,
    /// Whether as JSON.
    pub is_raw: bool,
    /// In so many columns.
    pub columns: usize,
}

/// A side of a request in rows, kept from one picture to the next.
#[derive(Debug, Clone)]
pub struct Broken {
    /// The request.
    pub of: Arc<RequestText>,
    /// How it is shown.
    pub form: Form,
    /// Its rows.
    pub rows: Arc<[TextRow]>,
}

impl PartialEq for Broken {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.of, &other.of) && self.form == other.form
    }
}

impl Eq for Broken {}

/// What lies where, later entries above earlier ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hits {
    targets: Vec<(Rect, Target)>,
    windows: Vec<Window>,
    broken: Vec<Broken>,
}

impl Hits {
    /// Notes a target above those noted before.
    pub fn add(&mut self, area: Rect, target: Target) {
        if !area.is_empty() {
            self.targets.push((area, target));
        }
    }

    /// Notes which rows of a list are drawn.
    pub fn window(&mut self, window: Window) {
        self.windows.push(window);
    }

    /// Keeps the rows of a text for the next picture.
    pub fn keep(&mut self, broken: Broken) {
        self.broken.push(broken);
    }

    /// The rows of this text in this form, where the last picture had them.
    pub fn broken(&self, of: &Arc<RequestText>, form: Form) -> Option<Arc<[TextRow]>> {
        let mut found = self.broken.iter();
        let found = found.find(|one| Arc::ptr_eq(&one.of, of) && one.form == form);
        found.map(|one| Arc::clone(&one.rows))
    }

    /// What lies under the mouse, the uppermost first.
    pub fn under(&self, mouse: Mouse) -> impl Iterator<Item = Target> {
        let position = Position::new(mouse.column, mouse.row);
        let hit = self
            .targets
            .iter()
            .rev()
            .filter(move |(area, _)| area.contains(position));
        let mut blocked = false;
        hit.map(|(_, target)| *target).take_while(move |target| {
            let before = blocked;
            blocked |= *target == Target::Nothing;
            !before
        })
    }

    /// The drawn rows of a list; `None` while it is not drawn.
    pub fn window_of(&self, of: Listed) -> Option<Window> {
        self.windows.iter().copied().find(|window| window.of == of)
    }
}

impl Window {
    /// The rows to draw so that row `selected` is among them, moved as little as possible from
    /// `anchor`, the first row drawn before.
    pub fn around(
        of: Listed,
        selected: Option<usize>,
        anchor: usize,
        length: usize,
        height: usize,
    ) -> Self {
        let last_first = length.saturating_sub(height);
        let mut first = anchor.min(last_first);
        if let (Some(selected), true) = (selected, height > 0) {
            let selected = selected.min(length.saturating_sub(1));
            first = first.clamp((selected + 1).saturating_sub(height), selected);
        }
        Self {
            of,
            first,
            height,
            length,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::key::MouseDid;

    fn at(column: u16, row: u16) -> Mouse {
        Mouse {
            column,
            row,
            did: MouseDid::Click,
        }
    }

    #[test]
    fn the_uppermost_is_hit_first_and_dialogs_cover() {
        let mut hits = Hits::default();
        hits.add(Rect::new(0, 0, 10, 10), Target::Pane(Pane::Jobs));
        hits.add(Rect::new(2, 2, 4, 4), Target::Nothing);
        hits.add(Rect::new(3, 3, 1, 1), Target::Action(Action::Yes));
        assert_eq!(hits.under(at(0, 0)).next(), Some(Target::Pane(Pane::Jobs)));
        assert_eq!(
            hits.under(at(3, 3)).next(),
            Some(Target::Action(Action::Yes))
        );
        assert_eq!(hits.under(at(2, 2)).collect::<Vec<_>>(), [Target::Nothing]);
        assert_eq!(hits.under(at(50, 50)).next(), None);
    }

    proptest::proptest! {
        #[test]
        fn the_selected_row_is_always_drawn(selected in 0usize..50, anchor in 0usize..80, length in 0usize..40, height in 0usize..20) {
            let of = Listed::Text;
            let window = Window::around(of, Some(selected), anchor, length, height);
            if length > 0 && height > 0 {
                let selected = selected.min(length - 1);
                proptest::prop_assert!((window.first..window.first + height).contains(&selected));
                proptest::prop_assert!(window.first + height <= length.max(height));
            }
            let again = Window::around(of, Some(selected), window.first, length, height);
            proptest::prop_assert_eq!(again, window);
        }
    }
}
