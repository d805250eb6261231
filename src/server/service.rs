//! What systemd is told (sd_notify(3)): ready, stopping, and, as long as calls can be carried, that
//! the watchdog need not bark. Without systemd nobody is told anything.

use std::time::Duration;

use sd_notify::NotifyState;
use tracing::debug;

use crate::registry::Registry;

pub fn tell_ready() {
    tell(NotifyState::Ready);
}

pub fn tell_stopping() {
    tell(NotifyState::Stopping);
}

/// Calms the watchdog until a media worker has ended for good: then another process is better.
pub async fn calm_watchdog(registry: Registry) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    let mut beats = tokio::time::interval((limit / 2).max(Duration::from_millis(1)));
    while registry.shared().pool.is_whole() {
        beats.tick().await;
        tell(NotifyState::Watchdog);
    }
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        debug!(%error, "the service manager was not told");
    }
}
