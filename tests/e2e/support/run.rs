//! One folder for everything that a test process writes, and ports for everything that it starts.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};

/// The folder of this test process. A watcher removes it when the process has gone, also when it was killed: it waits for its
/// standard input to close, which only this process holds open.
static FOLDER: LazyLock<(PathBuf, Mutex<Child>)> = LazyLock::new(|| {
    let folder = tempfile::Builder::new().prefix("doorward-e2e-").tempdir().expect("a temporary folder").keep();
    let watcher = Command::new("sh")
        .args(["-c", r#"cat >/dev/null; for attempt in 1 2 3 4 5 6 7 8 9; do rm -rf "$0" && exit; sleep 1; done"#])
        .arg(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a watcher");
    (folder, Mutex::new(watcher))
});

/// A new empty folder.
pub(crate) fn folder(purpose: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let folder = FOLDER.0.join(format!("{purpose}-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// A new file with this content that only its owner may read, as keys must be.
pub(crate) fn private_file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder("file").join(name);
    write_private(&path, content);
    path
}

/// Writes a file that only its owner may read.
pub(crate) fn write_private(path: &Path, content: impl AsRef<[u8]>) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, content).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("permissions");
}

/// A port that nobody listens on. Ports below 32768 are never given to outgoing connections, so nothing but another test
/// process can take it before the server does; whoever starts a server tries again when that happens.
pub(crate) fn free_port() -> u16 {
    static NEXT: LazyLock<AtomicU32> = LazyLock::new(|| AtomicU32::new(std::process::id().wrapping_mul(97)));
    loop {
        let candidate = 20_000 + NEXT.fetch_add(1, Ordering::Relaxed) % 12_000;
        let port = u16::try_from(candidate).expect("below 65536");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Copies the plain files of a folder into another.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("a type").is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
        }
    }
}
