//! `doorward keyfile generate|check`.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, Command, value_parser};
use zeroize::Zeroizing;

use super::{FAILED, complain, print, refuse, say};
use crate::keyfile::{KeyFile, NEW_KEY_BYTES, generate};
use crate::server::snapshot::read_keyfile;

/// `doorward keyfile WORDS`. Exit status 2 when a file is refused; nothing is overwritten.
#[must_use]
pub fn keyfile(words: &[String]) -> ExitCode {
    let matches = match command().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(message) => return say(&message),
    };
    match matches.subcommand() {
        Some(("generate", matches)) => make(matches.get_one::<PathBuf>("output").map(PathBuf::as_path)),
        Some((_, matches)) => check(matches.get_one::<PathBuf>("file").map_or_else(|| Path::new(""), PathBuf::as_path)),
        None => ExitCode::from(FAILED),
    }
}

fn command() -> Command {
    let path = |name: &'static str| Arg::new(name).value_name("FILE").value_parser(value_parser!(PathBuf));
    let output = path("output").long("output").help("file to make, with mode 0400; without it the key is printed");
    Command::new("doorward keyfile")
        .bin_name("doorward keyfile")
        .no_binary_name(true)
        .about("Makes or validates a keyfile (security.keyFile).")
        .subcommand_required(true)
        .subcommand(Command::new("generate").about("Makes a new key; overwrites no file").arg(output))
        .subcommand(Command::new("check").about("Tells whether a start would accept the file").arg(path("file").required(true)))
}

fn make(output: Option<&Path>) -> ExitCode {
    let mut random = Zeroizing::new([0; NEW_KEY_BYTES]);
    if let Err(error) = getrandom::fill(random.as_mut_slice()) {
        complain(&format!("no randomness: {error}"));
        return ExitCode::from(FAILED);
    }
    let text = Zeroizing::new(generate(random.as_slice()));
    let Some(path) = output else { return print(&text) };
    match write_new(path, text.as_bytes()) {
        Ok(()) => print(&format!("{}\n", path.display())),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            refuse(&format!("--output {}: the file is there already; it is not overwritten", path.display()))
        }
        Err(error) => {
            complain(&format!("--output {}: {error}", path.display()));
            ExitCode::from(FAILED)
        }
    }
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o400).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn check(path: &Path) -> ExitCode {
    match read_keyfile(path) {
        Ok(keys) => print(&format!("{}: accepted, {}\n", path.display(), in_words(&keys))),
        Err(error) => refuse(&format!("{}: refused: {}\n  {}", path.display(), error.text_without_key(), error.remedy())),
    }
}

/// How many keys of which length; never a key.
pub(super) fn in_words(keys: &KeyFile) -> String {
    let lengths: Vec<String> = keys.keys().map(|key| key.expose().len().to_string()).collect();
    match lengths.as_slice() {
        [length] => format!("one key of {length} characters"),
        lengths => {
            let lengths = lengths.join(" and ");
            format!("keys of {lengths} characters; the first is used to log in, each is accepted")
        }
    }
}
