//! `doorward readiness`: asks a running doorward who would break if authentication were enforced now, and which roles an application
//! needs.
//!
//! The running doorward is found at `proxy.admin` of its configuration. What it tells holds names that clients gave themselves: all of
//! them are escaped before they reach a terminal. Exit status 0: ready to enforce, or `--json` or `--roles` printed, whatever they
//! say; 1: something stands in the way, no doorward answers, or it knows no such application; 2: the words or the configuration are
//! refused.

mod text;

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Value, json};

use self::text::{report, roles, shell_word, text_at};
use super::{FAILED, complain, print, printable, refuse, say};
use crate::config;

/// The verdict when nothing stands in the way, as `/api/readiness` has it.
const READY: &str = "ready to enforce";
/// The verdict when something does.
const NOT_READY: &str = "not ready to enforce";
/// How long the running doorward may take to answer; it may have to ask its upstream.
const PATIENCE: Duration = Duration::from_secs(30);

/// `doorward readiness WORDS`.
#[must_use]
pub fn readiness(words: &[String]) -> ExitCode {
    let matches = match command().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(message) => return say(&message),
    };
    let addresses = match admin(&matches) {
        Ok(addresses) => addresses,
        Err(message) => return refuse(&message),
    };
    let name = |argument| matches.get_one::<String>(argument).map(String::as_str);
    let path = match name("roles") {
        Some(application) => format!("/api/readiness/roles?application={}", encoded(application)),
        None => match matches.get_one::<Duration>("last") {
            Some(last) => format!("/api/readiness?last={}", last.as_secs()),
            None => "/api/readiness".to_owned(),
        },
    };
    let answer = match get(&addresses, &path) {
        Ok(answer) => answer,
        Err(message) => return fail(&message),
    };
    let Ok(mut value) = serde_json::from_str::<Value>(&answer) else { return fail("the answer is not doorward's") };
    if let Some(application) = name("application")
        && !keep_only(&mut value, application)
    {
        return fail(&format!("no application \"{}\" has done anything that needs a privilege", printable(application)));
    }
    if matches.get_flag("json") {
        return print(&format!("{value:#}\n"));
    }
    if name("roles").is_some() {
        return print(&roles(&value));
    }
    let place = match (name("admin"), matches.get_one::<PathBuf>("config")) {
        (Some(admin), _) => format!("--admin {}", shell_word(admin)),
        (None, file) => format!("--config {}", shell_word(&file.map(|file| file.display().to_string()).unwrap_or_default())),
    };
    let printed = print(&report(&value, &format!("doorward readiness {place}")));
    if text_at(&value, "verdict") == READY { printed } else { ExitCode::from(FAILED) }
}

/// `90s`, `30m`, `24h`, `7d`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not written as 90s, 30m, 24h or 7d");
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86_400,
        _ => return Err(wrong()),
    };
    let number = text.get(..text.len().saturating_sub(1)).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
    let number: u32 = number.and_then(|digits| digits.parse().ok()).ok_or_else(wrong)?;
    number.checked_mul(unit).map(|seconds| Duration::from_secs(seconds.into())).ok_or_else(wrong)
}

fn command() -> Command {
    let word = |name: &'static str, value: &'static str| Arg::new(name).long(name).value_name(value);
    Command::new("doorward readiness")
        .no_binary_name(true)
        .about(
            "Tells who would break if authentication were enforced now: asks a doorward that runs with security.transitionToAuth. Exit \
             status 0: ready to enforce; 1: not ready, or no doorward answers; with --json or --roles 0 when it was printed.",
        )
        .arg(word("config", "FILE").short('f').value_parser(value_parser!(PathBuf)).help("the running doorward's configuration"))
        .arg(word("admin", "HOST:PORT").help("its admin port, instead of proxy.admin of the configuration"))
        .arg(word("application", "NAME").help("only this application; '' for clients that say no name"))
        .arg(
            word("last", "DURATION")
                .value_parser(duration)
                .help("only what was seen in this time counts, and all of it must have been seen: 90s, 30m, 24h, 7d"),
        )
        .arg(word("roles", "NAME").conflicts_with_all(["application", "last"]).help("the smallest roles for all that this application did"))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("as JSON, complete"))
}

