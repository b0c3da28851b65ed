//! What is said on standard output and standard error: the one place that writes to them.
//!
//! Data goes to standard output, everything meant for a person at the terminal to standard error.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::base::{Alert, ascii, ascii_columns, ascii_json, shown, shown_json};
use crate::config::{Ascii, Color, Environment};

const BOLD_RED: &str = "\u{1b}[1;31m";
const BOLD_YELLOW: &str = "\u{1b}[1;33m";
const BOLD_CYAN: &str = "\u{1b}[1;36m";
const PLAIN: &str = "\u{1b}[0m";
const CLEAR_LINE: &str = "\r\u{1b}[2K";
/// Columns of a terminal that does not say how many it has.
const USUAL_COLUMNS: usize = 80;

/// Why data could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SayError {
    /// Whoever read standard output went away, as `head` does: a reason to end quietly with
    /// success, not an error.
    #[error("nobody reads standard output any more")]
    BrokenPipe,
    /// Standard output cannot be written, for instance because a disk is full.
    #[error("cannot write to standard output: {0}")]
    Output(#[source] io::Error),
}

impl From<io::Error> for SayError {
    fn from(why: io::Error) -> Self {
        if why.kind() == io::ErrorKind::BrokenPipe {
            Self::BrokenPipe
        } else {
            Self::Output(why)
        }
    }
}

/// What is known about one of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stream {
    /// Whether a person sees it directly.
    pub is_terminal: bool,
    /// Whether colour codes may be written to it.
    pub is_colored: bool,
}

impl Stream {
    /// Decides about colour: a choice other than `auto` is obeyed; then `NO_COLOR`, then
    /// `CLICOLOR_FORCE`, then whether there is a terminal that can show it.
    pub fn decide(choice: Color, environment: &Environment, is_terminal: bool) -> Self {
        let is_colored = match choice {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if environment.no_color() => false,
            Color::Auto if environment.forces_color() => true,
            Color::Auto => is_terminal && !environment.has_dumb_terminal(),
        };
        Self {
            is_terminal,
            is_colored,
        }
    }
}

/// The two streams.
#[derive(Debug)]
pub struct Say<O, E> {
    output: O,
    errors: E,
    /// What is known about standard output.
    pub output_stream: Stream,
    /// What is known about standard error.
    pub error_stream: Stream,
    /// Whether text is written with ASCII characters only.
    ascii: bool,
    progress_stands: bool,
}

/// Those of the process.
pub type StandardSay = Say<io::Stdout, io::Stderr>;

impl StandardSay {
    /// The streams of this process.
    pub fn of_process(choice: Color, ascii: Ascii, environment: &Environment) -> Self {
        let (output, errors) = (io::stdout(), io::stderr());
        let output_stream = Stream::decide(choice, environment, output.is_terminal());
        let error_stream = Stream::decide(choice, environment, errors.is_terminal());
        let say = Self::new((output, output_stream), (errors, error_stream));
        say.with_ascii(environment.draws_ascii(ascii))
    }

    /// Columns of the terminal now: it may have been resized.
    pub fn columns(&self) -> usize {
        terminal_size::terminal_size_of(io::stderr())
            .map_or(USUAL_COLUMNS, |(width, _)| usize::from(width.0))
    }
}

impl<O: Write, E: Write> Say<O, E> {
    /// Streams of one's own, for tests.
    pub fn new(output: (O, Stream), errors: (E, Stream)) -> Self {
        Self {
            output: output.0,
            output_stream: output.1,
            errors: errors.0,
            error_stream: errors.1,
            ascii: false,
            progress_stands: false,
        }
    }

    /// The same with ASCII characters only, or not.
    #[must_use]
    pub fn with_ascii(self, ascii: bool) -> Self {
        Self { ascii, ..self }
    }

    /// Text from inside and outside, as the terminal can show it.
    fn drawn(&self, text: &str) -> String {
        let text = shown(text);
        if self.ascii {
            ascii(&text).into_owned()
        } else {
            text
        }
    }

    /// Writes one line for a person to read to standard output. Outside text in it cannot do
    /// anything to the terminal.
    ///
    /// # Errors
    /// Where standard output cannot be written.
    pub fn line(&mut self, text: &str) -> Result<(), SayError> {
        let line = format!("{}\n", self.drawn(text));
        self.data(line.as_bytes())
    }

    /// Writes the name of a file on a line of its own: for a person safe to show, and for a program
    /// exactly as it is, so that it finds the file.
    ///
    /// # Errors
    /// Where standard output cannot be written.
    pub fn name(&mut self, name: &str) -> Result<(), SayError> {
        if self.output_stream.is_terminal {
            return self.line(name);
        }
        self.data(format!("{name}\n").as_bytes())
    }

