//! The folder that `doorward dev` keeps everything in, from one start to the next: PKI, keyfile, passwords, data, logs.
//!
//! The folder has mode 0700 and every file with a secret 0600. What is there is kept; only doorward.conf is written anew.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::users::{Users, generate_password};
use crate::certs::{Authority, Pair, Purpose, Request, write_new};

/// The greatest length of a unix socket's path, in bytes.
const SOCKET_PATH: usize = 107;
/// Ten years: nobody wants to renew what is for development only.
const DAYS: u32 = 3650;
/// Bytes of randomness in the keyfile, 1008 characters in base64.
const KEYFILE: usize = 756;
/// The subject of the client's certificate, as MongoDB prints it, and so the user's name.
pub(super) const CLIENT: &str = "CN=app,OU=clients,O=doorward dev";
/// Members share O and OU; the client must not.
const SERVER: &str = "CN=localhost,OU=members,O=doorward dev";
const MEMBER: &str = "CN=member,OU=members,O=doorward dev";

/// The state folder, by its absolute path.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Opens the folder, makes it when it is not there, and makes it its owner's alone.
    ///
    /// # Errors
    /// It can not be made, or its path is too long or not UTF-8.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path).and_then(|()| path.canonicalize());
        let absolute = made.with_context(|| path.display().to_string())?;
        fs::set_permissions(&absolute, fs::Permissions::from_mode(0o700))?;
        let folder = Self(absolute);
        let socket = folder.socket();
        match socket.to_str() {
            None => bail!("{}: the folder's path is not UTF-8", socket.display()),
            Some(text) if text.len() > SOCKET_PATH => {
                bail!("{text}: the path is too long for a unix socket ({SOCKET_PATH} bytes); --dir takes another folder")
            }
            Some(_) => Ok(folder),
        }
    }

    /// A file in the folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// mongod's socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.path("mongod.sock")
    }

    /// Whether a mongod of another `doorward dev` answers here. A second one would take its socket away.
    pub(super) fn in_use(&self) -> bool {
        UnixStream::connect(self.socket()).is_ok()
    }

    /// Makes whatever is missing, and the configuration for `port`.
    ///
    /// # Errors
    /// A file can not be made or read.
    pub(super) fn fill(&self, port: u16) -> Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(self.path("data"))?;
        self.fill_certificates()?;
        if !self.path("keyfile").exists() {
            let mut key = [0; KEYFILE];
            getrandom::fill(&mut key)?;
            write_new(&self.path("keyfile"), STANDARD.encode(key).as_bytes())?;
        }
        if !self.path("passwords").exists() {
            let text = format!("admin:{}\napp:{}\n", generate_password()?, generate_password()?);
            write_new(&self.path("passwords"), text.as_bytes())?;
        }
        overwrite(&self.path("doorward.conf"), self.configuration(port)?.as_bytes()).context("doorward.conf")
    }

    /// Names and passwords of the users.
    ///
    /// # Errors
    /// The file `passwords` is not what was written.
    pub(super) fn users(&self) -> Result<Users> {
        let file = self.path("passwords");
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let password = |user: &str| text.lines().find_map(|line| line.strip_prefix(user)?.strip_prefix(':')).map(str::to_owned);
        match (password("admin"), password("app")) {
            (Some(admin), Some(app)) => Ok(Users { admin, app, subject: CLIENT.into() }),
            _ => bail!("{}: a line admin:PASSWORD and a line app:PASSWORD are wanted", file.display()),
        }
    }

    fn fill_certificates(&self) -> Result<()> {
        let request = |subject: &str| Request { subject: subject.into(), names: Vec::new(), days: DAYS };
        let (file, key_file) = (self.path("ca.pem"), self.path("ca-key.pem"));
        if !file.exists() && !key_file.exists() {
            let (_, pair) = Authority::create(&request("CN=doorward dev CA"))?;
            write_new(&key_file, pair.key.as_bytes())?;
            write_new(&file, pair.certificate.as_bytes())?;
        }
        for (name, subject, purpose) in [
            ("server.pem", SERVER, Purpose::Server),
            ("member.pem", MEMBER, Purpose::Member),
            ("client.pem", CLIENT, Purpose::Client),
        ] {
            let file_to_make = self.path(name);
            if file_to_make.exists() {
                continue;
            }
            let read = |path: &Path| fs::read_to_string(path).with_context(|| path.display().to_string());
            let authority = Authority::from_pem(&Pair { certificate: read(&file)?, key: read(&key_file)? })?;
            let mut request = request(subject);
            if purpose != Purpose::Client {
                request.names = ["localhost", "127.0.0.1", "::1"].map(String::from).to_vec();
            }
            write_new(&file_to_make, authority.sign(&request, purpose)?.joined().as_bytes())?;
        }
        Ok(())
    }

    fn configuration(&self, port: u16) -> Result<String> {
        let quoted = |name: &str| quote(&self.path(name));
        Ok(format!(
            "# Written by `doorward dev` at each start.\n\
             net:\n  port: {port}\n  bindIp: 127.0.0.1\n  unixDomainSocket:\n    enabled: false\n  tls:\n    mode: requireTLS\n    \
             certificateKeyFile: {server}\n    CAFile: {ca}\n    \
             # Users with a password need no certificate.\n    allowConnectionsWithoutCertificates: true\n\
             security:\n  authorization: enabled\n  keyFile: {keyfile}\n  \
             # Members may come with the keyfile or with a certificate such as member.pem.\n  clusterAuthMode: sendX509\n\
             systemLog:\n  destination: file\n  path: {log}\n  logAppend: true\n\
             proxy:\n  upstream:\n    address: {address}\n    authentication: none\n",
            server = quoted("server.pem")?,
            ca = quoted("ca.pem")?,
            keyfile = quoted("keyfile")?,
            log = quoted("doorward.log")?,
            address = quote(&PathBuf::from(format!("unix:{}", self.socket().display())))?,
        ))
    }
}

