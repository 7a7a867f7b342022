//! Who asks: the authenticated user as authorization sees it.

use bson::{Binary, spec::BinarySubtype};
use sha2::{Digest, Sha256};

use super::privileges::Privileges;
use crate::names::{RoleName, UserName};

/// An authenticated user, or a cluster member, with what it may do. Never changes: a user whose roles change gets a new one.
#[derive(Debug)]
pub struct Principal {
    name: UserName,
    roles: Vec<RoleName>,
    granted: Vec<RoleName>,
    privileges: Privileges,
    digest: [u8; 32],
}

impl Principal {
    /// A user with its roles (inherited ones too) and privileges.
    #[must_use]
    pub fn new(name: UserName, roles: Vec<RoleName>, privileges: Privileges) -> Self {
        let digest = Sha256::digest(name.to_string()).into();
        Self { name, roles, granted: Vec::new(), privileges, digest }
    }

    /// The same with the roles that it was granted itself, without those that come by other roles.
    #[must_use]
    pub fn with_granted(self, granted: Vec<RoleName>) -> Self {
        Self { granted, ..self }
    }

    /// A cluster member, `__system`@`local`: it may do everything.
    #[must_use]
    pub fn member() -> Self {
        Self::new(UserName::system(), Vec::new(), Privileges::everything())
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &UserName {
        &self.name
    }

    /// Whether this is its name.
    #[must_use]
    pub fn is(&self, user: &str, database: &str) -> bool {
        self.name.name == user && self.name.database == database
    }

    /// All roles, inherited ones too.
    #[must_use]
    pub fn roles(&self) -> &[RoleName] {
        &self.roles
    }

    /// Whether it was granted a role itself, and not by way of another role. Of its own roles everybody may see what they allow.
    #[must_use]
    pub fn was_granted(&self, role: &str, database: &str) -> bool {
        self.granted.iter().any(|granted| granted.role == role && granted.database == database)
    }

    /// What it may do.
    #[must_use]
    pub const fn privileges(&self) -> &Privileges {
        &self.privileges
    }

    /// Whether both are of the same name and may do the same.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || (self.name == other.name && self.privileges == other.privileges)
    }

    /// The SHA-256 of `user@db`, by which logical sessions belong to their users (fact sheet section 8.5).
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The digest as it stands in the `uid` of a logical session.
    #[must_use]
    pub fn uid(&self) -> Binary {
        Binary { subtype: BinarySubtype::Generic, bytes: self.digest.to_vec() }
    }
}
