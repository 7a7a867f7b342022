//! `proxy.enforcement`: for whom authentication is enforced already while `security.transitionToAuth` is on.

use super::Reader;
use crate::config::error::{ErrorKind, Warning};
use crate::config::raw::Entry;
use crate::config::settings::{EnforcementRule, Security};
use crate::names::UserName;

const ENFORCEMENT: &str = "proxy.enforcement";
const REMEDY: &str = "an entry has at least one of source: 10.0.0.0/8, application: NAME, user: NAME@DATABASE, percentage: 0 to 100; \
                      all that it has must match";

pub(super) fn enforcement(reader: &mut Reader<'_>, security: &Security) -> Vec<EnforcementRule> {
    let mut rules = Vec::new();
    for entry in reader.entries(ENFORCEMENT) {
        match rule(entry) {
            Ok(rule) => rules.push(rule),
            Err(text) => reader.error(ErrorKind::BadValue, ENFORCEMENT, text, REMEDY),
        }
    }
    if !rules.is_empty() && !security.transition_to_auth {
        let everybody = if security.access_control { "everybody" } else { "nobody" };
        let text = format!(
            "proxy.enforcement has no effect without security.transitionToAuth: authentication is enforced for {everybody}"
        );
        reader.warnings.push(Warning::new(None, "ACCESS", text));
    }
    rules
}

fn rule(entry: &Entry) -> Result<EnforcementRule, String> {
    let mut rule = EnforcementRule::default();
    for (name, text) in entry {
        match name.as_str() {
            "source" => {
                let range = text.parse().map_err(|error| format!("{ENFORCEMENT}: source '{text}': {error}"))?;
                rule.source = Some(range);
            }
            "application" => rule.application = Some(text.clone()),
            "user" => rule.user = Some(user(text)?),
            "percentage" => rule.percentage = Some(percentage(text)?),
            // Unknown fields are refused already.
            _ => {}
        }
    }
    if rule == EnforcementRule::default() {
        return Err(format!("an entry of {ENFORCEMENT} says nothing; {{percentage: 100}} is everybody"));
    }
    Ok(rule)
}

/// `name@database`; a name may have an `@` of its own, a database may not.
fn user(text: &str) -> Result<UserName, String> {
    let parts = text.rsplit_once('@').filter(|(name, database)| !name.is_empty() && !database.is_empty());
    let (name, database) = parts.ok_or_else(|| format!("{ENFORCEMENT}: user is no NAME@DATABASE: '{text}'"))?;
    Ok(UserName::new(name, database))
}

fn percentage(text: &str) -> Result<u8, String> {
    let number = text.bytes().all(|digit| digit.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    number
        .filter(|number| *number <= 100)
        .ok_or_else(|| format!("{ENFORCEMENT}: percentage is no number from 0 to 100: '{text}'"))
}
