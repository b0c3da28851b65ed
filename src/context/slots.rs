//! How many slots a server has, which Ollama 0.33 does not tell: what overlapped in time, or else by
//! how much its memory grows with the window.

use std::time::Duration;

use super::cache::Load;
use super::shape::ModelShape;

/// A shorter stretch of work says nothing: answers so fast never meet.
pub const VISIBLE: Duration = Duration::from_millis(50);
/// The part of a stretch at either end that may be an error of clocks.
const BLURRED: u32 = 10;
/// More slots than these are not looked for.
const MOST: u32 = 64;
/// How far memory may grow from what slots explain, in per mille. Keys and values kept less exactly
/// than f16 grow by other steps and are taken for no slots at all.
const TOLERANCE: u128 = 20;

/// A stretch of time in which the server worked on one of several requests, from any one moment on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worked {
    /// When it began.
    pub from: Duration,
    /// How long it took.
    pub took: Duration,
}

/// The most requests that were worked on at the same moment: so many slots there are at least.
/// `None` where they were worked on too briefly to meet.
pub fn at_once(worked: &[Worked]) -> Option<u32> {
    let shortest = worked.iter().map(|it| it.took).min()?;
    if shortest < VISIBLE {
        return None;
    }
    let mut turns: Vec<(Duration, i32)> = Vec::new();
    for Worked { from, took } in worked {
        let blurred = *took / BLURRED;
        turns.push((from.saturating_add(blurred), 1));
        turns.push((from.saturating_add(*took).saturating_sub(blurred), -1));
    }
    // Where one ends as another begins, the end goes first.
    turns.sort_unstable();
    let (mut now, mut most) = (0, 0);
    for (_, turn) in turns {
        now += turn;
        most = most.max(now);
    }
    u32::try_from(most).ok()
}

/// The slots that explain by how much a loaded model grew from one window to another. Each pair is
/// the window of a slot in tokens and the bytes of the loaded model. `None` where no number of slots
/// explains it, or only one window was seen.
pub fn slots_of_sizes(shape: &ModelShape, loads: &[(u64, u64)]) -> Option<u32> {
    let (narrow, less) = loads.iter().min()?;
    let (wide, more) = loads.iter().max()?;
    let grown = u128::from(more.checked_sub(*less)?);
    let cache = |window: u64, slots: u32| {
        let load = Load {
            slots,
            ..Load::of(window)
        };
        u128::from(shape.cache_bytes(&load))
    };
    (1..=MOST).find(|&slots| {
        let expected = cache(*wide, slots).saturating_sub(cache(*narrow, slots));
        expected > 0 && expected.abs_diff(grown) * 1_000 <= expected * TOLERANCE
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::testing::llama;
    use proptest::prelude::*;
    use rstest::rstest;

    /// So many requests sent together to so many slots, each worked on for 100 ms.
    fn sent(requests: u32, slots: u32) -> Vec<Worked> {
        let took = Duration::from_millis(100);
        let waves = (0..requests).map(|number| number / slots);
        waves
            .map(|wave| Worked {
                from: took * wave,
                took,
            })
            .collect()
    }

    #[rstest]
    fn as_many_overlap_as_there_are_slots(
        #[values(1, 2, 3, 4, 8)] slots: u32,
        #[values(1, 2, 3, 5, 8, 16)] requests: u32,
    ) {
        assert_eq!(at_once(&sent(requests, slots)), Some(slots.min(requests)));
    }

    #[test]
    fn what_takes_no_time_says_nothing() {
        let instant = Worked {
            from: Duration::ZERO,
            took: Duration::ZERO,
        };
        assert_eq!(at_once(&[instant; 4]), None);
        assert_eq!(at_once(&[]), None);
    }

    fn shape() -> ModelShape {
        ModelShape::of(&llama()).unwrap()
    }

    const TOKEN: u64 = 131_072;

    #[rstest]
    fn memory_grows_with_every_slot(#[values(1, 2, 4, 8)] slots: u64) {
        let size = |window: u64| (window, 5_000_000_000 + window * slots * TOKEN);
        let loads = [size(4_096), size(32_768), size(8_192)];
        assert_eq!(slots_of_sizes(&shape(), &loads), Some(slots as u32));
    }

    #[rstest]
    #[case::one_window(&[(4_096, 9), (4_096, 9)])]
    #[case::nothing(&[])]
    #[case::shrinking(&[(4_096, 9_000_000_000), (8_192, 5)])]
    #[case::half_as_exact(&[(4_096, 0), (8_192, 4_096 * TOKEN * 17 / 32)])]
    #[case::the_largest_numbers(&[(0, 0), (u64::MAX, u64::MAX)])]
    fn other_growth_is_no_number_of_slots(#[case] loads: &[(u64, u64)]) {
        assert_eq!(slots_of_sizes(&shape(), loads), None);
    }

    proptest! {
        #[test]
        fn no_more_overlap_than_were_sent(
            worked in proptest::collection::vec((0u64..10_000, 0u64..10_000), 0..20),
        ) {
            let worked: Vec<Worked> = worked
                .into_iter()
                .map(|(from, took)| Worked {
                    from: Duration::from_millis(from),
                    took: Duration::from_millis(took),
                })
                .collect();
            let most = at_once(&worked);
            prop_assert!(most.is_none_or(|most| most >= 1 && most as usize <= worked.len()));
        }
    }
}