fn fail(message: &str) -> ExitCode {
    complain(&message);
    ExitCode::from(FAILED)
}

/// Where the running doorward's admin port is.
fn admin(matches: &ArgMatches) -> Result<Vec<SocketAddr>, String> {
    if let Some(admin) = matches.get_one::<String>("admin") {
        let resolved = admin.to_socket_addrs().map_err(|error| format!("--admin {admin}: {error}"))?;
        return Ok(resolved.collect());
    }
    let Some(file) = matches.get_one::<PathBuf>("config") else {
        return Err(
            "where does doorward run? Name its configuration (--config FILE) or its admin port (--admin HOST:PORT)".into()
        );
    };
    let words = ["--config".to_owned(), file.display().to_string()];
    let loaded = config::load(&words, |path| std::fs::read(path)).map_err(|errors| errors.to_string())?;
    let missing =
        || format!("{}: proxy.admin.port is not set, so nothing can be asked; set it and restart doorward", file.display());
    let address = loaded.settings.proxy.admin.ok_or_else(missing)?;
    // An address that stands for all of a machine's is asked at its own.
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    Ok(vec![SocketAddr::new(ip, address.port())])
}

fn encoded(name: &str) -> String {
    name.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

/// Asks for one page and gives its body.
fn get(addresses: &[SocketAddr], path: &str) -> Result<String, String> {
    let mut last = "the name has no address".to_owned();
    for address in addresses {
        match exchange(*address, path) {
            Ok(text) => return body(*address, &text),
            Err(error) => last = error.to_string(),
        }
    }
    let tried: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    Err(format!("no doorward answers at {}: {last}\n  is it running, with proxy.admin.port set?", tried.join(", ")))
}

fn exchange(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

fn body(address: SocketAddr, answer: &str) -> Result<String, String> {
    let not_http = || format!("{address} is not doorward's admin port");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(not_http)?;
    match head.split(' ').nth(1) {
        Some("200") => Ok(body.to_owned()),
        Some(status) => Err(format!("{address} answers {}: {}", printable(status), printable(body.trim()))),
        None => Err(not_http()),
    }
}

/// Leaves one application in a report, and what stands in its way; `false` when it is not there.
fn keep_only(report: &mut Value, application: &str) -> bool {
    let is_unseen = |one: &Value| text_at(one, "application") == application && one.get("seen") == Some(&Value::Bool(false));
    let is_unseen = report.get("applications").and_then(Value::as_array).is_some_and(|all| all.iter().any(is_unseen));
    if let Some(obstacles) = report.get_mut("obstacles").and_then(Value::as_array_mut) {
        let is_meant = |one: &Value| one.get("application").and_then(Value::as_str).is_none_or(|name| name == application);
        obstacles.retain(is_meant);
        if obstacles.is_empty() && is_unseen {
            let text = "it did nothing that needs a privilege in this time";
            obstacles.push(json!({ "kind": "nothingSeen", "application": application, "text": text }));
        }
        let verdict = if obstacles.is_empty() { READY } else { NOT_READY };
        if let Some(told) = report.get_mut("verdict") {
            *told = verdict.into();
        }
    }
    for list in ["wouldBreak", "ready"] {
        if let Some(names) = report.get_mut(list).and_then(Value::as_array_mut) {
            names.retain(|name| name == application);
        }
    }
    let Some(applications) = report.get_mut("applications").and_then(Value::as_array_mut) else { return false };
    applications.retain(|one| text_at(one, "application") == application);
    !applications.is_empty()
}

#[cfg(test)]
mod tests;