/// A YAML string.
fn quote(path: &Path) -> Result<String> {
    Ok(serde_json::to_string(path.to_str().context("the path is not UTF-8")?)?)
}

fn overwrite(path: &Path, content: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &Path) -> Vec<(String, u32)> {
        let mut found: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(Result::unwrap)
            .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().permissions().mode() & 0o777))
            .collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn a_new_folder_gets_everything_and_only_its_owner_may_look() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::open(&parent.path().join("a/b")).unwrap();
        folder.fill(27_017).unwrap();
        assert_eq!(fs::metadata(folder.path("")).unwrap().permissions().mode() & 0o777, 0o700);
        let files = ["ca-key.pem", "ca.pem", "client.pem", "doorward.conf", "keyfile", "member.pem", "passwords", "server.pem"];
        let mut expected: Vec<_> = files.map(|name| (name.to_owned(), 0o600)).to_vec();
        expected.insert(3, ("data".into(), 0o700));
        assert_eq!(names(&folder.path("")), expected);
    }

    #[test]
    fn a_second_start_keeps_everything_but_the_configuration() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::open(parent.path()).unwrap();
        folder.fill(27_017).unwrap();
        let content = |name: &str| fs::read_to_string(folder.path(name)).unwrap();
        let kept = ["ca.pem", "ca-key.pem", "server.pem", "client.pem", "keyfile", "passwords"];
        let before = kept.map(content);
        fs::remove_file(folder.path("member.pem")).unwrap();
        folder.fill(27_018).unwrap();
        assert_eq!(kept.map(content), before);
        assert!(content("doorward.conf").contains("port: 27018"));
        assert!(content("member.pem").contains("PRIVATE KEY"), "what is missing is made");
    }

    #[test]
    fn the_passwords_are_random_and_are_read_back() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::open(parent.path()).unwrap();
        folder.fill(27_017).unwrap();
        let users = folder.users().unwrap();
        assert!(users.admin.len() >= 20 && users.app.len() >= 20 && users.admin != users.app);
        fs::write(folder.path("passwords"), "admin:x\n").unwrap();
        assert!(folder.users().is_err());
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        assert!(Folder::open(&parent.path().join("x".repeat(100))).is_err());
    }

    #[test]
    fn a_folder_is_in_use_while_a_mongod_answers_there() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::open(parent.path()).unwrap();
        assert!(!folder.in_use());
        let listener = std::os::unix::net::UnixListener::bind(folder.socket()).unwrap();
        assert!(folder.in_use());
        drop(listener);
        assert!(!folder.in_use(), "a socket that was left behind");
    }
}
