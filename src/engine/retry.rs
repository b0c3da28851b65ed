//! How long to wait before trying again.

use std::time::Duration;

use crate::model::RequestId;

/// The first wait.
const FIRST: Duration = Duration::from_secs(1);
/// No wait is longer.
const LONGEST: Duration = Duration::from_mins(1);
/// No wait for a server that does not answer is longer: its return should be seen soon.
const LONGEST_PROBE: Duration = Duration::from_secs(30);

/// The wait before try number `tries + 1` of a request: doubling from one second, never above
/// a minute, and shortened by up to half so that requests that failed together do not come
/// back together. The same request and try always wait the same.
pub(super) fn delay(request: RequestId, tries: u32) -> Duration {
    let full = doubled(FIRST, tries.saturating_sub(1)).min(LONGEST);
    full.mul_f64(0.5 + 0.5 * fraction(request.0 as u64 ^ (u64::from(tries) << 48)))
}

/// The wait before asking a silent server again, after `tries` in vain.
pub(super) fn probe_delay(tries: u32) -> Duration {
    doubled(FIRST, tries.saturating_sub(1)).min(LONGEST_PROBE)
}

fn doubled(first: Duration, times: u32) -> Duration {
    first.saturating_mul(2u32.saturating_pow(times.min(16)))
}

/// A number in 0..1 that looks random and depends on `seed` alone (splitmix64).
fn fraction(seed: u64) -> f64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_wait_passes_its_cap(request in any::<i64>(), tries in any::<u32>()) {
            let wait = delay(RequestId(request), tries);
            prop_assert!(wait <= LONGEST);
            prop_assert!(wait >= FIRST / 2);
            prop_assert!(probe_delay(tries) <= LONGEST_PROBE);
        }

        #[test]
        fn waits_grow(tries in 1u32..40) {
            prop_assert!(probe_delay(tries) <= probe_delay(tries + 1));
            // Halved at most: the longest wait of one try is the shortest of the next.
            prop_assert!(delay(RequestId(1), tries) <= 2 * delay(RequestId(1), tries + 1));
        }
    }

    #[test]
    fn requests_that_failed_together_come_back_apart() {
        let waits: std::collections::BTreeSet<_> = (0..100)
            .map(|request| delay(RequestId(request), 3))
            .collect();
        assert!(waits.len() > 90);
    }
}
