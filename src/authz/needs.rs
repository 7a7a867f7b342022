//! What a command needs, told by the rules that judge it: they are asked in the name of somebody who may do more than the user.
//!
//! [`Asking`] answers a rule as the user's privileges would, and grants what is named beside them. [`search`] finds what a command
//! that is not allowed lacks: it grants one more of the privileges that were refused, the cheapest set first, until the rule is
//! content. A privilege costs more the wider its resource is; of two sets that cost the same the one that was asked for first is
//! taken. A rule that has too many ways is granted whatever it asks for instead, in its own order. Nothing here decides about a command
//! that is enforced.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::Refused;
use super::action::Action;
use super::cursors::{CursorOwner, Cursors, Opened};
use super::grants::Grants;
use super::principal::Principal;
use super::request::Request;
use super::resource::{OwnedResource, Resource};
use super::rules::{Granted, Rule};
use crate::error::ErrorCode;

/// How often a rule is asked at most to find what a command lacks.
const MOST_RUNS: usize = 64;

/// A privilege that a command needs: one action on one resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Need {
    /// On what.
    pub resource: OwnedResource,
    /// What is done.
    pub action: Action,
}

impl Need {
    /// What it costs to grant it: a few narrow privileges are better than a wide one.
    const fn cost(&self) -> u32 {
        match self.resource {
            OwnedResource::Collection { .. } => 1,
            OwnedResource::Database(_) => 2,
            OwnedResource::Cluster => 4,
            OwnedResource::AnyNormal => 16,
            OwnedResource::Any => 256,
        }
    }

    fn is(&self, resource: Resource<'_>, action: Action) -> bool {
        self.action == action && self.resource.as_resource() == resource
    }
}

/// Beyond what the user holds.
#[derive(Clone, Copy)]
enum Extra<'a> {
    These(&'a [Need]),
    /// All but what is on `{anyResource: true}`: rules ask for that as a short cut.
    Ordinary,
    Everything,
}

/// What was asked, kept only when somebody wants to know.
#[derive(Default)]
struct Notes {
    granted: Vec<Need>,
    lacking: Vec<Need>,
    refused: Vec<Need>,
}

/// Answers a rule for a user, or nobody, who may also do what is named beside; and takes note of what was granted.
pub struct Asking<'a> {
    principal: Option<&'a Principal>,
    cursors: &'a Cursors,
    extra: Extra<'a>,
    trace: DefaultHasher,
    notes: Option<Notes>,
}

impl<'a> Asking<'a> {
    /// For a user, `None` for nobody, who may do `extra` besides.
    #[must_use]
    pub fn new(principal: Option<&'a Principal>, cursors: &'a Cursors, extra: &'a [Need]) -> Self {
        Self { principal, cursors, extra: Extra::These(extra), trace: DefaultHasher::new(), notes: None }
    }

    /// A hash of everything that was granted, in its order: what two commands with the same hash needed is the same.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.trace.finish()
    }

    fn with_notes(self) -> Self {
        Self { notes: Some(Notes::default()), ..self }
    }
}

impl Grants for Asking<'_> {
    fn has(&mut self, resource: Resource<'_>, action: Action) -> bool {
        let held = self.principal.is_some_and(|principal| principal.privileges().holds(resource, action));
        let granted = held
            || match self.extra {
                Extra::Everything => true,
                Extra::Ordinary => resource != Resource::Any,
                Extra::These(needs) => needs.iter().any(|need| need.is(resource, action)),
            };
        if granted {
            resource.hash(&mut self.trace);
            self.trace.write_u8(action as u8);
        }
        if let Some(notes) = &mut self.notes {
            let need = Need { resource: OwnedResource::of(resource), action };
            if !granted {
                notes.refused.push(need);
            } else if !notes.granted.contains(&need) {
                if !held {
                    notes.lacking.push(need.clone());
                }
                notes.granted.push(need);
            }
        }
        granted
    }

    fn principal(&self) -> Option<&Principal> {
        self.principal
    }

    /// Nobody's cursors are nobody's own: with a login they would be its user's.
    fn cursor(&self, id: i64) -> CursorOwner {
        let is_nobodys = |opened: Arc<Opened>| opened.owner().is_none();
        if self.principal.is_none() && self.cursors.opened(id).is_some_and(is_nobodys) {
            return CursorOwner::Asker;
        }
        self.cursors.owner(id, self.principal.map(Principal::name))
    }

    fn opened(&self, id: i64) -> Option<Arc<Opened>> {
        self.cursors.opened(id)
    }
}

