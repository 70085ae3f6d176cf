//! `completion`.

use crate::error::Result;
use crate::exit::Exit;
use crate::output::Output;
use clap_complete::Shell;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  source <(groundswell completion bash)\n  groundswell completion zsh > ~/.zfunc/_groundswell")]
pub(crate) struct CompletionArgs {
    /// Which shell
    shell: Shell,
}

pub(crate) fn run(args: &CompletionArgs, command: &mut clap::Command, out: &mut Output) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "groundswell", &mut script);
    out.data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}
