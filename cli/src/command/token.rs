//! `token`: for people and scripts.

use super::get::show;
use crate::client::Client;
use crate::error::Result;
use crate::exit::Exit;
use crate::output::{Format, Output, clean};
use clap::{Subcommand, ValueEnum};
use groundswell_api::dto::{Object, OperatorRequest, OperatorTokenDto, Role};

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token for a person or a script; it is printed once
    #[command(after_help = "Example:\n  groundswell token create ci --role operator > ci.token")]
    Create {
        /// Whose it is, as the audit log will show it
        name: String,
        /// What it may do; each role may do all that the ones before it may
        #[arg(long, value_enum)]
        role: RoleWord,
        /// table prints the token alone
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RoleWord {
    /// Reads
    Viewer,
    /// Applies, pauses, retries, goes back
    Operator,
    /// Approves waves
    Approver,
    /// Tokens, revocation, deletion
    Admin,
}

pub(crate) async fn run(command: &TokenCommand, client: &Client, out: &mut Output) -> Result<Exit> {
    let TokenCommand::Create { name, role, output } = command;
    let role = match role {
        RoleWord::Viewer => Role::Viewer,
        RoleWord::Operator => Role::Operator,
        RoleWord::Approver => Role::Approver,
        RoleWord::Admin => Role::Admin,
    };
    let answer = client.post::<Object<OperatorTokenDto>>("/v1/operators", &OperatorRequest { name: name.clone(), role }).await?;
    let made = clean(&answer.body.body.name);
    show(&answer, *output, out, |body| match output {
        Format::Name => format!("operator/{}\n", clean(&body.body.name)),
        _ => format!("{}\n", clean(&body.body.token)),
    })?;
    out.note(&format!("the token of {made} is not stored and cannot be shown again"))?;
    Ok(Exit::Ok)
}
