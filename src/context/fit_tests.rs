use proptest::prelude::*;
use rstest::rstest;

use super::*;
use TrimPolicy::{Aggressive, Hybrid, Importance, Sliding};

/// `s100 u10 a20 u10!`: who speaks, tokens, and `!` for a mark.
fn turns(text: &str) -> Vec<Turn> {
    let words = text.split_whitespace();
    let turn = |word: &str| Turn {
        role: match &word[..1] {
            "s" => Role::System,
            "u" => Role::User,
            "a" => Role::Assistant,
            _ => Role::Tool,
        },
        tokens: Tokens(word[1..].trim_end_matches('!').parse().unwrap()),
        marked: word.ends_with('!'),
    };
    words.map(turn).collect()
}

/// A budget with so much room for a prompt.
fn room(prompt: u64) -> Budget {
    let budget = Budget {
        window: Tokens(prompt * 2),
        answer: Tokens(prompt * 2 * 7 / 8 - prompt),
        share: Share::default(),
        learned: None,
    };
    assert_eq!(budget.prompt(), Tokens(prompt));
    budget
}

#[test]
fn the_answer_is_reserved_in_the_safe_part() {
    let budget = Budget {
        window: Tokens(8_192),
        answer: Tokens(1_024),
        share: Share::default(),
        learned: None,
    };
    assert_eq!(budget.safe(), Tokens(7_168));
    assert_eq!(budget.prompt(), Tokens(6_144));
    let learned = Budget {
        learned: Some(Tokens(3_000)),
        ..budget
    };
    assert_eq!(learned.prompt(), Tokens(1_976));
    let greedy = Budget {
        answer: Tokens(u64::MAX),
        ..budget
    };
    assert_eq!(greedy.prompt(), Tokens(0));
}

#[test]
fn a_cap_takes_half_of_the_safe_part_at_most() {
    let budget = |cap, share| {
        let share = Share::of_thousandths(share);
        Budget::of(Tokens(4_096), Tokens(cap), share, None)
    };
    assert_eq!(budget(100, 875).prompt(), Tokens(3_484));
    assert_eq!(budget(4_096, 875).prompt(), Tokens(1_792));
    assert_eq!(budget(4_096, 500).safe(), Tokens(2_048));
}

#[test]
fn the_least_is_what_no_policy_leaves_out() {
    let kept = least(&turns("s10 u20 a20 s5 u60 a60 u20 t5"));
    assert_eq!(kept.kept, [0, 3, 6, 7]);
    assert_eq!((kept.before, kept.after), (Tokens(200), Tokens(40)));
    assert_eq!(least(&[]).kept, [0usize; 0]);
}

#[rstest]
// What fits stays as it is.
#[case::fits(Sliding, "s10 u10 a10 u10", 40, &[0, 1, 2, 3])]
// Down to 60 of 100, oldest first.
#[case::oldest(Sliding, "s10 u60 a20 u10 a10 u20", 100, &[0, 3, 4, 5])]
#[case::all_history(Sliding, "s50 u20 a20 u20 a20 u20", 100, &[0, 5])]
// A mark keeps the oldest, so the next one goes.
#[case::marked(Importance, "s10 u10! a10 u60 a20 u20", 100, &[0, 1, 2, 5])]
// Of equal ones the oldest goes.
#[case::equal(Importance, "s10 u15 a15 u15 a15 u15 a15 u15", 100, &[0, 5, 6, 7])]
// The newest four exchanges stay although the first is marked and they are not.
#[case::newest(Hybrid, "u20! u20 u20 u20 u20 u20 u10", 120, &[3, 4, 5, 6])]
// System messages stay wherever they are.
#[case::system(Sliding, "u40 s10 a40 u20", 100, &[1, 3])]
#[case::last_exchange(Aggressive, "s10 u20 a20 u20 a20 u20", 100, &[0, 3, 4, 5])]
#[case::nothing_else(Aggressive, "s10 u20 a20 u60 a60 u20", 100, &[0, 5])]
// Tools go with their question.
#[case::tools(Sliding, "u20 t50 a20 u20", 100, &[3])]
fn policies_keep_what_they_say(
    #[case] policy: TrimPolicy,
    #[case] text: &str,
    #[case] prompt: u64,
    #[case] kept: &[usize],
) {
    let fit = fit(&turns(text), &room(prompt), policy, Trigger::WhenTooLong).unwrap();
    assert_eq!(fit.kept, kept);
}

