//! The users of a development gateway, created in mongod itself, which asks for no authentication.

use std::io::{Read, Write};

use anyhow::{Context, Result, bail};
use bson::raw::{RawDocument, RawDocumentBuf};
use bson::rawdoc;

/// "User already exists", which is what a second start finds.
const USER_EXISTS: i32 = 51_003;
/// No reply to these commands is larger.
const MAX_REPLY: usize = 64 * 1024;

/// Passwords of the users, and the subject of the one with a certificate.
pub(super) struct Users {
    pub(super) admin: String,
    pub(super) app: String,
    pub(super) subject: String,
}

/// 24 characters with 144 bits of randomness that need no escape in a connection string.
pub(super) fn generate_password() -> Result<String> {
    use base64::Engine;
    let mut bytes = [0; 18];
    getrandom::fill(&mut bytes)?;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}

/// Creates those that are not there yet.
///
/// # Errors
/// mongod refuses, or is gone.
pub(super) fn create(mongod: &mut (impl Read + Write), users: &Users) -> Result<()> {
    let read_write = || rawdoc! { "role": "readWrite", "db": "test" };
    for command in [
        rawdoc! { "createUser": "admin", "pwd": users.admin.as_str(), "roles": ["root"], "$db": "admin" },
        rawdoc! { "createUser": "app", "pwd": users.app.as_str(), "roles": [read_write()], "$db": "admin" },
        rawdoc! { "createUser": users.subject.as_str(), "roles": [read_write()], "$db": "$external" },
    ] {
        let reply = run(mongod, &command)?;
        let code = reply.get_i32("code").ok();
        if code.is_some_and(|code| code != USER_EXISTS) {
            bail!("mongod answers: {}", reply.get_str("errmsg").unwrap_or("(nothing)"));
        }
    }
    Ok(())
}

/// Runs one command.
fn run(mongod: &mut (impl Read + Write), command: &RawDocument) -> Result<RawDocumentBuf> {
    let body = command.as_bytes();
    let mut message = Vec::new();
    for field in [i32::try_from(body.len())?.saturating_add(21), 1, 0, 2013, 0] {
        message.extend_from_slice(&field.to_le_bytes());
    }
    message.push(0);
    message.extend_from_slice(body);
    mongod.write_all(&message)?;
    let mut length = [0; 4];
    mongod.read_exact(&mut length)?;
    let length = usize::try_from(i32::from_le_bytes(length))?;
    let rest = length.checked_sub(4).filter(|_| length <= MAX_REPLY).context("a reply of that length")?;
    let mut reply = vec![0; rest];
    mongod.read_exact(&mut reply)?;
    // Behind the rest of the header, the flags and the kind of the section.
    Ok(RawDocument::from_bytes(reply.get(17..).context("a reply that short")?)?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mongod that answers everything with `reply`.
    struct Stub {
        reply: RawDocumentBuf,
        unread: Vec<u8>,
        written: Vec<u8>,
    }

    impl Read for Stub {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let mut unread = self.unread.as_slice();
            let count = unread.read(buffer)?;
            self.unread.drain(..count);
            Ok(count)
        }
    }

    impl Write for Stub {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.written.extend_from_slice(bytes);
            let document = self.reply.as_bytes();
            self.unread.extend_from_slice(&i32::try_from(21 + document.len()).unwrap().to_le_bytes());
            self.unread.extend_from_slice(&[0; 17]);
            self.unread.extend_from_slice(document);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn users_that_exist_are_left_alone_and_other_refusals_are_reported() {
        let users = Users { admin: "a".into(), app: "b".into(), subject: "CN=x".into() };
        for (reply, accepted) in [
            (rawdoc! { "ok": 1.0 }, true),
            (rawdoc! { "ok": 0.0, "code": USER_EXISTS, "errmsg": "User already exists" }, true),
            (rawdoc! { "ok": 0.0, "code": 13, "errmsg": "not allowed" }, false),
        ] {
            let mut stub = Stub { reply, unread: Vec::new(), written: Vec::new() };
            assert_eq!(create(&mut stub, &users).is_ok(), accepted);
            let text = String::from_utf8_lossy(&stub.written);
            assert_eq!(text.matches("createUser").count(), if accepted { 3 } else { 1 });
        }
    }

    #[test]
    fn a_password_needs_no_escape() {
        let password = generate_password().unwrap();
        assert_eq!(password.len(), 24);
        assert!(password.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    }
}
