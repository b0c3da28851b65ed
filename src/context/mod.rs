//! Context and memory, as pure decisions: whether a model fits the card, whether a prompt fits the
//! window and what to leave out if not, what was learnt about both, and when to hold back.
//!
//! Nothing here reads a card, asks a server or knows the time: figures and `now` are arguments.

mod cache;
mod calibration;
mod facts;
mod fit;
mod guard;
mod learned;
mod plan;
mod probe;
mod profile;
mod savings;
mod score;
mod shape;
mod sight;
mod slots;
mod turn;
mod words;

pub use cache::{CacheType, Load, UnknownCacheType};
pub use calibration::Calibration;
pub use facts::{ModelFacts, Outlook, WindowFrom, Wish, room};
pub use fit::{Budget, Fit, TooLong, Trigger, fit, least};
pub use guard::{Guard, GuardStep};
pub use learned::{Ground, LearnedLimit};
pub use plan::{
    MARGIN, Needs, Plan, Question, Room, Verdict, largest_slots, largest_window, measured_overhead,
};
pub use probe::{Figures, Reach, Recommendation, Step, Stop, Trial};
pub use profile::{Learnt, Probed, Profile};
pub use savings::{ColdRate, ReuseCause, ReuseMeter, ReuseSigns, Reused};
pub use score::is_marked;
pub use shape::{ModelShape, ShapeError};
pub use slots::{VISIBLE, Worked, at_once, slots_of_sizes};
pub use turn::{Role, Turn};

#[cfg(test)]
pub(crate) mod testing;
