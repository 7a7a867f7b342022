//! The users that every server of these tests has.

use bson::{Document, doc};

/// A user of `admin` with a password.
pub(crate) struct User {
    pub(crate) name: &'static str,
    pub(crate) database: &'static str,
    pub(crate) password: &'static str,
    role: &'static str,
    mechanisms: &'static [&'static str],
}

const BOTH: &[&str] = &["SCRAM-SHA-1", "SCRAM-SHA-256"];

/// The users with a password. Names and passwords that are odd on purpose are listed last.
pub(crate) const USERS: &[User] = &[
    User { name: "root", database: "admin", password: "secret", role: "root", mechanisms: BOTH },
    User { name: "zz", database: "admin", password: "zz", role: "read", mechanisms: BOTH },
    User { name: "alice", database: "admin", password: "wonderland", role: "readWriteAnyDatabase", mechanisms: BOTH },
    User { name: "sha1", database: "admin", password: "one", role: "readWriteAnyDatabase", mechanisms: &["SCRAM-SHA-1"] },
    User { name: "sha256", database: "admin", password: "two", role: "readWriteAnyDatabase", mechanisms: &["SCRAM-SHA-256"] },
    User { name: "we,ird=u", database: "admin", password: "odd", role: "read", mechanisms: BOTH },
    User { name: "\u{fc}n\u{ef}", database: "admin", password: "odd", role: "read", mechanisms: BOTH },
    User { name: "both", database: "admin", password: "pwboth", role: "readWriteAnyDatabase", mechanisms: BOTH },
    User { name: "user1", database: "admin", password: "pw1", role: "readWriteAnyDatabase", mechanisms: &["SCRAM-SHA-1"] },
    User { name: "user256", database: "admin", password: "pw256", role: "readWriteAnyDatabase", mechanisms: &["SCRAM-SHA-256"] },
    User { name: "app", database: "app", password: "app", role: "readWrite", mechanisms: BOTH },
    User { name: "o=dd, näme", database: "app", password: "pass\u{ad}wörd\u{2168}", role: "readWrite", mechanisms: BOTH },
];

/// The certificate users: the subjects of client certificates that `pki` makes.
pub(crate) const CERTIFICATE_USERS: &[(&str, &str)] = &[
    ("CN=alice,OU=clients,O=doorward", "readWriteAnyDatabase"),
    ("C=US,O=Lab,OU=Users,CN=alice", "readWriteAnyDatabase"),
    ("CN=r\\C3\\B6\\,ot,OU=clients,O=doorward", "root"),
];

/// The user of this name.
pub(crate) fn user(name: &str) -> &'static User {
    USERS.iter().find(|user| user.name == name).unwrap_or_else(|| panic!("no user {name}"))
}

/// The commands that create all users.
pub(crate) fn creation() -> Vec<Document> {
    let with_password = USERS.iter().map(|user| {
        doc! {"createUser": user.name, "pwd": user.password, "roles": [user.role],
        "mechanisms": user.mechanisms.to_vec(), "$db": user.database}
    });
    let with_certificate = CERTIFICATE_USERS.iter().map(|(name, role)| {
        doc! {"createUser": *name, "roles": [{"role": *role, "db": "admin"}], "$db": "$external"}
    });
    with_password.chain(with_certificate).collect()
}