/// What enforcement would say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The command would be run; or refused for a reason that has nothing to do with who asks.
    Allowed,
    /// Not authorized.
    Denied,
    /// The document sequences have to be read to tell.
    WholeMessage,
}

impl Verdict {
    /// From what a rule said.
    #[must_use]
    pub fn of(judged: &Result<Granted, Refused>) -> Self {
        match judged {
            Err(Refused::NotAuthorized) => Self::Denied,
            Err(Refused::Error(error)) if error.code() == ErrorCode::Unauthorized => Self::Denied,
            Err(Refused::WholeMessage) => Self::WholeMessage,
            Ok(_) | Err(Refused::Error(_) | Refused::Answered(_)) => Self::Allowed,
        }
    }
}

/// What a command needs, and what of it the user lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Everything that the command needs.
    pub needs: Vec<Need>,
    /// What of it is lacking. Empty for a command that is allowed, and for one that no privilege would allow: another user's cursor.
    pub lacking: Vec<Need>,
    /// Whether what is held is enough.
    pub is_allowed: bool,
    /// What [`Asking::trace`] says when `lacking` is granted.
    pub trace: u64,
}

/// Finds what a command needs; `None` when the document sequences have to be read to tell.
#[must_use]
pub fn search(rule: Rule, request: &Request<'_>, principal: Option<&Principal>, cursors: &Cursors) -> Option<Found> {
    // By cost, then in the order in which they were found.
    let mut waiting = BTreeMap::from([((0, 0), Vec::new())]);
    let mut known = BTreeSet::new();
    for _ in 0..MOST_RUNS {
        let Some(((cost, _), extra)) = waiting.pop_first() else { return Some(Found::default()) };
        let mut asking = Asking::new(principal, cursors, &extra).with_notes();
        match Verdict::of(&rule(request, &mut asking)) {
            Verdict::Allowed => return Some(Found { is_allowed: extra.is_empty(), ..found(asking) }),
            Verdict::WholeMessage => return None,
            Verdict::Denied => {}
        }
        for need in asking.notes.into_iter().flat_map(|notes| notes.refused) {
            // One set is reached in every order of its members.
            let sorted: BTreeSet<Need> = extra.iter().chain([&need]).cloned().collect();
            if known.insert(sorted) {
                let more = [extra.as_slice(), std::slice::from_ref(&need)].concat();
                waiting.insert((u32::saturating_add(cost, need.cost()), known.len()), more);
            }
        }
    }
    granted_as_asked(rule, request, principal, cursors)
}

fn granted_as_asked(rule: Rule, request: &Request<'_>, principal: Option<&Principal>, cursors: &Cursors) -> Option<Found> {
    let with = |extra| Asking { extra, ..Asking::new(principal, cursors, &[]) }.with_notes();
    let mut ordinary = with(Extra::Ordinary);
    match Verdict::of(&rule(request, &mut ordinary)) {
        Verdict::Allowed => return Some(found(ordinary)),
        Verdict::WholeMessage => return None,
        Verdict::Denied => {}
    }
    let mut everything = with(Extra::Everything);
    match Verdict::of(&rule(request, &mut everything)) {
        Verdict::WholeMessage => None,
        Verdict::Allowed | Verdict::Denied => Some(found(everything)),
    }
}

