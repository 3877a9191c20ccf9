//! Ctrl-C and SIGTERM: the first drains, the second leaves now.

use rescind_core::engine::Stop;

use crate::output::remark;

/// Ties the signals of this process to a stop. Must be called inside the runtime.
pub(crate) fn on_signals(quiet: bool) -> Stop {
    let stop = Stop::new();
    let watched = stop.clone();
    tokio::spawn(async move {
        next_signal().await;
        watched.drain.cancel();
        if !quiet {
            remark(
                "Stopping: no new calls; waiting for those in flight (up to 10 s). Once more leaves now, just as safely.",
            );
        }
        next_signal().await;
        watched.abort.cancel();
    });
    stop
}

#[cfg(unix)]
async fn next_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => {
            if interrupted.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(not(unix))]
async fn next_signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
