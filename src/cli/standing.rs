//! Where jobs really stand: an owner that was killed could not say that they run no more.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use crate::model::{Job, JobState};
use crate::store::Owner;

/// The loopback interface answers or refuses at once.
const PATIENCE: Duration = Duration::from_millis(500);

/// Shows jobs that were running as queued where nobody works the queue: that is what the next
/// start makes of them.
pub(super) fn standing(folder: &Path, jobs: &mut [Job]) {
    let runs = |job: &Job| matches!(job.state, JobState::Running | JobState::Finishing);
    if !jobs.iter().any(runs) || is_worked(folder) {
        return;
    }
    for job in jobs.iter_mut().filter(|job| runs(job)) {
        job.state = JobState::Queued;
    }
}

/// Whether the owner that the note names listens. The lock would tell for certain, but taking it
/// only to look could keep a process out that starts at this moment.
fn is_worked(folder: &Path) -> bool {
    let Some(port) = Owner::read(folder).and_then(|owner| owner.port) else {
        return false;
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, PATIENCE).is_ok()
}
