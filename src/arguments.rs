//! The words behind a subcommand of `doorward` that mongod does not have (`dev`, `certs`, `sink`): read by clap, refused with status 2.

use std::process::ExitCode;

use clap::{ArgMatches, Command};

/// Reads the words. What is refused, and the help that was asked for, is printed; then there is the exit status: 2 or 0.
pub(crate) fn read(command: Command, words: &[String]) -> Result<ArgMatches, ExitCode> {
    command.try_get_matches_from(words).map_err(|refusal| {
        let _ = refusal.print();
        ExitCode::from(if refusal.use_stderr() { 2 } else { 0 })
    })
}
