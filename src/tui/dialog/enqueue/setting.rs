//! The settings of a job that the enqueue dialog changes.

use std::time::Duration;

use crate::base::{count, duration};
use crate::model::{JobSettings, Mode, Overflow, Parallel, Share, TrimPolicy};

/// A setting, in the order of the dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    /// The model of every request.
    Model,
    /// Requests outstanding at most.
    Parallel,
    /// The context window of a slot.
    Window,
    /// The longest answer, in tokens.
    Cap,
    /// Tries after a failure.
    Retries,
    /// The longest wait for an answer.
    Timeout,
    /// Whether invalid lines become failures.
    SkipInvalid,
    /// Whether requests see each other.
    Mode,
    /// What goes first when a chat grows too long.
    Trim,
    /// The requests after which a chat is trimmed at the latest.
    Interval,
    /// What becomes of a single request that is too long.
    Overflow,
    /// The part of the window that is used.
    Share,
}

/// The smallest window that is worth stepping to.
const SMALLEST_WINDOW: u32 = 2_048;
/// The most that each may be, as in the settings file.
const MOST_TOKENS: u32 = 10_000_000;
const MOST_RETRIES: u32 = 1_000;
const MOST_MINUTES: u64 = 24 * 60;
const MOST_INTERVAL: u32 = 1_000_000;
/// Thousandths of a window in a step.
const SHARE_STEP: u16 = 25;

impl Setting {
    pub(super) const ALL: [Self; 12] = [
        Self::Model,
        Self::Parallel,
        Self::Window,
        Self::Cap,
        Self::Retries,
        Self::Timeout,
        Self::SkipInvalid,
        Self::Mode,
        Self::Trim,
        Self::Interval,
        Self::Overflow,
        Self::Share,
    ];

    /// Its label.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Parallel => "parallel",
            Self::Window => "window",
            Self::Cap => "answer cap",
            Self::Retries => "retries",
            Self::Timeout => "timeout",
            Self::SkipInvalid => "skip invalid",
            Self::Mode => "mode",
            Self::Trim => "trim",
            Self::Interval => "trim every",
            Self::Overflow => "too long",
            Self::Share => "safe share",
        }
    }

    /// Its value in words: a model's name is outside text.
    pub(super) fn value(self, settings: &JobSettings) -> String {
        match self {
            Self::Model => settings
                .model
                .clone()
                .unwrap_or_else(|| "as the file says".to_owned()),
            Self::Parallel => match settings.parallel {
                Parallel::Auto => "found by itself".to_owned(),
                Parallel::Fixed(1) => "1 lane".to_owned(),
                Parallel::Fixed(lanes) => format!("{} lanes", count(u64::from(lanes))),
            },
            Self::Window => settings.num_ctx.map_or_else(
                || "as the server has it".to_owned(),
                |window| format!("{} tokens", count(u64::from(window))),
            ),
            Self::Cap => format!("{} tokens", count(u64::from(settings.max_tokens))),
            Self::Retries => settings.retries.to_string(),
            Self::Timeout => duration(settings.timeout),
            Self::SkipInvalid => if settings.skip_invalid { "yes" } else { "no" }.to_owned(),
            Self::Mode => match settings.mode {
                Mode::Independent => settings.mode.word().to_owned(),
                Mode::Conversation => "conversation: answers see earlier requests".to_owned(),
            },
            Self::Trim => settings.trim.word().to_owned(),
            Self::Interval => match settings.trim_interval {
                0 => "never before it is too long".to_owned(),
                requests => format!("{} requests at the latest", count(u64::from(requests))),
            },
            Self::Overflow => settings.on_overflow.word().to_owned(),
            Self::Share => settings.safe_share.to_string(),
        }
    }
}

