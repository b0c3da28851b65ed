//! Context windows and trims in the scenes of [`testing`](super::testing).

use std::sync::Arc;

use crate::base::Stamp;
use crate::model::{
    ContextView, JobId, LaneContext, Mode, RequestId, Tokens, Trim, TrimPolicy, TrimReason,
    TrimView,
};

/// Conversations in two lanes, with trims.
pub(super) fn busy() -> ContextView {
    let lane = |lane: u32, history, question| LaneContext {
        lane,
        request: RequestId(41_000 + i64::from(lane)),
        system: Tokens(1_948),
        history: Tokens(history),
        question: Tokens(question),
        answer: Tokens(512),
    };
    let trims = (1..=20).map(|number: u64| TrimView {
        number,
        at: Stamp(1_795_262_400_000 - (21 - number as i64) * 47_000),
        job: JobId(1),
        custom_id: format!("cand-04{:04}", 700 + number * 25).into(),
        trim: Trim {
            request: RequestId(40_700 + number as i64 * 25),
            policy: TrimPolicy::ALL[number as usize % 4],
            reason: match number % 4 {
                0 => TrimReason::Tokens,
                1 => TrimReason::Interval { requests: 50 },
                2 => TrimReason::Memory,
                _ => TrimReason::Refused,
            },
            messages_before: 41,
            messages_after: 21,
            tokens_before: Tokens(6_634),
            tokens_after: Tokens(3_402 + number),
        },
    });
    ContextView {
        mode: Mode::Conversation,
        window: Some(Tokens(8_192)),
        safe: Some(Tokens(7_168)),
        peak: Some(Tokens(6_634)),
        lanes: vec![lane(1, 3_210, 84), lane(2, 1_402, 120)],
        trims: trims.collect(),
        trimmed: 1_020,
        error: Some(0.031),
    }
}

/// Independent requests of which one is too long.
pub(super) fn too_long() -> ContextView {
    let busy = busy();
    ContextView {
        mode: Mode::Independent,
        lanes: vec![LaneContext {
            history: Tokens(0),
            question: Tokens(6_000),
            ..busy.lanes[0]
        }],
        trims: Arc::new([]),
        trimmed: 0,
        error: None,
        ..busy
    }
}

/// Figures beyond all windows.
pub(super) fn huge() -> ContextView {
    let busy = busy();
    let most = Tokens(u64::MAX);
    let lane = LaneContext {
        system: most,
        history: most,
        ..busy.lanes[0]
    };
    ContextView {
        lanes: (1..=64).map(|n| LaneContext { lane: n, ..lane }).collect(),
        trimmed: u64::MAX,
        peak: Some(most),
        ..busy
    }
}

/// Trims before requests with these names.
pub(super) fn named(names: &[&str]) -> ContextView {
    let busy = busy();
    let trim = &busy.trims[0];
    let trims = names.iter().zip(1..).map(|(name, number)| TrimView {
        number,
        custom_id: (*name).into(),
        ..trim.clone()
    });
    ContextView {
        trims: trims.collect(),
        ..busy
    }
}
