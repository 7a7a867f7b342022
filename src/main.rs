//! The command line: words -> command -> exit status. What the commands do is in the library.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use doorward::config::command::{self, Command};
use doorward::config::{self, Loaded, help, show};

/// The command line, the configuration, a certificate or a key file is refused.
const REFUSED: u8 = 2;
/// Any other failure.
const FAILED: u8 = 1;

fn main() -> ExitCode {
    let words: Result<Vec<String>, _> = std::env::args_os().skip(1).map(std::ffi::OsString::into_string).collect();
    let Ok(words) = words else {
        return fail(REFUSED, "a word of the command line is not UTF-8 text");
    };
    match command::parse(&words) {
        Err(error) => fail(REFUSED, &format!("{error}try 'doorward --help' for more information")),
        Ok(Command::Help) => print(&help::help()),
        Ok(Command::Version) => print(&help::version()),
        Ok(Command::Check(words)) => with_configuration(&words, check),
        Ok(Command::Serve(words)) => with_configuration(&words, serve),
        Ok(Command::Dev(_)) => not_built("dev"),
        Ok(Command::Certs(_)) => not_built("certs"),
        Ok(Command::Explain(_)) => not_built("explain"),
        Ok(Command::Keyfile(_)) => not_built("keyfile"),
        Ok(Command::Readiness(_)) => not_built("readiness"),
        Ok(Command::Sink(_)) => not_built("sink"),
    }
}

fn with_configuration(words: &[String], run: fn(&Loaded) -> ExitCode) -> ExitCode {
    match config::load(words, |path: &Path| std::fs::read(path)) {
        Ok(loaded) => run(&loaded),
        Err(errors) => fail(REFUSED, &errors.to_string()),
    }
}

fn check(loaded: &Loaded) -> ExitCode {
    for warning in &loaded.warnings {
        complain(&format!("warning: {warning}"));
    }
    print(&show::yaml(&loaded.settings))
}

/// JOIN: becomes `doorward::server::run(loaded.settings, loaded.warnings, loaded.source)`.
fn serve(_loaded: &Loaded) -> ExitCode {
    not_built("serve")
}

fn not_built(command: &str) -> ExitCode {
    fail(FAILED, &format!("doorward {command} is not built yet"))
}

/// A reader that went away is a failure, not a panic.
fn print(text: &str) -> ExitCode {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(FAILED),
    }
}

fn fail(status: u8, message: &str) -> ExitCode {
    complain(message);
    ExitCode::from(status)
}

fn complain(message: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{message}");
}