    /// Writes bytes for a program to read to standard output, exactly as they are, and passes
    /// them on at once.
    ///
    /// # Errors
    /// Where standard output cannot be written.
    pub fn data(&mut self, bytes: &[u8]) -> Result<(), SayError> {
        self.clear_progress();
        self.output.write_all(bytes)?;
        Ok(self.output.flush()?)
    }

    /// Writes one JSON value on one line to standard output. Characters that a terminal could
    /// obey are written as escapes, which JSON reads back as they were.
    ///
    /// # Errors
    /// Where standard output cannot be written.
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), SayError> {
        let text = serde_json::to_string(value).map_err(io::Error::from)?;
        let text = if self.ascii {
            ascii_json(&text)
        } else {
            shown_json(&text)
        };
        self.data(format!("{text}\n").as_bytes())
    }

    /// Says what went wrong.
    pub fn error(&mut self, text: &str) {
        self.message(Some((BOLD_RED, "error:")), text);
    }

    /// Says what may be wrong.
    pub fn warning(&mut self, text: &str) {
        self.message(Some((BOLD_YELLOW, "warning:")), text);
    }

    /// Says what to do about it.
    pub fn hint(&mut self, text: &str) {
        self.message(Some((BOLD_CYAN, "hint:")), text);
    }

    /// Says something to the person at the terminal.
    pub fn note(&mut self, text: &str) {
        self.message(None, text);
    }

    /// Shows a line of progress: on a terminal in place of the last one, else on a line of its
    /// own.
    pub fn progress(&mut self, text: &str) {
        if !self.error_stream.is_terminal {
            return self.note(text);
        }
        self.clear_progress();
        let text = shown(text);
        // It was cut to the columns that there are.
        if self.ascii {
            self.tell(&ascii_columns(&text));
        } else {
            self.tell(&text);
        }
        self.progress_stands = true;
    }

    /// Rings, where standard error is a terminal; says whether it is.
    pub fn alert(&mut self, alert: &Alert) -> bool {
        if self.error_stream.is_terminal {
            self.tell(alert.as_str());
        }
        self.error_stream.is_terminal
    }

    /// Leaves the last line of progress standing.
    pub fn keep_progress(&mut self) {
        if std::mem::take(&mut self.progress_stands) {
            self.tell("\n");
        }
    }

    fn message(&mut self, prefix: Option<(&str, &str)>, text: &str) {
        self.clear_progress();
        let start = match prefix {
            Some((color, word)) if self.error_stream.is_colored => format!("{color}{word}{PLAIN} "),
            Some((_, word)) => format!("{word} "),
            None => String::new(),
        };
        let text = self.drawn(text);
        self.tell(&format!("{start}{text}\n"));
    }

    fn clear_progress(&mut self) {
        if std::mem::take(&mut self.progress_stands) {
            self.tell(CLEAR_LINE);
        }
    }

    /// Where standard error cannot be written there is nobody left to tell.
    fn tell(&mut self, text: &str) {
        let _ = self.errors.write_all(text.as_bytes());
        let _ = self.errors.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    type Written = Say<Vec<u8>, Vec<u8>>;

    fn say(is_terminal: bool, is_colored: bool) -> Written {
        let stream = Stream {
            is_terminal,
            is_colored,
        };
        Say::new((Vec::new(), stream), (Vec::new(), stream))
    }

    fn told(say: Written) -> (String, String) {
        (
            String::from_utf8(say.output).unwrap(),
            String::from_utf8(say.errors).unwrap(),
        )
    }

    #[test]
    fn data_and_messages_go_separate_ways() {
        let mut say = say(false, false);
        say.line("a job\u{1b}[2J").unwrap();
        say.data(b"{\"a\":\"\xc2\x9b\"}\n").unwrap();
        say.error("cannot read `\u{1b}]0;x`\nerror: none");
        say.hint("name another");
        say.warning("odd");
        say.note("done");
        let (output, errors) = told(say);
        assert_eq!(output, "a job␛[2J\n{\"a\":\"\u{9b}\"}\n");
        assert_eq!(
            errors,
            "error: cannot read `␛]0;x`␊error: none\nhint: name another\nwarning: odd\ndone\n"
        );
    }

    #[test]
    fn a_program_gets_names_as_they_are() {
        let printed = |is_terminal| {
            let mut say = say(is_terminal, false).with_ascii(true);
            say.name("é\u{1b}").unwrap();
            told(say).0
        };
        assert_eq!(
            (printed(true), printed(false)),
            ("e^[\n".into(), "é\u{1b}\n".into())
        );
    }

    #[test]
    fn in_ascii_nothing_else_is_written() {
        let mut say = say(true, false).with_ascii(true);
        say.line("5 → 7 █ Müller\u{1b}").unwrap();
        say.json(&["5 → 7 😀"]).unwrap();
        say.error("no “x”");
        say.hint("reading…");
        say.progress("3 done · 4 …");
        say.data("é".as_bytes()).unwrap();
        let (output, errors) = told(say);
        assert_eq!(
            output,
            "5 -> 7 # Muller^[\n[\"5 \\u2192 7 \\ud83d\\ude00\"]\né"
        );
        assert_eq!(
            errors,
            "error: no \"x\"\nhint: reading...\n3 done - 4 ~\r\u{1b}[2K"
        );
    }

    #[test]
    fn json_reads_back_as_it_was_and_holds_nothing_to_obey() {
        let outside = "a\u{1b}[2J\u{9b}2J\u{202e}\u{e0001}é\"日本";
        let mut say = say(true, true);
        say.json(&[outside]).unwrap();
        let (output, _) = told(say);
        assert_eq!(
            output,
            "[\"a\\u001b[2J\\u009b2J\\u202e\\udb40\\udc01é\\\"日本\"]\n"
        );
        let again: Vec<String> = serde_json::from_str(&output).unwrap();
        assert_eq!(again, [outside]);
    }

    #[test]
    fn only_the_prefix_is_coloured() {
        let mut say = say(true, true);
        say.error("no");
        say.note("yes");
        assert_eq!(told(say).1, "\u{1b}[1;31merror:\u{1b}[0m no\nyes\n");
    }

    #[test]
    fn progress_replaces_itself_and_makes_way_on_a_terminal() {
        let mut say = say(true, false);
        say.progress("1 %");
        say.progress("2 %");
        say.note("hello");
        say.progress("3 %");
        say.keep_progress();
        say.keep_progress();
        assert_eq!(told(say).1, "1 %\r\u{1b}[2K2 %\r\u{1b}[2Khello\n3 %\n");
    }

    #[test]
    fn progress_makes_way_for_data() {
        let mut say = say(true, false);
        say.progress("1 %");
        say.line("answer").unwrap();
        assert_eq!(told(say), ("answer\n".into(), "1 %\r\u{1b}[2K".into()));
    }

    #[test]
    fn progress_takes_lines_of_its_own_elsewhere() {
        let mut say = say(false, false);
        say.progress("1 %");
        say.progress("2 %");
        say.keep_progress();
        assert_eq!(told(say).1, "1 %\n2 %\n");
    }

    struct Closed(io::ErrorKind);

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_broken_pipe_is_told_apart() {
        let mut gone = Say::new(
            (Closed(io::ErrorKind::BrokenPipe), Stream::default()),
            (Closed(io::ErrorKind::BrokenPipe), Stream::default()),
        );
        assert!(matches!(gone.line("x"), Err(SayError::BrokenPipe)));
        gone.error("nobody hears this");
        let full = Closed(io::ErrorKind::StorageFull);
        let mut full = Say::new((full, Stream::default()), (Vec::new(), Stream::default()));
        assert!(matches!(full.line("x"), Err(SayError::Output(_))));
    }

    #[rstest]
    #[case::terminal(Color::Auto, &[], true, true)]
    #[case::pipe(Color::Auto, &[], false, false)]
    #[case::no_color(Color::Auto, &[("NO_COLOR", "1")], true, false)]
    #[case::both(Color::Auto, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], true, false)]
    #[case::forced(Color::Auto, &[("CLICOLOR_FORCE", "1")], false, true)]
    #[case::dumb(Color::Auto, &[("TERM", "dumb")], true, false)]
    #[case::always(Color::Always, &[("NO_COLOR", "1"), ("TERM", "dumb")], false, true)]
    #[case::never(Color::Never, &[("CLICOLOR_FORCE", "1")], true, false)]
    fn colour_is_decided_by_choice_then_environment_then_terminal(
        #[case] choice: Color,
        #[case] variables: &[(&str, &str)],
        #[case] is_terminal: bool,
        #[case] expected: bool,
    ) {
        let environment = variables.iter().copied().collect();
        let stream = Stream::decide(choice, &environment, is_terminal);
        assert_eq!(stream.is_colored, expected);
    }
}