/// The next value, or the one before.
pub(super) fn step(setting: Setting, settings: &mut JobSettings, models: &[String], by: i32) {
    match setting {
        Setting::Model => settings.model = next_model(settings.model.as_deref(), models, by),
        Setting::Parallel => {
            let lanes = settings.parallel.fixed().unwrap_or(0);
            settings.parallel = parallel(lanes.saturating_add_signed(by));
        }
        Setting::Window => settings.num_ctx = next_window(settings.num_ctx, by),
        Setting::Cap => settings.max_tokens = doubled(settings.max_tokens, by),
        Setting::Retries => {
            let retries = settings.retries.saturating_add_signed(by);
            settings.retries = retries.min(MOST_RETRIES);
        }
        Setting::Timeout => {
            let minutes = minutes(settings).saturating_add_signed(i64::from(by));
            set_minutes(settings, minutes);
        }
        Setting::SkipInvalid => settings.skip_invalid = !settings.skip_invalid,
        Setting::Mode => settings.mode = next_of(&Mode::ALL, settings.mode, by),
        Setting::Trim => settings.trim = next_of(&TrimPolicy::ALL, settings.trim, by),
        Setting::Interval => {
            let interval = settings.trim_interval.saturating_add_signed(by);
            settings.trim_interval = interval.min(MOST_INTERVAL);
        }
        Setting::Overflow => {
            settings.on_overflow = next_of(&Overflow::ALL, settings.on_overflow, by);
        }
        Setting::Share => {
            let now = settings.safe_share.thousandths();
            let next = if by > 0 {
                now + SHARE_STEP
            } else {
                now - SHARE_STEP
            };
            settings.safe_share = Share::of_thousandths(next);
        }
    }
}

/// The choice after this one or before it, round and round.
fn next_of<T: Copy + PartialEq>(all: &[T], now: T, by: i32) -> T {
    let here = all.iter().position(|choice| *choice == now).unwrap_or(0);
    let step = if by > 0 { 1 } else { all.len() - 1 };
    all.iter().copied().cycle().nth(here + step).unwrap_or(now)
}

/// A digit typed at the end of a number.
pub(super) fn digit(setting: Setting, settings: &mut JobSettings, typed: u32) {
    let longer = |number: u32, most| number.saturating_mul(10).saturating_add(typed).min(most);
    match setting {
        Setting::Parallel => {
            let lanes = settings.parallel.fixed().unwrap_or(0);
            settings.parallel = parallel(longer(lanes, Parallel::MOST));
        }
        Setting::Window => {
            let window = longer(settings.num_ctx.unwrap_or(0), MOST_TOKENS);
            settings.num_ctx = (window > 0).then_some(window);
        }
        Setting::Cap => settings.max_tokens = longer(settings.max_tokens, MOST_TOKENS).max(1),
        Setting::Retries => settings.retries = longer(settings.retries, MOST_RETRIES),
        Setting::Timeout => {
            let minutes = minutes(settings).saturating_mul(10);
            set_minutes(settings, minutes.saturating_add(u64::from(typed)));
        }
        Setting::Interval => settings.trim_interval = longer(settings.trim_interval, MOST_INTERVAL),
        Setting::Model
        | Setting::SkipInvalid
        | Setting::Mode
        | Setting::Trim
        | Setting::Overflow
        | Setting::Share => {}
    }
}

/// The last digit rubbed out; a model and a window are unset.
pub(super) fn rub(setting: Setting, settings: &mut JobSettings) {
    match setting {
        Setting::Model => settings.model = None,
        Setting::Parallel => {
            settings.parallel = parallel(settings.parallel.fixed().unwrap_or(0) / 10);
        }
        Setting::Window => {
            let window = settings.num_ctx.unwrap_or(0) / 10;
            settings.num_ctx = (window > 0).then_some(window);
        }
        Setting::Cap => settings.max_tokens = (settings.max_tokens / 10).max(1),
        Setting::Retries => settings.retries /= 10,
        Setting::Timeout => {
            let minutes = minutes(settings) / 10;
            set_minutes(settings, minutes);
        }
        Setting::SkipInvalid => settings.skip_invalid = false,
        Setting::Mode => settings.mode = Mode::default(),
        Setting::Trim => settings.trim = TrimPolicy::default(),
        Setting::Interval => settings.trim_interval /= 10,
        Setting::Overflow => settings.on_overflow = Overflow::default(),
        Setting::Share => settings.safe_share = Share::default(),
    }
}

