//! Notifications of a session: switched on with it, and ended with it.

use std::time::Duration;

use tokio::sync::mpsc;

use super::say::StandardSay;
use crate::base::Alert;
use crate::config::Settings;
use crate::engine::Handle;
use crate::notify::{Notifier, Patience, Rules, Ways};

/// What is still to be told at the end of a run may take this long.
const LAST_NOTICES: Duration = Duration::from_secs(20);
/// The same where the user wants to leave.
const IN_HASTE: Duration = Duration::from_secs(3);

/// Whoever tells about a session, if anybody does.
pub(super) struct Telling {
    notifier: Option<Notifier>,
    alerts: mpsc::Receiver<Alert>,
}

impl Telling {
    /// Nobody.
    pub(super) fn nothing() -> Self {
        Self {
            notifier: None,
            alerts: silence(),
        }
    }

    /// Tells in these ways what is worth it in the run of this engine.
    pub(super) fn start(ways: Ways, settings: &Settings, handle: &Handle) -> Self {
        if ways.are_none() {
            return Self::nothing();
        }
        let rules = Rules {
            after: settings.notify_after,
            trouble_after: settings.notify_trouble_after,
        };
        let (notifier, alerts) =
            Notifier::start(ways, rules, Patience::default(), handle.snapshots());
        Self {
            notifier: Some(notifier),
            alerts,
        }
    }

    /// The next thing the terminal is asked to do; `None` where nothing more can come.
    pub(super) async fn alert(&mut self) -> Option<Alert> {
        self.alerts.recv().await
    }

    /// Leaves what the terminal is asked to do to somebody else.
    pub(super) fn give_alerts(&mut self) -> mpsc::Receiver<Alert> {
        std::mem::replace(&mut self.alerts, silence())
    }

    /// Lets the end be told. The engine has ended by now.
    pub(super) async fn finish(&mut self, say: &mut StandardSay, is_in_haste: bool) {
        let patience = if is_in_haste { IN_HASTE } else { LAST_NOTICES };
        self.close(patience).await;
        while let Ok(alert) = self.alerts.try_recv() {
            say.alert(&alert);
        }
    }

    /// Ends it where nobody waits for more.
    pub(super) async fn close_in_haste(&mut self) {
        self.close(IN_HASTE).await;
    }

    async fn close(&mut self, patience: Duration) {
        if let Some(notifier) = self.notifier.take() {
            notifier.close(patience).await;
        }
    }
}

/// Alerts of which none ever comes.
pub(super) fn silence() -> mpsc::Receiver<Alert> {
    mpsc::channel(1).1
}
