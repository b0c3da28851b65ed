//! The table of settings: one row each, from which everything else about it follows.

use std::time::Duration;

use super::origin::{Origin, Problem, Sourced};
use super::secret::SecretFile;
use super::value::{Address, Ascii, Color, LogLevel, Raw, SmtpSecurity, Value, Wrong};
use crate::model::{
    CloudPrice, GuardLimits, Hours, JobSettings, Mode, Overflow, Parallel, Price, Prices, ReportTo,
    Share, TrimPolicy,
};

/// What numbers and lengths of time may be, for every source alike.
pub mod limits {
    use std::ops::RangeInclusive;
    use std::time::Duration;

    use crate::model::{Parallel, Price};

    const MONTH: Duration = Duration::from_hours(30 * 24);

    /// Requests outstanding at most.
    pub const PARALLEL: RangeInclusive<u32> = 1..=Parallel::MOST;
    /// Tokens of a context window.
    pub const NUM_CTX: RangeInclusive<u32> = 1..=10_000_000;
    /// Tokens of an answer.
    pub const MAX_TOKENS: RangeInclusive<u32> = 1..=10_000_000;
    /// Tries after the first failure that counts.
    pub const RETRIES: RangeInclusive<u32> = 0..=1_000;
    /// Requests after which a history is trimmed at the latest; 0 is never.
    pub const TRIM_INTERVAL: RangeInclusive<u32> = 0..=1_000_000;
    /// How long one may wait for a server.
    pub const PATIENCE: RangeInclusive<Duration> =
        RangeInclusive::new(Duration::from_millis(1), MONTH);
    /// How long the end of a run may be put off.
    pub const DRAIN: RangeInclusive<Duration> = RangeInclusive::new(Duration::ZERO, MONTH);
    /// Memory of a card in per cent.
    pub const PERCENT: RangeInclusive<u32> = 1..=100;
    /// Temperature of a card in °C.
    pub const CELSIUS: RangeInclusive<u32> = 20..=120;
    /// Power of a card in watts.
    pub const WATTS: RangeInclusive<u32> = 10..=10_000;
    /// Prices, in any currency.
    pub const PRICE: RangeInclusive<Price> =
        RangeInclusive::new(Price::whole(0), Price::whole(1_000_000));
    /// Number of a port.
    pub const PORT: RangeInclusive<u32> = 1..=65_535;
    /// How long something may go on before it is told.
    pub const NOTIFY: RangeInclusive<Duration> = RangeInclusive::new(Duration::ZERO, MONTH);
    /// Time between two lines of progress: not so short that they flood a log.
    pub const PROGRESS: RangeInclusive<Duration> =
        RangeInclusive::new(Duration::from_millis(100), MONTH);
}

/// The names of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Table and name in the settings file: `job.parallel`.
    pub path: &'static str,
    /// The environment variable: `BATCHTOP_PARALLEL`.
    pub variable: &'static str,
}

/// A setting with its value in force, for printing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: &'static str,
    pub(super) written: Option<String>,
    pub(super) origin: Origin,
}