fn found(asking: Asking<'_>) -> Found {
    let trace = asking.trace();
    let Notes { granted, lacking, .. } = asking.notes.unwrap_or_default();
    Found { needs: granted, lacking, is_allowed: false, trace }
}

#[cfg(test)]
mod tests {
    use bson::raw::RawDocumentBuf;
    use bson::rawdoc;

    use super::*;
    use crate::authz::request::Sequences;
    use crate::authz::rules;
    use crate::authz::testing::{request, user};
    use crate::error::CommandError;
    use crate::names::UserName;
    use crate::wire::command::Command;

    const ORDERS: Resource<'static> = Resource::Collection { database: "app", collection: "orders" };

    fn need(resource: Resource<'_>, action: Action) -> Need {
        Need { resource: OwnedResource::of(resource), action }
    }

    fn reader() -> Principal {
        user("find@app")
    }

    fn searched(rule: Rule, principal: Option<&Principal>) -> Option<Found> {
        let body = rawdoc! { "find": "orders", "$db": "app" };
        search(rule, &request("app", &body, Sequences::Unread), principal, &Cursors::default())
    }

    fn answer(allowed: bool) -> Result<Granted, Refused> {
        if allowed { Ok(Granted::AsIs) } else { Err(Refused::NotAuthorized) }
    }

    /// `find` and `update`, one after the other.
    fn both(_: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
        answer(grants.has(ORDERS, Action::Find) && grants.has(ORDERS, Action::Update))
    }

    /// Two privileges, or another one.
    fn either(_: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
        let wide = grants.has(Resource::Cluster, Action::InProg) && grants.has(Resource::Cluster, Action::Top);
        answer(wide || grants.has(ORDERS, Action::Insert))
    }

    #[test]
    fn what_is_held_is_a_need_and_only_what_is_not_is_lacking() {
        let nobodys = searched(both, None).unwrap();
        assert_eq!(nobodys.needs, [need(ORDERS, Action::Find), need(ORDERS, Action::Update)]);
        assert_eq!(nobodys.lacking, nobodys.needs);
        let readers = searched(both, Some(&reader())).unwrap();
        assert_eq!(readers.needs, nobodys.needs);
        assert_eq!(readers.lacking, [need(ORDERS, Action::Update)]);
    }

    #[test]
    fn nobodys_cursors_would_be_ones_own_with_a_login() {
        let cursors = Cursors::default();
        let find = rawdoc! { "find": "orders", "$db": "app" };
        let opened = |owner| Opened::new(owner, true, &Command::new("find", "app", &find));
        cursors.remember(7, opened(None));
        cursors.remember(8, opened(Some(Arc::new(reader()))));
        let lacking = |rule: Rule, body: &RawDocumentBuf| {
            search(rule, &request("app", body, Sequences::None), None, &cursors).unwrap().lacking
        };
        let kill = |id: i64| rawdoc! { "killCursors": "orders", "cursors": [id], "$db": "app" };
        assert_eq!(lacking(rules::cursors::kill_cursors, &kill(7)), []);
        assert_eq!(lacking(rules::cursors::kill_cursors, &kill(8)), [need(ORDERS, Action::KillAnyCursor)]);
        let more = rawdoc! { "getMore": 7_i64, "collection": "orders", "$db": "app" };
        assert_eq!(lacking(rules::cursors::get_more, &more), [need(ORDERS, Action::Find)]);
    }

    #[test]
    fn of_two_ways_the_one_that_lacks_less_is_found() {
        assert_eq!(searched(either, None).unwrap().lacking, [need(ORDERS, Action::Insert)]);
    }

