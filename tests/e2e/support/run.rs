//! One folder for everything that a test process writes, and ports for everything that it starts.

use std::fs;
use std::net::TcpListener;
use std::ops::Range;
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

/// A port that nobody listens on. No other test is given it, so it stays free while the server that it was for is away: ports below
/// 32768 are never given to outgoing connections, and every test process has blocks of its own.
pub(crate) fn free_port() -> u16 {
    static BLOCKS: Mutex<Vec<Block>> = Mutex::new(Vec::new());
    let mut blocks = BLOCKS.lock().expect("a block of ports");
    loop {
        let mut rest = blocks.last_mut().into_iter().flat_map(|block| block.rest.by_ref());
        match rest.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()) {
            Some(port) => return port,
            None => blocks.push(Block::take()),
        }
    }
}

/// Ports that belong to this process until it ends.
struct Block {
    /// Listens on the first of them, by which other test processes see that the block is taken.
    _taken: TcpListener,
    rest: Range<u16>,
}

impl Block {
    fn take() -> Self {
        const LENGTH: u16 = 250;
        let take = |first| Some(Self { _taken: TcpListener::bind(("127.0.0.1", first)).ok()?, rest: first + 1..first + LENGTH });
        (20_000..32_000).step_by(LENGTH.into()).find_map(take).expect("a block of ports")
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
