//! The command line: words -> command -> exit status. What the commands do is in the library.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use doorward::config::command::{self, Command};
use doorward::config::{self, Loaded, help};
use doorward::inspect;
use doorward::server::{self, ServeError};

/// The system's allocator keeps nearly all that ten thousand connections needed when they are closed; this one gives it back.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The command line, the configuration, a certificate or a key file is refused.
const REFUSED: u8 = 2;
/// An address can not be bound.
const NOT_BOUND: u8 = 48;
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
        Ok(Command::Check(words)) => with_configuration(&words, inspect::check),
        Ok(Command::Serve(words)) => with_configuration(&words, serve),
        Ok(Command::Dev(words)) => doorward::dev::main(&words),
        Ok(Command::Certs(words)) => doorward::certs::main(&words),
        Ok(Command::Explain(words)) => inspect::explain(&words),
        Ok(Command::Keyfile(words)) => inspect::keyfile(&words),
        Ok(Command::Readiness(words)) => inspect::readiness(&words),
        Ok(Command::Sink(words)) => doorward::sink::main(&words),
    }
}

fn with_configuration(words: &[String], run: fn(&Loaded) -> ExitCode) -> ExitCode {
    match config::load(words, |path: &Path| std::fs::read(path)) {
        Ok(loaded) => run(&loaded),
        Err(errors) => fail(REFUSED, &errors.to_string()),
    }
}

fn serve(loaded: &Loaded) -> ExitCode {
    let Loaded { settings, warnings, source } = loaded.clone();
    let read_settings = move || match config::load(&source.argv, |path: &Path| std::fs::read(path)) {
        Ok(loaded) => Ok(loaded.settings),
        Err(errors) => Err(errors.to_string()),
    };
    match server::run(settings, &warnings, Box::new(read_settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ ServeError::Refused(_)) => fail(REFUSED, &error.to_string()),
        Err(error @ (ServeError::Bind(_) | ServeError::AdminBind { .. })) => fail(NOT_BOUND, &error.to_string()),
        Err(error) => fail(FAILED, &error.to_string()),
    }
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