#[test]
fn a_trim_on_purpose_happens_although_everything_fits() {
    let turns = turns("s10 u20 a20 u20 a20 u10");
    let trimmed = fit(&turns, &room(100), Sliding, Trigger::Now).unwrap();
    assert_eq!((trimmed.before, trimmed.after), (Tokens(100), Tokens(60)));
    assert!(trimmed.is_trimmed());
    let left = fit(&turns, &room(100), Sliding, Trigger::WhenTooLong).unwrap();
    assert!(!left.is_trimmed());
}

#[test]
fn a_question_that_cannot_fit_says_what_it_needs() {
    let error = fit(&turns("s60 u10 u50"), &room(100), Hybrid, Trigger::Now).unwrap_err();
    assert_eq!(
        error.to_string(),
        "needs 110 tokens where 100 are available"
    );
}

#[test]
fn an_empty_conversation_fits() {
    let fit = fit(&[], &room(100), Sliding, Trigger::Now).unwrap();
    assert_eq!((fit.kept.len(), fit.after), (0, Tokens(0)));
}

fn any_turn() -> impl Strategy<Value = Turn> {
    let role = prop_oneof![
        1 => Just(Role::System),
        4 => Just(Role::User),
        4 => Just(Role::Assistant),
        1 => Just(Role::Tool),
    ];
    (role, 0u64..500, any::<bool>()).prop_map(|(role, tokens, marked)| Turn {
        role,
        tokens: Tokens(tokens),
        marked,
    })
}

proptest! {
    #[test]
    fn whatever_the_history_a_trim_keeps_its_promises(
        turns in proptest::collection::vec(any_turn(), 0..60),
        prompt in 0u64..6_000,
        policy in proptest::sample::select(&TrimPolicy::ALL[..]),
        now in any::<bool>(),
    ) {
        let budget = room(prompt * 4);
        let trigger = if now { Trigger::Now } else { Trigger::WhenTooLong };
        let newest = turns.iter().rposition(|turn| turn.role == Role::User);
        match fit(&turns, &budget, policy, trigger) {
            Err(error) => prop_assert!(error.needed > error.available),
            Ok(first) => {
                prop_assert!(first.after <= budget.prompt());
                prop_assert!(first.kept.is_sorted_by(|one, next| one < next));
                let system = (0..turns.len()).filter(|&at| turns[at].role == Role::System);
                prop_assert!(system.chain(newest).all(|at| first.kept.contains(&at)));
                let rest: Vec<Turn> = first.kept.iter().map(|&at| turns[at]).collect();
                let second = fit(&rest, &budget, policy, trigger).unwrap();
                prop_assert!(!second.is_trimmed(), "{second:?}");
                prop_assert_eq!(second.kept.len(), rest.len());
            }
        }
    }

    /// A thousand questions in one conversation: none is refused for its length, and the context
    /// stays below the safe part.
    #[test]
    fn a_long_conversation_never_overflows(
        sizes in proptest::collection::vec((1u64..300, 1u64..200), 1_000),
        policy in proptest::sample::select(&TrimPolicy::ALL[..]),
    ) {
        let budget = Budget::of(Tokens(4_096), Tokens(200), Share::default(), None);
        let mut history = turns("s800");
        let mut trims = 0;
        for (question, answer) in sizes {
            history.push(turns(&format!("u{question}"))[0]);
            let fitted = fit(&history, &budget, policy, Trigger::WhenTooLong).unwrap();
            trims += u32::from(fitted.is_trimmed());
            prop_assert!(fitted.after.0 + answer <= budget.safe().0);
            history = fitted.kept.iter().map(|&at| history[at]).collect();
            history.push(turns(&format!("a{answer}"))[0]);
        }
        prop_assert!(trims < 400, "{trims}");
    }
}
