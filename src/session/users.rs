//! Users as the user store has them: what `usersInfo` says, read once.
//!
//! The store's server sorts a user's roles by database and role in `connectionStatus`; so is it done here. Source: fact sheet
//! "Authentication and authorization semantics", sections 2.3, 2.5, 2.7 and 8.1.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use bson::raw::{RawArray, RawArrayBuf, RawBson, RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use bson::rawdoc;

use super::picture::copy_without;
use super::values::{document, element, text, value};
use crate::authz::principal::Principal;
use crate::authz::privileges::Privileges;
use crate::config::cidr::Cidr;
use crate::names::{EXTERNAL, RoleName, UserName};
use crate::scram::{Credential, Mechanism};

/// What the user store said when it was asked for a user.
#[derive(Clone, Debug)]
pub enum UserLookup {
    /// The user.
    Found(Arc<UserRecord>),
    /// There is no such user.
    NotFound,
}

/// A user document that can not be used. The user can then not log in, which is the safe side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the user document's field {0} is missing or can not be read")]
pub struct UserDocumentError(pub(super) &'static str);

/// Where a user may connect from and to; both lists empty is anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Restriction {
    client_source: Option<Vec<Cidr>>,
    server_address: Option<Vec<Cidr>>,
}

/// A user, as far as authentication and `connectionStatus` need it.
#[derive(Clone)]
pub struct UserRecord {
    /// The name.
    pub name: UserName,
    /// The credential for SCRAM-SHA-1, if there is one.
    pub sha1: Option<Arc<Credential>>,
    /// The credential for SCRAM-SHA-256, if there is one.
    pub sha256: Option<Arc<Credential>>,
    /// Whether the user is authenticated by something outside, such as a certificate.
    pub external: bool,
    /// All roles, inherited ones too, sorted by database and role.
    pub roles: Vec<RoleName>,
    /// The user as authorization sees it.
    pub principal: Arc<Principal>,
    /// The user document, `usersInfo` with `showPrivileges`, without the credentials.
    pub document: RawDocumentBuf,
    /// Sets of restrictions: of each set, one has to be met.
    restrictions: Vec<Vec<Restriction>>,
}

impl fmt::Debug for UserRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("UserRecord").field("name", &self.name).field("roles", &self.roles).finish_non_exhaustive()
    }
}

impl UserRecord {
    /// The command by which the user store is asked for a user, in the way that [`UserLookup::from_reply`] expects.
    #[must_use]
    pub fn users_info_command(user: &UserName) -> RawDocumentBuf {
        rawdoc! {
            "usersInfo": { "user": user.name.as_str(), "db": user.database.as_str() },
            "showCredentials": true,
            "showPrivileges": true,
            "showAuthenticationRestrictions": true,
            "$db": "admin",
        }
    }

    /// Reads one user document of a reply to [`users_info_command`](Self::users_info_command).
    ///
    /// # Errors
    /// [`UserDocumentError`] for the first field that can not be read; a credential or a restriction that can not be understood
    /// makes the whole user unusable.
    pub fn from_users_info(user: &RawDocument) -> Result<Self, UserDocumentError> {
        let name = text(user, "user").ok_or(UserDocumentError("user"))?;
        let database = text(user, "db").ok_or(UserDocumentError("db"))?;
        let credentials = document(user, "credentials").ok_or(UserDocumentError("credentials"))?;
        let mut roles = read_roles(user, "inheritedRoles").ok_or(UserDocumentError("inheritedRoles"))?;
        roles.sort_by(|one, other| (&one.database, &one.role).cmp(&(&other.database, &other.role)));
        let privileges = value(user, "inheritedPrivileges").and_then(RawBsonRef::as_array);
        let privileges = Privileges::from_inherited(privileges.ok_or(UserDocumentError("inheritedPrivileges"))?);
        let name = UserName::new(name, database);
        Ok(Self {
            principal: Arc::new(
                Principal::new(name.clone(), roles.clone(), privileges)
                    .with_granted(read_roles(user, "roles").unwrap_or_default()),
            ),
            name,
            sha1: read_credential(credentials, Mechanism::ScramSha1)?,
            sha256: read_credential(credentials, Mechanism::ScramSha256)?,
            external: database == EXTERNAL,
            roles,
            document: copy_without(user, &["credentials"]),
            restrictions: read_all_restrictions(user).ok_or(UserDocumentError("authenticationRestrictions"))?,
        })
    }

