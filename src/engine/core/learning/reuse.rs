//! How much of the prompts of a job was not read again.

use crate::context::{Learnt, ReuseMeter};
use crate::model::{Answer, JobId, Prompt, Tokens};

/// A request that is out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) job: JobId,
    pub(super) lane: u32,
    /// Its prompt as it was sent.
    pub(super) prompt: Prompt,
    pub(super) cold: Cold,
}

/// Whether the server can have had the beginning of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cold {
    /// It cannot: nothing was read since the load.
    Certain,
    /// This beginning was not read since the load, but perhaps one that is partly the same.
    Likely,
    /// It can.
    No,
    /// So many beginnings were read that they are not told apart any more.
    Unknown,
}

/// How a job fares.
#[derive(Debug, Default)]
pub(super) struct JobReuse {
    pub(super) meter: ReuseMeter,
    /// Most requests that were out at a time.
    pub(super) lanes: u32,
    /// Whether its causes were told.
    pub(super) is_told: bool,
    /// Tokens, estimated, that the server could have reused.
    shared: Tokens,
}

impl JobReuse {
    /// Measures what an answer did not read again, and notes it there.
    pub(super) fn measure(&mut self, sent: &Sent, learnt: &Learnt, answer: &mut Answer) {
        self.lanes = self.lanes.max(sent.lane);
        self.meter.cold = learnt.cold;
        let Some(reused) = self.meter.measure(&answer.usage, &answer.timings) else {
            return;
        };
        answer.usage.reused = Some(reused.tokens);
        answer.timings.saved = reused.saved;
        if sent.cold == Cold::No {
            let lead = learnt.calibration.estimate(sent.prompt.lead);
            self.shared += lead.min(reused.prompt);
        }
    }

    /// Tokens that the server could have reused of each prompt.
    pub(super) fn shared_by_each(&self) -> Tokens {
        Tokens(self.shared.0 / self.meter.judged.max(1))
    }
}

impl Cold {
    /// Whether a prompt is taken for a cold one; `plausible` is what its time says.
    pub(super) const fn holds(self, plausible: Option<bool>) -> bool {
        match self {
            Self::Certain => true,
            Self::Likely => matches!(plausible, Some(true)),
            Self::No | Self::Unknown => false,
        }
    }
}
