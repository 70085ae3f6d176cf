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
