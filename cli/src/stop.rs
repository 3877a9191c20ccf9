//! Ctrl-C and SIGTERM: the first drains, the second leaves now.

use rescind_core::engine::Stop;

use crate::output::remark;

/// Ties the signals of this process to a stop. Must be called inside the runtime.
pub(crate) fn on_signals(quiet: bool) -> Stop {
    let stop = Stop::new();
    let watched = stop.clone();
    // Listens from here on, so that no signal falls between two looks.
    let mut signals = Signals::listen();
    tokio::spawn(async move {
        signals.next().await;
        watched.drain.cancel();
        if !quiet {
            remark(
                "Stopping: no new calls; waiting for those in flight (up to 10 s). Once more leaves now, just as safely.",
            );
        }
        signals.next().await;
        watched.abort.cancel();
    });
    stop
}

#[cfg(unix)]
struct Signals {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
        }
    }

    async fn next(&mut self) {
        tokio::select! {
            () = received(&mut self.interrupt) => {}
            () = received(&mut self.terminate) => {}
        }
    }
}

/// Waits for a signal; for ever where it cannot be listened to.
#[cfg(unix)]
async fn received(signal: &mut Option<tokio::signal::unix::Signal>) {
    let came = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if came.is_none() {
        std::future::pending::<()>().await;
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Self {
        Self
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
