//! The end that somebody else asks for.

use crate::exit::Exit;
use std::future::Future;
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Longest time from a signal to the end. Folders and helms are cleared away in milliseconds; work that never lets go of its thread
/// is not waited for.
const GRACE: Duration = Duration::from_secs(3);

/// Ctrl-C, SIGTERM and SIGHUP, caught from the moment that this is made, so that what is left behind can be cleared away. They all
/// end with 130: to a script they are the same, and the table of exit codes has no other.
pub(crate) struct Stop {
    signals: Signals,
    /// Held for as long as the work goes on.
    going: Arc<()>,
}

impl Stop {
    /// Begins to listen.
    pub(crate) fn listen() -> io::Result<Self> {
        let stop = Self { signals: Signals::listen()?, going: Arc::new(()) };
        let asked = || Signals::listen().map(|mut signals| async move { signals.asked().await });
        watch(Arc::downgrade(&stop.going), GRACE, asked, end)?;
        Ok(stop)
    }

    /// Does the work, unless it is stopped: then the work is dropped, with its folders and helms.
    pub(crate) async fn or<T>(mut self, work: impl Future<Output = T>) -> Result<T, Exit> {
        let _going = self.going;
        tokio::select! {
            biased;
            () = self.signals.asked() => Err(Exit::Interrupted),
            done = work => Ok(done),
        }
    }
}

#[expect(clippy::exit, reason = "the thread that should end the command does not come to it")]
fn end() {
    std::process::exit(i32::from(Exit::Interrupted as u8));
}

/// Waits on a thread of its own too: what computes or writes on the main thread keeps that one from hearing anything.
fn watch<F>(going: Weak<()>, grace: Duration, listen: impl FnOnce() -> io::Result<F>, end: impl FnOnce() + Send + 'static) -> io::Result<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asked = {
        let _runtime = runtime.enter();
        listen()?
    };
    let wait = move || {
        runtime.block_on(async {
            asked.await;
            tokio::time::sleep(grace).await;
        });
        if going.upgrade().is_some() {
            end();
        }
    };
    std::thread::Builder::new().name("stop".to_owned()).spawn(wait).map(drop)
}

struct Signals {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 3],
}

impl Signals {
    fn listen() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let signals = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
            Ok(Self { signals })
        }
        #[cfg(not(unix))]
        Ok(Self {})
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
    use std::sync::mpsc;

    /// Signals are for the whole process, in which other tests listen for them, too: this one has a process of its own.
    #[test]
    fn a_signal_drops_the_work_with_its_folder() {
        const ALONE: &str = "GROUNDSWELL_TEST_ALONE";
        let signalled = async {
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
        };
        if std::env::var_os(ALONE).is_some() {
            return tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(signalled);
        }
        let name = "command::chart::stop::tests::a_signal_drops_the_work_with_its_folder";
        let alone = std::process::Command::new(std::env::current_exe().unwrap()).args(["--exact", name]).env(ALONE, "1").output().unwrap();
        let said = String::from_utf8_lossy(&alone.stdout);
        assert!(alone.status.success() && said.contains("1 passed"), "{said}");
    }

    #[test]
    fn work_that_never_lets_go_is_ended_from_outside() {
        let (ended, end) = mpsc::sync_channel(1);
        let going = Arc::new(());
        let asked = || Ok(std::future::ready(()));
        watch(Arc::downgrade(&going), Duration::ZERO, asked, move || ended.send(()).unwrap()).unwrap();
        assert_eq!(end.recv_timeout(Duration::from_secs(30)), Ok(()));
    }

    #[test]
    fn work_that_has_let_go_is_not() {
        let (ended, end) = mpsc::sync_channel::<()>(1);
        watch(Weak::new(), Duration::ZERO, || Ok(std::future::ready(())), move || ended.send(()).unwrap()).unwrap();
        // The thread goes without a word, and with it its end of the channel.
        assert_eq!(end.recv_timeout(Duration::from_secs(30)), Err(mpsc::RecvTimeoutError::Disconnected));
    }
}
