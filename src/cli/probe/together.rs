//! Several requests at once: how many of them the server works on at the same moment.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::trial::Prober;
use crate::context::{Figures, Stop, Trial, VISIBLE, Worked, at_once, slots_of_sizes};
use crate::inference::Server;
use crate::model::{Answer, Failure, Tokens};

/// Tokens of each answer to begin with.
const FIRST: u32 = 64;
/// … and at most, where shorter ones are over too soon to meet.
const MOST: u32 = 2_048;
/// Rounds of questions. That answers met proves slots; that they did not proves little, because a
/// busy machine may have held one of them up.
const ROUNDS: u32 = 4;
/// Rounds in which the same number met, after which it is believed that no more would.
const AGREEING: u32 = 2;

/// What one round showed.
struct Round {
    /// How many were worked on at once; `None` where they were too short to say.
    met: Option<u32>,
    /// The least time that the server worked on one.
    shortest: Duration,
    /// Tokens a second of all answers together.
    rate: Option<f64>,
}

impl<S: Server, M: AsyncFn() -> Option<f64>> Prober<S, M> {
    /// Asks several at once and sees how many are worked on.
    pub(super) async fn together(
        &self,
        trial: Trial,
        figures: &mut Figures,
    ) -> Result<Option<Stop>, Failure> {
        // The first of them would wait for what a warm-up makes ready.
        self.ask(trial.window, "Say hello.", 1).await?;
        let slots = self.met(trial, figures).await?;
        figures.at_once = slots
            .or_else(|| self.grown_by())
            .map(|it| it.min(trial.lanes));
        Ok(match figures.at_once {
            Some(slots) if slots < trial.lanes => Some(Stop::FewerSlots { slots }),
            Some(_) => None,
            None => Some(Stop::Unseen),
        })
    }

    /// How many of them met, at the most, in as many rounds as it takes to be sure.
    async fn met(&self, trial: Trial, figures: &mut Figures) -> Result<Option<u32>, Failure> {
        let (mut most, mut agreeing, mut tokens) = (None, 0, FIRST);
        for number in 1..=ROUNDS {
            let round = self.round(trial, tokens, number).await?;
            figures.decode = round.rate.or(figures.decode);
            tokens = longer(tokens, round.shortest);
            agreeing = match round.met {
                None => 0,
                met if met > most => 1,
                _ => agreeing + 1,
            };
            most = most.max(round.met);
            if most == Some(trial.lanes) || agreeing == AGREEING {
                break;
            }
        }
        Ok(most)
    }

    /// Asks for answers of so many tokens, all at once.
    async fn round(&self, trial: Trial, tokens: u32, number: u32) -> Result<Round, Failure> {
        let salt = self.salt ^ (u64::from(trial.window) << 20) ^ (u64::from(number) << 12);
        let began = Instant::now();
        let asked = (0..trial.lanes).map(async |lane| {
            let text = format!(
                "{}. Count upwards from one, in words.",
                salt ^ u64::from(lane)
            );
            let sent = began.elapsed();
            let answer = self.ask(trial.window, &text, tokens).await?;
            Ok((worked(sent, &answer), answer.usage.answer))
        });
        let answers: Result<Vec<_>, Failure> = join_all(asked).await.into_iter().collect();
        let (worked, written): (Vec<Option<Worked>>, Vec<Option<Tokens>>) =
            answers?.into_iter().unzip();
        let written: Tokens = written.into_iter().flatten().sum();
        let rate = written.0 as f64 / began.elapsed().as_secs_f64();
        let worked: Option<Vec<Worked>> = worked.into_iter().collect();
        let worked = worked.unwrap_or_default();
        Ok(Round {
            met: at_once(&worked),
            shortest: worked.iter().map(|it| it.took).min().unwrap_or_default(),
            rate: Some(rate).filter(|rate| rate.is_finite()),
        })
    }

    /// The slots for which the server took memory, where its answers are too fast to meet.
    fn grown_by(&self) -> Option<u32> {
        slots_of_sizes(self.shape.as_ref()?, &self.sizes)
    }
}

/// When the server worked on an answer that was asked for at `sent`; `None` where it does not say.
fn worked(sent: Duration, answer: &Answer) -> Option<Worked> {
    let timings = &answer.timings;
    Some(Worked {
        from: sent + timings.queued()?,
        took: timings.prefill? + timings.decode?,
    })
}

/// Tokens for which the server will work long enough to be seen, after so many took this time.
fn longer(tokens: u32, took: Duration) -> u32 {
    const ENOUGH: f64 = 2.0;
    let wanted = VISIBLE.as_secs_f64() * ENOUGH / took.as_secs_f64();
    if wanted <= 1.0 {
        return tokens;
    }
    // As many as there may be where no time passed at all.
    let wanted = f64::from(tokens) * wanted;
    wanted.min(f64::from(MOST)) as u32
}

#[cfg(test)]
#[path = "together_tests.rs"]
mod tests;
