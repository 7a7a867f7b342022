//! The sink's users, as `usersInfo` with `showCredentials` and `showPrivileges` shows them.
//!
//! Their passwords come from a command line that everybody on the machine can read: for load tests only. Source: fact sheet
//! "Authentication", section 2.5, and RFC 5802 section 3 for the stored keys.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bson::raw::{RawArrayBuf, RawBsonRef, RawDocumentBuf};
use bson::rawdoc;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::Options;

const SHA_1_ITERATIONS: i32 = 10_000;
const SHA_256_ITERATIONS: i32 = 15_000;
/// What mongod 6.0's role `readWrite` allows.
const READ_WRITE: [&str; 17] = [
    "changeStream",
    "collStats",
    "convertToCapped",
    "createCollection",
    "createIndex",
    "dbHash",
    "dbStats",
    "dropCollection",
    "dropIndex",
    "find",
    "insert",
    "killCursors",
    "listCollections",
    "listIndexes",
    "planCacheRead",
    "remove",
    "update",
];

/// One document for each user of `options`.
pub(super) fn documents(options: &Options) -> Vec<RawDocumentBuf> {
    let mut users = Vec::new();
    if let Some((name, password)) = &options.user {
        let credentials = rawdoc! { "SCRAM-SHA-1": sha_1(name, password), "SCRAM-SHA-256": sha_256(password) };
        users.push(document(name, "admin", &credentials, &["SCRAM-SHA-1", "SCRAM-SHA-256"], options));
    }
    for subject in &options.x509_users {
        users.push(document(subject, "$external", &rawdoc! { "external": true }, &["external"], options));
    }
    users
}

/// The reply to `usersInfo: value`: the users that it names, all for `1`.
pub(super) fn info(users: &[RawDocumentBuf], value: RawBsonRef<'_>) -> RawDocumentBuf {
    let mut found = RawArrayBuf::new();
    for user in users {
        if named(user, value) {
            found.push(user.clone());
        }
    }
    rawdoc! { "users": found, "ok": 1.0 }
}

fn named(user: &RawDocumentBuf, value: RawBsonRef<'_>) -> bool {
    match value {
        RawBsonRef::Document(name) => ["user", "db"].iter().all(|key| name.get_str(key).ok() == user.get_str(key).ok()),
        RawBsonRef::Array(names) => names.into_iter().flatten().any(|name| named(user, name)),
        RawBsonRef::String(name) => user.get_str("user").is_ok_and(|user| user == name),
        _ => true,
    }
}

/// The users' role, and its privileges.
fn role(options: &Options) -> (RawDocumentBuf, RawArrayBuf) {
    let mut privileges = RawArrayBuf::new();
    let Some(database) = &options.read_write else {
        privileges.push(rawdoc! { "resource": { "anyResource": true }, "actions": ["anyAction"] });
        return (rawdoc! { "role": "root", "db": "admin" }, privileges);
    };
    for collection in ["", "system.js"] {
        let actions = RawArrayBuf::from_iter(READ_WRITE);
        privileges.push(rawdoc! { "resource": { "db": database.as_str(), "collection": collection }, "actions": actions });
    }
    (rawdoc! { "role": "readWrite", "db": database.as_str() }, privileges)
}

fn document(name: &str, database: &str, credentials: &RawDocumentBuf, mechanisms: &[&str], options: &Options) -> RawDocumentBuf {
    let (role, privileges) = role(options);
    let mut names = RawArrayBuf::new();
    for mechanism in mechanisms {
        names.push(*mechanism);
    }
    rawdoc! {
        "_id": format!("{database}.{name}"), "user": name, "db": database, "credentials": credentials.clone(),
        "roles": [role.clone()], "inheritedRoles": [role], "inheritedPrivileges": privileges,
        "inheritedAuthenticationRestrictions": [],
        "authenticationRestrictions": [], "mechanisms": names
    }
}

/// Both stored keys of `$mechanism`, from the salted password.
macro_rules! credential {
    ($hash:ty, $password:expr, $salt:expr, $iterations:expr, $size:literal) => {{
        let mut salted = [0_u8; $size];
        pbkdf2::pbkdf2_hmac::<$hash>($password, $salt, $iterations.cast_unsigned(), &mut salted);
        let keyed = |text: &[u8]| {
            // HMAC takes a key of any length.
            let mut mac = <Hmac<$hash> as KeyInit>::new_from_slice(&salted).ok()?;
            mac.update(text);
            Some(mac.finalize().into_bytes())
        };
        let stored = keyed(b"Client Key").map(|key| STANDARD.encode(<$hash>::digest(key))).unwrap_or_default();
        let server = keyed(b"Server Key").map(|key| STANDARD.encode(key)).unwrap_or_default();
        rawdoc! { "iterationCount": $iterations, "salt": STANDARD.encode($salt), "storedKey": stored, "serverKey": server }
    }};
}

fn sha_1(name: &str, password: &str) -> RawDocumentBuf {
    let digest = Md5::digest(format!("{name}:mongo:{password}"));
    let text: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    credential!(Sha1, text.as_bytes(), b"doorward sink 16", SHA_1_ITERATIONS, 20)
}

/// `password` is taken as it is: give one in ASCII, which SASLprep leaves alone.
fn sha_256(password: &str) -> RawDocumentBuf {
    credential!(Sha256, password.as_bytes(), b"doorward sink, twenty-eight.", SHA_256_ITERATIONS, 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> Vec<RawDocumentBuf> {
        let options =
            Options { user: Some(("u".into(), "p".into())), x509_users: vec!["CN=app,O=x".into()], ..Options::default() };
        documents(&options)
    }

    fn count(value: RawBsonRef<'_>) -> usize {
        info(&users(), value).get_array("users").unwrap().into_iter().count()
    }

    #[test]
    fn users_are_found_by_name_and_database_together() {
        for (asked, found) in [
            (rawdoc! { "usersInfo": { "user": "u", "db": "admin" } }, 1),
            (rawdoc! { "usersInfo": { "user": "u", "db": "test" } }, 0),
            (rawdoc! { "usersInfo": [{ "user": "CN=app,O=x", "db": "$external" }] }, 1),
            (rawdoc! { "usersInfo": "nobody" }, 0),
            (rawdoc! { "usersInfo": 1 }, 2),
        ] {
            assert_eq!(count(asked.get("usersInfo").unwrap().unwrap()), found, "{asked:?}");
        }
    }

    #[test]
    fn users_may_do_everything_or_what_readwrite_allows_in_one_database() {
        use crate::authz::{action::Action, privileges::Privileges, resource::Resource};
        for (read_write, elsewhere) in [(None, true), (Some("test".to_owned()), false)] {
            let options = Options { x509_users: vec!["CN=app,O=x".into()], read_write, ..Options::default() };
            let users = documents(&options);
            let privileges = Privileges::from_inherited(users[0].get_array("inheritedPrivileges").unwrap());
            let holds = |database| privileges.holds(Resource::Collection { database, collection: "t" }, Action::Insert);
            assert_eq!((holds("test"), holds("other")), (true, elsewhere));
        }
    }

    #[test]
    fn the_stored_keys_are_those_of_the_password() {
        // SHA-256 with the salt and count of RFC 7677's example, whose server signature another test holds.
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let credential = credential!(Sha256, b"pencil", &salt, 4096_i32, 32);
        assert_eq!(credential.get_str("storedKey").unwrap(), "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=");
        assert_eq!(credential.get_str("serverKey").unwrap(), "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
    }
}
