//! `--help` and `--version`, from the table.

use std::fmt::Write as _;

use super::options::{self, Flag, OptionSpec, Support, Takes};
use super::raw::PARAMETER;

const WIDTH: usize = 100;
const COLUMN: usize = 46;

const COMMANDS: [(&str, &str); 9] = [
    ("serve", "Run the proxy; this is the default command."),
    ("check", "Validate the configuration and print the effective settings; start nothing."),
    ("dev", "Run a local gateway with its own certificates, users and mongod."),
    ("certs ca|server|member|client", "Make certificates for development and tests."),
    ("explain CERT.pem", "Tell what MongoDB sees in a certificate."),
    ("keyfile generate|check", "Make or validate a key file."),
    (
        "readiness",
        "Tell who would break if authentication were enforced now, and which roles they need; asks a running doorward.",
    ),
    ("sink", "A backend that answers with canned replies, for load tests only."),
    ("help", "Show this help."),
];

/// What `--help` prints.
#[must_use]
pub fn help() -> String {
    let mut text = String::from(
        "doorward: a MongoDB-compatible TLS authentication proxy\n\nUsage: doorward [command] --config FILE [flags]\n",
    );
    text.push_str("\nCommands:\n");
    for (name, help) in COMMANDS {
        entry(&mut text, name, help);
    }
    let sections: [(&str, &[&str]); 5] = [
        ("General options", &["help", "version", "config", "systemLog.", "processManagement."]),
        ("Network options", &["net.port", "net.bind", "net.ipv6", "net.listen", "net.max", "net.comp", "net.unix"]),
        ("TLS options", &["net.tls.", "net.ssl."]),
        ("Security options", &["security."]),
        ("Proxy options", &["proxy."]),
    ];
    for (title, prefixes) in sections {
        let _ = writeln!(text, "\n{title}:");
        let belongs = |option: &&OptionSpec| prefixes.iter().any(|prefix| option.name.starts_with(prefix));
        for option in options::all().filter(|option| option.support == Support::Honoured).filter(belongs) {
            option.flags.iter().filter(|flag| flag.legacy_of.is_none()).for_each(|flag| flag_entry(&mut text, option, flag));
        }
    }
    parameters(&mut text);
    ignored(&mut text);
    text.push_str("\nExit status: 0 done; 2 a refused command line, configuration, certificate or key file; 48 an address could not be\nbound; 1 any other failure.\n");
    text
}

/// What `--version` prints.
#[must_use]
pub fn version() -> String {
    format!("doorward {}\n", env!("CARGO_PKG_VERSION"))
}

fn flag_entry(text: &mut String, option: &OptionSpec, flag: &Flag) {
    let short = flag.short.map(|letter| format!("-{letter} [ ")).unwrap_or_default();
    let close = if flag.short.is_some() { " ]" } else { "" };
    let argument = match flag.takes {
        Takes::Value => " arg",
        Takes::Nothing(_) => "",
        Takes::OptionalBoolean | Takes::Letters => " [=arg]",
    };
    let help = match (flag.takes, option.default) {
        (Takes::Value, Some(default)) => format!("{} Default: {default}.", option.help),
        (Takes::Nothing(value), _) if value != "true" => format!("The same as {}: {value} in a file.", option.name),
        _ => option.help.to_owned(),
    };
    entry(text, &format!("{short}--{}{close}{argument}", flag.name), &help);
}

fn parameters(text: &mut String) {
    text.push_str("\nParameters, each given as --setParameter name=value:\n");
    for option in options::all().filter(|option| option.support == Support::Honoured) {
        if let Some(name) = option.name.strip_prefix(PARAMETER) {
            let default = option.default.map(|default| format!(" Default: {default}.")).unwrap_or_default();
            entry(text, name, &format!("{}{default}", option.help));
        }
    }
}

fn ignored(text: &mut String) {
    text.push_str("\nAccepted and ignored, because they concern the database alone or have no meaning for a proxy:\n");
    let flags: Vec<String> = options::all()
        .filter(|option| option.support == Support::Ignored)
        .flat_map(|option| option.flags)
        .map(|flag| format!("--{}", flag.name))
        .collect();
    for line in wrap(&flags.join(" "), WIDTH - 2) {
        let _ = writeln!(text, "  {line}");
    }
}

/// A name in the left column, its help wrapped in the right one.
fn entry(text: &mut String, name: &str, help: &str) {
    let mut left = format!("  {name}");
    if left.len() >= COLUMN {
        let _ = writeln!(text, "{left}");
        left.clear();
    }
    for line in wrap(help, WIDTH - COLUMN) {
        let _ = writeln!(text, "{left:COLUMN$}{line}");
        left.clear();
    }
}

/// The words of a text in lines of at most `width` characters.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
