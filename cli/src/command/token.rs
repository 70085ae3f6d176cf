//! `token`: for people and scripts.

use super::confirm;
use super::get::show;
use crate::client::{Client, segment};
use crate::error::Result;
use crate::exit::Exit;
use crate::output::{Format, Output, clean};
use crate::render::lists;
use clap::{Subcommand, ValueEnum};
use groundswell_api::dto::{List, Object, OperatorDto, OperatorRequest, OperatorTokenDto, Role};
use jiff::Timestamp;

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
    /// List tokens of people and scripts; never their secrets
    #[command(visible_alias = "ls", after_help = "Example:\n  groundswell token list")]
    List {
        /// Output
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Take a token away; it opens nothing from then on
    #[command(
        after_help = "Examples:\n  groundswell token revoke 3f9c02ab71\n  groundswell token revoke ci --yes\n\nThe id is the part of the token before the dot. The last admin's cannot be revoked."
    )]
    Revoke {
        /// Its id, or whose it is
        #[arg(value_name = "ID")]
        id: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
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
    match command {
        TokenCommand::Create { name, role, output } => create(name, *role, *output, client, out).await,
        TokenCommand::List { output } => {
            let answer = client.get::<List<OperatorDto>>("/v1/operators", &[]).await?;
            show(&answer, *output, out, |body| lists::operators(&body.items, *output, Timestamp::now()))
        }
        TokenCommand::Revoke { id, yes } => {
            confirm(out, &format!("Revoke the token {}", clean(id)), *yes)?;
            let answer = client.delete::<Object<OperatorDto>>(&format!("/v1/operators/{}", segment(id)), &[]).await?;
            let gone = &answer.body.body;
            out.data(&format!("operator/{} revoked, token {}\n", clean(&gone.name), clean(&gone.id)))?;
            Ok(Exit::Ok)
        }
    }
}

async fn create(name: &str, role: RoleWord, output: Format, client: &Client, out: &mut Output) -> Result<Exit> {
    let role = match role {
        RoleWord::Viewer => Role::Viewer,
        RoleWord::Operator => Role::Operator,
        RoleWord::Approver => Role::Approver,
        RoleWord::Admin => Role::Admin,
    };
    let answer = client.post::<Object<OperatorTokenDto>>("/v1/operators", &OperatorRequest { name: name.to_owned(), role }).await?;
    let made = clean(&answer.body.body.name);
    show(&answer, output, out, |body| match output {
        Format::Name => format!("operator/{}\n", clean(&body.body.name)),
        _ => format!("{}\n", clean(&body.body.token)),
    })?;
    out.note(&format!("the token of {made} is not stored and cannot be shown again"))?;
    Ok(Exit::Ok)
}
