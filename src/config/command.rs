//! The command: the first word, unless it is a flag. Source: doorward's contract.

use super::argv;
use super::error::{ConfigError, ErrorKind};
use super::options;

/// What to do, with the words that follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Run the proxy with this configuration.
    Serve(Vec<String>),
    /// Validate this configuration.
    Check(Vec<String>),
    /// A local gateway without configuration.
    Dev(Vec<String>),
    /// Make certificates.
    Certs(Vec<String>),
    /// Tell what MongoDB sees in a certificate.
    Explain(Vec<String>),
    /// Make or validate a key file.
    Keyfile(Vec<String>),
    /// Print the transition report.
    Readiness(Vec<String>),
    /// A backend for load tests.
    Sink(Vec<String>),
    /// Print the version.
    Version,
    /// Print the help.
    Help,
}

/// Reads the words after the program's name.
///
/// # Errors
/// The first word is no command, with mongod's text.
pub fn parse(words: &[String]) -> Result<Command, ConfigError> {
    let Some((first, rest)) = words.split_first().filter(|(first, _)| !first.starts_with('-')) else {
        return Ok(configured(words, Command::Serve));
    };
    let rest_words = rest.to_vec();
    Ok(match first.as_str() {
        "serve" => configured(rest, Command::Serve),
        "check" => configured(rest, Command::Check),
        "dev" => Command::Dev(rest_words),
        "certs" => Command::Certs(rest_words),
        "explain" => Command::Explain(rest_words),
        "keyfile" => Command::Keyfile(rest_words),
        "readiness" => Command::Readiness(rest_words),
        "sink" => Command::Sink(rest_words),
        "version" => Command::Version,
        "help" => Command::Help,
        unknown => return Err(unknown_command(unknown)),
    })
}

/// `--help` and `--version` anywhere among flags that can be read; a mistake is reported by who loads the configuration.
fn configured(words: &[String], command: fn(Vec<String>) -> Command) -> Command {
    match argv::parse(words) {
        Ok(options) if options.has_flag("help") => Command::Help,
        Ok(options) if options.has_flag("version") => Command::Version,
        _ => command(words.to_vec()),
    }
}

fn unknown_command(word: &str) -> ConfigError {
    const COMMANDS: [&str; 10] = ["serve", "check", "dev", "certs", "explain", "keyfile", "readiness", "sink", "version", "help"];
    let error = ConfigError::new(ErrorKind::CommandLine, word, format!("Invalid command: {word}"));
    match options::nearest(word, COMMANDS.into_iter()) {
        Some(near) => error.remedy(format!("did you mean {near}?")),
        None => error.remedy(format!("it is one of {}", COMMANDS.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_first_word_is_the_command_and_serve_is_the_default() {
        let cases = [
            ("", Command::Serve(vec![])),
            ("-f x", Command::Serve(words("-f x"))),
            ("serve -f x", Command::Serve(words("-f x"))),
            ("check --config x", Command::Check(words("--config x"))),
            ("keyfile generate", Command::Keyfile(words("generate"))),
            ("--help", Command::Help),
            ("-h", Command::Help),
            ("check --help", Command::Help),
            ("--port 1 --version", Command::Version),
            ("help", Command::Help),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(&words(text)).unwrap(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_value_that_looks_like_the_help_flag_is_a_value() {
        assert_eq!(parse(&words("--keyFile --help")).unwrap(), Command::Serve(words("--keyFile --help")));
    }

    #[test]
    fn an_unknown_command_is_refused_with_a_hint() {
        let error = parse(&words("chek")).unwrap_err();
        assert_eq!(error.text(), "Invalid command: chek");
        assert!(error.to_string().contains("did you mean check?"), "{error}");
    }
}