    /// A user that exists by its certificate alone; `fragment` is what the upstream made of the certificate's roles.
    ///
    /// # Errors
    /// As of [`Self::from_users_info`].
    pub fn from_fragment(name: &UserName, fragment: &RawDocument) -> Result<Self, UserDocumentError> {
        let mut user = rawdoc! {
            "user": name.name.as_str(), "db": name.database.as_str(), "credentials": {},
        };
        for element in fragment.iter_elements().filter_map(Result::ok) {
            if let (false, Ok(value)) = (["user", "db", "credentials"].contains(&element.key().as_str()), element.value()) {
                user.append(element.key(), RawBson::from(value));
            }
        }
        if element(fragment, "authenticationRestrictions").is_none() {
            user.append(cstr!("authenticationRestrictions"), RawArrayBuf::new());
        }
        Self::from_users_info(&user)
    }

    /// The credential for a mechanism.
    #[must_use]
    pub const fn credential(&self, mechanism: Mechanism) -> Option<&Arc<Credential>> {
        match mechanism {
            Mechanism::ScramSha1 => self.sha1.as_ref(),
            Mechanism::ScramSha256 => self.sha256.as_ref(),
        }
    }

    /// Whether the user's authentication restrictions let it in from `client` to `server`; `None` is a unix socket, which no
    /// restriction names.
    #[must_use]
    pub fn may_connect(&self, client: Option<IpAddr>, server: Option<IpAddr>) -> bool {
        // Here mongod takes no IPv4 address for an IPv6 one, not even in a range of such addresses.
        let contains = |range: &Cidr, address: IpAddr| range.is_v6() == address.is_ipv6() && range.contains(address);
        let inside = |ranges: &Option<Vec<Cidr>>, address: Option<IpAddr>| {
            ranges
                .as_ref()
                .is_none_or(|ranges| address.is_some_and(|address| ranges.iter().any(|range| contains(range, address))))
        };
        let is_met =
            |restriction: &Restriction| inside(&restriction.client_source, client) && inside(&restriction.server_address, server);
        self.restrictions.iter().all(|set| set.is_empty() || set.iter().any(is_met))
    }

    /// Whether both are the same user, and not one of the same name that was made anew.
    #[must_use]
    pub fn is_same_user(&self, other: &Self) -> bool {
        let id = |record: &Self| value(&record.document, "userId").map(RawBson::from);
        self.name == other.name && id(self) == id(other)
    }

    /// `inheritedPrivileges`.
    pub(super) fn privileges(&self) -> Option<&RawArray> {
        value(&self.document, "inheritedPrivileges")?.as_array()
    }
}

impl UserLookup {
    /// Reads the reply to [`UserRecord::users_info_command`].
    ///
    /// # Errors
    /// [`UserDocumentError`] when the reply is not one, or its user can not be read.
    pub fn from_reply(reply: &RawDocument) -> Result<Self, UserDocumentError> {
        let users = value(reply, "users").and_then(RawBsonRef::as_array).ok_or(UserDocumentError("users"))?;
        match users.into_iter().next() {
            None => Ok(Self::NotFound),
            Some(Ok(RawBsonRef::Document(user))) => UserRecord::from_users_info(user).map(Arc::new).map(Self::Found),
            Some(_) => Err(UserDocumentError("users")),
        }
    }
}

fn read_credential(credentials: &RawDocument, mechanism: Mechanism) -> Result<Option<Arc<Credential>>, UserDocumentError> {
    document(credentials, mechanism.name())
        .map(|stored| Credential::from_stored(mechanism, stored).map(Arc::new))
        .transpose()
        .map_err(|_| UserDocumentError("credentials"))
}

fn read_roles(user: &RawDocument, field: &str) -> Option<Vec<RoleName>> {
    let roles = value(user, field)?.as_array()?;
    roles.into_iter().map(|role| read_role(role.ok()?.as_document()?)).collect()
}

fn read_role(role: &RawDocument) -> Option<RoleName> {
    Some(RoleName { role: text(role, "role")?.to_owned(), database: text(role, "db")?.to_owned() })
}

/// The user's own set and the inherited ones. The fields have to be there: a store that was not asked for them must not open a
/// door. A set that can not be understood, which mongod stores all the same, is met by nobody.
fn read_all_restrictions(user: &RawDocument) -> Option<Vec<Vec<Restriction>>> {
    let nowhere = || vec![Restriction { client_source: Some(Vec::new()), server_address: None }];
    let read = |set: &RawArray| read_restrictions(set).unwrap_or_else(nowhere);
    let inherited = value(user, "inheritedAuthenticationRestrictions")?.as_array()?;
    let mut sets = vec![read(value(user, "authenticationRestrictions")?.as_array()?)];
    for set in inherited {
        sets.push(read(set.ok()?.as_array()?));
    }
    Some(sets)
}

fn read_restrictions(set: &RawArray) -> Option<Vec<Restriction>> {
    set.into_iter()
        .map(|restriction| {
            let restriction = restriction.ok()?.as_document()?;
            let client_source = read_ranges(restriction, "clientSource")?;
            Some(Restriction { client_source, server_address: read_ranges(restriction, "serverAddress")? })
        })
        .collect()
}

