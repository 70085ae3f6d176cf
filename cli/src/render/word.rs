//! A glyph, a word and a colour for each state; never the colour alone.

use anstyle::{AnsiColor, Style};
use comfy_table::Color;
use groundswell_api::dto::{PresenceState, RolloutState, TurnCounts, TurnState, WaveState};

/// How a state is shown.
#[derive(Clone, Copy)]
pub(crate) struct Word {
    glyph: &'static str,
    word: &'static str,
    tone: Tone,
}

#[derive(Clone, Copy)]
enum Tone {
    Good,
    Bad,
    Busy,
    Held,
    Plain,
}

impl Word {
    /// `✓ succeeded`.
    pub(crate) fn plain(self) -> String {
        format!("{} {}", self.glyph, self.word)
    }

    /// The same in its colour, for a stream that strips what it cannot show.
    pub(crate) fn painted(self) -> String {
        let style = match self.tone {
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Bad => AnsiColor::Red.on_default(),
            Tone::Busy => AnsiColor::Cyan.on_default(),
            Tone::Held => AnsiColor::Yellow.on_default(),
            Tone::Plain => Style::new(),
        };
        format!("{style}{}{style:#}", self.plain())
    }

    /// The colour for a cell of a table.
    pub(crate) fn colour(self) -> Option<Color> {
        match self.tone {
            Tone::Good => Some(Color::Green),
            Tone::Bad => Some(Color::Red),
            Tone::Busy => Some(Color::Cyan),
            Tone::Held => Some(Color::Yellow),
            Tone::Plain => None,
        }
    }
}

const fn word(glyph: &'static str, word: &'static str, tone: Tone) -> Word {
    Word { glyph, word, tone }
}

pub(crate) fn rollout(state: RolloutState) -> Word {
    match state {
        RolloutState::Running => word("▶", "running", Tone::Busy),
        RolloutState::Paused => word("‖", "paused", Tone::Held),
        RolloutState::Halted => word("✗", "halted", Tone::Bad),
        RolloutState::RollingBack => word("◀", "rolling back", Tone::Bad),
        RolloutState::Succeeded => word("✓", "succeeded", Tone::Good),
        RolloutState::SucceededWithDebt => word("✓", "succeeded with debt", Tone::Held),
        RolloutState::RolledBack => word("✗", "rolled back", Tone::Bad),
        RolloutState::Superseded => word("»", "superseded", Tone::Held),
        RolloutState::Aborted => word("✗", "aborted", Tone::Bad),
    }
}

pub(crate) fn wave(state: WaveState) -> Word {
    match state {
        WaveState::Waiting => word("·", "waiting", Tone::Plain),
        WaveState::Open => word("▶", "open", Tone::Busy),
        WaveState::Baking => word("~", "baking", Tone::Busy),
        WaveState::AwaitingApproval => word("?", "awaiting approval", Tone::Held),
        WaveState::Promoted => word("✓", "promoted", Tone::Good),
        WaveState::Stopped => word("-", "stopped", Tone::Held),
    }
}

pub(crate) fn turn(state: TurnState) -> Word {
    match state {
        TurnState::Waiting => word("·", "waiting", Tone::Plain),
        TurnState::InFlight => word("▶", "in flight", Tone::Busy),
        TurnState::Succeeded => word("✓", "succeeded", Tone::Good),
        TurnState::Failed => word("✗", "failed", Tone::Bad),
        TurnState::TimedOut => word("✗", "timed out", Tone::Bad),
        TurnState::Skipped => word("-", "skipped", Tone::Held),
        TurnState::Owed => word("-", "owed", Tone::Held),
        TurnState::RolledBack => word("◀", "rolled back", Tone::Held),
        TurnState::RollingBack => word("◀", "rolling back", Tone::Bad),
        TurnState::Superseded => word("»", "superseded", Tone::Held),
    }
}

pub(crate) fn presence(state: PresenceState) -> Word {
    match state {
        PresenceState::Online => word("✓", "online", Tone::Good),
        PresenceState::Offline => word("?", "offline", Tone::Held),
        PresenceState::Never => word("·", "never seen", Tone::Plain),
        PresenceState::Revoked => word("✗", "revoked", Tone::Bad),
    }
}

/// `3 succeeded, 1 failed`: only what there is, the best first.
pub(crate) fn counts(counts: TurnCounts) -> String {
    let TurnCounts { waiting, in_flight, succeeded, failed, timed_out, skipped, owed, rolled_back, rolling_back, superseded } = counts;
    let parts = [
        (succeeded, "succeeded"),
        (in_flight, "in flight"),
        (failed, "failed"),
        (timed_out, "timed out"),
        (rolling_back, "rolling back"),
        (rolled_back, "rolled back"),
        (superseded, "superseded"),
        (skipped, "skipped"),
        (owed, "owed"),
        (waiting, "waiting"),
    ];
    let said: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    if said.is_empty() { "no clusters".to_owned() } else { said.join(", ") }
}
