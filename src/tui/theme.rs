//! What things look like: a dozen meanings, each with a style, from `assets/themes`. A colour is
//! never the only sign of anything.

use std::path::Path;

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

use super::place::Source;
use crate::config::Problem;

/// What a piece of the screen means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meaning {
    /// Ordinary text.
    Text,
    /// Less important: labels, old readings.
    Dim,
    /// Lines around panes.
    Border,
    /// The line around the pane that has the keys.
    Focus,
    /// Titles of panes.
    Title,
    /// Figures one looks for, keys in hints.
    Accent,
    /// As it should be.
    Good,
    /// Worth a look.
    Warn,
    /// Wrong.
    Bad,
    /// The row under the cursor.
    Selected,
    /// The filled part of a gauge, and curves.
    Bar,
    /// The empty part of a gauge, and axes.
    Track,
    /// Marks on the time line.
    Mark,
}

const MEANINGS: usize = 13;

/// Colours that the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None: bold and reverse only.
    None,
    /// The 16 that the terminal's own settings define.
    Ansi,
    /// The 256 of xterm.
    Indexed,
    /// All.
    True,
}

/// A theme, ready for a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theme {
    /// Its name.
    pub name: String,
    /// Whether borders, gauges and graphs are drawn with ASCII characters only.
    pub ascii: bool,
    styles: [Style; MEANINGS],
}

