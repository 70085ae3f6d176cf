//! A refusal or failure, as the operator reads it: what, where, why, and the next command.

use crate::exit::Exit;
use crate::output::{Output, clean};
use groundswell_api::document::Problem;
use groundswell_api::dto::ErrorDto;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// Nothing is printed for a reader that closed its end.
    pub(crate) silent: bool,
    pub(crate) errors: Vec<ErrorDto>,
    /// Problems of documents are shown with their lines.
    pub(crate) problems: Vec<Problem>,
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl Into<String>, why: impl Into<String>, next: impl Into<String>) -> Self {
        let error = ErrorDto { what: what.into(), why: why.into(), next: next.into(), ..ErrorDto::default() };
        Self { exit, silent: false, errors: vec![error], problems: Vec::new() }
    }

    pub(crate) fn error(what: impl Into<String>, why: impl std::fmt::Display, next: impl Into<String>) -> Self {
        Self::new(Exit::Error, what, why.to_string(), next)
    }

    pub(crate) fn usage(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what, "", next)
    }

    pub(crate) fn problems(problems: Vec<Problem>) -> Self {
        Self { exit: Exit::Error, silent: false, errors: Vec::new(), problems }
    }

    /// What the server said, with the exit code of its status.
    pub(crate) fn refused(status: u16, mut error: ErrorDto) -> Self {
        let exit = match status {
            401 | 403 => Exit::Denied,
            409 | 412 => Exit::Conflict,
            _ => Exit::Error,
        };
        if error.next.is_empty() && status == 401 {
            error.next =
                "set GROUNDSWELL_TOKEN or GROUNDSWELL_TOKEN_FILE; the server wrote its first admin token to a file at its first start"
                    .to_owned();
        }
        let mut errors = vec![error];
        let more = std::mem::take(&mut errors[0].more);
        errors.extend(more);
        Self { exit, silent: false, errors, problems: Vec::new() }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        let mut failure = Self::error("cannot write the output", &error, "");
        failure.silent = error.kind() == std::io::ErrorKind::BrokenPipe;
        failure
    }
}

/// An error with all its sources, none repeated.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = inner.source();
    }
    text
}

/// Prints a failure; the answer is what the process ends with.
pub(crate) fn finish(done: Result<Exit>, out: &mut Output) -> Exit {
    match done {
        Ok(exit) => exit_after(out.flush(), exit),
        // Not 0: what the command would have said of a rollout or a path is not that all is well.
        Err(failure) if failure.silent => Exit::Unread,
        Err(failure) => {
            let text = show(&failure);
            // Where even stderr is gone nobody is left to be told.
            let _ = out.flush().and_then(|()| out.err(&text));
            failure.exit
        }
    }
}

fn exit_after(flushed: std::io::Result<()>, exit: Exit) -> Exit {
    match flushed {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Exit::Error,
        _ => exit,
    }
}

fn show(failure: &Failure) -> String {
    let red = anstyle::AnsiColor::Red.on_default().effects(anstyle::Effects::BOLD);
    let mut text = String::new();
    for problem in &failure.problems {
        text.push_str(&format!("{red}error{red:#}: {}\n", clean_lines(&problem.to_string())));
    }
    for error in &failure.errors {
        let place = error.place.as_deref().map(|place| format!("{}: ", clean(place))).unwrap_or_default();
        let code = if error.code.is_empty() { String::new() } else { format!(" [{}]", clean(&error.code)) };
        text.push_str(&format!("{red}error{red:#}: {place}{}{code}\n", clean(&error.what)));
        for (label, line) in [("why", &error.why), ("next", &error.next)] {
            if !line.is_empty() {
                text.push_str(&format!("  {label}: {}\n", clean_lines(line).replace('\n', "\n       ")));
            }
        }
    }
    text
}

fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_where_why_and_next() {
        let error = ErrorDto {
            code: "GS-CONFLICT".into(),
            what: "revision moved".into(),
            place: Some("r.yaml:3:1".into()),
            why: "it is 4".into(),
            next: "groundswell get releases".into(),
            more: vec![ErrorDto { what: "and \u{1b}[31mthis".into(), ..ErrorDto::default() }],
        };
        let failure = Failure::refused(409, error);
        assert_eq!(failure.exit, Exit::Conflict);
        let plain = anstream::adapter::strip_str(&show(&failure)).to_string();
        insta::assert_snapshot!(plain, @r"
        error: r.yaml:3:1: revision moved [GS-CONFLICT]
          why: it is 4
          next: groundswell get releases
        error: and �[31mthis
        ");
    }

    #[test]
    fn a_reader_that_went_away_is_told_nothing_and_no_verdict_is_made_up() {
        struct Closed;
        impl std::io::Write for Closed {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut out = Output::captured(Closed, Closed);
        let written = out.data("x\n").map(|()| Exit::Blocked).map_err(Failure::from);
        assert_eq!(finish(written, &mut out), Exit::Unread);
        assert_eq!(finish(Ok(Exit::Blocked), &mut out), Exit::Blocked, "what is known is said");
    }

    #[test]
    fn exit_codes_follow_the_status() {
        for (status, exit) in
            [(401, Exit::Denied), (403, Exit::Denied), (409, Exit::Conflict), (412, Exit::Conflict), (404, Exit::Error), (500, Exit::Error)]
        {
            assert_eq!(Failure::refused(status, ErrorDto::default()).exit, exit, "{status}");
        }
    }
}