/// Below one lane the number is found.
const fn parallel(lanes: u32) -> Parallel {
    match lanes {
        0 => Parallel::Auto,
        lanes => Parallel::lanes(lanes),
    }
}

/// The file's own models come before the first and after the last of the server's.
fn next_model(now: Option<&str>, models: &[String], by: i32) -> Option<String> {
    let here = now.and_then(|now| models.iter().position(|model| model == now));
    let place = match (here, by > 0) {
        (None, true) => Some(0),
        (None, false) => models.len().checked_sub(1),
        (Some(at), true) => Some(at + 1),
        (Some(at), false) => at.checked_sub(1),
    };
    place.and_then(|at| models.get(at)).cloned()
}

fn next_window(now: Option<u32>, by: i32) -> Option<u32> {
    match (now, by > 0) {
        (None, true) => Some(SMALLEST_WINDOW),
        (None, false) => None,
        (Some(now), false) if now <= SMALLEST_WINDOW => None,
        (Some(now), _) => Some(doubled(now, by)),
    }
}

fn doubled(now: u32, by: i32) -> u32 {
    if by > 0 {
        now.saturating_mul(2).min(MOST_TOKENS)
    } else {
        (now / 2).max(1)
    }
}

const fn minutes(settings: &JobSettings) -> u64 {
    settings.timeout.as_secs() / 60
}

fn set_minutes(settings: &mut JobSettings, minutes: u64) {
    settings.timeout = Duration::from_mins(minutes.clamp(1, MOST_MINUTES));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_leads_out_of_the_limits() {
        for setting in Setting::ALL {
            let mut settings = JobSettings::default();
            for _ in 0..40 {
                step(setting, &mut settings, &[], 1);
                digit(setting, &mut settings, 9);
            }
            let lanes = settings.parallel.fixed();
            assert!(lanes.is_none_or(|lanes| lanes <= Parallel::MOST));
            assert!(settings.max_tokens <= MOST_TOKENS);
            for _ in 0..40 {
                rub(setting, &mut settings);
                step(setting, &mut settings, &[], -1);
            }
            assert!(settings.parallel.fixed() != Some(0) && settings.max_tokens >= 1);
            assert!(settings.timeout >= Duration::from_mins(1));
        }
    }

    #[test]
    fn choices_go_round_and_shares_stay_within_their_limits() {
        let mut settings = JobSettings::default();
        let mut seen = Vec::new();
        for _ in 0..5 {
            step(Setting::Trim, &mut settings, &[], -1);
            seen.push(settings.trim.word());
        }
        let round = [
            "aggressive",
            "hybrid",
            "importance",
            "sliding",
            "aggressive",
        ];
        assert_eq!(seen, round);
        step(Setting::Mode, &mut settings, &[], 1);
        assert_eq!(settings.mode, Mode::Conversation);
        for by in [1, -1] {
            (0..99).for_each(|_| step(Setting::Share, &mut settings, &[], by));
        }
        assert_eq!(settings.safe_share.to_string(), "10 %");
        rub(Setting::Share, &mut settings);
        assert_eq!(settings.safe_share, Share::default());
    }

    #[test]
    fn models_go_round_by_way_of_the_files_own() {
        let models = ["a".to_owned(), "b".to_owned()];
        let mut settings = JobSettings::default();
        let mut seen = Vec::new();
        for _ in 0..4 {
            step(Setting::Model, &mut settings, &models, 1);
            seen.push(settings.model.clone().unwrap_or_default());
        }
        assert_eq!(seen, ["a", "b", "", "a"]);
    }
}