    #[test]
    fn a_short_cut_for_those_who_may_do_everything_is_no_need() {
        let short_cut = |request: &Request<'_>, grants: &mut dyn Grants| {
            if grants.has(Resource::Any, Action::AnyAction) { Ok(Granted::AsIs) } else { both(request, grants) }
        };
        assert_eq!(searched(short_cut, None).unwrap().lacking, searched(both, None).unwrap().lacking);
        let everything = |_: &Request<'_>, grants: &mut dyn Grants| answer(grants.has(Resource::Any, Action::AnyAction));
        assert_eq!(searched(everything, None).unwrap().lacking, [need(Resource::Any, Action::AnyAction)]);
    }

    #[test]
    fn a_refusal_that_no_privilege_changes_lacks_nothing() {
        assert_eq!(searched(|_, _| Err(Refused::NotAuthorized), None), Some(Found::default()));
    }

    #[test]
    fn an_error_of_the_command_itself_is_no_lack_but_an_unauthorized_one_is() {
        let bad = |_: &Request<'_>, _: &mut dyn Grants| Err(Refused::Error(CommandError::new(ErrorCode::BadValue, "no")));
        assert_eq!(Verdict::of(&Err(Refused::Error(CommandError::new(ErrorCode::Unauthorized, "no")))), Verdict::Denied);
        assert_eq!(searched(bad, None).unwrap().lacking, []);
    }

    #[test]
    fn a_cursor_is_continued_by_its_own_user_alone_and_killed_by_whoever_may() {
        let body = rawdoc! { "find": "orders", "$db": "app" };
        let (owner, other) = (Arc::new(reader()), Principal::member());
        let stranger = Principal::new(UserName::new("bob", "app"), Vec::new(), owner.privileges().clone());
        let cursors = Cursors::default();
        cursors.remember(7, Opened::new(Some(Arc::clone(&owner)), false, &Command::new("find", "app", &body)));
        let of = |body: &RawDocumentBuf, user: &Principal| {
            search(super::super::rehearse, &request("app", body, Sequences::None), Some(user), &cursors).unwrap()
        };
        let more = rawdoc! { "getMore": 7_i64, "collection": "orders", "$db": "app" };
        assert!(of(&more, &owner).is_allowed);
        for user in [&stranger, &other] {
            let found = of(&more, user);
            assert_eq!((found.is_allowed, found.lacking), (false, Vec::new()));
        }
        let kill = rawdoc! { "killCursors": "orders", "cursors": [7_i64], "$db": "app" };
        assert!(of(&kill, &owner).is_allowed && of(&kill, &other).is_allowed);
        assert_eq!(of(&kill, &stranger).lacking, [need(ORDERS, Action::KillAnyCursor)]);
    }

    #[test]
    fn sequences_that_were_not_read_are_asked_for() {
        let update = |_: &Request<'_>, grants: &mut dyn Grants| {
            if !grants.has(ORDERS, Action::Update) {
                return Err(Refused::NotAuthorized);
            }
            if grants.has(ORDERS, Action::Insert) { Ok(Granted::AsIs) } else { Err(Refused::WholeMessage) }
        };
        assert_eq!(searched(update, None), None);
    }

    #[test]
    fn a_rule_with_very_many_ways_is_granted_what_it_asks_for() {
        let all = |_: &Request<'_>, grants: &mut dyn Grants| {
            // Without an early end every subset would be a way.
            let count = Action::ALL.iter().filter(|action| grants.has(Resource::Cluster, **action)).count();
            answer(count == Action::ALL.len())
        };
        assert_eq!(searched(all, None).unwrap().lacking.len(), Action::ALL.len());
    }

    #[test]
    fn a_replay_with_what_was_lacking_leaves_the_same_trace() {
        let found = searched(both, Some(&reader())).unwrap();
        let (principal, cursors) = (reader(), Cursors::default());
        let mut asking = Asking::new(Some(&principal), &cursors, &found.lacking);
        assert!(asking.has(ORDERS, Action::Find) && asking.has(ORDERS, Action::Update));
        assert_eq!(asking.trace(), found.trace);
    }
}
