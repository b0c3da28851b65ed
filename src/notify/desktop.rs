//! Notices on the desktop: by D-Bus on Linux and the BSDs, by the system's own way elsewhere.

use notify_rust::Notification;

use super::delivery::Failed;
use super::notice::Notice;
use crate::base::shown;

fn notification(notice: &Notice) -> Notification {
    let mut notification = Notification::new();
    notification
        .appname("batchtop")
        .summary(&notice.title)
        .body(&notice.text);
    notification
}

fn failed(error: &notify_rust::error::Error) -> Failed {
    Failed::for_good(shown(&error.to_string()))
}

/// Shows it.
#[cfg(all(unix, not(target_os = "macos")))]
pub(super) async fn show(notice: &Notice) -> Result<(), Failed> {
    let result = notification(notice).show_async().await;
    result.map(|_| ()).map_err(|error| failed(&error))
}

/// Shows it, on a thread of its own because the system's way blocks.
#[cfg(not(all(unix, not(target_os = "macos"))))]
pub(super) async fn show(notice: &Notice) -> Result<(), Failed> {
    let notification = notification(notice);
    let shown = tokio::task::spawn_blocking(move || {
        let result = notification.show();
        result.map(|_| ()).map_err(|error| failed(&error))
    });
    let failed = |_| Failed::for_good("the desktop's own program has failed");
    shown.await.map_err(failed)?
}
