//! The connection strings that `doorward dev` prints. They hold passwords: of a database for development, and on the terminal of
//! the one who started it, because pasting them is what they are for.

use std::fmt::Write;

use anyhow::Result;

use super::folder::Folder;

/// What is printed when everything runs.
pub(super) fn welcome(folder: &Folder, port: u16) -> Result<String> {
    let users = folder.users()?;
    let ca = escape(&folder.path("ca.pem").display().to_string());
    let client = escape(&folder.path("client.pem").display().to_string());
    let host = format!("localhost:{port}");
    let password = |user: &str, password: &str, database: &str| {
        format!("mongodb://{user}:{password}@{host}/{database}?authSource=admin&tls=true&tlsCAFile={ca}")
    };
    let certificate = format!(
        "mongodb://{host}/test?authMechanism=MONGODB-X509&authSource=%24external&tls=true&tlsCAFile={ca}&tlsCertificateKeyFile={client}"
    );
    let strings = [
        ("admin, by password (role root)", password("admin", &users.admin, "")),
        ("app, by password (readWrite on test)", password("app", &users.app, "test")),
        (&format!("{}, by certificate (readWrite on test)", users.subject), certificate),
    ];
    let mut text = format!("doorward dev is ready on {host}. All it has is in {}\n", folder.path("").display());
    for (title, string) in strings {
        write!(text, "\n{title}\n  mongosh '{string}'\n  pymongo.MongoClient(\"{string}\")\n")?;
    }
    text.push_str("\nCtrl-C stops it; the data stays.");
    Ok(text)
}

/// Percent-encodes all but unreserved characters and the slash.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing into a String can not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_escaped_for_a_connection_string() {
        assert_eq!(escape("/home/a b/é&?'"), "/home/a%20b/%C3%A9%26%3F%27");
    }

    #[test]
    fn every_way_in_is_printed_for_both_clients() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::open(parent.path()).unwrap();
        folder.fill(27_999).unwrap();
        let text = welcome(&folder, 27_999).unwrap();
        assert_eq!(text.matches("mongosh 'mongodb://").count(), 3);
        assert_eq!(text.matches("pymongo.MongoClient(\"mongodb://").count(), 3);
        assert_eq!(text.matches("authMechanism=MONGODB-X509").count(), 2);
        assert!(text.contains(&folder.users().unwrap().app) && text.contains("localhost:27999"));
    }
}
