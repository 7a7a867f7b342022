//! The commands that look and tell, and start nothing: `check`, `explain`, `keyfile`, `readiness`.
//!
//! What they say comes from the code that serves, so that it is what would happen. No key and no password is ever printed, and
//! nothing of a foreign certificate reaches a terminal unescaped. Source: doorward's contract.

mod check;
mod explain;
mod keyfile;
mod readiness;

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::process::ExitCode;

pub use self::check::check;
pub use self::explain::explain;
pub use self::keyfile::keyfile;
pub use self::readiness::readiness;

use crate::tls::description::Description;
use crate::tls::mongod_time;

/// Something that was looked at is refused.
const REFUSED: u8 = 2;
/// Any other failure.
const FAILED: u8 = 1;

/// Prints a report. A reader that went away is a failure, not a panic.
fn print(text: &str) -> ExitCode {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(FAILED),
    }
}

fn refuse(message: &impl fmt::Display) -> ExitCode {
    complain(message);
    ExitCode::from(REFUSED)
}

fn complain(message: &impl fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "{message}");
}

/// What clap says of words that it refuses, or its help.
fn say(message: &clap::Error) -> ExitCode {
    let _ = message.print();
    ExitCode::from(if message.use_stderr() { REFUSED } else { 0 })
}

/// Text of a certificate, with everything escaped that could move a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().fold(String::new(), |mut printed, character| {
        if character.is_control() {
            printed.extend(character.escape_default());
        } else {
            printed.push(character);
        }
        printed
    })
}

fn date(seconds: i64) -> String {
    let text = mongod_time(seconds);
    format!("{}Z", text.split('.').next().unwrap_or(&text))
}

/// How long until `end`, in words.
fn left(end: i64, now: i64) -> String {
    let (days, past) = ((end - now) / 86_400, (now - end) / 86_400);
    match (end > now, days, past) {
        (true, 0, _) => "less than a day left".to_owned(),
        (true, 1, _) => "1 day left".to_owned(),
        (true, days, _) => format!("{days} days left"),
        (false, _, past) => format!("EXPIRED {past} days ago"),
    }
}

/// A name, or why it has none.
fn name(name: &Result<crate::x509::DistinguishedName, crate::x509::dn::DnError>) -> String {
    match name {
        Ok(name) if name.is_empty() => "(empty)".to_owned(),
        Ok(name) => printable(name.as_str()),
        Err(error) => format!("(no text: {error})"),
    }
}

/// What a certificate says, a line for each fact.
fn facts(certificate: &Description, now: i64, indent: &str) -> String {
    let list = |texts: &[String]| if texts.is_empty() { "none".to_owned() } else { printable(&texts.join(", ")) };
    let mut text = String::new();
    let mut line = |label: &str, value: &str| {
        let _ = writeln!(text, "{indent}{label}: {value}");
    };
    line("subject", &name(&certificate.subject));
    let self_signed = if certificate.is_self_signed { " (self-signed)" } else { "" };
    line("issuer", &format!("{}{self_signed}", name(&certificate.issuer)));
    let (from, to) = (date(certificate.not_before), date(certificate.not_after));
    let early = if certificate.not_before > now { ", NOT YET VALID" } else { "" };
    line("valid", &format!("from {from} to {to}, {}{early}", left(certificate.not_after, now)));
    line("alternative names", &list(&certificate.alternative_names));
    if let Some(usages) = &certificate.key_usage {
        line("key usage", &usages.join(", "));
    }
    if let Some(usages) = &certificate.extended_key_usage {
        line("extended key usage", &list(usages));
    }
    line("certificate authority", if certificate.is_authority { "yes" } else { "no" });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_certificate_moves_the_cursor() {
        assert_eq!(printable("CN=a\u{1b}[2J\n,O=\u{e9}"), "CN=a\\u{1b}[2J\\n,O=\u{e9}");
    }

    #[test]
    fn what_is_left_is_told_in_whole_days() {
        let day = 86_400;
        let cases = [(1, "less than a day left"), (day, "1 day left"), (3 * day + 5, "3 days left"), (0, "EXPIRED 0 days ago")];
        for (end, expected) in cases {
            assert_eq!(left(end, 0), expected);
        }
        assert_eq!(left(0, 2 * day), "EXPIRED 2 days ago");
    }
}
