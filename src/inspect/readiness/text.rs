//! What `doorward readiness` prints: the report and the recommendation for people, from the JSON of a running doorward.

use std::fmt::Write as _;

use serde_json::Value;

use super::super::printable;

/// How many lines of one application are printed; `--json` has all.
const MOST_LINES: usize = 20;

pub(super) fn text_at<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn number(value: &Value, path: &str) -> u64 {
    value.pointer(path).and_then(Value::as_u64).unwrap_or_default()
}

/// `1 operation`, `2 operations`.
fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

pub(super) fn application_name(name: &str) -> String {
    if name.is_empty() { "clients without an application name".to_owned() } else { format!("\"{}\"", printable(name)) }
}

/// The report for people; `command` is how it was asked for.
pub(super) fn report(value: &Value, command: &str) -> String {
    let mut text = String::from("Who would break if authentication were enforced now?\n");
    let (since, until) = (text_at(value, "since"), text_at(value, "until"));
    if since.is_empty() {
        text.push_str("Unknown: this doorward has not run with security.transitionToAuth since it started.\n");
        verdict(&mut text, value);
        return text;
    }
    let until = if until.is_empty() { "now".to_owned() } else { format!("{until}, when the transition ended") };
    let _ = writeln!(text, "Seen from {since} to {until}.");
    let applications = list(value, "applications");
    let (ready, broken): (Vec<&Value>, Vec<&Value>) =
        applications.iter().partition(|one| one.get("ready") == Some(&Value::Bool(true)));
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
        // What members do once they are logged in is not counted.
        let operations = number(one, "/operations/allowed");
        let operations = Some(operations).filter(|count| *count > 0).map(|count| counted(count, "operation"));
        let users = Some(users.join(", ")).filter(|users| !users.is_empty()).map(|users| format!("as {users}"));
        let told: Vec<String> = operations.into_iter().chain(users).collect();
        let _ = writeln!(text, "  {name}: {}", told.join(" "));
        connections(&mut text, one);
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
    verdict(&mut text, value);
    text
}

fn verdict(text: &mut String, value: &Value) {
    let obstacles = list(value, "obstacles");
    let _ = writeln!(text, "\nVerdict: {}{}", printable(text_at(value, "verdict")), if obstacles.is_empty() { "." } else { ":" });
    for obstacle in obstacles {
        let _ = writeln!(text, "  {}", printable(text_at(obstacle, "text")));
    }
}

/// Where an application's connections come from.
fn connections(text: &mut String, application: &Value) {
    let lines = list(application, "connections");
    for line in lines.iter().take(MOST_LINES) {
        let user = text_at(line, "user");
        let user = if user.is_empty() { "not authenticated".to_owned() } else { format!("as {}", printable(user)) };
        let (open, total) = (number(line, "/open"), number(line, "/total"));
        let seen = printable(text_at(line, "lastSeen"));
        let _ = writeln!(text, "    {}, {open} open, {}, {user}, last {seen}", counted(total, "connection"), origin(line));
    }
    more(text, "    ", lines.len());
}

/// Tells that not all lines were printed.
fn more(text: &mut String, indent: &str, lines: usize) {
    if let Some(more) = lines.checked_sub(MOST_LINES).filter(|more| *more > 0) {
        let _ = writeln!(text, "{indent}and {}: --json has all", counted(more as u64, "more line"));
    }
}

fn would_break(text: &mut String, application: &Value, command: &str) {
    let name = text_at(application, "application");
    let _ = writeln!(text, "\n  {}", application_name(name));
    connections(text, application);
    let is_denied = |line: &&Value| line.get("resolved") != Some(&Value::Bool(true));
    let lines: Vec<&Value> = list(application, "denied").iter().filter(is_denied).collect();
    let sum = |why: &str| {
        let lines = lines.iter().filter(|line| text_at(line, "why") == why);
        lines.fold(0_u64, |sum, line| sum.saturating_add(number(line, "/count")))
    };
    let (nobody, lacking) = (sum("unauthenticated"), sum("missing privilege"));
    if nobody > 0 {
        let _ = writeln!(text, "    {} without credentials", counted(nobody, "operation"));
    }
    if lacking > 0 {
        let _ = writeln!(text, "    {} without the privilege", counted(lacking, "operation"));
    }
    for line in lines.iter().take(MOST_LINES) {
        let _ = writeln!(text, "      {}", denied(line));
    }
    more(text, "      ", lines.len());
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
    let are_members = application.get("members") == Some(&Value::Bool(true));
    if are_members && (nobody > 0 || !failed.is_empty()) {
        let _ = writeln!(
            text,
            "    remedy: give the other members the same keyfile (security.keyFile), or a certificate that security.clusterAuthMode \
             takes; reload the doorward of each, restart a mongod that carries its own"
        );
        return;
    }
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
    if line.get("enforced") == Some(&Value::Bool(true)) {
        text.push_str("; refused already, by proxy.enforcement");
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
    let with = if driver.is_empty() { String::new() } else { format!(" with {}", printable(driver)) };
    let deployment = text_at(line, "deployment");
    let to = if deployment.is_empty() { String::new() } else { format!(" to {}", printable(deployment)) };
    format!("from {address}{with}{to}")
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
pub(super) fn shell_word(name: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_./:@".contains(character);
    if !name.is_empty() && name.chars().all(is_plain) {
        return name.to_owned();
    }
    format!("'{}'", printable(name).replace('\'', r"'\''"))
}

/// The recommendation for people.
pub(super) fn roles(value: &Value) -> String {
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
