//! What programs read of a plan: stable names, a unit in each.

use serde::Serialize;

use super::{Choice, Report};
use crate::context::{CacheType, Verdict, WindowFrom};
use crate::model::{Card, CardState, Throttle};

/// Everything about one model and this card. What is not known is `null`.
#[derive(Debug, Serialize)]
pub(super) struct PlanJson<'a> {
    model: &'a str,
    architecture: Option<&'a str>,
    trained_num_ctx: Option<u64>,
    num_ctx: u64,
    num_ctx_from: WindowFrom,
    slots: u32,
    cache_type: CacheType,
    num_batch: Option<u64>,
    weights_bytes: Option<u64>,
    cache_bytes: Option<u64>,
    compute_bytes: u64,
    compute_is_measured: bool,
    total_bytes: Option<u64>,
    largest_card_free_bytes: Option<u64>,
    all_cards_free_bytes: Option<u64>,
    #[serde(flatten)]
    verdict: VerdictJson,
    choices: Vec<ChoiceJson>,
    cards: Vec<CardJson<'a>>,
    unknown: &'a [String],
}

/// Whether it fits, and by how much.
#[derive(Debug, Default, Serialize)]
struct VerdictJson {
    verdict: &'static str,
    left_bytes: Option<u64>,
    over_bytes: Option<u64>,
    fitting_num_ctx: Option<u64>,
    fitting_slots: Option<u32>,
}

#[derive(Debug, Serialize)]
struct ChoiceJson {
    num_ctx: u64,
    slots: u32,
    total_bytes: Option<u64>,
    #[serde(flatten)]
    verdict: VerdictJson,
}

/// A card as it is read now.
#[derive(Debug, Serialize)]
struct CardJson<'a> {
    id: &'a str,
    name: &'a str,
    state: &'static str,
    why: Option<&'a str>,
    memory_total_bytes: Option<u64>,
    memory_used_bytes: Option<u64>,
    memory_free_bytes: Option<u64>,
    busy_percent: Option<u32>,
    celsius: Option<i32>,
    watts: Option<f64>,
    watts_limit: Option<f64>,
    core_mhz: Option<u32>,
    memory_mhz: Option<u32>,
    throttled: Option<&'a [Throttle]>,
    processes: Option<Vec<ProcessJson<'a>>>,
}

#[derive(Debug, Serialize)]
struct ProcessJson<'a> {
    pid: u32,
    name: Option<&'a str>,
    memory_bytes: Option<u64>,
    busy_percent: Option<u32>,
}

impl<'a> PlanJson<'a> {
    pub(super) fn new(report: &'a Report) -> Self {
        let (load, needs) = (&report.plan.load, &report.plan.needs);
        let room = report.plan.room;
        Self {
            model: &report.model,
            architecture: report.architecture.as_deref(),
            trained_num_ctx: report.trained_window,
            num_ctx: load.window,
            num_ctx_from: report.window_from,
            slots: load.slots,
            cache_type: load.cache,
            num_batch: load.batch,
            weights_bytes: needs.weights,
            cache_bytes: needs.cache,
            compute_bytes: needs.overhead,
            compute_is_measured: needs.overhead_measured,
            total_bytes: needs.total(),
            largest_card_free_bytes: room.map(|room| room.largest_card),
            all_cards_free_bytes: room.map(|room| room.all_cards),
            verdict: VerdictJson::new(&report.plan.verdict),
            choices: report.choices.iter().map(ChoiceJson::new).collect(),
            cards: report.cards.iter().map(CardJson::new).collect(),
            unknown: &report.unknown,
        }
    }
}

impl VerdictJson {
    fn new(verdict: &Verdict) -> Self {
        match *verdict {
            Verdict::Fits { left } => Self {
                verdict: "fits",
                left_bytes: Some(left),
                ..Self::default()
            },
            Verdict::FitsSpread { left } => Self {
                verdict: "fits_spread",
                left_bytes: Some(left),
                ..Self::default()
            },
            Verdict::Spills {
                over,
                window,
                slots,
            } => Self {
                verdict: "spills",
                over_bytes: Some(over),
                fitting_num_ctx: window,
                fitting_slots: slots,
                ..Self::default()
            },
            Verdict::Unknown => Self {
                verdict: "unknown",
                ..Self::default()
            },
        }
    }
}

impl ChoiceJson {
    fn new(choice: &Choice) -> Self {
        Self {
            num_ctx: choice.window,
            slots: choice.slots,
            total_bytes: choice.bytes,
            verdict: VerdictJson::new(&choice.verdict),
        }
    }
}

impl<'a> CardJson<'a> {
    fn new(card: &'a Card) -> Self {
        let (state, why) = match &card.state {
            CardState::Awake => ("awake", None),
            CardState::Asleep => ("asleep", None),
            CardState::Lost { why } => ("lost", Some(why.as_str())),
        };
        let processes = card.processes.as_ref().map(|all| {
            let one = |process: &'a crate::model::CardProcess| ProcessJson {
                pid: process.pid,
                name: process.name.as_deref(),
                memory_bytes: process.memory,
                busy_percent: process.busy_percent,
            };
            all.iter().map(one).collect()
        });
        Self {
            id: &card.id,
            name: &card.name,
            state,
            why,
            memory_total_bytes: card.memory.map(|memory| memory.total),
            memory_used_bytes: card.memory.map(|memory| memory.used),
            memory_free_bytes: card.memory.map(|memory| memory.free),
            busy_percent: card.busy_percent,
            celsius: card.celsius,
            watts: card.watts,
            watts_limit: card.watts_limit,
            core_mhz: card.core_mhz,
            memory_mhz: card.memory_mhz,
            throttled: card.throttled.as_deref(),
            processes,
        }
    }
}