macro_rules! settings {
    ($(
        $(#[$doc:meta])*
        $field:ident: $type:ty = $default:expr, $path:literal, $variable:literal, $limits:expr;
    )*) => {
        /// Every setting.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Settings { $($(#[$doc])* pub $field: $type,)* }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        /// What one source says: nothing but what it names is set.
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct Layer { $($(#[$doc])* pub $field: Option<Sourced<$type>>,)* }

        /// The names of every setting, in the order in which they are listed.
        pub const KEYS: &[Key] = &[$(Key { path: $path, variable: $variable },)*];

        impl Layer {
            /// This layer, and the lower one wherever this one says nothing.
            #[must_use]
            pub fn over(self, lower: Self) -> Self {
                Self { $($field: self.$field.or(lower.$field),)* }
            }

            /// Sets the setting with this path; another path changes nothing.
            pub(super) fn set(
                &mut self,
                path: &str,
                raw: Raw<'_>,
                origin: Origin,
            ) -> Result<(), Wrong> {
                match path {
                    $($path => {
                        let value = Value::read(raw, &$limits)?;
                        self.$field = Some(Sourced { value, origin });
                    })*
                    _ => {}
                }
                Ok(())
            }

            /// The settings with defaults wherever this layer says nothing.
            pub(super) fn settings(&self) -> Settings {
                let mut settings = Settings::default();
                $(if let Some(sourced) = &self.$field {
                    settings.$field.clone_from(&sourced.value);
                })*
                settings
            }

            /// Where the value of the setting with this path came from, if this layer names it.
            pub(super) fn origin(&self, path: &str) -> Option<&Origin> {
                match path {
                    $($path => self.$field.as_ref().map(|sourced| &sourced.origin),)*
                    _ => None,
                }
            }
        }

        /// Every setting as a file would write it.
        pub(super) fn entries(settings: &Settings, named: &Layer) -> Vec<Entry> {
            vec![$(Entry {
                path: $path,
                written: settings.$field.written(),
                origin: named.origin($path).cloned().unwrap_or(Origin::Default),
            },)*]
        }
    };
}

settings! {
    /// The address of the server, as given.
    server: Address = Address::new("http://127.0.0.1:11434"),
        "server.url", "BATCHTOP_SERVER", ();
    /// How long a connection may take to be made.
    connect_timeout: Duration = Duration::from_secs(5),
        "server.connect_timeout", "BATCHTOP_CONNECT_TIMEOUT", limits::PATIENCE;
    /// How long the server may take to load a model.
    load_timeout: Duration = Duration::from_mins(30),
        "server.load_timeout", "BATCHTOP_LOAD_TIMEOUT", limits::PATIENCE;
    /// How long the server may send nothing after a request: it queues it and reads its prompt.
    first_byte_timeout: Duration = Duration::from_mins(10),
        "server.first_byte_timeout", "BATCHTOP_FIRST_BYTE_TIMEOUT", limits::PATIENCE;
    /// How long the server may send nothing in the middle of an answer.
    idle_timeout: Duration = Duration::from_mins(2),
        "server.idle_timeout", "BATCHTOP_IDLE_TIMEOUT", limits::PATIENCE;
    /// Replaces `body.model` of every line.
    model: Option<String> = None,
        "job.model", "BATCHTOP_MODEL", ();
    /// Requests outstanding at most, or as many as the server is found to work on at once.
    parallel: Parallel = Parallel::Auto,
        "job.parallel", "BATCHTOP_PARALLEL", limits::PARALLEL;
    /// Context window for each slot in tokens; `None` leaves it to the server.
    num_ctx: Option<u32> = None,
        "job.num_ctx", "BATCHTOP_NUM_CTX", limits::NUM_CTX;
    /// Cap of an answer in tokens where the line gives none.
    max_tokens: u32 = 4_096,
        "job.max_tokens", "BATCHTOP_MAX_TOKENS", limits::MAX_TOKENS;
    /// How long one whole answer may take.
    timeout: Duration = Duration::from_mins(30),
        "job.timeout", "BATCHTOP_TIMEOUT", limits::PATIENCE;
    /// Tries after the first failure that counts.
    retries: u32 = 3,
        "job.retries", "BATCHTOP_RETRIES", limits::RETRIES;
    /// Invalid lines become failures instead of stopping everything.
    skip_invalid: bool = false,
        "job.skip_invalid", "BATCHTOP_SKIP_INVALID", ();
    /// Whether a job may run although part of its model does not fit the cards.
    allow_spill: bool = false,
        "job.allow_spill", "BATCHTOP_ALLOW_SPILL", ();
    /// Whether the requests of a job see each other.
    mode: Mode = Mode::Independent,
        "job.mode", "BATCHTOP_MODE", ();
    /// What goes first when a history is too long.
    trim: TrimPolicy = TrimPolicy::Sliding,
        "job.trim", "BATCHTOP_TRIM", ();
    /// What becomes of a single request that is too long.
    on_overflow: Overflow = Overflow::Fail,
        "job.on_overflow", "BATCHTOP_ON_OVERFLOW", ();
    /// A history is trimmed after so many requests at the latest; 0 is never.
    trim_interval: u32 = 50,
        "job.trim_interval", "BATCHTOP_TRIM_INTERVAL", limits::TRIM_INTERVAL;
    /// The part of the window that prompt and answer may take.
    safe_share: Share = Share::default(),
        "job.safe_share", "BATCHTOP_SAFE_SHARE", ();
    /// Whether card and clock are watched, and less is sent when they ask for it.
    guard: bool = true,
        "guard.enabled", "BATCHTOP_GUARD", ();
    /// Memory of the card, in per cent, from which nothing is sent.
    memory_pause: u32 = 95,
        "guard.memory_pause", "BATCHTOP_MEMORY_PAUSE", limits::PERCENT;
    /// Memory of the card, in per cent, from which fewer requests are sent.
    memory_ease: u32 = 90,
        "guard.memory_ease", "BATCHTOP_MEMORY_EASE", limits::PERCENT;
    /// Temperature of the card, in °C, from which nothing is sent.
    heat_pause: u32 = 85,
        "guard.heat_pause", "BATCHTOP_HEAT_PAUSE", limits::CELSIUS;
    /// Temperature of the card, in °C, below which it goes on.
    heat_resume: u32 = 75,
        "guard.heat_resume", "BATCHTOP_HEAT_RESUME", limits::CELSIUS;
    /// Power of a card, in watts, above which fewer requests are sent.
    power: Option<u32> = None,
        "guard.power", "BATCHTOP_POWER", limits::WATTS;
    /// Whether to pause while another program uses the card heavily.
    neighbour: bool = false,
        "guard.neighbour", "BATCHTOP_NEIGHBOUR", ();
    /// The hours of the day in which requests are sent.
    hours: Option<Hours> = None,
        "guard.hours", "BATCHTOP_HOURS", ();
    /// How long Ctrl-C waits for what is in flight.
    drain: Duration = Duration::from_secs(10),
        "run.drain", "BATCHTOP_DRAIN", limits::DRAIN;
    /// Time between two lines of progress where there is no terminal.
    progress_every: Duration = Duration::from_secs(10),
        "run.progress_every", "BATCHTOP_PROGRESS_EVERY", limits::PROGRESS;
    /// Where the report of a run goes at its end.
    report: Option<ReportTo> = None,
        "run.report", "BATCHTOP_REPORT", ();
    /// Price of a kilowatt-hour.
    energy_price: Option<Price> = None,
        "energy.price", "BATCHTOP_ENERGY_PRICE", limits::PRICE;
    /// The sign or name of the currency of all prices.
    currency: String = "€".to_owned(),
        "energy.currency", "BATCHTOP_CURRENCY", ();
    /// What a cloud asks for a million tokens of prompts.
    cloud_prompt_price: Option<Price> = None,
        "energy.cloud_prompt_price", "BATCHTOP_CLOUD_PROMPT_PRICE", limits::PRICE;
    /// What a cloud asks for a million tokens of answers.
    cloud_answer_price: Option<Price> = None,
        "energy.cloud_answer_price", "BATCHTOP_CLOUD_ANSWER_PRICE", limits::PRICE;
    /// Runs shorter than this end without a notification.
    notify_after: Duration = Duration::from_mins(1),
        "notify.after", "BATCHTOP_NOTIFY_AFTER", limits::NOTIFY;
    /// How long a trouble may last before it is told.
    notify_trouble_after: Duration = Duration::from_mins(5),
        "notify.trouble_after", "BATCHTOP_NOTIFY_TROUBLE_AFTER", limits::NOTIFY;
    /// Whether notifications ring the terminal's bell.
    notify_bell: bool = false,
        "notify.bell", "BATCHTOP_NOTIFY_BELL", ();
    /// Whether notifications are told by the terminal (OSC 9).
    notify_osc9: bool = false,
        "notify.osc9", "BATCHTOP_NOTIFY_OSC9", ();
    /// Whether notifications appear on the desktop, where there is one.
    notify_desktop: bool = false,
        "notify.desktop", "BATCHTOP_NOTIFY_DESKTOP", ();
    /// The file that holds the address of the webhook.
    webhook_file: Option<SecretFile> = None,
        "notify.webhook_file", "BATCHTOP_NOTIFY_WEBHOOK_FILE", ();
    /// The mail server that takes notifications; e-mail is off without one.
    smtp_host: Option<String> = None,
        "notify.smtp_host", "BATCHTOP_NOTIFY_SMTP_HOST", ();
    /// Its port; `None` is the usual one of the kind of connection.
    smtp_port: Option<u32> = None,
        "notify.smtp_port", "BATCHTOP_NOTIFY_SMTP_PORT", limits::PORT;
    /// How the connection to it is kept secret.
    smtp_security: SmtpSecurity = SmtpSecurity::Tls,
        "notify.smtp_security", "BATCHTOP_NOTIFY_SMTP_SECURITY", ();
    /// Who sends the mail.
    smtp_from: Option<String> = None,
        "notify.smtp_from", "BATCHTOP_NOTIFY_SMTP_FROM", ();
    /// Who gets the mail: one address, or several with commas between.
    smtp_to: Option<String> = None,
        "notify.smtp_to", "BATCHTOP_NOTIFY_SMTP_TO", ();
    /// Who logs in at the mail server.
    smtp_user: Option<String> = None,
        "notify.smtp_user", "BATCHTOP_NOTIFY_SMTP_USER", ();
    /// The file that holds the password.
    smtp_password_file: Option<SecretFile> = None,
        "notify.smtp_password_file", "BATCHTOP_NOTIFY_SMTP_PASSWORD_FILE", ();
    /// Whether output is coloured.
    color: Color = Color::Auto,
        "output.color", "BATCHTOP_COLOR", ();
    /// Whether everything is drawn with ASCII characters only: always, never, or where the locale
    /// is C or POSIX.
    ascii: Ascii = Ascii::Auto,
        "output.ascii", "BATCHTOP_ASCII", ();
    /// The colours of the screen: a theme that is built in, or a file in `themes`.
    theme: String = "dark".to_owned(),
        "screen.theme", "BATCHTOP_THEME", ();
    /// Whether the screen listens to the mouse.
    mouse: bool = true,
        "screen.mouse", "BATCHTOP_MOUSE", ();
    /// What goes to the log file.
    log_level: LogLevel = LogLevel::Info,
        "log.level", "BATCHTOP_LOG_LEVEL", ();
}

impl Settings {
    /// How the requests of a new job are run. A limit of requests is no setting: it belongs to
    /// one run.
    pub fn job(&self) -> JobSettings {
        JobSettings {
            model: self.model.clone(),
            num_ctx: self.num_ctx,
            max_tokens: self.max_tokens,
            limit: None,
            skip_invalid: self.skip_invalid,
            parallel: self.parallel,
            retries: self.retries,
            timeout: self.timeout,
            allow_spill: self.allow_spill,
            mode: self.mode,
            trim: self.trim,
            on_overflow: self.on_overflow,
            trim_interval: self.trim_interval,
            safe_share: self.safe_share,
        }
    }

    /// What the guard holds the card to; `None` where it is switched off.
    pub fn guard_limits(&self) -> Option<GuardLimits> {
        let celsius = |degrees: u32| i32::try_from(degrees).unwrap_or(i32::MAX);
        self.guard.then(|| GuardLimits {
            memory_pause: self.memory_pause.into(),
            memory_ease: self.memory_ease.into(),
            heat_pause: celsius(self.heat_pause),
            heat_resume: celsius(self.heat_resume),
            watts: self.power.map(f64::from),
            neighbour: self.neighbour,
            hours: self.hours,
            allow_spill: self.allow_spill,
        })
    }

    /// Values that are well alone and wrong together: a mark for going on that is not below the
    /// mark for holding back would make the run go to and fro.
    pub(super) fn contradictions(&self, named: &Layer) -> Vec<Problem> {
        let pairs = [
            ("guard.heat_resume", self.heat_resume, self.heat_pause, "°C"),
            (
                "guard.memory_ease",
                self.memory_ease,
                self.memory_pause,
                "%",
            ),
        ];
        let wrong = pairs
            .into_iter()
            .filter(|(_, lower, upper, _)| lower >= upper);
        wrong
            .map(|(lower_path, lower, upper, unit)| {
                let upper_path = match lower_path {
                    "guard.heat_resume" => "guard.heat_pause",
                    _ => "guard.memory_pause",
                };
                let origin = [lower_path, upper_path].map(|path| named.origin(path));
                Problem {
                    origin: origin.into_iter().flatten().next().cloned().unwrap_or(Origin::Default),
                    setting: Some(lower_path.to_owned()),
                    what: format!("`{lower}` {unit} is not below {upper_path} (`{upper}` {unit})"),
                    suggestion: Some(format!(
                        "set {lower_path} lower or {upper_path} higher, so that there is room between"
                    )),
                }
            })
            .collect()
    }

    /// The prices that are paid or compared with. A cloud is compared with only when it is known
    /// what it asks for both directions.
    pub fn prices(&self) -> Prices {
        let cloud = self.cloud_prompt_price.zip(self.cloud_answer_price);
        Prices {
            kilowatt_hour: self.energy_price,
            cloud: cloud.map(|(prompt, answer)| CloudPrice { prompt, answer }),
            currency: self.currency.clone(),
        }
    }
}
