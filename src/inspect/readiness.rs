//! `doorward readiness`: asks a running doorward who would break if authentication were enforced now, and which roles an application
//! needs.
//!
//! The running doorward is found at `proxy.admin` of its configuration. What it tells holds names that clients gave themselves: all of
//! them are escaped before they reach a terminal. Exit status 0: the report was printed, whatever it says; 1: no doorward answers, or
//! it knows no such application; 2: the words or the configuration are refused.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::Value;

use super::{FAILED, complain, print, printable, refuse, say};
use crate::admin::log::timestamp;
use crate::config;

mod since;

/// How long the running doorward may take to answer; it may have to ask its upstream.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many lines of one application are printed; `--json` has all.
const MOST_LINES: usize = 20;

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
    let since = match name("since").map(|time| since::parse(time).ok_or(time)).transpose() {
        Ok(since) => since,
        Err(time) => return refuse(&format!("--since {}: not a time like 2026-11-22T04:31:07Z", printable(time))),
    };
    let path = match name("roles") {
        Some(application) => format!("/api/readiness/roles?application={}", encoded(application)),
        None => "/api/readiness".to_owned(),
    };
    let answer = match get(&addresses, &path) {
        Ok(answer) => answer,
        Err(message) => return fail(&message),
    };
    let Ok(mut value) = serde_json::from_str::<Value>(&answer) else { return fail("the answer is not doorward's") };
    if let Some(since) = since {
        since::keep_since(&mut value, since);
    }
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
    let command = format!("doorward readiness {place}");
    let mut text = report(&value, &command);
    if !list(&value, "wouldBreak").is_empty() {
        let now = timestamp(SystemTime::now());
        let _ = writeln!(text, "\nOnce that is mended, see what comes from now on: {command} --since {now}");
    }
    print(&text)
}

