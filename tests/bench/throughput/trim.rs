//! Trimming a long history.

use batchtop::context::{Budget, Role, Trigger, Turn, fit};
use batchtop::model::{Share, Tokens, TrimPolicy};

use super::{Failure, now, say};

/// A history of 1,000 messages, trimmed by each policy.
pub(crate) fn trim() -> Result<(), Failure> {
    const TIMES: u32 = 200;
    let turn = |role, at: u64| Turn {
        role,
        tokens: Tokens(20 + at * 37 % 200),
        marked: at.is_multiple_of(50),
    };
    let history = (0..1_000).map(|at| {
        let role = if at % 2 == 0 {
            Role::User
        } else {
            Role::Assistant
        };
        turn(role, at)
    });
    let turns: Vec<Turn> = std::iter::once(turn(Role::System, 0))
        .chain(history)
        .chain([turn(Role::User, 7)])
        .collect();
    let budget = Budget::of(Tokens(32_768), Tokens(512), Share::default(), None);
    for policy in TrimPolicy::ALL {
        let began = now();
        for _ in 0..TIMES {
            let kept = fit(&turns, &budget, policy, Trigger::WhenTooLong)?;
            assert!(kept.is_trimmed());
        }
        let each = began.elapsed() / TIMES;
        say("trim", &format!("{policy}: 1,000 messages in {each:?}"));
    }
    Ok(())
}
