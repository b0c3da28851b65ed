//! What a terminal is asked beside showing text: to ring, and to tell the desktop.

use super::text::{elide, shown};

/// Columns of a message: desktops show no more of it.
const COLUMNS: usize = 200;

/// A call for attention, safe to write to a terminal at any place between two pictures or lines:
/// it moves nothing and shows nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert(String);

impl Alert {
    /// Rings the bell (BEL) and tells the desktop by way of the terminal (OSC 9, which `iTerm2`
    /// introduced; kitty, `WezTerm`, Ghostty and Windows Terminal know it). `None` where neither
    /// is wanted. Outside text in the message cannot do anything to the terminal.
    pub fn new(bell: bool, message: Option<&str>) -> Option<Self> {
        let told = message.map(|message| {
            // The word in front keeps a message such as `4;1` from being an order of ConEmu's.
            let text = elide(&shown(message), COLUMNS);
            format!("\u{1b}]9;batchtop: {text}\u{1b}\\")
        });
        let rung = if bell { "\u{7}" } else { "" };
        let bytes = told.unwrap_or_default() + rung;
        (!bytes.is_empty()).then_some(Self(bytes))
    }

    /// What is written to the terminal.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(true, None, Some("\u{7}"))]
    #[case(false, None, None)]
    #[case(false, Some("done"), Some("\u{1b}]9;batchtop: done\u{1b}\\"))]
    #[case(true, Some("4;1;5"), Some("\u{1b}]9;batchtop: 4;1;5\u{1b}\\\u{7}"))]
    fn a_terminal_is_rung_and_told(
        #[case] bell: bool,
        #[case] message: Option<&str>,
        #[case] written: Option<&str>,
    ) {
        let alert = Alert::new(bell, message);
        assert_eq!(alert.as_ref().map(Alert::as_str), written);
    }

    proptest::proptest! {
        #[test]
        fn nothing_in_a_message_ends_it(message in "\\PC*|[\\x00-\\xff]*") {
            let alert = Alert::new(false, Some(&message)).unwrap();
            let inner = alert.as_str().strip_prefix("\u{1b}]9;").unwrap();
            let inner = inner.strip_suffix("\u{1b}\\").unwrap();
            proptest::prop_assert!(!inner.chars().any(char::is_control));
        }
    }
}