fn command() -> Command {
    let word = |name: &'static str, value: &'static str| Arg::new(name).long(name).value_name(value);
    Command::new("doorward readiness")
        .no_binary_name(true)
        .about("Tells who would break if authentication were enforced now: asks a doorward that runs with security.transitionToAuth.")
        .arg(word("config", "FILE").short('f').value_parser(value_parser!(PathBuf)).help("the running doorward's configuration"))
        .arg(word("admin", "HOST:PORT").help("its admin port, instead of proxy.admin of the configuration"))
        .arg(word("application", "NAME").help("only this application; '' for clients that say no name"))
        .arg(word("since", "TIME").help("only what was seen since then, for example 2026-11-22T04:31:07Z: after something was mended"))
        .arg(word("roles", "NAME").conflicts_with_all(["application", "since"]).help("the smallest roles for all that this application did"))
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

/// Leaves one application in a report; `false` when it is not there.
fn keep_only(report: &mut Value, application: &str) -> bool {
    for list in ["wouldBreak", "ready"] {
        if let Some(names) = report.get_mut(list).and_then(Value::as_array_mut) {
            names.retain(|name| name == application);
        }
    }
    let Some(applications) = report.get_mut("applications").and_then(Value::as_array_mut) else { return false };
    applications.retain(|one| text_at(one, "application") == application);
    !applications.is_empty()
}

fn text_at<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn number(value: &Value, path: &str) -> u64 {
    value.pointer(path).and_then(Value::as_u64).unwrap_or_default()
}

/// `1 operation`, `2 operations`.
fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn application_name(name: &str) -> String {
    if name.is_empty() { "clients without an application name".to_owned() } else { format!("\"{}\"", printable(name)) }
}

/// The report for people; `command` is how it was asked for.
fn report(value: &Value, command: &str) -> String {
    let mut text = String::from("Who would break if authentication were enforced now?\n");
    let (since, until) = (text_at(value, "since"), text_at(value, "until"));
    if since.is_empty() {
        text.push_str("Unknown: this doorward has not run with security.transitionToAuth since it started.\n");
        return text;
    }
    let until = if until.is_empty() { "now".to_owned() } else { format!("{until}, when the transition ended") };
    let _ = writeln!(text, "Seen from {since} to {until}.");
    let applications = list(value, "applications");
    let (ready, broken): (Vec<&Value>, Vec<&Value>) =
        applications.iter().partition(|one| one.get("ready") == Some(&Value::Bool(true)));
    let not_seen: Vec<String> = list(value, "notSeen").iter().filter_map(Value::as_str).map(application_name).collect();
    if !not_seen.is_empty() {
        let _ = writeln!(text, "\nNot seen since the time that you named, so nothing is known of: {}", not_seen.join(", "));
    }
    if applications.is_empty() {
        text.push_str("\nNothing that needs a privilege was seen yet.\n");
    } else if broken.is_empty() {
        text.push_str("\nNobody of those that were seen.\n");
    } else {
        let _ = writeln!(text, "\n{} of {} would break:", broken.len(), counted(applications.len() as u64, "application"));
    }
    broken.iter().for_each(|one| would_break(&mut text, one, command));
    if !ready.is_empty() {
        text.push_str("\nready:\n");
    }
    for one in ready {
        let users: Vec<String> = list(one, "users").iter().filter_map(Value::as_str).map(printable).collect();
        let name = application_name(text_at(one, "application"));
        let operations = counted(number(one, "/operations/allowed"), "operation");
        let _ = writeln!(text, "  {name}: {operations} as {}", users.join(", "));
    }
    let left_out = ["/overflow/denied", "/overflow/allowed", "/overflow/failedLogins"].map(|path| number(value, path));
    if let [denied, allowed, logins] = left_out
        && denied.saturating_add(allowed).saturating_add(logins) > 0
    {
        let _ = writeln!(
            text,
            "\nThere are more applications than the record holds. Of the others: {denied} operations would be refused, {allowed} \
             allowed, {} failed.",
            counted(logins, "login")
        );
    }
    text
}

fn would_break(text: &mut String, application: &Value, command: &str) {
    let name = text_at(application, "application");
    let _ = writeln!(text, "\n  {}", application_name(name));
    let lines = list(application, "denied");
    let nobody = number(application, "/operations/unauthenticated");
    let lacking = number(application, "/operations/missingPrivilege");
    if nobody > 0 {
        let _ = writeln!(text, "    {} without credentials", counted(nobody, "operation"));
    }
    if lacking > 0 {
        let _ = writeln!(text, "    {} without the privilege", counted(lacking, "operation"));
    }
    for line in lines.iter().take(MOST_LINES) {
        let _ = writeln!(text, "      {}", denied(line));
    }
    if let Some(more) = lines.len().checked_sub(MOST_LINES).filter(|more| *more > 0) {
        let _ = writeln!(text, "      and {}: --json has all", counted(more as u64, "more line"));
    }
    let not_listed = number(application, "/overflow/denied");
    if not_listed > 0 {
        let _ = writeln!(text, "      and {} that the record has no room to list", counted(not_listed, "operation"));
    }
    let failed = list(application, "failedLogins").iter().filter(|one| one.get("succeededLater") == Some(&Value::Bool(false)));
    let failed: Vec<&Value> = failed.collect();
    for one in &failed {
        let _ = writeln!(text, "    {}", failed_login(one));
    }
    let roles = format!("{command} --roles {}", shell_word(name));
    if nobody > 0 {
        let _ = writeln!(text, "    remedy: give it credentials, of a user with the roles that this tells: {roles}");
    } else if lacking > 0 {
        let _ = writeln!(text, "    remedy: grant its user the roles that this tells: {roles}");
    }
    if !failed.is_empty() {
        let _ =
            writeln!(text, "    remedy: correct its password or certificate; doorward's log has the reason of each failed login");
    }
}

fn denied(line: &Value) -> String {
    let field = |name| printable(text_at(line, name));
    let mut text = format!("{} {}x", field("command"), number(line, "/count"));
    if text_at(line, "why") == "missing privilege" {
        let missing: Vec<String> = list(line, "missing").iter().map(need).collect();
        let missing = if missing.is_empty() {
            "may not, whatever it is granted".to_owned()
        } else {
            format!("lacks {}", missing.join(", "))
        };
        let _ = write!(text, ": {} {missing}", field("user"));
    } else {
        let _ = write!(text, ", for example on {}", field("namespace"));
    }
    let _ = write!(text, "; {}, last {}", origin(line), field("lastSeen"));
    text
}

fn failed_login(line: &Value) -> String {
    let field = |name| printable(text_at(line, name));
    let user = if text_at(line, "user").is_empty() { "somebody unknown".to_owned() } else { field("user") };
    let count = counted(number(line, "/count"), "failed login");
    format!("{count} as {user} by {}; {}, last {}", field("mechanism"), origin(line), field("lastSeen"))
}

/// Where a line comes from.
fn origin(line: &Value) -> String {
    let (address, driver) = (text_at(line, "address"), text_at(line, "driver"));
    let address = if address.is_empty() { "a unix socket".to_owned() } else { printable(address) };
    if driver.is_empty() { format!("from {address}") } else { format!("from {address} with {}", printable(driver)) }
}

fn need(value: &Value) -> String {
    format!("{} on {}", printable(text_at(value, "action")), resource(value.get("resource").unwrap_or(&Value::Null)))
}

fn resource(value: &Value) -> String {
    let (database, collection) = (printable(text_at(value, "db")), printable(text_at(value, "collection")));
    match (database.as_str(), collection.as_str()) {
        _ if value.get("cluster").is_some() => "the cluster".to_owned(),
        _ if value.get("anyResource").is_some() => "everything".to_owned(),
        ("", _) => "every database".to_owned(),
        (_, "") => format!("the database {database}"),
        _ => format!("{database}.{collection}"),
    }
}

/// A name as a word for a shell.
fn shell_word(name: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_./:@".contains(character);
    if !name.is_empty() && name.chars().all(is_plain) {
        return name.to_owned();
    }
    format!("'{}'", printable(name).replace('\'', r"'\''"))
}

/// The recommendation for people.
fn roles(value: &Value) -> String {
    let mut text = format!("{}\n", application_name(text_at(value, "application")));
    let lines = |name: &str| -> String {
        list(value, name).iter().filter_map(Value::as_str).fold(String::new(), |mut lines, line| {
            let _ = writeln!(lines, "  {}", printable(line));
            lines
        })
    };
    let roles = list(value, "roles");
    if roles.is_empty() {
        text.push_str("\nNo built-in role is needed: being authenticated is enough for what it did, or no role covers it.\n");
    } else {
        let names: Vec<String> =
            roles.iter().map(|role| format!("{}@{}", printable(text_at(role, "role")), printable(text_at(role, "db")))).collect();
        let _ = write!(text, "\nThe smallest built-in roles for what it did: {}\n{}", names.join(", "), lines("grantRoles"));
    }
    let uncovered: Vec<String> = list(value, "uncovered").iter().map(need).collect();
    if !uncovered.is_empty() {
        let _ = writeln!(text, "\nNo built-in role covers: {}", uncovered.join(", "));
    }
    if !list(value.get("createRole").unwrap_or(&Value::Null), "privileges").is_empty() {
        let command = printable(text_at(value, "createRoleCommand"));
        let _ = write!(text, "\nOr a role that allows exactly what it did:\n  {command}\n{}", lines("grantCreatedRole"));
    }
    if value.get("complete") == Some(&Value::Bool(false)) {
        text.push_str("\nIt did more than the record has room for: these roles may not be enough.\n");
    }
    text.push_str("\nOnly what was seen is covered: let every job of the application run once before you rely on it.\n");
    text
}

#[cfg(test)]
mod tests;
