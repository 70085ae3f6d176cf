//! Operators, their tokens and roles.

use super::enrolment::{hash_secret, new_secret, same_secret};
use super::records::{Key, OperatorRecord, Role};
use super::{Coordinator, CoordinatorError, Refused};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// What the audit log calls them.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

impl Coordinator {
    /// Who a bearer token belongs to.
    pub fn authenticate(&self, token: &str) -> Option<Who> {
        let (id, secret) = token.split_once('.')?;
        let state = self.state();
        let record = state.operators.get(id)?;
        same_secret(&record.hash, secret).then(|| Who { name: record.name.clone(), role: record.role })
    }

    /// Makes an operator and their token, which is never to be had again.
    ///
    /// # Errors
    /// A name that is taken, empty or too long.
    pub async fn create_operator(&self, name: &str, role: Role, by: &str) -> Result<String, CoordinatorError> {
        let (id, secret) = new_secret();
        self.write(|state, draft| {
            let what = format!("operator {:?}", name.chars().take(80).collect::<String>());
            if name.is_empty() || name.len() > 80 || name.chars().any(|c| c.is_control() || c == '/') {
                return Err(Refused::invalid("GS-OPERATOR", what, "a name has 1 to 80 printable characters, without '/'").into());
            }
            // The audit log must not leave open who it was.
            if name == "planner" || name == "server" || state.operators.values().any(|record| record.name == name) {
                return Err(Refused::conflict("GS-OPERATOR", what, "the name is taken").into());
            }
            let record = OperatorRecord { name: name.to_owned(), hash: hash_secret(&secret), role, created_at: draft.now() };
            draft.put(&Key::Operator(id.clone()), &record);
            draft.audit(by, "operator.create", format!("operator/{name}"), format!("{role:?}"));
            Ok(())
        })
        .await?;
        Ok(format!("{id}.{secret}"))
    }

    /// Takes an operator's token away; it opens nothing from then on. By its id, or by whose it is.
    ///
    /// # Errors
    /// No such operator, or the last admin, without whom nobody could make another.
    pub async fn revoke_operator(&self, wanted: &str, by: &str) -> Result<(String, OperatorRecord), CoordinatorError> {
        self.write(|state, draft| {
            let found = state.operators.get_key_value(wanted).or_else(|| state.operators.iter().find(|(_, record)| record.name == wanted));
            let what = || format!("operator {:?}", wanted.chars().take(80).collect::<String>());
            let (id, record) = found.ok_or_else(|| Refused::not_found(what(), "groundswell token list"))?;
            let admins = state.operators.values().filter(|record| record.role == Role::Admin).count();
            if record.role == Role::Admin && admins == 1 {
                let why = "it is the last admin's; without it nobody could make another";
                let refused = Refused::conflict("GS-LAST-ADMIN", format!("revoke the token of {}", record.name), why);
                return Err(refused.next("groundswell token create NAME --role admin, and revoke this one with it").into());
            }
            draft.delete(&Key::Operator(id.clone()));
            draft.audit(by, "operator.revoke", format!("operator/{}", record.name), format!("token {id}, {:?}", record.role));
            Ok((id.clone(), record.clone()))
        })
        .await
    }

    /// At the first start of all: an admin's token, to be written to a file of mode 0600. `None` once there is an operator.
    ///
    /// # Errors
    /// The store failed.
    pub async fn bootstrap_admin(&self) -> Result<Option<String>, CoordinatorError> {
        if !self.state().operators.is_empty() {
            return Ok(None);
        }
        self.create_operator("admin", Role::Admin, "server").await.map(Some)
    }
}
