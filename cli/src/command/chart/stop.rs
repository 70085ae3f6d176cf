//! The end that somebody else asks for.

use crate::exit::Exit;
use std::future::Future;
use std::io;

/// Ctrl-C, SIGTERM and SIGHUP, caught from the moment that this is made, so that what is left behind can be cleared away. They all
/// end with 130: to a script they are the same, and the table of exit codes has no other.
pub(crate) struct Stop {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 3],
}

impl Stop {
    /// Begins to listen.
    pub(crate) fn listen() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let signals = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
            Ok(Self { signals })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Does the work, unless it is stopped: then the work is dropped, with its folders and helms.
    pub(crate) async fn or<T>(mut self, work: impl Future<Output = T>) -> Result<T, Exit> {
        tokio::select! {
            biased;
            () = self.asked() => Err(Exit::Interrupted),
            done = work => Ok(done),
        }
    }

    #[cfg(unix)]
    async fn asked(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }

    #[cfg(not(unix))]
    async fn asked(&mut self) {
        // Where it cannot be listened for, the system ends the command.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_signal_drops_the_work_with_its_folder() {
        for signal in ["-TERM", "-HUP", "-INT"] {
            let stop = Stop::listen().unwrap();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().to_owned();
            let work = async move {
                let _folder = folder;
                let id = std::process::id().to_string();
                assert!(tokio::process::Command::new("kill").args([signal, &id]).status().await.unwrap().success());
                std::future::pending::<()>().await;
            };
            assert_eq!(stop.or(work).await, Err(Exit::Interrupted), "{signal}");
            assert!(!path.exists(), "{signal} leaves {}", path.display());
        }
        assert_eq!(Stop::listen().unwrap().or(async { 1 }).await, Ok(1));
    }
}
