//! How the user store is asked for a user: by its name, or for the roles that its certificate brings.
//!
//! Roles are always resolved by the upstream. Source: fact sheet "Authentication and authorization semantics", section 3.4.

use std::sync::Arc;

use bson::raw::{RawArrayBuf, RawDocument, RawDocumentBuf};
use bson::rawdoc;

use super::users::{UserDocumentError, UserLookup, UserRecord};
use super::values::document;
use crate::names::{RoleName, UserName};

/// A user that the store is asked for. With roles of its own the user need not exist, and one that does lends it nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserRequest {
    /// The name.
    pub name: UserName,
    /// The roles that the certificate brings; empty for a user that the store has.
    pub roles: Vec<RoleName>,
}

impl From<UserName> for UserRequest {
    fn from(name: UserName) -> Self {
        Self { name, roles: Vec::new() }
    }
}

impl UserRequest {
    /// The name of the command that asks.
    #[must_use]
    pub const fn command_name(&self) -> &'static str {
        if self.roles.is_empty() { "usersInfo" } else { "rolesInfo" }
    }

    /// The command that asks.
    #[must_use]
    pub fn command(&self) -> RawDocumentBuf {
        if self.roles.is_empty() {
            return UserRecord::users_info_command(&self.name);
        }
        let mut roles = RawArrayBuf::new();
        for role in &self.roles {
            roles.push(rawdoc! { "role": role.role.as_str(), "db": role.database.as_str() });
        }
        // So does a mongos ask: one answer for all roles, in the form of a user's document.
        rawdoc! { "rolesInfo": roles, "showPrivileges": "asUserFragment", "showAuthenticationRestrictions": true, "$db": "admin" }
    }

    /// Reads the reply to [`Self::command`].
    ///
    /// # Errors
    /// [`UserDocumentError`] when the reply is not one, or its user can not be read.
    pub fn read(&self, reply: &RawDocument) -> Result<UserLookup, UserDocumentError> {
        if self.roles.is_empty() {
            return UserLookup::from_reply(reply);
        }
        let fragment = document(reply, "userFragment").ok_or(UserDocumentError("userFragment"))?;
        UserRecord::from_fragment(&self.name, fragment).map(Arc::new).map(UserLookup::Found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> UserRequest {
        let role = |role: &str| RoleName { role: role.to_owned(), database: "app".to_owned() };
        UserRequest { roles: vec![role("outer"), role("nosuch")], ..UserName::new("CN=x", "$external").into() }
    }

    #[test]
    fn roles_of_a_certificate_are_resolved_by_the_upstream() {
        let fragment = rawdoc! {
            "roles": [{ "role": "outer", "db": "app" }, { "role": "nosuch", "db": "app" }],
            "inheritedRoles": [{ "role": "outer", "db": "app" }, { "role": "nosuch", "db": "app" }, { "role": "inner", "db": "app" }],
            "inheritedPrivileges": [{ "resource": { "cluster": true }, "actions": ["top"] }],
            "inheritedAuthenticationRestrictions": [[{ "clientSource": ["10.0.0.0/8"] }]],
        };
        let found = request().read(&rawdoc! { "userFragment": fragment, "ok": 1.0 });
        let Ok(UserLookup::Found(record)) = found else { panic!("{found:?}") };
        let roles: Vec<_> = record.roles.iter().map(|role| role.role.as_str()).collect();
        assert_eq!(roles, ["inner", "nosuch", "outer"]);
        assert!(record.external && record.privileges().is_some());
        assert!(!record.may_connect(Some([127, 0, 0, 1].into()), None));
    }

    #[test]
    fn an_answer_without_privileges_makes_no_user() {
        assert!(request().read(&rawdoc! { "roles": [], "ok": 1.0 }).is_err());
        assert!(request().read(&rawdoc! { "userFragment": { "inheritedRoles": [] }, "ok": 1.0 }).is_err());
    }
}