/// `Some(None)` when there is no such list, `None` when it can not be understood.
fn read_ranges(restriction: &RawDocument, name: &str) -> Option<Option<Vec<Cidr>>> {
    if element(restriction, name).is_none() {
        return Some(None);
    }
    let ranges = value(restriction, name)?.as_array()?;
    ranges.into_iter().map(|range| range.ok()?.as_str()?.parse().ok()).collect::<Option<Vec<_>>>().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(changes: &RawDocument) -> RawDocumentBuf {
        let mut user = rawdoc! {
            "user": "ann", "db": "app", "credentials": {}, "inheritedPrivileges": [],
            "inheritedRoles": [{ "role": "zz", "db": "aa" }, { "role": "read", "db": "b" }, { "role": "aa", "db": "zz" }, { "role": "aa", "db": "b" }],
        };
        for element in changes.iter() {
            let (key, value) = element.unwrap();
            user.append(key, RawBson::from(value));
        }
        user
    }

    fn restricted(restrictions: &RawDocument) -> UserRecord {
        UserRecord::from_users_info(&user(restrictions)).unwrap()
    }

    fn free() -> UserRecord {
        restricted(&rawdoc! { "authenticationRestrictions": [], "inheritedAuthenticationRestrictions": [] })
    }

    #[test]
    fn roles_are_sorted_by_database_and_role() {
        let record = free();
        let roles: Vec<_> = record.roles.iter().map(|role| format!("{}.{}", role.database, role.role)).collect();
        assert_eq!(roles, ["aa.zz", "b.aa", "b.read", "zz.aa"]);
    }

    #[test]
    fn of_each_set_of_restrictions_one_has_to_be_met() {
        let local: Option<IpAddr> = Some("127.0.0.1".parse().unwrap());
        let far: Option<IpAddr> = Some("203.0.113.1".parse().unwrap());
        assert!(free().may_connect(far, local) && free().may_connect(None, None));

        let one_of_two = restricted(&rawdoc! {
            "authenticationRestrictions": [
                { "clientSource": ["10.0.0.0/8"] },
                { "clientSource": ["127.0.0.1"], "serverAddress": ["127.0.0.1"] },
            ],
            "inheritedAuthenticationRestrictions": [],
        });
        assert!(one_of_two.may_connect(local, local));
        assert!(!one_of_two.may_connect(local, far));
        assert!(!one_of_two.may_connect(None, local));

        let inherited = restricted(&rawdoc! {
            "authenticationRestrictions": [],
            "inheritedAuthenticationRestrictions": [[{ "clientSource": ["127.0.0.1/32"] }, { "serverAddress": ["1.2.3.4/32"] }]],
        });
        assert!(inherited.may_connect(local, local));
        assert!(!inherited.may_connect(far, local));
    }

    #[test]
    fn restrictions_that_can_not_be_understood_are_met_by_nobody() {
        let local: Option<IpAddr> = Some("127.0.0.1".parse().unwrap());
        let record = restricted(&rawdoc! {
            "authenticationRestrictions": [{ "clientSource": ["127.0.0.1"] }, { "clientSource": ["localhost"] }],
            "inheritedAuthenticationRestrictions": [],
        });
        assert!(!record.may_connect(local, local) && !record.may_connect(None, None));
    }

    #[test]
    fn an_ipv4_address_is_in_no_range_of_ipv6_addresses() {
        let local: Option<IpAddr> = Some("127.0.0.1".parse().unwrap());
        for (range, expected) in [("::/0", false), ("::ffff:127.0.0.1", false), ("::ffff:0:0/96", false), ("0.0.0.0/0", true)] {
            for field in ["clientSource", "serverAddress"] {
                let mut restriction = RawDocumentBuf::new();
                restriction.append(bson::raw::CString::try_from(field).unwrap(), RawArrayBuf::from_iter([range]));
                let record = restricted(
                    &rawdoc! { "authenticationRestrictions": [restriction], "inheritedAuthenticationRestrictions": [] },
                );
                assert_eq!(record.may_connect(local, local), expected, "{field} {range}");
            }
        }
    }

    #[test]
    fn a_user_whose_restrictions_were_not_asked_for_is_unusable() {
        let error = UserRecord::from_users_info(&user(&rawdoc! {})).unwrap_err();
        assert_eq!(error, UserDocumentError("authenticationRestrictions"));
    }

    #[test]
    fn an_empty_list_of_users_is_an_unknown_user() {
        assert!(matches!(UserLookup::from_reply(&rawdoc! { "users": [], "ok": 1.0 }), Ok(UserLookup::NotFound)));
        assert!(UserLookup::from_reply(&rawdoc! { "ok": 0.0 }).is_err());
    }
}
