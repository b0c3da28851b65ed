//! What a key can do: a closed set. Each action has one name (in `keys.toml`, in the palette), one
//! description and one group (in the help), and the place where its keys are listened to.

macro_rules! actions {
    ($($variant:ident = $name:literal, $group:ident, $place:ident, $does:literal;)*) => {
        /// Everything that a key, a click on a hint or the palette can do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action { $(#[doc = $does] $variant,)* }

        impl Action {
            /// Every action, in the order in which the help lists them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its name in `keys.toml`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Where the help lists it.
            pub const fn group(self) -> Group {
                match self { $(Self::$variant => Group::$group),* }
            }

            /// Where its keys are listened to.
            pub const fn place(self) -> Place {
                match self { $(Self::$variant => Place::$place),* }
            }

            /// What it does, in a few words.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $does),* }
            }
        }
    };
}

/// A heading of the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// The program as a whole.
    Program,
    /// Which view is shown.
    Views,
    /// The cursor.
    Moving,
    /// Lists of requests.
    Lists,
    /// Jobs of the queue.
    Jobs,
    /// How things are shown.
    Display,
    /// Answers to a question.
    Dialogs,
}

/// Where keys are listened to. One key may mean one thing in each place; the innermost place that
/// knows it wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// In every view.
    Everywhere,
    /// While a question is asked; no other place is listened to then.
    Dialog,
}

impl Group {
    /// Every group, in the order of the help.
    pub const ALL: &'static [Self] = &[
        Self::Program,
        Self::Views,
        Self::Moving,
        Self::Lists,
        Self::Jobs,
        Self::Display,
        Self::Dialogs,
    ];

    /// The heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Program => "Program",
            Self::Views => "Views",
            Self::Moving => "Moving",
            Self::Lists => "Requests",
            Self::Jobs => "Jobs",
            Self::Display => "Display",
            Self::Dialogs => "Questions",
        }
    }
}

actions! {
    Quit = "quit", Program, Everywhere, "quit; asks while requests are in flight";
    Help = "help", Program, Everywhere, "this help";
    Back = "back", Program, Everywhere, "one layer back";
    Palette = "palette", Program, Everywhere, "every action by name: type and press enter";
    Suspend = "suspend", Program, Everywhere, "suspend the program; `fg` brings it back";
    Redraw = "redraw", Program, Everywhere, "draw everything anew";

    ViewMain = "view-main", Views, Everywhere, "the main view";
    ViewRequests = "view-requests", Views, Everywhere, "the requests of the job";
    ViewFailures = "view-failures", Views, Everywhere, "the failures of the job";
    ViewLog = "view-log", Views, Everywhere, "the log";
    ViewAnalysis = "view-analysis", Views, Everywhere, "what is in the results of the job";
    ViewSettings = "view-settings", Views, Everywhere, "the settings in force";

    NextPane = "next-pane", Moving, Everywhere, "next pane";
    PreviousPane = "previous-pane", Moving, Everywhere, "pane before";
    Up = "up", Moving, Everywhere, "up";
    Down = "down", Moving, Everywhere, "down";
    Left = "left", Moving, Everywhere, "pane before";
    Right = "right", Moving, Everywhere, "next pane";
    Top = "top", Moving, Everywhere, "first row";
    Bottom = "bottom", Moving, Everywhere, "last row";
    PageUp = "page-up", Moving, Everywhere, "a page up";
    PageDown = "page-down", Moving, Everywhere, "a page down";
    HalfPageUp = "half-page-up", Moving, Everywhere, "half a page up";
    HalfPageDown = "half-page-down", Moving, Everywhere, "half a page down";
    Open = "open", Moving, Everywhere, "open what is selected";

    Filter = "filter", Lists, Everywhere, "filter by text; ! in front negates";
    State = "state", Lists, Everywhere, "only requests in the next state";
    Class = "class", Lists, Everywhere, "only failures of the next class";
    Order = "order", Lists, Everywhere, "turn the order of the list";
    Sort = "sort", Lists, Everywhere, "sort by the next column; a click on its head does, too";
    Mark = "mark", Lists, Everywhere, "mark the request; a retry is for all marked";
    Raw = "raw", Lists, Everywhere, "the request as JSON";

    AddFile = "add-file", Jobs, Everywhere, "add a batch file to the queue";
    Export = "export", Jobs, Everywhere, "write the results of the job so far";
    Report = "report", Jobs, Everywhere, "write a report on the job so far, beside its batch file";
    Pause = "pause", Jobs, Everywhere, "pause the job, or let it go on";
    PauseAll = "pause-all", Jobs, Everywhere, "pause everything, or let it go on";
    Cancel = "cancel", Jobs, Everywhere, "cancel the job; asks first";
    Retry = "retry", Jobs, Everywhere, "retry what failed: the job, the group or the request";
    Raise = "raise", Jobs, Everywhere, "raise the priority of the job";
    Lower = "lower", Jobs, Everywhere, "lower the priority of the job";
    MoveUp = "move-up", Jobs, Everywhere, "move the job up in the queue";
    MoveDown = "move-down", Jobs, Everywhere, "move the job down in the queue";
    FewerLanes = "fewer-lanes", Jobs, Everywhere, "one lane less for the job";
    MoreLanes = "more-lanes", Jobs, Everywhere, "one lane more for the job";

    Freeze = "freeze", Display, Everywhere, "freeze the display; the run goes on";
    Enlarge = "enlarge", Display, Everywhere, "one pane large";
    Window = "window", Display, Everywhere, "time window of graphs: 1 min, 10 min, 1 h, all";
    Theme = "theme", Display, Everywhere, "next theme";
    Ascii = "ascii", Display, Everywhere, "plain ASCII for borders and gauges, or not";
    Copy = "copy", Display, Everywhere, "copy what is selected to the clipboard";
    Mouse = "mouse", Display, Everywhere, "mouse on or off; off lets the terminal select text";

    Yes = "yes", Dialogs, Dialog, "yes";
    No = "no", Dialogs, Dialog, "no";
    Switch = "switch", Dialogs, Dialog, "the other answer";
    Accept = "accept", Dialogs, Dialog, "take the marked answer";
}

impl Action {
    /// The action with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|action| action.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_name_of_its_own_and_says_what_it_does() {
        for &action in Action::ALL {
            assert_eq!(Action::from_name(action.name()), Some(action));
            assert!(!action.description().is_empty());
            assert!(Group::ALL.contains(&action.group()));
        }
    }
}
