//! The exit codes. They are an interface: scripts branch on them, so they never change.

use std::process::ExitCode;

/// Why the command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Ok = 0,
    /// Anything without a code of its own.
    Error = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// There are changes: of `plan` only with `--exit-code`, of `chart diff` always.
    Changes = 3,
    /// The token is missing, wrong, or may not do this.
    Denied = 4,
    /// The rollout failed or was rolled back.
    Failed = 5,
    /// At the timeout the rollout was paused or awaited an approval.
    Paused = 6,
    /// At the timeout the rollout was still going.
    Timeout = 7,
    /// Something moved in the meantime: a revision, a plan, a newer rollout.
    Conflict = 8,
    /// What changes cannot go as it is: an upgrade that is blocked, a path that does not exist.
    Blocked = 9,
    /// Ctrl-C; the rollout goes on.
    Interrupted = 130,
    /// What reads the output closed its end before all was written, as `head` does. A shell says the same of SIGPIPE.
    Unread = 141,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The table for `--help`.
pub(crate) const TABLE: &str = "\
Exit codes:
  0    done
  1    error
  2    usage
  3    there are changes (chart diff; plan with --exit-code)
  4    the token is missing, wrong, or may not do this
  5    the rollout failed, was aborted or was rolled back
  6    paused or awaiting an approval at the timeout
  7    still going at the timeout
  8    conflict: a revision, a plan or the rollout was overtaken
  9    blocked: the upgrade cannot go as it is, or there is no path
  130  interrupted; a rollout goes on by itself
  141  whoever read the output went away before the end";
