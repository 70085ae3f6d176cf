//! The stub's command line. Written by our own runner, so it is read strictly and without help texts.

use std::ffi::OsString;
use std::time::Duration;

use rustix::process::Pid;

#[derive(Debug)]
pub(super) struct Options {
    pub(super) parent: Pid,
    pub(super) hold: Duration,
    pub(super) grace: Duration,
    pub(super) renewed_ms: u64,
    pub(super) command: Vec<OsString>,
}

#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) parent: Pid,
    pub(super) program: OsString,
    pub(super) args: Vec<OsString>,
}

#[derive(Debug)]
pub(super) enum Parsed {
    Supervise(Options),
    Leaf(Leaf),
}

pub(super) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Parsed, String> {
    let mut args = args.into_iter();
    let (mut leaf, mut parent, mut hold, mut grace, mut renewed) = (false, None, None, None, None);
    loop {
        let flag = args.next().ok_or("no -- before the command")?;
        let slot = match flag.to_str() {
            Some("--") => break,
            Some("--leaf") => {
                leaf = true;
                continue;
            }
            Some("--parent") => &mut parent,
            Some("--hold-ms") => &mut hold,
            Some("--grace-ms") => &mut grace,
            Some("--renewed-ms") => &mut renewed,
            _ => return Err(format!("unknown argument {flag:?}")),
        };
        let value = args.next().and_then(|v| v.to_str().and_then(|v| v.parse::<u64>().ok()));
        *slot = Some(value.ok_or_else(|| format!("{flag:?} needs a number"))?);
    }
    let parent = parent.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).ok_or("--parent needs the id of a process")?;
    let command: Vec<OsString> = args.collect();
    let (program, rest) = command.split_first().ok_or("no command after --")?;
    if leaf {
        return Ok(Parsed::Leaf(Leaf { parent, program: program.clone(), args: rest.to_vec() }));
    }
    let need = |value: Option<u64>, flag: &str| value.ok_or_else(|| format!("{flag} is missing"));
    Ok(Parsed::Supervise(Options {
        parent,
        hold: Duration::from_millis(need(hold, "--hold-ms")?),
        grace: Duration::from_millis(need(grace, "--grace-ms")?),
        renewed_ms: need(renewed, "--renewed-ms")?,
        command,
    }))
}