/// A theme as its file states it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Palette {
    text: Look,
    dim: Look,
    border: Look,
    focus: Look,
    title: Look,
    accent: Look,
    good: Look,
    warn: Look,
    bad: Look,
    selected: Look,
    bar: Look,
    track: Look,
    mark: Look,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct Look {
    /// The colour, `#rrggbb`.
    color: Option<Hue>,
    /// The one of the 16 to take where there are no more.
    ansi: Option<Hue>,
    /// The same for what is behind.
    background: Option<Hue>,
    background_ansi: Option<Hue>,
    /// Weights and decorations.
    with: Vec<Weight>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Weight {
    Bold,
    Dim,
    Underline,
    Reverse,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Hue(Color);

impl TryFrom<String> for Hue {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parsed = text.parse().map(Self);
        parsed
            .map_err(|_| format!("`{text}` is no colour; write `#rrggbb` or a name such as `blue`"))
    }
}

const BUILT_IN: [(&str, &str); 5] = [
    ("dark", include_str!("../../assets/themes/dark.toml")),
    ("light", include_str!("../../assets/themes/light.toml")),
    (
        "contrast",
        include_str!("../../assets/themes/contrast.toml"),
    ),
    (
        "colorblind",
        include_str!("../../assets/themes/colorblind.toml"),
    ),
    ("mono", include_str!("../../assets/themes/mono.toml")),
];

impl Theme {
    /// The names of the themes that are built in.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The theme of this name that is built in. Without colours it is always the one that needs
    /// none.
    pub fn built_in(name: &str, depth: Depth, ascii: bool) -> Option<Self> {
        let name = if depth == Depth::None { "mono" } else { name };
        let (name, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        let source = Source::new(Path::new(name), text);
        Self::read(name, &source, depth, ascii).ok()
    }

    /// The theme that a user's file describes.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn of_file(path: &Path, text: &str, depth: Depth, ascii: bool) -> Result<Self, Problem> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Self::read(&name, &Source::new(path, text), depth, ascii)
    }

    /// The theme after this one.
    #[must_use]
    pub fn next(&self, depth: Depth) -> Self {
        let names: Vec<&str> = Self::names().collect();
        let here = names.iter().position(|name| *name == self.name);
        let next = here.map_or(0, |at| (at + 1) % names.len());
        let name = names.get(next).copied().unwrap_or("dark");
        Self::built_in(name, depth, self.ascii).unwrap_or_else(|| self.clone())
    }

    /// What things of this meaning look like.
    pub fn style(&self, meaning: Meaning) -> Style {
        self.styles
            .get(meaning as usize)
            .copied()
            .unwrap_or_default()
    }

    /// Of two signs the one that this terminal can show.
    pub const fn sign<'a>(&self, sign: &'a str, ascii: &'a str) -> &'a str {
        if self.ascii { ascii } else { sign }
    }

    fn read(name: &str, source: &Source<'_>, depth: Depth, ascii: bool) -> Result<Self, Problem> {
        let palette: Palette =
            toml::from_str(source.text()).map_err(|error| source.syntax(&error))?;
        let Palette {
            text,
            dim,
            border,
            focus,
            title,
            accent,
            good,
            warn,
            bad,
            selected,
            bar,
            track,
            mark,
        } = palette;
        let looks = [
            text, dim, border, focus, title, accent, good, warn, bad, selected, bar, track, mark,
        ];
        Ok(Self {
            name: name.to_owned(),
            ascii,
            styles: looks.map(|look| look.style(depth)),
        })
    }
}

impl Look {
    fn style(&self, depth: Depth) -> Style {
        let pick = |full: Option<Hue>, ansi: Option<Hue>| match depth {
            Depth::None => None,
            Depth::Ansi => ansi
                .or(full)
                .map(|hue| hue.0)
                .filter(|color| !matches!(color, Color::Rgb(..))),
            Depth::Indexed => full.map(|hue| indexed(hue.0)),
            Depth::True => full.map(|hue| hue.0),
        };
        let mut style = Style::new();
        style.fg = pick(self.color, self.ansi);
        style.bg = pick(self.background, self.background_ansi);
        for weight in &self.with {
            style = style.add_modifier(match weight {
                Weight::Bold => Modifier::BOLD,
                Weight::Dim => Modifier::DIM,
                Weight::Underline => Modifier::UNDERLINED,
                Weight::Reverse => Modifier::REVERSED,
            });
        }
        style
    }
}

/// The colour of xterm's 256 nearest to this one: its cube of 6×6×6, or its greys.
fn indexed(color: Color) -> Color {
    let Color::Rgb(red, green, blue) = color else {
        return color;
    };
    let wanted = [red, green, blue];
    let levels = [0u8, 95, 135, 175, 215, 255];
    let level = |value: u8| {
        let near = (0..levels.len()).min_by_key(|&at| levels[at].abs_diff(value));
        near.unwrap_or(0)
    };
    let [r, g, b] = wanted.map(level);
    let cube = [levels[r], levels[g], levels[b]];
    let mean = (u16::from(red) + u16::from(green) + u16::from(blue)) / 3;
    let step = (mean.saturating_sub(3) / 10).min(23) as u8;
    let grey = [8 + 10 * step; 3];
    let far = |one: [u8; 3]| -> u32 {
        one.iter()
            .zip(wanted)
            .map(|(a, b)| u32::from(a.abs_diff(b)).pow(2))
            .sum()
    };
    if far(grey) < far(cube) {
        Color::Indexed(232 + step)
    } else {
        Color::Indexed((16 + 36 * r + 6 * g + b) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const ALL: [Meaning; MEANINGS] = [
        Meaning::Text,
        Meaning::Dim,
        Meaning::Border,
        Meaning::Focus,
        Meaning::Title,
        Meaning::Accent,
        Meaning::Good,
        Meaning::Warn,
        Meaning::Bad,
        Meaning::Selected,
        Meaning::Bar,
        Meaning::Track,
        Meaning::Mark,
    ];

    #[test]
    fn every_theme_is_sound_at_every_depth() {
        for name in Theme::names() {
            for depth in [Depth::None, Depth::Ansi, Depth::Indexed, Depth::True] {
                let theme = Theme::built_in(name, depth, false).unwrap();
                for meaning in ALL {
                    let style = theme.style(meaning);
                    let full = |color: Option<Color>| matches!(color, Some(Color::Rgb(..)));
                    assert!(
                        depth == Depth::True || !full(style.fg) && !full(style.bg),
                        "{name} {meaning:?}"
                    );
                    if depth == Depth::None {
                        assert_eq!((style.fg, style.bg), (None, None));
                    }
                }
            }
        }
    }

    #[rstest]
    #[case(Meaning::Good, Meaning::Bad)]
    #[case(Meaning::Warn, Meaning::Bad)]
    #[case(Meaning::Text, Meaning::Selected)]
    #[case(Meaning::Border, Meaning::Focus)]
    fn what_must_be_told_apart_can_be(#[case] one: Meaning, #[case] other: Meaning) {
        for name in Theme::names().filter(|name| *name != "mono") {
            for depth in [Depth::Ansi, Depth::Indexed, Depth::True] {
                let theme = Theme::built_in(name, depth, false).unwrap();
                assert_ne!(theme.style(one), theme.style(other), "{name} {depth:?}");
            }
        }
        let mono = Theme::built_in("mono", Depth::None, false).unwrap();
        assert_ne!(mono.style(Meaning::Selected), mono.style(Meaning::Text));
        assert_ne!(mono.style(Meaning::Focus), mono.style(Meaning::Border));
    }

    #[test]
    fn themes_follow_each_other_round() {
        let mut theme = Theme::built_in("dark", Depth::True, false).unwrap();
        for _ in 0..BUILT_IN.len() {
            theme = theme.next(Depth::True);
        }
        assert_eq!(theme.name, "dark");
    }

    #[test]
    fn mistakes_in_a_theme_are_told_with_their_place() {
        let text = BUILT_IN[0].1.replacen("[text]", "[txet]", 1);
        let problem = Theme::of_file(Path::new("my.toml"), &text, Depth::True, false).unwrap_err();
        assert!(problem.to_string().starts_with("my.toml:"), "{problem}");
        assert!(problem.to_string().contains("`txet`"), "{problem}");
        let text = BUILT_IN[0].1.replacen("color = \"#", "color = \"!", 1);
        let problem = Theme::of_file(Path::new("my.toml"), &text, Depth::True, false).unwrap_err();
        assert!(problem.to_string().contains("is no colour"), "{problem}");
    }

    #[rstest]
    #[case(Color::Rgb(255, 0, 0), Color::Indexed(196))]
    #[case(Color::Rgb(128, 128, 128), Color::Indexed(244))]
    #[case(Color::Rgb(0, 0, 0), Color::Indexed(16))]
    #[case(Color::Red, Color::Red)]
    fn colours_fall_back(#[case] full: Color, #[case] expected: Color) {
        assert_eq!(indexed(full), expected);
    }
}
