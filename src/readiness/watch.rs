//! One connection, watched: each of its commands is judged as enforcement would judge it, and counted.
//!
//! A connection remembers what its last commands came to, so that a command like an earlier one costs one look at the rule, a hash and
//! an increment: it is found again by name, database and first field, and it is alike when the rule was granted the same privileges.
//! What a command lacks is remembered with it and granted at once the next time. That is never less than it lacks, and it is never
//! more than commands of this connection lacked before; so one count may stand in the line of a sister command, while the needs of
//! the application stay exact.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::Client;
use super::presence::Presence;
use super::record::{Counter, Operation, Record};
use super::report::Why;
use crate::authz::cursors::Cursors;
use crate::authz::needs::{self, Asking, Found, Need, Verdict};
use crate::authz::principal::Principal;
use crate::authz::request::Request;
use crate::authz::resource::Resource;
use crate::authz::rules::Rule;

/// How many commands a connection remembers.
const SLOTS: usize = 32;

/// What enforcement would have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The command would be run.
    Allowed,
    /// Refused: nobody is authenticated.
    Unauthenticated,
    /// Refused: the user lacks a privilege.
    MissingPrivilege,
}

/// The document sequences have to be read before the command can be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WholeMessage;

/// One remembered command.
#[derive(Debug)]
struct Slot {
    key: u64,
    trace: u64,
    lacking: Vec<Need>,
    outcome: Outcome,
    counter: Arc<Counter>,
}

/// What a connection remembers.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    principal: Option<Arc<Principal>>,
    /// Once the connection has worked or logged in.
    presence: Option<Presence>,
    slots: Vec<Option<Slot>>,
}

impl Watch {
    /// For a connection of this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, principal: None, presence: None, slots: Vec::new() }
    }

    /// Who is at the other end.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Judges a command by `rule` and counts it. Commands that need no authentication must not come here.
    ///
    /// # Errors
    /// [`WholeMessage`]; nothing is counted then.
    pub fn observe(
        &mut self,
        record: &Record,
        principal: Option<&Arc<Principal>>,
        request: &Request<'_>,
        judged: Judging<'_>,
    ) -> Result<Outcome, WholeMessage> {
        self.set_principal(principal);
        let key = key(request, judged.is_enforced);
        let place = usize::try_from(key).unwrap_or_default() % SLOTS;
        let remembered = self.slots.get(place).and_then(Option::as_ref).filter(|slot| slot.key == key);
        // Nobody is never allowed anything, so there is no use in asking the rule for nobody first.
        let lacking = remembered.map(|slot| slot.lacking.as_slice()).unwrap_or_default();
        for extra in [&[], lacking].into_iter().skip(usize::from(principal.is_none() && !lacking.is_empty())) {
            let mut asking = Asking::new(principal.map(AsRef::as_ref), judged.cursors, extra);
            match Verdict::of(&(judged.rule)(request, &mut asking)) {
                Verdict::WholeMessage => return Err(WholeMessage),
                Verdict::Denied => {}
                Verdict::Allowed => {
                    let is_alike = |slot: &&Slot| slot.trace == asking.trace() && slot.lacking.len() == extra.len();
                    if let Some(slot) = remembered.filter(is_alike) {
                        slot.counter.add(judged.now_ms);
                        if let Some(presence) = &self.presence {
                            presence.touch(judged.now_ms);
                        }
                        return Ok(slot.outcome);
                    }
                    break;
                }
            }
        }
        let found = needs::search(judged.rule, request, principal.map(AsRef::as_ref), judged.cursors).ok_or(WholeMessage)?;
        self.be_present(record, judged.now_ms);
        let (outcome, counter) = self.note(record, request, &found, judged);
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, || None);
        }
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = Some(Slot { key, trace: found.trace, lacking: found.lacking, outcome, counter });
        }
        Ok(outcome)
    }

    /// Takes note of who has logged in.
    pub fn logged_in(&mut self, record: &Record, principal: &Arc<Principal>, now_ms: i64) {
        self.set_principal(Some(principal));
        self.be_present(record, now_ms);
    }

    /// Counts the connection as the user's, once.
    fn be_present(&mut self, record: &Record, now_ms: i64) {
        let principal = self.principal.as_ref();
        match &self.presence {
            Some(presence) if presence.is_of(principal) => presence.refresh(principal, now_ms),
            _ => self.presence = Some(record.arrive(&self.client, principal, now_ms)),
        }
    }

    /// What is remembered is remembered of one user.
    fn set_principal(&mut self, principal: Option<&Arc<Principal>>) {
        let is_same = match (&self.principal, principal) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        if !is_same {
            self.slots.clear();
            self.principal = principal.cloned();
        }
    }

    fn note(&self, record: &Record, request: &Request<'_>, found: &Found, judged: Judging<'_>) -> (Outcome, Arc<Counter>) {
        let (outcome, why) = match &self.principal {
            None => (Outcome::Unauthenticated, Some(Why::Unauthenticated)),
            // What was refused although the rules allow it is another user's: a session, say.
            Some(_) if found.is_allowed && judged.is_enforced => {
                (Outcome::MissingPrivilege, Some(Why::MissingPrivilege(Vec::new())))
            }
            Some(_) if found.is_allowed => (Outcome::Allowed, None),
            Some(_) => (Outcome::MissingPrivilege, Some(Why::MissingPrivilege(found.lacking.clone()))),
        };
        let namespace = namespace(request, &found.needs);
        let operation = Operation {
            client: &self.client,
            user: self.principal.as_ref().map(|principal| principal.name()),
            command: request.canonical_name,
            namespace: &namespace,
            why: why.as_ref(),
            is_enforced: judged.is_enforced,
            needs: &found.needs,
        };
        (outcome, record.operation(&operation, judged.now_ms))
    }
}

/// By what a command is judged.
#[derive(Clone, Copy)]
pub struct Judging<'a> {
    /// The rules.
    pub rule: Rule,
    /// The cursors that are open.
    pub cursors: &'a Cursors,
    /// Milliseconds since 1970.
    pub now_ms: i64,
    /// Whether the command was refused in earnest, and only why is asked.
    pub is_enforced: bool,
}

/// What a command is about, for people: its collection where it needs something of that, else its database.
fn namespace(request: &Request<'_>, needs: &[Need]) -> String {
    let database = request.database();
    let is_needed = |collection: &&str| {
        let resource = Resource::Collection { database, collection };
        needs.iter().any(|need| need.resource.as_resource() == resource)
    };
    match first_text(request).filter(is_needed) {
        Some(collection) => format!("{database}.{collection}"),
        None => database.to_owned(),
    }
}

/// The text of a command's first field: its collection, as a rule.
fn first_text<'a>(request: &Request<'a>) -> Option<&'a str> {
    request.body().iter_elements().next()?.ok()?.value().ok()?.as_str()
}

fn key(request: &Request<'_>, is_enforced: bool) -> u64 {
    let mut hasher = DefaultHasher::new();
    (is_enforced, request.canonical_name, request.database(), first_text(request)).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
